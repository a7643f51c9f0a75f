package layer

import "github.com/gomlx/gomlx/core/graph"

// product returns y, the value of a function of a and b, with the derivatives of the caller's choice: da
// and db take the cotangent of y and return those of a and of b. They run only if a gradient is asked.
//
// GoMLX takes a derivative of one's own for an identity only. So all three are laid end to end, pass one
// identity together, and y is cut out again; XLA removes the copies.
func product(y, a, b *Node, da, db func(v *Node) *Node) *Node {
	na, nb, ny := a.Shape().Size(), b.Shape().Size(), y.Shape().Size()
	all := graph.Concatenate([]*Node{graph.Reshape(a, na), graph.Reshape(b, nb), graph.StopGradient(graph.Reshape(y, ny))}, 0)
	all = graph.IdentityWithCustomGradient(all, func(_, v *Node) *Node {
		v = graph.ReshapeLike(graph.Slice(v, graph.AxisRange(na+nb)), y)
		return graph.Concatenate([]*Node{
			graph.Reshape(da(v), na), graph.Reshape(db(v), nb), graph.Zeros(v.Graph(), graph.StopGradient(graph.Reshape(y, ny)).Shape()),
		}, 0)
	})
	return graph.ReshapeLike(graph.Slice(all, graph.AxisRange(na+nb)), y)
}
