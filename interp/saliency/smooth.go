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

// Noise says which noisy copies of an image a method is asked about.
type Noise struct {
	Of    Method  // the method; nil is the gradient
	N     int     // copies of each image; 0 is 50
	Sigma float64 // standard deviation, as a share of the image's range (maximum − minimum); 0 is 0.15
	Seed  uint64  // another seed, other noise
}

// SmoothGrad is the mean of a method's maps over noisy copies of the image: Smilkov et al.,
// arXiv:1706.03825, section 3, with gradients as they are, not squared. The defaults are the paper's.
type SmoothGrad Noise

// SquareGrad is the mean of the squares of a method's maps over noisy copies of the image: Hooker et
// al., arXiv:1806.10758, section 2.
type SquareGrad Noise

// VarGrad is the variance (over copies, divided by their number) of a method's maps over noisy copies of
// the image: Adebayo et al., arXiv:1810.03307.
type VarGrad Noise

// String names the method and the noise.
func (s SmoothGrad) String() string { return Noise(s).title("SmoothGrad") }

// String names the method and the noise.
func (s SquareGrad) String() string { return Noise(s).title("SquareGrad") }

// String names the method and the noise.
func (s VarGrad) String() string { return Noise(s).title("VarGrad") }

func (n Noise) title(statistic string) string {
	n = n.defaults()
	s := fmt.Sprintf("%s(N=%d, σ=%g", statistic, n.N, n.Sigma)
	if n.Seed != 0 {
		s += fmt.Sprintf(", seed=%d", n.Seed)
	}
	s += ")"
	if of(n.Of) != Method(Gradient{}) {
		s += " of " + name(n.Of)
	}
	return s
}

// Maps implements Method.
func (s SmoothGrad) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	mean, _, err := Noise(s).moments(ctx, m, o, x)
	return mean, err
}

// Maps implements Method.
func (s SquareGrad) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	mean, variance, err := Noise(s).moments(ctx, m, o, x)
	for i, v := range variance {
		mean.Pix[i] = mean.Pix[i]*mean.Pix[i] + v
	}
	return mean, err
}

// Maps implements Method.
func (s VarGrad) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	mean, variance, err := Noise(s).moments(ctx, m, o, x)
	mean.Pix = variance
	return mean, err
}

func (n Noise) defaults() Noise {
	n.N, n.Sigma = cmp.Or(n.N, 50), cmp.Or(n.Sigma, .15)
	return n
}

// moments returns the mean of the maps of the noisy copies, and their variance. The score is the mean
// score of the copies.
func (n Noise) moments(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (mean interp.Maps, variance []float64, err error) {
	n = n.defaults()
	switch {
	case n.N < 0:
		return mean, nil, fmt.Errorf("saliency: N is %d, must be at least 1, or 0 for 50", n.N)
	case !(n.Sigma >= 0 && n.Sigma <= math.MaxFloat64):
		return mean, nil, fmt.Errorf("saliency: Sigma is %g, must be at least 0 and finite", n.Sigma)
	}
	if x, err = m.Resolve(ctx, o, x); err != nil {
		return mean, nil, err
	}
	x = x.Keyed()
	sigma := make([]float64, x.N)
	for i := range sigma {
		sigma[i] = n.Sigma * (slices.Max(x.Of(i)) - slices.Min(x.Of(i)))
	}
	perturb := func(dst []float64, i, k int) {
		random.New(n.Seed, x.Key[i], uint64(k)).Normals(dst)
		for p, v := range x.Of(i) {
			dst[p] = v + sigma[i]*dst[p]
		}
	}
	var squares interp.Maps
	add := func(i, k int, maps interp.Maps, b int) { // Welford 1962
		if mean.Pix == nil {
			mean, squares = like(x, maps.C), like(x, maps.C)
		}
		mean.Score[i] += (maps.Score[b] - mean.Score[i]) / float64(k+1)
		mu, vv := mean.Of(i), squares.Of(i)
		for p, v := range maps.Of(b) {
			d := v - mu[p]
			mu[p] += d / float64(k+1)
			vv[p] += d * (v - mu[p])
		}
	}
	if err := copies(ctx, m, o, x, of(n.Of), n.N, perturb, add); err != nil {
		return interp.Maps{}, nil, err
	}
	for p := range squares.Pix {
		squares.Pix[p] /= float64(n.N)
	}
	return mean, squares.Pix, nil
}
