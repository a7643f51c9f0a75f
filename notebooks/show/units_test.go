package show

import (
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/featvis"
	"lucigo/interp/interptest"
)

func TestProgression(t *testing.T) {
	x := interptest.ImagesOf(2, 6, 5, 3, 1)
	frames := []featvis.Frame{
		{Step: 0, Images: x, Score: []float64{.125, -1}},
		{Step: 48, Images: x, Score: []float64{12345, 2}},
		{Step: 2048, Images: x, Score: []float64{3, 4}},
	}
	html, err := Progression{Title: "a <b>", Rows: []string{"unit 11", nasty}, Frames: frames}.HTML()
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, html)
	if len(got.pictures) != 6 || got.count["tr"] != 3 {
		t.Errorf("%d pictures in %d rows", len(got.pictures), got.count["tr"])
	}
	for _, want := range []string{"a <b>", "step 0", "step 48", "step 2048", "unit 11", "0.125"} {
		if !strings.Contains(got.text, want) {
			t.Errorf("no %q in %q", want, got.text)
		}
	}
	if alt := got.pictures[1].alt; !strings.HasPrefix(alt, "unit 11, step 48") {
		t.Errorf("second picture is of %q", alt)
	}
	short := frames[1]
	short.Images = x.Slice(0, 1)
	for _, bad := range []Progression{
		{}, {Frames: frames, Rows: []string{"one"}}, {Frames: []featvis.Frame{frames[0], short}},
		{Frames: []featvis.Frame{{Images: interp.Images{N: 1, H: 2, W: 2, C: 3}}}},
		{Frames: []featvis.Frame{{Images: interptest.ImagesOf(1, 2, 2, 2, 1), Score: []float64{1}}}},
	} {
		if err := bad.Show(); err == nil {
			t.Errorf("%d frames, rows %q: no error", len(bad.Frames), bad.Rows)
		}
	}
}

func TestSpectrum(t *testing.T) {
	examples := func(n int, values ...float64) Examples { return Examples{interptest.ImagesOf(n, 4, 4, 3, 1), values} }
	s := Spectrum{Title: "S10", Units: []Responses{
		{Unit: "6", Lowered: examples(1, -2), Lowest: examples(2, -1, -.5), Highest: examples(3), Raised: examples(1, 9)},
		{Unit: nasty, Lowest: examples(1), Raised: examples(1, 7.5)},
	}}
	f, err := s.Figure()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(f.Columns, "|"); got != "optimised −|lowest|lowest|highest|highest|highest|optimised +" {
		t.Errorf("columns %s", got)
	}
	if c := f.Cells[0][2]; c.Caption != "−0.5" && c.Caption != "-0.5" || c.Picture == nil {
		t.Errorf("the second of the lowest is %+v", c)
	}
	if c := f.Cells[1][2]; c.Picture != nil || f.Cells[1][6].Caption != "7.5" {
		t.Error("the second unit has one of the lowest and 7.5 at last")
	}
	html, err := s.HTML()
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, html); len(got.pictures) != 9 {
		t.Errorf("%d pictures", len(got.pictures))
	}
	for _, bad := range []Spectrum{
		{}, {Units: []Responses{{Unit: "1"}}}, {Units: []Responses{{Low: examples(2, 1)}}},
		{Units: []Responses{{High: Examples{Images: interp.Images{N: 1}}}}},
		{Units: []Responses{{High: Examples{Images: interptest.ImagesOf(1, 2, 2, 2, 1)}}}},
	} {
		if err := bad.Show(); err == nil {
			t.Errorf("%+v: no error", bad)
		}
	}
}

func TestLayers(t *testing.T) {
	l := Layers{Title: "S11", Rows: []LayerRow{
		{Name: "conv1", Images: interptest.ImagesOf(3, 4, 4, 3, 1), Captions: []string{"0", "1", "<2>"}},
		{Name: nasty, Images: interptest.ImagesOf(2, 8, 8, 3, 1)},
	}}
	html, err := l.HTML()
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, html)
	if len(got.pictures) != 5 || got.count["td"] != 6 || !strings.Contains(got.text, "<2>") || !strings.Contains(got.text, "conv1") {
		t.Errorf("%d pictures in %d cells: %q", len(got.pictures), got.count["td"], got.text)
	}
	for _, bad := range []Layers{
		{}, {Rows: []LayerRow{{Name: "a"}}},
		{Rows: []LayerRow{{Images: interptest.ImagesOf(1, 2, 2, 3, 1), Captions: []string{"a", "b"}}}},
		{Rows: []LayerRow{{Images: interptest.ImagesOf(1, 2, 2, 2, 1)}}},
	} {
		if err := bad.Show(); err == nil {
			t.Errorf("%+v: no error", bad)
		}
	}
}
