package attack

import (
	"cmp"
	"context"
	"fmt"
)

// PGD is projected gradient descent, Madry et al., arXiv:1706.06083, section 2.1 and appendix: from a random image of the
// ball, steps along the steepest ascent of the loss in the ball's norm, each followed by a projection into the ball.
//
// In L∞ a step is the gradient's sign, in L2 the gradient at length 1. In L1 it is the sign of the 1 % largest numbers of
// the gradient (Tramèr and Boneh, arXiv:1904.13000, section 2), and in L0 the gradient, whose largest number becomes 1, as
// many pixels of which stay as the ball allows (Croce and Hein, arXiv:1909.05040).
type PGD struct {
	Steps int     // 0 is 40
	Rate  float64 // length of a step as a share of the radius, in L0 of the range of pixels; 0 is 2.5/Steps
	Loss  Loss

	// Full is whether all steps are made at images that fall before the last: the result is farther inside the other class,
	// and fools more of other networks.
	Full bool
}

func (a PGD) ascent() ascent {
	steps := cmp.Or(a.Steps, 40)
	return ascent{steps: steps, rate: cmp.Or(a.Rate, 2.5/float64(steps)), loss: a.Loss, full: a.Full, random: true}
}

// String returns the attack's name with its parameters.
func (a PGD) String() string { return "PGD(" + a.ascent().String() + ")" }

// Find implements Attack.
func (a PGD) Find(ctx context.Context, t *Task) error { return a.ascent().find(ctx, t) }

// BIM is the basic iterative method of Kurakin, Goodfellow and Bengio, arXiv:1607.02533, section 2.2: the steps of PGD from
// the image itself. The paper's number of steps depends on the radius; here it is a parameter, and the steps together are as
// long as the radius unless Rate says otherwise.
type BIM struct {
	Steps int     // 0 is 10
	Rate  float64 // as in PGD; 0 is 1/Steps
	Loss  Loss
	Full  bool // as in PGD
}

func (a BIM) ascent() ascent {
	steps := cmp.Or(a.Steps, 10)
	return ascent{steps: steps, rate: cmp.Or(a.Rate, 1/float64(steps)), loss: a.Loss, full: a.Full}
}

// String returns the attack's name with its parameters.
func (a BIM) String() string { return "BIM(" + a.ascent().String() + ")" }

// Find implements Attack.
func (a BIM) Find(ctx context.Context, t *Task) error { return a.ascent().find(ctx, t) }

// MIFGSM is the momentum iterative method of Dong et al., arXiv:1710.06081, section 3.1: BIM along a sum of all gradients so
// far, each divided by its L1 norm, of which the old ones fade by a factor a step.
type MIFGSM struct {
	Steps  int     // 0 is 10
	Rate   float64 // as in PGD; 0 is 1/Steps
	Decay  float64 // what is left of the old sum; 0 is 1
	Loss   Loss
	Full   bool   // as in PGD
	Smooth Smooth // the zero value, as published, does not smooth the gradient
}

func (a MIFGSM) ascent() ascent {
	s := BIM{a.Steps, a.Rate, a.Loss, a.Full}.ascent()
	s.momentum, s.smooth = cmp.Or(a.Decay, 1), a.Smooth
	return s
}

// String returns the attack's name with its parameters.
func (a MIFGSM) String() string { return "MI-FGSM(" + a.ascent().String() + ")" }

// Find implements Attack.
func (a MIFGSM) Find(ctx context.Context, t *Task) error { return a.ascent().find(ctx, t) }

// ascent is what the attacks of this file have in common.
type ascent struct {
	steps    int
	rate     float64
	loss     Loss
	momentum float64
	full     bool
	random   bool
	smooth   Smooth
}

// String names the parameters.
func (a ascent) String() string {
	s := fmt.Sprintf("steps=%d, rate=%.4g, %s", a.steps, a.rate, a.loss)
	if a.momentum != 0 {
		s += fmt.Sprintf(", decay=%g", a.momentum)
	}
	if a.full {
		s += ", full"
	}
	if a.smooth != (Smooth{}) {
		s += ", " + a.smooth.String()
	}
	return s
}

func (a ascent) check(t *Task) error {
	switch {
	case a.steps < 1:
		return fmt.Errorf("attack: %s: Steps is %d, must be at least 1", t.attack, a.steps)
	case !(a.rate > 0):
		return fmt.Errorf("attack: %s: Rate is %g, must be more than 0", t.attack, a.rate)
	case !(a.momentum >= 0):
		return fmt.Errorf("attack: %s: Decay is %g, must be at least 0", t.attack, a.momentum)
	}
	return cmp.Or(a.smooth.check(t), t.bounded())
}

func (a ascent) find(ctx context.Context, t *Task) error {
	if err := a.check(t); err != nil {
		return err
	}
	o, err := t.Objective(a.loss)
	if err != nil {
		return err
	}
	p := t.Points()
	if a.random {
		each(p, func(k int, y []float64) {
			t.Ball.draw(t.Random(p.Rows[k], 0), t.Original(p, k), y, t.Images.C)
		})
	}
	if t.Ball.norm == NormInf && a.momentum == 0 && a.smooth == (Smooth{}) {
		return a.signs(ctx, t, p, o)
	}
	sum := Points{p.Rows, make([]float64, len(p.Pix))}
	for step := range a.steps {
		r, err := a.smooth.gradient(ctx, t, p, o, step)
		if err != nil {
			return err
		}
		if !a.full && (step > 0 || a.random) {
			left, err := t.Settle(ctx, p, r.Logits)
			if err != nil {
				return err
			}
			if len(left) < len(p.Rows) {
				p, sum, r.Gradient = p.Pick(left), sum.Pick(left), r.Gradient.Pick(left)
			}
		}
		if len(p.Rows) == 0 {
			return nil
		}
		each(p, func(k int, y []float64) {
			d := r.Gradient.Of(k)
			if a.momentum != 0 {
				d = gathered(sum.Of(k), d, a.momentum)
			}
			a.move(t, p.Rows[k], y, d)
		})
		t.Step(step+1, a.steps)
	}
	_, err = t.Offer(ctx, p)
	return err
}

// move moves a point of image i by a step along d, which it changes, and back into the ball.
func (a ascent) move(t *Task, i int, y, d []float64) {
	t.Ball.steepest(d)
	add(y, d, a.rate*t.Ball.unit())
	t.Ball.Project(t.Images.Of(i), y, t.Images.C)
}

// gathered adds a gradient, divided by its L1 norm, to the sum of the old ones, and returns a copy of the sum.
func gathered(sum, gradient []float64, decay float64) []float64 {
	unit1(gradient)
	for i, g := range gradient {
		sum[i] = decay*sum[i] + g
		gradient[i] = sum[i]
	}
	return gradient
}
