package interp

import (
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"
)

// What follows is for methods that run steps of their own with an objective inside.

// Floats returns numbers, row-major, as an argument of Run in the network's precision. It is the caller's
// to finalize.
func (m *Model) Floats(v []float64, dims ...int) *tensors.Tensor {
	return fromFloats(v, m.place.dtype, dims...)
}

// Numbers returns the numbers of a tensor of floats, row-major.
func Numbers(t *tensors.Tensor) ([]float64, error) {
	v := make([]float64, t.Shape().Size())
	return v, read(v, t)
}

// Arguments returns o's arguments for images i to j-1 of x, as Objective.Score takes them: those that
// are one for each image have size numbers, the last of which is repeated. Pixels are not looked at.
func (m *Model) Arguments(o Objective, x Images, i, j, size int) ([]*tensors.Tensor, error) {
	if i < 0 || j <= i || j > x.N || size < j-i {
		return nil, fmt.Errorf("%s: images %d to %d of %d, in a batch of %d", m.spec.Name, i, j-1, x.N, size)
	}
	if o.AsksClass() && len(x.Class) != x.N {
		return nil, fmt.Errorf("%s: objective %s is of each image's class, and %d images have %d classes", m.spec.Name, o, x.N, len(x.Class))
	}
	args, err := o.tensors(x, i, j, size, m.place.dtype)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.spec.Name, err)
	}
	return args, nil
}

// Images returns how many images o has numbers of their own for; 0 where it takes any number of images.
func (o Objective) Images() int {
	for _, a := range o.args {
		if a.perImage && !a.class {
			return len(a.ints)
		}
	}
	return 0
}
