package measure

import (
	"math"
	"slices"
)

// Gini is the sparseness of a map, in [0, 1 − 1/n] for n pixels: the Gini index of the magnitudes, which is 0 where they are
// all equal and 1 − 1/n where one pixel has all: Hurley and Rickard, arXiv:0811.4706, taken for saliency maps by
// Chalasani, Chen, Chowdhury, Jha and Wu, arXiv:1810.06583. A map of zeros has NaN.
func Gini(m []float64) float64 {
	size := make([]float64, len(m))
	for i, v := range m {
		size[i] = math.Abs(v)
	}
	slices.Sort(size) // NaN first
	var sum, all float64
	for i, v := range size {
		sum += (2*float64(i) + 1 - float64(len(size))) * v
		all += v
	}
	return sum / all / float64(len(size))
}

// Entropy is the complexity of a map, in nats, from 0, where one pixel has all, to log n, where the magnitudes of n pixels
// are equal: the entropy of the magnitudes as shares of their sum: Bhatt, Weller and Moura, arXiv:2005.00631. A map of
// zeros has NaN.
func Entropy(m []float64) float64 {
	var all, sum float64
	for _, v := range m {
		all += math.Abs(v)
	}
	if all == 0 {
		return math.NaN()
	}
	for _, v := range m {
		if p := math.Abs(v) / all; p != 0 { // NaN counts
			sum -= p * math.Log(p)
		}
	}
	return max(0, sum)
}
