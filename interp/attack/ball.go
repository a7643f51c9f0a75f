package attack

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"lucigo/interp/random"
)

// Norm says how the distance of two images is measured.
type Norm int

// The norms. NormInf is the largest difference of two numbers, Norm2 the root of the sum of squares, Norm1 the sum of the
// magnitudes, and Norm0 the number of pixels that differ: one whose three channels differ counts once.
const (
	_ Norm = iota
	NormInf
	Norm2
	Norm1
	Norm0
)

// String returns the norm's usual name.
func (n Norm) String() string {
	switch n {
	case NormInf:
		return "L∞"
	case Norm2:
		return "L2"
	case Norm1:
		return "L1"
	case Norm0:
		return "L0"
	}
	return "no norm"
}

// Distance returns the distance of two images of the given number of channels.
func (n Norm) Distance(x, y []float64, channels int) float64 {
	var sum, most float64
	for i, v := range x {
		d := math.Abs(y[i] - v)
		switch n {
		case Norm2:
			sum += d * d
		case Norm0:
			most = max(most, d)
			if i%channels == channels-1 {
				if most > 0 {
					sum++
				}
				most = 0
			}
		default:
			sum += d
			most = max(most, d)
		}
	}
	switch n {
	case NormInf:
		return most
	case Norm2:
		return math.Sqrt(sum)
	}
	return sum
}

// Ball is where an attack looks: the images of [0, 1] whose distance from the original is at most the radius. Linf, L2, L1
// and L0 return balls. The zero Ball is none, and an error wherever one is needed.
type Ball struct {
	norm   Norm
	radius float64
}

// Linf returns the ball of images whose numbers differ by at most radius each: Linf(8./255).
func Linf(radius float64) Ball { return Ball{NormInf, radius} }

// L2 returns the ball of images whose Euclidean distance is at most radius.
func L2(radius float64) Ball { return Ball{Norm2, radius} }

// L1 returns the ball of images whose differences add up to at most radius.
func L1(radius float64) Ball { return Ball{Norm1, radius} }

// L0 returns the ball of images that differ in at most so many pixels.
func L0(pixels int) Ball { return Ball{Norm0, float64(pixels)} }

// Ball returns the ball of the norm with the given radius, which in L0 is a number of pixels.
func (n Norm) Ball(radius float64) Ball { return Ball{n, radius} }

// Anywhere returns the ball without a bound: an attack looks for the nearest image in that norm.
func Anywhere(n Norm) Ball { return Ball{n, math.Inf(1)} }

// Norm returns the ball's norm.
func (b Ball) Norm() Norm { return b.norm }

// Radius returns the ball's radius, in units of the pixels, [0, 1]; of L0 the number of pixels.
func (b Ball) Radius() float64 { return b.radius }

// Bounded reports whether the radius is finite.
func (b Ball) Bounded() bool { return !math.IsInf(b.radius, 1) }

// String returns the norm and the radius, in 255ths where it is a whole number of them.
func (b Ball) String() string {
	if !b.Bounded() {
		return "nearest in " + b.norm.String()
	}
	if k := b.radius * 255; b.norm == NormInf && k > .5 && math.Abs(k-math.Round(k)) < 1e-9 {
		return fmt.Sprintf("L∞ ≤ %.0f/255", k)
	}
	return fmt.Sprintf("%s ≤ %.4g", b.norm, b.radius)
}

func (b Ball) check() error {
	switch {
	case b.norm == 0:
		return errors.New("attack: Ball is absent, must say how far an image may move: Linf(8./255), L2(.5), L1(12), L0(40) or Anywhere(Norm2)")
	case !(b.radius >= 0):
		return fmt.Errorf("attack: the radius of the %s ball is %g, must be at least 0", b.norm, b.radius)
	case b.norm == NormInf && b.Bounded() && b.radius > 1.5:
		return fmt.Errorf("attack: the radius of the L∞ ball is %g, and pixels are in [0, 1]: divide a radius for values of 8 bits by 255", b.radius)
	}
	return nil
}

// Project moves y to the image of the ball around x that is nearest to it in Euclidean distance. In L∞ it clips. In L2 the
// result is x + s·(y−x), clipped to [0, 1], with the largest s for which it is in the ball; in L1 the differences shrink by
// one amount, as in Duchi et al. (ICML 2008), within [0, 1]; in L0 those pixels stay that would lose most by going back to x
// (Croce and Hein, arXiv:1909.05040, section 3).
func (b Ball) Project(x, y []float64, channels int) {
	if !b.Bounded() {
		box(y)
		return
	}
	switch b.norm {
	case NormInf:
		for i, v := range x {
			y[i] = min(max(y[i], v-b.radius, 0), v+b.radius, 1)
		}
	case Norm2:
		b.scale(x, y)
	case Norm1:
		b.shrink(x, y)
	case Norm0:
		b.sparsest(x, y, channels)
	}
}

func box(y []float64) {
	for i, v := range y {
		y[i] = min(max(v, 0), 1)
	}
}

// scale solves for s: numbers that [0, 1] clips have a distance that does not depend on s, so the others take the rest of
// the radius, again and again until no other number is clipped.
func (b Ball) scale(x, y []float64) {
	parts := func(s float64) (clipped, free float64) { // the square of the distance
		for i, v := range x {
			d := y[i] - v
			if to := v + s*d; to < 0 || to > 1 {
				d = min(max(to, 0), 1) - v
				clipped += d * d
			} else {
				free += d * d
			}
		}
		return clipped, free
	}
	s, square := 1.0, b.radius*b.radius
	if clipped, free := parts(s); clipped+s*s*free > square {
		s = b.radius / Norm2.Distance(x, y, 1)
		for {
			clipped, free := parts(s)
			next := math.Sqrt((square - clipped) / free)
			if !(next > s) || next > 1 {
				break
			}
			s = next
		}
	}
	for i, v := range x {
		y[i] = min(max(v+s*(y[i]-v), 0), 1)
	}
}

// shrink finds by bisection by how much all differences shrink.
func (b Ball) shrink(x, y []float64) {
	reach := func(i int) (difference, room float64) { // room is how far [0, 1] lets the number go that way
		d := y[i] - x[i]
		if d < 0 {
			return -d, x[i]
		}
		return d, 1 - x[i]
	}
	total := func(by float64) (sum float64) {
		for i := range x {
			d, room := reach(i)
			sum += min(max(d-by, 0), room)
		}
		return sum
	}
	var by, high float64
	if total(0) > b.radius {
		for i := range x {
			d, _ := reach(i)
			high = max(high, d)
		}
		for range 80 {
			middle := (by + high) / 2
			if middle == by || middle == high {
				break
			}
			if total(middle) > b.radius {
				by = middle
			} else {
				high = middle
			}
		}
		by = high
	}
	for i, v := range x {
		d, room := reach(i)
		y[i] = v + math.Copysign(min(max(d-by, 0), room), y[i]-v)
	}
}

// sparsest keeps the pixels that gain most by staying.
func (b Ball) sparsest(x, y []float64, channels int) {
	pixels := len(x) / channels
	gain, order := make([]float64, pixels), make([]int, pixels)
	for i, v := range y {
		in := min(max(v, 0), 1)
		gain[i/channels] += (x[i]-v)*(x[i]-v) - (in-v)*(in-v)
		y[i] = in
	}
	for p := range order {
		order[p] = p
	}
	slices.SortStableFunc(order, func(p, q int) int { return cmp.Compare(gain[q], gain[p]) })
	for _, p := range order[min(int(b.radius), pixels):] {
		copy(y[p*channels:(p+1)*channels], x[p*channels:])
	}
}

// reach scales d until its norm is the ball's radius. In L0, which has no scale, its largest number becomes 1.
func (b Ball) reach(d []float64) {
	norm, radius := b.norm, b.radius
	if norm == Norm0 {
		norm, radius = NormInf, 1
	}
	zero := make([]float64, len(d))
	if length := norm.Distance(zero, d, 1); length > 0 {
		for i := range d {
			d[i] *= radius / length
		}
	}
}

// surface moves y to a random image of the ball's surface: in L∞ by random signs, in L2 and L1 along a normal or Laplace
// direction, in L0 by random values of as many random pixels as may differ. Where [0, 1] cuts the ball it may be outside.
func (b Ball) surface(s random.Stream, y []float64, channels int) {
	if b.norm == Norm0 {
		b.scatter(s, y, channels)
		return
	}
	d := make([]float64, len(y))
	if b.norm == Norm2 {
		s.Normals(d)
	} else {
		for i := range d {
			u := s.Uniform(i) - .5
			d[i] = math.Copysign(1, u)
			if b.norm == Norm1 {
				d[i] = math.Copysign(math.Log(1-2*math.Abs(u)), u)
			}
		}
	}
	b.reach(d)
	for i := range y {
		y[i] += d[i]
	}
}

func (b Ball) scatter(s random.Stream, y []float64, channels int) {
	pixels := len(y) / channels
	k := min(int(b.radius), pixels)
	for _, p := range shuffled(s, pixels, k)[:k] {
		for c := range channels {
			i := p*channels + c
			y[i] = s.Uniform(pixels + i)
		}
	}
}

// draw moves y to a random image of the ball, in which it is uniform before [0, 1] cuts it. In L0 all the pixels that may
// differ do.
func (b Ball) draw(s random.Stream, x, y []float64, channels int) {
	switch b.norm {
	case NormInf:
		for i, v := range x {
			y[i] = v + b.radius*(2*s.Uniform(i)-1)
		}
	case Norm2, Norm1:
		b.radius *= math.Pow(s.Uniform(len(x)+1), 1/float64(len(x)))
		b.surface(s, y, channels)
	case Norm0:
		b.surface(s, y, channels)
	}
	b.Project(x, y, channels)
}

// unit is what the length of a step is a share of: the radius, or the range of pixels in L0.
func (b Ball) unit() float64 {
	if b.norm == Norm0 {
		return 1
	}
	return b.radius
}

// steepest makes of a gradient the direction of steepest ascent, at length 1 in the ball's norm; in L0 see PGD.
func (b Ball) steepest(g []float64) {
	switch b.norm {
	case NormInf:
		for i, v := range g {
			g[i] = sign(v)
		}
	case Norm1:
		sparse(g, max(1, len(g)/100))
	default:
		b.radius = 1
		b.reach(g)
	}
}

// sparse makes of a gradient the signs of its k largest numbers, at L1 length 1.
func sparse(g []float64, k int) {
	order := make([]float64, len(g))
	for i, v := range g {
		order[i] = math.Abs(v)
	}
	slices.Sort(order)
	least, n := order[max(0, len(order)-k)], 0.0
	for i, v := range g {
		if g[i] = 0; math.Abs(v) >= least && v != 0 {
			g[i] = sign(v)
			n++
		}
	}
	for i := range g {
		g[i] /= max(n, 1)
	}
}
