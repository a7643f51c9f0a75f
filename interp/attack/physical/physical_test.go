package physical_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/attack/physical"
	_ "lucigo/interp/interptest"
	"lucigo/interp/objective"
	"lucigo/interp/random"
	"lucigo/models/scenes"
)

func noise(seed uint64, h, w int) interp.Images {
	x, s := interp.Images{N: 1, H: h, W: w, C: 3, Pix: make([]float64, h*w*3)}, random.New(seed, 0, 0)
	for i := range x.Pix {
		x.Pix[i] = s.Uniform(i)
	}
	return x
}

// differences are central ones of f by each of x.
func differences(x []float64, h float64, f func() float64) []float64 {
	d := make([]float64, len(x))
	for i, was := range x {
		x[i] = was + h
		up := f()
		x[i] = was - h
		d[i] = (up - f()) / (2 * h)
		x[i] = was
	}
	return d
}

func near(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tolerance) {
			t.Fatalf("%s: number %d is %g, want %g", what, i, got[i], want[i])
		}
	}
}

// The derivative by the paint, through warp, light, colours, blur and noise, is that of finite differences, and JPEG passes it on.
func TestLawShot(t *testing.T) {
	for i := range 4 {
		s, err := physical.Camera{H: 14, W: 17}.Shot(5, i)
		if err != nil {
			t.Fatal(err)
		}
		s.Lens.Blur, s.Lens.Quality = .9, 0
		paint, by := noise(uint64(i), 6, 6), noise(9, 14, 17).Pix
		got, through := make([]float64, len(paint.Pix)), make([]float64, len(paint.Pix))
		want := differences(paint.Pix, 1e-4, func() (sum float64) {
			y, err := s.Take(paint)
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range y {
				sum += by[k] * v
			}
			return sum
		})
		if err := s.Back(paint, by, got); err != nil {
			t.Fatal(err)
		}
		near(t, "derivative", got, want, 1e-8)
		s.Lens.Quality = 50
		if err := s.Back(paint, by, through); err != nil {
			t.Fatal(err)
		}
		near(t, "through JPEG", through, got, 0)
	}
}

// The zero Camera's photographs keep what its documentation says, and a shot depends on seed and number alone.
func TestCamera(t *testing.T) {
	sizes, lowest, leant := map[float64]int{}, 100, 0.0
	paint := noise(1, 32, 32)
	for i := range 300 {
		s, err := physical.Camera{}.Shot(7, i)
		if err != nil {
			t.Fatal(err)
		}
		sizes[s.Size]++
		lowest, leant = min(lowest, s.Lens.Quality), max(leant, s.Tilt)
		if l := s.Lens; s.Tilt > 45 || l.Quality < 50 || l.Quality > 95 || l.Blur > 1 || l.Noise > .03 {
			t.Fatalf("shot %d: tilt %g, lens %+v", i, s.Tilt, l)
		}
		if i%100 != 0 {
			continue
		}
		again, err := physical.Camera{}.Shot(7, i)
		if err != nil {
			t.Fatal(err)
		}
		a, err := s.Take(paint)
		if err != nil {
			t.Fatal(err)
		}
		b, err := again.Take(paint)
		if err != nil || !slices.Equal(a, b) {
			t.Errorf("shot %d taken again is another: %v", i, err)
		}
	}
	if len(sizes) != 3 || lowest > 52 || leant < 43 {
		t.Errorf("of 300 shots: sizes %v, qualities from %d, angles to %g", sizes, lowest, leant)
	}
	for size, n := range sizes {
		if n < 70 {
			t.Errorf("size %g in %d of 300 shots", size, n)
		}
	}
}

// A sheet that is neither leant nor turned is all in the photograph, whatever the proportions of both.
func TestInside(t *testing.T) {
	for _, c := range []physical.Camera{{H: 40, W: 80}, {H: 80, W: 40, Sizes: []float64{.4}}, {H: 50, W: 50, Aspect: 1.5, Sizes: []float64{.6}}} {
		c.Tilt, c.Roll = -1, -1
		for i := range 50 {
			s, err := c.Shot(3, i)
			if err != nil {
				t.Fatal(err)
			}
			for _, corner := range s.Corners {
				if corner[0] < -1e-9 || corner[1] < -1e-9 || corner[0] > float64(c.W)+1e-9 || corner[1] > float64(c.H)+1e-9 {
					t.Fatalf("%d×%d, shot %d: a corner is at %.2f", c.H, c.W, i, corner)
				}
			}
		}
	}
}

// Non-printability is 0 at an ink and the product of the distances elsewhere; its derivative, and the variation's, are finite
// differences': seen as what Paint adds to a gradient of 0.
func TestLawPenalties(t *testing.T) {
	inks := physical.Inks{{0, 0, 0}, {1, 1, 1}}
	x := interp.Images{N: 1, H: 1, W: 2, C: 3, Pix: []float64{1, 1, 1, .3, 0, 0}}
	if got, want := inks.Score(x), .3*math.Sqrt(.49+1+1)/2; math.Abs(got-want) > 1e-15 {
		t.Errorf("non-printability %g, want %g", got, want)
	}
	x = noise(3, 4, 5)
	near(t, "inks", physical.PenaltyOfInks(inks, x), differences(x.Pix, 1e-6, func() float64 { return inks.Score(x) }), 1e-9)
	near(t, "variation", physical.PenaltyOfVariation(x), differences(x.Pix, 1e-6, func() float64 {
		sum := 0.0
		for r := range x.H {
			for c := range x.W {
				for k := range 3 {
					v := x.Pixel(0, r, c)[k]
					if c+1 < x.W {
						sum += math.Hypot(x.Pixel(0, r, c+1)[k]-v, 1e-3)
					}
					if r+1 < x.H {
						sum += math.Hypot(x.Pixel(0, r+1, c)[k]-v, 1e-3)
					}
				}
			}
		}
		return sum / float64(x.H*x.W)
	}), 1e-7)
}

// subject is an image of scenes, and the class that it shall be taken for.
func subject(t *testing.T, i int) (*interp.Model, interp.Images, int) {
	t.Helper()
	m, err := scenes.Standard()
	if err != nil {
		t.Fatal(err)
	}
	x := scenes.Task{}.Images(20002, i+1, 64).Slice(i, i+1)
	return m, x, (x.Class[0] + 5) % 16
}

// Paint stays where it may, raises its objective, makes what can be printed more printable, and is the same on one core.
func TestLawPaint(t *testing.T) {
	m, x, target := subject(t, 0)
	mask := make([]float64, 64*64)
	for i := range mask {
		if i%64 < 32 {
			mask[i] = 1
		}
	}
	var scores []float64
	p := physical.Paint{Steps: 12, Shots: 4, Rate: .1, Mask: mask, Radius: .2, Low: .1, High: .9, Progress: func(_, _ int, s float64) { scores = append(scores, s) }}
	paint, err := p.Fit(t.Context(), m, objective.LogProbOf(target), x, physical.Camera{})
	if err != nil {
		t.Fatal(err)
	}
	moved := 0.0
	for i, v := range paint.Pix {
		was := x.Pix[i]
		d := math.Abs(v - min(max(was, .1), .9))
		switch {
		case mask[i/3] == 0 && v != was:
			t.Fatalf("number %d is outside the mask and went from %g to %g", i, was, v)
		case mask[i/3] == 1 && (v < .1 || v > .9 || d > .2+1e-12):
			t.Fatalf("number %d went from %g to %g", i, was, v)
		}
		moved = max(moved, d)
	}
	if len(scores) != 12 || moved < .19 || !(scores[11] > scores[0]+1) {
		t.Errorf("moved by %g; scores %.3g", moved, scores)
	}
	p.Progress = nil
	old := runtime.GOMAXPROCS(1)
	again, err := p.Fit(t.Context(), m, objective.LogProbOf(target), x, physical.Camera{})
	runtime.GOMAXPROCS(old)
	if err != nil || !slices.Equal(again.Pix, paint.Pix) {
		t.Errorf("on one core the paint is another: %v", err)
	}
}

// A picture that is painted for a printer is more printable than one that is not.
func TestPrinting(t *testing.T) {
	m, x, target := subject(t, 0)
	var score [2]float64
	for i, weight := range []float64{0, 1e6} {
		p := physical.Paint{Steps: 12, Shots: 4, Low: .1, High: .95, Inks: physical.Printer(), Printing: weight}
		paint, err := p.Fit(t.Context(), m, objective.LogProbOf(target), x, physical.Camera{})
		if err != nil {
			t.Fatal(err)
		}
		score[i] = p.Inks.Score(paint)
	}
	if !(score[1] < .6*score[0]) {
		t.Errorf("non-printability %g without a penalty, and %g with one", score[0], score[1])
	}
}

func TestBadPaint(t *testing.T) {
	m, x, target := subject(t, 0)
	nan := x
	nan.Pix = slices.Clone(x.Pix)
	nan.Pix[5] = math.NaN()
	ended, end := context.WithCancel(t.Context())
	end()
	for want, try := range map[string]func() error{
		"Mask is empty": func() error {
			return fit(t.Context(), m, target, physical.Paint{Mask: make([]float64, 4096)}, x, physical.Camera{})
		},
		"Mask is everything": func() error {
			return fit(t.Context(), m, target, physical.Paint{Mask: slices.Repeat([]float64{1}, 4096)}, x, physical.Camera{})
		},
		"Mask has 3 numbers": func() error {
			return fit(t.Context(), m, target, physical.Paint{Mask: make([]float64, 3)}, x, physical.Camera{})
		},
		"neither 0 nor 1": func() error {
			return fit(t.Context(), m, target, physical.Paint{Mask: x.Pix[:4096]}, x, physical.Camera{})
		},
		"Steps is -1": func() error { return fit(t.Context(), m, target, physical.Paint{Steps: -1}, x, physical.Camera{}) },
		"Rate is NaN": func() error {
			return fit(t.Context(), m, target, physical.Paint{Rate: math.NaN()}, x, physical.Camera{})
		},
		"from Low, 0.5": func() error {
			return fit(t.Context(), m, target, physical.Paint{Low: .5, High: .4}, x, physical.Camera{})
		},
		"there are no Inks":   func() error { return fit(t.Context(), m, target, physical.Paint{Printing: 1}, x, physical.Camera{}) },
		"begin with: image 0": func() error { return fit(t.Context(), m, target, physical.Paint{}, nan, physical.Camera{}) },
		"Tilt is 85":          func() error { return fit(t.Context(), m, target, physical.Paint{}, x, physical.Camera{Tilt: 85}) },
		"Sizes is [-1]": func() error {
			return fit(t.Context(), m, target, physical.Paint{}, x, physical.Camera{Sizes: []float64{-1}})
		},
		"Backgrounds are 64×64×3": func() error {
			return fit(t.Context(), m, target, physical.Paint{}, x, physical.Camera{H: 32, Backgrounds: x})
		},
		"Quality is 101": func() error {
			return fit(t.Context(), m, target, physical.Paint{}, x, physical.Camera{Steady: physical.Lens{Quality: 101}})
		},
		"Noise is 7": func() error {
			return fit(t.Context(), m, target, physical.Paint{}, x, physical.Camera{Steady: physical.Lens{Noise: 7}})
		},
		"context canceled": func() error { return fit(ended, m, target, physical.Paint{}, x, physical.Camera{}) },
		"0 photographs": func() error {
			_, err := physical.Look(t.Context(), m, x, physical.Camera{}, 1, 0)
			return err
		},
	} {
		if err := try(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
}

func fit(ctx context.Context, m *interp.Model, target int, p physical.Paint, x interp.Images, s physical.Scene) error {
	_, err := p.Fit(ctx, m, objective.LogProbOf(target), x, s)
	return err
}

// torn is a scene whose shots are of two sizes, or fail.
type torn struct{ fails bool }

func (s torn) Shot(seed uint64, i int) (*physical.Shot, error) {
	if s.fails {
		return nil, errors.New("no film")
	}
	return physical.Camera{H: 64 + i%2}.Shot(seed, i)
}

func TestTornScene(t *testing.T) {
	m, x, target := subject(t, 0)
	if err := fit(t.Context(), m, target, physical.Paint{}, x, torn{}); err == nil || !strings.Contains(err.Error(), "of one size") {
		t.Errorf("%v", err)
	}
	if err := fit(t.Context(), m, target, physical.Paint{}, x, torn{fails: true}); err == nil || !strings.Contains(err.Error(), "no film") {
		t.Errorf("%v", err)
	}
}

// A search that is stopped ends at once, and returns the paint that its steps have made.
func TestStopped(t *testing.T) {
	m, x, target := subject(t, 0)
	stopped := func(after int) interp.Images {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		paint, err := physical.Paint{Steps: 10, Shots: 2, Progress: func(step, of int, _ float64) {
			if step == after {
				stop()
			} else if step > after {
				t.Errorf("step %d of %d is made after the end", step, of)
			}
		}}.Fit(ctx, m, objective.LogProbOf(target), x, physical.Camera{})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("after %d steps: %v", after, err)
		}
		return paint
	}
	one, three, again := stopped(1), stopped(3), stopped(3)
	if slices.Equal(one.Pix, x.Pix) || slices.Equal(one.Pix, three.Pix) || !slices.Equal(three.Pix, again.Pix) {
		t.Error("the paint is not what the steps have made")
	}
}

// plain is a lens that changes nothing.
var plain = physical.Lens{Gain: [3]float64{1, 1, 1}}

// A sheet that is cut out and enlarged fills .8 to .95 of the photograph however far it is, and is the blurrier the farther.
func TestCrop(t *testing.T) {
	low, high := 1., 0.
	for i := range 200 {
		s, err := physical.Camera{Crop: true, Tilt: -1, Roll: -1, Steady: plain}.Shot(2, i)
		if err != nil {
			t.Fatal(err)
		}
		seen := (s.Corners[3][1] - s.Corners[0][1]) / 64
		low, high = min(low, seen), max(high, seen)
		if want := .4 * max(0, seen/s.Size-1); math.Abs(s.Lens.Blur-want) > 1e-9 {
			t.Fatalf("shot %d, of size %g and enlarged to %g: blur %g, want %g", i, s.Size, seen, s.Lens.Blur, want)
		}
	}
	if low < .8 || low > .81 || high > .95 || high < .94 {
		t.Errorf("the sheet fills %g to %g of the photograph", low, high)
	}
}

// What the sheet leaves free of a photograph is one of the backgrounds, each as often.
func TestBackgrounds(t *testing.T) {
	x, often := interp.Images{N: 3, H: 20, W: 30, C: 3, Pix: noise(4, 3*20, 30).Pix}, [3]int{}
	for i := range 300 {
		s, err := physical.Camera{H: 20, W: 30, Backgrounds: x, Steady: plain}.Shot(6, i)
		if err != nil {
			t.Fatal(err)
		}
		y, err := s.Take(noise(5, 8, 8))
		if err != nil {
			t.Fatal(err)
		}
		cover, which := s.View.Cover(), -1
		for k := range x.N {
			if x.Of(k)[0] == s.View.Background[0] {
				which = k
			}
		}
		if which < 0 {
			t.Fatalf("shot %d has none of the backgrounds", i)
		}
		often[which]++
		for p, c := range cover {
			if c == 0 && !slices.Equal(y[3*p:3*p+3], x.Of(which)[3*p:3*p+3]) {
				t.Fatalf("shot %d, pixel %d is not that of background %d", i, p, which)
			}
		}
	}
	if slices.Min(often[:]) < 70 {
		t.Errorf("backgrounds are drawn %v times of 300", often)
	}
}

// The numbers of a lens that is drawn come near both ends of what AnyLens says, and no farther.
func TestAnyLens(t *testing.T) {
	ranges := map[string][4]float64{ // low, high, and what was drawn
		"gain": {.85 * .96, 1.1 * 1.04}, "cast": {.96 / 1.04, 1.04 / .96}, "offset": {-.03, .03}, "blur": {0, 2}, "noise": {0, .03}, "quality": {50, 95},
	}
	for i := range 4000 {
		l := physical.AnyLens(random.New(3, uint64(i), 0), 128)
		for name, v := range map[string]float64{"gain": l.Gain[1], "cast": l.Gain[0] / l.Gain[2], "offset": l.Offset[2], "blur": l.Blur, "noise": l.Noise, "quality": float64(l.Quality)} {
			r := ranges[name]
			if i == 0 {
				r[2], r[3] = v, v
			}
			r[2], r[3] = min(r[2], v), max(r[3], v)
			ranges[name] = r
		}
	}
	for name, r := range ranges {
		if wide := r[1] - r[0]; r[2] < r[0] || r[3] > r[1] || r[2] > r[0]+.05*wide || r[3] < r[1]-.05*wide {
			t.Errorf("%s is drawn from %g to %g, want %g to %g", name, r[2], r[3], r[0], r[1])
		}
	}
}
