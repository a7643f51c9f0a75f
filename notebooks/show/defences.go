package show

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"strings"

	"lucigo/interp/attack/card"
	"lucigo/interp/attack/defence"
)

// Defences is a figure of what defences keep. Each has three bars, the shares of the images that are right: as they are, after the attack that
// its paper's kind of evaluation has, which is what is claimed, and after an attack that knows the defence; whiskers are their 95 % intervals.
// Under the bars stands what gave the defence away.
type Defences struct {
	Title string
	Rows  []defence.Row
	Size  int // of the picture, as in Figure; 0 is 720
}

// Show displays the bars.
func (d Defences) Show() error { return show(d.Figure()) }

// measures are the bars of a row.
var measures = []struct {
	name string
	of   func(defence.Row) card.Share
}{
	{"clean", func(r defence.Row) card.Share { return r.Clean }},
	{"claimed", func(r defence.Row) card.Share { return r.Claimed }},
	{"after the attack that knows", func(r defence.Row) card.Share { return r.Left }},
}

// Figure returns the bars as a figure of one picture, of which the numbers are in the alternative text.
func (d Defences) Figure() (Figure, error) {
	const most = 30
	switch {
	case len(d.Rows) == 0:
		return Figure{}, errors.New("show: Defences.Rows is empty, must have at least one")
	case len(d.Rows) > most:
		return Figure{}, fmt.Errorf("show: Defences has %d rows, must have at most %d", len(d.Rows), most)
	case d.Size != 0 && (d.Size < 300 || d.Size > 2000):
		return Figure{}, fmt.Errorf("show: Defences: Size is %d, must be 0 or from 300 to 2000", d.Size)
	}
	var words []string
	for _, r := range d.Rows {
		for _, m := range measures {
			if s := m.of(r); s.Of < 1 || s.Right < 0 || s.Right > s.Of {
				return Figure{}, fmt.Errorf("show: Defences: %q: %s is %d of %d images, must be a share of at least one", r.Defence, m.name, s.Right, s.Of)
			}
		}
		words = append(words, r.String())
	}
	size := cmp.Or(d.Size, 720)
	legend := Legend{Span: 1, Note: "accuracy; whiskers: 95 % intervals; claimed: after an attack of the kind that the defence's paper reports; red: what gave it away"}
	cell := Cell{Picture: d.draw(size * dense), Note: "What defences keep. " + strings.Join(words, ". ")}
	return Figure{Title: d.Title, Size: size, Cells: [][]Cell{{cell}}, Legends: []Legend{legend}}, nil
}

// draw draws the bars w pixels wide.
func (d Defences) draw(w int) image.Image {
	const (
		line = 1.3 * textSize * dense
		bar  = .62 * line
		row  = 2.6*line + 3*bar // name, bars, flags and air
	)
	dark, grid := color.RGBA{40, 40, 40, 255}, color.RGBA{225, 225, 225, 255}
	top := 1.6 * line
	p := newPlot(w, int(math.Ceil(top+row*float64(len(d.Rows))+1.4*line)))
	left, right := .4*line, float64(w)-width("100 %")-.6*line
	at := func(share float64) float64 { return left + share*(right-left) }
	bottom := top + row*float64(len(d.Rows))
	for _, v := range []float64{0, .25, .5, .75, 1} {
		p.line(point{at(v), top}, point{at(v), bottom}, dense, grid)
		s := fmt.Sprintf("%.0f %%", 100*v)
		p.write(s, max(at(v)-width(s)/2, 0), bottom+1.05*line, dark)
	}
	x := left
	for k, m := range measures {
		p.fill(point{x, .4 * line}, point{x + .6*line, line}, hues[k])
		name := fits(m.name, float64(w)-x-line)
		p.write(name, x+.85*line, .95*line, hues[k])
		x += width(name) + 1.7*line
	}
	for i, r := range d.Rows {
		y := top + row*float64(i)
		p.write(fits(r.Defence, float64(w)-2*left), left, y+.95*line, dark)
		y += 1.2 * line
		for k, m := range measures {
			s := m.of(r)
			low, high := s.Interval()
			p.fill(point{left, y + .06*bar}, point{max(at(s.Value()), left+2*dense), y + .94*bar}, hues[k])
			p.line(point{at(low), y + bar/2}, point{at(high), y + bar/2}, dense, color.RGBA{0, 0, 0, 255})
			y += bar
		}
		p.write(fmt.Sprintf("%.0f %%", 100*r.Left.Value()), right+.3*line, y-.1*bar, hues[2])
		says, hue := "no flag", dark
		if len(r.Flags) > 0 {
			says, hue = r.Words(), color.RGBA{190, 30, 30, 255}
		}
		p.write(fits(says, float64(w)-2*left), left, y+.95*line, hue)
	}
	return p.RGBA
}
