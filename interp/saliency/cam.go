package saliency

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/graph"

	"lucigo/internal/filter"
	"lucigo/interp"
	"lucigo/interp/layer"
	"lucigo/interp/near"
)

// GradCAM is the positive part of Σₖ wₖ·Aₖ, where Aₖ is channel k of a layer and wₖ the mean over positions of the
// objective's derivative by it: Selvaraju et al., arXiv:1610.02391, section 3, equations 1 and 2. It is one number a
// pixel, in units of the objective, and not scaled to [0, 1] as other libraries do: a map of zeros stays one.
type GradCAM struct {
	// Layer must have positions; "" is the last layer that has more than one.
	Layer string
}

// GradCAMPlusPlus is Grad-CAM with the weights wₖ = Σ α·max(g, 0) over positions, g the derivative at a position and
// α = 1 / (2 + g·ΣAₖ): Chattopadhay et al., arXiv:1710.11063, equations 12 and 19, of which g² is cancelled. They
// differentiate the exponential of the score, which multiplies the whole map by it; that factor is left out. The
// layer's values must not be negative.
type GradCAMPlusPlus GradCAM

// LayerCAM is the positive part of Σₖ max(g, 0)·Aₖ, position by position, g the objective's derivative there: Jiang
// et al., "LayerCAM: Exploring Hierarchical Class Activation Maps for Localization", IEEE TIP 2021, equations 6 to 8.
// Their scaling of early layers with tanh is left out.
type LayerCAM GradCAM

// GuidedGradCAM is guided backpropagation times Grad-CAM, pixel by pixel: Selvaraju et al., arXiv:1610.02391, section
// 3.1. It has the channels of the images.
type GuidedGradCAM GradCAM

// String names the method and its layer.
func (c GradCAM) String() string { return c.title("Grad-CAM") }

// String names the method and its layer.
func (c GradCAMPlusPlus) String() string { return GradCAM(c).title("Grad-CAM++") }

// String names the method and its layer.
func (c LayerCAM) String() string { return GradCAM(c).title("Layer-CAM") }

// String names the method and its layer.
func (c GuidedGradCAM) String() string { return GradCAM(c).title("Guided Grad-CAM") }

func (c GradCAM) title(name string) string {
	return name + "(" + cmp.Or(c.Layer, "last layer with positions") + ")"
}

// Maps implements Method: Coarse, enlarged bilinearly to the size of the images.
func (c GradCAM) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	return enlarged(x)(c.Coarse(ctx, m, o, x))
}

// Maps implements Method: Coarse, enlarged bilinearly to the size of the images.
func (c GradCAMPlusPlus) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	return enlarged(x)(c.Coarse(ctx, m, o, x))
}

// Maps implements Method: Coarse, enlarged bilinearly to the size of the images.
func (c LayerCAM) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	return enlarged(x)(c.Coarse(ctx, m, o, x))
}

// Maps implements Method.
func (c GuidedGradCAM) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	x, err := m.Resolve(ctx, o, x)
	if err != nil {
		return interp.Maps{}, err
	}
	cam, err := GradCAM(c).Maps(ctx, m, o, x)
	if err != nil {
		return cam, err
	}
	guided, err := Guided.Maps(ctx, m, o, x)
	if err != nil {
		return guided, err
	}
	return times(cam, guided.Images), nil
}

// Coarse returns the maps at the layer's own size: rows × columns × 1.
func (c GradCAM) Coarse(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	return coarse(ctx, m, o, x, c.Layer, gradCAM{})
}

// Coarse returns the maps at the layer's own size: rows × columns × 1.
func (c GradCAMPlusPlus) Coarse(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	return coarse(ctx, m, o, x, c.Layer, gradCAMPlusPlus{})
}

// Coarse returns the maps at the layer's own size: rows × columns × 1.
func (c LayerCAM) Coarse(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	return coarse(ctx, m, o, x, c.Layer, layerCAM{})
}

type (
	// weighing returns what multiplies a layer's values before they are added over channels, from the values and the
	// derivatives g by them, both [N, h, w, K].
	weighing interface {
		weigh(values, g *graph.Node) *graph.Node
	}
	gradCAM         struct{}
	gradCAMPlusPlus struct{}
	layerCAM        struct{}
)

func (gradCAM) weigh(_, g *graph.Node) *graph.Node {
	return graph.ReduceAndKeep(g, graph.ReduceMean, 1, 2)
}

func (gradCAMPlusPlus) weigh(v, g *graph.Node) *graph.Node {
	sum := graph.ReduceAndKeep(v, graph.ReduceSum, 1, 2)
	weights := graph.Where(graph.GreaterThan(g, graph.ZerosLike(g)), graph.Div(g, graph.AddScalar(graph.Mul(g, sum), 2)), graph.ZerosLike(g))
	return graph.ReduceAndKeep(weights, graph.ReduceSum, 1, 2)
}

func (layerCAM) weigh(_, g *graph.Node) *graph.Node { return layer.ReLU(g) }

// cam is the maps at a layer's size, and the scores. Only they leave the device.
type cam struct {
	form  interp.Form
	layer string
	by    weighing
}

func (s cam) Build(net *interp.Net, a []*graph.Node) []*graph.Node {
	v, g, score := interp.SlopeAt(s.form, net.Pass(a[0], nil), a[1:], s.layer)
	return []*graph.Node{layer.ReLU(graph.ReduceSum(graph.Mul(v, s.by.weigh(v, g)), -1)), score}
}

func coarse(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, layer string, by weighing) (interp.Maps, error) {
	x, err := m.Resolve(ctx, o, x)
	if err != nil {
		return interp.Maps{}, err
	}
	name, shape, err := positions(m, layer, x)
	if err != nil {
		return interp.Maps{}, err
	}
	l, err := loop(m, o, x, m.Batch(x))
	if err != nil {
		return interp.Maps{}, err
	}
	defer l.Close()
	r, err := l.Look(ctx, cam{o.Form, name, by}, nil)
	if err != nil {
		return interp.Maps{}, err
	}
	out := interp.Images{N: x.N, H: shape[0], W: shape[1], C: 1, Class: x.Class, Key: x.Key, Pix: r[0].Data}.Free()
	if !o.AsksClass() {
		out.Class = nil
	}
	maps := interp.Maps{Images: out, Score: r[1].Data}
	return maps, finite(maps, name)
}

// loop begins a loop over the images, at most most at once. Its arguments are the images, what comes with them, and those of the
// objective.
func loop(m *interp.Model, o interp.Objective, x interp.Images, most int, with ...interp.Arg) (*interp.Loop, error) {
	args, err := o.For(x)
	if err != nil {
		return nil, err
	}
	return m.Loop(x.N, most, nil, slices.Concat([]interp.Arg{x.Arg()}, with, args)...)
}

// finite returns an error if a map or a score is not a number.
func finite(maps interp.Maps, what string) error {
	if i := slices.IndexFunc(maps.Score, interp.NotFinite); i >= 0 {
		return fmt.Errorf("saliency: the score of image %d is %g", i, maps.Score[i])
	}
	if i := slices.IndexFunc(maps.Pix, interp.NotFinite); i >= 0 {
		return fmt.Errorf("saliency: the map of image %d at %s is %g: its values or their derivatives overflow there", i/maps.Size(), what, maps.Pix[i])
	}
	return nil
}

// positions returns the name of a layer with positions, and its shape for the images x: of "" the last one that has
// more than one position.
func positions(m *interp.Model, layer string, x interp.Images) (string, []int, error) {
	all, err := m.Layers()
	if err != nil {
		return "", nil, err
	}
	var have []string
	last := ""
	for _, l := range all {
		if len(l.Shape) == 3 {
			have = append(have, l.Name)
			if l.Shape[0]*l.Shape[1] > 1 {
				last = l.Name
			}
		}
	}
	name := cmp.Or(layer, last)
	if name == "" {
		return "", nil, fmt.Errorf("saliency: Layer is %q, must have positions, and %s has no such layer: its Forward names none with layer.At, "+
			"or flattens the image first", layer, m.Name())
	}
	shape, err := m.Shape(name, x.H, x.W)
	if err == nil && len(shape) != 3 {
		close := near.Names(name, have, 5)
		if len(close) == 0 {
			close = have[max(0, len(have)-5):]
		}
		err = fmt.Errorf("saliency: Layer is %q, must have positions, and it is shaped %v; layers that have: %s; methods of pixels, as Gradient, need none",
			name, shape, strings.Join(close, ", "))
	}
	return name, shape, err
}

// enlarged returns maps of one number a pixel enlarged to the images x.
func enlarged(x interp.Images) func(maps interp.Maps, err error) (interp.Maps, error) {
	return func(maps interp.Maps, err error) (interp.Maps, error) {
		if err != nil {
			return maps, err
		}
		out := maps
		out.H, out.W, out.Pix = x.H, x.W, make([]float64, x.N*x.H*x.W)
		for i := range x.N {
			filter.Enlarge(out.Of(i), x.H, x.W, maps.Of(i), maps.H, maps.W)
		}
		return out, nil
	}
}
