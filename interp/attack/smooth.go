package attack

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
)

// SmoothStep is FGSM with the gradient's mean over noisy copies of each image: Wu et al., arXiv:1802.09707, in
// one step. The gradient of a network that has seen few images has noise of its own, and the mean is what it shares
// with other networks.
type SmoothStep struct {
	Copies int     // 0: 20, their number
	Noise  float64 // its standard deviation, in radii of the ball; 0: 1
}

// String returns the attack's name with its parameters.
func (a SmoothStep) String() string {
	a = a.defaults()
	return fmt.Sprintf("smooth step(copies=%d, noise=%.3g radii)", a.Copies, a.Noise)
}

func (a SmoothStep) defaults() SmoothStep {
	return SmoothStep{cmp.Or(a.Copies, 20), cmp.Or(a.Noise, 1)}
}

// Find implements Attack.
func (a SmoothStep) Find(ctx context.Context, t *Task) error {
	a = a.defaults()
	switch {
	case t.Ball.norm != NormInf:
		return fmt.Errorf("attack: %s: the ball is in %s, must be in L∞", t.attack, t.Ball.norm)
	case a.Copies < 1:
		return fmt.Errorf("attack: %s: Copies is %d, must be at least 1", t.attack, a.Copies)
	case !(a.Noise >= 0) || math.IsInf(a.Noise, 1):
		return fmt.Errorf("attack: %s: Noise is %g, must be a number of at least 0", t.attack, a.Noise)
	}
	if err := t.bounded(); err != nil {
		return err
	}
	radius := t.Ball.radius
	o, err := t.Objective(CrossEntropy)
	if err != nil {
		return err
	}
	p := t.Points()
	sum := make([]float64, len(p.Pix))
	for k := range a.Copies {
		q := Points{Rows: p.Rows, Pix: slices.Clone(p.Pix)}
		each(q, func(row int, y []float64) {
			noise := make([]float64, len(y))
			t.Random(q.Rows[row], k).Normals(noise)
			add(y, noise, a.Noise*radius)
			box(y)
		})
		r, err := t.Gradient(ctx, q, o)
		if err != nil {
			return err
		}
		add(sum, r.Gradient.Pix, 1)
		t.Step(k+1, a.Copies)
	}
	for i, g := range sum {
		p.Pix[i] += radius * sign(g)
	}
	_, err = t.Offer(ctx, p)
	return err
}
