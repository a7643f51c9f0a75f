package tensorflow

import (
	"github.com/gomlx/gomlx/core/graph"

	"lucigo/interp/layer"
	"lucigo/models/internal/plan"
)

// format is what TensorFlow's operators mean.
var format = plan.Format{
	Input: "Placeholder", Constant: "Const", Identity: "Identity", Softmax: "Softmax",
	Operators: map[string]plan.Operator{
		"Add":           plan.Add,
		"AddV2":         plan.Add,
		"AvgPool":       avgPool,
		"BiasAdd":       biasAdd,
		"CheckNumerics": plan.Same,
		"Concat":        func(c *plan.Call) plan.Build { return concat(c, 0) },
		"ConcatV2":      func(c *plan.Call) plan.Build { return concat(c, c.Inputs()-1) },
		"Conv2D":        conv2D,
		"Identity":      plan.Same,
		"LRN":           lrn,
		"MatMul":        matMul,
		"MaxPool":       maxPool,
		"Mul":           plan.Mul,
		"RealDiv":       plan.Div,
		"Relu":          plan.ReLU,
		"Reshape":       reshape,
		"Softmax":       plan.Softmax,
		"Sub":           plan.Sub,
	},
}

// lrn: TensorFlow's alpha is not over the window's size, and its window is given by its radius.
func lrn(c *plan.Call) plan.Build {
	size := 2*int(plan.Attribute(c, "depth_radius", int64(5))) + 1
	return c.LRN(size, plan.Attribute(c, "alpha", 1.0)*float64(size), plan.Attribute(c, "beta", 0.5), plan.Attribute(c, "bias", 1.0))
}

func biasAdd(c *plan.Call) plan.Build {
	channelsLast(c)
	return plan.Bias(c)
}

func matMul(c *plan.Call) plan.Build {
	if plan.Attribute(c, "transpose_a", int64(0)) != 0 {
		c.Fail("transpose_a is not supported")
	}
	if c.Inputs() != 2 {
		c.Fail("it has %d inputs, must have 2", c.Inputs())
	}
	return c.Dense(plan.Attribute(c, "transpose_b", int64(0)) != 0)
}

// channelsLast checks that the node's images are [N, H, W, C].
func channelsLast(c *plan.Call) {
	if format := plan.Attribute(c, "data_format", "NHWC"); format != "NHWC" {
		c.Fail("data_format %.20q is not supported, only NHWC", format)
	}
}

// slides reads the attributes of a window.
func slides(c *plan.Call) (w plan.Window) {
	channelsLast(c)
	w.Stride = spatial(c, "strides", nil)
	w.Dilation = spatial(c, "dilations", []int64{1, 1, 1, 1})
	switch padding := plan.Attribute(c, "padding", ""); padding {
	case "SAME":
		w.Same = true
	case "VALID":
	default:
		c.Fail("padding %.20q is not supported, only SAME and VALID", padding)
	}
	return w
}

// spatial reads an attribute [1, height, width, 1].
func spatial(c *plan.Call, name string, missing []int64) [2]int {
	v := plan.Attribute(c, name, missing)
	if len(v) != 4 || v[0] != 1 || v[3] != 1 {
		c.Fail("%s %v are not supported, only [1, height, width, 1]", name, v)
		return [2]int{}
	}
	return [2]int{int(v[1]), int(v[2])}
}

func conv2D(c *plan.Call) plan.Build {
	if c.Inputs() != 2 {
		c.Fail("it has %d inputs, must have 2", c.Inputs())
	}
	return c.Convolve(slides(c))
}

func maxPool(c *plan.Call) plan.Build { return pool(c, layer.MaxPool) }

// avgPool: padding does not count.
func avgPool(c *plan.Call) plan.Build {
	return pool(c, func(x *graph.Node, w layer.Window) *graph.Node { return layer.MeanPool(x, w, false) })
}

func pool(c *plan.Call, of func(x *graph.Node, w layer.Window) *graph.Node) plan.Build {
	w := slides(c)
	w.Size = spatial(c, "ksize", nil)
	return c.Pool(w, of)
}

// concat has the axis as one of its inputs.
func concat(c *plan.Call, axis int) plan.Build {
	if c.Inputs() < 2 {
		c.Fail("it has %d inputs, and the operator takes an axis and what to lay one after the other", c.Inputs())
		return nil
	}
	at := c.Integers(axis)
	if len(at) != 1 {
		c.Fail("its axis is %v", at)
		return nil
	}
	return c.Concat(at[0], axis)
}

func reshape(c *plan.Call) plan.Build {
	if c.Inputs() != 2 {
		c.Fail("it has %d inputs, must have 2", c.Inputs())
		return nil
	}
	return c.Reshape(c.Integers(1))
}
