package named

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	_ "lucigo/interp/engine/install" // tests fetch XLA where it is missing
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
)

// file is a Source of random numbers.
type file struct {
	names []string
	dims  map[string][]int
	data  map[string][]float32
}

func (f *file) add(name string, dims ...int) {
	if f.dims == nil {
		f.dims, f.data = map[string][]int{}, map[string][]float32{}
	}
	n := 1
	for _, d := range dims {
		n *= d
	}
	rng := rand.New(rand.NewPCG(uint64(len(f.names)), 1))
	data := make([]float32, n)
	for i := range data {
		data[i] = rng.Float32() + .1
	}
	f.names, f.dims[name], f.data[name] = append(f.names, name), dims, data
}

func (f *file) Names() []string { return f.names }

func (f *file) Shape(name string) ([]int, bool) {
	dims, ok := f.dims[name]
	return dims, ok
}

func (f *file) Float32(name string) ([]float32, error) { return f.data[name], nil }

// small is a network with each kind of layer that has weights, and a dense layer after a flatten.
func small(s *model.Scope, x *graph.Node) *graph.Node {
	return smallWith(s, x, func(x *graph.Node) *graph.Node { return x })
}

func smallWith(s *model.Scope, x *graph.Node, f func(x *graph.Node) *graph.Node) *graph.Node {
	x = layer.ReLU(layer.Conv(s.At("features").At("0"), x, 3, layer.Window{Size: [2]int{2, 3}}))
	x = layer.ReLU(layer.BatchNorm(s.At("bn"), layer.ConvNoBias(s.At("conv2"), x, 4, layer.Square(1, 1, 0)), 1e-5))
	return layer.Dense(s.At("fc"), f(layer.Flatten(x)), 5)
}

var smallSpec = interp.Spec{Name: "small", Forward: small, Input: [3]int{4, 5, 2}, Classes: []string{"a", "b", "c", "d", "e"}}

func smallFile() *file {
	f := &file{}
	f.add("features.0.weight", 3, 2, 2, 3)
	f.add("features.0.bias", 3)
	f.add("conv2.weight", 4, 3, 1, 1)
	f.add("bn.weight", 4)
	f.add("bn.bias", 4)
	f.add("bn.running_mean", 4)
	f.add("bn.running_var", 4)
	f.add("fc.weight", 5, 4*3*3)
	f.add("fc.bias", 1, 1, 1, 5) // as Caffe wrote it once
	return f
}

// predicted returns an image, and its logits by the network of spec with the weights that r reads, in float64.
func predicted(t *testing.T, r Reader, f *file, spec interp.Spec) (interp.Images, interp.Prediction) {
	t.Helper()
	m, err := r.Read(f, spec)
	if err != nil {
		t.Fatal(err)
	}
	m = m.Float64()
	x := interptest.Images(m, 1, 1)
	p, err := m.Predict(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	return x, p
}

// The logits of a network whose weights were read are those of the other framework's arithmetic, images
// [C, H, W], in plain loops.
func TestLawRead(t *testing.T) {
	f := smallFile()
	x, p := predicted(t, Reader{Flat: map[string][3]int{"/fc/weights": {4, 3, 3}}}, f, smallSpec)
	w := func(name string, i int) float64 { return float64(f.data[name][i]) }
	var flat []float64
	for o := range 4 {
		for y := range 3 {
			for xx := range 3 {
				var sum float64
				for h := range 3 {
					v := w("features.0.bias", h)
					for c := range 2 {
						for i := range 2 {
							for j := range 3 {
								v += w("features.0.weight", ((h*2+c)*2+i)*3+j) * x.Pix[((y+i)*5+xx+j)*2+c]
							}
						}
					}
					sum += w("conv2.weight", o*3+h) * max(v, 0)
				}
				sum = (sum-w("bn.running_mean", o))/math.Sqrt(w("bn.running_var", o)+1e-5)*w("bn.weight", o) + w("bn.bias", o)
				flat = append(flat, max(sum, 0))
			}
		}
	}
	for o := range 5 {
		want := w("fc.bias", o)
		for i, v := range flat {
			want += w("fc.weight", o*len(flat)+i) * v
		}
		if got := p.Logits.Of(0)[o]; !(math.Abs(got-want) <= 1e-12*math.Abs(want)) {
			t.Errorf("logit %d is %g, want %g", o, got, want)
		}
	}
}

// A batch norm between a flatten and a dense layer needs its order too, and gets it.
func TestLawBatchNormOfFlattened(t *testing.T) {
	spec := smallSpec
	spec.Forward = func(s *model.Scope, x *graph.Node) *graph.Node {
		x = layer.BatchNorm(s.At("bn"), layer.Flatten(x), 1e-5)
		return layer.Dense(s.At("fc"), layer.ReLU(x), 5)
	}
	h, w, c := spec.Input[0], spec.Input[1], spec.Input[2]
	f := &file{}
	reader := Reader{Flat: map[string][3]int{"/fc/weights": {c, h, w}}}
	f.add("fc.weight", 5, h*w*c)
	f.add("fc.bias", 5)
	for _, name := range []string{"weight", "bias", "running_mean", "running_var"} {
		f.add("bn."+name, h*w*c)
	}
	for _, name := range []string{"mean", "scale", "variance", "offset"} {
		if _, err := reader.Read(f, spec); err == nil || !strings.Contains(err.Error(), `for variable "/bn/`) {
			t.Errorf("error %v without a Flat of %s", err, name)
		}
		reader.Flat["/bn/"+name] = [3]int{c, h, w}
	}
	x, p := predicted(t, reader, f, spec)
	v := func(name string, i int) float64 { return float64(f.data[name][i]) }
	for o := range 5 {
		want := v("fc.bias", o)
		for i := range h * w * c { // as [C, H, W]
			pixel := x.Pix[(i/w%h*w+i%w)*c+i/(h*w)]
			y := (pixel-v("bn.running_mean", i))/math.Sqrt(v("bn.running_var", i)+1e-5)*v("bn.weight", i) + v("bn.bias", i)
			want += v("fc.weight", o*h*w*c+i) * max(y, 0)
		}
		if got := p.Logits.Of(0)[o]; !(math.Abs(got-want) <= 1e-12*math.Abs(want)) {
			t.Errorf("logit %d is %g, want %g", o, got, want)
		}
	}
}

// Everything that does not fit is told at once, with near names.
func TestReadOfAnotherFile(t *testing.T) {
	f := &file{}
	f.add("features.0.weight", 3, 2, 3, 2)
	f.add("features.0.bia", 3)
	f.add("conv2.weight", 4, 3, 1, 1)
	f.add("bn.weight", 4)
	f.add("bn.bias", 4)
	f.add("bn.running_mean", 4)
	f.add("bn.running_var", 4)
	f.add("conv2.bias", 4)
	f.add("fc.weight", 4*3*3, 5)
	f.add("fc.bias", 5)
	_, err := Reader{}.Read(f, smallSpec)
	for _, want := range []string{
		"another network than small",
		`tensor "features.0.weight" is shaped [3 2 3 2], and variable "/features/0/weights", shaped [2 3 2 3], needs [3 2 2 3]`,
		`variable "/features/0/biases", shaped [3], needs a tensor shaped [3]: no tensor "features.0.bias"; near it: features.0.bia`,
		`no variable needs tensor "features.0.bia"`,
		`no variable needs tensor "conv2.bias"`,
		`tensor "fc.weight" is shaped [36 5], and variable "/fc/weights", shaped [36 5], needs [5 36]`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	if err != nil && strings.Contains(err.Error(), `"bn`) {
		t.Errorf("error %v: the batch norm's tensors are right", err)
	}
	if _, err := (Reader{Flat: map[string][3]int{"/fc/weights": {4, 3, 2}}}).Read(smallFile(), smallSpec); err == nil || !strings.Contains(err.Error(), "as many numbers") {
		t.Errorf("error %v of a Flat of another size", err)
	}
	if _, err := (Reader{Flat: map[string][3]int{"/fc/weight": {4, 3, 3}}}).Read(smallFile(), smallSpec); err == nil || !strings.Contains(err.Error(), "near it: /fc/weights") {
		t.Errorf("error %v of a Flat of no variable", err)
	}
	for between, f := range map[string]layer.Forward{
		"nothing": small,
		"a ReLU":  func(s *model.Scope, x *graph.Node) *graph.Node { return smallWith(s, x, layer.ReLU) },
		"a LeakyReLU": func(s *model.Scope, x *graph.Node) *graph.Node {
			return smallWith(s, x, func(x *graph.Node) *graph.Node { return layer.LeakyReLU(x, .1) })
		},
	} {
		spec := smallSpec
		spec.Forward = f
		if _, err := (Reader{}).Read(smallFile(), spec); err == nil || !strings.Contains(err.Error(), `variable "/fc/weights", which sees images flattened: it must have their channels, rows and columns, [4 3 3]`) {
			t.Errorf("error %v without a Flat, and %s between flatten and layer", err, between)
		}
	}
	for what, f := range map[string]func(x *graph.Node) *graph.Node{ // of which the order says nothing, or which turn the images themselves
		"a mean":       layer.GlobalMean,
		"one channel":  func(x *graph.Node) *graph.Node { return layer.Flatten(graph.ReduceAndKeep(x, graph.ReduceMean, 3)) },
		"one position": func(x *graph.Node) *graph.Node { return layer.Flatten(graph.ReduceAndKeep(x, graph.ReduceMean, 1, 2)) },
		"turned":       func(x *graph.Node) *graph.Node { return layer.Flatten(graph.TransposeAllAxes(x, 0, 3, 1, 2)) },
	} {
		var in int
		spec := smallSpec
		spec.Forward = func(s *model.Scope, x *graph.Node) *graph.Node {
			x = f(layer.Conv(s.At("conv"), x, 3, layer.Square(2, 1, 0)))
			in = x.Shape().Dim(1)
			return layer.Dense(s.At("fc"), x, 5)
		}
		if m, err := interp.New(spec); err != nil {
			t.Fatal(err)
		} else if _, err := m.Variables(); err != nil { // tells in
			t.Fatal(err)
		}
		f := &file{}
		f.add("conv.weight", 3, 2, 2, 2)
		f.add("conv.bias", 3)
		f.add("fc.weight", 5, in)
		f.add("fc.bias", 5)
		if _, err := (Reader{}).Read(f, spec); err != nil {
			t.Errorf("%s before a dense layer: error %v", what, err)
		}
	}
	many := smallFile()
	for i := range 70 {
		many.add(fmt.Sprint("more.", i), 1)
	}
	if _, err := (Reader{}).Read(many, smallSpec); err == nil || !strings.Contains(err.Error(), "and 50 more") {
		t.Errorf("error %v of a file with 70 tensors too many", err)
	}
}

func TestNames(t *testing.T) {
	for variable, want := range map[string][2]string{
		"/layer1/0/conv1/weights": {"layer1.0.conv1.weight", "layer1/0/conv1.weight"},
		"/bn/variance":            {"bn.running_var", "bn.running_var"},
		"/fc/table":               {"fc.table", "fc.table"},
		"/weights":                {"weight", "weight"},
	} {
		if got := [2]string{Dotted(variable), Slashed(variable)}; got != want {
			t.Errorf("%s: %q, want %q", variable, got, want)
		}
	}
}

// A safetensors file is read by the same names, and its integers are no weights.
func TestOpen(t *testing.T) {
	header := `{"logits.weight":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},` +
		`"logits.bias":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},"steps":{"dtype":"I64","shape":[],"data_offsets":[16,24]}}`
	b := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	for _, v := range []float32{2, 3, 4, 5} {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	path := filepath.Join(t.TempDir(), "test.safetensors")
	if err := os.WriteFile(path, append(b, make([]byte, 8)...), 0o600); err != nil {
		t.Fatal(err)
	}
	spec := interp.Spec{Name: "mean", Input: [3]int{2, 2, 1}, Classes: []string{"a", "b"}}
	spec.Forward = func(s *model.Scope, x *graph.Node) *graph.Node {
		return layer.Dense(s.At("logits"), layer.GlobalMean(x), 2)
	}
	m, err := Reader{}.Open(path, spec)
	if err != nil {
		t.Fatal(err)
	}
	if w := m.Weights(); !slices.Equal(w["/logits/weights"].Values(), []float64{2, 3}) || !slices.Equal(w["/logits/biases"].Values(), []float64{4, 5}) {
		t.Errorf("weights %v", w)
	}
	spec.Forward = small
	if _, err := (Reader{}).Open(path, spec); err == nil || !strings.Contains(err.Error(), path+": ") {
		t.Errorf("error %v of another network", err)
	}
}

func TestSignificant(t *testing.T) {
	for _, c := range []struct {
		a, b []int
		same bool
	}{
		{[]int{2, 3}, []int{2, 3}, true},
		{[]int{1, 1, 2, 3}, []int{2, 3}, true},
		{[]int{1, 3}, []int{3}, true},
		{[]int{2, 3}, []int{3, 2}, false},
		{[]int{2, 1, 1, 1}, []int{2}, false},
		{[]int{1, 1, 1, 1}, []int{1}, true},
	} {
		if got := slices.Equal(significant(c.a), significant(c.b)); got != c.same {
			t.Errorf("%v is %v: %v, want %v", c.a, c.b, got, c.same)
		}
	}
}
