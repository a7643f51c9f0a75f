package show

import (
	"math"
	"strings"
	"testing"

	"lucigo/interp/concept"
	"lucigo/interp/measure"
)

// studied is a report of two concepts at two layers: one that is significant, one that is not told from others, one whose P is too large
// and one that is undefined.
func studied() Concepts {
	result := func(score, low, high, p float64, found bool) concept.Result {
		return concept.Result{Score: measure.Estimate{Mean: score, Low: low, High: high, N: 20}, Corrected: p, Found: found}
	}
	random := []float64{.3, .4, .5, .6, .7}
	return Concepts{Title: nasty, Report: concept.Report{Classifier: "logistic(λ=1)", Concepts: []string{"striped", nasty}, Layers: []concept.Layer{
		{Name: "mixed4a", Random: random, Results: []concept.Result{result(.75, .7, .8, .001, true), result(.75, .7, .8, .001, false)}},
		{Name: "mixed5a", Random: random, Results: []concept.Result{result(1, 1, 1, .2, true), {Score: measure.Estimate{Mean: math.NaN()}, Corrected: math.NaN()}}},
	}}}
}

func TestConcepts(t *testing.T) {
	f, err := studied().Figure()
	if err != nil {
		t.Fatal(err)
	}
	plotted(t, f, "concepts", "striped at mixed4a: 0.75 ± 0.05, P 0.001;", "<b> at mixed4a: 0.75 ± 0.05, P 0.001, not told from other images", "<b> at mixed5a: undefined")
}

// A bar is as long as its score is from ½, whichever way.
func TestConceptsHeights(t *testing.T) {
	height := func(score float64) (rows int) {
		c := studied()
		c.Report.Layers = c.Report.Layers[:1]
		c.Report.Layers[0].Results[0].Score = measure.Estimate{Mean: score, N: 1}
		m := c.draw(1200)
		for x := range m.Bounds().Dx() * 3 / 5 {
			n := 0
			for y := range m.Bounds().Dy() {
				if p := at(m, x, y); p[0] == int(hues[0].R) && p[1] == int(hues[0].G) && p[2] == int(hues[0].B) {
					n++
				}
			}
			rows = max(rows, n)
		}
		return rows
	}
	if half, whole, down := height(.7), height(.9), height(.1); half < 50 || math.Abs(float64(whole-2*half)) > 6 || max(down-whole, whole-down) > 2 {
		t.Errorf("bars of .7, .9 and .1 are %d, %d and %d rows high", half, whole, down)
	}
}

// The band leaves out one of forty random sets at either end.
func TestMiddle95(t *testing.T) {
	random := []float64{math.NaN()}
	for k := range 80 {
		random = append(random, float64(k*37%80))
	}
	if low, high := middle95(random); low != 2 || high != 77 {
		t.Errorf("the middle of 0 to 79 is %g to %g, want 2 to 77", low, high)
	}
	if low, high := middle95(random[:1]); low != .5 || high != .5 {
		t.Errorf("the middle of nothing is %g to %g, want ½", low, high)
	}
}

func TestConceptsErrors(t *testing.T) {
	for want, change := range map[string]func(c *Concepts){
		"no results":            func(c *Concepts) { c.Report = concept.Report{} },
		"has 1 results at":      func(c *Concepts) { c.Report.Layers[1].Results = c.Report.Layers[1].Results[:1] },
		"Size is 30":            func(c *Concepts) { c.Size = 30 },
		"must have at most 200": func(c *Concepts) { c.Report.Concepts = make([]string, 101) },
	} {
		c := studied()
		change(&c)
		if _, err := c.Figure(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
