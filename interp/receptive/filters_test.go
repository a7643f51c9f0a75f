package receptive_test

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/receptive"
)

// The filters of a convolution are its weights, of a dense layer the weights of each pixel, times what the
// preprocessing multiplies: here −3, with the channels turned round.
func TestLawFiltersAreWeights(t *testing.T) {
	preprocess := func(x *graph.Node) *graph.Node {
		return graph.AddScalar(graph.MulScalar(graph.Reverse(x, 3), -3), 1)
	}
	window := layer.Window{Size: [2]int{3, 4}, Stride: [2]int{2, 1}, Dilation: [2]int{1, 2}, Pad: [2][2]int{{2, 0}, {1, 3}}}
	conv := interptest.Model("conv", func(s *model.Scope, x *graph.Node) *graph.Node {
		x = layer.At("first", layer.ReLU(layer.Conv(s.In("first"), preprocess(x), 5, window)))
		return layer.GlobalMean(x)
	}, [3]int{12, 12, 3}, 5, 1)
	dense := interptest.Model("dense", func(s *model.Scope, x *graph.Node) *graph.Node {
		return layer.At("first", layer.ReLU(layer.Dense(s.In("first"), layer.Flatten(preprocess(x)), 5)))
	}, [3]int{4, 6, 2}, 5, 1)
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		for _, m := range []*interp.Model{conv, dense} {
			m = m.On(e.Backend)
			f, err := receptive.Filters(ctx, m, "first")
			if err != nil {
				t.Fatal(err)
			}
			w := m.Weights()["/first/weights"]
			values, h, wd, dilation := w.Values(), 3, 7, 2
			if m.Name() == "dense" {
				h, wd, dilation = 4, 6, 1
			}
			if f.N != 5 || f.H != h || f.W != wd {
				t.Fatalf("%s: %d filters of %d×%d", m, f.N, f.H, f.W)
			}
			for unit := range f.N {
				for row := range h {
					for column := range wd {
						for c := range f.C {
							want := 0.
							if column%dilation == 0 {
								tap := row*((wd+dilation-1)/dilation) + column/dilation
								want = -3 * values[(tap*f.C+f.C-1-c)*5+unit]
							}
							if got := f.Of(unit)[(row*wd+column)*f.C+c]; !(math.Abs(got-want) <= 1e-5) {
								t.Fatalf("%s: unit %d (%d, %d) channel %d: %g, want %g", m, unit, row, column, c, got, want)
							}
						}
					}
				}
			}
		}
	})
	if _, err := receptive.Filters(ctx, conv, "frist"); err == nil {
		t.Error("filters of no layer")
	}
}
