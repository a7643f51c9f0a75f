package saliency

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"lucigo/interp"
	"lucigo/interp/random"
)

// LIME is the weights of a linear model of the score near the image, of which pieces are shown: Ribeiro, Singh and
// Guestrin, arXiv:1602.04938, section 3.4. A pixel has the weight of its piece, in units of the objective.
//
// As in their program, each sample shows each piece with probability ½, but the first, which shows all; a sample at
// cosine distance d from that one weighs √exp(−d²/Width²), and the weights are those of ridge regression with a free
// intercept, of all pieces.
type LIME struct {
	Superpixels
	Samples int     // of each image; 0 is 1000
	Width   float64 // of the kernel; 0 is .25
	Ridge   float64 // times the sum of the squared weights is added to the squared error; 0 is 1
	Seed    uint64  // another seed, other samples
}

// String names the method and its parameters.
func (l LIME) String() string {
	l = l.defaults()
	s := fmt.Sprintf("LIME(samples=%d, width=%g, ridge=%g, %s", l.Samples, l.Width, l.Ridge, l.title())
	if l.Seed != 0 {
		s += fmt.Sprintf(", seed=%d", l.Seed)
	}
	return s + ")"
}

func (l LIME) defaults() LIME {
	l.Samples, l.Width, l.Ridge = cmp.Or(l.Samples, 1000), cmp.Or(l.Width, .25), cmp.Or(l.Ridge, 1)
	return l
}

// Maps implements Method.
func (l LIME) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	l = l.defaults()
	switch {
	case l.Samples < 2:
		return interp.Maps{}, fmt.Errorf("saliency: Samples is %d, must be at least 2, or 0 for 1000", l.Samples)
	case !(l.Width > 0 && l.Width <= math.MaxFloat64):
		return interp.Maps{}, fmt.Errorf("saliency: Width is %g, must be above 0 and finite, or 0 for .25", l.Width)
	case !(l.Ridge > 0 && l.Ridge <= math.MaxFloat64):
		return interp.Maps{}, fmt.Errorf("saliency: Ridge is %g, must be above 0 and finite, or 0 for 1", l.Ridge)
	}
	return l.explain(ctx, m, o, x, func(key uint64, pieces int) (int, func(int) []bool, func([]float64) ([]float64, error), error) {
		shown := func(k int) []bool {
			z, s := make([]bool, pieces), random.New(l.Seed, key, uint64(k))
			for j := range z {
				z[j] = k == 0 || s.Bits(j)>>63 == 0
			}
			return z
		}
		return l.Samples, shown, func(scores []float64) ([]float64, error) { return l.weigh(ctx, pieces, shown, scores) }, nil
	})
}

// weigh returns the weights of the linear model.
func (l LIME) weigh(ctx context.Context, pieces int, shown func(k int) []bool, scores []float64) ([]float64, error) {
	kernel := make([]float64, len(scores))
	for k := range kernel {
		d, count := 1., 0
		for _, show := range shown(k) {
			if show {
				count++
			}
		}
		d -= math.Sqrt(float64(count) / float64(pieces)) // the cosine of the angle to all ones
		kernel[k] = math.Exp(-d * d / (2 * l.Width * l.Width))
	}
	var total, mean float64
	middle := make([]float64, pieces)
	for k, w := range kernel {
		total += w
		mean += w * scores[k]
		for j, show := range shown(k) {
			if show {
				middle[j] += w
			}
		}
	}
	return squares(ctx, len(scores), pieces, l.Ridge, func(k int, row []float64) (weight, target float64) {
		for j, show := range shown(k) {
			row[j] = number[show] - middle[j]/total
		}
		return kernel[k], scores[k] - mean/total
	})
}

// number is 1 of a piece that is shown.
var number = map[bool]float64{true: 1}

// squares returns the v that make Σₖ weightₖ·(rowₖ·v − targetₖ)² + ridge·v·v least, of n equations.
func squares(ctx context.Context, n, unknowns int, ridge float64, equation func(k int, row []float64) (weight, target float64)) ([]float64, error) {
	a, b, row := mat.NewSymDense(unknowns, nil), mat.NewVecDense(unknowns, nil), mat.NewVecDense(unknowns, nil)
	for k := range n {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		weight, target := equation(k, row.RawVector().Data)
		a.SymRankOne(a, weight, row)
		b.AddScaledVec(b, weight*target, row)
	}
	for j := range unknowns {
		a.SetSym(j, j, a.At(j, j)+ridge)
	}
	var c mat.Cholesky
	if !c.Factorize(a) || c.Cond() > 1e12 {
		return nil, fmt.Errorf("the equations of %d pieces have no single solution", unknowns)
	}
	var out mat.VecDense
	err := c.SolveVecTo(&out, b)
	return out.RawVector().Data, err
}
