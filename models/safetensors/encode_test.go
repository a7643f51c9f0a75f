package safetensors

import (
	"slices"
	"strings"
	"testing"
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
