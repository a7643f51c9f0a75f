package dream_test

import (
	"fmt"
	"image"
	_ "image/jpeg"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/draw"

	"lucigo/interp"
	"lucigo/interp/dream"
	"lucigo/interp/interptest"
	"lucigo/interp/interptest/shared"
	"lucigo/interp/objective"
	"lucigo/models/googlenet"
)

// sky returns GoogLeNet and the sky over Dhaka that the published dreams begin with, w×h pixels.
func sky(t testing.TB, w, h int) (*interp.Model, interp.Images) {
	t.Helper()
	m, err := googlenet.Open(shared.Path(t, "models", "googlenet_bvlc", "bvlc_googlenet.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(shared.Path(t, "images", "deepdream", "sky1024px.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	photograph, _, err := image.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	small := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.CatmullRom.Scale(small, small.Bounds(), photograph, photograph.Bounds(), draw.Src, nil)
	return m, interp.FromImage(small)
}

// On the photograph and the network of the published dreams, the energy of the layer rises in every
// octave, and in all.
func TestOracleDream(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles GoogLeNet for two sizes")
	}
	m, x := sky(t, 128, 72)
	o := objective.Energy("inception_4c/output")
	var last interp.Images
	for f, err := range (dream.Dream{Iterations: 5, Octaves: 2}).Frames(t.Context(), m, o, x) {
		if err != nil {
			t.Fatal(err)
		}
		if f.EndsOctave() && !(f.Before[0] > f.Start[0]) {
			t.Errorf("octave %d: the energy goes from %g to %g", f.Octave, f.Start[0], f.Before[0])
		}
		last = f.Images
	}
	before, err := m.Score(t.Context(), o, x)
	if err != nil {
		t.Fatal(err)
	}
	after, err := m.Score(t.Context(), o, last)
	if err != nil {
		t.Fatal(err)
	}
	if times := slices.Max(after) / slices.Max(before); !(times > 1.5) {
		t.Errorf("the energy rises %g times", times)
	}
}

// BenchmarkMegapixel is a whole dream of a megapixel with the published numbers. It reports the most
// memory that the process ever had, where the system tells.
func BenchmarkMegapixel(b *testing.B) {
	interptest.Unchecked()
	m, x := sky(b, 1152, 864)
	for b.Loop() {
		for _, err := range (dream.Dream{}).Frames(b.Context(), m, objective.Energy("inception_4c/output"), x) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(status)) {
		var kilobytes float64
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kilobytes); err == nil {
			b.ReportMetric(kilobytes/1024, "peak-MiB")
		}
	}
}
