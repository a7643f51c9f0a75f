package googlenet

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lucigo/interp/interptest/shared"
	"lucigo/models/weights"
)

// zeros is a well-formed weight file, all zeros.
func zeros(t *testing.T) []byte {
	t.Helper()
	n := 0
	for _, p := range parameters() {
		n += p.bytes()
	}
	b, err := join(make([]byte, n))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.safetensors")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The sizes of table 1 of arXiv:1409.4842.
func TestLawLayerSizes(t *testing.T) {
	m, err := Open(write(t, zeros(t)))
	if err != nil {
		t.Fatal(err)
	}
	layers, err := m.Layers()
	if err != nil {
		t.Fatal(err)
	}
	have := map[string][]int{}
	for _, l := range layers {
		have[l.Name] = l.Shape
	}
	for name, want := range map[string][]int{
		"conv1/7x7_s2": {112, 112, 64}, "pool1/3x3_s2": {56, 56, 64}, "conv2/3x3": {56, 56, 192}, "pool2/3x3_s2": {28, 28, 192},
		"inception_3a/output": {28, 28, 256}, "inception_3b/output": {28, 28, 480}, "pool3/3x3_s2": {14, 14, 480},
		"inception_4a/output": {14, 14, 512}, "inception_4b/output": {14, 14, 512}, "inception_4c/output": {14, 14, 512},
		"inception_4d/output": {14, 14, 528}, "inception_4e/output": {14, 14, 832}, "pool4/3x3_s2": {7, 7, 832},
		"inception_5a/output": {7, 7, 832}, "inception_5b/output": {7, 7, 1024}, "pool5/7x7_s1": {1, 1, 1024}, "loss3/classifier": {1000},
		"mixed3a": {28, 28, 256}, "mixed4e": {14, 14, 832}, "mixed5b": {7, 7, 1024},
	} {
		if !slices.Equal(have[name], want) {
			t.Errorf("layer %s is shaped %v, want %v", name, have[name], want)
		}
	}
	if h, w, c := m.Input(); h != Size || w != Size || c != 3 || len(m.Classes()) != Classes {
		t.Errorf("it takes %d×%d×%d to %d classes", h, w, c, len(m.Classes()))
	}
}

// The model's layers are the blobs of Caffe's description of the network, and the second names.
func TestOracleGoogLeNetBlobs(t *testing.T) {
	text, err := os.ReadFile(shared.Path(t, "models", "googlenet_bvlc", "deploy.prototxt"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if top, ok := strings.CutPrefix(strings.TrimSpace(line), `top: "`); ok {
			want[strings.TrimSuffix(top, `"`)] = true
		}
	}
	delete(want, "data")
	delete(want, "prob")
	m, err := Open(write(t, zeros(t)))
	if err != nil {
		t.Fatal(err)
	}
	layers, err := m.Layers()
	if err != nil {
		t.Fatal(err)
	}
	second := 0
	for _, l := range layers {
		switch {
		case strings.HasPrefix(l.Name, "mixed"):
			second++
		case !want[l.Name]:
			t.Errorf("Caffe has no blob %s", l.Name)
		}
		delete(want, l.Name)
	}
	if len(want) > 0 || second != 9 {
		t.Errorf("%d second names, want 9; blobs without a layer: %v", second, want)
	}
}

// extra adds a tensor without numbers to a weight file.
func extra(file []byte) []byte {
	n := 8 + binary.LittleEndian.Uint64(file)
	header := bytes.TrimRight(file[8:n], " }")
	header = append(bytes.Clone(header), `},"fc6.bias":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}`...)
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(out, header...), file[n:]...)
}

func TestBadWeightFiles(t *testing.T) {
	good := zeros(t)
	replace := func(old, new string) []byte { return bytes.Replace(good, []byte(old), []byte(new), 1) }
	for _, c := range []struct {
		name string
		file []byte
		says []string
	}{
		{"missing", replace(`"conv2/3x3.bias"`, `"conv2/3x4.bias"`), []string{`"conv2/3x3.bias"`, "near it: conv2/3x4.bias", "[192]"}},
		{"shape", replace(`[64,3,7,7]`, `[64,7,3,7]`), []string{`"conv1/7x7_s2.weight"`, "[64 7 3 7]", "[64 3 7 7]"}},
		{"type", replace(`"F32","shape":[192],`, `"I32","shape":[192],`), []string{"I32", `"conv2/3x3.bias"`}},
		{"truncated", good[:len(good)-1], []string{"truncated"}},
		{"another network's", extra(good), []string{`no variable needs tensor "fc6.bias"`}},
	} {
		path := write(t, c.file)
		_, err := Open(path)
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, want := range append(c.says, path) {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %q does not say %q", c.name, err, want)
			}
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
}

// What is published, put together, is the file whose hash is known. The file's own tensors, brought back
// into the published order, replace what is published.
func TestOracleGoogLeNetJoin(t *testing.T) {
	file, err := os.ReadFile(weightFile(t))
	if err != nil {
		t.Fatal(err)
	}
	f := File()
	data := file[len(file)-27994208:]
	var parts []byte
	for i, p := range parameters() {
		tensor := data[:p.bytes()]
		data = data[p.bytes():]
		if f.Parts[i].Size != int64(len(tensor)) {
			t.Errorf("part %d, %s, has %d bytes, want %d", i, f.Parts[i].URL, f.Parts[i].Size, len(tensor))
		}
		if len(p.dims) < 4 {
			parts = append(parts, tensor...)
			continue
		}
		in, window := p.dims[1], p.dims[2]*p.dims[3]
		for o := range p.dims[0] {
			for w := range window {
				for i := range in {
					parts = append(parts, tensor[4*((o*in+i)*window+w):][:4]...)
				}
			}
		}
	}
	if sum := fmt.Sprintf("%x", sha256.Sum256(parts)); sum != f.PartsSHA256 {
		t.Errorf("the parts have SHA-256 %s, want %s", sum, f.PartsSHA256)
	}
	got, err := f.Join(parts)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, file) {
		t.Error("the parts make another file")
	}
	if _, err := f.Join(parts[1:]); err == nil {
		t.Error("a byte less makes a file, too")
	}
	// And that file is the one that Model looks for.
	t.Setenv("LUCIGO_MODELS", filepath.Dir(weightFile(t)))
	t.Setenv("LUCIGO_CACHE", t.TempDir())
	if path, err := weights.Find(t.Context(), f); err != nil || path != weightFile(t) {
		t.Errorf("found %q, %v", path, err)
	}
	if m, err := Model(t.Context()); err != nil || m.Name() != "GoogLeNet" {
		t.Errorf("the model is %v, %v", m, err)
	}
}
