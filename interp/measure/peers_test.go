package measure

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"
)

// peer returns a number, or numbers, that testdata/peers/measures.py wrote: of scikit-image and others.
func peer[T any](t *testing.T, name string) (v T) {
	t.Helper()
	text, err := os.ReadFile("testdata/peers.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(all[name], &v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// wave is the same in testdata/peers/measures.py.
func wave(n int, a, b float64) []float64 {
	m := make([]float64, n)
	for i := range m {
		x := float64(i)
		m[i] = math.Sin(a*x) + .5*math.Sin(b*x*x)
	}
	return m
}

// Measures of maps are those of scikit-image, scikit-learn and scipy, to 10⁻⁷: scikit-image sums up the cells of HOG in float32.
func TestOracleMaps(t *testing.T) {
	const h, w = 50, 70
	a, b, mask, ties := wave(h*w, .031, .0007), wave(h*w, .17, .002), wave(h*w, .0021, 0), make([]float64, h*w)
	for i, v := range a {
		b[i] += v
		ties[i] = math.RoundToEven(3 * v)
		if mask[i] > .6 {
			mask[i] = 1
		} else {
			mask[i] = 0
		}
	}
	check := func(name string, got float64, err error) {
		t.Helper()
		if want := peer[float64](t, name); err != nil || !(math.Abs(got-want) <= 1e-7) {
			t.Errorf("%s: %.9g, %v, want %.9g", name, got, err, want)
		}
	}
	for name, s := range map[string]SSIM{
		"ssim": {}, "ssim 7": {Window: 7}, "ssim gaussian 2": {Sigma: 1.5, Unit: true, Range: 2},
		"ssim gaussian 1": {Sigma: 1.5, Unit: true}, "ssim gaussian wide": {Sigma: 2.5, Unit: true},
	} {
		got, err := s.Of(a, b, w)
		check(name, got, err)
	}
	for _, o := range []HOG{{}, {Orientations: 6, Cell: 10, Block: 2}, {Block: 1}} {
		d := o.defaults()
		name := fmt.Sprintf("hog %d %d %d", d.Orientations, d.Cell, d.Block)
		got, err := o.Of(a, b, w)
		check(name, got, err)
		f, err := o.Features(a, w)
		for i, want := range peer[[]float64](t, name+" features") {
			if err != nil || !(math.Abs(f[i]-want) <= 1e-7) {
				t.Fatalf("%s: feature %d is %g, %v, want %g", name, i, f[i], err, want)
			}
		}
	}
	check("gini", Gini(a), nil)
	check("entropy", Entropy(a), nil)
	for name, m := range map[string][]float64{"auroc": a, "auroc of ties": ties} {
		got, err := AUROC(m, mask)
		check(name, got, err)
	}
}
