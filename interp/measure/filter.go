package measure

import (
	"fmt"
	"iter"
	"math"
	"math/cmplx"

	"lucigo/internal/fourier"
)

// Orientation is how far the spectrum of a filter lies along one direction, in [0, 1]: the length of the
// mean of e^{2iθ} over the frequencies of its 2-D Fourier transform, θ being a frequency's direction and its
// weight the energy there, in all channels together; frequency 0, the mean, is left out. A grating has 1,
// what looks the same after a quarter turn 0, noise not quite 0, the less the larger it is. (Bigün and
// Granlund, ICCV 1987, whose structure tensor gives high frequencies more weight.)
//
// The filter is given row by row, its channels together, as in interp.Maps. A flat one has no orientation,
// NaN.
func Orientation(f []float64, width, channels int) (float64, error) {
	if width < 1 || channels < 1 || len(f) == 0 || len(f)%(width*channels) != 0 {
		return 0, fmt.Errorf("measure: a filter has %d numbers, must have whole rows of width %d and %d channels", len(f), width, channels)
	}
	height := len(f) / (width * channels)
	var along complex128
	var energy, still float64
	for c := range channels {
		plane := make([]float64, height*width)
		for i := range plane {
			plane[i] = f[i*channels+c]
		}
		for z, e := range spectrum(plane, width) {
			switch x, y := real(z), imag(z); {
			case z == 0:
				still += e
				continue
			case x != .5 || y != .5: // except the chessboard, which is along both diagonals
				along += complex(e/(x*x+y*y), 0) * z * z
			}
			energy += e
		}
	}
	if energy <= 1e-24*still { // rounding
		return math.NaN(), nil
	}
	return cmplx.Abs(along) / energy, nil
}

// spectrum yields the frequencies of a picture, as x + iy in cycles a pixel, with the energy there.
func spectrum(m []float64, width int) iter.Seq2[complex128, float64] {
	plane := make([]complex128, len(m))
	for i, v := range m {
		plane[i] = complex(v, 0)
	}
	fourier.Transform(plane, width)
	return func(yield func(complex128, float64) bool) {
		for i, v := range plane {
			f := complex(fourier.Frequency(i%width, width), fourier.Frequency(i/width, len(m)/width))
			if !yield(f, real(v)*real(v)+imag(v)*imag(v)) {
				return
			}
		}
	}
}

// Chroma is the share of a filter's energy that is not grey, in [0, 1]: of each pixel's red, green and blue
// the part at right angles to the grey axis. It is 0 where the three are equal and 1 where they add up to
// nothing, as red against cyan do; noise that is independent in the three has about ⅔. A filter of zeros has
// NaN.
func Chroma(f []float64) (float64, error) {
	if len(f) == 0 || len(f)%3 != 0 {
		return 0, fmt.Errorf("measure: a filter has %d numbers, must have red, green and blue", len(f))
	}
	var grey, all float64
	for i := 0; i < len(f); i += 3 {
		sum := f[i] + f[i+1] + f[i+2]
		grey += sum * sum / 3
		all += f[i]*f[i] + f[i+1]*f[i+1] + f[i+2]*f[i+2]
	}
	return max(0, 1-grey/all), nil
}

// Purity is the share of things that are of the most common kind, in (0, 1], as of a cluster (Manning,
// Raghavan and Schütze, "Introduction to Information Retrieval", 2008, section 16.3). Of n things it is
// never less than 1/n, so it is compared with that of as many random ones. Of nothing it is NaN.
func Purity[T comparable](kinds []T) float64 {
	count, most := map[T]int{}, 0
	for _, k := range kinds {
		count[k]++
		most = max(most, count[k])
	}
	return float64(most) / float64(len(kinds))
}
