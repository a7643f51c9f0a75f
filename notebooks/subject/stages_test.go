package subject_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/models"
	"lucigo/notebooks/subject"
)

// of returns the network of a Forward with drawn weights.
func of(t *testing.T, name string, forward layer.Forward, h, w, c, classes int) subject.Network {
	t.Helper()
	return subject.Network{Model: interptest.Model(name, forward, [3]int{h, w, c}, classes, 1)}
}

// tower is a network of convolutions with the given strides, named at random, and a dense layer. Its first layer only
// prepares the images.
func tower(t *testing.T, strides ...int) subject.Network {
	return of(t, "tower", func(s *model.Scope, x *graph.Node) *graph.Node {
		x = layer.At("centred", graph.AddScalar(x, -.5))
		for i, stride := range strides {
			name := string(rune('a' + i))
			x = layer.At(name, layer.ReLU(layer.Conv(s.At("%s", name), x, 6, layer.Square(3, stride, 1))))
		}
		x = layer.At("pooled", layer.GlobalMean(x))
		return layer.At("answer", layer.Dense(s.At("answer"), x, 10))
	}, 32, 32, 3, 10)
}

// Of layers that nobody listed, five are chosen at even depth: the first has the network's first weights, and the last
// is the last that still has positions.
func TestStagesByDepth(t *testing.T) {
	hidden := func(names ...string) layer.Forward {
		return func(s *model.Scope, x *graph.Node) *graph.Node {
			x = layer.Flatten(x)
			for _, name := range names {
				x = layer.At(name, layer.ReLU(layer.Dense(s.At("%s", name), x, 7)))
			}
			return layer.At("logits", layer.Dense(s.At("logits"), x, 3))
		}
	}
	for want, n := range map[string]subject.Network{
		"a b c d e":     tower(t, 1, 2, 1, 2, 1),
		"a c e g i":     tower(t, 1, 1, 2, 1, 1, 2, 1, 1, 1),
		"a b d e g":     tower(t, 1, 2, 1, 2, 1, 2, 1),
		"a b pooled":    tower(t, 1, 2),
		"one two three": of(t, "dense", hidden("one", "two", "three"), 4, 4, 1, 3),
		"logits":        of(t, "linear", hidden(), 4, 4, 1, 3),
	} {
		got, err := n.Stages()
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q, want %q: %v", got, want, err)
		}
	}
	if _, err := (subject.Network{Model: interptest.Linear()}).Stages(); err == nil || !strings.Contains(err.Error(), "layer.At") {
		t.Errorf("a network that names no layers: %v", err)
	}
}

// Listed stages win, and must be there.
func TestStagesListed(t *testing.T) {
	n := tower(t, 1, 2, 1, 2, 1)
	n.Known = models.Network{Stages: []string{"b", "d"}}
	if got, err := n.Stages(); err != nil || !slices.Equal(got, []string{"b", "d"}) {
		t.Errorf("%q, %v", got, err)
	}
	n.Known.Stages = []string{"b", "poled"}
	if _, err := n.Stages(); err == nil || !strings.Contains(err.Error(), "near it: pooled") {
		t.Errorf("%v", err)
	}
}

// The stages of a registered network are layers of it, in its order, and the first sees the pixels: nothing that has
// positions or weights comes before it.
func TestStagesOfRegistered(t *testing.T) {
	for name, want := range map[string]int{"scenes": 5, "scenes-robust": 5, "scenes-allconv": 5, "scenes-dense": 1} {
		n, err := subject.Open(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		layers, err := n.Layers()
		if err != nil {
			t.Fatal(err)
		}
		got, err := n.Stages()
		if err != nil || len(got) != want || got[0] != layers[0].Name {
			t.Errorf("%s: %v, %v; its layers are %v", name, got, err, layers)
		}
		from := 0
		for _, stage := range got {
			i := slices.IndexFunc(layers[from:], func(l interp.Layer) bool { return l.Name == stage })
			if i < 0 {
				t.Fatalf("%s: %s of %v is out of the order of %v", name, stage, got, layers)
			}
			from += i + 1
		}
	}
}
