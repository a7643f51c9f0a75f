package card

import (
	"fmt"
	"math"
)

// Share is how many of so many images are right.
type Share struct{ Right, Of int }

// Value returns the share; NaN of no images.
func (s Share) Value() float64 { return float64(s.Right) / float64(s.Of) }

// Interval returns Wilson's interval (JASA 1927), in which the share of all images like these is with a confidence of 95 %;
// from 0 to 1 of no images.
func (s Share) Interval() (low, high float64) {
	if s.Of == 0 {
		return 0, 1
	}
	const z = 1.959963984540054 // of the standard normals, 97.5 % are below
	n, p := float64(s.Of), s.Value()
	centre := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	low, high = max(centre-half, 0), min(centre+half, 1)
	if s.Right == 0 {
		low = 0
	}
	if s.Right == s.Of {
		high = 1
	}
	return low, high
}

// String returns the share with its interval: "84 % (65–94)".
func (s Share) String() string {
	low, high := s.Interval()
	return fmt.Sprintf("%.0f %% (%.0f–%.0f)", 100*s.Value(), 100*low, 100*high)
}

// chance is how likely it is that of a and b wins of two equal players at least a are the first's: the sign test.
func chance(a, b int) (p float64) {
	n := a + b
	log := func(n int) float64 {
		v, _ := math.Lgamma(float64(n) + 1)
		return v
	}
	for k := a; k <= n; k++ {
		p += math.Exp(log(n) - log(k) - log(n-k) - float64(n)*math.Ln2)
	}
	return p
}
