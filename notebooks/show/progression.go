package show

import (
	"errors"
	"fmt"

	"lucigo/interp/featvis"
	"lucigo/notebooks/internal/number"
)

// Progression is a figure of images as they are optimised: a row for every image, a column for every
// frame, and each image's score underneath.
type Progression struct {
	Title  string
	Rows   []string        // an image's heading, such as its unit; nil for none
	Frames []featvis.Frame // of the same images, in the order of the columns
	Size   int             // of a picture, as in Figure
}

// Show displays the figure.
func (p Progression) Show() error {
	f, err := p.Figure()
	if err != nil {
		return err
	}
	return f.Show()
}

// HTML returns the figure as a table.
func (p Progression) HTML() (string, error) {
	f, err := p.Figure()
	if err != nil {
		return "", err
	}
	return f.HTML()
}

// Figure returns the progression as a figure.
func (p Progression) Figure() (Figure, error) {
	if len(p.Frames) == 0 {
		return Figure{}, errors.New("a progression without frames: the optimisation yielded none")
	}
	n := p.Frames[0].Images.N
	if p.Rows != nil && len(p.Rows) != n {
		return Figure{}, fmt.Errorf("a progression has %d row headings for %d images", len(p.Rows), n)
	}
	f := Figure{Title: p.Title, Rows: p.Rows, Size: p.Size, Cells: make([][]Cell, n)}
	for _, frame := range p.Frames {
		name := fmt.Sprintf("step %d", frame.Step)
		if err := frame.Images.Check(); err != nil {
			return Figure{}, fmt.Errorf("a progression's %s: %w", name, err)
		}
		if frame.Images.N != n || len(frame.Score) != n {
			return Figure{}, fmt.Errorf("a progression's %s has %d images and %d scores, and its first frame %d images", name, frame.Images.N, len(frame.Score), n)
		}
		f.Columns = append(f.Columns, name)
		for i := range n {
			m, err := frame.Images.Image(i)
			if err != nil {
				return Figure{}, fmt.Errorf("a progression's %s: %w", name, err)
			}
			score := number.Text(frame.Score[i], 3)
			f.Cells[i] = append(f.Cells[i], Cell{Picture: m, Caption: score, Note: "score " + score})
		}
	}
	return f, nil
}
