package featvis

import (
	"testing"

	. "github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
	"lucigo/interp/descent"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
)

// BenchmarkGoogLeNet has the parts of a step, each with its derivative, for one unit of mixed4a at
// 224×224 with the standard transformations, and whole steps. A step should take at most 20 ms more than
// the net.
func BenchmarkGoogLeNet(b *testing.B) {
	interptest.Unchecked()
	m := openGoogLeNet(b)
	o := objective.Channel("mixed4a", 11)
	start := func(r Render) *work {
		w, err := r.work(ctx, m, o)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(w.loop.Close)
		return w
	}
	w := start(Render{})
	put := func(a interp.Arg) *interp.Tensor {
		t, err := m.Tensor(a)
		if err != nil {
			b.Fatal(err)
		}
		return t
	}
	images := put(interptest.Images(m, 1, 1).Arg())
	var fixed, state, channel []*interp.Tensor
	for _, f := range w.canvas.Fixed {
		fixed = append(fixed, put(interp.Array(f.Data, f.Dims...)))
	}
	start0, err := w.start()
	if err != nil {
		b.Fatal(err)
	}
	for _, a := range start0 {
		state = append(state, put(a))
	}
	for _, a := range o.Args {
		channel = append(channel, put(a))
	}
	a, _ := w.view(0, 0, 0)
	inverse := a.Inverse()
	maps, back := put(interp.Each(a[:], 6)), put(interp.Each(inverse[:], 6))
	sumOf := func(y, x *Node) []*Node { return []*Node{Gradient(ReduceAllSum(Square(y)), x)[0], ReduceAllSum(y)} }

	run := func(name string, rule layer.Rule, build func(net *interp.Net, a []*Node) []*Node, args ...*interp.Tensor) {
		step := interp.StepOf(build)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				out, err := m.Run(ctx, step, rule, args...)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := out[len(out)-1].Numbers(); err != nil { // waits
					b.Fatal(err)
				}
				for _, t := range out {
					t.Close()
				}
			}
		})
	}
	score := func(net *interp.Net, a []*Node) []*Node {
		s := interp.Score(o.Form, net.Pass(a[0], nil), a[1:])
		return []*Node{Gradient(ReduceAllSum(s), a[0])[0], s}
	}
	run("net", layer.Exact, score, append([]*interp.Tensor{images}, channel...)...)
	run("net redirected", redirect{}, score, append([]*interp.Tensor{images}, channel...)...)
	run("draw", nil, func(_ *interp.Net, a []*Node) []*Node {
		return sumOf(w.canvas.Draw(a[0], a[1:]), a[0])
	}, append([]*interp.Tensor{state[0]}, fixed...)...)
	run("warp", nil, func(_ *interp.Net, a []*Node) []*Node {
		return sumOf(warp(a[0], a[1], a[2], w.Window, w.reach), a[0])
	}, images, maps, back)
	run("warp straight", nil, func(_ *interp.Net, a []*Node) []*Node {
		return sumOf(straight(a[0], a[1], w.Window), a[0])
	}, images, maps)
	run("update", nil, func(_ *interp.Net, a []*Node) []*Node {
		move, first, second := descent.Adam{}.Move(a[0], a[1], a[2])
		p := Add(a[0], MulScalar(move, .05))
		return []*Node{p, first, second, ReduceAllSum(SliceAxis(p, 3, AxisElem(0)))}
	}, state...)
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
			if _, err := c.w.climb(ctx, c.from); err != nil { // compiles
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := c.w.climb(ctx, c.from); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
