// Package descent has the moves of gradient methods, as graphs: what optimises images, trains networks and
// attacks them is built from these.
package descent

import (
	"cmp"
	"math"

	"github.com/gomlx/gomlx/core/graph"
)

// Adam is the update of Kingma and Ba, arXiv:1412.6980, in the order of operations that they give at the end
// of section 2: the correction of the moments' start at zero is in the rate. The zero value has the paper's
// constants.
type Adam struct {
	Beta1, Beta2 float64 // of the mean and the mean square; 0: 0.9 and 0.999
	Epsilon      float64 // 0: 1e-8
}

func (a Adam) defaults() Adam {
	return Adam{cmp.Or(a.Beta1, .9), cmp.Or(a.Beta2, .999), cmp.Or(a.Epsilon, 1e-8)}
}

// Rate returns what a step's move is multiplied by, for a learning rate; step counts from 0.
func (a Adam) Rate(rate float64, step int) float64 {
	a = a.defaults()
	t := float64(step + 1)
	return rate * math.Sqrt(1-math.Pow(a.Beta2, t)) / (1 - math.Pow(a.Beta1, t))
}

// Move returns the direction of a step, and the next moments, all of the gradient's shape. The moments
// before the first step are zeros.
func (a Adam) Move(gradient, first, second *graph.Node) (move, nextFirst, nextSecond *graph.Node) {
	a = a.defaults()
	first = graph.Add(graph.MulScalar(first, a.Beta1), graph.MulScalar(gradient, 1-a.Beta1))
	second = graph.Add(graph.MulScalar(second, a.Beta2), graph.MulScalar(graph.Square(gradient), 1-a.Beta2))
	return graph.Div(first, graph.AddScalar(graph.Sqrt(second), a.Epsilon)), first, second
}

// Box returns x with its values clipped to the range from low to high.
func Box(x *graph.Node, low, high float64) *graph.Node {
	return graph.MinScalar(graph.MaxScalar(x, low), high)
}

// Ball returns the perturbation d clipped to the L∞ ball of the given radius, a scalar.
func Ball(d, radius *graph.Node) *graph.Node {
	return graph.Min(graph.Max(d, graph.Neg(radius)), radius)
}
