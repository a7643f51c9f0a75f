package measure

import (
	"context"
	"errors"
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
	"lucigo/interp/saliency"
)

var ctx = context.Background()

// models are all measures of a model, as measures of maps of the images' channels.
var models = []struct {
	name string
	of   func(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, maps interp.Maps) ([]float64, error)
	unit bool // it is of the same scale as the map
}{
	{"deletion(black)", pixels(Deletion{}.Of), false},
	{"deletion(imputed(noise=0.01), step=17, seed=2)", pixels(Deletion{Fill: Imputed{}, Step: 17, Seed: 2}.Of), false},
	{"insertion(blurred(σ=5))", pixels(Insertion{}.Of), false},
	{"insertion(mean, step=50)", pixels(Insertion{Fill: Mean{}, Step: 50}.Of), false},
	{"ROAD(shares 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9, imputed(noise=0.01))", pixels(ROAD{}.Of), false},
	{"ROAD(shares 0.2 0.5, imputed(noise=0.1, seed=3))", pixels(ROAD{Shares: []float64{.2, .5}, Noise: .1, Seed: 3}.Of), false},
	{"infidelity(square, N=7)", Infidelity{N: 7}.Of, true},
	{"infidelity(noise of 0.1, N=9, scaled, seed=4)", Infidelity{Perturb: Noise{}, N: 9, Scaled: true, Seed: 4}.Of, false},
	{"infidelity(square of 5, N=7, shares)", Infidelity{Perturb: Square{5}, N: 7, Shares: true}.Of, true},
	{"sensitivity-n(N=n/8, sets=9, black)", pixels(SensitivityN{Sets: 9}.Of), false},
	{"sensitivity-n(N=30, sets=9, mean, seed=5)", pixels(SensitivityN{N: 30, Sets: 9, Fill: Mean{}, Seed: 5}.Of), false},
	{"max-sensitivity(radius=0.02, N=10)", given(MaxSensitivity{}), false},
	{"max-sensitivity(radius=0.1, N=3, seed=6)", given(MaxSensitivity{.1, 3, 6}), false},
}

// pixels makes a measure of maps with a number for each pixel one of maps with channels.
func pixels(of func(context.Context, *interp.Model, interp.Objective, interp.Images, [][]float64) ([]float64, error)) func(
	context.Context, *interp.Model, interp.Objective, interp.Images, interp.Maps) ([]float64, error) {
	return func(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, maps interp.Maps) ([]float64, error) {
		return of(ctx, m, o, x, Each(maps.N, maps.Mean))
	}
}

// timesImage is a method whose map is the image times one that is given.
type timesImage struct{ maps interp.Maps }

func (s timesImage) String() string { return "the image × what is given" }

func (s timesImage) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	x, err := m.Resolve(ctx, o, x)
	if err != nil {
		return interp.Maps{}, err
	}
	out := x.Like()
	if out.Score, err = m.Score(ctx, o, x); err != nil {
		return out, err
	}
	for i := range x.N {
		which := slices.Index(s.maps.Key, x.Key[i])
		for p, v := range x.Of(i) {
			out.Of(i)[p] = v * s.maps.Of(which)[p]
		}
	}
	return out, nil
}

func given(s MaxSensitivity) func(context.Context, *interp.Model, interp.Objective, interp.Images, interp.Maps) ([]float64, error) {
	return func(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, maps interp.Maps) ([]float64, error) {
		if err := fit(x, Each(maps.N, maps.Mean)); err != nil { // a method makes maps that fit
			return nil, err
		}
		maps.Key = x.Keyed().Key
		return s.Of(ctx, m, o, x, timesImage{maps})
	}
}

func TestLawEveryModelMeasure(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Branchy().Float64().On(e.Backend)
		x := interptest.Images(m, 3, 1)
		maps := x.Like()
		copy(maps.Pix, normals(len(maps.Pix), 9))
		before := slices.Clone(x.Pix)
		for _, c := range models {
			of := func(m *interp.Model, x interp.Images, maps interp.Maps) []float64 {
				t.Helper()
				out, err := c.of(ctx, m, objective.Logit, x, maps)
				if err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
				return out
			}
			out := of(m, x, maps)
			if len(out) != 3 || slices.ContainsFunc(out, interp.NotFinite) || out[0] == out[1] {
				t.Errorf("%s: %v", c.name, out)
			}
			if !slices.Equal(x.Pix, before) || x.Class != nil || x.Key != nil {
				t.Fatalf("%s changed the images", c.name)
			}
			same := func(what string, got, want []float64) {
				t.Helper()
				if d := interptest.Distance(got, want); !(d <= 1e-9) {
					t.Errorf("%s: %v, and %s %v", c.name, want, what, got)
				}
			}
			if again := of(m, x, maps); !slices.Equal(again, out) {
				t.Errorf("%s: %v, and again %v", c.name, out, again)
			}
			same("four images at a time", of(m.Budget(4*128*8*int64(x.Size())), x, maps), out)
			one := maps
			one.Images = maps.Slice(1, 2)
			same("without its neighbours", of(m, x.Slice(1, 2), one), out[1:2])
			scaled := maps
			scaled.Pix = times(maps.Pix, 3e-5)
			if got := of(m, x, scaled); (interptest.Distance(got, out) <= 1e-9) == c.unit {
				t.Errorf("%s: %v, and of smaller maps %v", c.name, out, got)
			}
			for what, bad := range map[string]float64{"zeros": 0, "a NaN": math.NaN()} {
				hole := maps
				hole.Pix = slices.Clone(maps.Pix)
				for p := range x.Size() {
					if bad == 0 || p == 17 {
						hole.Of(1)[p] = bad
					}
				}
				got := of(m, x, hole)
				if !math.IsNaN(got[1]) {
					t.Errorf("%s of a map of %s: %g", c.name, what, got[1])
				}
				same("beside a map of "+what, []float64{got[0], got[2]}, []float64{out[0], out[2]})
			}
			ended, cancel := context.WithCancel(ctx)
			cancel()
			if _, err := c.of(ended, m, objective.Logit, x, maps); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: after the end of the context, error %v", c.name, err)
			}
			if _, err := c.of(ctx, m, objective.Energy("mixd"), x, maps); err == nil || !strings.Contains(err.Error(), "mixed") {
				t.Errorf("%s: for a layer that does not exist, error %v", c.name, err)
			}
			two := maps
			two.Images = maps.Slice(0, 2)
			if _, err := c.of(ctx, m, objective.Logit, x, two); err == nil {
				t.Errorf("%s took two maps for three images", c.name)
			}
			small := maps
			small.H, small.Pix = maps.H/2, maps.Pix[:len(maps.Pix)/2]
			if _, err := c.of(ctx, m, objective.Logit, x, small); err == nil {
				t.Errorf("%s took maps of another size", c.name)
			}
		}
	})
}

// A context that ends while copies are made ends the measure at once, however long one takes.
func TestContextEndsWhileCopiesAreMade(t *testing.T) {
	ended, cancel := context.WithCancel(ctx)
	stuck := make(chan bool)
	defer close(stuck)
	m := interptest.Linear()
	x := interptest.Images(m, 1, 1)
	_, err := scores(ended, m, objective.LogitOf(0), x, 3, func(int) func(int, []float64) {
		return func(int, []float64) {
			cancel()
			<-stuck
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// What each measure calls itself.
func TestModelStrings(t *testing.T) {
	for i, s := range []interface{ String() string }{
		Deletion{}, Deletion{Fill: Imputed{}, Step: 17, Seed: 2}, Insertion{}, Insertion{Fill: Mean{}, Step: 50}, ROAD{},
		ROAD{Shares: []float64{.2, .5}, Noise: .1, Seed: 3}, Infidelity{N: 7}, Infidelity{Perturb: Noise{}, N: 9, Scaled: true, Seed: 4},
		Infidelity{Perturb: Square{5}, N: 7, Shares: true}, SensitivityN{Sets: 9}, SensitivityN{N: 30, Sets: 9, Fill: Mean{}, Seed: 5},
		MaxSensitivity{}, MaxSensitivity{.1, 3, 6},
	} {
		if s.String() != models[i].name {
			t.Errorf("%q, want %q", s, models[i].name)
		}
	}
}

// Fields out of range are errors that name them.
func TestModelErrors(t *testing.T) {
	m := interptest.Linear()
	x := interptest.Images(m, 1, 1)
	maps := x.Like()
	copy(maps.Pix, normals(len(maps.Pix), 9))
	nan := math.NaN()
	for field, of := range map[string]func(context.Context, *interp.Model, interp.Objective, interp.Images, interp.Maps) ([]float64, error){
		"Step is -1": pixels(Deletion{Step: -1}.Of), "Sigma is NaN": pixels(Insertion{Fill: Blurred{nan}}.Of),
		"Noise is -1": pixels(ROAD{Noise: -1}.Of), "Shares[1] is 0.2": pixels(ROAD{Shares: []float64{.3, .2}}.Of),
		"Shares[0] is 1": pixels(ROAD{Shares: []float64{1}}.Of), "Shares is empty": pixels(ROAD{Shares: []float64{}}.Of),
		"N is -1": Infidelity{N: -1}.Of, "Side is -2": Infidelity{Perturb: Square{-2}}.Of, "Sigma is -1": Infidelity{Perturb: Noise{-1}}.Of,
		"Sets is 1": pixels(SensitivityN{Sets: 1}.Of), "N is 6": pixels(SensitivityN{N: 6}.Of), "Noise is NaN": pixels(SensitivityN{Fill: Imputed{Noise: nan}}.Of),
		"Radius is 2": given(MaxSensitivity{Radius: 2}), "N is -3": given(MaxSensitivity{N: -3}),
	} {
		if got, err := of(ctx, m, objective.Logit, x, maps); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%v, error %v, want one that says %q", got, err, field)
		}
	}
}

// Of a linear network the map that says all is known: weights × image foretell every fall, weights every change.
func TestLawLinear(t *testing.T) {
	m := interptest.Linear().Float64()
	x := interptest.Images(m, 3, 1).Asked(0, 1, 2)
	slopes, err := m.Gradient(ctx, objective.Logit, nil, x)
	if err != nil {
		t.Fatal(err)
	}
	shares := x.Like()
	for p, v := range slopes.Pix {
		shares.Pix[p] = v * x.Pix[p]
	}
	check := func(what string, want float64, got []float64, err error) {
		t.Helper()
		for i, v := range got {
			if err != nil || !(math.Abs(v-want) <= 1e-12) {
				t.Errorf("%s of image %d: %g, %v, want %g", what, i, v, err, want)
			}
		}
		if len(got) != x.N {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
	for n := 1; n < 6; n++ {
		got, err := SensitivityN{N: n, Sets: 50}.Of(ctx, m, objective.Logit, x, Each(x.N, shares.Mean))
		check("sensitivity-n", 1, got, err)
	}
	for _, p := range []Perturbation{Square{}, Noise{}} {
		got, err := Infidelity{Perturb: p}.Of(ctx, m, objective.Logit, x, slopes)
		check("infidelity", 0, got, err)
		got, err = Infidelity{Perturb: p, Shares: true}.Of(ctx, m, objective.Logit, x, shares)
		check("infidelity of shares", 0, got, err)
		double := slopes
		double.Pix = times(slopes.Pix, -2)
		got, err = Infidelity{Perturb: p, Scaled: true}.Of(ctx, m, objective.Logit, x, double)
		check("scaled infidelity", 0, got, err)
	}
	got, err := MaxSensitivity{}.Of(ctx, m, objective.Logit, x, saliency.Gradient{})
	check("max-sensitivity", 0, got, err)
	got, err = MaxSensitivity{}.Of(ctx, m, objective.Logit, x, saliency.SmoothGrad{N: 2}) // the same noise, though the images move
	check("max-sensitivity of SmoothGrad", 0, got, err)
}

// A method that draws noise draws the same for the image that moves, and what it has for each image stays that image's.
func TestLawMaxSensitivityOfMethods(t *testing.T) {
	m := interptest.Smooth().Float64()
	x := interptest.Images(m, 4, 1).Asked(0)
	for _, method := range []saliency.Method{
		saliency.SmoothGrad{N: 3}, saliency.IntegratedGradients{Steps: 3, Baseline: interptest.Images(m, 4, 2).Pix},
	} {
		got, err := MaxSensitivity{Radius: 1e-9, N: 2}.Of(ctx, m.Budget(1), objective.Logit, x, method)
		if err != nil || !(slices.Max(got) <= 1e-6) {
			t.Errorf("%s: moved by 10⁻⁹ its maps move by %v, %v", method, got, err)
		}
	}
	got, err := MaxSensitivity{}.Of(ctx, m, objective.Logit, x, unless(x.Pix[0]))
	if err != nil || !math.IsNaN(got[0]) || !math.IsNaN(got[3]) {
		t.Errorf("of a map of zeros that becomes another: %v, %v", got, err)
	}
}

// unless is a method whose map is of zeros where the first number of the images is this one, and the images otherwise.
type unless float64

func (unless) String() string { return "zeros or the image" }

func (u unless) Maps(_ context.Context, _ *interp.Model, _ interp.Objective, x interp.Images) (interp.Maps, error) {
	out := x.Like()
	if x.Pix[0] != float64(u) {
		copy(out.Pix, x.Pix)
	}
	return out, nil
}

// A map of one channel stands for all of them.
func TestInfidelityOneChannel(t *testing.T) {
	m := interptest.Smooth().Float64()
	x := interptest.Images(m, 2, 1).Asked(0, 1)
	wide, narrow := x.Like(), interp.Images{N: 2, H: x.H, W: x.W, C: 1}.Like()
	copy(narrow.Pix, normals(len(narrow.Pix), 3))
	for p := range wide.Pix {
		wide.Pix[p] = narrow.Pix[p/3]
	}
	a, err := Infidelity{}.Of(ctx, m, objective.Logit, x, wide)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := (Infidelity{}).Of(ctx, m, objective.Logit, x, narrow); err != nil || !slices.Equal(a, b) {
		t.Errorf("%v, and of one channel %v, %v", a, b, err)
	}
}

// Removal one image at a time, as a user would write it.
func TestLawRemovalBySlowDefinition(t *testing.T) {
	m := interptest.Smooth().Float64()
	x := interptest.Images(m, 2, 4).Asked(3, 1)
	maps := [][]float64{normals(x.H*x.W, 1), normals(x.H*x.W, 2)}
	const step = 35
	score := func(i, n int, insert, least bool, fill func(c int) float64) float64 {
		y := x.Slice(i, i+1)
		y.Pix = slices.Clone(y.Pix)
		for p, v := range maps[i] {
			before := 0
			for _, w := range maps[i] {
				if w > v && !least || w < v && least {
					before++
				}
			}
			if (before < n) != insert {
				for c := range x.C {
					y.Pix[p*x.C+c] = fill(c)
				}
			}
		}
		s, err := m.Score(ctx, objective.Prob, y)
		if err != nil {
			t.Fatal(err)
		}
		return s[0]
	}
	black := func(int) float64 { return 0 }
	deleted, err := Deletion{Step: step}.Curves(ctx, m, objective.Prob, x, maps)
	if err != nil {
		t.Fatal(err)
	}
	inserted, err := Insertion{Step: step, Fill: Mean{}}.Curves(ctx, m, objective.Prob, x, maps)
	if err != nil {
		t.Fatal(err)
	}
	counts := []int{0, 35, 70, 105, 140, 144}
	for i := range x.N {
		mean := means(x.Of(i), x.C, func(int) bool { return true })
		if len(deleted[i].Share) != len(counts) || len(inserted[i].Score) != len(counts) {
			t.Fatalf("curves have %d and %d points", len(deleted[i].Share), len(inserted[i].Score))
		}
		area := 0.0
		for k, n := range counts {
			if deleted[i].Share[k] != float64(n)/144 {
				t.Errorf("point %d is at %g", k, deleted[i].Share[k])
			}
			want := score(i, n, false, false, black)
			if d := math.Abs(deleted[i].Score[k] - want); !(d <= 1e-12) {
				t.Errorf("without %d pixels image %d has %g, want %g", n, i, deleted[i].Score[k], want)
			}
			if k > 0 {
				area += float64(n-counts[k-1]) / 144 * (want + score(i, counts[k-1], false, false, black)) / 2
			}
			want = score(i, n, true, false, func(c int) float64 { return mean[c] })
			if d := math.Abs(inserted[i].Score[k] - want); !(d <= 1e-12) {
				t.Errorf("with %d pixels image %d has %g, want %g", n, i, inserted[i].Score[k], want)
			}
		}
		if d := math.Abs(deleted[i].Area() - area); !(d <= 1e-12) {
			t.Errorf("the area is %g, want %g", deleted[i].Area(), area)
		}
	}
}

// Pixels of equal value go in an order that the seed draws, not from the top of the image down.
func TestTiesAreRandom(t *testing.T) {
	m := make([]float64, 1000)
	m[500] = 1
	order := curve{}.order(m, random.New(1, 2, 0))
	if order[0] != 500 {
		t.Errorf("pixel %d goes first, and has not the largest value", order[0])
	}
	sum := 0
	for _, p := range order[1:201] {
		sum += p
	}
	if mean := sum / 200; mean < 430 || mean > 570 {
		t.Errorf("the first 200 of equal pixels are number %d on average, of 1000", mean)
	}
	// Each image has its own order: of two equal images with different keys, half of which is removed, the scores differ.
	net := interptest.Smooth().Float64()
	x := interptest.Images(net, 1, 1)
	two := x.Pick(0, 0)
	two.Key = []uint64{1, 2}
	tied := slices.Repeat([]float64{0}, x.H*x.W)
	tied[0] = 1
	curves, err := Deletion{Step: 72}.Curves(ctx, net, objective.Logit, two, [][]float64{tied, tied})
	if err != nil || curves[0].Score[1] == curves[1].Score[1] {
		t.Errorf("with other keys equal pixels go in one order: %v, %v", curves, err)
	}
	if slices.Equal(order, curve{}.order(m, random.New(2, 2, 0))) {
		t.Error("another seed, the same order")
	}
}

// A share of the pixels is rounded to the nearest number of them.
func TestROADShares(t *testing.T) {
	m := interptest.Smooth().Float64()
	x := interptest.Images(m, 1, 1)
	most, least, err := ROAD{Shares: []float64{.1, .5}}.Curves(ctx, m, objective.Logit, x, [][]float64{normals(144, 1)})
	if err != nil || !slices.Equal(most[0].Share, []float64{14. / 144, .5}) || !slices.Equal(least[0].Share, most[0].Share) {
		t.Errorf("%v, %v, %v", most, least, err)
	}
	most, _, err = ROAD{Shares: []float64{.11}}.Curves(ctx, m, objective.Logit, x, [][]float64{normals(144, 1)})
	if err != nil || most[0].Share[0] != 16./144 { // of 15.84
		t.Errorf("%v, %v", most, err)
	}
}

// What is imputed obeys its equations, and continues a ramp exactly.
func TestLawImputed(t *testing.T) {
	const h, w, c = 12, 15, 2
	noise := normals(h*w*c, 1)
	removed := make([]bool, h*w)
	for p := range removed {
		removed[p] = random.New(3, 0, 0).Uniform(p) < .7
	}
	pix := slices.Clone(noise)
	impute(pix, w, c, removed)
	for p, r := range removed {
		for ch := range c {
			if !r {
				if pix[p*c+ch] != noise[p*c+ch] {
					t.Fatalf("pixel %d was not removed, and changed", p)
				}
				continue
			}
			var sum, weights float64
			for dy := -1; dy <= 1; dy++ {
				for dx := -1; dx <= 1; dx++ {
					y, x := p/w+dy, p%w+dx
					if weight := []float64{0, 1. / 6, 1. / 12}[dy*dy+dx*dx]; y >= 0 && y < h && x >= 0 && x < w {
						sum += weight * pix[(y*w+x)*c+ch]
						weights += weight
					}
				}
			}
			if d := math.Abs(pix[p*c+ch] - sum/weights); !(d <= 1e-7) {
				t.Errorf("pixel %d is %g from the mean of its neighbours", p, d)
			}
		}
	}
	ramp := make([]float64, h*w*c)
	for i := range ramp {
		ramp[i] = .1 + .03*float64(i/c%w) - .02*float64(i/c/w) + float64(i%c)
		removed[i/c] = i/c/w > 1 && i/c/w < h-1 && i/c%w > 2 && i/c%w < w-2
	}
	pix = slices.Clone(ramp)
	for i := range pix {
		if removed[i/c] {
			pix[i] = 9
		}
	}
	impute(pix, w, c, removed)
	if d := interptest.Distance(pix, ramp); !(d <= 1e-8) {
		t.Errorf("a ramp with a hole is imputed %g from the ramp", d)
	}
	impute(pix, w, c, slices.Repeat([]bool{true}, h*w))
	if want := means(ramp, c, func(int) bool { return true }); !(math.Abs(pix[0]-want[0]) <= 1e-7 && math.Abs(pix[len(pix)-1]-want[1]) <= 1e-7) {
		t.Errorf("without any pixel %g and %g are imputed, want the means %v", pix[0], pix[len(pix)-1], want)
	}
}

// What fills has the noise that it is told, of each image its own, the same for each copy.
func TestFills(t *testing.T) {
	x := interptest.ImagesOf(2, 40, 50, 3, 1).Keyed()
	removed := make([]bool, 40*50)
	for p := range removed {
		removed[p] = p%50 > 10
	}
	fill := func(f Fill, i int) []float64 {
		pix := slices.Clone(x.Of(i))
		f.prepare(x, i)(pix, removed)
		for p, v := range x.Of(i) {
			if !removed[p/3] && pix[p] != v {
				t.Fatalf("%s changed what was not removed", f)
			}
		}
		return pix
	}
	clean, noisy := fill(Imputed{Noise: 1e-300}, 0), fill(Imputed{Noise: .05}, 0)
	square, n := 0.0, 0.0
	for p, v := range noisy {
		if removed[p/3] {
			square += (v - clean[p]) * (v - clean[p])
			n++
		}
	}
	if sd := math.Sqrt(square / n); !(math.Abs(sd-.05) <= .003) {
		t.Errorf("noise of %g, want .05", sd)
	}
	other := fill(Imputed{Noise: .05}, 1)
	plain := fill(Imputed{Noise: 1e-300}, 1)
	if d := (other[len(other)-1] - plain[len(plain)-1]) - (noisy[len(noisy)-1] - clean[len(clean)-1]); !(math.Abs(d) >= 1e-6) {
		t.Error("two images have the same noise")
	}
	if !slices.Equal(noisy, fill(Imputed{Noise: .05}, 0)) || slices.Equal(noisy, fill(Imputed{Noise: .05, Seed: 1}, 0)) {
		t.Error("the noise is not that of the seed")
	}
	if got := fill(Black{}, 1)[50*3-1]; got != 0 {
		t.Errorf("black is %g", got)
	}
	want := 0.0 // the Gaussian at one pixel, by its definition
	weights := 0.0
	for dy := -2; dy <= 2; dy++ {
		for dx := -2; dx <= 2; dx++ {
			w := math.Exp(-float64(dx*dx+dy*dy) / 8)
			weights += w
			want += w * x.Pixel(1, 20+dy, 30+dx)[1]
		}
	}
	if got := fill(Blurred{2}, 1)[(20*50+30)*3+1]; !(math.Abs(got-want/weights) <= 1e-12) {
		t.Errorf("blurred %g, want %g", got, want/weights)
	}
}

// SensitivityN by its definition, with the sets made here.
func TestLawSensitivityN(t *testing.T) {
	m := interptest.Smooth().Float64()
	x := interptest.Images(m, 1, 4).Asked(3).Keyed()
	pixels := normals(x.H*x.W, 1)
	const n, sets = 20, 30
	got, err := SensitivityN{N: n, Sets: sets, Seed: 8}.Of(ctx, m, objective.Logit, x, [][]float64{pixels})
	if err != nil {
		t.Fatal(err)
	}
	whole, err := m.Score(ctx, objective.Logit, x)
	if err != nil {
		t.Fatal(err)
	}
	var sums, falls []float64
	for k := range sets {
		y, sum := x, 0.0
		y.Pix = slices.Clone(x.Pix)
		set := random.New(8, x.Key[0], uint64(2+k)).Choose(0, n, len(pixels))
		slices.Sort(set)
		if len(slices.Compact(slices.Clone(set))) != n {
			t.Fatal("a pixel is twice in a set")
		}
		for _, p := range set {
			sum += pixels[p]
			clear(y.Pix[p*x.C : (p+1)*x.C])
		}
		s, err := m.Score(ctx, objective.Logit, y)
		if err != nil {
			t.Fatal(err)
		}
		sums, falls = append(sums, sum), append(falls, whole[0]-s[0])
	}
	if want, _ := Pearson(sums, falls); !(math.Abs(got[0]-want) <= 1e-12) {
		t.Errorf("%g, want %g", got[0], want)
	}
}

// formula returns the network of testdata/peers/measures.py, softmax(V tanh(W x)), and its two images.
func formula(t *testing.T, e *engine.Engine, channels int) (*interp.Model, interp.Images) {
	t.Helper()
	const side, hidden, classes = 10, 6, 3
	n := side * side * channels
	weight := func(factor, a, b float64, dims ...int) *interp.Weight {
		size := 1
		for _, d := range dims {
			size *= d
		}
		w, err := interp.NewWeight(times(wave(size, a, b), factor), dims...)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	m, err := interp.New(interp.Spec{
		Name: "formula", Input: [3]int{side, side, channels}, Classes: []string{"a", "b", "c"},
		Forward: func(s *model.Scope, x *graph.Node) *graph.Node {
			return layer.Dense(s.At("v"), layer.Tanh(layer.Dense(s.At("w"), layer.Flatten(x), hidden)), classes)
		},
		Weights: interp.Weights{
			"/w/weights": weight(.15, .7, .003, n, hidden), "/w/biases": weight(0, 0, 0, hidden),
			"/v/weights": weight(2, 1.3, .05, hidden, classes), "/v/biases": weight(0, 0, 0, classes),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	x := interp.Images{N: 2, H: side, W: side, C: channels, Class: []int{1, 2}, Key: []uint64{0, 1}}
	x.Pix = times(wave(2*n, .31, .017), .33)
	for p := range x.Pix {
		x.Pix[p] += .5
	}
	return m.Float64().On(e.Backend), x
}

// Measures of models are those of captum, pytorch-grad-cam and quantus, with equal random numbers: to 10⁻⁹ where these compute
// in float64, to 10⁻⁶ where they compute in float32.
func TestOracleModels(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m, x := formula(t, e, 3)
		slopes, err := m.Gradient(ctx, objective.Prob, nil, x)
		if err != nil {
			t.Fatal(err)
		}
		check := func(name string, tolerance float64, got []float64, err error) {
			t.Helper()
			want := peer[[]float64](t, name)
			for i := range want {
				if err != nil || len(got) != len(want) || !(math.Abs(got[i]-want[i]) <= tolerance) {
					t.Errorf("%s: %v, %v, want %v", name, got, err, want)
					break
				}
			}
		}
		shares := x.Like()
		for p, v := range slopes.Pix {
			shares.Pix[p] = v * x.Pix[p]
		}
		const n, seed = 8, 5
		for name, p := range map[string]Perturbation{"square": Square{4}, "noise": Noise{.2}} {
			f := Infidelity{Perturb: p, N: n, Seed: seed}
			got, err := f.Of(ctx, m, objective.Prob, x, slopes)
			check("infidelity "+name, 1e-9, got, err)
			f.Scaled = true
			got, err = f.Of(ctx, m, objective.Prob, x, slopes)
			check("infidelity "+name+" scaled", 1e-9, got, err)
			got, err = Infidelity{Perturb: p, N: n, Seed: seed, Shares: true}.Of(ctx, m, objective.Prob, x, shares)
			check("infidelity "+name+" shares", 1e-9, got, err)
		}
		got, err := MaxSensitivity{Radius: .05, N: n, Seed: seed}.Of(ctx, m, objective.Prob, x, saliency.Gradient{})
		check("max-sensitivity", 1e-9, got, err)

		maps := Each(2, interp.Images{N: 2, H: x.H, W: x.W, C: 1, Pix: wave(200, .9, .013)}.Of)
		got, err = ROAD{Noise: 1e-300}.Of(ctx, m, objective.Prob, x, maps)
		check("road", 1e-6, got, err)
		removed, filled := make([]bool, 100), slices.Clone(x.Of(0))
		for _, p := range (curve{}).order(maps[0], 0)[:60] {
			removed[p] = true
		}
		impute(filled, x.W, x.C, removed)
		got = nil
		for p, r := range removed {
			if r {
				got = append(got, filled[p*3:(p+1)*3]...)
			}
		}
		check("imputed", 1e-9, got, nil)

		m, x = formula(t, e, 1)
		curves, err := Deletion{Step: 5}.Curves(ctx, m, objective.Prob, x, maps)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range peer[[][]float64](t, "pixel flipping") { // which begins after the first step
			if d := interptest.Distance(curves[i].Score[1:], want); !(d <= 1e-6) {
				t.Errorf("image %d: %v, want %v", i, curves[i].Score[1:], want)
			}
		}
	})
}
