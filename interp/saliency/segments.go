package saliency

import (
	"context"
	"fmt"
	"slices"

	"lucigo/interp"
	"lucigo/interp/superpixel"
)

// Superpixels says which pieces of an image LIME and KernelSHAP show or hide.
type Superpixels struct {
	SLIC superpixel.SLIC // which cuts each image; zero is about 50 pieces

	// Labels says for each pixel, row by row, which piece it belongs to, from 0 up, in the same way for all images; nil
	// leaves it to SLIC. Pieces need not be connected.
	Labels []int

	// Baseline is what hides a piece: one number a channel, or a whole image, or one image for each; nil is the piece's
	// own mean colour.
	Baseline []float64
}

// most is the largest number of pieces: their least squares take its square in numbers, for each sample.
const most = 1024

func (s Superpixels) title() string {
	pieces, base := s.SLIC.String(), "mean colour"
	if s.Labels != nil {
		pieces = "labels given"
	}
	if len(s.Baseline) > 0 {
		base = baselineName(s.Baseline)
	}
	return pieces + ", " + base
}

// cut returns the pieces of image i: the pixels of each.
func (s Superpixels) cut(x interp.Images, i int) (pieces [][]int, err error) {
	labels := s.Labels
	if labels == nil {
		if labels, _, err = s.SLIC.Cut(x.Of(i), x.H, x.W, x.C); err != nil {
			return nil, fmt.Errorf("saliency: image %d: %w", i, err)
		}
	}
	return piecesOf(labels, x, i, most)
}

// piecesOf returns the pixels of each piece of image i, of at most so many.
func piecesOf(labels []int, x interp.Images, i, most int) ([][]int, error) {
	if len(labels) != x.H*x.W {
		return nil, fmt.Errorf("saliency: Labels has %d numbers, must have one for each of %d×%d pixels", len(labels), x.H, x.W)
	}
	if low := slices.Min(labels); low < 0 {
		return nil, fmt.Errorf("saliency: Labels has %d, must be at least 0", low)
	}
	n := slices.Max(labels) + 1
	if n > most {
		return nil, fmt.Errorf("saliency: image %d has %d pieces, must have at most %d: ask for fewer", i, n, most)
	}
	pieces := make([][]int, n)
	for p, k := range labels {
		pieces[k] = append(pieces[k], p)
	}
	if k := slices.IndexFunc(pieces, func(p []int) bool { return len(p) == 0 }); k >= 0 {
		return nil, fmt.Errorf("saliency: Labels never has %d, must have all of 0 to %d", k, n-1)
	}
	return pieces, nil
}

// hidden returns image i with all pieces hidden.
func (s Superpixels) hidden(x interp.Images, i int, pieces [][]int) ([]float64, error) {
	if len(s.Baseline) > 0 {
		base, err := baseline(s.Baseline, x)
		return base.Of(i), err
	}
	pix, base := x.Of(i), make([]float64, x.Size())
	for _, piece := range pieces {
		for c := range x.C {
			mean := 0.
			for _, p := range piece {
				mean += pix[p*x.C+c] / float64(len(piece))
			}
			for _, p := range piece {
				base[p*x.C+c] = mean
			}
		}
	}
	return base, nil
}

// explain fills maps with what weigh makes of each image: n coalitions, of which shown says the pieces that coalition k
// shows, and their scores, to a weight a piece. Its pixels have it.
func (s Superpixels) explain(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images,
	by func(key uint64, pieces int) (n int, shown func(k int) []bool, weigh func(scores []float64) ([]float64, error), err error)) (interp.Maps, error) {
	x, err := m.Resolve(ctx, o, x)
	if err != nil {
		return interp.Maps{}, err
	}
	x = x.Keyed()
	out, err := blank(ctx, m, o, x, x.H, x.W)
	if err != nil {
		return out, err
	}
	for i := range x.N {
		pieces, err := s.cut(x, i)
		if err != nil {
			return out, err
		}
		base, err := s.hidden(x, i, pieces)
		if err != nil {
			return out, err
		}
		n, shown, weigh, err := by(x.Key[i], len(pieces))
		if err != nil {
			return out, err
		}
		perturb := func(dst []float64, _, k int) {
			copy(dst, base)
			for j, show := range shown(k) {
				if show {
					for _, p := range pieces[j] {
						copy(dst[p*x.C:(p+1)*x.C], x.Of(i)[p*x.C:])
					}
				}
			}
		}
		all := make([]float64, n)
		err = scores(ctx, m, o.Of(i), x.Slice(i, i+1), n, perturb, func(_, k int, score float64) { all[k] = score })
		if err != nil {
			return out, err
		}
		weights, err := weigh(all)
		if err != nil {
			return out, fmt.Errorf("saliency: image %d: %w", i, err)
		}
		for j, piece := range pieces {
			for _, p := range piece {
				out.Of(i)[p] = weights[j]
			}
		}
	}
	return out, nil
}
