package smoothing

import (
	"math"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// Lower returns the lower bound of Clopper and Pearson (Biometrika 1934) on the probability of a hit, given so many hits in n tries: with
// the confidence 1 − alpha it is not lower. It is the probability with which so many hits or more have a chance of alpha. Of no tries it
// is 0; it is NaN where hits is not from 0 to n, or alpha not between 0 and 1.
func Lower(hits, n int, alpha float64) float64 {
	switch {
	case hits < 0 || hits > n || !(alpha > 0 && alpha < 1):
		return math.NaN()
	case hits == 0:
		return 0
	case hits == n:
		return math.Pow(alpha, 1/float64(n))
	}
	low, high := 0.0, 1.0 // bisection, as mathext.InvRegIncBeta(99990, 11, 1e-7) is .959 instead of .9996
	for p := .5; low < p && p < high; p = (low + high) / 2 {
		if mathext.RegIncBeta(float64(hits), float64(n-hits+1), p) <= alpha {
			low = p
		} else {
			high = p
		}
	}
	return low
}

// normal is Φ⁻¹, the quantile of the standard normals.
func normal(p float64) float64 { return distuv.UnitNormal.Quantile(p) }

// split is the p-value of the two-sided binomial test: how likely it is that n = a+b throws of a fair coin are split at least as unevenly.
func split(a, b int) float64 {
	a, b = max(a, b), min(a, b)
	if a == b {
		return 1
	}
	return min(1, 2*mathext.RegIncBeta(float64(a), float64(b+1), .5))
}
