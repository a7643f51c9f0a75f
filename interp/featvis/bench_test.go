package featvis

import (
	"os"
	"path/filepath"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
	"lucigo/models/googlenet"
)

// BenchmarkGoogLeNet has the parts of a step, each with its derivative, for one unit of mixed4a at
// 224×224 with the standard transformations, and whole steps. A step should take at most 20 ms more than
// the net.
func BenchmarkGoogLeNet(b *testing.B) {
	dir := filepath.Join(root(b), "../shared/data/models/googlenet_bvlc")
	if _, err := os.Stat(dir); err != nil {
		b.Skipf("no weights: %v", err)
	}
	b.Setenv("LUCIGO_MODELS", dir)
	m, err := googlenet.Model(ctx)
	if err != nil {
		b.Fatal(err)
	}
	o := objective.Channel("mixed4a", 11)
	w, err := Render{}.work(m, o)
	if err != nil {
		b.Fatal(err)
	}
	defer w.finalize()
	images := m.Tensor(interptest.Images(m, 1, 1))
	a, _ := w.view(0, 0, 0)
	inverse := a.Inverse()
	maps, back := m.Floats(a[:], 1, 6), m.Floats(inverse[:], 1, 6)
	sumOf := func(y, x *Node) []*Node { return []*Node{Gradient(ReduceAllSum(Square(y)), x)[0]} }

	step := func(name string, rule layer.Rule, build func(net *interp.Net, a []*Node) []*Node, args ...*tensors.Tensor) {
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
	step("net", layer.Exact, score, append([]*tensors.Tensor{images}, w.parts[0].args...)...)
	step("net redirected", redirect{Rule: layer.Exact}, score, append([]*tensors.Tensor{images}, w.parts[0].args...)...)
	step("draw", nil, func(_ *interp.Net, a []*Node) []*Node {
		y := w.canvas.Draw(a[0], a[1:])
		return append(sumOf(y, a[0]), ReduceAllSum(y))
	}, append([]*tensors.Tensor{w.parts[0].state[0]}, w.fixed...)...)
	step("warp", nil, func(_ *interp.Net, a []*Node) []*Node {
		y := warp(a[0], a[1], a[2], w.Window, w.reach)
		return append(sumOf(y, a[0]), ReduceAllSum(y))
	}, images, maps, back)
	step("update", nil, func(_ *interp.Net, a []*Node) []*Node {
		first, second := Add(MulScalar(a[1], beta1), MulScalar(a[0], 1-beta1)), Add(MulScalar(a[2], beta2), MulScalar(Square(a[0]), 1-beta2))
		p := Add(a[0], MulScalar(Div(first, AddScalar(Sqrt(second), epsilon)), .05))
		return []*Node{p, first, second, ReduceAllSum(SliceAxis(p, 3, AxisElem(0)))}
	}, w.parts[0].state...)
	for name, from := range map[string]int{"step": 16, "step of the warm-up": 0} {
		b.Run(name, func(b *testing.B) {
			if err := w.step(ctx, from); err != nil { // compiles
				b.Fatal(err)
			}
			for b.Loop() {
				if err := w.step(ctx, from); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
