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
		method := copied(method, x, of)
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

// copier is a method that may hold something for each image of x, and returns itself with that of copies, of the given images.
type copier interface {
	copied(x interp.Images, of []int) Method
}

func copied(method Method, x interp.Images, of []int) Method {
	if c, ok := method.(copier); ok {
		return c.copied(x, of)
	}
	return method
}

// copiedBaseline returns the baselines of copies where there is one for each image.
func copiedBaseline(baseline []float64, x interp.Images, of []int) []float64 {
	if x.N == 1 || len(baseline) != len(x.Pix) {
		return baseline
	}
	var all []float64
	for _, i := range of {
		all = append(all, baseline[i*x.Size():(i+1)*x.Size()]...)
	}
	return all
}

func (m IntegratedGradients) copied(x interp.Images, of []int) Method {
	m.Baseline = copiedBaseline(m.Baseline, x, of)
	m.Of = copied(m.Of, x, of)
	return m
}

func (m GuidedIG) copied(x interp.Images, of []int) Method {
	m.Baseline = copiedBaseline(m.Baseline, x, of)
	return m
}

func (m DeepLIFT) copied(x interp.Images, of []int) Method {
	m.Baseline = copiedBaseline(m.Baseline, x, of)
	return m
}

func (m Occlusion) copied(x interp.Images, of []int) Method {
	m.Baseline = copiedBaseline(m.Baseline, x, of)
	return m
}

func (m RISE) copied(x interp.Images, of []int) Method {
	m.Baseline = copiedBaseline(m.Baseline, x, of)
	return m
}

func (m ScoreCAM) copied(x interp.Images, of []int) Method {
	m.Baseline = copiedBaseline(m.Baseline, x, of)
	return m
}

func (m LIME) copied(x interp.Images, of []int) Method {
	m.Baseline = copiedBaseline(m.Baseline, x, of)
	return m
}

func (m KernelSHAP) copied(x interp.Images, of []int) Method {
	m.Baseline = copiedBaseline(m.Baseline, x, of)
	return m
}

func (m TimesInput) copied(x interp.Images, of []int) Method {
	m.Of = copied(m.Of, x, of)
	return m
}

func (m SmoothGrad) copied(x interp.Images, of []int) Method {
	m.Of = copied(m.Of, x, of)
	return m
}

func (m SquareGrad) copied(x interp.Images, of []int) Method {
	m.Of = copied(m.Of, x, of)
	return m
}

func (m VarGrad) copied(x interp.Images, of []int) Method {
	m.Of = copied(m.Of, x, of)
	return m
}

func (m Blurred) copied(x interp.Images, of []int) Method {
	m.Of = copied(m.Of, x, of)
	return m
}

func (m XRAI) copied(x interp.Images, of []int) Method {
	m.Of = copied(m.Of, x, of)
	return m
}
