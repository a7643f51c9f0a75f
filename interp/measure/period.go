package measure

import (
	"fmt"
	"math"
	"math/cmplx"
)

// Period is how large the pattern of a picture of the given width is, in pixels: the period of its mean
// frequency, each frequency of its Fourier transform counting by the energy there. A grating has its own
// period, white noise about 2.6. The mean of the picture has no part in it, and a Hann window hides that
// opposite edges do not fit together. A flat picture has no period, NaN.
func Period(m []float64, width int) (float64, error) {
	if width < 1 || len(m)%width != 0 || len(m) == 0 {
		return 0, fmt.Errorf("measure: a picture has %d pixels, must have whole rows of width %d", len(m), width)
	}
	height := len(m) / width
	hann := func(i, n int) float64 { return 1 - math.Cos(2*math.Pi*(float64(i)+.5)/float64(n)) }
	mean, weights := 0.0, 0.0
	window := make([]float64, len(m))
	for i, v := range m {
		window[i] = hann(i%width, width) * hann(i/width, height)
		mean += window[i] * v
		weights += window[i]
	}
	mean /= weights
	size := 0.0
	for i, v := range m {
		window[i] *= v - mean
		size = max(size, math.Abs(v))
	}
	var energy, frequencies float64
	for f, e := range spectrum(window, width) {
		energy += e
		frequencies += e * cmplx.Abs(f)
	}
	if energy <= 1e-24*size*size*weights*weights { // rounding
		return math.NaN(), nil
	}
	return energy / frequencies, nil
}
