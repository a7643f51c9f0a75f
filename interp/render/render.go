// Package render draws what a camera sees of a surface that is painted with a picture, and passes gradients back to the picture.
//
// Geometry and light are given: a View says, for every ray of the camera, where it meets the painted surface and how bright that
// is lit. What is seen is then linear in the paint, except where it is cut at black and white, so the gradient is exact and needs
// no approximation at edges: those do not move. A sheet of paper before a camera, a sticker on a photograph and the skin of a
// solid are all Views.
package render

import (
	"fmt"
	"math"

	"lucigo/interp"
)

// Hit is a ray that meets the painted surface.
type Hit struct {
	Pixel int32      // of the photograph, row by row
	U, V  float32    // where: 0 to 1 from the left edge of the picture to its right, and from its top to its bottom
	Light [3]float32 // red, green and blue of the paint are multiplied by these
	Shine float32    // and this is added to each
}

// View is what a camera sees, apart from the paint.
type View struct {
	H, W       int
	Rays       int       // of each pixel; those that miss the surface show the background
	Hits       []Hit     // at most Rays for each pixel
	Background []float64 // [H·W·3] in [0, 1]

	// AroundU says that the left and right edges of the picture meet on the surface, and AroundV that top and bottom do. Where
	// they do not, the pixels of the edge go on.
	AroundU, AroundV bool
}

// Check returns an error if the view is not whole.
func (v *View) Check() error {
	switch n := v.H * v.W; {
	case v.H < 1 || v.W < 1 || v.Rays < 1:
		return fmt.Errorf("render: a view is of %d×%d pixels with %d rays each, must have at least one of each", v.H, v.W, v.Rays)
	case len(v.Background) != 3*n:
		return fmt.Errorf("render: Background has %d numbers, must have %d for %d×%d pixels of 3 colours", len(v.Background), 3*n, v.H, v.W)
	case len(v.Hits) > n*v.Rays:
		return fmt.Errorf("render: %d rays of %d meet the surface", len(v.Hits), n*v.Rays)
	}
	rays := make([]int, v.H*v.W)
	for i, h := range v.Hits {
		if h.Pixel < 0 || int(h.Pixel) >= len(rays) {
			return fmt.Errorf("render: ray %d belongs to pixel %d of %d", i, h.Pixel, len(rays))
		}
		if rays[h.Pixel]++; rays[h.Pixel] > v.Rays {
			return fmt.Errorf("render: more than %d rays belong to pixel %d", v.Rays, h.Pixel)
		}
		for _, f := range []float32{h.U, h.V, h.Light[0], h.Light[1], h.Light[2], h.Shine} {
			if interp.NotFinite(float64(f)) {
				return fmt.Errorf("render: ray %d has the value %g: %+v", i, f, h)
			}
		}
	}
	return nil
}

// Draw returns what is seen, [H·W·3] in [0, 1], of the surface painted with the picture, which is one image of 3 channels.
func (v *View) Draw(paint interp.Images) []float64 {
	seen, missed := make([]float64, v.H*v.W*3), v.missed()
	for p, share := range missed {
		for c, b := range v.Background[3*p : 3*p+3] {
			seen[3*p+c] = share * b
		}
	}
	each := 1 / float64(v.Rays)
	for i := range v.Hits {
		h := &v.Hits[i]
		t := v.taps(h, paint)
		for c := range 3 {
			seen[3*int(h.Pixel)+c] += each * min(max(t.raw(h, paint, c), 0), 1)
		}
	}
	return seen
}

// Back adds the derivative by the paint to into, given that by what is seen: it is the exact derivative of Draw, 0 where a ray's
// colour is beyond black or white.
func (v *View) Back(paint interp.Images, seen, into []float64) {
	each := 1 / float64(v.Rays)
	for i := range v.Hits {
		h := &v.Hits[i]
		t := v.taps(h, paint)
		for c := range 3 {
			if raw := t.raw(h, paint, c); raw < 0 || raw > 1 {
				continue
			}
			d := each * float64(h.Light[c]) * seen[3*int(h.Pixel)+c]
			for k, at := range t.at {
				into[at+c] += t.weight[k] * d
			}
		}
	}
}

// Cover returns the share of each pixel, [H·W], that the surface covers.
func (v *View) Cover() []float64 {
	cover := v.missed()
	for i, m := range cover {
		cover[i] = 1 - m
	}
	return cover
}

func (v *View) missed() []float64 {
	hits := make([]int, v.H*v.W)
	for i := range v.Hits {
		hits[v.Hits[i].Pixel]++
	}
	missed := make([]float64, len(hits))
	for i, n := range hits {
		missed[i] = float64(v.Rays-n) / float64(v.Rays)
	}
	return missed
}

// taps are the four pixels of the picture that a ray sees, bilinearly between their centres.
type taps struct {
	at     [4]int
	weight [4]float64
}

func (v *View) taps(h *Hit, paint interp.Images) taps {
	row, down := between(float64(h.V), paint.H, v.AroundV)
	column, right := between(float64(h.U), paint.W, v.AroundU)
	at := func(r, c int) int { return (r*paint.W + c) * paint.C }
	return taps{
		[4]int{at(row[0], column[0]), at(row[0], column[1]), at(row[1], column[0]), at(row[1], column[1])},
		[4]float64{(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right},
	}
}

// raw is the colour of a ray before it is cut at black and white.
func (t *taps) raw(h *Hit, paint interp.Images, c int) float64 {
	sum := float64(h.Shine)
	for k, at := range t.at {
		sum += t.weight[k] * float64(h.Light[c]) * paint.Pix[at+c]
	}
	return sum
}

// between returns the two of n pixels that a place is between, 0 to 1 over all of them, and how near it is to the second.
func between(place float64, n int, around bool) (two [2]int, share float64) {
	x := place*float64(n) - .5
	low := math.Floor(x)
	i := int(low)
	if around {
		i = ((i % n) + n) % n
		return [2]int{i, (i + 1) % n}, x - low
	}
	return [2]int{min(max(i, 0), n-1), min(max(i+1, 0), n-1)}, x - low
}
