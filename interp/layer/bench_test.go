package layer

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// inception is GoogLeNet's shape (Szegedy et al., arXiv:1409.4842, table 1), as Caffe has it.
func inception(s *model.Scope, x *Node) *Node {
	ceil := func(size, stride, pad int) Window {
		w := Square(size, stride, pad)
		w.Ceil = true
		return w
	}
	conv := func(name string, x *Node, out int, w Window) *Node { return ReLU(Conv(s.At("%s", name), x, out, w)) }
	lrn := func(x *Node) *Node { return LRN(x, 5, 1e-4, 0.75, 1) }
	block := func(name string, x *Node, a, b1, b2, c1, c2, d int) *Node {
		return Concat(
			conv(name+"_1x1", x, a, Square(1, 1, 0)),
			conv(name+"_3x3", conv(name+"_3x3_reduce", x, b1, Square(1, 1, 0)), b2, Square(3, 1, 1)),
			conv(name+"_5x5", conv(name+"_5x5_reduce", x, c1, Square(1, 1, 0)), c2, Square(5, 1, 2)),
			conv(name+"_pool", MaxPool(x, ceil(3, 1, 1)), d, Square(1, 1, 0)))
	}
	x = graph.MulScalar(graph.AddScalar(x, -0.5), 255)
	x = lrn(MaxPool(conv("conv1", x, 64, Square(7, 2, 3)), ceil(3, 2, 0)))
	x = conv("conv2", conv("conv2_reduce", x, 64, Square(1, 1, 0)), 192, Square(3, 1, 1))
	x = MaxPool(lrn(x), ceil(3, 2, 0))
	x = block("3a", x, 64, 96, 128, 16, 32, 32)
	x = block("3b", x, 128, 128, 192, 32, 96, 64)
	x = MaxPool(x, ceil(3, 2, 0))
	x = block("4a", x, 192, 96, 208, 16, 48, 64)
	x = block("4b", x, 160, 112, 224, 24, 64, 64)
	x = block("4c", x, 128, 128, 256, 24, 64, 64)
	x = block("4d", x, 112, 144, 288, 32, 64, 64)
	x = block("4e", x, 256, 160, 320, 32, 128, 128)
	x = MaxPool(x, ceil(3, 2, 0))
	x = block("5a", x, 256, 160, 320, 32, 128, 128)
	x = block("5b", x, 384, 192, 384, 48, 128, 128)
	return Dense(s.At("logits"), GlobalMean(x), 1000)
}

func random(rng *rand.Rand, dims ...int) *tensors.Tensor {
	a := make([]float32, len(zeros(dims...).v))
	for i := range a {
		a[i] = rng.Float32()
	}
	return tensors.FromFlatDataAndDimensions(a, dims...)
}

// BenchmarkInputGradient is the gradient of one logit of GoogLeNet, weights random, at its input.
func BenchmarkInputGradient(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	onEvery(b, func(b *testing.B, back compute.Backend) {
		for _, batch := range []int{1, 8, 32} {
			for _, what := range []string{"forward", "gradient"} {
				b.Run(fmt.Sprintf("%s/batch%d", what, batch), func(b *testing.B) {
					store := model.NewStore()
					store.SetRNGStateFromSeed(1)
					exec, err := model.NewExec(back, store, func(s *model.Scope, x *Node) *Node {
						y := inception(s, x)
						if what == "forward" {
							return y
						}
						return graph.Gradient(graph.ReduceAllSum(graph.SliceAxis(y, 1, graph.AxisElem(7))), x)[0]
					})
					if err != nil {
						b.Fatal(err)
					}
					defer exec.Finalize()
					in := random(rng, batch, 224, 224, 3)
					benchmark(b, func() []*tensors.Tensor { return exec.MustCall(in) })
				})
			}
		}
	})
}

// BenchmarkConvolve is single convolutions and their derivatives by the input and by the weights.
func BenchmarkConvolve(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	onEvery(b, func(b *testing.B, back compute.Backend) {
		for _, c := range []struct {
			x, w   []int
			win    Window
			groups int
		}{
			{[]int{8, 224, 224, 3}, []int{7, 7, 3, 64}, Square(7, 2, 3), 1},
			{[]int{8, 56, 56, 64}, []int{3, 3, 64, 192}, Square(3, 1, 1), 1},
			{[]int{8, 14, 14, 160}, []int{3, 3, 160, 320}, Square(3, 1, 1), 1},
			{[]int{8, 28, 28, 256}, []int{1, 1, 256, 128}, Square(1, 1, 0), 1},
			{[]int{8, 28, 28, 128}, []int{3, 3, 1, 128}, Square(3, 1, 1), 128},
			{[]int{8, 56, 56, 64}, []int{3, 3, 64, 128}, Square(3, 2, 1), 1},
			{[]int{8, 56, 56, 64}, []int{1, 1, 64, 128}, Square(1, 2, 0), 1},
		} {
			in, weights := random(rng, c.x...), random(rng, c.w...)
			h, w := c.win.Out(c.x[1], c.x[2])
			v := random(rng, c.x[0], h, w, c.w[3])
			for i, what := range []string{"value", "by input", "by weights"} {
				b.Run(fmt.Sprintf("%v %v/%s", c.x, c.w, what), func(b *testing.B) {
					exec := graph.MustNewExec(back, func(x, w, v *Node) *Node {
						y := Convolve(x, w, nil, c.win, c.groups)
						if i == 0 {
							return y
						}
						return graph.Gradient(graph.ReduceAllSum(graph.Mul(y, graph.StopGradient(v))), x, w)[i-1]
					})
					defer exec.Finalize()
					benchmark(b, func() []*tensors.Tensor { return exec.MustCall(in, weights, v) })
				})
			}
		}
	})
}

// benchmark measures f, which is compiled by a first call, and the transfer of its results.
func benchmark(b *testing.B, f func() []*tensors.Tensor) {
	finish := func(out []*tensors.Tensor) {
		for _, o := range out {
			tensors.MustCopyFlatData[float32](o)
			o.MustFinalizeAll()
		}
	}
	finish(f())
	for b.Loop() {
		finish(f())
	}
}
