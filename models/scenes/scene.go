package scenes

import "math"

// Scene is everything that decides a picture. [New] draws one from a seed; every field may then be changed, and [Scene.Draw] draws
// what the fields say. The zero value is a scene of size 0, an empty background.
type Scene struct {
	Seed    uint64 // where it was drawn from, and what the grain of the picture is drawn from
	Shape   Shape
	Surface Surface

	Yaw, Tilt, Roll float64 // pose in radians: turned about its own axis, then tilted towards the camera, then rolled in the picture
	X, Y            float64 // place of its centre in half image widths from the middle, x to the right, y up
	Size            float64 // half image widths per object unit

	Colours [2]RGB // the surface's two colours
	Finish  Finish

	Light   [3]float64 // direction to the light, length 1: x to the right, y up, z towards the camera
	Ambient float64    // brightness of the side in shadow, 0 … 1
	Gloss   float64    // strength of the highlight, 0 for none
	Shine   int        // its exponent: the larger, the smaller the highlight

	Background Background
	Grain      float64 // standard deviation of the noise added to every value of the picture
}

// New draws a scene of the given solid and surface from a seed. Pose, place, colours, finish, light, background and grain come from
// streams of their own.
func New(seed uint64, shape Shape, surface Surface) Scene {
	s := Scene{Seed: seed, Shape: shape, Surface: surface}

	r := stream(seed, poseStream)
	s.Yaw, s.Tilt, s.Roll = r.angle(), r.in(12, 62)*math.Pi/180, r.NormFloat64()*28*math.Pi/180
	if !r.chance(0.85) { // now and then seen from below
		s.Tilt = -s.Tilt
	}
	r = stream(seed, placeStream)
	s.X, s.Y, s.Size = r.in(-0.22, 0.22), r.in(-0.22, 0.22), r.in(0.58, 0.95)

	s.Colours[0], s.Colours[1] = twoColours(stream(seed, colourStream), surface)
	r = stream(seed, finishStream)
	s.Finish = Finish{Frequency: r.in(1.9, 3.4), Kind: r.Float64(), Width: r.Float64(), Offset: r.place()}

	r = stream(seed, lightStream)
	l := vec{r.in(-0.9, 0.9), r.in(-0.1, 1), r.in(0.35, 1)}.unit()
	s.Light, s.Ambient, s.Shine = [3]float64{l.x, l.y, l.z}, r.in(0.25, 0.5), 8+r.IntN(43)
	if gloss := r.in(0, 0.6); r.chance(0.5) {
		s.Gloss = gloss
	}
	s.Background = drawBackground(stream(seed, backgroundStream))
	s.Grain = stream(seed, grainStream).in(0, 0.02)
	return s
}

// Finish is how one instance of a surface looks: the free parameters of its pattern.
type Finish struct {
	Frequency float64    // pattern periods per object unit, 1.9 … 3.4
	Kind      float64    // [0,1): which variant (stripes across, along or diagonal; dots in rows or staggered; where the wood's pith is)
	Width     float64    // [0,1): how wide stripes and dots are; which way marble runs
	Offset    [3]float64 // where in the noise the pattern is cut
}

// density is each surface's own factor on the frequency, so that their details are of like size.
var density = [...]float64{Plain: 1, Striped: 1, Dotted: 1, Checked: 0.63, Wood: 1, Marble: 1, Fur: 1, Scales: 1.1}

// charted says whether the surface's pattern follows the surface coordinates.
func (s Surface) charted() bool { return s != Plain && s != Wood && s != Marble }

// mix returns how much of the second colour the surface shows at the point p with coordinates c, in [0,1].
func (f *Finish) mix(s Surface, p vec, c chart) float64 {
	o := f.Offset
	x, y, z := p.x, p.y, p.z
	switch s {
	case Striped:
		q := c.u + c.v
		if f.Kind < 0.4 {
			q = c.u
		} else if f.Kind < 0.8 {
			q = c.v
		}
		return smooth(-0.18, 0.18, math.Sin(2*math.Pi*q)-0.9*(f.Width-0.5))
	case Dotted:
		u := c.u
		if f.Kind >= 0.5 && odd(math.Floor(c.v)) {
			u += 0.5
		}
		a, b := frac(u)-0.5, frac(c.v)-0.5
		return 1 - smooth(0.24+0.1*f.Width, 0.33+0.1*f.Width, math.Sqrt(a*a+b*b))
	case Checked:
		return smooth(-0.12, 0.12, math.Sin(2*math.Pi*c.u)*math.Sin(2*math.Pi*c.v))
	case Wood:
		grow := fractal(x*1.2+o[0], y*0.5+o[1], z*1.2+o[2], 3)
		a, b := x+0.35*(f.Kind-0.5), z+0.3
		ring := frac(math.Sqrt(a*a+b*b)*3.2 + 2.4*grow + 0.5*y*(f.Width-0.5))
		grain := noise(x*14+o[0], y*2+o[1], z*14+o[2])
		return clamp01(ring*math.Sqrt(ring)*0.85 + 0.3*(grain-0.5))
	case Marble:
		turb := fractal(x*1.8+o[0], y*1.8+o[1], z*1.8+o[2], 4)
		return 1 - math.Sqrt(math.Abs(math.Sin(3.2*(2*x*(f.Kind-0.5)+y*f.Width+z)+11*turb)))
	case Fur:
		patch := smooth(0.42, 0.58, fractal(x*1.7+o[2], y*1.7+o[0], z*1.7+o[1], 2))
		bend := wrapped(c.u, c.v, o[2], c.closeU, c.closeV)
		long := wrapped(c.u*5+3*bend, c.v, o[0], c.closeU*5, c.closeV)
		fine := wrapped(c.u*9, c.v*2, o[1], c.closeU*9, c.closeV*2)
		return clamp01(0.25 + 0.4*patch + 1.5*(0.6*long+0.4*fine-0.5))
	case Scales:
		return scales(c.u, c.v)
	}
	return 0.12 * fractal(x*2+o[0], y*2+o[1], z*2+o[2], 2) // Plain: one colour, a little uneven
}

// scales lays rows of rounded scales, staggered, each row over the next: dark at the rim, light in the middle.
func scales(u, v float64) float64 {
	row, value := math.Floor(v), 0.0
	for _, r := range [2]float64{row + 1, row} {
		shift := 0.0
		if odd(r) {
			shift = 0.5
		}
		a, b := frac(u+shift)-0.5, (v-r)*0.75
		if d := math.Sqrt(a*a + b*b); d < 0.56 {
			value = min(1.7*d, 1)
		}
	}
	return value
}

func odd(x float64) bool { return int64(x)&1 != 0 }
