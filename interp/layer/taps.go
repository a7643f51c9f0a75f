package layer

import (
	"slices"

	"github.com/gomlx/gomlx/core/graph"
)

// A tap is one of the places of a window: what it sees, at each place of the window, is a strided slice
// of the padded image. Convolutions and pools are made of these.

// tap returns what tap i of the window sees along an axis of the padded x.
func tap(x *graph.Node, axis int, w Window, out [2]int, i int) *graph.Node {
	a := axis - 1
	start := i * w.Dilation[a]
	return graph.SliceAxis(x, axis, graph.AxisRange(start, start+(out[a]-1)*w.Stride[a]+1).Stride(w.Stride[a]))
}

// untap is the adjoint of taking from each window along an axis the tap that which says: every element of
// v is put back where that tap saw it, in an image of size n along the axis, and what falls on the same
// place is added.
//
// It asks at every place of the image which windows took it: those that start at the place's multiple of
// the stride, or up to reach multiples before it. No array is mostly zeros.
func untap(v, which *graph.Node, axis int, w Window, n int) *graph.Node {
	size, stride, dilation := w.Size[axis-1], w.Stride[axis-1], w.Dilation[axis-1]
	places, reach := ceilDiv(n, stride), (w.extent(axis-1)-1)/stride
	zero := graph.ScalarZero(v.Graph(), v.DType())
	pad := make([]graph.PadAxis, v.Rank())
	pad[axis] = graph.PadAxis{Start: reach, End: places - v.Shape().Dim(axis)}
	v = graph.InsertAxes(graph.Pad(v, zero, pad...), axis+1)
	which = graph.InsertAxes(graph.Pad(which, zero, pad...), axis+1)

	dims := slices.Clone(v.Shape().Dimensions)
	dims[axis], dims[axis+1] = places, stride
	sum := graph.BroadcastToDims(zero, dims...)
	for back := range reach + 1 {
		taps := make([]float64, stride) // those that see the places between two multiples of the stride
		for i := range taps {
			at := back*stride + i
			if taps[i] = float64(at / dilation); at%dilation != 0 || at/dilation >= size {
				taps[i] = -1
			}
		}
		if slices.Max(taps) < 0 {
			continue
		}
		shape := slices.Repeat([]int{1}, len(dims))
		shape[axis+1] = stride
		from := graph.AxisRange(reach-back, reach-back+places)
		took := graph.Equal(graph.SliceAxis(which, axis, from), graph.Reshape(graph.ConstAs(v, taps), shape...))
		sum = graph.Add(sum, graph.Where(took, graph.BroadcastToDims(graph.SliceAxis(v, axis, from), dims...), zero))
	}
	dims = slices.Delete(dims, axis, axis+1)
	dims[axis] = places * stride
	return graph.SliceAxis(graph.Reshape(sum, dims...), axis, graph.AxisRange(0, n))
}

// columns lays what each tap of the window sees of the padded x side by side: [N, H', W', taps·C].
func columns(x *graph.Node, w Window, out [2]int) *graph.Node {
	var taps []*graph.Node
	for i := range w.Size[0] {
		row := tap(x, 1, w, out, i)
		for j := range w.Size[1] {
			taps = append(taps, tap(row, 2, w, out, j))
		}
	}
	return graph.Concatenate(taps, 3)
}

// pad2 pads the spatial axes of x with a constant.
func pad2(x *graph.Node, pad [2][2]int, value float64) *graph.Node {
	if pad == ([2][2]int{}) {
		return x
	}
	return graph.Pad(x, graph.Scalar(x.Graph(), x.DType(), value), graph.PadAxis{},
		graph.PadAxis{Start: pad[0][0], End: pad[0][1]}, graph.PadAxis{Start: pad[1][0], End: pad[1][1]}, graph.PadAxis{})
}
