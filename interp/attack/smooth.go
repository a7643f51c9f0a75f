package attack

import (
	"context"
	"fmt"
	"math"

	"lucigo/interp"
)

// Smooth takes a gradient's mean over an image and random copies of it, each with its gradient at L1 length 1: what the
// mean has, other networks are likelier to share. The zero value has no copies.
type Smooth struct {
	Copies int     // beside the image itself, new ones in each step
	Noise  float64 // the standard deviation of what is added to a copy, in [0, 1]: Wu et al., arXiv:1802.09707, section 4
	Shift  int     // by how many pixels a copy is moved at most, in both directions: Dong et al., arXiv:1904.02884, section 3
}

// String names the parameters.
func (s Smooth) String() string {
	return fmt.Sprintf("smooth(copies=%d, noise=%g, shift=%d)", s.Copies, s.Noise, s.Shift)
}

func (s Smooth) check(t *Task) error {
	side := max(t.Images.H, t.Images.W)
	switch {
	case s.Copies < 0:
		return fmt.Errorf("attack: %s: Smooth.Copies is %d, must be at least 0", t.attack, s.Copies)
	case !(s.Noise >= 0) || math.IsInf(s.Noise, 1):
		return fmt.Errorf("attack: %s: Smooth.Noise is %g, must be a number of at least 0", t.attack, s.Noise)
	case s.Shift < 0 || s.Shift > side:
		return fmt.Errorf("attack: %s: Smooth.Shift is %d, must be from 0 to %d, the images' longer side", t.attack, s.Shift, side)
	case s.Copies == 0 && s != (Smooth{}):
		return fmt.Errorf("attack: %s: Smooth.Copies is 0, must be at least 1 where there is Noise or Shift", t.attack)
	}
	return nil
}

// gradient is Task.Gradient, with a sum over copies where there are some. What comes in at an edge is what is at the edge, and
// a copy's gradient goes back to where its pixels are from.
func (s Smooth) gradient(ctx context.Context, t *Task, p Points, o interp.Objective, step int) (Reply, error) {
	r, err := t.Gradient(ctx, p, o)
	if err != nil || s.Copies == 0 {
		return r, err
	}
	sum := r.Gradient
	each(sum, func(_ int, g []float64) { unit1(g) })
	size := len(p.Of(0))
	from := make([]int, len(p.Pix)) // where in its point each number of a copy is from
	for n := range s.Copies {
		q := Points{p.Rows, make([]float64, len(p.Pix))}
		each(q, func(k int, y []float64) {
			random := t.Random(p.Rows[k], step*s.Copies+n)
			random.Normals(y)
			down := random.Intn(size+2, 2*s.Shift+1) - s.Shift
			right := random.Intn(size+3, 2*s.Shift+1) - s.Shift
			for i := range y {
				at := t.beside(i, down, right)
				from[k*size+i], y[i] = at, p.Of(k)[at]+s.Noise*y[i]
			}
			box(y)
		})
		c, err := t.Gradient(ctx, q, o)
		if err != nil {
			return r, err
		}
		each(c.Gradient, func(k int, g []float64) {
			unit1(g)
			for i, v := range g {
				sum.Of(k)[from[k*size+i]] += v
			}
		})
	}
	return r, nil
}

// beside returns the place of the number that is so many pixels beside number i of an image, or at the edge on the way there.
func (t *Task) beside(i, down, right int) int {
	h, w, c := t.Images.H, t.Images.W, t.Images.C
	row := min(max(i/(w*c)+down, 0), h-1)
	column := min(max(i/c%w+right, 0), w-1)
	return (row*w+column)*c + i%c
}

// unit1 divides a gradient by its L1 norm, unless that is 0.
func unit1(g []float64) {
	var length float64
	for _, v := range g {
		length += math.Abs(v)
	}
	if length == 0 {
		return
	}
	for i := range g {
		g[i] /= length
	}
}
