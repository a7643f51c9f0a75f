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

// Filters is a figure of what the units of a first layer compute of the pixels they see, as
// interp.Model.Filters returns it: a picture a unit, in colour for three channels, in grey for one, else a
// picture a channel, of which each unit begins a row. Zero is middle grey; lighter is positive, in the
// colours of each channel. Filters larger than they are shown are reduced.
type Filters struct {
	Title   string
	Filters interp.Maps

	// Own gives each filter a scale of its own, from minus to plus its largest magnitude; otherwise all
	// have one, the largest of all. The legend says which.
	Own bool

	Across int // pictures in a row; 0 means 8, and 16 for more than 32 units or for channels
	Size   int // of a picture, as in Figure; 0 shows channels at 112 pixels at most
}

const channelSize = 112 // pixels of the width of a channel, where there is room

// Show displays the filters.
func (f Filters) Show() error { return show(f.Figure()) }

// Figure returns the filters as a figure; the last row is filled up with empty cells.
func (f Filters) Figure() (Figure, error) {
	m := f.Filters
	each := m.C // pictures of a unit
	if m.C == 1 || m.C == 3 {
		each = 1
	}
	switch {
	case m.N < 1 || m.H < 1 || m.W < 1 || m.C < 1 || len(m.Pix) != m.N*m.Size():
		return Figure{}, fmt.Errorf("show: Filters.Filters has N=%d, H=%d, W=%d, C=%d and %d numbers, must be whole filters", m.N, m.H, m.W, m.C, len(m.Pix))
	case f.Across < 0:
		return Figure{}, fmt.Errorf("show: Filters.Across is %d, must be at least 0", f.Across)
	case m.N > maxPictures/each:
		return Figure{}, fmt.Errorf("show: Filters.Filters has %d units and %d channels, must make at most %d pictures: show fewer units, with a smaller N and as much of Pix",
			m.N, m.C, maxPictures)
	}
	largest := make([]float64, m.N)
	for n := range largest {
		var err error
		if largest[n], err = magnitude(m.Of(n)); err != nil {
			return Figure{}, fmt.Errorf("show: filter %d: %w", n, err)
		}
	}
	legend := "0 in the middle; each filter from minus to plus its own largest magnitude"
	if !f.Own {
		all := slices.Max(largest)
		largest = slices.Repeat([]float64{all}, m.N)
		legend = "0 in the middle; all filters from minus to plus " + number.Text(all, 3) + ", the largest magnitude of all"
	}
	across := cmp.Or(f.Across, 8)
	if f.Across == 0 && (m.N > 32 || each > 1) {
		across = 16
	}
	if each > 1 {
		across = min(across, m.C)
	} else if f.Across == 0 {
		across = min(across, m.N)
	}
	figure := Figure{Title: f.Title, Size: f.Size}
	var all []Cell
	for n := range m.N {
		note := fmt.Sprintf("unit %d, ±%s", n, number.Text(largest[n], 3))
		if each == 1 {
			all = append(all, Cell{Picture: aroundGrey(m.Of(n), m.H, m.W, m.C, largest[n]), Note: note})
			continue
		}
		for i, row := range rows(channels(m, n, largest[n], note), across) {
			head := fmt.Sprintf("unit %d", n)
			if across < m.C {
				head += fmt.Sprintf("\nchannel %d on", i*across)
			}
			figure.Rows, figure.Cells = append(figure.Rows, head), append(figure.Cells, row)
		}
	}
	if each == 1 {
		figure.Cells = rows(all, across)
	} else {
		figure.Size = cmp.Or(f.Size, min(figure.size(), channelSize))
		for c := range m.C {
			if across == m.C {
				figure.Columns = append(figure.Columns, fmt.Sprintf("channel %d", c))
			}
		}
	}
	figure.reduce()
	l := Style{Palette: Grey, Signed: true}.Legend(across)
	l.Note = legend
	figure.Legends = []Legend{l}
	return figure, nil
}

// channels returns each channel of filter n as a picture.
func channels(m interp.Maps, n int, largest float64, note string) (all []Cell) {
	for c := range m.C {
		one := make([]float64, 0, m.H*m.W)
		for i := c; i < m.Size(); i += m.C {
			one = append(one, m.Of(n)[i])
		}
		all = append(all, Cell{Picture: aroundGrey(one, m.H, m.W, 1, largest), Note: fmt.Sprintf("channel %d of %s", c, note)})
	}
	return all
}

// reduce makes pictures that are larger than they are shown smaller, so that a thousand of them fit a page.
func (f Figure) reduce() {
	for _, row := range f.Cells {
		for i, c := range row {
			if c.Picture != nil {
				row[i].Picture = within(c.Picture, max(f.size(), 1))
			}
		}
	}
}

// within is m, reduced to a width where it is wider.
func within(m image.Image, width int) image.Image {
	size := m.Bounds().Size()
	if size.X <= width {
		return m
	}
	return fitted(m, image.Pt(width, max(1, size.Y*width/size.X)))
}

// magnitude returns the largest magnitude of numbers, which must be finite.
func magnitude(values []float64) (largest float64, err error) {
	for _, v := range values {
		if interp.NotFinite(v) {
			return 0, errors.New("it holds a number that is not finite: look for one in the weights")
		}
		largest = max(largest, math.Abs(v))
	}
	return largest, nil
}

// aroundGrey returns signed numbers [h, w, c], of 1 or 3 channels, as a picture: zero middle grey, largest
// and more white or a full colour, minus largest and less black or none.
func aroundGrey(values []float64, h, w, c int, largest float64) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	level := func(v float64) uint8 { return Style{Signed: true}.level(v, largest) }
	for i := range h * w {
		v := values[i*c:]
		m.SetRGBA(i%w, i/w, color.RGBA{level(v[0]), level(v[c/2]), level(v[c-1]), 255})
	}
	return m
}
