// Package measure has numbers that say something of a saliency map: where it lies, how ragged and how sparse
// it is, how much two maps agree, and how well a map says what a network's answer depends on; of a filter: how
// oriented and how colourful it is; and of the images that excite a unit: how much they have in common.
//
// Maps are plain numbers, one a pixel, row by row, such as interp.Maps.Magnitude and interp.Maps.Mean return.
// What has no answer is NaN, never a number made of nothing: a map that holds a NaN, one of zeros, one whose
// values are all equal where a measure compares them, a mask of everything or of nothing. Sizes that do not fit
// together are an error.
package measure

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Strongest is the mask of the given share of a map's pixels, in [0, 1], that have the largest magnitudes:
// 1 there and 0 elsewhere. A part of a pixel counts as one; of equal pixels the first are taken.
func Strongest(m []float64, share float64) ([]float64, error) {
	if !(share >= 0 && share <= 1) {
		return nil, fmt.Errorf("measure: share is %g, must be from 0 to 1", share)
	}
	order := make([]int, len(m))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(math.Abs(m[j]), math.Abs(m[i])) })
	mask := make([]float64, len(m))
	const exact = 1 - 0x1p-51 // a product such as 0.07·100 may be rounded up to just above a whole number
	for _, i := range order[:int(math.Ceil(share*float64(len(m))*exact))] {
		mask[i] = 1
	}
	return mask, nil
}

// Variation is the local variation of a map of the given width: the mean difference between neighbours,
// across and down, as a share of the mean magnitude. It is 0 for a flat map, NaN for one of zeros, and about 2
// for one whose neighbours have nothing to do with each other and are mostly 0. (Anisotropic total variation, Rudin,
// Osher and Fatemi 1992, divided by the map's L1 norm, per pair of neighbours.)
func Variation(m []float64, width int) (float64, error) {
	if width < 1 || len(m)%width != 0 || len(m) < 2 {
		return 0, fmt.Errorf("measure: a map has %d pixels, must have at least 2, in whole rows of width %d", len(m), width)
	}
	var differences, magnitudes float64
	pairs := 0
	for i, v := range m {
		magnitudes += math.Abs(v)
		if i%width+1 < width {
			differences += math.Abs(v - m[i+1])
			pairs++
		}
		if i+width < len(m) {
			differences += math.Abs(v - m[i+width])
			pairs++
		}
	}
	return differences / float64(pairs) / (magnitudes / float64(len(m))), nil
}

// Spearman is the rank correlation of two maps, in [−1, 1]: Pearson's correlation of the ranks, of which
// equal values share the mean. A map whose values are all equal has correlation NaN with any other, and so
// has one that holds a NaN, which has no rank.
func Spearman(a, b []float64) (float64, error) {
	r, err := Pearson(ranks(a), ranks(b))
	if err == nil && slices.ContainsFunc(slices.Concat(a, b), math.IsNaN) {
		r = math.NaN()
	}
	return r, err
}

// Pearson is the correlation of two maps, in [−1, 1]. A map whose values are all equal has correlation
// NaN with any other.
func Pearson(a, b []float64) (float64, error) {
	if len(a) != len(b) || len(a) < 2 {
		return 0, fmt.Errorf("measure: maps have %d and %d pixels, must have equally many, at least 2", len(a), len(b))
	}
	if flat(a) || flat(b) { // a mean may be rounded, and then no difference from it is 0
		return math.NaN(), nil
	}
	return stat.Correlation(a, b, nil), nil
}

// ranks returns the rank of each value, counted from 0.
func ranks(v []float64) []float64 {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(v[i], v[j]) })
	out := make([]float64, len(v))
	for i := 0; i < len(order); {
		j := i + 1
		for j < len(order) && v[order[j]] == v[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			out[k] = float64(i+j-1) / 2
		}
		i = j
	}
	return out
}

// Signed returns a map divided by its largest magnitude, which is then 1. A map of zeros has none: all NaN.
func Signed(m []float64) []float64 {
	most := 0.0
	for _, v := range m {
		most = max(most, math.Abs(v)) // NaN stays
	}
	return scaled(m, 0, most)
}

// Unit returns a map moved and divided so that its least value is 0 and its largest 1. A map whose values are all
// equal cannot be: all NaN.
func Unit(m []float64) []float64 {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range m {
		low, high = min(low, v), max(high, v)
	}
	return scaled(m, low, high-low)
}

func scaled(m []float64, low, size float64) []float64 {
	out := make([]float64, len(m))
	for i, v := range m {
		out[i] = (v - low) / size
		if size == 0 {
			out[i] = math.NaN()
		}
	}
	return out
}

// rows returns an error if a map does not have whole rows of a width.
func rows(m []float64, width int) error {
	if width < 1 || len(m) == 0 || len(m)%width != 0 {
		return fmt.Errorf("measure: a map has %d pixels, must have whole rows of width %d", len(m), width)
	}
	return nil
}
