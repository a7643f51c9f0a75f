package attack_test

import (
	"math"
	"testing"

	"lucigo/interp/attack"
	"lucigo/interp/interptest"
)

// TestSquareLinear: of a linear network the best image of an L∞ ball is known, a corner, and squares of one pixel reach it.
func TestSquareLinear(t *testing.T) {
	m := interptest.Linear().Float64()
	x := interptest.Images(m, 40, 11)
	for i, v := range x.Pix {
		x.Pix[i] = .4 + .2*v
	}
	rows := interptest.Rows(m)
	p, err := m.Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	const radius = .2
	few := try(t, attack.Judge{Ball: attack.Linf(radius)}, m, attack.Square{Queries: 4}, x)
	many := try(t, attack.Judge{Ball: attack.Linf(radius)}, m, attack.Square{Queries: 600}, x)
	for i, v := range many.Verdicts {
		falls := false
		for c := range rows {
			lead := p.Logits.Of(i)[c] - p.Logits.Of(i)[v.Class]
			for k := range rows[c] {
				lead += radius * math.Abs(rows[c][k]-rows[v.Class][k])
			}
			falls = falls || c != v.Class && lead > 0
		}
		if v.Fooled != falls {
			t.Errorf("image %d: fooled is %v, and a corner of the ball does it: %v", i, v.Fooled, falls)
		}
	}
	if few.Left() <= many.Left() || many.Left() == 0 {
		t.Errorf("%g are left after 4 queries, %g after 600", few.Left(), many.Left())
	}
}

// TestSquareClimbs: in every norm it finds more than as many random images do, and no more than gradients.
func TestSquareClimbs(t *testing.T) {
	interptest.Unchecked()
	m := interptest.Smooth()
	x := interptest.Images(m, 24, 11)
	for _, b := range []attack.Ball{attack.Linf(.035), attack.L2(.6), attack.L1(6)} {
		j := attack.Judge{Ball: b}
		noise, square := try(t, j, m, attack.Noise{Tries: 150}, x), try(t, j, m, attack.Square{Queries: 150}, x)
		gradient := try(t, j, m, attack.PGD{Loss: attack.Margin}, x)
		if square.Left() > noise.Left()-.2 || square.Left() < gradient.Left()-.05 {
			t.Errorf("%s: %g are left, %g after noise, %g by the gradient", b, square.Left(), noise.Left(), gradient.Left())
		}
	}
}

// TestSquareQueries: no image costs more than its queries and what the judge asks.
func TestSquareQueries(t *testing.T) {
	m := interptest.Smooth()
	x := interptest.Images(m, 8, 3)
	r := try(t, attack.Judge{Ball: attack.Linf(.05)}, m, attack.Square{Queries: 50}, x)
	for i, v := range r.Verdicts {
		if v.Backward != 0 || v.Forward > 52 || !v.Fooled && v.Forward != 51 {
			t.Errorf("image %d cost %d passes forward and %d backward, fooled is %v", i, v.Forward, v.Backward, v.Fooled)
		}
		if v.Fooled && math.Abs(v.Linf-.05) > 1e-6 {
			t.Errorf("image %d is %g away, and squares reach the surface", i, v.Linf)
		}
	}
	if r.Fooled() == 0 || r.Left() == 0 {
		t.Errorf("%g are left: the test compares nothing", r.Left())
	}
}
