package layer

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
)

// Rescale is DeepLIFT's rescale rule: Shrikumar, Greenside and Kundaje, arXiv:1704.02685, section 3.5.2. For a pass that
// StartBeside starts. The gradient that it gives at the images or at a layer is their multiplier: times the image's
// difference from the reference and summed up, it is the score's difference.
//
// A ReLU has Δy/Δx for derivative, and its own where Δx is 0. So has a pointwise function, where Δx is nothing but rounding: less
// than the root of the number type's precision, as a share of x. LRN is one, position by position and channel by channel; what
// neighbouring channels do goes to the channel itself. Linear layers have their own derivative. Of a max-pool's difference, what the image's
// maximum is above the reference's goes to where the image has it, and what it is below to where the reference has it, each
// over the Δx there: as Lundberg's shap and captum have it.
var Rescale Rule = rescale{}

type rescale struct{}

func (rescale) String() string { return "rescale" }

// Compares implements ComparingRule.
func (rescale) Compares() {}

// Optional implements OptionalRule: of a linear network the gradient is the multiplier.
func (rescale) Optional() {}

// ReLU implements ReLURule.
func (rescale) ReLU(x *graph.Node) *graph.Node {
	dx := difference(x)
	return secant(dx, still(dx), x, relu(x))
}

// Pointwise implements PointwiseRule.
func (r rescale) Pointwise(x *graph.Node, f func(x *graph.Node) *graph.Node) *graph.Node {
	y := f(x)
	sameShape(r, x, y)
	dx := difference(x)
	image, reference := halves(x)
	size := graph.Add(graph.Abs(image), graph.Abs(reference))
	return secant(dx, graph.LessOrEqual(graph.Abs(dx), graph.MulScalar(size, math.Sqrt(precision(x.DType())))), x, y)
}

// secant returns y, a function of x, whose derivative is Δy/Δx, or its own where Δx is tiny.
func secant(dx, tiny, x, y *graph.Node) *graph.Node {
	slope := twice(graph.Div(difference(y), graph.Where(tiny, graph.OnesLike(dx), dx)))
	tiny = twice(tiny)
	return withDerivative(y, []*graph.Node{y, x}, func(v *graph.Node) []*graph.Node {
		zero := graph.ZerosLike(v)
		return []*graph.Node{graph.Where(tiny, v, zero), graph.Where(tiny, zero, graph.Mul(v, slope))}
	})
}

// MaxPool implements MaxPoolRule.
func (rescale) MaxPool(x *graph.Node, w Window) *graph.Node {
	dx := difference(x)
	tiny := still(dx)
	shared := graph.IdentityWithCustomGradient(x, func(_, v *graph.Node) *graph.Node {
		image, reference := halves(v)
		share := graph.Div(graph.Add(image, reference), graph.Where(tiny, graph.OnesLike(dx), dx))
		return twice(graph.Where(tiny, graph.ZerosLike(share), share))
	})
	own := graph.IdentityWithCustomGradient(x, func(_, v *graph.Node) *graph.Node {
		return graph.Where(twice(tiny), v, graph.ZerosLike(v))
	})
	y, exact := maxPool(shared, w), maxPool(own, w)
	image, reference := halves(y)
	most := graph.Max(image, reference)
	change := graph.Concatenate([]*graph.Node{graph.Sub(most, reference), graph.Sub(image, most)}, 0)
	return withDerivative(y, []*graph.Node{y, exact}, func(v *graph.Node) []*graph.Node {
		v, _ = halves(v)
		return []*graph.Node{graph.Mul(twice(v), change), graph.Concatenate([]*graph.Node{v, graph.ZerosLike(v)}, 0)}
	})
}

// halves returns what of x is of the images, and what of the references.
func halves(x *graph.Node) (image, reference *graph.Node) {
	n := x.Shape().Dim(0) / 2
	return graph.SliceAxis(x, 0, graph.AxisRange(0, n)), graph.SliceAxis(x, 0, graph.AxisRange(n, 2*n))
}

// twice lays x, of the images, beside itself for the references.
func twice(x *graph.Node) *graph.Node { return graph.Concatenate([]*graph.Node{x, x}, 0) }

// difference returns what the images' half of x is more than the references'.
func difference(x *graph.Node) *graph.Node {
	image, reference := halves(x)
	return graph.Sub(image, reference)
}

// still says where a difference is none.
func still(d *graph.Node) *graph.Node { return graph.Equal(d, graph.ZerosLike(d)) }

// precision is the distance from 1 to the next number.
func precision(t dtypes.DType) float64 {
	switch t {
	case dtypes.Float64:
		return 0x1p-52
	case dtypes.Float32:
		return 0x1p-23
	}
	panic(fmt.Errorf("layer: rule rescale: numbers are of %s, must be of float32 or float64", t))
}
