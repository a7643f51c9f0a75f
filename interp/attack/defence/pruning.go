package defence

import (
	"cmp"
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/layer"
)

// Pruning is stochastic activation pruning: Dhillon et al., arXiv:1803.01442, section 3. Of each named layer, with n units, Share·n units are
// drawn with replacement, each with a chance p that is its share of the layer's sum of magnitudes. What is never drawn becomes 0; what is
// drawn is divided by the chance that it is, 1 − (1 − p)^(Share·n). Here each unit is kept with that chance, independently of the others.
// What the network answers with, a layer of as many numbers as there are classes and no positions, is left alone. Known takes the mean over draws.
type Pruning struct {
	Share float64 // 0 is 1
}

// String names the parameters.
func (d Pruning) String() string { return fmt.Sprintf("activation pruning(share=%g)", d.share()) }

func (d Pruning) share() float64 { return cmp.Or(d.Share, 1) }

// Of implements Defence.
func (d Pruning) Of(m *interp.Model) (*interp.Model, error) { return d.pruned(m, 1, mean) }

// Known implements Defence.
func (d Pruning) Known(m *interp.Model) (*interp.Model, error) { return d.pruned(m, Draws, mean) }

// Voted implements Random.
func (d Pruning) Voted(m *interp.Model, draws int) (*interp.Model, error) {
	return voted(d.pruned(m, draws, votes))
}

func (d Pruning) pruned(m *interp.Model, n int, sum summary) (*interp.Model, error) {
	if !(d.share() > 0) || math.IsInf(d.share(), 1) {
		return nil, fmt.Errorf("defence: Pruning.Share is %g, must be a number more than 0, or 0 for 1", d.Share)
	}
	classes := 0
	if m != nil {
		classes = len(m.Classes())
	}
	return randomly(d, "pruning", m, n, sum, func(s *model.Scope, x *graph.Node, u draws, f layer.Forward) *graph.Node {
		layers := 0
		return layer.Change(x, func(_ string, h *graph.Node) *graph.Node {
			if h.Rank() == 2 && h.Shape().Dim(1) == classes {
				return h
			}
			layers++
			return d.prune(h, u, layers)
		}, func() *graph.Node { return f(s, x) })
	})
}

// prune prunes a layer, whose random numbers are those of a purpose.
func (d Pruning) prune(h *graph.Node, u draws, purpose int) *graph.Node {
	var axes []int
	for axis := 1; axis < h.Rank(); axis++ {
		axes = append(axes, axis)
	}
	units := h.Shape().Size() / h.Shape().Dim(0)
	size := graph.Abs(h)
	tiny := graph.Scalar(h.Graph(), h.DType(), 1e-30)
	p := graph.Div(size, graph.Max(graph.ReduceAndKeep(size, graph.ReduceSum, axes...), tiny))
	// log(1 − p), of which 1 − 1e-7 is the largest p
	never := graph.Log1P(graph.Neg(graph.MinScalar(p, 1-1e-7)))
	chance := graph.Neg(graph.Expm1(graph.MulScalar(never, d.share()*float64(units))))
	drawn := graph.LessThan(u.uniform(purpose, h.DType(), h.Shape().Dimensions[1:]...), chance)
	factor := graph.Where(drawn, graph.Div(graph.OnesLike(chance), graph.Max(chance, tiny)), graph.ZerosLike(chance))
	return graph.Mul(h, graph.StopGradient(factor))
}
