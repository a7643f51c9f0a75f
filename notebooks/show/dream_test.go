//go:build unix

package show

import (
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"lucigo/interp"
	"lucigo/interp/dream"
	"lucigo/notebooks/internal/celltest"
)

// dreaming yields the frames of a dream of n noisy images up to h×w pixels; after the given number of
// frames it ends in an error, unless that is 0.
func dreaming(n, h, w, zooms, octaves, iterations, until int) iter.Seq2[dream.Frame, error] {
	return func(yield func(dream.Frame, error) bool) {
		done := 0
		for z := range zooms {
			for k := range octaves {
				for i := range iterations {
					if done++; done > until && until > 0 {
						yield(dream.Frame{}, errors.New("the lamp went out"))
						return
					}
					_, x := noise(uint64(done), n, max(1, h*(k+1)/octaves), max(1, w*(k+1)/octaves), 3)
					f := dream.Frame{Images: x, Zoom: z + 1, Zooms: zooms, Octave: k + 1, Octaves: octaves, Iteration: i + 1, Iterations: iterations,
						Start: slices.Repeat([]float64{float64(k)}, n), Before: slices.Repeat([]float64{float64(10*k + i)}, n)}
					if !yield(f, nil) {
						return
					}
				}
			}
		}
	}
}

// filmed runs a dream into a film.
func filmed(t *testing.T, d Dream) *film {
	t.Helper()
	f, err := newFilm(d)
	if err != nil {
		t.Fatal(err)
	}
	for frame, err := range d.Frames {
		if err != nil {
			break
		}
		if err := f.add(frame); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func TestDreamEnd(t *testing.T) {
	_, x := noise(99, 2, 60, 80, 3)
	d := Dream{Title: nasty, Images: x, Rows: []string{"sky", nasty}, Frames: dreaming(2, 60, 80, 1, 4, 10, 0)}
	f := filmed(t, d)
	page, text, err := f.end()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(page, "<script") {
		t.Errorf("unescaped: %s", page)
	}
	got := read(t, page)
	if len(got.pictures) != 2*5+2 || got.count["table"] != 2 {
		t.Errorf("%d pictures in %d tables", len(got.pictures), got.count["table"])
	}
	for _, want := range []string{"image", "octave 1", "15×20", "octave 4", "60×80", "score 0 → 9", "score 3 → 39", "sky"} {
		if !strings.Contains(got.text, want) {
			t.Errorf("no %q in %s", want, got.text)
		}
	}
	if !strings.Contains(text, "score 3 → 39") || !strings.Contains(text, "animated") {
		t.Errorf("text %s", text)
	}
	// The pictures in the row are what they are headed by: the photograph, and the ends of octaves.
	for j, done := range []uint64{99, 10, 20, 30, 40} {
		size := []int{80, 20, 40, 60, 80}[j]
		_, frame := noise(done, 2, size*3/4, size, 3)
		m, _ := frame.Image(1)
		p := got.pictures[5+j]
		want := fitted(fitted(m, f.size), p.Bounds().Size())
		if p.Bounds().Dx() > 184 || difference(p, want) != 0 {
			t.Errorf("picture %d of the row, %v, differs by %d", j, p.Bounds(), difference(p, want))
		}
	}
	// The animation begins with the dream, then shows the photograph and how it changed.
	for n := range 2 {
		address := strings.Split(page, "data:image/png;base64,")[1+10+n]
		file, err := base64.StdEncoding.DecodeString(address[:strings.Index(address, `"`)])
		if err != nil {
			t.Fatal(err)
		}
		if len(file) > 6<<20 {
			t.Errorf("an animation of %d bytes", len(file))
		}
		pictures, _ := readAnimation(t, file)
		if len(pictures) < filmLength/2 || len(pictures) > filmLength+1 {
			t.Errorf("%d pictures", len(pictures))
		}
		if size := pictures[0].Bounds().Size(); size.X*size.Y > filmPixels/2 || size.X*size.Y < filmPixels/2*9/10 {
			t.Errorf("pictures of %v", size)
		}
		for i, done := range []uint64{40, 99, 1, 3} {
			size := []int{80, 80, 20, 20}[i]
			_, frame := noise(done, 2, size*3/4, size, 3)
			m, _ := frame.Image(n)
			if d := difference(pictures[i], fitted(m, f.size)); d != 0 {
				t.Errorf("picture %d of animation %d differs by %d", i, n, d)
			}
		}
	}
}

// Meanwhile the dream so far is shown above the octaves that are done: that is what an interrupt leaves.
func TestDreamMeanwhile(t *testing.T) {
	for until, octaves := range map[int]int{1: 0, 9: 0, 10: 1, 25: 2} {
		f := filmed(t, Dream{Title: "a dream", Frames: dreaming(2, 60, 80, 1, 4, 10, until)})
		page, _, err := f.live()
		if err != nil {
			t.Fatal(err)
		}
		got := read(t, page)
		if len(got.pictures) != 2+2*octaves || strings.Contains(got.text, "octave 1") != (octaves > 0) || !strings.Contains(got.text, "a dream") {
			t.Errorf("after %d iterations: %d pictures, %q", until, len(got.pictures), got.text)
		}
		if d := difference(got.pictures[0], f.now.cells[0].Picture); d != 0 {
			t.Errorf("after %d iterations the dream so far differs by %d", until, d)
		}
	}
}

// However long a dream or a flight is, what is kept of it is bounded, evenly spread, and its end is in it.
func TestDreamBounded(t *testing.T) {
	for _, c := range []struct {
		zooms, octaves, iterations int
		columns                    string
	}{
		{1, 1, 1, "[octave 1\n8×8]"},
		{1, 2, 300, "[octave 1\n4×8 octave 2\n8×8]"},
		{50, 1, 2, "[dream 7 dream 15 dream 25 dream 33 dream 41 dream 50]"},
		{3, 2, 1, "[dream 1 dream 2 dream 3]"},
	} {
		f := filmed(t, Dream{Frames: dreaming(1, 8, 8, c.zooms, c.octaves, c.iterations, 0)})
		if c.octaves == 2 && c.zooms == 1 {
			c.columns = "[octave 1\n4×4 octave 2\n8×8]"
		}
		if got := fmt.Sprint(f.row().Columns); got != c.columns {
			t.Errorf("%+v: columns %q", c, got)
		}
		frames := c.octaves * c.iterations
		if c.zooms > 1 {
			frames = c.zooms
		}
		if n := len(f.shots.shots); n >= filmLength || n < min(frames, filmLength/2) {
			t.Errorf("%+v: %d pictures of %d", c, n, frames)
		}
		if n := len(f.ends.shots); n >= filmLength || n < min(c.zooms, filmLength/2) {
			t.Errorf("%+v: %d ends are kept", c, n)
		}
		if f.now != f.ended {
			t.Errorf("%+v: the last picture is not the end", c)
		}
	}
}

// Of a flight, Show returns the octaves of the last dream.
func TestDreamEndsOfAFlight(t *testing.T) {
	ends, err := Dream{Frames: dreaming(1, 8, 8, 3, 2, 2, 0)}.Show()
	if err != nil || len(ends) != 2 {
		t.Fatalf("%d ends, %v", len(ends), err)
	}
	for i, f := range ends {
		if f.Zoom != 3 || f.Octave != i+1 || !f.EndsOctave() {
			t.Errorf("end %d is of dream %d, octave %d, iteration %d", i, f.Zoom, f.Octave, f.Iteration)
		}
	}
}

// A short dream's animation shows every frame once.
func TestDreamAnimation(t *testing.T) {
	_, x := noise(99, 1, 8, 8, 3)
	page, _, err := filmed(t, Dream{Images: x, Frames: dreaming(1, 8, 8, 1, 1, 3, 0)}).end()
	if err != nil {
		t.Fatal(err)
	}
	address := page[strings.LastIndex(page, "base64,")+len("base64,"):]
	file, err := base64.StdEncoding.DecodeString(address[:strings.Index(address, `"`)])
	if err != nil {
		t.Fatal(err)
	}
	if pictures, _ := readAnimation(t, file); len(pictures) != 1+3 {
		t.Errorf("of an image and 3 frames there are %d pictures", len(pictures))
	}
}

func TestDreamErrors(t *testing.T) {
	_, x := noise(1, 2, 8, 8, 3)
	broken := x
	broken.Pix = x.Pix[1:]
	for _, c := range []struct {
		d    Dream
		says string
	}{
		{Dream{}, "show: Dream.Frames is nil"},
		{Dream{Images: broken, Frames: dreaming(2, 8, 8, 1, 1, 1, 0)}, "show: image of a Dream: "},
		{Dream{Images: x, Frames: dreaming(1, 8, 8, 1, 1, 1, 0)}, "show: a frame of a Dream has 1 images, must have 2"},
		{Dream{Frames: func(func(dream.Frame, error) bool) {}}, "show: Dream.Frames yielded no frames"},
		{Dream{Frames: func(yield func(dream.Frame, error) bool) { yield(dream.Frame{}, errors.New("dark")) }}, "dark"},
	} {
		if ends, err := c.d.Show(); err == nil || ends != nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("error %v, want one that says %q", err, c.says)
		}
	}
}

// dreams are the cells that the tests run.
var dreams = map[string]func() error{
	"dream": func() error {
		slow := func(yield func(dream.Frame, error) bool) {
			for f, err := range dreaming(1, 20, 30, 1, 3, 4, 0) {
				time.Sleep(100 * time.Millisecond)
				if !yield(f, err) {
					return
				}
			}
		}
		ends, err := Dream{Title: "a dream", Frames: slow}.Show()
		if err == nil && (len(ends) != 3 || ends[2].Images.W != 30 || !ends[2].Ends()) {
			err = fmt.Errorf("%d ends", len(ends))
		}
		return err
	},
	"dream that ends early": func() error {
		ends, err := Dream{Title: "a dream", Frames: dreaming(1, 20, 30, 1, 3, 4, 6)}.Show()
		if len(ends) != 1 {
			err = fmt.Errorf("%d ends", len(ends))
		}
		return err
	},
}

// A line and a picture change in place; what stays is the line's last state and the finished figure.
func TestDreamInNotebook(t *testing.T) {
	shown, printed, err := celltest.Run(t, "dream", true)
	if err != nil || printed != "" {
		t.Fatalf("%v, printed %q", err, printed)
	}
	if html := fmt.Sprint(shown[0].Data["text/html"]); !strings.Contains(html, "dream: compiling<") {
		t.Errorf("it begins with %s", html)
	}
	last := map[string]string{} // by output
	var order []string
	kept := 0 // pictures shown meanwhile
	for _, d := range shown {
		if last[d.DisplayID] == "" {
			order = append(order, d.DisplayID)
		}
		last[d.DisplayID] = d.Data["text/html"].(string)
		if got := read(t, last[d.DisplayID]); len(got.pictures) > 0 && strings.Contains(got.pictures[0].alt, "the dream so far") {
			kept = max(kept, len(got.pictures))
		}
	}
	if kept == 0 {
		t.Error("no picture is shown meanwhile")
	}
	if len(order) != 2 || len(shown) < 2+3 {
		t.Fatalf("%d outputs, %d updates", len(order), len(shown))
	}
	if line := read(t, last[order[0]]); !strings.Contains(line.text, "dream: 12 of 12 · octave 3 of 3 · ") || line.count["progress"] != 1 {
		t.Errorf("the line ends as %q", line.text)
	}
	if got := read(t, last[order[1]]); len(got.pictures) != 3+1 || !strings.Contains(got.text, "octave 3") {
		t.Errorf("%d pictures stay", len(got.pictures))
	}
}

// An error leaves the frames so far.
func TestDreamEndsEarly(t *testing.T) {
	shown, printed, err := celltest.Run(t, "dream that ends early", true)
	if err == nil || !strings.Contains(printed, "the lamp went out") {
		t.Fatalf("%v, printed %q", err, printed)
	}
	got := read(t, shown[len(shown)-1].Data["text/html"].(string))
	if len(got.pictures) != 1+1 || !strings.Contains(got.text, "octave 1") {
		t.Errorf("%d pictures stay", len(got.pictures))
	}
	if line := fmt.Sprint(shown[len(shown)-2].Data["text/html"]); !strings.Contains(line, "dream: 6 of 12 · octave 2 of 3") {
		t.Errorf("the line ends as %q", line)
	}
}

func ExampleDream() {
	frames := func(yield func(dream.Frame, error) bool) {
		yield(dream.Frame{
			Images: interp.Images{N: 1, H: 1, W: 2, C: 1, Pix: []float64{0, 1}}, Zoom: 1, Zooms: 1, Octave: 1, Octaves: 1, Iteration: 1, Iterations: 1,
			Start: []float64{2}, Before: []float64{3},
		}, nil)
	}
	ends, err := Dream{Title: "a dream", Frames: frames}.Show()
	fmt.Println(len(ends), err)
	// Output:
	// dream: 1 of 1 · octave 1 of 1 · 0.0 s
	// a dream
	// octave 1 1×2
	// [picture] score 2 → 3
	// [the dream, and how it came about, animated]
	// 1 <nil>
}
