package main

import (
	"context"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp/layer"
)

// evaluation of a net goes in batches of this many images.
const evaluated = 100

// accuracy returns the share of the feed's first n images that the net gets right after an adversarial search of radius epsilon in
// that many steps; 0 steps: of the images as they are.
func accuracy(ctx context.Context, b compute.Backend, forward layer.Forward, weights map[string]array, f feed, n, steps int, epsilon float64) (float64, error) {
	store := model.NewStore()
	if err := restore(store, weights, nil); err != nil {
		return 0, err
	}
	exec, err := model.NewExec(b, store, func(s *model.Scope, x, start, labels *graph.Node) *graph.Node {
		net := func(x *graph.Node) *graph.Node { return forward(s, x) }
		if steps > 0 {
			start = graph.MulScalar(graph.ConvertDType(start, x.DType()), 1.0/127)
			x = adversarial(net, x, start, labels, graph.Const(x.Graph(), float32(epsilon)), steps)
		}
		return graph.ReduceAllSum(graph.ConvertDType(graph.Equal(graph.ArgMax(net(x), -1, dtypes.Int32), labels), dtypes.Float32))
	})
	if err != nil {
		return 0, err
	}
	defer exec.Finalize()
	f.batch, f.window, f.fresh, f.plain, f.ordered = evaluated, evaluated, evaluated, true, true
	right := 0.0
	for t := range n / evaluated {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		x, start, labels := f.at(t).tensors()
		r, err := exec.Call1(x, start, labels)
		if err != nil {
			return 0, fmt.Errorf("evaluating: %w", err)
		}
		right += float64(tensors.ToScalar[float32](r))
	}
	return right / float64(n/evaluated*evaluated), nil
}

// tensors returns the batch ready for the device.
func (b batch) tensors() (images, start, labels *tensors.Tensor) {
	n := len(b.labels)
	return tensors.FromFlatDataAndDimensions(b.images, n, side, side, 3),
		tensors.FromFlatDataAndDimensions(b.start, n, side, side, 3),
		tensors.FromFlatDataAndDimensions(b.labels, n)
}
