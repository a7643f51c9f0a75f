package caffe

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"lucigo/internal/hostile"
)

// message is a message being written.
type message []byte

func (m *message) bytes(field protowire.Number, b []byte) {
	*m = protowire.AppendBytes(protowire.AppendTag(*m, field, protowire.BytesType), b)
}

func (m *message) text(field protowire.Number, s string) { m.bytes(field, []byte(s)) }

func (m *message) integer(field protowire.Number, v uint64) {
	*m = protowire.AppendVarint(protowire.AppendTag(*m, field, protowire.VarintType), v)
}

// floats is a packed list.
func floats(data ...float32) (b []byte) {
	for _, v := range data {
		b = protowire.AppendFixed32(b, math.Float32bits(v))
	}
	return b
}

// blob is a BlobProto of today.
func blob(data []float32, dims ...uint64) []byte {
	var m, s message
	var packed []byte
	for _, d := range dims {
		packed = protowire.AppendVarint(packed, d)
	}
	s.bytes(1, packed)
	m.bytes(7, s)
	m.bytes(5, floats(data...))
	return m
}

// layerOf is a LayerParameter of a network of today.
func layerOf(name string, blobs ...[]byte) []byte { return layerOfType("Convolution", name, blobs...) }

func layerOfType(kind, name string, blobs ...[]byte) []byte {
	var l, net message
	l.text(1, name)
	l.text(2, kind)
	l.text(3, "data")
	for _, b := range blobs {
		l.bytes(7, b)
	}
	net.bytes(100, l)
	return net
}

func TestReadsBothVersionsOfLayers(t *testing.T) {
	var net message
	net.text(1, "a network")

	var l, legacy message // as until 2015, not packed, after its name
	l.text(4, "old")
	l.integer(5, 4)
	for i, d := range []uint64{1, 1, 2, 3} {
		legacy.integer(protowire.Number(i+1), d)
	}
	for i := range 6 {
		legacy = protowire.AppendFixed32(protowire.AppendTag(legacy, 5, protowire.Fixed32Type), math.Float32bits(float32(i)/3))
	}
	legacy.bytes(6, floats(9, 9, 9)) // gradients
	l.bytes(6, legacy)
	net.bytes(2, l)

	net = append(net, layerOf("new/conv", blob([]float32{1, -2, 3, -4}, 2, 2, 1, 1), blob([]float32{5, 6}, 2), blob([]float32{7}, 1))...)
	net = append(net, layerOf("data")...)

	var double, s message
	s.integer(1, 1) // not packed
	s.integer(1, 2)
	double.bytes(7, s)
	var b []byte
	for _, v := range []float64{0.1, 1e300} {
		b = protowire.AppendFixed64(b, math.Float64bits(v))
	}
	double.bytes(8, b)
	net = append(net, layerOf("double", double)...)
	net.integer(999, 1) // of a later version of the format

	path := filepath.Join(t.TempDir(), "x.caffemodel")
	if err := os.WriteFile(path, net, 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := Weights(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := w.Names(), []string{"double.weight", "new/conv.bias", "new/conv.blob2", "new/conv.weight", "old.weight"}; !slices.Equal(got, want) {
		t.Errorf("names %q, want %q", got, want)
	}
	third := float32(1) / 3
	for name, want := range map[string]Blob{
		"old.weight":      {[]int{1, 1, 2, 3}, []float32{0, third, 2 * third, 1, 4 * third, 5 * third}},
		"new/conv.weight": {[]int{2, 2, 1, 1}, []float32{1, -2, 3, -4}},
		"new/conv.bias":   {[]int{2}, []float32{5, 6}},
		"new/conv.blob2":  {[]int{1}, []float32{7}},
		"double.weight":   {[]int{1, 2}, []float32{0.1, float32(math.Inf(1))}},
	} {
		got, err := w.Float32(name)
		same := slices.EqualFunc(got, want.Data, func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-6 || a == b })
		if dims, ok := w.Shape(name); !ok || !slices.Equal(dims, want.Dims) || !same || err != nil {
			t.Errorf("%s: %v %v, %v, want %v", name, dims, got, err, want)
		}
	}
	for _, name := range []string{"", ".", "weight", "old", "old.", "old.bias", "older.weight"} {
		if _, ok := w.Shape(name); ok {
			t.Errorf("there is a blob %q", name)
		}
		if _, err := w.Float32(name); err == nil || !strings.Contains(err.Error(), "no blob") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// Caffe keeps sums of statistics, and their divisor in a third blob; a divisor of 0 means statistics of 0.
func TestBatchNorm(t *testing.T) {
	sums := func(kind, name string, more ...[]byte) []byte {
		return layerOfType(kind, name, append([][]byte{blob([]float32{10, -20}, 2), blob([]float32{30, 5}, 2)}, more...)...)
	}
	net := slices.Concat(
		sums("BatchNorm", "bn", blob([]float32{4}, 1)), sums("BatchNorm", "new", blob([]float32{0}, 1)),
		sums("Scale", "scale"), sums("BatchNorm", "nv", blob([]float32{2}, 1), blob([]float32{7, 8}, 2)),
	)
	w, err := Parse(net)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]float32{
		"bn.running_mean": {2.5, -5}, "bn.running_var": {7.5, 1.25}, "new.running_mean": {0, 0}, "new.running_var": {0, 0},
		"scale.weight": {10, -20}, "scale.bias": {30, 5}, "nv.running_mean": {5, -10}, "nv.running_var": {15, 2.5}, "nv.blob3": {7, 8},
	}
	for name, data := range want {
		if got := w[name]; !slices.Equal(got.Data, data) || !slices.Equal(got.Dims, []int{2}) {
			t.Errorf("%s: %v %v, want %v", name, got.Dims, got.Data, data)
		}
	}
	if len(w) != len(want) {
		t.Errorf("names %q", w.Names())
	}
	for name, bad := range map[string][]byte{
		"no divisor":   sums("BatchNorm", "bn"),
		"two divisors": sums("BatchNorm", "bn", blob([]float32{1, 2}, 2)),
		"not a number": sums("BatchNorm", "bn", blob([]float32{float32(math.NaN())}, 1)),
	} {
		if _, err := Parse(bad); err == nil || !strings.Contains(err.Error(), "BatchNorm") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestRejectsBadFiles(t *testing.T) {
	ones := func(n int) []float32 { return slices.Repeat([]float32{1}, n) }
	var both message
	both.bytes(5, floats(1))
	both.bytes(8, make([]byte, 8))
	var odd message
	odd.bytes(5, make([]byte, 7))
	var deep message
	s := message{}
	s.bytes(1, slices.Repeat([]byte{1}, maxDims+1))
	deep.bytes(7, s)
	deep.bytes(5, floats(1))
	good := layerOf("conv", blob(ones(4), 4))
	half := slices.Repeat([][]byte{blob(ones(1))}, maxBlobs/2+1)
	for what, c := range map[string]struct {
		file []byte
		want string
	}{
		"nothing":                  {nil, "no layer has weights"},
		"text":                     {[]byte("name: \"GoogleNet\"\nlayer {\n}\n"), "another format"},
		"a cut file":               {good[:len(good)-3], "truncated"},
		"too few numbers":          {layerOf("conv1", blob(ones(3), 2, 2)), `layer "conv1": blob 0: it is shaped [2 2], which is 4 numbers, and has 3`},
		"too many numbers":         {layerOf("conv1", blob(ones(5), 2, 2)), "and has 5"},
		"an axis of length 0":      {layerOf("conv1", blob(nil, 0)), "shaped [0]"},
		"a negative axis":          {layerOf("conv1", blob(ones(1), 1<<64-1)), "shaped [-1]"},
		"more than memory":         {layerOf("conv1", blob(ones(1), 1<<31, 1<<31, 1<<31)), "shaped"},
		"an overflowing shape":     {layerOf("conv1", blob(ones(1), 1<<16, 1<<16, 1<<32)), "shaped"},
		"both precisions":          {layerOf("conv1", both), "both precisions"},
		"bytes left over":          {layerOf("conv1", odd), "32-bit"},
		"too many axes":            {layerOf("conv1", deep), "more than 32"},
		"two layers of a name":     {slices.Concat(good, good), `"conv" appears twice`},
		"too many blobs":           {slices.Concat(layerOf("a", half...), layerOf("b", half...)), "more than 65536 blobs"},
		"a layer that is a number": {[]byte{100<<3&0x7f | 0x80, 100 >> 4, 1}, "not a string or message"},
	} {
		w, err := Parse(c.file)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d layers, error %v, want one with %q", what, len(w), err, c.want)
		}
	}
	if _, err := Weights("no/such.caffemodel"); err == nil || !strings.Contains(err.Error(), "no/such.caffemodel") {
		t.Errorf("a file that is missing: %v", err)
	}
}

// Whatever a file names its layers, errors are short and can be printed.
func TestLawShortErrors(t *testing.T) {
	for what, name := range map[string]string{"a name of": strings.Repeat("a", 12<<20), "that cannot be printed": "\x1b[2J"} {
		_, err := Parse(layerOf(name, blob([]float32{1}, 1)))
		if err == nil || !strings.Contains(err.Error(), what) || len(err.Error()) > 4<<10 || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%s: %.300v", what, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	good := slices.Concat(layerOf("conv", blob([]float32{1, 2}, 2, 1), blob([]float32{3}, 1)), layerOf("data"))
	f.Add(good)
	f.Add(good[:20])
	var l, legacy, net message
	l.text(4, "old")
	for i := range 4 {
		legacy.integer(protowire.Number(i+1), 1)
	}
	legacy.bytes(5, floats(1))
	l.bytes(6, legacy)
	net.bytes(2, l)
	f.Add([]byte(net))
	f.Fuzz(func(t *testing.T, b []byte) {
		hostile.Bounded(t, func() {
			w, err := Parse(b)
			if err != nil {
				return
			}
			total := 0
			for name, blob := range w {
				size := 1
				for _, d := range blob.Dims {
					size *= d
				}
				if size != len(blob.Data) {
					t.Errorf("%q is shaped %v and has %d numbers", name, blob.Dims, len(blob.Data))
				}
				total += size
			}
			if 4*total > len(b) {
				t.Errorf("%d numbers from %d bytes", total, len(b))
			}
		})
	})
}
