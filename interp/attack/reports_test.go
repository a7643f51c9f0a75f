package attack

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
)

// What users of other libraries have reported of the attacks that look for the nearest image.

var (
	classical      = []Attack{CarliniWagner{Searches: 2, Steps: 40, Weight: 1}, LBFGS{Searches: 3, Steps: 20, Weight: 1}, DeepFool{}, FAB{Steps: 10}}
	nearestAttacks = append(slices.Clone(classical), JSMA{Gamma: .2})
)

func judged(t *testing.T, b Ball, m *interp.Model, a Attack, x interp.Images) Result {
	t.Helper()
	r, err := Judge{Ball: b}.Try(context.Background(), m, a, x)
	if err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	return r
}

// shifted is interptest.Smooth with a number added to all logits, which changes no answer.
func shifted(by float64) *interp.Model {
	return interptest.Model("shifted", func(s *model.Scope, x *graph.Node) *graph.Node {
		h := layer.Tanh(layer.Conv(s.At("conv"), x, 5, layer.Square(3, 2, 1)))
		return graph.AddScalar(layer.Dense(s.At("logits"), layer.Flatten(h), interptest.Classes), by)
	}, [3]int{interptest.Size, interptest.Size, 3}, interptest.Classes, 3).Float64()
}

// Logits that are all negative (Harry24k/adversarial-attacks-pytorch#184: the other class was the 0 of a mask).
func TestLawLogitsMayBeNegative(t *testing.T) {
	m, low := shifted(0), shifted(-50)
	x := interptest.Images(m, 4, 3)
	for _, a := range nearestAttacks {
		r, s := judged(t, Anywhere(Norm2), m, a, x), judged(t, Anywhere(Norm2), low, a, x)
		for i, v := range r.Verdicts {
			if w := s.Verdicts[i]; v.Fooled != w.Fooled || math.Abs(v.L2-w.L2) > .02*v.L2 {
				t.Errorf("%s: image %d: %v at %g, and with lower logits %v at %g", a, i, v.Fooled, v.L2, w.Fooled, w.L2)
			}
		}
	}
}

// The true class is the last one (Harry24k/adversarial-attacks-pytorch#116, #153: an index of the other classes was off by one), and
// the first.
func TestLawOrderOfClasses(t *testing.T) {
	reversed := interptest.Model("smooth", func(s *model.Scope, x *graph.Node) *graph.Node {
		h := layer.Tanh(layer.Conv(s.At("conv"), x, 5, layer.Square(3, 2, 1)))
		return graph.Reverse(layer.Dense(s.At("logits"), layer.Flatten(h), interptest.Classes), -1)
	}, [3]int{interptest.Size, interptest.Size, 3}, interptest.Classes, 3).Float64()
	m := shifted(0)
	x := interptest.Images(m, 4, 3)
	for _, a := range nearestAttacks {
		r, s := judged(t, Anywhere(Norm2), m, a, x), judged(t, Anywhere(Norm2), reversed, a, x)
		for i, v := range r.Verdicts {
			if w := s.Verdicts[i]; w.After.Class != interptest.Classes-1-v.After.Class || math.Abs(v.L2-w.L2) > 1e-6 {
				t.Errorf("%s: image %d goes to %d at %g, and with reversed classes to %d at %g", a, i, v.After.Class, v.L2, w.After.Class, w.L2)
			}
		}
	}
}

// A network whose gradient is 0 (bethgelab/foolbox#1, google/jaxopt#492: a division by it) has no nearest image: nothing is found, and
// nothing is NaN.
func TestNoGradient(t *testing.T) {
	flat := interptest.Model("flat", func(s *model.Scope, x *graph.Node) *graph.Node {
		return layer.Dense(s.At("logits"), graph.MulScalar(layer.Flatten(x), 0), 3)
	}, [3]int{4, 4, 1}, 3, 5)
	x := interptest.Images(flat, 3, 3)
	for _, a := range append(slices.Clone(nearestAttacks), Attack(FAB{Steps: 3, Targets: 2})) {
		for _, b := range []Ball{Anywhere(Norm2), Anywhere(NormInf), L2(1)} {
			if r := judged(t, b, flat, a, x); r.Fooled() != 0 || slices.ContainsFunc(r.Images.Pix, interp.NotFinite) {
				t.Errorf("%s: %g fooled", a, r.Fooled())
			}
		}
	}
}

// The overshoot is there (Trusted-AI/adversarial-robustness-toolbox#219: it multiplied a difference of an array from itself).
func TestLawOvershoot(t *testing.T) {
	m := shifted(0)
	x := interptest.Images(m, 4, 3)
	near, far := judged(t, Anywhere(Norm2), m, DeepFool{Overshoot: 1e-9}, x), judged(t, Anywhere(Norm2), m, DeepFool{Overshoot: .4}, x)
	for i, v := range near.Verdicts {
		if w := far.Verdicts[i]; !v.Fooled || !w.Fooled || w.L2 < 1.2*v.L2 {
			t.Errorf("image %d: %g without overshoot, %g with 40 %%", i, v.L2, w.L2)
		}
	}
}

// Gamma ends JSMA (Trusted-AI/adversarial-robustness-toolbox#196: it changed nothing), a number moves once (cleverhans-lab/cleverhans#221:
// the first one again and again where all saliencies are 0), and a ball of L0 bounds the pixels.
func TestLawJSMA(t *testing.T) {
	m := shifted(0)
	x := interptest.Images(m, 4, 3)
	numbers := func(r Result, i int) (n int) {
		for k, v := range r.Images.Of(i) {
			if d := math.Abs(v - x.Of(i)[k]); d > 0 {
				n++
				if d > .1+1e-12 {
					t.Errorf("a number has moved by %g", d)
				}
			}
		}
		return n
	}
	for _, a := range []JSMA{{Theta: .1, Gamma: .01}, {Theta: -.1, Gamma: .02}} {
		r := judged(t, Anywhere(Norm0), m, a, x)
		for i, v := range r.Verdicts {
			if n, most := numbers(r, i), int(a.Gamma*float64(x.Size())); n > most || !v.Fooled && n < most-1 {
				t.Errorf("%s: image %d: %d numbers changed, and %d may", a, i, n, most)
			}
		}
	}
	for i, v := range judged(t, L0(3), m, JSMA{Theta: .1}, x).Verdicts {
		if v.L0 > 3 || v.L0 == 0 {
			t.Errorf("image %d: %g pixels changed, and 3 may", i, v.L0)
		}
	}
}

// Each search is an image's own: among others it finds what it finds alone (fra31/auto-attack#25: one image's step was taken for another;
// bethgelab/foolbox ends C&W for all images at once).
func TestLawAlone(t *testing.T) {
	m := shifted(0)
	x := interptest.Images(m, 4, 8).Keyed()
	for _, a := range classical {
		all := judged(t, Anywhere(Norm2), m, a, x)
		for i := range x.N {
			one := judged(t, Anywhere(Norm2), m, a, x.Slice(i, i+1))
			if math.Abs(all.Verdicts[i].L2-one.Verdicts[0].L2) > 1e-6 {
				t.Errorf("%s: image %d is found at %g, and alone at %g", a, i, all.Verdicts[i].L2, one.Verdicts[0].L2)
			}
		}
	}
}

// The confidence is met (cleverhans-lab/cleverhans#1141: it was added with the wrong sign for targets).
func TestLawConfidence(t *testing.T) {
	m := shifted(0)
	x := interptest.Images(m, 4, 3)
	p, err := m.Predict(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	var target []int
	for _, c := range p.Top1() {
		target = append(target, (c+1)%interptest.Classes)
	}
	for _, goal := range []Goal{{}, To(target...)} {
		for _, least := range []float64{0, .5, 1} {
			r, err := Judge{Ball: Anywhere(Norm2), Goal: goal}.Try(context.Background(), m, CarliniWagner{Searches: 3, Steps: 80, Weight: 1, Confidence: least}, x)
			if err != nil {
				t.Fatal(err)
			}
			after, err := m.Predict(context.Background(), r.Images)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range r.Verdicts {
				l := after.Logits.Of(i)
				lead := l[v.After.Class] - l[v.Class]
				if v.Target >= 0 {
					lead = l[v.Target] - l[after.Top(i, 2)[1]]
				}
				if !v.Fooled || lead < least-1e-6 || lead > least+.3 {
					t.Errorf("confidence %g: image %d: %v with a lead of %g", least, i, v.Fooled, lead)
				}
			}
		}
	}
}

// FAB begins anew at random, in all its norms and in both versions (Harry24k/adversarial-attacks-pytorch#163, #179: L1 and one version
// could not run), and a restart loses nothing.
func TestLawRestarts(t *testing.T) {
	m := shifted(0)
	x := interptest.Images(m, 4, 3)
	for _, n := range []Norm{NormInf, Norm2, Norm1} {
		for _, a := range []FAB{{Steps: 8}, {Steps: 8, Targets: 3}} {
			once := judged(t, Anywhere(n), m, a, x)
			r, err := Judge{Ball: Anywhere(n), Restarts: 3}.Try(context.Background(), m, a, x)
			if err != nil {
				t.Fatal(err)
			}
			for i := range r.Verdicts {
				d, e := n.Distance(x.Of(i), once.Images.Of(i), 3), n.Distance(x.Of(i), r.Images.Of(i), 3)
				if !once.Verdicts[i].Fooled || e > d {
					t.Errorf("%s in %s: image %d at %g, and after restarts at %g", a, n, i, d, e)
				}
			}
		}
	}
}

// What FAB finds in L1 and L∞ is nearer there than what DeepFool or C&W find in L2: the norm is the ball's.
func TestLawNorms(t *testing.T) {
	m := shifted(0)
	x := interptest.Images(m, 4, 3)
	for _, n := range []Norm{NormInf, Norm2, Norm1} {
		own := judged(t, Anywhere(n), m, FAB{Steps: 30}, x)
		for _, other := range []Norm{NormInf, Norm2, Norm1} {
			r := judged(t, Anywhere(other), m, FAB{Steps: 30}, x)
			for i := range x.N {
				if d, e := n.Distance(x.Of(i), own.Images.Of(i), 3), n.Distance(x.Of(i), r.Images.Of(i), 3); d > 1.05*e {
					t.Errorf("image %d: in %s FAB finds %g, and in %s %g", i, n, d, other, e)
				}
			}
		}
	}
}
