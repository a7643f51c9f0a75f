package interp_test

import (
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
)

// A weight that the network never reads, such as the biases of a convolution without them, is an error with
// near names wherever the whole network is built. A part of the network may leave weights unread, and a store
// has what its optimizer keeps.
func TestUnreadWeights(t *testing.T) {
	forward := func(s *model.Scope, x *graph.Node) *graph.Node {
		x = layer.At("conv", layer.ReLU(layer.ConvNoBias(s.At("conv"), x, 4, layer.Square(3, 1, 1))))
		return layer.Dense(s.At("logits"), layer.GlobalMean(x), 2)
	}
	right := interptest.Model("right", forward, [3]int{4, 4, 1}, 2, 1)
	x := interptest.Images(right, 1, 1).Asked(0)
	biases, err := interp.NewWeight(make([]float64, 4), 4)
	if err != nil {
		t.Fatal(err)
	}
	weights := right.Weights()
	weights["/conv/biases"] = biases
	spec := interp.Spec{Name: "wrong", Forward: forward, Input: [3]int{4, 4, 1}, Classes: right.Classes(), Weights: weights}
	const want = `wrong: weight "/conv/biases" is never read: no variable "/conv/biases"; there are: /conv/weights, /logits/weights, /logits/biases`
	for name, f := range map[string]func(m *interp.Model) error{
		"Layers":   func(m *interp.Model) error { _, err := m.Layers(); return err },
		"Predict":  func(m *interp.Model) error { _, err := m.Predict(ctx, x); return err },
		"Gradient": func(m *interp.Model) error { _, err := m.Gradient(ctx, objective.Logit, nil, x); return err },
	} {
		if err := f(right); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		m, err := interp.New(spec)
		if err != nil {
			t.Fatal(err)
		}
		if err := f(m); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
		if _, err := m.Activations(ctx, x, "conv"); err != nil {
			t.Errorf("a part of the network: %v", err)
		}
	}

	store := model.NewStore()
	for path, w := range weights {
		if _, err := store.CreateVariable(path, tensors.FromFlatDataAndDimensions(w.Values(), w.Dims()...)); err != nil {
			t.Fatal(err)
		}
	}
	m, err := interp.FromStore(store, "trained", forward, [3]int{4, 4, 1}, right.Classes())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Predict(ctx, x); err != nil {
		t.Errorf("a store with more than the network reads: %v", err)
	}
}
