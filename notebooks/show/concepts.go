package show

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"
	"strings"

	"lucigo/interp/concept"
)

// Concepts is the figure of Kim et al., arXiv:1711.11279, figure 7: for each layer a bar for each concept, from ½ to its TCAV score, with the
// interval over the counterparts. At ½ a class's images rise along the vector as often as they fall: bars go up that speak for the class, and
// down that speak against it. The grey band is where nineteen of twenty random sets are. A bar that is hollow says nothing: the concept is
// not told from other images, or P, corrected for the number of concepts and layers, is not below 5 %. A question mark is a score that is
// undefined.
type Concepts struct {
	Title  string
	Report concept.Report
	Size   int // of the picture, as in Figure; 0 is 600, and more for many bars
}

// Show displays the bars.
func (c Concepts) Show() error { return show(c.Figure()) }

// Figure returns the bars as a figure of one picture, of which the numbers are in the alternative text.
func (c Concepts) Figure() (Figure, error) {
	const most = 200
	r := c.Report
	bars := len(r.Layers) * len(r.Concepts)
	switch {
	case bars == 0:
		return Figure{}, errors.New("show: Concepts.Report has no results, must have at least one concept and one layer")
	case bars > most:
		return Figure{}, fmt.Errorf("show: Concepts.Report has %d results, must have at most %d: show fewer layers", bars, most)
	case c.Size != 0 && (c.Size < 200 || c.Size > 2000):
		return Figure{}, fmt.Errorf("show: Concepts: Size is %d, must be 0 or from 200 to 2000", c.Size)
	}
	for _, l := range r.Layers {
		if len(l.Results) != len(r.Concepts) {
			return Figure{}, fmt.Errorf("show: Concepts.Report has %d results at %s, must have one for each of %d concepts", len(l.Results), l.Name, len(r.Concepts))
		}
	}
	size := cmp.Or(c.Size, min(pageWidth, max(600, 200+14*bars)))
	legend := Legend{Span: 1, Note: fmt.Sprintf("TCAV score, %s: the share of images whose score rises along the concept's vector; whiskers: its 95 %% interval over the counterparts; "+
		"grey: where 95 %% of random sets are; hollow: not significant; ?: undefined", r.Classifier)}
	return Figure{Title: c.Title, Size: size, Cells: [][]Cell{{{Picture: c.draw(size * dense), Note: c.words()}}}, Legends: []Legend{legend}}, nil
}

// says reports whether a result is significant.
func says(r concept.Result) bool { return r.Found && r.Corrected < .05 }

// words are the numbers.
func (c Concepts) words() string {
	var all []string
	for _, l := range c.Report.Layers {
		for k, name := range c.Report.Concepts {
			r := l.Results[k]
			text := fmt.Sprintf("%s at %s: %s", name, l.Name, estimate(r.Score))
			if !math.IsNaN(r.Corrected) {
				text += fmt.Sprintf(", P %.1g", r.Corrected)
			}
			if !r.Found {
				text += ", not told from other images"
			}
			all = append(all, text)
		}
	}
	return "TCAV scores. " + strings.Join(all, "; ")
}

// draw draws the bars w pixels wide.
func (c Concepts) draw(w int) image.Image {
	const line = 1.3 * textSize * dense
	dark, grid := color.RGBA{40, 40, 40, 255}, color.RGBA{225, 225, 225, 255}
	r, p := c.Report, newPlot(w, max(w*2/5, 240*dense))
	names := 0.0
	for _, name := range r.Concepts {
		names = max(names, width(name))
	}
	names = min(names, .35*float64(w))
	left, top := width("0.75")+line*.6, 1.5*line
	right, bottom := float64(w)-names-2.2*line, float64(p.Rect.Dy())-1.5*line
	at := func(score float64) float64 { return bottom - score*(bottom-top) }
	for _, v := range []float64{0, .25, .5, .75, 1} {
		s := strings.TrimSuffix(fmt.Sprintf("%.2f", v), "0")
		p.line(point{left, at(v)}, point{right, at(v)}, dense, grid)
		p.write(s, left-width(s)-.3*line, at(v)+.27*line, dark)
	}
	p.write("TCAV score", .2*line, .9*line, dark)

	group := (right - left) / float64(len(r.Layers))
	bar := min(.8*group/float64(len(r.Concepts)), 3*line)
	for g, l := range r.Layers {
		middle := left + (float64(g)+.5)*group
		first := middle - bar*float64(len(r.Concepts))/2
		low, high := middle95(l.Random)
		p.fill(point{left + (float64(g)+.04)*group, at(high)}, point{left + (float64(g)+.96)*group, at(low)}, grid)
		for k, result := range l.Results {
			hue, a, b := hues[k%len(hues)], first+(float64(k)+.08)*bar, first+(float64(k)+.92)*bar
			if math.IsNaN(result.Score.Mean) {
				p.write("?", (a+b-width("?"))/2, at(.5)-.3*line, hue)
				continue
			}
			from, to := at(max(.5, result.Score.Mean))-dense, at(min(.5, result.Score.Mean))+dense
			p.fill(point{a, from}, point{b, to}, hue)
			if !says(result) {
				p.fill(point{a + 2*dense, from + 2*dense}, point{b - 2*dense, to - 2*dense}, color.RGBA{255, 255, 255, 255})
			}
			if e := result.Score; e.N > 1 {
				x := (a + b) / 2
				p.line(point{x, at(min(e.High, 1))}, point{x, at(max(e.Low, 0))}, 1.5*dense, color.RGBA{0, 0, 0, 255})
			}
		}
		name := fits(l.Name, .96*group)
		p.write(name, middle-width(name)/2, bottom+1.05*line, dark)
	}
	p.line(point{left, at(.5)}, point{right, at(.5)}, dense, dark)
	for k, name := range r.Concepts {
		y := top + (float64(k)+.5)*1.2*line
		p.fill(point{right + .5*line, y - .3*line}, point{right + 1.1*line, y + .3*line}, hues[k%len(hues)])
		p.write(fits(name, names), right+1.4*line, y+.27*line, hues[k%len(hues)])
	}
	return p.RGBA
}

// middle95 is between which 95 % of values are.
func middle95(values []float64) (low, high float64) {
	v := slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	if len(v) == 0 {
		return .5, .5
	}
	slices.Sort(v)
	off := int(math.Floor(.025 * float64(len(v))))
	return v[off], v[len(v)-1-off]
}
