package interp

import (
	"cmp"
	"math"
	"slices"
)

// Prediction is what a model says of a batch of images.
type Prediction struct {
	Logits Rows     // one number a class
	Names  []string // of the classes
}

// Top1 returns the class of the largest logit of each image; of equal ones the first.
func (p Prediction) Top1() []int {
	top := make([]int, p.Logits.N)
	for i := range top {
		top[i] = p.Top(i, 1)[0]
	}
	return top
}

// Top returns the k classes of the largest logits of image i, the largest first; of equal ones the first
// comes first.
func (p Prediction) Top(i, k int) []int {
	order := make([]int, len(p.Names))
	for c := range order {
		order[c] = c
	}
	logits := p.Logits.Of(i)
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(logits[b], logits[a]) })
	return order[:min(k, len(order))]
}

// Prob returns the softmax probability of class c for image i.
func (p Prediction) Prob(i, c int) float64 {
	logits := p.Logits.Of(i)
	most := slices.Max(logits)
	var sum float64
	for _, l := range logits {
		sum += math.Exp(l - most)
	}
	return math.Exp(logits[c]-most) / sum
}

// Name returns the name of the class of the largest logit of image i.
func (p Prediction) Name(i int) string { return p.Names[p.Top(i, 1)[0]] }
