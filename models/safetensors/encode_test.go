package safetensors

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lucigo/interp"
)

// What is encoded is read again, in the same order, and aligned.
func TestLawEncode(t *testing.T) {
	metadata := [][2]string{{"b", `a "quoted" text -> & <here>`}, {"a", "Größe\n"}}
	tensors := []Tensor{
		{"z", Info{"F32", []int{2, 1}}, []byte{0, 0, 128, 63, 0, 0, 0, 192}},
		{"a/\"b\"", Info{"F16", nil}, []byte{0, 60}},
		{"none", Info{"I64", []int{0, 3}}, nil},
		{"m", Info{"F16", []int{1}}, []byte{0, 188}},
	}
	b, err := Encode(metadata, tensors)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), "-> & <here>") || (len(b)-12)%8 != 0 { // 12 bytes of numbers
		t.Errorf("the file is %q", b)
	}
	f, err := parse(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range metadata {
		if got := f.Metadata(m[0]); got != m[1] {
			t.Errorf("%s is %q, want %q", m[0], got, m[1])
		}
	}
	if got := f.Names(); !slices.Equal(got, []string{"z", "a/\"b\"", "none", "m"}) {
		t.Errorf("names %q", got)
	}
	for i, want := range [][]float32{{1, -2}, {1}, nil, {-1}} {
		info, _ := f.Info(tensors[i].Name)
		if info.Type != tensors[i].Type || !slices.Equal(info.Shape, tensors[i].Shape) {
			t.Errorf("%s is %v, want %v", tensors[i].Name, info, tensors[i].Info)
		}
		if want == nil {
			continue
		}
		if got, err := f.Float32(tensors[i].Name); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s is %v, %v, want %v", tensors[i].Name, got, err, want)
		}
	}
	if b, err := Encode(nil, nil); err != nil || len(b)%8 != 0 {
		t.Errorf("without tensors: %q, %v", b, err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	good := Tensor{"a", Info{"F32", []int{1}}, make([]byte, 4)}
	for what, tensors := range map[string][]Tensor{
		"twice":                {good, good},
		"3 bytes, must have 4": {{"a", Info{"F32", []int{1}}, make([]byte, 3)}},
		`unknown type "F3"`:    {{"a", Info{"F3", []int{1}}, make([]byte, 4)}},
		"-1":                   {{"a", Info{"F32", []int{-1}}, nil}},
	} {
		if _, err := Encode(nil, tensors); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%v, want an error with %q", err, what)
		}
	}
}

// Weights that are written are read again: exactly in F32, rounded to 11 bits in F16; the folder is made.
func TestLawWrite(t *testing.T) {
	weight := func(v []float32, dims ...int) *interp.Weight {
		w, err := interp.NewWeight(v, dims...)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	weights := interp.Weights{"/b/weights": weight([]float32{.1, -2, 3e-3, 4, 5.5, 1 + 1./4096}, 2, 3), "/a/biases": weight([]float32{-1. / 3}, 1)}
	rounded := map[string][]float64{"/b/weights": {.0999755859375, -2, .0030002593994140625, 4, 5.5, 1}, "/a/biases": {-.333251953125}}
	for _, dtype := range []string{"F32", "F16"} {
		path := filepath.Join(t.TempDir(), "new", "w.safetensors")
		if err := Write(path, weights, dtype, [2]string{"steps", "7"}); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.Weights()
		if err != nil || f.Metadata("steps") != "7" || len(got) != 2 {
			t.Fatalf("%s: %d tensors, %v", dtype, len(got), err)
		}
		for path, w := range weights {
			want := w.Values()
			if dtype == "F16" {
				want = rounded[path]
			}
			if !slices.Equal(got[path].Values(), want) || !slices.Equal(got[path].Dims(), w.Dims()) {
				t.Errorf("%s: %s is %v, want %v", dtype, path, got[path].Values(), want)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if err := Write(path, weights, "BF16"); err == nil || !strings.Contains(err.Error(), "must be F16 or F32") {
			t.Errorf("%v", err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("a failed write removes what was there: %v", err)
		}
	}
}
