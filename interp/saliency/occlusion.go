package saliency

import (
	"cmp"
	"context"
	"fmt"

	"lucigo/interp"
)

// Occlusion is how much the score drops when a square of the image is covered: Zeiler and Fergus, arXiv:1311.2901,
// section 4.2, who cover with grey and draw the score itself. A pixel has the mean of the drops of all squares that
// cover it, in units of the objective. The squares of the last row and column end with the image, so that all of it is
// covered.
type Occlusion struct {
	Patch  int // side of the square, in pixels; 0 is a seventh of the image's shorter side, 32 of 224
	Stride int // from one square to the next, for Maps at most Patch; 0 is half of Patch

	// Baseline is what covers: one number a channel, or a whole image, or one image for each; nil is grey, .5.
	Baseline []float64
}

// String names the method, the squares and what covers.
func (c Occlusion) String() string {
	patch, stride := "H/7", "half"
	if c.Patch != 0 {
		patch = fmt.Sprint(c.Patch)
	}
	if c.Stride != 0 {
		stride = fmt.Sprint(c.Stride)
	}
	base := "baseline grey"
	if len(c.Baseline) > 0 {
		base = baselineName(c.Baseline)
	}
	return fmt.Sprintf("occlusion(patch=%s, stride=%s, %s)", patch, stride, base)
}

// Maps implements Method.
func (c Occlusion) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	if err := x.Check(); err != nil {
		return interp.Maps{}, fmt.Errorf("saliency: %w", err)
	}
	patch, rows, columns, err := c.squares(x)
	if err != nil {
		return interp.Maps{}, err
	}
	if c.Stride > patch {
		return interp.Maps{}, fmt.Errorf("saliency: Stride is %d, must be at most %d, the side of the square, or pixels between squares have no number", c.Stride, patch)
	}
	drops, err := c.Coarse(ctx, m, o, x)
	if err != nil {
		return drops, err
	}
	out, count := drops, make([]float64, x.H*x.W)
	out.H, out.W, out.Pix = x.H, x.W, make([]float64, x.N*x.H*x.W)
	for i := range x.N {
		clear(count)
		for k, drop := range drops.Of(i) {
			for y := range patch {
				for z := range patch {
					p := (rows[k/len(columns)]+y)*x.W + columns[k%len(columns)] + z
					out.Of(i)[p] += drop
					count[p]++
				}
			}
		}
		for p, n := range count {
			out.Of(i)[p] /= n
		}
	}
	return out, nil
}

// Coarse returns the drops themselves: a row and a column for each row and column of squares, and C = 1.
func (c Occlusion) Coarse(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	x, err := m.Resolve(ctx, o, x)
	if err != nil {
		return interp.Maps{}, err
	}
	patch, rows, columns, err := c.squares(x)
	if err != nil {
		return interp.Maps{}, err
	}
	base, err := baselineOr(c.Baseline, .5, x)
	if err != nil {
		return interp.Maps{}, err
	}
	x = x.Keyed()
	out, err := blank(ctx, m, o, x, len(rows), len(columns))
	if err != nil {
		return out, err
	}
	perturb := func(dst []float64, i, k int) {
		copy(dst, x.Of(i))
		for y := range patch {
			at := ((rows[k/len(columns)]+y)*x.W + columns[k%len(columns)]) * x.C
			copy(dst[at:at+patch*x.C], base.Of(i)[at:])
		}
	}
	err = scores(ctx, m, o, x, out.Size(), perturb, func(i, k int, score float64) { out.Of(i)[k] = out.Score[i] - score })
	return out, err
}

// squares returns the side of the squares, and their first rows and columns.
func (c Occlusion) squares(x interp.Images) (patch int, rows, columns []int, err error) {
	least := min(x.H, x.W)
	patch = cmp.Or(c.Patch, max(least/7, 1))
	stride := cmp.Or(c.Stride, max(patch/2, 1))
	switch {
	case patch < 1 || patch > least:
		return 0, nil, nil, fmt.Errorf("saliency: Patch is %d, must be 1 to %d, the shorter side of the image, or 0 for a seventh of it", c.Patch, least)
	case stride < 1:
		return 0, nil, nil, fmt.Errorf("saliency: Stride is %d, must be at least 1, or 0 for half of the square's side", c.Stride)
	}
	starts := func(n int) (all []int) {
		for at := 0; at < n-patch; at += stride {
			all = append(all, at)
		}
		return append(all, n-patch)
	}
	return patch, starts(x.H), starts(x.W), nil
}
