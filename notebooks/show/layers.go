package show

import (
	"errors"
	"fmt"

	"lucigo/interp"
)

// Layers is a figure of a network's layers: a row for every layer, and in it an image for each of some
// units. Rows may be of different lengths.
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
func (l Layers) Show() error {
	f, err := l.Figure()
	if err != nil {
		return err
	}
	return f.Show()
}

// HTML returns the figure as a table.
func (l Layers) HTML() (string, error) {
	f, err := l.Figure()
	if err != nil {
		return "", err
	}
	return f.HTML()
}

// Figure returns the layers as a figure; shorter rows are filled up with empty cells.
func (l Layers) Figure() (Figure, error) {
	if len(l.Rows) == 0 {
		return Figure{}, errors.New("a figure of layers without layers")
	}
	f := Figure{Title: l.Title, Corner: "layer", Size: l.Size}
	width := 0
	for _, row := range l.Rows {
		width = max(width, row.Images.N)
	}
	for _, row := range l.Rows {
		if err := row.Images.Check(); err != nil {
			return Figure{}, fmt.Errorf("layer %s: %w", row.Name, err)
		}
		if row.Captions != nil && len(row.Captions) != row.Images.N {
			return Figure{}, fmt.Errorf("layer %s: %d captions for %d images", row.Name, len(row.Captions), row.Images.N)
		}
		cells, err := Examples{Images: row.Images}.cells(width)
		if err != nil {
			return Figure{}, fmt.Errorf("layer %s: %w", row.Name, err)
		}
		for i, caption := range row.Captions {
			cells[i].Caption = caption
		}
		f.Rows, f.Cells = append(f.Rows, row.Name), append(f.Cells, cells)
	}
	return f, nil
}
