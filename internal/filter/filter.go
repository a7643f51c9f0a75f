// Package filter convolves pictures on the host with filters that are the product of one across and the same one down.
package filter

import "math"

// Gaussian returns the weights of a Gaussian of the given standard deviation, in pixels, up to reach pixels from its middle.
// They sum up to 1. Of deviation 0 all of it is in the middle.
func Gaussian(deviation float64, reach int) []float64 {
	weights, sum := make([]float64, 2*reach+1), 0.0
	for i := range weights {
		weights[i] = 1
		if i != reach {
			d := float64(i-reach) / deviation
			weights[i] = math.Exp(-d * d / 2)
		}
		sum += weights[i]
	}
	for i := range weights {
		weights[i] /= sum
	}
	return weights
}

// Convolve convolves a picture, given row by row with the channels of a pixel together, with an odd number of symmetric weights
// down, and then across. Outside, the pixels of the edge go on.
func Convolve(picture []float64, height, width, channels int, weights []float64) {
	along(picture, height, width*channels, weights)
	for row := range height {
		along(picture[row*width*channels:][:width*channels], width, channels, weights)
	}
}

// along convolves a sequence of n things, each of so many numbers.
func along(things []float64, n, numbers int, weights []float64) {
	reach := len(weights) / 2
	wide := make([]float64, (n+2*reach)*numbers)
	for i := range n + 2*reach {
		from := min(max(i-reach, 0), n-1)
		copy(wide[i*numbers:], things[from*numbers:][:numbers])
	}
	clear(things)
	for i, weight := range weights {
		for k, v := range wide[i*numbers:][:len(things)] {
			things[k] += weight * v
		}
	}
}
