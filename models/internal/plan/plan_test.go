package plan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
	"lucigo/models/layout"
)

// toy is a format of the tests' own, in ONNX's layout.
var toy = Format{
	Layout: Layout{ChannelsFirst: true, OutFirst: true},
	Input:  "in", Constant: "const", Identity: "same", Softmax: "softmax",
	Operators: map[string]Operator{
		"same": Same, "relu": ReLU, "softmax": Softmax, "add": Add, "sub": Sub, "mul": Mul, "div": Div,
		"conv": func(c *Call) Build { return c.Convolve(toyWindow(c)) },
		"pool": func(c *Call) Build {
			w := toyWindow(c)
			size := int(Attribute(c, "size", int64(1)))
			w.Size = [2]int{size, size}
			return c.Pool(w, layer.MaxPool)
		},
		"dense":   func(c *Call) Build { return c.Dense(true) },
		"flatten": func(c *Call) Build { return c.Reshape([]int64{1, -1}) },
		"images":  func(c *Call) Build { return c.Reshape(Attribute(c, "shape", []int64(nil))) },
		"concat":  func(c *Call) Build { return c.Concat(Attribute(c, "axis", int64(1)), -1) },
	},
}

func toyWindow(c *Call) Window {
	pad, stride := int(Attribute(c, "pad", int64(0))), int(Attribute(c, "stride", int64(1)))
	return Window{Window: layer.Window{
		Stride: [2]int{stride, stride}, Dilation: [2]int{1, 1}, Pad: [2][2]int{{pad, pad}, {pad, pad}},
	}}
}

type toyAttributes map[string]any

func (a toyAttributes) Attribute(name string, value any) error {
	switch v := value.(type) {
	case *int64:
		if n, ok := a[name].(int); ok {
			*v = int64(n)
		}
	case *[]int64:
		*v, _ = a[name].([]int64)
	}
	return nil
}

// toyFile is a file of the format: its nodes, and its constants by name, of which it counts how often they are read.
type toyFile struct {
	nodes     []Node
	constants map[string][]float32
	reads     map[string]int
	rng       *rand.Rand
}

func newToy() *toyFile {
	f := &toyFile{constants: map[string][]float32{}, reads: map[string]int{}, rng: rand.New(rand.NewPCG(3, 4))}
	f.nodes = []Node{{Name: "images", Op: "in", Shape: func() ([]int64, error) { return []int64{-1, 3, 8, 7}, nil }}}
	return f
}

func (f *toyFile) add(name, op string, a toyAttributes, inputs ...string) string {
	f.nodes = append(f.nodes, Node{Name: name, Op: op, Attributes: a, Inputs: inputs})
	return name
}

func (f *toyFile) constant(name string, dims ...int) string {
	n := 1
	for _, d := range dims {
		n *= d
	}
	data := make([]float32, n)
	for i := range data {
		data[i] = float32(f.rng.NormFloat64())
	}
	f.constants[name] = data
	f.nodes = append(f.nodes, Node{Name: name, Op: "const", Value: func() (*Constant, error) {
		f.reads[name]++
		return &Constant{Dims: dims, F32: data}, nil
	}})
	return name
}

// A network of another format, channels first, is that of package layer with the weights turned.
func TestLawAnotherFormat(t *testing.T) {
	f := newToy()
	f.add("conv", "conv", toyAttributes{"pad": 1, "stride": 2}, "images", f.constant("c/weights", 5, 3, 3, 2), f.constant("c/biases", 5))
	f.add("relu", "relu", nil, "conv")
	f.add("handed", "same", nil, f.constant("shift", 5, 1, 1))
	f.add("shifted", "sub", nil, "relu", "handed")
	f.add("scaled", "mul", nil, f.constant("factors", 1, 5, 1, 1), "shifted")
	f.add("map", "add", nil, "scaled", f.constant("rows", 4, 1))
	f.add("both", "concat", toyAttributes{"axis": -3}, "map", "relu")
	f.add("pool", "pool", toyAttributes{"size": 2, "stride": 2}, "both")
	f.add("flat", "flatten", nil, "pool")
	f.add("again", "images", toyAttributes{"shape": []int64{-1, 10, 2, 2}}, "flat")
	f.add("flat2", "flatten", nil, "again")
	f.add("dense", "dense", nil, "flat2", f.constant("d/weights", 4, 40), f.constant("d/biases", 4))
	f.add("probabilities", "softmax", nil, "dense")
	f.constant("spare", 1<<10)
	m, err := Open(toy, f.nodes, Options{Name: "toy", Range: [2]float64{-1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	if h, w, c := m.Input(); h != 8 || w != 7 || c != 3 || len(m.Classes()) != 4 {
		t.Errorf("it takes %d×%d×%d to %d classes", h, w, c, len(m.Classes()))
	}
	for name := range f.constants {
		if want := 1; name == "spare" && f.reads[name] != 0 || name != "spare" && f.reads[name] != want {
			t.Errorf("constant %q was read %d times", name, f.reads[name])
		}
	}

	weights := interp.Weights{}
	set := func(path string, data []float32, dims ...int) {
		if weights[path], err = interp.NewWeight(data, dims...); err != nil {
			t.Fatal(err)
		}
	}
	set("/c/weights", layout.HWIO(f.constants["c/weights"], 5, 3, 3, 2), 3, 2, 3, 5)
	set("/c/biases", f.constants["c/biases"], 5)
	set("/d/weights", layout.Flattened(f.constants["d/weights"], 4, 10, 2, 2), 40, 4)
	set("/d/biases", f.constants["d/biases"], 4)
	set("/shift", f.constants["shift"], 5)
	set("/factors", f.constants["factors"], 5)
	set("/rows", f.constants["rows"], 1, 4, 1, 1)
	byHand, err := interp.New(interp.Spec{Name: "by hand", Input: [3]int{8, 7, 3}, Classes: m.Classes(), Weights: weights,
		Forward: func(s *model.Scope, x *graph.Node) *graph.Node {
			v := func(s *model.Scope, name string, dims ...int) *graph.Node {
				return s.VariableWithShape(name, shapes.Make(x.DType(), dims...)).NodeValue(x)
			}
			x = graph.AddScalar(graph.MulScalar(x, 3), -1)
			x = layer.ReLU(layer.Conv(s.At("c"), x, 5, layer.Window{Size: [2]int{3, 2}, Stride: [2]int{2, 2}, Pad: [2][2]int{{1, 1}, {1, 1}}}))
			relu := x
			x = graph.Mul(graph.Sub(x, graph.ExpandLeftToRank(v(s, "shift", 5), 4)), graph.ExpandLeftToRank(v(s, "factors", 5), 4))
			x = graph.Add(x, v(s, "rows", 1, 4, 1, 1))
			x = layer.MaxPool(layer.Concat(x, relu), layer.Square(2, 2, 0))
			return layer.Dense(s.At("d"), layer.Flatten(x), 4)
		}})
	if err != nil {
		t.Fatal(err)
	}
	m, byHand = m.Float64(), byHand.Float64()
	x := interptest.Images(m, 2, 1)
	for what, of := range map[string]func(m *interp.Model) ([]float64, error){
		"logits": func(m *interp.Model) ([]float64, error) {
			p, err := m.Predict(t.Context(), x)
			if err != nil {
				return nil, err
			}
			return p.Logits.Data, nil
		},
		"gradient": func(m *interp.Model) ([]float64, error) {
			g, err := m.Gradient(t.Context(), objective.Logit, nil, x.Asked(2))
			return g.Pix, err
		},
	} {
		got, err := of(m)
		if err != nil {
			t.Fatal(err)
		}
		want, err := of(byHand)
		if err != nil {
			t.Fatal(err)
		}
		if d := interptest.Distance(got, want); !(d <= 1e-12) {
			t.Errorf("%s: off by %g", what, d)
		}
	}
}

// What does not fit the layout is an error, and not a network.
func TestAnotherFormatRejects(t *testing.T) {
	for what, c := range map[string]struct {
		build func(f *toyFile)
		want  string
	}{
		"one weight in two layouts": {func(f *toyFile) {
			f.add("conv", "conv", nil, "images", f.constant("w", 3, 3, 1, 1))
			f.add("sum", "add", nil, "conv", "w")
		}, "another layout"},
		"a column as factors":  {func(f *toyFile) { f.add("x", "mul", nil, "images", f.constant("w", 8, 1)) }, "8 factors do not fit"},
		"a row as factors":     {func(f *toyFile) { f.add("x", "div", nil, "images", f.constant("w", 7)) }, "7 factors do not fit"},
		"rows laid one by one": {func(f *toyFile) { f.add("x", "concat", toyAttributes{"axis": 2}, "images", "images") }, "axis 2 of"},
		"the last axis":        {func(f *toyFile) { f.add("x", "concat", toyAttributes{"axis": -1}, "images", "images") }, "axis -1 of"},
		"endless padding":      {func(f *toyFile) { f.add("x", "pool", toyAttributes{"pad": 1 << 62}, "images") }, "its padding is"},
		"negative padding":     {func(f *toyFile) { f.add("x", "pool", toyAttributes{"pad": -1}, "images") }, "its padding is"},
		"three axes":           {func(f *toyFile) { f.add("x", "images", toyAttributes{"shape": []int64{1, 3, -1}}, "images") }, "2 and 4 axes"},
		"another operator":     {func(f *toyFile) { f.add("x", "gelu", nil, "images") }, `node "x" (gelu): this operator is not supported; supported are: add, concat`},
	} {
		f := newToy()
		c.build(f)
		last := f.nodes[len(f.nodes)-1].Name
		m, err := Open(toy, f.nodes, Options{Name: "toy", Output: last})
		if err == nil {
			_, err = m.Layers()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", what, err, c.want)
		}
	}
	names := toy.Supported()
	if !slices.IsSorted(names) || !slices.Contains(names, "in") || !slices.Contains(names, "const") {
		t.Error(fmt.Sprint("supported: ", names))
	}
}
