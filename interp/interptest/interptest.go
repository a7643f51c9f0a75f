// Package interptest has networks small enough to check by hand, and laws that every gradient and every
// saliency method must obey. It is for tests.
package interptest

import (
	"context"
	"fmt"
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/engine"
	_ "lucigo/interp/engine/install" // tests fetch XLA where it is missing
	"lucigo/interp/internal/verify"
	"lucigo/interp/layer"
	"lucigo/interp/random"
)

// Every compiled program is checked at every use in the tests that import this package.
func init() { verify.Turn(true) }

// Unchecked turns the check of programs at every use off. Benchmarks call it: the check builds a graph at every run.
func Unchecked() { verify.Turn(false) }

// OnEach runs a test on every backend that is present, each a subtest of the backend's name.
func OnEach(t *testing.T, test func(t *testing.T, e *engine.Engine)) {
	t.Helper()
	all, err := engine.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		t.Run(e.Kind().String(), func(t *testing.T) { test(t, e) })
	}
}

// Size is the side of the images that the package's convolutional networks take, and Classes the number
// of their classes.
const (
	Size    = 12
	Classes = 4
)

// Branchy returns a network with what makes gradients hard: strides, an even kernel, asymmetric padding,
// two branches, a shared submodule, max-pooling, and a dense head that fits one image size only. Its
// layers are conv1, pool1, branch, mixed, shared, shared:2 and head.
func Branchy() *interp.Model { return Model("branchy", branchy, [3]int{Size, Size, 3}, Classes, 1) }

func branchy(s *model.Scope, x *Node) *Node {
	x = AddScalar(MulScalar(x, 4), -2)
	x = layer.At("conv1", layer.ReLU(layer.Conv(s.At("conv1"), x, 6, layer.Window{
		Size: [2]int{3, 4}, Stride: [2]int{2, 1}, Pad: [2][2]int{{1, 0}, {2, 1}}})))
	x = layer.At("pool1", layer.MaxPool(x, layer.Square(3, 1, 1)))
	a := layer.ReLU(layer.Conv(s.At("a"), x, 3, layer.Square(1, 1, 0)))
	b := layer.At("branch", layer.ReLU(layer.Conv(s.At("b"), x, 4, layer.Square(3, 1, 1))))
	x = layer.At("mixed", layer.Concat(a, b))
	shared := func(x *Node) *Node {
		return layer.At("shared", layer.ReLU(layer.Conv(s.At("shared"), x, 7, layer.Square(3, 1, 1))))
	}
	x = layer.MeanPool(shared(shared(x)), layer.Square(2, 2, 0), false)
	x = layer.At("head", layer.ReLU(layer.Dense(s.At("head"), layer.Flatten(x), 5)))
	return layer.Dense(s.At("logits"), x, Classes)
}

// Linear returns the network whose logits are weights·x + bias: the gradient of logit c is row c of
// Rows, whatever the image.
func Linear() *interp.Model {
	return Model("linear", func(s *model.Scope, x *Node) *Node {
		return layer.Dense(s.At("logits"), layer.Flatten(x), 3)
	}, [3]int{2, 3, 1}, 3, 2)
}

// Rows returns the weights of a Linear network, a row a class, in the order of the pixels.
func Rows(m *interp.Model) [][]float64 {
	w := m.Weights()["/logits/weights"]
	v, rows := w.Values(), make([][]float64, w.Dims()[1])
	for i, x := range v {
		rows[i%len(rows)] = append(rows[i%len(rows)], x)
	}
	return rows
}

// Smooth returns a network without kinks, whose second derivatives exist: tanh of a convolution, then a
// dense layer.
func Smooth() *interp.Model {
	return Model("smooth", func(s *model.Scope, x *Node) *Node {
		h := layer.At("hidden", layer.Tanh(layer.Conv(s.At("conv"), x, 5, layer.Square(3, 2, 1))))
		return layer.Dense(s.At("logits"), layer.Flatten(h), Classes)
	}, [3]int{Size, Size, 3}, Classes, 3)
}

// Model returns a model of forward whose weights are drawn from a seed: normals, scaled as He et al. do,
// and biases a tenth of that. It panics where forward does.
func Model(name string, forward layer.Forward, input [3]int, classes int, seed uint64) *interp.Model {
	spec := interp.Spec{Name: name, Forward: forward, Input: input, Weights: interp.Weights{}}
	for i := range classes {
		spec.Classes = append(spec.Classes, fmt.Sprintf("class %c", 'a'+i))
	}
	for _, v := range must(must(interp.New(spec)).Variables()) {
		size := 1
		for _, d := range v.Dims {
			size *= d
		}
		data, scale := make([]float64, size), .1
		random.New(seed, hash(v.Path), 0).Normals(data)
		if last := len(v.Dims) - 1; last > 0 {
			scale = math.Sqrt(2 / float64(size/v.Dims[last]))
		}
		for i := range data {
			data[i] *= scale
		}
		spec.Weights[v.Path] = must(interp.NewWeight(data, v.Dims...))
	}
	return must(interp.New(spec))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func hash(s string) uint64 {
	var words []uint64
	for _, c := range []byte(s) {
		words = append(words, uint64(c))
	}
	return random.Hash(words...)
}

// Images returns n images for m, uniform in [0, 1], drawn from a seed.
func Images(m *interp.Model, n int, seed uint64) interp.Images {
	h, w, c := m.Input()
	return ImagesOf(n, h, w, c, seed)
}

// ImagesOf returns n images of any size, uniform in [0, 1], drawn from a seed.
func ImagesOf(n, h, w, c int, seed uint64) interp.Images {
	x := interp.Images{N: n, H: h, W: w, C: c}
	x.Pix = make([]float64, n*x.Size())
	for i := range n {
		s := random.New(seed, uint64(i), 0)
		for p := range x.Size() {
			x.Pix[i*x.Size()+p] = s.Uniform(p)
		}
	}
	return x
}

// Derivative checks that maps is the derivative of o at x: the directional derivative of every image's
// score, along random directions and along single pixels, against central differences. The model should
// compute in float64. A direction that crosses a kink gives several answers as the step shrinks; the
// closest counts.
func Derivative(t *testing.T, m *interp.Model, o interp.Objective, x interp.Images, maps interp.Maps, tolerance float64) {
	t.Helper()
	size := x.Size()
	for trial := range 8 {
		direction := make([]float64, size)
		if trial < 4 {
			random.New(99, uint64(trial), 0).Normals(direction)
		} else {
			direction[random.New(98, uint64(trial), 0).Intn(0, size)] = 1
		}
		want, worst := make([]float64, x.N), make([]float64, x.N)
		for i := range x.N {
			for p, d := range direction {
				want[i] += d * maps.Pix[i*size+p]
			}
			worst[i] = math.Inf(1)
		}
		for _, step := range []float64{1e-4, 1e-5, 1e-6} {
			plus, minus := shifted(t, m, o, x, direction, step), shifted(t, m, o, x, direction, -step)
			for i := range x.N {
				slope := (plus[i] - minus[i]) / (2 * step)
				worst[i] = min(worst[i], math.Abs(slope-want[i])/max(1e-3, math.Abs(want[i])))
			}
		}
		for i, e := range worst {
			if !(e <= tolerance) {
				t.Errorf("%s of image %d along direction %d: slope %g in the map, off by %g", o, i, trial, want[i], e)
			}
		}
	}
}

func shifted(t *testing.T, m *interp.Model, o interp.Objective, x interp.Images, direction []float64, step float64) []float64 {
	t.Helper()
	y := x
	y.Pix = make([]float64, len(x.Pix))
	for p, v := range x.Pix {
		y.Pix[p] = v + step*direction[p%x.Size()]
	}
	s, err := m.Score(context.Background(), o, y)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Distance is the relative L2 distance of a from b: infinite where one has a number that the other lacks, or a NaN.
func Distance(a, b []float64) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	var d, n float64
	for i := range b {
		d += (a[i] - b[i]) * (a[i] - b[i])
		n += b[i] * b[i]
	}
	if d = math.Sqrt(d / max(n, 1e-300)); math.IsNaN(d) {
		return math.Inf(1)
	}
	return d
}
