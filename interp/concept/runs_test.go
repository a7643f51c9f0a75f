package concept

import (
	"math"
	"testing"
)

// The mean of k scores is spread as theory says: their deviation divided by √k.
func TestLawRuns(t *testing.T) {
	var r Result
	for k := range 40 {
		r.Scores = append(r.Scores, float64(k%2)) // the deviation is ½
	}
	r.Scores = append(r.Scores, math.NaN())
	runs := r.Runs(1)
	if len(runs) != 40 {
		t.Fatalf("%d runs of 40 scores that are defined", len(runs))
	}
	for _, k := range []int{10, 25, 40} {
		e := runs[k-1]
		if want := 2 * 1.96 * .5 / math.Sqrt(float64(k)); e.N != k || e.Mean != .5 || !(math.Abs(e.High-e.Low-want) <= .25*want) || !(e.Low < .5 && .5 < e.High) {
			t.Errorf("%d runs: %+v, want an interval of about %.2f", k, e, want)
		}
	}
	if again := r.Runs(1); again[7] != runs[7] {
		t.Errorf("equal seeds give %+v and %+v", runs[7], again[7])
	}
	for _, e := range (Result{Scores: []float64{.7, .7, .7}}).Runs(1) {
		if !(math.Abs(e.Low-.7) <= 1e-12) || !(math.Abs(e.High-.7) <= 1e-12) {
			t.Errorf("of equal scores: %+v", e)
		}
	}
	if got := (Result{Scores: []float64{math.NaN()}}).Runs(1); got != nil {
		t.Errorf("of no scores: %v", got)
	}
}
