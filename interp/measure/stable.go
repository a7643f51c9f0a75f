package measure

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"lucigo/interp"
	"lucigo/interp/random"
)

// Method makes maps, as any saliency.Method does.
type Method interface {
	String() string
	Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error)
}

// MaxSensitivity is how far a method's map moves when the image hardly does: the largest ‖map(x + δ) − map(x)‖, as a share of
// ‖map(x)‖, of some δ that are uniform in [−Radius, Radius]: Yeh, Hsieh, Suggala, Inouye and Ravikumar, arXiv:1901.09392,
// definition 2.2; the paper does not divide, captum does.
//
// A method that draws random numbers draws the same for the moved image: what is measured is the method, not its luck. The
// class is that of the image as it is.
type MaxSensitivity struct {
	Radius float64 // 0 is .02, captum's
	N      int     // δ of each image; 0 is 10, captum's
	Seed   uint64
}

// String names the radius and the number.
func (s MaxSensitivity) String() string {
	out := fmt.Sprintf("max-sensitivity(radius=%g, N=%d", cmp.Or(s.Radius, .02), cmp.Or(s.N, 10))
	if s.Seed != 0 {
		out += fmt.Sprintf(", seed=%d", s.Seed)
	}
	return out + ")"
}

// Of returns the sensitivity of the method at each image. Where its map is of zeros, or holds a NaN, it is NaN.
func (s MaxSensitivity) Of(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, method Method) ([]float64, error) {
	radius, n := cmp.Or(s.Radius, .02), cmp.Or(s.N, 10)
	switch {
	case !(radius > 0 && radius <= 1):
		return nil, fmt.Errorf("measure: Radius is %g, must be above 0 and at most 1, or 0 for .02", radius)
	case n < 1:
		return nil, fmt.Errorf("measure: N is %d, must be at least 1, or 0 for 10", n)
	}
	x, err := m.Resolve(ctx, o, x)
	if err != nil {
		return nil, err
	}
	x = x.Keyed()
	still, err := method.Maps(ctx, m, o, x)
	if err != nil {
		return nil, err
	}
	most := make([]float64, x.N)
	for k := range n {
		y := x.Free() // all images at once: what a method has for each of them stays theirs
		y.Pix = slices.Clone(x.Pix)
		for i := range x.N {
			stream := random.New(s.Seed, x.Key[i], uint64(k))
			for p := range x.Size() {
				y.Of(i)[p] += radius * (2*stream.Uniform(p) - 1)
			}
		}
		moved, err := method.Maps(ctx, m, o, y)
		if err != nil {
			return nil, err
		}
		if len(still.Pix) != x.N*still.Size() || len(moved.Pix) != len(still.Pix) {
			return nil, fmt.Errorf("measure: %s returned maps of %d and then of %d numbers for the same %d images", method, len(still.Pix), len(moved.Pix), x.N)
		}
		for i := range most {
			var way, size float64
			for p, v := range still.Of(i) {
				d := moved.Of(i)[p] - v
				way += d * d
				size += v * v
			}
			most[i] = max(most[i], math.Sqrt(way/size)) // NaN stays
		}
	}
	for i := range most {
		if math.IsInf(most[i], 1) { // a share of nothing
			most[i] = math.NaN()
		}
	}
	return most, nil
}
