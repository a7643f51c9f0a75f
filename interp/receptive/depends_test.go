package receptive

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/random"
)

// window draws a window that fits x.
func window(r *rand.Rand, x *Node) layer.Window {
	for {
		var w layer.Window
		fits := true
		for axis := range 2 {
			w.Size[axis], w.Stride[axis], w.Dilation[axis] = 1+r.IntN(3), 1+r.IntN(2), 1+r.IntN(2)
			extent := (w.Size[axis]-1)*w.Dilation[axis] + 1
			w.Pad[axis] = [2]int{r.IntN(extent + 1), r.IntN(extent + 1)}
			fits = fits && extent <= x.Shape().Dim(1+axis) && x.Shape().Dim(1+axis) < 16
		}
		if fits {
			return w
		}
		if x.Shape().Dim(1) >= 16 || x.Shape().Dim(2) >= 16 {
			return layer.Square(3, 2, 0)
		}
	}
}

func shapeOf(x *Node, dims ...int) shapes.Shape { return shapes.Make(x.DType(), dims...) }

var beside = layer.Square(3, 1, 1)

func smooth(s *model.Scope, x *Node, w layer.Window) *Node {
	return layer.Tanh(layer.Conv(s, x, x.Shape().Dim(3), w))
}

// relu returns max(x, 0) − ½: of numbers that are never negative a second ReLU would pass all, and −x none.
func relu(x *Node) *Node { return AddScalar(layer.ReLU(x), -.5) }

// bricks are what random networks are made of: each takes and returns [N, H, W, C], of either sign.
var bricks = map[string]func(r *rand.Rand, s *model.Scope, x *Node) *Node{
	"convolution": func(r *rand.Rand, s *model.Scope, x *Node) *Node {
		return relu(layer.Conv(s, x, 2+r.IntN(3), window(r, x)))
	},
	"GoMLX's convolution": func(r *rand.Rand, s *model.Scope, x *Node) *Node {
		w, c := window(r, x), x.Shape().Dim(3)
		kernel := s.VariableWithShape("weights", shapeOf(x, w.Size[0], w.Size[1], c, 3)).NodeValue(x)
		if r.IntN(2) == 0 { // GoMLX takes one of the two
			w.Stride = [2]int{1, 1}
		} else {
			w.Dilation = [2]int{1, 1}
		}
		return AddScalar(Max(Convolve(x, kernel).StridePerAxis(w.Stride[:]...).DilationPerAxis(w.Dilation[:]...).PaddingPerDim(w.Pad[:]).Done(), ScalarZero(x.Graph(), x.DType())), -.5)
	},
	"groups": func(r *rand.Rand, s *model.Scope, x *Node) *Node {
		x = layer.Concat(x, Neg(x))
		c := x.Shape().Dim(3)
		kernel := s.VariableWithShape("weights", shapeOf(x, 2, 2, c/2, 4)).NodeValue(x)
		return layer.Convolve(x, kernel, nil, layer.Square(2, 1, 1), 2)
	},
	"depthwise": func(r *rand.Rand, s *model.Scope, x *Node) *Node {
		c := x.Shape().Dim(3)
		kernel := s.VariableWithShape("weights", shapeOf(x, 2, 3, 1, c)).NodeValue(x)
		return layer.Convolve(x, kernel, nil, layer.Window{Pad: [2][2]int{{1, 0}, {1, 1}}}, c)
	},
	"kernel with zeros": func(r *rand.Rand, s *model.Scope, x *Node) *Node {
		c := x.Shape().Dim(3)
		kernel := s.VariableWithShape("weights", shapeOf(x, 2, 2, c, 3)).NodeValue(x)
		kernel = Pad(kernel, ScalarZero(x.Graph(), x.DType()), PadAxis{Start: 1}, PadAxis{Interior: 1}, PadAxis{}, PadAxis{})
		zeros := LessThan(Iota(x.Graph(), shapeOf(x, 3, 3, c, 3), 3), Scalar(x.Graph(), x.DType(), r.IntN(3)))
		bias := s.VariableWithShape("biases", shapeOf(x, 3)).NodeValue(x)
		return layer.Convolve(x, Where(zeros, ZerosLike(kernel), kernel), bias, layer.Square(3, 1, 2), 1)
	},
	"spread convolution": func(r *rand.Rand, s *model.Scope, x *Node) *Node {
		kernel := s.VariableWithShape("weights", shapeOf(x, 3, 2, x.Shape().Dim(3), 2)).NodeValue(x)
		return Convolve(x, kernel).InputDilationPerAxis(2, 1).PaddingPerDim([][2]int{{1, 1}, {1, 0}}).Done()
	},
	"CReLU": func(_ *rand.Rand, _ *model.Scope, x *Node) *Node {
		return layer.Concat(relu(x), relu(Neg(x)))
	},
	"less the mean": func(_ *rand.Rand, _ *model.Scope, x *Node) *Node { return Sub(x, layer.MeanPool(x, beside, false)) },
	"product": func(_ *rand.Rand, s *model.Scope, x *Node) *Node {
		return Mul(smooth(s.In("a"), x, layer.Square(1, 1, 0)), smooth(s.In("b"), x, beside))
	},
	"residual": func(_ *rand.Rand, s *model.Scope, x *Node) *Node { return Add(x, smooth(s, x, beside)) },
	"quotient": func(_ *rand.Rand, s *model.Scope, x *Node) *Node {
		return Div(Neg(x), AddScalar(Square(smooth(s, x, beside)), 1))
	},
	"branches": func(r *rand.Rand, s *model.Scope, x *Node) *Node {
		return layer.Concat(smooth(s.In("a"), x, layer.Square(1, 1, 0)), layer.MaxPool(x, beside), smooth(s.In("b"), x, layer.Square(3, 1, 1)))
	},
	"pool": func(r *rand.Rand, _ *model.Scope, x *Node) *Node {
		return layer.MaxPool(x, layer.Square(2, 1+r.IntN(2), r.IntN(2)))
	},
	"GoMLX's pool": func(r *rand.Rand, _ *model.Scope, x *Node) *Node {
		if r.IntN(2) == 0 {
			return MaxPool(x).Window(2).Strides(1 + r.IntN(2)).PadSame().Done()
		}
		return MeanPool(x).WindowPerAxis(3, 2).Strides(1).PadSame().Done()
	},
	"normalisation": func(_ *rand.Rand, _ *model.Scope, x *Node) *Node { return layer.LRN(x, 3, 2, .75, 1) },
	"batch norm": func(_ *rand.Rand, s *model.Scope, x *Node) *Node {
		v := func(name string) *Node { return s.VariableWithShape(name, shapeOf(x, x.Shape().Dim(3))).NodeValue(x) }
		return Sub(layer.Normalize(x, v("mean"), Square(v("deviation")), v("scale"), v("offset"), 1e-5), MulScalar(x, 3))
	},
	"resize": func(r *rand.Rand, _ *model.Scope, x *Node) *Node {
		return layer.Resize(x, 3+r.IntN(9), 3+r.IntN(9), layer.Interpolation(r.IntN(3)))
	},
	"difference": func(_ *rand.Rand, _ *model.Scope, x *Node) *Node {
		n := x.Shape().Dim(2)
		return Sub(SliceAxis(x, 2, AxisRange(1, n)), SliceAxis(x, 2, AxisRange(0, n-1)))
	},
	"choice": func(_ *rand.Rand, s *model.Scope, x *Node) *Node {
		level := s.VariableWithShape("level", shapeOf(x, x.Shape().Dim(3))).NodeValue(x)
		return Where(GreaterThan(x, BroadcastToShape(ExpandLeftToRank(level, 4), x.Shape())), x, smooth(s, x, beside))
	},
	"constant choice": func(r *rand.Rand, s *model.Scope, x *Node) *Node {
		even := LessThan(Iota(x.Graph(), x.Shape(), 1), Scalar(x.Graph(), x.DType(), 1+r.IntN(3)))
		return Where(even, Neg(x), smooth(s, x, layer.Window{Size: [2]int{2, 3}, Pad: [2][2]int{{1, 0}, {0, 2}}}))
	},
	"mask": func(r *rand.Rand, _ *model.Scope, x *Node) *Node {
		mask := make([]float64, x.Shape().Dim(2))
		for i := range mask {
			mask[i] = float64(r.IntN(3) - 1)
		}
		return MulScalar(Mul(x, Reshape(ConstAsDType(x.Graph(), x.DType(), mask), 1, 1, -1, 1)), -2)
	},
	"moves": func(r *rand.Rand, _ *model.Scope, x *Node) *Node {
		x = TransposeAllAxes(Reverse(x, 1+r.IntN(2)), 0, 2, 1, 3)
		if x.Shape().Dim(1) > 4 {
			x = Slice(x, AxisRange(), AxisRange(r.IntN(2), -1).Stride(1+r.IntN(2)))
		}
		return Pad(x, Scalar(x.Graph(), x.DType(), .3), PadAxis{}, PadAxis{Start: r.IntN(2), Interior: r.IntN(2)}, PadAxis{End: r.IntN(2)}, PadAxis{})
	},
	"gather": func(r *rand.Rand, _ *model.Scope, x *Node) *Node {
		var rows []int32
		for range 4 {
			rows = append(rows, int32(r.IntN(x.Shape().Dim(1))))
		}
		x = Gather(TransposeAllAxes(x, 1, 0, 2, 3), Reshape(Const(x.Graph(), rows), -1, 1))
		return TransposeAllAxes(x, 1, 0, 2, 3)
	},
	"softmax": func(_ *rand.Rand, _ *model.Scope, x *Node) *Node { return AddScalar(layer.Softmax(x), -.4) },
	"columns": func(_ *rand.Rand, _ *model.Scope, x *Node) *Node {
		return Mul(x, BroadcastToShape(ReduceAndKeep(x, ReduceMax, 1), x.Shape()))
	},
}

// Which numbers of an image units depend on, in random networks, is what changing the numbers one by one
// shows, for some of several random images.
func TestLawDependence(t *testing.T) {
	networks, most := 200, 300
	if testing.Short() {
		networks = 40
	}
	names := slices.Sorted(maps.Keys(bricks))
	engines, err := engine.All()
	if err != nil {
		t.Fatal(err)
	}
	slow := engines[len(engines)-1] // GoMLX's own backend compiles nothing
	for seed := range networks {
		var parts []string
		var mu sync.Mutex // two programs may be built at once
		forward := func(s *model.Scope, x *Node) *Node {
			r := rand.New(rand.NewPCG(uint64(seed), 1))
			var own []string
			x = AddScalar(MulScalar(x, 4), -2)
			for i := range 2 + r.IntN(3) {
				if x.Shape().Dim(1) < 3 || x.Shape().Dim(2) < 3 {
					break
				}
				own = append(own, names[r.IntN(len(names))])
				x = bricks[own[i]](r, s.In("%d", i), x)
			}
			mu.Lock()
			parts = own
			mu.Unlock()
			return layer.GlobalMean(layer.At("units", x))
		}
		const h, w, c = 6, 7, 2
		m := interptest.Model(fmt.Sprint("network ", seed), forward, [3]int{h, w, c}, 2, uint64(seed)).Float64()
		var units []int
		found := map[*engine.Engine][]uint64{}
		for _, e := range engines {
			err := m.On(e.Backend).Inspect(h, w, "units", func(image, value *Node) error {
				d, err := newDependence(image, value)
				if err != nil {
					return err
				}
				size := value.Shape().Size()
				units = rand.New(rand.NewPCG(2, uint64(seed))).Perm(size)[:min(size, 64)]
				asked := make([]uint64, size)
				for q, u := range units {
					asked[u] = 1 << q
				}
				found[e], err = d.sweep(context.Background(), asked)
				return err
			})
			if err != nil {
				t.Fatalf("%v on %s: %v", parts, e, err)
			}
		}
		changed := make([]uint64, h*w*c)
		agree := func(e *engine.Engine) bool {
			for i, bits := range changed {
				if bits&^found[e][i] != 0 {
					t.Fatalf("%v on %s: units %b depend on number %d, and %b are found", parts, e, bits, i, found[e][i])
				}
			}
			return fmt.Sprint(changed) == fmt.Sprint(found[e])
		}
		for draw := 0; ; draw++ {
			x := interptest.ImagesOf(2, h, w, c, uint64(draw))
			r := rand.New(rand.NewPCG(3, uint64(draw)))
			for low, high, i := r.Float64(), r.Float64(), 0; i < len(x.Pix); i++ { // dark, bright and flat ones
				x.Pix[i] = low + (high-low)*x.Pix[i]
			}
			one := interp.Images{N: 1 + h*w*c, H: h, W: w, C: c}
			for i := range one.N { // image 1 + k has number k of the other image
				one.Pix = append(one.Pix, x.Pix[:h*w*c]...)
				if i > 0 {
					one.Pix[i*h*w*c+i-1] = x.Pix[h*w*c+i-1]
				}
			}
			weights := interp.Weights{}
			for _, path := range m.Weights().Paths() {
				w := m.Weights()[path]
				values := w.Values()
				random.New(4, uint64(draw), uint64(len(weights))).Normals(values)
				if weights[path], err = interp.NewWeight(values, w.Dims()...); err != nil {
					t.Fatal(err)
				}
			}
			other, err := m.On(slow.Backend).Budget(2 << 20).With(weights) // parts of 16: others have other last bits
			if err != nil {
				t.Fatal(err)
			}
			a, err := other.Activations(context.Background(), one, "units")
			if err != nil {
				t.Fatalf("%v: %v", parts, err)
			}
			size := len(a[0].Data) / one.N
			for k := range changed {
				for q, u := range units {
					if a[0].Data[(1+k)*size+u] != a[0].Data[u] {
						changed[k] |= 1 << q
					}
				}
			}
			all := true
			for _, e := range engines {
				all = agree(e) && all
			}
			if all {
				break
			}
			if draw == most {

				for _, e := range engines {
					for i, bits := range found[e] {
						if bits != changed[i] {
							t.Errorf("%v on %s: units %b are found to depend on number %d, and changing it changes %b", parts, e, bits, i, changed[i])
							break
						}
					}
				}
				break
			}
		}
	}
}
