package layer

import "github.com/gomlx/gomlx/core/graph"

// withDerivative returns y, a function of the nodes in, whose derivative is the caller's: it takes the
// cotangent of y and returns those of in, and runs only if a gradient is asked.
//
// GoMLX takes a derivative of one's own for an identity only. So in and y are laid end to end, pass one
// identity together, and y is cut out again; XLA removes the copies.
func withDerivative(y *graph.Node, in []*graph.Node, derivative func(v *graph.Node) []*graph.Node) *graph.Node {
	flat := func(nodes []*graph.Node) (flat []*graph.Node) {
		for _, x := range nodes {
			flat = append(flat, graph.Reshape(x, x.Shape().Size()))
		}
		return flat
	}
	parts := append(flat(in), graph.StopGradient(flat([]*graph.Node{y})[0]))
	all := graph.Concatenate(parts, 0)
	rest := graph.AxisRange(all.Shape().Size() - y.Shape().Size())
	all = graph.IdentityWithCustomGradient(all, func(_, v *graph.Node) *graph.Node {
		v = graph.ReshapeLike(graph.Slice(v, rest), y)
		return graph.Concatenate(append(flat(derivative(v)), graph.ZerosLike(parts[len(in)])), 0)
	})
	return graph.ReshapeLike(graph.Slice(all, rest), y)
}
