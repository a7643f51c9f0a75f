package show

import (
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/attack/physical"
)

// photos are three photographs that are read as classes 0, 1 and 2, at falling angles.
func photos() physical.Photos {
	_, x := noise(5, 3, 24, 24, 3)
	return physical.Photos{
		Images:     x,
		Prediction: interp.Prediction{Logits: interp.Rows{N: 3, Shape: []int{3}, Data: []float64{9, 0, 0, 0, 9, 0, 0, 0, 9}}, Names: []string{nasty, "bus", "cat"}},
		Tilt:       []float64{30, 20, 10}, Size: []float64{1, 1, 1},
	}
}

// Photographs are in order of their angles, in frames that say how they were read, and counted.
func TestPhotographs(t *testing.T) {
	f, err := Photographs{Title: nasty, Photos: photos(), Right: 0, Target: 1}.Figure()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		caption string
		frame   [3]int
	}{{"10°: cat", [3]int{140, 149, 159}}, {"20°: bus", [3]int{207, 34, 46}}, {"30°: " + nasty, [3]int{26, 127, 55}}} {
		c := f.Cells[0][i]
		if c.Caption != want.caption || at(c.Picture, 0, 12) != want.frame || c.Picture.Bounds().Dx() != 26 {
			t.Errorf("photograph %d: %q in a frame of %v, %v wide", i, c.Caption, at(c.Picture, 0, 12), c.Picture.Bounds())
		}
	}
	if !strings.Contains(f.Title, "\nhow 3 photographs are read: 33 % as "+nasty+" (right, green), 33 % as bus (red)") {
		t.Errorf("title %q", f.Title)
	}
	page, err := html(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	if text := read(t, page).text; !strings.Contains(text, `<script>alert("1")</script>`) {
		t.Errorf("%s", text)
	}
	any, err := Photographs{Photos: photos(), Right: 0, Target: -1, Count: 1, Across: 1}.Figure()
	if err != nil || len(any.Cells) != 1 || at(any.Cells[0][0].Picture, 0, 12) != [3]int{207, 34, 46} || !strings.Contains(any.Title, "67 % as something else (red)") {
		t.Errorf("any other class: %v, %d rows, title %q", err, len(any.Cells), any.Title)
	}
	flat := photos()
	flat.Tilt = make([]float64, 3)
	none, err := Photographs{Photos: flat, Right: -1, Target: 2}.Figure()
	if err != nil || none.Cells[0][2].Caption != "cat" || at(none.Cells[0][2].Picture, 0, 12) != [3]int{207, 34, 46} || at(none.Cells[0][0].Picture, 0, 12) != [3]int{140, 149, 159} ||
		none.Title != "how 3 photographs are read: 33 % as cat (red)" {
		t.Errorf("no class right for all: %v, title %q, %q", err, none.Title, none.Cells[0][2].Caption)
	}
	if plain, err := (Photographs{Photos: photos(), Right: -1, Target: -1}).Figure(); err != nil || plain.Title != "3 photographs" {
		t.Errorf("nothing to count: %v, title %q", err, plain.Title)
	}
	for want, p := range map[string]Photographs{
		"0 images":             {},
		"Right is 3":           {Photos: photos(), Right: 3},
		"Right is -2":          {Photos: photos(), Right: -2},
		"Target -2":            {Photos: photos(), Target: -2},
		"Photographs.Count is": {Photos: photos(), Count: -1},
	} {
		if _, err := p.Figure(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
}
