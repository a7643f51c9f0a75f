package layer

import "github.com/gomlx/gomlx/core/graph"

// ReLU returns max(x, 0), for x of any shape. Its derivative at 0 is 0; NaN stays NaN.
func ReLU(x *graph.Node) *graph.Node {
	return signed(through(x, func(r ReLURule) *graph.Node { return r.ReLU(x) }, func() *graph.Node { return relu(x) }))
}

// ReLU6 returns min(max(x, 0), 6), for x of any shape. Its derivative at 0 and at 6 is 0.
func ReLU6(x *graph.Node) *graph.Node {
	return Pointwise(ReLU(x), func(x *graph.Node) *graph.Node {
		six := graph.MulScalar(graph.OnesLike(x), 6)
		return graph.Where(graph.GreaterOrEqual(x, six), six, x)
	})
}

// LeakyReLU returns x where it is positive and slope·x elsewhere, for x of any shape. Rules of ReLUs do
// not touch it: its derivative at 0 is slope.
func LeakyReLU(x *graph.Node, slope float64) *graph.Node {
	return Pointwise(x, func(x *graph.Node) *graph.Node {
		return graph.Where(graph.LessOrEqual(x, graph.ZerosLike(x)), graph.MulScalar(x, slope), x)
	})
}

// Pointwise returns f(x), for an f that computes each number of its result from one position of x alone and
// that is no ReLU: rules of ReLUs do not touch it.
func Pointwise(x *graph.Node, f func(x *graph.Node) *graph.Node) *graph.Node {
	ruled := func(r PointwiseRule) *graph.Node { return r.Pointwise(x, f) }
	return through(x, ruled, func() *graph.Node { return f(x) })
}

// Sigmoid returns 1/(1 + exp(−x)), for x of any shape.
func Sigmoid(x *graph.Node) *graph.Node { return Pointwise(x, graph.Sigmoid) }

// Tanh returns the hyperbolic tangent of x, of any shape.
func Tanh(x *graph.Node) *graph.Node { return Pointwise(x, graph.Tanh) }

// Softmax returns exp(x) over its sum along the last axis.
func Softmax(x *graph.Node) *graph.Node {
	return Pointwise(x, func(x *graph.Node) *graph.Node { return graph.Softmax(x, -1) })
}
