package show

import (
	"cmp"
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

// Figure returns the grid as a figure. It has no Cells if the parts of the grid do not fit; maps that
// cannot be drawn leave a cell with the reason and are in the error.
func (g Grid) Figure() (Figure, error) {
	columns := g.Columns
	if g.Images.N > 0 {
		columns = append([]Column{{Name: "image", Images: g.Images}}, columns...)
	}
	if len(columns) == 0 {
		return Figure{}, errors.New("show: Grid has neither Images nor Columns, must have one of them")
	}
	n := columns[0].rows()
	if g.Rows != nil && len(g.Rows) != n {
		return Figure{}, fmt.Errorf("show: Grid.Rows has %d headings, must have %d, one for each image", len(g.Rows), n)
	}
	f := Figure{Title: g.Title, Rows: g.Rows, Size: g.Size, Cells: make([][]Cell, n)}
	var problems []error
	var before *Style // of the column before, where that has maps
	for _, c := range columns {
		name, style := fmt.Sprint(c.Name), *cmp.Or(c.Style, &g.Style)
		if err := c.check(n, style); err != nil {
			return Figure{}, fmt.Errorf("show: column %q of a Grid: %w", name, err)
		}
		f.Columns = append(f.Columns, name)
		for i := range n {
			cell, err := c.cell(i, style, g.Images)
			if err != nil {
				cell = Cell{Caption: "not drawn: " + err.Error()}
				problems = append(problems, fmt.Errorf("show: column %q: %w", name, err))
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

func (c Column) rows() int { return max(c.Maps.N, c.Images.N) }

func (c Column) cell(i int, style Style, under interp.Images) (Cell, error) {
	if c.Maps.N > 0 {
		return style.draw(c.Maps, i, under)
	}
	m, err := c.Images.Image(i)
	return Cell{Picture: m}, err
}

func (c Column) check(n int, style Style) error {
	switch {
	case c.Maps.N > 0 && c.Images.N > 0:
		return errors.New("it has both Maps and Images, must have one of them: make it two columns")
	case c.rows() < 1:
		return errors.New("it has neither Maps nor Images, must have one of them")
	case c.rows() != n:
		return fmt.Errorf("it has %d rows, must have %d, as the first column has", c.rows(), n)
	case c.Images.N > 0:
		return c.Images.Check()
	}
	return style.check()
}
