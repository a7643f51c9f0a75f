package attack

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"lucigo/interp"
)

// DeepFool is the attack of Moosavi-Dezfooli, Fawzi and Frossard, arXiv:1511.04599, algorithm 2 and section 3.3: it takes the
// logits for linear, steps onto the nearest boundary between the true class and another one, and does so again from there. The
// norm is that of the judge's ball, L2 or L∞. With a target, the boundary is the target's.
//
// As in the authors' program, each point is looked at with the overshoot, and a step is .0001 longer. Steps stay in [0, 1].
type DeepFool struct {
	Steps      int     // at most; 0 is 50
	Candidates int     // how many classes are looked at, the true one and those that are likeliest at first; 0 is 10
	Overshoot  float64 // by what part the sum of the steps is longer; 0 is .02
}

func (a DeepFool) defaults() DeepFool {
	return DeepFool{cmp.Or(a.Steps, 50), cmp.Or(a.Candidates, 10), cmp.Or(a.Overshoot, .02)}
}

// String returns the attack's name with its parameters.
func (a DeepFool) String() string {
	a = a.defaults()
	return fmt.Sprintf("DeepFool(steps=%d, candidates=%d, overshoot=%g)", a.Steps, a.Candidates, a.Overshoot)
}

// Find implements Attack.
func (a DeepFool) Find(ctx context.Context, t *Task) error {
	left, err := a.walk(ctx, t, t.Points(), func(p Points, logits interp.Rows) ([]int, error) { return t.Settle(ctx, p, logits) })
	if err != nil {
		return err
	}
	_, err = t.Offer(ctx, left)
	return err
}

// walk moves points, of which no two are of one image, until settle leaves none of them, and returns those that are left in
// the end.
func (a DeepFool) walk(ctx context.Context, t *Task, p Points, settle func(Points, interp.Rows) ([]int, error)) (Points, error) {
	a = a.defaults()
	switch {
	case a.Steps < 1:
		return p, fmt.Errorf("attack: %s: Steps is %d, must be at least 1", t.attack, a.Steps)
	case a.Candidates < 2:
		return p, fmt.Errorf("attack: %s: Candidates is %d, must be at least 2", t.attack, a.Candidates)
	case !(a.Overshoot >= 0):
		return p, fmt.Errorf("attack: %s: Overshoot is %g, must be at least 0", t.attack, a.Overshoot)
	case t.Ball.norm != Norm2 && t.Ball.norm != NormInf:
		return p, fmt.Errorf("attack: %s: the ball is in %s, must be in L2 or L∞: FAB looks in L1, JSMA in L0", t.attack, t.Ball.norm)
	}
	clean, err := t.Logits(ctx, t.Points())
	if err != nil {
		return p, err
	}
	rivals := t.rivals(clean, a.Candidates-1)
	start, total := Points{p.Rows, slices.Clone(p.Pix)}, Points{p.Rows, make([]float64, len(p.Pix))}
	for step := range a.Steps {
		planes, err := t.boundary(ctx, p, rivals)
		if err != nil {
			return p, err
		}
		each(p, func(k int, x []float64) {
			w, sum := planes[k].normal, total.Of(k)
			length := t.dual(w)
			if length == 0 { // flat: there is no way
				return
			}
			far := max(planes[k].gap, -planes[k].gap)/length + 1e-4
			for i, from := range start.Of(k) {
				if t.Ball.norm == NormInf {
					sum[i] += far * sign(w[i])
				} else {
					sum[i] += far * w[i] / length
				}
				x[i] = min(max(from+(1+a.Overshoot)*sum[i], 0), 1)
			}
		})
		logits, err := t.Logits(ctx, p)
		if err != nil {
			return p, err
		}
		left, err := settle(p, logits)
		if err != nil || len(left) == 0 {
			return Points{}, err
		}
		if len(left) < len(p.Rows) {
			p, start, total = p.Pick(left), start.Pick(left), total.Pick(left)
		}
		t.Step(step+1, a.Steps)
	}
	return p, nil
}
