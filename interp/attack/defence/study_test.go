package defence

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/attack"
	"lucigo/interp/attack/card"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
)

// answered returns images that m answers as their classes say, but the first, which it gets wrong.
func answered(t *testing.T, m *interp.Model, n int) interp.Images {
	t.Helper()
	x := interptest.Images(m, n, 5)
	x.Class = must[interp.Prediction](t)(m.Predict(ctx, x)).Top1()
	x.Class[0] = (x.Class[0] + 1) % interptest.Classes
	return x
}

// TestStudy: a defence that rounds hides the gradient from an attack on itself, which the card says, and an attack that knows it takes more.
func TestStudy(t *testing.T) {
	interptest.Unchecked()
	m := interptest.Smooth()
	x := answered(t, m, 32)
	small := card.Card{Radii: []float64{24. / 255}, Attacks: []attack.Attack{attack.FGSM{}, attack.PGD{Steps: 5}, attack.Square{Queries: 50}}}
	var told []string
	s := Study{Ball: attack.Linf(24. / 255), Steps: 20, Votes: 5, Card: small, Look: 16, Progress: func(what string) { told = append(told, what) }}
	for _, c := range []struct {
		d    Defence
		kind card.Kind
	}{{BitDepth{Bits: 4}, card.NoGradient}, {Pruning{Share: 2}, card.Randomised}, {Distillation{Temperature: 2}, card.Softmax}} {
		r, err := s.Of(ctx, c.d, m, x)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(r)
		seen := false
		for _, f := range r.Flags {
			seen = seen || f.Kind == c.kind
		}
		if !seen || !strings.Contains(r.Words(), c.kind.String()) {
			t.Errorf("%s: flags %q, want %s", c.d, r.Words(), c.kind)
		}
		if r.Clean.Of != 32 || r.Claimed.Of != 32 || r.Left.Of != 32 || r.Left.Right > r.Claimed.Right || r.Clean.Right < r.Claimed.Right || r.Left.Right > r.Clean.Right/2 {
			t.Errorf("%s", r)
		}
		if r.Defence != c.d.String() || r.Model != "smooth" || r.Published == "" || !strings.Contains(r.Knowing, "margin") {
			t.Errorf("%+v", r)
		}
	}
	if len(told) != 6 {
		t.Errorf("%d parts were told: %q", len(told), told)
	}
}

func TestStudyErrors(t *testing.T) {
	m := opened(3)
	x := answered(t, m, 4)
	s := Study{Ball: attack.Linf(.1)}
	for want, f := range map[string]func() error{
		"the defence is nil":  func() error { _, err := s.Of(ctx, nil, m, x); return err },
		"the model is nil":    func() error { _, err := s.Of(ctx, AsIs{}, nil, x); return err },
		"Class is nil":        func() error { _, err := s.Of(ctx, AsIs{}, m, interptest.Images(m, 2, 1)); return err },
		"has no radius":       func() error { _, err := Study{Ball: attack.Anywhere(attack.Norm2)}.Of(ctx, AsIs{}, m, x); return err },
		"a card has no L0":    func() error { _, err := Study{Ball: attack.L0(3)}.Of(ctx, AsIs{}, m, x); return err },
		"must be at least 0":  func() error { _, err := Study{Ball: s.Ball, Steps: -1}.Of(ctx, AsIs{}, m, x); return err },
		"BitDepth.Bits is 11": func() error { _, err := s.Of(ctx, BitDepth{Bits: 11}, m, x); return err },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// misled is a defence that is none, and whose Known points back.
type misled struct{ AsIs }

func (misled) Known(m *interp.Model) (*interp.Model, error) {
	return before(AsIs{}, m, func(x *graph.Node) *graph.Node {
		return graph.Sub(graph.MulScalar(graph.StopGradient(x), 2), x)
	})
}

// hidden is a defence that has no gradient.
type hidden struct{ AsIs }

func (hidden) Of(m *interp.Model) (*interp.Model, error) {
	return before(AsIs{}, m, graph.StopGradient)
}

// TestLawStudyCounts: clean is what the network gets right, claimed what the one attack leaves of it, and left what both leave, even where that
// which knows is the weaker one.
func TestLawStudyCounts(t *testing.T) {
	interptest.Unchecked()
	m := interptest.Smooth()
	x := answered(t, m, 24)
	quick := card.Card{Radii: []float64{.01}, Attacks: []attack.Attack{attack.FGSM{}}}
	for _, d := range []Defence{misled{}, hidden{}, BitDepth{Bits: 4}} {
		s := Study{Ball: attack.Linf(8. / 255), Steps: 5, Card: quick, Look: 4}
		r, err := s.Of(ctx, d, m, x)
		if err != nil {
			t.Fatal(err)
		}
		of, known := must[*interp.Model](t)(d.Of(m)), must[*interp.Model](t)(d.Known(m))
		stands := func(a attack.Attack) (all []bool) {
			for _, v := range must[attack.Result](t)(attack.Judge{Ball: s.Ball}.Try(ctx, of, a, x)).Verdicts {
				all = append(all, !v.Wrong && !v.Fooled)
			}
			return all
		}
		naive := attack.Attack(attack.Through{Attack: attack.PGD{Steps: 20}, Model: of})
		if b, ok := d.(Broken); ok {
			naive = b.Naive(m, of, s.Ball)
		}
		first := stands(naive)
		second := stands(attack.Through{Attack: attack.Ensemble{attack.PGD{Steps: 5}, attack.PGD{Steps: 5, Loss: attack.Margin}}, Model: known})
		claimed, left, clean := 0, 0, 0
		for i, top := range must[interp.Prediction](t)(of.Predict(ctx, x)).Top1() {
			if top == x.Class[i] {
				clean++
			}
			if first[i] {
				claimed++
			}
			if first[i] && second[i] {
				left++
			}
		}
		t.Log(r)
		if r.Clean != (card.Share{Right: clean, Of: 24}) || r.Claimed != (card.Share{Right: claimed, Of: 24}) || r.Left != (card.Share{Right: left, Of: 24}) {
			t.Errorf("%s, want %d, %d and %d", r, clean, claimed, left)
		}
		if _, ok := d.(misled); ok && claimed >= clean {
			t.Errorf("%d of %d are claimed, which shows nothing", claimed, clean)
		}
		if _, ok := d.(hidden); ok && left >= claimed {
			t.Errorf("%d of %d are left, which shows nothing", left, claimed)
		}
	}
}

// TestStudyInterrupted: what was measured before ctx ended is in the row.
func TestStudyInterrupted(t *testing.T) {
	m := interptest.Smooth()
	x := answered(t, m, 8)
	stopped, stop := context.WithCancel(ctx)
	parts := 0
	s := Study{Ball: attack.Linf(8. / 255), Steps: 5, Progress: func(string) {
		if parts++; parts == 2 {
			stop()
		}
	}}
	r, err := s.Of(stopped, AsIs{}, m, x)
	if !errors.Is(err, context.Canceled) || r.Clean != (card.Share{Right: 7, Of: 8}) || r.Claimed.Of != 8 || r.Left.Of != 0 || r.Naive == "" {
		t.Errorf("%+v, %v", r, err)
	}
}

// seen is an attack that remembers what it was given.
type seen struct{ classes *[]int }

func (seen) String() string { return "seen" }
func (a seen) Find(_ context.Context, t *attack.Task) error {
	*a.classes = append(*a.classes, t.Images.Class...)
	return nil
}

// TestStudyLooks: of images that are ordered by class the card is given some of each class.
func TestStudyLooks(t *testing.T) {
	m := must[*interp.Model](t)(interptest.Smooth().Wrapped(func(spec *interp.Spec) {
		spec.Weights = nil
		spec.Forward = func(_ *model.Scope, x *graph.Node) *graph.Node { // the class is the brightness in quarters
			mean := graph.MulScalar(graph.ReduceAndKeep(layer.Flatten(x), graph.ReduceMean, -1), 4)
			at := graph.AddScalar(graph.Iota(x.Graph(), shapes.Make(x.DType(), x.Shape().Dim(0), interptest.Classes), 1), .5)
			return graph.Neg(graph.Square(graph.Sub(at, graph.BroadcastToDims(mean, at.Shape().Dimensions...))))
		}
	}))
	x := interptest.Images(m, 40, 1)
	for i := range x.N {
		x.Class = append(x.Class, i/10)
		for p := range x.Of(i) {
			x.Of(i)[p] = (float64(i/10) + .5) / 4
		}
	}
	var got []int
	c := card.Card{Radii: []float64{.01}, Attacks: []attack.Attack{seen{&got}}}
	if _, err := (Study{Ball: attack.Linf(.01), Steps: 1, Card: c, Look: 8}).Of(ctx, AsIs{}, m, x); err != nil {
		t.Fatal(err)
	}
	if want := []int{0, 0, 1, 1, 2, 2, 3, 3}; !slices.Equal(got, want) {
		t.Errorf("the card is given classes %v, want %v", got, want)
	}
}

// TestSqueezingFlag: attacks on a detector end in refusals, and that is its flag, though some images are refused as they are. That it asks its
// network three times is none.
func TestSqueezingFlag(t *testing.T) {
	interptest.Unchecked()
	m := interptest.Smooth()
	x := answered(t, m, 32)
	d := must[Squeezing](t)(Squeezing{}.Fit(ctx, m, x, .1))
	c := card.Card{Radii: []float64{24. / 255}, Attacks: []attack.Attack{attack.FGSM{}, attack.PGD{Steps: 10}}}
	r, err := Study{Ball: attack.Linf(24. / 255), Steps: 20, Card: c}.Of(ctx, d, m, x)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r, r.Flags)
	if len(r.Flags) != 1 || r.Flags[0].Kind != card.Refuses {
		t.Errorf("flags %q, want %q", r.Words(), card.Refuses)
	}
}
