package googlenet

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"lucigo/interp/interptest"
	"lucigo/models/safetensors"
)

// caffeModel writes a .caffemodel. Layers of the old version have blobs of four axes.
type caffeModel struct {
	net []byte
	old bool
}

func appendMessage(b []byte, field protowire.Number, m []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), m)
}

func (c *caffeModel) layer(name string, blobs ...[]byte) {
	field, nameField, blobField := protowire.Number(100), protowire.Number(1), protowire.Number(7)
	if c.old {
		field, nameField, blobField = 2, 4, 6
	}
	l := appendMessage(nil, nameField, []byte(name))
	for _, b := range blobs {
		l = appendMessage(l, blobField, b)
	}
	c.net = appendMessage(c.net, field, l)
}

func (c *caffeModel) blob(data []float32, dims ...int) []byte {
	var b, shape, numbers []byte
	if c.old {
		four := append(slices.Repeat([]int{1}, 4-len(dims)), dims...)
		for i, d := range four {
			b = protowire.AppendVarint(protowire.AppendTag(b, protowire.Number(1+i), protowire.VarintType), uint64(d))
		}
	} else {
		for _, d := range dims {
			shape = protowire.AppendVarint(shape, uint64(d))
		}
		b = appendMessage(b, 7, appendMessage(nil, 1, shape))
	}
	for _, v := range data {
		numbers = protowire.AppendFixed32(numbers, math.Float32bits(v))
	}
	return appendMessage(b, 5, numbers)
}

func (c *caffeModel) write(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.caffemodel")
	if err := os.WriteFile(path, c.net, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The network of Caffe's file is that of the safetensors file, to the bit, in both versions of the format.
func TestOracleGoogLeNetFromCaffe(t *testing.T) {
	want := open(t)
	f, err := safetensors.Open(weightFile(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, c := range []caffeModel{{}, {old: true}} {
		all := parameters()
		c.layer("loss1/classifier", c.blob([]float32{1, 2}, 2, 1), c.blob([]float32{3, 4}, 2))
		for i := 0; i < len(all); i += 2 {
			var blobs [2][]byte
			for j := range 2 {
				data, err := f.Float32(all[i+j].name)
				if err != nil {
					t.Fatal(err)
				}
				blobs[j] = c.blob(data, all[i+j].dims...)
			}
			c.layer(strings.TrimSuffix(all[i].name, ".weight"), blobs[:]...)
		}
		got, err := OpenCaffe(c.write(t))
		if err != nil {
			t.Fatal(err)
		}
		w, v := got.Weights(), want.Weights()
		if !slices.Equal(w.Paths(), v.Paths()) {
			t.Fatalf("weights %v, want %v", w.Paths(), v.Paths())
		}
		for path := range v {
			if !slices.Equal(w[path].Dims(), v[path].Dims()) || !slices.Equal(w[path].Values(), v[path].Values()) {
				t.Errorf("%s differs", path)
			}
		}
		if c.old {
			continue // the same weights give the same logits
		}
		x := interptest.Images(want, 1, 7)
		a, err := want.Predict(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		b, err := got.Predict(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		if d := interptest.Distance(b.Logits.Data, a.Logits.Data); d > 1e-6 {
			t.Errorf("the logits are off by %g", d)
		}
	}
}

func TestOpenCaffeRejectsOtherNetworks(t *testing.T) {
	conv1 := parameters()[0]
	weights := slices.Repeat([]float32{1}, 64*3*7*7)
	var other, short, unbiased caffeModel
	other.layer("conv1", other.blob(weights, conv1.dims...))
	short.layer(strings.TrimSuffix(conv1.name, ".weight"), short.blob(weights[:64*3], 64, 3, 1, 1), short.blob(weights[:64], 64))
	unbiased.layer(strings.TrimSuffix(conv1.name, ".weight"), unbiased.blob(weights, conv1.dims...))
	for _, c := range []struct {
		net  caffeModel
		want string
	}{
		{other, `no tensor "conv1/7x7_s2.weight"; there are: conv1.weight`},
		{short, `tensor "conv1/7x7_s2.weight" is shaped [64 3 1 1], and variable "/conv1/7x7_s2/weights", shaped [7 7 3 64], needs [64 3 7 7]`},
		{unbiased, `no tensor "conv1/7x7_s2.bias"`},
		{caffeModel{}, "no layer has weights"},
	} {
		path := c.net.write(t)
		if _, err := OpenCaffe(path); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v, want one with the path and %q", err, c.want)
		}
	}
	var all caffeModel
	for i, p := range parameters() {
		if i%2 == 1 {
			continue
		}
		n := 1
		for _, d := range p.dims {
			n *= d
		}
		all.layer(strings.TrimSuffix(p.name, ".weight"), all.blob(make([]float32, n), p.dims...), all.blob(make([]float32, p.dims[0]), p.dims[0]))
	}
	if _, err := OpenCaffe(all.write(t)); err != nil {
		t.Errorf("a file of the right shapes: %v", err)
	}
	all.layer("extra", all.blob([]float32{1}, 1))
	if _, err := OpenCaffe(all.write(t)); err == nil || !strings.Contains(err.Error(), `no variable needs tensor "extra.weight"`) {
		t.Errorf("a layer too many: %v", err)
	}
}
