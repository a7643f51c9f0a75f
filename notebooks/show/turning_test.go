package show

import (
	"bytes"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A solid that turns is an animation of its photographs in their order, in frames that say how they were read, and they are counted.
func TestTurning(t *testing.T) {
	f, err := Turning{Title: nasty, Solids: []Turned{
		{Name: "<b>cube", Photos: photos(), Right: []int{0}, Target: 1},
		{Name: "vase", Photos: photos(), Right: []int{0, 2}, Target: -1},
	}, Every: 70 * time.Millisecond}.Figure()
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range [][][3]int{{{26, 127, 55}, {207, 34, 46}, {140, 149, 159}}, {{26, 127, 55}, {207, 34, 46}, {26, 127, 55}}} {
		a := f.Cells[0][k].Picture.(animation)
		var b bytes.Buffer
		if err := a.encode(&b); err != nil {
			t.Fatal(err)
		}
		pictures, stay := readAnimation(t, b.Bytes())
		if len(pictures) != 3 {
			t.Fatalf("%d pictures", len(pictures))
		}
		for i, p := range pictures {
			if got := at(p, 0, 12); got != want[i] || stay[i] != 70*time.Millisecond {
				t.Errorf("solid %d, picture %d: a frame of %v, want %v, for %v", k, i, got, want[i], stay[i])
			}
		}
	}
	if c := f.Cells[0][0]; c.Caption != "<b>cube: 1 of 3 as bus" || !strings.Contains(c.Note, "1 right") {
		t.Errorf("%q, %q", c.Caption, c.Note)
	}
	if c := f.Cells[0][1]; c.Caption != "vase: 1 of 3 as something else" || !strings.Contains(c.Note, "2 right") {
		t.Errorf("%q, %q", c.Caption, c.Note)
	}
	page, err := html(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	if text := read(t, page).text; !strings.Contains(text, `<b>cube`) {
		t.Errorf("%s", text)
	}
	sources := regexp.MustCompile(`src="data:image/png;base64,([^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(sources) != 2 {
		t.Fatalf("%d pictures", len(sources))
	}
	for _, s := range sources {
		file, err := base64.StdEncoding.DecodeString(s[1])
		if err != nil {
			t.Fatal(err)
		}
		if pictures, _ := readAnimation(t, file); len(pictures) != 3 || pictures[2].Bounds().Dx() != 26*8 {
			t.Errorf("on the page, %d pictures move, %v", len(pictures), pictures[0].Bounds())
		}
	}
	for want, g := range map[string]Turning{
		"Solids is empty": {},
		"Every is -1s":    {Solids: []Turned{{Photos: photos()}}, Every: -time.Second},
		"has 0 images":    {Solids: []Turned{{Name: "x"}}},
		"Right is [3]":    {Solids: []Turned{{Photos: photos(), Right: []int{3}}}},
		"Target -2":       {Solids: []Turned{{Photos: photos(), Target: -2}}},
	} {
		if _, err := g.Figure(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
}
