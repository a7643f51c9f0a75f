package concept

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"lucigo/interp/random"
)

// examples are rows of random numbers, those of label 1 moved.
func examples(n, size int, moved float64, seed uint64) (x [][]float64, labels []float64) {
	for i := range n {
		row := make([]float64, size)
		random.New(seed, uint64(i), 0).Normals(row)
		y := float64(1 - 2*(i%2))
		for k := range row {
			row[k] += y * moved
		}
		x, labels = append(x, row), append(labels, y)
	}
	return x, labels
}

func dot(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// direction returns what a classifier finds, in the space of the examples.
func direction(t *testing.T, c Classifier, x [][]float64, labels []float64) (w []float64, bias float64) {
	t.Helper()
	gram := mat.NewSymDense(len(x), nil)
	for i := range x {
		for j := range x {
			gram.SetSym(i, j, dot(x[i], x[j]))
		}
	}
	shares, bias, err := c.fit(ctx, gram, labels)
	if err != nil {
		t.Fatal(err)
	}
	w = make([]float64, len(x[0]))
	for i, s := range shares {
		for k, v := range x[i] {
			w[k] += s * v
		}
	}
	return w, bias
}

// lengthen makes examples as long as activations of photographs, and as much alike: their loss is so small that a classifier which looks
// at the loss alone stops early.
func lengthen(x [][]float64) [][]float64 {
	for _, row := range x {
		for k, v := range row {
			row[k] = 60 * (1 + v)
		}
	}
	return x
}

// sizes have fewer numbers than examples and more, and sets that can be told apart and that cannot.
var sizes = []struct {
	n, size int
	moved   float64
}{{40, 5, .3}, {40, 5, 3}, {40, 200, 0}, {40, 200, .1}, {6, 1, .5}, {60, 2000, 1}}

// At the minimum the loss has no slope: w = C·Σ y·q·x and Σ y·q = 0, where q is how surely an example is taken for the other side.
func TestLawLogisticMinimum(t *testing.T) {
	check := func(what string, x [][]float64, labels []float64) {
		for _, c := range []float64{.01, 1, 100} {
			w, b := direction(t, Logistic{C: c}, x, labels)
			slope, sum := make([]float64, len(w)), 0.
			for i, y := range labels {
				q := 1 / (1 + math.Exp(y*(dot(w, x[i])+b)))
				sum += y * q
				for k, v := range x[i] {
					slope[k] += c * y * q * v
				}
			}
			off := math.Abs(sum)
			for k := range w {
				off = max(off, math.Abs(w[k]-slope[k]))
			}
			if !(off <= 1e-7*max(1, math.Sqrt(dot(w, w)))) {
				t.Errorf("%s, C=%g: the slope is %g", what, c, off)
			}
		}
	}
	for _, s := range sizes {
		x, labels := examples(s.n, s.size, s.moved, 1)
		check(fmt.Sprintf("%+v", s), x, labels)
		if s.size > s.n {
			check(fmt.Sprintf("%+v, long", s), lengthen(x), labels)
		}
	}
}

// At the minimum of the hinge loss, which has kinks, the dual has the same value, and no other point has less.
func TestLawHingeMinimum(t *testing.T) {
	for _, s := range sizes {
		x, labels := examples(s.n, s.size, s.moved, 2)
		for _, alpha := range []float64{.001, .01, 1} {
			loss := func(w []float64, b float64) float64 {
				sum := alpha * dot(w, w) / 2
				for i, y := range labels {
					sum += max(0, 1-y*(dot(w, x[i])+b)) / float64(s.n)
				}
				return sum
			}
			w, b := direction(t, Hinge{Alpha: alpha}, x, labels)
			gram := mat.NewSymDense(s.n, nil)
			for i := range x {
				for j := range x {
					gram.SetSym(i, j, dot(x[i], x[j]))
				}
			}
			shares, _, _ := Hinge{Alpha: alpha}.fit(ctx, gram, labels)
			dual, sum := -alpha*dot(w, w)/2, 0.
			for i, a := range shares {
				dual += alpha * labels[i] * a
				sum += a
				if size := labels[i] * a; size < -1e-12 || size > 1/(alpha*float64(s.n))+1e-12 {
					t.Errorf("%+v, α=%g: share %d is %g", s, alpha, i, a)
				}
			}
			if primal := loss(w, b); !(math.Abs(primal-dual) <= 1e-5) || !(math.Abs(sum) <= 1e-9) {
				t.Errorf("%+v, α=%g: the loss is %g and its bound %g; shares sum up to %g", s, alpha, primal, dual, sum)
			}
		}
	}
}

// The plane of the mean difference lies half-way between the means.
func TestLawMeanDifference(t *testing.T) {
	x, labels := examples(21, 4, 1, 3)
	w, b := direction(t, MeanDifference{}, x, labels)
	var means [2][]float64
	for side, sign := range []float64{1, -1} {
		means[side] = make([]float64, 4)
		n := 0.
		for i, y := range labels {
			if y == sign {
				n++
				for k, v := range x[i] {
					means[side][k] += v
				}
			}
		}
		for k := range means[side] {
			means[side][k] /= n
		}
	}
	for k := range w {
		if want := means[0][k] - means[1][k]; !(math.Abs(w[k]-want) <= 1e-12) {
			t.Errorf("number %d is %g, want %g", k, w[k], want)
		}
	}
	if first, second := dot(w, means[0])+b, dot(w, means[1])+b; !(math.Abs(first+second) <= 1e-12) || !(first > 0) {
		t.Errorf("the means are at %g and %g", first, second)
	}
}
