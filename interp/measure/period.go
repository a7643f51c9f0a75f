package measure

import (
	"fmt"
	"math"

	"lucigo/internal/fourier"
)

// Period is how large the pattern of a picture of the given width is, in pixels: the period of its mean
// frequency, each frequency of its Fourier transform counting by the energy there. A grating has its own
// period, white noise about 2.6. The mean of the picture has no part in it, and a Hann window hides that
// opposite edges do not fit together. A flat picture has no period, NaN.
func Period(m []float64, width int) (float64, error) {
	if width < 1 || len(m)%width != 0 || len(m) == 0 {
		return 0, fmt.Errorf("a picture of %d pixels has no width %d", len(m), width)
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
	plane := make([]complex128, len(m))
	size := 0.0
	for i, v := range m {
		plane[i] = complex(window[i]*(v-mean), 0)
		size = max(size, math.Abs(v))
	}
	fourier.Transform(plane, width)
	var energy, frequencies float64
	for i, v := range plane {
		e := real(v)*real(v) + imag(v)*imag(v)
		energy += e
		frequencies += e * math.Hypot(fourier.Frequency(i%width, width), fourier.Frequency(i/width, height))
	}
	if energy <= 1e-24*size*size*weights*weights { // rounding
		return math.NaN(), nil
	}
	return energy / frequencies, nil
}
