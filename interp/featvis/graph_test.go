package featvis

import (
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
)

// compute runs a graph on m's backend.
func compute(t *testing.T, m *interp.Model, build func(a []*Node) []*Node, args ...Array) [][]float64 {
	t.Helper()
	var in []*interp.Tensor
	for _, a := range args {
		x, err := m.Tensor(interp.Array(a.Data, a.Dims...))
		if err != nil {
			t.Fatal(err)
		}
		in = append(in, x)
	}
	out, err := m.Run(ctx, interp.StepOf(func(_ *interp.Net, a []*Node) []*Node { return build(a) }), nil, in...)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]float64
	for _, o := range out {
		v, err := o.Numbers()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// draw draws one image of a canvas, and returns the derivative of Σ images·weights too.
func draw(t *testing.T, m *interp.Model, c Canvas, numbers, weights Array) (images, derivative []float64) {
	t.Helper()
	out := compute(t, m, func(a []*Node) []*Node {
		x := c.Draw(a[0], a[2:])
		return []*Node{x, Gradient(ReduceAllSum(Mul(x, a[1])), a[0])[0]}
	}, append([]Array{numbers, weights}, c.Fixed...)...)
	return out[0], out[1]
}

// warped returns warp, or straight where reach is 0, and the derivative of Σ warp·weights.
func warped(t *testing.T, m *interp.Model, x, maps, inverse, weights Array, window [2]int, reach int) (y, derivative []float64) {
	t.Helper()
	out := compute(t, m, func(a []*Node) []*Node {
		var y *Node
		if reach == 0 {
			y = straight(a[0], a[1], window)
		} else {
			y = warp(a[0], a[1], a[2], window, reach)
		}
		return []*Node{y, Gradient(ReduceAllSum(Mul(y, a[3])), a[0])[0]}
	}, x, maps, inverse, weights)
	return out[0], out[1]
}

// redirected returns a rule's ReLU of x, and what it passes back of v.
func redirected(t *testing.T, m *interp.Model, r redirect, x, v Array) (y, back []float64) {
	t.Helper()
	out := compute(t, m, func(a []*Node) []*Node {
		y := r.ReLU(a[0])
		return []*Node{y, Gradient(ReduceAllSum(Mul(y, a[1])), a[0])[0]}
	}, x, v)
	return out[0], out[1]
}

// dead is a network of two units that are off for all images of [0, 1]: 0.1·brightness − 1 and
// −0.1·brightness − 1, of the mean brightness, after ReLUs.
func dead() *interp.Model {
	m := interptest.Model("dead", func(s *model.Scope, x *Node) *Node {
		bright := ReduceMean(x, 1, 2, 3)
		bright = Reshape(bright, x.Shape().Dim(0), 1)
		before := AddScalar(Concatenate([]*Node{MulScalar(bright, .1), MulScalar(bright, -.1)}, 1), -1)
		before = layer.At("before", before)
		return layer.At("units", layer.ReLU(before))
	}, [3]int{6, 6, 3}, 2, 1)
	return m
}

// open is a small network that takes images of any size.
func open() *interp.Model {
	return interptest.Model("open", func(s *model.Scope, x *Node) *Node {
		x = layer.At("mixed", layer.ReLU(layer.Conv(s.In("mixed"), AddScalar(MulScalar(x, 4), -2), 6, layer.Square(3, 2, 1))))
		return layer.At("logits", layer.Dense(s.In("logits"), ReduceMean(x, 1, 2), 3))
	}, [3]int{12, 12, 3}, 3, 1)
}

// weighted is the sum of what the network sees, each number with its weight.
func weighted(weights []float64) interp.Objective {
	return interp.Objective{Name: "weighted", Args: []interp.Arg{interp.Floats(weights)}, Form: interp.FormOf(func(p *layer.Pass, a []*Node) *Node {
		return sum(Mul(p.Images, BroadcastToShape(Reshape(a[0], append([]int{1}, p.Images.Shape().Dimensions[1:]...)...), p.Images.Shape())))
	})}
}

// parabola is an objective whose best image is known: −Σ(x − level)².
func parabola(level float64) interp.Objective {
	return interp.Objective{Name: "parabola", Args: []interp.Arg{interp.Float(level)}, Form: interp.FormOf(func(p *layer.Pass, a []*Node) *Node {
		return Neg(sum(Square(Sub(p.Images, BroadcastToDims(a[0], p.Images.Shape().Dimensions...)))))
	})}
}

// alikeObjective is Diversity's term, as if it were a score.
func alikeObjective(d Diversity) interp.Objective {
	return interp.Objective{Name: "alike", Form: interp.FormOf(func(p *layer.Pass, _ []*Node) *Node {
		return d.alike(p, p.Images.Shape().Dim(0))
	})}
}
