package dataset

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/draw"

	"lucigo/internal/hostile"
	"lucigo/interp"
	"lucigo/interp/interptest/shared"
)

func TestFolderAsSource(t *testing.T) {
	dir := t.TempDir()
	write(t, encode(t, "png", gradient(40, 30)), dir, "b", "one.png")
	write(t, encode(t, "jpg", gradient(20, 20)), dir, "a.JPG")
	write(t, []byte("not a picture"), dir, "c.png")
	write(t, []byte("passed over"), dir, "readme.txt")
	in := Input{Height: 16, Width: 24, Short: 26}
	n, err := in.Folder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if n.Len() != 3 || n.Name(0) != "a.JPG" || n.Name(1) != "b/one.png" || n.Name(2) != "c.png" {
		t.Errorf("%d: %s, %s, %s", n.Len(), n.Name(0), n.Name(1), n.Name(2))
	}
	got, err := n.Image(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, "b", "one.png"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(file)
	if want := interp.FromImage(Fit(m, 16, 24, 26)); !slices.Equal(got.Pix, want.Pix) || got.Key[0] != binary.LittleEndian.Uint64(sum[:]) {
		t.Error("the image is not the file's")
	}
	if _, err := n.Image(t.Context(), 2); err == nil || !strings.Contains(err.Error(), "c.png") {
		t.Errorf("a broken photograph: %v", err)
	}
	for _, i := range []int{-1, 3} {
		if _, err := n.Image(t.Context(), i); err == nil || !strings.Contains(err.Error(), "must be from 0 to 2") {
			t.Errorf("photograph %d: %v", i, err)
		}
	}

	moved := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	again, err := in.Folder(moved)
	if err != nil {
		t.Fatal(err)
	}
	if again.String() != n.String() || again.Name(1) != n.Name(1) {
		t.Errorf("moved, it is %s and was %s", again, n)
	}
	write(t, []byte("other bytes"), moved, "c.png")
	if again, err := in.Folder(moved); err != nil || again.String() == n.String() {
		t.Errorf("changed, it is still %s, %v", n, err)
	}
	if _, err := in.Folder(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no photographs") {
		t.Errorf("an empty folder: %v", err)
	}
}

// A link to nothing among photographs is one that cannot be read; what is said of it does not tell where the
// folder is. A link to the folder is the folder.
func TestFolderLinks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "photographs")
	write(t, encode(t, "png", gradient(9, 9)), dir, "b.png")
	link := filepath.Join(filepath.Dir(dir), "link")
	for from, to := range map[string]string{filepath.Join(dir, "a.png"): "nowhere", link: dir} {
		if err := os.Symlink(to, from); err != nil {
			t.Skipf("skipped: this system makes no links: %v", err)
		}
	}
	var all []*Folder
	for _, d := range []string{dir, link} {
		n, err := Input{Height: 8, Width: 8}.Folder(d)
		if err != nil {
			t.Fatal(err)
		}
		if n.Len() != 2 || n.Name(0) != "a.png" || n.Name(1) != "b.png" {
			t.Fatalf("%s: %s and others", d, n.Name(0))
		}
		if _, err := n.Image(t.Context(), 0); err == nil || err.Error() != "dataset: a.png: no such file or directory" || !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", d, err)
		}
		if _, err := n.Image(t.Context(), 1); err != nil {
			t.Error(err)
		}
		all = append(all, n)
	}
	if all[0].String() != all[1].String() {
		t.Errorf("%s, by a link %s", all[0], all[1])
	}
}

func idx(dims []int, data []byte) []byte {
	b := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, uint32(d))
	}
	return append(b, data...)
}

func zipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func counting(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(7 * i)
	}
	return b
}

func TestIDX(t *testing.T) {
	dir := t.TempDir()
	for _, dims := range [][]int{{5, 2, 3}, {5, 2, 2, 3}} {
		size := dims[1] * dims[2]
		if len(dims) == 4 {
			size *= dims[3]
		}
		data := counting(5 * size)
		plain, labels := idx(dims, data), idx([]int{5}, []byte{9, 0, 3, 200, 1})
		for what, b := range map[string][]byte{"plain": plain, "zipped": zipped(t, plain)} {
			x, err := openIDX(write(t, b, dir, what), write(t, zipped(t, labels), dir, "labels"))
			if err != nil {
				t.Fatal(err)
			}
			batch, err := interp.Read(t.Context(), x, 1, 4)
			if err != nil {
				t.Fatal(err)
			}
			if batch.N != 3 || batch.H != 2 || batch.C != max(1, len(dims)*3-9) || !slices.Equal(batch.Class, []int{0, 3, 200}) {
				t.Errorf("%s: %d×%d×%d×%d, %v", what, batch.N, batch.H, batch.W, batch.C, batch.Class)
			}
			for i, v := range batch.Pix {
				if want := float64(data[size+i]) / 255; v != want {
					t.Fatalf("%s: number %d is %g, want %g", what, i, v, want)
				}
			}
			one, err := x.Image(t.Context(), 2)
			if err != nil || !slices.Equal(one.Pix, batch.Slice(1, 2).Pix) || x.Name(2) != what+" #2" {
				t.Errorf("%s: image 2 alone is another, %v", x.Name(2), err)
			}
			if _, err := interp.Read(t.Context(), x, 3, 6); err == nil || !strings.Contains(err.Error(), "images 0 to 4") {
				t.Errorf("after the end: %v", err)
			}
		}
	}
}

func TestIDXRefuses(t *testing.T) {
	dir := t.TempDir()
	good := idx([]int{2, 3, 3}, counting(18))
	wrong := bytes.Clone(good)
	wrong[2] = 0x0d // floats
	for what, c := range map[string]struct{ images, labels []byte }{
		"images are [n":        {idx([]int{4}, counting(4)), nil},
		"1 or 3]":              {idx([]int{1, 2, 2, 2}, counting(8)), nil},
		"would have 34":        {good[:33], nil},
		"14 bytes of the 18":   {zipped(t, good[:30]), nil},
		"than the 18":          {zipped(t, append(good, 0)), nil},
		"unexpected EOF":       {zipped(t, good)[:20], nil},
		"begins with 00000d03": {wrong, nil},
		"begins with two":      {idx([]int{2}, nil)[:1], nil},
		"axis of length 0":     {idx([]int{2, 0, 3}, nil), nil},
		"axis of length 2147":  {idx([]int{1<<31 - 1, 1<<31 - 1, 1<<31 - 1}, nil), nil},
		"more than 67108864":   {idx([]int{1, 1 << 14, 1 << 14}, nil), nil},
		"decompressed of so s": {zipped(t, idx([]int{1 << 20, 1 << 8, 1 << 8}, nil)), nil},
		"need labels shaped [": {good, idx([]int{3}, counting(3))},
	} {
		labels := ""
		if c.labels != nil {
			labels = write(t, c.labels, dir, "labels")
		}
		if _, err := openIDX(write(t, c.images, dir, "images"), labels); err == nil || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := openIDX(filepath.Join(dir, "none"), ""); err == nil {
		t.Error("no file opens")
	}
}

func FuzzIDX(f *testing.F) {
	good := idx([]int{2, 3, 3}, counting(18))
	for _, b := range [][]byte{good, zipped(f, good), good[:10], idx([]int{3}, counting(3)), nil} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		hostile.Bounded(t, func() {
			dims, data, err := readIDX(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				return
			}
			size := 1
			for _, d := range dims {
				size *= d
			}
			all, err := io.ReadAll(io.NewSectionReader(data, 0, 1<<40))
			if err != nil || len(all) != size {
				t.Errorf("shaped %v, it has %d bytes, %v", dims, len(all), err)
			}
		})
	})
}

func TestOracleMNIST(t *testing.T) {
	root := shared.Path(t, "datasets", "mnist")
	x, err := openIDX(filepath.Join(root, "t10k-images-idx3-ubyte.gz"), filepath.Join(root, "t10k-labels-idx1-ubyte.gz"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := interp.Read(t.Context(), x, 0, x.Len())
	if err != nil {
		t.Fatal(err)
	}
	count := make([]int, 10)
	for _, c := range all.Class {
		count[c]++
	}
	// The counts that are commonly stated for the test set, and its first labels.
	if want := []int{980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009}; !slices.Equal(count, want) {
		t.Errorf("%v digits, want %v", count, want)
	}
	if want := []int{7, 2, 1, 0, 4, 1, 4, 9}; !slices.Equal(all.Class[:8], want) || all.N != 10_000 || all.H != 28 || all.C != 1 {
		t.Errorf("labels %v", all.Class[:8])
	}
}

func TestCIFAR(t *testing.T) {
	dir := t.TempDir()
	record := func(labels ...byte) []byte {
		b := slices.Clone(labels)
		for c := range 3 {
			for p := range 1024 {
				b = append(b, byte(c*80+p%50+int(labels[0])))
			}
		}
		return b
	}
	ten := []string{
		write(t, slices.Concat(record(3), record(9)), dir, "data_batch_1.bin"),
		write(t, record(0), dir, "data_batch_2.bin"),
	}
	hundred := write(t, slices.Concat(record(5, 99), record(200, 7), record(1, 100)), dir, "train.bin")
	x, err := openCIFAR(10, ten...)
	if err != nil {
		t.Fatal(err)
	}
	all, err := interp.Read(t.Context(), x, 0, 3)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(all.Class, []int{3, 9, 0}) || x.String() != fmt.Sprintf("CIFAR-10 data_batch_1.bin, data_batch_2.bin (%s): 3 images of 32×32×3", x.print) {
		t.Errorf("%s, %v", x, all.Class)
	}
	for i, label := range []int{3, 9, 0} {
		for p := range 1024 {
			for c := range 3 {
				if got, want := all.Pix[(i*1024+p)*3+c], float64(c*80+p%50+label)/255; got != want {
					t.Fatalf("image %d pixel %d channel %d: %g, want %g", i, p, c, got, want)
				}
			}
		}
	}
	y, err := openCIFAR(100, hundred)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := interp.Read(t.Context(), y, 0, 2); err != nil || !slices.Equal(b.Class, []int{99, 7}) {
		t.Errorf("%v, %v", b.Class, err)
	}
	if _, err := y.Image(t.Context(), 2); err == nil || !strings.Contains(err.Error(), "class 100") {
		t.Errorf("no such class: %v", err)
	}
	for what, files := range map[string][]string{"no files": nil, "9222 bytes": {hundred}, "none.bin": {ten[0], filepath.Join(dir, "none.bin")}} {
		if _, err := openCIFAR(10, files...); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What needs no scaling is cut out as it is, and as scaling by one would.
func TestFitWithoutScaling(t *testing.T) {
	whole := gradient(40, 30)
	decoded, err := decode(encode(t, "jpg", whole))
	if err != nil {
		t.Fatal(err)
	}
	got, photograph := Fit(whole, 20, 24, 30), Fit(decoded, 20, 24, 30)
	scaled := image.NewRGBA(image.Rect(0, 0, 24, 20))
	draw.BiLinear.Scale(scaled, image.Rect(-8, -5, 32, 25), decoded, decoded.Bounds(), draw.Over, nil)
	for y := range 20 {
		for x := range 24 {
			if want := whole.RGBAAt(x+8, y+5); got.RGBAAt(x, y) != want {
				t.Fatalf("(%d, %d): %v, want %v", x, y, got.RGBAAt(x, y), want)
			}
			a, b := photograph.RGBAAt(x, y), scaled.RGBAAt(x, y)
			for _, d := range []int{int(a.R) - int(b.R), int(a.G) - int(b.G), int(a.B) - int(b.B)} {
				if d < -1 || d > 1 {
					t.Fatalf("(%d, %d): %v, scaled by one %v", x, y, a, b)
				}
			}
		}
	}
}

func TestFitted(t *testing.T) {
	dir := t.TempDir()
	x, err := openIDX(write(t, idx([]int{2, 4, 6}, counting(48)), dir, "images"), "")
	if err != nil {
		t.Fatal(err)
	}
	f := Fitted{x, Input{Height: 12, Width: 12}}
	got, err := f.Image(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if got.H != 12 || got.W != 12 || got.C != 3 || got.Check() != nil || f.Len() != 2 || f.Name(1) != "images #1" {
		t.Errorf("%d×%d×%d", got.H, got.W, got.C)
	}
	own, err := x.Image(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	m, err := own.Image(0)
	if err != nil {
		t.Fatal(err)
	}
	if want := interp.FromImage(Fit(m, 12, 12, 0)); !slices.Equal(got.Pix, want.Pix) || got.Key[0] != own.Keyed().Key[0] {
		t.Error("the image is not Fit's, or its key not its own")
	}
	for p := range 144 {
		if got.Pix[3*p] != got.Pix[3*p+1] || got.Pix[3*p] != got.Pix[3*p+2] {
			t.Fatal("grey is not grey")
		}
	}
	grey := Fitted{Fitted{x, Input{Height: 4, Width: 6}}, Input{Height: 4, Width: 6, Channels: 1}}
	back, err := grey.Image(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for p, v := range back.Pix {
		if v != own.Pix[p] {
			t.Fatalf("to colour and back, pixel %d is %g and was %g", p, v, own.Pix[p])
		}
	}
	if _, err := (Fitted{x, Input{Height: 4, Width: 6, Channels: 2}}).Image(t.Context(), 0); err == nil {
		t.Error("two channels")
	}
}
