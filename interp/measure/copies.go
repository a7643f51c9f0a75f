package measure

import (
	"context"
	"fmt"

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

// scores returns the score of n copies of each image, [image][copy]. Prepare is called once for each image, and returns what changes
// copy k, which it is given.
func scores(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, n int,
	prepare func(i int) func(k int, pix []float64)) ([][]float64, error) {
	all := make([][]float64, x.N)
	change := func(i int) func(k int, dst []float64) {
		prepared := prepare(i)
		return func(k int, dst []float64) {
			copy(dst, x.Of(i))
			prepared(k, dst)
		}
	}
	err := m.Copies(ctx, o, x, n, change, func(o interp.Objective, y interp.Images, of []int) error {
		s, err := m.Score(ctx, o, y)
		for b, v := range s {
			all[of[b]] = append(all[of[b]], v)
		}
		return err
	})
	return all, err
}
