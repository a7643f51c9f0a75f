package tensorflow

import (
	"bytes"
	"image"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
	"lucigo/interp/receptive"
)

// fed is what the input node of a graph is given for images.
func fed(x interp.Images, o Options) array {
	a := array{Dims: []int{x.N, x.H, x.W, x.C}}
	for _, v := range x.Pix {
		a.Data = append(a.Data, v*(o.Range[1]-o.Range[0])+o.Range[0])
	}
	return a
}

func parseGraph(t testing.TB, g *written, o Options) *interp.Model {
	t.Helper()
	m, err := Parse("test.pb", g.Encode(), o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// onGo returns the model on the Go backend, which compiles nothing: for what the layers' own tests compare
// on every backend.
func onGo(t testing.TB, m *interp.Model) *interp.Model {
	t.Helper()
	all, err := engine.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.Kind() == engine.Go {
			return m.On(e.Backend)
		}
	}
	t.Fatal("no Go backend")
	return nil
}

func layerNames(t testing.TB, m *interp.Model) (names []string) {
	t.Helper()
	layers, err := m.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers {
		names = append(names, l.Name)
	}
	return names
}

// compare checks the values of layers against the operators' definitions, one image at a time: a graph
// that was frozen for one takes several.
func compare(t *testing.T, m *interp.Model, g *written, o Options, x interp.Images, bound float64, names ...string) {
	t.Helper()
	acts, err := m.Activations(t.Context(), x, names...)
	if err != nil {
		t.Fatal(err)
	}
	worst := 0.0
	for i, name := range names {
		var want array
		for k := range x.N {
			one := eval(g, name, "input", fed(x.Slice(k, k+1), o))
			want = array{Dims: one.Dims, Data: append(want.Data, one.Data...)}
		}
		if !slices.Equal(acts[i].Shape, want.Dims[1:]) {
			t.Errorf("%s is shaped %v, want %v", name, acts[i].Shape, want.Dims[1:])
			continue
		}
		d := interptest.Distance(acts[i].Data, want.Data)
		if worst = max(worst, d); !(d <= bound) {
			t.Errorf("%s: %s is off by %.1e, at most %.0e is allowed", m, name, d, bound)
		}
	}
	t.Logf("%s: %d layers are off by at most %.1e", m, len(names), worst)
}

// small says what InceptionV1 of 64×64 leaves open.
var small = Options{Size: [3]int{64, 64, 3}, Range: [2]float64{-117, 138}}

// Every node of InceptionV1 has the values that the operators' definitions give; its side heads, which the
// logits do not need, are not built.
func TestLawInceptionV1(t *testing.T) {
	g := inceptionV1(16, 64, 10, 1)
	m := parseGraph(t, g, small)
	names := layerNames(t, m)
	if names[0] != "input" || names[len(names)-1] != "softmax2_pre_activation" || len(names) != 200 || slices.Contains(names, "nn0") {
		t.Errorf("%d layers, from %s to %s", len(names), names[0], names[len(names)-1])
	}
	x := interptest.Images(m, 2, 1)
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		compare(t, m.On(e.Backend).Float64(), g, small, x, 1e-12, names...)
		compare(t, m.On(e.Backend), g, small, x, 2e-5, "mixed3a", "mixed4a", "mixed5b", "softmax2_pre_activation")
	})
}

// Layers up to the first Reshape take images of any size; the logits say why they do not.
func TestLawInceptionV1OfAnySize(t *testing.T) {
	g := inceptionV1(16, 64, 10, 1)
	m := parseGraph(t, g, Options{Range: small.Range})
	x := interptest.ImagesOf(1, 50, 77, 3, 2)
	compare(t, onGo(t, m).Float64(), g, small, x, 1e-12, "mixed3a", "mixed4a")
	_, err := onGo(t, m).Predict(t.Context(), interptest.ImagesOf(1, 96, 64, 3, 2))
	for _, want := range []string{`node "avgpool0/reshape" (Reshape)`, "give images of the size", "guessed: ", "Size [224 224 3]", `Input "input"`,
		`Output "softmax2_pre_activation"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("logits at another size: error %v, want one with %q", err, want)
		}
	}
}

// Few units have few kinks, which a difference must not cross.
func TestLawInceptionV1Gradient(t *testing.T) {
	o := Options{Size: [3]int{32, 32, 3}, Range: small.Range}
	m := onGo(t, parseGraph(t, inceptionV1(32, 32, 10, 1), o)).Float64()
	x := interptest.Images(m, 1, 3).Asked(4)
	for _, o := range []interp.Objective{objective.Logit, objective.Channel("mixed4a", 3)} {
		g, err := m.Gradient(t.Context(), o, nil, x)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Max(g.Pix) < 1e-3 {
			t.Errorf("the gradient of %s is at most %g", o, slices.Max(g.Pix))
		}
		interptest.Derivative(t, m, o, x, g, 1e-5)
	}
}

// The side heads are networks of their own.
func TestOutputChoosesAHead(t *testing.T) {
	g := inceptionV1(16, 64, 10, 1)
	o := small
	o.Output = "softmax0_pre_activation:0"
	m := parseGraph(t, g, o)
	names := layerNames(t, m)
	if slices.Contains(names, "mixed4b") || !slices.Contains(names, "nn0") {
		t.Errorf("layers %v", names)
	}
	compare(t, onGo(t, m).Float64(), g, o, interptest.Images(m, 1, 1), 1e-12, "nn0/reshape", "softmax0_pre_activation")
	if w := m.Weights(); w["/nn0_w"] == nil || w["/mixed5b_1x1_w"] != nil {
		t.Error("the weights are not those of the head")
	}
}

// Two Softmax nodes of the same logits leave no doubt.
func TestOutputOfTwoSoftmaxes(t *testing.T) {
	g := everything()
	g.Add("probabilities/again", "Softmax", nil, "logits")
	if names := layerNames(t, parseGraph(t, g, Options{})); names[len(names)-1] != "logits" {
		t.Errorf("the output is %s", names[len(names)-1])
	}
}

// everything is a graph with every operator, in the forms that InceptionV1 does not have. Its branches
// meet after a mean over all positions.
func everything() *written {
	var (
		g     written
		rng   = rand.New(rand.NewPCG(7, 7))
		means []string
	)
	normals := func(name string, dims ...int) string {
		n := 1
		for _, d := range dims {
			n *= d
		}
		data := make([]float64, n)
		for i := range data {
			data[i] = rng.NormFloat64()
		}
		return g.Const(name, data, dims...)
	}
	windowed := func(name, op, x, padding string, size, stride, dilation [2]int, inputs ...string) string {
		attrs := attrs{"strides": []int{1, stride[0], stride[1], 1}, "padding": padding, "data_format": "NHWC"}
		if op == "Conv2D" {
			attrs["dilations"] = []int{1, dilation[0], dilation[1], 1}
		} else {
			attrs["ksize"] = []int{1, size[0], size[1], 1}
		}
		return g.Add(name, op, attrs, append([]string{x}, inputs...)...)
	}
	one := [2]int{1, 1}
	channels := 0
	branch := func(x string, h, w, c int) {
		means = append(means, windowed("mean/of."+x, "AvgPool", x, "VALID", [2]int{h, w}, one, one))
		channels += c
	}

	g.Add("input", "Placeholder", attrs{"shape": axes{-1, 8, 9, 3}})
	g.Add("checked", "CheckNumerics", attrs{"message": "not finite"}, "input:0", "^input")
	normals("filter4x3", 4, 3, 3, 5)
	g.Add("filter4x3/read", "Identity", nil, "filter4x3")
	branch(windowed("same", "Conv2D", "checked", "SAME", one, [2]int{2, 1}, one, "filter4x3/read"), 4, 9, 5)
	branch(windowed("valid", "Conv2D", "checked", "VALID", one, [2]int{1, 2}, [2]int{2, 1}, "filter4x3/read"), 2, 4, 5)
	branch(windowed("dilated", "Conv2D", "checked", "SAME", one, one, [2]int{2, 3}, "filter4x3/read"), 8, 9, 5)
	branch(windowed("max/same", "MaxPool", "same", "SAME", [2]int{3, 2}, [2]int{3, 2}, one), 2, 5, 5)
	branch(windowed("max/valid", "MaxPool", "checked", "VALID", [2]int{2, 3}, [2]int{1, 2}, one), 7, 4, 3)
	branch(windowed("mean/same", "AvgPool", "checked", "SAME", [2]int{3, 4}, [2]int{2, 2}, one), 4, 5, 3)
	branch(g.Add("lrn", "LRN", attrs{"depth_radius": 1, "alpha": float32(0.3), "beta": float32(0.75), "bias": float32(2)}, "same"), 4, 9, 5)
	branch(g.Add("biased", "BiasAdd", attrs{"data_format": "NHWC"}, "same", normals("bias", 5)), 4, 9, 5)
	branch(g.Add("active", "Relu", nil, "biased"), 4, 9, 5)
	branch(g.Add("sum", "AddV2", nil, "active", "same"), 4, 9, 5)
	branch(g.Add("difference", "Sub", nil, "active", "lrn"), 4, 9, 5)
	branch(g.Add("mean.image", "Sub", nil, "checked", normals("image", 8, 9, 3)), 8, 9, 3)
	branch(g.Add("less", "Sub", nil, "checked", normals("rgb", 3)), 8, 9, 3)
	branch(g.Add("from", "Sub", nil, normals("rgb4", 1, 1, 1, 3), "checked"), 8, 9, 3)
	branch(g.Add("more", "Add", nil, g.Const("half", []float64{0.5}), "checked"), 8, 9, 3)
	branch(g.Add("times", "Mul", nil, "checked", g.Const("signs", []float64{-2, 0, 3}, 3)), 8, 9, 3)
	branch(g.Add("times/one", "Mul", nil, g.Const("seven", []float64{7}, 1, 1), "checked"), 8, 9, 3)
	branch(g.Add("over", "RealDiv", nil, "checked", g.Const("deviations", []float64{0.5, 2, -4}, 1, 1, 3)), 8, 9, 3)
	branch(g.Add("over/one", "RealDiv", nil, "checked", g.Const("third", []float64{3})), 8, 9, 3)
	branch(g.Add("inner", "Softmax", nil, "same"), 4, 9, 5)
	g.Add("beside", "Concat", nil, g.Ints("beside/dim", true, 3), "active", "lrn", "sum")
	branch("beside", 4, 9, 15)
	branch(g.Add("lrn/default", "LRN", nil, "beside"), 4, 9, 15) // whose window does not see all channels

	g.Add("all", "ConcatV2", nil, append(means, g.Ints("all/axis", false, -1))...)
	g.Add("flat", "Reshape", nil, "all", g.Ints("flat/shape", false, 1, -1))
	g.Add("square", "Reshape", nil, "flat", g.Ints("square/shape", false, -1, 1, channels))
	g.Add("flat/again", "Reshape", nil, "square", g.Ints("flat/again/shape", false, 1, channels))
	g.Add("hidden", "MatMul", attrs{"transpose_b": true}, "flat/again", normals("hidden/w", 6, channels))
	g.Add("logits", "MatMul", nil, "hidden", normals("logits/w", 6, 4))
	g.Add("probabilities", "Softmax", nil, "logits")
	return &g
}

func TestLawOperators(t *testing.T) {
	g := everything()
	o := Options{Range: [2]float64{-1, 2}}
	m := parseGraph(t, g, o)
	if h, w, c := m.Input(); h != 8 || w != 9 || c != 3 || len(m.Classes()) != 4 || m.Name() != "test" {
		t.Errorf("%s of %d×%d×%d and classes %v", m, h, w, c, m.Classes())
	}
	names := layerNames(t, m)
	ops := map[string]bool{"Const": true, "Placeholder": true, "Identity": true}
	nodes, err := parse(g.Encode())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		ops[n.Op] = true
	}
	for _, op := range format.Supported() {
		if !ops[op] {
			t.Errorf("operator %s is not tested", op)
		}
	}
	x := interptest.Images(m, 3, 1)
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := m.On(e.Backend).Float64()
		compare(t, m, g, o, x, 1e-12, names...)
	})
	m = onGo(t, m).Float64()
	grad, err := m.Gradient(t.Context(), objective.Logit, nil, x)
	if err != nil {
		t.Fatal(err)
	}
	interptest.Derivative(t, m, objective.Logit, x, grad, 1e-5)
}

// What units see of an image is the same through signs, weights of zero and constants.
func TestReceptive(t *testing.T) {
	var g written
	g.Add("input", "Placeholder", nil)
	g.Add("a", "Mul", nil, "input", g.Const("factors", []float64{-3, 0, 2}, 3))
	g.Add("b", "Sub", nil, g.Const("one", []float64{1}), "a")
	g.Add("c", "RealDiv", nil, "b", g.Const("minus", []float64{-5}))
	g.Add("d", "Conv2D", attrs{"strides": []int{1, 2, 2, 1}, "padding": "SAME"}, "c", g.Const("w", make([]float64, 3*3*3*2), 3, 3, 3, 2))
	g.Add("e", "BiasAdd", nil, "d", g.Const("bias", []float64{-1, -2}, 2))
	g.Add("f", "Relu", nil, "e")
	g.Add("g", "Sub", nil, "e", "f")
	g.Add("flat", "Reshape", nil, "g", g.Ints("shape", false, -1, 32))
	g.Add("probabilities", "Softmax", nil, "flat")
	m := parseGraph(t, &g, Options{Size: [3]int{8, 8, 3}, Range: [2]float64{1, -1}})
	s, err := receptive.SupportOf(t.Context(), m, "g", 8, 8)
	if err != nil {
		t.Fatal(err)
	}
	// Of 8 in steps of 2 with a window of 3, there is one row and one column of padding, at the end.
	if got, want := s.Rect(1, 2), image.Rect(4, 2, 7, 5); got != want {
		t.Errorf("the unit at row 1, column 2 sees %v, want %v", got, want)
	}
}

// A network that was read and the same one written by hand have the same gradients by every rule.
func TestLawRules(t *testing.T) {
	var g written
	rng := rand.New(rand.NewPCG(1, 2))
	normals := func(name string, dims ...int) string {
		n := 1
		for _, d := range dims {
			n *= d
		}
		data := make([]float64, n)
		for i := range data {
			data[i] = rng.NormFloat64()
		}
		return g.Const(name, data, dims...)
	}
	same := attrs{"strides": []int{1, 1, 1, 1}, "padding": "SAME"}
	g.Add("input", "Placeholder", nil)
	g.Add("conv1", "Conv2D", same, "input", normals("conv1_w", 3, 3, 3, 6))
	g.Add("bias1", "BiasAdd", nil, "conv1", normals("conv1_b", 6))
	g.Add("relu1", "Relu", nil, "bias1")
	g.Add("pool", "MaxPool", attrs{"ksize": []int{1, 2, 2, 1}, "strides": []int{1, 2, 2, 1}, "padding": "VALID"}, "relu1")
	g.Add("conv2", "Conv2D", same, "pool", normals("conv2_w", 3, 3, 6, 5))
	g.Add("relu2", "Relu", nil, "conv2")
	g.Add("flat", "Reshape", nil, "relu2", g.Ints("shape", false, -1, 80))
	g.Add("logits", "MatMul", nil, "flat", normals("logits_w", 80, 3))
	g.Add("probabilities", "Softmax", nil, "logits")
	m := parseGraph(t, &g, Options{Size: [3]int{8, 8, 3}, Range: [2]float64{-1, 1}}).Float64()
	byHand, err := interp.New(interp.Spec{Name: "by hand", Input: [3]int{8, 8, 3}, Classes: m.Classes(), Weights: m.Weights(),
		Forward: func(s *model.Scope, x *graph.Node) *graph.Node {
			w := func(name string, like *graph.Node, dims ...int) *graph.Node {
				return s.VariableWithShape(name, shapes.Make(like.DType(), dims...)).NodeValue(like)
			}
			x = graph.AddScalar(graph.MulScalar(x, 2), -1)
			x = layer.Convolve(x, w("conv1_w", x, 3, 3, 3, 6), w("conv1_b", x, 6), layer.Square(3, 1, 1), 1)
			x = layer.MaxPool(layer.ReLU(x), layer.Square(2, 2, 0))
			x = layer.ReLU(layer.Convolve(x, w("conv2_w", x, 3, 3, 6, 5), nil, layer.Square(3, 1, 1), 1))
			return layer.Affine(layer.Flatten(x), w("logits_w", x, 80, 3), nil)
		}})
	if err != nil {
		t.Fatal(err)
	}
	byHand = byHand.Float64()
	x := interptest.Images(m, 2, 5).Asked(0, 2)
	var exact []float64
	for _, rule := range []layer.Rule{layer.Exact, layer.Guided, layer.Deconv} {
		got, err := m.Gradient(t.Context(), objective.Logit, rule, x)
		if err != nil {
			t.Fatal(err)
		}
		want, err := byHand.Gradient(t.Context(), objective.Logit, rule, x)
		if err != nil {
			t.Fatal(err)
		}
		if d := interptest.Distance(got.Pix, want.Pix); !(d <= 1e-12) {
			t.Errorf("%s: off by %g", rule, d)
		}
		if rule == layer.Exact {
			exact = got.Pix
		} else if interptest.Distance(got.Pix, exact) < 0.01 {
			t.Errorf("%s gives the exact gradient", rule)
		}
	}
}

// Weights have the constants' names and numbers, and other numbers make other networks.
func TestWeights(t *testing.T) {
	g := everything()
	o := Options{Range: [2]float64{-1, 2}}
	m := parseGraph(t, g, o)
	w := m.Weights()
	want := []string{"/bias", "/deviations", "/filter4x3", "/hidden/w", "/image", "/logits/w", "/rgb", "/rgb4", "/seven", "/signs"}
	if got := w.Paths(); !slices.Equal(got, want) {
		t.Fatalf("weights %v, want %v", got, want)
	}
	if d := w["/signs"]; !slices.Equal(d.Dims(), []int{3}) || !slices.Equal(d.Values(), []float64{-2, 0, 3}) {
		t.Errorf("/signs is %v %v", d.Dims(), d.Values())
	}
	zero, err := interp.NewWeight(make([]float64, 24), 6, 4)
	if err != nil {
		t.Fatal(err)
	}
	other, err := m.With(interp.Weights{"/logits/w": zero})
	if err != nil {
		t.Fatal(err)
	}
	p, err := other.Predict(t.Context(), interptest.Images(m, 1, 1))
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(p.Logits.Data, func(v float64) bool { return v != 0 }) {
		t.Errorf("without weights the logits are %v", p.Logits.Data)
	}
}

// What leads to the input is left out, so its operators need not be supported.
func TestInputCutsTheGraph(t *testing.T) {
	var g written
	g.Add("file", "Placeholder", nil)
	g.Add("decoded", "DecodeJpeg", nil, "file")
	g.Add("input", "Mul", nil, "decoded", g.Const("c", []float64{2}))
	g.Add("flat", "Reshape", nil, "input", g.Ints("shape", false, -1, 12))
	if _, err := Parse("x.pb", g.Encode(), Options{Output: "flat"}); err == nil || !strings.Contains(err.Error(), "DecodeJpeg") {
		t.Errorf("without Input: error %v", err)
	}
	o := Options{Input: "input:0", Output: "flat", Size: [3]int{2, 2, 3}, Range: [2]float64{0, 1}, Classes: strings.Split("abcdefghijkl", ""), Name: "cut"}
	m := parseGraph(t, &g, o)
	if m.Name() != "cut" || m.ClassName(2) != "c" {
		t.Errorf("%s has classes %v", m, m.Classes())
	}
	compare(t, m, &g, o, interptest.Images(m, 2, 1), 1e-7, "input", "flat")
}

func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.network.pb")
	if err := os.WriteFile(path, everything().Encode(), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := Open(path, Options{})
	if err != nil || m.Name() != "a.network" {
		t.Errorf("%v, %v", m, err)
	}
	if _, err := Open(path+"x", Options{}); err == nil || !strings.Contains(err.Error(), path+"x") {
		t.Errorf("a missing file: %v", err)
	}
}

// The table of channels that the tests' graphs follow, against what is known of the real one: 59
// convolutions of 7,548 channels, which TensorFlow's DeepDream tutorial counts (two of 128 are the side
// heads', which the logits do not need), 508 of mixed4a, and the length of the file, nearly all weights.
func TestChannels(t *testing.T) {
	if testing.Short() {
		t.Skip("writes and reads 54 MB")
	}
	b := inceptionV1(1, 224, 1008, 1).Encode()
	if real := 53_884_595; len(b) < real*999/1000 || len(b) > real*1001/1000 {
		t.Errorf("%d bytes, and the real file has %d", len(b), real)
	}
	m, err := Parse("x.pb", b, Options{Range: small.Range})
	if err != nil {
		t.Fatal(err)
	}
	convolutions, channels, mixed4a := 0, 0, 0
	for path, w := range m.Weights() {
		d := w.Dims()
		if len(d) != 4 {
			continue
		}
		convolutions++
		channels += d[3]
		if path == "/mixed4b_1x1_w" {
			mixed4a = d[2]
		}
	}
	if convolutions != 59-2 || channels != 7548-2*128 || mixed4a != 508 || len(m.Classes()) != 1008 {
		t.Errorf("%d convolutions of %d channels, %d of mixed4a, %d classes", convolutions, channels, mixed4a, len(m.Classes()))
	}
}

// The file that other packages test with is written here; with LUCIGO_UPDATE set, it is written anew.
func TestFile(t *testing.T) {
	const path = "testdata/inception_v1.pb"
	want := inceptionV1(64, 224, 12, 3).Encode()
	if os.Getenv("LUCIGO_UPDATE") != "" {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s has %d bytes, %v, and not the %d that are written now", path, len(got), err, len(want))
	}
}

// BenchmarkParse reads InceptionV1 with as many channels as the real one.
func BenchmarkParse(b *testing.B) {
	file := inceptionV1(1, 224, 1008, 1).Encode()
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("x.pb", file, Options{Range: small.Range}); err != nil {
			b.Fatal(err)
		}
	}
}
