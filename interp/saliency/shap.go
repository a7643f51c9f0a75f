package saliency

import (
	"cmp"
	"context"
	"fmt"
	"math/bits"

	"lucigo/interp"
	"lucigo/interp/random"
)

// KernelSHAP is the Shapley value of each piece: its mean share in the score over all orders in which the pieces can be
// shown, from an image whose pieces are all hidden: Lundberg and Lee, arXiv:1705.07874, section 4.1. A pixel has the value
// of its piece, in units of the objective. The values of the pieces sum up to the score less that of the hidden image,
// whatever the samples.
//
// Where all coalitions fit into Samples they are all asked about, and the values are exact. Otherwise coalitions are drawn
// as often as their kernel weighs, each with its complement (Covert and Lee, arXiv:2012.01536); the authors' program takes
// the smallest and the largest all before it draws.
type KernelSHAP struct {
	Superpixels
	Samples int    // of each image, beside the two that show all and nothing; 0 is theirs, 2048 and two for each piece
	Seed    uint64 // another seed, other samples
}

// String names the method and its parameters.
func (k KernelSHAP) String() string {
	samples := "2·pieces+2048"
	if k.Samples != 0 {
		samples = fmt.Sprint(k.Samples)
	}
	s := fmt.Sprintf("KernelSHAP(samples=%s, %s", samples, k.title())
	if k.Seed != 0 {
		s += fmt.Sprintf(", seed=%d", k.Seed)
	}
	return s + ")"
}

// Maps implements Method.
func (k KernelSHAP) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	if k.Samples < 0 {
		return interp.Maps{}, fmt.Errorf("saliency: Samples is %d, must be at least 1, or 0 for 2048 and two for each piece", k.Samples)
	}
	return k.explain(ctx, m, o, x, func(key uint64, pieces int) (int, func(int) []bool, func([]float64) ([]float64, error), error) {
		z, weights := k.coalitions(key, pieces)
		weigh := func(scores []float64) ([]float64, error) { return shapley(ctx, z, weights, scores) }
		return len(z), func(i int) []bool { return z[i] }, weigh, nil
	})
}

// coalitions returns which pieces are shown, and what each of these weighs in the least squares. The first shows nothing,
// and the second all.
func (k KernelSHAP) coalitions(key uint64, pieces int) (z [][]bool, weights []float64) {
	samples := cmp.Or(k.Samples, 2*pieces+2048)
	add := func(weight float64, shown func(j int) bool) {
		row := make([]bool, pieces)
		for j := range row {
			row[j] = shown(j)
		}
		z, weights = append(z, row), append(weights, weight)
	}
	add(0, func(int) bool { return false })
	add(0, func(int) bool { return true })
	if pieces < 31 && 1<<pieces-2 <= samples {
		for set := 1; set < 1<<pieces-1; set++ {
			n := bits.OnesCount(uint(set))
			ways := 1.
			for i := range n {
				ways *= float64(pieces-i) / float64(i+1)
			}
			add(float64(pieces-1)/(ways*float64(n*(pieces-n))), func(j int) bool { return set>>j&1 == 1 })
		}
		return z, weights
	}
	total := 0. // of the weights of all coalitions of a size, over sizes
	for n := 1; n < pieces; n++ {
		total += 1 / float64(n*(pieces-n))
	}
	for draw := 0; draw < (samples+1)/2; draw++ {
		s := random.New(k.Seed, key, uint64(draw))
		at, n := s.Uniform(0)*total, 1
		for ; n < pieces-1; n++ {
			if at -= 1 / float64(n*(pieces-n)); at < 0 {
				break
			}
		}
		drawn := make([]bool, pieces)
		for _, j := range s.Choose(1, n, pieces) {
			drawn[j] = true
		}
		add(1, func(j int) bool { return drawn[j] })
		add(1, func(j int) bool { return !drawn[j] })
	}
	return z, weights
}

// shapley returns the weighted least squares of scores by coalitions, the first of which shows nothing and the second all,
// among the values that sum up to the difference of these two: the last value is the others' rest.
func shapley(ctx context.Context, z [][]bool, weights, scores []float64) ([]float64, error) {
	none, all, last := scores[0], scores[1], len(z[0])-1
	values := make([]float64, last+1)
	values[last] = all - none
	if last == 0 {
		return values, nil
	}
	first, err := squares(ctx, len(z), last, 0, func(k int, row []float64) (weight, target float64) {
		rest := number[z[k][last]]
		for j := range row {
			row[j] = number[z[k][j]] - rest
		}
		return weights[k], scores[k] - none - rest*(all-none)
	})
	if err != nil {
		return nil, fmt.Errorf("too few Samples, %d, to tell %d pieces apart: %w", len(z)-2, last+1, err)
	}
	for j, v := range first {
		values[j] = v
		values[last] -= v
	}
	return values, nil
}
