package attack

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"lucigo/interp/descent"
)

// CarliniWagner is the L2 attack of Carlini and Wagner, arXiv:1608.04644, section V.A and VI.A: it minimises
// ‖x′−x‖² + c·max(κ − lead, 0) by Adam over w, of which x′ = (tanh w + 1)/2 is the image and never leaves [0, 1]; lead is by
// how much the goal is met (Task.Lead). A search finds c for each image. Of all images on the way that meet the goal with lead
// κ, the nearest counts, in the norm of the judge's ball. Numbers of 0 and 1 move slowly at first: images of little else, as
// in MNIST, need some 1000 steps.
//
// Every tenth of the steps, but no sooner than after 100 more, an image whose sum has not become .01 % smaller is left until
// the next c. The authors' program and others look at the sum of a whole batch; a single image's swings for some 50 steps.
type CarliniWagner struct {
	Searches   int     // how many values of c are tried; 0 is 9
	Steps      int     // of Adam for each c; 0 is 10000
	Rate       float64 // Adam's; 0 is .01
	Weight     float64 // the first c; 0 is .001
	Confidence float64 // κ
}

func (a CarliniWagner) defaults() CarliniWagner {
	return CarliniWagner{cmp.Or(a.Searches, 9), cmp.Or(a.Steps, 10000), cmp.Or(a.Rate, .01), cmp.Or(a.Weight, .001), a.Confidence}
}

// String returns the attack's name with its parameters.
func (a CarliniWagner) String() string {
	a = a.defaults()
	return fmt.Sprintf("C&W(searches=%d, steps=%d, rate=%g, weight=%g, confidence=%g)", a.Searches, a.Steps, a.Rate, a.Weight, a.Confidence)
}

// Find implements Attack.
func (a CarliniWagner) Find(ctx context.Context, t *Task) error {
	a = a.defaults()
	switch {
	case a.Searches < 1 || a.Steps < 1:
		return fmt.Errorf("attack: %s: Searches is %d and Steps is %d, must be at least 1", t.attack, a.Searches, a.Steps)
	case !(a.Rate > 0) || !(a.Weight > 0):
		return fmt.Errorf("attack: %s: Rate is %g and Weight is %g, must be more than 0", t.attack, a.Rate, a.Weight)
	case !(a.Confidence >= 0):
		return fmt.Errorf("attack: %s: Confidence is %g, must be at least 0", t.attack, a.Confidence)
	}
	best, c := t.nearest(), newWeights(t.Images.N, a.Weight)
	for search := range a.Searches {
		rows := best.rest()
		if len(rows) == 0 {
			return nil
		}
		met, err := a.descend(ctx, t, t.Points().Pick(rows), c.now, best, search)
		if err != nil {
			return err
		}
		for _, i := range rows {
			c.next(i, met[i])
		}
	}
	return best.offer(ctx, true)
}

// descend minimises the sum of distance and loss for all points, and returns for which images the goal was met on the way.
func (a CarliniWagner) descend(ctx context.Context, t *Task, p Points, c []float64, best *nearest, search int) ([]bool, error) {
	o, err := t.Objective(Margin)
	if err != nil {
		return nil, err
	}
	met := make([]bool, t.Images.N)
	before := slices.Repeat([]float64{math.Inf(1)}, t.Images.N)
	w, first, second := like(p), like(p), like(p)
	image := func(w float64) float64 { return 1 / (1 + math.Exp(-2*w)) } // (tanh w + 1)/2
	each(p, func(k int, x []float64) {
		for i, v := range x {
			w.Of(k)[i] = math.Atanh(.999999 * (2*v - 1)) // finite where a pixel is 0 or 1
			x[i] = image(w.Of(k)[i])
		}
	})
	for step := range a.Steps {
		r, err := t.Gradient(ctx, p, o)
		if err != nil {
			return nil, err
		}
		for k, ok := range best.see(p, r.Logits, a.Confidence) {
			met[p.Rows[k]] = met[p.Rows[k]] || ok
		}
		rate := descent.Adam{}.Rate(a.Rate, step)
		sums := make([]float64, len(p.Rows))
		each(p, func(k int, x []float64) {
			weight, lead := c[p.Rows[k]], r.Score[k]
			sum := weight * max(a.Confidence-lead, 0)
			if lead > a.Confidence {
				weight = 0
			}
			from, gain := t.Original(p, k)[:len(x)], r.Gradient.Of(k)[:len(x)]
			w, m, s := w.Of(k)[:len(x)], first.Of(k)[:len(x)], second.Of(k)[:len(x)]
			for i, v := range x {
				d := v - from[i]
				sum += d * d
				g := (2*d - weight*gain[i]) * 2 * v * (1 - v)
				m[i] += .1 * (g - m[i])
				s[i] += .001 * (g*g - s[i])
				w[i] -= rate * m[i] / (math.Sqrt(s[i]) + 1e-8)
				x[i] = image(w[i])
			}
			sums[k] = sum
		})
		tenth := max(a.Steps/10, 1)
		if (step+1)%tenth != 0 {
			continue
		}
		if err := best.offer(ctx, false); err != nil {
			return nil, err
		}
		t.Step(search*a.Steps+step+1, a.Searches*a.Steps)
		var on []int
		for k, i := range p.Rows {
			gains := true
			if (step+1)%max(tenth, 100) == 0 {
				gains, before[i] = sums[k] <= .9999*before[i], sums[k]
			}
			if gains && !best.settled(i) {
				on = append(on, k)
			}
		}
		if len(on) == 0 {
			break
		}
		if len(on) < len(p.Rows) {
			p, w, first, second = p.Pick(on), w.Pick(on), first.Pick(on), second.Pick(on)
		}
	}
	return met, best.offer(ctx, false)
}

// like returns zeros for the rows of p.
func like(p Points) Points { return Points{p.Rows, make([]float64, len(p.Pix))} }
