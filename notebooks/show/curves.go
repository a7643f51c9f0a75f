package show

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"
	"strings"

	"lucigo/interp"
	"lucigo/notebooks/internal/number"
)

// Curves is a figure of numbers against another: accuracy against the radius of an attack. Lines carry their names at their
// ends. It is a picture with its words inside, dark on white, so that it reads the same wherever it is shown; the numbers are
// in its alternative text.
type Curves struct {
	Title string
	X, Y  string // what the axes are, with their units
	Lines []Curve
	Size  int // of the picture, as in Figure; 0 is 600
}

// Curve is a line of Curves.
type Curve struct {
	Name      string
	X, Y      []float64 // its points, from left to right
	Low, High []float64 // an interval around each Y, drawn as a band; nil for none
	Bold      bool      // what matters most: wide and black
	Steps     bool      // Y is the number up to its X, and the next one's beyond: drawn as steps
	Dots      bool      // the points alone, as of numbers from elsewhere
}

// stepped returns the corners of a curve's steps; the curve itself where it has none.
func (c Curve) stepped() Curve {
	if !c.Steps {
		return c
	}
	s := c
	s.X, s.Y, s.Low, s.High = nil, nil, nil, nil
	for i := range c.X {
		for _, x := range c.X[max(i-1, 0) : i+1] {
			s.X, s.Y = append(s.X, x), append(s.Y, c.Y[i])
			if c.Low != nil {
				s.Low, s.High = append(s.Low, c.Low[i]), append(s.High, c.High[i])
			}
		}
	}
	return s
}

// hues are those of lines that are not bold: dark enough for words on white.
var hues = []color.RGBA{
	{0, 104, 171, 255}, {184, 72, 0, 255}, {0, 120, 88, 255}, {158, 60, 132, 255},
	{128, 100, 0, 255}, {84, 84, 190, 255}, {100, 100, 100, 255},
}

// Show displays the curves.
func (c Curves) Show() error { return show(c.Figure()) }

// Figure returns the curves as a figure of one picture. Numbers that are shares have an axis from 0 to 1.
func (c Curves) Figure() (Figure, error) {
	if err := c.check(); err != nil {
		return Figure{}, err
	}
	size := cmp.Or(c.Size, 600)
	return Figure{Title: c.Title, Size: size, Cells: [][]Cell{{{Picture: c.draw(size * dense), Note: c.words()}}}}, nil
}

func (c Curves) check() error {
	const most = 20
	switch {
	case len(c.Lines) == 0 || len(c.Lines) > most:
		return fmt.Errorf("show: Curves: Lines has %d curves, must have 1 to %d", len(c.Lines), most)
	case c.Size != 0 && (c.Size < 200 || c.Size > 2000):
		return fmt.Errorf("show: Curves: Size is %d, must be 0 or from 200 to 2000", c.Size)
	}
	for _, l := range c.Lines {
		switch {
		case len(l.X) == 0 || len(l.Y) != len(l.X):
			return fmt.Errorf("show: Curves: %q has %d X and %d Y, must have as many, and at least one", l.Name, len(l.X), len(l.Y))
		case len(l.Low) != len(l.High) || l.Low != nil && len(l.Low) != len(l.X):
			return fmt.Errorf("show: Curves: %q has %d Low and %d High, must have one for each of %d points, or none",
				l.Name, len(l.Low), len(l.High), len(l.X))
		case slices.ContainsFunc(slices.Concat(l.X, l.Y, l.Low, l.High), interp.NotFinite):
			return fmt.Errorf("show: Curves: %q has a number that is not finite", l.Name)
		}
		for i := range l.X[1:] {
			if l.X[i+1] <= l.X[i] {
				return fmt.Errorf("show: Curves: %q has X %g after %g, must go from left to right", l.Name, l.X[i+1], l.X[i])
			}
		}
		for i := range l.Low {
			if l.Low[i] > l.Y[i] || l.High[i] < l.Y[i] {
				return fmt.Errorf("show: Curves: %q is %g at %g, which is not between Low %g and High %g", l.Name, l.Y[i], l.X[i], l.Low[i], l.High[i])
			}
		}
	}
	return nil
}

// words are the numbers.
func (c Curves) words() string {
	var lines []string
	for _, l := range c.Lines {
		lines = append(lines, l.words())
	}
	return c.Y + " against " + c.X + ". " + strings.Join(lines, "; ")
}

func (c Curve) words() string {
	var at []string
	for i, x := range c.X {
		at = append(at, number.Text(c.Y[i], 3)+" at "+number.Text(x, 3))
	}
	return c.Name + ": " + strings.Join(at, ", ")
}

// draw draws the curves w pixels wide.
func (c Curves) draw(w int) image.Image {
	const line = 1.3 * textSize * dense
	dark, grid := color.RGBA{40, 40, 40, 255}, color.RGBA{225, 225, 225, 255}
	p := newPlot(w, w*3/5)
	x, y := c.ranges()
	across, up := c.places(x), ticks(y[0], y[1])
	left, names := 0.0, 0.0
	for _, v := range up {
		left = max(left, width(number.Text(v, 4)))
	}
	for _, l := range c.Lines {
		names = max(names, width(l.Name))
	}
	names = min(names, .45*float64(w))
	left, top := left+line*.6, 1.5*line
	right, bottom := float64(w)-names-1.6*line, float64(p.Rect.Dy())-2.5*line
	at := func(u, v float64) point {
		return point{left + (u-x[0])/(x[1]-x[0])*(right-left), bottom - (v-y[0])/(y[1]-y[0])*(bottom-top)}
	}
	for _, v := range up {
		s, h := number.Text(v, 4), at(0, v).y
		p.line(point{left, h}, point{right, h}, dense, grid)
		p.write(s, left-width(s)-.3*line, h+.27*line, dark)
	}
	free := math.Inf(-1) // to the right of which there is room for a number
	for _, u := range across {
		s, h := number.Text(u, 3), at(u, 0).x
		p.line(point{h, bottom}, point{h, bottom + .2*line}, dense, dark)
		if from := h - width(s)/2; from > free {
			p.write(s, from, bottom+1.05*line, dark)
			free = from + width(s) + .3*line
		}
	}
	p.line(point{left, bottom}, point{right, bottom}, dense, dark)
	p.write(fits(c.Y, float64(w)), .2*line, .9*line, dark)
	p.write(fits(c.X, right-left), (left+right-width(fits(c.X, right-left)))/2, float64(p.Rect.Dy())-.35*line, dark)

	var ends []float64
	colours := make([]color.RGBA, len(c.Lines))
	plain := 0
	for i, l := range c.Lines {
		colours[i] = color.RGBA{0, 0, 0, 255}
		if !l.Bold {
			colours[i] = hues[plain%len(hues)]
			plain++
		}
		ends = append(ends, at(0, l.Y[len(l.Y)-1]).y)
	}
	for i, l := range c.Lines { // under all lines
		l = l.stepped()
		var low, high []point
		for k := range l.Low {
			low, high = append(low, at(l.X[k], l.Low[k])), append(high, at(l.X[k], l.High[k]))
		}
		p.band(low, high, colours[i])
	}
	labels := apart(ends, line, top, bottom)
	for _, bold := range []bool{false, true} { // the bold ones on top
		for i, l := range c.Lines {
			if l.Bold != bold {
				continue
			}
			l = l.stepped()
			wide := map[bool]float64{false: 2, true: 4}[bold] * dense
			for k, u := range l.X {
				a := at(u, l.Y[k])
				if !l.Steps {
					p.line(a, a, wide+3*dense, colours[i])
				}
				if k > 0 && !l.Dots {
					p.line(at(l.X[k-1], l.Y[k-1]), a, wide, colours[i])
				}
			}
			last := at(l.X[len(l.X)-1], l.Y[len(l.Y)-1])
			p.line(last, point{right + 1.1*line, labels[i]}, 1, colours[i])
			s, from := fits(l.Name, names), right+1.3*line
			p.write(s, from, labels[i]+.27*line, colours[i])
			if bold {
				p.write(s, from+1, labels[i]+.27*line, colours[i])
			}
		}
	}
	return p.RGBA
}

// ranges are the ends of the axes.
func (c Curves) ranges() (x, y [2]float64) {
	x, y = [2]float64{math.Inf(1), math.Inf(-1)}, [2]float64{0, 1}
	for _, l := range c.Lines {
		x = [2]float64{min(x[0], l.X[0]), max(x[1], l.X[len(l.X)-1])}
		for _, v := range slices.Concat(l.Y, l.Low, l.High) {
			y = [2]float64{min(y[0], v), max(y[1], v)}
		}
	}
	if x[0] == x[1] {
		x = [2]float64{x[0] - .5, x[1] + .5}
	}
	return x, y
}

// places are where the horizontal axis has numbers: at the points, where there are few.
func (c Curves) places(x [2]float64) (all []float64) {
	for _, l := range c.Lines {
		all = append(all, l.X...)
	}
	slices.Sort(all)
	if all = slices.Compact(all); len(all) > 12 {
		return ticks(x[0], x[1])
	}
	return all
}

// Matrix is a figure of shares, of which each has a row and a column: how many images that were made with the network of a row
// fool that of a column. A tile is the redder the larger the share; a strip at its right is a second share, the control.
type Matrix struct {
	Title         string
	Corner        string // above the row headings, says what rows and columns are
	Rows, Columns []string
	Shares        [][]float64 // row by row, from 0 to 1; NaN where there is none
	What          string      // they are shares of
	Controls      [][]float64 // as many; nil for none
	Control       string      // what they are
	Size          int         // of a tile, as in Figure; 0 is 112 at most
}

// Show displays the matrix.
func (m Matrix) Show() error { return show(m.Figure()) }

// Figure returns the matrix as a figure, with both shares under each tile.
func (m Matrix) Figure() (Figure, error) {
	f := Figure{Title: m.Title, Corner: m.Corner, Rows: m.Rows, Columns: m.Columns, Size: m.Size}
	if len(m.Shares) == 0 || len(m.Shares) != len(m.Rows) {
		return Figure{}, fmt.Errorf("show: Matrix has %d rows of Shares and %d Rows, must have as many, and at least one",
			len(m.Shares), len(m.Rows))
	}
	for i, row := range m.Shares {
		fits := len(row) == len(m.Columns) && (m.Controls == nil || len(m.Controls) == len(m.Shares) && len(m.Controls[i]) == len(row))
		if !fits {
			return Figure{}, errors.New("show: Matrix.Shares and Controls have rows of other lengths than Columns, must have a number for each")
		}
		var cells []Cell
		for j, v := range row {
			values := []float64{v}
			if m.Controls != nil {
				values = append(values, m.Controls[i][j])
			}
			cell, err := m.tile(values)
			if err != nil {
				return Figure{}, fmt.Errorf("show: Matrix, row %q, column %q: %w", m.Rows[i], m.Columns[j], err)
			}
			cells = append(cells, cell)
		}
		f.Cells = append(f.Cells, cells)
	}
	f.Size = cmp.Or(m.Size, min(f.size(), 112))
	bar := image.NewPaletted(image.Rect(0, 0, levels, 12), ramp(diverging).table(false))
	for i := range bar.Pix {
		bar.Pix[i] = uint8(i % levels)
	}
	note := m.What
	if m.Controls != nil {
		note += "; the strip at the right: " + m.Control
	}
	f.Legends = []Legend{{Span: len(m.Columns), Bar: bar, Low: "0", High: "1", Note: note}}
	return f, nil
}

// tile is a square of the first share's colour, with a strip of the second's.
func (m Matrix) tile(values []float64) (Cell, error) {
	if math.IsNaN(values[0]) {
		return Cell{Caption: "no images"}, nil
	}
	const size, border = 112, 1
	strip := size
	caption := fmt.Sprintf("%.2f", values[0])
	if len(values) > 1 {
		strip = size * 3 / 4
		caption += fmt.Sprintf("\n%s\u00a0%.2f", m.Control, values[1])
	}
	t := image.NewRGBA(image.Rect(0, 0, size, size))
	for _, v := range values {
		if !(v >= 0 && v <= 1) {
			return Cell{}, fmt.Errorf("the share is %g, must be from 0 to 1", v)
		}
	}
	for i := range size * size {
		x, y := i%size, i/size
		c := diverging(values[min(x/strip, len(values)-1)])
		if min(x, y) < border || max(x, y) >= size-border || x == strip {
			c = color.RGBA{128, 128, 128, 255}
		}
		t.SetRGBA(x, y, c)
	}
	return Cell{Picture: t, Caption: caption}, nil
}
