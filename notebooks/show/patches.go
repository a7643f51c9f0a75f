package show

import (
	"fmt"
	"image"
	"image/color"
	"math"

	xdraw "golang.org/x/image/draw"

	"lucigo/interp"
	"lucigo/notebooks/internal/number"
)

// Patches is the figure of Zeiler and Fergus, arXiv:1311.2901: for each unit the parts of the images to
// which it responds most, beside projections of those single responses back to the pixels, as
// exemplar.Patches has both.
type Patches struct {
	Title  string
	Units  []Unit
	Method any // of the projections, printed by fmt; nil where there are none
	Across int // units in a row; 0 means 3
	Size   int // of a unit's patches together, as in Figure
}

// Unit is a unit of a network with its best patches, up to nine or so, the best first.
type Unit struct {
	Name        string
	Patches     interp.Images
	Projections interp.Maps // one for each patch, of the same size; none for patches alone
}

// Show displays the patches.
func (p Patches) Show() error {
	f, err := p.Figure()
	if err != nil {
		return err
	}
	return f.Show()
}

// HTML returns the patches as a table.
func (p Patches) HTML() (string, error) {
	f, err := p.Figure()
	if err != nil {
		return "", err
	}
	return f.HTML()
}

// Figure returns the patches as a figure: for each unit a square of patches, row by row, and one of their
// projections. Projections are drawn in colour around middle grey, each on a scale of its own.
func (p Patches) Figure() (Figure, error) {
	if len(p.Units) == 0 {
		return Figure{}, fmt.Errorf("patches of no units")
	}
	if p.Across < 0 {
		return Figure{}, fmt.Errorf("patches: %d units in a row", p.Across)
	}
	units := p.Across
	if units == 0 {
		units = min(3, len(p.Units))
	}
	f := Figure{Title: p.Title, Size: p.Size}
	projected := p.Units[0].Projections.N > 0
	var cells []Cell
	for _, u := range p.Units {
		if err := u.check(projected); err != nil {
			return f, fmt.Errorf("patches of %q: %w", u.Name, err)
		}
		patches, projections, err := u.tiles()
		if err != nil {
			return f, fmt.Errorf("patches of %q: %w", u.Name, err)
		}
		cells = append(cells, Cell{Picture: square(patches), Caption: u.Name, Note: u.note("patches")})
		if projected {
			cells = append(cells, Cell{Picture: square(projections), Note: u.note(fmt.Sprint(p.Method))})
		}
	}
	a := 1
	if projected {
		a = 2
	}
	f.Cells = rows(cells, a*units)
	for range units {
		f.Columns = append(f.Columns, "patches")
		if projected {
			f.Columns = append(f.Columns, fmt.Sprint(p.Method))
		}
	}
	if projected {
		l := Style{Palette: Grey, Signed: true}.Legend(a * units)
		l.Note = "projections, in colour: 0 in the middle; each from minus to plus percentile 99 of its magnitudes"
		f.Legends = []Legend{l}
	}
	return f, nil
}

func (u Unit) check(projected bool) error {
	if err := u.Patches.Check(); err != nil {
		return err
	}
	x, m := u.Patches, u.Projections
	switch {
	case x.C != 1 && x.C != 3:
		return fmt.Errorf("patches of %d channels have no colours", x.C)
	case projected != (m.N > 0):
		return fmt.Errorf("some units have projections, and some have not")
	case projected && (m.N != x.N || m.H != x.H || m.W != x.W || m.C != x.C || len(m.Pix) != len(x.Pix)):
		return fmt.Errorf("%d projections of %d×%d×%d and %d patches of %d×%d×%d", m.N, m.H, m.W, m.C, x.N, x.H, x.W, x.C)
	}
	return nil
}

func (u Unit) tiles() (patches, projections []image.Image, err error) {
	for n := range u.Patches.N {
		m, err := u.Patches.Image(n)
		if err != nil {
			return nil, nil, err
		}
		patches = append(patches, m)
		if u.Projections.N == 0 {
			continue
		}
		values := u.Projections.Map(n)
		if _, err := magnitude(values); err != nil {
			return nil, nil, fmt.Errorf("projection %d: %w", n, err)
		}
		projections = append(projections, aroundGrey(values, u.Patches.H, u.Patches.W, u.Patches.C, Style{}.largest(values)))
	}
	return patches, projections, nil
}

// note tells the responses, where they are known.
func (u Unit) note(what string) string {
	if s := u.Projections.Score; len(s) > 0 {
		return fmt.Sprintf("%s of %s, responses %s to %s", what, u.Name, number.Text(s[0], 3), number.Text(s[len(s)-1], 3))
	}
	return what + " of " + u.Name
}

// square lays pictures of one size out in a square, row by row, with a gap between them. Large ones are
// reduced, small ones enlarged by a whole factor, so that the gap stays narrow.
func square(tiles []image.Image) image.Image {
	const most, gap = 112, 2
	across := int(math.Ceil(math.Sqrt(float64(len(tiles)))))
	down := (len(tiles) + across - 1) / across
	w, h := tiles[0].Bounds().Dx(), tiles[0].Bounds().Dy()
	if longer := max(w, h); longer > most {
		w, h = max(1, w*most/longer), max(1, h*most/longer)
	} else {
		w, h = w*max(1, 48/longer), h*max(1, 48/longer)
	}
	out := image.NewRGBA(image.Rect(0, 0, across*(w+gap)-gap, down*(h+gap)-gap))
	xdraw.Draw(out, out.Bounds(), image.NewUniform(color.White), image.Point{}, xdraw.Src)
	for i, tile := range tiles {
		to := image.Rect(0, 0, w, h).Add(image.Pt(i%across*(w+gap), i/across*(h+gap)))
		how := xdraw.Interpolator(xdraw.NearestNeighbor)
		if tile.Bounds().Dx() > w {
			how = xdraw.BiLinear
		}
		how.Scale(out, to, tile, tile.Bounds(), xdraw.Src, nil)
	}
	return out
}
