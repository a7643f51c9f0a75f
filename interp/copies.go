package interp

import (
	"context"

	"lucigo/internal/parallel"
	"lucigo/interp/random"
)

// Copies makes n copies of each of the images x, and calls use with them, as many at once as a step has room for: all copies
// of one image, then those of the next. Of says which image each copy is of, and the objective is o of these. Copies have keys of
// their own.
//
// Change is called once for each image, in order, and returns what writes copy k of it; that may be called for several copies at
// once. The next copies are made while use is busy with these.
func (m *Model) Copies(ctx context.Context, o Objective, x Images, n int, change func(i int) func(k int, dst []float64),
	use func(o Objective, y Images, of []int) error) error {
	x = x.Keyed()
	total := x.N * n
	batch := min(m.Batch(x), total)
	last, write := -1, func(int, []float64) {}
	next := func(first int) Images {
		y := Images{N: min(batch, total-first), H: x.H, W: x.W, C: x.C}.Free()
		y.Pix, y.Key = make([]float64, y.N*y.Size()), make([]uint64, y.N)
		writes := make([]func(k int, dst []float64), y.N)
		for b := range writes {
			i := (first + b) / n
			if i != last && ctx.Err() == nil {
				last, write = i, change(i)
			}
			writes[b] = write
			if x.Class != nil {
				y.Class = append(y.Class, x.Class[i])
			}
		}
		_ = parallel.Each(ctx, y.N, func(b int) error { // what ctx ends is not used
			i, k := (first+b)/n, (first+b)%n
			writes[b](k, y.Of(b))
			y.Key[b] = random.Hash(x.Key[i], uint64(k))
			return nil
		})
		return y
	}
	ahead := make(chan Images, 1)
	go func() { ahead <- next(0) }()
	for first := 0; first < total; first += batch {
		var y Images
		select {
		case y = <-ahead:
		case <-ctx.Done(): // what is being made is left to itself
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if first+batch < total {
			go func() { ahead <- next(first + batch) }()
		}
		of := make([]int, y.N)
		for b := range of {
			of[b] = (first + b) / n
		}
		if err := use(o.Of(of...), y, of); err != nil {
			return err
		}
	}
	return nil
}
