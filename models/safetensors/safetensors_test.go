package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lucigo/internal/hostile"
)

// file is a safetensors file with this header and these bytes after it.
func file(header string, data []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

func parse(b []byte) (*File, error) {
	return Read("test.safetensors", bytes.NewReader(b), int64(len(b)))
}

func TestReadsEveryFloatingType(t *testing.T) {
	var data []byte
	data = binary.LittleEndian.AppendUint64(data, math.Float64bits(1.0/3))
	data = binary.LittleEndian.AppendUint64(data, math.Float64bits(-2))
	data = binary.LittleEndian.AppendUint32(data, math.Float32bits(0.1))
	data = binary.LittleEndian.AppendUint16(data, 0x3555) // the half nearest to 1/3
	data = binary.LittleEndian.AppendUint16(data, 0xc040) // −3 in bfloat16
	data = append(data, 7, 0, 0, 0, 0, 0, 0, 0)
	f, err := parse(file(`{"a":{"dtype":"F64","shape":[2,1],"data_offsets":[0,16]},
		"__metadata__":{"source":"here"},
		"b":{"dtype":"F32","shape":[],"data_offsets":[16,20]},
		"n":{"dtype":"I64","shape":[1],"data_offsets":[24,32]},
		"d":{"dtype":"BF16","shape":[1],"data_offsets":[22,24]},
		"c":{"dtype":"F16","shape":[1],"data_offsets":[20,22]},
		"e":{"dtype":"F32","shape":[0,5],"data_offsets":[16,16]}}   `, data))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f.Names(), []string{"a", "e", "b", "c", "d", "n"}; !slices.Equal(got, want) {
		t.Errorf("names %v, want %v", got, want)
	}
	if f.Metadata("source") != "here" || f.Metadata("none") != "" {
		t.Errorf("metadata %q, %q", f.Metadata("source"), f.Metadata("none"))
	}
	for name, want := range map[string][]float64{
		"a": {1.0 / 3, -2}, "b": {float64(float32(0.1))}, "c": {0.333251953125}, "d": {-3}, "e": {},
	} {
		single, err := f.Float32(name)
		if err != nil || len(single) != len(want) {
			t.Fatalf("%s: %v, %v", name, single, err)
		}
		for i := range want {
			if single[i] != float32(want[i]) {
				t.Errorf("%s in float32: %v, want %v", name, single[i], float32(want[i]))
			}
		}
	}
	if i, ok := f.Info("a"); !ok || i.Type != "F64" || !slices.Equal(i.Shape, []int{2, 1}) {
		t.Errorf("a is %v, %v", i, ok)
	}
	if _, ok := f.Info("z"); ok {
		t.Error("a tensor z exists")
	}
	for name, want := range map[string]string{"n": "I64", "aa": "near it: a"} {
		if _, err := f.Float32(name); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "test.safetensors") {
			t.Errorf("reading %s: error %v, want one with the file's name and %q", name, err, want)
		}
	}
}

// Long tensors are read in pieces: each number is where it was written.
func TestReadsLongTensors(t *testing.T) {
	const n = 100_003
	for _, c := range []struct {
		kind  string
		write func(b []byte, v float64) []byte
	}{
		{"F64", func(b []byte, v float64) []byte { return binary.LittleEndian.AppendUint64(b, math.Float64bits(v)) }},
		{"F32", func(b []byte, v float64) []byte {
			return binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v)))
		}},
		{"BF16", func(b []byte, v float64) []byte { // of which 0 … 255 are
			return binary.LittleEndian.AppendUint16(b, uint16(math.Float32bits(float32(v))>>16))
		}},
	} {
		var data []byte
		for i := range n {
			data = c.write(data, float64(i%251))
		}
		f, err := parse(file(fmt.Sprintf(`{"x":{"dtype":"%s","shape":[%d],"data_offsets":[0,%d]}}`, c.kind, n, len(data)), data))
		if err != nil {
			t.Fatal(err)
		}
		x, err := f.Float32("x")
		if err != nil || len(x) != n {
			t.Fatal(c.kind, len(x), err)
		}
		for i := range x {
			if x[i] != float32(i%251) {
				t.Fatalf("number %d of %s is %v", i, c.kind, x[i])
			}
		}
	}
}

// All 65,536 halves against the definition of binary16.
func TestLawHalf(t *testing.T) {
	var data []byte
	for h := range 1 << 16 {
		data = binary.LittleEndian.AppendUint16(data, uint16(h))
	}
	f, err := parse(file(`{"x":{"dtype":"F16","shape":[65536],"data_offsets":[0,131072]}}`, data))
	if err != nil {
		t.Fatal(err)
	}
	x, err := f.Float32("x")
	if err != nil {
		t.Fatal(err)
	}
	for h, single := range x {
		got := float64(single)
		e, f := h>>10&31, float64(h&1023)/1024
		want := math.Ldexp(1+f, e-15)
		switch {
		case e == 0:
			want = math.Ldexp(f, -14)
		case e == 31 && f == 0:
			want = math.Inf(1)
		case e == 31:
			want = math.NaN()
		}
		if h>>15 == 1 {
			want = -want
		}
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) || math.Signbit(got) != (h>>15 == 1) {
			t.Fatalf("half %#04x is %v, want %v", h, got, want)
		}
	}
}

var bad = []struct {
	name   string
	file   []byte
	reason string
}{
	{"empty", nil, "too few"},
	{"seven bytes", make([]byte, 7), "too few"},
	{"text", []byte("<!DOCTYPE html><html>"), "not safetensors"},
	{"huge header", binary.LittleEndian.AppendUint64(nil, math.MaxUint64), "damaged or not safetensors"},
	{"header cut", file(`{"a":{`, nil)[:10], "truncated"},
	{"no object", file(`[1]`, nil), "not a JSON object"},
	{"no header", file(``, nil), "not a JSON object"},
	{"object cut", file(`{"a":{"dtype":"F32"`, nil), "EOF"},
	{"object open", file(`{`, nil), "header"},
	{"rubbish after it", file(`{} x`, nil), "after its JSON object"},
	{"twice", file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, []byte{1}), `"a" appears twice`},
	{"metadata twice", file(`{"__metadata__":{},"__metadata__":{}}`, nil), "twice"},
	{"metadata of numbers", file(`{"__metadata__":{"a":1}}`, nil), "__metadata__"},
	{"type", file(`{"a":{"dtype":"F31","shape":[1],"data_offsets":[0,1]}}`, []byte{1}), `"F31"`},
	{"no type", file(`{"a":{"shape":[1],"data_offsets":[0,1]}}`, []byte{1}), "unknown type"},
	{"negative axis", file(`{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}`, []byte{1}), `tensor "a"`},
	{"negative offset", file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}}`, []byte{1}), `tensor "a"`},
	{"long axis", file(`{"a":{"dtype":"U8","shape":[4294967296,0],"data_offsets":[0,0]}}`, nil), "4294967296"},
	{"overflow", file(`{"a":{"dtype":"U8","shape":[2147483647,2147483647,2147483647],"data_offsets":[0,1]}}`, []byte{1}), "must have"},
	{"overflow to fit", file(`{"a":{"dtype":"F64","shape":[1073741824,1073741824,16],"data_offsets":[0,0]}}`, nil), "must have"},
	{"backwards", file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}`, []byte{1}), "before it begins"},
	{"beyond the end", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, make([]byte, 7)), "truncated"},
	{"another length", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,7]}}`, make([]byte, 7)), "must have 8 for F32 [2]"},
	{"no shape", file(`{"a":{"dtype":"F32","data_offsets":[0,4]}}`, make([]byte, 4)), "no shape"},
	{"no place", file(`{"a":{"dtype":"F32","shape":[0]}}`, nil), "data_offsets are 0 numbers"},
	{"three offsets", file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,9]}}`, []byte{1}), "data_offsets are 3 numbers"},
	{"overlap", file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, make([]byte, 3)), `"a" and "b" overlap`},
	{"same place", file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, make([]byte, 2)), `"a" and "b" overlap`},
	{"gap", file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, make([]byte, 2)), "belong to none"},
	{"bytes after it", file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, make([]byte, 2)), "belong to none"},
	{"empty inside another", file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}}`, make([]byte, 2)), "overlap"},
}

func TestRejectsBadFiles(t *testing.T) {
	for _, c := range bad {
		_, err := parse(c.file)
		if err == nil || !strings.Contains(err.Error(), c.reason) || !strings.HasPrefix(err.Error(), "safetensors: test.safetensors: ") {
			t.Errorf("%s: error %v, want one with the file's name and %q", c.name, err, c.reason)
		}
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.safetensors")
	if _, err := Open(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("a directory: %v", err)
	}
	good := file(`{"a":{"dtype":"F32","shape":[1024],"data_offsets":[0,4096]}}`, make([]byte, 4096))
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Float32("a"); err != nil {
		t.Error(err)
	}
	// Cut while it is open: an error, where a mapped file would end the process.
	if err := os.Truncate(path, int64(len(good))-1); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Float32("a"); err == nil || !strings.Contains(err.Error(), `tensor "a"`) {
		t.Errorf("a file cut after opening: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a truncated file: %v", err)
	}
}

// Whatever the bytes: no panic, no tensor outside the file, and no more memory than the file is long.
// Whatever a file names its tensors, and however many axes they have, errors are short and can be printed.
func TestLawShortErrors(t *testing.T) {
	long := strings.Repeat("a", 12<<20)
	for what, header := range map[string]string{
		"a name of":             fmt.Sprintf(`{%q:{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`, long),
		"that cannot be printe": `{"\u001b[2J":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`,
		"has 1048577 axes":      `{"a":{"dtype":"F32","shape":[1` + strings.Repeat(",1", 1<<20) + `],"data_offsets":[0,8]}}`,
		"unknown type":          fmt.Sprintf(`{"a":{"dtype":%q,"shape":[],"data_offsets":[0,4]}}`, long),
		"header: ":              fmt.Sprintf(`{"a":{"dtype":"F32","shape":%q,"data_offsets":[0,4]}}`, long),
	} {
		_, err := parse(file(header, make([]byte, 4)))
		if err == nil || !strings.Contains(err.Error(), what) || len(err.Error()) > 4<<10 || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%s: %.300v", what, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, c := range bad {
		f.Add(c.file)
	}
	f.Add(file(`{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"F64","shape":[],"data_offsets":[4,12]}}`, make([]byte, 12)))
	f.Fuzz(func(t *testing.T, b []byte) {
		hostile.Bounded(t, func() {
			s, err := parse(b)
			if err != nil {
				return
			}
			total := int64(0)
			for _, name := range s.Names() {
				info, _ := s.Info(name)
				n := 1
				for _, d := range info.Shape {
					n *= d
				}
				total += int64(n) * int64(widths[info.Type])
				if x, err := s.Float32(name); err == nil && len(x) != n {
					t.Errorf("%q: %d numbers for %v", name, len(x), info.Shape)
				}
			}
			if total > int64(len(b)) {
				t.Errorf("tensors of %d bytes in a file of %d", total, len(b))
			}
		})
	})
}

func BenchmarkFloat32(b *testing.B) {
	const n = 1 << 20
	data := file(fmt.Sprintf(`{"x":{"dtype":"F32","shape":[%d],"data_offsets":[0,%d]}}`, n, 4*n), make([]byte, 4*n))
	f, err := Read("x", io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data))), int64(len(data)))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(4 * n)
	for b.Loop() {
		if _, err := f.Float32("x"); err != nil {
			b.Fatal(err)
		}
	}
}
