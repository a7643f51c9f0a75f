// Package filter convolves pictures on the host with filters that are the product of one across and the same one down, and enlarges them.
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

// Enlarge writes a grid of fromH×fromW numbers, enlarged to h×w, to dst: bilinearly between the centres of its cells,
// and beyond those of the outermost their own value, as layer.Resize does with layer.Bilinear, and OpenCV and PyTorch
// where corners are not aligned.
func Enlarge(dst []float64, h, w int, grid []float64, fromH, fromW int) {
	type between struct {
		low, high int
		share     float64 // of high
	}
	line := func(from, to int) []between {
		all := make([]between, to)
		for i := range all {
			at := min(max((float64(i)+.5)*float64(from)/float64(to)-.5, 0), float64(from-1))
			low := int(at)
			all[i] = between{low, min(low+1, from-1), at - float64(low)}
		}
		return all
	}
	columns := line(fromW, w)
	row := make([]float64, fromW)
	for i, r := range line(fromH, h) {
		a, b := grid[r.low*fromW:][:fromW], grid[r.high*fromW:][:fromW]
		for j := range row {
			row[j] = a[j] + r.share*(b[j]-a[j])
		}
		for j, c := range columns {
			dst[i*w+j] = row[c.low] + c.share*(row[c.high]-row[c.low])
		}
	}
}
