package sanity_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/internal/journal"
	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/measure"
	"lucigo/interp/objective"
	"lucigo/interp/saliency"
	"lucigo/interp/sanity"
	"lucigo/models/scenes"
)

var ctx = context.Background()

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Layers have every weight once, from the logits to the images, and so have blocks.
func TestLawLayers(t *testing.T) {
	m := interptest.Branchy()
	var paths, layers []string
	for _, s := range must(sanity.Layers(m)) {
		paths = append(paths, s.Paths...)
		layers = append(layers, s.String())
	}
	slices.Sort(paths)
	if !slices.Equal(paths, m.Weights().Paths()) {
		t.Errorf("stages have %v, the network %v", paths, m.Weights().Paths())
	}
	if want := []string{"the end", "head", "shared", "branch", "conv1"}; !slices.Equal(layers, want) {
		t.Errorf("stages %v, want %v", layers, want)
	}
}

// Layers whose names are the same up to the last slash are a block where they follow each other.
func TestLawBlocks(t *testing.T) {
	m := interptest.Model("blocks", func(s *model.Scope, x *graph.Node) *graph.Node {
		for _, name := range []string{"a/0/one", "a/0/two", "alone", "a/1/one", "b", "a/1/two", "c/one", "c/two"} {
			x = layer.At(name, layer.ReLU(layer.Conv(s.At("%s", strings.ReplaceAll(name, "/", "_")), x, 1, layer.Square(1, 1, 0))))
		}
		return layer.Dense(s.At("logits"), layer.Flatten(x), 2)
	}, [3]int{2, 2, 1}, 2, 1)
	var got []string
	paths := 0
	for _, s := range must(sanity.Blocks(m)) {
		got, paths = append(got, s.String()), paths+len(s.Paths)
	}
	if want := []string{"the end", "c", "a/1/two", "b", "a/1/one", "alone", "a/0"}; !slices.Equal(got, want) {
		t.Errorf("blocks %v, want %v", got, want)
	}
	if want := len(m.Weights()); paths != want {
		t.Errorf("blocks have %d weights, want %d", paths, want)
	}
	block, one := must(sanity.Redraw(m, 7, "a/0")), must(sanity.Redraw(m, 7, "a/0/two"))
	if got := changed(t, m, block); !slices.Equal(got, []string{"a/0/two", "a/0/one"}) {
		t.Errorf("redrawn are %v", got)
	}
	if got := changed(t, m, one); !slices.Equal(got, []string{"a/0/two"}) {
		t.Errorf("redrawn are %v", got)
	}
}

// changed returns the stages of m of which variant v has other weights; one of whose weights fewer than half are others is an error.
func changed(t *testing.T, m, v *interp.Model) (stages []string) {
	t.Helper()
	for _, s := range must(sanity.Layers(m)) {
		other := 0
		for _, path := range s.Paths {
			if !slices.Equal(m.Weights()[path].Values(), v.Weights()[path].Values()) {
				other++
			}
		}
		if other > 0 {
			stages = append(stages, s.String())
		}
		if 2*other < len(s.Paths) && other > 0 { // biases may be 0 in both
			t.Errorf("of stage %s only %d of %d weights are new", s, other, len(s.Paths))
		}
	}
	return stages
}

// A cascade has one more stage of new weights in each variant, from the logits down, and the same weights for equal
// seeds; independent variants have one each. The network under test stays as it is.
func TestLawVariants(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 2, 1)
	before := must(m.Predict(ctx, x))
	weights := map[string][]float64{}
	for path, w := range m.Weights() {
		weights[path] = w.Values()
	}
	cascade, independent := must(sanity.Cascade(m, 7)), must(sanity.Independent(m, 7))
	var all []string
	for i, s := range must(sanity.Layers(m)) {
		all = append(all, s.String())
		if got := changed(t, m, cascade[i].Model); !slices.Equal(got, all) || cascade[i].Name != s.String() {
			t.Errorf("variant %d of the cascade, %s, has new %v, want %v", i, cascade[i].Name, got, all)
		}
		if got := changed(t, m, independent[i].Model); !slices.Equal(got, []string{s.String()}) || independent[i].Random != 0 {
			t.Errorf("independent variant %d has new %v, want %s", i, got, s)
		}
		if want := float64(i+1) / 5; !(math.Abs(cascade[i].Random-want) <= 1e-12) {
			t.Errorf("variant %d is %g random, want %g", i, cascade[i].Random, want)
		}
	}
	last := cascade[len(cascade)-1].Model
	if again := must(sanity.Redraw(m, 7)); len(changed(t, last, again)) > 0 {
		t.Error("equal seeds give other weights")
	}
	if other := must(sanity.Redraw(m, 8)); len(changed(t, last, other)) != 5 {
		t.Errorf("another seed changes %v", changed(t, last, other))
	}
	if some := must(sanity.Redraw(m, 7, "head", "conv1")); !slices.Equal(changed(t, m, some), []string{"head", "conv1"}) {
		t.Errorf("redrawn are %v", changed(t, m, some))
	}
	if _, err := sanity.Redraw(m, 7, "conv"); err == nil || !strings.Contains(err.Error(), "conv1") {
		t.Errorf("a layer that is not there: %v", err)
	}
	for path, w := range m.Weights() {
		if !slices.Equal(w.Values(), weights[path]) {
			t.Errorf("the network under test has another %s", path)
		}
	}
	if after := must(m.Predict(ctx, x)); !slices.Equal(after.Logits.Data, before.Logits.Data) {
		t.Error("the network under test gives other logits")
	}
}

// New weights are new: they have nothing in common with those of a network that was trained from Initial of a small seed.
func TestNewWeightsAreNew(t *testing.T) {
	m := must(scenes.Standard())
	for seed := range int64(4) {
		for path, w := range must(sanity.Redraw(m, seed)).Weights() {
			var ab, aa, bb float64
			old := m.Weights()[path].Values()
			for i, v := range w.Values() {
				ab, aa, bb = ab+v*old[i], aa+v*v, bb+old[i]*old[i]
			}
			if n := float64(len(old)); ab != 0 && !(math.Abs(ab)/math.Sqrt(aa*bb) <= 5/math.Sqrt(n)) {
				t.Errorf("seed %d: %s has cosine %.3f with the trained weights, of %g numbers", seed, path, ab/math.Sqrt(aa*bb), n)
			}
		}
	}
}

// fixed is a method whose maps are functions of the image alone.
type fixed struct {
	name string
	of   func(v float64) float64
}

func (f fixed) String() string { return f.name }

func (f fixed) Maps(_ context.Context, _ *interp.Model, _ interp.Objective, x interp.Images) (interp.Maps, error) {
	out := x.Like()
	for i, v := range x.Pix {
		out.Pix[i] = f.of(v)
	}
	return out, nil
}

// counted counts how often a method is asked, and stops when it was often enough.
type counted struct {
	saliency.Method
	asked, most int
}

func (c *counted) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	if c.asked++; c.most > 0 && c.asked > c.most {
		return interp.Maps{}, context.Canceled
	}
	return c.Method.Maps(ctx, m, o, x)
}

// A map of the image alone is like itself to the last digit in all variants, and one that is the same everywhere has no rank.
func TestLawControls(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.ImagesOf(3, interptest.Size, interptest.Size, 3, 4)
	variants := must(sanity.Cascade(m, 1))
	check := sanity.Check{Methods: []saliency.Method{
		fixed{"image", func(v float64) float64 { return v - .4 }}, fixed{"flat", func(float64) float64 { return 2 }}, fixed{"zero", func(float64) float64 { return 0 }}}}
	r := must(check.Run(ctx, m, variants, x))
	for s, name := range sanity.Similarities() {
		for k := range r.Methods {
			for v, e := range r.Curve(sanity.Similarity(s), k) {
				defined := k == 0 && sanity.Similarity(s) != sanity.Edges // of which images of 12×12 have none
				if want := map[bool]int{true: 3, false: 0}[defined]; e.N != want || defined && !(math.Abs(e.Mean-1) <= 1e-12) || !defined && !math.IsNaN(e.Mean) {
					t.Errorf("%s of %s, variant %d: %+v", name, r.Methods[k], v, e)
				}
			}
		}
	}
	if len(r.Shown[0]) != len(variants)+1 || !slices.Equal(r.Shown[1][2].Pix[:2], []float64{2, 2}) {
		t.Errorf("shown are %d maps of %d variants", len(r.Shown[0]), len(variants))
	}
}

// A map is compared as measure.Spearman does, with that of the same class: the one that the network under test gives.
func TestRunComparesWhatItSays(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 3, 4)
	variants := must(sanity.Independent(m, 1))
	r := must(sanity.Check{Methods: []saliency.Method{saliency.TimesInput{}}}.Run(ctx, m, variants, x))
	x.Class = must(m.Predict(ctx, x)).Top1()
	whole := must(saliency.TimesInput{}.Maps(ctx, m, objective.Logit, x))
	for v, variant := range variants {
		maps := must(saliency.TimesInput{}.Maps(ctx, variant.Model, objective.Logit, x))
		for i := range x.N {
			want := must(measure.Spearman(whole.Magnitude(i), maps.Magnitude(i)))
			if got := r.Values[sanity.AbsRank][0][v][i]; got != want {
				t.Errorf("variant %d, image %d: %g, want %g", v, i, got, want)
			}
			want = must(measure.Spearman(whole.Mean(i), maps.Mean(i)))
			if got := r.Values[sanity.Rank][0][v][i]; got != want {
				t.Errorf("variant %d, image %d, with signs: %g, want %g", v, i, got, want)
			}
		}
	}
}

// A check that was interrupted goes on from its file to the same report, and asks nothing twice.
func TestLawResume(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 2, 4)
	variants := must(sanity.Cascade(m, 3))
	methods := func(most int) ([]saliency.Method, *counted) {
		c := &counted{Method: saliency.Guided, most: most}
		return []saliency.Method{saliency.Gradient{}, c}, c
	}
	both, _ := methods(0)
	want := must(sanity.Check{Methods: both}.Run(ctx, m, variants, x))
	path := filepath.Join(t.TempDir(), "check")
	both, first := methods(4)
	part, err := sanity.Check{Methods: both, Path: path}.Run(ctx, m, variants, x)
	if !errors.Is(err, context.Canceled) || len(part.Variants) != 3 || !equal(part.Values, want.Values) || len(part.Values[0][0]) != 3 || len(part.Values[0][1]) != 3 {
		t.Fatalf("stopped in the fifth call: %v, variants %v", err, part.Variants)
	}
	both, second := methods(0)
	got := must(sanity.Check{Methods: both, Path: path}.Run(ctx, m, variants, x))
	if len(got.Variants) != len(variants) || !equal(got.Values, want.Values) {
		t.Errorf("another report: %v, want %v", got.Values, want.Values)
	}
	if first.asked != 5 || second.asked != 3 { // the network itself again, and two variants
		t.Errorf("asked %d and %d times", first.asked, second.asked)
	}
	both, third := methods(0)
	if must(sanity.Check{Methods: both, Path: path}.Run(ctx, m, variants, x)); third.asked != 0 {
		t.Errorf("what is done was asked %d times", third.asked)
	}
	for name, run := range map[string]func() (sanity.Report, error){
		"other images": func() (sanity.Report, error) {
			return sanity.Check{Methods: both, Path: path}.Run(ctx, m, variants, interptest.Images(m, 2, 5))
		},
		"other methods": func() (sanity.Report, error) {
			return sanity.Check{Methods: both[:1], Path: path}.Run(ctx, m, variants, x)
		},
		"other variants": func() (sanity.Report, error) {
			return sanity.Check{Methods: both, Path: path}.Run(ctx, m, variants[1:], x)
		},
	} {
		if _, err := run(); err == nil || !strings.Contains(err.Error(), "another check") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(path, []byte("something else, long enough to be no beginning of a journal"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (sanity.Check{Methods: both, Path: path}).Run(ctx, m, variants, x); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a file of something else: %v", err)
	}
}

// What a method keeps is beyond what two random networks share, in the better of the two rank correlations.
func TestKept(t *testing.T) {
	curve := func(v float64) [][][]float64 { return [][][]float64{{{v}, {0}}} } // of one method, two variants, one image
	level := func(v float64) []measure.Estimate { return []measure.Estimate{{Mean: v}} }
	for _, c := range []struct{ abs, absLevel, signed, signedLevel, want float64 }{
		{.9, .5, .2, 0, .8}, {.5, .5, .3, 0, .3}, {.4, .5, 0, 0, 0}, {math.NaN(), .5, .2, 0, math.NaN()},
	} {
		r := sanity.Result{Report: sanity.Report{Methods: []string{"a"}, Variants: []string{"half", "all"}, Random: []float64{.5, 1},
			Values: [][][][]float64{sanity.AbsRank: curve(c.abs), sanity.Rank: curve(c.signed)}},
			Level: [][]measure.Estimate{sanity.AbsRank: level(c.absLevel), sanity.Rank: level(c.signedLevel)}}
		if got := r.Kept(0); !(math.Abs(got-c.want) <= 1e-12) && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("%v: kept %g", c, got)
		}
	}
}

// A file of the same check whose results do not fit it is an error that names it.
func TestDamagedResults(t *testing.T) {
	type result struct { // as the file has it
		Method, Variant int
		Values          []float64
		Map             []float32
		Channels        int
	}
	m := interptest.Branchy()
	x := interptest.Images(m, 2, 4)
	variants := must(sanity.Independent(m, 1))[:1]
	whole := result{0, 1, make([]float64, 2*len(sanity.Similarities())), make([]float32, 12*12*3), 3}
	for what, change := range map[string]func(r *result){
		"method 1": func(r *result) { r.Method = 1 }, "variant 2": func(r *result) { r.Variant = 2 }, "it has 3 values": func(r *result) { r.Values = r.Values[:3] },
		"432 numbers": func(r *result) { r.Channels = 2 }, "0 channels": func(r *result) { r.Channels = 0 },
	} {
		path := filepath.Join(t.TempDir(), "check")
		check := sanity.Check{Methods: []saliency.Method{saliency.Gradient{}}, Path: path}
		must(check.Run(ctx, m, variants, x))
		j := must(journal.Open(path, "sanity check", func([]byte) error { return nil }))
		r := whole
		change(&r)
		var b bytes.Buffer
		if err := errors.Join(gob.NewEncoder(&b).Encode(r), j.Append(b.Bytes()), j.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := check.Run(ctx, m, variants, x); err == nil || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), path) {
			t.Errorf("want an error with %q and the file's name: %v", what, err)
		}
	}
}

func TestBadChecks(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 2, 4)
	variants := must(sanity.Cascade(m, 1))
	nan := fixed{"nan", func(v float64) float64 { return math.NaN() }}
	cut := cutting{}
	for want, run := range map[string]func() (sanity.Report, error){
		"no variants": func() (sanity.Report, error) { return sanity.Check{}.Run(ctx, m, nil, x) },
		"no Model":    func() (sanity.Report, error) { return sanity.Check{}.Run(ctx, m, []sanity.Variant{{}}, x) },
		"is a network": func() (sanity.Report, error) {
			return sanity.Check{}.Run(ctx, m, []sanity.Variant{{Model: interptest.Linear()}}, x)
		},
		"nil among": func() (sanity.Report, error) {
			return sanity.Check{Methods: []saliency.Method{nil}}.Run(ctx, m, variants, x)
		},
		"must be finite": func() (sanity.Report, error) {
			return sanity.Check{Methods: []saliency.Method{nan}}.Run(ctx, m, variants, x)
		},
		"the maps are": func() (sanity.Report, error) {
			return sanity.Check{Methods: []saliency.Method{cut}}.Run(ctx, m, variants, x)
		},
		"class 9": func() (sanity.Report, error) { return sanity.Check{}.Run(ctx, m, variants, x.Asked(9)) },
	} {
		if _, err := run(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q: %v", want, err)
		}
	}
}

// cutting is a method that returns maps of the first image alone.
type cutting struct{}

func (cutting) String() string { return "cut" }

func (cutting) Maps(_ context.Context, _ *interp.Model, _ interp.Objective, x interp.Images) (interp.Maps, error) {
	return x.Slice(0, 1).Like(), nil
}

func equal(a, b [][][][]float64) bool {
	for s := range a {
		for k := range a[s] {
			for v := range a[s][k] {
				for i, x := range a[s][k][v] {
					if y := b[s][k][v][i]; x != y && !(math.IsNaN(x) && math.IsNaN(y)) {
						return false
					}
				}
			}
		}
	}
	return true
}

// On a network of scenes guided backprop does not notice that the upper half is random, the gradient falls to what two random networks
// share, and an edge detector is 1; and the verdicts do not depend on what was drawn.
func TestScenes(t *testing.T) {
	interptest.Unchecked()
	m := must(scenes.Standard())
	x := scenes.Task{}.Images(20002, 6, 64)
	card := sanity.Card{Check: sanity.Check{Methods: []saliency.Method{saliency.Gradient{}, saliency.Guided, saliency.Edge{}}}}
	for card.Seed = range int64(5) {
		r := must(card.Of(ctx, m, x))
		half, last := r.Half(), len(r.Variants)-1
		if half != 3 {
			t.Errorf("half of the network is random in variant %d of %d", half, len(r.Variants))
		}
		gradient, guided, edges := r.Curve(sanity.AbsRank, 0), r.Curve(sanity.AbsRank, 1), r.Curve(sanity.AbsRank, 2)
		t.Logf("seed %d: gradient %.2f, %.2f (random networks %.2f), guided %.2f, %.2f", card.Seed,
			gradient[half].Mean, gradient[last].Mean, r.Level[sanity.AbsRank][0].Mean, guided[half].Mean, guided[last].Mean)
		if !(guided[half].Mean >= .6) {
			t.Errorf("seed %d: guided backprop has %.2f when the upper half is random", card.Seed, guided[half].Mean)
		}
		if !(gradient[last].Mean <= r.Level[sanity.AbsRank][0].Mean+.1) {
			t.Errorf("seed %d: the gradient has %.2f when all is random, and two random networks %.2f", card.Seed, gradient[last].Mean, r.Level[sanity.AbsRank][0].Mean)
		}
		for v, e := range edges {
			if !(math.Abs(e.Mean-1) <= 1e-12) {
				t.Errorf("seed %d: the edges have %g in variant %d", card.Seed, e.Mean, v)
			}
		}
		if want := []sanity.Verdict{sanity.Follows, sanity.TopBlind, sanity.Blind}; !slices.Equal(r.Verdicts, want) {
			t.Errorf("seed %d: %v", card.Seed, r.Summary())
		}
	}
}
