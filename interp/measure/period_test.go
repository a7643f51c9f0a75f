package measure

import (
	"math"
	"testing"

	"lucigo/interp/random"
)

func period(t *testing.T, m []float64, width int) float64 {
	t.Helper()
	p, err := Period(m, width)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A grating has the period at which it is drawn, whatever its direction, contrast and phase, and whether or
// not it fits the picture.
func TestLawPeriodOfGratings(t *testing.T) {
	const height, width = 96, 80
	for _, want := range []float64{3, 4.7, 8, 11.3, 16} {
		for _, angle := range []float64{0, .4, math.Pi / 2, 2.5} {
			m := make([]float64, height*width)
			for i := range m {
				x, y := float64(i%width), float64(i/width)
				m[i] = .5 + .3*math.Sin(2*math.Pi*(x*math.Cos(angle)+y*math.Sin(angle))/want+angle)
			}
			if got := period(t, m, width); !(math.Abs(got/want-1) <= .05) {
				t.Errorf("period %g at angle %g: %g", want, angle, got)
			}
		}
	}
}

// Frequencies count by their energy: a grating of twice the strength counts four times.
func TestPeriodOfTwoGratings(t *testing.T) {
	const n = 128
	m := make([]float64, n*n)
	for i := range m {
		m[i] = math.Sin(2*math.Pi*float64(i%n)/4) + 2*math.Sin(2*math.Pi*float64(i/n)/16)
	}
	if got, want := period(t, m, n), 5/(1./4+4./16); !(math.Abs(got/want-1) <= .01) {
		t.Errorf("period %g, want %g", got, want)
	}
}

// White noise has energy at all frequencies alike: its mean frequency is that of the square of frequencies.
func TestLawPeriodOfNoise(t *testing.T) {
	m := make([]float64, 128*128)
	random.New(5, 0, 0).Normals(m)
	mean := 0.0
	for y := range 1000 {
		for x := range 1000 {
			mean += math.Hypot((float64(x)+.5)/2000, (float64(y)+.5)/2000) / 1e6
		}
	}
	if got := period(t, m, 128); !(math.Abs(got*mean-1) <= .02) || !(math.Abs(1/mean-2.6) <= .05) {
		t.Errorf("white noise has period %g, want %g", got, 1/mean)
	}
}

// A pattern drawn twice as large has twice the period; brighter, stronger and turned by a quarter, it has
// the same.
func TestLawPeriodScales(t *testing.T) {
	pattern := func(n int, scale float64) []float64 {
		m := make([]float64, n*n)
		for k := range 6 {
			along, across := math.Sincos(float64(k))
			for i := range m {
				x, y := float64(i%n)/scale, float64(i/n)/scale
				m[i] += math.Sin((x*along + y*across) * (.4 + .1*float64(k)))
			}
		}
		return m
	}
	const n = 64
	m := pattern(n, 1)
	one := period(t, m, n)
	other, turned := make([]float64, n*n), make([]float64, n*n)
	for i, v := range m {
		other[i] = 7 - 3*v
		turned[i%n*n+i/n] = v
	}
	for name, got := range map[string]float64{
		"brighter and stronger": period(t, other, n), "turned": period(t, turned, n), "half of twice as large": period(t, pattern(2*n, 2), 2*n) / 2,
	} {
		if !(math.Abs(got/one-1) <= 1e-3) {
			t.Errorf("%s: %g, was %g", name, got, one)
		}
	}
}

func TestPeriodOfFlatPictures(t *testing.T) {
	flat := make([]float64, 12*10)
	for _, v := range []float64{0, .3, -1e6} {
		for i := range flat {
			flat[i] = v
		}
		if got := period(t, flat, 12); !math.IsNaN(got) {
			t.Errorf("a picture of %g everywhere has period %g", v, got)
		}
	}
	if _, err := Period(flat, 7); err == nil {
		t.Error("120 pixels in rows of 7")
	}
	for _, bad := range []int{0, -1} {
		if _, err := Period(flat, bad); err == nil {
			t.Errorf("width %d", bad)
		}
	}
	if _, err := Period(nil, 3); err == nil {
		t.Error("no pixels")
	}
}
