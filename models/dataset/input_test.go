package dataset

import (
	"image"
	"image/color"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/interptest/shared"
)

// Grey is the luma, to the level that Pillow's convert("L") gives: a grey pixel keeps its own, and these are
// what Pillow makes of the others.
func TestGrey(t *testing.T) {
	m := image.NewRGBA(image.Rect(0, 0, 8, 1))
	want := []byte{0, 255, 76, 150, 29, 226, 82, 142}
	for i, c := range [][3]byte{{0, 0, 0}, {255, 255, 255}, {255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {255, 255, 0}, {1, 99, 211}, {200, 120, 100}} {
		m.SetRGBA(i, 0, color.RGBA{c[0], c[1], c[2], 255})
	}
	path := write(t, encode(t, "png", m), t.TempDir(), "a.png")
	x, err := Input{Height: 1, Width: 8, Channels: 1}.read(path, path)
	if err != nil || x.C != 1 || len(x.Pix) != 8 {
		t.Fatalf("%d channels, %v", x.C, err)
	}
	for i, v := range x.Pix {
		if v != float64(want[i])/255 {
			t.Errorf("pixel %d is %g of 255, want %d", i, 255*v, want[i])
		}
	}
	for v := range 256 {
		if got := luma(byte(v), byte(v), byte(v)); got != byte(v) {
			t.Errorf("grey %d becomes %d", v, got)
		}
	}
}

// Files are known by their names; labels are read where they lie beside the images and are the network's classes.
func TestOpenByName(t *testing.T) {
	dir := t.TempDir()
	digits, marks := idx([]int{3, 4, 4}, counting(48)), idx([]int{3}, []byte{9, 0, 3})
	write(t, zipped(t, digits), dir, "digits", "t10k-images-idx3-ubyte.gz")
	write(t, zipped(t, marks), dir, "digits", "t10k-labels-idx1-ubyte.gz")
	write(t, digits, dir, "digits", "alone.idx")
	ten := append([]byte{7}, make([]byte, 3072)...)
	hundred := append([]byte{5, 99}, make([]byte, 3072)...)
	write(t, slices.Concat(ten, ten), dir, "cifar[10]", "data_batch_1.bin")
	write(t, ten, dir, "cifar[10]", "test_batch.bin")
	write(t, hundred, dir, "cifar100", "test.bin")
	write(t, encode(t, "png", gradient(9, 9)), dir, "photographs", "a.png")
	for _, c := range []struct {
		path    string
		n       int
		classes []int // with labels
	}{
		{"digits/t10k-images-idx3-ubyte.gz", 3, []int{9, 0, 3}},
		{"digits/alone.idx", 3, nil},
		{"cifar[10]", 3, []int{7, 7, 7}},
		{"cifar[10]/test_batch.bin", 1, []int{7}},
		{"cifar100/test.bin", 1, []int{99}},
		{"photographs", 1, nil},
	} {
		for _, labels := range []bool{true, false} {
			in := Input{Height: 8, Width: 6, Channels: 1, Labels: labels}
			src, err := in.Open(filepath.Join(dir, filepath.FromSlash(c.path)))
			if err != nil {
				t.Error(err)
				continue
			}
			x, err := interp.Read(t.Context(), src, 0, src.Len())
			if err != nil || x.N != c.n || x.H != 8 || x.W != 6 || x.C != 1 {
				t.Errorf("%s: %d images of %d×%d×%d, %v", c.path, x.N, x.H, x.W, x.C, err)
			}
			if want := c.classes; labels && !slices.Equal(x.Class, want) || !labels && x.Class != nil {
				t.Errorf("%s, labels %v: classes %v, want %v", c.path, labels, x.Class, want)
			}
		}
	}
	for path, says := range map[string]string{
		"absent": "no such file", "photographs/a.png": "name the folder that it is in", "digits": "no photographs",
	} {
		_, err := Input{Height: 8, Width: 8}.Open(filepath.Join(dir, filepath.FromSlash(path)))
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, in := range []Input{{}, {Height: 8, Width: 8, Channels: 2}, {Height: 8, Width: 8, Short: -1}} {
		if _, err := in.Open(dir); err == nil || !strings.HasPrefix(err.Error(), "dataset: ") {
			t.Errorf("%+v: %v", in, err)
		}
	}
}

// MNIST as a network of other images takes it: digits are where they were, and keep their classes.
func TestOracleMNISTFitted(t *testing.T) {
	path := shared.Path(t, "datasets", "mnist", "t10k-images-idx3-ubyte.gz")
	src, err := Input{Height: 28, Width: 28, Channels: 1, Labels: true}.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	x, err := interp.Read(t.Context(), src, 0, 8)
	if err != nil || !slices.Equal(x.Class, []int{7, 2, 1, 0, 4, 1, 4, 9}) {
		t.Fatalf("classes %v, %v", x.Class, err)
	}
	own, err := openIDX(path, "")
	if err != nil {
		t.Fatal(err)
	}
	if y, err := interp.Read(t.Context(), own, 0, 8); err != nil || !slices.Equal(x.Pix, y.Pix) {
		t.Errorf("in their own size they are other images, %v", err)
	}
}

func TestReadRange(t *testing.T) {
	x, err := openIDX(write(t, idx([]int{3, 2, 2}, counting(12)), t.TempDir(), "a.idx"), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range [][2]int{{-1, 1}, {2, 2}, {2, 1}, {0, 4}} {
		if _, err := interp.Read(t.Context(), x, r[0], r[1]); err == nil || !strings.Contains(err.Error(), "images 0 to 2") {
			t.Errorf("images %v: %v", r, err)
		}
	}
}
