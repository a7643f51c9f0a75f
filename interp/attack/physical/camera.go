// Package physical makes pictures that fool a network in the world: printed and photographed, stuck on a sign, painted on a solid.
//
// A Shot is one photograph: geometry and light (render.View) and what the camera makes of it (Lens). A Scene draws shots at random.
// Paint is expectation over transformation (Athalye, Engstrom, Ilyas and Kwok, arXiv:1707.07397): it climbs the mean of an
// objective over shots, which is new ones at every step. Whether a picture fools the network is decided on shots that no step has
// seen (Look).
package physical

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"lucigo/internal/filter"
	"lucigo/interp"
	"lucigo/interp/random"
	"lucigo/interp/render"
)

// Lens is what a camera makes of what it sees, in this order: colours, blur, noise, JPEG. The zero Lens changes nothing.
type Lens struct {
	Gain, Offset [3]float64 // red, green and blue become Gain times what they are, plus Offset; Gain of all 0 is 1
	Blur         float64    // standard deviation in pixels
	Noise        float64    // standard deviation
	Quality      int        // of the JPEG, 1 to 100; 0 is no JPEG
}

// Shot is one photograph of a painted surface.
type Shot struct {
	View *render.View
	Lens Lens
	Key  uint64 // of the noise

	// What was drawn, for those who ask what matters: how far the surface is leant away, in degrees, and how large it is, as a share
	// of the photograph's height. A Scene may leave them 0.
	Tilt, Size float64

	// Corners are the sheet's in the photograph, if it is one: columns and rows of top left, top right, bottom right and bottom left.
	Corners [4][2]float64
}

// Take returns the photograph, [H·W·3] in [0, 1], of the surface painted with one image of 3 channels.
func (s *Shot) Take(paint interp.Images) ([]float64, error) {
	y, _, err := s.take(paint)
	return y, err
}

// take returns the photograph, and before it is cut at black and white and compressed.
func (s *Shot) take(paint interp.Images) (y, raw []float64, err error) {
	if raw, err = s.before(paint); err != nil {
		return nil, nil, err
	}
	y = make([]float64, len(raw))
	for i, v := range raw {
		y[i] = min(max(v, 0), 1)
	}
	if s.Lens.Quality != 0 {
		if err := filter.JPEG(y, s.View.H, s.View.W, 3, s.Lens.Quality); err != nil {
			return nil, nil, fmt.Errorf("physical: %w", err)
		}
	}
	return y, raw, nil
}

// before returns the photograph before it is cut at black and white and compressed.
func (s *Shot) before(paint interp.Images) ([]float64, error) {
	if paint.N != 1 || paint.C != 3 || len(paint.Pix) != paint.Size() {
		return nil, fmt.Errorf("physical: the picture is %d images of %d×%d×%d, must be one of 3 channels", paint.N, paint.H, paint.W, paint.C)
	}
	if err := s.Lens.check(); err != nil {
		return nil, err
	}
	y := s.View.Draw(paint)
	for i := range y {
		y[i] = s.Lens.gain(i%3)*y[i] + s.Lens.Offset[i%3]
	}
	if w := s.Lens.blur(); w != nil {
		filter.Convolve(y, s.View.H, s.View.W, 3, w)
	}
	if s.Lens.Noise > 0 {
		noise := make([]float64, len(y))
		random.New(s.Key, 0, 0).Normals(noise)
		for i, v := range noise {
			y[i] += s.Lens.Noise * v
		}
	}
	return y, nil
}

// Back adds the derivative by the paint to into, given that by the photograph. JPEG passes it on as it is: its rounding has no
// derivative, and what it leaves is near what it was given (the backward pass differentiable approximation of Athalye, Carlini and
// Wagner, arXiv:1802.00420, section 4.1). All else is exact.
func (s *Shot) Back(paint interp.Images, photograph, into []float64) error {
	raw, err := s.before(paint)
	if err == nil {
		s.back(paint, raw, photograph, into)
	}
	return err
}

func (s *Shot) back(paint interp.Images, raw, photograph, into []float64) {
	d := slices.Clone(photograph)
	for i, v := range raw {
		if v < 0 || v > 1 {
			d[i] = 0
		}
	}
	if w := s.Lens.blur(); w != nil {
		filter.Transpose(d, s.View.H, s.View.W, 3, w)
	}
	for i := range d {
		d[i] *= s.Lens.gain(i % 3)
	}
	s.View.Back(paint, d, into)
}

func (l Lens) check() error {
	switch {
	case !(l.Blur >= 0 && l.Blur < 100):
		return fmt.Errorf("physical: Lens: Blur is %g pixels, must be from 0 to 100", l.Blur)
	case !(l.Noise >= 0 && l.Noise <= 1):
		return fmt.Errorf("physical: Lens: Noise is %g, must be from 0 to 1", l.Noise)
	case l.Quality < 0 || l.Quality > 100:
		return fmt.Errorf("physical: Lens: Quality is %d, must be from 1 to 100, or 0 for no JPEG", l.Quality)
	}
	return nil
}

func (l Lens) gain(c int) float64 {
	if l.Gain == [3]float64{} {
		return 1
	}
	return l.Gain[c]
}

// blur returns the weights of the blur, nil for none.
func (l Lens) blur() []float64 {
	if l.Blur < .05 {
		return nil
	}
	return filter.Gaussian(l.Blur, int(math.Ceil(3*l.Blur)))
}

// Scene draws shots at random: shot i depends on seed and i alone.
type Scene interface {
	Shot(seed uint64, i int) (*Shot, error)
}

// Camera draws photographs of a flat sheet. The zero Camera holds an ordinary one at ordinary distances: what a person does who
// prints a picture and takes a photograph of it.
type Camera struct {
	H, W   int     // of the photograph, in pixels; 0 is 64
	Aspect float64 // the sheet's width divided by its height; 0 is 1

	Outline [][2]float64 // what the sheet is cut to: render.Flat's

	// Tilt is the largest angle in degrees by which the sheet is leant away, in any direction, and Roll by which it is turned in its
	// plane; 0 is 45 and 15, and below 0 none.
	Tilt, Roll float64

	// Sizes are how large the sheet is seen: its height straight as a share of the photograph's. One of them is drawn for each
	// shot, each as often, so they are distances; nil is .9, .7 and .5.
	Sizes []float64

	// Crop says that what shows the photograph to the network has found the sheet and cut it out with a little around it, and
	// enlarged that: then a far sheet is not small but coarse.
	Crop bool

	// Backgrounds are images of the photograph's size, one of which is behind the sheet. Without any, a wall of a random colour
	// is there, lit unevenly.
	Backgrounds interp.Images

	Steady Lens // if it is not zero, the lens of every shot; else colours, blur of at most a pixel in 64, noise and JPEG are drawn
}

// Shot implements Scene.
func (c Camera) Shot(seed uint64, i int) (*Shot, error) {
	h, w := cmp.Or(c.H, 64), cmp.Or(c.W, c.H, 64)
	sizes := c.Sizes
	if sizes == nil {
		sizes = []float64{.9, .7, .5}
	}
	tilt, roll := cmp.Or(c.Tilt, 45), cmp.Or(c.Roll, 15)
	switch {
	case h < 1 || w < 1:
		return nil, fmt.Errorf("physical: Camera: H is %d and W %d, must be at least 1", c.H, c.W)
	case tilt > 80 || roll > 180:
		return nil, fmt.Errorf("physical: Camera: Tilt is %g degrees, must be at most 80, and Roll %g, at most 180", c.Tilt, c.Roll)
	case len(sizes) == 0 || slices.ContainsFunc(sizes, func(s float64) bool { return !(s > 0 && s < 100) }):
		return nil, fmt.Errorf("physical: Camera: Sizes is %g, must be above 0", sizes)
	case c.Backgrounds.N > 0 && (c.Backgrounds.H != h || c.Backgrounds.W != w || c.Backgrounds.C != 3):
		return nil, fmt.Errorf("physical: Camera: Backgrounds are %d×%d×%d, must be %d×%d×3 as the photographs are", c.Backgrounds.H, c.Backgrounds.W, c.Backgrounds.C, h, w)
	case i < 0:
		return nil, errors.New("physical: a shot's number is below 0")
	}
	d := draws{s: random.New(seed, uint64(i), 1)}
	size := sizes[d.s.Intn(1000, len(sizes))]
	seen := size
	if c.Crop {
		seen = d.in(.8, .95)
	}
	lean := max(0, tilt) * d.in(-1, 1)
	f := render.Flat{Aspect: c.Aspect, Outline: c.Outline, Size: seen, Tilt: lean, Axis: d.in(0, 180), Roll: max(0, roll) * d.in(-1, 1)}
	across, down := max(0, float64(w)/float64(h)-seen*cmp.Or(c.Aspect, 1)), max(0, 1-seen) // so that most of the sheet stays in the photograph
	f.X, f.Y = across*d.in(-1, 1), down*d.in(-1, 1)
	bright := d.in(.75, 1.1)
	for k := range f.Light {
		f.Light[k] = bright * d.in(.95, 1.05)
	}
	f.Fall = [2]float64{d.in(-.25, .25), d.in(-.25, .25)}
	v, err := f.View(h, w, 2, c.background(&d, h, w))
	if err != nil {
		return nil, err
	}
	s := through(c.Steady, v, seed, i)
	s.Tilt, s.Size, s.Corners = math.Abs(lean), size, f.Corners(h, w)
	if c.Crop { // a pixel of the camera's covers seen/size pixels here: as wide as a Gaussian of .4 of that
		s.Lens.Blur = math.Hypot(s.Lens.Blur, .4*max(0, seen/size-1))
	}
	return s, nil
}

// through returns shot i of a view, through the lens that is given or, where that is zero, through one that is drawn.
func through(steady Lens, v *render.View, seed uint64, i int) *Shot {
	s := &Shot{View: v, Lens: steady, Key: random.Hash(seed, uint64(i), 2)}
	if s.Lens == (Lens{}) {
		s.Lens = AnyLens(random.New(seed, uint64(i), 3), min(v.H, v.W))
	}
	return s
}

// AnyLens draws the lens of an ordinary camera for photographs whose shorter side has so many pixels: gain .85 to 1.1 and a cast of
// up to 4 % in each colour, a blur of up to a 64th of the side, noise of up to .03, and JPEG of quality 50 to 95.
func AnyLens(s random.Stream, side int) Lens {
	d := draws{s: s}
	var l Lens
	gain := d.in(.85, 1.1)
	for k := range l.Gain {
		l.Gain[k], l.Offset[k] = gain*d.in(.96, 1.04), d.in(-.03, .03)
	}
	l.Blur, l.Noise, l.Quality = d.in(0, 1)*float64(side)/64, d.in(0, .03), 50+int(d.in(0, 46))
	return l
}

// background is a wall, or one of the camera's.
func (c Camera) background(d *draws, h, w int) []float64 {
	if c.Backgrounds.N > 0 {
		return c.Backgrounds.Of(d.s.Intn(2000, c.Backgrounds.N))
	}
	colour := [3]float64{d.in(.2, .8), d.in(.2, .8), d.in(.2, .8)}
	down, right := d.in(-.2, .2), d.in(-.2, .2)
	wall := make([]float64, h*w*3)
	for p := range h * w {
		light := down*(float64(p/w)/float64(h)-.5) + right*(float64(p%w)/float64(w)-.5)
		for k := range 3 {
			wall[3*p+k] = min(max(colour[k]+light, 0), 1)
		}
	}
	return wall
}

// draws takes one number after the other from a stream.
type draws struct {
	s random.Stream
	n int
}

func (d *draws) in(low, high float64) float64 {
	d.n++
	return low + (high-low)*d.s.Uniform(d.n)
}
