package dataset

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A photograph is read pixel by pixel, upright, and none of it is cut off where it is reduced.
func TestWhole(t *testing.T) {
	dir := t.TempDir()
	m := gradient(60, 40)
	path := write(t, encode(t, "png", m), dir, "a.png")
	for _, longest := range []int{60, 1000} {
		x, err := Whole(path, longest)
		if err != nil {
			t.Fatal(err)
		}
		if x.N != 1 || x.H != 40 || x.W != 60 || x.C != 3 || x.Class != nil || len(x.Key) != 1 || x.Check() != nil {
			t.Fatalf("at most %d: %d images of %d×%d×%d, class %v, keys %v", longest, x.N, x.H, x.W, x.C, x.Class, x.Key)
		}
		for i := range 40 * 60 {
			c := m.RGBAAt(i%60, i/60)
			for j, v := range []uint8{c.R, c.G, c.B} {
				if x.Pix[3*i+j] != float64(v)/255 {
					t.Fatalf("pixel %d, channel %d: %g of %d", i, j, x.Pix[3*i+j], v)
				}
			}
		}
	}
	x, err := Whole(path, 30)
	if err != nil {
		t.Fatal(err)
	}
	if x.H != 20 || x.W != 30 {
		t.Fatalf("reduced to %d×%d", x.H, x.W)
	}
	for _, i := range []int{0, 29, 570, 599} { // corners: red grows to the right, green downwards
		red, green := (float64(i%30)+.5)/30, (float64(i/30)+.5)/20
		if !(math.Abs(x.Pix[3*i]-red) <= .02) || !(math.Abs(x.Pix[3*i+1]-green) <= .03) {
			t.Errorf("pixel %d is %.2f, want %.2f and %.2f", i, x.Pix[3*i:3*i+3], red, green)
		}
	}
	turned := write(t, exif(encode(t, "jpg", m), binary.LittleEndian, 6), dir, "b.jpg")
	if x, err := Whole(turned, 30); err != nil || x.H != 30 || x.W != 20 {
		t.Errorf("a photograph that lies on its side is %d×%d, %v", x.H, x.W, err)
	}
	narrow := write(t, encode(t, "png", gradient(90, 1)), dir, "c.png")
	if x, err := Whole(narrow, 9); err != nil || x.H != 1 || x.W != 9 {
		t.Errorf("a line is %d×%d, %v", x.H, x.W, err)
	}
}

func TestWholeErrors(t *testing.T) {
	dir := t.TempDir()
	path := write(t, []byte("<html>"), dir, "text.jpg")
	for _, c := range []struct {
		path    string
		longest int
		says    string
	}{
		{path, 10, "not a photograph"},
		{path, 0, "longest is 0"},
		{path, 1 << 14, "longest is 16384"},
		{filepath.Join(dir, "absent.jpg"), 10, "absent.jpg"},
	} {
		_, err := Whole(c.path, c.longest)
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), c.path) {
			t.Errorf("%s, %d: error %v", c.path, c.longest, err)
		}
	}
	if _, err := Whole(filepath.Join(dir, "absent.jpg"), 10); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
}
