package digits_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/train"
	"lucigo/models/digits"
	"lucigo/models/safetensors"
)

// The networks have the layers and the number of weights that their papers say.
func TestLayers(t *testing.T) {
	for name, c := range map[string]struct {
		forward layer.Forward
		layers  string
		numbers int
	}{
		"strided": {digits.Strided, "conv1 [14 14 16], conv2 [7 7 32], dense [100], logits [10]",
			16*16 + 16 + 16*16*32 + 32 + 7*7*32*100 + 100 + 1000 + 10},
		"substitute A": {digits.Pooled([]int{32, 64}, 200, 200), "conv1 [13 13 32], conv2 [6 6 64], dense1 [200], dense2 [200], logits [10]",
			4*32 + 32 + 4*32*64 + 64 + 6*6*64*200 + 200 + 200*200 + 200 + 2000 + 10},
		"dense": {digits.Pooled(nil, 50), "dense1 [50], logits [10]", 784*50 + 50 + 500 + 10},
	} {
		m, err := train.New(digits.Spec(name, c.forward), 1)
		if err != nil {
			t.Fatal(err)
		}
		layers, err := m.Layers()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range layers {
			got = append(got, fmt.Sprint(l.Name, " ", l.Shape))
		}
		if strings.Join(got, ", ") != c.layers {
			t.Errorf("%s: layers %v, want %s", name, got, c.layers)
		}
		numbers := 0
		for _, w := range m.Weights() {
			numbers += len(w.Values())
		}
		if numbers != c.numbers {
			t.Errorf("%s: %d numbers, want %d", name, numbers, c.numbers)
		}
	}
}

// A file of weights is opened as the network that it names, by its path and where the cache has it; without one, the error
// says how to train it.
func TestOpen(t *testing.T) {
	t.Setenv("LUCIGO_CACHE", t.TempDir())
	for _, open := range []func() (*interp.Model, error){digits.Plain, digits.Robust} {
		if _, err := open(); err == nil || !strings.Contains(err.Error(), "go run ./kernel models digits --net") {
			t.Errorf("no weights: %v", err)
		}
	}
	for _, name := range digits.Names() {
		spec, err := digits.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := train.New(spec, 3)
		if err != nil {
			t.Fatal(err)
		}
		path, err := digits.File(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := safetensors.Write(path, m.Weights(), "F32", [2]string{"net", name}); err != nil {
			t.Fatal(err)
		}
		opened, err := digits.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		x := interptest.Images(m, 3, 1)
		want, err := m.Predict(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		got, err := opened.Predict(context.Background(), x)
		if err != nil || interptest.Distance(got.Logits.Data, want.Logits.Data) != 0 || opened.Name() != "digits "+name {
			t.Errorf("%s: %s says %v, want %v, %v", name, opened, got.Logits.Data, want.Logits.Data, err)
		}
	}
	if m, err := digits.Robust(); err != nil || m.Name() != "digits robust" {
		t.Errorf("%v, %v", m, err)
	}
	if _, err := digits.Named("robbust"); err == nil || !strings.Contains(err.Error(), "robust") {
		t.Errorf("%v", err)
	}
	other := filepath.Join(t.TempDir(), "w.safetensors")
	if err := safetensors.Write(other, interp.Weights{}, "F32"); err != nil {
		t.Fatal(err)
	}
	if _, err := digits.Open(other); err == nil || !strings.Contains(err.Error(), other) {
		t.Errorf("a file of nothing: %v", err)
	}
}
