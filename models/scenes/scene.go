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
