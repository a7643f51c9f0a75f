package featvis

import (
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
)

// BenchmarkGoogLeNet has the parts of a step, each with its derivative, for one unit of mixed4a at
// 224×224 with the standard transformations, and whole steps. A step should take at most 20 ms more than
// the net.
func BenchmarkGoogLeNet(b *testing.B) {
	m := openGoogLeNet(b)
	o := objective.Channel("mixed4a", 11)
	start := func(r Render) *work {
		w, err := r.work(ctx, m, o)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(w.finalize)
		return w
	}
	w := start(Render{})
	p := w.parts[0]
	images := m.Tensor(interptest.Images(m, 1, 1))
	a, _ := w.view(0, 0, 0)
	inverse := a.Inverse()
	maps, back := m.Floats(a[:], 1, 6), m.Floats(inverse[:], 1, 6)
	sumOf := func(y, x *Node) []*Node { return []*Node{Gradient(ReduceAllSum(Square(y)), x)[0], ReduceAllSum(y)} }

	run := func(name string, rule layer.Rule, build func(net *interp.Net, a []*Node) []*Node, args ...*tensors.Tensor) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				out, err := m.Run(ctx, interp.Step{Key: name, Rule: rule, Build: build}, args...)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := interp.Numbers(out[len(out)-1]); err != nil { // waits
					b.Fatal(err)
				}
				finalize(out)
			}
		})
	}
	score := func(net *interp.Net, a []*Node) []*Node {
		s := o.Score(net.Pass(a[0], nil), a[1:])
		return []*Node{Gradient(ReduceAllSum(s), a[0])[0], s}
	}
	run("net", layer.Exact, score, append([]*tensors.Tensor{images}, p.args...)...)
	run("net redirected", redirect{Rule: layer.Exact}, score, append([]*tensors.Tensor{images}, p.args...)...)
	run("draw", nil, func(_ *interp.Net, a []*Node) []*Node {
		return sumOf(w.canvas.Draw(a[0], a[1:]), a[0])
	}, append([]*tensors.Tensor{p.state[0]}, w.fixed...)...)
	run("warp", nil, func(_ *interp.Net, a []*Node) []*Node {
		return sumOf(warp(a[0], a[1], a[2], w.Window, w.reach), a[0])
	}, images, maps, back)
	run("warp straight", nil, func(_ *interp.Net, a []*Node) []*Node {
		return sumOf(straight(a[0], a[1], w.Window), a[0])
	}, images, maps)
	run("update", nil, func(_ *interp.Net, a []*Node) []*Node {
		first, second := Add(MulScalar(a[1], beta1), MulScalar(a[0], 1-beta1)), Add(MulScalar(a[2], beta2), MulScalar(Square(a[0]), 1-beta2))
		p := Add(a[0], MulScalar(Div(first, AddScalar(Sqrt(second), epsilon)), .05))
		return []*Node{p, first, second, ReduceAllSum(SliceAxis(p, 3, AxisElem(0)))}
	}, p.state...)
	for _, c := range []struct {
		name string
		w    *work
		from int
	}{
		{"step", w, 16},
		{"step of the warm-up", w, 0},
		{"step with a pad of 12", start(Render{Window: [2]int{248, 248}}), 16},
		{"step of MaCo, 448×448, a noisy crop", start(Render{Image: MaCo{}, Height: 448, Width: 448, Window: [2]int{224, 224}, Views: []Transformation{Crop{}}, Noise: .04}), 16},
	} {
		b.Run(c.name, func(b *testing.B) {
			if err := c.w.step(ctx, c.from); err != nil { // compiles
				b.Fatal(err)
			}
			for b.Loop() {
				if err := c.w.step(ctx, c.from); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
