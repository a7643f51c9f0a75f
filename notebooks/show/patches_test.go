package show

import (
	"image"
	"image/color"
	"math"
	"strings"
	"testing"

	"lucigo/interp"
)

func at(m image.Image, x, y int) [3]int {
	c := color.RGBAModel.Convert(m.At(m.Bounds().Min.X+x, m.Bounds().Min.Y+y)).(color.RGBA)
	return [3]int{int(c.R), int(c.G), int(c.B)}
}

// Every pixel of every filter is where it should be: middle grey at 0, as far from it as the number is.
func TestFilters(t *testing.T) {
	for _, channels := range []int{1, 2, 3} {
		for _, own := range []bool{false, true} {
			m, _ := noise(uint64(channels), 5, 3, 4, channels)
			m.Pix[0] = 0
			f, err := Filters{Title: nasty, Filters: m, Own: own, Across: 2}.Figure()
			if err != nil {
				t.Fatal(err)
			}
			if want := map[int]int{1: 3, 2: 5, 3: 3}[channels]; len(f.Cells) != want || len(f.Cells[0]) != 2 {
				t.Fatalf("%d channels: %d rows of %d", channels, len(f.Cells), len(f.Cells[0]))
			}
			all, _ := magnitude(m.Pix)
			for n := range m.N {
				largest := all
				if own {
					largest, _ = magnitude(m.Map(n))
				}
				for i, v := range m.Map(n) {
					want := 127 + int(math.Round(127*v/largest))
					cell, c := f.Cells[n/2][n%2], i%channels
					if channels == 2 {
						cell, c = f.Cells[n][i%2], 0
					}
					if got := at(cell.Picture, i/channels%m.W, i/channels/m.W)[c]; got < want-1 || got > want+1 {
						t.Fatalf("%d channels, own %t: filter %d number %d, %g, is %d, want %d", channels, own, n, i, v, got, want)
					}
				}
			}
			if got := at(f.Cells[0][0].Picture, 0, 0)[0]; got != 127 {
				t.Errorf("0 is %d", got)
			}
			if note := f.Legends[0].Note; strings.Contains(note, "its own") != own {
				t.Errorf("own %t: %s", own, note)
			}
			html, err := Filters{Title: nasty, Filters: m, Own: own}.HTML()
			if err != nil {
				t.Fatal(err)
			}
			if page := read(t, html); !strings.Contains(page.text, `<script>alert("1")</script>`) || len(page.pictures) != 5*max(1, 2*(channels%2^1))+1 {
				t.Errorf("%d channels: %d pictures", channels, len(page.pictures))
			}
		}
	}
}

func TestLawFiltersScale(t *testing.T) {
	m, _ := noise(1, 4, 5, 5, 3)
	doubled := m
	doubled.Pix = make([]float64, len(m.Pix))
	for i, v := range m.Pix {
		doubled.Pix[i] = 2 * v
	}
	a, err := Filters{Filters: m}.Figure()
	if err != nil {
		t.Fatal(err)
	}
	b, err := Filters{Filters: doubled}.Figure()
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range a.Cells[0] {
		if difference(c.Picture, b.Cells[0][i].Picture) != 0 {
			t.Errorf("filter %d and its double differ", i)
		}
	}
}

func TestFiltersErrors(t *testing.T) {
	m, _ := noise(1, 2, 3, 3, 3)
	bad := m
	bad.Pix = append([]float64{}, m.Pix...)
	bad.Pix[30] = math.Inf(-1)
	short := m
	short.Pix = m.Pix[1:]
	for what, f := range map[string]Filters{
		"no filters: N=0":           {},
		"and 53 numbers":            {Filters: short},
		"filter 1: it holds a":      {Filters: bad},
		"filters: -1 in a row":      {Filters: m, Across: -1},
		"a figure with pictures of": {Filters: m, Size: -1},
	} {
		if _, err := f.HTML(); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func unit(seed uint64, n, h, w, c int) Unit {
	m, x := noise(seed, n, h, w, c)
	m.Score = []float64{9, 1}
	return Unit{Name: nasty, Patches: x, Projections: m}
}

func TestPatches(t *testing.T) {
	for _, c := range []int{1, 3} {
		u := unit(3, 9, 7, 5, c)
		p := Patches{Title: "best", Units: []Unit{u, unit(4, 9, 20, 20, c), unit(5, 4, 300, 200, c), unit(6, 1, 1, 1, c)}, Method: method{3}}
		f, err := p.Figure()
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Cells) != 2 || len(f.Cells[0]) != 6 || f.Columns[1] != "SmoothGrad(N=3)" || f.Cells[1][3].Picture != nil {
			t.Fatalf("%d rows of %d, %v", len(f.Cells), len(f.Cells[0]), f.Columns)
		}
		const by, gap = 6, 2 // 48 pixels hold 7 six times
		for which, picture := range []image.Image{f.Cells[0][0].Picture, f.Cells[0][1].Picture} {
			if size := picture.Bounds().Size(); size != image.Pt(3*5*by+2*gap, 3*7*by+2*gap) {
				t.Fatalf("a square of %v", size)
			}
			for n := range 9 {
				left, top := n%3*(5*by+gap), n/3*(7*by+gap)
				for row := range 7 {
					for column := range 5 {
						for channel := range 3 {
							i := (row*5+column)*c + channel*c/3
							want := math.Round(255 * u.Patches.Pix[n*u.Patches.Size()+i])
							if which == 1 {
								largest := Style{}.largest(u.Projections.Map(n))
								want = 127 + math.Round(127*min(max(u.Projections.Map(n)[i]/largest, -1), 1))
							}
							got := at(picture, left+column*by+by/2, top+row*by+by-1)[channel]
							if math.Abs(float64(got)-want) > 1 {
								t.Fatalf("picture %d, patch %d (%d, %d): %d, want %g", which, n, row, column, got, want)
							}
						}
					}
				}
			}
			if at(picture, 5*by, 3) != [3]int{255, 255, 255} {
				t.Error("no gap")
			}
		}
		if size := f.Cells[0][4].Picture.Bounds().Size(); size != image.Pt(2*74+gap, 2*112+gap) {
			t.Errorf("large patches in a square of %v", size)
		}
		html, err := p.HTML()
		if err != nil {
			t.Fatal(err)
		}
		if page := read(t, html); len(page.pictures) != 9 || !strings.Contains(page.text, `<script>alert("1")</script>`) || !strings.Contains(page.pictures[0].alt, "responses 9 to 1") {
			t.Errorf("%d pictures: %s", len(page.pictures), page.pictures[0].alt)
		}
	}
	alone := Unit{Name: "7", Patches: interp.Images{N: 1, H: 2, W: 2, C: 1, Pix: make([]float64, 4)}}
	f, err := Patches{Units: []Unit{alone}}.Figure()
	if err != nil || len(f.Cells[0]) != 1 || f.Legends != nil || f.Cells[0][0].Caption != "7" {
		t.Errorf("%v, %v", f, err)
	}
}

func TestPatchesErrors(t *testing.T) {
	good, other := unit(1, 4, 3, 3, 3), unit(1, 4, 3, 3, 3)
	other.Projections.N = 0
	nan := unit(1, 4, 3, 3, 3)
	nan.Projections.Pix[30] = math.NaN()
	fewer := good
	fewer.Projections.H = 2
	for what, p := range map[string]Patches{
		"of no units":               {},
		"-1 units in a row":         {Units: []Unit{good}, Across: -1},
		"some units have":           {Units: []Unit{good, other}},
		"projection 1: it holds":    {Units: []Unit{nan}},
		"4 projections of 2×3×3":    {Units: []Unit{fewer}},
		"no images: N=0":            {Units: []Unit{{Name: "7"}}},
		"2 channels have no colour": {Units: []Unit{unit(1, 1, 2, 2, 2)}},
	} {
		if _, err := p.HTML(); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
