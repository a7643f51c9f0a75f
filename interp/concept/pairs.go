package concept

import (
	"context"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// pairs tells rows of activations apart, from the inner products of all rows with each other, of which the last are slopes.
type pairs struct {
	classifier Classifier
	gram       *mat.Dense
	slopes     int
}

// fitted is a direction: a sum of rows, of length 1.
type fitted struct {
	rows   []int
	shares []float64
	bias   float64
	score  float64 // the share of slopes along it
	rise   float64 // their mean along it
}

// direction returns the direction from rows b to rows a.
func (p pairs) direction(ctx context.Context, a, b []int) (fitted, error) {
	train := slices.Concat(a, b)
	labels := append(slices.Repeat([]float64{1}, len(a)), slices.Repeat([]float64{-1}, len(b))...)
	gram := mat.NewSymDense(len(train), nil)
	for i, from := range train {
		for j, to := range train[:i+1] {
			gram.SetSym(i, j, p.gram.At(from, to))
		}
	}
	shares, bias, err := p.classifier.fit(ctx, gram, labels)
	if err != nil {
		return fitted{}, err
	}
	square := 0.
	for i := range train {
		for j := range train {
			square += shares[i] * shares[j] * gram.At(i, j)
		}
	}
	if !(square > 0) { // all activations are equal
		nan := math.NaN()
		return fitted{score: nan, rise: nan}, nil
	}
	f := fitted{rows: train, shares: shares}
	for k := range shares {
		shares[k] /= math.Sqrt(square)
	}
	f.bias = bias / math.Sqrt(square)
	all, _ := p.gram.Dims()
	for i := all - p.slopes; i < all; i++ {
		slope := p.along(f, i)
		f.score += step(slope) // whole and half numbers, so that all of them are exactly 1
		f.rise += slope / float64(p.slopes)
	}
	f.score /= float64(p.slopes)
	return f, nil
}

// along returns how far a row lies along a direction.
func (p pairs) along(f fitted, row int) (sum float64) {
	for k, i := range f.rows {
		sum += f.shares[k] * p.gram.At(row, i)
	}
	return sum
}

// accuracy is the share of rows on their side of a direction: a before it, b after.
func (p pairs) accuracy(f fitted, a, b []int) float64 {
	if f.rows == nil {
		return math.NaN()
	}
	right := 0.
	for _, i := range a {
		right += step(p.along(f, i) + f.bias)
	}
	for _, i := range b {
		right += step(-p.along(f, i) - f.bias)
	}
	return right / float64(len(a)+len(b))
}

// step is 1 above 0, 0 below, and ½ there.
func step(v float64) float64 {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return 0
	case v == 0:
		return .5
	}
	return v
}

// cosines of directions with each other, NaN with one that is none.
func (p pairs) cosines(of []*mat.VecDense) [][]float64 {
	all := make([][]float64, len(of))
	for a := range of {
		for b := range of {
			cosine := math.NaN()
			if of[a] != nil && of[b] != nil {
				cosine = mat.Inner(of[a], p.gram, of[b])
			}
			all[a] = append(all[a], cosine)
		}
	}
	return all
}

// mean returns the direction of the mean of directions, and how much they have in common: the mean cosine of two of them. Of none it is nil.
func (p pairs) mean(of []fitted) (*mat.VecDense, float64) {
	of = slices.DeleteFunc(slices.Clone(of), func(f fitted) bool { return f.rows == nil })
	all, _ := p.gram.Dims()
	sum := mat.NewVecDense(all, nil)
	for _, f := range of {
		for k, i := range f.rows {
			sum.SetVec(i, sum.AtVec(i)+f.shares[k])
		}
	}
	square := mat.Inner(sum, p.gram, sum)
	if !(square > 0) {
		return nil, math.NaN()
	}
	sum.ScaleVec(1/math.Sqrt(square), sum)
	n := float64(len(of))
	return sum, (square - n) / (n * (n - 1)) // ‖Σ‖² = n + Σ of the cosines of each two
}

// combine returns a sum of rows; nil where there are no shares.
func combine(rows [][]float32, shares *mat.VecDense) []float64 {
	if shares == nil {
		return nil
	}
	v := make([]float64, len(rows[0]))
	for i, row := range rows {
		if s := shares.AtVec(i); s != 0 {
			for k, x := range row {
				v[k] += s * float64(x)
			}
		}
	}
	return v
}
