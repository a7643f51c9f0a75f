package measure

import (
	"cmp"
	"context"
	"fmt"
	"math"

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
	prepare := func(i int) func(k int, pix []float64) {
		return func(k int, pix []float64) {
			stream := random.New(s.Seed, x.Key[i], uint64(k))
			for p := range pix {
				pix[p] += radius * (2*stream.Uniform(p) - 1)
			}
		}
	}
	err = copies(ctx, m, x, n, prepare, func(y interp.Images, of []int) error {
		moved, err := method.Maps(ctx, m, o.Of(of...), y)
		if err != nil {
			return err
		}
		if len(moved.Pix) != y.N*still.Size() || len(still.Pix) != x.N*still.Size() {
			return fmt.Errorf("measure: %s returned maps of %d and %d numbers for %d and %d images", method, len(still.Pix), len(moved.Pix), x.N, y.N)
		}
		for b, i := range of {
			var way, size float64
			for p, v := range still.Of(i) {
				d := moved.Of(b)[p] - v
				way += d * d
				size += v * v
			}
			most[i] = max(most[i], math.Sqrt(way/size)) // NaN stays
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range most {
		if math.IsInf(most[i], 1) { // a share of nothing
			most[i] = math.NaN()
		}
	}
	return most, nil
}
