package show

import (
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lucigo/interp"
)

var regen = flag.Bool("regen", false, "write the golden pictures anew")

// styles are all ways to draw a map.
func styles() (all []Style) {
	for _, signed := range []bool{false, true} {
		for p := Heat; p <= Overlay; p++ {
			all = append(all, Style{Signed: signed, Palette: p})
		}
	}
	return all
}

func name(s Style) string {
	if s.Signed {
		return s.Palette.String() + "-signed"
	}
	return s.Palette.String()
}

// noise is n maps, and as many images of the same size.
func noise(seed uint64, n, h, w, c int) (interp.Maps, interp.Images) {
	r := rand.New(rand.NewPCG(seed, 1))
	m := interp.Maps{Images: interp.Images{N: n, H: h, W: w, C: c}}
	x := interp.Images{N: n, H: h, W: w, C: c}
	for range n * h * w * c {
		m.Pix = append(m.Pix, r.NormFloat64())
		x.Pix = append(x.Pix, r.Float64())
	}
	return m, x
}

// shapes is a map of a smooth wave with a spike in it, and a photograph of ramps.
func shapes() (interp.Maps, interp.Images) {
	m := interp.Maps{Images: interp.Images{N: 1, H: 24, W: 32, C: 3}}
	x := interp.Images{N: 1, H: 24, W: 32, C: 3}
	for i := range m.H {
		for j := range m.W {
			u, v := float64(j)/float64(m.W-1), float64(i)/float64(m.H-1)
			wave := math.Sin(2*math.Pi*u) * math.Cos(math.Pi*v)
			if i == 12 && j == 5 {
				wave = 40
			}
			m.Pix = append(m.Pix, wave, .5*wave, -.2*wave)
			x.Pix = append(x.Pix, u, v, 1-u)
		}
	}
	return m, x
}

func draw(t *testing.T, s Style, m interp.Maps, x interp.Images) image.Image {
	t.Helper()
	c, err := s.Draw(m, 0, x)
	if err != nil {
		t.Fatalf("%s: %v", name(s), err)
	}
	return c.Picture
}

func TestGolden(t *testing.T) {
	m, x := shapes()
	for _, s := range styles() {
		golden(t, name(s), draw(t, s, m, x))
		golden(t, name(s)+"-bar", s.Legend(1).Bar)
	}
}

// plotted checks a figure of one picture: the words in its place, and the picture itself.
func plotted(t *testing.T, f Figure, name string, words ...string) {
	t.Helper()
	html, err := f.HTML()
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, html)
	if len(got.pictures) != 1 {
		t.Fatalf("%d pictures", len(got.pictures))
	}
	for _, want := range words {
		if !strings.Contains(got.pictures[0].alt, want) {
			t.Errorf("no %q in %q", want, got.pictures[0].alt)
		}
	}
	golden(t, name, f.Cells[0][0].Picture)
}

// golden compares a picture with that of testdata, to 2 of 255: -regen writes it anew.
func golden(t *testing.T, name string, got image.Image) {
	t.Helper()
	file := filepath.Join("testdata", name+".png")
	if *regen {
		w, err := os.Create(file)
		if err == nil {
			err = errors.Join(png.Encode(w, got), w.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	want, err := png.Decode(r)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if d := difference(got, want); d > 2 {
		t.Errorf("%s differs by %d of 255", file, d)
	}
}

// difference is the largest of any colour of any pixel, of 255; 255 for pictures of different sizes.
func difference(a, b image.Image) (most int) {
	if a.Bounds().Size() != b.Bounds().Size() {
		return 255
	}
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			p := color.NRGBAModel.Convert(a.At(a.Bounds().Min.X+x, a.Bounds().Min.Y+y)).(color.NRGBA)
			q := color.NRGBAModel.Convert(b.At(b.Bounds().Min.X+x, b.Bounds().Min.Y+y)).(color.NRGBA)
			for _, d := range []int{int(p.R) - int(q.R), int(p.G) - int(q.G), int(p.B) - int(q.B), int(p.A) - int(q.A)} {
				most = max(most, d, -d)
			}
		}
	}
	return most
}

// Zero has the palette's middle, or its first colour, whatever else is in the map; overlaid it leaves the
// photograph grey.
func TestLawZero(t *testing.T) {
	for _, s := range styles() {
		m, x := noise(2, 1, 8, 8, 3)
		m.Pix[0], m.Pix[1], m.Pix[2] = 0, math.Copysign(0, -1), 0
		got := draw(t, s, m, x).At(0, 0).(color.RGBA)
		want := map[string]color.RGBA{
			"heat": heat(0), "heat-signed": diverging(0), "grey": {0, 0, 0, 255}, "grey-signed": {128, 128, 128, 255},
		}[name(s)]
		if s.Palette == Overlay {
			if got.R != got.G || got.G != got.B {
				t.Errorf("%s: zero is %v, which is not grey", name(s), got)
			}
		} else if got != want {
			t.Errorf("%s: zero is %v, want %v", name(s), got, want)
		}
		empty := interp.Maps{Images: interp.Images{N: 1, H: 8, W: 8, C: 3, Pix: make([]float64, 192)}}
		if c := draw(t, s, empty, x).At(0, 0); c != got {
			t.Errorf("%s: zero is %v in an empty map, and %v in another", name(s), c, got)
		}
	}
	if c := diverging(0); c.R != c.G || c.G != c.B {
		t.Errorf("the diverging palette's middle is %v, which is not neutral", c)
	}
}

// A map and a positive multiple of it give the same picture.
func TestLawScale(t *testing.T) {
	for _, s := range styles() {
		for _, factor := range []float64{1. / 1024, 2, 1e-200, 3.7e8} {
			m, x := noise(3, 1, 16, 16, 3)
			before := draw(t, s, m, x)
			for i := range m.Pix {
				m.Pix[i] *= factor
			}
			if d := difference(before, draw(t, s, m, x)); d > 2 {
				t.Errorf("%s: ×%g changes the picture by %d", name(s), factor, d)
			}
		}
	}
}

// Turning all signs around mirrors the levels.
func TestLawSign(t *testing.T) {
	s := Style{Signed: true}
	m, x := noise(4, 1, 16, 16, 3)
	plus := draw(t, s, m, x).(*image.Paletted)
	for i := range m.Pix {
		m.Pix[i] = -m.Pix[i]
	}
	minus := draw(t, s, m, x).(*image.Paletted)
	for i := range plus.Pix {
		if d := int(plus.Pix[i]) + int(minus.Pix[i]) - (levels - 1); d < -1 || d > 1 {
			t.Fatalf("pixel %d has levels %d and %d", i, plus.Pix[i], minus.Pix[i])
		}
	}
}

// A higher percentile never makes a pixel stronger, and at 100 only the largest has the strongest colour.
func TestLawClip(t *testing.T) {
	for _, signed := range []bool{false, true} {
		m, x := noise(5, 1, 16, 16, 3)
		strength := func(clip float64) (all []int) {
			for _, level := range draw(t, Style{Signed: signed, Clip: clip}, m, x).(*image.Paletted).Pix {
				d := int(level)
				if signed {
					d = 2*d - (levels - 1)
				}
				all = append(all, max(d, -d))
			}
			return all
		}
		before := strength(1)
		for _, clip := range []float64{10, 50, 90, 99, 99.9, 100} {
			after := strength(clip)
			for i := range after {
				if after[i] > before[i] {
					t.Fatalf("signed %v: pixel %d has strength %d at %g, and less at a lower percentile: %d", signed, i, after[i], clip, before[i])
				}
			}
			if slices.Equal(before, after) {
				t.Errorf("signed %v: clipping at %g is no different from the percentile before", signed, clip)
			}
			before = after
		}
		full := 0
		for _, d := range before {
			if d == levels-1 {
				full++
			}
		}
		if full < 1 || full > 2 { // another may round to it
			t.Errorf("signed %v: at 100, %d pixels have the strongest colour", signed, full)
		}
	}
}

// Of several channels the strongest colour shows the largest magnitude, or the mean.
func TestReduce(t *testing.T) {
	m := interp.Maps{Images: interp.Images{N: 2, H: 1, W: 2, C: 3, Pix: []float64{9, 9, 9, 9, 9, 9, 1, -4, 3, -.5, .25, 0}}}
	for signed, want := range map[bool][]float64{false: {4, .5}, true: {0, -.25 / 3}} {
		s := Style{Signed: signed, Clip: 100}
		c, err := s.Draw(m, 1, interp.Images{})
		if err != nil {
			t.Fatal(err)
		}
		largest := max(math.Abs(want[0]), math.Abs(want[1]))
		if got := c.Picture.(*image.Paletted).Pix; got[0] != s.level(want[0], largest) || got[1] != s.level(want[1], largest) || c.Note != s.scale(largest) {
			t.Errorf("signed %v: levels %v, %s, want those of %v", signed, got, c.Note, want)
		}
	}
}

func TestLargest(t *testing.T) {
	hundred := make([]float64, 101) // 0 … −100, so that percentile p is p
	for i := range hundred {
		hundred[i] = -float64((i * 37) % 101)
	}
	sparse := make([]float64, 1000)
	sparse[500] = 3
	for _, c := range []struct {
		values     []float64
		clip, want float64
	}{
		{hundred, 0, 99}, {hundred, 99.5, 99.5}, {hundred, 100, 100}, {hundred, .25, .25},
		{sparse, 0, 3}, {[]float64{0, 0}, 0, 0}, {[]float64{-7}, 0, 7}, {[]float64{1, 2}, 50, 1.5},
	} {
		if got := (Style{Clip: c.clip}).largest(c.values); !(math.Abs(got-c.want) <= 1e-12) {
			t.Errorf("percentile %g of %d values is %g, want %g", c.clip, len(c.values), got, c.want)
		}
	}
}

// A map lies on its own image: where it is zero, the picture is that image in light grey, whose darkest is
// 110 and whose lightness is ITU-R BT.601's luma.
func TestLawOverlayKeepsTheImage(t *testing.T) {
	for _, signed := range []bool{false, true} {
		m, x := noise(8, 3, 8, 8, 3)
		clear(m.Pix)
		for n := range m.N {
			cell, err := Style{Palette: Overlay, Signed: signed}.Draw(m, n, x)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 64 {
				pix := x.Pix[(n*64+i)*3:]
				want := 110 + 145*(.299*pix[0]+.587*pix[1]+.114*pix[2])
				got := cell.Picture.At(i%8, i/8).(color.RGBA)
				if got.R != got.G || got.G != got.B || !(math.Abs(float64(got.R)-want) <= 2) {
					t.Fatalf("signed %v: pixel %d of map %d is %v, want %.1f of 255", signed, i, n, got, want)
				}
			}
		}
	}
}

// A legend says what its style does: the percentile that is clipped at, what is shown, and the ends.
func TestLegend(t *testing.T) {
	for _, c := range []struct {
		style     Style
		low, note string
	}{
		{Style{}, "0", "largest magnitude over channels; each map from 0 to percentile 99 of its magnitudes"},
		{Style{Clip: 97.5}, "0", "largest magnitude over channels; each map from 0 to percentile 97.5 of its magnitudes"},
		{Style{Clip: 100}, "0", "largest magnitude over channels; each map from 0 to its largest magnitude"},
		{Style{Clip: 90, Signed: true}, "−", "mean over channels, 0 in the middle; each map from minus to plus percentile 90 of its magnitudes"},
	} {
		if l := c.style.Legend(3); l.Low != c.low || l.High != "+" || l.Note != c.note || l.Span != 3 {
			t.Errorf("%+v: from %q to %q under %d: %q, want %q", c.style, l.Low, l.High, l.Span, l.Note, c.note)
		}
	}
}

func TestDrawErrors(t *testing.T) {
	for _, c := range []struct {
		change func(s *Style, m *interp.Maps, x *interp.Images)
		says   string
	}{
		{func(s *Style, m *interp.Maps, x *interp.Images) { m.Pix[(5*8+3)*3+1] = math.NaN() }, "map 0 is NaN at row 5, column 3, channel 1"},
		{func(s *Style, m *interp.Maps, x *interp.Images) { m.Pix[0] = math.Inf(-1) }, "map 0 is -Inf at row 0, column 0, channel 0"},
		{func(s *Style, m *interp.Maps, x *interp.Images) { m.Pix = m.Pix[1:] }, "191 numbers"},
		{func(s *Style, m *interp.Maps, x *interp.Images) { m.N = 0 }, "N=0"},
		{func(s *Style, m *interp.Maps, x *interp.Images) { s.Clip = -1 }, "show: Style.Clip is -1, must"},
		{func(s *Style, m *interp.Maps, x *interp.Images) { s.Clip = 101 }, "Clip is 101, must"},
		{func(s *Style, m *interp.Maps, x *interp.Images) { s.Clip = math.NaN() }, "Clip is NaN, must"},
		{func(s *Style, m *interp.Maps, x *interp.Images) { s.Palette = 3 }, "show: Style.Palette is Palette(3), must"},
		{func(s *Style, m *interp.Maps, x *interp.Images) { x.H, x.W = 4, 16 }, "the image under map 0 is 4×16, must be 8×8"},
		{func(s *Style, m *interp.Maps, x *interp.Images) { *x = interp.Images{} }, "the image under map 0 is 0×0"},
		{func(s *Style, m *interp.Maps, x *interp.Images) { x.C, x.Pix = 2, x.Pix[:128] }, "the image under map 0: interp: an image of 2 channels"},
	} {
		s := Style{Palette: Overlay}
		m, x := noise(6, 1, 8, 8, 3)
		c.change(&s, &m, &x)
		if _, err := s.Draw(m, 0, x); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("error %v, want one that says %q", err, c.says)
		}
	}
}

func TestNote(t *testing.T) {
	m := interp.Maps{Images: interp.Images{N: 1, H: 1, W: 1, C: 1, Pix: []float64{-.00251}}}
	for _, c := range []struct {
		style Style
		value float64
		want  string
	}{{Style{}, -.00251, "0 to 0.00251"}, {Style{Signed: true}, 3, "±3"}, {Style{}, 0, "zero everywhere"}} {
		m.Pix[0] = c.value
		if cell, err := c.style.Draw(m, 0, interp.Images{}); err != nil || cell.Note != c.want {
			t.Errorf("%g: %q, %v, want %q", c.value, cell.Note, err, c.want)
		}
	}
}

func ExamplePalette_String() {
	fmt.Println(Heat, Grey, Overlay, Palette(9))
	// Output: heat grey overlay Palette(9)
}

func BenchmarkDraw(b *testing.B) {
	m, x := noise(7, 1, 224, 224, 3)
	for _, s := range styles() {
		b.Run(name(s), func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Draw(m, 0, x); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
