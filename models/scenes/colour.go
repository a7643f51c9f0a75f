package scenes

import (
	"math"
	"math/rand/v2"
)

// RGB is a colour; each part lies in [0,1], sRGB values used as they are.
type RGB [3]float64

func (c RGB) mix(d RGB, t float64) RGB {
	return RGB{c[0] + (d[0]-c[0])*t, c[1] + (d[1]-c[1])*t, c[2] + (d[2]-c[2])*t}
}

func (c RGB) times(k float64) RGB { return RGB{c[0] * k, c[1] * k, c[2] * k} }

// hsv converts hue (one turn is 1), saturation and value to RGB.
func hsv(h, s, v float64) RGB {
	h = frac(h) * 6
	i := math.Floor(h)
	f := h - i
	p, q, t := v*(1-s), v*(1-s*f), v*(1-s*(1-f))
	switch int(i) {
	case 0:
		return RGB{v, t, p}
	case 1:
		return RGB{q, v, p}
	case 2:
		return RGB{p, v, t}
	case 3:
		return RGB{p, q, v}
	case 4:
		return RGB{t, p, v}
	}
	return RGB{v, p, q}
}

// source draws numbers from one stream of a seed.
type source struct{ *rand.Rand }

// The streams of a scene. One of its own for each cause, so that changing one leaves the others.
const (
	poseStream = iota + 1
	placeStream
	colourStream
	finishStream
	lightStream
	backgroundStream
	grainStream
	orderStream
	classStream
	changeStream
)

func stream(seed uint64, which uint64) source {
	a := scramble(seed + which*0x9e3779b97f4a7c15)
	return source{rand.New(rand.NewPCG(a, scramble(a)))}
}

// scramble is splitmix64's finaliser: neighbouring seeds give unrelated streams.
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (r source) in(a, b float64) float64 { return a + (b-a)*r.Float64() }
func (r source) chance(p float64) bool   { return r.Float64() < p }
func (r source) angle() float64          { return r.in(0, 2*math.Pi) }
func (r source) place() [3]float64       { return [3]float64{r.in(0, 31), r.in(0, 31), r.in(0, 31)} }

// twoColours draws a light and a dark colour, in either order. Half of the wooden, furry, scaly and marble things get natural ones.
// Every surface draws the same numbers, so that equal seeds keep equal hues where both are free.
func twoColours(r source, s Surface) (a, b RGB) {
	h, sat, val := r.Float64(), r.in(0.15, 1), r.in(0.55, 1)
	near, other, far := r.chance(0.5), r.in(-0.06, 0.06), r.Float64()
	darkSat, darkVal := r.in(0.1, 1), r.in(0.05, 0.4)
	natural, where := r.chance(0.5), r.Float64()
	lightS, lightV, deepS, deepV := r.in(0.3, 0.7), r.in(0.6, 0.95), r.in(0.5, 0.9), r.in(0.12, 0.4)
	swap := r.chance(0.5)

	h2 := far
	if near {
		h2 = h + other
	}
	a, b = hsv(h, sat, val), hsv(h2, darkSat, darkVal)
	if natural {
		lo, hi := 0.0, 0.0
		switch s {
		case Wood:
			lo, hi = 0.04, 0.11
		case Fur:
			lo, hi = 0.03, 0.12
		case Scales:
			lo, hi = 0.15, 0.45
		case Marble:
			a = hsv(h, 0.15*sat, 0.92)
		}
		if hi > 0 {
			hue := lo + (hi-lo)*where
			a, b = hsv(hue, lightS, lightV), hsv(hue, deepS, deepV)
		}
	}
	if swap {
		return b, a
	}
	return a, b
}
