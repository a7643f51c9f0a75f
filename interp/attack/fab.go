package attack

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
)

// FAB is the fast adaptive boundary attack of Croce and Hein, arXiv:1907.02044, algorithm 1: it takes the logits for linear, as
// DeepFool does, but projects onto the boundary inside [0, 1], keeps each step near the original by projecting that too, and
// goes back towards it whenever the goal is met. The norm is that of the judge's ball: L∞, L2 or L1.
//
// Targets is the version of AutoAttack, arXiv:2003.01690, section 4.2, for networks of many classes: instead of all classes at
// once, it takes the likeliest other ones in turn, each for all steps. Any other class than the true one counts. As in
// AutoAttack, there is no search on the line to the original at the end. At a restart the first point is random.
type FAB struct {
	Steps     int     // 0 is 100
	Targets   int     // how many other classes are taken in turn; 0 is all at once
	Overshoot float64 // η, of the steps; 0 is 1.05
	Pull      float64 // α, the largest part that the original has in a step; 0 is .1
	Back      float64 // β, where the next point is between the original and one that meets the goal; 0 is .9
}

func (a FAB) defaults() FAB {
	return FAB{cmp.Or(a.Steps, 100), a.Targets, cmp.Or(a.Overshoot, 1.05), cmp.Or(a.Pull, .1), cmp.Or(a.Back, .9)}
}

// String returns the attack's name with its parameters.
func (a FAB) String() string {
	a = a.defaults()
	return fmt.Sprintf("FAB(steps=%d, targets=%d, overshoot=%g, pull=%g, back=%g)", a.Steps, a.Targets, a.Overshoot, a.Pull, a.Back)
}

// Find implements Attack.
func (a FAB) Find(ctx context.Context, t *Task) error {
	a = a.defaults()
	switch {
	case a.Steps < 1 || a.Targets < 0:
		return fmt.Errorf("attack: %s: Steps is %d and Targets is %d, must be at least 1 and 0", t.attack, a.Steps, a.Targets)
	case !(a.Overshoot >= 1):
		return fmt.Errorf("attack: %s: Overshoot is %g, must be at least 1", t.attack, a.Overshoot)
	case !(a.Pull >= 0 && a.Pull <= 1) || !(a.Back >= 0 && a.Back <= 1):
		return fmt.Errorf("attack: %s: Pull is %g and Back is %g, must be in [0, 1]", t.attack, a.Pull, a.Back)
	case t.Ball.norm == Norm0:
		return fmt.Errorf("attack: %s: the ball is in L0, must be in L∞, L2 or L1: JSMA looks in L0", t.attack)
	}
	clean, err := t.Logits(ctx, t.Points())
	if err != nil {
		return err
	}
	best, rounds := t.nearest(), 1
	rivals := t.rivals(clean, clean.Shape[0]-1)
	if a.Targets > 0 {
		rounds = min(a.Targets, len(rivals[0]))
	}
	for round := range rounds {
		of := rivals
		if a.Targets > 0 {
			of = make([][]int, len(rivals))
			for i := range of {
				of[i] = rivals[i][round : round+1]
			}
		}
		if err := a.walk(ctx, t, of, best, round, rounds); err != nil {
			return err
		}
	}
	return best.offer(ctx, true)
}

func (a FAB) walk(ctx context.Context, t *Task, rivals [][]int, best *nearest, round, rounds int) error {
	p := t.Points().Pick(best.rest())
	if t.Restart > 0 {
		each(p, func(k int, x []float64) {
			i := p.Rows[k]
			// AutoAttack's radii where no ball and no success says how far.
			usual := map[Norm]float64{NormInf: .3, Norm2: 1, Norm1: 5}[t.Ball.norm]
			within := Ball{t.Ball.norm, t.Ball.radius / 2}
			if f := t.row(i); f.met {
				within.radius = min(t.Ball.radius, f.distance) / 2
			} else if !within.Bounded() {
				within.radius = usual / 2
			}
			within.draw(t.Random(i, round), t.Images.Of(i), x, t.Images.C)
		})
	}
	for step := range a.Steps {
		if len(p.Rows) == 0 {
			return nil
		}
		t.Step(round*a.Steps+step, rounds*a.Steps)
		planes, err := t.boundary(ctx, p, rivals)
		if err != nil {
			return err
		}
		each(p, func(k int, x []float64) { a.step(t.Ball.norm, t.Original(p, k), x, planes[k]) })
		logits, err := t.Logits(ctx, p)
		if err != nil {
			return err
		}
		met := best.see(p, logits, 0)
		each(p, func(k int, x []float64) {
			if met[k] {
				for i, from := range t.Original(p, k) {
					x[i] = from + a.Back*(x[i]-from)
				}
			}
		})
		if step%10 != 9 && step < a.Steps-1 && !t.Ball.Bounded() {
			continue
		}
		if err := best.offer(ctx, false); err != nil {
			return err
		}
		var on []int
		for k, i := range p.Rows {
			if !best.settled(i) {
				on = append(on, k)
			}
		}
		if len(on) < len(p.Rows) {
			p = p.Pick(on)
		}
	}
	return nil
}

// step moves x over the plane: between the projections of x and of the original, which has the larger part the farther x is
// from the plane, at most Pull.
func (a FAB) step(norm Norm, from, x []float64, p plane) {
	gap := p.gap // of the original
	for i, w := range p.normal {
		gap += w * (from[i] - x[i])
	}
	here, there := onto(norm, x, p.normal, p.gap), onto(norm, from, p.normal, gap)
	zero := make([]float64, len(x))
	far, farther := norm.Distance(zero, here, 1), norm.Distance(zero, there, 1)
	pull := min(max(far, 1e-8)/(max(far, 1e-8)+max(farther, 1e-8)), a.Pull)
	for i, v := range x {
		x[i] = min(max((1-pull)*(v+a.Overshoot*here[i])+pull*(from[i]+a.Overshoot*there[i]), 0), 1)
	}
}

// onto returns the shortest step d, in the given norm, after which x is on a plane and in [0, 1]: gap + normal·d = 0 and
// 0 ≤ x+d ≤ 1. Where no step reaches the plane, the result is the one that comes nearest to it. Each number moves towards the
// plane, in L∞ all at the same speed, in L2 at the speed of its share in the normal, and in L1 one after the other, those of
// the largest share first, until [0, 1] stops it.
func onto(norm Norm, x, normal []float64, gap float64) []float64 {
	d := make([]float64, len(x))
	room := func(i int) float64 { // how far [0, 1] lets number i go towards the plane
		if normal[i]*gap > 0 {
			return x[i]
		}
		return 1 - x[i]
	}
	if norm == Norm1 {
		order := make([]int, len(x))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(math.Abs(normal[j]), math.Abs(normal[i])) })
		need := math.Abs(gap)
		for _, i := range order {
			if share := math.Abs(normal[i]); share > 0 && need > 0 {
				by := min(room(i), need/share)
				d[i] = -math.Copysign(by, normal[i]*gap)
				need -= by * share
			}
		}
		return d
	}
	speed := func(i int) float64 {
		if norm == Norm2 {
			return math.Abs(normal[i])
		}
		return 1
	}
	var time float64 // when the plane is reached
	for {
		need, gain := math.Abs(gap), 0.0 // of those that stop before that, and of the others
		for i, w := range normal {
			if share := math.Abs(w); speed(i)*time > room(i) {
				need -= share * room(i)
			} else {
				gain += share * speed(i)
			}
		}
		next := need / gain
		if !(next > time) { // as many stop as before
			break
		}
		if time = next; math.IsInf(time, 1) { // all stop, and the plane is farther
			break
		}
	}
	for i, w := range normal {
		if w != 0 {
			d[i] = -math.Copysign(min(time*speed(i), max(room(i), 0)), w*gap)
		}
	}
	return d
}
