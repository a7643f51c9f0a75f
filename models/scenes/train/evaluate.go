package train

import (
	"context"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/layer"
)

// evaluation of a net goes in batches of this many images.
const evaluated = 100

// accuracy returns, for each radius, the share of the feed's first n images that the net gets right after an adversarial search of that
// radius in that many steps. n is a multiple of evaluated.
func accuracy(ctx context.Context, b compute.Backend, forward layer.Forward, weights interp.Weights, f feed, n, steps int, radii ...float64) ([]float64, error) {
	store := model.NewStore()
	if err := restore(store, weights); err != nil {
		return nil, err
	}
	exec, err := model.NewExec(b, store, func(s *model.Scope, x, start, labels, epsilon *graph.Node) *graph.Node {
		net := func(x *graph.Node) *graph.Node { return forward(s, x) }
		start = graph.MulScalar(graph.ConvertDType(start, x.DType()), 1.0/127)
		x = adversarial(net, x, start, labels, epsilon, steps)
		return graph.ReduceAllSum(graph.ConvertDType(graph.Equal(graph.ArgMax(net(x), -1, dtypes.Int32), labels), dtypes.Float32))
	})
	if err != nil {
		return nil, err
	}
	defer exec.Finalize()
	f.batch, f.window, f.fresh, f.test = evaluated, evaluated, evaluated, true
	right := make([]float64, len(radii))
	for t := range n / evaluated {
		x, start, labels := f.at(t).tensors()
		for i, epsilon := range radii {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			r, err := exec.Call1(x, start, labels, float32(epsilon))
			if err != nil {
				return nil, fmt.Errorf("evaluating: %w", err)
			}
			right[i] += float64(tensors.ToScalar[float32](r))
		}
	}
	for i := range right {
		right[i] /= float64(n)
	}
	return right, nil
}

// tensors returns the batch ready for the device.
func (b batch) tensors() (images, start, labels *tensors.Tensor) {
	n := len(b.labels)
	return tensors.FromFlatDataAndDimensions(b.images, n, side, side, 3),
		tensors.FromFlatDataAndDimensions(b.start, n, side, side, 3),
		tensors.FromFlatDataAndDimensions(b.labels, n)
}
