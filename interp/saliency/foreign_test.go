package saliency

import (
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
)

// Guided backpropagation and deconvnet of a network whose ReLUs are GoMLX's own, all of them or one, are an error that says
// where: they would be the plain gradient. Its gradient is none.
func TestForeignReLUs(t *testing.T) {
	net := func(relu ...func(x *graph.Node) *graph.Node) layer.Forward {
		return func(s *model.Scope, x *graph.Node) *graph.Node {
			x = layer.At("conv1", relu[0](layer.Conv(s.At("conv1"), x, 4, layer.Square(3, 1, 1))))
			x = layer.At("conv2", relu[1](layer.Conv(s.At("conv2"), x, 4, layer.Square(3, 2, 1))))
			return layer.Dense(s.At("logits"), layer.GlobalMean(x), 3)
		}
	}
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		for name, c := range map[string]struct {
			net  layer.Forward
			want string
		}{
			"all":  {net(activation.Relu, activation.Relu), `Max before layer "conv1"`},
			"one":  {net(layer.ReLU, activation.Relu), `Max after layer "conv1" before layer "conv2"`},
			"none": {net(layer.ReLU, layer.ReLU), ""},
		} {
			m := interptest.Model(name, c.net, [3]int{8, 8, 3}, 3, 1).On(e.Backend)
			x := interptest.Images(m, 2, 1)
			for _, method := range []Method{Gradient{}, Guided, Deconvnet} {
				_, err := method.Maps(t.Context(), m, objective.Logit, x)
				switch wrong := c.want != "" && method != Method(Gradient{}); {
				case wrong && (err == nil || !strings.Contains(err.Error(), c.want)):
					t.Errorf("%s of a network with foreign ReLUs, %s: error %v, want %q", method, name, err, c.want)
				case !wrong && err != nil:
					t.Errorf("%s of a network with foreign ReLUs, %s: %v", method, name, err)
				}
			}
		}
	})
}
