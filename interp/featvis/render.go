package featvis

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"lucigo/interp"
	"lucigo/interp/layer"
	"lucigo/interp/random"
)

// Render optimises images, from noise, to raise the score of an objective: Adam (Kingma and Ba,
// arXiv:1412.6980) on the parametrisation's numbers, each step at another view of the images. The zero
// value has the article's parameters, but for the grey border that the article pads images with: Standard
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
	r.Height, r.Width, r.Rate = or(r.Height, h), or(r.Width, w), or(r.Rate, .05)
	r.Window, r.Looks = or(r.Window, [2]int{r.Height, r.Width}), or(r.Looks, 1)
	r.Steps, r.WarmUp = or(r.Steps, 2048), or(r.WarmUp, 16)
	r.N = or(r.N, max(o.Images(), 1))
	if r.Keys == nil {
		for i := range r.N {
			r.Keys = append(r.Keys, uint64(i))
		}
	}
	if r.At == nil {
		r.At = []int{0, 4, 48}
	}
	switch {
	case o.AsksClass():
		return r, fmt.Errorf("objective %s is of each image's class, and an image made from noise has none: name it, as in objective.LogitOf(class)", o)
	case r.N < 1 || r.Steps < 1 || !(r.Rate > 0) || math.IsInf(r.Rate, 0):
		return r, fmt.Errorf("a rendering of %d images in %d steps at rate %g", r.N, r.Steps, r.Rate)
	case r.Window[0] < 1 || r.Window[1] < 1 || r.Looks < 1 || !(r.Noise >= 0) || math.IsInf(r.Noise, 0):
		return r, fmt.Errorf("%d looks through a window of %d×%d, with noise of %g", r.Looks, r.Window[0], r.Window[1], r.Noise)
	case slices.Contains(r.Views, nil):
		return r, fmt.Errorf("transformation %d of %d is nil", slices.Index(r.Views, nil)+1, len(r.Views))
	case r.Diversity.Layer == "" && r.Diversity.Weight != 0:
		return r, fmt.Errorf("a diversity of weight %g at no layer: name its Layer", r.Diversity.Weight)
	case !finite(r.Diversity.Weight):
		return r, fmt.Errorf("%s: the weight is not finite", r.Diversity)
	case len(r.Keys) != r.N:
		return r, fmt.Errorf("%d keys for %d images", len(r.Keys), r.N)
	case slices.ContainsFunc(r.At, func(step int) bool { return step < 0 }):
		return r, fmt.Errorf("frames at steps %d: they count from 0", r.At)
	}
	return r, nil
}

// String names every parameter that changes the images, but for N and Keys, which are of each image.
func (r Render) String() string {
	image, views := r.Image, r.Views
	if image == nil {
		image = Fourier{}
	}
	if views == nil {
		views = Standard()
	}
	s := []string{image.String(), names(views), fmt.Sprintf("Adam %g, %d steps", or(r.Rate, .05), or(r.Steps, 2048))}
	if r.WarmUp >= 0 {
		s = append(s, fmt.Sprintf("warm-up %d", or(r.WarmUp, 16)))
	}
	if r.Height != 0 || r.Width != 0 {
		s = append(s, fmt.Sprintf("%d×%d", r.Height, r.Width))
	}
	if r.Window != [2]int{} {
		s = append(s, fmt.Sprintf("window %d×%d", r.Window[0], r.Window[1]))
	}
	if r.Looks > 1 {
		s = append(s, fmt.Sprintf("%d looks a step", r.Looks))
	}
	if r.Noise != 0 {
		s = append(s, fmt.Sprintf("noise %g", r.Noise))
	}
	if r.Diversity.Layer != "" {
		s = append(s, r.Diversity.String())
	}
	if r.Minimise {
		s = append(s, "minimised")
	}
	if r.Seed != 0 {
		s = append(s, fmt.Sprintf("seed %d", r.Seed))
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
		defer func() {
			if ctx.Err() == nil { // else the device may still be at a step that nobody waits for
				w.finalize()
			}
		}()
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
			if err := w.step(ctx, step); err != nil {
				yield(Frame{}, err)
				return
			}
			if w.Progress != nil {
				w.Progress(step+1, w.Steps)
			}
		}
	}
}

// work is a rendering under way.
type work struct {
	Render
	model     *interp.Model
	objective interp.Objective
	canvas    Canvas
	channels  int
	size      int  // images in a part
	upright   bool // no view turns the image
	reach     int  // of the views, if some do
	fixed     []*tensors.Tensor
	parts     []part
}

// part is a batch of images that are optimised at once. Parts are of equal size; the last repeats its
// last image.
type part struct {
	first, last int               // images first to last-1
	state       []*tensors.Tensor // the numbers, and Adam's two moments
	args        []*tensors.Tensor // the objective's
}

// Adam's constants, the paper's.
const (
	beta1, beta2 = .9, .999
	epsilon      = 1e-8
)

func (r Render) work(ctx context.Context, m *interp.Model, o interp.Objective) (*work, error) {
	r, err := r.defaults(m, o)
	if err != nil {
		return nil, err
	}
	_, _, channels := m.Input()
	w := &work{Render: r, model: m, objective: o, channels: channels}
	if w.canvas, err = r.Image.Canvas(r.Height, r.Width, channels); err != nil {
		return nil, fmt.Errorf("%s: %w", r.Image, err)
	}
	if max(r.Window[0], r.Window[1]) > maxSide {
		return nil, fmt.Errorf("a window of %d×%d: sides from 1 to %d", r.Window[0], r.Window[1], maxSide)
	}
	if err := w.survey(ctx); err != nil {
		return nil, err
	}
	batch := max(1, m.Batch(interp.Images{N: r.N, H: r.Window[0], W: r.Window[1], C: channels})/r.Looks)
	if r.Diversity.Layer != "" {
		batch = r.N // all of them must meet
	}
	parts := (r.N + batch - 1) / batch
	w.size = (r.N + parts - 1) / parts
	for _, f := range w.canvas.Fixed {
		if !finite(f.Data...) {
			return nil, fmt.Errorf("%s: parameters that give numbers which are not finite, or too large", r.Image)
		}
		w.fixed = append(w.fixed, m.Floats(f.Data, f.Dims...))
	}
	for i := 0; i < r.N; i += w.size {
		p := part{first: i, last: min(i+w.size, r.N)}
		if p.args, err = m.Arguments(o, interp.Images{N: r.N}, p.first, p.last, w.size); err != nil {
			w.finalize()
			return nil, err
		}
		if p.state, err = w.start(p); err != nil {
			w.finalize()
			return nil, err
		}
		w.parts = append(w.parts, p)
	}
	return w, nil
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
		return fmt.Errorf("%s: views that turn the image, and enlarge it so that a pixel touches %d×%[2]d others; at most %[3]d×%[3]d: leave out what turns or what enlarges",
			names(w.Views), w.reach, most)
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

// looks returns what the network is to see of a part at a step: the maps with their inverses, and, if
// there is any, the noise.
func (w *work) looks(p part, step int) ([]*tensors.Tensor, error) {
	var maps []float64
	each := w.Window[0] * w.Window[1] * w.channels
	var noise []float64
	if w.Noise > 0 {
		noise = make([]float64, w.size*w.Looks*each)
	}
	for i := range w.size {
		for look := range w.Looks {
			a, err := w.view(w.key(p, i), step, look)
			if err != nil {
				return nil, err
			}
			inverse := a.Inverse()
			maps = append(append(maps, a[:]...), inverse[:]...)
			if w.Noise > 0 {
				own := noise[(i*w.Looks+look)*each:][:each]
				random.New(w.Seed, w.key(p, i), random.Hash(uint64(step*w.Looks+look), 0)).Normals(own)
				for k := range own {
					own[k] *= w.Noise
				}
			}
		}
	}
	ts := []*tensors.Tensor{w.model.Floats(maps, w.size*w.Looks, 12)}
	if w.Noise > 0 {
		ts = append(ts, w.model.Floats(noise, w.size*w.Looks, w.Window[0], w.Window[1], w.channels))
	}
	return ts, nil
}

// key returns the key of image i of a part.
func (w *work) key(p part, i int) uint64 { return w.Keys[min(p.first+i, p.last-1)] }

// start returns the state before the first step.
func (w *work) start(p part) ([]*tensors.Tensor, error) {
	each := 1
	for _, d := range w.canvas.Dims {
		each *= d
	}
	dims := append([]int{w.size}, w.canvas.Dims...)
	numbers := make([]float64, w.size*each)
	for i := range w.size {
		w.canvas.Start(random.New(w.Seed, w.key(p, i), 0), numbers[i*each:(i+1)*each])
	}
	if !finite(numbers...) {
		return nil, fmt.Errorf("%s: a start whose numbers are not finite, or too large", w.Image)
	}
	zeros := make([]float64, len(numbers))
	return []*tensors.Tensor{w.model.Floats(numbers, dims...), w.model.Floats(zeros, dims...), w.model.Floats(zeros, dims...)}, nil
}

// finite is whether all numbers are, in float32 too.
func finite(v ...float64) bool {
	return !slices.ContainsFunc(v, func(v float64) bool { return !(math.Abs(v) <= math.MaxFloat32) })
}

func (w *work) finalize() {
	finalize(w.fixed)
	for _, p := range w.parts {
		finalize(p.state)
		finalize(p.args)
	}
}

func finalize(ts []*tensors.Tensor) {
	for _, t := range ts {
		t.FinalizeAll()
	}
}

// frame draws the images and scores them, seen whole.
func (w *work) frame(ctx context.Context, step int) (Frame, error) {
	f := Frame{Step: step, Images: interp.Images{N: w.N, H: w.Height, W: w.Width, C: w.channels, Key: slices.Clone(w.Keys)}}
	seen := f.Images
	seen.H, seen.W = w.Window[0], w.Window[1]
	s := interp.Step{Key: fmt.Sprintf("draw %s through %d", w.canvas.Form, w.Window), Build: func(_ *interp.Net, a []*Node) []*Node {
		images := w.canvas.Draw(a[0], a[2:])
		if w.plain() {
			return []*Node{images}
		}
		return []*Node{images, straight(images, a[1], w.Window)}
	}}
	scale := max(1, float64(w.Height)/float64(w.Window[0]), float64(w.Width)/float64(w.Window[1]))
	whole := w.model.Floats(slices.Repeat([]float64{scale, 0, 0, 0, scale, 0}, w.size), w.size, 6)
	for _, p := range w.parts {
		out, err := w.model.Run(ctx, s, append([]*tensors.Tensor{p.state[0], whole}, w.fixed...)...)
		if err != nil {
			return Frame{}, err // and leave whole: the device may still be at the step
		}
		for i, x := range []*interp.Images{&f.Images, &seen}[:len(out)] {
			pix, err := interp.Numbers(out[i])
			if err != nil {
				finalize(out)
				return Frame{}, err
			}
			x.Pix = append(x.Pix, pix[:(p.last-p.first)*x.Size()]...)
		}
		finalize(out)
	}
	whole.FinalizeAll()
	if w.plain() {
		seen = f.Images
	}
	err := f.Images.Check()
	if err != nil {
		return Frame{}, fmt.Errorf("%s: after %d steps at rate %g, %w", w.objective, step, w.Rate, err)
	}
	f.Score, err = w.model.Score(ctx, w.objective, seen)
	return f, err
}

// plain is whether the network sees images of their own size.
func (w *work) plain() bool { return w.Window == [2]int{w.Height, w.Width} }

// step makes one step for all parts.
func (w *work) step(ctx context.Context, step int) error {
	for i := range w.parts {
		if _, err := w.climb(ctx, &w.parts[i], step); err != nil {
			return err
		}
	}
	return nil
}

// climb makes one step for a part, and returns the scores of what the network saw.
func (w *work) climb(ctx context.Context, p *part, step int) ([]float64, error) {
	t := float64(step + 1)
	rate := w.Rate * math.Sqrt(1-math.Pow(beta2, t)) / (1 - math.Pow(beta1, t))
	sign := 1.0
	if w.Minimise {
		sign = -1
	}
	looks, err := w.looks(*p, step)
	if err != nil {
		return nil, err
	}
	own := append([]*tensors.Tensor{w.model.Floats([]float64{rate, sign, w.Diversity.weight()}, 3)}, looks...)
	out, err := w.model.Run(ctx, w.program(step), slices.Concat(p.state, own, w.fixed, p.args)...)
	if err != nil {
		return nil, err // and leave own: the device may still be at the step
	}
	finalize(own)
	score, err := interp.Numbers(out[3])
	if err != nil {
		finalize(out)
		return nil, err
	}
	if i := slices.IndexFunc(score, func(v float64) bool { return math.IsNaN(v - v) }); i >= 0 {
		finalize(out)
		if _, err := w.frame(ctx, step); err != nil { // it knows why
			return nil, err
		}
		return nil, fmt.Errorf("%s: step %d: the score of image %d as the network sees it is %g", w.objective, step, p.first+i, score[i])
	}
	finalize(append(p.state, out[3]))
	p.state = out[:3]
	return score, nil
}

// program is a step's graph: from the state to the next state, and the score of what the network saw.
func (w *work) program(step int) interp.Step {
	views := fmt.Sprintf("reach %d", w.reach)
	if w.upright {
		views = "upright"
	}
	s := interp.Step{Key: fmt.Sprintf("climb %s from %s, %d views, %s, window %d, %d looks, noise %t, diversity of %q",
		w.objective.Form(), w.canvas.Form, len(w.Views), views, w.Window, w.Looks, w.Noise > 0, w.Diversity.Layer)}
	if w.Minimise || step < w.WarmUp {
		s.Rule = redirect{layer.Exact, w.Minimise}
	}
	s.Build = func(net *interp.Net, a []*Node) []*Node {
		numbers, first, second := a[0], a[1], a[2]
		scalar := func(i int) *Node { return Reshape(SliceAxis(a[3], 0, AxisElem(i))) }
		maps, rest := a[4], a[5:]
		var noise *Node
		if w.Noise > 0 {
			noise, rest = rest[0], rest[1:]
		}
		fixed, args := rest[:len(w.fixed)], rest[len(w.fixed):]

		pass := net.Pass(w.seen(w.canvas.Draw(numbers, fixed), maps, noise), nil)
		score := w.objective.Score(pass, w.each(args))
		score = ReduceMean(Reshape(score, w.size, w.Looks), 1)
		climb := Mul(ReduceAllSum(score), scalar(1))
		if w.Diversity.Layer != "" {
			alike := Mul(StopGradient(Abs(score)), w.Diversity.alike(pass, w.size))
			climb = Sub(climb, Mul(ReduceAllSum(alike), scalar(2)))
		}
		g := Gradient(climb, numbers)[0]
		first = Add(MulScalar(first, beta1), MulScalar(g, 1-beta1))
		second = Add(MulScalar(second, beta2), MulScalar(Square(g), 1-beta2))
		move := Div(first, AddScalar(Sqrt(second), epsilon))
		numbers = Add(numbers, Mul(move, BroadcastToShape(scalar(0), move.Shape())))
		return []*Node{numbers, first, second, score}
	}
	return s
}

// seen returns what the network sees, all looks at the first image first.
func (w *work) seen(images, maps, noise *Node) *Node {
	images = repeated(images, w.Looks)
	side := func(i int) *Node { return SliceAxis(maps, 1, AxisRange(i, i+6)) }
	switch {
	case len(w.Views) == 0 && w.plain(): // as they are
	case w.upright:
		images = straight(images, side(0), w.Window)
	default:
		images = warp(images, side(0), side(6), w.Window, w.reach)
	}
	if noise != nil {
		images = Add(images, noise)
	}
	return images
}

// each returns an objective's arguments for all looks: vectors of whole numbers are one for each image.
func (w *work) each(args []*Node) []*Node {
	args = slices.Clone(args)
	for i, a := range args {
		if a.Rank() == 1 && a.DType().IsInt() {
			args[i] = repeated(a, w.Looks)
		}
	}
	return args
}

// repeated repeats each entry of x, [N, …], n times.
func repeated(x *Node, n int) *Node {
	if n == 1 {
		return x
	}
	dims := x.Shape().Dimensions
	x = BroadcastToDims(ExpandAxes(x, 1), slices.Concat(dims[:1], []int{n}, dims[1:])...)
	return Reshape(x, slices.Concat([]int{dims[0] * n}, dims[1:])...)
}
