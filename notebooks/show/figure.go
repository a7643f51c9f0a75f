// Package show draws figures in a notebook: tables of pictures and numbers, as HTML that needs no style sheet and no
// script, so that notebooks that are not trusted show it too.
//
//	must.M(show.Grid{Images: x, Rows: names, Columns: []show.Column{
//		{Name: method, Maps: must.M1(method.Maps(ctx, m, x))},
//	}}.Show())
//
// A [Grid] puts images and their maps side by side, [Pictures] images alone, a [Table] numbers, and each
// is a [Figure], which a notebook can also fill cell by cell. Outside a notebook figures are written as
// text to standard output. Errors name the type and the field that is wrong.
package show

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"lucigo/interp"
	"lucigo/notebooks/internal/cell"
)

const (
	pageWidth   = 960  // pixels that a figure's pictures share
	padding     = 4    // around each
	largestSize = 224  // pixels of a picture's width, where there is room
	least       = 48   // the same, however many columns there are
	narrow      = 80   // the same, where the page is narrow; less where there are many columns
	maxPictures = 2000 // of one figure, so that a mistake does not stop the browser
)

// Figure is a table of pictures and texts. A line break in a text breaks the line.
type Figure struct {
	Title   string   // above it; "" for none
	Corner  string   // above the row headings, says what they are
	Columns []string // headings, nil for none
	Rows    []string // headings, nil for none
	Cells   [][]Cell // row by row, each row of the same width
	Legends []Legend // the last row; nil for none

	// Size is the width in pixels at which pictures are shown; 0 chooses what lets the figure fit a
	// laptop's notebook, at most 224. Pictures of at most half of it are enlarged by a whole factor,
	// pixel by pixel, larger ones are reduced by the browser.
	Size int
}

// Cell is a place in a figure: a picture, a text, or a picture with a text underneath.
type Cell struct {
	Picture image.Image
	Caption string
	Note    string // about the picture: read out to those who cannot see it, shown under the mouse
}

// Legend explains colours under one or more columns: a bar from Low to High.
type Legend struct {
	Span      int // columns it is under, at least 1
	Bar       image.Image
	Low, High string
	Note      string
}

// Show displays the figure and waits until the notebook has it.
func (f Figure) Show() error { return show(f, nil) }

// show displays a figure that was made without an error.
func show(f Figure, err error) error {
	if err != nil {
		return err
	}
	page, err := f.HTML()
	if err != nil {
		return err
	}
	return cell.Display(cell.Output{HTML: page, Text: f.String()})
}

// HTML returns the figure as a table, well-formed, with its pictures inside.
func (f Figure) HTML() (string, error) {
	if err := f.check(); err != nil {
		return "", err
	}
	place, head := f.alignment(), f.headWidth()
	var b page
	b.add(`<table border="0" cellspacing="0" cellpadding="%d"%s>`, padding, f.layout(head))
	if f.Title != "" {
		b.add(`<caption><b>%s</b></caption>`, text(f.Title))
	}
	if f.Columns != nil {
		b.add(`<thead><tr>`)
		if f.Rows != nil {
			b.add(`<th align="left" valign="bottom" style="text-align:left;width:%dpx">%s</th>`, head, text(f.Corner))
		}
		for _, name := range f.Columns {
			b.add(`<th scope="col"%svertical-align:bottom" valign="bottom">%s</th>`, place, heading(name))
		}
		b.add(`</tr></thead>`)
	}
	b.add(`<tbody>`)
	for i, row := range f.Cells {
		b.add(`<tr>`)
		if f.Rows != nil {
			b.add(`<th scope="row" align="left" style="text-align:left;width:%dpx%s">%s</th>`, head, f.stay(head), heading(f.Rows[i]))
		}
		for j, c := range row {
			wrap := ""
			if c.Picture == nil && utf8.RuneCountInString(c.Caption) <= 24 { // a number and its interval stay on one line
				wrap = "white-space:nowrap;"
			}
			b.add(`<td%s%svertical-align:top" valign="top">`, place, wrap)
			if c.Picture != nil {
				b.picture(c, f.size(), f.place(i, j))
			}
			if c.Picture != nil && c.Caption != "" {
				b.add(`<br/>`)
			}
			b.add(`%s</td>`, text(c.Caption))
		}
		b.add(`</tr>`)
	}
	b.add(`</tbody>`)
	f.foot(&b)
	b.add(`</table>`)
	return b.String(), b.problem
}

// String is the figure in plain text, with its pictures' notes in place of them.
func (f Figure) String() string {
	var b strings.Builder
	if f.Title != "" {
		fmt.Fprintln(&b, oneLine(f.Title))
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(head string, texts []string) {
		if f.Rows != nil {
			texts = append([]string{head}, texts...)
		}
		for i, s := range texts {
			texts[i] = oneLine(s)
		}
		fmt.Fprintln(w, strings.Join(texts, "\t"))
	}
	if f.Columns != nil {
		line(f.Corner, slices.Clone(f.Columns))
	}
	for i, row := range f.Cells {
		var texts []string
		for _, c := range row {
			s := c.Caption
			if c.Picture != nil {
				s = "[" + cmp.Or(oneLine(c.Note), "picture") + "] " + s
			}
			texts = append(texts, s)
		}
		head := ""
		if i < len(f.Rows) {
			head = f.Rows[i]
		}
		line(head, texts)
	}
	w.Flush()
	lines := strings.Split(b.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

func (f Figure) check() error {
	if len(f.Cells) == 0 || len(f.Cells[0]) == 0 {
		return errors.New("show: Figure.Cells is empty, must have at least one cell")
	}
	width, pictures, span := len(f.Cells[0]), 0, 0
	for _, l := range f.Legends {
		if l.Span < 1 {
			return fmt.Errorf("show: Legend.Span is %d, must be at least 1", l.Span)
		}
		span += l.Span
	}
	switch {
	case f.Columns != nil && len(f.Columns) != width:
		return fmt.Errorf("show: Figure.Columns has %d headings, must have %d, one for each column", len(f.Columns), width)
	case f.Rows != nil && len(f.Rows) != len(f.Cells):
		return fmt.Errorf("show: Figure.Rows has %d headings, must have %d, one for each row", len(f.Rows), len(f.Cells))
	case f.Size < 0:
		return fmt.Errorf("show: Figure.Size is %d, must be at least 0", f.Size)
	case f.Legends != nil && span != width:
		return fmt.Errorf("show: Figure.Legends is under %d columns, must be under all %d", span, width)
	}
	for i, row := range f.Cells {
		if len(row) != width {
			return fmt.Errorf("show: Figure.Cells[%d] has %d cells, must have %d, as Cells[0] has", i, len(row), width)
		}
		for j, c := range row {
			if c.Picture == nil {
				continue
			}
			pictures++
			if c.Picture.Bounds().Empty() {
				return fmt.Errorf("show: the picture of %s has no pixels", f.place(i, j))
			}
		}
	}
	if pictures > maxPictures {
		return fmt.Errorf("show: Figure.Cells has %d pictures, must have at most %d", pictures, maxPictures)
	}
	return nil
}

// place names a cell by its headings, or else by its caption, or by its numbers where it has none.
func (f Figure) place(i, j int) string {
	if caption := oneLine(f.Cells[i][j].Caption); f.Rows == nil && f.Columns == nil && caption != "" {
		return caption
	}
	row, column := fmt.Sprint("row ", i), fmt.Sprint("column ", j)
	if f.Rows != nil {
		row = oneLine(f.Rows[i])
	}
	if f.Columns != nil {
		column = oneLine(f.Columns[j])
	}
	return row + ", " + column
}

func (f Figure) hasPictures() bool {
	return slices.ContainsFunc(f.Cells, func(row []Cell) bool {
		return slices.ContainsFunc(row, func(c Cell) bool { return c.Picture != nil })
	})
}

// alignment sets numbers to the right, and pictures in the middle of columns of one width: attributes of a
// cell, of which the style is left open. (Jupyter's style sheets overrule valign, but not a style.) The attribute
// counts where styles are stripped, and layout where they are not.
func (f Figure) alignment() string {
	if f.hasPictures() {
		return fmt.Sprintf(` width="%d" align="center" style="text-align:center;width:auto;`, f.size()+2*padding)
	}
	return ` align="right" style="text-align:right;`
}

// stay keeps the headings of a table's rows in sight while the rest scrolls, and as wide as most of them need.
func (f Figure) stay(head int) string {
	if f.hasPictures() {
		return ""
	}
	longest := 0
	for _, s := range f.Rows {
		longest = max(longest, utf8.RuneCountInString(s))
	}
	return fmt.Sprintf(";min-width:%dpx;position:sticky;left:0;background:var(--jp-layout-color0,#fff)", max(head, min(7*longest, 240)))
}

// layout gives all columns of pictures one width, however long their headings are: that for which there is room on the
// page, down to narrow pictures. A page that is narrower yet scrolls.
func (f Figure) layout(head int) string {
	if !f.hasPictures() {
		return ""
	}
	const space = 8 // around each picture, in Jupyter's style sheets
	width := func(picture int) int { return head + len(f.Cells[0])*(picture+2*space) }
	return fmt.Sprintf(` style="table-layout:fixed;width:%dpx;max-width:100%%;min-width:%dpx;overflow-wrap:break-word"`,
		width(f.size()), width(min(f.size()*5/8, narrow)))
}

// headWidth is the width of the column of row headings, whose longest word should fit.
func (f Figure) headWidth() int {
	if f.Rows == nil {
		return 0
	}
	longest := 0
	for _, s := range append(f.Rows[:len(f.Rows):len(f.Rows)], f.Corner) {
		for _, word := range strings.Fields(s) {
			longest = max(longest, utf8.RuneCountInString(word))
		}
	}
	return min(max(8*longest+16, 80), 160)
}

func (f Figure) size() int {
	if f.Size > 0 {
		return f.Size
	}
	return min(max(pageWidth/len(f.Cells[0])-2*padding, least), largestSize)
}

// foot adds the legends.
func (f Figure) foot(b *page) {
	if f.Legends == nil {
		return
	}
	b.add(`<tfoot><tr>`)
	if f.Rows != nil {
		b.add(`<td></td>`)
	}
	for _, l := range f.Legends {
		b.add(`<td colspan="%d" align="center" valign="top" style="text-align:center">`, l.Span)
		if l.Bar != nil {
			const space = "&#160;"                             // keeps the ends on the bar's line
			percent := max(min(60, 14000/f.size())/l.Span, 15) // of the columns, so that it shrinks with them
			b.add(`%s%s<img src="%s" width="%d%%" height="%d" alt="%s"/>%[2]s%[7]s<br/>`, text(l.Low), space, b.source(l.Bar, "a legend"),
				percent, l.Bar.Bounds().Dy(), cell.Escape("colours from "+l.Low+" to "+l.High), text(l.High))
		}
		b.add(`<small>%s</small></td>`, text(l.Note))
	}
	b.add(`</tr></tfoot>`)
}

// page is HTML that is being written.
type page struct {
	strings.Builder
	problem error // with the first picture that has no PNG
}

func (b *page) add(format string, args ...any) { fmt.Fprintf(b, format, args...) }

// picture adds a cell's picture, shown at most width pixels wide.
func (b *page) picture(c Cell, width int, place string) {
	m := enlarge(c.Picture, max(width/c.Picture.Bounds().Dx(), 1))
	w, h := m.Bounds().Dx(), m.Bounds().Dy()
	if w > width {
		w, h = width, max(1, int(math.Round(float64(h)*float64(width)/float64(w))))
	}
	alt := place
	if c.Note != "" {
		alt += ": " + oneLine(c.Note)
	}
	b.add(`<img src="%s" width="%d" height="%d" alt="%s" title="%[4]s" style="max-width:100%%;height:auto"/>`, b.source(m, place), w, h, cell.Escape(alt))
}

// source is a picture as an address that holds it.
func (b *page) source(m image.Image, place string) string {
	var file bytes.Buffer
	var err error
	if a, moves := m.(animation); moves {
		err = a.encode(&file)
	} else {
		err = png.Encode(&file, m)
	}
	if err != nil && b.problem == nil {
		b.problem = fmt.Errorf("show: the picture of %s: %w", place, err)
	}
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(file.Bytes())
}

// text is s as HTML.
func text(s string) string { return strings.ReplaceAll(cell.Escape(s), "\n", "<br/>") }

// heading is s as HTML that may break a long word, such as a method with its parameters, at punctuation.
func heading(s string) string {
	var b strings.Builder
	for _, word := range strings.SplitAfter(s, " ") {
		if len(word) > 10 {
			word = strings.NewReplacer("(", "\u200b(", ",", ",\u200b", "·", "·\u200b", "=", "=\u200b", "/", "/\u200b", "_", "_\u200b").Replace(word)
		}
		b.WriteString(word)
	}
	return strings.ReplaceAll(text(b.String()), "\u200b", "<wbr/>")
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// cells are images as the cells of a row, with captions underneath (nil for none), and empty ones up to width.
func cells(x interp.Images, captions []string, width int) ([]Cell, error) {
	if err := x.Check(); err != nil {
		return nil, err
	}
	if captions != nil && len(captions) != x.N {
		return nil, fmt.Errorf("%d captions under %d images", len(captions), x.N)
	}
	row := make([]Cell, max(x.N, width))
	for i := range x.N {
		m, err := x.Image(i)
		if err != nil {
			return nil, err
		}
		row[i].Picture = m
		if captions != nil {
			row[i].Caption = captions[i]
		}
	}
	return row, nil
}

// rows cuts cells into rows; the last is filled up with empty cells.
func rows(cells []Cell, across int) (out [][]Cell) {
	for row := range slices.Chunk(cells, across) {
		out = append(out, append(slices.Clip(row), make([]Cell, across-len(row))...))
	}
	return out
}

// enlarge makes every pixel a square of by × by.
func enlarge(m image.Image, by int) image.Image {
	if by == 1 {
		return m
	}
	if a, moves := m.(animation); moves {
		larger := animation{Image: enlarge(a.Image, by), each: a.each, first: a.first}
		for _, p := range a.rest {
			larger.rest = append(larger.rest, enlarge(p, by))
		}
		return larger
	}
	r := m.Bounds()
	to := image.Rect(0, 0, r.Dx()*by, r.Dy()*by)
	if p, ok := m.(*image.Paletted); ok { // stays small in a file
		out := image.NewPaletted(to, p.Palette)
		for i := range out.Pix {
			out.Pix[i] = p.ColorIndexAt(r.Min.X+i%to.Dx()/by, r.Min.Y+i/to.Dx()/by)
		}
		return out
	}
	out := image.NewNRGBA(to)
	for y := range to.Dy() {
		for x := range to.Dx() {
			out.SetNRGBA(x, y, color.NRGBAModel.Convert(m.At(r.Min.X+x/by, r.Min.Y+y/by)).(color.NRGBA))
		}
	}
	return out
}
