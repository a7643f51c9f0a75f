package dataset

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lucigo/internal/hostile"
	"lucigo/interp"
	"lucigo/models/imagenet"
)

// gradient is an image whose every pixel differs: red grows to the right, green downwards.
func gradient(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetRGBA(x, y, color.RGBA{uint8(255 * x / w), uint8(255 * y / h), 60, 255})
		}
	}
	return m
}

func encode(t testing.TB, format string, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	var err error
	switch format {
	case "png":
		err = png.Encode(&b, m)
	case "jpg":
		err = jpeg.Encode(&b, m, &jpeg.Options{Quality: 100})
	case "gif":
		err = gif.Encode(&b, m, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func write(t *testing.T, b []byte, path ...string) string {
	t.Helper()
	name := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, encode(t, "png", gradient(20, 30)), dir, "b", "n02391049_z.PNG")
	write(t, encode(t, "jpg", gradient(40, 30)), dir, "n01440764", "a.jpeg")
	write(t, encode(t, "gif", gradient(16, 16)), dir, "c", "n02391049_y.gif")
	write(t, []byte("where they come from"), dir, "SOURCE.txt")
	in := Input{Height: 8, Width: 8, Class: imagenet.ClassOf}
	f, err := in.Folder(dir)
	if err != nil {
		t.Fatal(err)
	}
	p, err := interp.Read(t.Context(), f, 0, f.Len())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(); err != nil || p.N != 3 || p.H != 8 || p.W != 8 || p.C != 3 {
		t.Fatalf("%d images of %d×%d×%d: %v", p.N, p.H, p.W, p.C, err)
	}
	if !slices.Equal(p.Class, []int{340, 340, 0}) {
		t.Errorf("classes %v, want those of the files' and folders' names", p.Class)
	}
	for i, base := range []string{"n02391049_z.PNG", "n02391049_y.gif", "a.jpeg"} {
		if filepath.Base(f.Name(i)) != base {
			t.Errorf("file %d is %s, want %s", i, f.Name(i), base)
		}
		// Red grows to the right and green downwards, as in what was written.
		for y := range 8 {
			for x := range 7 {
				at := p.Pix[((i*8+y)*8+x)*3:]
				if at[3] <= at[0] {
					t.Fatalf("%s: red %g then %g at row %d, column %d", base, at[0], at[3], y, x)
				}
			}
		}
	}
	// Another size, and one by one: the same keys.
	other, err := Input{Height: 5, Width: 7, Short: 9}.Folder(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		x, err := other.Image(t.Context(), i)
		if err != nil || x.Key[0] != p.Key[i] || x.H != 5 || x.W != 7 || x.Class != nil {
			t.Errorf("%s: %d×%d, key %v, want %v; classes %v; %v", other.Name(i), x.H, x.W, x.Key, p.Key[i], x.Class, err)
		}
	}
	if p.Key[0] == p.Key[1] {
		t.Error("two photographs have one key")
	}
	one, err := in.read(filepath.Join(dir, f.Name(1)), "")
	if err != nil || !slices.Equal(one.Pix, p.Pix[192:384]) || one.Key[0] != p.Key[1] {
		t.Errorf("opened alone it is another image: %v", err)
	}
}

// Against the definition, in float64: the mean of what a pixel covers, weighted by a triangle.
func TestLawFit(t *testing.T) {
	for _, c := range []struct{ w, h, height, width, short int }{
		{40, 30, 12, 12, 16}, {30, 40, 12, 9, 0}, {7, 5, 16, 12, 0}, {64, 64, 16, 16, 16}, {33, 57, 8, 20, 21}, {12, 9, 9, 12, 0},
		{90, 3, 12, 8, 0}, {2, 50, 9, 9, 20}, {300, 20, 8, 8, 10},
	} {
		m := gradient(c.w, c.h)
		for i := range m.Pix { // an image that is not linear
			if i%4 < 3 {
				m.Pix[i] = byte(i*i*7 + i>>3)
			}
		}
		got := Fit(m, c.height, c.width, c.short)
		scale := max(float64(c.height)/float64(c.h), float64(c.width)/float64(c.w), float64(c.short)/float64(min(c.w, c.h)))
		w, h := int(math.Round(scale*float64(c.w))), int(math.Round(scale*float64(c.h)))
		for y := range c.height {
			for x := range c.width {
				rows := triangle(y+(h-c.height)/2, h, c.h)
				columns := triangle(x+(w-c.width)/2, w, c.w)
				var want [3]float64
				for r, wr := range rows {
					for col, wc := range columns {
						for k := range want {
							want[k] += wr * wc * float64(m.Pix[m.PixOffset(col, r)+k])
						}
					}
				}
				for k := range want {
					if d := math.Abs(want[k] - float64(got.Pix[got.PixOffset(x, y)+k])); d > 1 {
						t.Fatalf("%+v: at row %d, column %d, channel %d: %d, want %.2f", c, y, x, k, got.Pix[got.PixOffset(x, y)+k], want[k])
					}
				}
			}
		}
	}
}

// What a picture costs is bounded by its own pixels and by what is seen of it, however it is shaped: narrow ones are cut before
// they are scaled.
func TestFitOfNarrowPictures(t *testing.T) {
	for _, size := range [][2]int{{1_000_000, 1}, {1, 1_000_000}, {100_000, 1}, {29_000, 231}, {40_000, 90}} {
		m := image.NewGray(image.Rect(0, 0, size[0], size[1]))
		for i := range m.Pix {
			m.Pix[i] = byte(i % m.Stride * 255 / m.Stride)
		}
		for _, short := range []int{0, 256} {
			hostile.Bounded(t, func() {
				if y := Fit(m, 224, 224, short); size[0] > size[1] && y.RGBAAt(112, 112) != (color.RGBA{127, 127, 127, 255}) {
					t.Errorf("%v: the middle is %v", size, y.RGBAAt(112, 112))
				}
			})
		}
	}
}

// Transparency is laid over white, whether the image is scaled or not: ink on it can be seen.
func TestFitTransparency(t *testing.T) {
	clear := image.NewNRGBA(image.Rect(0, 0, 8, 8))
	for i := range 64 {
		clear.SetNRGBA(i%8, i/8, color.NRGBA{R: 255, G: 51, B: 204, A: 102})
	}
	for _, size := range []int{4, 8, 13} {
		got := Fit(clear, size, size, 0)
		for i := 0; i < len(got.Pix); i += 4 {
			for c, want := range []int{255, 173, 235, 255} {
				if d := int(got.Pix[i+c]) - want; d < -1 || d > 1 {
					t.Fatalf("%d×%d: pixel %d is %v, want [255 173 235 255]", size, size, i/4, got.Pix[i:i+4])
				}
			}
		}
	}
}

// triangle returns the weights of the n source pixels for pixel i of size.
func triangle(i, size, n int) map[int]float64 {
	step := float64(n) / float64(size)
	radius := max(1, step)
	centre := (float64(i) + .5) * step
	weights, sum := map[int]float64{}, 0.0
	for j := range n {
		if d := math.Abs(float64(j)+.5-centre) / radius; d < 1 {
			weights[j] = 1 - d
			sum += 1 - d
		}
	}
	for j := range weights {
		weights[j] /= sum
	}
	return weights
}

// exif puts an orientation into a JPEG file, as a camera does.
func exif(b []byte, order binary.AppendByteOrder, orientation uint16) []byte {
	tiff := []byte("II*\x00\x08\x00\x00\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		tiff = []byte("MM\x00*\x00\x00\x00\x08")
	}
	tiff = order.AppendUint16(tiff, 2)
	for _, tag := range [][2]uint16{{271, 0}, {274, orientation}} {
		tiff = order.AppendUint16(tiff, tag[0])
		tiff = order.AppendUint16(tiff, 3)
		tiff = order.AppendUint32(tiff, 1)
		tiff = order.AppendUint16(tiff, tag[1])
		tiff = order.AppendUint16(tiff, 0)
	}
	segment := append([]byte("Exif\x00\x00"), tiff...)
	out := append(bytes.Clone(b[:2]), 0xff, 0xe0, 0, 4, 'x', 'x', 0xff, 0xe1)
	out = binary.BigEndian.AppendUint16(out, uint16(2+len(segment)))
	return append(append(out, segment...), b[2:]...)
}

// What each orientation means, by the corners of an image (Exif 2.3, section 4.6.4): the file's first row
// and first column are at these sides.
func TestLawOrientation(t *testing.T) {
	m := gradient(24, 16)
	file := encode(t, "jpg", m)
	sides := []string{"top left", "top right", "bottom right", "bottom left", "left top", "right top", "right bottom", "left bottom"}
	for o, side := range sides {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			u, err := decode(exif(file, order, uint16(o+1)))
			if err != nil {
				t.Fatal(err)
			}
			row, column, _ := strings.Cut(side, " ")
			w, h := 24, 16
			if row == "left" || row == "right" {
				w, h = h, w
			}
			if u.Bounds() != image.Rect(0, 0, w, h) {
				t.Fatalf("orientation %d: bounds %v, want %d×%d", o+1, u.Bounds(), w, h)
			}
			corner := func(name string) (x, y int) {
				if strings.Contains(name, "right") {
					x = w - 1
				}
				if strings.Contains(name, "bottom") {
					y = h - 1
				}
				return x, y
			}
			opposite := strings.NewReplacer("left", "right", "right", "left", "top", "bottom", "bottom", "top")
			for _, c := range []struct {
				where string
				red   bool // the end of the file's row
				green bool // the end of its column
			}{
				{row + column, false, false},
				{row + opposite.Replace(column), true, false},
				{opposite.Replace(row) + column, false, true},
			} {
				x, y := corner(c.where)
				r, g, _, _ := u.At(x, y).RGBA()
				if (r > 0x8000) != c.red || (g > 0x8000) != c.green {
					t.Errorf("orientation %d, %s: red %#x, green %#x", o+1, c.where, r, g)
				}
			}
		}
	}
}

func TestBadPhotographs(t *testing.T) {
	dir := t.TempDir()
	good := encode(t, "png", gradient(20, 20))
	huge := bytes.Clone(good)
	binary.BigEndian.PutUint32(huge[16:], 1<<30) // the width, whose checksum is looked at later
	for _, c := range []struct {
		name, reason string
		content      []byte
	}{
		{"empty.png", "not a photograph", nil},
		{"text.jpg", "not a photograph", []byte("<html>")},
		{"cut.png", "damaged", good[:len(good)/2]},
		{"huge.png", "", huge},
		{"large.gif", "65535×65535 pixels", append([]byte("GIF89a\xff\xff\xff\xff\x00\x00\x00"), 0x3b)},
	} {
		path := write(t, c.content, dir, c.name)
		_, err := Input{Height: 8, Width: 8}.read(path, path)
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: error %v, want one with the path and %q", c.name, err, c.reason)
		}
	}
	in := Input{Height: 8, Width: 8}
	if f, err := in.Folder(dir); err != nil {
		t.Error(err)
	} else if _, err := interp.Read(t.Context(), f, 0, f.Len()); err == nil {
		t.Error("a folder with a damaged file is read")
	}
	if _, err := in.Folder(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no photographs") {
		t.Errorf("an empty folder: %v", err)
	}
	if _, err := in.Folder(filepath.Join(dir, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent folder: %v", err)
	}
	path := write(t, good, dir, "good.png")
	if _, err := in.Folder(path); err == nil || !strings.Contains(err.Error(), "is a file") {
		t.Errorf("a file as a folder: %v", err)
	}
	if _, err := (Input{}).Folder(dir); err == nil || !strings.Contains(err.Error(), "Height and Width are 0 and 0") {
		t.Errorf("a folder of no size: %v", err)
	}
	for _, size := range [][3]int{{0, 8, 0}, {8, -1, 0}, {1 << 20, 1 << 20, 0}, {8, 8, -1}} {
		if _, err := (Input{Height: size[0], Width: size[1], Short: size[2]}).Folder(dir); err == nil {
			t.Errorf("an image of %v is made", size)
		}
	}
	in.Class = imagenet.ClassOf
	if x, err := in.read(path, path); err != nil || x.Class != nil {
		t.Errorf("a file whose name tells no class has %v, %v", x.Class, err)
	}
}

func TestCancel(t *testing.T) {
	dir := t.TempDir()
	write(t, encode(t, "png", gradient(20, 20)), dir, "a.png")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f, err := Input{Height: 8, Width: 8}.Folder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := interp.Read(ctx, f, 0, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
}

// Whatever the bytes: no panic, no more than MaxPixels, and upright images have pixels everywhere.
func FuzzDecode(f *testing.F) {
	small := gradient(9, 5)
	for _, format := range []string{"png", "jpg", "gif"} {
		f.Add(encode(f, format, small))
	}
	files, err := filepath.Glob(filepath.Join("testdata", "photographs", "*"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for o := range uint16(10) {
		f.Add(exif(encode(f, "jpg", small), binary.LittleEndian, o))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		hostile.Bounded(t, func() {
			file := contain(b)
			if c, _, err := image.DecodeConfig(bytes.NewReader(file.still)); err == nil && max(c.Width*c.Height, file.canvas.Dx()*file.canvas.Dy()) > 1<<20 {
				return // right, and slow
			}
			m, err := decode(b)
			if err != nil {
				return
			}
			for _, channels := range []int{1, 3} {
				x := Input{Height: 4, Width: 6, Channels: channels}.cut(m)
				if err := x.Check(); err != nil || x.C != channels || slices.Min(x.Pix) < 0 || slices.Max(x.Pix) > 1 {
					t.Fatalf("%d channels: %v, %v", channels, x, err)
				}
			}
		})
	})
}
