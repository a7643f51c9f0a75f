package signs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/interptest/shared"
	"lucigo/models/dataset"
)

// The four photographs that come with the network are read right, the stop sign with the probability that is published, .9985.
func TestSigns(t *testing.T) {
	m, err := Open(shared.Path(t, "models", "adversarialjs", "gtsrb_cnn.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	src, err := dataset.Input{Height: Size, Width: Size}.Folder(shared.Path(t, "datasets", "gtsrb_adversarialjs"))
	if err != nil {
		t.Fatal(err)
	}
	x, err := interp.Read(t.Context(), src, 0, src.Len())
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Predict(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{Stop, 17, 0, 8} {
		if got := p.Top(i, 1)[0]; got != want {
			t.Errorf("%s is read as %s, want %s", src.Name(i), Names()[got], Names()[want])
		}
	}
	if got := p.Prob(0, Stop); got < .998 || got > .999 {
		t.Errorf("the stop sign has probability %.4f, want .9985", got)
	}
}

func TestOpenOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := os.WriteFile(path, []byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "has no tensor") || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
}
