package defence

import (
	"cmp"
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
)

// JPEG compresses the image and opens it again: Guo et al., arXiv:1711.00117, section 4; Dziugaite et al., arXiv:1608.00853. The image, of one
// channel or of three, is rounded to 8 bits; colours become luminance and, at half the resolution, chrominance (4:2:0); of each block of
// 8×8 the cosine transform is rounded to multiples of the standard's example tables (ITU T.81, annex K), scaled for the quality as the
// Independent JPEG Group does. Known passes the gradient through each rounding as if it were not there; that of the rest, which loses
// colours between pixels, is exact.
type JPEG struct {
	Quality int // from 1 to 100; 0 is 75
}

// String names the parameters.
func (d JPEG) String() string { return fmt.Sprintf("JPEG(quality=%d)", cmp.Or(d.Quality, 75)) }

func (d JPEG) check(m *interp.Model) error {
	if d.Quality < 0 || d.Quality > 100 {
		return fmt.Errorf("defence: JPEG.Quality is %d, must be from 1 to 100, or 0 for 75", d.Quality)
	}
	if m == nil {
		return nil
	}
	if _, _, c := m.Input(); c != 1 && c != 3 {
		return fmt.Errorf("defence: %s: %s takes images of %d channels, must take 1 or 3", d, m, c)
	}
	return nil
}

// Of implements Defence.
func (d JPEG) Of(m *interp.Model) (*interp.Model, error) {
	if err := d.check(m); err != nil {
		return nil, err
	}
	return before(d, m, func(x *graph.Node) *graph.Node { return graph.StopGradient(d.compressed(x, graph.Round)) })
}

// Known implements Defence.
func (d JPEG) Known(m *interp.Model) (*interp.Model, error) {
	if err := d.check(m); err != nil {
		return nil, err
	}
	return before(d, m, func(x *graph.Node) *graph.Node {
		return d.compressed(x, func(x *graph.Node) *graph.Node { return straight(x, graph.Round(x)) })
	})
}

// The rows of colour's first matrix are the luminance and the chrominances of red, green and blue, those of the second red, green and blue.
var (
	toYCC = [3][3]float64{{.299, .587, .114}, {-.168736, -.331264, .5}, {.5, -.418688, -.081312}}
	toRGB = [3][3]float64{{1, 0, 1.402}, {1, -.344136, -.714136}, {1, 1.772, 0}}
)

// compressed returns what is left of images [N, H, W, C].
func (d JPEG) compressed(x *graph.Node, round func(x *graph.Node) *graph.Node) *graph.Node {
	h, w := x.Shape().Dim(1), x.Shape().Dim(2)
	bytes := func(x *graph.Node) *graph.Node { return graph.ClipScalar(round(x), 0, 255) }
	signed := func(x *graph.Node) *graph.Node { return graph.ClipScalar(round(x), -128, 127) }
	v := bytes(graph.MulScalar(x, 255))
	if x.Shape().Dim(3) == 1 {
		y := d.blocks(edged(graph.AddScalar(v, -128), 8), luminance, round)
		return graph.DivScalar(cropped(bytes(graph.AddScalar(y, 128)), h, w), 255)
	}
	v = edged(round(colours(v, toYCC)), 16)
	channel := func(c int) *graph.Node { return graph.SliceAxis(v, 3, graph.AxisRange(c, c+1)) }
	parts := []*graph.Node{d.blocks(signed(graph.AddScalar(channel(0), -128)), luminance, round)}
	for c := 1; c <= 2; c++ { // means of four whole numbers, of which a half is rounded up
		half := d.blocks(signed(graph.AddScalar(halved(channel(c)), .125)), chrominance, round)
		parts = append(parts, doubled(signed(half)))
	}
	parts[0] = graph.AddScalar(signed(parts[0]), 128)
	v = bytes(colours(graph.Concatenate(parts, 3), toRGB))
	return graph.DivScalar(cropped(v, h, w), 255)
}

// colours multiplies each pixel with a matrix.
func colours(x *graph.Node, m [3][3]float64) *graph.Node {
	return graph.Einsum("nhwc,dc->nhwd", x, graph.ConstAsDType(x.Graph(), x.DType(), m[:]))
}

// edged repeats the last rows and columns, so that the sides are multiples of a number.
func edged(x *graph.Node, multiple int) *graph.Node {
	for axis := 1; axis <= 2; axis++ {
		size := x.Shape().Dim(axis)
		if more := (multiple - size%multiple) % multiple; more > 0 {
			last := graph.SliceAxis(x, axis, graph.AxisRange(size-1, size))
			dims := append([]int{}, x.Shape().Dimensions...)
			dims[axis] = more
			x = graph.Concatenate([]*graph.Node{x, graph.BroadcastToDims(last, dims...)}, axis)
		}
	}
	return x
}

// cropped cuts off what edged has added.
func cropped(x *graph.Node, h, w int) *graph.Node {
	return graph.SliceAxis(graph.SliceAxis(x, 1, graph.AxisRange(0, h)), 2, graph.AxisRange(0, w))
}

// halved takes means of 2×2 pixels of one channel, and doubled repeats them.
func halved(x *graph.Node) *graph.Node {
	n, h, w := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2)
	return graph.Reshape(graph.ReduceMean(graph.Reshape(x, n, h/2, 2, w/2, 2), 2, 4), n, h/2, w/2, 1)
}

func doubled(x *graph.Node) *graph.Node {
	n, h, w := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2)
	return graph.Reshape(graph.BroadcastToDims(graph.Reshape(x, n, h, 1, w, 1), n, h, 2, w, 2), n, 2*h, 2*w, 1)
}

// blocks rounds the cosine transform of each block of one channel, [N, H, W, 1], to multiples of a table's numbers.
func (d JPEG) blocks(x *graph.Node, table [64]int, round func(x *graph.Node) *graph.Node) *graph.Node {
	n, h, w := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2)
	g := x.Graph()
	var cosines [8][8]float64 // orthonormal: its transpose is its inverse
	for k := range 8 {
		for i := range 8 {
			cosines[k][i] = math.Cos(float64(2*i+1)*float64(k)*math.Pi/16) / 2
			if k == 0 {
				cosines[k][i] /= math.Sqrt2
			}
		}
	}
	t := graph.ConstAsDType(g, x.DType(), cosines[:])
	steps := graph.Reshape(graph.ConstAsDType(g, x.DType(), d.scaled(table)), 1, 1, 8, 1, 8)
	b := graph.Reshape(x, n, h/8, 8, w/8, 8)
	b = graph.Einsum("nhiwj,ki->nhkwj", b, t)
	b = graph.Einsum("nhkwj,lj->nhkwl", b, t)
	b = graph.Mul(round(graph.Div(b, steps)), steps)
	b = graph.Einsum("nhkwl,ki->nhiwl", b, t)
	b = graph.Einsum("nhiwl,lj->nhiwj", b, t)
	return graph.Reshape(b, n, h, w, 1)
}

// scaled returns a table for the quality.
func (d JPEG) scaled(table [64]int) []float64 {
	q := cmp.Or(d.Quality, 75)
	percent := 200 - 2*q
	if q < 50 {
		percent = 5000 / q
	}
	steps := make([]float64, 64)
	for i, v := range table {
		steps[i] = float64(min(max((v*percent+50)/100, 1), 255))
	}
	return steps
}

// The tables of ITU T.81, K.1 and K.2, row by row.
var (
	luminance = [64]int{
		16, 11, 10, 16, 24, 40, 51, 61,
		12, 12, 14, 19, 26, 58, 60, 55,
		14, 13, 16, 24, 40, 57, 69, 56,
		14, 17, 22, 29, 51, 87, 80, 62,
		18, 22, 37, 56, 68, 109, 103, 77,
		24, 35, 55, 64, 81, 104, 113, 92,
		49, 64, 78, 87, 103, 121, 120, 101,
		72, 92, 95, 98, 112, 100, 103, 99,
	}
	chrominance = [64]int{
		17, 18, 24, 47, 99, 99, 99, 99,
		18, 21, 26, 66, 99, 99, 99, 99,
		24, 26, 56, 99, 99, 99, 99, 99,
		47, 66, 99, 99, 99, 99, 99, 99,
		99, 99, 99, 99, 99, 99, 99, 99,
		99, 99, 99, 99, 99, 99, 99, 99,
		99, 99, 99, 99, 99, 99, 99, 99,
		99, 99, 99, 99, 99, 99, 99, 99,
	}
)
