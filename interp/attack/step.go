package attack

import (
	"context"
	"fmt"
	"math"
)

// GradientStep is one step along the gradient of the loss, as long as the ball allows: the raw direction, of which FGSM takes
// the sign.
type GradientStep struct {
	Loss Loss
}

// String returns the attack's name with its parameters.
func (a GradientStep) String() string { return fmt.Sprintf("gradient step(%s)", a.Loss) }

// Find implements Attack.
func (a GradientStep) Find(ctx context.Context, t *Task) error {
	return step(ctx, t, a.Loss, func(g float64) float64 { return g })
}

// FGSM is the fast gradient sign method of Goodfellow, Shlens and Szegedy, arXiv:1412.6572, section 4: one step along the
// sign of the loss's gradient. In another norm than L∞ the step is as long as the ball allows.
type FGSM struct {
	Loss Loss
}

// String returns the attack's name with its parameters.
func (a FGSM) String() string { return fmt.Sprintf("FGSM(%s)", a.Loss) }

// Find implements Attack.
func (a FGSM) Find(ctx context.Context, t *Task) error { return step(ctx, t, a.Loss, sign) }

// sign is 0 at 0: a number that the loss does not depend on stays.
func sign(g float64) float64 {
	if g == 0 {
		return 0
	}
	return math.Copysign(1, g)
}

// step moves each image along what of makes of its gradient, to the ball's surface.
func step(ctx context.Context, t *Task, l Loss, of func(g float64) float64) error {
	if err := t.bounded(); err != nil {
		return err
	}
	o, err := t.Objective(l)
	if err != nil {
		return err
	}
	p := t.Points()
	r, err := t.Gradient(ctx, p, o)
	if err != nil {
		return err
	}
	each(p, func(k int, y []float64) {
		d := r.Gradient.Of(k)
		for i, g := range d {
			d[i] = of(g)
		}
		t.Ball.reach(d)
		add(y, d, 1)
	})
	_, err = t.Offer(ctx, p)
	return err
}

// add adds c·d to y.
func add(y, d []float64, c float64) {
	for i, v := range d {
		y[i] += c * v
	}
}

// Noise is the control: random images of the ball's surface, in L∞ of random signs, which a network should not mind.
type Noise struct {
	Tries int // 0 is 1
}

// String returns the attack's name with its parameters.
func (a Noise) String() string { return fmt.Sprintf("noise(tries=%d)", max(a.Tries, 1)) }

// Find implements Attack.
func (a Noise) Find(ctx context.Context, t *Task) error {
	if err := t.bounded(); err != nil {
		return err
	}
	if a.Tries < 0 {
		return fmt.Errorf("attack: Noise: Tries is %d, must be at least 0", a.Tries)
	}
	p := t.Points()
	for try := range max(a.Tries, 1) {
		each(p, func(k int, y []float64) {
			copy(y, t.Original(p, k))
			t.Ball.surface(t.Random(p.Rows[k], try), y, t.Images.C)
		})
		met, err := t.Offer(ctx, p)
		if err != nil {
			return err
		}
		p = p.Pick(refused(met))
		t.Step(try+1, max(a.Tries, 1))
	}
	return nil
}

// refused returns the points that the judge did not accept.
func refused(met []bool) (rows []int) {
	for k, m := range met {
		if !m {
			rows = append(rows, k)
		}
	}
	return rows
}
