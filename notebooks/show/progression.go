package show

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

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
		return nil, errors.New("a progression without Frames")
	}
	id := ""
	if cell.InNotebook() {
		id = cell.ID()
	}
	var next time.Time
	stale := false // frames has more than the page shows
	display := func() error {
		f, err := p.figure(frames)
		if err != nil {
			return err
		}
		page, err := f.HTML()
		if err != nil {
			return err
		}
		stale = false
		return cell.Update(id, cell.Output{HTML: page, Text: f.String()})
	}
	for frame, problem := range p.Frames {
		if problem != nil {
			err = problem
			break
		}
		frames, stale = append(frames, frame), true
		start := time.Now()
		if id == "" {
			if len(frames) == 1 { // what is wrong with it should not wait for the last
				if _, err = p.figure(frames); err != nil {
					return frames, err
				}
			}
			continue
		}
		if !p.keeps(frame.Step) && start.Before(next) {
			continue
		}
		if err = display(); err != nil {
			return frames, err
		}
		next = time.Now().Add(max(500*time.Millisecond, 4*time.Since(start))) // leaves the machine to the optimisation
	}
	switch {
	case stale:
		err = errors.Join(err, display())
	case len(frames) == 0 && err == nil:
		err = errors.New("a progression without frames: the optimisation yielded none")
	}
	return frames, err
}

func (p Progression) keeps(step int) bool { return p.Keep == nil || slices.Contains(p.Keep, step) }

// figure is the progression of the frames that there are.
func (p Progression) figure(frames []featvis.Frame) (Figure, error) {
	n := frames[0].Images.N
	if p.Rows != nil && len(p.Rows) != n {
		return Figure{}, fmt.Errorf("a progression has %d row headings for %d images", len(p.Rows), n)
	}
	f := Figure{Title: p.Title, Rows: p.Rows, Size: p.Size, Cells: make([][]Cell, n)}
	for k, frame := range frames {
		name := fmt.Sprintf("step %d", frame.Step)
		if err := frame.Images.Check(); err != nil {
			return Figure{}, fmt.Errorf("a progression's %s: %w", name, err)
		}
		if frame.Images.N != n || len(frame.Score) != n {
			return Figure{}, fmt.Errorf("a progression's %s has %d images and %d scores, and its first frame %d images", name, frame.Images.N, len(frame.Score), n)
		}
		if k+1 < len(frames) && !p.keeps(frame.Step) {
			continue
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
