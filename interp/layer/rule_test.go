package layer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
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

// Rules change gradients, not values; Support alone has none.
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

// field is what a unit sees: the first and the last row and column.
type field struct{ first, last [2]int }

// through is what a window over an image of h × w sees that stands at each of f's places.
func (f field) through(win Window, h, w int) field {
	win = win.whole()
	for axis, n := range [2]int{h, w} {
		start := func(o int) int { return o*win.Stride[axis] - win.Pad[axis][0] }
		f.first[axis], f.last[axis] = max(start(f.first[axis]), 0), min(start(f.last[axis])+win.extent(axis), n)-1
	}
	return f
}

func (f field) holds(y, x int) bool {
	return f.first[0] <= y && y <= f.last[0] && f.first[1] <= x && x <= f.last[1]
}

// Support's gradient is positive on exactly the receptive field that arithmetic gives, through branches,
// asymmetric padding, dilation and every kind of pool, and for negative weights and dead ReLUs too.
func TestLawSupport(t *testing.T) {
	stem := Window{Size: [2]int{7, 5}, Stride: [2]int{2, 2}, Pad: [2][2]int{{3, 2}, {0, 3}}}
	pool := Window{Size: [2]int{3, 3}, Stride: [2]int{2, 2}, Ceil: true}
	three := Window{Size: [2]int{3, 3}, Pad: [2][2]int{{1, 1}, {1, 1}}}
	five := Window{Size: [2]int{5, 2}, Pad: [2][2]int{{2, 2}, {1, 0}}} // even, and to one side
	beside := Square(3, 1, 1)
	last := Window{Size: [2]int{3, 3}, Dilation: [2]int{2, 1}, Pad: [2][2]int{{2, 2}, {1, 1}}}
	// w1 … are constants of either sign; the first layer's biases kill every ReLU
	net := func(x *Node) *Node {
		conv := func(x *Node, out int, w Window) *Node {
			k := graph.IotaFull(x.Graph(), shape(x, w.Size[0], w.Size[1], x.Shape().Dim(3), out))
			return ReLU(Convolve(x, graph.Sin(k), graph.AddScalar(graph.Zeros(x.Graph(), shape(x, out)), -1e6), w, 1))
		}
		x = MaxPool(LRN(ReLU6(conv(x, 4, stem)), 5, 1e-4, 0.75, 1), pool)
		one := graph.Ones(x.Graph(), shape(x, 4))
		x = Normalize(x, one, one, graph.Neg(one), one, 0) // its derivative is negative
		x = Concat(conv(x, 2, three), conv(Sigmoid(x), 3, five), MeanPool(x, beside, true))
		return conv(x, 3, last)
	}
	const h, w = 61, 50
	sh, sw := stem.Out(h, w)
	oh, ow := pool.Out(sh, sw)
	receptive := func(y, x int) (all []field) { // one for each branch
		f := field{[2]int{y, x}, [2]int{y, x}}.through(last, oh, ow)
		for _, branch := range []Window{three, five, beside} {
			all = append(all, f.through(branch, oh, ow).through(pool, sh, sw).through(stem, h, w))
		}
		return all
	}
	onEvery(t, func(t *testing.T, b compute.Backend) {
		rng := rand.New(rand.NewPCG(15, 16))
		in := normal(rng, 1, h, w, 3)
		exec, err := graph.NewExec(b, func(x, one *Node) *Node {
			p := Start(nil, x, func(_ *model.Scope, x *Node) *Node { return net(x) }, Support, nil)
			defer p.Stop()
			return graph.Gradient(graph.ReduceAllSum(graph.Mul(p.Logits(), one)), x)[0]
		})
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		for _, at := range [][2]int{{0, 0}, {0, ow - 1}, {5, 6}, {oh - 1, 3}, {7, 0}, {oh / 2, ow / 2}} {
			one := zeros(1, oh, ow, 3)
			*one.at(0, at[0], at[1], 1) = 1
			got := call[float32](t, exec, []array{in, one})[0]
			fields := receptive(at[0], at[1])
			for y := range h {
				for x := range w {
					inside := slices.ContainsFunc(fields, func(f field) bool { return f.holds(y, x) })
					for c := range 3 {
						if v := *got.at(0, y, x, c); (v > 0) != inside || math.IsInf(v, 0) || math.IsNaN(v) {
							t.Fatalf("unit %v, pixel %d,%d: %v; its fields are %v", at, y, x, v, fields)
						}
					}
				}
			}
		}
	})
}

// Without care the paths through 60 layers of 3×3×8 would be 10^111: more than a float32 holds.
func TestLawSupportDeep(t *testing.T) {
	onEvery(t, func(t *testing.T, b compute.Backend) {
		const layers, size = 60, 9
		in := []array{zeros(1, size, size, 8), zeros(3, 3, 8, 8)}
		got := run[float32](t, b, in, func(x []*Node) []*Node {
			p := Start(nil, x[0], func(_ *model.Scope, y *Node) *Node {
				for range layers {
					y = ReLU(Convolve(y, x[1], nil, Square(3, 1, 1), 1))
				}
				return GlobalMean(y)
			}, Support, nil)
			defer p.Stop()
			return graph.Gradient(graph.ReduceAllSum(p.Logits()), x[0])
		})[0]
		for i, v := range got.v {
			if !(v > 0) || math.IsInf(v, 0) {
				t.Fatalf("pixel %d: %v, want something positive", i, v)
			}
		}
	})
}

// Rules have different names: they are part of the keys of compiled programs.
func TestRuleNames(t *testing.T) {
	names := map[string]bool{}
	for _, r := range []Rule{Exact, Guided, Deconv, Support} {
		names[r.String()] = true
	}
	if len(names) != 4 || names[""] {
		t.Errorf("names %v", names)
	}
	if s := fmt.Sprint(Guided); s != "guided" {
		t.Errorf("Guided prints as %q", s)
	}
}
