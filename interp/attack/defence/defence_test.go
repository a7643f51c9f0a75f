package defence

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
	"lucigo/interp/random"
	"lucigo/interp/train"
)

var ctx = context.Background()

// open is a network of any image size whose layers are hidden and logits.
func open(s *model.Scope, x *graph.Node) *graph.Node {
	h := layer.At("hidden", layer.ReLU(layer.Conv(s.At("conv"), x, 6, layer.Square(3, 2, 1))))
	return layer.At("logits", layer.Dense(s.At("logits"), layer.GlobalMean(h), interptest.Classes))
}

func opened(channels int) *interp.Model {
	return interptest.Model("open", open, [3]int{interptest.Size, interptest.Size, channels}, interptest.Classes, 5)
}

// mirror is a network whose logits are its images' numbers.
func mirror(t *testing.T, h, w, c int) *interp.Model {
	t.Helper()
	spec := interp.Spec{Name: "mirror", Input: [3]int{h, w, c}, Classes: make([]string, h*w*c),
		Forward: func(_ *model.Scope, x *graph.Node) *graph.Node { return layer.Flatten(x) }}
	m, err := interp.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// defences are all of this package, for images of 3 channels.
var defences = []Defence{BitDepth{}, JPEG{}, TotalVariation{Steps: 20}, ResizePad{}, Pruning{}, Distillation{Temperature: 5}, Squeezing{}, Thermometer{Levels: 4}}

func under(d Defence) *interp.Model {
	if t, ok := d.(Thermometer); ok {
		return opened(3 * t.levels())
	}
	return opened(3)
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func says(t *testing.T, m *interp.Model, x interp.Images) interp.Rows {
	t.Helper()
	return must[interp.Prediction](t)(m.Predict(ctx, x)).Logits
}

// Known gives the same answers as Of, and has a gradient.
func TestLawKnownAnswersAlike(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		for _, d := range defences {
			m := under(d).On(e.Backend)
			x := interptest.ImagesOf(5, interptest.Size, interptest.Size, 3, 7)
			of, known := must[*interp.Model](t)(d.Of(m)), must[*interp.Model](t)(d.Known(m))
			if _, random := d.(Random); random {
				known = must[*interp.Model](t)(several(d, m, 1))
			}
			a, b := must[interp.Prediction](t)(of.Predict(ctx, x)), must[interp.Prediction](t)(known.Predict(ctx, x))
			if _, softmax := d.(Distillation); !softmax {
				for i, v := range a.Logits.Data {
					if math.Abs(v-b.Logits.Data[i]) > 1e-6*max(1, math.Abs(v)) {
						t.Fatalf("%s: a logit is %g, and %g where it is known", d, v, b.Logits.Data[i])
					}
				}
			}
			if !slices.Equal(a.Top1(), b.Top1()) {
				t.Errorf("%s: answers %v, and %v where it is known", d, a.Top1(), b.Top1())
			}
			g := must[interp.Maps](t)(known.Gradient(ctx, objective.Margin, nil, x.Asked(0)))
			for i := range x.N {
				if !slices.ContainsFunc(g.Of(i), func(v float64) bool { return v != 0 }) {
					t.Errorf("%s: image %d has no gradient where it is known", d, i)
				}
			}
		}
	})
}

// A defended network's layers have the names of the network's, and its weights their paths.
func TestLawLayersKeepTheirNames(t *testing.T) {
	for _, d := range defences {
		m := under(d)
		of := must[*interp.Model](t)(d.Of(m))
		var names []string
		for _, l := range must[[]interp.Layer](t)(of.Layers()) {
			names = append(names, l.Name)
		}
		want := []string{"hidden", "logits"}
		if _, ok := d.(Squeezing); ok {
			want = append(want, "hidden:2", "logits:2", "hidden:3", "logits:3")
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s: layers %v, want %v", d, names, want)
		}
		for path := range m.Weights() {
			if of.Weights()[path] == nil {
				t.Errorf("%s: no weight %s", d, path)
			}
		}
	}
}

// What a rounding has as its derivative is that of the network at the rounded image.
func TestLawStraightThrough(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Smooth().On(e.Backend).Float64()
		x := interptest.Images(m, 3, 1).Asked(1)
		g := must[interp.Maps](t)(must[*interp.Model](t)(BitDepth{Bits: 2}.Known(m)).Gradient(ctx, objective.Logit, nil, x))
		y := x
		y.Pix = nil
		for _, v := range x.Pix {
			y.Pix = append(y.Pix, math.RoundToEven(3*v)/3)
		}
		want := must[interp.Maps](t)(m.Gradient(ctx, objective.Logit, nil, y))
		for i, v := range want.Pix {
			if math.Abs(v-g.Pix[i]) > 1e-9 {
				t.Fatalf("number %d has gradient %g, want %g", i, g.Pix[i], v)
			}
		}
	})
}

// Random numbers hang on the seed and on the image alone: not on the batch or on its order, nor on the backend.
func TestLawReproducible(t *testing.T) {
	x := interptest.ImagesOf(7, interptest.Size, interptest.Size, 3, 3)
	for _, d := range []Random{TotalVariation{Steps: 5}, ResizePad{}, Pruning{}} {
		var first interp.Rows
		interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
			m := must[*interp.Model](t)(d.Of(opened(3).On(e.Backend)))
			whole := says(t, m, x)
			close := func(what string, a, b []float64, same bool) {
				t.Helper()
				far := 0.
				for i, v := range a {
					far = max(far, math.Abs(v-b[i]))
				}
				if (far < 1e-5) != same {
					t.Errorf("%s, %s: logits are %g apart", d, what, far)
				}
			}
			if first.Data == nil {
				first = whole
			}
			close("another backend", first.Data, whole.Data, true)
			close("image 4 alone", whole.Of(4), says(t, m, x.Pick(4)).Of(0), true)
			close("image 4 in another order", whole.Of(4), says(t, m, x.Pick(6, 5, 4, 3)).Of(2), true)
			other := must[*interp.Model](t)(Seed(m, 1))
			close("another seed", whole.Data, says(t, other, x).Data, false)
			close("the seed as before", whole.Data, says(t, must[*interp.Model](t)(Seed(other, 0)), x).Data, true)
			y := x.Pick(4)
			y.Pix[17] = math.Nextafter(float64(float32(y.Pix[17])), 2) + 1e-7
			close("another bit", whole.Of(4), says(t, m, y).Of(0), false)
		})
	}
}

// Uniform numbers are uniform, and those of two purposes, draws and images are not related.
func TestLawUniform(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		const n = 1 << 14
		spec := interp.Spec{Name: "uniform", Input: [3]int{1, 1, 1}, Classes: make([]string, 2*n), Forward: func(_ *model.Scope, x *graph.Node) *graph.Node {
			u := drawn(x, graph.ScalarZero(x.Graph(), x.DType()), 1)
			return graph.Concatenate([]*graph.Node{u.uniform(0, x.DType(), n), u.uniform(1, x.DType(), n)}, 1)
		}}
		m := must[*interp.Model](t)(interp.New(spec))
		r := says(t, m.On(e.Backend), interp.Images{N: 2, H: 1, W: 1, C: 1, Pix: []float64{.5, .50001}})
		streams := [][]float64{r.Of(0)[:n], r.Of(0)[n:], r.Of(1)[:n]}
		for i, a := range streams {
			var counts [16]float64
			for _, v := range a {
				if v <= 0 || v >= 1 {
					t.Fatalf("%g", v)
				}
				counts[int(16*v)]++
			}
			square := 0.
			for _, c := range counts {
				square += (c - n/16) * (c - n/16) / (n / 16)
			}
			if square > 50 { // of χ² with 15 degrees of freedom, which is above 50 in 1 of 80,000
				t.Errorf("stream %d: χ² is %g", i, square)
			}
			for k, b := range streams {
				for lag := range 3 {
					if i == k && lag == 0 {
						continue
					}
					sum := 0.
					for p := range n - lag {
						sum += 12 * (a[p] - .5) * (b[p+lag] - .5)
					}
					if math.Abs(sum)/math.Sqrt(n) > 5 {
						t.Errorf("streams %d and %d, %d apart: correlation of %g deviations", i, k, lag, sum/math.Sqrt(n))
					}
				}
			}
		}
	})
}

func TestThermometerCode(t *testing.T) {
	d := Thermometer{Levels: 4}
	m := must[*interp.Model](t)(d.Of(mirror(t, 1, 3, 8)))
	if h, w, c := m.Input(); h != 1 || w != 3 || c != 2 {
		t.Fatalf("takes %d×%d×%d", h, w, c)
	}
	x := interp.Images{N: 1, H: 1, W: 3, C: 2, Pix: []float64{0, .1, .25, .26, .5, 1}}
	want := []float64{0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1}
	if got := says(t, m, x).Data; !slices.Equal(got, want) {
		t.Errorf("code %v, want %v", got, want)
	}
	// the sum of the code has the derivative of the levels below each number
	known := must[*interp.Model](t)(d.Known(interptest.Model("sum", func(s *model.Scope, x *graph.Node) *graph.Node {
		sum := graph.ReduceSum(layer.Flatten(x), -1)
		return graph.Stack([]*graph.Node{sum, graph.Neg(sum)}, 1)
	}, [3]int{1, 3, 8}, 2, 1)))
	g := must[interp.Maps](t)(known.Gradient(ctx, objective.Logit, nil, x.Asked(0)))
	for i, v := range []float64{1, 1, 2, 2, 3, 4} { // GoMLX's clip passes the gradient on at its ends
		if g.Pix[i] != v && !(x.Pix[i] == float64(int(4*x.Pix[i]))/4 && math.Abs(g.Pix[i]-v) <= 1) {
			t.Errorf("the derivative at %g is %g, want %g", x.Pix[i], g.Pix[i], v)
		}
	}
}

// jpegs returns images after Go's JPEG.
func jpegs(t *testing.T, x interp.Images, quality int) interp.Images {
	t.Helper()
	y := x
	y.Pix = slices.Clone(x.Pix)
	for i := range x.N {
		var picture image.Image = must[image.Image](t)(x.Image(i))
		if x.C == 1 {
			grey := image.NewGray(picture.Bounds())
			for p, v := range x.Of(i) {
				grey.Pix[p] = uint8(math.RoundToEven(v * 255))
			}
			picture = grey
		}
		var file bytes.Buffer
		if err := jpeg.Encode(&file, picture, &jpeg.Options{Quality: quality}); err != nil {
			t.Fatal(err)
		}
		back := must[image.Image](t)(jpeg.Decode(&file))
		for p := range x.H * x.W {
			c, ok := back.At(p%x.W, p/x.W).(color.YCbCr)
			if !ok {
				y.Of(i)[p] = float64(back.(*image.Gray).Pix[back.(*image.Gray).PixOffset(p%x.W, p/x.W)]) / 255
				continue
			}
			l, b, r := float64(c.Y), float64(c.Cb)-128, float64(c.Cr)-128 // package color rounds down
			for ch, v := range []float64{l + 1.402*r, l - .344136*b - .714136*r, l + 1.772*b} {
				y.Of(i)[p*x.C+ch] = math.Round(min(max(v, 0), 255)) / 255
			}
		}
	}
	return y
}

// smoothly are images of 8 bits without much noise, as photographs are, of sides that are no multiples of 8.
func smoothly(n, h, w, c int) interp.Images {
	x := interp.Images{N: n, H: h, W: w, C: c}
	for i := range n {
		s := random.New(4, uint64(i), 0)
		for row := range h {
			for column := range w {
				for ch := range c {
					a, b := 8*s.Uniform(2*ch)/float64(h), 8*s.Uniform(2*ch+1)/float64(w)
					v := .5 + .35*math.Sin(a*float64(row)+b*float64(column)+float64(ch)) + .05*(s.Uniform(100+(row*w+column)*c+ch)-.5)
					x.Pix = append(x.Pix, math.Round(v*255)/255)
				}
			}
		}
	}
	return x
}

// TestOracleJPEG: what is left of an image is what Go's image/jpeg leaves. Its transforms are in whole numbers, so a coefficient that is
// near the middle may be rounded the other way: the numbers differ by less than half a level on average.
func TestOracleJPEG(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		for _, quality := range []int{10, 50, 75, 95} {
			for _, c := range []int{1, 3} {
				x := smoothly(3, 37, 50, c)
				m := must[*interp.Model](t)(JPEG{Quality: quality}.Of(mirror(t, x.H, x.W, c).On(e.Backend)))
				got, want := says(t, m, x).Data, jpegs(t, x, quality).Pix
				sum, far, changed := 0., 0, 0.
				for i, v := range want {
					d := 255 * math.Abs(got[i]-v)
					sum, changed = sum+d/float64(len(want)), changed+255*math.Abs(x.Pix[i]-v)/float64(len(want))
					if d > 2.5 {
						far++
					}
				}
				t.Logf("quality %d, %d channels: %.3f levels from image/jpeg on average, %.2f %% more than 2; it changes %.2f",
					quality, c, sum, 100*float64(far)/float64(len(want)), changed)
				if sum > .5 || changed < 2*sum {
					t.Errorf("quality %d, %d channels: %.3f levels off", quality, c, sum)
				}
			}
		}
	})
}

// energy is what TotalVariation minimises.
func energy(z, x, kept []float64, h, w, c int, weight float64) (sum float64) {
	at := func(row, column, ch int) float64 { return z[(row*w+column)*c+ch] }
	for row := range h {
		for column := range w {
			for ch := range c {
				i := (row*w+column)*c + ch
				sum += kept[i] * (z[i] - x[i]) * (z[i] - x[i]) / 2
				var a, b float64
				if row+1 < h {
					a = at(row+1, column, ch) - z[i]
				}
				if column+1 < w {
					b = at(row, column+1, ch) - z[i]
				}
				sum += weight * math.Hypot(a, b)
			}
		}
	}
	return sum
}

// TotalVariation comes within 2 % of the least sum that 20,000 slow steps find, and neither an image near it nor what is best for another weight has
// a smaller one.
func TestTotalVariationMinimises(t *testing.T) {
	const h, w, c = 9, 11, 3
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		x := smoothly(1, h, w, c)
		run := func(d TotalVariation) (z, kept []float64) {
			spec := interp.Spec{Name: "variation", Input: [3]int{h, w, c}, Classes: make([]string, 2*h*w*c), Forward: func(_ *model.Scope, x *graph.Node) *graph.Node {
				u := drawn(x, graph.ScalarZero(x.Graph(), x.DType()), 1).uniform(0, x.DType(), h, w, c)
				kept := graph.ConvertDType(graph.LessThan(u, graph.Scalar(x.Graph(), x.DType(), .5)), x.DType())
				z := d.defaults().minimise(x, kept)
				return graph.Concatenate([]*graph.Node{layer.Flatten(z), layer.Flatten(kept)}, 1)
			}}
			r := says(t, must[*interp.Model](t)(interp.New(spec)).On(e.Backend).Float64(), x)
			return r.Data[:h*w*c], r.Data[h*w*c:]
		}
		z, kept := run(TotalVariation{})
		best, _ := run(TotalVariation{Steps: 20000})
		sum := func(z []float64) float64 { return energy(z, x.Pix, kept, h, w, c, .03) }
		t.Logf("the sum is %.5f, the least %.5f, that of the image %.5f", sum(z), sum(best), sum(x.Pix))
		if sum(z) > 1.02*sum(best) || sum(best) >= sum(x.Pix) {
			t.Errorf("the sum is %g, the least %g", sum(z), sum(best))
		}
		for _, weight := range []float64{.02, .045} {
			if other, _ := run(TotalVariation{Weight: weight, Steps: 1000}); sum(other) < sum(best)-1e-9 {
				t.Errorf("what is best for the weight %g has the sum %g, less than %g", weight, sum(other), sum(best))
			}
		}
		for trial := range 200 {
			y := slices.Clone(best)
			s := random.New(1, uint64(trial), 0)
			for i := range y {
				y[i] += .01 * (s.Uniform(i) - .5)
			}
			if sum(y) < sum(best)-1e-9 {
				t.Fatalf("an image nearby has the sum %g, less than %g", sum(y), sum(best))
			}
		}
	})
}

// ResizePad gives the image, resized by the nearest number to less than the whole and at some place on grey; all sizes and places occur.
func TestResizePadIsNearest(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		for _, d := range []ResizePad{{Most: 1.5}, {Most: 1.5, Shrink: true}} {
			const side = 6
			least, canvas := side, 9
			if d.Shrink {
				least, canvas = 4, side
			}
			m := must[*interp.Model](t)(interp.New(interp.Spec{Name: "mirror", Input: [3]int{side, side, 2}, Classes: make([]string, canvas*canvas*2),
				Forward: func(_ *model.Scope, x *graph.Node) *graph.Node { return layer.Flatten(x) }}))
			x := interptest.ImagesOf(300, side, side, 2, 3)
			r := says(t, must[*interp.Model](t)(d.Of(m.On(e.Backend))), x)
			seen := map[[3]int]bool{}
			for i := range x.N {
				found := false
				for size := least; size < canvas && !found; size++ {
					for top := 0; top <= canvas-size && !found; top++ {
						for left := 0; left <= canvas-size && !found; left++ {
							want := slices.Repeat([]float64{.5}, canvas*canvas*2)
							for row := range size {
								for column := range size {
									from := x.Pixel(i, (2*row+1)*side/(2*size), (2*column+1)*side/(2*size))
									copy(want[((top+row)*canvas+left+column)*2:], from)
								}
							}
							found = true
							for k, v := range want {
								if math.Abs(v-r.Of(i)[k]) > 1e-6 {
									found = false
									break
								}
							}
							if found {
								seen[[3]int{size, top, left}] = true
							}
						}
					}
				}
				if !found {
					t.Fatalf("%s: image %d is no resized and padded one", d, i)
				}
			}
			all := 0
			for size := least; size < canvas; size++ {
				all += (canvas - size + 1) * (canvas - size + 1)
			}
			if len(seen) != all {
				t.Errorf("%s: of %d sizes and places %d occur among %d images", d, all, len(seen), x.N)
			}
		}
	})
}

// The mean of a pruned layer is the layer, and of its units as many are left as the draws leave on average.
func TestLawPruningKeepsTheMean(t *testing.T) {
	const units, n = 24, 20000
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		var h []float64
		s := random.New(3, 0, 0)
		for i := range units {
			h = append(h, math.Pow(s.Uniform(i), 3))
		}
		spec := interp.Spec{Name: "pruned", Input: [3]int{1, 1, units}, Classes: make([]string, 2*units), Forward: func(_ *model.Scope, x *graph.Node) *graph.Node {
			u := drawn(x, graph.ScalarZero(x.Graph(), x.DType()), n)
			wide := graph.BroadcastToDims(graph.Reshape(x, 1, units), n, units)
			y := Pruning{Share: .5}.prune(wide, u, 1)
			kept := graph.ConvertDType(graph.NotEqual(y, graph.ZerosLike(y)), x.DType())
			return graph.Reshape(graph.ReduceMean(graph.Concatenate([]*graph.Node{y, kept}, 1), 0), 1, 2*units)
		}}
		r := says(t, must[*interp.Model](t)(interp.New(spec)).On(e.Backend), interp.Images{N: 1, H: 1, W: 1, C: units, Pix: h})
		total := 0.
		for _, v := range h {
			total += v
		}
		for i, v := range h {
			chance := 1 - math.Pow(1-v/total, units/2)
			deviation := math.Sqrt(chance * (1 - chance) / n)
			if math.Abs(r.Data[units+i]-chance) > 5*deviation {
				t.Errorf("unit %d is kept in %g of the draws, want %g", i, r.Data[units+i], chance)
			}
			if math.Abs(r.Data[i]-v) > 5*deviation*v/chance+1e-6 {
				t.Errorf("unit %d is %g on average, want %g", i, r.Data[i], v)
			}
		}
	})
}

// Known's logits are the mean of the logarithms of the probabilities, and Voted's the shares of the draws, whose largest is the answer.
func TestLawMeanAndVotes(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := opened(3).On(e.Backend)
		x := interptest.ImagesOf(3, interptest.Size, interptest.Size, 3, 9)
		for _, d := range []Random{TotalVariation{Steps: 5}, ResizePad{}, Pruning{Share: .3}} {
			known, voted := says(t, must[*interp.Model](t)(d.Known(m)), x), says(t, must[*interp.Model](t)(d.Voted(m, 7)), x)
			for i := range x.N {
				sum, p := 0., 0.
				for c, v := range voted.Of(i) {
					if sum += v; math.Abs(7*v-math.Round(7*v)) > 1e-5 {
						t.Errorf("%s: class %d has %g of 7 votes", d, c, 7*v)
					}
					p += math.Exp(known.Of(i)[c])
				}
				if math.Abs(sum-1) > 1e-5 || p > 1+1e-5 || p < .5 {
					t.Errorf("%s: the votes add up to %g, and the probabilities to %g", d, sum, p)
				}
			}
		}
	})
}

// medians against the definition.
func TestMedians(t *testing.T) {
	const h, w, c = 5, 6, 2
	x := interptest.ImagesOf(2, h, w, c, 8)
	m := must[*interp.Model](t)(interp.New(interp.Spec{Name: "medians", Input: [3]int{h, w, c}, Classes: make([]string, h*w*c),
		Forward: func(_ *model.Scope, x *graph.Node) *graph.Node { return layer.Flatten(medians(x)) }}))
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		r := says(t, m.On(e.Backend), x)
		for i := range x.N {
			for row := range h {
				for column := range w {
					for ch := range c {
						var four []float64
						for _, a := range []int{row, max(row-1, 0)} {
							for _, b := range []int{column, max(column-1, 0)} {
								four = append(four, x.Pixel(i, a, b)[ch])
							}
						}
						slices.Sort(four)
						if got := r.Of(i)[(row*w+column)*c+ch]; math.Abs(got-four[2]) > 1e-6 {
							t.Fatalf("the median at %d, %d is %g, want %g", row, column, got, four[2])
						}
					}
				}
			}
		}
	})
}

// Squeezing refuses the share of the images that it was fitted to, however large the logits are, and otherwise answers as the network does.
func TestLawSqueezingRefuses(t *testing.T) {
	for _, by := range []float64{1, 20} {
		m := must[*interp.Model](t)(opened(3).Wrapped(func(spec *interp.Spec) {
			f := spec.Forward
			spec.Forward = func(s *model.Scope, x *graph.Node) *graph.Node { return graph.MulScalar(f(s, x), by) }
		}))
		x := interptest.Images(m, 40, 2)
		own := must[interp.Prediction](t)(m.Predict(ctx, x)).Top1()
		for want, share := range map[int]float64{0: .01, 12: .3, 39: .999} {
			d, err := Squeezing{Bits: 1}.Fit(ctx, m, x, share)
			if err != nil {
				t.Fatal(err)
			}
			p := must[interp.Prediction](t)(must[*interp.Model](t)(d.Of(m)).Predict(ctx, x))
			refused := 0
			for i, c := range p.Top1() {
				switch {
				case c == interptest.Classes:
					refused++
				case c != own[i]:
					t.Errorf("image %d is answered with %d, and the network says %d", i, c, own[i])
				}
			}
			if refused != want || p.Names[interptest.Classes] != Refused {
				t.Errorf("logits × %g: %d of 40 images are refused, want %d", by, refused, want)
			}
		}
	}
}

// Where images have classes, only those that the network gets right are counted by the fit.
func TestSqueezingFitsToRightImages(t *testing.T) {
	m := opened(3)
	x := interptest.Images(m, 40, 2)
	x.Class = must[interp.Prediction](t)(m.Predict(ctx, x)).Top1()
	for i := range 20 {
		x.Class[2*i] = (x.Class[2*i] + 1) % interptest.Classes
	}
	got := must[Squeezing](t)(Squeezing{Bits: 1}.Fit(ctx, m, x, .3))
	var right []int
	for i := range 20 {
		right = append(right, 2*i+1)
	}
	if want := must[Squeezing](t)(Squeezing{Bits: 1}.Fit(ctx, m, x.Pick(right...), .3)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	x.Class[3] = interptest.Classes
	if _, err := (Squeezing{}).Fit(ctx, m, x, .3); err == nil || !strings.Contains(err.Error(), "class of image 3 is") {
		t.Errorf("error %v", err)
	}
}

// Distillation fits a network whose logits are as many times as large as the temperature says, and whose answers are those of its teacher.
func TestDistillationFits(t *testing.T) {
	d := Distillation{Temperature: 8}
	m := opened(3)
	x := interptest.Images(m, 64, 2)
	for i := range x.N {
		x.Class = append(x.Class, i%2)
		for p := range x.Of(i) {
			x.Of(i)[p] *= .3 + .7*float64(i%2)
		}
	}
	how := train.Training{Epochs: 60, Batch: 16, Rate: .02}
	student, plain := must[*interp.Model](t)(d.Fit(ctx, m, how, train.Examples{Images: x})), must[*interp.Model](t)(how.Fit(ctx, m, train.Examples{Images: x}))
	lead := func(m *interp.Model) (sum float64) {
		p := must[interp.Prediction](t)(m.Predict(ctx, x))
		for i := range x.N {
			logits, top := p.Logits.Of(i), p.Top(i, 2)
			sum += (logits[top[0]] - logits[top[1]]) / float64(x.N)
			if top[0] != x.Class[i] {
				t.Errorf("image %d is wrong", i)
			}
		}
		return sum
	}
	t.Logf("the largest logit leads by %.1f, and by %.1f without distillation", lead(student), lead(plain))
	if lead(student) < 2*lead(plain) {
		t.Errorf("the largest logit leads by %g, and by %g without distillation", lead(student), lead(plain))
	}
}

func TestBadInput(t *testing.T) {
	one := opened(1)
	for _, c := range []struct {
		d    Defence
		m    *interp.Model
		want string
	}{
		{BitDepth{Bits: 9}, one, "BitDepth.Bits is 9, must be from 1 to 8"},
		{BitDepth{Bits: -1}, one, "BitDepth.Bits is -1"},
		{JPEG{Quality: 101}, one, "JPEG.Quality is 101, must be from 1 to 100"},
		{JPEG{}, opened(2), "images of 2 channels, must take 1 or 3"},
		{Thermometer{Levels: -1}, one, "Thermometer.Levels is -1"},
		{Thermometer{}, opened(3), "images of 3 channels, must take Levels times as many as the images have: a multiple of 16"},
		{Distillation{Temperature: -2}, one, "Distillation.Temperature is -2, must be a number more than 0"},
		{Distillation{Temperature: math.NaN()}, one, "Distillation.Temperature is NaN"},
		{Distillation{Temperature: math.Inf(1)}, one, "Distillation.Temperature is +Inf"},
		{TotalVariation{Weight: -1}, one, "TotalVariation.Weight is -1"},
		{TotalVariation{Keep: 1.5}, one, "TotalVariation.Keep is 1.5"},
		{TotalVariation{Steps: -1}, one, "TotalVariation.Steps is -1"},
		{ResizePad{Most: .5}, one, "ResizePad.Most is 0.5, must be from 1 to 4"},
		{Pruning{Share: -1}, one, "Pruning.Share is -1"},
		{Squeezing{Bits: 12}, one, "Squeezing.Bits is 12"},
		{Squeezing{Threshold: 3}, one, "Squeezing.Threshold is 3, must be from 0 to 2"},
		{Squeezing{Scale: -1}, one, "Squeezing.Scale is -1"},
		{BitDepth{}, nil, "the model is nil"},
		{Pruning{}, nil, "the model is nil"},
		{Thermometer{}, nil, "the model is nil"},
		{Squeezing{}, nil, "the model is nil"},
		{JPEG{}, nil, "the model is nil"},
	} {
		for k, make := range []func(*interp.Model) (*interp.Model, error){c.d.Of, c.d.Known} {
			if _, err := make(c.m); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%#v, %d: error %v, want one with %q", c.d, k, err, c.want)
			}
		}
	}
	pruned := must[*interp.Model](t)(Pruning{}.Of(one))
	for want, f := range map[string]func() error{
		"is defended in this way":   func() error { _, err := Pruning{}.Of(pruned); return err },
		"number of draws is 0":      func() error { _, err := Judged(Pruning{}, one, 0); return err },
		"seed is -1":                func() error { _, err := Seed(pruned, -1); return err },
		"has no seed":               func() error { _, err := Seed(one, 1); return err },
		"the share is 0":            func() error { _, err := Squeezing{}.Fit(ctx, one, interptest.Images(one, 2, 1), 0); return err },
		"has the class \"refused\"": func() error { _, err := Squeezing{}.Of(must[*interp.Model](t)(Squeezing{}.Of(one))); return err },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
