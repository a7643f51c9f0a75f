package subject_test

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"

	"lucigo/notebooks/subject"
)

func TestPicture(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.png")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	m := image.NewRGBA(image.Rect(0, 0, 30, 20))
	for i := range 30 * 20 {
		m.Set(i%30, i/30, color.RGBA{200, 100, 50, 255})
	}
	if err := png.Encode(f, m); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	n, err := subject.Open(t.Context(), "scenes-dense")
	if err != nil {
		t.Fatal(err)
	}
	for size, want := range map[int][2]int{100: {20, 30}, 15: {10, 15}} {
		x, err := n.Picture(path, size)
		if err != nil || x.N != 1 || x.H != want[0] || x.W != want[1] || x.Pix[len(x.Pix)-3] != 200./255 {
			t.Errorf("at most %d pixels: %d×%d, %v", size, x.H, x.W, err)
		}
	}

	// The sky is the same sky in every size, of many colours, and to be dreamt into by networks of any classes.
	large, err := n.Picture("", 96)
	if err != nil {
		t.Fatal(err)
	}
	small, err := n.Picture("", 48)
	if err != nil {
		t.Fatal(err)
	}
	if large.H != 64 || large.W != 96 || small.H != 32 || small.W != 48 || large.Check() != nil || large.Class != nil {
		t.Fatalf("skies of %d×%d and %d×%d, classes %v", large.H, large.W, small.H, small.W, large.Class)
	}
	var mean []float64
	for i := range small.Pix {
		y, x, c := i/3/48, i/3%48, i%3
		a := 3*(2*y*96+2*x) + c
		mean = append(mean, (large.Pix[a]+large.Pix[a+3]+large.Pix[a+3*96]+large.Pix[a+3*97])/4)
	}
	if r := stat.Correlation(mean, small.Pix, nil); r < .98 {
		t.Errorf("skies of two sizes correlate by %.3f", r)
	}
	if s := stat.StdDev(small.Pix, nil); s < .1 {
		t.Errorf("an even sky, of standard deviation %.3f", s)
	}
	again, err := n.Picture("", 48)
	if err != nil || !slices.Equal(again.Pix, small.Pix) {
		t.Errorf("a second sky differs, %v", err)
	}
}

func TestPictureErrors(t *testing.T) {
	n, err := subject.Open(t.Context(), "scenes-dense")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		size int
		says string
	}{
		{"", 0, "0 pixels"},
		{"", 1 << 14, "16384 pixels"},
		{filepath.Join(t.TempDir(), "absent.jpg"), 100, "absent.jpg"},
	} {
		if _, err := n.Picture(c.path, c.size); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q, %d: error %v", c.path, c.size, err)
		}
	}
}
