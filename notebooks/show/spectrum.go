package show

import (
	"errors"
	"fmt"

	"lucigo/interp"
	"lucigo/notebooks/internal/number"
)

// Spectrum is a figure of what units respond to, from least to most: a row for every unit, and in it an
// image optimised to lower the unit, examples from a data set in rising order, and an image optimised to
// raise it.
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
func (s Spectrum) Show() error {
	f, err := s.Figure()
	if err != nil {
		return err
	}
	return f.Show()
}

// HTML returns the figure as a table.
func (s Spectrum) HTML() (string, error) {
	f, err := s.Figure()
	if err != nil {
		return "", err
	}
	return f.HTML()
}

// Figure returns the spectrum as a figure. A kind of image takes as many columns as the unit that has
// most of them, and none where no unit has any.
func (s Spectrum) Figure() (Figure, error) {
	f := Figure{Title: s.Title, Corner: "unit", Size: s.Size, Cells: make([][]Cell, len(s.Units))}
	for _, u := range s.Units {
		f.Rows = append(f.Rows, u.Unit)
	}
	for _, kind := range []struct {
		name string
		of   func(u Responses) Examples
	}{
		{"optimised −", func(u Responses) Examples { return u.Lowered }},
		{"lowest", func(u Responses) Examples { return u.Lowest }},
		{"low", func(u Responses) Examples { return u.Low }},
		{"high", func(u Responses) Examples { return u.High }},
		{"highest", func(u Responses) Examples { return u.Highest }},
		{"optimised +", func(u Responses) Examples { return u.Raised }},
	} {
		width := 0
		for _, u := range s.Units {
			width = max(width, kind.of(u).Images.N)
		}
		for range width {
			f.Columns = append(f.Columns, kind.name)
		}
		for i, u := range s.Units {
			cells, err := kind.of(u).cells(width)
			if err != nil {
				return Figure{}, fmt.Errorf("unit %s, %s: %w", u.Unit, kind.name, err)
			}
			f.Cells[i] = append(f.Cells[i], cells...)
		}
	}
	if len(f.Columns) == 0 {
		return Figure{}, errors.New("a spectrum without images")
	}
	return f, nil
}

// cells returns a cell for each of the images, and empty ones up to width.
func (e Examples) cells(width int) ([]Cell, error) {
	cells := make([]Cell, width)
	if e.Images.N == 0 {
		return cells, nil
	}
	if err := e.Images.Check(); err != nil {
		return nil, err
	}
	if e.Values != nil && len(e.Values) != e.Images.N {
		return nil, fmt.Errorf("%d values for %d images", len(e.Values), e.Images.N)
	}
	for i := range e.Images.N {
		m, err := e.Images.Image(i)
		if err != nil {
			return nil, err
		}
		cells[i].Picture = m
		if e.Values != nil {
			cells[i].Caption = number.Text(e.Values[i], 3)
		}
	}
	return cells, nil
}
