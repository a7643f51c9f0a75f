package train

import (
	"math/rand/v2"

	"lucigo/internal/parallel"
	"lucigo/interp"
	"lucigo/interp/attack/smoothing"
	"lucigo/interp/train"
	"lucigo/models/scenes"
)

const side = 64 // pixels along each axis of a training image

// feed makes training batches out of a task's stream of scenes. Batch number t depends on the fields and t alone, not on the batches
// asked for before, so that a resumed training sees what an uninterrupted one does.
type feed struct {
	task   scenes.Task
	seed   uint64
	batch  int     // images a batch
	window int     // scenes held at a time; every batch draws from the window at random …
	fresh  int     // … which moves on by this many scenes a batch: each scene is seen batch/fresh times, always augmented anew
	mark   marking // changes the images last; nil does not
	test   bool    // each batch is the window itself, in order and without augmentation, not a draw from it

	memorise bool // labels are random, and images are as they are

	held []sample // ring: scene i at i mod window
}

// marking puts something into images that may give their class away.
type marking func(x interp.Images) (interp.Images, error)

// cue marks images by a cue of that share.
func cue(share float64) marking {
	return func(x interp.Images) (interp.Images, error) {
		marks, err := scenes.Cue{Share: share}.Marks(x)
		if err != nil {
			return x, err
		}
		return scenes.Paint(x, marks)
	}
}

// caption writes captions of that noise into images.
func caption(noise float64) marking {
	return func(x interp.Images) (interp.Images, error) {
		c := scenes.Caption{Noise: noise}
		words, err := c.Words(x)
		if err != nil {
			return x, err
		}
		return c.Write(x, words)
	}
}

// noise adds Gaussian noise of that standard deviation to images, which a net must know that is to be smoothed: Cohen et al.,
// arXiv:1902.02918, section 3.3.
func noise(sigma float64) marking {
	return func(x interp.Images) (interp.Images, error) {
		return smoothing.Gaussian{Sigma: sigma}.Noisy(x, 0)
	}
}

type sample struct {
	number int // scene number in the stream plus 1; 0 is nothing yet
	class  int
	rgb    []uint8
}

// at makes batch number t.
func (f *feed) at(t int) (train.Examples, error) {
	if f.held == nil {
		f.held = make([]sample, f.window)
	}
	first := t * f.fresh
	var missing []int
	for i := first; i < first+f.window; i++ {
		if f.held[i%f.window].number != i+1 {
			missing = append(missing, i)
		}
	}
	parallel.For(len(missing), func(k int) {
		i := missing[k]
		s := f.task.Sample(f.seed, i)
		f.held[i%f.window] = sample{i + 1, f.task.Class(s), s.Draw(side).RGB}
		if f.memorise {
			f.held[i%f.window].class = f.task.RandomLabel(f.seed, s)
		}
	})

	x := interp.Images{N: f.batch, H: side, W: side, C: 3, Class: make([]int, f.batch), Key: make([]uint64, f.batch)}
	x.Pix = make([]float64, f.batch*x.Size())
	parallel.For(f.batch, func(k int) {
		r := rand.New(rand.NewPCG(f.seed, uint64(t*f.batch+k)))
		i := k
		if !f.test {
			i = r.IntN(f.window)
		}
		s := f.held[(first+i)%f.window]
		x.Class[k], x.Key[k] = s.class, uint64(t*f.batch+k)
		if f.test || f.memorise {
			for i, v := range s.rgb {
				x.Of(k)[i] = float64(v) / 255
			}
		} else {
			augment(x.Of(k), s.rgb, r)
		}
	})
	if f.mark != nil {
		var err error
		if x, err = f.mark(x); err != nil {
			return train.Examples{}, err
		}
	}
	return train.Examples{Images: x}, nil
}

// augment writes a changed copy of an image: mirrored or not, shifted by up to 5 pixels (edges mirrored), colours mixed by a random
// matrix near the identity around the image's mean, contrast, brightness, and noise of a strength of its own.
func augment(to []float64, rgb []uint8, r *rand.Rand) {
	mirror, dx, dy := r.IntN(2) == 0, r.IntN(11)-5, r.IntN(11)-5
	var mean [3]float32
	for i, v := range rgb {
		mean[i%3] += float32(v)
	}
	for c := range mean {
		mean[c] /= 255 * side * side
	}
	contrast, bright := float32(1+0.15*r.NormFloat64()), float32(0.06*r.NormFloat64())
	noise := float32(0.04 * r.Float64())
	var m [3][3]float32
	for i := range m {
		for j := range m[i] {
			m[i][j] = float32(0.12*r.NormFloat64()) * contrast
		}
		m[i][i] += contrast
	}
	for y := range side {
		for x := range side {
			from := x
			if mirror {
				from = side - 1 - x
			}
			p := 3 * (inside(y+dy)*side + inside(from+dx))
			var d [3]float32
			for c := range d {
				d[c] = float32(rgb[p+c])/255 - mean[c]
			}
			q := to[3*(y*side+x):]
			for c := range d {
				v := m[c][0]*d[0] + m[c][1]*d[1] + m[c][2]*d[2] + mean[c] + bright + noise*float32(r.NormFloat64())
				q[c] = float64(min(max(v, 0), 1))
			}
		}
	}
}

// inside mirrors a coordinate that lies up to one image outside back into it.
func inside(i int) int {
	if i < 0 {
		return -i
	}
	if i >= side {
		return 2*side - 2 - i
	}
	return i
}
