package attack

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"lucigo/interp"
)

// APGD is the Auto-PGD of Croce and Hein, arXiv:2003.01690, section 3: projected gradient ascent with momentum, whose step
// halves, and which goes back to its best image, where it makes no progress. It has no step size to set.
//
// In L∞ and L2 it is the paper's. In L1 it is the one of arXiv:2103.01208, section 3, whose steps move the largest numbers of
// the gradient, and fewer of them the sparser the best image is. It has no L0.
type APGD struct {
	Steps int // 0 is 100
	Loss  Loss

	// Targets is how many other classes it heads for where any will do, one after the other, the one with the largest logit
	// first; 0 climbs the loss of the goal. The published APGD-T has 9, and the loss DLR, which needs 4 classes: a network of
	// fewer is attacked by its margin.
	Targets int
}

// String returns the attack's name with its parameters.
func (a APGD) String() string {
	s := fmt.Sprintf("APGD(steps=%d, %s", cmp.Or(a.Steps, 100), a.Loss)
	if a.Targets > 0 {
		s += fmt.Sprintf(", targets=%d", a.Targets)
	}
	return s + ")"
}

// Find implements Attack.
func (a APGD) Find(ctx context.Context, t *Task) error {
	a.Steps = cmp.Or(a.Steps, 100)
	switch {
	case a.Steps < 1:
		return fmt.Errorf("attack: %s: Steps is %d, must be at least 1", t.attack, a.Steps)
	case a.Targets < 0:
		return fmt.Errorf("attack: %s: Targets is %d, must be at least 0", t.attack, a.Targets)
	case t.Ball.norm == Norm0:
		return fmt.Errorf("attack: %s has no L0 ball: take PGD or JSMA", t.attack)
	}
	if err := t.bounded(); err != nil {
		return err
	}
	if a.Targets == 0 || t.Targeted() {
		o, err := t.Objective(a.Loss)
		if err != nil {
			return err
		}
		return a.climb(ctx, t, t.Points(), o)
	}
	logits, err := t.Logits(ctx, t.Points())
	if err != nil {
		return err
	}
	rivals := t.rivals(logits, min(a.Targets, logits.Shape[0]-1))
	for k := range rivals[0] {
		target := make([]int, len(rivals))
		for i := range target {
			target[i] = rivals[i][k]
		}
		loss := a.Loss
		if loss == DLR && logits.Shape[0] < 4 {
			loss = Margin
		}
		o, err := t.toward(loss, target)
		if err != nil {
			return err
		}
		if err := a.climb(ctx, t, t.Points().Pick(t.standing()), o); err != nil {
			return err
		}
	}
	return nil
}

// standing returns the images for which nothing was accepted yet.
func (t *Task) standing() (images []int) {
	for i := range t.Images.N {
		if !t.row(i).met {
			images = append(images, i)
		}
	}
	return images
}

// climber is what APGD knows of one image.
type climber struct {
	before    []float64 // the image before the last step; nil before the first
	best      []float64 // of the highest loss
	slope     []float64 // the gradient there
	score     float64   // the loss there
	last      float64   // the loss at the last step
	rate      float64   // length of a step
	better    int       // steps since the last checkpoint that raised the loss
	halved    bool      // at the last checkpoint
	reference float64   // score at the last checkpoint
	sparsity  float64   // L1: the share of the numbers that a step moves
}

func (a APGD) climb(ctx context.Context, t *Task, p Points, o interp.Objective) error {
	b := t.Ball
	each(p, func(k int, y []float64) { b.draw(t.Random(p.Rows[k], 0), t.Original(p, k), y, t.Images.C) })
	all := make([]*climber, t.Images.N)
	checkpoints := a.checkpoints(b)
	for step := range a.Steps {
		r, err := t.Gradient(ctx, p, o)
		if err != nil {
			return err
		}
		left, err := t.Settle(ctx, p, r.Logits)
		if err != nil {
			return err
		}
		check := 0 // the length of the interval that ends here
		if i := slices.Index(checkpoints, step); i > 0 {
			check = step - checkpoints[i-1]
		}
		score := make([]float64, len(left))
		for n, k := range left {
			score[n] = r.Score[k]
		}
		if p, r.Gradient = p.Pick(left), r.Gradient.Pick(left); len(left) == 0 {
			return nil
		}
		each(p, func(k int, y []float64) {
			x, c := t.Original(p, k), all[p.Rows[k]]
			if c == nil {
				c = &climber{score: math.Inf(-1), last: math.Inf(1), reference: math.Inf(-1), rate: 2 * b.radius, sparsity: .2}
				if b.norm == Norm1 {
					c.rate = b.radius
				}
				all[p.Rows[k]] = c
			}
			slope := r.Gradient.Of(k)
			c.see(y, slope, score[k])
			if check > 0 && c.back(x, check, b) {
				copy(y, c.best)
				copy(slope, c.slope)
				c.before = slices.Clone(c.best)
			}
			c.move(x, y, slope, b, t.Images.C)
		})
		t.Step(step+1, a.Steps)
	}
	_, err := t.Offer(ctx, p)
	return err
}

// checkpoints returns the steps at which progress is looked at, from 0 on: in L∞ and L2 after 22 % of the steps, then after
// intervals that are each 3 % of the steps shorter, down to 6 %; in L1 after each 4 %.
func (a APGD) checkpoints(b Ball) []int {
	n := float64(a.Steps)
	interval, less, least := max(int(.22*n), 1), max(int(.03*n), 1), max(int(.06*n), 1)
	if b.norm == Norm1 {
		interval, less = max(int(.04*n), 1), 0
		least = interval
	}
	at := []int{0}
	for at[len(at)-1] < a.Steps {
		at = append(at, at[len(at)-1]+interval)
		interval = max(interval-less, least)
	}
	return at
}

// see takes note of the loss and its gradient at y.
func (c *climber) see(y, slope []float64, score float64) {
	if score > c.last {
		c.better++
	}
	c.last = score
	if score > c.score {
		c.score, c.best, c.slope = score, slices.Clone(y), slices.Clone(slope)
	}
}

// back is the checkpoint at the end of an interval, and reports whether to go back to the best image. In L∞ and L2 that is
// where fewer than 75 % of the interval's steps raised the loss, or where step and best loss are those of the last checkpoint:
// the step is then halved.
func (c *climber) back(x []float64, interval int, b Ball) bool {
	if b.norm == Norm1 {
		return c.sparser(x, b)
	}
	halve := float64(c.better) < .75*float64(interval) || !c.halved && c.score <= c.reference
	if c.better, c.reference, c.halved = 0, c.score, halve; halve {
		c.rate /= 2
	}
	return halve
}

// sparser sets how many numbers a step moves to 1/1.5 of those by which the best image differs from x. Where that is hardly
// fewer than before, the step shrinks, down to a tenth of the radius; else it is the radius again, from the best image.
func (c *climber) sparser(x []float64, b Ball) bool {
	share := max(Norm0.Distance(x, c.best, 1)/1.5, 1) / float64(len(x))
	sparser := share/c.sparsity < .95
	if c.sparsity = share; sparser {
		c.rate = b.radius
	} else {
		c.rate = max(c.rate/1.5, b.radius/10)
	}
	return sparser
}

// move makes a step from y along the slope; a quarter of the step before is kept as momentum.
func (c *climber) move(x, y, slope []float64, b Ball, channels int) {
	from := slices.Clone(y)
	if b.norm == Norm1 {
		sparse(slope, max(1, int(c.sparsity*float64(len(slope)))))
	} else {
		b.steepest(slope)
	}
	add(y, slope, c.rate)
	b.Project(x, y, channels)
	if c.before != nil && b.norm != Norm1 {
		for i, v := range from {
			y[i] = v + .75*(y[i]-v) + .25*(v-c.before[i])
		}
		b.Project(x, y, channels)
	}
	c.before = from
}
