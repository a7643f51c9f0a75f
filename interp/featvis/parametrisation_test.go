package featvis

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/cmplx"
	"os"
	"slices"
	"strings"
	"testing"

	"lucigo/internal/fourier"
	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/interptest/shared"
	"lucigo/interp/random"
)

var ctx = context.Background()

// parametrisations are all there are: a new one is tested by being listed.
var parametrisations = []struct {
	p     Parametrisation
	title string
}{
	{Fourier{}, "Fourier(decay=1, σ=0.01)"},
	{Fourier{Decay: 1.5, SD: .1, Colours: RGB}, "Fourier(decay=1.5, σ=0.1, RGB)"},
	{Pixels{}, "pixels(σ=0.01)"},
	{Pixels{SD: .5, Colours: RGB}, "pixels(σ=0.5, RGB)"},
	{MaCo{}, "MaCo(magnitude of 1/f)"},
}

func TestParametrisationsNames(t *testing.T) {
	for _, c := range parametrisations {
		if c.p.String() != c.title {
			t.Errorf("%q calls itself %q", c.title, c.p)
		}
		if _, err := c.p.Canvas(0, 3, 3); err == nil {
			t.Errorf("%s draws on nothing", c.p)
		}
	}
}

// startOf returns what n images start from.
func startOf(c Canvas, n int) Array {
	a := Array{Dims: append([]int{n}, c.Dims...)}
	each := 1
	for _, d := range c.Dims {
		each *= d
	}
	a.Data = make([]float64, n*each)
	for i := range n {
		c.Start(random.New(5, uint64(i), 0), a.Data[i*each:(i+1)*each])
	}
	return a
}

func weightsFor(dims ...int) Array {
	a := Array{Dims: dims}
	n := 1
	for _, d := range dims {
		n *= d
	}
	a.Data = make([]float64, n)
	random.New(31, uint64(n), 0).Normals(a.Data)
	return a
}

// The images are those of sums over all frequencies, written as they are defined.
func TestLawFourierBySlowDefinition(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Linear().On(e.Backend).Float64()
		for _, size := range [][2]int{{5, 7}, {6, 4}, {4, 9}, {1, 1}} {
			h, w := size[0], size[1]
			half := w/2 + 1
			f := Fourier{Decay: 1.3, SD: .7}
			c, err := f.Canvas(h, w, 3)
			if err != nil {
				t.Fatal(err)
			}
			numbers := startOf(c, 2)
			got, _ := draw(t, m, c, numbers, weightsFor(2, h, w, 3))
			want := make([]float64, len(got))
			for n := range 2 {
				for y := range h {
					for x := range w {
						var z [3]float64
						for channel := range 3 {
							for row := range h {
								for column := range w { // of the whole spectrum, mirrored where it is not held
									r, k, mirrored := row, column, false
									if column >= half {
										r, k, mirrored = (h-row)%h, w-column, true
									}
									at := ((n*3+channel)*h + r) * 2 * half
									s := complex(numbers.Data[at+k], numbers.Data[at+half+k])
									fy, fx := float64(r)/float64(h), float64(k)/float64(w)
									if r > h/2 {
										fy--
									}
									s *= complex(math.Sqrt(float64(h*w))/4/math.Pow(max(math.Hypot(fy, fx), 1/float64(max(h, w))), 1.3), 0)
									if mirrored {
										s = cmplx.Conj(s)
									}
									s *= cmplx.Rect(1, 2*math.Pi*(float64(row*y)/float64(h)+float64(column*x)/float64(w)))
									z[channel] += real(s) / float64(h*w)
								}
							}
						}
						for a := range 3 {
							v := 0.0
							for k := range 3 {
								v += imageNet.Root[a][k] * z[k]
							}
							want[((n*h+y)*w+x)*3+a] = 1 / (1 + math.Exp(-v))
						}
					}
				}
			}
			if d := interptest.Distance(got, want); !(d < 1e-12) {
				t.Errorf("%d×%d: %g from the definition", h, w, d)
			}
		}
	})
}

func TestLawDrawDerivative(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Linear().On(e.Backend).Float64()
		for _, p := range parametrisations {
			for _, channels := range []int{3, 1} {
				c, err := p.p.Canvas(5, 6, channels)
				if err != nil {
					t.Fatal(err)
				}
				numbers, weights := startOf(c, 2), weightsFor(2, 5, 6, channels)
				x, g := draw(t, m, c, numbers, weights)
				for i, v := range x {
					if !(v >= 0 && v <= 1) {
						t.Fatalf("%s: number %d of the images is %g", p.p, i, v)
					}
				}
				score := func(by float64, direction []float64) (s float64) {
					moved := numbers
					moved.Data = slices.Clone(numbers.Data)
					for i, d := range direction {
						moved.Data[i] += by * d
					}
					y, _ := draw(t, m, c, moved, weights)
					for i, v := range y {
						s += v * weights.Data[i]
					}
					return s
				}
				for trial := range 4 {
					direction := make([]float64, len(numbers.Data))
					random.New(8, uint64(trial), 0).Normals(direction)
					want, got := (score(1e-5, direction)-score(-1e-5, direction))/2e-5, 0.0
					for i, d := range direction {
						got += d * g[i]
					}
					if !(math.Abs(got-want) <= 1e-6*max(1, math.Abs(want))) {
						t.Errorf("%s, %d channels: slope %g, want %g", p.p, channels, got, want)
					}
				}
			}
		}
	})
}

// Numbers start normal about 0, with the deviation asked for, by default 0.01, and phases uniform over the
// circle.
func TestLawStart(t *testing.T) {
	for _, c := range []struct {
		p            Parametrisation
		sd, kurtosis float64 // of the numbers
	}{
		{Fourier{}, .01, 3}, {Fourier{SD: .3}, .3, 3}, {Pixels{}, .01, 3}, {Pixels{SD: .5}, .5, 3},
		{MaCo{}, math.Pi / math.Sqrt(3), 9. / 5},
	} {
		canvas, err := c.p.Canvas(60, 70, 3)
		if err != nil {
			t.Fatal(err)
		}
		v := startOf(canvas, 2).Data
		var mean, square, fourth float64
		for _, v := range v {
			v /= c.sd
			mean, square, fourth = mean+v, square+v*v, fourth+v*v*v*v
		}
		n := float64(len(v))
		if !(math.Abs(mean/n) <= .03) || !(math.Abs(square/n-1) <= .05) || !(math.Abs(fourth/n-c.kurtosis) <= .2) {
			t.Errorf("%s: in units of %g, the start's mean is %g, its square %g and its fourth power %g", c.p, c.sd, mean/n, square/n, fourth/n)
		}
	}
}

// naiveDFT returns |DFT| of a plane, [h, w/2+1].
func naiveDFT(x []float64, h, w int) []float64 {
	out := make([]float64, 0, h*(w/2+1))
	for row := range h {
		for column := range w/2 + 1 {
			var s complex128
			for i, v := range x {
				s += complex(v, 0) * cmplx.Rect(1, -2*math.Pi*(float64(row*(i/w))/float64(h)+float64(column*(i%w))/float64(w)))
			}
			out = append(out, cmplx.Abs(s))
		}
	}
	return out
}

// MaCo's images are the inverse transforms of the magnitudes with the phases, summed over the whole
// spectrum as it is defined, where the frequencies that are not held are mirror images of those that are.
func TestLawMaCoBySlowDefinition(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Linear().On(e.Backend).Float64()
		for _, size := range [][2]int{{5, 7}, {6, 4}, {4, 9}, {3, 1}, {4, 2}} {
			h, w := size[0], size[1]
			s := magnitudesOf(3, h, w)
			p := MaCo{Magnitude: s}
			if p.String() != "MaCo(magnitude of a test)" {
				t.Errorf("%q", p)
			}
			c, err := p.Canvas(h, w, 3)
			if err != nil {
				t.Fatal(err)
			}
			phases := startOf(c, 1)
			got, _ := draw(t, m, c, phases, weightsFor(1, h, w, 3))
			half := w/2 + 1
			z := make([]float64, 3*h*w)
			var mean, square float64
			for i := range z {
				channel, y, x := i/(h*w), i/w%h, i%w
				for row := range h {
					for column := range w {
						r, k, sign := row, column, 1.0
						if own := column == (w-column)%w; column >= half || own && row > h/2 {
							r, k, sign = (h-row)%h, (w-column)%w, -1
						}
						at := (channel*h+r)*half + k
						z[i] += symmetric(s, channel, r, k) * math.Cos(sign*phases.Data[at]+2*math.Pi*(float64(row*y)/float64(h)+float64(column*x)/float64(w)))
					}
				}
				mean += z[i] / float64(len(z))
			}
			for i := range z {
				z[i] -= mean
				square += z[i] * z[i] / float64(len(z))
			}
			want := make([]float64, len(got))
			for i := range want {
				v := 0.0
				for k := range 3 {
					v += imageNet.Root[i%3][k] * z[k*h*w+i/3] / math.Sqrt(square)
				}
				want[i] = 1 / (1 + math.Exp(-v))
			}
			if d := interptest.Distance(got, want); !(d < 1e-9) {
				t.Errorf("%d×%d: %g from the definition", h, w, d)
			}
		}
	})
}

// magnitudesOf returns a spectrum without any order.
func magnitudesOf(c, h, w int) Spectrum {
	s := Spectrum{Name: "a test", C: c, H: h, W: w, Magnitude: make([]float64, c*h*(w/2+1))}
	for i := range s.Magnitude {
		s.Magnitude[i] = .1 + random.New(4, 4, 4).Uniform(i)
	}
	return s
}

// keeps checks that an image has the magnitudes of a spectrum of its size, up to a factor and except for the
// mean and the frequencies that are their own mirror images.
func keeps(t *testing.T, x interp.Images, s Spectrum, magnitudes func(plane []float64, h, w int) []float64) {
	t.Helper()
	inverse, err := Colours{}.inverse()
	if err != nil {
		t.Fatal(err)
	}
	half := s.W/2 + 1
	var factor, mean, square, worst float64
	where := 0
	for channel := range 3 {
		z := plane(x, 0, channel, inverse)
		for _, v := range z {
			mean += v / float64(3*len(z))
			square += v * v / float64(3*len(z))
		}
		got := magnitudes(z, s.H, s.W)
		if factor == 0 {
			factor = got[half+1] / symmetric(s, channel, 1, 1)
		}
		for i, v := range got {
			row, column := i/half, i%half
			if row == (s.H-row)%s.H && column == (s.W-column)%s.W {
				continue
			}
			if off := math.Abs(v/factor/symmetric(s, channel, row, column) - 1); off > worst {
				worst, where = off, i
			}
		}
	}
	if !(worst < 1e-5) {
		t.Errorf("magnitude (%d, %d) is off by %g of itself", where/half, where%half, worst)
	}
	if !(math.Abs(mean) <= 1e-9) || !(math.Abs(square-1) <= 1e-6) {
		t.Errorf("mean %g, mean square %g", mean, square)
	}
}

// symmetric returns a magnitude of a real image: that of its mirror image too, or, where both are given,
// their mean.
func symmetric(s Spectrum, channel, row, column int) float64 {
	at := func(row int) float64 { return s.Magnitude[(channel*s.H+row)*(s.W/2+1)+column] }
	if column == (s.W-column)%s.W {
		return (at(row) + at((s.H-row)%s.H)) / 2
	}
	return at(row)
}

// Whatever the phases, and after steps that change them.
func TestLawMaCoKeepsMagnitudes(t *testing.T) {
	m := dead().Float64()
	for _, size := range [][2]int{{7, 8}, {6, 5}} {
		s := magnitudesOf(3, size[0], size[1])
		r := Render{Image: MaCo{Magnitude: s}, Height: size[0], Width: size[1], Steps: 3, At: []int{0}, Rate: .3}
		fs := frames(t, r, m, parabola(.7))
		if slices.Equal(fs[0].Images.Pix, fs[1].Images.Pix) {
			t.Error("the phases do not change")
		}
		for _, f := range fs {
			keeps(t, f.Images, s, naiveDFT)
		}
	}
}

func TestLawSpectrumOf(t *testing.T) {
	x := interptest.ImagesOf(3, 5, 6, 3, 1)
	s, err := SpectrumOf(ctx, x, Colours{})
	if err != nil {
		t.Fatal(err)
	}
	inverse, _ := Colours{}.inverse()
	want := make([]float64, 3*5*4)
	for n := range 3 {
		for c := range 3 {
			for i, v := range naiveDFT(plane(x, n, c, inverse), 5, 6) {
				want[c*20+i] += v / 3
			}
		}
	}
	if d := interptest.Distance(s.Magnitude, want); !(d < 1e-12) {
		t.Errorf("%g from the definition", d)
	}
	planes := [3][]float64{plane(x, 0, 0, inverse), plane(x, 0, 1, inverse), plane(x, 0, 2, inverse)}
	for i, v := range x.Pix[:x.Size()] { // the root times the planes, through a sigmoid, is the image
		z := 0.0
		for k := range 3 {
			z += imageNet.Root[i%3][k] * planes[k][i/3]
		}
		if got, want := 1/(1+math.Exp(-z)), min(max(v, .01), .99); !(math.Abs(got-want) <= 1e-12) {
			t.Errorf("number %d: %g, want %g", i, got, want)
		}
	}
	same, err := s.at(3, 5, 6)
	if err != nil || interptest.Distance(same, s.Magnitude) > 1e-12 {
		t.Errorf("at its own size a spectrum is another: %v", err)
	}
	if _, err := s.at(1, 5, 6); err == nil || !strings.Contains(err.Error(), "has 3 channels") {
		t.Errorf("for images of one channel: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := SpectrumOf(ended, x, Colours{}); err != context.Canceled {
		t.Errorf("after the end of the context: %v", err)
	}
	if _, err := SpectrumOf(ctx, interp.Images{}, Colours{}); err == nil {
		t.Error("no images have a spectrum")
	}
}

// The spectrum of no data set is 1/f, with f in cycles a pixel, up to a wave as long as the longest side.
func TestLawDefaultSpectrum(t *testing.T) {
	const h, w = 4, 6
	got, err := Spectrum{}.at(2, h, w)
	if err != nil || len(got) != 2*h*4 {
		t.Fatalf("%d numbers, %v", len(got), err)
	}
	for i, v := range got {
		fy, fx := []float64{0, .25, .5, .25}[i/4%h], []float64{0, 1. / 6, 2. / 6, .5}[i%4]
		want := 6.0 // the mean's
		if i%(4*h) > 0 {
			want = 1 / math.Sqrt(fy*fy+fx*fx)
		}
		if !(math.Abs(v-want) <= 1e-12) {
			t.Errorf("magnitude %d is %g, want %g", i, v, want)
		}
	}
}

// A spectrum that is linear in |frequencies| is the same at every size.
func TestSpectrumAtOtherSizes(t *testing.T) {
	tent := func(h, w int) Spectrum {
		s := Spectrum{C: 1, H: h, W: w}
		for row := range h {
			for column := range w/2 + 1 {
				s.Magnitude = append(s.Magnitude, 1-math.Abs(fourier.Frequency(row, h))-math.Abs(fourier.Frequency(column, w)))
			}
		}
		return s
	}
	for _, size := range [][2]int{{8, 16}, {4, 6}, {32, 12}} {
		got, err := tent(8, 16).at(1, size[0], size[1])
		if err != nil || interptest.Distance(got, tent(size[0], size[1]).Magnitude) > 1e-12 {
			t.Errorf("at %d×%d: %.3v %v", size[0], size[1], got, err)
		}
	}
}

// npy writes an array as NumPy does.
func npy(descr string, dims [3]int, numbers any) []byte {
	var b bytes.Buffer
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%d, %d, %d), }", descr, dims[0], dims[1], dims[2])
	header += strings.Repeat(" ", 117-len(header)) + "\n"
	b.WriteString("\x93NUMPY\x01\x00")
	binary.Write(&b, binary.LittleEndian, uint16(len(header)))
	b.WriteString(header)
	binary.Write(&b, binary.LittleEndian, numbers)
	return b.Bytes()
}

func TestReadSpectrum(t *testing.T) {
	good := npy("<f4", [3]int{2, 3, 3}, slices.Repeat([]float32{1, 2, 3}, 6))
	s, err := ReadSpectrum("a.npy", bytes.NewReader(good))
	if err != nil || s.C != 2 || s.H != 3 || s.W != 4 || len(s.Magnitude) != 18 || s.Magnitude[5] != 3 || s.Name != "a.npy" {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := ReadSpectrum("b", bytes.NewReader(npy("<f8", [3]int{1, 1, 1}, []float64{.5}))); err != nil || s.Magnitude[0] != .5 {
		t.Errorf("%+v, %v", s, err)
	}
	for want, b := range map[string][]byte{
		"not an .npy file":  []byte("RIFF, and no more"),
		"cut off after 17":  good[:len(good)-1],
		"header is cut off": good[:60],
		"C order":           npy("<i4", [3]int{1, 1, 1}, []int32{1}),
		"channels":          npy("<f4", [3]int{9, 1, 1}, make([]float32, 9)),
		"sides from 1":      npy("<f4", [3]int{3, 99999, 99999}, []float32{1}),
		"not negative":      npy("<f4", [3]int{1, 1, 1}, []float32{-1}),
		"zeros":             npy("<f4", [3]int{1, 1, 1}, []float32{0}),
		"is NaN":            npy("<f8", [3]int{1, 1, 1}, []float64{math.NaN()}),
	} {
		if _, err := ReadSpectrum("broken.npy", bytes.NewReader(b)); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "broken.npy") {
			t.Errorf("want an error of %q: %v", want, err)
		}
	}
}

func FuzzReadSpectrum(f *testing.F) {
	f.Add(npy("<f4", [3]int{2, 3, 3}, slices.Repeat([]float32{1, 2, 3}, 6)))
	f.Add(npy("<f8", [3]int{1, 1, 1}, []float64{.5}))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ReadSpectrum("fuzz", bytes.NewReader(b))
		if err != nil {
			return
		}
		if _, err := s.at(s.C, 4, 5); err != nil {
			t.Errorf("a spectrum that was read cannot be used: %v", err)
		}
	})
}

// The spectrum that comes with the MaCo paper falls with frequency, a little faster than 1/f, and its
// channels have about the same energy: the root of the colours' covariance makes brightness the largest.
func TestOracleMaCoSpectrum(t *testing.T) {
	file, err := os.Open(shared.Path(t, "oracles", "xplique_maco", "spectrum_decorrelated.npy"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s, err := ReadSpectrum("MaCo's", file)
	if err != nil {
		t.Fatal(err)
	}
	if s.C != 3 || s.H != 512 || s.W != 512 {
		t.Fatalf("%d×%d×%d", s.C, s.H, s.W)
	}
	half := s.W/2 + 1
	low, high := s.Magnitude[8*half+8], s.Magnitude[128*half+128]
	slope := math.Log(low/high) / math.Log(16)
	var energy [3]float64
	for i, v := range s.Magnitude {
		if i%(s.H*half) != 0 {
			energy[i/(s.H*half)] += v * v
		}
	}
	t.Logf("slope 1/f^%.2f, energy of the channels %.3g", slope, energy)
	if slope < 1 || slope > 2 || slices.Max(energy[:]) > 3*slices.Min(energy[:]) {
		t.Errorf("slope 1/f^%.2f, energy of the channels %.3g", slope, energy)
	}
}

// An image of the spectrum that comes with the MaCo paper, at its own size, has its magnitudes.
func TestOracleMaCoKeepsMagnitudes(t *testing.T) {
	file, err := os.Open(shared.Path(t, "oracles", "xplique_maco", "spectrum_decorrelated.npy"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s, err := ReadSpectrum("MaCo's", file)
	if err != nil {
		t.Fatal(err)
	}
	r := Render{Image: MaCo{Magnitude: s}, Height: s.H, Width: s.W, Steps: 2, Views: None, WarmUp: -1, Rate: .3}
	f, err := r.Final(ctx, dead().Float64(), parabola(.7))
	if err != nil {
		t.Fatal(err)
	}
	keeps(t, f.Images, s, func(plane []float64, _, w int) []float64 { return magnitudes(plane, w) })
}

// ImageNet's colours are the published ones, the longest column at length 1.
func TestImageNetColours(t *testing.T) {
	published := [3][3]float64{{.26, .09, .02}, {.27, 0, -.05}, {.27, -.09, .03}}
	longest := math.Sqrt(.26*.26 + .27*.27 + .27*.27)
	m := Fourier{}.Colours.matrix(3)
	for i, v := range m.Data {
		if want := published[i/3][i%3] / longest; !(math.Abs(v-want) <= 1e-12) {
			t.Errorf("number (%d, %d) is %g, want %g", i/3, i%3, v, want)
		}
	}
}

// Three independent numbers through the root have the covariance, up to a factor.
func TestLawColours(t *testing.T) {
	x := interp.Images{N: 1, H: 40, W: 50, C: 3}
	mix := [3][3]float64{{.5, .1, 0}, {.4, -.1, .05}, {.3, .2, .1}}
	for i := range x.H * x.W {
		s := random.New(1, uint64(i), 0)
		for a := range 3 {
			v := .3
			for k := range 3 {
				v += .3 * mix[a][k] * s.Uniform(k)
			}
			x.Pix = append(x.Pix, v)
		}
	}
	c, err := ColoursOf(x)
	if err != nil {
		t.Fatal(err)
	}
	n := float64(x.H * x.W)
	var mean [3]float64
	for i, v := range x.Pix {
		mean[i%3] += v / n
	}
	var factor float64
	for a := range 3 {
		for b := range 3 {
			covariance, product := 0.0, 0.0
			for i := 0; i < len(x.Pix); i += 3 {
				covariance += (x.Pix[i+a] - mean[a]) * (x.Pix[i+b] - mean[b]) / n
			}
			for k := range 3 {
				product += c.Root[a][k] * c.Root[b][k]
			}
			if factor == 0 {
				factor = product / covariance
			}
			if !(math.Abs(product-factor*covariance) <= 1e-9*factor*covariance+1e-12) {
				t.Errorf("channels %d, %d: %g, and the covariance is %g", a, b, product, covariance)
			}
		}
	}
	for k := range 3 {
		if s := c.Root[0][k] + c.Root[1][k] + c.Root[2][k]; s < 0 {
			t.Errorf("axis %d points away from white: %v", k, c.Root)
		}
	}
	length := func(k int) float64 { return math.Hypot(math.Hypot(c.Root[0][k], c.Root[1][k]), c.Root[2][k]) }
	if !(math.Abs(length(0)-1) <= 1e-12) || length(1) > 1 || length(2) > length(1) {
		t.Errorf("axes of lengths %g, %g, %g", length(0), length(1), length(2))
	}
	inverse, err := c.inverse()
	if err != nil {
		t.Fatal(err)
	}
	for a := range 3 {
		for b := range 3 {
			v := 0.0
			for k := range 3 {
				v += c.Root[a][k] * inverse[k][b]
			}
			if want := RGB.Root[a][b]; !(math.Abs(v-want) <= 1e-9) {
				t.Errorf("root × inverse at %d, %d is %g", a, b, v)
			}
		}
	}
	grey := interptest.ImagesOf(1, 4, 4, 3, 1)
	for i := range grey.Pix {
		grey.Pix[i] = grey.Pix[i/3*3]
	}
	for _, bad := range []interp.Images{grey, interptest.ImagesOf(1, 4, 4, 1, 1), {}} {
		if _, err := ColoursOf(bad); err == nil {
			t.Error("grey images have colours")
		}
	}
}
