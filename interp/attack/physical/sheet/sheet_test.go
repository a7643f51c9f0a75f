package sheet

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"math"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "image/gif"

	"lucigo/interp"
	"lucigo/interp/attack/physical"
	"lucigo/interp/interptest/shared"
	"lucigo/interp/random"
)

var (
	long = flag.Bool("long", false, "also what takes minutes")
	keep = flag.String("keep", "", "folder for pictures of the sheet, of a photograph, and of what was found in it")
)

// waves are two pictures of 48×48 pixels: smooth, in colour, unlike each other.
func waves() interp.Images {
	x := interp.Images{N: 2, H: 48, W: 48, C: 3, Pix: make([]float64, 2*48*48*3)}
	for i := range x.Pix {
		n, row, column, c := i/(48*48*3), i/(48*3)%48, i/3%48, i%3
		x.Pix[i] = .5 + .45*math.Sin(float64(row)/(5+float64(n))+2*float64(c))*math.Cos(float64(column)/7-float64(c))
	}
	return x
}

func ordinary() Sheet {
	return Sheet{Number: 3, Title: "Both are photographed, one fools", Pictures: waves(), Captions: []string{"as it was", "attacked"}}
}

// drawn is a page at 100 dots per inch, for a simulated camera.
func drawn(t testing.TB, s Sheet) *image.RGBA {
	t.Helper()
	m, err := s.Image(100)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// taken is photograph i of a camera, with blur of up to a pixel and a half in 480 rows, noise, and JPEG of quality 50 to 95.
func taken(t testing.TB, c physical.Camera, paint *image.RGBA, seed uint64, i int) (*physical.Shot, image.Image) {
	t.Helper()
	c.Aspect = Width / Height
	shot, err := c.Shot(seed, i)
	if err != nil {
		t.Fatal(err)
	}
	if c.Steady == (physical.Lens{}) {
		shot.Lens = physical.AnyLens(random.New(seed, uint64(i), 9), c.H/5)
	}
	y, err := shot.Take(interp.FromImage(paint))
	if err != nil {
		t.Fatal(err)
	}
	m, err := interp.Images{N: 1, H: c.H, W: c.W, C: 3, Pix: y}.Image(0)
	if err != nil {
		t.Fatal(err)
	}
	return shot, m
}

// straight is a camera that sees the sheet from above, sharp.
func straight() physical.Camera {
	return physical.Camera{H: 480, W: 640, Tilt: -1, Roll: -1, Sizes: []float64{.85}, Steady: physical.Lens{Blur: .7, Quality: 90}}
}

func read(photograph image.Image, sheets ...Sheet) (*Reading, error) {
	return Reader{}.Read(context.Background(), photograph, sheets...)
}

// farthest is the largest distance of a corner from where it is.
func farthest(r *Reading, s *physical.Shot) (d float64) {
	for i, c := range r.Corners {
		d = max(d, math.Hypot(c[0]-s.Corners[i][0], c[1]-s.Corners[i][1]))
	}
	return d
}

func whole(s *physical.Shot, c physical.Camera) bool {
	return !slices.ContainsFunc(s.Corners[:], func(p [2]float64) bool {
		return p[0] < 0 || p[1] < 0 || p[0] > float64(c.W) || p[1] > float64(c.H)
	})
}

func mean(a, b []float64) (d float64) {
	for i, v := range a {
		d += math.Abs(v-b[i]) / float64(len(a))
	}
	return d
}

// Any two codes differ in eight bits or more, however they are turned and mirrored, and so does a code from itself turned.
func TestLawCodes(t *testing.T) {
	type way struct{ code, turns int }
	all, of := []uint32{}, []way{}
	for i, c := range codes {
		m := mirror(c)
		for k := range 4 {
			all, of = append(all, c, m), append(of, way{i, k}, way{i, k})
			if id, ok := identify(c); !ok || id != (identity{i / 4, i % 4, k, false}) {
				t.Fatalf("code %d turned %d times is read as %+v", i, k, id)
			}
			if id, ok := identify(m); !ok || !id.mirrored {
				t.Fatalf("code %d mirrored is read as %+v", i, id)
			}
			c, m = turn(c), turn(m)
		}
	}
	for i, a := range all {
		for k, b := range all[:i] {
			if d := bits.OnesCount32(a ^ b); d < 8 {
				t.Fatalf("%v and %v differ in %d bits", of[i], of[k], d)
			}
		}
	}
}

// In at least 95 % of simulated photographs, to 45 degrees, at three distances, the sheet is found, and all its corners are within
// 1.5 pixels, also those outside the photograph. Where all of the page is seen they always are.
func TestPhotographs(t *testing.T) {
	n := 12
	if *long {
		n = 250 // in each of two sizes
	}
	s := ordinary()
	paint := drawn(t, s)
	seen, found, right := 0, 0, 0
	var far, off, oneIn50 []float64
	for _, c := range []physical.Camera{{H: 480, W: 640}, {H: 720, W: 960}} {
		c.Sizes = []float64{.75, .6, .45}
		for i := range n {
			shot, photograph := taken(t, c, paint, 11, i)
			seen++
			r, err := read(photograph, s)
			if err != nil {
				t.Logf("%d×%d, %d: whole %t, tilt %.0f, size %g: %v", c.H, c.W, i, whole(shot, c), shot.Tilt, shot.Size, err)
				continue
			}
			found++
			d := farthest(r, shot)
			if d <= 1.5 {
				right++
			}
			if whole(shot, c) {
				far = append(far, d)
				if d > 1.5 {
					t.Errorf("%d×%d, %d: a corner is %.2f pixels off, %+v", c.H, c.W, i, d, r.Codes)
				}
			} else {
				off = append(off, d)
			}
			oneIn50 = append(oneIn50, mean(r.Pictures.Pix, s.Pictures.Pix))
		}
	}
	for _, v := range [][]float64{far, off, oneIn50} {
		slices.Sort(v)
	}
	half := func(v []float64) float64 {
		if len(v) == 0 {
			return math.NaN()
		}
		return v[len(v)/2]
	}
	last := func(v []float64) float64 { return append([]float64{math.NaN()}, v...)[len(v)] }
	t.Logf("found %d of %d; corners of %d whole pages off by %.2f pixels in the median, %.2f at most; of %d cut pages %.2f and %.2f; pictures off by %.3f and %.3f",
		found, seen, len(far), half(far), last(far), len(off), half(off), last(off), half(oneIn50), last(oneIn50))
	t.Logf("found and all corners within 1.5 pixels: %d of %d, %.1f %%", right, seen, 100*float64(right)/float64(seen))
	if float64(right) < .95*float64(seen) {
		t.Errorf("found and right are %d of %d", right, seen)
	}
	if half(oneIn50) > .05 {
		t.Errorf("the pictures are off by %.3f in the median", half(oneIn50))
	}
}

// spoil turns one bit of every code of a page over.
func spoil(m *image.RGBA, bit int) {
	p := page{m, 100 / 25.4}
	for i := range 4 {
		b := code(i)
		b = box{b.x + module*float64(1+bit%5), b.y + module*float64(1+bit/5), module, module}
		v := 1.
		if m.RGBAAt(int((b.x+b.w/2)*p.perMM), int((b.y+b.h/2)*p.perMM)).R > 128 {
			v = 0
		}
		p.paint(b, []float64{v}, 1, 1, 1)
	}
}

// Where no sheet is, none is found: on checkerboards, text, noise, frames with random bits in them, sheets of which each code has
// one wrong bit, sheets in negative, and photographs.
func TestNoSheet(t *testing.T) {
	n := 5
	if *long {
		n = 50
	}
	s := ordinary()
	none := func(what string, i int, m image.Image) {
		t.Helper()
		if r, err := read(m, s); err == nil {
			t.Errorf("%s %d is read as a sheet: corners %v, codes %v", what, i, r.Corners, r.Codes)
		}
	}
	camera := physical.Camera{H: 480, W: 640, Sizes: []float64{.8, .6}}
	for i := range n {
		stream := random.New(5, uint64(i), 0)
		blank := func() page {
			p := page{image.NewRGBA(image.Rect(0, 0, 1169, 827)), 100 / 25.4}
			draw.Draw(p, p.Rect, image.White, image.Point{}, draw.Src)
			return p
		}
		for what, paint := range map[string]func(p page){
			"checkerboard": func(p page) {
				h, w := 3+i%12, 4+i%17
				board := make([]float64, h*w)
				for k := range board {
					board[k] = float64((k/w + k%w) % 2)
				}
				p.paint(box{15, 15, 260, 180}, board, h, w, 1)
			},
			"text": func(p page) {
				for k := range 12 {
					p.write(strings.Repeat("□■▣ EDITION mmm 8B8 ", 2)[k:], Width/2, 20+15*float64(k), 4+float64(k), 280)
				}
			},
			"noise": func(p page) {
				h := 20 + 10*(i%20)
				noise := make([]float64, h*h)
				for k := range noise {
					noise[k] = math.Round(stream.Uniform(k))
				}
				p.paint(box{10, 10, 270, 190}, noise, h, h, 1)
			},
			"random codes": func(p page) {
				for k := range 24 {
					c := uint32(stream.Bits(k)) & (1<<25 - 1)
					if _, known := identify(c); !known {
						p.paint(box{8 + 48*float64(k%6), 8 + 50*float64(k/6), 35, 35}, squares(c), 7, 7, 1)
					}
				}
			},
			"one wrong bit": func(p page) {
				draw.Draw(p, p.Rect, drawn(t, s), image.Point{}, draw.Src)
				spoil(p.RGBA, i%25)
			},
			"a negative": func(p page) {
				draw.Draw(p, p.Rect, drawn(t, s), image.Point{}, draw.Src)
				for k := range p.Pix {
					if k%4 != 3 {
						p.Pix[k] = 255 - p.Pix[k]
					}
				}
			},
		} {
			p := blank()
			paint(p)
			none(what+" from above", i, p.RGBA)
			_, m := taken(t, camera, p.RGBA, 12, i)
			none(what, i, m)
		}
	}
	read := 0
	err := filepath.WalkDir(shared.Path(t, "images"), func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || read == 10*n {
			return err
		}
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		if m, _, err := image.Decode(f); err == nil {
			read++
			none(file, 0, m)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d photographs and %d drawn pages, twice each", read, 6*n)
}

// What is wrong with a photograph is said, and what to do.
func TestRefusals(t *testing.T) {
	s := ordinary()
	other := s
	other.Number = 4
	paint := drawn(t, s)
	_, good := taken(t, straight(), paint, 1, 0)
	changed := func(f func(m *image.RGBA)) *image.RGBA {
		m := image.NewRGBA(good.Bounds())
		draw.Draw(m, m.Rect, good, image.Point{}, draw.Src)
		f(m)
		return m
	}
	beside := image.NewRGBA(image.Rect(0, 0, 1280, 480))
	draw.Draw(beside, beside.Rect, good, image.Point{}, draw.Src)
	draw.Draw(beside, image.Rect(640, 0, 1280, 480), good, image.Point{}, draw.Src)
	both := image.NewRGBA(beside.Rect)
	_, second := taken(t, straight(), drawn(t, other), 1, 0)
	draw.Draw(both, both.Rect, good, image.Point{}, draw.Src)
	draw.Draw(both, image.Rect(640, 0, 1280, 480), second, image.Point{}, draw.Src)
	flipped := changed(func(m *image.RGBA) {
		for y := range 480 {
			for x := range 640 {
				m.Set(x, y, good.At(639-x, y))
			}
		}
	})
	blurred := straight()
	blurred.Steady = physical.Lens{Blur: 8}
	_, soft := taken(t, blurred, paint, 1, 0)
	little := straight()
	little.Sizes = []float64{.1}
	_, small := taken(t, little, paint, 1, 0)
	for _, c := range []struct {
		want   string
		m      image.Image
		sheets []Sheet
	}{
		{"no sheet is seen", image.NewGray(image.Rect(0, 0, 480, 640)), []Sheet{s}},
		{"has no pixels", image.NewGray(image.Rect(0, 0, 0, 9)), []Sheet{s}},
		{"at most 100 million", image.NewUniform(color.White), []Sheet{s}},
		{"photograph is nil", nil, []Sheet{s}},
		{"sheets are none", good, nil},
		{"two of the sheets have the Number 3", good, []Sheet{s, s}},
		{"is none of those that were given", good, []Sheet{other}},
		{"two sheets are seen, both 3", beside, []Sheet{s}},
		{"two sheets are seen, 3 and 4", both, []Sheet{s, other}},
		{"mirrored", flipped, []Sheet{s}},
		{"cut off, and picture 1", good.(interface {
			SubImage(image.Rectangle) image.Image
		}).SubImage(image.Rect(0, 0, 470, 480)), []Sheet{s}},
		{"cut off, and picture 0 with it: its corners bottom right, bottom left", good.(interface {
			SubImage(image.Rectangle) image.Image
		}).SubImage(image.Rect(0, 0, 640, 330)), []Sheet{s}},
		{"only the code top left of sheet 3", changed(func(m *image.RGBA) {
			draw.Draw(m, image.Rect(200, 0, 640, 480), image.Black, image.Point{}, draw.Src)
			draw.Draw(m, image.Rect(0, 200, 640, 480), image.Black, image.Point{}, draw.Src)
		}), []Sheet{s}},
		{"their bits cannot be read", soft, []Sheet{s}},
		{"sheet: ", small, []Sheet{s}},
		{"cannot be told from the ink", changed(func(m *image.RGBA) {
			for i, v := range m.Pix {
				if i%4 != 3 {
					m.Pix[i] = uint8(int(v) * 24 / 255)
				}
			}
		}), []Sheet{s}},
	} {
		if _, err := read(c.m, c.sheets...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (Reader{}).Read(ctx, good, s); err != context.Canceled {
		t.Errorf("after the end: %v", err)
	}
	for want, s := range map[string]Sheet{
		"Pictures are none":  {},
		"Number is 16":       {Number: 16, Pictures: waves()},
		"Captions are 1":     {Pictures: waves(), Captions: []string{"one"}},
		"image 0 is NaN":     {Pictures: interp.Images{N: 1, H: 1, W: 1, C: 1, Pix: []float64{math.NaN()}}},
		"have 2 channels":    {Pictures: interp.Images{N: 1, H: 1, W: 1, C: 2, Pix: []float64{0, 0}}},
		"must be at most 12": {Pictures: interp.Images{N: 13, H: 1, W: 1, C: 1, Pix: make([]float64, 13)}},
	} {
		if err := s.PNG(io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// A photograph turned by any quarter is read as one upright; so is one of which one or two codes are covered, or where a finger
// covers the edge of one, and its corners stay where they are.
func TestLawTurnedAndCovered(t *testing.T) {
	s := ordinary()
	shot, good := taken(t, straight(), drawn(t, s), 1, 0)
	want, err := read(good, s)
	if err != nil {
		t.Fatal(err)
	}
	if d := farthest(want, shot); d > .5 {
		t.Errorf("a corner is %.2f pixels off", d)
	}
	if d := mean(want.Pictures.Pix, s.Pictures.Pix); d > .02 {
		t.Errorf("the pictures are off by %.3f", d)
	}
	upside := image.NewRGBA(good.Bounds())
	side := image.NewRGBA(image.Rect(0, 0, 480, 640))
	for y := range 480 {
		for x := range 640 {
			upside.Set(639-x, 479-y, good.At(x, y))
			side.Set(479-y, x, good.At(x, y))
		}
	}
	for _, m := range []image.Image{upside, side} {
		r, err := read(m, s)
		if err != nil {
			t.Fatal(err)
		}
		if d := mean(r.Pictures.Pix, want.Pictures.Pix); d > .004 {
			t.Errorf("turned, the pictures differ by %.4f", d)
		}
	}
	for _, covered := range [][]int{{0}, {2}, {0, 1}, {1, 3}, {2, 3}} {
		m := image.NewRGBA(good.Bounds())
		draw.Draw(m, m.Rect, good, image.Point{}, draw.Src)
		for _, i := range covered {
			c := shot.Corners[i]
			draw.Draw(m, image.Rect(int(c[0])-70, int(c[1])-70, int(c[0])+70, int(c[1])+70), image.NewUniform(color.RGBA{200, 150, 120, 255}), image.Point{}, draw.Src)
		}
		r, err := read(m, s)
		if err != nil {
			t.Errorf("%v covered: %v", covered, err)
			continue
		}
		if d := farthest(r, shot); d > 1.5 {
			t.Errorf("%v covered: a corner is %.2f pixels off", covered, d)
		}
	}
	m := image.NewRGBA(good.Bounds())
	draw.Draw(m, m.Rect, good, image.Point{}, draw.Src)
	c := shot.Corners[0] // of a code of 68 pixels, the left edge is covered by white of 6
	draw.Draw(m, image.Rect(int(c[0])+10, int(c[1])+10, int(c[0])+26, int(c[1])+100), image.White, image.Point{}, draw.Src)
	r, err := read(m, s)
	if err != nil {
		t.Fatal(err)
	}
	if d := farthest(r, shot); d > 1 || r.Codes[0] {
		t.Errorf("an edge covered: a corner is %.2f pixels off, and codes %v were used", d, r.Codes)
	}
}

// The light is undone: a cast, a fall across the page, and black and white that are cut off.
func TestLight(t *testing.T) {
	s := ordinary()
	paint := interp.FromImage(drawn(t, s))
	for _, c := range []struct {
		dim  float32 // at 1, some of the paper is brighter than a camera sees
		lens physical.Lens
		off  float64
	}{
		{.7, physical.Lens{Gain: [3]float64{1, .8, 1.1}, Offset: [3]float64{.1, .05, 0}}, .008},
		{1, physical.Lens{Gain: [3]float64{1.1, 1.05, 1}, Offset: [3]float64{-.03, -.03, .03}}, .02}, // what is cut in the pictures is lost
	} {
		camera := straight()
		camera.H, camera.W, camera.Aspect, camera.Steady = 720, 960, Width/Height, c.lens
		for i := range 3 {
			shot, err := camera.Shot(2, i)
			if err != nil {
				t.Fatal(err)
			}
			for k := range shot.View.Hits {
				for j := range 3 {
					shot.View.Hits[k].Light[j] *= c.dim
				}
			}
			y, err := shot.Take(paint)
			if err != nil {
				t.Fatal(err)
			}
			m, err := interp.Images{N: 1, H: 720, W: 960, C: 3, Pix: y}.Image(0)
			if err != nil {
				t.Fatal(err)
			}
			r, err := read(m, s)
			if err != nil {
				t.Fatal(err)
			}
			if d := mean(r.Pictures.Pix, s.Pictures.Pix); d > c.off {
				t.Errorf("%+v, %d: off by %.4f", c.lens, i, d)
			}
		}
	}
}

// A homography of four points is exact, and one of many has no smaller sum nearby.
func TestHomography(t *testing.T) {
	want := homography{2, .3, 5, -.2, 1.5, 7, 1e-3, -2e-3, 1}
	var from, to []point
	s := random.New(1, 1, 1)
	for i := range 9 {
		p := point{100 * s.Uniform(2*i), 100 * s.Uniform(2*i+1)}
		from, to = append(from, p), append(to, want.follow(p))
	}
	for _, n := range []int{4, 9} {
		h, rms, ok := fit(from[:n], to[:n])
		if !ok || rms > 1e-9 {
			t.Fatalf("%d points: %v, %g", n, ok, rms)
		}
		if p := h.follow(point{50, 20}); p.to(want.follow(point{50, 20})) > 1e-8 {
			t.Errorf("%d points: %v", n, p)
		}
	}
	for i := range to {
		to[i] = to[i].plus(point{s.Uniform(100 + i), s.Uniform(200 + i)}, 1)
	}
	h, rms, _ := fit(from, to)
	for i := range h {
		for _, k := range []float64{-1e-5, 1e-5} {
			g, sum := h, 0.
			g[i] *= 1 + k
			for j, p := range from {
				sum += math.Pow(g.follow(p).to(to[j]), 2)
			}
			if math.Sqrt(sum/9) < rms-1e-12 {
				t.Errorf("number %d: %g is smaller than %g", i, math.Sqrt(sum/9), rms)
			}
		}
	}
	if _, _, ok := fit([]point{{0, 0}, {1, 1}, {2, 2}, {3, 3}}, []point{{0, 0}, {1, 1}, {2, 2}, {3, 3}}); ok {
		t.Error("four points on a line have a homography")
	}
}

// The files hold the page, and say how large it is.
func TestFiles(t *testing.T) {
	s := ordinary()
	m, err := s.Image(DPI)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := s.PNG(&b); err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b.Bytes(), []byte("pHYs"))
	if at < 0 || at > bytes.Index(b.Bytes(), []byte("IDAT")) || binary.BigEndian.Uint32(b.Bytes()[at+4:]) != 11811 || b.Bytes()[at+12] != 1 {
		t.Errorf("pHYs at %d", at)
	}
	back, err := png.Decode(&b) // which checks the sums
	if err != nil {
		t.Fatal(err)
	}
	if p, err := plain(context.Background(), back); err != nil || !bytes.Equal(p.Pix, m.Pix) {
		t.Errorf("the PNG is another picture, %v", err)
	}

	var pdf bytes.Buffer
	if err := s.PDF(&pdf); err != nil {
		t.Fatal(err)
	}
	text := pdf.Bytes()
	var table int
	if _, err := fmt.Sscanf(string(text[bytes.LastIndex(text, []byte("startxref")):]), "startxref\n%d", &table); err != nil || !bytes.HasPrefix(text[table:], []byte("xref\n0 6\n")) {
		t.Fatalf("the table is at %d, %v", table, err)
	}
	for i := 1; i < 6; i++ {
		var at int
		if _, err := fmt.Sscanf(string(text[table+9+20*i:]), "%d", &at); err != nil || !bytes.HasPrefix(text[at:], fmt.Appendf(nil, "%d 0 obj\n", i)) {
			t.Errorf("object %d is not at %d, %v", i, at, err)
		}
	}
	z, err := zlib.NewReader(bytes.NewReader(text[bytes.LastIndex(text, []byte("\nstream\n"))+8:]))
	if err != nil {
		t.Fatal(err)
	}
	if pix, err := io.ReadAll(z); err != nil || !bytes.Equal(pix, rgb(m)) {
		t.Errorf("the PDF is another picture, %v", err)
	}
	for _, part := range []string{"/MediaBox [0 0 841.8898 595.2756]", "stream\nq 841.8898 0 0 595.2756 0 0 cm /Page Do Q\nendstream", "/Width 3508 /Height 2480"} {
		if !bytes.Contains(text, []byte(part)) {
			t.Errorf("the PDF's page is not A4, or the picture does not fill it: no %q", part)
		}
	}
}

// A flat pixel of a picture is a whole number of dots at DPI, so that all are alike.
func TestDots(t *testing.T) {
	for _, size := range [][3]int{{1, 64, 64}, {2, 64, 64}, {2, 224, 224}, {12, 28, 28}, {3, 60, 90}} {
		s := Sheet{Pictures: interp.Images{N: size[0], H: size[1], W: size[2], C: 1, Pix: make([]float64, size[0]*size[1]*size[2])}}
		boxes, err := s.Boxes()
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range boxes {
			dots := b[2] / float64(size[2]) / dot
			if dots < 1 || math.Abs(dots-math.Round(dots)) > 1e-6 || b[0] < areaLeft-1e-6 || b[0]+b[2] > areaRight+1e-6 || b[1] < areaTop-1e-6 || b[1]+b[3]+captionHeight > areaBottom+1e-6 {
				t.Errorf("%v, picture %d: %v, %g dots a pixel", size, i, b, dots)
			}
		}
	}
}

// Whatever the image, there is an answer.
func FuzzRead(f *testing.F) {
	f.Add(8, []byte{0, 255, 0, 255})
	f.Add(40, bytes.Repeat([]byte{255, 255, 255, 0, 0, 0, 0, 255}, 200))
	s := ordinary()
	f.Fuzz(func(t *testing.T, width int, pix []byte) {
		if width < 1 || width > 500 || len(pix) > 100000 {
			return
		}
		m := &image.Gray{Pix: pix, Stride: width, Rect: image.Rect(0, 0, width, len(pix)/width)}
		if r, err := read(m, s); (r == nil) == (err == nil) {
			t.Errorf("%v and %v", r, err)
		}
	})
}

// On two cores of a Xeon that others used as well: 27 ms for 480×640, 1.1 s for 11 megapixels.
func BenchmarkRead(b *testing.B) {
	s := ordinary()
	_, small := taken(b, physical.Camera{H: 480, W: 640, Sizes: []float64{.8}}, drawn(b, s), 1, 3)
	for _, side := range []int{1, 6, 9} { // 0.3, 11 and 25 megapixels
		large := image.NewRGBA(image.Rect(0, 0, 640*side, 480*side))
		for y := range 480 * side {
			for x := range 640 * side {
				large.Set(x, y, small.At(x/side, y/side))
			}
		}
		var file bytes.Buffer
		if err := jpeg.Encode(&file, large, nil); err != nil {
			b.Fatal(err)
		}
		m, err := jpeg.Decode(&file) // as photographs come: YCbCr
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("%dx%d", 480*side, 640*side), func(b *testing.B) {
			for b.Loop() {
				if _, err := read(m, s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestKeep writes pictures to look at.
func TestKeep(t *testing.T) {
	if *keep == "" {
		t.Skip("skipped: -keep FOLDER writes pictures")
	}
	s := ordinary()
	paint := drawn(t, s)
	_, photograph := taken(t, physical.Camera{H: 720, W: 960, Sizes: []float64{.7}}, paint, 11, 3)
	r, err := read(photograph, s)
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]image.Image{"page": paint, "photograph": photograph, "found": r.Draw(photograph)} {
		write(t, name, m)
	}
	for i := range r.Pictures.N {
		m, err := r.Pictures.Image(i)
		if err != nil {
			t.Fatal(err)
		}
		write(t, fmt.Sprintf("read-%d", i), m)
	}
}

func write(t *testing.T, name string, m image.Image) {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*keep, "sheet-"+name+".png"), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
