package measure

import (
	"math"
	"slices"
	"testing"

	"lucigo/interp/random"
)

func normals(n int, seed uint64) []float64 {
	v := make([]float64, n)
	random.New(seed, 0, 0).Normals(v)
	return v
}

func TestMass(t *testing.T) {
	got, err := Mass([]float64{1, -2, 3, -4}, []float64{0, 1, .5, .6}) // a half is not above a half
	if err != nil || got != .6 {
		t.Errorf("got %g, %v, want 0.6", got, err)
	}
	if _, err := Mass([]float64{1}, nil); err == nil {
		t.Error("a mask of another size was taken")
	}
	if got, _ := Mass([]float64{0, 0}, []float64{1, 1}); !math.IsNaN(got) {
		t.Errorf("an empty map has mass %g", got)
	}
}

func TestVariation(t *testing.T) {
	for _, c := range []struct {
		what  string
		m     []float64
		width int
		want  float64
	}{
		{"a flat map", []float64{3, 3, 3, 3, 3, 3}, 3, 0},

		{"a chessboard", []float64{1, 0, 1, 0, 1, 0, 1, 0, 1}, 3, 1 / (5. / 9)},
		{"signs in turn", []float64{1, -1, 1, -1}, 4, 2},
		{"a ramp", []float64{0, 1, 2, 3}, 4, 1 / 1.5},
	} {
		if got, err := Variation(c.m, c.width); err != nil || !(math.Abs(got-c.want) <= 1e-15) {
			t.Errorf("%s: %g, %v, want %g", c.what, got, err, c.want)
		}
	}
	if _, err := Variation(make([]float64, 5), 2); err == nil {
		t.Error("five pixels in rows of two were taken")
	}
}

func TestLawVariation(t *testing.T) {
	m := normals(20*30, 1)
	before, _ := Variation(m, 30)
	scaled, turned := make([]float64, len(m)), make([]float64, len(m))
	for i, v := range m {
		scaled[i] = -7 * v
		turned[i%30*20+i/30] = v
	}
	if after, _ := Variation(scaled, 30); !(math.Abs(after-before) <= 1e-12) {
		t.Errorf("a factor changes it from %g to %g", before, after)
	}
	if after, _ := Variation(turned, 20); !(math.Abs(after-before) <= 1e-12) {
		t.Errorf("transposing changes it from %g to %g", before, after)
	}
}

// Spearman's by its definition without ties, 1 − 6Σd²/(n(n²−1)), the ranks counted one by one.
func TestLawSpearman(t *testing.T) {
	const n = 60
	a, b := normals(n, 1), normals(n, 2)
	rank := func(v []float64, i int) (r float64) {
		for _, w := range v {
			if w < v[i] {
				r++
			}
		}
		return
	}
	var d2 float64
	for i := range a {
		d := rank(a, i) - rank(b, i)
		d2 += d * d
	}
	want := 1 - 6*d2/(n*(n*n-1))
	if got, err := Spearman(a, b); err != nil || !(math.Abs(got-want) <= 1e-12) {
		t.Errorf("got %g, %v, want %g", got, err, want)
	}
	grown := make([]float64, n)
	for i, v := range a {
		grown[i] = math.Exp(3 * v)
	}
	if got, _ := Spearman(a, grown); !(math.Abs(got-1) <= 1e-12) {
		t.Errorf("a growing function of a map correlates %g", got)
	}
	if got := ranks([]float64{5, 1, 5, 0, 5}); !slices.Equal(got, []float64{3, 1, 3, 0, 3}) {
		t.Errorf("ranks with ties: %v", got)
	}
}

// A map that holds a NaN has no correlation, on either side.
func TestCorrelationOfNaN(t *testing.T) {
	a, b := normals(9, 1), normals(9, 2)
	a[4] = math.NaN()
	for _, f := range []func(a, b []float64) (float64, error){Pearson, Spearman} {
		for _, maps := range [][2][]float64{{a, b}, {b, a}, {a, a}} {
			if got, err := f(maps[0], maps[1]); err != nil || !math.IsNaN(got) {
				t.Errorf("with a NaN among them, maps correlate %g, %v", got, err)
			}
		}
	}
}

func TestPearson(t *testing.T) {
	a := normals(50, 3)
	line := make([]float64, len(a))
	for i, v := range a {
		line[i] = 4 - 2*v
	}
	if got, err := Pearson(a, line); err != nil || !(math.Abs(got+1) <= 1e-12) {
		t.Errorf("a falling line correlates %g, %v", got, err)
	}
	if got, _ := Pearson(a, normals(50, 4)); !(math.Abs(got) <= .5) {
		t.Errorf("independent maps correlate %g", got)
	}
	for _, f := range []func(a, b []float64) (float64, error){Pearson, Spearman} {
		if _, err := f(a, a[:3]); err == nil {
			t.Error("maps of different sizes were taken")
		}
	}
}
