package show

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"

	"lucigo/interp"
)

const nasty = `<script>alert("1")</script> & 'x' ` + "\x00\x1b[1m\n<b>"

// fragment is what a reader finds in HTML that must be well-formed, without style sheets and scripts.
type fragment struct {
	text     string
	count    map[string]int // of elements
	pictures []picture
}

type picture struct {
	image.Image
	width, height string // as the page asks for them
	alt           string
}

func read(t *testing.T, html string) fragment {
	t.Helper()
	f := fragment{count: map[string]int{}}
	d := xml.NewDecoder(strings.NewReader(html))
	var text strings.Builder
	for {
		token, err := d.Token()
		if err == io.EOF {
			f.text = text.String()
			return f
		}
		if err != nil {
			t.Fatalf("%v in %.2000s", err, html)
		}
		switch token := token.(type) {
		case xml.CharData:
			text.Write(token)
		case xml.StartElement:
			f.count[token.Name.Local]++
			if !strings.Contains(" table caption thead tbody tfoot tr th td img br wbr b small div progress ", " "+token.Name.Local+" ") {
				t.Errorf("element %s", token.Name.Local)
			}
			attribute := map[string]string{}
			for _, a := range token.Attr {
				attribute[a.Name.Local] = a.Value
				if !strings.Contains(" border cellspacing cellpadding align valign scope colspan width height style src alt title value max ", " "+a.Name.Local+" ") {
					t.Errorf("attribute %s of %s", a.Name.Local, token.Name.Local)
				}
			}
			if token.Name.Local == "img" {
				data, ok := strings.CutPrefix(attribute["src"], "data:image/png;base64,")
				m, err := png.Decode(base64.NewDecoder(base64.StdEncoding, strings.NewReader(data)))
				if !ok || err != nil {
					t.Fatalf("picture %.60q: %v", attribute["src"], err)
				}
				f.pictures = append(f.pictures, picture{m, attribute["width"], attribute["height"], attribute["alt"]})
			}
		}
	}
}

// html is the page of a figure, and what is wrong with either.
func html(f Figure, problems error) (string, error) {
	if f.Cells == nil {
		return "", problems
	}
	page, err := f.HTML()
	return page, errors.Join(err, problems)
}

func plain(w, h int) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range m.Pix {
		m.Pix[i] = uint8(i*7) | 3
	}
	return m
}

type made struct{ figure Figure }

func (m made) Figure() (Figure, error) { return m.figure, nil }

// Names of any kind stay text, in every place where a figure takes one.
func TestEscaped(t *testing.T) {
	maps, x := noise(1, 1, 4, 4, 3)
	grid := Grid{Title: nasty, Images: x, Rows: []string{nasty}, Columns: []Column{{Name: nasty, Maps: maps}}}
	figure := Figure{Title: nasty, Corner: nasty, Columns: []string{nasty}, Rows: []string{nasty},
		Cells: [][]Cell{{{Picture: plain(2, 2), Caption: nasty, Note: nasty}}}, Legends: []Legend{{Span: 1, Bar: plain(9, 2), Low: nasty, High: nasty, Note: nasty}}}
	for name, c := range map[string]struct {
		of    interface{ Figure() (Figure, error) }
		times int // in the text
	}{
		"grid": {grid, 3}, "figure": {made{figure}, 8}, "pictures": {Pictures{Title: nasty, Images: x, Captions: []string{nasty}}, 2},
		"turning": {Turning{Title: nasty, Solids: []Turned{{Name: nasty, Photos: photos(), Right: []int{1}, Target: 0}}}, 3},
		"table":   {made{Table{Title: nasty, Corner: nasty, Columns: []string{nasty}, Rows: []string{nasty}, Cells: [][]any{{nasty}}}.Figure()}, 5},
	} {
		html, err := html(c.of.Figure())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if strings.Contains(html, "<script") || strings.ContainsAny(html, "\x00\x1b") {
			t.Errorf("%s: unescaped: %s", name, html)
		}
		if got := strings.Count(read(t, html).text, `<script>alert("1")</script> & 'x' `+"\ufffd\ufffd[1m<b>"); got != c.times {
			t.Errorf("%s: the name appears there %d times, want %d: %s", name, got, c.times, html)
		}
	}
}

// Small pictures become larger pixel by pixel, large ones are shown smaller, and all fit the page.
func TestSize(t *testing.T) {
	for _, c := range []struct {
		columns, size, w, h int
		pixels              image.Point
		width, height       string
	}{
		{1, 0, 32, 32, image.Pt(224, 224), "224", "224"},
		{4, 0, 32, 16, image.Pt(224, 112), "224", "112"},
		{6, 0, 38, 38, image.Pt(152, 152), "152", "152"},
		{6, 0, 224, 224, image.Pt(224, 224), "152", "152"},
		{40, 0, 7, 7, image.Pt(42, 42), "42", "42"},
		{1, 100, 33, 33, image.Pt(99, 99), "99", "99"},
		{1, 100, 1000, 1, image.Pt(1000, 1), "100", "1"},
	} {
		f := Figure{Size: c.size, Cells: [][]Cell{make([]Cell, c.columns)}}
		for j := range f.Cells[0] {
			f.Cells[0][j].Picture = plain(c.w, c.h)
		}
		html, err := f.HTML()
		if err != nil {
			t.Fatal(err)
		}
		p := read(t, html).pictures
		if len(p) != c.columns || p[0].Bounds().Size() != c.pixels || p[0].width != c.width || p[0].height != c.height {
			t.Errorf("%+v: %d pictures of %v, shown as %s×%s", c, len(p), p[0].Bounds(), p[0].width, p[0].height)
		}
	}
}

func TestEnlarge(t *testing.T) {
	nrgba := image.NewNRGBA(image.Rect(3, 4, 5, 7)) // not at the origin
	paletted := image.NewPaletted(nrgba.Bounds(), color.Palette{color.Black, color.White, color.NRGBA{255, 0, 0, 255}})
	for i := range paletted.Pix {
		paletted.Pix[i] = uint8(i % 3)
		nrgba.Set(3+i%2, 4+i/2, paletted.Palette[i%3])
	}
	for _, m := range []image.Image{nrgba, paletted} {
		big := enlarge(m, 3)
		if big.Bounds() != image.Rect(0, 0, 6, 9) {
			t.Fatalf("%T: %v", m, big.Bounds())
		}
		for y := range 9 {
			for x := range 6 {
				want := color.NRGBAModel.Convert(m.At(3+x/3, 4+y/3))
				if got := color.NRGBAModel.Convert(big.At(x, y)); got != want {
					t.Fatalf("%T: (%d, %d) is %v, want %v", m, x, y, got, want)
				}
			}
		}
	}
	if _, ok := enlarge(paletted, 2).(*image.Paletted); !ok {
		t.Error("a picture with a palette lost it")
	}
}

func TestFigureErrors(t *testing.T) {
	for _, c := range []struct {
		f    Figure
		says string
	}{
		{Figure{}, "show: Figure.Cells is empty"},
		{Figure{Cells: [][]Cell{{}}}, "Cells is empty"},
		{Figure{Columns: []string{"a", "b"}, Cells: [][]Cell{{{}}}}, "Columns has 2 headings, must have 1"},
		{Figure{Rows: []string{"a", "b"}, Cells: [][]Cell{{{}}}}, "Rows has 2 headings, must have 1"},
		{Figure{Cells: [][]Cell{{{}}, {{}, {}}}}, "Cells[1] has 2 cells, must have 1"},
		{Figure{Rows: []string{"deer"}, Cells: [][]Cell{{{Picture: plain(0, 5)}}}}, "the picture of deer, column 0 has no pixels"},
		{Figure{Size: -1, Cells: [][]Cell{{{}}}}, "Size is -1, must be at least 0"},
		{Figure{Cells: [][]Cell{{{}}}, Legends: []Legend{{}}}, "Legend.Span is 0, must be at least 1"},
		{Figure{Cells: [][]Cell{{{}}}, Legends: []Legend{{Span: 2}}}, "Legends is under 2 columns, must be under all 1"},
		{many(2001), "2001 pictures, must have at most 2000"},
	} {
		if _, err := c.f.HTML(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("error %v, want one that says %q", err, c.says)
		}
		if err := c.f.Show(); err == nil {
			t.Errorf("%q: shown", c.says)
		}
	}
}

func many(n int) (f Figure) {
	for range n {
		f.Cells = append(f.Cells, []Cell{{Picture: plain(1, 1)}})
	}
	return f
}

func TestHeadingBreaks(t *testing.T) {
	for in, want := range map[string]string{
		"short(a,b)":                         "short(a,b)",
		"SmoothGrad(N=50,σ=0.15·range) of x": "SmoothGrad<wbr/>(N=<wbr/>50,<wbr/>σ=<wbr/>0.15·<wbr/>range) of x",
		"two\nlines":                         "two<br/>lines",
	} {
		if got := heading(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// method replaces a saliency method: its String is the caption.
type method struct{ n int }

func (m method) String() string { return "SmoothGrad(N=" + strconv.Itoa(m.n) + ")" }

func TestGrid(t *testing.T) {
	m, x := noise(1, 3, 8, 8, 3)
	g := Grid{Title: "Three", Images: x, Rows: []string{"deer\np=0.9", "dog", "cat"}, Columns: []Column{
		{Name: method{50}, Maps: m},
		{Name: "again", Maps: m},
		{Name: "more", Maps: m, Style: &Style{Signed: true, Palette: Grey}},
		{Name: "copy", Images: x},
		{Name: .15, Maps: m},
		{Name: "over the image", Maps: m, Style: &Style{Palette: Overlay}},
	}}
	html, err := html(g.Figure())
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, html)
	if got.count["tr"] != 1+3+1 || got.count["th"] != 8+3 || len(got.pictures) != 3*7+4 {
		t.Errorf("%v, %d pictures", got.count, len(got.pictures))
	}
	for _, want := range []string{"Three", "image", "SmoothGrad(N=50)", "again", "0.15", "deerp=0.9"} {
		if !strings.Contains(got.text, want) {
			t.Errorf("no %q in %s", want, got.text)
		}
	}
	if alt := got.pictures[1].alt; !strings.HasPrefix(alt, "deer p=0.9, SmoothGrad(N=50): 0 to ") {
		t.Errorf("alt %q", alt)
	}
	f, err := g.Figure()
	if err != nil {
		t.Fatal(err)
	}
	var spans []int
	for _, l := range f.Legends {
		spans = append(spans, l.Span)
	}
	if fmt.Sprint(spans) != "[1 2 1 1 1 1]" || f.Legends[0].Bar != nil || f.Legends[1].Bar == nil {
		t.Errorf("legends %v under %v columns", f.Legends, spans)
	}
	// The picture in a cell is the style's.
	for i := range 3 {
		want, _ := Style{Signed: true, Palette: Grey}.Draw(m, i, x)
		if d := difference(f.Cells[i][3].Picture, want.Picture); d != 0 {
			t.Errorf("map %d differs by %d", i, d)
		}
		want, _ = Style{Palette: Overlay}.Draw(m, i, x)
		if d := difference(f.Cells[i][6].Picture, want.Picture); d != 0 {
			t.Errorf("the overlay of map %d differs by %d", i, d)
		}
		photograph, _ := x.Image(i)
		if d := difference(f.Cells[i][0].Picture, photograph); d != 0 {
			t.Errorf("image %d differs by %d", i, d)
		}
	}
}

// A map with a NaN leaves a cell that says so, an error, and the rest.
func TestGridWithNaN(t *testing.T) {
	m, x := noise(1, 3, 8, 8, 3)
	m.Pix[2*192+(4*8+6)*3+2] = math.NaN()
	html, err := html(Grid{Images: x, Columns: []Column{{Name: "gradient", Maps: m}}}.Figure())
	if err == nil || !strings.Contains(err.Error(), `column "gradient": map 2 is NaN at row 4, column 6, channel 2`) {
		t.Errorf("error %v", err)
	}
	got := read(t, html)
	if len(got.pictures) != 3+2+1 || !strings.Contains(got.text, "not drawn: map 2 is NaN") {
		t.Errorf("%d pictures, text %s", len(got.pictures), got.text)
	}
}

func TestGridErrors(t *testing.T) {
	m, x := noise(1, 3, 8, 8, 3)
	m2, x2 := noise(1, 2, 8, 8, 3)
	broken := x
	broken.Pix = x.Pix[1:]
	for _, c := range []struct {
		g    Grid
		says string
	}{
		{Grid{}, "show: Grid has neither Images nor Columns"},
		{Grid{Images: broken}, "show: column \"image\" of a Grid: 3 images of 8×8×3"},
		{Grid{Images: x, Columns: []Column{{Name: "g", Maps: m2}}}, `show: column "g" of a Grid: it has 2 rows, must have 3`},
		{Grid{Columns: []Column{{Name: "g", Maps: m2}, {Name: "h", Maps: m}}}, `column "h" of a Grid: it has 3 rows, must have 2`},
		{Grid{Images: x, Columns: []Column{{Name: "g"}}}, `column "g" of a Grid: it has neither`},
		{Grid{Images: x, Columns: []Column{{Name: "g", Maps: m, Images: x}}}, `column "g" of a Grid: it has both`},
		{Grid{Images: x2, Columns: []Column{{Name: "g", Images: broken}}}, `column "g" of a Grid: it has 3 rows`},
		{Grid{Images: x, Columns: []Column{{Name: "g", Images: broken}}}, `column "g" of a Grid: 3 images`},
		{Grid{Images: x, Rows: []string{"a"}}, "show: Grid.Rows has 1 headings, must have 3"},
		{Grid{Images: x, Style: Style{Clip: 200}, Columns: []Column{{Name: "g", Maps: m}}}, `show: column "g" of a Grid: Style.Clip is 200, must`},
		{Grid{Images: x, Columns: []Column{{Name: "g", Maps: m, Style: &Style{Palette: 7}}}}, `column "g" of a Grid: Style.Palette is Palette(7), must`},
	} {
		if _, err := html(c.g.Figure()); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("error %v, want one that says %q", err, c.says)
		}
		if err := c.g.Show(); err == nil {
			t.Errorf("%q: shown", c.says)
		}
	}
}

func TestPictures(t *testing.T) {
	for _, c := range []struct{ n, across, rows, columns int }{
		{1, 0, 1, 1}, {8, 0, 1, 8}, {9, 0, 2, 5}, {16, 0, 2, 8}, {17, 0, 3, 6}, {5, 2, 3, 2}, {3, 10, 1, 3},
	} {
		_, x := noise(1, c.n, 4, 4, 1)
		captions := make([]string, c.n)
		for i := range captions {
			captions[i] = fmt.Sprint("no. ", i)
		}
		f, err := Pictures{Images: x, Across: c.across, Captions: captions}.Figure()
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Cells) != c.rows || len(f.Cells[0]) != c.columns {
			t.Errorf("%+v: %d rows of %d", c, len(f.Cells), len(f.Cells[0]))
		}
		if last := f.Cells[(c.n-1)/c.columns][(c.n-1)%c.columns]; last.Picture == nil || last.Caption != captions[c.n-1] {
			t.Errorf("%+v: last %+v", c, last)
		}
		html, err := f.HTML()
		if err != nil || len(read(t, html).pictures) != c.n {
			t.Errorf("%+v: %v", c, err)
		}
	}
	_, x := noise(1, 2, 4, 4, 1)
	_, two := noise(1, 2, 4, 4, 2)
	for _, c := range []struct {
		p    Pictures
		says string
	}{
		{Pictures{}, "no images"}, {Pictures{Images: x, Captions: []string{"a"}}, "show: Pictures: 1 captions under 2 images"},
		{Pictures{Images: x, Across: -1}, "show: Pictures.Across is -1"}, {Pictures{Images: two}, "2 channels"},
	} {
		if err := c.p.Show(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("error %v, want one that says %q", err, c.says)
		}
	}
}

// Any text makes a well-formed figure, in HTML and as lines.
func FuzzFigure(f *testing.F) {
	f.Add(nasty, "a\u200bb", "SmoothGrad(N=50,σ=0.15·range)")
	f.Fuzz(func(t *testing.T, title, head, caption string) {
		figure := Figure{Size: 1, Title: title, Columns: []string{head}, Rows: []string{head}, Cells: [][]Cell{{{Caption: caption, Note: head, Picture: plain(1, 1)}}}}
		html, err := figure.HTML()
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, html); len(got.pictures) != 1 || got.count["td"] != 1 {
			t.Errorf("%v in %s", got.count, html)
		}
		if lines := strings.Count(figure.String(), "\n"); lines > 2 {
			t.Errorf("%d lines: %q", lines+1, figure.String())
		}
	})
}

func ExampleTable() {
	Table{
		Title: "Share of the map on the object", Corner: "method", Columns: []string{"deer", "dog"}, Rows: []string{"gradient", "SmoothGrad"},
		Cells: [][]any{{.412345, .5}, {.47, 3}},
	}.Show()
	// Output:
	// Share of the map on the object
	// method      deer    dog
	// gradient    0.4123  0.5
	// SmoothGrad  0.47    3
}

func ExampleGrid() {
	x := interp.Images{N: 1, H: 1, W: 2, C: 1, Pix: []float64{0, 1}}
	gradient := interp.Maps{Images: interp.Images{N: 1, H: 1, W: 2, C: 1, Pix: []float64{-2, 2}}}
	Grid{
		Title: "What the network looks at", Images: x, Rows: []string{"deer"}, Style: Style{Signed: true},
		Columns: []Column{{Name: "gradient", Maps: gradient}},
	}.Show()
	// Output:
	// What the network looks at
	//       image      gradient
	// deer  [picture]  [±2]
}

func ExampleProgress() {
	p := Progress{Title: "training", Total: 3}
	defer p.Close()
	for step := range 3 {
		p.Set(step+1, "loss 0.1")
	}
	// Output: training: 3 of 3 · loss 0.1 · 0.0 s
}

// A picture that has no headings is named by its caption to those who do not see it.
func TestAltIsTheCaption(t *testing.T) {
	_, x := noise(1, 2, 8, 8, 3)
	f, err := Pictures{Images: x, Captions: []string{"first\nof two", ""}}.Figure()
	if err != nil {
		t.Fatal(err)
	}
	html, err := f.HTML()
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, html).pictures
	if got[0].alt != "first of two" || got[1].alt != "row 0, column 1" {
		t.Errorf("alt %q and %q", got[0].alt, got[1].alt)
	}
	if !strings.Contains(html, "table-layout:fixed") {
		t.Errorf("columns may differ in width: %s", html[:200])
	}
}
