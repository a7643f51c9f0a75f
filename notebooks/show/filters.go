package show

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"

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
func (f Filters) Show() error {
	figure, err := f.Figure()
	if err != nil {
		return err
	}
	return figure.Show()
}

// HTML returns the filters as a table.
func (f Filters) HTML() (string, error) {
	figure, err := f.Figure()
	if err != nil {
		return "", err
	}
	return figure.HTML()
}

// Figure returns the filters as a figure; the last row is filled up with empty cells.
func (f Filters) Figure() (Figure, error) {
	m := f.Filters
	if m.N < 1 || m.H < 1 || m.W < 1 || m.C < 1 || len(m.Pix) != m.N*m.H*m.W*m.C {
		return Figure{}, fmt.Errorf("no filters: N=%d, H=%d, W=%d, C=%d and %d numbers", m.N, m.H, m.W, m.C, len(m.Pix))
	}
	if f.Across < 0 {
		return Figure{}, fmt.Errorf("filters: %d in a row", f.Across)
	}
	coloured := m.C == 1 || m.C == 3
	if most := maxPictures; coloured && m.N > most || !coloured && m.N > most/m.C {
		return Figure{}, fmt.Errorf("filters of %d units and %d channels are more than the %d pictures of a figure: show fewer units, with a smaller N and as much of Pix",
			m.N, m.C, most)
	}
	all := 0.
	for n := range m.N {
		v, err := magnitude(m.Of(n))
		if err != nil {
			return Figure{}, fmt.Errorf("filter %d: %w", n, err)
		}
		all = max(all, v)
	}
	across := f.Across
	switch {
	case !coloured:
		across = min(cmp.Or(across, 16), m.C)
	case across > 0:
	case m.N > 32:
		across = 16
	default:
		across = min(8, m.N)
	}
	figure := Figure{Title: f.Title, Size: f.Size}
	var cells []Cell
	for n := range m.N {
		largest := all
		if f.Own {
			largest, _ = magnitude(m.Of(n)) // is finite: all are
		}
		note := fmt.Sprintf("unit %d, ±%s", n, number.Text(largest, 3))
		if coloured {
			cells = append(cells, Cell{Picture: aroundGrey(m.Of(n), m.H, m.W, m.C, largest), Note: note})
			continue
		}
		for i, row := range rows(channels(m, n, largest, note), across) {
			head := fmt.Sprintf("unit %d", n)
			if across < m.C {
				head += fmt.Sprintf("\nchannel %d on", i*across)
			}
			figure.Rows, figure.Cells = append(figure.Rows, head), append(figure.Cells, row)
		}
	}
	if coloured {
		figure.Cells = rows(cells, across)
	} else {
		figure.Size = cmp.Or(f.Size, min(figure.size(), channelSize))
		if across == m.C {
			for c := range m.C {
				figure.Columns = append(figure.Columns, fmt.Sprintf("channel %d", c))
			}
		}
	}
	figure.reduce()
	l := Style{Palette: Grey, Signed: true}.Legend(across)
	l.High, l.Note = "+", "0 in the middle; all filters from minus to plus "+number.Text(all, 3)+", the largest magnitude of all"
	if f.Own {
		l.Note = "0 in the middle; each filter from minus to plus its own largest magnitude"
	}
	figure.Legends = []Legend{l}
	return figure, nil
}

// channels returns each channel of filter n as a picture.
func channels(m interp.Maps, n int, largest float64, note string) (cells []Cell) {
	for c := range m.C {
		one := make([]float64, 0, m.H*m.W)
		for i := c; i < len(m.Of(n)); i += m.C {
			one = append(one, m.Of(n)[i])
		}
		cells = append(cells, Cell{Picture: aroundGrey(one, m.H, m.W, 1, largest), Note: fmt.Sprintf("channel %d of %s", c, note)})
	}
	return cells
}

// reduce makes pictures that are larger than they are shown smaller, so that a thousand of them fit a page.
func (f Figure) reduce() {
	width := max(f.size(), 1)
	for _, row := range f.Cells {
		for i, c := range row {
			if c.Picture == nil || c.Picture.Bounds().Dx() <= width {
				continue
			}
			size := c.Picture.Bounds().Size()
			row[i].Picture = fitted(c.Picture, image.Pt(width, max(1, size.Y*width/size.X)))
		}
	}
}

// rows cuts cells into rows; the last is filled up.
func rows(cells []Cell, across int) (out [][]Cell) {
	for i := 0; i < len(cells); i += across {
		row := make([]Cell, across)
		copy(row, cells[i:min(i+across, len(cells))])
		out = append(out, row)
	}
	return out
}

// magnitude returns the largest magnitude of numbers, which must be finite.
func magnitude(values []float64) (largest float64, err error) {
	for _, v := range values {
		if math.IsNaN(v - v) {
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
	level := func(v float64) uint8 {
		if largest > 0 {
			v = min(max(v/largest, -1), 1)
		}
		return uint8(math.Round((v + 1) / 2 * (levels - 1)))
	}
	for i := range h * w {
		v := values[i*c:]
		m.SetRGBA(i%w, i/w, color.RGBA{level(v[0]), level(v[c/2]), level(v[c-1]), 255})
	}
	return m
}
