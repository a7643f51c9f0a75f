package saliency

import (
	"context"
	"fmt"

	"lucigo/internal/parallel"
	"lucigo/interp"
	"lucigo/interp/random"
)

// copies asks about n perturbed copies of every image, and adds what each copy's map is to whatever add keeps: in
// order of the copies for each image, however the batch is cut. Perturb writes copy k of image i. Add gets one of
// the maps, which may have one number a pixel where the images have several.
func copies(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, method Method, n int,
	perturb func(dst []float64, i, k int), add func(i, k int, maps interp.Maps, b int)) error {
	return batches(m, o, x, n, perturb, func(o interp.Objective, y interp.Images, first int) error {
		maps, err := method.Maps(ctx, m, o, y)
		if err != nil {
			return err
		}
		if maps.H != y.H || maps.W != y.W || maps.C != y.C && maps.C != 1 || len(maps.Pix) != y.N*maps.Size() {
			return fmt.Errorf("saliency: %s returned maps of %d×%d×%d for images of %d×%d×%d", method, maps.H, maps.W, maps.C, y.H, y.W, y.C)
		}
		for b := range y.N {
			add((first+b)/n, (first+b)%n, maps, b)
		}
		return nil
	})
}

// scores is copies for the objective's score alone.
func scores(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, n int,
	perturb func(dst []float64, i, k int), add func(i, k int, score float64)) error {
	return batches(m, o, x, n, perturb, func(o interp.Objective, y interp.Images, first int) error {
		all, err := m.Score(ctx, o, y)
		for b, score := range all {
			add((first+b)/n, (first+b)%n, score)
		}
		return err
	})
}

// batches calls ask with n perturbed copies of every image, as many at a time as the device has room for: first
// counts them, copy after copy and image after image. The copies of the next batch are made while the device is
// busy with this one.
func batches(m *interp.Model, o interp.Objective, x interp.Images, n int, perturb func(dst []float64, i, k int),
	ask func(o interp.Objective, y interp.Images, first int) error) error {
	size, total := x.Size(), x.N*n
	batch := min(m.Batch(x), total)

	prepare := func(first int) interp.Images {
		batch := min(batch, total-first)
		y := interp.Images{N: batch, H: x.H, W: x.W, C: x.C, Pix: make([]float64, batch*size), Key: make([]uint64, batch)}.Free()
		if x.Class != nil {
			y.Class = make([]int, batch)
		}
		parallel.For(batch, func(b int) {
			i, k := (first+b)/n, (first+b)%n
			perturb(y.Of(b), i, k)
			y.Key[b] = random.Hash(x.Key[i], uint64(k))
			if x.Class != nil {
				y.Class[b] = x.Class[i]
			}
		})
		return y
	}

	ahead := make(chan interp.Images, 1)
	ahead <- prepare(0)
	for first := 0; first < total; first += batch {
		y := <-ahead
		if first+batch < total {
			go func() { ahead <- prepare(first + batch) }()
		}
		images := make([]int, y.N)
		for b := range images {
			images[b] = (first + b) / n
		}
		if err := ask(o.Of(images...), y, first); err != nil {
			return err
		}
	}
	return nil
}
