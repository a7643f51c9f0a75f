package interp

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Arg is an argument of an objective or of a loop: numbers that a graph takes as a node. Some are one for
// all images, others one for each image of the batch.
type Arg struct {
	values []float64
	whole  bool  // they are whole numbers, int32 on the device
	dims   []int // of all of it, or of one image
	n      int   // images, where each is set
	each   bool
	class  bool
	err    error
}

// ImageClass is the argument that holds the class each image is asked about: a node [N] of int32.
var ImageClass = Arg{class: true, each: true}

// Int is a whole number: a node of int32 without axes.
func Int(v int) Arg { return whole(v) }

// Ints holds a whole number for each image: a node [N] of int32.
func Ints(v ...int) Arg {
	a := whole(v...)
	a.n, a.each = len(v), true
	return a
}

func whole(v ...int) Arg {
	a := Arg{values: cast[float64](v), whole: true}
	if i := slices.IndexFunc(v, func(v int) bool { return v != int(int32(v)) }); i >= 0 {
		a.err = fmt.Errorf("a whole number is %d, and must fit in 32 bits", v[i])
	}
	return a
}

// Float is a number: a node without axes, in the network's precision.
func Float(v float64) Arg { return Arg{values: []float64{v}} }

// Floats is a vector, the same for all images: a node [len(v)], in the network's precision.
func Floats(v []float64) Arg { return Array(v, len(v)) }

// Array is an array, row-major, the same for all images: a node [dims…], in the network's precision.
func Array(v []float64, dims ...int) Arg { return Arg{values: v, dims: dims}.sized(product(dims)) }

// Each holds an array for each image, row-major, one image after the other: a node [N, dims…], in the
// network's precision.
func Each(v []float64, dims ...int) Arg {
	size := product(dims)
	a := Arg{values: v, dims: dims, n: len(v) / max(size, 1), each: true}
	return a.sized(a.n * size)
}

// PerImage reports whether the argument is one for each image.
func (a Arg) PerImage() bool { return a.each }

// Arg returns the pixels of x as an argument: a node [N, H, W, C], in the network's precision.
func (x Images) Arg() Arg { return Each(x.Pix, x.H, x.W, x.C) }

// fits returns an error if the argument is not good for n images.
func (a Arg) fits(n int) error {
	if a.err == nil && a.each && a.n != n {
		a.err = fmt.Errorf("an argument has numbers for each of %d images, and there are %d", a.n, n)
	}
	if a.err != nil {
		return fmt.Errorf("interp: %w", a.err)
	}
	return nil
}

func (a Arg) sized(want int) Arg {
	if want != len(a.values) || want == 0 {
		a.err = fmt.Errorf("an argument has %d numbers, must fill arrays of %v", len(a.values), a.dims)
	}
	return a
}

func product(dims []int) int {
	size := 1
	for _, d := range dims {
		size *= d
	}
	return size
}

// of returns the argument whose image k is image images[k] of a.
func (a Arg) of(images []int) Arg {
	size := product(a.dims)
	out := a
	out.n, out.values = len(images), make([]float64, 0, len(images)*size)
	for _, i := range images {
		if i < 0 || i >= a.n {
			out.err = fmt.Errorf("an argument has numbers for %d images, and image %d is asked for", a.n, i)
			return out
		}
		out.values = append(out.values, a.values[i*size:(i+1)*size]...)
	}
	return out
}

// tensor returns the argument for a batch: the whole, or the arrays of the given images; the last is
// repeated up to size.
func (a Arg) tensor(images []int, size int, dtype dtypes.DType) *tensors.Tensor {
	if !a.each {
		images, size = []int{0}, 1
	}
	t := tensors.FromShape(a.shape(size, dtype))
	t.MustMutableFlatData(func(flat any) {
		switch to := flat.(type) {
		case []int32:
			lay(to, a.values, images, product(a.dims))
		case []float32:
			lay(to, a.values, images, product(a.dims))
		case []float64:
			lay(to, a.values, images, product(a.dims))
		}
	})
	return t
}

// lay writes the numbers of images, width of each, to an array, and those of the last again and again into the rest.
func lay[T int32 | float32 | float64](to []T, from []float64, images []int, width int) {
	for k, i := range images {
		copyAs(to[k*width:], from[i*width:(i+1)*width])
	}
	for n := len(images) * width; n < len(to); n += width {
		copy(to[n:], to[n-width:n])
	}
}

// shape is that of the argument for a batch of the given size.
func (a Arg) shape(size int, dtype dtypes.DType) shapes.Shape {
	dims := a.dims
	if a.each {
		dims = slices.Concat([]int{size}, dims)
	}
	if a.whole {
		dtype = dtypes.Int32
	}
	return shapes.Make(dtype, dims...)
}

// For returns o's arguments for the images x: what is of the class is of their classes.
func (o Objective) For(x Images) ([]Arg, error) {
	args := slices.Clone(o.Args)
	for i, a := range args {
		if a.class {
			if len(x.Class) != x.N {
				return nil, fmt.Errorf("interp: objective %s is of each image's class, and %d images have %d classes", o, x.N, len(x.Class))
			}
			args[i] = Ints(x.Class...)
		}
	}
	return args, nil
}
