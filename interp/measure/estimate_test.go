package measure

import (
	"math"
	"testing"

	"lucigo/interp/random"
)

func TestEstimated(t *testing.T) {
	nan := math.NaN()
	// Student's own data (1908), the sleep of ten patients: mean 1.58, and t(.975, 9) = 2.262157 gives ±.8798.
	e := Estimated([]float64{1.2, 2.4, 1.3, 1.3, nan, 0, 1, 1.8, .8, 4.6, 1.4})
	if e.N != 10 || !(math.Abs(e.Mean-1.58) <= 1e-12) || !(math.Abs(e.High-e.Mean-.8798) <= 1e-4) || !(math.Abs(e.Mean-e.Low-.8798) <= 1e-4) {
		t.Errorf("%+v", e)
	}
	if e := Estimated([]float64{3, nan}); e.N != 1 || e.Mean != 3 || !math.IsNaN(e.Low) || !math.IsNaN(e.High) {
		t.Errorf("of one value: %+v", e)
	}
	if e := Estimated([]float64{nan}); e.N != 0 || !math.IsNaN(e.Mean) {
		t.Errorf("of none: %+v", e)
	}
}

// Of 95 in 100 samples the interval holds the mean that they were drawn from.
func TestLawEstimateCovers(t *testing.T) {
	const samples = 2000
	inside := 0
	for s := range samples {
		v := make([]float64, 6)
		random.New(1, uint64(s), 0).Normals(v)
		if e := Estimated(v); e.Low <= 0 && 0 <= e.High {
			inside++
		}
	}
	if share := float64(inside) / samples; !(math.Abs(share-.95) <= 4*math.Sqrt(.95*.05/samples)) {
		t.Errorf("%g of the intervals hold the mean", share)
	}
}
