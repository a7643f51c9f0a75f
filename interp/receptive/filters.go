package receptive

import (
	"context"
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
	"lucigo/interp/layer"
)

// Filters returns what each unit of a model's first layer computes of the pixels that it sees: the
// derivative of the unit, before its ReLU, by those pixels, a map a unit. Of a convolution these are its
// kernels, [units, size, size, channels]; of a dense layer, whose units see all of it, images of the
// model's size. Unlike the weights themselves they are in the images' own channels and units, whatever the
// network does to an image first.
//
// After more than one layer units are not linear, and the maps are derivatives at a grey image.
func Filters(ctx context.Context, m *interp.Model, name string) (interp.Maps, error) {
	field, err := FieldOf(ctx, m, name)
	if err != nil {
		return interp.Maps{}, err
	}
	// The smallest image with a unit that sees no padding: at the end of it.
	var place, size [2]int
	for axis := range 2 {
		if jump := field.Jump[axis]; jump > 0 {
			place[axis] = max(0, (jump-1-field.Start[axis])/jump)
		}
		size[axis] = field.Start[axis] + place[axis]*field.Jump[axis] + field.Size[axis]
	}
	shape, err := m.Shape(name, size[0], size[1])
	if err != nil {
		return interp.Maps{}, fmt.Errorf("receptive: the filters of layer %q: %w", name, err)
	}
	units := shape[len(shape)-1]
	_, _, channels := m.Input()
	x := interp.Images{N: units, H: size[0], W: size[1], C: channels}
	x.Pix = slices.Repeat([]float64{.5}, x.N*x.Size())
	own := make([]int, units) // image i asks about unit i
	for i := range own {
		own[i] = i
	}
	unit := interp.Objective{Name: fmt.Sprintf("filters of %s at %v", name, place), Form: filters{name, place}, Args: []interp.Arg{interp.Ints(own...)}}
	all, err := m.Gradient(ctx, unit, linear{}, x)
	if err != nil {
		return interp.Maps{}, err
	}
	out := interp.Maps{Images: interp.Images{N: x.N, H: field.Size[0], W: field.Size[1], C: x.C}}
	for n := range x.N {
		for row := size[0] - field.Size[0]; row < size[0]; row++ {
			first := (row*x.W + size[1] - field.Size[1]) * x.C
			out.Pix = append(out.Pix, all.Of(n)[first:][:field.Size[1]*x.C]...)
		}
	}
	return out, nil
}

// filters is a unit of its own for each image, at one place of a layer.
type filters struct {
	layer string
	place [2]int
}

func (f filters) Score(p *layer.Pass, a []*graph.Node) *graph.Node {
	v := p.Layer(f.layer)
	if v.Rank() == 4 {
		v = graph.Reshape(graph.Slice(v, graph.AxisRange(), graph.AxisElem(f.place[0]), graph.AxisElem(f.place[1]), graph.AxisRange()), v.Shape().Dim(0), -1)
	}
	return graph.ReduceSum(graph.Mul(v, graph.OneHot(a[0], v.Shape().Dim(1), v.DType())), 1)
}

// linear is the rule under which a ReLU is not there.
type linear struct{}

func (linear) String() string { return "linear" }

func (linear) ReLU(x *graph.Node) *graph.Node { return x }
