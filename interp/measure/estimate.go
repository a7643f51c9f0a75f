package measure

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Estimate is the mean of a measure over the images in which it is defined, and its 95 % confidence interval by Student's t.
type Estimate struct {
	Mean, Low, High float64 // NaN where N is 0; Low and High also where N is 1
	N               int     // images in which it is defined
}

// Estimated returns the estimate from a value of each image, NaN where it is undefined.
func Estimated(values []float64) Estimate {
	defined := slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	nan := math.NaN()
	e := Estimate{nan, nan, nan, len(defined)}
	if e.N > 0 {
		e.Mean = stat.Mean(defined, nil)
	}
	if e.N > 1 {
		half := distuv.StudentsT{Sigma: 1, Nu: float64(e.N - 1)}.Quantile(.975) * stat.StdDev(defined, nil) / math.Sqrt(float64(e.N))
		e.Low, e.High = e.Mean-half, e.Mean+half
	}
	return e
}
