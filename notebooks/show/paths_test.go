package show

import (
	"math"
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/sanity"
)

func foreign() Paths {
	x := interp.Images{N: 2, H: 8, W: 8, C: 3, Pix: make([]float64, 2*8*8*3)}
	nan := math.NaN()
	return Paths{Columns: []string{"before", "after"}, Units: []PathUnit{{Pictures: x, Best: x, Path: sanity.Path{
		Layer: "conv3", Unit: 7, Layers: []string{"conv1", "aside", "conv2"}, Verdict: sanity.PathForeign,
		Pictures: []float64{.1, nan, -.2}, Natural: []float64{.5, nan, .875}, Random: []float64{.4, nan, .7},
		Unrelated: []float64{0, nan, -.1}, Level: []float64{.2, nan, .3},
	}}}}
}

// The figure has a row for each unit, with its verdict and its numbers; undefined ones have no point.
func TestPaths(t *testing.T) {
	f, err := foreign().Figure()
	if err != nil {
		t.Fatal(err)
	}
	html, err := f.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"conv3 7", "lies: its path is not that of images", "images: 0.5 at 1, 0.875 at 3", "before", "after"} {
		if !strings.Contains(html, want) {
			t.Errorf("the figure does not say %q", want)
		}
	}
	if got := read(t, html); len(got.pictures) != 4 {
		t.Errorf("there are %d pictures, want 2, the best images and the curves", len(got.pictures))
	}
}

func TestPathsErrors(t *testing.T) {
	for want, change := range map[string]func(p *Paths){
		"Units is empty":         func(p *Paths) { p.Units = nil },
		"Columns has 1 headings": func(p *Paths) { p.Columns = p.Columns[:1] },
		"Pictures has 1": func(p *Paths) {
			p.Units = append(p.Units, p.Units[0])
			p.Units[1].Pictures = p.Units[0].Pictures.Slice(0, 1)
		},
		"conv3 7: no images": func(p *Paths) { p.Units[0].Best = interp.Images{} },
		"Lines has 0": func(p *Paths) {
			p.Units[0].Path.Layers = nil
		},
	} {
		p := foreign()
		change(&p)
		if _, err := p.Figure(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
