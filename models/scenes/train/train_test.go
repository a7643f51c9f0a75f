package train

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/engine"
	_ "lucigo/interp/engine/install" // tests fetch XLA where it is missing
	"lucigo/interp/layer"
	"lucigo/models/scenes"
)

func open(t *testing.T) *engine.Engine {
	t.Helper()
	e, err := engine.Default()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// tiny is a net with everything the real ones have: a unit with batch norm, a pool of positions, a dense layer.
func tiny(unit scenes.Unit, classes int) layer.Forward {
	return func(s *model.Scope, x *graph.Node) *graph.Node {
		x = unit(s.At("conv"), x, 5, layer.Square(3, 4, 1))
		return layer.Dense(s.At("logits"), layer.GlobalMean(x), classes)
	}
}

var tinyRecipe = recipe{forward: tiny, steps: 5, batch: 8, peak: 1e-2, rise: 0.4, decay: 0.02, attack: 2, epsilon: 8}

func tinyFeed() *feed { return &feed{seed: 1, batch: 8, window: 12, fresh: 3} }

// after is a context that is cancelled once it has been asked a number of times.
type after struct {
	context.Context
	left int
}

func (a *after) Err() error {
	if a.left--; a.left < 0 {
		return context.Canceled
	}
	return nil
}

// A training interrupted and resumed ends with the weights, averages and moments of one that was not, to the bit.
func TestLawResume(t *testing.T) {
	e := open(t)
	through := func(stops ...int) interp.Weights {
		file := filepath.Join(t.TempDir(), "tiny.checkpoint")
		for _, stop := range append(stops, 1000) {
			store, done, err := start(file, "")
			if err != nil {
				t.Fatal(err)
			}
			err = train(&after{context.Background(), stop}, e, store, tinyRecipe, tinyFeed(), done, file)
			if stop < 1000 && (!errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the same command goes on")) || stop == 1000 && err != nil {
				t.Fatalf("stopped after %d steps: %v", stop, err)
			}
		}
		arrays, steps, err := read(file)
		if err != nil || steps != "5" {
			t.Fatalf("checkpoint after %s steps: %v", steps, err)
		}
		return arrays
	}
	whole, parts := through(), through(1, 2)
	if len(whole) != 17 { // five trained tensors, two moments of each, two averages
		t.Errorf("a checkpoint of %d tensors: %v", len(whole), slices.Sorted(maps.Keys(whole)))
	}
	if !slices.Equal(slices.Sorted(maps.Keys(whole)), slices.Sorted(maps.Keys(parts))) {
		t.Fatalf("tensors %v and %v", slices.Sorted(maps.Keys(whole)), slices.Sorted(maps.Keys(parts)))
	}
	for name, a := range whole {
		if !slices.Equal(a.Values(), parts[name].Values()) || !slices.Equal(a.Dims(), parts[name].Dims()) {
			t.Errorf("%s: %v uninterrupted, %v resumed", name, a.Values(), parts[name].Values())
		}
		if strings.HasSuffix(name, "first") && slices.Max(a.Values()) == 0 && slices.Min(a.Values()) == 0 {
			t.Errorf("%s: nothing was learnt", name)
		}
	}
}

// The folded net is the trained net with batch norm by its averages.
func TestLawFold(t *testing.T) {
	e := open(t)
	store, _, err := start(filepath.Join(t.TempDir(), "none"), "")
	if err != nil {
		t.Fatal(err)
	}
	f := tinyFeed()
	if err := train(context.Background(), e, store, tinyRecipe, f, 0, filepath.Join(t.TempDir(), "c")); err != nil {
		t.Fatal(err)
	}
	arrays, err := interp.WeightsOf(store)
	if err != nil {
		t.Fatal(err)
	}
	averaged := func(s *model.Scope, x *graph.Node, out int, w layer.Window) *graph.Node {
		y := layer.ConvNoBias(s, x, out, w)
		v := func(name string) *graph.Node { return s.GetVariable(name).NodeValue(x) }
		return layer.ReLU(layer.Normalize(y, v("mean"), v("variance"), v("scale"), v("offset"), bnEpsilon))
	}
	run := func(weights interp.Weights, unit scenes.Unit) []float32 {
		store := model.NewStore()
		if err := restore(store, weights); err != nil {
			t.Fatal(err)
		}
		exec, err := model.NewExec(e.Backend, store, func(s *model.Scope, x *graph.Node) *graph.Node { return tiny(unit, 16)(s, x) })
		if err != nil {
			t.Fatal(err)
		}
		x, _, _ := f.at(9).tensors()
		y, err := exec.Call1(x)
		if err != nil {
			t.Fatal(err)
		}
		return tensors.MustCopyFlatData[float32](y)
	}
	folded := fold(arrays)
	if len(folded) != 4 {
		t.Errorf("folded weights: %v", slices.Collect(maps.Keys(folded)))
	}
	want, got := run(arrays, averaged), run(folded, scenes.ConvReLU)
	for i := range want {
		if !(math.Abs(float64(got[i]-want[i])) <= 1e-5*(1+math.Abs(float64(want[i])))) {
			t.Fatalf("logit %d is %g folded, %g with batch norm", i, got[i], want[i])
		}
	}
}

// The embedded weights, read and written again, are the same to the byte.
func TestWritesTheEmbeddedFiles(t *testing.T) {
	for _, net := range []string{"standard", "robust", "allconv", "dense"} {
		file := filepath.Join("..", "weights", net+".safetensors")
		arrays, steps, err := read(file)
		if err != nil {
			t.Fatal(err)
		}
		again := filepath.Join(t.TempDir(), "w")
		if err := write(again, arrays, true, [2]string{"net", net}, [2]string{"steps", steps},
			[2]string{"task", strings.Join(scenes.Task{}.Classes(), ", ")}); err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(again); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d other bytes, %v", net, len(got), err)
		}
	}
}

// Weights survive the file: exactly in float32, rounded to half precision in float16.
func TestWrite(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	numbers := func(n int) []float32 {
		data := make([]float32, n)
		for i := range data {
			data[i] = float32(r.NormFloat64())
		}
		return data
	}
	a := interp.Weights{"/b/weights": weight(numbers(6), 2, 3), "/a/biases": weight(numbers(5), 5)}
	for _, half := range []bool{false, true} {
		file := filepath.Join(t.TempDir(), "w")
		if err := write(file, a, half, [2]string{"steps", "7"}); err != nil {
			t.Fatal(err)
		}
		got, steps, err := read(file)
		if err != nil || steps != "7" || len(got) != 2 {
			t.Fatalf("half %v: %d tensors, %s steps, %v", half, len(got), steps, err)
		}
		want := a
		if half {
			want = rounded(a)
		}
		for name := range a {
			if !slices.Equal(got[name].Values(), want[name].Values()) || !slices.Equal(got[name].Dims(), want[name].Dims()) {
				t.Errorf("half %v: %s is %v, want %v", half, name, got[name].Values(), want[name].Values())
			}
			exact := a[name].Values()
			for i, v := range want[name].Values() {
				if !(math.Abs(v-exact[i]) <= math.Abs(exact[i])/2048) {
					t.Errorf("%g rounds to %g", exact[i], v)
				}
			}
		}
	}
}

// On a linear classifier the adversarial search ends in the corner of the box that the weights' signs say, cut at black and white.
func TestAdversarial(t *testing.T) {
	e := open(t)
	const eps = 0.1
	exec, err := graph.NewExec(e.Backend, func(x, start, labels, w *graph.Node) *graph.Node {
		f := func(x *graph.Node) *graph.Node { return graph.Dot(x, w).MatMul() }
		return adversarial(f, x, start, labels, graph.Const(x.Graph(), float32(eps)), 4)
	})
	if err != nil {
		t.Fatal(err)
	}
	x := [][]float32{{0.5, 0.5, 0.02, 0.97}, {0.3, 0.95, 0.5, 0.01}}
	w := [][]float32{{1, -1}, {-2, 2}, {1, -1}, {-3, 3}}
	labels := []int32{0, 1}
	got, err := exec.Call1(x, [][]float32{{1, 0.2, -0.4, 0}, {0.1, -1, 1, 0}}, labels, w)
	if err != nil {
		t.Fatal(err)
	}
	for n, row := range got.Value().([][]float32) {
		for i, v := range row {
			toward := float32(eps)
			if w[i][labels[n]] > w[i][1-labels[n]] {
				toward = -eps
			}
			want := min(max(x[n][i]+toward, 0), 1)
			if !(math.Abs(float64(v-want)) <= 1e-6) {
				t.Errorf("image %d, value %d: %g, want %g", n, i, v, want)
			}
		}
	}
}

// standardize's own derivative is the one of its definition written out, with mean and variance depending on y.
func TestLawStandardize(t *testing.T) {
	e := open(t)
	r := rand.New(rand.NewPCG(2, 2))
	y, v := make([]float32, 3*4*4*5), make([]float32, 3*4*4*5)
	for i := range y {
		y[i], v[i] = float32(r.NormFloat64()*float64(1+i%5)+2), float32(r.NormFloat64())
	}
	exec, err := graph.NewExec(e.Backend, func(y, v *graph.Node) []*graph.Node {
		mean, square := columnMean(y), columnMean(graph.Square(y))
		own := standardize(y, mean, graph.Sub(square, graph.Square(mean)))
		m := graph.ReduceAndKeep(y, graph.ReduceMean, 0, 1, 2)
		d := graph.Sub(y, m)
		plain := graph.Div(d, graph.Sqrt(graph.AddScalar(graph.ReduceAndKeep(graph.Square(d), graph.ReduceMean, 0, 1, 2), bnEpsilon)))
		slope := func(z *graph.Node) *graph.Node { return graph.Gradient(graph.ReduceAllSum(graph.Mul(z, v)), y)[0] }
		return []*graph.Node{own, plain, slope(own), slope(plain)}
	})
	if err != nil {
		t.Fatal(err)
	}
	own, plain, a, b, err := exec.Call4(tensors.FromFlatDataAndDimensions(y, 3, 4, 4, 5), tensors.FromFlatDataAndDimensions(v, 3, 4, 4, 5))
	if err != nil {
		t.Fatal(err)
	}
	if !own.InDelta(plain, 1e-4) {
		t.Errorf("standardize gives %v, its definition %v", own, plain)
	}
	if !a.InDelta(b, 1e-4) {
		t.Errorf("the derivative is %v, that of the definition %v", a, b)
	}
}

// adamW does what its paper's formulas, computed in float64, do.
func TestAdamW(t *testing.T) {
	e := open(t)
	store := model.NewStore()
	first := []float32{0.5, -1, 2, 3}
	exec, err := model.NewExec(e.Backend, store, func(s *model.Scope, slope, k *graph.Node) *graph.Node {
		v := s.VariableWithValue("w", tensors.FromFlatDataAndDimensions(slices.Clone(first), 2, 2))
		at := func(i int) *graph.Node { return graph.Reshape(graph.Slice(k, graph.AxisElem(i))) }
		adamW(s, v, slope, at(0), at(2), 0.02)
		return at(1)
	})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 3))
	w, m, v := make([]float64, 4), make([]float64, 4), make([]float64, 4)
	for i := range w {
		w[i] = float64(first[i])
	}
	for step := range 6 {
		k := oneCycle(step, 6, 0.1, 0.3, 0)
		slope := make([]float32, 4)
		for i := range slope {
			slope[i] = float32(r.NormFloat64())
			g := float64(slope[i])
			m[i], v[i] = 0.9*m[i]+0.1*g, 0.999*v[i]+0.001*g*g
			mh, vh := m[i]/(1-math.Pow(0.9, float64(step+1))), v[i]/(1-math.Pow(0.999, float64(step+1)))
			w[i] -= float64(k.rate) * (mh/(math.Sqrt(vh)+1e-8) + 0.02*w[i])
		}
		if _, err := exec.Call(tensors.FromFlatDataAndDimensions(slope, 2, 2), []float32{k.rate, k.epsilon, k.adam}); err != nil {
			t.Fatal(err)
		}
		for i, got := range tensors.MustCopyFlatData[float32](store.GetVariable("/w").MustValue()) {
			if !(math.Abs(float64(got)-w[i]) <= 1e-5) {
				t.Fatalf("step %d: weight %d is %g, want %g", step, i, got, w[i])
			}
		}
	}
}

func TestOneCycle(t *testing.T) {
	const n = 1000
	var rates []float64
	for i := range n {
		rates = append(rates, float64(oneCycle(i, n, 2, 0.2, 0.5).rate))
	}
	top := slices.Index(rates, slices.Max(rates))
	if top < 195 || top > 205 || !(math.Abs(rates[top]-2) <= 1e-3) || !(math.Abs(rates[0]-0.08) <= 1e-3) || rates[n-1] > 1e-3 {
		t.Errorf("the rate goes from %g to %g at step %d to %g", rates[0], rates[top], top, rates[n-1])
	}
	if !slices.IsSorted(rates[:top]) || !slices.IsSortedFunc(rates[top:], func(a, b float64) int { return int(math.Copysign(1, b-a)) }) {
		t.Error("the rate does not rise once and fall once")
	}
	if e := oneCycle(150, n, 2, 0.2, 0.5).epsilon; !(math.Abs(float64(e)-0.25) <= 1e-3) {
		t.Errorf("half way up epsilon is %g", e)
	}
	if e := oneCycle(700, n, 2, 0.2, 0.5).epsilon; e != 0.5 {
		t.Errorf("later epsilon is %g", e)
	}
}

// A batch is the same whatever was asked for before, holds images of the window alone, and moves on.
func TestFeed(t *testing.T) {
	f, g := tinyFeed(), tinyFeed()
	f.at(0)
	f.at(1)
	a, b := f.at(4), g.at(4)
	if !slices.Equal(a.images, b.images) || !slices.Equal(a.labels, b.labels) || !slices.Equal(a.start, b.start) {
		t.Error("a batch depends on those before")
	}
	if c := g.at(5); slices.Equal(b.images, c.images) || slices.Equal(b.start, c.start) {
		t.Error("two batches are equal")
	}
	for i, v := range a.images {
		if v < 0 || v > 1 {
			t.Fatalf("value %d is %g", i, v)
		}
	}
	p := feed{seed: 3, batch: 6, window: 6, fresh: 6, test: true}
	x := p.at(2)
	for k := range 6 {
		s := scenes.Task{}.Sample(3, 12+k)
		if c := (scenes.Task{}).Class(s); x.labels[k] != int32(c) {
			t.Errorf("image %d has label %d, want %d", k, x.labels[k], c)
		}
		for i, v := range s.Draw(side).RGB {
			if x.images[k*side*side*3+i] != float32(v)/255 {
				t.Fatalf("image %d, value %d differs from the drawn one", k, i)
			}
		}
	}
}

// Accuracy counts: a net whose biases say class 3 whatever it sees gets the images of class 3 right, with and without an attack.
func TestAccuracy(t *testing.T) {
	e := open(t)
	biases := make([]float32, 16)
	biases[3] = 1
	weights := interp.Weights{"/logits/weights": weight(make([]float32, 48), 3, 16), "/logits/biases": weight(biases, 16)}
	blind := func(s *model.Scope, x *graph.Node) *graph.Node {
		return layer.Dense(s.At("logits"), layer.GlobalMean(x), 16)
	}
	got, err := accuracy(context.Background(), e.Backend, blind, weights, feed{seed: 4}, 2*evaluated, 1, 0, 0.1)
	if err != nil {
		t.Fatal(err)
	}
	want := 0.0
	for i := range 2 * evaluated {
		if task := (scenes.Task{}); task.Class(task.Sample(4, i)) == 3 {
			want += 1.0 / (2 * evaluated)
		}
	}
	for _, a := range got {
		if !(math.Abs(a-want) <= 1e-6) || want == 0 {
			t.Errorf("accuracies %v, want %g", got, want)
		}
	}
}

func TestInside(t *testing.T) {
	for i, want := range map[int]int{-5: 5, -1: 1, 0: 0, 63: 63, 64: 62, 68: 58} {
		if got := inside(i); got != want {
			t.Errorf("coordinate %d is taken at %d, want %d", i, got, want)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	for want, c := range map[string]Training{
		"near it: robust": {Net: "robustt"},
		"delete it":       {Net: "dense", Dir: "testdata"},
		"Images is 150, must be a multiple of 100":   {Net: "dense", Images: 150},
		"Attacked is 150, must be a multiple of 100": {Net: "dense", Attacked: 150},
		"Window is -1":  {Net: "dense", Window: -1},
		"Steps is -5":   {Net: "dense", Steps: -5},
		"Rate is -0.1":  {Net: "dense", Rate: -0.1},
		"Epsilon is -4": {Net: "robust", Epsilon: -4},
	} {
		if err := c.Run(context.Background()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
}
