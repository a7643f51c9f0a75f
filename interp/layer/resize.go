package layer

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
)

// Interpolation is how Resize finds a value between those it has. With n values resized to m, place i of
// the new ones is at x = (i + ½)·n/m − ½ among the old, or, for BilinearCorners, at i·(n − 1)/(m − 1).
type Interpolation int

const (
	Nearest         Interpolation = iota // the nearest value, the lower of two as near
	Bilinear                             // between the two beside it, the border's value beyond the border
	BilinearCorners                      // the same, with the first on the first and the last on the last
)

// Resize returns x, [N, H, W, C], resized to [N, h, w, C]. It does not smooth what it makes smaller. It
// is a product with a matrix for each axis: a NaN or infinity of x spreads to its row and column.
func Resize(x *graph.Node, h, w int, method Interpolation) *graph.Node {
	checkImages("Resize", x)
	if min(h, w) < 1 {
		panic(fmt.Errorf("layer: Resize: size is %d×%d, must be at least 1×1", h, w))
	}
	return linear(x, nil, nil, func(x, _ *graph.Node) *graph.Node {
		matrix := func(from, to int) *graph.Node {
			return graph.ConstAsDType(x.Graph(), x.DType(), interpolation(from, to, method))
		}
		if from := x.Shape().Dim(1); from != h {
			x = graph.Einsum("nhwc,hp->npwc", x, matrix(from, h))
		}
		if from := x.Shape().Dim(2); from != w {
			x = graph.Einsum("nhwc,wq->nhqc", x, matrix(from, w))
		}
		return x
	})
}

// interpolation returns the matrix [from, to] by which a row of values is resized.
func interpolation(from, to int, method Interpolation) [][]float64 {
	m := make([][]float64, from)
	for i := range m {
		m[i] = make([]float64, to)
	}
	for i := range to {
		at := (float64(i)+0.5)*float64(from)/float64(to) - 0.5
		switch method {
		case Nearest:
			m[ceilDiv((2*i+1)*from, 2*to)-1][i] = 1
			continue
		case BilinearCorners:
			at = 0
			if to > 1 {
				at = float64(i) * float64(from-1) / float64(to-1)
			}
		}
		at = min(max(at, 0), float64(from-1))
		low := min(int(at), max(from-2, 0))
		m[low][i] += 1 - (at - float64(low))
		if low+1 < from {
			m[low+1][i] += at - float64(low)
		}
	}
	return m
}
