package show

import (
	"math"
	"strings"
	"testing"

	"lucigo/interp/attack/card"
	"lucigo/interp/attack/defence"
)

// broken are rows of a defence that falls, one with a name that is to be escaped, and one that holds.
func broken() Defences {
	share := func(right int) card.Share { return card.Share{Right: right, Of: 40} }
	flags := []card.Flag{{Kind: card.NoGradient}, {Kind: card.Randomised}}
	return Defences{Title: nasty, Rows: []defence.Row{
		{Defence: "JPEG(quality=75)", Clean: share(38), Claimed: share(24), Left: share(0), Flags: flags},
		{Defence: nasty, Clean: share(40), Claimed: share(40), Left: share(1), Flags: flags[:1]},
		{Defence: "adversarial training", Clean: share(37), Claimed: share(26), Left: share(25)},
	}}
}

func TestDefences(t *testing.T) {
	f, err := broken().Figure()
	if err != nil {
		t.Fatal(err)
	}
	plotted(t, f, "defences",
		"JPEG(quality=75): clean 95 % (83–99), claimed 60 % (45–74), after the attack that knows 0 % (0–9); flags: no gradient, randomised output.",
		"adversarial training: clean 92 % (80–97), claimed 65 % (50–78), after the attack that knows 62 % (47–76); flags: none",
	)
}

// Each bar is as long as its share.
func TestDefencesLengths(t *testing.T) {
	d := broken()
	d.Rows = d.Rows[:1]
	d.Rows[0].Clean, d.Rows[0].Claimed, d.Rows[0].Left = card.Share{Right: 40, Of: 40}, card.Share{Right: 20, Of: 40}, card.Share{Right: 10, Of: 40}
	m := d.draw(1440)
	var longest [3]int
	for y := range m.Bounds().Dy() {
		for k := range longest {
			run, most := 0, 0
			for x := range m.Bounds().Dx() {
				p := at(m, x, y)
				if p[0] == int(hues[k].R) && p[1] == int(hues[k].G) && p[2] == int(hues[k].B) {
					run++
				} else {
					run = 0
				}
				most = max(most, run)
			}
			longest[k] = max(longest[k], most)
		}
	}
	whole := float64(longest[0])
	if whole < 1000 || math.Abs(float64(longest[1])-whole/2) > 3 || math.Abs(float64(longest[2])-whole/4) > 3 {
		t.Errorf("bars of 1, ½ and ¼ are %v pixels long", longest)
	}
}

func TestDefencesErrors(t *testing.T) {
	for want, change := range map[string]func(d *Defences){
		"Rows is empty":       func(d *Defences) { d.Rows = nil },
		"has 31 rows":         func(d *Defences) { d.Rows = make([]defence.Row, 31) },
		"Size is 30":          func(d *Defences) { d.Size = 30 },
		"clean is 0 of 0":     func(d *Defences) { d.Rows[0].Clean = card.Share{} },
		"claimed is 41 of 40": func(d *Defences) { d.Rows[1].Claimed.Right = 41 },
	} {
		d := broken()
		change(&d)
		if _, err := d.Figure(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
