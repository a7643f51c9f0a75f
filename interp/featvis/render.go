package featvis

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"lucigo/interp"
)

// Render optimises images, from noise, to raise the score of an objective: Adam (Kingma and Ba,
// arXiv:1412.6980) on the parametrisation's numbers, each step at another view of the images. The zero
// value has the article's parameters, except for the grey border that the article pads images with: Standard
// says which Window has it. With MaCo, too, it is Adam that climbs; MaCo says what its authors use.
type Render struct {
	Image Parametrisation  // what is optimised; nil: Fourier{}
	Views []Transformation // how the network is shown the images; nil: Standard(), and None for none

	// Height and Width are those of the images, up to 4096; 0: the network's input.
	Height, Width int

	// Window is the height and width of what the network sees of an image; zeros: the image's own. Views
	// keep the image's middle in the window's: a larger window shows grey around the image, a smaller one
	// only its middle, unless a Crop fits it in.
	Window [2]int

	// Looks is how often the network looks at each image in every step, through views of their own. The
	// mean of the scores is climbed. 0: once.
	Looks int

	// Noise is the standard deviation of the normal noise that is added to what the network sees, in
	// units of the image, whose range is 1; 0: none.
	Noise float64

	// N is the number of images; 0: as many as the objective has numbers for, or else 1.
	N int

	Steps int     // 0: 2048
	Rate  float64 // 0: 0.05

	// At are the numbers of steps after which Frames yields, from 0, the start, on. Those above Steps do
	// not count, and Steps always does. Nil: 0, 4, 48.
	At []int

	// WarmUp is the number of first steps in which gradients find a way past ReLUs that are off
	// everywhere in an image; 0: 16, negative: none.
	WarmUp int

	// Diversity keeps the images of the batch from resembling each other. The score of a frame has no
	// part of it.
	Diversity Diversity

	// Minimise lowers the score instead. Where ReLUs are off everywhere, it goes on below zero.
	Minimise bool

	// Seed and Keys are where random numbers come from: each image's depend on Seed and its own key, and
	// on nothing else, so it comes out the same, within rounding, in whatever batch. Nil: 0, 1, 2, ….
	Seed uint64
	Keys []uint64

	// Progress is called after every step, if it is not nil.
	Progress func(done, of int)
}

// Frame is what an optimisation has come to.
type Frame struct {
	Step   int           // steps done
	Images interp.Images // as they are, not as the network last saw them
	Score  []float64     // the objective of each image, seen whole: made smaller if the window is smaller, and with grey around it if the window is larger
}

func (r Render) defaults(m *interp.Model, o interp.Objective) (Render, error) {
	h, w, _ := m.Input()
	if r.Image == nil {
		r.Image = Fourier{}
	}
	if r.Views == nil {
		r.Views = Standard()
	}
	r.Height, r.Width, r.Rate = cmp.Or(r.Height, h), cmp.Or(r.Width, w), cmp.Or(r.Rate, .05)
	r.Window, r.Looks = cmp.Or(r.Window, [2]int{r.Height, r.Width}), cmp.Or(r.Looks, 1)
	r.Steps, r.WarmUp = cmp.Or(r.Steps, 2048), cmp.Or(r.WarmUp, 16)
	r.N = cmp.Or(r.N, max(o.Images(), 1))
	if r.Keys == nil {
		for i := range r.N {
			r.Keys = append(r.Keys, uint64(i))
		}
	}
	if r.At == nil {
		r.At = []int{0, 4, 48}
	}
	if o.AsksClass() {
		return r, fmt.Errorf("featvis: objective %s is of each image's class, and an image made from noise has none: name it, as in objective.LogitOf(class)", o)
	}
	sides := fmt.Sprintf("sides from 1 to %d", maxSide)
	for _, field := range []struct {
		good  bool
		name  string
		value any
		must  string
	}{
		{r.N >= 1, "N", r.N, "be at least 1"},
		{r.Steps >= 1, "Steps", r.Steps, "be at least 1"},
		{r.Rate > 0 && !interp.NotFinite(r.Rate), "Rate", r.Rate, "be above 0 and finite"},
		{min(r.Height, r.Width) >= 1 && max(r.Height, r.Width) <= maxSide, "Height × Width", []int{r.Height, r.Width}, "have " + sides},
		{slices.Min(r.Window[:]) >= 1 && slices.Max(r.Window[:]) <= maxSide, "Window", r.Window, "have " + sides},
		{r.Looks >= 1, "Looks", r.Looks, "be at least 1"},
		{r.Noise >= 0 && !interp.NotFinite(r.Noise), "Noise", r.Noise, "be at least 0 and finite"},
		{!slices.Contains(r.Views, nil), "Views", r.Views, "have no nil"},
		{r.Diversity.Layer != "" || r.Diversity.Weight == 0, "Diversity.Weight", r.Diversity.Weight, "be 0 where Layer is empty"},
		{finite(r.Diversity.Weight), "Diversity.Weight", r.Diversity.Weight, "be finite"},
		{len(r.Keys) == r.N, "Keys", r.Keys, fmt.Sprintf("be one for each of %d images", r.N)},
		{!slices.ContainsFunc(r.At, func(step int) bool { return step < 0 }), "At", r.At, "have no step before 0"},
	} {
		if !field.good {
			return r, fmt.Errorf("featvis: %s is %v, must %s", field.name, field.value, field.must)
		}
	}
	return r, nil
}

// String names every parameter that changes the images, except for N and Keys, which are of each image.
func (r Render) String() string {
	if r.Image == nil {
		r.Image = Fourier{}
	}
	if r.Views == nil {
		r.Views = Standard()
	}
	s := []string{r.Image.String(), names(r.Views), fmt.Sprintf("Adam %g, %d steps", cmp.Or(r.Rate, .05), cmp.Or(r.Steps, 2048))}
	for _, field := range []struct {
		given bool
		text  string
	}{
		{r.WarmUp >= 0, fmt.Sprintf("warm-up %d", cmp.Or(r.WarmUp, 16))},
		{r.Height != 0 || r.Width != 0, fmt.Sprintf("%d×%d", r.Height, r.Width)},
		{r.Window != [2]int{}, fmt.Sprintf("window %d×%d", r.Window[0], r.Window[1])},
		{r.Looks > 1, fmt.Sprintf("%d looks a step", r.Looks)},
		{r.Noise != 0, fmt.Sprintf("noise %g", r.Noise)},
		{r.Diversity.Layer != "", r.Diversity.String()},
		{r.Minimise, "minimised"},
		{r.Seed != 0, fmt.Sprintf("seed %d", r.Seed)},
	} {
		if field.given {
			s = append(s, field.text)
		}
	}
	return strings.Join(s, ", ")
}

// Final returns the last frame.
func (r Render) Final(ctx context.Context, m *interp.Model, o interp.Objective) (Frame, error) {
	r.At = []int{}
	for f, err := range r.Frames(ctx, m, o) {
		return f, err
	}
	return Frame{}, nil
}

// Frames optimises, and yields the images at the steps that At names. It stops at the first error, which
// it yields, within a step of ctx's end, and where the loop over it breaks.
func (r Render) Frames(ctx context.Context, m *interp.Model, o interp.Objective) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		w, err := r.work(ctx, m, o)
		if err != nil {
			yield(Frame{}, err)
			return
		}
		defer w.loop.Close()
		for step := 0; ; step++ {
			if step == w.Steps || slices.Contains(w.At, step) {
				f, err := w.frame(ctx, step)
				if !yield(f, err) || err != nil {
					return
				}
			}
			if step == w.Steps {
				return
			}
			if _, err := w.climb(ctx, step); err != nil {
				yield(Frame{}, err)
				return
			}
			if w.Progress != nil {
				w.Progress(step+1, w.Steps)
			}
		}
	}
}
