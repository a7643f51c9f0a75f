//go:build unix

package show

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"lucigo/notebooks/internal/celltest"
)

func TestMain(m *testing.M) {
	parts := map[string]func() error{
		"grid": func() error {
			maps, x := noise(1, 1, 8, 8, 3)
			return Grid{Title: "Deer", Images: x, Columns: []Column{{Name: "gradient", Maps: maps}}}.Show()
		},
		"NaN": func() error {
			maps, x := noise(1, 2, 8, 8, 3)
			maps.Pix[0] = math.NaN()
			return Grid{Images: x, Columns: []Column{{Name: "gradient", Maps: maps}}}.Show()
		},
		"progress": func() error {
			p := Progress{Title: "training <b>", Total: 100}
			defer p.Close()
			for i := range 60 {
				if err := p.Set(i, fmt.Sprint("loss ", i)); err != nil {
					return err
				}
				time.Sleep(5 * time.Millisecond)
			}
			return nil
		},
		"last step": func() error {
			p := Progress{Total: 2}
			return errors.Join(p.Set(1, "first"), p.Set(2, "last"))
		},
	}
	maps.Copy(parts, dreams)
	maps.Copy(parts, progressions)
	celltest.Main(m, parts)
}

func TestShowInNotebook(t *testing.T) {
	shown, printed, err := celltest.Run(t, "grid", true)
	if err != nil || printed != "" || len(shown) != 1 {
		t.Fatalf("%v, %d outputs, printed %q", err, len(shown), printed)
	}
	html, _ := shown[0].Data["text/html"].(string)
	if got := read(t, html); len(got.pictures) != 3 || !strings.Contains(got.text, "Deer") {
		t.Errorf("%d pictures in %s", len(got.pictures), html)
	}
	if text := shown[0].Data["text/plain"]; text == "" {
		t.Error("no text for readers without a page")
	}
}

// A map that cannot be drawn is an error, once the rest is shown.
func TestNaNInNotebook(t *testing.T) {
	shown, printed, err := celltest.Run(t, "NaN", true)
	if err == nil || !strings.Contains(printed, `column "gradient": map 0 is NaN`) || len(shown) != 1 {
		t.Fatalf("%v, %d outputs, printed %q", err, len(shown), printed)
	}
	if got := read(t, shown[0].Data["text/html"].(string)); len(got.pictures) != 2+1+1 {
		t.Errorf("%d pictures", len(got.pictures))
	}
}

// Sixty steps in 0.3 s or more show as few updates of one line, the last of them the last state.
func TestProgressInNotebook(t *testing.T) {
	start := time.Now()
	shown, printed, err := celltest.Run(t, "progress", true)
	if err != nil || printed != "" {
		t.Fatalf("%v, printed %q", err, printed)
	}
	if most := 3 + int(time.Since(start)/(100*time.Millisecond)); len(shown) < 3 || len(shown) > most {
		t.Errorf("%d updates, want 3 to %d", len(shown), most)
	}
	for _, d := range shown {
		if d.DisplayID == "" || d.DisplayID != shown[0].DisplayID {
			t.Errorf("an output of id %q after %q", d.DisplayID, shown[0].DisplayID)
		}
		read(t, d.Data["text/html"].(string))
	}
	if last := fmt.Sprint(shown[len(shown)-1].Data["text/html"]); !strings.Contains(last, "training &lt;b&gt;: 59 of 100 · loss 59 · ") {
		t.Errorf("last state %s", last)
	}
}

// The last step is shown at once, even if nobody closes the line.
func TestProgressOfTheLastStep(t *testing.T) {
	shown, printed, err := celltest.Run(t, "last step", true)
	if err != nil || printed != "" || len(shown) == 0 {
		t.Fatalf("%v, %d updates, printed %q", err, len(shown), printed)
	}
	if last := fmt.Sprint(shown[len(shown)-1].Data["text/html"]); !strings.Contains(last, "2 of 2 · last · ") {
		t.Errorf("last state %s", last)
	}
}

func TestProgressLine(t *testing.T) {
	for want, p := range map[string]*Progress{
		"7 · 1m3s":                       {done: 7},
		"a: 7 of 8 · loss\u00a01 · 1m3s": {Title: "a", Total: 8, done: 7, note: "loss\u00a01"},
		"a: compiling · b":               {Title: "a", note: "b", compiling: true},
		"4 of 8 · b · compiling":         {Total: 8, done: 4, note: "b", compiling: true},
	} {
		if got := p.line(62960 * time.Millisecond); got != strings.Join(strings.Fields(want), " ") {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
