package concept

import (
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Significance is the chance, two-sided, of a rise as far from 0 where the concept is one more random set, from the rises of the random
// sets, each with all others for counterparts. If a set's images lie u along the class by chance, a random set of R has a rise of
// R/(R−1)·(u − ū), where ū is their mean, and the concept, which has R counterparts, one of u − ū. So the standard deviation of the first
// times (R−1)/R estimates that of u, and that of the concept's rise is √(1 + 1/R) times as large: Student's t with R−1 degrees of freedom.
//
// The shares of images in a TCAV score would not do: where a class's images have much the same slope, nearly all rise or nearly all
// fall along any vector, and random sets have scores from 0 to 1.
func Significance(rise float64, random []float64) float64 {
	r := float64(len(random))
	return twoSided(rise/(stat.StdDev(random, nil)*(r-1)/r*math.Sqrt(1+1/r)), r-1)
}

// above reports whether a value is above what one more of others would be, at the 5 % level.
func above(value float64, others []float64) bool {
	n := float64(len(others))
	t := (value - stat.Mean(others, nil)) / (stat.StdDev(others, nil) * math.Sqrt(1+1/n))
	return t > distuv.StudentsT{Sigma: 1, Nu: n - 1}.Quantile(.95)
}

// welch is Welch's test of the means of two samples, two-sided.
func welch(a, b []float64) float64 {
	va, vb := stat.Variance(a, nil)/float64(len(a)), stat.Variance(b, nil)/float64(len(b))
	t := (stat.Mean(a, nil) - stat.Mean(b, nil)) / math.Sqrt(va+vb)
	nu := (va + vb) * (va + vb) / (va*va/float64(len(a)-1) + vb*vb/float64(len(b)-1))
	return twoSided(t, nu)
}

func twoSided(t, nu float64) float64 {
	if math.IsNaN(t) {
		return t
	}
	return 2 * distuv.StudentsT{Sigma: 1, Nu: nu}.Survival(math.Abs(t))
}
