package layer

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// gradientThrough returns the gradient at x of Σ r·y for the last y of a net, under a rule. Each of the
// net's weights is an argument.
func gradientThrough(t *testing.T, b compute.Backend, rule Rule, in []array, r array, net func(x []*Node) *Node) array {
	t.Helper()
	return run[float64](t, b, append(append([]array(nil), in...), r), func(x []*Node) []*Node {
		last := len(x) - 1
		p := Start(nil, x[0], func(_ *model.Scope, images *Node) *Node {
			return net(append([]*Node{images}, x[1:last]...))
		}, rule, nil)
		defer p.Stop()
		y := p.Logits()
		return graph.Gradient(graph.ReduceAllSum(graph.Mul(y, x[last])), x[0])
	})[0]
}

// slowBackward goes back through conv → ReLU → max-pool → dense → ReLU → dense by the rule's definition:
// relu says what of a cotangent v passes a ReLU whose input was x.
func slowBackward(in []array, r array, win, pool Window, relu func(x, v float64) float64) array {
	x, w1, w2, w3 := in[0], in[1], in[2], in[3]
	pass := func(x, v array) array {
		y := zeros(x.dims...)
		for i := range y.v {
			y.v[i] = relu(x.v[i], v.v[i])
		}
		return y
	}
	positive := func(v float64) float64 { return max(v, 0) }
	transposed := func(w array) array {
		y := zeros(w.dims[1], w.dims[0])
		for i := range w.dims[0] {
			for j := range w.dims[1] {
				*y.at(j, i) = *w.at(i, j)
			}
		}
		return y
	}
	a := slowConv(x, w1, array{}, win, 1)
	m, from := slowMaxPool(slowMap(a, positive), pool)
	f := array{[]int{m.dims[0], len(m.v) / m.dims[0]}, m.v}
	d := slowAffine(f, w2, array{})

	v := pass(d, slowAffine(r, transposed(w3), array{}))
	v = slowAffine(v, transposed(w2), array{})
	u := zeros(a.dims...)
	for i, p := range from {
		u.v[p] += v.v[i]
	}
	u = pass(a, u)
	// the convolution's adjoint: a unit of x weighs what the convolution of a unit alone weighs
	g := zeros(x.dims...)
	for i := range g.v {
		unit := zeros(x.dims...)
		unit.v[i] = 1
		for k, y := range slowConv(unit, w1, array{}, win, 1).v {
			g.v[i] += y * u.v[k]
		}
	}
	return g
}

// Each rule's gradient is its definition's, done by hand.
func TestLawRules(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	win := Window{Stride: [2]int{2, 1}, Pad: [2][2]int{{1, 0}, {1, 1}}}
	pool := Square(2, 1, 0)
	in := []array{normal(rng, 2, 6, 5, 2), normal(rng, 3, 3, 2, 4)}
	y := slowConv(in[0], in[1], array{}, win, 1)
	h, w := pool.Out(y.dims[1], y.dims[2])
	in = append(in, normal(rng, h*w*4, 6), normal(rng, 6, 3))
	r := normal(rng, 2, 3)
	net := func(x []*Node) *Node {
		y := MaxPool(ReLU(Convolve(x[0], x[1], nil, win, 1)), pool)
		return Affine(ReLU(Affine(Flatten(y), x[2], nil)), x[3], nil)
	}
	onEvery(t, func(t *testing.T, b compute.Backend) {
		for _, c := range []struct {
			rule Rule
			relu func(x, v float64) float64
		}{
			{Exact, func(x, v float64) float64 {
				if x > 0 {
					return v
				}
				return 0
			}},
			{Guided, func(x, v float64) float64 {
				if x > 0 && v > 0 {
					return v
				}
				return 0
			}},
			{Deconv, func(_, v float64) float64 { return max(v, 0) }},
		} {
			got := gradientThrough(t, b, c.rule, in, r, net)
			same(t, c.rule.String(), got, slowBackward(in, r, win, pool, c.relu), 1e-12)
		}
	})
}

// Rules change gradients, not values.
func TestLawRulesKeepValues(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	in := []array{normal(rng, 1, 6, 6, 2), normal(rng, 3, 3, 2, 4)}
	onEvery(t, func(t *testing.T, b compute.Backend) {
		got := run[float32](t, b, in, func(x []*Node) []*Node {
			var out []*Node
			for _, rule := range []Rule{Exact, Guided, Deconv} {
				p := Start(nil, x[0], func(_ *model.Scope, images *Node) *Node {
					return MaxPool(ReLU6(LRN(ReLU(Convolve(images, x[1], nil, Square(3, 1, 1), 1)), 5, 1e-4, 0.75, 1)), Square(2, 2, 0))
				}, rule, nil)
				out = append(out, p.Logits())
				p.Stop()
			}
			return out
		})
		same(t, "guided", got[1], got[0], 0)
		same(t, "deconv", got[2], got[0], 0)
	})
}

// Rules have different names: they are part of the keys of compiled programs.
func TestRuleNames(t *testing.T) {
	names := map[string]bool{}
	for _, r := range []Rule{Exact, Guided, Deconv} {
		names[r.String()] = true
	}
	if len(names) != 3 || names[""] {
		t.Errorf("names %v", names)
	}
	if s := fmt.Sprint(Guided); s != "guided" {
		t.Errorf("Guided prints as %q", s)
	}
}
