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
func Convolve(x, weights, bias *graph.Node, w Window, groups int) *graph.Node {
	c := convolution(x, weights, w, max(groups, 1))
	return linear(x, weights, bias, c.output)
}

// conv is the trilinear form Σ v[o]·x[o·stride + a·dilation − pad]·w[a] of a convolution's input x, its
// weights w and its output's cotangent v. Its derivatives by each of the three are the convolution, its
// transpose and its gradient by the weights; so the derivatives of those are again these.
type conv struct {
	Window
	groups  int
	in, out [2]int // spatial sizes
}

func convolution(x, weights *graph.Node, w Window, groups int) conv {
	if weights.Rank() != 4 {
		panic(fmt.Errorf("layer: Convolve: weights are shaped %s, must be [kh, kw, C/groups, O]", weights.Shape()))
	}
	size := [2]int{weights.Shape().Dim(0), weights.Shape().Dim(1)}
	if w.Size != ([2]int{}) && w.Size != size {
		panic(fmt.Errorf("layer: Convolve: Window.Size is %v, must be that of weights shaped %s", w.Size, weights.Shape()))
	}
	w.Size, w.Ceil = size, false
	w, out := w.over("Convolve", x)
	in, o := x.Shape().Dim(3), weights.Shape().Dim(3)
	if in != weights.Shape().Dim(2)*groups || o%groups != 0 {
		panic(fmt.Errorf("layer: Convolve: images are shaped %s, must fit weights shaped %s in %d groups", x.Shape(), weights.Shape(), groups))
	}
	return conv{Window: w, groups: groups, in: [2]int{x.Shape().Dim(1), x.Shape().Dim(2)}, out: out}
}

// output is the convolution of x with the weights w.
func (c conv) output(x, w *graph.Node) *graph.Node {
	return withDerivative(correlate(x, w, c.Stride, c.Dilation, c.Pad, c.groups), []*graph.Node{x, w},
		func(v *graph.Node) []*graph.Node { return []*graph.Node{c.input(v, w), c.weights(x, v)} })
}

// input is the cotangent of the input, from the output's, v.
func (c conv) input(v, w *graph.Node) *graph.Node {
	return withDerivative(c.scatter(v, w), []*graph.Node{v, w},
		func(u *graph.Node) []*graph.Node { return []*graph.Node{c.output(u, w), c.weights(u, v)} })
}

// weights is the cotangent of the weights, from the output's, v.
func (c conv) weights(x, v *graph.Node) *graph.Node {
	return withDerivative(c.collect(x, v), []*graph.Node{x, v},
		func(u *graph.Node) []*graph.Node { return []*graph.Node{c.input(v, u), c.output(x, u)} })
}

// scatter computes input.
func (c conv) scatter(v, w *graph.Node) *graph.Node {
	one := [2]int{1, 1}
	if c.groups == 1 && c.Size == one && c.Stride == one && c.Pad == ([2][2]int{}) {
		x := graph.DotGeneral(v, []int{3}, nil, w, []int{3}, nil) // [N, H, W, 1, 1, C]
		return graph.Reshape(x, v.Shape().Dim(0), c.in[0], c.in[1], w.Shape().Dim(2))
	}
	if c.groups == 1 && c.Dilation == [2]int{1, 1} && c.Stride != [2]int{1, 1} {
		return c.scatterPhases(v, w)
	}
	return c.scatterSpread(v, w)
}

// scatterSpread correlates v, spread by the stride, with the weights turned round.
func (c conv) scatterSpread(v, w *graph.Node) *graph.Node {
	var spread [2]graph.PadAxis
	var pad [2][2]int
	var from [2]int
	for axis := range 2 {
		low := c.extent(axis) - 1 - c.Pad[axis][0]
		high := c.in[axis] + c.Pad[axis][0] - (c.out[axis]-1)*c.Stride[axis] - 1
		spread[axis].Interior = c.Stride[axis] - 1
		pad[axis] = [2]int{max(low, 0), max(high, 0)}
		from[axis] = max(-low, 0)
	}
	if c.Stride != [2]int{1, 1} {
		v = graph.Pad(v, graph.ScalarZero(v.Graph(), v.DType()), graph.PadAxis{}, spread[0], spread[1], graph.PadAxis{})
	}
	w = turned(w, c.groups)
	back := Window{Size: c.Size, Stride: [2]int{1, 1}, Dilation: c.Dilation, Pad: pad}
	if onCPU(v) && c.groups == 1 && c.Stride == back.Stride && plain(back) && w.Shape().Dim(3) <= 4 {
		back, out := back.over("Convolve", v)
		return c.crop(tiled(back, out, 1+max(c.Size[0], c.Size[1])/4).scatter(v, w), from)
	}
	return c.crop(correlate(v, w, back.Stride, c.Dilation, pad, c.groups), from)
}

// scatterPhases does the same without the zeros that spreading puts in. The places of the input that
// have the same remainder, or phase, by the stride see the same weights: each phase is a convolution of
// v of its own, with every stride-th weight. All phases together are one, with a channel for each phase
// and channel of the input; then they are interleaved.
func (c conv) scatterPhases(v, w *graph.Node) *graph.Node {
	n, in, out := v.Shape().Dim(0), w.Shape().Dim(2), w.Shape().Dim(3)
	var size, phases, rows [2]int // of each phase's weights; of phases that see any; of each phase's places
	var fill, rest [2]graph.PadAxis
	var pad [2][2]int
	for axis := range 2 {
		k, s := c.Size[axis], c.Stride[axis]
		size[axis], phases[axis] = ceilDiv(k, s), min(k, s)
		rows[axis] = ceilDiv(c.in[axis]+c.Pad[axis][0], s)
		fill[axis].End = size[axis]*phases[axis] - k
		pad[axis] = [2]int{size[axis] - 1, max(0, rows[axis]-c.out[axis])}
		rest[axis].End = s - phases[axis]
	}
	zero := graph.ScalarZero(v.Graph(), v.DType())
	w = graph.Pad(w, zero, fill[0], fill[1], graph.PadAxis{}, graph.PadAxis{})
	w = graph.Reshape(w, size[0], phases[0], size[1], phases[1], in, out)
	w = graph.TransposeAllAxes(graph.Reverse(w, 0, 2), 0, 2, 5, 1, 3, 4)
	w = graph.Reshape(w, size[0], size[1], out, phases[0]*phases[1]*in)

	v = graph.Slice(v, graph.AxisRange(), graph.AxisRange(0, min(c.out[0], rows[0])), graph.AxisRange(0, min(c.out[1], rows[1])))
	x := correlate(v, w, [2]int{1, 1}, [2]int{1, 1}, pad, 1)
	x = graph.Reshape(x, n, rows[0], rows[1], phases[0], phases[1], in)
	x = graph.TransposeAllAxes(x, 0, 1, 3, 2, 4, 5)
	x = graph.Pad(x, zero, graph.PadAxis{}, graph.PadAxis{}, rest[0], graph.PadAxis{}, rest[1], graph.PadAxis{})
	x = graph.Reshape(x, n, rows[0]*c.Stride[0], rows[1]*c.Stride[1], in)
	return c.crop(x, [2]int{c.Pad[0][0], c.Pad[1][0]})
}

// crop cuts the input's size out of x.
func (c conv) crop(x *graph.Node, from [2]int) *graph.Node {
	return graph.Slice(x, graph.AxisRange(),
		graph.AxisRange(from[0], from[0]+c.in[0]), graph.AxisRange(from[1], from[1]+c.in[1]))
}

// turned returns weights w, [kh, kw, C/groups, O], turned round in space and with its channels exchanged
// in each group: [kh, kw, O/groups, C].
func turned(w *graph.Node, groups int) *graph.Node {
	kh, kw, in, out := w.Shape().Dim(0), w.Shape().Dim(1), w.Shape().Dim(2), w.Shape().Dim(3)
	if kh > 1 || kw > 1 {
		w = graph.Reverse(w, 0, 1)
	}
	w = graph.Reshape(w, kh, kw, in, groups, out/groups)
	w = graph.TransposeAllAxes(w, 0, 1, 4, 3, 2)
	return graph.Reshape(w, kh, kw, out/groups, groups*in)
}

// collect computes weights: what every tap of the window saw, times v.
func (c conv) collect(x, v *graph.Node) *graph.Node {
	x = pad2(x, c.Pad, 0)
	if native(x) {
		// A convolution of x with v, its batch for channels and its channels for batch.
		axes := graph.ConvolveAxesConfig{
			InputBatch: 3, InputSpatial: []int{1, 2}, InputChannels: 0,
			KernelSpatial: []int{1, 2}, KernelInputChannels: 0, KernelOutputChannels: 3,
			OutputBatch: 2, OutputSpatial: []int{0, 1}, OutputChannels: 3,
		}
		seen := func(axis int) graph.SliceAxisSpec {
			return graph.AxisRange(0, (c.out[axis]-1)*c.Stride[axis]+c.extent(axis))
		}
		x = graph.Slice(x, graph.AxisRange(), seen(0), seen(1))
		return graph.ConvGeneral(x, v, axes, c.Dilation[:], nil, nil, c.Stride[:], 1, c.groups)
	}
	n, in, out := x.Shape().Dim(0), x.Shape().Dim(3)/c.groups, v.Shape().Dim(3)/c.groups
	rows, taps := n*c.out[0]*c.out[1], c.Size[0]*c.Size[1]
	cols := graph.Reshape(columns(x, c.Window, c.out), rows, taps, c.groups, in)
	v = graph.Reshape(v, rows, c.groups, out)
	w := graph.DotGeneral(cols, []int{0}, []int{2}, v, []int{0}, []int{1}) // [groups, taps, in, out]
	w = graph.TransposeAllAxes(w, 1, 2, 0, 3)
	return graph.Reshape(w, c.Size[0], c.Size[1], in, c.groups*out)
}

// correlate is the cross-correlation of x, [N, H, W, C], with w, [kh, kw, C/groups, O], without gradient.
func correlate(x, w *graph.Node, stride, dilation [2]int, pad [2][2]int, groups int) *graph.Node {
	size := [2]int{w.Shape().Dim(0), w.Shape().Dim(1)}
	in, o := w.Shape().Dim(2), w.Shape().Dim(3)/groups
	win, out := Window{Size: size, Stride: stride, Dilation: dilation, Pad: pad}.over("Convolve", x)
	if groups > 1 && in == 1 && o == 1 {
		return depthwise(pad2(x, pad, 0), w, win, out)
	}
	if onCPU(x) && groups == 1 && plain(win) && (in <= 4 || o <= 8 && in <= 16) {
		return tiled(win, out, 2).gather(x, w)
	}
	if native(x) {
		return correlateNative(x, w, stride, dilation, pad, groups)
	}
	n, taps := x.Shape().Dim(0), size[0]*size[1]
	cols := graph.Reshape(columns(pad2(x, pad, 0), win, out), n*out[0]*out[1], taps, groups, in)
	w = graph.Reshape(w, taps, in, groups, o)
	y := graph.DotGeneral(cols, []int{1, 3}, []int{2}, w, []int{0, 1}, []int{2}) // [groups, rows, o]
	y = graph.TransposeAllAxes(y, 1, 0, 2)
	return graph.Reshape(y, n, out[0], out[1], groups*o)
}

// correlateNative is the backend's own.
func correlateNative(x, w *graph.Node, stride, dilation [2]int, pad [2][2]int, groups int) *graph.Node {
	axes := graph.ConvolveAxesConfig{
		InputBatch: 0, InputSpatial: []int{1, 2}, InputChannels: 3,
		KernelSpatial: []int{0, 1}, KernelInputChannels: 2, KernelOutputChannels: 3,
		OutputBatch: 0, OutputSpatial: []int{1, 2}, OutputChannels: 3,
	}
	return graph.ConvGeneral(x, w, axes, stride[:], pad[:], nil, dilation[:], groups, 1)
}

// depthwise is correlate for groups of one channel: a sum of weighted taps, many times faster than
// either backend's way.
func depthwise(x, w *graph.Node, win Window, out [2]int) *graph.Node {
	var y *graph.Node
	for i := range win.Size[0] {
		row := tap(x, 1, win, out, i)
		for j := range win.Size[1] {
			weight := graph.Reshape(graph.Slice(w, graph.AxisElem(i), graph.AxisElem(j)), 1, 1, 1, -1)
			t := graph.Mul(tap(row, 2, win, out, j), weight)
			if y == nil {
				y = t
			} else {
				y = graph.Add(y, t)
			}
		}
	}
	return y
}
