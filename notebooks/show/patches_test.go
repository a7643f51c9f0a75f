package show

import (
	"fmt"
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
					largest, _ = magnitude(m.Of(n))
				}
				for i, v := range m.Of(n) {
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
			html, err := html(Filters{Title: nasty, Filters: m, Own: own}.Figure())
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

// Filters of many channels have a row a unit, or more, with headings; none shares its row with another.
func TestFiltersOfChannels(t *testing.T) {
	for _, c := range []struct {
		channels, across, width, size int
		rows, columns                 string
	}{
		{2, 0, 2, 112, "[unit 0 unit 1]", "[channel 0 channel 1]"},
		{4, 3, 3, 112, "[unit 0\nchannel 0 on unit 0\nchannel 3 on unit 1\nchannel 0 on unit 1\nchannel 3 on]", "[]"},
		{4, 9, 4, 112, "[unit 0 unit 1]", "[channel 0 channel 1 channel 2 channel 3]"},
		{20, 0, 16, 52, "[unit 0\nchannel 0 on unit 0\nchannel 16 on unit 1\nchannel 0 on unit 1\nchannel 16 on]", "[]"},
	} {
		m, _ := noise(1, 2, 3, 4, c.channels)
		f, err := Filters{Filters: m, Across: c.across}.Figure()
		if err != nil {
			t.Fatal(err)
		}
		if rows, columns := fmt.Sprint(f.Rows), fmt.Sprint(f.Columns); rows != c.rows || columns != c.columns {
			t.Errorf("%+v: rows %q, columns %s", c, rows, columns)
		}
		if len(f.Cells[0]) != c.width || f.size() != c.size {
			t.Errorf("%+v: %d across, %d pixels each", c, len(f.Cells[0]), f.size())
		}
		last := len(f.Cells)/2 - 1 // row of the first unit
		if cell := f.Cells[last][(c.channels-1)%c.width]; !strings.HasPrefix(cell.Note, fmt.Sprintf("channel %d of unit 0", c.channels-1)) {
			t.Errorf("%+v: the last channel is %q", c, cell.Note)
		}
	}
}

// However large filters are, and however many, the page is not.
func TestFiltersAreReduced(t *testing.T) {
	m, _ := noise(1, 40, 70, 140, 3)
	largest, _ := magnitude(m.Pix)
	f, err := Filters{Filters: m}.Figure()
	if err != nil {
		t.Fatal(err)
	}
	for n := range m.N {
		p := f.Cells[n/16][n%16].Picture
		want := fitted(aroundGrey(m.Of(n), 70, 140, 3, largest), image.Pt(52, 26))
		if p.Bounds().Size() != image.Pt(52, 26) || difference(p, want) != 0 {
			t.Fatalf("filter %d is %v", n, p.Bounds())
		}
	}
	if f, err = (Filters{Filters: m, Size: 140}).Figure(); err != nil || f.Cells[0][0].Picture.Bounds().Dx() != 140 {
		t.Errorf("in their size they are %v, %v", f.Cells[0][0].Picture.Bounds(), err)
	}
}

func TestFiltersErrors(t *testing.T) {
	m, _ := noise(1, 2, 3, 3, 3)
	bad := m
	bad.Pix = append([]float64{}, m.Pix...)
	bad.Pix[30] = math.Inf(-1)
	short := m
	short.Pix = m.Pix[1:]
	many, _ := noise(1, 2001, 1, 1, 3)
	wide, _ := noise(1, 1, 1, 1, 2001)
	for what, f := range map[string]Filters{
		"show: Filters.Filters has N=0": {},
		"and 53 numbers":                {Filters: short},
		"show: filter 1: it holds a":    {Filters: bad},
		"show: Filters.Across is -1":    {Filters: m, Across: -1},
		"show: Figure.Size is -1":       {Filters: m, Size: -1},
		"Filters has 2001 units":        {Filters: many},
		"1 units and 2001 channels":     {Filters: wide},
	} {
		if _, err := html(f.Figure()); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func unit(seed uint64, n, h, w, c int) Unit {
	m, x := noise(seed, n, h, w, c)
	m.Score = []float64{9, 1}
	return Unit{Name: nasty, Patches: x, Projections: m}
}

// check compares the tiles of a picture with the patches of a unit, or with its projections.
func check(t *testing.T, picture image.Image, from image.Point, across, by int, u Unit, projections bool) {
	t.Helper()
	const gap = 2
	x := u.Patches
	for n := range x.N {
		left, top := from.X+n%across*(x.W*by+gap), from.Y+n/across*(x.H*by+gap)
		for i := range x.H * x.W {
			for channel := range 3 {
				j := i*x.C + channel*x.C/3
				want := math.Round(255 * x.Pix[n*x.Size()+j])
				if projections {
					v := u.Projections.Of(n)
					want = 127 + math.Round(127*min(max(v[j]/Style{}.largest(v), -1), 1))
				}
				got := at(picture, left+i%x.W*by+by/2, top+i/x.W*by+by-1)[channel]
				if !(math.Abs(float64(got)-want) <= 1) {
					t.Fatalf("tile %d, projections %t, pixel %d: %d, want %g", n, projections, i, got, want)
				}
			}
		}
	}
}

// Strips have a projection above each patch, and as many rows as units.
func TestPatchesInStrips(t *testing.T) {
	u := unit(8, 9, 16, 16, 3)
	p := Patches{Units: []Unit{u, unit(9, 9, 64, 64, 3), unit(7, 4, 8, 8, 3)}, Method: method{3}, Strips: true}
	f, err := p.Figure()
	if err != nil || len(f.Cells) != 3 || len(f.Cells[0]) != 1 || f.Columns != nil {
		t.Fatalf("%d rows, %v, %v", len(f.Cells), f.Columns, err)
	}
	const by, gap = 6, 2 // nine of 95 pixels make 864
	picture := f.Cells[0][0].Picture
	if size := picture.Bounds().Size(); size != image.Pt(9*16*by+8*gap, 2*16*by+gap) {
		t.Fatalf("a strip of %v", size)
	}
	check(t, picture, image.Point{}, 9, by, u, true)
	check(t, picture, image.Pt(0, 16*by+gap), 9, by, u, false)
	html, err := html(p.Figure())
	if err != nil {
		t.Fatal(err)
	}
	page := read(t, html)
	for _, picture := range page.pictures[:3] {
		if picture.width != "864" || !strings.Contains(picture.alt, "SmoothGrad(N=3) above patches") {
			t.Errorf("a strip %s wide: %s", picture.width, picture.alt)
		}
	}
	if bar := page.pictures[3]; bar.width != "16%" { // 138 pixels, as under other figures
		t.Errorf("the legend's bar is %s wide", bar.width)
	}
	p = Patches{Units: []Unit{{Name: "7", Patches: u.Patches}, {Name: "8", Patches: u.Patches}}, Strips: true, Across: 2, Size: 300}
	f, err = p.Figure()
	if err != nil || len(f.Cells[0]) != 2 || f.Cells[0][1].Note != "patches of 8" || f.Legends != nil {
		t.Fatalf("%+v, %v", f, err)
	}
	if size := f.Cells[0][0].Picture.Bounds().Size(); size != image.Pt(9*16*2+8*gap, 16*2) { // not less than 300
		t.Errorf("a strip of %v", size)
	}
}

func TestPatches(t *testing.T) {
	for _, c := range []int{1, 3} {
		u := unit(3, 9, 7, 5, c)
		p := Patches{Title: "best", Units: []Unit{u, unit(4, 9, 7, 7, c), unit(5, 4, 300, 200, c), unit(6, 1, 1, 1, c)}, Method: method{3}}
		f, err := p.Figure()
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Cells) != 2 || len(f.Cells[0]) != 6 || f.Columns[1] != "SmoothGrad(N=3)" || f.Cells[1][3].Picture != nil {
			t.Fatalf("%d rows of %d, %v", len(f.Cells), len(f.Cells[0]), f.Columns)
		}
		// A figure of six columns has pictures 152 wide: 50 for each of three tiles, 5 pixels ten times.
		const by, gap = 10, 2
		for which, picture := range []image.Image{f.Cells[0][0].Picture, f.Cells[0][1].Picture} {
			if size := picture.Bounds().Size(); size != image.Pt(3*5*by+2*gap, 3*7*by+2*gap) {
				t.Fatalf("a square of %v", size)
			}
			check(t, picture, image.Point{}, 3, by, u, which == 1)
			if at(picture, 5*by, 3) != [3]int{255, 255, 255} {
				t.Error("no gap")
			}
		}
		if f.Cells[0][0].Caption != nasty || f.Cells[0][1].Caption != "9 to 1" || !strings.Contains(f.Legends[0].Note, "responses") {
			t.Errorf("under them %q and %q", f.Cells[0][0].Caption, f.Cells[0][1].Caption)
		}
		if size := f.Cells[0][4].Picture.Bounds().Size(); size != image.Pt(2*112+gap, 2*168+gap) { // half as much again as 75
			t.Errorf("large patches in a square of %v", size)
		}
		html, err := html(p.Figure())
		if err != nil {
			t.Fatal(err)
		}
		if page := read(t, html); len(page.pictures) != 9 || !strings.Contains(page.text, `<script>alert("1")</script>`) || !strings.Contains(page.pictures[0].alt, "responses 9 to 1") {
			t.Errorf("%d pictures: %s", len(page.pictures), page.pictures[0].alt)
		} else {
			for _, picture := range page.pictures[:8] {
				if picture.width != "152" {
					t.Errorf("a square is shown %s wide: %s", picture.width, picture.alt)
				}
			}
		}
	}
	alone := Unit{Name: "7", Patches: interp.Images{N: 1, H: 2, W: 2, C: 1, Pix: make([]float64, 4)}}
	f, err := Patches{Units: []Unit{alone}}.Figure()
	if err != nil || len(f.Cells[0]) != 1 || f.Legends != nil || f.Cells[0][0].Caption != "7" {
		t.Errorf("%v, %v", f, err)
	}
	f, err = Patches{Units: []Unit{{Name: "8", Patches: unit(8, 5, 2, 2, 1).Patches}}, Size: 64}.Figure()
	if err != nil {
		t.Fatal(err)
	}
	if size := f.Cells[0][0].Picture.Bounds().Size(); size != image.Pt(3*22-2, 2*22-2) { // five patches are three and two
		t.Errorf("five patches in a picture of %v", size)
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
		"show: Patches.Units is empty":             {},
		"show: Patches.Across is -1":               {Units: []Unit{good}, Across: -1},
		"some units have":                          {Units: []Unit{good, other}},
		"projection 1: it holds":                   {Units: []Unit{nan}},
		"Projections are 4×2×3×3, must be 4×3×3×3": {Units: []Unit{fewer}},
		"no images: N=0":                           {Units: []Unit{{Name: "7"}}},
		"2 channels has no colours":                {Units: []Unit{unit(1, 1, 2, 2, 2)}},
	} {
		if _, err := html(p.Figure()); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
