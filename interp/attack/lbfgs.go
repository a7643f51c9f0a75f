package attack

import (
	"cmp"
	"context"
	"fmt"

	"lucigo/internal/parallel"
	"lucigo/interp/lbfgsb"
)

// LBFGS is the first attack that was published, Szegedy et al., arXiv:1312.6199, section 4.1: it minimises the distance and
// the loss together, c·loss(x′) + ‖x′−x‖², over the images x′ of [0, 1], by L-BFGS with bounds, and searches for the least c
// with which the network is fooled. The loss is the target's cross-entropy or, without one, minus that of the true class; Margin
// finds nearer images where more than two classes are near. Where the ball is a bounded one in L∞, so are the bounds.
//
// The paper has ‖x′−x‖ without a square, whose derivative does not exist at x, and the weight beside it. Of all images that
// were looked at and meet the goal, the nearest counts, in the norm of the judge's ball.
type LBFGS struct {
	Searches int     // how many values of c are tried; 0 is 9
	Steps    int     // of L-BFGS for each c, at most; 0 is 150
	Weight   float64 // the first c; 0 is .01
	Loss     Loss
}

func (a LBFGS) defaults() LBFGS {
	return LBFGS{cmp.Or(a.Searches, 9), cmp.Or(a.Steps, 150), cmp.Or(a.Weight, .01), a.Loss}
}

// String returns the attack's name with its parameters.
func (a LBFGS) String() string {
	a = a.defaults()
	return fmt.Sprintf("L-BFGS(searches=%d, steps=%d, weight=%g, %s)", a.Searches, a.Steps, a.Weight, a.Loss)
}

// Find implements Attack.
func (a LBFGS) Find(ctx context.Context, t *Task) error {
	a = a.defaults()
	switch {
	case a.Searches < 1 || a.Steps < 1:
		return fmt.Errorf("attack: %s: Searches is %d and Steps is %d, must be at least 1", t.attack, a.Searches, a.Steps)
	case !(a.Weight > 0):
		return fmt.Errorf("attack: %s: Weight is %g, must be more than 0", t.attack, a.Weight)
	}
	best, c := t.nearest(), newWeights(t.Images.N, a.Weight)
	for search := range a.Searches {
		rows := best.rest()
		if len(rows) == 0 {
			return nil
		}
		met, err := a.minimise(ctx, t, rows, c.now, best, search)
		if err != nil {
			return err
		}
		for _, i := range rows {
			c.next(i, met[i])
		}
	}
	return best.offer(ctx, true)
}

// minimise runs the minimisers of all images side by side: each asks for the value at a point, and all are answered at once.
func (a LBFGS) minimise(ctx context.Context, t *Task, rows []int, c []float64, best *nearest, search int) ([]bool, error) {
	o, err := t.Objective(a.Loss)
	if err != nil {
		return nil, err
	}
	met := make([]bool, t.Images.N)
	searches := make([]*lbfgsb.Search, t.Images.N)
	for _, i := range rows {
		x := t.Images.Of(i)
		low, high := make([]float64, len(x)), make([]float64, len(x))
		for k, v := range x {
			low[k], high[k] = 0, 1
			if t.Ball.norm == NormInf {
				low[k], high[k] = max(0, v-t.Ball.radius), min(1, v+t.Ball.radius)
			}
		}
		// The network's values are in float32, so no finer stop makes sense.
		p := lbfgsb.Problem{Lower: low, Upper: high, Steps: a.Steps, Reduction: 1e-6}
		if searches[i], err = p.Start(x); err != nil {
			return nil, err
		}
	}
	for asked := 0; ; asked++ {
		t.Step(search*a.Steps+min(asked, a.Steps), a.Searches*a.Steps)
		var p Points
		for _, i := range rows {
			if x := searches[i].Ask(); x != nil {
				p.Rows, p.Pix = append(p.Rows, i), append(p.Pix, x...)
			}
		}
		if len(p.Rows) == 0 {
			return met, best.offer(ctx, false)
		}
		r, err := t.Gradient(ctx, p, o)
		if err != nil {
			return nil, err
		}
		for k, ok := range best.see(p, r.Logits, 0) {
			met[p.Rows[k]] = met[p.Rows[k]] || ok
		}
		err = parallel.Each(ctx, len(p.Rows), func(k int) error {
			i := p.Rows[k]
			value, slope := -c[i]*r.Score[k], r.Gradient.Of(k)
			for j, x := range p.Of(k) {
				d := x - t.Images.Of(i)[j]
				value += d * d
				slope[j] = 2*d - c[i]*slope[j]
			}
			return searches[i].Tell(value, slope)
		})
		if err != nil {
			return nil, err
		}
	}
}
