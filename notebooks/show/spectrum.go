package show

import (
	"errors"
	"fmt"
	"slices"

	"lucigo/interp"
	"lucigo/notebooks/internal/number"
)

// Spectrum is a figure of what units respond to, from least to most: a row for every unit, and in it an image optimised
// to lower the unit, examples from a data set in rising order, and an image optimised to raise it.
type Spectrum struct {
	Title string
	Units []Responses
	Size  int // of a picture, as in Figure
}

// Responses are a unit's images.
type Responses struct {
	Unit                                string
	Lowered, Lowest, Low, High, Highest Examples
	Raised                              Examples
}

// Examples are images and the unit's response to each. Without images, the columns stay empty.
type Examples struct {
	Images interp.Images
	Values []float64 // underneath; nil for none
}

// Show displays the figure.
func (s Spectrum) Show() error { return show(s.Figure()) }

// Figure returns the spectrum as a figure. A kind of image takes as many columns as the unit that has
// most of them, and none where no unit has any.
func (s Spectrum) Figure() (Figure, error) {
	f := Figure{Title: s.Title, Corner: "unit", Size: s.Size, Cells: make([][]Cell, len(s.Units))}
	for _, u := range s.Units {
		f.Rows = append(f.Rows, u.Unit)
	}
	for k, kind := range []string{"optimised −", "lowest", "low", "high", "highest", "optimised +"} {
		of := func(u Responses) Examples {
			return [...]Examples{u.Lowered, u.Lowest, u.Low, u.High, u.Highest, u.Raised}[k]
		}
		width := 0
		for _, u := range s.Units {
			width = max(width, of(u).Images.N)
		}
		f.Columns = append(f.Columns, slices.Repeat([]string{kind}, width)...)
		for i, u := range s.Units {
			row, err := of(u).cells(width)
			if err != nil {
				return Figure{}, fmt.Errorf("show: unit %s, %s: %w", u.Unit, kind, err)
			}
			f.Cells[i] = append(f.Cells[i], row...)
		}
	}
	if len(f.Columns) == 0 {
		return Figure{}, errors.New("show: Spectrum.Units has no images, must have some")
	}
	return f, nil
}

// cells returns a cell for each of the images, and empty ones up to width.
func (e Examples) cells(width int) ([]Cell, error) {
	if e.Images.N == 0 {
		return make([]Cell, width), nil
	}
	var values []string
	for _, v := range e.Values {
		values = append(values, number.Text(v, 3))
	}
	return cells(e.Images, values, width)
}
