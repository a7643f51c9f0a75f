package saliency

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"lucigo/internal/filter"
	"lucigo/interp"
)

// ScoreCAM is the positive part of Σₖ wₖ·Aₖ, where the weights are the softmax over a layer's channels of the score of the
// image seen through each channel, enlarged bilinearly and stretched to [0, 1]: Wang et al., arXiv:1910.01279, section 3.
// It takes a pass a channel. The score of the baseline, which they subtract, cancels in the softmax. A channel that has
// the same value everywhere shows nothing and is left out, as in their program.
type ScoreCAM struct {
	// Layer must have positions; "" is the last layer that has more than one.
	Layer string

	// Baseline is what is seen where a channel is least: one number a channel of the image, or a whole image, or one
	// image for each; nil is black.
	Baseline []float64
}

// String names the method, its layer and its baseline.
func (c ScoreCAM) String() string {
	return fmt.Sprintf("Score-CAM(%s, %s)", cmp.Or(c.Layer, "last layer with positions"), baselineName(c.Baseline))
}

// Maps implements Method: Coarse, enlarged bilinearly to the size of the images.
func (c ScoreCAM) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	return enlarged(x)(c.Coarse(ctx, m, o, x))
}

// Coarse returns the maps at the layer's own size: rows × columns × 1.
func (c ScoreCAM) Coarse(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	x, err := m.Resolve(ctx, o, x)
	if err != nil {
		return interp.Maps{}, err
	}
	name, shape, err := positions(m, c.Layer, x)
	if err != nil {
		return interp.Maps{}, err
	}
	base, err := baseline(c.Baseline, x)
	if err != nil {
		return interp.Maps{}, err
	}
	layer, err := m.Activations(ctx, x, name)
	if err != nil {
		return interp.Maps{}, err
	}
	x = x.Keyed()
	out, err := blank(ctx, m, o, x, shape[0], shape[1])
	if err != nil {
		return out, err
	}
	for i := range x.N {
		var channels [][]float64 // those that are not the same everywhere
		for k := range shape[2] {
			channel := make([]float64, out.H*out.W)
			for p := range channel {
				channel[p] = layer[0].Of(i)[p*shape[2]+k]
			}
			if slices.Min(channel) < slices.Max(channel) {
				channels = append(channels, channel)
			}
		}
		weights := make([]float64, len(channels))
		perturb := func(dst []float64, _, k int) {
			mask := make([]float64, x.H*x.W)
			filter.Enlarge(mask, x.H, x.W, channels[k], out.H, out.W)
			low, high := slices.Min(mask), slices.Max(mask)
			for p, v := range mask {
				mask[p] = (v - low) / max(high-low, math.SmallestNonzeroFloat64) // a layer larger than the image may lose its extremes
			}
			through(dst, x.Of(i), base.Of(i), mask)
		}
		err := scores(ctx, m, o.Of(i), x.Slice(i, i+1), len(channels), perturb, func(_, k int, score float64) { weights[k] = score })
		if err != nil {
			return out, err
		}
		softmax(weights)
		sum := out.Of(i)
		for k, channel := range channels {
			for p, v := range channel {
				sum[p] += weights[k] * v
			}
		}
		for p, v := range sum {
			sum[p] = max(v, 0)
		}
	}
	return out, finite(out, name)
}

// softmax replaces numbers by their softmax.
func softmax(v []float64) {
	var most, sum float64 = math.Inf(-1), 0
	for _, a := range v {
		most = max(most, a)
	}
	for k, a := range v {
		v[k] = math.Exp(a - most)
		sum += v[k]
	}
	for k := range v {
		v[k] /= sum
	}
}
