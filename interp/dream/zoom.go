package dream

import (
	"cmp"
	"context"
	"fmt"
	"iter"

	"lucigo/interp"
	"lucigo/interp/random"
)

// Zoom dreams again and again, each time of the middle of the last dream, a little enlarged: a flight into
// what the network sees. Its zero value has the published numbers.
type Zoom struct {
	Dream Dream
	N     int     // dreams; 0 is 100
	Rate  float64 // of the image that is cut off each time, in (0, 1); 0 is .05
}

// String names the method with all its parameters.
func (z Zoom) String() string {
	z = z.whole()
	return fmt.Sprintf("%d zooms by %g of %s", z.N, z.Rate, z.Dream)
}

func (z Zoom) whole() Zoom {
	z.N, z.Rate = cmp.Or(z.N, 100), cmp.Or(z.Rate, .05)
	return z
}

// Frames yields every iteration of every dream; those that end a dream (Frame.Ends) are the pictures of
// the flight. Offsets differ from dream to dream. Otherwise it is as Dream.Frames.
func (z Zoom) Frames(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		z := z.whole()
		if z.N < 1 {
			yield(Frame{}, fmt.Errorf("dream: N is %d, must be at least 1", z.N))
			return
		}
		if !(z.Rate > 0 && z.Rate < 1) {
			yield(Frame{}, fmt.Errorf("dream: Rate is %g, must be above 0 and below 1", z.Rate))
			return
		}
		x, err := begin(ctx, z.Dream.whole(), m, o, x)
		if err != nil {
			yield(Frame{}, err)
			return
		}
		d := z.Dream
		for i := range z.N {
			d.Seed = random.Hash(z.Dream.Seed, uint64(i))
			var last interp.Images
			for f, err := range d.Frames(ctx, m, o, x) {
				if err != nil {
					yield(Frame{}, fmt.Errorf("%w, in zoom %d of %d", err, i+1, z.N))
					return
				}
				f.Zoom, f.Zooms, last = i+1, z.N, f.Images
				if !yield(f, nil) {
					return
				}
			}
			x = enlarged(last, z.Rate)
		}
	}
}
