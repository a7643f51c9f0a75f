package show

import (
	"fmt"

	"lucigo/interp"
)

// Pictures is a figure of images alone, in reading order.
type Pictures struct {
	Title    string
	Images   interp.Images
	Captions []string // under each image; nil for none
	Across   int      // images in a row; 0 means as many as make rows of equal length, at most 8
	Size     int      // of a picture, as in Figure
}

// Show displays the images.
func (p Pictures) Show() error { return show(p.Figure()) }

// Figure returns the images as a figure; the last row is filled up with empty cells.
func (p Pictures) Figure() (Figure, error) {
	if p.Across < 0 {
		return Figure{}, fmt.Errorf("show: Pictures.Across is %d, must be at least 0", p.Across)
	}
	all, err := cells(p.Images, p.Captions, 0)
	if err != nil {
		return Figure{}, fmt.Errorf("show: Pictures: %w", err)
	}
	across := min(p.Across, len(all))
	if across == 0 {
		const most = 8
		rows := (len(all) + most - 1) / most
		across = (len(all) + rows - 1) / rows
	}
	return Figure{Title: p.Title, Size: p.Size, Cells: rows(all, across)}, nil
}

// Layers is a figure of a network's layers: a row for every layer, and in it an image for each of some units. Rows may
// be of different lengths.
type Layers struct {
	Title string
	Rows  []LayerRow // from the input up
	Size  int        // of a picture, as in Figure
}

// LayerRow is a layer's row.
type LayerRow struct {
	Name     string
	Images   interp.Images
	Captions []string // under the images, such as their units; nil for none
}

// Show displays the figure.
func (l Layers) Show() error { return show(l.Figure()) }

// Figure returns the layers as a figure; shorter rows are filled up with empty cells.
func (l Layers) Figure() (Figure, error) {
	f := Figure{Title: l.Title, Corner: "layer", Size: l.Size}
	width := 0
	for _, row := range l.Rows {
		width = max(width, row.Images.N)
	}
	for _, row := range l.Rows {
		cells, err := cells(row.Images, row.Captions, width)
		if err != nil {
			return Figure{}, fmt.Errorf("show: layer %s: %w", row.Name, err)
		}
		f.Rows, f.Cells = append(f.Rows, row.Name), append(f.Cells, cells)
	}
	return f, nil
}
