package saliency

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"lucigo/interp"
	"lucigo/interp/random"
)

// ExpectedGradients is the mean of (x − b) times the gradient at a random point between b and x, over random images b of a
// set: Erion et al., arXiv:1906.10670, section 3, also called Gradient SHAP. It is Integrated Gradients from many baselines,
// whose mean over samples tends to a sum of the score of the image minus the mean score of the set.
//
// Each sample draws a reference with replacement, the place on the line, uniform in (0, 1), and with Sigma noise, which moves
// the image's end of the line, as captum's GradientShap has it.
type ExpectedGradients struct {
	References interp.Images // the set; there is no default
	N          int           // samples of each image; 0 is 200
	Sigma      float64       // standard deviation of the noise, as a share of the image's range (maximum − minimum); 0 is none
	Seed       uint64        // another seed, other samples
}

// String names the method, its samples and how many references there are.
func (e ExpectedGradients) String() string {
	s := fmt.Sprintf("expected gradients(N=%d, %d references", cmp.Or(e.N, 200), e.References.N)
	if e.Sigma != 0 {
		s += fmt.Sprintf(", σ=%g", e.Sigma)
	}
	if e.Seed != 0 {
		s += fmt.Sprintf(", seed=%d", e.Seed)
	}
	return s + ")"
}

// Maps implements Method. The score is that of the image.
func (e ExpectedGradients) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	n := cmp.Or(e.N, 200)
	refs := e.References
	switch err := refs.Check(); {
	case n < 0:
		return interp.Maps{}, fmt.Errorf("saliency: N is %d, must be at least 1, or 0 for 200", n)
	case !(e.Sigma >= 0 && e.Sigma <= math.MaxFloat64):
		return interp.Maps{}, fmt.Errorf("saliency: Sigma is %g, must be at least 0 and finite", e.Sigma)
	case err != nil:
		return interp.Maps{}, fmt.Errorf("saliency: References: %w", err)
	case refs.H != x.H || refs.W != x.W || refs.C != x.C:
		return interp.Maps{}, fmt.Errorf("saliency: References are %d×%d×%d, must be of the size of the images, %d×%d×%d",
			refs.H, refs.W, refs.C, x.H, x.W, x.C)
	}
	x, err := m.Resolve(ctx, o, x)
	if err != nil {
		return interp.Maps{}, err
	}
	x = x.Keyed()
	sigma := make([]float64, x.N)
	for i := range sigma {
		sigma[i] = e.Sigma * (slices.Max(x.Of(i)) - slices.Min(x.Of(i)))
	}
	// ends writes the image's end of sample k's line, and returns the other end, and the place between.
	ends := func(dst []float64, i, k int) (reference []float64, t float64) {
		copy(dst, x.Of(i))
		if sigma[i] > 0 {
			noise := make([]float64, len(dst))
			random.New(random.Hash(e.Seed, 1), x.Key[i], uint64(k)).Normals(noise)
			for p, v := range noise {
				dst[p] += sigma[i] * v
			}
		}
		draw := random.New(e.Seed, x.Key[i], uint64(k))
		return refs.Of(draw.Intn(0, refs.N)), draw.Uniform(1)
	}
	perturb := func(dst []float64, i, k int) {
		reference, t := ends(dst, i, k)
		for p, b := range reference {
			dst[p] = b + t*(dst[p]-b)
		}
	}
	out, end := x.Like(), make([]float64, x.Size())
	add := func(i, k int, maps interp.Maps, b int) {
		reference, _ := ends(end, i, k)
		sum := out.Of(i)
		for p, v := range maps.Of(b) {
			sum[p] += v * (end[p] - reference[p]) / float64(n)
		}
	}
	if err := copies(ctx, m, o, x, Gradient{}, n, perturb, add); err != nil {
		return interp.Maps{}, err
	}
	if !o.AsksClass() {
		out.Class = nil
	}
	out.Score, err = m.Score(ctx, o, x)
	return out, err
}
