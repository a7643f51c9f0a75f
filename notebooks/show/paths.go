package show

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"lucigo/interp"
	"lucigo/interp/sanity"
)

// Paths is the figure of a check of visualisations by sanity.Paths: a row for each unit, with its pictures, the natural images that
// excite it most, the verdict, and how much the paths through the network have in common, layer by layer.
type Paths struct {
	Title   string
	Columns []string // headings of the pictures, as many as each unit has; nil for none
	Units   []PathUnit
	Size    int // of a picture, as in Figure
}

// PathUnit is a row of Paths.
type PathUnit struct {
	Name     string        // "" is the unit's layer and number
	Pictures interp.Images // of the unit, that which was checked the last
	Best     interp.Images // the natural images that excite it most; the first nine are shown
	Path     sanity.Path
}

// Show displays the figure.
func (p Paths) Show() error { return show(p.Figure()) }

// Figure returns the check as a figure.
func (p Paths) Figure() (Figure, error) {
	if len(p.Units) == 0 {
		return Figure{}, errors.New("show: Paths.Units is empty, must have at least one unit")
	}
	n := p.Units[0].Pictures.N
	f := Figure{Title: p.Title, Size: cmp.Or(p.Size, min(220, pageWidth/(n+2)-2*padding)), Columns: p.Columns}
	if f.Columns == nil {
		f.Columns = make([]string, n)
	}
	if len(f.Columns) != n {
		return Figure{}, fmt.Errorf("show: Paths.Columns has %d headings, must have one for each of %d pictures", len(p.Columns), n)
	}
	f.Columns = append(f.Columns[:n:n], "images that excite it most", "paths in common")
	for _, u := range p.Units {
		name := cmp.Or(u.Name, fmt.Sprintf("%s %d", u.Path.Layer, u.Path.Unit))
		row, err := u.row(f.Size)
		if err == nil && len(row) != len(f.Columns) {
			err = fmt.Errorf("Pictures has %d, must have %d as those before", u.Pictures.N, n)
		}
		if err != nil {
			return Figure{}, fmt.Errorf("show: Paths: %s: %w", name, err)
		}
		f.Rows, f.Cells = append(f.Rows, name), append(f.Cells, row)
	}
	f.Legends = []Legend{{Span: len(f.Columns), Note: "Paths in common: the rank correlation, over a layer's channels, of activation × gradient with that of the images that excite the unit most. " +
		"Black: the picture; blue: these images among each other; orange: the picture with images of other units, and the level that 95 % of these do not exceed."}}
	return f, nil
}

// row is the cells of a unit.
func (u PathUnit) row(size int) ([]Cell, error) {
	row, err := cells(u.Pictures, nil, 0)
	if err != nil {
		return nil, err
	}
	best, err := cells(u.Best.Slice(0, min(9, u.Best.N)), nil, 0)
	if err != nil {
		return nil, err
	}
	last := &row[len(row)-1]
	last.Caption = "It " + u.Path.Verdict.String() + "."
	shown := Unit{Name: u.Name, Patches: u.Best.Slice(0, len(best))}
	tiles, _, err := shown.tiles(false)
	if err != nil {
		return nil, err
	}
	curves, names := u.curves(size)
	if err := curves.check(); err != nil {
		return nil, err
	}
	return append(row, Cell{Picture: tiled(tiles, 3, size)}, Cell{Picture: curves.draw(size * dense * 3 / 2), Caption: names, Note: curves.words()}), nil
}

// curves are a unit's correlations, and the layers that their places stand for.
func (u PathUnit) curves(size int) (Curves, string) {
	r := u.Path
	c := Curves{X: "layer", Y: "in common", Size: max(size, 200)}
	pictured, natural := Curve{Name: "picture", Bold: true}, Curve{Name: "images"}
	unrelated := Curve{Name: "unrelated"}
	names := ""
	for l, layer := range r.Layers {
		names += fmt.Sprintf("%d\u00a0%s ", l+1, layer)
		for _, line := range []struct {
			to *Curve
			y  float64
		}{{&natural, r.Natural[l]}, {&unrelated, r.Unrelated[l]}, {&pictured, r.Pictures[l]}} {
			if !math.IsNaN(line.y) {
				line.to.X, line.to.Y = append(line.to.X, float64(l+1)), append(line.to.Y, line.y)
			}
		}
		if y := r.Unrelated[l]; !math.IsNaN(y) {
			unrelated.Low, unrelated.High = append(unrelated.Low, y), append(unrelated.High, max(y, r.Level[l]))
		}
	}
	for _, line := range []Curve{natural, unrelated, pictured} {
		if len(line.X) > 0 {
			c.Lines = append(c.Lines, line)
		}
	}
	return c, names
}
