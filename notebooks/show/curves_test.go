package show

import (
	"math"
	"strings"
	"testing"
)

func curves() Curves {
	x := []float64{0, 1, 2, 4, 8}
	return Curves{Title: nasty, X: "ε in 255ths", Y: "accuracy", Lines: []Curve{
		{Name: "noise", X: x, Y: []float64{.95, .95, .94, .93, .9}},
		{Name: nasty, X: x, Y: []float64{.95, .6, .3, .1, 0}, Low: []float64{.9, .5, .2, .05, 0}, High: []float64{1, .7, .4, .2, .1}},
		{Name: "worst case", X: x, Y: []float64{.95, .5, .2, 0, 0}, Bold: true},
	}}
}

// TestCurves: points are where they should be, and what the picture shows is also said in words.
func TestCurves(t *testing.T) {
	f, err := curves().Figure()
	if err != nil {
		t.Fatal(err)
	}
	page, err := f.HTML()
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, page)
	if len(got.pictures) != 1 || got.pictures[0].width != "600" || got.pictures[0].Bounds().Dx() != 1200 {
		t.Fatalf("%d pictures", len(got.pictures))
	}
	for _, want := range []string{
		"accuracy against ε in 255ths", "noise: 0.95 at 0, 0.95 at 1, 0.94 at 2, 0.93 at 4, 0.9 at 8", "worst case: 0.95 at 0", "<b>: 0.95 at 0",
	} {
		if !strings.Contains(got.pictures[0].alt, want) {
			t.Errorf("no %q in %q", want, got.pictures[0].alt)
		}
	}
	golden(t, "curves", f.Cells[0][0].Picture)

}

// A line's height moves evenly with its number.
func TestCurvesPlaces(t *testing.T) {
	row := func(v float64) (mean float64) { // of the pixels of a level line's right half
		c := Curves{X: "x", Y: "y", Lines: []Curve{{Name: "a", X: []float64{0, 1}, Y: []float64{v, v}, Bold: true}}}
		m := c.draw(1200)
		n := 0.0
		for y := range m.Bounds().Dy() {
			if at(m, 900, y)[0] < 20 {
				mean, n = mean+float64(y), n+1
			}
		}
		return mean / n
	}
	top, middle, quarter := row(1), row(.5), row(.75)
	if !(top < quarter) || math.Abs((middle-top)-2*(quarter-top)) > 1.5 {
		t.Errorf("1 is at %g, .75 at %g and .5 at %g", top, quarter, middle)
	}
}

func TestLawTicks(t *testing.T) {
	for _, c := range [][2]float64{{0, 1}, {0, 8}, {-3, 5}, {.01, .013}, {0, 1e6}, {2, 2.0001}, {-1e-9, 1e-9}} {
		all := ticks(c[0], c[1])
		if len(all) < 3 || len(all) > 12 {
			t.Errorf("%v has the ticks %v", c, all)
		}
		for i, v := range all {
			if v < c[0]-1e-9*(c[1]-c[0]) || v > c[1]+1e-9*math.Abs(c[1]) || i > 0 && v <= all[i-1] {
				t.Errorf("%v has the ticks %v", c, all)
			}
		}
	}
}

// Labels keep their order and their distance, and stay on the page where there is room.
func TestLawApart(t *testing.T) {
	for _, at := range [][]float64{{5}, {100, 100, 100, 100}, {0, 1, 2, 99}, {99, 2, 1, 0}, {50, 50.5, 49, 80, 81}} {
		out := apart(at, 10, 0, 100)
		for i := range out {
			if out[i] < 0 || out[i] > 100 {
				t.Errorf("%v: %v leaves the page", at, out)
			}
			for j := range out {
				if i != j && math.Abs(out[i]-out[j]) < 10-1e-9 || at[i] < at[j] && out[i] > out[j] {
					t.Errorf("%v: %v, of which %d and %d overlap or change places", at, out, i, j)
				}
			}
		}
	}
	if out := apart([]float64{20, 40, 60}, 10, 0, 100); out[0] != 20 || out[1] != 40 || out[2] != 60 {
		t.Errorf("places that are far apart move: %v", out)
	}
}

func TestCurvesErrors(t *testing.T) {
	one := []float64{1}
	for _, c := range []struct {
		c    Curves
		says string
	}{
		{Curves{}, "show: Curves: Lines has 0 curves"},
		{Curves{Lines: make([]Curve, 21)}, "Lines has 21 curves"},
		{Curves{Size: 20, Lines: []Curve{{X: one, Y: one}}}, "Size is 20"},
		{Curves{Lines: []Curve{{Name: "a"}}}, `"a" has 0 X and 0 Y`},
		{Curves{Lines: []Curve{{Name: "a", X: one, Y: []float64{1, 2}}}}, `"a" has 1 X and 2 Y`},
		{Curves{Lines: []Curve{{Name: "a", X: one, Y: one, Low: one}}}, `"a" has 1 Low and 0 High`},
		{Curves{Lines: []Curve{{Name: "a", X: one, Y: []float64{math.NaN()}}}}, "not finite"},
		{Curves{Lines: []Curve{{Name: "a", X: []float64{1, 1}, Y: []float64{1, 1}}}}, "X 1 after 1"},
		{Curves{Lines: []Curve{{Name: "a", X: one, Y: one, Low: []float64{2}, High: []float64{3}}}}, "not between Low 2 and High 3"},
	} {
		if err := c.c.Show(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("error %v, want one that says %q", err, c.says)
		}
	}
}

func matrix() Matrix {
	return Matrix{
		Title: "a", Corner: nasty, Rows: []string{"standard", nasty}, Columns: []string{"standard", "robust", "conv"},
		Shares: [][]float64{{1, .25, 0}, {math.NaN(), .5, .75}}, Controls: [][]float64{{0, .5, 1}, {0, 0, .1}},
		What: "share fooled", Control: "noise",
	}
}

// TestMatrix: a tile has the colour of its share, and the strip that of its control.
func TestMatrix(t *testing.T) {
	m := matrix()
	f, err := m.Figure()
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range m.Shares {
		for j, v := range row {
			c := f.Cells[i][j]
			if math.IsNaN(v) {
				if c.Picture != nil || c.Caption != "no images" {
					t.Errorf("row %d, column %d: %+v", i, j, c)
				}
				continue
			}
			if got, want := c.Picture.At(40, 50), diverging(v); got != want {
				t.Errorf("row %d, column %d: %v, want %v", i, j, got, want)
			}
			if got, want := c.Picture.At(100, 50), diverging(m.Controls[i][j]); got != want {
				t.Errorf("row %d, column %d: the control is %v, want %v", i, j, got, want)
			}
		}
	}
	if c := f.Cells[0][1].Caption; c != "0.25\nnoise\u00a00.50" {
		t.Errorf("caption %q", c)
	}
	golden(t, "matrix", f.Cells[0][1].Picture)
	page, err := f.HTML()
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, page)
	said := strings.Contains(got.text, "share fooled; the strip at the right: noise")
	if len(got.pictures) != 5+1 || !said || strings.Contains(page, "<script") {
		t.Errorf("%d pictures in %s", len(got.pictures), got.text)
	}
	m.Controls = nil
	if f, err = m.Figure(); err != nil || f.Cells[0][1].Caption != "0.25" || f.Cells[0][1].Picture.At(100, 50) != diverging(.25) {
		t.Errorf("without a control: %+v, %v", f.Cells[0][1].Caption, err)
	}
	for says, change := range map[string]func(m *Matrix){
		"0 rows of Shares":     func(m *Matrix) { m.Shares = nil },
		"2 rows of Shares":     func(m *Matrix) { m.Rows = m.Rows[:1] },
		"of other lengths":     func(m *Matrix) { m.Columns = m.Columns[:2] },
		"of other length":      func(m *Matrix) { m.Controls = m.Controls[:1] },
		"the share is 1.5":     func(m *Matrix) { m.Shares[1][1] = 1.5 },
		"the share is -1":      func(m *Matrix) { m.Controls[1][1] = -1 },
		`column "robust": the`: func(m *Matrix) { m.Controls[0][1] = math.NaN() },
	} {
		m := matrix()
		change(&m)
		if err := m.Show(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v, want one that says %q", err, says)
		}
	}
}
