package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"lucigo/interp/attack"
)

// SmoothStep is attack.FGSM with the gradient's mean over noisy copies of each image: Wu et al., arXiv:1802.09707, in
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

// Find implements attack.Attack.
func (a SmoothStep) Find(ctx context.Context, t *attack.Task) error {
	a = a.defaults()
	radius := t.Ball.Radius()
	switch {
	case t.Ball.Norm() != attack.NormInf || !t.Ball.Bounded():
		return errors.New("api: SmoothStep: Judge.Ball must be an L∞ ball with a radius")
	case a.Copies < 1 || !(a.Noise >= 0) || math.IsInf(a.Noise, 1):
		return fmt.Errorf("api: SmoothStep: Copies is %d and Noise is %g, must be at least 1 and a number of at least 0", a.Copies,
			a.Noise)
	}
	o, err := t.Objective(0) // cross-entropy
	if err != nil {
		return err
	}
	p := t.Points()
	sum, noise := make([]float64, len(p.Pix)), make([]float64, t.Images.Size())
	for k := range a.Copies {
		q := attack.Points{Rows: p.Rows, Pix: slices.Clone(p.Pix)}
		for row, image := range q.Rows {
			t.Random(image, k).Normals(noise)
			for i, y := range q.Of(row) {
				q.Of(row)[i] = min(max(y+a.Noise*radius*noise[i], 0), 1)
			}
		}
		r, err := t.Gradient(ctx, q, o)
		if err != nil {
			return err
		}
		for i, g := range r.Gradient.Pix {
			sum[i] += g
		}
		t.Step(k+1, a.Copies)
	}
	for i, g := range sum {
		if g != 0 {
			p.Pix[i] += math.Copysign(radius, g)
		}
	}
	_, err = t.Offer(ctx, p)
	return err
}
