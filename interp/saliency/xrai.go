package saliency

import (
	"context"
	"fmt"
	"math"
	"slices"

	"lucigo/interp"
	"lucigo/interp/superpixel"
)

// XRAI ranks regions: Kapishnikov et al., arXiv:1906.02825, section 3. Each image is cut into regions at several scales, and
// a map begins empty. Again and again the region joins it whose pixels that are not in it yet have the largest mean attribution.
// They get that mean. A map has one number a pixel, and sums up to what the attribution does. Regions that would add fewer than
// 50 pixels are left out; pixels that no region adds have their own mean.
//
// It is computed as in the authors' library, PAIR-saliency: the attribution of a pixel is the largest of its channels', and
// regions are those of Felzenszwalb at six scales, which grow by 5 pixels so that they hold their edges. SLIC would not do instead:
// its pieces are all of one size, and a region should be as large as what it shows. Numbers of pixels are for images
// of 224×224: for others they change with the side and the area, where the library enlarges the image to cut it. It
// stretches each image's range before it cuts it, which is not done here. Its faster variant, which ignores overlaps, is left
// out: with sums that are kept, the exact ranking takes less time than cutting the image.
type XRAI struct {
	// Of has the attribution. Nil is the mean of integrated gradients, of 100 steps each, from black and from white. (The library
	// takes the least and the largest number of the image for black and white, and points that are spaced evenly.)
	Of Method

	// Labels are segmentations that replace those of Felzenszwalb, for all images, and do not grow: each says for each pixel, row by
	// row, which region it belongs to, from 0 up. Regions need not be connected.
	Labels [][]int
}

// String names the method, its regions if they are given, and what it ranks them by.
func (r XRAI) String() string {
	s := "XRAI"
	if len(r.Labels) > 0 {
		s = fmt.Sprintf("XRAI(%d segmentations given)", len(r.Labels))
	}
	if r.Of == nil {
		return s + " of IG(steps=100, baselines black and white)"
	}
	return s + " of " + name(r.Of)
}

// Maps implements Method. The score is that of Of.
func (r XRAI) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	x, err := m.Resolve(ctx, o, x)
	if err != nil {
		return interp.Maps{}, err
	}
	base, err := r.attribution(ctx, m, o, x)
	if err != nil {
		return interp.Maps{}, err
	}
	if base.H != x.H || base.W != x.W || len(base.Pix) != x.N*x.H*x.W*base.C {
		return interp.Maps{}, fmt.Errorf("saliency: %s returned maps of %d×%d×%d for images of %d×%d×%d", r.Of, base.H, base.W, base.C, x.H, x.W, x.C)
	}
	if err := finite(base, "the image"); err != nil {
		return interp.Maps{}, err
	}
	out := base
	out.C, out.Pix = 1, make([]float64, x.N*x.H*x.W)
	for i := range x.N {
		regions, err := r.regions(ctx, x, i)
		if err != nil {
			return interp.Maps{}, err
		}
		values := out.Of(i)
		for p := range values {
			values[p] = slices.Max(base.Of(i)[p*base.C:][:base.C])
		}
		rank(values, regions, max(1, int(50*math.Pow(photograph(x), 2))))
	}
	return out, nil
}

// attribution returns the maps of Of.
func (r XRAI) attribution(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	if r.Of != nil {
		return r.Of.Maps(ctx, m, o, x)
	}
	black, err := IntegratedGradients{Steps: 100}.Maps(ctx, m, o, x)
	if err != nil {
		return black, err
	}
	white, err := IntegratedGradients{Steps: 100, Baseline: slices.Repeat([]float64{1}, x.C)}.Maps(ctx, m, o, x)
	for p, v := range white.Pix {
		black.Pix[p] = (black.Pix[p] + v) / 2
	}
	return black, err
}

// photograph is the side of the images, as a share of 224 pixels.
func photograph(x interp.Images) float64 { return math.Sqrt(float64(x.H*x.W)) / 224 }

// regions returns the pixels of each region of image i.
func (r XRAI) regions(ctx context.Context, x interp.Images, i int) (regions [][]int, err error) {
	for _, labels := range r.Labels {
		pieces, err := piecesOf(labels, x, i, x.H*x.W)
		if err != nil {
			return nil, err
		}
		regions = append(regions, pieces...)
	}
	if len(r.Labels) > 0 {
		return regions, nil
	}
	side := photograph(x)
	for _, scale := range []float64{50, 100, 150, 250, 500, 1200} {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		// The authors' colours are in [−1, 1], so their differences are twice as large.
		f := superpixel.Felzenszwalb{Scale: scale / 2 * side, Sigma: .8 * side, Least: max(1, int(150*side*side))}
		labels, _, err := f.Cut(x.Of(i), x.H, x.W, x.C)
		if err != nil {
			return nil, fmt.Errorf("saliency: image %d: %w", i, err)
		}
		pieces, err := piecesOf(labels, x, i, x.H*x.W)
		if err != nil {
			return nil, err
		}
		regions = append(regions, dilate(pieces, x.H, x.W, 5*side)...)
	}
	return regions, nil
}

// dilate returns each piece with all pixels that are at most reach from one of it.
func dilate(pieces [][]int, height, width int, reach float64) [][]int {
	var near [][2]int
	for r := -int(reach); r <= int(reach); r++ {
		for c := -int(reach); c <= int(reach); c++ {
			if float64(r*r+c*c) <= reach*reach {
				near = append(near, [2]int{r, c})
			}
		}
	}
	last, wide := make([]int, height*width), make([][]int, len(pieces)) // the last piece that has a pixel, plus 1
	for k, piece := range pieces {
		for _, p := range piece {
			for _, step := range near {
				r, c := p/width+step[0], p%width+step[1]
				if q := r*width + c; r >= 0 && r < height && c >= 0 && c < width && last[q] != k+1 {
					last[q] = k + 1
					wide[k] = append(wide[k], q)
				}
			}
		}
	}
	return wide
}

// rank replaces the values of pixels by the mean of those that join the map with them. Regions that add fewer than least
// pixels are left out.
func rank(values []float64, regions [][]int, least int) {
	in := make([][]int, len(values))                                      // of each pixel: the regions that hold it
	sum, area := make([]float64, len(regions)), make([]int, len(regions)) // of each region: its pixels that are not in the map yet
	for k, region := range regions {
		for _, p := range region {
			in[p] = append(in[p], k)
			sum[k] += values[p]
			area[k]++
		}
	}
	mapped := make([]bool, len(values))
	add := func(pixels []int) {
		pixels = slices.DeleteFunc(slices.Clone(pixels), func(p int) bool { return mapped[p] })
		mean := 0.
		for _, p := range pixels {
			mean += values[p] / float64(len(pixels))
			for _, k := range in[p] {
				sum[k] -= values[p]
				area[k]--
			}
		}
		for _, p := range pixels {
			values[p], mapped[p] = mean, true
		}
	}
	for {
		best := -1
		for k := range regions {
			if area[k] >= least && (best < 0 || sum[k]/float64(area[k]) > sum[best]/float64(area[best])) {
				best = k
			}
		}
		if best < 0 {
			break
		}
		add(regions[best])
	}
	rest := make([]int, len(values))
	for p := range rest {
		rest[p] = p
	}
	add(rest)
}
