package show

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"

	xdraw "golang.org/x/image/draw"

	"lucigo/interp"
	"lucigo/notebooks/internal/number"
)

// Patches is the figure of Zeiler and Fergus, arXiv:1311.2901: for each unit the parts of the images to which it
// responds most, beside projections of those single responses back to the pixels, as exemplar.Patches has both.
type Patches struct {
	Title  string
	Units  []Unit
	Method any // of the projections, printed by fmt; nil where there are none

	// Strips lays out each unit's patches in a row of its own, under a row of their projections, as
	// Springenberg et al., arXiv:1412.6806, print them; otherwise they are squares side by side.
	Strips bool

	Across int // units in a row; 0 means 3, and 1 of strips
	Size   int // of a unit's patches together, as in Figure; of strips 0 means 864
}

// Unit is a unit of a network with its best patches, up to nine or so, the best first.
type Unit struct {
	Name        string
	Patches     interp.Images
	Projections interp.Maps // one for each patch, of the same size; none for patches alone
}

// Show displays the patches.
func (p Patches) Show() error { return show(p.Figure()) }

// Figure returns the patches as a figure: for each unit a square of patches, row by row, and one of their projections,
// or a strip of both. Projections are drawn in colour around middle grey, each on a scale of its own.
func (p Patches) Figure() (Figure, error) {
	switch {
	case len(p.Units) == 0:
		return Figure{}, errors.New("show: Patches.Units is empty, must have at least one unit")
	case p.Across < 0:
		return Figure{}, fmt.Errorf("show: Patches.Across is %d, must be at least 0", p.Across)
	}
	projected := p.Units[0].Projections.N > 0
	units, kinds, f := cmp.Or(p.Across, min(3, len(p.Units))), []string{"patches"}, Figure{Title: p.Title, Size: p.Size}
	if p.Strips {
		units, f.Size = cmp.Or(p.Across, 1), cmp.Or(p.Size, 864) // nine of 96
	} else if projected {
		kinds = append(kinds, fmt.Sprint(p.Method))
	}
	across := units * len(kinds)
	f.Cells = [][]Cell{make([]Cell, across)}
	size := f.size()
	var all []Cell
	for _, u := range p.Units {
		patches, projections, err := u.tiles(projected)
		if err != nil {
			return Figure{}, fmt.Errorf("show: unit %q of Patches: %w", u.Name, err)
		}
		if p.Strips {
			what := "patches"
			if projected {
				what = fmt.Sprint(p.Method) + " above patches"
			}
			strip := tiled(append(projections, patches...), len(patches), size)
			all = append(all, Cell{Picture: strip, Caption: u.Name, Note: u.note(what)})
			continue
		}
		side := int(math.Ceil(math.Sqrt(float64(len(patches)))))
		all = append(all, Cell{Picture: tiled(patches, side, size), Caption: u.Name, Note: u.note("patches")})
		if projected {
			all = append(all, Cell{Picture: tiled(projections, side, size), Caption: u.responses(), Note: u.note(kinds[1])})
		}
	}
	f.Cells = rows(all, across)
	if !p.Strips {
		f.Columns = slices.Repeat(kinds, units)
	}
	if projected {
		l := Style{Palette: Grey, Signed: true}.Legend(across)
		l.Note = "projections, in colour: 0 in the middle; each from minus to plus percentile 99 of its magnitudes"
		if !p.Strips && p.Units[0].responses() != "" {
			l.Note += "; underneath, the responses"
		}
		f.Legends = []Legend{l}
	}
	return f, nil
}

// tiles returns the patches as pictures, and the projections, where all units have some.
func (u Unit) tiles(projected bool) (patches, projections []image.Image, err error) {
	x, m := u.Patches, u.Projections
	all, err := cells(x, nil, 0)
	switch {
	case err != nil:
		return nil, nil, err
	case projected != (m.N > 0):
		return nil, nil, errors.New("some units have Projections, and some have not")
	case projected && (m.N != x.N || m.H != x.H || m.W != x.W || m.C != x.C || len(m.Pix) != len(x.Pix)):
		return nil, nil, fmt.Errorf("its Projections are %d×%d×%d×%d, must be %d×%d×%d×%d, as Patches are", m.N, m.H, m.W, m.C, x.N, x.H, x.W, x.C)
	}
	for n, c := range all {
		patches = append(patches, c.Picture)
		if projected {
			if _, err := magnitude(m.Of(n)); err != nil {
				return nil, nil, fmt.Errorf("projection %d: %w", n, err)
			}
			projections = append(projections, aroundGrey(m.Of(n), m.H, m.W, m.C, Style{}.largest(m.Of(n))))
		}
	}
	return patches, projections, nil
}

// responses tells the range of the responses, where they are known.
func (u Unit) responses() string {
	s := u.Projections.Score
	if len(s) == 0 {
		return ""
	}
	return fmt.Sprintf("%s to %s", number.Text(s[0], 3), number.Text(s[len(s)-1], 3))
}

// note says what a picture shows.
func (u Unit) note(what string) string {
	what += " of " + u.Name
	if s := u.responses(); s != "" {
		what += ", responses " + s
	}
	return what
}

// tiled lays pictures of one size out in rows, with a gap between them, at least width pixels across, so
// that all such pictures are displayed in one width. Small ones are enlarged by a whole factor, and large
// ones reduced to what a screen of high resolution can tell.
func tiled(tiles []image.Image, across, width int) image.Image {
	const gap = 2
	down := (len(tiles) + across - 1) / across
	w, h := tiles[0].Bounds().Dx(), tiles[0].Bounds().Dy()
	side := max(1, (width+gap+across-1)/across-gap)
	if most := side * 3 / 2; w > most {
		w, h = most, max(1, h*most/w)
	} else {
		by := (side + w - 1) / w
		w, h = w*by, h*by
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
