package saliency

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"lucigo/internal/parallel"
	"lucigo/interp"
)

// GuidedIG is Integrated Gradients on a path that the network guides: Kapishnikov et al., arXiv:2106.09788, section 4. Each
// step goes the same L1 distance from the baseline to the image, and moves the numbers whose derivative is the least, so that
// the path keeps away from where the score changes for no reason. No number may be farther than Distance, as a share of the
// whole line, from where the straight line is. A map sums up to the score of the image minus that of the baseline,
// except for the error of the integral.
//
// The defaults are those of the authors' library, PAIR-saliency. A number moves until it is at the limit, and then the next
// ones do, all by the derivative at the step's beginning.
type GuidedIG struct {
	Steps    int     // 0 is 200
	Fraction float64 // of the numbers that move at once; 0 is 0.25
	Distance float64 // 0 is 0.02; 1 leaves the path free

	// Baseline has one number a channel, or a whole image, or one image for each; nil is black.
	Baseline []float64
}

// String names the method and its parameters.
func (g GuidedIG) String() string {
	g = g.defaults()
	return fmt.Sprintf("guided IG(steps=%d, fraction=%g, distance=%g, %s)", g.Steps, g.Fraction, g.Distance, baselineName(g.Baseline))
}

func (g GuidedIG) defaults() GuidedIG {
	g.Steps, g.Fraction, g.Distance = cmp.Or(g.Steps, 200), cmp.Or(g.Fraction, .25), cmp.Or(g.Distance, .02)
	return g
}

// Maps implements Method. The score is that of the image, not of the points on the path.
func (g GuidedIG) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	g = g.defaults()
	switch {
	case g.Steps < 0:
		return interp.Maps{}, fmt.Errorf("saliency: Steps is %d, must be at least 1, or 0 for 200", g.Steps)
	case !(g.Fraction > 0 && g.Fraction <= 1):
		return interp.Maps{}, fmt.Errorf("saliency: Fraction is %g, must be in (0, 1], or 0 for 0.25", g.Fraction)
	case !(g.Distance > 0 && g.Distance <= 1):
		return interp.Maps{}, fmt.Errorf("saliency: Distance is %g, must be in (0, 1], or 0 for 0.02", g.Distance)
	}
	base, err := baseline(g.Baseline, x)
	if err != nil {
		return interp.Maps{}, err
	}
	if x, err = m.Resolve(ctx, o, x); err != nil {
		return interp.Maps{}, err
	}
	at := x.Free()
	at.Pix = slices.Clone(base.Pix)
	out := x.Like()
	for step := range g.Steps {
		slopes, err := m.Gradient(ctx, o, nil, at)
		if err != nil {
			return interp.Maps{}, err
		}
		out.Class = slopes.Class
		parallel.For(x.N, func(i int) {
			before := slices.Clone(at.Of(i))
			g.move(at.Of(i), base.Of(i), x.Of(i), slopes.Of(i), step)
			sum := out.Of(i)
			for p, v := range at.Of(i) {
				sum[p] += (v - before[p]) * slopes.Of(i)[p]
			}
		})
	}
	out.Score, err = m.Score(ctx, o, x)
	return out, err
}

// move takes a step from the point at, on a path from a to b: until what is left to b, in L1, is what the straight line has left
// after the step.
func (g GuidedIG) move(at, a, b, slope []float64, step int) {
	const rounding = 1e-9
	alpha := float64(step+1) / float64(g.Steps)
	low, high := max(alpha-g.Distance, 0), min(alpha+g.Distance, 1)
	most := make([]float64, len(at))
	var total, left float64
	for p := range at {
		total += math.Abs(b[p] - a[p])
		most[p] = a[p] + (b[p]-a[p])*high
		if b[p] != a[p] && (at[p]-a[p])/(b[p]-a[p]) < low { // it is late
			at[p] = a[p] + (b[p]-a[p])*low
		}
		left += math.Abs(b[p] - at[p])
	}
	want := total * (1 - alpha)
	order := make([]int, len(at))
	for p := range order {
		order[p] = p
	}
	slices.SortStableFunc(order, func(p, q int) int { return cmp.Compare(math.Abs(slope[p]), math.Abs(slope[q])) })
	least := int(g.Fraction * float64(len(at)-1))
	for left-want > max(rounding, rounding*max(left, want)) {
		order = slices.DeleteFunc(order, func(p int) bool { return at[p] == most[p] })
		if len(order) == 0 {
			return
		}
		moving := len(order)
		if least < moving {
			limit := math.Abs(slope[order[least]])
			for moving = least + 1; moving < len(order) && math.Abs(slope[order[moving]]) <= limit; moving++ {
			}
		}
		var room float64
		for _, p := range order[:moving] {
			room += math.Abs(most[p] - at[p])
		}
		share := (left - want) / room
		for _, p := range order[:moving] {
			if share > 1 {
				at[p] = most[p]
			} else {
				at[p] += (most[p] - at[p]) * share
			}
		}
		if share <= 1 {
			return
		}
		left = 0
		for p := range at {
			left += math.Abs(b[p] - at[p])
		}
	}
}
