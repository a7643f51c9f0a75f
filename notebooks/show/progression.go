package show

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"lucigo/interp/featvis"
	"lucigo/notebooks/internal/cell"
	"lucigo/notebooks/internal/number"
)

// Progression shows images while they are optimised: a row for every image, a column for every frame, and
// each image's score underneath.
//
//	line := show.Progress{Title: "optimised"}
//	r := featvis.Render{Progress: line.Part(0, 1, "")}
//	frames := must.M1(show.Progression{Rows: units, Frames: r.Frames(ctx, m, o)}.Show())
//	must.M(line.Close())
type Progression struct {
	Title  string
	Rows   []string // an image's heading, such as its unit; nil for none
	Frames iter.Seq2[featvis.Frame, error]

	// Keep are the steps whose frames stay as columns; nil keeps all. A frame of another step appears in the
	// last column until the next comes; so does the last, and stays.
	Keep []int

	Size int // of a picture, as in Figure
}

// Show runs the optimisation. Each frame is shown as it comes, in one figure that grows; frames that Keep
// does not name are left out where they come faster than they can be looked at. Outside a notebook the
// finished figure is written as text.
//
// It returns all frames. Where the optimisation ends in an error, the figure stays as it is, and what there
// is of frames is returned with the error.
func (p Progression) Show() (frames []featvis.Frame, err error) {
	if p.Frames == nil {
		return nil, errors.New("show: Progression.Frames is nil, must be a sequence of frames")
	}
	var at place
	stale := false // frames has more than the page shows
	display := func() error {
		stale = false
		return at.draw(func() (page, text string, err error) {
			f, err := p.figure(frames)
			if err != nil {
				return "", "", err
			}
			page, err = f.HTML()
			return page, f.String(), err
		})
	}
	for frame, problem := range p.Frames {
		if problem != nil {
			err = problem
			break
		}
		frames, stale = append(frames, frame), true
		switch {
		case cell.InNotebook() && (at.due() || p.keeps(frame.Step)):
			err = display()
		case len(frames) == 1: // what is wrong with it should not wait for the last
			_, err = p.figure(frames)
		}
		if err != nil {
			return frames, err
		}
	}
	switch {
	case stale:
		err = errors.Join(err, display())
	case len(frames) == 0 && err == nil:
		err = errors.New("show: Progression.Frames yielded no frames")
	}
	return frames, err
}

func (p Progression) keeps(step int) bool { return p.Keep == nil || slices.Contains(p.Keep, step) }

// figure is the progression of the frames that there are.
func (p Progression) figure(frames []featvis.Frame) (Figure, error) {
	n := frames[0].Images.N
	if p.Rows != nil && len(p.Rows) != n {
		return Figure{}, fmt.Errorf("show: Progression.Rows has %d headings, must have %d, one for each image", len(p.Rows), n)
	}
	f := Figure{Title: p.Title, Rows: p.Rows, Size: p.Size, Cells: make([][]Cell, n)}
	for k, frame := range frames {
		if k+1 < len(frames) && !p.keeps(frame.Step) {
			continue
		}
		column, err := cells(frame.Images, nil, 0)
		if err == nil && (frame.Images.N != n || len(frame.Score) != n) {
			err = fmt.Errorf("it has %d images and %d scores, must have %d of both, as the first has", frame.Images.N, len(frame.Score), n)
		}
		if err != nil {
			return Figure{}, fmt.Errorf("show: step %d of a Progression: %w", frame.Step, err)
		}
		f.Columns = append(f.Columns, fmt.Sprintf("step %d", frame.Step))
		for i, c := range column {
			c.Caption = number.Text(frame.Score[i], 3)
			c.Note = "score " + c.Caption
			f.Cells[i] = append(f.Cells[i], c)
		}
	}
	return f, nil
}
