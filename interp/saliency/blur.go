package saliency

import (
	"cmp"
	"context"
	"fmt"

	"github.com/gomlx/gomlx/core/graph"

	"lucigo/internal/filter"
	"lucigo/interp"
)

// BlurIG is Integrated Gradients on the path from the image blurred by a Gaussian to the image itself: Xu, Venugopalan and
// Sundararajan, arXiv:2004.03383. It has no baseline to choose. A map sums up to the score of the image minus that of the most
// blurred one, except for the error of the integral.
//
// It is computed as in the authors' library, PAIR-saliency: the integral over the standard deviation by left ends, the derivative
// of the blurred image by it as a difference of 0.01 pixels, the kernel cut off at 4 standard deviations, black beyond the border.
type BlurIG struct {
	Sigma float64 // standard deviation of the most blurred image, in pixels; 0 is 50
	Steps int     // 0 is 100
}

// String names the method and its parameters.
func (b BlurIG) String() string {
	return fmt.Sprintf("blur IG(σ=%g, steps=%d)", cmp.Or(b.Sigma, 50), cmp.Or(b.Steps, 100))
}

// Maps implements Method. The score is that of the image.
func (b BlurIG) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	const difference = .01
	sigma, steps := cmp.Or(b.Sigma, 50), cmp.Or(b.Steps, 100)
	switch {
	case !(sigma > 0 && sigma <= 1e6):
		return interp.Maps{}, fmt.Errorf("saliency: Sigma is %g, must be above 0 and at most 1e6, or 0 for 50", b.Sigma)
	case steps < 0:
		return interp.Maps{}, fmt.Errorf("saliency: Steps is %d, must be at least 1, or 0 for 100", steps)
	}
	x, err := m.Resolve(ctx, o, x)
	if err != nil {
		return interp.Maps{}, err
	}
	l, err := loop(m, o, x, m.Batch(x))
	if err != nil {
		return interp.Maps{}, err
	}
	defer l.Close()
	out := x.Like()
	for step := range steps {
		at := float64(step) * sigma / float64(steps)
		var kernels []interp.Arg
		for _, n := range []int{x.H, x.W} {
			k, more := blur(n, at), blur(n, at+difference)
			slope := make([]float64, n*n)
			for i := range slope {
				slope[i] = (more[i] - k[i]) / difference
			}
			kernels = append(kernels, interp.Array(k, n, n), interp.Array(more, n, n), interp.Array(slope, n, n))
		}
		r, err := l.Look(ctx, blurred{o.Form}, nil, kernels...)
		if err != nil {
			return interp.Maps{}, err
		}
		for p, v := range r[0].Data {
			out.Pix[p] -= v * sigma / float64(steps)
		}
	}
	if !o.AsksClass() {
		out.Class = nil
	}
	if out.Score, err = m.Score(ctx, o, x); err != nil {
		return interp.Maps{}, err
	}
	return out, finite(out, "the blurred images")
}

// blur returns the matrix, n×n, by which a Gaussian of the given standard deviation blurs a row of n pixels.
func blur(n int, sigma float64) []float64 {
	reach := int(4*sigma + .5)
	weights, k := filter.Gaussian(sigma, reach), make([]float64, n*n)
	for i := range n {
		for j := max(0, i-reach); j <= min(n-1, i+reach); j++ {
			k[i*n+j] = weights[reach+j-i]
		}
	}
	return k
}

// blurred is the derivative of the score by the standard deviation, shared out among the pixels of the blurred image. Its
// arguments are, for the rows and for the columns, how they are blurred, how a little more, and the slope between; and the image.
// The slope is a matrix, and not a difference of images, which would lose half of the digits.
type blurred struct{ form interp.Form }

func (s blurred) Build(net *interp.Net, a []*graph.Node) []*graph.Node {
	rows := func(x, k *graph.Node) *graph.Node { return graph.Einsum("nhwc,ph->npwc", x, k) }
	columns := func(x, k *graph.Node) *graph.Node { return graph.Einsum("nhwc,qw->nhqc", x, k) }
	x := a[6]
	y := columns(rows(x, a[0]), a[3])
	change := graph.Add(columns(rows(x, a[2]), a[3]), columns(rows(x, a[1]), a[5]))
	score := interp.Score(s.form, net.Pass(y, nil), a[7:])
	return []*graph.Node{graph.Mul(graph.Gradient(graph.ReduceAllSum(score), y)[0], change)}
}
