// Package filter changes pictures on the host: it convolves them with filters that are the product of one across and the same one
// down, enlarges them, and compresses them.
package filter

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
)

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

// Transpose is the derivative of Convolve: it takes that of a score by each number of the result to that by each of the picture.
func Transpose(picture []float64, height, width, channels int, weights []float64) {
	for row := range height {
		back(picture[row*width*channels:][:width*channels], width, channels, weights)
	}
	back(picture, height, width*channels, weights)
}

// back is the derivative of along: what is outside belongs to the edges.
func back(things []float64, n, numbers int, weights []float64) {
	reach := len(weights) / 2
	wide := make([]float64, (n+2*reach)*numbers)
	for i, weight := range weights {
		into := wide[i*numbers:][:len(things)]
		for k, v := range things {
			into[k] += weight * v
		}
	}
	copy(things, wide[reach*numbers:])
	for i := range reach {
		first, last := wide[i*numbers:][:numbers], wide[(n+reach+i)*numbers:][:numbers]
		for j := range numbers {
			things[j] += first[j]
			things[(n-1)*numbers+j] += last[j]
		}
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

// JPEG makes of a picture in [0, 1], of 1 or 3 channels, what is left of it after JPEG of the given quality, 1 to 100.
func JPEG(picture []float64, height, width, channels, quality int) error {
	if channels != 1 && channels != 3 {
		return fmt.Errorf("a picture has %d channels, and JPEG takes 1 or 3", channels)
	}
	value := func(p, c int) uint8 { return uint8(min(max(picture[p*channels+c], 0), 1)*255 + .5) }
	bounds := image.Rect(0, 0, width, height)
	grey, colour := image.NewGray(bounds), image.NewRGBA(bounds)
	before := image.Image(colour)
	if channels == 1 {
		before = grey
	}
	for p := range height * width {
		if channels == 1 {
			grey.Pix[p] = value(p, 0)
			continue
		}
		colour.SetRGBA(p%width, p/width, color.RGBA{value(p, 0), value(p, 1), value(p, 2), 255})
	}
	var file bytes.Buffer
	if err := jpeg.Encode(&file, before, &jpeg.Options{Quality: quality}); err != nil {
		return err
	}
	back, err := jpeg.Decode(&file)
	if err != nil {
		return err
	}
	for p := range height * width {
		c := color.RGBAModel.Convert(back.At(p%width, p/width)).(color.RGBA)
		for k, v := range []uint8{c.R, c.G, c.B}[:channels] {
			picture[p*channels+k] = float64(v) / 255
		}
	}
	return nil
}
