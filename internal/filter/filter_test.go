package filter

import (
	"math"
	"slices"
	"testing"
)

// Against the double sum of the definition, at the edges too.
func TestConvolve(t *testing.T) {
	const h, w, c = 5, 7, 3
	weights := []float64{.1, .2, .4, .2, .1}
	picture := make([]float64, h*w*c)
	for i := range picture {
		picture[i] = math.Sin(float64(i * i))
	}
	got := slices.Clone(picture)
	Convolve(got, h, w, c, weights)
	for i := range got {
		want := 0.0
		for dy, a := range weights {
			for dx, b := range weights {
				y, x := min(max(i/c/w+dy-2, 0), h-1), min(max(i/c%w+dx-2, 0), w-1)
				want += a * b * picture[(y*w+x)*c+i%c]
			}
		}
		if !(math.Abs(got[i]-want) <= 1e-15) {
			t.Fatalf("number %d is %g, want %g", i, got[i], want)
		}
	}
}

// The weights sum up to 1, and fall as a Gaussian does.
func TestGaussian(t *testing.T) {
	g, sum := Gaussian(1.5, 5), 0.0
	for i, v := range g {
		sum += v
		if d := float64(i - 5); !(math.Abs(v/g[5]-math.Exp(-d*d/4.5)) <= 1e-15) {
			t.Errorf("%g pixels from the middle %g, and there %g", d, v, g[5])
		}
	}
	if len(g) != 11 || !(math.Abs(sum-1) <= 1e-15) {
		t.Errorf("%d weights sum up to %g", len(g), sum)
	}
}

// Of deviation 0 nothing is outside the middle.
func TestGaussianOfNothing(t *testing.T) {
	if got := Gaussian(0, 2); !slices.Equal(got, []float64{0, 0, 1, 0, 0}) {
		t.Errorf("weights %v", got)
	}
}
