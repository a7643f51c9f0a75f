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
func (p Pictures) Show() error {
	f, err := p.Figure()
	if err != nil {
		return err
	}
	return f.Show()
}

// HTML returns the images as a table.
func (p Pictures) HTML() (string, error) {
	f, err := p.Figure()
	if err != nil {
		return "", err
	}
	return f.HTML()
}

// Figure returns the images as a figure; the last row is filled up with empty cells.
func (p Pictures) Figure() (Figure, error) {
	if err := p.Images.Check(); err != nil {
		return Figure{}, fmt.Errorf("pictures: %w", err)
	}
	n := p.Images.N
	if p.Captions != nil && len(p.Captions) != n {
		return Figure{}, fmt.Errorf("pictures: %d captions for %d images", len(p.Captions), n)
	}
	if p.Across < 0 {
		return Figure{}, fmt.Errorf("pictures: %d in a row", p.Across)
	}
	across := min(p.Across, n)
	if across == 0 {
		const most = 8
		rows := (n + most - 1) / most
		across = (n + rows - 1) / rows
	}
	f := Figure{Title: p.Title, Size: p.Size}
	for i := range (n + across - 1) / across * across {
		if i%across == 0 {
			f.Cells = append(f.Cells, nil)
		}
		var c Cell
		if i < n {
			m, err := p.Images.Image(i)
			if err != nil {
				return Figure{}, fmt.Errorf("pictures: %w", err)
			}
			c.Picture = m
			if p.Captions != nil {
				c.Caption = p.Captions[i]
			}
		}
		row := &f.Cells[i/across]
		*row = append(*row, c)
	}
	return f, nil
}
