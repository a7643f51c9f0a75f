// Package show draws figures in a notebook: tables of pictures and numbers, as HTML that needs no style
// sheet, script or trust, and stays readable where those are taken away.
//
//	must.M(show.Grid{Images: x, Rows: names, Columns: []show.Column{
//		{Name: method, Maps: must.M1(method.Maps(ctx, m, x))},
//	}}.Show())
//
// A [Grid] puts images and their maps side by side, [Pictures] images alone, a [Table] numbers, and each
// is a [Figure], which a notebook can also fill cell by cell. Outside a notebook figures are written as
// text to standard output.
package show

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"

	"lucigo/notebooks/internal/cell"
)

const (
	pageWidth   = 960  // pixels that a figure's pictures share
	padding     = 4    // around each
	largestSize = 224  // pixels of a picture's width, where there is room
	least       = 48   // the same, however many columns there are
	maxPictures = 2000 // of one figure, so that a slip does not choke the browser
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
	// laptop's notebook, at most 224. Pictures of less than half of it are enlarged by a whole factor,
	// with hard pixels, those of more are reduced by the browser.
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
	Span      int // columns it stands under, at least 1
	Bar       image.Image
	Low, High string
	Note      string
}

// Show displays the figure and waits until the notebook has it.
func (f Figure) Show() error {
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
	place := f.alignment()
	var b strings.Builder
	b.WriteString(`<table border="0" cellspacing="0" cellpadding="` + strconv.Itoa(padding) + `">`)
	if f.Title != "" {
		fmt.Fprintf(&b, `<caption><b>%s</b></caption>`, text(f.Title))
	}
	if f.Columns != nil {
		b.WriteString(`<thead><tr>`)
		if f.Rows != nil {
			fmt.Fprintf(&b, `<th align="left" valign="bottom" style="text-align:left">%s</th>`, text(f.Corner))
		}
		for _, name := range f.Columns {
			fmt.Fprintf(&b, `<th scope="col"%svertical-align:bottom" valign="bottom">%s</th>`, place, heading(name))
		}
		b.WriteString(`</tr></thead>`)
	}
	b.WriteString(`<tbody>`)
	for i, row := range f.Cells {
		b.WriteString(`<tr>`)
		if f.Rows != nil {
			fmt.Fprintf(&b, `<th scope="row" align="left" style="text-align:left">%s</th>`, heading(f.Rows[i]))
		}
		for j, c := range row {
			fmt.Fprintf(&b, `<td%svertical-align:top" valign="top">`, place)
			if c.Picture != nil {
				if err := f.picture(&b, c, f.place(i, j)); err != nil {
					return "", err
				}
			}
			if c.Picture != nil && c.Caption != "" {
				b.WriteString(`<br/>`)
			}
			b.WriteString(text(c.Caption))
			b.WriteString(`</td>`)
		}
		b.WriteString(`</tr>`)
	}
	b.WriteString(`</tbody>`)
	if err := f.foot(&b); err != nil {
		return "", err
	}
	b.WriteString(`</table>`)
	return b.String(), nil
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
			texts = append([]string{oneLine(head)}, texts...)
		}
		fmt.Fprintln(w, strings.Join(texts, "\t"))
	}
	var names []string
	for _, name := range f.Columns {
		names = append(names, oneLine(name))
	}
	if names != nil {
		line(f.Corner, names)
	}
	for i, row := range f.Cells {
		var texts []string
		for _, c := range row {
			s := oneLine(c.Caption)
			if c.Picture != nil {
				s = strings.TrimSpace("[" + c.describe() + "] " + s)
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

func (c Cell) describe() string {
	if c.Note != "" {
		return oneLine(c.Note)
	}
	return "picture"
}

func (f Figure) check() error {
	if len(f.Cells) == 0 || len(f.Cells[0]) == 0 {
		return fmt.Errorf("a figure without cells")
	}
	width := len(f.Cells[0])
	if f.Columns != nil && len(f.Columns) != width {
		return fmt.Errorf("%d column headings over %d columns", len(f.Columns), width)
	}
	if f.Rows != nil && len(f.Rows) != len(f.Cells) {
		return fmt.Errorf("%d row headings beside %d rows", len(f.Rows), len(f.Cells))
	}
	pictures := 0
	for i, row := range f.Cells {
		if len(row) != width {
			return fmt.Errorf("row %d of the figure has %d cells, and row 0 has %d", i, len(row), width)
		}
		for j, c := range row {
			if c.Picture == nil {
				continue
			}
			pictures++
			if c.Picture.Bounds().Empty() {
				return fmt.Errorf("the picture of %s has no pixels", f.place(i, j))
			}
		}
	}
	if pictures > maxPictures {
		return fmt.Errorf("a figure of %d pictures; show at most %d at once", pictures, maxPictures)
	}
	if f.Size < 0 {
		return fmt.Errorf("a figure with pictures of Size %d", f.Size)
	}
	if f.Legends != nil {
		span := 0
		for _, l := range f.Legends {
			if l.Span < 1 {
				return fmt.Errorf("a legend under %d columns", l.Span)
			}
			span += l.Span
		}
		if span != width {
			return fmt.Errorf("legends under %d columns of %d", span, width)
		}
	}
	return nil
}

// place names a cell by its headings, or by its numbers where it has none.
func (f Figure) place(i, j int) string {
	row, column := fmt.Sprint("row ", i), fmt.Sprint("column ", j)
	if f.Rows != nil {
		row = oneLine(f.Rows[i])
	}
	if f.Columns != nil {
		column = oneLine(f.Columns[j])
	}
	return row + ", " + column
}

// alignment sets numbers to the right, and pictures in the middle of columns of one width: attributes of a
// cell, of which the style is left open. (Jupyter's style sheets overrule valign, but not a style.)
func (f Figure) alignment() string {
	for _, row := range f.Cells {
		for _, c := range row {
			if c.Picture != nil {
				return fmt.Sprintf(` width="%d" align="center" style="text-align:center;`, f.size()+2*padding)
			}
		}
	}
	return ` align="right" style="text-align:right;`
}

func (f Figure) size() int {
	if f.Size > 0 {
		return f.Size
	}
	return min(max(pageWidth/len(f.Cells[0])-2*padding, least), largestSize)
}

func (f Figure) picture(b *strings.Builder, c Cell, place string) error {
	width := f.size()
	m := enlarge(c.Picture, max(width/c.Picture.Bounds().Dx(), 1))
	src, err := source(m)
	if err != nil {
		return fmt.Errorf("the picture of %s: %w", place, err)
	}
	w, h := m.Bounds().Dx(), m.Bounds().Dy()
	if w > width {
		w, h = width, max(1, int(math.Round(float64(h)*float64(width)/float64(w))))
	}
	alt := place
	if c.Note != "" {
		alt += ": " + oneLine(c.Note)
	}
	fmt.Fprintf(b, `<img src="%s" width="%d" height="%d" alt="%s" title="%[4]s" style="max-width:100%%;height:auto"/>`, src, w, h, cell.Escape(alt))
	return nil
}

func (f Figure) foot(b *strings.Builder) error {
	if f.Legends == nil {
		return nil
	}
	b.WriteString(`<tfoot><tr>`)
	if f.Rows != nil {
		b.WriteString(`<td></td>`)
	}
	for _, l := range f.Legends {
		fmt.Fprintf(b, `<td colspan="%d" align="center" valign="top" style="text-align:center">`, l.Span)
		if l.Bar != nil {
			src, err := source(l.Bar)
			if err != nil {
				return fmt.Errorf("a legend: %w", err)
			}
			const space = "&#160;"                             // keeps the ends on the bar's line
			percent := max(min(60, 14000/f.size())/l.Span, 15) // of the columns, so that it shrinks with them
			fmt.Fprintf(b, `%s%s<img src="%s" width="%d%%" height="%d" alt="%s"/>%[2]s%[7]s<br/>`, text(l.Low), space, src,
				percent, l.Bar.Bounds().Dy(), cell.Escape("colours from "+l.Low+" to "+l.High), text(l.High))
		}
		fmt.Fprintf(b, `<small>%s</small></td>`, text(l.Note))
	}
	b.WriteString(`</tr></tfoot>`)
	return nil
}

// text is s as HTML.
func text(s string) string { return strings.ReplaceAll(cell.Escape(s), "\n", "<br/>") }

// heading is s as HTML that may break a long word, such as a method with its parameters, at punctuation.
func heading(s string) string {
	var b strings.Builder
	for _, word := range strings.SplitAfter(s, " ") {
		if len(word) > 16 {
			word = strings.NewReplacer("(", "\u200b(", ",", ",\u200b", "·", "·\u200b", "=", "=\u200b", "/", "/\u200b", "_", "_\u200b").Replace(word)
		}
		b.WriteString(word)
	}
	return strings.ReplaceAll(text(b.String()), "\u200b", "<wbr/>")
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// source is a picture as an address that holds it.
func source(m image.Image) (string, error) {
	var b bytes.Buffer
	encode := png.Encode
	if a, moves := m.(animation); moves {
		encode = func(w io.Writer, _ image.Image) error { return a.encode(w) }
	}
	if err := encode(&b, m); err != nil {
		return "", err
	}
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

// enlarge makes every pixel a square of by × by.
func enlarge(m image.Image, by int) image.Image {
	if by == 1 {
		return m
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
