package subject_test

import (
	"encoding/binary"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/exemplar"
	"lucigo/interp/layer"
	"lucigo/models"
	"lucigo/models/imagenet"
	"lucigo/notebooks/subject"
)

// file writes a file, whose folder it makes.
func file(t *testing.T, content []byte, path ...string) string {
	t.Helper()
	name := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// photograph writes a photograph, red on the left and green at the top.
func photograph(t *testing.T, w, h int, path ...string) {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		m.Set(i%w, i/w, color.RGBA{byte(255 - 255*(i%w)/w), byte(255 - 255*(i/w)/h), 60, 255})
	}
	f, err := os.Create(file(t, nil, path...))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, m); err != nil {
		t.Fatal(err)
	}
}

// digits are three images of 28×28 in MNIST's format, with labels.
func digits(t *testing.T, dir string) string {
	head := func(dims ...uint32) []byte {
		b := []byte{0, 0, 8, byte(len(dims))}
		for _, d := range dims {
			b = binary.BigEndian.AppendUint32(b, d)
		}
		return b
	}
	pix := make([]byte, 3*28*28)
	for i := range pix {
		pix[i] = byte(i * i >> 3)
	}
	file(t, append(head(3), 4, 0, 9), dir, "t10k-labels-idx1-ubyte")
	return file(t, append(head(3, 28, 28), pix...), dir, "t10k-images-idx3-ubyte")
}

// grey is a stranger's network of digits: one channel, two convolutions and a hidden layer, under names of its own.
func grey(t *testing.T) subject.Network {
	return of(t, "digits", func(s *model.Scope, x *graph.Node) *graph.Node {
		pool := layer.Square(2, 2, 0)
		x = layer.At("strokes", layer.ReLU(layer.Conv(s.In("c1"), x, 8, layer.Square(5, 1, 2))))
		x = layer.At("joints", layer.ReLU(layer.Conv(s.In("c2"), layer.MaxPool(x, pool), 12, layer.Square(3, 1, 1))))
		x = layer.At("forms", layer.ReLU(layer.Dense(s.In("fc"), layer.Flatten(layer.MaxPool(x, pool)), 20)))
		return layer.Dense(s.In("out"), x, 10)
	}, 28, 28, 1, 10)
}

// A network that nobody registered is looked at like all others: on photographs, which are taken whole, on
// digits, on CIFAR's images; whatever the number of its channels.
func TestStranger(t *testing.T) {
	dir := t.TempDir()
	photograph(t, 90, 90, dir, "photographs", "n02391049_a.png")
	photograph(t, 40, 40, dir, "photographs", "b.png")
	mnist := digits(t, filepath.Join(dir, "mnist"))
	cifar := file(t, slices.Concat([]byte{7}, make([]byte, 3072), []byte{2}, slices.Repeat([]byte{255}, 3072)), dir, "cifar", "test_batch.bin")
	for _, n := range []subject.Network{grey(t), tower(t, 1, 2, 1, 2, 1)} {
		for path, want := range map[string][]int{filepath.Join(dir, "photographs"): nil, mnist: {4, 0, 9}, cifar: {7, 2}} {
			for _, labels := range []bool{false, true} {
				n.Known.Pictures.Labels = labels
				s, err := n.Subject(t.Context(), path, 2)
				if err != nil {
					t.Errorf("%s on %s: %v", n, path, err)
					continue
				}
				p, err := n.Predict(t.Context(), s.Images)
				if err != nil {
					t.Fatal(err)
				}
				classes := p.Top1() // what the network says, where nothing else is known
				if labels && want != nil {
					classes = want[:2]
				}
				if s.Images.N != 2 || len(s.Rows) != 2 || s.Masks != nil || !slices.Equal(s.Images.Class, classes) {
					t.Errorf("%s on %s, labels %v: %d images, rows %q, asked about %v, want %v", n, path, labels, s.Images.N, s.Rows, s.Images.Class, classes)
				}
			}
		}
		// What the lecture's second notebook does with every stage.
		src, err := n.Data(filepath.Join(dir, "photographs"), 1)
		if err != nil {
			t.Fatal(err)
		}
		stages, err := n.Stages()
		if err != nil {
			t.Fatal(err)
		}
		ix, err := exemplar.Scan{Layers: stages, K: 2}.Run(t.Context(), n.Model, src)
		if err != nil {
			t.Fatal(err)
		}
		for _, stage := range stages {
			best, err := ix.Top(stage, 1)
			if err != nil {
				t.Fatal(err)
			}
			p, err := exemplar.Cut(t.Context(), n.Model, src, stage, 1, best)
			if err != nil || p.Images().C != p.Whole.C {
				t.Errorf("%s, %s: %v", n, stage, err)
			}
		}
		sky, err := n.Picture("", 48)
		if _, _, c := n.Input(); err != nil || sky.C != c {
			t.Errorf("%s: a sky of %d channels, %v", n, sky.C, err)
		}
	}
}

// A network says how pictures are cut: without a word they are taken whole, and here from a larger one's middle.
func TestPicturesAreCut(t *testing.T) {
	dir := t.TempDir()
	photograph(t, 64, 64, dir, "n02391049_a.png")
	n := tower(t, 1, 2)
	whole, err := n.Subject(t.Context(), dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	n.Known.Pictures = models.Pictures{Short: 64, Class: imagenet.ClassOf}
	if _, err := n.Subject(t.Context(), dir, 1); err == nil || !strings.Contains(err.Error(), "a.png is of class 340, and tower has classes 0 to 9") {
		t.Errorf("a zebra is one of ten classes: %v", err)
	}
	n.Known.Pictures.Class = func(path string) (int, error) { return 3, nil }
	middle, err := n.Subject(t.Context(), dir, 1)
	if err != nil || !slices.Equal(middle.Images.Class, []int{3}) {
		t.Fatalf("asked about %v, %v", middle.Images.Class, err)
	}
	// Red falls from 1 at the left side of the photograph to 0 at the right.
	red := func(x interp.Images) (left, right float64) { return x.Pix[0], x.Pix[3*31] }
	if l, r := red(whole.Images); l < .95 || r > .05 {
		t.Errorf("the whole photograph goes from %.2f to %.2f", l, r)
	}
	if l, r := red(middle.Images); l > .77 || l < .73 || r < .23 || r > .28 {
		t.Errorf("its middle goes from %.2f to %.2f", l, r)
	}
}

// Scenes come with their classes and the masks of their objects.
func TestScenes(t *testing.T) {
	n, err := subject.Open(t.Context(), "scenes")
	if err != nil {
		t.Fatal(err)
	}
	s, err := n.Subject(t.Context(), "", 3)
	if err != nil || len(s.Masks) != 3 || len(s.Images.Class) != 3 {
		t.Fatalf("%d masks, classes %v, %v", len(s.Masks), s.Images.Class, err)
	}
	for i, mask := range s.Masks {
		if len(mask) != 64*64 || slices.Min(mask) != 0 || slices.Max(mask) != 1 {
			t.Errorf("scene %d: a mask of %d pixels", i, len(mask))
		}
	}
}

func TestDataErrors(t *testing.T) {
	for name, says := range map[string]string{"scene": "near it", "absent.caffemodel": "absent.caffemodel", "absent.pb": "absent.pb"} {
		if _, err := subject.Open(t.Context(), name); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	n, err := subject.Open(t.Context(), "scenes")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Data("", 0); err == nil || !strings.Contains(err.Error(), "count is 0, must be at least 1") {
		t.Errorf("no images: %v", err)
	}
	if _, err := n.Data(t.TempDir(), 4); err == nil || !strings.Contains(err.Error(), "no photographs") {
		t.Errorf("an empty folder: %v", err)
	}
	if _, err := grey(t).Data("", 4); err == nil || !strings.Contains(err.Error(), "-p images=") {
		t.Errorf("nothing to draw: %v", err)
	}
}
