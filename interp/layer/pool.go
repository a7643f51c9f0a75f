package layer

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"
)

// MaxPool returns the greatest value of each channel in every window over x, [N, H, W, C]. Padding never
// wins, a NaN always does, and of equal values the first, row by row, gets the whole gradient.
func MaxPool(x *graph.Node, w Window) *graph.Node {
	ruled := func(r MaxPoolRule) *graph.Node { return r.MaxPool(x, w) }
	return signed(through(x, ruled, func() *graph.Node { return maxPool(x, w) }), x)
}

// MeanPool returns the mean of each channel in every window over x, [N, H, W, C]. With countPad, as in
// Caffe and as ONNX's count_include_pad, padding counts as zeros, though what a window of ceil mode has
// outside the padding does not; without, only what is inside the image counts.
func MeanPool(x *graph.Node, w Window, countPad bool) *graph.Node {
	return signed(linear(x, nil, nil, func(x, _ *graph.Node) *graph.Node { return meanPool(x, w, countPad) }), x)
}

// GlobalMean returns the mean of each channel over all positions: [N, H, W, C] → [N, C].
func GlobalMean(x *graph.Node) *graph.Node {
	checkImages("GlobalMean", x)
	return signed(linear(x, nil, nil, func(x, _ *graph.Node) *graph.Node { return graph.ReduceMean(x, 1, 2) }), x)
}

// maxPool takes the maxima along the rows, then those of the rows: the first of equals is then the first
// row by row.
func maxPool(x *graph.Node, w Window) *graph.Node {
	w, out := poolWindow("MaxPool", x, w)
	x = reaching(x, w, out, math.Inf(-1))
	return maxAlong(maxAlong(x, 2, w, out), 1, w, out)
}

// maxAlong returns the maxima of the windows along one axis of x. GoMLX's own derivative would keep a mask
// for every tap; here it is enough to know the first tap that no other exceeds. XLA's maximum loses a NaN.
func maxAlong(x *graph.Node, axis int, w Window, out [2]int) *graph.Node {
	best := tap(x, axis, w, out, 0)
	for i := 1; i < w.Size[axis-1]; i++ {
		next := tap(x, axis, w, out, i)
		best = graph.Where(graph.LogicalOr(graph.GreaterThan(next, best), graph.NotEqual(next, next)), next, best)
	}
	return withDerivative(best, []*graph.Node{x}, func(v *graph.Node) []*graph.Node {
		last := w.Size[axis-1] - 1
		first := graph.MulScalar(graph.OnesLike(best), float64(last))
		for i := last - 1; i >= 0; i-- {
			first = graph.Where(graph.LessThan(tap(x, axis, w, out, i), best), first, graph.ConstAs(best, i))
		}
		return []*graph.Node{untap(v, first, axis, w, x.Shape().Dim(axis))}
	})
}

func meanPool(x *graph.Node, w Window, countPad bool) *graph.Node {
	w, out := poolWindow("MeanPool", x, w)
	h, wd := x.Shape().Dim(1), x.Shape().Dim(2)
	counts := []*graph.Node{w.counts(x, 0, h, out[0], countPad), w.counts(x, 1, wd, out[1], countPad)}
	x = reaching(x, w, out, 0)
	x = sumAlong(sumAlong(x, 2, w, out), 1, w, out)
	return graph.Mul(graph.Mul(x, counts[0]), counts[1])
}

// sumAlong returns the sums of the windows along one axis of x.
func sumAlong(x *graph.Node, axis int, w Window, out [2]int) *graph.Node {
	sum := tap(x, axis, w, out, 0)
	for i := range w.Size[axis-1] - 1 {
		sum = graph.Add(sum, tap(x, axis, w, out, i+1))
	}
	return sum
}

// counts returns one over how many taps of each window count along an axis, shaped to multiply images.
func (w Window) counts(x *graph.Node, axis, n, out int, pad bool) *graph.Node {
	low, high := 0, n
	if pad {
		low, high = -w.Pad[axis][0], n+w.Pad[axis][1]
	}
	inverse := make([]float64, out)
	for o := range out {
		inverse[o] = 1 / float64(w.inside(axis, o, low, high))
	}
	shape := []int{1, 1, 1, 1}
	shape[1+axis] = out
	return graph.Reshape(graph.ConstAsDType(x.Graph(), x.DType(), inverse), shape...)
}

// inside returns how many taps of window o along an axis are from low to high − 1.
func (w Window) inside(axis, o, low, high int) (count int) {
	for i := range w.Size[axis] {
		if at := o*w.Stride[axis] - w.Pad[axis][0] + i*w.Dilation[axis]; low <= at && at < high {
			count++
		}
	}
	return count
}

// poolWindow is Window.over, and every window must see some of the image: it may not lie wholly in the
// padding, nor may its gaps pass over a small image.
func poolWindow(what string, x *graph.Node, w Window) (Window, [2]int) {
	w, out := w.over(what, x)
	for axis := range 2 {
		n := x.Shape().Dim(1 + axis)
		for o := range out[axis] {
			if w.inside(axis, o, 0, n) == 0 {
				panic(fmt.Errorf("layer: %s: padding is %v, dilation %v and the image %d long, and a window of %d would see nothing but padding",
					what, w.Pad[axis], w.Dilation[axis], n, w.Size[axis]))
			}
		}
	}
	return w, out
}

// reaching pads x so that all windows have their whole extent.
func reaching(x *graph.Node, w Window, out [2]int, value float64) *graph.Node {
	pad := w.Pad
	for axis := range 2 {
		need := (out[axis]-1)*w.Stride[axis] + w.extent(axis)
		pad[axis][1] = max(0, need-x.Shape().Dim(1+axis)-pad[axis][0])
	}
	return pad2(x, pad, value)
}
