package sanity

import (
	"fmt"
	"math"

	"lucigo/interp"
	"lucigo/interp/measure"
)

// Similarity is a number that says how much two maps have in common.
type Similarity int

// The similarities of Adebayo et al., section 3.1. Where a map is the same everywhere, what has no value is NaN.
const (
	// AbsRank is Spearman's rank correlation of the maps' magnitudes, the largest |·| over channels.
	AbsRank Similarity = iota

	// Rank is Spearman's rank correlation of the maps with their signs, the mean over channels.
	Rank

	// Structure is measure.SSIM of the maps with their signs, in [−1, 1].
	Structure

	// AbsStructure is measure.SSIM of the maps' magnitudes, brought to [0, 1], with the weights of a Gaussian of 1.5 pixels.
	AbsStructure

	// Edges is measure.HOG of the maps' magnitudes: Pearson's correlation of their histograms of oriented gradients. Maps of less
	// than 48 pixels across have none.
	Edges

	similarities
)

// Similarities are all of them.
func Similarities() []Similarity {
	var all []Similarity
	for s := range similarities {
		all = append(all, s)
	}
	return all
}

// String names the similarity.
func (s Similarity) String() string {
	switch s {
	case AbsRank:
		return "rank correlation of |map|"
	case Rank:
		return "rank correlation"
	case Structure:
		return "SSIM"
	case AbsStructure:
		return "SSIM of |map|"
	case Edges:
		return "HOG of |map|"
	}
	return fmt.Sprintf("Similarity(%d)", int(s))
}

// of returns the similarity of map i of a and of b. Maps of different channels can be compared.
func (s Similarity) of(a, b interp.Maps, i int) (float64, error) {
	read := interp.Images.Magnitude
	if s == Rank || s == Structure {
		read = interp.Images.Mean
	}
	p, q := read(a.Images, i), read(b.Images, i)
	switch side := min(a.H, a.W); s {
	case AbsRank, Rank:
		return measure.Spearman(p, q)
	case Structure:
		if side < 5 {
			return math.NaN(), nil
		}
		return measure.SSIM{}.Of(p, q, a.W)
	case AbsStructure:
		if side < 11 {
			return math.NaN(), nil
		}
		return measure.SSIM{Sigma: 1.5, Unit: true}.Of(p, q, a.W)
	case Edges:
		if side < 48 {
			return math.NaN(), nil
		}
		return measure.HOG{}.Of(p, q, a.W)
	}
	return 0, fmt.Errorf("sanity: %s is no similarity", s)
}
