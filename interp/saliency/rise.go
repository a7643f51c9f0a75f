package saliency

import (
	"cmp"
	"context"
	"fmt"

	"lucigo/internal/filter"
	"lucigo/interp"
	"lucigo/interp/random"
)

// RISE is the mean of random masks, each times the score of the image seen through it, over the share that they keep:
// Petsiuk, Das and Saenko, arXiv:1806.07421, equation 6. It estimates the expected score given that the pixel is seen,
// in units of the objective; they ask for probabilities (objective.Prob), and so does what they publish.
//
// A mask is a grid of cells, each kept or not, enlarged bilinearly so that one cell more than the grid has covers the
// image, and moved by less than a cell. A cell is ⌈H/Cells⌉ pixels high, as in their program; their text rounds down.
type RISE struct {
	Masks int     // of each image; 0 is 4000, theirs for VGG16 (8000 for ResNet-50)
	Cells int     // of the grid in each direction; 0 is 7
	Keep  float64 // probability that a cell is kept; 0 is .5
	Seed  uint64  // another seed, other masks

	// Baseline is what is seen where the mask is 0: one number a channel, or a whole image, or one image for each; nil is
	// black.
	Baseline []float64
}

// String names the method and its masks.
func (r RISE) String() string {
	r = r.defaults()
	s := fmt.Sprintf("RISE(masks=%d, cells=%d, keep=%g, %s", r.Masks, r.Cells, r.Keep, baselineName(r.Baseline))
	if r.Seed != 0 {
		s += fmt.Sprintf(", seed=%d", r.Seed)
	}
	return s + ")"
}

func (r RISE) defaults() RISE {
	r.Masks, r.Cells, r.Keep = cmp.Or(r.Masks, 4000), cmp.Or(r.Cells, 7), cmp.Or(r.Keep, .5)
	return r
}

// Maps implements Method.
func (r RISE) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	x, err := m.Resolve(ctx, o, x)
	if err != nil {
		return interp.Maps{}, err
	}
	r = r.defaults()
	switch {
	case r.Masks < 1:
		return interp.Maps{}, fmt.Errorf("saliency: Masks is %d, must be at least 1, or 0 for 4000", r.Masks)
	case r.Cells < 1 || r.Cells > min(x.H, x.W):
		return interp.Maps{}, fmt.Errorf("saliency: Cells is %d, must be 1 to %d, the shorter side of the image, or 0 for 7", r.Cells, min(x.H, x.W))
	case !(r.Keep > 0 && r.Keep < 1):
		return interp.Maps{}, fmt.Errorf("saliency: Keep is %g, must be above 0 and below 1, or 0 for .5", r.Keep)
	}
	base, err := baseline(r.Baseline, x)
	if err != nil {
		return interp.Maps{}, err
	}
	x = x.Keyed()
	out, err := blank(ctx, m, o, x, x.H, x.W)
	if err != nil {
		return out, err
	}
	perturb := func(dst []float64, i, k int) { through(dst, x.Of(i), base.Of(i), r.mask(x, i, k)) }
	err = scores(ctx, m, o, x, r.Masks, perturb, func(i, k int, score float64) {
		sum := out.Of(i)
		for p, v := range r.mask(x, i, k) {
			sum[p] += score * v / (r.Keep * float64(r.Masks))
		}
	})
	return out, err
}

// mask returns mask k of image i, a number in [0, 1] a pixel.
func (r RISE) mask(x interp.Images, i, k int) []float64 {
	s := random.New(r.Seed, x.Key[i], uint64(k))
	grid := make([]float64, r.Cells*r.Cells)
	for c := range grid {
		if s.Uniform(c) < r.Keep {
			grid[c] = 1
		}
	}
	h, w := (x.H+r.Cells-1)/r.Cells, (x.W+r.Cells-1)/r.Cells // of a cell
	top, left := s.Intn(len(grid), h), s.Intn(len(grid)+1, w)
	wide, high := (r.Cells+1)*w, (r.Cells+1)*h
	large := make([]float64, high*wide)
	filter.Enlarge(large, high, wide, grid, r.Cells, r.Cells)
	mask := make([]float64, 0, x.H*x.W)
	for y := range x.H {
		mask = append(mask, large[(top+y)*wide+left:][:x.W]...)
	}
	return mask
}

// through writes the image as it is seen through a mask, a number a pixel: the image where it is 1, and the baseline
// where it is 0.
func through(dst, image, base, mask []float64) {
	c := len(image) / len(mask)
	for p, v := range mask {
		for q := p * c; q < (p+1)*c; q++ {
			dst[q] = base[q] + v*(image[q]-base[q])
		}
	}
}
