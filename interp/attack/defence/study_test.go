package defence

import (
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/attack"
	"lucigo/interp/attack/card"
	"lucigo/interp/interptest"
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
		"must be at least 0":  func() error { _, err := Study{Ball: s.Ball, Steps: -1}.Of(ctx, AsIs{}, m, x); return err },
		"BitDepth.Bits is 11": func() error { _, err := s.Of(ctx, BitDepth{Bits: 11}, m, x); return err },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
