package tensorflow

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"lucigo/interp/layer"
)

// An operator checks a node and returns what builds its value.
type operator func(c *call) build

var operators = map[string]operator{
	"Add":           add,
	"AddV2":         add,
	"AvgPool":       avgPool,
	"BiasAdd":       biasAdd,
	"CheckNumerics": identity,
	"Concat":        func(c *call) build { return concat(c, 0) },
	"ConcatV2":      func(c *call) build { return concat(c, len(c.sources)-1) },
	"Conv2D":        conv2D,
	"Identity":      identity,
	"LRN":           lrn,
	"MatMul":        matMul,
	"MaxPool":       maxPool,
	"Mul":           mul,
	"RealDiv":       realDiv,
	"Relu":          relu,
	"Reshape":       reshape,
	"Softmax":       softmax,
	"Sub":           sub,
}

// supported are the names of the operators that a graph may have.
func supported() []string {
	names := append(slices.Collect(maps.Keys(operators)), "Const", "Placeholder")
	slices.Sort(names)
	return names
}

// pointwise is an operator of one input, whose value has its shape.
func pointwise(c *call, f build) build {
	if c.inputs(1) {
		c.channels = c.value(0)
	}
	return f
}

func identity(c *call) build { return pointwise(c, func(in []*Node) *Node { return in[0] }) }
func relu(c *call) build     { return pointwise(c, func(in []*Node) *Node { return layer.ReLU(in[0]) }) }
func softmax(c *call) build {
	return pointwise(c, func(in []*Node) *Node { return layer.Softmax(in[0]) })
}

// lrn: TensorFlow's alpha is not over the window's size, and its window is given by its radius.
func lrn(c *call) build {
	radius := attr(c, c.node.integer, "depth_radius", 5)
	bias := attr(c, c.node.number, "bias", 1)
	alpha := attr(c, c.node.number, "alpha", 1)
	beta := attr(c, c.node.number, "beta", 0.5)
	if radius < 0 || radius > maxTaps {
		c.fail("a radius of %d", radius)
		return nil
	}
	size := 2*int(radius) + 1
	c.window(size)
	return pointwise(c, func(in []*Node) *Node { return layer.LRN(in[0], size, alpha*float64(size), beta, bias) })
}

func biasAdd(c *call) build {
	c.channelsLast()
	if !c.inputs(2) {
		return nil
	}
	c.value(0)
	c.channels = c.weight(1, 1)[0]
	return func(in []*Node) *Node {
		x, bias := in[0], in[1]
		if x.Shape().Dim(x.Rank()-1) != bias.Shape().Dim(0) {
			panic(fmt.Errorf("%s has not %d channels", x.Shape(), bias.Shape().Dim(0)))
		}
		return graph.Add(x, graph.ExpandLeftToRank(bias, x.Rank()))
	}
}

func matMul(c *call) build {
	turned := attr(c, c.node.flag, "transpose_b", false)
	if attr(c, c.node.flag, "transpose_a", false) {
		c.fail("transpose_a is not supported")
	}
	if !c.inputs(2) {
		return nil
	}
	c.value(0)
	dims := c.weight(1, 2)
	c.channels = dims[1]
	if turned {
		c.channels = dims[0]
	}
	return func(in []*Node) *Node {
		w := in[1]
		if turned {
			w = graph.Transpose(w, 0, 1)
		}
		return layer.Affine(in[0], w, nil)
	}
}

// channelsLast checks that the node's images are [N, H, W, C].
func (c *call) channelsLast() {
	if format := attr(c, c.node.text, "data_format", "NHWC"); format != "NHWC" {
		c.fail("data_format %.20q is not supported, only NHWC", format)
	}
}

// sliding is how a window moves.
type sliding struct {
	stride, dilation [2]int
	same             bool // padded as TensorFlow's SAME, or not at all
}

// slides reads the attributes of a window.
func (c *call) slides() (s sliding) {
	c.channelsLast()
	s.stride = c.spatial("strides", false)
	s.dilation = c.spatial("dilations", true)
	switch padding := attr(c, c.node.text, "padding", ""); padding {
	case "SAME":
		s.same = true
	case "VALID":
	default:
		c.fail("padding %.20q is not supported, only SAME and VALID", padding)
	}
	return s
}

// spatial reads an attribute [1, height, width, 1]; one that may be missing is then 1.
func (c *call) spatial(name string, missing bool) [2]int {
	v := attr(c, c.node.integers, name, nil)
	if v == nil && missing {
		return [2]int{1, 1}
	}
	if len(v) != 4 || v[0] != 1 || v[3] != 1 || min(v[1], v[2]) < 1 || max(v[1], v[2]) > maxTaps {
		c.fail("%s %v are not supported, only [1, height, width, 1]", name, v)
		return [2]int{1, 1}
	}
	return [2]int{int(v[1]), int(v[2])}
}

// over is the window of the given size over x.
func (s sliding) over(x *Node, size [2]int) layer.Window {
	w := layer.Window{Size: size, Stride: s.stride, Dilation: s.dilation}
	if s.same && x.Rank() == 4 {
		for axis := range 2 {
			extent := (size[axis]-1)*s.dilation[axis] + 1
			w.Pad[axis] = layer.Same(extent, s.stride[axis], x).Pad[axis]
		}
	}
	return w
}

func conv2D(c *call) build {
	s := c.slides()
	if !c.inputs(2) {
		return nil
	}
	c.value(0)
	dims := c.weight(1, 4)
	size := [2]int{dims[0], dims[1]}
	c.channels = dims[3]
	if c.err == nil && max(size[0], size[1]) <= maxTaps {
		c.window(size[0] * size[1])
	} else {
		c.fail("a window of %v", size)
	}
	return func(in []*Node) *Node { return layer.Convolve(in[0], in[1], nil, s.over(in[0], size), 1) }
}

func maxPool(c *call) build {
	return pool(c, layer.MaxPool)
}

// avgPool: padding does not count.
func avgPool(c *call) build {
	return pool(c, func(x *Node, w layer.Window) *Node { return layer.MeanPool(x, w, false) })
}

func pool(c *call, of func(x *Node, w layer.Window) *Node) build {
	s := c.slides()
	size := c.spatial("ksize", false)
	c.window(size[0] + size[1])
	return pointwise(c, func(in []*Node) *Node { return of(in[0], s.over(in[0], size)) })
}

// concat lays its inputs, except for the axis, one after the other.
func concat(c *call, axis int) build {
	if len(c.sources) < 2 {
		c.fail("it has %d inputs, and the operator takes an axis and what to lay one after the other", len(c.sources))
		return nil
	}
	at := c.integers(axis)
	if len(at) != 1 {
		c.fail("its axis is %v", at)
		return nil
	}
	known := true
	for i := range c.sources {
		if i != axis {
			channels := c.value(i)
			c.channels += channels
			known = known && channels > 0
		}
	}
	if !known {
		c.channels = 0
	}
	return func(in []*Node) *Node {
		in = slices.Delete(slices.Clone(in), axis, axis+1)
		if last := int64(in[0].Rank() - 1); at[0] != last && at[0] != -1 {
			panic(fmt.Errorf("axis %d of %s is not supported, only the channels", at[0], in[0].Shape()))
		}
		return layer.Concat(in...)
	}
}

// reshape leaves images apart: a graph that was frozen for one image at a time takes several.
func reshape(c *call) build {
	if !c.inputs(2) {
		return nil
	}
	c.value(0)
	dims := c.integers(1)
	if len(dims) == 0 || len(dims) > maxRank || dims[0] != 1 && dims[0] != -1 {
		c.fail("the shape %v is not supported, only [-1, …] and [1, …], images along the first axis", dims)
		return nil
	}
	open, size := -1, int64(1)
	for i, d := range dims[1:] {
		switch {
		case d == -1 && open < 0 && dims[0] == 1:
			open = 1 + i
		case d < 1 || size > maxNumbers/d:
			c.fail("there is no shape %v", dims)
			return nil
		default:
			size *= d
		}
	}
	c.channels = max(0, int(dims[len(dims)-1]))
	return func(in []*Node) *Node {
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
		return graph.Reshape(x, shape...)
	}
}

// add adds two values, or a value and a constant.
func add(c *call) build {
	if c.pair() {
		return func(in []*Node) *Node { return graph.Add(in[0], in[1]) }
	}
	return c.shifted(func(x, constant *Node) *Node { return graph.Add(x, constant) })
}

// sub: what is subtracted is multiplied by −1 as a layer, so that every Rule sees through it.
func sub(c *call) build {
	if c.pair() {
		return func(in []*Node) *Node { return graph.Add(in[0], negative(in[1])) }
	}
	if c.err == nil && c.depends(0) {
		return c.shifted(func(x, constant *Node) *Node { return graph.Sub(x, constant) })
	}
	return c.shifted(func(x, constant *Node) *Node { return graph.Add(negative(x), constant) })
}

func mul(c *call) build {
	if c.pair() {
		c.fail("a product of two values that depend on the images is not supported")
	}
	return c.scaled(func(constant *Node) *Node { return constant })
}

func realDiv(c *call) build {
	if c.pair() || c.err == nil && c.depends(1) {
		c.fail("a division by what depends on the images is not supported")
	}
	return c.scaled(graph.Reciprocal)
}

// pair says whether the node has two inputs that depend on the images, and takes them.
func (c *call) pair() bool {
	if !c.inputs(2) || !c.depends(0) || !c.depends(1) {
		return false
	}
	a, b := c.value(0), c.value(1)
	c.channels = max(a, b)
	return true
}

// single takes the one input that depends on the images, and the other, a constant. It returns their
// places and the constant's dimensions.
func (c *call) single() (value, constant int, dims []int) {
	if !c.inputs(2) {
		return 0, 0, nil
	}
	if !c.depends(0) {
		value = 1
	}
	channels := c.value(value)
	dims = c.weight(1-value, -1)
	if len(dims) > 0 && channels > 0 {
		channels = max(channels, dims[len(dims)-1])
	}
	c.channels = channels
	return value, 1 - value, dims
}

// shifted is f of a value and a constant, which is the same for all images.
func (c *call) shifted(f func(x, constant *Node) *Node) build {
	value, constant, _ := c.single()
	return func(in []*Node) *Node {
		x, k := in[value], in[constant]
		if k.Rank() > x.Rank() || k.Rank() == x.Rank() && k.Shape().Dim(0) != 1 {
			panic(fmt.Errorf("a constant shaped %s does not fit images %s", k.Shape(), x.Shape()))
		}
		return f(x, graph.ExpandLeftToRank(k, x.Rank()))
	}
}

// scaled is a value times f of a constant, which is one number, or one a channel.
func (c *call) scaled(f func(constant *Node) *Node) build {
	value, constant, dims := c.single()
	for _, d := range dims[:max(0, len(dims)-1)] {
		if d != 1 {
			c.fail("a factor shaped %v is not supported, only one a channel", dims)
		}
	}
	return func(in []*Node) *Node { return scale(in[value], f(in[constant])) }
}

func negative(x *Node) *Node { return scale(x, graph.Scalar(x.Graph(), x.DType(), -1)) }

// scale is x times one number, or one a channel, as a layer: a batch norm without statistics.
func scale(x, factor *Node) *Node {
	channels := x.Shape().Dim(x.Rank() - 1)
	factor = graph.Reshape(factor, factor.Shape().Size())
	if n := factor.Shape().Dim(0); n != 1 && n != channels {
		panic(fmt.Errorf("%d factors do not fit %s", n, x.Shape()))
	}
	factor = graph.BroadcastToDims(factor, channels)
	zero := graph.ZerosLike(factor)
	return layer.Normalize(x, zero, graph.OnesLike(factor), factor, zero, 0)
}
