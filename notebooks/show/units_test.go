package show

import (
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/interptest"
)

func TestSpectrum(t *testing.T) {
	examples := func(n int, values ...float64) Examples { return Examples{interptest.ImagesOf(n, 4, 4, 3, 1), values} }
	s := Spectrum{Title: "S10", Units: []Responses{
		{Unit: "6", Lowered: examples(1, -2), Lowest: examples(2, -1, -.5), Low: examples(1, .25), High: examples(1, 3), Highest: examples(3), Raised: examples(1, 9)},
		{Unit: nasty, Lowest: examples(1), Raised: examples(1, 7.5)},
	}}
	f, err := s.Figure()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(f.Columns, "|"); got != "optimised −|lowest|lowest|low|high|highest|highest|highest|optimised +" {
		t.Errorf("columns %s", got)
	}
	if c := f.Cells[0][2]; c.Caption != "−0.5" && c.Caption != "-0.5" || c.Picture == nil {
		t.Errorf("the second of the lowest is %+v", c)
	}
	if low, high, raised := f.Cells[0][3].Caption, f.Cells[0][4].Caption, f.Cells[0][8].Caption; low != "0.25" || high != "3" || raised != "9" {
		t.Errorf("the first unit has %q for low, %q for high and %q at last", low, high, raised)
	}
	if c := f.Cells[1][2]; c.Picture != nil || f.Cells[1][8].Caption != "7.5" {
		t.Error("the second unit has one of the lowest and 7.5 at last")
	}
	html, err := html(s.Figure())
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, html); len(got.pictures) != 11 {
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
	html, err := html(l.Figure())
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
