// Package superpixel cuts images into connected pieces of like colour: of about one size (SLIC), or as large as what they show
// (Felzenszwalb).
package superpixel

import (
	"cmp"
	"errors"
	"fmt"
	"math"
)

// SLIC clusters pixels by colour and place: Achanta et al., "SLIC Superpixels Compared to State-of-the-art Superpixel
// Methods", IEEE TPAMI 2012, section 3. Equal images are cut equally. The number of pieces is about Count, and no more
// than the image has pixels.
//
// Where it differs: a centre begins at the middle of its cell of the grid, and is not moved to where the gradient is
// least; an image of other than 3 channels is taken as it is, and not as sRGB; a piece that is not connected keeps its
// largest part, and the others go to a neighbour, as do those smaller than a quarter of a cell.
type SLIC struct {
	Count       int     // about how many pieces; 0 is 50
	Compactness float64 // how many units of CIELAB weigh as much as the distance of two centres; 0 is 10
	Iterations  int     // of the clustering; 0 is 10
}

// String names the method and its parameters.
func (s SLIC) String() string {
	s = s.defaults()
	return fmt.Sprintf("SLIC(count=%d, compactness=%g, iterations=%d)", s.Count, s.Compactness, s.Iterations)
}

func (s SLIC) defaults() SLIC {
	return SLIC{cmp.Or(s.Count, 50), cmp.Or(s.Compactness, 10), cmp.Or(s.Iterations, 10)}
}

// Cut returns for each pixel, row by row, which piece it belongs to, and how many there are: all of 0 to n−1 occur, in
// the order of their first pixels. Channel c of pixel p is pix[p·channels + c], in [0, 1]; three channels are red, green,
// blue in sRGB.
func (s SLIC) Cut(pix []float64, height, width, channels int) (labels []int, n int, err error) {
	s = s.defaults()
	switch err := check(pix, height, width, channels); {
	case err != nil:
		return nil, 0, err
	case s.Count < 1:
		return nil, 0, fmt.Errorf("superpixel: Count is %d, must be at least 1, or 0 for 50", s.Count)
	case !(s.Compactness > 0 && s.Compactness <= math.MaxFloat64):
		return nil, 0, fmt.Errorf("superpixel: Compactness is %g, must be above 0 and finite, or 0 for 10", s.Compactness)
	case s.Iterations < 1:
		return nil, 0, fmt.Errorf("superpixel: Iterations is %d, must be at least 1, or 0 for 10", s.Iterations)
	}
	if channels == 3 {
		pix = lab(pix)
	}
	im := image{pix, height, width, channels}
	rows, columns := grid(min(s.Count, height*width), height, width)
	labels = im.cluster(rows, columns, s)
	return join(labels, height, width, height*width/(4*rows*columns))
}

// check returns an error where pix is no image of that size.
func check(pix []float64, height, width, channels int) error {
	if min(height, width, channels) < 1 || len(pix) != height*width*channels {
		return fmt.Errorf("superpixel: an image of %d×%d×%d has %d numbers", height, width, channels, len(pix))
	}
	for _, v := range pix {
		if math.IsNaN(v - v) {
			return errors.New("superpixel: a number of the image is not finite")
		}
	}
	return nil
}

type image struct {
	pix                     []float64
	height, width, channels int
}

// grid returns the rows and columns of cells, about square, that are about n together.
func grid(n, height, width int) (rows, columns int) {
	rows = min(max(int(math.Round(math.Sqrt(float64(n)*float64(height)/float64(width)))), 1), height)
	columns = min(max(int(math.Round(float64(n)/float64(rows))), 1), width)
	return min(max(int(math.Round(float64(n)/float64(columns))), 1), height), columns // where the other is bounded
}

// cluster returns which of rows×columns centres each pixel is nearest to, of those whose cells of twice the size hold it.
func (im image) cluster(rows, columns int, s SLIC) []int {
	high, wide := float64(im.height)/float64(rows), float64(im.width)/float64(columns)
	size := im.channels + 2 // a centre is a colour, a row and a column
	centres, sums := make([]float64, rows*columns*size), make([]float64, rows*columns*(size+1))
	for k := range rows * columns {
		centre := centres[k*size:][:size]
		y, x := (float64(k/columns)+.5)*high-.5, (float64(k%columns)+.5)*wide-.5
		copy(centre, im.pix[(int(y+.5)*im.width+int(x+.5))*im.channels:][:im.channels])
		centre[size-2], centre[size-1] = y, x
	}
	weight := s.Compactness * s.Compactness / (high * wide) // of a squared distance in pixels
	labels, nearest := make([]int, im.height*im.width), make([]float64, im.height*im.width)
	for range s.Iterations {
		for p := range nearest {
			nearest[p] = math.Inf(1)
		}
		for k := range rows * columns {
			centre := centres[k*size:][:size]
			y, x := centre[size-2], centre[size-1]
			for row := max(int(math.Ceil(y-high)), 0); row <= min(int(y+high), im.height-1); row++ {
				for column := max(int(math.Ceil(x-wide)), 0); column <= min(int(x+wide), im.width-1); column++ {
					p := row*im.width + column
					d := weight * ((float64(row)-y)*(float64(row)-y) + (float64(column)-x)*(float64(column)-x))
					for c, v := range im.pix[p*im.channels:][:im.channels] {
						d += (v - centre[c]) * (v - centre[c])
					}
					if d < nearest[p] {
						nearest[p], labels[p] = d, k
					}
				}
			}
		}
		clear(sums)
		for p, k := range labels {
			sum := sums[k*(size+1):][:size+1]
			for c, v := range im.pix[p*im.channels:][:im.channels] {
				sum[c] += v
			}
			sum[size-2] += float64(p / im.width)
			sum[size-1] += float64(p % im.width)
			sum[size]++
		}
		for k := range rows * columns {
			if sum := sums[k*(size+1):][:size+1]; sum[size] > 0 {
				for c := range size {
					centres[k*size+c] = sum[c] / sum[size]
				}
			}
		}
	}
	return labels
}

// join makes pieces connected, by 4 neighbours, and gives those of fewer than least pixels to a neighbour, so that all
// are numbered anew, in the order of their first pixels.
func join(labels []int, height, width, least int) (joined []int, n int, err error) {
	joined = make([]int, len(labels))
	for p := range joined {
		joined[p] = -1
	}
	largest := map[int]int{} // of each label: how many pixels its largest part has
	parts := func(visit func(part []int)) {
		seen := make([]bool, len(labels))
		for first := range labels {
			if seen[first] {
				continue
			}
			seen[first] = true
			part := []int{first}
			for i := 0; i < len(part); i++ {
				around(part[i], height, width, func(q int) {
					if !seen[q] && labels[q] == labels[first] {
						seen[q] = true
						part = append(part, q)
					}
				})
			}
			visit(part)
		}
	}
	parts(func(part []int) { largest[labels[part[0]]] = max(largest[labels[part[0]]], len(part)) })
	kept := map[int]bool{}
	parts(func(part []int) {
		k := labels[part[0]]
		if len(part) == largest[k] && !kept[k] && len(part) >= least {
			kept[k] = true
			for _, p := range part {
				joined[p] = k
			}
		}
	})
	if len(kept) == 0 { // no part is as large as that
		return make([]int, len(labels)), 1, nil
	}
	var edge []int // what has a label, and may have neighbours that have none
	for p, k := range joined {
		if k >= 0 {
			edge = append(edge, p)
		}
	}
	for i := 0; i < len(edge); i++ {
		around(edge[i], height, width, func(q int) {
			if joined[q] < 0 {
				joined[q] = joined[edge[i]]
				edge = append(edge, q)
			}
		})
	}
	return joined, number(joined), nil
}

// number gives labels the numbers from 0 up, in the order of their first pixels, and returns how many there are.
func number(labels []int) int {
	to := map[int]int{}
	for p, k := range labels {
		if _, ok := to[k]; !ok {
			to[k] = len(to)
		}
		labels[p] = to[k]
	}
	return len(to)
}

// around calls f with the pixels above, left of, right of and below p.
func around(p, height, width int, f func(q int)) {
	if p >= width {
		f(p - width)
	}
	if p%width > 0 {
		f(p - 1)
	}
	if p%width < width-1 {
		f(p + 1)
	}
	if p/width < height-1 {
		f(p + width)
	}
}

// lab returns sRGB colours in CIELAB, white point D65.
func lab(pix []float64) []float64 {
	out := make([]float64, len(pix))
	for p := 0; p < len(pix); p += 3 {
		var l [3]float64
		for c, v := range pix[p : p+3] {
			if l[c] = v / 12.92; v > .04045 {
				l[c] = math.Pow((v+.055)/1.055, 2.4)
			}
		}
		f := func(r, g, b float64) float64 {
			if t := r*l[0] + g*l[1] + b*l[2]; t > 216./24389 {
				return math.Cbrt(t)
			} else {
				return (24389./27*t + 16) / 116
			}
		}
		x := f(.4124564/.95047, .3575761/.95047, .1804375/.95047)
		y := f(.2126729, .7151522, .0721750)
		z := f(.0193339/1.08883, .1191920/1.08883, .9503041/1.08883)
		out[p], out[p+1], out[p+2] = 116*y-16, 500*(x-y), 200*(y-z)
	}
	return out
}
