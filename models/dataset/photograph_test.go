package dataset

import (
	"encoding/binary"
	"errors"
	"image"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lucigo/internal/hostile"
	"lucigo/interp"
)

// Photographs as people have them are what Pillow shows on white, upright, the first image of an animation in the size of
// its canvas: testdata/photographs/make.py has made the files and what is expected. Lossless ones may differ by rounding,
// JPEG's and lossy WebP's by that of the transforms, and, where colours are stored at half the resolution, by their edges.
func TestOraclePhotographs(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "photographs", "*.want.png"))
	if err != nil || len(files) < 40 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(file, ".want.png")
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m, err := png.Decode(strings.NewReader(string(b)))
		if err != nil {
			t.Fatal(err)
		}
		want := image.NewRGBA(m.Bounds())
		draw.Draw(want, want.Rect, m, image.Point{}, draw.Src)
		if b, err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
		m, err = decode(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if m.Bounds().Dx() != want.Rect.Dx() || m.Bounds().Dy() != want.Rect.Dy() {
			t.Errorf("%s: it is %v, and Pillow's %v", name, m.Bounds(), want.Rect)
			continue
		}
		got := Fit(m, want.Rect.Dy(), want.Rect.Dx(), 0)
		sum, worst := 0, 0
		for i := range got.Pix {
			d := int(got.Pix[i]) - int(want.Pix[i])
			worst = max(worst, d, -d)
			sum += max(d, -d)
		}
		most, mean := 1, .1
		switch lossy := strings.Contains(name, "lossy"); {
		case lossy:
			most, mean = 10, 1
		case strings.HasSuffix(name, ".jpg"):
			most, mean = 3, .2
		}
		if worst > most || !(float64(sum)/float64(len(got.Pix)) <= mean) {
			t.Errorf("%s: a pixel differs by %d, the mean by %.2f", name, worst, float64(sum)/float64(len(got.Pix)))
		}
	}
}

// What begins with a dot is no photograph: what macOS leaves beside each, and what Jupyter has saved.
func TestFolderPassesOverHidden(t *testing.T) {
	dir := t.TempDir()
	photograph := encode(t, "png", gradient(9, 9))
	write(t, photograph, dir, "1.png")
	write(t, []byte("\x00\x05\x16\x07"), dir, "._1.png")
	write(t, photograph, dir, ".ipynb_checkpoints", "1-checkpoint.png")
	write(t, photograph, dir, "a", ".hidden", "2.png")
	write(t, photograph, dir, "a", "2.png")
	lists(t, dir, "1.png", "a/2.png")
	for _, name := range []string{"data_batch_1.bin", "._data_batch_2.bin"} {
		write(t, append([]byte{7}, make([]byte, 3072)...), dir, "cifar", name)
	}
	src, err := Input{Height: 8, Width: 8}.Open(filepath.Join(dir, "cifar"))
	if err != nil || src.Len() != 1 {
		t.Errorf("of CIFAR's files, %v, %v", src, err)
	}
}

// Linked folders are followed once each, in whatever order they and what they lead to are named.
func TestFolderFollowsLinksOnce(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "classes")
	photograph := encode(t, "png", gradient(9, 9))
	for _, folder := range []string{"classes/cats", "elsewhere/dogs", "elsewhere/birds/nest"} {
		write(t, photograph, root, folder, "1.png")
	}
	for from, to := range map[string]string{
		"classes/dogs": "../elsewhere/dogs", "classes/hounds": "../elsewhere/dogs", // the same twice
		"classes/a": "cats", "classes/self": ".", "classes/up": "../classes", // what is listed
		"classes/birds": filepath.Join(root, "elsewhere", "birds"), "elsewhere/birds/nest/up": "..", // a loop
		"classes/none": "nowhere", // to nothing, and no photograph's name
	} {
		if err := os.Symlink(filepath.FromSlash(to), filepath.Join(root, filepath.FromSlash(from))); err != nil {
			t.Skipf("skipped: this system makes no links: %v", err)
		}
	}
	lists(t, dir, "birds/nest/1.png", "cats/1.png", "dogs/1.png")
}

func lists(t *testing.T, dir string, want ...string) {
	t.Helper()
	f, err := Input{Height: 8, Width: 8}.Folder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(f.names, want) {
		t.Errorf("%q, want %q", f.names, want)
	}
	for i := range f.Len() {
		if _, err := f.Image(t.Context(), i); err != nil {
			t.Error(err)
		}
	}
}

// Data sets are told apart by what is in their files, not by names and lengths; copies are the same.
func TestLawDataSetsAreToldApart(t *testing.T) {
	long := make([]byte, photographBlocks*4096+1)
	of := func(change int, b []byte) []byte {
		b = slices.Clone(b)
		if change >= 0 {
			b[change]++
		}
		return b
	}
	in := Input{Height: 8, Width: 8}
	for what, c := range map[string]struct {
		file    []byte
		path    []string
		changes []int // bytes that count
	}{
		"IDX":        {idx([]int{2, 4, 6}, counting(48)), []string{"t10k-images-idx3-ubyte"}, []int{16, 40, 63}},
		"labels":     {idx([]int{2}, []byte{3, 4}), []string{"t10k-labels-idx1-ubyte"}, []int{8, 9}},
		"CIFAR":      {make([]byte, 2*3073), []string{"data_batch_1.bin"}, []int{0, 3072, 6000}},
		"photograph": {encode(t, "png", gradient(30, 30)), []string{"a", "1.png"}, []int{40, 90}},
		"long":       {long, []string{"a", "1.png"}, []int{0, len(long) / 2, len(long) - 1}},
	} {
		seen := map[string]int{}
		for _, change := range append([]int{-1, -1}, c.changes...) {
			dir := t.TempDir()
			open := write(t, of(change, c.file), append([]string{dir}, c.path...)...)
			switch what {
			case "CIFAR", "photograph", "long":
				open = dir
			case "labels":
				open = write(t, idx([]int{2, 4, 6}, counting(48)), dir, "t10k-images-idx3-ubyte")
			}
			src, err := in.Open(open)
			if err != nil {
				t.Fatal(err)
			}
			seen[src.String()]++
		}
		if len(seen) != 1+len(c.changes) || slices.Max(slices.Collect(maps.Values(seen))) != 2 {
			t.Errorf("%s: %v", what, seen)
		}
	}
}

// What cannot be decoded says so, and what cannot be read does not.
func TestUndecodable(t *testing.T) {
	dir := t.TempDir()
	write(t, []byte("<html>"), dir, "a.png")
	gone := write(t, encode(t, "png", gradient(9, 9)), dir, "b.png")
	f, err := Input{Height: 8, Width: 8}.Folder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false} {
		_, err := f.Image(t.Context(), i)
		if _, got := errors.AsType[interp.Undecodable](err); err == nil || got != want {
			t.Errorf("%s: undecodable is %v: %v", f.Name(i), got, err)
		}
	}
}

// Files of public reports of decoders that crashed, or took a gigabyte, are refused or read, and cost what their pixels do:
// golang/go issues 79869, 80063 and 80254, image-rs/image-webp issue 182 and pytorch/vision issue 138.
func TestReportedPhotographs(t *testing.T) {
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("testdata", "photographs", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	riff := func(parts ...string) []byte {
		body := "WEBP" + strings.Join(parts, "")
		return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
	}
	chunk := func(kind, data string) string {
		return string(binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(data)))) + data + strings.Repeat("\x00", len(data)%2)
	}
	const huge = "\x2f\xff\xff\xff\x0f\x88\x88\x08" // 16384×16384
	small := "\x10\x00\x00\x00\x07\x00\x00\x07\x00\x00"
	lossy := read("lossy.webp") // of 192×128
	var pix string
	for kind, data := range webpChunks(lossy[12:]) {
		if kind == "VP8 " {
			pix = chunk(kind, string(data))
		}
	}
	frame := strings.Repeat("\x00", 16)
	for what, c := range map[string]struct {
		file []byte
		says string // "" where it is read
	}{
		"a lossless image larger than its canvas": {riff(chunk("VP8X", small), chunk("VP8L", huge)), "16384×16384 pixels"},
		"28 bytes of a gigabyte":                  {riff(chunk("VP8L", huge)), "16384×16384 pixels"},
		"transparency of another size":            {riff(chunk("VP8X", small), chunk("ALPH", strings.Repeat("\x00", 65)), pix), "damaged"},
		"transparency where none is announced":    {riff(chunk("VP8X", "\x00"+small[1:]), pix), ""},
		"transparency announced and missing":      {riff(chunk("VP8X", small), pix), ""},
		"a frame of no pixels after transparency": {riff(chunk("VP8X", "\x12"+small[1:]), chunk("ANMF", frame+chunk("ALPH", "\x00")+chunk("VP8 ", ""))), "damaged"},
		"an animation of 16 million × 16 million": {riff(chunk("VP8X", "\x02\x00\x00\x00\xff\xff\xff\xff\xff\xff"), chunk("ANMF", frame+pix)), "must have at most"},
		"a frame far outside its canvas":          {riff(chunk("VP8X", "\x02"+small[1:]), chunk("ANMF", "\xff\xff\xff\xff\xff\xff"+frame[6:]+pix)), ""},
		"half of a JPEG":                          {read("turned6.jpg")[:700], "damaged"},
		"half of a WebP":                          {lossy[:len(lossy)/2], "damaged"},
		"half of a GIF":                           {read("animated.gif")[:200], "damaged"},
	} {
		hostile.Bounded(t, func() {
			m, err := decode(c.file)
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v", what, err)
			}
			if err == nil {
				Fit(m, 8, 8, 0)
			}
		})
	}
}

// A file's name in an error does not move a terminal's cursor.
func TestNamesInErrors(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "\x1b[2J\n.png"), []byte("<html>"), 0o600); err != nil {
		t.Skipf("skipped: this system has no such names: %v", err)
	}
	f, err := Input{Height: 8, Width: 8}.Folder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Image(t.Context(), 0); err == nil || !strings.HasPrefix(err.Error(), `dataset: "\x1b[2J\n.png": not a photograph`) {
		t.Errorf("%q", err)
	}
}

// A short file that decompresses to a long one is refused before that takes memory.
func TestCompressedIDXTakesLittle(t *testing.T) {
	const n = 1 << 20
	path := write(t, zipped(t, idx([]int{n, 28, 28}, make([]byte, n*28*28))), t.TempDir(), "images-idx3")
	hostile.Bounded(t, func() {
		if _, err := openIDX(path, ""); err == nil || !strings.Contains(err.Error(), "decompress it to a file") {
			t.Error(err)
		}
	})
}
