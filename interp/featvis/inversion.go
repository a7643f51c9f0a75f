package featvis

import (
	"context"
	"fmt"
	"math"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
	"lucigo/interp/layer"
)

// Inversion returns the objective of feature inversion (Mahendran and Vedaldi, arXiv:1412.0035, section 2): to be, at a layer, what the
// images x are. An image that climbs it becomes one that the layer cannot tell from its own of x, so what they do not share is
// what the layer has forgotten.
//
//	o, err := featvis.Inversion(ctx, m, "mixed4a", x)
//	frame, err := featvis.Render{Views: featvis.None}.Final(ctx, m, o)
//
// The score of an image is −‖h − h₀‖²/‖h₀‖², where h are its values at the layer and h₀ those of the image of x with its number; 0
// is the highest. Deviation makes an error of it. The paper adds penalties on the image, as o.Minus(Variation.Times(weight))
// does; a Render keeps pixels in [0, 1] by itself, and its Fourier prefers low frequencies. Images are to have the size of x, and views
// that move them would be inverted too.
func Inversion(ctx context.Context, m *interp.Model, name string, x interp.Images) (interp.Objective, error) {
	all, err := m.Activations(ctx, x, name)
	if err != nil {
		return interp.Objective{}, fmt.Errorf("featvis: an inversion at layer %q: %w", name, err)
	}
	a := all[0]
	weight := make([]float64, a.N)
	for i := range weight {
		for _, v := range a.Of(i) {
			weight[i] += v * v
		}
		if weight[i] == 0 {
			return interp.Objective{}, fmt.Errorf("featvis: an inversion at layer %q: all values of image %d are 0 there, which says nothing of the image", name, i)
		}
		weight[i] = 1 / weight[i]
	}
	return interp.Objective{
		Name: "being as at " + name,
		Form: inversion{name}, Args: []interp.Arg{interp.Each(a.Data, a.Shape...), interp.Each(weight)},
	}, nil
}

// Deviation is the error of a score of Inversion: ‖h − h₀‖/‖h₀‖.
func Deviation(score float64) float64 { return math.Sqrt(max(0, -score)) }

// inversion is minus the squared distance of a layer's values from given ones, [N, …], times a weight, [N].
type inversion struct{ layer string }

func (f inversion) Score(p *layer.Pass, a []*Node) *Node {
	h := p.Layer(f.layer)
	if got, want := h.Shape().Dimensions[1:], a[0].Shape().Dimensions[1:]; !slices.Equal(got, want) {
		panic(fmt.Errorf("featvis: layer %q has values shaped %v, and those to be inverted are shaped %v: make images of the same size", f.layer, got, want))
	}
	return Neg(Mul(sum(Square(Sub(h, a[0]))), a[1]))
}
