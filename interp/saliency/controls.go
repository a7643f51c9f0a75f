package saliency

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"lucigo/internal/filter"
	"lucigo/interp"
	"lucigo/interp/random"
)

// Controls know nothing of the network, or, Blurred, no more than another method does. A measure that they win says nothing of
// maps (Adebayo et al., arXiv:1810.03292; arXiv:2304.13836). Their scores are those of the images.
type (
	// Edge is an edge detector: the length of Sobel's gradient of the mean over channels, in brightness a pixel. Outside, the
	// pixels of the border go on. It has one channel.
	Edge struct{}

	// Centre is 1 in the middle of the image, falls with the distance, and is 0 half a diagonal away. It has one channel.
	Centre struct{}

	// Random is uniform in (0, 1), independent in each pixel of each image. It has one channel.
	Random struct {
		Seed uint64
	}

	// Input is the image itself.
	Input struct{}

	// Blurred is the magnitude of a method's map, the largest |·| over channels, convolved with a Gaussian that is cut at four
	// standard deviations. Outside, the pixels of the border go on. It has one channel.
	Blurred struct {
		Of    Method  // nil is the gradient
		Sigma float64 // standard deviation, in pixels; 0 is 1/32 of the image's shorter side
	}
)

// String returns "edges".
func (Edge) String() string { return "edges" }

// String returns "centre".
func (Centre) String() string { return "centre" }

// String names the seed, if there is one.
func (r Random) String() string {
	if r.Seed != 0 {
		return fmt.Sprintf("random(seed=%d)", r.Seed)
	}
	return "random"
}

// String returns "image".
func (Input) String() string { return "image" }

// String names the standard deviation and the method.
func (b Blurred) String() string {
	sigma := "side/32"
	if b.Sigma != 0 {
		sigma = fmt.Sprint(b.Sigma)
	}
	return "blurred(σ=" + sigma + ") of " + name(b.Of)
}

// Maps implements Method.
func (Edge) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	return control(ctx, m, o, x, 1, func(x interp.Images, i int, dst []float64) {
		grey := x.Mean(i)
		at := func(row, column int) float64 {
			return grey[min(max(row, 0), x.H-1)*x.W+min(max(column, 0), x.W-1)]
		}
		for p := range dst {
			r, c := p/x.W, p%x.W
			down := at(r+1, c-1) + 2*at(r+1, c) + at(r+1, c+1) - at(r-1, c-1) - 2*at(r-1, c) - at(r-1, c+1)
			across := at(r-1, c+1) + 2*at(r, c+1) + at(r+1, c+1) - at(r-1, c-1) - 2*at(r, c-1) - at(r+1, c-1)
			dst[p] = math.Hypot(down, across) / 8
		}
	})
}

// Maps implements Method.
func (Centre) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	return control(ctx, m, o, x, 1, func(x interp.Images, _ int, dst []float64) {
		for p := range dst {
			down, across := float64(p/x.W)-float64(x.H-1)/2, float64(p%x.W)-float64(x.W-1)/2
			dst[p] = 1 - math.Hypot(down, across)/(math.Hypot(float64(x.H), float64(x.W))/2)
		}
	})
}

// Maps implements Method.
func (r Random) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	return control(ctx, m, o, x, 1, func(x interp.Images, i int, dst []float64) {
		stream := random.New(r.Seed, x.Key[i], 0)
		for p := range dst {
			dst[p] = stream.Uniform(p)
		}
	})
}

// Maps implements Method.
func (Input) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	return control(ctx, m, o, x, x.C, func(x interp.Images, i int, dst []float64) { copy(dst, x.Of(i)) })
}

// Maps implements Method.
func (b Blurred) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	sigma := cmp.Or(b.Sigma, float64(min(x.H, x.W))/32)
	if !(sigma >= 0 && sigma <= 1000) {
		return interp.Maps{}, fmt.Errorf("saliency: Sigma is %g, must be above 0 and at most 1000 pixels, or 0 for 1/32 of the image's side", b.Sigma)
	}
	sharp, err := of(b.Of).Maps(ctx, m, o, x)
	if err != nil {
		return sharp, err
	}
	out := sharp
	out.C, out.Pix = 1, nil
	for i := range sharp.N {
		plane := sharp.Magnitude(i)
		filter.Convolve(plane, out.H, out.W, 1, filter.Gaussian(sigma, int(4*sigma+.5)))
		out.Pix = append(out.Pix, plane...)
	}
	return out, nil
}

// control returns the maps that draw makes of the images, with the images' scores.
func control(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, channels int,
	draw func(x interp.Images, i int, dst []float64)) (out interp.Maps, err error) {
	if x, err = m.Resolve(ctx, o, x); err != nil {
		return out, err
	}
	score, err := m.Score(ctx, o, x)
	if err != nil {
		return out, err
	}
	out = interp.Maps{Images: x.Free(), Score: score}
	out.C, out.Pix = channels, make([]float64, x.N*x.H*x.W*channels)
	if !o.AsksClass() {
		out.Class = nil
	}
	x = x.Keyed()
	for i := range x.N {
		draw(x, i, out.Of(i))
	}
	return out, nil
}
