package show

import (
	"errors"
	"fmt"
	"slices"

	"lucigo/interp"
)

// Grid is a figure with a row for every image and a column for every method that looked at them.
type Grid struct {
	Title   string
	Images  interp.Images // the first column, and what Overlay lies on; empty for none
	Rows    []string      // an image's heading: its class, its probability; nil for none
	Columns []Column
	Style   Style // of all columns that have no other
	Size    int   // of a picture, as in Figure
}

// Column is a column of a grid: maps of every image, or images.
type Column struct {
	Name   any // the heading, printed by fmt: a method's String names its parameters
	Maps   interp.Maps
	Images interp.Images // shown where there are no Maps
	Style  *Style        // nil means the grid's
}

// Show displays the grid. A map that cannot be drawn, because it holds a NaN, leaves a cell that says so,
// and is also the error, after everything else is shown.
func (g Grid) Show() error {
	f, problems := g.Figure()
	if f.Cells == nil {
		return problems
	}
	return errors.Join(f.Show(), problems)
}

// HTML returns the grid as a table, with a cell that says so for every map that cannot be drawn.
func (g Grid) HTML() (string, error) {
	f, problems := g.Figure()
	if f.Cells == nil {
		return "", problems
	}
	page, err := f.HTML()
	return page, errors.Join(err, problems)
}

// Figure returns the grid as a figure. It has no Cells if the parts of the grid do not fit; maps that
// cannot be drawn leave a cell with the reason and are in the error.
func (g Grid) Figure() (Figure, error) {
	n, err := g.check()
	if err != nil {
		return Figure{}, err
	}
	f := Figure{Title: g.Title, Rows: g.Rows, Size: g.Size, Cells: make([][]Cell, n)}
	columns := g.Columns
	if g.Images.N > 0 {
		columns = append([]Column{{Name: "image", Images: g.Images}}, columns...)
	}
	var problems []error
	var before *Style // of the column before, where it has one
	for j, c := range columns {
		f.Columns = append(f.Columns, fmt.Sprint(c.Name))
		style := c.style(g)
		for i := range n {
			cell, err := c.cell(i, style, g.Images)
			if err != nil {
				cell = Cell{Caption: "not drawn: " + err.Error()}
				problems = append(problems, fmt.Errorf("column %q: %w", f.Columns[j], err))
			}
			f.Cells[i] = append(f.Cells[i], cell)
		}
		switch {
		case c.Maps.N == 0:
			f.Legends, before = append(f.Legends, Legend{Span: 1}), nil
		case before != nil && *before == style:
			f.Legends[len(f.Legends)-1].Span++
		default:
			f.Legends, before = append(f.Legends, style.Legend(1)), &style
		}
	}
	if !slices.ContainsFunc(f.Legends, func(l Legend) bool { return l.Bar != nil }) {
		f.Legends = nil
	}
	return f, errors.Join(problems...)
}

func (c Column) style(g Grid) Style {
	if c.Style != nil {
		return *c.Style
	}
	return g.Style
}

func (c Column) cell(i int, style Style, under interp.Images) (Cell, error) {
	if c.Maps.N > 0 {
		return style.Draw(c.Maps, i, under)
	}
	m, err := c.Images.Image(i)
	return Cell{Picture: m}, err
}

// check returns the number of rows.
func (g Grid) check() (int, error) {
	n, first := g.Images.N, "Images"
	if n > 0 {
		if err := g.Images.Check(); err != nil {
			return 0, fmt.Errorf("a grid's Images: %w", err)
		}
	}
	for _, c := range g.Columns {
		name := fmt.Sprintf("column %q", fmt.Sprint(c.Name))
		held := max(c.Maps.N, c.Images.N)
		switch {
		case c.Maps.N > 0 && c.Images.N > 0:
			return 0, fmt.Errorf("%s of a grid has both Maps and Images; make it two columns", name)
		case held < 1:
			return 0, fmt.Errorf("%s of a grid has neither Maps nor Images", name)
		case n > 0 && held != n:
			return 0, fmt.Errorf("%s of a grid has %d rows, and %s %d", name, held, first, n)
		}
		if c.Images.N > 0 {
			if err := c.Images.Check(); err != nil {
				return 0, fmt.Errorf("%s of a grid: %w", name, err)
			}
		}
		if err := c.style(g).check(); err != nil {
			return 0, fmt.Errorf("%s of a grid: %w", name, err)
		}
		if n == 0 {
			n, first = held, name
		}
	}
	if n == 0 {
		return 0, errors.New("a grid without images and columns")
	}
	if g.Rows != nil && len(g.Rows) != n {
		return 0, fmt.Errorf("a grid has %d row headings for %d images", len(g.Rows), n)
	}
	return n, nil
}
