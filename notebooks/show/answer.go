package show

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"

	"lucigo/interp"
	"lucigo/notebooks/internal/number"
)

// Answer is a figure of why a network gives an answer, in units: the image, and beside it the units that speak for the answer there, as
// package channel names them. It is that of Olah et al., "The building blocks of interpretability", Distill 2018.
type Answer struct {
	Title   string
	Image   interp.Images // the one image
	Caption string        // under it, such as the answer and its score
	Units   []AnswerUnit  // from left to right
	Size    int           // of a picture, as in Figure
}

// AnswerUnit is a column of Answer. A row of which no unit has anything is left out.
type AnswerUnit struct {
	Name         string
	Contribution float64       // to the answer, in its units
	Active       interp.Maps   // where in the image the unit is active: one map of the image's size
	Picture      interp.Images // its visualisation
	Patches      interp.Images // its best patches, the best first; the first nine are shown
}

// Show displays the figure.
func (a Answer) Show() error { return show(a.Figure()) }

// Figure returns the figure: a column for each unit, and in it where it is active in the image, what it contributes, its visualisation
// and its best patches. Bars have one scale.
func (a Answer) Figure() (Figure, error) {
	if a.Image.N != 1 {
		return Figure{}, fmt.Errorf("show: Answer.Image has %d images, must have one", a.Image.N)
	}
	if len(a.Units) == 0 {
		return Figure{}, errors.New("show: Answer.Units is empty, must have at least one unit")
	}
	f := Figure{Title: a.Title, Columns: []string{"image"}}
	f.Size = cmp.Or(a.Size, min(max(pageWidth/(len(a.Units)+2)-2*padding, least), largestSize))
	first, err := cells(a.Image, []string{a.Caption}, 0)
	if err != nil {
		return Figure{}, fmt.Errorf("show: Answer.Image: %w", err)
	}
	style, most, sum := Style{Palette: Overlay}, 0., 0.
	for _, u := range a.Units {
		if interp.NotFinite(u.Contribution) {
			return Figure{}, fmt.Errorf("show: Answer: the Contribution of %s is %g, must be finite", u.Name, u.Contribution)
		}
		f.Columns = append(f.Columns, u.Name)
		most, sum = max(most, math.Abs(u.Contribution)), sum+u.Contribution
		style.Signed = style.Signed || len(u.Active.Pix) > 0 && slices.Min(u.Active.Pix) < 0
	}
	signed := slices.ContainsFunc(a.Units, func(u AnswerUnit) bool { return u.Contribution < 0 })
	for _, row := range []struct {
		name  string
		first Cell
		cell  func(u AnswerUnit) (Cell, error)
	}{
		{"is active", first[0], func(u AnswerUnit) (Cell, error) { return u.active(style, a.Image) }},
		{"contributes", Cell{Caption: "together " + number.Text(sum, 3)}, func(u AnswerUnit) (Cell, error) {
			return Cell{Picture: bar(u.Contribution, most, signed, f.Size), Caption: number.Text(u.Contribution, 3), Note: "a bar"}, nil
		}},
		{"optimised image", Cell{}, AnswerUnit.optimised},
		{"best patches", Cell{}, func(u AnswerUnit) (Cell, error) { return u.best(f.Size) }},
	} {
		line, some := []Cell{row.first}, row.first != Cell{}
		for _, u := range a.Units {
			c, err := row.cell(u)
			if err != nil {
				return Figure{}, fmt.Errorf("show: Answer: %s of %s: %w", row.name, u.Name, err)
			}
			line, some = append(line, c), some || c != Cell{}
		}
		if some {
			f.Rows, f.Cells = append(f.Rows, row.name), append(f.Cells, line)
		}
	}
	if slices.ContainsFunc(a.Units, func(u AnswerUnit) bool { return u.Active.N > 0 }) {
		l := style.Legend(len(f.Columns))
		l.Note = "where a unit is active: each map from 0 to percentile 99 of its own values"
		if style.Signed {
			l.Note = "where a unit is active, 0 in the middle; each map from minus to plus percentile 99 of its own magnitudes"
		}
		f.Legends = []Legend{l}
	}
	return f, nil
}

// active lays where the unit is active on the image.
func (u AnswerUnit) active(s Style, x interp.Images) (Cell, error) {
	if u.Active.N == 0 {
		return Cell{}, nil
	}
	if u.Active.N != 1 {
		return Cell{}, fmt.Errorf("there are %d maps, must be one", u.Active.N)
	}
	return s.draw(u.Active, 0, x)
}

func (u AnswerUnit) optimised() (Cell, error) {
	if u.Picture.N == 0 {
		return Cell{}, nil
	}
	if u.Picture.N != 1 {
		return Cell{}, fmt.Errorf("there are %d pictures, must be one", u.Picture.N)
	}
	row, err := cells(u.Picture, nil, 0)
	if err != nil {
		return Cell{}, err
	}
	return row[0], nil
}

func (u AnswerUnit) best(size int) (Cell, error) {
	if u.Patches.N == 0 {
		return Cell{}, nil
	}
	if err := u.Patches.Check(); err != nil {
		return Cell{}, err
	}
	tiles, _, err := Unit{Patches: u.Patches.Slice(0, min(9, u.Patches.N))}.tiles(false)
	if err != nil {
		return Cell{}, err
	}
	return Cell{Picture: tiled(tiles, int(math.Ceil(math.Sqrt(float64(len(tiles))))), size)}, nil
}

// bar draws a number as a bar in a trough, which is as long as most, or twice where there are negative ones: then 0 is in its middle.
func bar(v, most float64, signed bool, width int) image.Image {
	const height = 10
	m := image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{color.RGBA{224, 224, 224, 255}, diverging(1), diverging(-1)})
	scale, zero := float64(width), 0.
	if signed {
		scale, zero = scale/2, scale/2
	}
	end := zero
	if most > 0 {
		end += v / most * scale
	}
	index := uint8(1)
	if v < 0 {
		index = 2
	}
	for x := int(math.Round(min(zero, end))); x < int(math.Round(max(zero, end))); x++ {
		for y := range height {
			m.SetColorIndex(x, y, index)
		}
	}
	return m
}
