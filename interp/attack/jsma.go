package attack

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
)

// JSMA is the attack of Papernot et al., arXiv:1511.07528, section IV.B (algorithm 3): again and again it moves the two numbers
// of the image for which the saliency of the pair, the product of what it adds to the target's logit and what it takes from
// the sum of the others, is largest. Logits stand for the paper's F, as in Carlini and Wagner, arXiv:1608.04644, section VIII:
// probabilities add up to 1, so with them the two factors would be the same.
//
// It changes few numbers, so the judge's ball is best one of L0, which counts pixels. A bounded one ends the search early. Without
// a target it takes the likeliest other class, and any other class counts. A number moves once.
type JSMA struct {
	Theta float64 // what is added to a number, which stays in [0, 1]; 0 is 1
	Gamma float64 // the largest part of the numbers that may change; 0 is .145
}

func (a JSMA) defaults() JSMA { return JSMA{cmp.Or(a.Theta, 1), cmp.Or(a.Gamma, .145)} }

// String returns the attack's name with its parameters.
func (a JSMA) String() string {
	a = a.defaults()
	return fmt.Sprintf("JSMA(theta=%g, gamma=%g)", a.Theta, a.Gamma)
}

// Find implements Attack.
func (a JSMA) Find(ctx context.Context, t *Task) error {
	a = a.defaults()
	switch {
	case !(math.Abs(a.Theta) <= 1):
		return fmt.Errorf("attack: %s: Theta is %g, must be in [-1, 1]", t.attack, a.Theta)
	case !(a.Gamma > 0 && a.Gamma <= 1):
		return fmt.Errorf("attack: %s: Gamma is %g, must be in (0, 1]", t.attack, a.Gamma)
	}
	p := t.Points()
	clean, err := t.Logits(ctx, p)
	if err != nil {
		return err
	}
	targets := make([]int, t.Images.N)
	for i, rivals := range t.rivals(clean, 1) {
		targets[i] = rivals[0]
	}
	target := objective.LogitOf(targets...)
	others := interp.Objective{Name: "all logits", Form: allLogits{}}.Minus(target)
	size := t.Images.Size()
	steps := max(int(a.Gamma*float64(size)/2), 1)
	for step := range steps {
		up, err := t.Gradient(ctx, p, target)
		if err != nil {
			return err
		}
		left, err := t.Settle(ctx, p, up.Logits)
		if err != nil || len(left) == 0 {
			return err
		}
		if len(left) < len(p.Rows) {
			p, up.Gradient = p.Pick(left), up.Gradient.Pick(left)
		}
		down, err := t.Gradient(ctx, p, others)
		if err != nil {
			return err
		}
		moved := make([]bool, len(p.Rows))
		each(p, func(k int, x []float64) {
			pair, ok := salient(x, t.Original(p, k), up.Gradient.Of(k), down.Gradient.Of(k), a.Theta)
			if !ok {
				return
			}
			before := slices.Clone(x)
			for _, i := range pair {
				x[i] = min(max(x[i]+a.Theta, 0), 1)
			}
			if moved[k] = !t.outside(t.Original(p, k), x); !moved[k] {
				copy(x, before)
			}
		})
		var on, off []int
		for k, ok := range moved {
			if ok {
				on = append(on, k)
			} else {
				off = append(off, k)
			}
		}
		if _, err := t.Offer(ctx, p.Pick(off)); err != nil {
			return err
		}
		p = p.Pick(on)
		t.Step(step+1, steps)
	}
	_, err = t.Offer(ctx, p)
	return err
}

// outside reports whether x has more changes than a bounded ball of L0 allows.
func (t *Task) outside(from, x []float64) bool {
	return t.Ball.norm == Norm0 && Norm0.Distance(from, x, t.Images.C) > t.Ball.radius
}

// salient returns the pair of numbers of the largest saliency, among those that can still move: up is the target's gradient,
// down that of the others. Both have changed sides where numbers become smaller.
//
// Only a number that no two others surpass in both factors can be one of the best pair: the pair would gain by either of the
// two. Few are like that, so all pairs of them are compared.
func salient(x, from, up, down []float64, theta float64) (pair [2]int, ok bool) {
	way := math.Copysign(1, theta)
	var open []int
	for i, v := range x {
		if to := v + theta; v == from[i] && to != v && v != max(way, 0) {
			open = append(open, i)
		}
	}
	slices.SortStableFunc(open, func(i, j int) int {
		return cmp.Or(cmp.Compare(way*up[j], way*up[i]), cmp.Compare(way*down[i], way*down[j]))
	})
	first, second := math.Inf(-1), math.Inf(-1) // the largest losses of others so far
	var few []int
	for _, i := range open {
		loss := -way * down[i]
		if loss <= second {
			continue
		}
		few = append(few, i)
		if second = loss; loss > first {
			first, second = loss, first
		}
	}
	most := 0.0
	for n, i := range few {
		for _, j := range few[:n] {
			gain, loss := way*(up[i]+up[j]), -way*(down[i]+down[j])
			if gain > 0 && loss > 0 && gain*loss > most {
				most, pair, ok = gain*loss, [2]int{i, j}, true
			}
		}
	}
	return pair, ok
}

// allLogits is the sum of the logits.
type allLogits struct{}

// Score implements interp.Form.
func (allLogits) Score(p *layer.Pass, _ []*graph.Node) *graph.Node {
	return graph.ReduceSum(p.Logits(), -1)
}
