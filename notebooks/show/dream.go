package show

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"iter"
	"math"
	"slices"
	"time"

	xdraw "golang.org/x/image/draw"

	"lucigo/interp"
	"lucigo/interp/dream"
	"lucigo/notebooks/internal/cell"
	"lucigo/notebooks/internal/number"
)

// Dream shows a dream while it runs, and what becomes of it.
//
//	d := dream.Dream{}
//	ends := must.M1(show.Dream{Title: d.String(), Images: x, Frames: d.Frames(ctx, m, o, x)}.Show())
type Dream struct {
	Title  string
	Images interp.Images // what the dream is of: the first column; empty for none
	Rows   []string      // an image's heading; nil for none
	Frames iter.Seq2[dream.Frame, error]
}

const (
	filmPixels = 1 << 16 // of a picture that moves, all images together: some 150 kB
	filmLength = 32      // pictures at most, half of that at least where there are more
	stills     = 6       // columns beside the image, at most
)

// Show runs the dream. Meanwhile a progress line and a picture change in place, and the octaves, or the
// dreams of a zoom, that are done appear in a row below. In the end the row is complete, and beneath it the
// dream is an animated picture, from the photograph on; where pictures do not move it is the dream itself.
// All are reduced to what fits the page. Outside a notebook only text is written.
//
// It returns the last frame of each octave of the last dream, in full size. Where the dream ends in an
// error, what there is so far is shown, and returned with the error.
func (d Dream) Show() (ends []dream.Frame, err error) {
	if d.Frames == nil {
		return nil, errors.New("show: Dream.Frames is nil, must be a sequence of frames")
	}
	f, err := newFilm(d)
	if err != nil {
		return nil, err
	}
	line := Progress{Title: "dream"} // d.Title appears above the picture
	if err := line.wait(""); err != nil {
		return nil, err
	}
	var at place
	for frame, problem := range d.Frames {
		if problem != nil {
			err = problem
			break
		}
		if frame.Octave == 1 {
			ends = nil
		}
		if frame.EndsOctave() {
			ends = append(ends, frame)
		}
		if err = f.add(frame); err != nil {
			break
		}
		done, total := frame.Done()
		line.Total = total
		err = line.Set(done, frameName(frame))
		if err == nil && cell.InNotebook() && at.due() {
			err = at.draw(f.live)
		}
		if err != nil {
			break
		}
	}
	err = errors.Join(err, line.Close())
	if f.now == nil {
		if err == nil {
			err = errors.New("show: Dream.Frames yielded no frames")
		}
		return nil, err
	}
	return ends, errors.Join(err, at.draw(f.end))
}

func frameName(f dream.Frame) string {
	s := fmt.Sprintf("octave %d of %d", f.Octave, f.Octaves)
	if f.Zooms > 1 {
		s = fmt.Sprintf("dream %d of %d, %s", f.Zoom, f.Zooms, s)
	}
	return s
}

// film is what is kept of a dream: pictures of one size, a few of many.
type film struct {
	Dream
	size        image.Point
	photographs *shot
	now         *shot
	ends        series // of octaves, or of dreams where there are many
	ended       *shot  // the last of them
	shots       series // of all frames, or of ends of dreams
}

// series is every so many of the shots that are added to it: fewer than filmLength, at least half of that
// where there are more.
type series struct {
	shots       []*shot
	seen, every int
}

func (s *series) add(one *shot) {
	s.every = max(s.every, 1)
	if s.seen%s.every == 0 {
		s.shots = append(s.shots, one)
	}
	s.seen++
	if len(s.shots) == filmLength {
		for i := range filmLength / 2 {
			s.shots[i] = s.shots[2*i]
		}
		s.shots, s.every = slices.Clip(s.shots[:filmLength/2]), 2*s.every
	}
}

// shot is a frame in the size of the film.
type shot struct {
	name  string
	cells []Cell // of each image
}

func newFilm(d Dream) (f *film, err error) {
	f = &film{Dream: d}
	if d.Images.N > 0 {
		f.photographs, err = f.shot("image", d.Images)
	}
	return f, err
}

// shot reduces or enlarges images to the size of the film, which is that of the first.
func (f *film) shot(name string, x interp.Images) (*shot, error) {
	if f.photographs != nil && x.N != f.Images.N {
		return nil, fmt.Errorf("show: a frame of a Dream has %d images, must have %d, as Images has", x.N, f.Images.N)
	}
	all, err := cells(x, nil, 0)
	if err != nil {
		return nil, fmt.Errorf("show: %s of a Dream: %w", oneLine(name), err)
	}
	if f.size == (image.Point{}) {
		scale := math.Sqrt(filmPixels / float64(x.N*x.H*x.W))
		f.size = image.Pt(max(1, int(float64(x.W)*scale)), max(1, int(float64(x.H)*scale)))
	}
	for i := range all {
		all[i].Picture = fitted(all[i].Picture, f.size)
	}
	return &shot{name, all}, nil
}

// fitted is m in another size, smooth.
func fitted(m image.Image, size image.Point) image.Image {
	out := image.NewRGBA(image.Rectangle{Max: size})
	xdraw.CatmullRom.Scale(out, out.Bounds(), m, m.Bounds(), xdraw.Src, nil)
	return out
}

func (f *film) add(frame dream.Frame) error {
	s, err := f.shot(fmt.Sprintf("octave %d\n%d×%d", frame.Octave, frame.Images.H, frame.Images.W), frame.Images)
	if err != nil {
		return err
	}
	for n := range s.cells {
		s.cells[n].Caption = "score " + number.Text(frame.Start[n], 3) + " → " + number.Text(frame.Before[n], 3)
	}
	f.now = s
	if frame.Zooms > 1 {
		s.name = fmt.Sprint("dream ", frame.Zoom)
		if !frame.Ends() {
			return nil
		}
	}
	if frame.EndsOctave() {
		f.ends.add(s)
		f.ended = s
	}
	f.shots.add(s)
	return nil
}

// live is the page while the dream runs, and the title as text.
func (f *film) live() (page, text string, err error) {
	page, err = Figure{Title: f.Title, Size: f.size.X, Cells: across(f.now.cells, "the dream so far")}.HTML()
	if err == nil && f.ended != nil {
		var row string
		row, err = f.row().HTML()
		page = "<div>" + page + row + "</div>"
	}
	return page, f.Title, err
}

// end is the page that stays, and the same as text.
func (f *film) end() (page, text string, err error) {
	var moving []Cell
	for n, last := range f.now.cells {
		a := animation{Image: last.Picture, each: 100 * time.Millisecond, first: 2 * time.Second}
		for _, s := range slices.Concat([]*shot{f.photographs}, f.shots.shots) {
			if s != nil && s != f.now {
				a.rest = append(a.rest, s.cells[n].Picture)
			}
		}
		moving = append(moving, Cell{Picture: a})
	}
	film := Figure{Size: f.size.X, Cells: across(moving, "the dream, and how it came about, animated")}
	row := f.row()
	row.Title = f.Title
	above, err := row.HTML()
	below, problem := film.HTML()
	return "<div>" + above + below + "</div>", row.String() + "\n" + film.String(), errors.Join(err, problem)
}

// across puts a picture of each image beside the other, as many as fit the page.
func across(cells []Cell, note string) [][]Cell {
	var all []Cell
	for _, c := range cells {
		all = append(all, Cell{Picture: c.Picture, Note: note})
	}
	return rows(all, min(len(all), max(1, pageWidth/(all[0].Picture.Bounds().Dx()+2*padding))))
}

// row has a column for the photographs, and for some of what is done, the last among it.
func (f *film) row() Figure {
	var columns []*shot
	if f.photographs != nil {
		columns = append(columns, f.photographs)
	}
	ends, last := f.ends.shots, cmp.Or(f.ended, f.now)
	if len(ends) == 0 || ends[len(ends)-1] != last {
		ends = append(slices.Clip(ends), last)
	}
	n := min(len(ends), stills)
	for i := range n {
		columns = append(columns, ends[(i+1)*len(ends)/n-1])
	}
	row := Figure{Rows: f.Rows, Cells: make([][]Cell, len(f.now.cells))}
	for _, s := range columns {
		row.Columns = append(row.Columns, s.name)
		for i, c := range s.cells {
			row.Cells[i] = append(row.Cells[i], c)
		}
	}
	row.reduce()
	return row
}
