package concept

import (
	"context"
	"errors"
	"fmt"
	"math"

	"lucigo/interp"
	"lucigo/interp/random"
)

// Relative compares a concept with others instead of with random images (arXiv:1711.11279, section 3.6): stripes against dots and
// meshes, say.
type Relative struct {
	Layer        string
	Classifier   Classifier // nil is Logistic{}
	Permutations int        // of the test; 0 is 999
	Seed         uint64     // of these
}

// RelativeResult is what came of a relative concept.
type RelativeResult struct {
	CAV   CAV     // from the others to the concept
	Score float64 // the share of images whose score rises along it
	Rise  float64 // how fast it does, in their mean

	// P is how often the rise is as far from 0 as here where the images of the concept and of the others change sides at random: (1 + those
	// permutations) / (1 + all). It says whether the direction between the two means something for the class, not for which of them.
	P float64
}

// Run compares a concept with the images of all others together, at images x of a class.
func (r Relative) Run(ctx context.Context, m *interp.Model, o interp.Objective, concept Set, others []Set, x interp.Images) (RelativeResult, error) {
	var out RelativeResult
	n := r.Permutations
	if n == 0 {
		n = 999
	}
	switch {
	case len(others) == 0:
		return out, errors.New("concept: there are no others to compare with, must be at least one")
	case n < 19:
		return out, fmt.Errorf("concept: Permutations is %d, must be at least 19, or 0 for 999", r.Permutations)
	case x.N == 0:
		return out, errors.New("concept: there are no images of a class to ask about, must be at least one")
	}
	sets := append([]Set{concept}, others...)
	if err := distinct(sets, x); err != nil {
		return out, err
	}
	x, err := m.Resolve(ctx, o, x)
	if err != nil {
		return out, err
	}
	var v values
	for _, set := range sets {
		a, err := m.Activations(ctx, set.Images, r.Layer)
		if err != nil {
			return out, err
		}
		v.add(a[0].Rows)
	}
	_, slope, _, err := m.GradientAt(ctx, o, nil, x, r.Layer)
	if err != nil {
		return out, err
	}
	trained := len(v.rows)
	v.add(slope.Rows)
	p, err := v.pairs(ctx, m, orLogistic(r.Classifier))
	if err != nil {
		return out, err
	}
	one := concept.Images.N
	order := make([]int, trained)
	for i := range order {
		order[i] = i
	}
	f, err := p.direction(ctx, order[:one], order[one:])
	if err != nil {
		return out, fmt.Errorf("concept: layer %s: %w", r.Layer, err)
	}
	out.Score, out.Rise = f.score, f.rise
	whole, _ := p.mean([]fitted{f})
	out.CAV = CAV{Layer: r.Layer, Shape: v.shape, Vector: combine(v.rows, whole)}
	as := 1
	for k := range n {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		order := random.New(r.Seed, uint64(k), 0).Choose(0, trained, trained)
		other, err := p.direction(ctx, order[:one], order[one:])
		if err != nil {
			return out, err
		}
		if math.Abs(other.rise) >= math.Abs(f.rise)*(1-1e-6) { // equal ones may be rounded
			as++
		}
	}
	out.P = float64(as) / float64(n+1)
	if math.IsNaN(f.rise) {
		out.P = f.rise
	}
	return out, nil
}
