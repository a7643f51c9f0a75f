package layer

import "github.com/gomlx/gomlx/core/graph"

// A tap is one of the places of a window: what it sees, at each place of the window, is a strided slice
// of the padded image. Convolutions and pools are made of these.

// tap returns what tap i of the window sees along an axis of the padded x.
func tap(x *Node, axis int, w Window, out [2]int, i int) *Node {
	a := axis - 1
	start := i * w.Dilation[a]
	return graph.SliceAxis(x, axis, graph.AxisRange(start, start+(out[a]-1)*w.Stride[a]+1).Stride(w.Stride[a]))
}

// untap is the adjoint of tap for all taps along an axis: each is put back where it was taken from, in
// an image of size n along the axis, and what falls on the same place is added.
//
// Places that differ by the stride are put together first, and the strides' remainders, which do not
// meet, are interleaved at the end: no array is mostly zeros.
func untap(taps []*Node, axis int, w Window, n int) *Node {
	a := axis - 1
	stride := w.Stride[a]
	rows := ceilDiv(n, stride)
	phases := make([]*Node, stride)
	for i, t := range taps {
		at := i * w.Dilation[a]
		pad := make([]graph.PadAxis, t.Rank())
		pad[axis] = graph.PadAxis{Start: at / stride, End: rows - t.Shape().Dim(axis) - at/stride}
		t = graph.Pad(t, graph.ScalarZero(t.Graph(), t.DType()), pad...)
		if p := &phases[at%stride]; *p == nil {
			*p = t
		} else {
			*p = graph.Add(*p, t)
		}
	}
	if stride == 1 {
		return phases[0]
	}
	for i, p := range phases {
		if p == nil {
			phases[i] = graph.ZerosLike(phases[0])
		}
	}
	x := graph.Stack(phases, axis+1)
	dims := append([]int(nil), phases[0].Shape().Dimensions...)
	dims[axis] = rows * stride
	return graph.SliceAxis(graph.Reshape(x, dims...), axis, graph.AxisRange(0, n))
}

// columns lays what each tap of the window sees of the padded x side by side: [N, H', W', taps·C].
func columns(x *Node, w Window, out [2]int) *Node {
	var taps []*Node
	for i := range w.Size[0] {
		row := tap(x, 1, w, out, i)
		for j := range w.Size[1] {
			taps = append(taps, tap(row, 2, w, out, j))
		}
	}
	return graph.Concatenate(taps, 3)
}

// pad2 pads the spatial axes of x with a constant.
func pad2(x *Node, pad [2][2]int, value float64) *Node {
	if pad == ([2][2]int{}) {
		return x
	}
	return graph.Pad(x, graph.Scalar(x.Graph(), x.DType(), value), graph.PadAxis{},
		graph.PadAxis{Start: pad[0][0], End: pad[0][1]}, graph.PadAxis{Start: pad[1][0], End: pad[1][1]}, graph.PadAxis{})
}
