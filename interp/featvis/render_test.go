package featvis

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
	"lucigo/interp/random"
)

// objectives are all kinds: one that is added is tested by being listed.
var objectives = []interp.Objective{
	objective.Channel("mixed", 4),
	objective.Channel("mixed", 4).Minus(Variation.Times(.01)).Minus(Blur.Times(.1)).Minus(L1(.5).Times(.001)),
	Blend(objective.Channel("mixed", 4), objective.LogitOf(3), 2),
	objective.Channels("mixed", 1, 4),
	objective.Neuron("mixed", 2, 3, 4),
	objective.LogitOf(1),
	objective.LogProbOf(2),
	objective.LeadOf(1),
	objective.Energy("conv1"),
	objective.Direction("mixed", []float64{1, -1, 0, 0, 2, 0, .5}),
	objective.Direction("head", []float64{1, 2, .5, 1, 3}),
	objective.Channel("mixed", 1).Plus(objective.LogitOf(0)),
	objective.Channel("mixed", 4).Mul(objective.Channel("conv1", 2)),
	objective.LogitOf(1).Minus(objective.LogitOf(2)).Times(3),
	Variation,
	Blur,
	L1(.3),
}

// renders are all that a rendering may be asked for.
var renders = []Render{
	{Views: []Transformation{Crop{First: .8, Last: .4}}, Height: 20, Width: 16, Window: [2]int{12, 12}, Looks: 3, Noise: .05},
	{Views: None},
	{Views: Standard()},
	{Views: []Transformation{Scale{.5, 2}, Jitter{3}}},
	{Views: []Transformation{Rotate{}}, Height: 8, Width: 9, Window: [2]int{12, 12}, Looks: 2},
	{Noise: .1, Rate: .1},
	{Minimise: true, WarmUp: -1},
}

func frames(t *testing.T, r Render, m *interp.Model, o interp.Objective) []Frame {
	t.Helper()
	var all []Frame
	for f, err := range r.Frames(ctx, m, o) {
		if err != nil {
			t.Fatalf("%s, %s: %v", o, r, err)
		}
		all = append(all, f)
	}
	return all
}

// laws checks that a rendering climbs and draws the same bytes again, and, if all are asked for, that it
// draws other images from another seed and the same images, within rounding, one at a time.
func laws(t *testing.T, m *interp.Model, r Render, o interp.Objective, all bool) {
	t.Helper()
	r.N, r.Steps, r.At = 2, 16, []int{0, 4} // all of them warm-up: one program less
	if slices.Contains(r.Views, Transformation(Crop{First: .8, Last: .4})) {
		r.Steps = 4 // windows depend on how much is done
	}
	fs := frames(t, r, m, o)
	first, last := fs[0], fs[len(fs)-1]
	if first.Step != 0 || fs[1].Step != 4 || last.Step != r.Steps || last.Images.N != 2 || len(last.Score) != 2 {
		t.Fatalf("%s, %s: %d frames", o, r, len(fs))
	}
	if err := last.Images.Check(); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if up := last.Score[i] > first.Score[i]; up == r.Minimise || last.Score[i] == first.Score[i] {
			t.Errorf("%s, %s: image %d goes from %g to %g", o, r, i, first.Score[i], last.Score[i])
		}
	}
	r.Steps = 4
	cores := runtime.GOMAXPROCS(1 + runtime.NumCPU()%2) // how many there are does not matter
	again, err := r.Final(ctx, m, o)
	runtime.GOMAXPROCS(cores)
	if err != nil || !slices.Equal(again.Images.Pix, fs[1].Images.Pix) || !slices.Equal(again.Score, fs[1].Score) {
		t.Errorf("%s, %s: again, it draws another image: %v", o, r, err)
	}
	if !all {
		return
	}
	one, err := r.Final(ctx, m.Budget(1), o)
	if d := interptest.Distance(one.Images.Pix, fs[1].Images.Pix); err != nil || !(d < 1e-6) {
		t.Errorf("%s, %s: one at a time, the images change by %g: %v", o, r, d, err)
	}
	r.Seed, r.At = 1, []int{0, 4}
	other := frames(t, r, m, o)
	for i := range 2 {
		for k := range 2 { // the start, and what becomes of it
			x, y := fs[k].Images.Slice(i, i+1), other[k].Images.Slice(i, i+1)
			if interptest.Distance(x.Pix, y.Pix) < 1e-4 {
				t.Errorf("%s, %s: another seed makes image %d the same at step %d", o, r, i, fs[k].Step)
			}
		}
	}
}

// The Go backend, which compiles nothing, is asked for everything; the other, for everything once.
func TestLawEveryObjectiveAndParametrisation(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Branchy().On(e.Backend).Float64()
		inGo := e.Kind() == engine.Go
		for j, p := range parametrisations {
			for k, o := range objectives {
				if inGo || k == 0 || j == 0 && k < 3 {
					laws(t, m, Render{Image: p.p, Rate: .02, Views: []Transformation{Jitter{2}, Scale{}, Rotate{5}}}, o, inGo || j == 0 && k == 0)
				}
			}
		}
	})
}

// The table above holds every function of package objective that returns an objective.
func TestObjectivesAreAll(t *testing.T) {
	table, err := os.ReadFile("render_test.go")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("../objective/objective.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^func ([A-Z]\w*)\(.*\) interp\.Objective \{(?:.*\}$|(?:\n\t.*)*)`).FindAllSubmatch(source, -1)
	if len(found) < 7 {
		t.Fatalf("%d functions", len(found))
	}
	for _, f := range found {
		if bytes.Contains(f[0], []byte("ImageClass")) {
			continue // a rendering begins with no image that has a class
		}
		if !bytes.Contains(table, fmt.Appendf(nil, "\tobjective.%s(", f[1])) {
			t.Errorf("objective.%s is not in the table", f[1])
		}
	}
}

func TestLawEveryRender(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := open().On(e.Backend).Float64()
		for i, r := range renders {
			if inGo := e.Kind() == engine.Go; inGo || i == 0 {
				laws(t, m, r, objective.Channels("logits", 1, 2), inGo)
			}
		}
	})
}

// A frame's score is of the image in the window: as it is, with grey around it, or made smaller to fit.
func TestFrameScoreIsOfTheWholeImage(t *testing.T) {
	m := interptest.Smooth().Float64() // whose dense layer takes images of one size
	o := objective.LogitOf(1)
	h, w, _ := m.Input()
	for _, c := range []struct {
		height, width int
		scale         float64
	}{{h, w, 1}, {h - 3, w - 2, 1}, {2 * h, 2 * w, 2}, {h, 3 * w, 3}} {
		r := Render{Height: c.height, Width: c.width, Window: [2]int{h, w}, Views: None, Steps: 1, Image: Fourier{SD: 1}, N: 2}
		f, err := r.Final(ctx, m, o)
		if err != nil {
			t.Fatal(err)
		}
		if f.Images.H != c.height || f.Images.W != c.width {
			t.Fatalf("images of %d×%d, want %d×%d", f.Images.H, f.Images.W, c.height, c.width)
		}
		fit := slices.Repeat([]Affine{{c.scale, 0, 0, 0, c.scale, 0}}, 2)
		seen := interp.Images{N: 2, H: h, W: w, C: 3, Pix: slowWarp(f.Images.Pix, 2, c.height, c.width, 3, fit, [2]int{h, w})}
		want, err := m.Score(ctx, o, seen)
		if err != nil || interptest.Distance(f.Score, want) > 1e-10 {
			t.Errorf("%d×%d: scores %v, want %v, %v", c.height, c.width, f.Score, want, err)
		}
	}
}

// The zero value is the article's, in what it does as in what it says.
func TestDefaults(t *testing.T) {
	r, err := Render{}.defaults(open(), objective.Channels("mixed", 1, 2))
	if err != nil {
		t.Fatal(err)
	}
	if r.Rate != .05 || r.Steps != 2048 || r.WarmUp != 16 || !slices.Equal(r.At, []int{0, 4, 48}) || r.N != 2 || !slices.Equal(r.Keys, []uint64{0, 1}) || r.Looks != 1 || r.Noise != 0 {
		t.Errorf("%+v", r)
	}
	if r.Height != 12 || r.Width != 12 || r.Window != [2]int{12, 12} {
		t.Errorf("images of %d×%d, seen through %d", r.Height, r.Width, r.Window)
	}
	says := Render{}.String()
	r.Height, r.Width, r.Window = 0, 0, [2]int{}
	if r.String() != says {
		t.Errorf("it does %q and says %q", r, says)
	}
}

// The score that is climbed is that of what the network sees: the images through the maps, as they are
// defined, with noise of the size asked for, and of several looks their mean.
func TestLawWhatTheNetworkSees(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := open().On(e.Backend).Float64()
		for i, r := range renders {
			if e.Kind() != engine.Go && i > 1 {
				continue
			}
			r.N, r.Steps, r.WarmUp, r.Seed = 2, 5, -1, 9
			h, w, c := m.Input()
			h, w = cmp.Or(r.Height, h), cmp.Or(r.Width, w)
			window := cmp.Or(r.Window, [2]int{h, w})
			weights := weightsFor(window[0], window[1], c).Data
			work, err := r.work(ctx, m, weighted(weights))
			if err != nil {
				t.Fatal(err)
			}
			seen := make([][]float64, 2)
			for step := range r.Steps {
				f, err := work.frame(ctx, step)
				if err != nil {
					t.Fatal(err)
				}
				got, err := work.climb(ctx, step)
				if err != nil {
					t.Fatal(err)
				}
				for i := range 2 {
					want := 0.0
					for look := range work.Looks {
						a, err := work.view(uint64(i), step, look)
						if err != nil {
							t.Fatal(err)
						}
						view := slowWarp(f.Images.Slice(i, i+1).Pix, 1, h, w, c, []Affine{a}, window)
						if r.Noise > 0 {
							noise := make([]float64, len(view))
							random.New(r.Seed, uint64(i), random.Hash(uint64(step*work.Looks+look), 0)).Normals(noise)
							for k := range view {
								view[k] += r.Noise * noise[k]
							}
							seen[i] = append(seen[i], noise[0])
						}
						for k, v := range view {
							want += v * weights[k] / float64(work.Looks)
						}
					}
					if !(math.Abs(got[i]-want) <= 1e-8) {
						t.Errorf("%s: step %d, image %d scores %g as it is seen, want %g", r, step, i, got[i], want)
					}
				}
			}
			for i, v := range seen[0] {
				if v == seen[1][i] || i > 0 && v == seen[0][0] {
					t.Errorf("%s: the noise of look %d is another's", r, i)
				}
			}
			work.loop.Close()
		}
	})
}

// The batch cut to a memory budget, and images with units of their own.
func TestLawBatches(t *testing.T) {
	m := interptest.Branchy()
	r := Render{Steps: 6, Views: []Transformation{Jitter{2}, Rotate{}}}
	units := []int{4, 1, 5, 6, 0}
	all := frames(t, r, m, objective.Channels("mixed", units...))
	if len(all) != 3 || all[1].Step != 4 || all[2].Step != 6 || all[0].Images.N != 5 {
		t.Fatalf("%d frames of %d images", len(all), all[0].Images.N)
	}
	cut := frames(t, r, m.Budget(2*128*4*int64(all[0].Images.Size())), objective.Channels("mixed", units...))
	for k := range all {
		if d := interptest.Distance(cut[k].Images.Pix, all[k].Images.Pix); !(d < 1e-4) {
			t.Errorf("two at a time, frame %d changes by %g", k, d)
		}
		if d := interptest.Distance(cut[k].Score, all[k].Score); !(d < 1e-3) {
			t.Errorf("two at a time, the scores of frame %d change by %g", k, d)
		}
	}
	compiled, _, _ := m.Programs()
	r.Seed, r.Rate, r.Minimise = 3, .1, false
	r.Views = []Transformation{Jitter{4}, Rotate{3}}
	frames(t, r, m, objective.Channels("mixed", 1, 2, 3, 4, 5))
	if now, _, _ := m.Programs(); now != compiled {
		t.Errorf("other units, seeds and ranges compiled %d programs more", now-compiled)
	}
}

// Adam as the paper writes it, on pixels without transformations.
func TestLawAdamBySlowDefinition(t *testing.T) {
	m := interptest.Smooth().Float64()
	o := objective.LogitOf(2)
	r := Render{Image: Pixels{SD: .3, Colours: RGB}, Views: None, Steps: 5, At: []int{0, 1, 2, 3, 4}, Rate: .2}
	fs := frames(t, r, m, o)
	logit := func(v float64) float64 { return math.Log(v / (1 - v)) }
	x := fs[0].Images
	p := make([]float64, len(x.Pix))
	for i, v := range x.Pix {
		p[i] = logit(v)
	}
	first, second := make([]float64, len(p)), make([]float64, len(p))
	for step := 1; step <= 5; step++ {
		g, err := m.Gradient(ctx, o, nil, x)
		if err != nil {
			t.Fatal(err)
		}
		next := x
		next.Pix = make([]float64, len(x.Pix))
		for i, v := range x.Pix {
			d := g.Pix[i] * v * (1 - v)
			first[i] = .9*first[i] + .1*d
			second[i] = .999*second[i] + .001*d*d
			unbiased1 := first[i] / (1 - math.Pow(.9, float64(step)))
			unbiased2 := second[i] / (1 - math.Pow(.999, float64(step)))
			p[i] += .2 * unbiased1 / (math.Sqrt(unbiased2) + 1e-8/math.Sqrt(1-math.Pow(.999, float64(step))))
			next.Pix[i] = 1 / (1 + math.Exp(-p[i]))
		}
		x = next
		if d := interptest.Distance(fs[step].Images.Pix, x.Pix); !(d < 1e-10) {
			t.Errorf("step %d: %g from the definition", step, d)
		}
		if d := math.Abs(fs[step].Score[0] - func() float64 { s, _ := m.Score(ctx, o, x); return s[0] }()); !(d < 1e-9) {
			t.Errorf("step %d: the score is off by %g", step, d)
		}
	}
}

// What is climbed is the score of the transformed image: an image in the middle of the best level gets
// there, and with transformations that show grey beside it too.
func TestKnownOptimum(t *testing.T) {
	m := interptest.Smooth()
	for _, c := range parametrisations[:4] {
		r := Render{Image: c.p, Steps: 150, Views: []Transformation{Jitter{2}}}
		f, err := r.Final(ctx, m, parabola(.7))
		if err != nil {
			t.Fatal(err)
		}
		var worst float64
		for i := range 8 * 8 {
			at := ((i/8+2)*f.Images.W + i%8 + 2) * 3
			for _, v := range f.Images.Pix[at : at+3] {
				worst = max(worst, math.Abs(v-.7))
			}
		}
		if f.Step != 150 || !(worst <= .1) {
			t.Errorf("%s: after %d steps a pixel is %.3f from the best", c.p, f.Step, worst)
		}
	}
}

func TestMinimise(t *testing.T) {
	m := interptest.Branchy()
	o := objective.LogitOf(1)
	r := Render{Steps: 20, Views: None, At: []int{0}, Minimise: true}
	if fs := frames(t, r, m, o); !(fs[1].Score[0] < fs[0].Score[0]) {
		t.Errorf("from %g to %g", fs[0].Score[0], fs[1].Score[0])
	}
}

// Units that are off for every image: nothing climbs without a warm-up, and with it their inputs do.
func TestWarmUp(t *testing.T) {
	m := dead()
	w, err := Render{WarmUp: 5, Steps: 9}.work(ctx, m, objective.LogitOf(0))
	if err != nil {
		t.Fatal(err)
	}
	if w.rule(0) == layer.Exact || w.rule(4) == layer.Exact || w.rule(5) != layer.Exact {
		t.Error("a warm-up of 5 is not of the first 5 steps")
	}
	w.loop.Close()
	for unit, direction := range []float64{1, -1} { // of brightness, which switches the unit on
		o := objective.Channel("units", unit)
		bright := func(r Render) float64 {
			r.Steps, r.At = 20, []int{0}
			fs := frames(t, r, m, o)
			d := 0.0
			for i, v := range fs[1].Images.Pix {
				d += v - fs[0].Images.Pix[i]
			}
			return d / float64(len(fs[0].Images.Pix))
		}
		if d := bright(Render{WarmUp: -1, Views: None}); d != 0 {
			t.Errorf("unit %d: without a warm-up the image changes, by %g", unit, d)
		}
		if d := bright(Render{Views: None}) * direction; !(d > .01) {
			t.Errorf("unit %d: with a warm-up brightness changes by %g", unit, d)
		}
		if d := bright(Render{Minimise: true, WarmUp: -1, Views: None}) * direction; !(d < -.01) {
			t.Errorf("unit %d: minimised, brightness changes by %g", unit, d)
		}
	}
}

func TestLawRedirect(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Linear().On(e.Backend)
		x := Array{[]int{3, 4}, []float64{
			-1, 2, 0, 3, // some of v passes: the exact derivative
			-1, -2, 0, 3, // nothing passes: all but what pushes down those that are off
			-1, -2, -3, -.5, // nothing passes
		}}
		v := Array{[]int{3, 4}, []float64{
			5, 1, -2, 0,
			5, -1, 2, 0,
			-5, 1, 0, -1,
		}}
		for _, c := range []struct {
			rule redirect
			want []float64
		}{
			{redirect{false}, []float64{0, 1, 0, 0, 5, 0, 2, 0, 0, 1, 0, 0}},
			{redirect{true}, []float64{0, 1, 0, 0, 5, -1, 2, 0, -5, 1, 0, -1}},
		} {
			y, back := redirected(t, m, c.rule, x, v)
			if !slices.Equal(back, c.want) {
				t.Errorf("%s: %v, want %v", c.rule, back, c.want)
			}
			for i, v := range y {
				if v != max(x.Data[i], 0) {
					t.Errorf("%s: ReLU(%g) = %g", c.rule, x.Data[i], v)
				}
			}
		}
	})
}

func TestLawPenalties(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Smooth().On(e.Backend).Float64()
		x := interptest.Images(m, 2, 6)
		at := func(n, y, xx, c int) float64 { return x.Pix[((n*x.H+y)*x.W+xx)*x.C+c] }
		inside := func(y, xx int) bool { return y >= 0 && y < x.H && xx >= 0 && xx < x.W }
		want := map[string][]float64{"L1": {0, 0}, "TV": {0, 0}, "blur": {0, 0}}
		pull := x.Like().Pix // of Blur: the blurred image less the image
		for i := range x.Pix {
			n, y, xx, c := i/x.Size(), i/(x.W*x.C)%x.H, i/x.C%x.W, i%x.C
			v := x.Pix[i]
			want["L1"][n] += math.Abs(v - .3)
			if inside(y+1, xx) {
				want["TV"][n] += math.Abs(at(n, y+1, xx, c) - v)
			}
			if inside(y, xx+1) {
				want["TV"][n] += math.Abs(at(n, y, xx+1, c) - v)
			}
			var mean, weight float64
			for dy := -1; dy <= 1; dy++ {
				for dx := -1; dx <= 1; dx++ {
					if inside(y+dy, xx+dx) {
						w := .5
						if dy == 0 && dx == 0 {
							w = 1
						}
						mean, weight = mean+w*at(n, y+dy, xx+dx, c), weight+w
					}
				}
			}
			pull[i] = v - mean/weight
			want["blur"][n] += .5 * pull[i] * pull[i]
		}
		for name, o := range map[string]interp.Objective{"L1": L1(.3), "TV": Variation, "blur": Blur} {
			got, err := m.Score(ctx, o, x)
			if err != nil || interptest.Distance(got, want[name]) > 1e-12 {
				t.Errorf("%s: %v, want %v, %v", o, got, want[name], err)
			}
			g, err := m.Gradient(ctx, o, nil, x)
			if err != nil {
				t.Fatal(err)
			}
			if name == "blur" {
				if d := interptest.Distance(g.Pix, pull); d > 1e-12 {
					t.Errorf("blur: the gradient is %g from the definition", d)
				}
				continue
			}
			interptest.Derivative(t, m, o, x, g, 1e-6)
		}
	})
}

// In a row, and in a column, pixels have neighbours along one axis only.
func TestVariationOfLines(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := open().On(e.Backend).Float64()
		for _, size := range [][2]int{{1, 3}, {3, 1}} {
			x := interp.Images{N: 1, H: size[0], W: size[1], C: 3, Pix: []float64{.1, .2, .3, .5, .2, .2, .4, .3, .9}}
			got, err := m.Score(ctx, Variation, x)
			if want := .4 + .1 + .1 + .1 + .7; err != nil || !(math.Abs(got[0]-want) <= 1e-12) {
				t.Errorf("%d: %v, %v, want %g", size, got, err, want)
			}
		}
		if got, err := m.Score(ctx, Variation, interptest.ImagesOf(2, 1, 1, 3, 1)); err != nil || !slices.Equal(got, []float64{0, 0}) {
			t.Errorf("of one pixel: %v, %v", got, err)
		}
	})
}

func TestLawBlend(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 5, 2)
	a, b := objective.Channel("mixed", 3), objective.LogitOf(2)
	o := Blend(a, b, 5)
	got, err := m.Score(ctx, o, x)
	if err != nil {
		t.Fatal(err)
	}
	sa, _ := m.Score(ctx, a, x)
	sb, _ := m.Score(ctx, b, x)
	for i := range got {
		w := float64(i) / 4
		if want := (1-w)*sa[i] + w*sb[i]; !(math.Abs(got[i]-want) <= 1e-5) {
			t.Errorf("image %d: %g, want %g", i, got[i], want)
		}
	}
	if o.Images() != 5 || !strings.Contains(o.String(), a.String()) || !strings.Contains(o.String(), b.String()) {
		t.Errorf("%s, of %d images", o, o.Images())
	}
	if one, err := m.Score(ctx, Blend(a, b, 1), x.Slice(0, 1)); err != nil || !(math.Abs(one[0]-sa[0]) <= 1e-6) {
		t.Errorf("of one image: %v, want %g, %v", one, sa[0], err)
	}
}

func TestLawDiversity(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Branchy().On(e.Backend)
		x := interptest.Images(m, 3, 2)
		a, err := m.Activations(ctx, x, "mixed")
		if err != nil {
			t.Fatal(err)
		}
		c := a[0].Shape[2]
		size := len(a[0].Data) / 3
		var grams [3][]float64
		for n := range grams {
			h := a[0].Data[n*size : (n+1)*size]
			for i := range c {
				for j := range c {
					s := 0.0
					for p := 0; p < size; p += c {
						s += h[p+i] * h[p+j]
					}
					grams[n] = append(grams[n], s)
				}
			}
		}
		dot := func(a, b []float64) (s float64) {
			for i := range a {
				s += a[i] * b[i]
			}
			return s
		}
		var want [3]float64
		for i := range grams {
			for j := range grams {
				if i != j {
					want[i] += dot(grams[i], grams[j]) / math.Sqrt(dot(grams[i], grams[i])*dot(grams[j], grams[j])) / 2
				}
			}
		}
		d := Diversity{Layer: "mixed"}
		l, err := m.Loop(x.N, 0, nil, x.Arg()) // all images meet
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		got, err := l.Look(ctx, interp.StepOf(func(net *interp.Net, a []*Node) []*Node {
			return []*Node{d.alike(net.Pass(a[0], nil), 3)}
		}), nil)
		if err != nil || interptest.Distance(got[0].Data, want[:]) > 1e-5 {
			t.Errorf("%v, want %v, %v", got, want, err)
		}
		if e.Kind() != engine.Go {
			return
		}
		made := func(o interp.Objective, n, steps int, d Diversity) interp.Images {
			f, err := Render{N: n, Steps: steps, Views: None, Diversity: d}.Final(ctx, m.Budget(1).Float64(), o)
			if err != nil {
				t.Fatal(err)
			}
			return f.Images
		}
		o := objective.Channel("mixed", 4)
		alike := func(d Diversity) float64 {
			s, err := m.Score(ctx, alikeObjective(Diversity{Layer: "mixed"}), made(o, 3, 30, d))
			if err != nil {
				t.Fatal(err)
			}
			return s[0]
		}
		without, with, more := alike(Diversity{}), alike(d), alike(Diversity{Layer: "mixed", Weight: 4})
		if !(with < without && more < with) {
			t.Errorf("images are alike by %g without diversity, by %g with it, and with four times as much by %g", without, with, more)
		}
		o = objective.LogProbOf(2) // a score below 0
		if without, with := alike(Diversity{}), alike(d); !(with < without) {
			t.Errorf("with a score below 0, images are alike by %g without diversity, and by %g with it", without, with)
		}
		o = objective.Channel("mixed", 4)
		if d := interptest.Distance(made(o, 3, 8, d).Pix, made(o.Times(50), 3, 8, d).Pix); !(d < 1e-3) {
			t.Errorf("with fifty times the score, the images change by %g", d)
		}
		if d := interptest.Distance(made(o, 1, 8, d).Pix, made(o, 1, 8, Diversity{}).Pix); d != 0 {
			t.Errorf("an image alone is changed by %g", d)
		}
	})
}

func TestFramesStop(t *testing.T) {
	m := interptest.Branchy()
	o := objective.Channel("mixed", 4)
	stopping, cancel := context.WithCancel(ctx)
	var got []Frame
	var last error
	done := 0
	r := Render{Progress: func(n, of int) {
		if done = n; n == 7 {
			cancel()
		}
		if of != 2048 {
			t.Errorf("%d of %d steps", n, of)
		}
	}}
	start := time.Now()
	for f, err := range r.Frames(stopping, m, o) {
		if last = err; err == nil {
			got = append(got, f)
		}
	}
	if !errors.Is(last, context.Canceled) || len(got) != 2 || got[1].Step != 4 || done != 7 {
		t.Errorf("error %v, %d frames, %d steps", last, len(got), done)
	}
	if took := time.Since(start); took > time.Minute {
		t.Errorf("it took %s", took)
	}
	for range (Render{Steps: 3}).Frames(ctx, m, o) {
		break
	}
}

// No step, look or image has the view of another, and of equal keys, seeds and looks all have one.
func TestLawViewsDiffer(t *testing.T) {
	views := func(seed uint64) (all []Affine) {
		w, err := Render{Views: []Transformation{Rotate{}}, Steps: 3, Looks: 4, N: 2, Seed: seed}.work(ctx, open(), objective.LogitOf(1))
		if err != nil {
			t.Fatal(err)
		}
		defer w.loop.Close()
		for step := range 3 {
			for key := range uint64(2) {
				for look := range 4 {
					a, err := w.view(key, step, look)
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, a)
				}
			}
		}
		return all
	}
	one := views(1)
	if !slices.Equal(one, views(1)) {
		t.Error("the views of one seed differ")
	}
	seen := map[Affine]int{}
	for i, a := range append(one, views(2)...) {
		if k, twice := seen[a]; twice {
			t.Errorf("view %d is view %d", i, k)
		}
		seen[a] = i
	}
}

// first is what is seen at the first step; later the image is shrunk, less and less, to its own size at last.
type first Affine

func (f first) String() string { return "first" }

func (f first) Draw(_ random.Stream, at Look) Affine {
	if at.Done == 0 {
		return Affine(f)
	}
	return Affine{1 / at.Done, 0, 0, 0, 1 / at.Done, 0}
}

// One view that turns, or enlarges, decides for all.
func TestSurvey(t *testing.T) {
	for _, c := range []struct {
		view    Affine
		upright bool
		reach   int
	}{{turn(45), false, 3}, {Affine{.2, 0, 0, 0, .2, 0}, true, 10}, {Affine{.25, 0, 1, 0, .25, 0}.After(turn(90)), false, 8}} {
		w, err := Render{Views: []Transformation{first(c.view)}, Steps: 3}.work(ctx, open(), objective.LogitOf(1))
		if err != nil {
			t.Fatal(err)
		}
		if w.upright != c.upright || w.reach != c.reach {
			t.Errorf("%v: upright %t, reach %d, want %t and %d", c.view, w.upright, w.reach, c.upright, c.reach)
		}
		if a, err := w.view(0, 2, 0); err != nil || a != (Affine{1, 0, 0, 0, 1, 0}) {
			t.Errorf("at the last step the view is %v, %v", a, err)
		}
		w.loop.Close()
	}
}

// ending ends a context at the third look.
type ending struct {
	end   func()
	looks *int
}

func (e ending) String() string { return "ending" }

func (e ending) Draw(random.Stream, Look) Affine {
	if *e.looks++; *e.looks == 3 {
		e.end()
	}
	return Affine{1, 0, 0, 0, 1, 0}
}

// All looks are drawn before the first step, which ctx ends too.
func TestFramesStopBeforeTheFirst(t *testing.T) {
	stopping, cancel := context.WithCancel(ctx)
	looks := 0
	_, err := Render{Views: []Transformation{ending{cancel, &looks}}, Steps: 1000}.Final(stopping, open(), objective.LogitOf(1))
	if !errors.Is(err, context.Canceled) || looks != 3 {
		t.Errorf("error %v after %d looks", err, looks)
	}
}

func TestRenderErrors(t *testing.T) {
	m := interptest.Branchy()
	channel := objective.Channel("mixed", 4)
	for _, c := range []struct {
		r    Render
		o    interp.Objective
		want string
	}{
		{Render{}, objective.Logit, "LogitOf"},
		{Render{}, objective.Channel("mixd", 4), "mixed"},
		{Render{}, objective.Channel("mixed", 70), "channels 0 to 6"},
		{Render{N: 3}, objective.Channels("mixed", 1, 2), "2"},
		{Render{N: -1}, channel, "N is -1, must"},
		{Render{Steps: -1}, channel, "Steps is -1, must"},
		{Render{Rate: -1}, channel, "Rate is -1, must"},
		{Render{Rate: math.NaN()}, channel, "Rate is NaN, must"},
		{Render{Keys: []uint64{1, 2}}, channel, "Keys is [1 2], must be one for each of 1"},
		{Render{At: []int{-1}}, channel, "At is [-1], must"},
		{Render{Height: -4}, channel, "Height × Width is [-4 12], must have sides"},
		{Render{Views: []Transformation{Scale{-1, 0}}}, channel, "scale -1–0"},
		{Render{Views: []Transformation{Scale{20, 20}, Rotate{}}}, channel, "enlarge a pixel"},
		{Render{Views: []Transformation{Crop{First: -1}}}, channel, "crops of -1"},
		{Render{Views: []Transformation{Jitter{}, nil}}, channel, "must have no nil"},
		{Render{}, interp.Objective{}, "has no Form"},
		{Render{Window: [2]int{3, -1}}, channel, "Window is [3 -1], must"},
		{Render{Looks: -1}, channel, "Looks is -1, must"},
		{Render{Noise: math.NaN()}, channel, "Noise is NaN, must"},
		{Render{Image: MaCo{Magnitude: Spectrum{C: 3, H: 4, W: 4, Magnitude: []float64{1}}}}, channel, "1 numbers"},
		{Render{Diversity: Diversity{Layer: "mixd"}, N: 2}, channel, "mixed"},
		{Render{Diversity: Diversity{Weight: 2}, N: 2}, channel, "Diversity.Weight is 2, must be 0"},
		{Render{Diversity: Diversity{Layer: "mixed", Weight: math.NaN()}, N: 2}, channel, "Diversity.Weight is NaN, must be finite"},
		{Render{Height: 4097}, channel, "[4097 12], must have sides from 1 to 4096"},
		{Render{Image: Pixels{}, Width: 1 << 40}, channel, "sides from 1 to 4096"},
		{Render{Window: [2]int{12, 1 << 40}}, channel, "sides from 1 to 4096"},
		{Render{Image: Fourier{Decay: 1000}}, channel, "featvis: Fourier(decay=1000, σ=0.01): its parameters"},
		{Render{Image: Pixels{Colours: Colours{Root: [3][3]float64{{math.Inf(1)}}}}}, channel, "Inf"},
		{Render{Image: Pixels{SD: math.NaN()}}, channel, "featvis: pixels(σ=NaN): it starts"},
		{Render{Rate: 1e300}, channel, "after 1 steps at rate 1e+300"},
	} {
		r := c.r
		r.Steps = cmp.Or(r.Steps, 2)
		var err error
		for _, err = range r.Frames(ctx, m, c.o) {
			if err != nil {
				break
			}
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: error %v, want %q", r, c.o, err, c.want)
		}
	}
	broken := interp.Weights{}
	for path, w := range m.Weights() {
		if strings.Contains(path, "conv1") {
			v := w.Values()
			v[0] = math.NaN()
			broken[path], _ = interp.NewWeight(v, w.Dims()...)
		}
	}
	bad, err := m.With(broken)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (Render{Steps: 2}).Final(ctx, bad, objective.LogitOf(0)); err == nil || !strings.Contains(err.Error(), "conv1") {
		t.Errorf("with a weight that is NaN: %v", err)
	}
}
