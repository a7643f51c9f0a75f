package featvis

import (
	"context"
	"fmt"
	"math"
	"slices"

	"lucigo/interp"
	"lucigo/interp/descent"
	"lucigo/interp/layer"
	"lucigo/interp/random"
)

// work is a rendering under way.
type work struct {
	Render
	model     *interp.Model
	objective interp.Objective
	canvas    Canvas
	channels  int
	upright   bool         // no view turns the image
	reach     int          // of the views, if some do
	loop      *interp.Loop // its state: the numbers, and Adam's two moments
}

func (r Render) work(ctx context.Context, m *interp.Model, o interp.Objective) (*work, error) {
	r, err := r.defaults(m, o)
	if err != nil {
		return nil, err
	}
	if err := m.Asks(o, r.Window[0], r.Window[1]); err != nil {
		return nil, err
	}
	_, _, channels := m.Input()
	w := &work{Render: r, model: m, objective: o, channels: channels}
	if w.canvas, err = r.Image.Canvas(r.Height, r.Width, channels); err != nil {
		return nil, fmt.Errorf("featvis: %s: %w", r.Image, err)
	}
	if err := w.survey(ctx); err != nil {
		return nil, err
	}
	most := max(1, m.Batch(interp.Images{N: r.N, H: r.Window[0], W: r.Window[1], C: channels})/r.Looks)
	if r.Diversity.Layer != "" {
		most = 0 // all of them must meet
	}
	state, err := w.start()
	if err != nil {
		return nil, err
	}
	var args []interp.Arg
	for _, f := range w.canvas.Fixed {
		if !finite(f.Data...) {
			return nil, fmt.Errorf("featvis: %s: its parameters give numbers that are not finite in float32", r.Image)
		}
		args = append(args, interp.Array(f.Data, f.Dims...))
	}
	if w.loop, err = m.Loop(r.N, most, state, append(args, o.Args...)...); err != nil {
		return nil, err
	}
	looks, err := w.looks(0)
	if err != nil {
		w.loop.Close()
		return nil, err
	}
	for _, step := range []int{0, w.Steps - 1} { // two programs, if there is a warm-up
		w.loop.Prepare(w.ascent(), w.rule(step), w.arguments(step, looks)...)
	}
	return w, nil
}

// start returns the state before the first step.
func (w *work) start() ([]interp.Arg, error) {
	each := 1
	for _, d := range w.canvas.Dims {
		each *= d
	}
	numbers := make([]float64, w.N*each)
	for i, key := range w.Keys {
		w.canvas.Start(random.New(w.Seed, key, 0), numbers[i*each:(i+1)*each])
	}
	if !finite(numbers...) {
		return nil, fmt.Errorf("featvis: %s: it starts with numbers that are not finite in float32", w.Image)
	}
	zeros := interp.Each(make([]float64, len(numbers)), w.canvas.Dims...)
	return []interp.Arg{interp.Each(numbers, w.canvas.Dims...), zeros, zeros}, nil
}

// finite is whether all numbers are, in float32 too.
func finite(v ...float64) bool {
	return !slices.ContainsFunc(v, func(v float64) bool { return !(math.Abs(v) <= math.MaxFloat32) })
}

// survey finds what the views of all looks ask of the program.
func (w *work) survey(ctx context.Context) error {
	w.upright, w.reach = true, 3 // the standard transformations'; a program for less would gain little
	for step := range w.Steps {
		for _, key := range w.Keys {
			for look := range w.Looks {
				if err := ctx.Err(); err != nil {
					return err
				}
				a, err := w.view(key, step, look)
				if err != nil {
					return err
				}
				w.upright, w.reach = w.upright && a.upright(), max(w.reach, a.reach())
			}
		}
	}
	const most = 8
	if !w.upright && w.reach > most {
		return fmt.Errorf("featvis: Views turn the image and enlarge a pixel to %d×%[1]d, must be at most %[2]d×%[2]d: leave out what turns or what enlarges: %s",
			w.reach, most, names(w.Views))
	}
	return nil
}

// view returns the map of one look at the image of a key.
func (w *work) view(key uint64, step, look int) (Affine, error) {
	at := Look{Height: w.Height, Width: w.Width, WindowH: w.Window[0], WindowW: w.Window[1]}
	if w.Steps > 1 {
		at.Done = float64(step) / float64(w.Steps-1)
	}
	return compose(w.Views, w.Seed, key, uint64(step*w.Looks+look), at)
}

// looks returns what the network is to see at a step: for each image the maps of its looks with their
// inverses, and, if there is any, the noise.
func (w *work) looks(step int) ([]interp.Arg, error) {
	var maps, noise []float64
	each := w.Window[0] * w.Window[1] * w.channels
	if w.Noise > 0 {
		noise = make([]float64, w.N*w.Looks*each)
	}
	for i, key := range w.Keys {
		for look := range w.Looks {
			a, err := w.view(key, step, look)
			if err != nil {
				return nil, err
			}
			inverse := a.Inverse()
			maps = append(append(maps, a[:]...), inverse[:]...)
			if w.Noise > 0 {
				own := noise[(i*w.Looks+look)*each:][:each]
				random.New(w.Seed, key, random.Hash(uint64(step*w.Looks+look), 0)).Normals(own)
				for k := range own {
					own[k] *= w.Noise
				}
			}
		}
	}
	args := []interp.Arg{interp.Each(maps, w.Looks, 12)}
	if w.Noise > 0 {
		args = append(args, interp.Each(noise, w.Looks, w.Window[0], w.Window[1], w.channels))
	}
	return args, nil
}

// climb makes one step, and returns the scores of what the network saw.
func (w *work) climb(ctx context.Context, step int) ([]float64, error) {
	looks, err := w.looks(step)
	if err != nil {
		return nil, err
	}
	out, err := w.loop.Next(ctx, w.ascent(), w.rule(step), w.arguments(step, looks)...)
	if err != nil {
		return nil, err
	}
	score := out[0].Data
	if i := slices.IndexFunc(score, interp.NotFinite); i >= 0 {
		grey := interp.Images{N: w.N, H: w.Window[0], W: w.Window[1], C: w.channels}
		grey.Pix = slices.Repeat([]float64{.5}, w.N*grey.Size())
		if _, err := w.model.Score(ctx, w.objective, grey); err != nil { // a weight may be to blame, whatever the image
			return nil, err
		}
		return nil, fmt.Errorf("featvis: %s: after %d steps at rate %g, the score of image %d as the network sees it is %g", w.objective, step, w.Rate, i, score[i])
	}
	return score, nil
}

// arguments are those of a step's run, with what the network is to see.
func (w *work) arguments(step int, looks []interp.Arg) []interp.Arg {
	sign := 1.0
	if w.Minimise {
		sign = -1
	}
	numbers := interp.Floats([]float64{descent.Adam{}.Rate(w.Rate, step), sign, w.Diversity.weight()})
	return append([]interp.Arg{numbers}, looks...)
}

// rule is that of a step's gradient.
func (w *work) rule(step int) layer.Rule {
	if w.Minimise || step < w.WarmUp {
		return redirect{w.Minimise}
	}
	return layer.Exact
}

// frame draws the images and scores them, seen whole.
func (w *work) frame(ctx context.Context, step int) (Frame, error) {
	scale := max(1, float64(w.Height)/float64(w.Window[0]), float64(w.Width)/float64(w.Window[1]))
	out, err := w.loop.Look(ctx, sight{w.canvas.Drawing, w.Window, len(w.canvas.Fixed), w.plain()}, nil,
		interp.Floats([]float64{scale, 0, 0, 0, scale, 0}))
	if err != nil {
		return Frame{}, err
	}
	f := Frame{Step: step, Images: interp.Images{N: w.N, H: w.Height, W: w.Width, C: w.channels, Pix: out[0].Data, Key: slices.Clone(w.Keys)}}
	if err := f.Images.Check(); err != nil {
		return Frame{}, fmt.Errorf("featvis: %s: after %d steps at rate %g, %w", w.objective, step, w.Rate, err)
	}
	seen := f.Images
	if !w.plain() {
		seen.H, seen.W, seen.Pix = w.Window[0], w.Window[1], out[1].Data
	}
	f.Score, err = w.model.Score(ctx, w.objective, seen)
	return f, err
}

// plain is whether the network sees images of their own size.
func (w *work) plain() bool { return w.Window == [2]int{w.Height, w.Width} }
