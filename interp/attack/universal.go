package attack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"lucigo/interp"
)

// Universal looks for one perturbation that changes what a network says of most images: Moosavi-Dezfooli et al.,
// arXiv:1610.08401, algorithm 1. For one image after the other that the perturbation does not change the answer for, DeepFool's
// step to the boundary is added to it, and the sum is projected into the ball.
//
// It is no Attack, as it is for no image of its own: Fit finds the perturbation on images, and the judge tries it, as the attack
// Added, on others.
type Universal struct {
	Rounds   int      // through all images, at most; 0 is 10, where the paper has no limit
	Share    float64  // ends as soon as so large a part of the images is fooled; 0 is .8
	DeepFool DeepFool // zero is DeepFool of at most 10 steps, as in the authors' program
}

// Fit returns a perturbation in the ball, which is bounded and in L2 or L∞: a number for each of an image, row by row. Classes of
// the images do not matter: what counts is what the network says of them as they are. Progress, if it is not nil, is told the part
// that is fooled after each round.
func (u Universal) Fit(ctx context.Context, m *interp.Model, b Ball, x interp.Images, progress func(round int, fooled float64)) (
	[]float64, error,
) {
	rounds, share := cmp.Or(u.Rounds, 10), cmp.Or(u.Share, .8)
	switch {
	case rounds < 1:
		return nil, fmt.Errorf("attack: Universal: Rounds is %d, must be at least 1", rounds)
	case !(share > 0 && share <= 1):
		return nil, fmt.Errorf("attack: Universal: Share is %g, must be in (0, 1]", share)
	case b.norm != 0 && !b.Bounded():
		return nil, errors.New("attack: Universal: the ball has no radius, must have one: without it, a perturbation is any image")
	}
	if u.DeepFool.Steps == 0 {
		u.DeepFool.Steps = 10
	}
	x.Class = nil
	t, _, err := Judge{Ball: b}.task(ctx, m, x)
	if err != nil {
		return nil, err
	}
	t.attack = "Universal"
	v := make([]float64, x.Size())
	for round := range rounds {
		for i := range t.Images.N {
			one := added(Points{[]int{i}, slices.Clone(t.Images.Of(i))}, v)
			logits, err := t.Logits(ctx, one)
			if err != nil {
				return nil, err
			}
			if t.Lead(i, logits.Data) > 0 {
				continue
			}
			last := slices.Clone(one.Pix)
			_, err = u.DeepFool.walk(ctx, t, one, func(p Points, logits interp.Rows) ([]int, error) {
				if t.Lead(i, logits.Data) > 0 {
					for k, moved := range p.Pix {
						v[k] += moved - last[k]
					}
					return nil, nil
				}
				return []int{0}, nil
			})
			if err != nil {
				return nil, err
			}
			b.within(v)
		}
		logits, err := t.Logits(ctx, added(t.Points(), v))
		if err != nil {
			return nil, err
		}
		fooled := 0.0
		for i := range t.Images.N {
			if t.Lead(i, logits.Of(i)) > 0 {
				fooled += 1 / float64(t.Images.N)
			}
		}
		if progress != nil {
			progress(round+1, fooled)
		}
		if fooled >= share {
			break
		}
	}
	return v, nil
}

// within moves a perturbation into the ball.
func (b Ball) within(v []float64) {
	if b.norm == NormInf {
		for i, d := range v {
			v[i] = min(max(d, -b.radius), b.radius)
		}
	} else if Norm2.Distance(make([]float64, len(v)), v, 1) > b.radius {
		b.reach(v)
	}
}

// added returns points with v added to them, within [0, 1].
func added(p Points, v []float64) Points {
	each(p, func(_ int, x []float64) {
		add(x, v, 1)
		box(x)
	})
	return p
}

// Added is the attack that adds one perturbation to all images: one that Universal has found.
type Added struct {
	Perturbation []float64 // a number for each of an image, row by row
}

// String returns the attack's name.
func (a Added) String() string {
	return fmt.Sprintf("one perturbation of %d numbers", len(a.Perturbation))
}

// Find implements Attack.
func (a Added) Find(ctx context.Context, t *Task) error {
	if len(a.Perturbation) != t.Images.Size() {
		return fmt.Errorf("attack: Added: Perturbation has %d numbers, must have %d as the images have", len(a.Perturbation), t.Images.Size())
	}
	_, err := t.Offer(ctx, added(t.Points(), a.Perturbation))
	return err
}
