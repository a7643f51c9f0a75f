package measure

import (
	"context"
	"fmt"

	"lucigo/internal/parallel"
	"lucigo/interp"
)

// Each returns f(0) … f(n−1): the maps of a batch, as in Each(x.N, maps.Magnitude).
func Each(n int, f func(i int) []float64) [][]float64 {
	all := make([][]float64, n)
	for i := range all {
		all[i] = f(i)
	}
	return all
}

// fit returns an error unless there is a map for each image, of a number for each pixel.
func fit(x interp.Images, maps [][]float64) error {
	if len(maps) != x.N {
		return fmt.Errorf("measure: there are %d maps for %d images", len(maps), x.N)
	}
	for i, m := range maps {
		if len(m) != x.H*x.W {
			return fmt.Errorf("measure: map %d has %d numbers, must have one for each of %d×%d pixels", i, len(m), x.H, x.W)
		}
	}
	return nil
}

// copies makes n copies of each image, as many at once as m has room for, and calls use with them and the images that they
// are of: all copies of one image, then those of the next. Prepare is called once for each image, and returns what changes
// copy k, which it is given. The next copies are made while these are used.
func copies(ctx context.Context, m *interp.Model, x interp.Images, n int, prepare func(i int) func(k int, pix []float64),
	use func(y interp.Images, of []int) error) error {
	total := x.N * n
	batch := min(m.Batch(x), total)
	last, change := -1, func(int, []float64) {}
	next := func(first int) interp.Images {
		y := interp.Images{N: min(batch, total-first), H: x.H, W: x.W, C: x.C}.Free()
		y.Pix = make([]float64, y.N*y.Size())
		changes := make([]func(k int, pix []float64), y.N)
		for b := range changes {
			i := (first + b) / n
			if i != last && ctx.Err() == nil {
				last, change = i, prepare(i)
			}
			changes[b] = change
			if x.Class != nil {
				y.Class = append(y.Class, x.Class[i])
			}
		}
		_ = parallel.Each(ctx, y.N, func(b int) error {
			copy(y.Of(b), x.Of((first+b)/n))
			changes[b]((first+b)%n, y.Of(b))
			return nil
		})
		return y
	}
	ahead := make(chan interp.Images, 1)
	go func() { ahead <- next(0) }()
	for first := 0; first < total; first += batch {
		var y interp.Images
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
		if err := use(y, of); err != nil {
			return err
		}
	}
	return nil
}

// scores returns the score of n copies of each image, [image][copy].
func scores(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, n int,
	prepare func(i int) func(k int, pix []float64)) ([][]float64, error) {
	all := make([][]float64, x.N)
	err := copies(ctx, m, x, n, prepare, func(y interp.Images, of []int) error {
		s, err := m.Score(ctx, o.Of(of...), y)
		for b, v := range s {
			all[of[b]] = append(all[of[b]], v)
		}
		return err
	})
	return all, err
}
