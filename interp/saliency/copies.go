package saliency

import (
	"context"
	"fmt"

	"lucigo/interp"
)

// copies asks about n perturbed copies of every image, and adds what each copy's map is to whatever add keeps: in
// order of the copies for each image, however the batch is cut. Perturb writes copy k of image i. Add gets one of
// the maps, which may have one number a pixel where the images have several.
func copies(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, method Method, n int,
	perturb func(dst []float64, i, k int), add func(i, k int, maps interp.Maps, b int)) error {
	done := 0
	return m.Copies(ctx, o, x, n, each(perturb), func(o interp.Objective, y interp.Images, of []int) error {
		maps, err := method.Maps(ctx, m, o, y)
		if err != nil {
			return err
		}
		if maps.H != y.H || maps.W != y.W || maps.C != y.C && maps.C != 1 || len(maps.Pix) != y.N*maps.Size() {
			return fmt.Errorf("saliency: %s returned maps of %d×%d×%d for images of %d×%d×%d", method, maps.H, maps.W, maps.C, y.H, y.W, y.C)
		}
		for b, i := range of {
			add(i, done%n, maps, b)
			done++
		}
		return nil
	})
}

// scores is copies for the objective's score alone.
func scores(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, n int,
	perturb func(dst []float64, i, k int), add func(i, k int, score float64)) error {
	done := 0
	return m.Copies(ctx, o, x, n, each(perturb), func(o interp.Objective, y interp.Images, of []int) error {
		all, err := m.Score(ctx, o, y)
		for b, score := range all {
			add(of[b], done%n, score)
			done++
		}
		return err
	})
}

// each is perturb of image i.
func each(perturb func(dst []float64, i, k int)) func(i int) func(k int, dst []float64) {
	return func(i int) func(k int, dst []float64) {
		return func(k int, dst []float64) { perturb(dst, i, k) }
	}
}
