package attack_test

import (
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/attack"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
)

// blind are the attacks that need no gradient.
var blind = []struct {
	attack attack.Attack
	balls  []attack.Ball
}{
	{attack.Square{Queries: 25}, []attack.Ball{attack.Linf(.1), attack.L2(1), attack.L1(8)}},
	{attack.HopSkipJump{Queries: 200, First: 10}, []attack.Ball{attack.Linf(.1), attack.Anywhere(attack.Norm2)}},
	{attack.Boundary{Queries: 120}, []attack.Ball{attack.L2(1), attack.Anywhere(attack.Norm2)}},
}

// flat returns a network for images of any size with the given number of classes, and with a bias for class 0.
func flat(h, w, classes int, bias float64) *interp.Model {
	return interptest.Model("flat", func(s *model.Scope, x *graph.Node) *graph.Node {
		y := layer.Dense(s.At("logits"), layer.Tanh(layer.Dense(s.At("hidden"), layer.Flatten(x), 6)), classes)
		first := make([]float64, classes)
		first[0] = bias
		return graph.Add(y, graph.Reshape(graph.ConstAsDType(x.Graph(), x.DType(), first), 1, classes))
	}, [3]int{h, w, 2}, classes, 6)
}

// TestShapes: images much longer than high, of one pixel, and of two classes (auto-attack #95, ART #297 and #1244, foolbox #117).
func TestShapes(t *testing.T) {
	interptest.Unchecked()
	for _, size := range [][3]int{{5, 37, 4}, {37, 5, 4}, {1, 1, 3}, {9, 10, 2}} {
		m := flat(size[0], size[1], size[2], 0)
		x := interptest.Images(m, 4, 2)
		for _, c := range blind {
			for _, b := range c.balls {
				r := try(t, attack.Judge{Ball: b}, m, c.attack, x)
				honest(t, c.attack.String(), m, b, r)
				if !b.Bounded() && r.Fooled() == 0 && size[0] > 1 {
					t.Errorf("%s finds nothing in images of %d", c.attack, size)
				}
			}
		}
	}
}

// TestNowhereElse: where no random image is of another class, an attack that knows labels only says so of those images alone,
// within its queries, and ends (foolbox #435 and #541).
func TestNowhereElse(t *testing.T) {
	interptest.Unchecked()
	m := flat(4, 4, 3, 1e3)
	x := interptest.Images(m, 3, 2)
	for _, c := range blind {
		r := try(t, attack.Judge{Ball: c.balls[len(c.balls)-1]}, m, c.attack, x)
		for i, v := range r.Verdicts {
			if v.Fooled || v.Forward > 200 {
				t.Errorf("%s: image %d: %+v", c.attack, i, v)
			}
		}
	}
}

// TestAtTheBoundary: an image that lies so near to the boundary that hardly anything is between makes no NaN and no endless search,
// and images that are wrong before are left alone (foolbox #670, ART #307). All may fall at the first query (auto-attack #81).
func TestAtTheBoundary(t *testing.T) {
	interptest.Unchecked()
	m := interptest.Smooth().Float64()
	x := interptest.Images(m, 6, 2)
	p, err := m.Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	x.Class = p.Top1()
	r := try(t, attack.Judge{Ball: attack.Anywhere(attack.Norm2)}, m, attack.HopSkipJump{Queries: 3000}, x)
	near := r.Original
	near.Pix = append([]float64(nil), near.Pix...)
	for i := range near.N { // bisection as far as float64 goes
		low, high := 0.0, 1.0
		at := func(share float64) []float64 {
			y := make([]float64, near.Size())
			for k, v := range r.Original.Of(i) {
				y[k] = v + share*(r.Images.Of(i)[k]-v)
			}
			return y
		}
		for range 40 {
			q, err := m.Predict(ctx, interp.Images{N: 1, H: near.H, W: near.W, C: near.C, Pix: at((low + high) / 2)})
			if err != nil {
				t.Fatal(err)
			}
			if q.Top1()[0] == near.Class[i] {
				low = (low + high) / 2
			} else {
				high = (low + high) / 2
			}
		}
		copy(near.Of(i), at(low))
	}
	near.Key = nil
	near.Class[5] = (near.Class[5] + 1) % interptest.Classes
	for _, c := range blind {
		for _, b := range c.balls {
			r := try(t, attack.Judge{Ball: b}, m, c.attack, near)
			honest(t, c.attack.String(), m, b, r)
			if !r.Verdicts[5].Wrong || r.Verdicts[5].Forward > 0 {
				t.Errorf("%s attacks an image that was wrong: %+v", c.attack, r.Verdicts[5])
			}
			if !b.Bounded() && r.Fooled() < 1 {
				t.Errorf("%s, %s: %g are fooled", c.attack, b, r.Fooled())
			}
		}
	}
}
