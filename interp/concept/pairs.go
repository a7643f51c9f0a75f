package concept

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"lucigo/interp/random"
)

// pairs tells two sets apart, from the inner products of all rows: those of the sets, and at last those of the slopes.
type pairs struct {
	study Study
	gram  *mat.Dense
	sets  []int
}

// fitted is a direction: a sum of rows, of length 1.
type fitted struct {
	rows     []int
	shares   []float64
	score    float64 // the share of slopes along it
	rise     float64 // their mean along it
	accuracy float64 // of the rows that were held out
}

// rows returns the places of a set's rows that are to train with, and of those that are held out.
func (p pairs) rows(set int) (train, held []int) {
	first := 0
	for _, n := range p.sets[:set] {
		first += n
	}
	n, _ := p.study.cut(p.sets[set])
	chosen := make([]bool, p.sets[set])
	for _, i := range random.New(p.study.Seed, uint64(len(chosen)), 0).Choose(0, n, len(chosen)) {
		chosen[i] = true
	}
	for i, in := range chosen {
		if in {
			train = append(train, first+i)
		} else {
			held = append(held, first+i)
		}
	}
	return train, held
}

// fit returns the direction from set b to set a.
func (p pairs) fit(a, b int) (fitted, error) {
	train, held := p.rows(a)
	against, heldAgainst := p.rows(b)
	labels := make([]float64, 0, len(train)+len(against))
	for range train {
		labels = append(labels, 1)
	}
	for range against {
		labels = append(labels, -1)
	}
	train = append(train, against...)
	gram := mat.NewSymDense(len(train), nil)
	for i, from := range train {
		for j, to := range train[:i+1] {
			gram.SetSym(i, j, p.gram.At(from, to))
		}
	}
	shares, bias, err := p.study.classifier().fit(gram, labels)
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
		return fitted{nil, nil, nan, nan, nan}, nil
	}
	f := fitted{rows: train, shares: shares}
	for k := range shares {
		shares[k] /= math.Sqrt(square)
	}
	bias /= math.Sqrt(square)
	along := func(row int) (sum float64) {
		for k, i := range train {
			sum += shares[k] * p.gram.At(row, i)
		}
		return sum
	}
	tested := float64(len(held) + len(heldAgainst))
	for _, i := range held {
		f.accuracy += step(along(i)+bias) / tested
	}
	for _, i := range heldAgainst {
		f.accuracy += step(-along(i)-bias) / tested
	}
	all, _ := p.gram.Dims()
	slopes := p.sets[len(p.sets)-1]
	for i := all - slopes; i < all; i++ {
		f.score += step(along(i)) / float64(slopes)
		f.rise += along(i) / float64(slopes)
	}
	return f, nil
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

// cosines of directions with each other.
func (p pairs) cosines(of []*mat.VecDense) [][]float64 {
	all := make([][]float64, len(of))
	for a := range of {
		for b := range of {
			all[a] = append(all[a], mat.Inner(of[a], p.gram, of[b]))
		}
	}
	return all
}

// mean returns the direction of the mean of directions, and how much they have in common: the mean cosine of two of them.
func (p pairs) mean(of []fitted) (*mat.VecDense, float64) {
	all, _ := p.gram.Dims()
	sum := mat.NewVecDense(all, nil)
	for _, f := range of {
		for k, i := range f.rows {
			sum.SetVec(i, sum.AtVec(i)+f.shares[k])
		}
	}
	square := mat.Inner(sum, p.gram, sum)
	if !(square > 0) {
		return sum, math.NaN()
	}
	sum.ScaleVec(1/math.Sqrt(square), sum)
	n := float64(len(of))
	return sum, (square - n) / (n * (n - 1)) // ‖Σ‖² = n + Σ of the cosines of each two
}

// combine returns a sum of rows.
func combine(rows [][]float32, shares *mat.VecDense) []float64 {
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
