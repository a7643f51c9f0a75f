package layer

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// custom is a rule as an author writes one: it changes the layers that it has methods for.
type custom struct{}

func (custom) String() string { return "custom" }

func (custom) Linear(l LinearLayer) *graph.Node {
	return graph.MulScalar(l.Op(l.X, l.Weights), 3)
}

// pooling changes max-pooling, by the function that it changes.
type pooling struct{}

func (pooling) String() string { return "pooling" }

func (pooling) MaxPool(x *graph.Node, w Window) *graph.Node { return graph.Neg(MaxPool(x, w)) }

// every changes all that a rule can.
type every struct{ guided }

func (every) String() string { return "every" }

func (every) Linear(l LinearLayer) *graph.Node {
	return l.Op(l.X, l.Weights)
}

func (every) Pointwise(x *graph.Node, f func(x *graph.Node) *graph.Node) *graph.Node { return f(x) }

func (every) MaxPool(x *graph.Node, w Window) *graph.Node { return MaxPool(x, w) }

// Where a rule changes what an operator does, GoMLX's own is an error that names it and the layers that it
// is between, and all others are none: of a network with layers of this package before and after it too.
func TestLawForeignOperators(t *testing.T) {
	square := func(x *graph.Node, size int) *graph.Node {
		return graph.IotaFull(x.Graph(), shape(x, size, size, x.Shape().Dim(3), 2))
	}
	zero := func(x *graph.Node) *graph.Node { return graph.ScalarZero(x.Graph(), x.DType()) }
	cases := []struct {
		name, operator string
		rules          string // that change it
		f              func(x *graph.Node) *graph.Node
	}{
		{"preprocessing", "", "", func(x *graph.Node) *graph.Node {
			x = graph.Concatenate([]*graph.Node{graph.Reverse(x, 3), x}, 3)
			return graph.DivScalar(graph.SubScalar(graph.MulScalar(x, 255), 104), 2)
		}},
		{"weights alone", "", "", func(x *graph.Node) *graph.Node {
			return graph.Mul(x, graph.Abs(graph.Max(graph.IotaFull(x.Graph(), x.Shape()), zero(x))))
		}},
		{"residual", "", "", func(x *graph.Node) *graph.Node { return graph.Add(x, graph.ReduceAndKeep(x, graph.ReduceMean, 1, 2)) }},

		{"Max", "Max", "guided deconv every pooling", func(x *graph.Node) *graph.Node { return graph.Max(x, zero(x)) }},
		{"Relu", "Max", "guided deconv every pooling", activation.Relu},
		{"Min", "Min", "guided deconv every pooling", func(x *graph.Node) *graph.Node { return graph.Neg(graph.Min(graph.Neg(x), zero(x))) }},
		{"ReLU6", "Min", "guided deconv every pooling", func(x *graph.Node) *graph.Node { return graph.ClipScalar(x, 0, 6) }},
		{"LeakyRelu", "Where", "guided deconv every", activation.LeakyRelu},
		{"mask", "GreaterThan", "guided deconv every", func(x *graph.Node) *graph.Node {
			return graph.Mul(x, graph.ConvertDType(graph.GreaterThan(x, zero(x)), x.DType()))
		}},
		{"Abs", "Abs", "guided deconv every", func(x *graph.Node) *graph.Node { return graph.DivScalar(graph.Add(x, graph.Abs(x)), 2) }},
		{"Selu", "Where", "guided deconv every", activation.Selu},

		{"Sigmoid", "Logistic", "every", graph.Sigmoid},
		{"Tanh", "Tanh", "every", graph.Tanh},
		{"Gelu", "Erf", "every", activation.Gelu},
		{"Swish", "Logistic", "every", activation.Swish},
		{"gate", "Mul", "every", func(x *graph.Node) *graph.Node { return graph.Mul(x, x) }},
		{"Softmax", "ReduceMax", "every pooling", func(x *graph.Node) *graph.Node { return graph.Softmax(x, -1) }},

		{"MaxPool", "ReduceWindow", "every custom pooling", func(x *graph.Node) *graph.Node { return graph.MaxPool(x).Window(2).Done() }},
		{"ReduceMax", "ReduceMax", "every pooling", func(x *graph.Node) *graph.Node { return graph.ReduceAndKeep(x, graph.ReduceMax, 1) }},
		{"MeanPool", "ReduceWindow", "every custom pooling", func(x *graph.Node) *graph.Node { return graph.MeanPool(x).Window(2).Done() }},

		{"Convolve", "ConvGeneral", "every custom", func(x *graph.Node) *graph.Node { return graph.Convolve(x, square(x, 3)).PadSame().Done() }},
		{"Einsum", "DotGeneral", "every custom", func(x *graph.Node) *graph.Node {
			return graph.Einsum("nhwc,cd->nhwd", x, graph.IotaFull(x.Graph(), shape(x, x.Shape().Dim(3), 2)))
		}},
	}
	onEvery(t, func(t *testing.T, b compute.Backend) {
		for _, c := range cases {
			for _, rule := range []Rule{Exact, Guided, Deconv, every{}, custom{}, pooling{}} {
				err := buildingOn(t, b, 4, func(x *graph.Node) {
					p := Start(nil, x, func(_ *model.Scope, x *graph.Node) *graph.Node {
						x = At("first", MaxPool(ReLU(Convolve(x, square(x, 3), nil, Square(3, 1, 1), 1)), Square(1, 1, 0)))
						x = At("second", c.f(x))
						return GlobalMean(ReLU6(x))
					}, rule, nil)
					defer p.Stop()
					p.Logits()
				})
				changed := strings.Contains(c.rules, rule.String())
				switch {
				case !changed && err != nil:
					t.Errorf("%s, %s: %v", c.name, rule, err)
				case changed && err == nil:
					t.Errorf("%s, %s: no error", c.name, rule)
				case changed && !(strings.Contains(err.Error(), "rule "+rule.String()+" changes") && strings.Contains(err.Error(), c.operator) &&
					strings.Contains(err.Error(), `after layer "first" before layer "second"`)):
					t.Errorf("%s, %s: error %v, want one with the rule, %q and both layers", c.name, rule, err, c.operator)
				}
			}
		}
	})
}

// Wherever the operator is, it is found: before every layer, after the last one, and in a network of such
// operators alone. What the Forward was not run for is not.
func TestForeignOperatorPlaces(t *testing.T) {
	relu := func(x *graph.Node) *graph.Node { return graph.Max(x, graph.ZerosLike(x)) }
	for name, c := range map[string]struct {
		net  Forward
		want string
	}{
		"before": {func(_ *model.Scope, x *graph.Node) *graph.Node { return GlobalMean(At("one", ReLU(relu(x)))) }, `Max before layer "one":`},
		"after":  {func(_ *model.Scope, x *graph.Node) *graph.Node { return GlobalMean(relu(At("one", x))) }, `Max after layer "one":`},
		"alone":  {func(_ *model.Scope, x *graph.Node) *graph.Node { return graph.ReduceMean(relu(x), 1, 2) }, `Max: write them as layer.ReLU`},
		"in a layer's argument": {func(_ *model.Scope, x *graph.Node) *graph.Node {
			return GlobalMean(ReLU(ReLU(relu(ReLU(x)))))
		}, `Max: write`},
	} {
		err := building(t, 4, func(x *graph.Node) {
			p := Start(nil, x, c.net, Guided, nil)
			defer p.Stop()
			p.Logits()
		})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
		if err := building(t, 4, func(x *graph.Node) {
			p := Start(nil, x, c.net, nil, nil)
			defer p.Stop()
			p.Logits()
		}); err != nil {
			t.Errorf("%s: the exact rule: %v", name, err)
		}
	}
	err := building(t, 4, func(x *graph.Node) {
		relu(x) // somebody else's, on the same graph
		p := Start(nil, x, func(_ *model.Scope, x *graph.Node) *graph.Node { return relu(At("one", ReLU(x))) }, Guided, nil)
		defer p.Stop()
		y := p.Layer("one")
		graph.Gradient(graph.ReduceAllSum(y), x)
		other := Start(nil, relu(y), func(_ *model.Scope, x *graph.Node) *graph.Node { return At("two", ReLU(x)) }, Deconv, nil)
		defer other.Stop()
		other.Layer("two")
	})
	if err != nil {
		t.Errorf("a layer before the operator: %v", err)
	}
}

// What replaces a layer is a part of the network like the layer: what is built on it is found.
func TestForeignOperatorBehindReplacement(t *testing.T) {
	err := building(t, 4, func(x *graph.Node) {
		p := Start(nil, x, func(_ *model.Scope, x *graph.Node) *graph.Node {
			return activation.Relu(At("one", x))
		}, Guided, map[string]*graph.Node{"one": graph.OnesLike(x)})
		defer p.Stop()
		p.Logits()
	})
	if err == nil || !strings.Contains(err.Error(), "Max") {
		t.Errorf("error %v", err)
	}
}

// A rule changes what it has methods for, and inside them the layers are exact.
func TestLawRuleMethods(t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 18))
	in := []array{normal(rng, 1, 4, 4, 2), normal(rng, 1, 1, 2, 3)}
	onEvery(t, func(t *testing.T, b compute.Backend) {
		got := run[float64](t, b, in, func(x []*graph.Node) []*graph.Node {
			var out []*graph.Node
			for _, rule := range []Rule{Exact, custom{}, pooling{}} {
				p := Start(nil, x[0], func(_ *model.Scope, images *graph.Node) *graph.Node {
					return MaxPool(ReLU(Convolve(images, x[1], nil, Square(1, 1, 0), 1)), Square(2, 2, 0))
				}, rule, nil)
				out = append(out, p.Logits())
				p.Stop()
			}
			return append(out, graph.MulScalar(out[0], 3), graph.Neg(out[0]))
		})
		same(t, "three times the convolution", got[1], got[3], 1e-15)
		same(t, "the negative maximum", got[2], got[4], 0)
	})
}

type misspelt struct{ Rule }

func (misspelt) Relu(x *graph.Node) *graph.Node { return x }

type lossy struct{ Rule }

func (lossy) Linear(l LinearLayer) *graph.Node {
	return l.Op(l.X, l.Weights)
}

type lossless struct{ guided }

func (lossless) Linear(l LinearLayer) *graph.Node {
	return l.Op(l.X, l.Weights)
}

// A rule without any method, or one that embeds another whose methods it does not get, is an error: it would
// be exact in silence.
func TestRuleThatChangesNothing(t *testing.T) {
	for _, c := range []struct {
		rule Rule
		want string
	}{
		{Exact, ""},
		{custom{}, ""},
		{lossy{Exact}, ""},
		{lossless{}, ""},
		{misspelt{Exact}, "changes nothing"},
		{misspelt{Guided}, "changes nothing"},
		{lossy{Guided}, "whose methods it does not get"},
	} {
		err := building(t, 4, func(x *graph.Node) { Start(nil, x, steps, c.rule, nil).Stop() })
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%T: error %v, want %q", c.rule, err, c.want)
		}
	}
	if k := changes(lossless{}); k != relus|linears {
		t.Errorf("guided with linear layers of its own changes %b", k)
	}
}

// A rule that finds nothing to change in a whole network would give the exact gradient in its own name.
func TestNetworkThatARuleLeavesAlone(t *testing.T) {
	tanh := func(_ *model.Scope, x *graph.Node) *graph.Node { return GlobalMean(At("tanh", Tanh(x))) }
	for _, c := range []struct {
		rule Rule
		f    Forward
		want string
	}{
		{Exact, tanh, ""},
		{Guided, tanh, "rule guided changes ReLUs, and the network has none"},
		{Deconv, tanh, "rule deconv changes ReLUs, and the network has none"},
		{pooling{}, tanh, "rule pooling changes max-pooling, and the network has none"},
		{custom{}, tanh, ""}, // changes the mean
		{every{}, tanh, ""},
		{Guided, func(s *model.Scope, x *graph.Node) *graph.Node { return ReLU(tanh(s, x)) }, ""},
	} {
		logits := func(p *Pass) { p.Logits() }
		layer := func(p *Pass) { p.Layer("tanh") } // of a part of the network, nothing is known of the rest
		for _, ask := range []func(p *Pass){logits, layer} {
			err := building(t, 4, func(x *graph.Node) {
				p := Start(nil, x, c.f, c.rule, nil)
				defer p.Stop()
				ask(p)
			})
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%s: error %v, want %q", c.rule, err, c.want)
			}
			c.want = ""
		}
	}
}
