package layer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp/engine"
	_ "lucigo/interp/engine/install"
)

// Node is short for what the tests below have at every turn.
type Node = graph.Node

// onEvery runs a test or a benchmark on every backend of this machine.
func onEvery[T interface {
	testing.TB
	Run(name string, f func(T)) bool
}](t T, f func(t T, b compute.Backend)) {
	engines, err := engine.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range engines {
		t.Run(e.Kind().String(), func(t T) { f(t, e.Backend) })
	}
}

// layerCase is a layer, its inputs and its definition in plain loops.
type layerCase struct {
	name  string
	in    []array
	build func(x []*Node) *Node
	slow  func(x []array) array
}

// layerCases is the table of layers and shapes.
func layerCases() []layerCase {
	rng := rand.New(rand.NewPCG(1, 2))
	var cases []layerCase
	add := func(name string, in []array, build func(x []*Node) *Node, slow func(x []array) array) {
		cases = append(cases, layerCase{name, in, build, slow})
	}

	conv := func(x, w []int, win Window, groups int, bias bool) {
		in := []array{normal(rng, x...), normal(rng, w...)}
		if bias {
			in = append(in, normal(rng, w[3]))
		}
		add(fmt.Sprintf("conv %v %v %v groups %d", x, w, win, groups), in,
			func(x []*Node) *Node {
				if bias {
					return Convolve(x[0], x[1], x[2], win, groups)
				}
				return Convolve(x[0], x[1], nil, win, groups)
			},
			func(x []array) array {
				if bias {
					return slowConv(x[0], x[1], x[2], win, max(groups, 1))
				}
				return slowConv(x[0], x[1], array{}, win, max(groups, 1))
			})
	}
	asymmetric := [2][2]int{{0, 1}, {2, 1}}
	for _, k := range [][2]int{{1, 1}, {2, 2}, {3, 3}, {2, 3}, {4, 4}} {
		for _, stride := range []int{1, 2, 3} {
			for _, pad := range [][2][2]int{{}, asymmetric} {
				conv([]int{2, 6, 7, 2}, []int{k[0], k[1], 2, 3}, Window{Stride: [2]int{stride, stride}, Pad: pad}, 0, false)
			}
		}
	}
	for _, c := range [][2]int{{5, 9}, {9, 9}, {9, 5}, {8, 2}, {3, 9}} { // XLA's own correlation, and tiles
		conv([]int{1, 5, 6, c[0]}, []int{3, 2, c[0], c[1]}, Window{Pad: asymmetric}, 1, false)
		conv([]int{1, 6, 5, c[0]}, []int{3, 4, c[0], c[1]}, Window{Stride: [2]int{2, 1}, Pad: asymmetric}, 1, false)
	}
	conv([]int{1, 3, 4, 5}, []int{5, 6, 5, 3}, Window{Pad: [2][2]int{{7, 4}, {9, 5}}}, 1, false) // tiles that see padding alone
	conv([]int{1, 6, 6, 2}, []int{3, 3, 2, 3}, Square(3, 1, 1), 1, true)
	conv([]int{1, 9, 8, 2}, []int{3, 2, 2, 2}, Window{Dilation: [2]int{2, 3}, Pad: asymmetric}, 1, false)
	conv([]int{1, 9, 8, 2}, []int{3, 2, 2, 2}, Window{Dilation: [2]int{2, 1}, Stride: [2]int{3, 2}, Pad: asymmetric}, 1, true)
	conv([]int{1, 9, 8, 4}, []int{2, 2, 2, 6}, Window{Dilation: [2]int{1, 2}, Stride: [2]int{2, 3}, Pad: asymmetric}, 2, true)
	conv([]int{1, 6, 7, 4}, []int{3, 3, 2, 6}, Square(3, 1, 1), 2, true)
	conv([]int{1, 6, 7, 4}, []int{3, 2, 2, 6}, Window{Stride: [2]int{2, 2}, Pad: asymmetric}, 2, true)
	conv([]int{2, 6, 7, 3}, []int{3, 3, 1, 3}, Square(3, 1, 1), 3, true)
	conv([]int{1, 7, 6, 3}, []int{2, 3, 1, 6}, Window{Stride: [2]int{2, 1}, Pad: asymmetric}, 3, true)
	conv([]int{1, 8, 8, 3}, []int{1, 1, 3, 4}, Square(1, 2, 0), 1, true)
	conv([]int{1, 5, 5, 2}, []int{1, 1, 2, 2}, Square(1, 1, 1), 1, true)                    // the window sees padding alone
	conv([]int{1, 3, 4, 2}, []int{2, 2, 2, 2}, Square(2, 2, 3), 1, true)                    // likewise
	conv([]int{1, 2, 2, 1}, []int{1, 1, 1, 1}, Square(1, 7, 0), 1, true)                    // one place, most of x unseen
	conv([]int{1, 4, 4, 2}, []int{4, 4, 2, 3}, Square(4, 1, 0), 1, true)                    // as large as x
	conv([]int{1, 2, 3, 2}, []int{5, 5, 2, 2}, Square(5, 1, 2), 1, true)                    // larger than x
	conv([]int{1, 15, 14, 2}, []int{7, 7, 2, 2}, Square(7, 2, 3), 1, true)                  // GoogLeNet's first
	conv([]int{1, 19, 20, 2}, []int{11, 11, 2, 2}, Square(11, 4, 2), 1, true)               // AlexNet's first
	conv([]int{1, 1, 9, 2}, []int{1, 7, 2, 2}, Window{Pad: [2][2]int{{}, {3, 3}}}, 1, true) // 1×7

	pools := []struct {
		x   []int
		win Window
	}{
		{[]int{2, 6, 6, 2}, Square(2, 2, 0)},
		{[]int{1, 7, 8, 2}, Square(3, 2, 0)},
		{[]int{1, 7, 8, 2}, Window{Size: [2]int{3, 3}, Stride: [2]int{2, 2}, Ceil: true}},
		{[]int{1, 7, 7, 2}, Window{Size: [2]int{3, 3}, Stride: [2]int{2, 2}, Pad: [2][2]int{{1, 1}, {1, 1}}, Ceil: true}},
		{[]int{1, 6, 5, 2}, Window{Size: [2]int{2, 2}, Stride: [2]int{3, 3}, Pad: [2][2]int{{1, 1}, {1, 1}}, Ceil: true}},
		{[]int{1, 5, 6, 2}, Square(3, 1, 1)},
		{[]int{1, 5, 6, 2}, Square(5, 1, 2)},
		{[]int{1, 6, 7, 2}, Window{Size: [2]int{2, 3}, Stride: [2]int{1, 2}, Pad: [2][2]int{{0, 1}, {2, 0}}}},
		{[]int{1, 9, 8, 2}, Window{Size: [2]int{3, 2}, Dilation: [2]int{2, 3}, Stride: [2]int{2, 1}, Pad: [2][2]int{{1, 0}, {2, 1}}}},
		{[]int{1, 9, 8, 2}, Window{Size: [2]int{2, 2}, Dilation: [2]int{3, 2}, Stride: [2]int{2, 4}, Pad: [2][2]int{{1, 2}, {2, 1}}, Ceil: true}},
		{[]int{1, 4, 5, 2}, Square(4, 1, 0)},
		{[]int{1, 3, 3, 2}, Square(1, 2, 0)},
	}
	for _, p := range pools {
		x := []array{normal(rng, p.x...)}
		name := fmt.Sprintf("pool %v %v", p.x, p.win)
		add("max "+name, x,
			func(x []*Node) *Node { return MaxPool(x[0], p.win) },
			func(x []array) array { y, _ := slowMaxPool(x[0], p.win); return y })
		for _, countPad := range []bool{false, true} {
			add(fmt.Sprintf("mean %s %v", name, countPad), x,
				func(x []*Node) *Node { return MeanPool(x[0], p.win, countPad) },
				func(x []array) array { return slowMeanPool(x[0], p.win, countPad) })
		}
	}
	add("global mean", []array{normal(rng, 2, 3, 4, 3)},
		func(x []*Node) *Node { return GlobalMean(x[0]) },
		func(x []array) array {
			y := slowMeanPool(x[0], Window{Size: [2]int{3, 4}}, false)
			return array{[]int{2, 3}, y.v}
		})

	for _, l := range []struct {
		size, channels int
		beta           float64
	}{{5, 7, 0.75}, {4, 6, 0.75}, {3, 5, 1}, {3, 5, 0.5}, {2, 4, 0.6}, {1, 3, 0.75}, {9, 3, 0.75}} {
		add(fmt.Sprintf("LRN %+v", l), []array{normal(rng, 1, 2, 3, l.channels)},
			func(x []*Node) *Node { return LRN(x[0], l.size, 0.7, l.beta, 1.5) },
			func(x []array) array { return slowLRN(x[0], l.size, 0.7, l.beta, 1.5) })
	}

	positive := slowMap(normal(rng, 3), func(v float64) float64 { return v*v + 0.1 })
	for _, dims := range [][]int{{2, 3, 2, 3}, {4, 3}} {
		add(fmt.Sprintf("normalize %v", dims),
			[]array{normal(rng, dims...), normal(rng, 3), positive, normal(rng, 3), normal(rng, 3)},
			func(x []*Node) *Node { return Normalize(x[0], x[1], x[2], x[3], x[4], 1e-3) },
			func(x []array) array { return slowNormalize(x[0], x[1], x[2], x[3], x[4], 1e-3) })
	}
	for _, bias := range []bool{false, true} {
		in := []array{normal(rng, 3, 4), normal(rng, 4, 2)}
		if bias {
			in = append(in, normal(rng, 2))
		}
		add(fmt.Sprintf("affine, bias %v", bias), in,
			func(x []*Node) *Node {
				if bias {
					return Affine(x[0], x[1], x[2])
				}
				return Affine(x[0], x[1], nil)
			},
			func(x []array) array {
				if bias {
					return slowAffine(x[0], x[1], x[2])
				}
				return slowAffine(x[0], x[1], array{})
			})
	}

	pad := [2][2]int{{1, 0}, {2, 3}}
	add("pad", []array{normal(rng, 2, 3, 2, 2)},
		func(x []*Node) *Node { return Pad(x[0], pad, 1.5) },
		func(x []array) array { return slowPad(x[0], pad, 1.5) })
	for _, method := range []Interpolation{Nearest, Bilinear, BilinearCorners} {
		for _, to := range [][2]int{{8, 10}, {2, 3}, {4, 5}, {7, 3}, {1, 1}} {
			add(fmt.Sprintf("resize 4×5 to %v, method %d", to, method), []array{normal(rng, 2, 4, 5, 2)},
				func(x []*Node) *Node { return Resize(x[0], to[0], to[1], method) },
				func(x []array) array { return slowResize(x[0], to[0], to[1], method) })
		}
		add(fmt.Sprintf("resize 1×2 to 3×5, method %d", method), []array{normal(rng, 1, 1, 2, 1)},
			func(x []*Node) *Node { return Resize(x[0], 3, 5, method) },
			func(x []array) array { return slowResize(x[0], 3, 5, method) })
	}

	wide := slowMap(normal(rng, 4, 10), func(v float64) float64 { return 4 * v })
	for _, f := range []struct {
		name  string
		build func(x *Node) *Node
		slow  func(x float64) float64
	}{
		{"ReLU", ReLU, func(x float64) float64 { return max(x, 0) }},
		{"ReLU6", ReLU6, func(x float64) float64 { return min(max(x, 0), 6) }},
		{"LeakyReLU", func(x *Node) *Node { return LeakyReLU(x, 0.2) }, func(x float64) float64 { return max(x, 0.2*x) }},
		{"Sigmoid", Sigmoid, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }},
		{"Tanh", Tanh, math.Tanh},
	} {
		add(f.name, []array{wide},
			func(x []*Node) *Node { return f.build(x[0]) },
			func(x []array) array { return slowMap(x[0], f.slow) })
	}
	add("Softmax", []array{normal(rng, 3, 5)},
		func(x []*Node) *Node { return Softmax(x[0]) },
		func(x []array) array { return slowSoftmax(x[0]) })
	add("Concat", []array{normal(rng, 1, 2, 2, 1), normal(rng, 1, 2, 2, 2)},
		func(x []*Node) *Node { return Concat(x...) },
		func(x []array) array {
			y := zeros(1, 2, 2, 3)
			for p := range 4 {
				y.v[3*p], y.v[3*p+1], y.v[3*p+2] = x[0].v[p], x[1].v[2*p], x[1].v[2*p+1]
			}
			return y
		})
	add("Flatten", []array{normal(rng, 2, 2, 3, 2)},
		func(x []*Node) *Node { return Flatten(x[0]) },
		func(x []array) array { return array{[]int{2, 12}, x[0].v} })
	return cases
}

// loss is Σ (r·y + y²/2), for a fixed r: no output is without weight and it is not linear.
func loss(y *Node) *Node {
	r := graph.Sin(graph.AddScalar(graph.MulScalar(graph.IotaFull(y.Graph(), y.Shape()), 0.7), 0.3))
	return graph.ReduceAllSum(graph.Mul(y, graph.Add(r, graph.MulScalar(y, 0.5))))
}

func slowLoss(y array) float64 {
	sum := 0.0
	for i, v := range y.v {
		sum += v * (math.Sin(0.7*float64(i)+0.3) + v/2)
	}
	return sum
}

// run builds f for inputs of type T, runs it and returns its results as float64.
func run[T float32 | float64](t *testing.T, b compute.Backend, in []array, f func(x []*Node) []*Node) []array {
	t.Helper()
	exec, err := graph.NewExec(b, f)
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	return call[T](t, exec, in)
}

func call[T float32 | float64](t *testing.T, exec *graph.Exec, in []array) []array {
	t.Helper()
	args := make([]any, len(in))
	for i, a := range in {
		flat := make([]T, len(a.v))
		for k, v := range a.v {
			flat[k] = T(v)
		}
		args[i] = tensors.FromFlatDataAndDimensions(flat, a.dims...)
	}
	results, err := exec.Call(args...)
	if err != nil {
		t.Fatal(err)
	}
	var out []array
	for _, r := range results {
		a := zeros(r.Shape().Dimensions...)
		for k, v := range tensors.MustCopyFlatData[T](r) {
			a.v[k] = float64(v)
		}
		out = append(out, a)
		r.MustFinalizeAll()
	}
	return out
}

// same fails unless got is want up to tol of want's greatest value.
func same(t *testing.T, what string, got, want array, tol float64) {
	t.Helper()
	if fmt.Sprint(got.dims) != fmt.Sprint(want.dims) {
		t.Fatalf("%s: shape %v, want %v", what, got.dims, want.dims)
	}
	scale := 1e-3
	for _, v := range want.v {
		scale = max(scale, math.Abs(v))
	}
	for i := range got.v {
		if d := math.Abs(got.v[i] - want.v[i]); !(d <= tol*scale) && !(math.IsNaN(got.v[i]) && math.IsNaN(want.v[i])) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, got.v[i], want.v[i])
		}
	}
}

// differences returns the derivative of slowLoss(f(x)) by x[k], by central differences.
func differences(f func(x []array) array, x []array, k int) array {
	const h = 1e-5
	g := zeros(x[k].dims...)
	x = append([]array(nil), x...)
	x[k] = x[k].clone()
	for i, v := range x[k].v {
		x[k].v[i] = v + h
		up := slowLoss(f(x))
		x[k].v[i] = v - h
		g.v[i] = (up - slowLoss(f(x))) / (2 * h)
		x[k].v[i] = v
	}
	return g
}

// Every layer's value is its definition's, and its derivatives by all inputs are those of its definition.
func TestLawLayers(t *testing.T) {
	cases := layerCases()
	want := make([][]array, len(cases)) // value and derivatives
	for i, c := range cases {
		want[i] = append(want[i], c.slow(c.in))
		for k := range c.in {
			want[i] = append(want[i], differences(c.slow, c.in, k))
		}
	}
	onEvery(t, func(t *testing.T, b compute.Backend) {
		for i, c := range cases {
			build := func(x []*Node) []*Node {
				y := c.build(x)
				return append([]*Node{y}, graph.Gradient(loss(y), x...)...)
			}
			t.Run(c.name, func(t *testing.T) {
				check := func(got []array, precision float64) {
					for k := range got {
						what := "value"
						if k > 0 {
							what = fmt.Sprintf("derivative by input %d", k-1)
						}
						same(t, what, got[k], want[i][k], precision)
					}
				}
				check(run[float64](t, b, c.in, build), 1e-8)
				if !testing.Short() || i%3 == 0 { // compiling takes the time
					check(run[float32](t, b, c.in, build), 3e-5)
				}
			})
		}
	})
}

// The derivative of a derivative: along a direction d, of s·∂loss, against central differences.
func TestLawSecondDerivatives(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: second derivatives are left out")
	}
	onEvery(t, func(t *testing.T, b compute.Backend) {
		rng := rand.New(rand.NewPCG(3, 4))
		for _, c := range layerCases() {
			t.Run(c.name, func(t *testing.T) {
				in := append([]array(nil), c.in...)
				for _, a := range c.in { // s, then d, of each input
					in = append(in, normal(rng, a.dims...))
				}
				n := len(c.in)
				exec, err := graph.NewExec(b, func(x []*Node) []*Node {
					first := graph.Gradient(loss(c.build(x[:n])), x[:n]...)
					along := graph.ScalarZero(x[0].Graph(), x[0].DType())
					for k, g := range first {
						along = graph.Add(along, graph.ReduceAllSum(graph.Mul(g, x[n+k])))
					}
					return append([]*Node{along}, graph.Gradient(along, x[:n]...)...)
				})
				if err != nil {
					t.Fatal(err)
				}
				defer exec.Finalize()
				got := 0.0
				d := make([]array, n)
				for k, g := range call[float64](t, exec, in)[1:] {
					d[k] = normal(rng, g.dims...)
					for i, v := range g.v {
						got += v * d[k].v[i]
					}
				}
				const h = 1e-5
				step := func(h float64) float64 {
					moved := append([]array(nil), in...)
					for k := range n {
						moved[k] = in[k].clone()
						for i := range moved[k].v {
							moved[k].v[i] += h * d[k].v[i]
						}
					}
					return call[float64](t, exec, moved)[0].v[0]
				}
				want := (step(h) - step(-h)) / (2 * h)
				if !(math.Abs(got-want) <= 1e-6*(1+math.Abs(want))) {
					t.Errorf("second derivative %v, want %v", got, want)
				}
			})
		}
	})
}

// Of equal values the first, row by row, gets the gradient: exactly, on an image full of equals.
func TestLawMaxPoolTies(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	onEvery(t, func(t *testing.T, b compute.Backend) {
		for _, win := range []Window{
			Square(2, 2, 0), Square(3, 2, 1), Square(3, 1, 1),
			{Size: [2]int{3, 2}, Stride: [2]int{2, 1}, Dilation: [2]int{1, 2}, Pad: [2][2]int{{2, 1}, {0, 1}}, Ceil: true},
		} {
			x := zeros(2, 8, 7, 3)
			for i := range x.v {
				x.v[i] = float64(rng.IntN(3))
			}
			y, from := slowMaxPool(x, win)
			v := normal(rng, y.dims...)
			want := zeros(x.dims...)
			for i, p := range from {
				want.v[p] += v.v[i]
			}
			got := run[float64](t, b, []array{x, v}, func(x []*Node) []*Node {
				y := MaxPool(x[0], win)
				return []*Node{y, graph.Gradient(graph.ReduceAllSum(graph.Mul(y, x[1])), x[0])[0]}
			})
			same(t, fmt.Sprint("maxima ", win), got[0], y, 0)
			same(t, fmt.Sprint("gradient ", win), got[1], want, 1e-15)
		}
	})
}

// A NaN of the image is not hidden: not by ReLUs, not by pooling, wherever it is in the window.
func TestLawNaN(t *testing.T) {
	onEvery(t, func(t *testing.T, b compute.Backend) {
		for place := range 9 {
			x := zeros(1, 3, 3, 1)
			for i := range x.v {
				x.v[i] = float64(i - 4)
			}
			x.v[place] = math.NaN()
			for i, y := range run[float32](t, b, []array{x}, func(x []*Node) []*Node {
				return []*Node{MaxPool(x[0], Square(3, 1, 0)), MeanPool(x[0], Square(3, 1, 0), true),
					graph.ReduceAllSum(ReLU(x[0])), graph.ReduceAllSum(ReLU6(x[0])), graph.ReduceAllSum(LeakyReLU(x[0], 0.1))}
			}) {
				if !math.IsNaN(y.v[0]) {
					t.Errorf("NaN at %d: output %d is %v", place, i, y.v[0])
				}
			}
		}
	})
}

// The derivatives at the corners of the ReLUs are what is promised.
func TestLawReLUCorners(t *testing.T) {
	onEvery(t, func(t *testing.T, b compute.Backend) {
		x := array{[]int{5}, []float64{-1, 0, 2, 6, 7}}
		got := run[float32](t, b, []array{x}, func(x []*Node) []*Node {
			var out []*Node
			for _, f := range []func(x *Node) *Node{ReLU, ReLU6, func(x *Node) *Node { return LeakyReLU(x, 0.5) }} {
				out = append(out, graph.Gradient(graph.ReduceAllSum(f(x[0])), x[0])[0])
			}
			return out
		})
		same(t, "ReLU", got[0], array{x.dims, []float64{0, 0, 1, 1, 1}}, 0)
		same(t, "ReLU6", got[1], array{x.dims, []float64{0, 0, 1, 0, 0}}, 0)
		same(t, "LeakyReLU", got[2], array{x.dims, []float64{0.5, 0.5, 1, 1, 1}}, 0)
	})
}

// The Go backend's own convolution is used nowhere: it takes minutes where ours takes seconds.
func TestNative(t *testing.T) {
	engines, err := engine.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range engines {
		run[float32](t, e.Backend, []array{zeros(1)}, func(x []*Node) []*Node {
			if native(x[0]) == (e.Kind() == engine.Go) {
				t.Errorf("%s: native convolutions %v", e, native(x[0]))
			}
			return x
		})
	}
}

// How many windows fit, counted by hand.
func TestWindowOut(t *testing.T) {
	ceil := func(w Window) Window { w.Ceil = true; return w }
	for _, c := range []struct {
		w        Window
		in, want int
	}{
		{Square(7, 2, 3), 224, 112}, {Square(3, 1, 1), 5, 5}, {Square(3, 2, 0), 112, 55}, {ceil(Square(3, 2, 0)), 112, 56},
		{ceil(Square(3, 2, 0)), 7, 3}, {ceil(Square(2, 2, 1)), 4, 3}, {ceil(Square(2, 3, 1)), 5, 2}, {ceil(Square(3, 2, 1)), 4, 3},
		{ceil(Square(3, 4, 0)), 8, 2}, {ceil(Square(3, 3, 1)), 5, 2}, // where other frameworks have a last window of padding
		{Square(3, 1, 0), 3, 1}, {Square(3, 1, 0), 2, 0}, {Square(3, 2, 0), 2, 0}, {ceil(Square(3, 2, 0)), 2, 1}, {ceil(Square(3, 2, 0)), 1, 0},
		{Window{Size: [2]int{3, 3}, Dilation: [2]int{2, 2}}, 5, 1}, {Window{Size: [2]int{3, 3}, Dilation: [2]int{2, 2}}, 4, 0},
	} {
		if h, w := c.w.Out(c.in, c.in); h != c.want || w != c.want {
			t.Errorf("%+v over %d: %d and %d, want %d", c.w, c.in, h, w, c.want)
		}
	}
}

// Mean pools as PyTorch computes them where ceil mode and padding meet (pytorch/pytorch 183528, in which its
// export differs, and microsoft/onnxruntime 16203): padding counts, what is after it does not.
func TestOracleMeanPoolInCeilMode(t *testing.T) {
	counting := array{[]int{1, 4, 4, 1}, make([]float64, 16)}
	for i := range counting.v {
		counting.v[i] = float64(i + 1)
	}
	row := array{[]int{1, 1, 9, 1}, []float64{2.0903, 4.6493, 1.6320, -3.2051, 4.6975, 4.7296, 3.3653, -1.5815, -2.3832}}
	onEvery(t, func(t *testing.T, b compute.Backend) {
		for _, c := range []struct {
			x    array
			w    Window
			want array
		}{
			{counting, Square(3, 2, 1), array{[]int{1, 3, 3, 1}, []float64{14. / 9, 10. / 3, 2, 19. / 3, 11, 6, 4.5, 7.5, 4}}},
			{row, Window{Size: [2]int{1, 7}, Stride: [2]int{1, 3}, Pad: [2][2]int{{}, {3, 3}}}, array{[]int{1, 1, 4, 1}, []float64{.73807144, 2.5655572, .8032287, -.5994 / 6}}},
		} {
			c.w.Ceil = true
			got := run[float64](t, b, []array{c.x}, func(x []*Node) []*Node { return []*Node{MeanPool(x[0], c.w, true)} })
			same(t, "mean pool", got[0], c.want, 1e-6)
		}
	})
}

// Same's output is the input divided by the stride, rounded up, and of an odd padding more is after.
func TestLawSame(t *testing.T) {
	onEvery(t, func(t *testing.T, b compute.Backend) {
		run[float32](t, b, []array{zeros(1, 7, 8, 1)}, func(x []*Node) []*Node {
			for size := range 5 {
				for stride := range 4 {
					w := Same(size+1, stride+1, x[0])
					if h, wd := w.Out(7, 8); h != ceilDiv(7, stride+1) || wd != ceilDiv(8, stride+1) {
						t.Errorf("%+v: %d and %d", w, h, wd)
					}
					for _, p := range w.Pad {
						if d := p[1] - p[0]; d != 0 && d != 1 {
							t.Errorf("%+v: padding %v", w, p)
						}
					}
				}
			}
			return x
		})
	})
}

// What cannot be is refused, by a message that says what it was.
func TestRefused(t *testing.T) {
	dilated := Window{Size: [2]int{2, 3}, Dilation: [2]int{2, 2}, Pad: [2][2]int{{1, 1}, {1, 1}}} // rows −1 and 1 of one row
	for name, c := range map[string]struct {
		dims  []int
		build func(x *Node) *Node
		want  string
	}{
		"window larger than the image": {[]int{1, 3, 9, 2}, func(x *Node) *Node { return MaxPool(x, Square(4, 1, 0)) }, "does not fit an image of 3×9"},
		"with its padding":             {[]int{1, 3, 3, 1}, func(x *Node) *Node { return Convolve(x, weights(x, 6, 6, 1, 1), nil, Square(6, 1, 1), 1) }, "does not fit an image of 3×3"},
		"empty window":                 {[]int{1, 3, 3, 1}, func(x *Node) *Node { return MeanPool(x, Window{}, true) }, "no such window"},
		"negative padding":             {[]int{1, 3, 3, 1}, func(x *Node) *Node { return MaxPool(x, Square(2, 1, -1)) }, "no such window"},
		"negative stride":              {[]int{1, 3, 3, 1}, func(x *Node) *Node { return MaxPool(x, Square(2, -1, 0)) }, "no such window"},
		"nothing but padding":          {[]int{1, 3, 3, 1}, func(x *Node) *Node { return MaxPool(x, Square(2, 1, 2)) }, "nothing but padding"},
		"nothing but gaps":             {[]int{1, 1, 9, 1}, func(x *Node) *Node { return MaxPool(x, dilated) }, "nothing but padding"},
		"a mean of gaps":               {[]int{1, 1, 9, 1}, func(x *Node) *Node { return MeanPool(x, dilated, false) }, "nothing but padding"},
		"not an image":                 {[]int{3, 3}, func(x *Node) *Node { return MaxPool(x, Square(2, 1, 0)) }, "images are shaped (Float32)[3, 3], must be [N, H, W, C]"},
		"other weights":                {[]int{1, 5, 5, 2}, func(x *Node) *Node { return Convolve(x, weights(x, 3, 3, 3, 1), nil, Window{}, 1) }, "must fit weights"},
		"other groups":                 {[]int{1, 5, 5, 4}, func(x *Node) *Node { return Convolve(x, weights(x, 3, 3, 2, 3), nil, Window{}, 2) }, "in 2 groups"},
		"other size":                   {[]int{1, 5, 5, 1}, func(x *Node) *Node { return Convolve(x, weights(x, 3, 3, 1, 1), nil, Square(5, 1, 0), 1) }, "Window.Size is [5 5], must be"},
		"weights of a matrix":          {[]int{1, 5, 5, 1}, func(x *Node) *Node { return Convolve(x, weights(x, 3, 3), nil, Window{}, 1) }, "must be [kh, kw"},
		"matrix":                       {[]int{2, 5}, func(x *Node) *Node { return Affine(x, weights(x, 4, 2), nil) }, "are shaped (Float32)[2, 5] and (Float32)[4, 2]"},
		"LRN of nothing":               {[]int{1, 3, 3, 1}, func(x *Node) *Node { return LRN(x, 0, 1, 1, 1) }, "size is 0, must be at least 1"},
		"negative epsilon":             {[]int{1, 3, 3, 1}, func(x *Node) *Node { return BatchNorm(model.NewStore().RootScope(), x, -1e-5) }, "epsilon is -1e-05, must be at least 0"},
		"size 0":                       {[]int{1, 3, 3, 1}, func(x *Node) *Node { return Resize(x, 0, 3, Bilinear) }, "0×3"},
		"negative Pad":                 {[]int{1, 3, 3, 1}, func(x *Node) *Node { return Pad(x, [2][2]int{{-1, 0}, {}}, 0) }, "must not be negative"},
		"global mean of a matrix":      {[]int{3, 3}, GlobalMean, "must be [N, H, W, C]"},
	} {
		engines, err := engine.All()
		if err != nil {
			t.Fatal(err)
		}
		_, err = graph.NewExec(engines[0].Backend, c.build)
		if err == nil {
			exec := graph.MustNewExec(engines[0].Backend, c.build)
			_, err = exec.Call(tensors.FromFlatDataAndDimensions(make([]float32, len(zeros(c.dims...).v)), c.dims...))
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %.300v, want one with %q", name, err, c.want)
		}
	}
}

func weights(x *Node, dims ...int) *Node {
	return graph.BroadcastToDims(graph.ScalarOne(x.Graph(), x.DType()), dims...)
}

// The layers with variables: their names, shapes and beginnings, and batch norm's statistics.
func TestVariables(t *testing.T) {
	onEvery(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		x := normal(rand.New(rand.NewPCG(7, 8)), 6, 5, 4, 3)
		for i := range x.v {
			x.v[i] = 2*x.v[i] + float64(i%3) // each channel its own mean
		}
		arg := tensors.FromFlatDataAndDimensions(x.v, x.dims...)
		train := true
		net := func(s *model.Scope, x *Node) []*Node {
			s.Store().SetTraining(x.Graph(), train)
			y := BatchNorm(s.At("norm"), x, 1e-3)
			c := Conv(s.At("conv"), ConvNoBias(s.At("plain"), y, 4, Square(3, 1, 1)), 5, Square(2, 2, 0))
			return []*Node{y, Dense(s.At("dense"), Flatten(c), 7)}
		}
		step := func() []*tensors.Tensor {
			exec, err := model.NewExec(b, store, net)
			if err != nil {
				t.Fatal(err)
			}
			out, err := exec.Call(arg)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		out := step()
		want := map[string]string{
			"/norm/scale": "[3]", "/norm/offset": "[3]", "/norm/mean": "[3]", "/norm/variance": "[3]",
			"/plain/weights": "[3 3 3 4]", "/conv/weights": "[2 2 4 5]", "/conv/biases": "[5]", "/dense/weights": "[20 7]", "/dense/biases": "[7]",
		}
		for v := range store.IterVariables() {
			if shape, ok := want[v.Path()]; ok {
				if got := fmt.Sprint(v.Shape().Dimensions); got != shape {
					t.Errorf("%s is %s, want %s", v.Path(), got, shape)
				}
				delete(want, v.Path())
			}
			if moving := strings.HasSuffix(v.Path(), "/mean") || strings.HasSuffix(v.Path(), "/variance"); moving && v.Trainable {
				t.Errorf("%s is trainable", v.Path())
			}
		}
		if len(want) > 0 {
			t.Errorf("variables missing: %v", want)
		}
		if got := out[1].Shape().Dimensions; fmt.Sprint(got) != "[6 7]" {
			t.Errorf("logits are %v", got)
		}

		value := func(path string) array {
			v := store.GetVariable(path).MustValue()
			return array{v.Shape().Dimensions, tensors.MustCopyFlatData[float64](v)}
		}
		mean, variance := slowMoments(x)
		ones, none := array{[]int{3}, []float64{1, 1, 1}}, zeros(3)
		flat := func(t *tensors.Tensor) array { return array{x.dims, tensors.MustCopyFlatData[float64](t)} }
		same(t, "training", flat(out[0]), slowNormalize(x, mean, variance, ones, none, 1e-3), 1e-12)
		movedMean, movedVariance := zeros(3), zeros(3)
		for c := range 3 {
			movedMean.v[c] = 0.1 * mean.v[c]
			movedVariance.v[c] = 0.9 + 0.1*variance.v[c]
		}
		same(t, "moving mean", value("/norm/mean"), movedMean, 1e-12)
		same(t, "moving variance", value("/norm/variance"), movedVariance, 1e-12)

		train = false
		out = step()
		same(t, "inference", flat(out[0]), slowNormalize(x, movedMean, movedVariance, ones, none, 1e-3), 1e-12)
		same(t, "mean after inference", value("/norm/mean"), movedMean, 1e-12)
		if got := value("/conv/weights"); variation(got) < 0.1 || variation(got) > 2 {
			t.Errorf("weights with standard deviation %v", variation(got))
		}
		same(t, "biases", value("/conv/biases"), zeros(5), 0)
	})
}

// variation is the root of the mean square.
func variation(a array) float64 {
	sum := 0.0
	for _, v := range a.v {
		sum += v * v
	}
	return math.Sqrt(sum / float64(len(a.v)))
}

// The derivative through the statistics of the batch, by central differences.
func TestLawBatchNormTraining(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	in := []array{normal(rng, 3, 2, 2, 3)}
	slow := func(x []array) array {
		mean, variance := slowMoments(x[0])
		return slowNormalize(x[0], mean, variance, array{[]int{3}, []float64{1, 1, 1}}, zeros(3), .1)
	}
	onEvery(t, func(t *testing.T, b compute.Backend) {
		exec, err := model.NewExec(b, model.NewStore(), func(s *model.Scope, x *Node) *Node {
			s.Store().SetTraining(x.Graph(), true)
			return graph.Gradient(loss(BatchNorm(s, x, .1)), x)[0]
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Call(tensors.FromFlatDataAndDimensions(in[0].v, in[0].dims...))
		if err != nil {
			t.Fatal(err)
		}
		same(t, "derivative", array{in[0].dims, tensors.MustCopyFlatData[float64](out[0])}, differences(slow, in, 0), 1e-7)
	})
}
