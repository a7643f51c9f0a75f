//go:build unix

package show

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"lucigo/interp"
	"lucigo/interp/featvis"
	"lucigo/interp/interptest"
	"lucigo/notebooks/internal/celltest"
)

// optimising yields a frame of n images at each of the steps, a pause before each; a negative step is an
// error.
func optimising(n int, pause time.Duration, steps ...int) iter.Seq2[featvis.Frame, error] {
	return func(yield func(featvis.Frame, error) bool) {
		for _, step := range steps {
			time.Sleep(pause)
			if step < 0 {
				yield(featvis.Frame{}, errors.New("the lamp went out"))
				return
			}
			f := featvis.Frame{Step: step, Images: interptest.ImagesOf(n, 6, 5, 3, uint64(step))}
			for i := range n {
				f.Score = append(f.Score, float64(step)+float64(i)/8)
			}
			if !yield(f, nil) {
				return
			}
		}
	}
}

// frames are what optimising yields.
func frames(t *testing.T, n int, steps ...int) (all []featvis.Frame) {
	t.Helper()
	for f, err := range optimising(n, 0, steps...) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}

func TestProgressionFigure(t *testing.T) {
	p := Progression{Title: "a <b>", Rows: []string{"unit 11", nasty}}
	f, err := p.figure(frames(t, 2, 0, 48, 2048))
	if err != nil {
		t.Fatal(err)
	}
	html, err := f.HTML()
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, html)
	if len(got.pictures) != 6 || got.count["tr"] != 3 {
		t.Errorf("%d pictures in %d rows", len(got.pictures), got.count["tr"])
	}
	for _, want := range []string{"a <b>", "step 0", "step 48", "step 2048", "unit 11", "48.1"} {
		if !strings.Contains(got.text, want) {
			t.Errorf("no %q in %q", want, got.text)
		}
	}
	if alt := got.pictures[1].alt; !strings.HasPrefix(alt, "unit 11, step 48") {
		t.Errorf("second picture is of %q", alt)
	}
	m, _ := interptest.ImagesOf(2, 6, 5, 3, 2048).Image(1)
	if c := f.Cells[1][2]; difference(c.Picture, m) != 0 || c.Caption != "2048" {
		t.Errorf("the second image at last is %q", c.Caption)
	}
}

// What Keep names stays, and so does the last frame, whatever its step.
func TestProgressionKeeps(t *testing.T) {
	p := Progression{Keep: []int{0, 4, 100}}
	for want, steps := range map[string][]int{
		"[step 0]":                 {0},
		"[step 0 step 2]":          {0, 2},
		"[step 0 step 4]":          {0, 2, 4},
		"[step 0 step 4 step 100]": {0, 2, 4, 6, 8, 100},
		"[step 0 step 4 step 9]":   {0, 2, 4, 6, 8, 9},
	} {
		f, err := p.figure(frames(t, 1, steps...))
		if got := fmt.Sprint(f.Columns); err != nil || got != want {
			t.Errorf("steps %d: columns %s, %v, want %s", steps, got, err, want)
		}
	}
}

func TestProgressionErrors(t *testing.T) {
	short := frames(t, 2, 0, 1)
	short[1].Images = short[1].Images.Slice(0, 1)
	unscored := frames(t, 2, 0)
	unscored[0].Score = nil
	broken := frames(t, 1, 0)
	broken[0].Images.Pix = nil
	two := []featvis.Frame{{Images: interptest.ImagesOf(1, 2, 2, 2, 1), Score: []float64{1}}}
	of := func(all []featvis.Frame) iter.Seq2[featvis.Frame, error] {
		return func(yield func(featvis.Frame, error) bool) {
			for _, f := range all {
				if !yield(f, nil) {
					return
				}
			}
		}
	}
	for _, c := range []struct {
		p    Progression
		n    int // frames returned
		says string
	}{
		{Progression{}, 0, "show: Progression.Frames is nil"},
		{Progression{Frames: optimising(1, 0)}, 0, "yielded no frames"},
		{Progression{Frames: optimising(1, 0, -1)}, 0, "the lamp went out"},
		{Progression{Frames: optimising(2, 0, 0, 1), Rows: []string{"one"}}, 1, "show: Progression.Rows has 1 headings, must have 2"},
		{Progression{Frames: of(short)}, 2, "show: step 1 of a Progression: it has 1 images and 2 scores, must have 2"},
		{Progression{Frames: of(unscored)}, 1, "0 scores"},
		{Progression{Frames: of(broken)}, 1, "step 0 of a Progression: "},
		{Progression{Frames: of(two)}, 1, "step 0 of a Progression: "},
	} {
		if got, err := c.p.Show(); err == nil || len(got) != c.n || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%d frames and error %v, want %d and one that says %q", len(got), err, c.n, c.says)
		}
	}
}

// progressions are the cells that the tests run.
var progressions = map[string]func() error{
	"progression": func() error {
		line := Progress{Title: "optimised"}
		line.Part(0, 2, "first")(0, 1024)
		steps := []int{0, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 2048}
		got, err := Progression{Title: "S9", Keep: []int{0, 4}, Frames: rested(10, optimising(2, 10*time.Millisecond, steps...))}.Show()
		if err == nil && len(got) != 15 {
			err = fmt.Errorf("%d frames", len(got))
		}
		line.Part(1, 2, "second")(1000, 1024)
		return errors.Join(err, line.Close())
	},
	"progression that ends early": func() error {
		got, err := Progression{Keep: []int{0, 4}, Frames: optimising(1, 0, 0, 4, 7, 9, -1)}.Show()
		if len(got) != 4 {
			err = fmt.Errorf("%d frames", len(got))
		}
		return err
	},
}

// rested waits before the frame of a step until, however slow the machine, another may be shown.
func rested(step int, frames iter.Seq2[featvis.Frame, error]) iter.Seq2[featvis.Frame, error] {
	return func(yield func(featvis.Frame, error) bool) {
		var slowest time.Duration
		for f, err := range frames {
			if f.Step == step {
				time.Sleep(max(500*time.Millisecond, 4*slowest))
			}
			start := time.Now()
			if !yield(f, err) {
				return
			}
			slowest = max(slowest, time.Since(start))
		}
	}
}

// One figure grows in place. Frames that are kept are shown as soon as they come, others not faster than
// can be looked at, and what stays has the last.
func TestProgressionInNotebook(t *testing.T) {
	start := time.Now()
	shown, printed, err := celltest.Run(t, "progression", true)
	most := 3 + int(time.Since(start)/(500*time.Millisecond))
	if err != nil || printed != "" {
		t.Fatalf("%v, printed %q", err, printed)
	}
	line, last := shown[0].DisplayID, shown[len(shown)-1]
	if html := fmt.Sprint(shown[0].Data["text/html"]); !strings.Contains(html, "optimised: compiling · first") {
		t.Errorf("the line begins as %s", html)
	}
	if html := fmt.Sprint(last.Data["text/html"]); last.DisplayID != line || !strings.Contains(html, "optimised: 2024 of 2048 · second") {
		t.Errorf("the line ends as %s", html)
	}
	var columns []string
	figure := ""
	for _, d := range shown {
		if d.DisplayID == line {
			continue
		}
		if figure == "" {
			figure = d.DisplayID
		}
		if d.DisplayID == "" || d.DisplayID != figure {
			t.Errorf("an output of id %q after %q", d.DisplayID, figure)
		}
		if got := read(t, d.Data["text/html"].(string)); !strings.Contains(got.text, "S9") || len(got.pictures)%2 != 0 {
			t.Errorf("%d pictures under %q", len(got.pictures), got.text)
		}
		lines := strings.Split(d.Data["text/plain"].(string), "\n")
		columns = append(columns, strings.Join(strings.Fields(lines[1]), " "))
	}
	if n := len(columns); n < 4 || n > most {
		t.Errorf("%d updates of 15 frames, want 4 to %d", n, most)
	}
	if columns[0] != "step 0" || columns[1] != "step 0 step 4" {
		t.Errorf("the figure begins as %q", columns[:2])
	}
	if !slices.Contains(columns, "step 0 step 4 step 10") {
		t.Errorf("the frame that came late enough to be looked at is not among %q", columns)
	}
	if end := columns[len(columns)-1]; end != "step 0 step 4 step 2048" {
		t.Errorf("the figure ends as %q", end)
	}
}

// An error leaves the frames so far.
func TestProgressionEndsEarly(t *testing.T) {
	shown, printed, err := celltest.Run(t, "progression that ends early", true)
	if err == nil || !strings.Contains(printed, "the lamp went out") {
		t.Fatalf("%v, printed %q", err, printed)
	}
	got := read(t, shown[len(shown)-1].Data["text/html"].(string))
	if len(got.pictures) != 3 || !strings.Contains(got.text, "step 9") || strings.Contains(got.text, "step 7") {
		t.Errorf("%d pictures stay: %q", len(got.pictures), got.text)
	}
}

func ExampleProgression() {
	frames := func(yield func(featvis.Frame, error) bool) {
		grey := interp.Images{N: 1, H: 1, W: 2, C: 1, Pix: []float64{.5, .5}}
		edge := interp.Images{N: 1, H: 1, W: 2, C: 1, Pix: []float64{0, 1}}
		_ = yield(featvis.Frame{Step: 0, Images: grey, Score: []float64{.1}}, nil) &&
			yield(featvis.Frame{Step: 48, Images: edge, Score: []float64{7}}, nil)
	}
	all, err := Progression{Title: "from grey", Rows: []string{"unit 11"}, Frames: frames}.Show()
	fmt.Println(len(all), err)
	// Output:
	// from grey
	//          step 0           step 48
	// unit 11  [score 0.1] 0.1  [score 7] 7
	// 2 <nil>
}
