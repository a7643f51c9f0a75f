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

// Transpose is to Convolve as a matrix to its transpose: the products of any two pictures with what becomes of the other are equal.
func TestTranspose(t *testing.T) {
	const h, w, c = 5, 4, 3
	a, b, weights := make([]float64, h*w*c), make([]float64, h*w*c), Gaussian(1.2, 6) // reaches beyond the other edge
	for i := range a {
		a[i], b[i] = math.Sin(float64(i*i)), math.Cos(float64(3*i*i))
	}
	x, y := slices.Clone(a), slices.Clone(b)
	Convolve(x, h, w, c, weights)
	Transpose(y, h, w, c, weights)
	var left, right float64
	for i := range a {
		left, right = left+x[i]*b[i], right+a[i]*y[i]
	}
	if !(math.Abs(left-right) <= 1e-12) {
		t.Errorf("%g and %g", left, right)
	}
}

// JPEG of quality 100 leaves a smooth picture within 3/255, of quality 10 less so; other channels are an error.
func TestJPEG(t *testing.T) {
	for _, channels := range []int{1, 3} {
		var off [2]float64
		for k, quality := range []int{100, 10} {
			picture := make([]float64, 16*24*channels)
			for i := range picture {
				picture[i] = .5 + .4*math.Sin(float64(i/channels%24)/4)
			}
			was := slices.Clone(picture)
			if err := JPEG(picture, 16, 24, channels, quality); err != nil {
				t.Fatal(err)
			}
			for i, v := range picture {
				off[k] = max(off[k], math.Abs(v-was[i]))
			}
		}
		if off[0] > 3./255 || off[1] < 2*off[0] {
			t.Errorf("%d channels: off by %g at quality 100 and %g at 10", channels, off[0], off[1])
		}
	}
	if err := JPEG(make([]float64, 8), 2, 2, 2, 50); err == nil {
		t.Error("two channels are no error")
	}
}
