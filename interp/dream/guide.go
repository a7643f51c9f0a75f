package dream

import (
	"context"
	"fmt"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
	"lucigo/interp/layer"
)

// Guide returns the objective of a dream that is guided by other images: for every position of a layer the
// scalar product of its channels with those of the guide's positions that match them best, by that same
// product, summed over the positions. Its gradient at the layer is what matches best, as in the published
// code. Features of all the guide's images count alike.
//
// The guide is of any size that goes into the layer. Every position of the dream is compared with every
// position of the guide: where that is more than 2²⁸ pairs, the dream is an error.
func Guide(ctx context.Context, m *interp.Model, name string, guide interp.Images) (interp.Objective, error) {
	a, err := m.Activations(ctx, guide, name)
	if err != nil {
		return interp.Objective{}, fmt.Errorf("dream: a guide at layer %q: %w", name, err)
	}
	channels := a[0].Shape[len(a[0].Shape)-1]
	features := len(a[0].Data) / channels
	if !slices.ContainsFunc(a[0].Data, func(v float64) bool { return v != 0 }) {
		return interp.Objective{}, fmt.Errorf("dream: a guide at layer %q: all its features are 0 there, so it does not guide", name)
	}
	return interp.Objective{
		Name: fmt.Sprintf("guided by %d features at %s", features, name),
		Form: match{name}, Args: []interp.Arg{interp.Array(a[0].Data, features, channels)},
	}, nil
}

// match is the product of each position of a layer with the guide's features, [features, channels], that
// match it best.
type match struct{ layer string }

func (f match) Score(p *layer.Pass, args []*Node) *Node {
	h, guide := p.Layer(f.layer), args[0]
	features, channels := guide.Shape().Dim(0), guide.Shape().Dim(1)
	if h.Shape().Dim(-1) != channels {
		panic(fmt.Errorf("dream: the guide's features have %d channels, and layer %q has %d", channels, f.layer, h.Shape().Dim(-1)))
	}
	n := h.Shape().Dim(0)
	h = Reshape(h, -1, channels)
	if pairs := h.Shape().Dim(0) * features; pairs > 1<<28 {
		panic(fmt.Errorf("dream: %d positions of layer %q and %d of the guide are too many pairs: take a smaller guide or a deeper layer",
			h.Shape().Dim(0), f.layer, features))
	}
	best := ArgMax(MatMul(StopGradient(h), Transpose(guide, 0, 1)), 1)
	matched := StopGradient(Gather(guide, Reshape(best, -1, 1)))
	return ReduceSum(Reshape(Mul(h, matched), n, -1), 1)
}
