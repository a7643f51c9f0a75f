package plan

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"lucigo/interp/layer"
)

// Pointwise is an operator of one input, whose value has as many channels.
func (c *Call) Pointwise(f func(x *graph.Node) *graph.Node) Build {
	if c.takes(1) {
		c.channels = c.value(0)
	}
	return func(in []*graph.Node) *graph.Node { return f(in[0]) }
}

// Same hands on its input.
func Same(c *Call) Build { return c.Pointwise(func(x *graph.Node) *graph.Node { return x }) }

// ReLU is layer.ReLU.
func ReLU(c *Call) Build { return c.Pointwise(layer.ReLU) }

// Softmax is layer.Softmax, over the channels.
func Softmax(c *Call) Build { return c.Pointwise(layer.Softmax) }

// LRN is layer.LRN.
func (c *Call) LRN(size int, alpha, beta, bias float64) Build {
	c.window(Window{Window: layer.Window{Size: [2]int{size, 1}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}}}, size)
	return c.Pointwise(func(x *graph.Node) *graph.Node { return layer.LRN(x, size, alpha, beta, bias) })
}

// Window is a window, whose padding is TensorFlow's SAME or what it says. It has no defaults.
type Window struct {
	layer.Window
	Same bool
}

// window checks a window. Taps is how many of its places the node's value is computed from.
func (c *Call) window(w Window, taps int) {
	for axis := range 2 {
		a, b, d, pad := w.Size[axis], w.Stride[axis], w.Dilation[axis], w.Pad[axis]
		if min(a, b, d) < 1 || max(a, b, d) > maxTaps {
			c.Fail("its window has sizes %v, strides %v and dilations %v, must be from 1 to %d", w.Size, w.Stride, w.Dilation, maxTaps)
			return
		}
		if min(pad[0], pad[1]) < 0 || max(pad[0], pad[1]) > maxTaps {
			c.Fail("its padding is %v, must be from 0 to %d", w.Pad, maxTaps)
			return
		}
	}
	if c.p.taps += taps; c.p.taps > maxTaps {
		c.Fail("windows of more than %d places", maxTaps)
	}
}

// over is the window over x.
func (w Window) over(x *graph.Node) layer.Window {
	if w.Same && x.Rank() == 4 {
		for axis := range 2 {
			extent := (w.Size[axis]-1)*w.Dilation[axis] + 1
			w.Pad[axis] = layer.Same(extent, w.Stride[axis], x).Pad[axis]
		}
	}
	return w.Window
}

// Pool is a pool of one input: of is layer.MaxPool or its like.
func (c *Call) Pool(w Window, of func(x *graph.Node, w layer.Window) *graph.Node) Build {
	c.window(w, w.Size[0]+w.Size[1])
	return c.Pointwise(func(x *graph.Node) *graph.Node { return of(x, w.over(x)) })
}

// Convolve is a convolution of images, weights and, as a third input, biases. The window's size is that of the weights.
func (c *Call) Convolve(w Window) Build {
	bias := c.biased()
	if c.err != nil {
		return nil
	}
	c.value(0)
	dims := c.weight(1, 4, c.p.OutFirst)
	w.Size, c.channels = [2]int{dims[0], dims[1]}, dims[3]
	c.window(w, dims[0]*dims[1])
	return func(in []*graph.Node) *graph.Node { return layer.Convolve(in[0], in[1], bias(in), w.over(in[0]), 1) }
}

// Dense is a product of rows of numbers and weights, [in, out] or, if outFirst, [out, in], to which it adds, as a third
// input, biases.
func (c *Call) Dense(outFirst bool) Build {
	bias := c.biased()
	if c.err != nil {
		return nil
	}
	c.value(0)
	c.channels = c.weight(1, 2, outFirst)[1]
	return func(in []*graph.Node) *graph.Node { return layer.Affine(in[0], in[1], bias(in)) }
}

// biased takes the third input, if there is one, and returns what it is of all.
func (c *Call) biased() func(in []*graph.Node) *graph.Node {
	if c.Inputs() != 3 {
		c.takes(2)
		return func([]*graph.Node) *graph.Node { return nil }
	}
	c.weight(2, 1, false)
	return func(in []*graph.Node) *graph.Node { return in[2] }
}

// Bias adds its second input, one number a channel, to its first.
func Bias(c *Call) Build {
	if !c.takes(2) {
		return nil
	}
	c.value(0)
	c.channels = c.weight(1, 1, false)[0]
	return func(in []*graph.Node) *graph.Node {
		x, bias := in[0], in[1]
		if x.Shape().Dim(x.Rank()-1) != bias.Shape().Dim(0) {
			panic(fmt.Errorf("%s has not %d channels", x.Shape(), bias.Shape().Dim(0)))
		}
		return graph.Add(x, graph.ExpandLeftToRank(bias, x.Rank()))
	}
}

// Concat lays its inputs one after the other along an axis, which must be that of the channels. Input skip, unless it is
// negative, is not one of them.
func (c *Call) Concat(axis int64, skip int) Build {
	known := true
	for i := range c.sources {
		if i != skip {
			channels := c.value(i)
			c.channels += channels
			known = known && channels > 0
		}
	}
	if !known {
		c.channels = 0
	}
	first := c.p.ChannelsFirst
	return func(in []*graph.Node) *graph.Node {
		if in = slices.Clone(in); skip >= 0 {
			in = slices.Delete(in, skip, skip+1)
		}
		channels, rank := int64(in[0].Rank()-1), int64(in[0].Rank())
		if first {
			channels = 1
		}
		if axis != channels && axis != channels-rank {
			panic(fmt.Errorf("axis %d of %s is not supported, only the channels", axis, in[0].Shape()))
		}
		return layer.Concat(in...)
	}
}

// Reshape gives its first input another shape, in the format's layout; one axis may be −1. It leaves images
// apart: a graph that was written for one image at a time takes several.
func (c *Call) Reshape(dims []int64) Build {
	if c.err == nil && (len(dims) == 0 || len(dims) > maxRank || dims[0] != 1 && dims[0] != -1) {
		c.Fail("the shape %v is not supported, only [-1, …] and [1, …], images along the first axis", dims)
	}
	first := c.p.ChannelsFirst
	if first && len(dims) != 2 && len(dims) != 4 { // of others, it is not known where the channels are
		c.Fail("the shape %v is not supported, only rows of numbers and images, with 2 and 4 axes", dims)
	}
	if c.err != nil {
		return nil
	}
	c.value(0)
	open, size := -1, int64(1)
	for i, d := range dims[1:] {
		switch {
		case d == -1 && open < 0 && dims[0] == 1:
			open = 1 + i
		case d < 1 || size > maxNumbers/d:
			c.Fail("there is no shape %v", dims)
			return nil
		default:
			size *= d
		}
	}
	channels := dims[len(dims)-1]
	if first && len(dims) == 4 {
		channels = dims[1]
	}
	c.channels = max(0, int(channels))
	return func(in []*graph.Node) *graph.Node {
		x := in[0]
		n := x.Shape().Dim(0)
		each := x.Shape().Size() / n
		shape := []int{n}
		for _, d := range dims[1:] {
			shape = append(shape, int(d))
		}
		if open >= 0 && each%int(size) == 0 {
			shape[open] = each / int(size)
		} else if each != int(size) {
			panic(fmt.Errorf("%s cannot become %v: give images of the size that the whole network takes, or ask for a layer before this one",
				x.Shape(), dims))
		}
		if first && x.Rank() == 4 {
			x = graph.TransposeAllAxes(x, 0, 3, 1, 2)
		}
		if x = graph.Reshape(x, shape...); first {
			x = channelsLast(x)
		}
		return x
	}
}

// channelsLast is images [N, C, H, W], or one of their shape, with their channels last; another shape is as it was.
func channelsLast(x *graph.Node) *graph.Node {
	if x.Rank() != 4 {
		return x
	}
	return graph.TransposeAllAxes(x, 0, 2, 3, 1)
}

// Add adds two values, or a value and a constant.
func Add(c *Call) Build {
	if c.pair() {
		return func(in []*graph.Node) *graph.Node { return graph.Add(in[0], in[1]) }
	}
	return c.shifted(graph.Add)
}

// Sub: what is subtracted is multiplied by −1 as a layer, so that every Rule sees through it.
func Sub(c *Call) Build {
	if c.pair() {
		return func(in []*graph.Node) *graph.Node { return graph.Add(in[0], negative(in[1])) }
	}
	if c.err == nil && c.depends(0) {
		return c.shifted(graph.Sub)
	}
	return c.shifted(func(x, constant *graph.Node) *graph.Node { return graph.Add(negative(x), constant) })
}

// Mul multiplies a value by a constant.
func Mul(c *Call) Build {
	if c.pair() {
		c.Fail("a product of two values that depend on the images is not supported")
	}
	return c.scaled(func(constant *graph.Node) *graph.Node { return constant })
}

// Div divides a value by a constant.
func Div(c *Call) Build {
	if c.pair() || c.err == nil && c.depends(1) {
		c.Fail("a division by what depends on the images is not supported")
	}
	return c.scaled(graph.Reciprocal)
}

// pair says whether the node has two inputs that depend on the images, and takes them.
func (c *Call) pair() bool {
	if !c.takes(2) || !c.depends(0) || !c.depends(1) {
		return false
	}
	a, b := c.value(0), c.value(1)
	c.channels = max(a, b)
	return true
}

// single takes the one input that depends on the images, and the other, a constant. It returns them, when they are built,
// in that order, the constant with as many axes and in the layout of package layer.
func (c *Call) single() (dims []int, both func(in []*graph.Node) (x, k *graph.Node)) {
	if !c.takes(2) {
		return nil, nil
	}
	value := 0
	if !c.depends(0) {
		value = 1
	}
	first := c.p.ChannelsFirst
	channels := c.value(value)
	dims = c.weight(1-value, -1, false)
	axis := len(dims) - 1
	if first {
		axis = len(dims) - 3
	}
	if axis >= 0 && channels > 0 {
		channels = max(channels, dims[axis])
	}
	c.channels = channels
	return dims, func(in []*graph.Node) (x, k *graph.Node) {
		x, k = in[value], in[1-value]
		if k.Rank() > x.Rank() || k.Rank() == x.Rank() && k.Rank() > 0 && k.Shape().Dim(0) != 1 {
			panic(fmt.Errorf("a constant shaped %s does not fit images %s", k.Shape(), x.Shape()))
		}
		k = graph.ExpandLeftToRank(k, x.Rank())
		if first {
			k = channelsLast(k)
		}
		return x, k
	}
}

// shifted is f of a value and a constant, which is the same for all images.
func (c *Call) shifted(f func(x, constant *graph.Node) *graph.Node) Build {
	_, both := c.single()
	return func(in []*graph.Node) *graph.Node { return f(both(in)) }
}

// scaled is a value times f of a constant, which is one number, or one a channel.
func (c *Call) scaled(f func(constant *graph.Node) *graph.Node) Build {
	dims, both := c.single()
	long := 0
	for _, d := range dims {
		if d != 1 {
			long++
		}
	}
	if long > 1 {
		c.Fail("a factor shaped %v is not supported, only one a channel", dims)
	}
	return func(in []*graph.Node) *graph.Node {
		x, k := both(in)
		return scale(x, f(k))
	}
}

func negative(x *graph.Node) *graph.Node { return scale(x, graph.Scalar(x.Graph(), x.DType(), -1)) }

// scale is x times one number, or one a channel, the last axis, as a layer: a batch norm without statistics.
func scale(x, factor *graph.Node) *graph.Node {
	channels, n := x.Shape().Dim(x.Rank()-1), factor.Shape().Size()
	if n != 1 && (n != channels || factor.Shape().Dim(factor.Rank()-1) != n) {
		panic(fmt.Errorf("%d factors do not fit %s", n, x.Shape()))
	}
	factor = graph.BroadcastToDims(graph.Reshape(factor, n), channels)
	zero := graph.ZerosLike(factor)
	return layer.Normalize(x, zero, graph.OnesLike(factor), factor, zero, 0)
}
