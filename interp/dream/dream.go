// Package dream amplifies in a photograph what a network sees in it: DeepDream of Mordvintsev, Olah and
// Tyka, "Inceptionism: going deeper into neural networks", 2015, with the numbers of their published code.
// A dream climbs the gradient of an objective at the image: [objective.Energy] of a layer is theirs,
// [objective.Channel] dreams of one thing, and [Guide] of another image.
//
//	for f, err := range (dream.Dream{}).Frames(ctx, m, objective.Energy("mixed4c"), x) {
//
// The network's head is not built unless the objective asks for it, so images may be of any size. Large
// ones are looked at tile by tile, within the model's budget of memory (interp.Model.Budget).
package dream

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"gonum.org/v1/gonum/floats"

	"lucigo/interp"
	"lucigo/interp/random"
)

// Dream says how to dream. Its zero value has the published numbers.
//
// It begins with the image made small, and takes Iterations steps along the gradient; what came in is
// enlarged and laid over the image in the next octave's size, and so on up to the image's own size. Each
// step looks at the image shifted by a random offset, around its borders, so that no pattern of the
// network's strides remains.
type Dream struct {
	Iterations int     // steps an octave; 0 is 10
	Octaves    int     // sizes, of which the last is the image's own; 0 is 4
	Scale      float64 // from one octave to the next, above 1; 0 is 1.4

	// Step is how far an iteration moves the numbers of the image, on average over them, in 255ths of
	// the range: the gradient is divided by the mean of its magnitudes. 0 is 1.5.
	Step float64

	// Jitter is the largest random offset, in pixels, up, down, left and right; 0 is 32, negative none.
	Jitter int

	// Overlap is how far a tile of a large image reaches beyond the part whose gradient is taken from
	// it, in pixels; 0 is 64, negative none. From the receptive field (receptive.FieldOf) less
	// one pixel on, tiles change nothing: the step is that of the whole image, as long as the objective
	// is a sum or a mean over a layer whose stride divides 32. Below, the gradient is inexact at the
	// seams, which jitter blurs. Measured on GoogLeNet's inception_4c, which sees 299 pixels, in the
	// 16 columns at a seam: by 15 % with an overlap of 64, 5 % with 96, 2 % with 128.
	Overlap int

	// Seed chooses the random offsets. On one backend the same seed gives the same images, to the bit.
	Seed uint64
}

// Frame is a dream after an iteration. It does not change any more.
type Frame struct {
	Images interp.Images // in the size of the octave, in [0, 1]

	Zoom, Zooms           int // which dream of a Zoom, from 1; 1 of 1 otherwise
	Octave, Octaves       int // from 1, the smallest
	Iteration, Iterations int // of the octave, from 1

	// Start and Before are the objective at each image before the octave's first iteration and before
	// this one: shifted by that iteration's offset, and summed over tiles where the image is large.
	Start, Before []float64
}

// Done returns how many iterations of how many are done.
func (f Frame) Done() (done, total int) {
	an := f.Octaves * f.Iterations
	return (f.Zoom-1)*an + (f.Octave-1)*f.Iterations + f.Iteration, f.Zooms * an
}

// EndsOctave reports whether the frame is the last of its octave.
func (f Frame) EndsOctave() bool { return f.Iteration == f.Iterations }

// Ends reports whether the frame is the last of its dream: in the size of the image.
func (f Frame) Ends() bool { return f.EndsOctave() && f.Octave == f.Octaves }

// String names the method with all its parameters.
func (d Dream) String() string {
	d = d.whole()
	var b strings.Builder
	fmt.Fprintf(&b, "DeepDream(iterations=%d, octaves=%d×%g, step=%g/255, jitter=%d", d.Iterations, d.Octaves, d.Scale, d.Step, d.Jitter)
	if d.Overlap != overlap {
		fmt.Fprintf(&b, ", overlap=%d", d.Overlap)
	}
	if d.Seed != 0 {
		fmt.Fprintf(&b, ", seed=%d", d.Seed)
	}
	return b.String() + ")"
}

// overlap is Overlap where it is not given.
const overlap = 64

// whole is d with its defaults filled in.
func (d Dream) whole() Dream {
	d.Iterations, d.Octaves = cmp.Or(d.Iterations, 10), cmp.Or(d.Octaves, 4)
	d.Scale, d.Step = cmp.Or(d.Scale, 1.4), cmp.Or(d.Step, 1.5)
	d.Jitter, d.Overlap = max(cmp.Or(d.Jitter, 32), 0), max(cmp.Or(d.Overlap, overlap), 0)
	return d
}

func (d Dream) check() error {
	const most = 1 << 20 // iterations and octaves; also keeps Jitter and Overlap from overflowing
	for _, field := range []struct {
		good  bool
		name  string
		value any
		must  string
	}{
		{d.Iterations >= 1, "Iterations", d.Iterations, "at least 1"},
		{d.Iterations <= most, "Iterations", d.Iterations, fmt.Sprint("at most ", most)},
		{d.Octaves >= 1, "Octaves", d.Octaves, "at least 1"},
		{d.Octaves <= most, "Octaves", d.Octaves, fmt.Sprint("at most ", most)},
		{d.Scale > 1 && !interp.NotFinite(d.Scale), "Scale", d.Scale, "above 1 and finite"},
		{d.Step > 0 && !interp.NotFinite(d.Step), "Step", d.Step, "above 0 and finite"},
		{d.Jitter <= most, "Jitter", d.Jitter, fmt.Sprint("at most ", most)},
		{d.Overlap <= most, "Overlap", d.Overlap, fmt.Sprint("at most ", most)},
	} {
		if !field.good {
			return fmt.Errorf("dream: %s is %v, must be %s", field.name, field.value, field.must)
		}
	}
	return nil
}

// Frames dreams o into the images x, and yields every iteration, from the smallest octave on. Each image
// has offsets and a step of its own: what it is in the batch with does not matter. Where o asks about a
// class, it is resolved once, for x.
//
// It ends after the first error. When ctx ends, that is within the current iteration, and the frames
// yielded so far remain good. An image whose gradient is 0 everywhere keeps its pixels in that iteration;
// if that is so in all of them, the last frame is followed by an error.
func (d Dream) Frames(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		d := d.whole()
		x, err := begin(ctx, d, m, o, x)
		if err != nil {
			yield(Frame{}, err)
			return
		}
		sizes := d.sizes(x.H, x.W)
		for _, s := range sizes {
			octave := x
			octave.H, octave.W = s[0], s[1]
			tile, _, _ := d.tiles(m, octave)
			m.Prepare(o, nil, tile)
		}
		moved := make([]bool, x.N) // its gradient was not always 0
		var base, y interp.Images
		for k := range sizes {
			next := x
			for _, s := range slices.Backward(sizes[k : len(sizes)-1]) {
				next = resized(next, s)
			}
			if k == 0 {
				y = next
			} else {
				detail := y
				detail.Pix = floats.SubTo(make([]float64, len(y.Pix)), y.Pix, base.Pix)
				y = resized(detail, sizes[k])
				floats.Add(y.Pix, next.Pix)
			}
			base = next
			f := Frame{Zoom: 1, Zooms: 1, Octave: k + 1, Octaves: d.Octaves, Iterations: d.Iterations}
			for i := range d.Iterations {
				y, f.Before, err = d.step(ctx, m, o, y, uint64(k*d.Iterations+i), moved)
				if err != nil {
					yield(Frame{}, fmt.Errorf("dream: octave %d of %d, %d×%d pixels: %w", k+1, d.Octaves, y.H, y.W, err))
					return
				}
				if i == 0 {
					f.Start = f.Before
				}
				f.Images, f.Iteration = y, i+1
				if !yield(f, nil) {
					return
				}
			}
		}
		if n := slices.Index(moved, false); n >= 0 {
			yield(Frame{}, fmt.Errorf("dream: the gradient of %s at image %d is 0 in every iteration, so there is nothing to amplify: "+
				"take another layer or channel", o, n))
		}
	}
}

// begin checks a dream's parameters and images, and resolves what is resolved once.
func begin(ctx context.Context, d Dream, m *interp.Model, o interp.Objective, x interp.Images) (interp.Images, error) {
	if err := d.check(); err != nil {
		return x, err
	}
	x, err := m.Resolve(ctx, o, x)
	if err != nil {
		return x, err
	}
	return x.Keyed(), nil
}

// step returns x after an iteration, whose random offsets are those of sample, and the objective at x. It
// marks the images that moved.
func (d Dream) step(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, sample uint64, moved []bool) (interp.Images, []float64, error) {
	shift := make([][2]int, x.N)
	for n := range shift {
		s := random.New(d.Seed, x.Key[n], sample)
		for axis := range 2 {
			shift[n][axis] = s.Intn(axis, 2*d.Jitter+1) - d.Jitter
		}
	}
	g, err := d.gradient(ctx, m, o, x, shift)
	if err != nil {
		return x, nil, err
	}
	for n := range x.N {
		pix, part := x.Of(n), g.Of(n)
		mean := floats.Norm(part, 1) / float64(len(part))
		if mean > 0 {
			moved[n] = true
		} else {
			mean = 1 // of what is 0 everywhere
		}
		for i, v := range part { // the gradient's memory becomes the image's
			part[i] = min(max(pix[i]+d.Step/255*(v/mean), 0), 1)
		}
	}
	x.Pix = g.Pix
	return x, g.Score, nil
}
