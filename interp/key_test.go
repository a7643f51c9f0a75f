package interp_test

import (
	"math"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
	"lucigo/interp/saliency"
)

// mine is a rule that passes seven times as much, under a name that others have too.
type mine struct{}

func (mine) String() string { return "a rule" }

func (mine) ReLU(x *graph.Node) *graph.Node {
	return graph.IdentityWithCustomGradient(layer.ReLU(x), func(_, v *graph.Node) *graph.Node { return graph.MulScalar(v, 7) })
}

// stretched is a rule with a number, which its name does not have.
type stretched struct{ by float64 }

func (stretched) String() string { return "a rule" }

func (r stretched) ReLU(x *graph.Node) *graph.Node {
	return graph.IdentityWithCustomGradient(layer.ReLU(x), func(_, v *graph.Node) *graph.Node {
		return graph.MulScalar(v, r.by)
	})
}

// Rules of one name are told apart by their types and by their fields.
func TestRulesAreTheirOwnKeys(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 1, 1).Asked(1)
	rules := []layer.Rule{layer.Exact, mine{}, stretched{2}, stretched{3}}
	maps := map[float64]int{}
	for i, rule := range rules {
		g, err := m.Gradient(ctx, objective.Logit, rule, x)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, v := range g.Pix {
			sum += math.Abs(v)
		}
		if k, twice := maps[sum]; twice {
			t.Errorf("rule %d gives the gradient of rule %d", i, k)
		}
		maps[sum] = i
	}
	if compiled, _, _ := m.Programs(); compiled != len(rules) {
		t.Errorf("%d rules took %d compilations", len(rules), compiled)
	}
}

// dishonest is a form that depends on more than its fields say.
type dishonest struct{ factor *func() float64 }

func (f dishonest) Score(p *layer.Pass, _ []*graph.Node) *graph.Node {
	return graph.MulScalar(graph.ReduceMean(p.Images, 1, 2, 3), (*f.factor)())
}

// careless is a form whose field has no value to be known by.
type careless struct{ factor func() float64 }

func (f careless) Score(p *layer.Pass, _ []*graph.Node) *graph.Node {
	return graph.MulScalar(graph.ReduceMean(p.Images, 1, 2, 3), f.factor())
}

func TestWhatAKeyCannotHold(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 1, 1)
	factor := 1.
	f := func() float64 { return factor }
	if _, err := m.Score(ctx, interp.Objective{Name: "careless", Form: careless{f}}, x); err == nil || !strings.Contains(err.Error(), ".factor is a func") {
		t.Errorf("a func in a form: error %v", err)
	}
	o := interp.Objective{Name: "dishonest", Form: dishonest{&f}}
	if _, err := m.Score(ctx, o, x); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Score(ctx, o, x); err != nil {
		t.Errorf("the same graph again: error %v", err)
	}
	factor = 2
	if _, err := m.Score(ctx, o, x); err == nil || !strings.Contains(err.Error(), "builds another graph than before") {
		t.Errorf("another graph from equal fields: error %v", err)
	}
}

// Directions are told apart in captions and keys of results.
func TestNamesTellArraysApart(t *testing.T) {
	a, b := objective.Direction("mixed", []float64{1, 2, 3, 4, 5, 6, 7}), objective.Direction("mixed", []float64{1, 2, 3, 4, 5, 6, 8})
	if a.String() == b.String() || a.String() != objective.Direction("mixed", []float64{1, 2, 3, 4, 5, 6, 7}).String() {
		t.Errorf("two directions are %s and %s", a, b)
	}
}

// Images of 0 to 255, of means taken away, or of −1 to 1 are not taken, and the error says what to do.
func TestLawScaleOfImages(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 2, 1)
	for name, f := range map[string]func(v float64) float64{
		"0 to 255": func(v float64) float64 { return 255 * v },
		"−1 to 1":  func(v float64) float64 { return 2*v - 1 },
		"deviates": func(v float64) float64 { return (v - .45) / .22 },
	} {
		y := x
		y.Pix = make([]float64, len(x.Pix))
		for i, v := range x.Pix {
			y.Pix[i] = f(v)
		}
		tries := map[string]func() error{
			"Predict":     func() error { _, err := m.Predict(ctx, y); return err },
			"Score":       func() error { _, err := m.Score(ctx, objective.Logit, y); return err },
			"Gradient":    func() error { _, err := m.Gradient(ctx, objective.Logit, nil, y); return err },
			"Activations": func() error { _, err := m.Activations(ctx, y, "mixed"); return err },
			"SmoothGrad":  func() error { _, err := saliency.SmoothGrad{N: 2}.Maps(ctx, m, objective.Logit, y); return err },
			"Join":        func() error { _, err := interp.Join(y, y); return err },
		}
		for what, try := range tries {
			if err := try(); err == nil || !strings.Contains(err.Error(), "must be in [0, 1]") {
				t.Errorf("%s of images of %s: error %v", what, name, err)
			}
		}
		if _, err := m.Predict(ctx, y.Free()); err != nil {
			t.Errorf("free images of %s: error %v", name, err)
		}
	}
}

// Whatever is one for each image travels with the copies of a batch: map i is that of image i alone.
func TestLawArgumentsTravel(t *testing.T) {
	m := interptest.Smooth().Float64()
	x := interptest.Images(m, 3, 4).Keyed()
	layers, err := m.Layers()
	if err != nil {
		t.Fatal(err)
	}
	name := layers[0].Name
	channels := []int{2, 0, 1}
	weights := []float64{1, -2, .5}
	each := interp.Objective{Name: "weights", Form: interp.FormOf(func(_ *layer.Pass, a []*graph.Node) *graph.Node { return a[0] }), Args: []interp.Arg{interp.Each(weights)}}
	o := each.Mul(objective.Channels(name, channels...))
	for _, method := range []saliency.Method{
		saliency.Gradient{}, saliency.SmoothGrad{N: 5}, saliency.VarGrad{N: 5}, saliency.IntegratedGradients{Steps: 4},
		saliency.SmoothGrad{N: 2, Of: saliency.IntegratedGradients{Steps: 3}},
	} {
		for _, budget := range []int64{1, int64(3 * 128 * 8 * x.Size()), 0} {
			all, err := method.Maps(ctx, m.Budget(budget), o, x)
			if err != nil {
				t.Fatalf("%s at budget %d: %v", method, budget, err)
			}
			for i, c := range channels {
				one, err := method.Maps(ctx, m, objective.Channel(name, c).Times(weights[i]), x.Slice(i, i+1))
				if err != nil {
					t.Fatal(err)
				}
				if d := interptest.Distance(all.Of(i), one.Of(0)); !(d <= 1e-12) {
					t.Errorf("%s at budget %d: map %d is %g from that of its image alone", method, budget, i, d)
				}
				if d := math.Abs(all.Score[i] - one.Score[0]); !(d <= 1e-12) {
					t.Errorf("%s at budget %d: score %d is %g from that of its image alone", method, budget, i, d)
				}
			}
		}
	}
}
