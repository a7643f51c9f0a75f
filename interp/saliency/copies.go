package saliency

import (
	"context"
	"fmt"

	"lucigo/internal/parallel"
	"lucigo/interp"
	"lucigo/interp/random"
)

// copies runs a method on n perturbed copies of every image, and adds each copy's map to whatever add
// keeps: in order of the copies for each image, however the batch is cut. Perturb writes copy k of image
// i. The copies of the next batch are made while the device is busy with this one.
func copies(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, method Method, n int,
	perturb func(dst []float64, i, k int), add func(i, k int, pix []float64, score float64)) error {
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
		maps, err := method.Maps(ctx, m, o.Of(images...), y)
		if err != nil {
			return err
		}
		if len(maps.Pix) != len(y.Pix) {
			return fmt.Errorf("saliency: %s returned maps of %d×%d×%d for images of %d×%d×%d", method, maps.H, maps.W, maps.C, y.H, y.W, y.C)
		}
		for b := range y.N {
			add((first+b)/n, (first+b)%n, maps.Of(b), maps.Score[b])
		}
	}
	return nil
}
