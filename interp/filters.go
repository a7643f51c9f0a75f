package interp

import (
	"context"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"lucigo/interp/layer"
)

// Filters returns what each unit of a model's first layer computes of the pixels that it sees: the
// derivative of the unit, before its ReLU, by those pixels, a map a unit. Of a convolution these are its
// kernels, [units, size, size, channels]; of a dense layer, whose units see all of it, images of the
// model's size. Unlike the weights themselves they are in the images' own channels and units, whatever the
// network does to an image first.
//
// Behind more than one layer units are not linear, and the maps are derivatives at a grey image.
func (m *Model) Filters(ctx context.Context, name string) (Maps, error) {
	field, err := m.ReceptiveField(ctx, name)
	if err != nil {
		return Maps{}, err
	}
	// The smallest image with a unit that sees no padding: at the end of it.
	var place, size [2]int
	for axis := range 2 {
		if jump := field.Jump[axis]; jump > 0 {
			place[axis] = max(0, (jump-1-field.Start[axis])/jump)
		}
		size[axis] = field.Start[axis] + place[axis]*field.Jump[axis] + field.Size[axis]
	}
	u, err := m.units(name, size)
	if err != nil {
		return Maps{}, fmt.Errorf("%s: the filters of layer %q: %w", m.spec.Name, name, err)
	}
	x := Images{N: u.channels, H: size[0], W: size[1], C: m.spec.Input[2]}
	grey := make([]float64, x.N*x.Size())
	for i := range grey {
		grey[i] = .5
	}
	x.Pix = grey
	step := Step{Key: fmt.Sprintf("filters of %s at %v", name, place), Rule: linear{layer.Exact}, Build: func(net *Net, a []*Node) []*Node {
		v := net.Pass(a[0], nil).Layer(name)
		if v.Rank() == 4 {
			v = Reshape(Slice(v, AxisRange(), AxisElem(place[0]), AxisElem(place[1]), AxisRange()), v.Shape().Dim(0), -1)
		}
		own := OneHot(a[1], u.channels, v.DType()) // image i asks about unit i
		return Gradient(ReduceAllSum(Mul(v, own)), a[0])
	}}
	channels := make([]int, u.channels)
	for c := range channels {
		channels[c] = c
	}
	o := Objective{args: []Arg{Ints(channels...)}}
	all := x.Like()
	err = m.batches(ctx, x, o, step, func(i, j int, r []*tensors.Tensor) error {
		return read(all.Pix[i*x.Size():j*x.Size()], r[0])
	})
	if err != nil {
		return Maps{}, err
	}
	out := Maps{N: x.N, H: field.Size[0], W: field.Size[1], C: x.C}
	for n := range x.N {
		for row := size[0] - field.Size[0]; row < size[0]; row++ {
			first := (row*x.W + size[1] - field.Size[1]) * x.C
			out.Pix = append(out.Pix, all.Map(n)[first:][:field.Size[1]*x.C]...)
		}
	}
	return out, nil
}

// linear is the rule under which a ReLU is not there.
type linear struct{ layer.Rule }

func (linear) String() string { return "linear" }

func (linear) ReLU(x *Node) *Node { return x }
