package train_test

import (
	"context"
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/layer"
	"lucigo/interp/train"
)

// A network learns to tell dark images from light ones, which one number of each would do.
func ExampleTraining() {
	ctx := context.Background()
	x := interp.Images{N: 8, H: 4, W: 4, C: 1}
	for i := range x.N {
		for p := range x.Size() {
			x.Pix = append(x.Pix, float64(i)/8+float64(p%2)/16)
		}
		x.Class = append(x.Class, i/4)
	}
	spec := interp.Spec{Name: "light", Input: [3]int{4, 4, 1}, Classes: []string{"dark", "light"},
		Forward: func(s *model.Scope, x *graph.Node) *graph.Node {
			x = layer.ReLU(layer.Dense(s.At("hidden"), layer.Flatten(x), 8))
			return layer.Dense(s.At("logits"), x, 2)
		}}
	m, err := train.New(spec, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	t := train.Training{Epochs: 100, Batch: 8, Rate: .05}
	if m, err = t.Fit(ctx, m, train.Examples{Images: x}); err != nil {
		fmt.Println(err)
		return
	}
	p, err := m.Predict(ctx, x)
	fmt.Println(t)
	fmt.Println(p.Top1(), err)
	// Output:
	// AdamW, 100 epochs, batch 8, rate 0.05 (rises over 0.2), decay 0, no adversary, seed 0
	// [0 0 0 0 1 1 1 1] <nil>
}
