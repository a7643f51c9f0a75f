package scenes

import (
	"math"
	"math/rand/v2"
)

// edge is the side of the noise lattice; noise repeats after that many cells.
const edge = 32

// lattice holds the noise's values at whole coordinates, uniform in [0,1). It is never written after start.
var lattice = func() (l [edge * edge * edge]float32) {
	r := rand.New(rand.NewPCG(7, 7))
	for i := range l {
		l[i] = r.Float32()
	}
	return l
}()

// noise is smooth value noise in [0,1]: lattice values blended by the cubic 3t²−2t³ along each axis.
func noise(x, y, z float64) float64 { return wrapped(x, y, z, 0, 0) }

// wrapped is noise that repeats after px cells along x and py along y; 0 means the lattice's own period.
func wrapped(x, y, z float64, px, py int) float64 {
	fx, fy, fz := math.Floor(x), math.Floor(y), math.Floor(z)
	a, b, c := x-fx, y-fy, z-fz
	a, b, c = a*a*(3-2*a), b*b*(3-2*b), c*c*(3-2*c)
	x0, x1 := neighbours(int(fx), px)
	y0, y1 := neighbours(int(fy), py)
	z0, z1 := neighbours(int(fz), 0)
	at := func(i, j, k int) float64 { return float64(lattice[(i*edge+j)*edge+k]) }
	mix := func(p, q, t float64) float64 { return p + (q-p)*t }
	near := mix(mix(at(x0, y0, z0), at(x1, y0, z0), a), mix(at(x0, y1, z0), at(x1, y1, z0), a), b)
	far := mix(mix(at(x0, y0, z1), at(x1, y0, z1), a), mix(at(x0, y1, z1), at(x1, y1, z1), a), b)
	return mix(near, far, c)
}

// neighbours returns the lattice indices of cell i and of the next one when cells repeat after period.
func neighbours(i, period int) (int, int) {
	if period == 0 {
		return i & (edge - 1), (i + 1) & (edge - 1)
	}
	i %= period
	if i < 0 {
		i += period
	}
	next := i + 1
	if next == period {
		next = 0
	}
	return i & (edge - 1), next & (edge - 1)
}

// fractal sums octaves of noise, each half as strong and twice as fine as the one before, scaled to [0,1].
func fractal(x, y, z float64, octaves int) float64 {
	sum, weight, total, f := 0.0, 0.5, 0.0, 1.0
	for k := range octaves {
		o := float64(k)
		sum += weight * noise(x*f+17*o, y*f+5*o, z*f+29*o)
		total += weight
		weight, f = weight/2, f*2
	}
	return sum / total
}

// smooth rises from 0 at a to 1 at b along 3t²−2t³.
func smooth(a, b, t float64) float64 {
	t = clamp01((t - a) / (b - a))
	return t * t * (3 - 2*t)
}

func clamp01(t float64) float64 { return min(max(t, 0), 1) }

// frac returns x minus the whole number below it.
func frac(x float64) float64 { return x - math.Floor(x) }
