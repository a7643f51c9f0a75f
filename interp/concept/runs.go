package concept

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"lucigo/interp/measure"
	"lucigo/interp/random"
)

// Runs answers how many counterparts suffice: element k−1 is what the mean score of k counterparts would be, with the interval in which
// it lies in 95 % of 1,000 draws of k of the Scores with replacement (bootstrap). The interval says how much
// depends on which counterparts were taken. It says nothing of the choice of the concept's images, which are the same in all runs. Scores that are undefined are left out.
func (r Result) Runs(seed uint64) []measure.Estimate {
	const draws = 1000
	scores := slices.DeleteFunc(slices.Clone(r.Scores), math.IsNaN)
	var all []measure.Estimate
	for k := 1; k <= len(scores); k++ {
		means := make([]float64, draws)
		for d := range means {
			s := random.New(seed, uint64(k), uint64(d))
			for i := range k {
				means[d] += scores[s.Intn(i, len(scores))] / float64(k)
			}
		}
		slices.Sort(means)
		all = append(all, measure.Estimate{Mean: stat.Mean(scores, nil), N: k,
			Low:  stat.Quantile(.025, stat.Empirical, means, nil),
			High: stat.Quantile(.975, stat.Empirical, means, nil)})
	}
	return all
}
