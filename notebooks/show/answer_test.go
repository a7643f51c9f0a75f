package show

import (
	"math"
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/interptest"
)

func answer() Answer {
	unit := func(name string, contribution float64, seed uint64) AnswerUnit {
		return AnswerUnit{Name: name, Contribution: contribution, Picture: interptest.ImagesOf(1, 8, 8, 3, seed),
			Patches: interptest.ImagesOf(4, 5, 5, 3, seed), Active: interp.Maps{Images: interptest.ImagesOf(1, 16, 16, 1, seed)}}
	}
	return Answer{Title: "why", Image: interptest.ImagesOf(1, 16, 16, 3, 1), Caption: nasty, Units: []AnswerUnit{unit("mixed4b 11", 3, 2), unit(nasty, -1.5, 3)}}
}

// The figure has a column for the image and for each unit; what no unit has is left out.
func TestAnswer(t *testing.T) {
	a := answer()
	f, err := a.Figure()
	if err != nil {
		t.Fatal(err)
	}
	page, err := f.HTML()
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, page)
	if len(got.pictures) != 1+2*4+1 {
		t.Errorf("%d pictures, want the image, four of each unit and a legend", len(got.pictures))
	}
	for _, want := range []string{"mixed4b 11", "−1.5", "together 1.5", "is active", "contributes", "optimised image", "best patches"} {
		if !strings.Contains(got.text, want) {
			t.Errorf("the figure does not say %q", want)
		}
	}
	a.Units[0].Picture, a.Units[1].Picture = interp.Images{}, interp.Images{}
	a.Units[0].Patches, a.Units[1].Active = interp.Images{}, interp.Maps{}
	if f, err = a.Figure(); err != nil || strings.Join(f.Rows, " | ") != "is active | contributes | best patches" {
		t.Errorf("rows %q, %v", f.Rows, err)
	}
	if f.Cells[2][1].Picture != nil || f.Cells[2][2].Picture == nil || f.Cells[0][2].Picture != nil {
		t.Error("a unit has a cell of what it has not, or lacks one")
	}
}

// A bar is as long as its number, from the middle where there are negative ones.
func TestBar(t *testing.T) {
	for _, c := range []struct {
		v, most  float64
		signed   bool
		from, to int
	}{{1, 2, false, 0, 50}, {2, 2, false, 0, 100}, {0, 0, false, 0, 0}, {-2, 2, true, 0, 50}, {1, 2, true, 50, 75}} {
		m := bar(c.v, c.most, c.signed, 100)
		empty := m.At(99, 0)
		if c.to == 100 {
			empty = bar(0, 1, false, 100).At(0, 0)
		}
		for x := range 100 {
			if filled := m.At(x, 0) != empty; filled != (x >= c.from && x < c.to) {
				t.Errorf("%+v: pixel %d is filled %t", c, x, filled)
				break
			}
		}
	}
}

func TestAnswerErrors(t *testing.T) {
	for want, change := range map[string]func(a *Answer){
		"Image has 0 images":                                  func(a *Answer) { a.Image = interp.Images{} },
		"Image has 2 images":                                  func(a *Answer) { a.Image = interptest.ImagesOf(2, 16, 16, 3, 1) },
		"Units is empty":                                      func(a *Answer) { a.Units = nil },
		"Contribution of mixed4b":                             func(a *Answer) { a.Units[0].Contribution = math.NaN() },
		"is active of mixed4b 11: there are 2 maps":           func(a *Answer) { a.Units[0].Active = interp.Maps{Images: interptest.ImagesOf(2, 16, 16, 1, 1)} },
		"must be 8×8":                                         func(a *Answer) { a.Units[0].Active = interp.Maps{Images: interptest.ImagesOf(1, 8, 8, 1, 1)} },
		"optimised image of mixed4b 11: there are 2 pictures": func(a *Answer) { a.Units[0].Picture = interptest.ImagesOf(2, 8, 8, 3, 1) },
		"best patches of mixed4b 11":                          func(a *Answer) { a.Units[0].Patches = interp.Images{N: 1} },
	} {
		a := answer()
		change(&a)
		if _, err := a.Figure(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
