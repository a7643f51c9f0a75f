package layer

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
)

// Convolve returns the cross-correlation of x, [N, H, W, C], with weights, [kh, kw, C/groups, O], plus
// bias, [O] or nil for none: [N, H', W', O], H' and W' as w.Out has them. Padding is zeros. Groups cut
// both channel axes into as many parts, each seeing its own only; 0 is 1, C is a depthwise convolution.
// w.Size may be left 0: it is the weights'.
//
// It is differentiable any number of times, for every kernel, padding, stride and dilation.
func Convolve(x, weights, bias *Node, w Window, groups int) *Node {
	c := convolution(x, weights, w, max(groups, 1))
	return ruleOf(x).Linear(x, weights, bias, c.output)
}

// conv is the trilinear form Σ v[o]·x[o·stride + a·dilation − pad]·w[a] of a convolution's input x, its
// weights w and its output's cotangent v. Its derivatives by each of the three are the convolution, its
// transpose and its gradient by the weights; so the derivatives of those are again these.
type conv struct {
	Window
	groups  int
	in, out [2]int // spatial sizes
}

func convolution(x, weights *Node, w Window, groups int) conv {
	if weights.Rank() != 4 {
		panic(fmt.Errorf("a convolution's weights are [kh, kw, C/groups, O], not %s", weights.Shape()))
	}
	size := [2]int{weights.Shape().Dim(0), weights.Shape().Dim(1)}
	if w.Size != ([2]int{}) && w.Size != size {
		panic(fmt.Errorf("a window of %v does not fit weights %s", w.Size, weights.Shape()))
	}
	w.Size, w.Ceil = size, false
	w, out := w.over("Convolve", x)
	in, o := x.Shape().Dim(3), weights.Shape().Dim(3)
	if in != weights.Shape().Dim(2)*groups || o%groups != 0 {
		panic(fmt.Errorf("images %s in %d groups do not fit weights %s", x.Shape(), groups, weights.Shape()))
	}
	return conv{Window: w, groups: groups, in: [2]int{x.Shape().Dim(1), x.Shape().Dim(2)}, out: out}
}

// output is the convolution of x with the weights w.
func (c conv) output(x, w *Node) *Node {
	return product(correlate(x, w, c.Stride, c.Dilation, c.Pad, c.groups), x, w,
		func(v *Node) *Node { return c.input(v, w) },
		func(v *Node) *Node { return c.weights(x, v) })
}

// input is the cotangent of the input, from the output's, v.
func (c conv) input(v, w *Node) *Node {
	return product(c.scatter(v, w), v, w,
		func(u *Node) *Node { return c.output(u, w) },
		func(u *Node) *Node { return c.weights(u, v) })
}

// weights is the cotangent of the weights, from the output's, v.
func (c conv) weights(x, v *Node) *Node {
	return product(c.collect(x, v), x, v,
		func(u *Node) *Node { return c.input(v, u) },
		func(u *Node) *Node { return c.output(x, u) })
}

// scatter computes input: v, spread by the stride, correlated with the weights turned round.
func (c conv) scatter(v, w *Node) *Node {
	var spread, cut [2]graph.PadAxis
	for axis := range 2 {
		reach := c.extent(axis) - 1
		spread[axis].Interior = c.Stride[axis] - 1
		low := reach - c.Pad[axis][0]
		high := c.in[axis] + c.Pad[axis][0] - (c.out[axis]-1)*c.Stride[axis] - 1
		spread[axis].Start, spread[axis].End = max(low, 0), max(high, 0)
		cut[axis].Start = max(-low, 0)
	}
	v = graph.Pad(v, graph.ScalarZero(v.Graph(), v.DType()), graph.PadAxis{}, spread[0], spread[1], graph.PadAxis{})
	x := correlate(v, turned(w, c.groups), [2]int{1, 1}, c.Dilation, [2][2]int{}, c.groups)
	return graph.Slice(x, graph.AxisRange(),
		graph.AxisRange(cut[0].Start, cut[0].Start+c.in[0]), graph.AxisRange(cut[1].Start, cut[1].Start+c.in[1]))
}

// turned returns weights w, [kh, kw, C/groups, O], turned round in space and with its channels exchanged
// in each group: [kh, kw, O/groups, C].
func turned(w *Node, groups int) *Node {
	kh, kw, in, out := w.Shape().Dim(0), w.Shape().Dim(1), w.Shape().Dim(2), w.Shape().Dim(3)
	if kh > 1 || kw > 1 {
		w = graph.Reverse(w, 0, 1)
	}
	w = graph.Reshape(w, kh, kw, in, groups, out/groups)
	w = graph.TransposeAllAxes(w, 0, 1, 4, 3, 2)
	return graph.Reshape(w, kh, kw, out/groups, groups*in)
}

// collect computes weights: what every tap of the window saw, times v.
func (c conv) collect(x, v *Node) *Node {
	n, in, out := x.Shape().Dim(0), x.Shape().Dim(3)/c.groups, v.Shape().Dim(3)/c.groups
	rows := n * c.out[0] * c.out[1]
	cols := columns(pad2(x, c.Pad, 0), c.Window, c.out)
	taps := c.Size[0] * c.Size[1]
	cols = graph.Reshape(cols, rows, taps, c.groups, in)
	v = graph.Reshape(v, rows, c.groups, out)
	w := graph.DotGeneral(cols, []int{0}, []int{2}, v, []int{0}, []int{1}) // [groups, taps, in, out]
	w = graph.TransposeAllAxes(w, 1, 2, 0, 3)
	return graph.Reshape(w, c.Size[0], c.Size[1], in, c.groups*out)
}

// correlate is the cross-correlation of x, [N, H, W, C], with w, [kh, kw, C/groups, O], without gradient.
func correlate(x, w *Node, stride, dilation [2]int, pad [2][2]int, groups int) *Node {
	if native(x) {
		axes := graph.ConvolveAxesConfig{
			InputBatch: 0, InputSpatial: []int{1, 2}, InputChannels: 3,
			KernelSpatial: []int{0, 1}, KernelInputChannels: 2, KernelOutputChannels: 3,
			OutputBatch: 0, OutputSpatial: []int{1, 2}, OutputChannels: 3,
		}
		return graph.ConvGeneral(x, w, axes, stride[:], pad[:], nil, dilation[:], groups, 1)
	}
	size := [2]int{w.Shape().Dim(0), w.Shape().Dim(1)}
	win := Window{Size: size, Stride: stride, Dilation: dilation, Pad: pad}
	win, out := win.over("Convolve", x)
	n, in, o := x.Shape().Dim(0), w.Shape().Dim(2), w.Shape().Dim(3)/groups
	rows, taps := n*out[0]*out[1], size[0]*size[1]
	cols := graph.Reshape(columns(pad2(x, pad, 0), win, out), rows, taps, groups, in)
	w = graph.Reshape(w, taps, in, groups, o)
	y := graph.DotGeneral(cols, []int{1, 3}, []int{2}, w, []int{0, 1}, []int{2}) // [groups, rows, o]
	y = graph.TransposeAllAxes(y, 1, 0, 2)
	return graph.Reshape(y, n, out[0], out[1], groups*o)
}

// native says whether the backend's own convolution is used: the Go backend's is slow.
func native(x *Node) bool { return x.Graph().Backend().Name() != "go" }

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

// tap returns what tap i of the window sees along an axis of the padded x, at each place of the window.
func tap(x *Node, axis int, w Window, out [2]int, i int) *Node {
	a := axis - 1
	start := i * w.Dilation[a]
	return graph.SliceAxis(x, axis, graph.AxisRange(start, start+(out[a]-1)*w.Stride[a]+1).Stride(w.Stride[a]))
}

// pad2 pads the spatial axes of x with a constant.
func pad2(x *Node, pad [2][2]int, value float64) *Node {
	if pad == ([2][2]int{}) {
		return x
	}
	return graph.Pad(x, graph.Scalar(x.Graph(), x.DType(), value), graph.PadAxis{},
		graph.PadAxis{Start: pad[0][0], End: pad[0][1]}, graph.PadAxis{Start: pad[1][0], End: pad[1][1]}, graph.PadAxis{})
}
