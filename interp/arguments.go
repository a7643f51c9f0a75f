package interp

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Arg is an argument of an objective or of a loop: numbers that a graph takes as a node. Some are one for
// all images, others one for each image of the batch.
type Arg struct {
	ints   []int32
	floats []float64
	dims   []int // of the whole, or of one image
	n      int   // images, where each is set
	each   bool
	class  bool
	err    error
}

// ImageClass is the argument that holds the class each image is asked about: a node [N] of int32.
var ImageClass = Arg{class: true, each: true}

// Int is a whole number: a node of int32 without axes.
func Int(v int) Arg { return ints([]int{v}) }

// Ints holds a whole number for each image: a node [N] of int32.
func Ints(v ...int) Arg {
	a := ints(v)
	a.n, a.each = len(v), true
	return a
}

func ints(v []int) (a Arg) {
	a.ints = make([]int32, len(v))
	for i, v := range v {
		if v < math.MinInt32 || v > math.MaxInt32 {
			a.err = fmt.Errorf("a whole number is %d, and must fit in 32 bits", v)
		}
		a.ints[i] = int32(v)
	}
	return a
}

// Float is a number: a node without axes, in the network's precision.
func Float(v float64) Arg { return Arg{floats: []float64{v}} }

// Floats is a vector, the same for all images: a node [len(v)], in the network's precision.
func Floats(v []float64) Arg { return Array(v, len(v)) }

// Array is an array, row-major, the same for all images: a node [dims…], in the network's precision.
func Array(v []float64, dims ...int) Arg {
	a := Arg{floats: v, dims: dims}
	a.sized(product(dims))
	return a
}

// Each holds an array for each image, row-major, one image after the other: a node [N, dims…], in the
// network's precision.
func Each(v []float64, dims ...int) Arg {
	a := Arg{floats: v, dims: dims, each: true}
	if size := product(dims); size > 0 {
		a.n = len(v) / size
	}
	a.sized(a.n * product(dims))
	return a
}

// PerImage reports whether the argument is one for each image.
func (a Arg) PerImage() bool { return a.each }

// Arg returns the pixels of x as an argument: a node [N, H, W, C], in the network's precision.
func (x Images) Arg() Arg { return Each(x.Pix, x.H, x.W, x.C) }

func (a *Arg) sized(want int) {
	if want != len(a.floats) || want == 0 {
		a.err = fmt.Errorf("an argument has %d numbers, must fill arrays of %v", len(a.floats), a.dims)
	}
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
	out.n, out.ints, out.floats = len(images), nil, nil
	for _, i := range images {
		if i < 0 || i >= a.n {
			out.err = fmt.Errorf("an argument has numbers for %d images, and image %d is asked for", a.n, i)
			return out
		}
		if a.ints != nil {
			out.ints = append(out.ints, a.ints[i*size:(i+1)*size]...)
		} else {
			out.floats = append(out.floats, a.floats[i*size:(i+1)*size]...)
		}
	}
	return out
}

// tensor returns the argument for a batch: the whole, or the arrays of images i to j-1, of which the last is
// repeated up to size.
func (a Arg) tensor(i, j, size int, dtype dtypes.DType) *tensors.Tensor {
	dims, width := a.dims, product(a.dims)
	if a.each {
		dims = slices.Concat([]int{size}, dims)
	} else {
		i, j, size = 0, 1, 1
	}
	if a.ints != nil {
		return tensors.FromFlatDataAndDimensions(padded(a.ints[i*width:j*width], width, size), dims...)
	}
	return fromFloats(padded(a.floats[i*width:j*width], width, size), dtype, dims...)
}

// padded repeats the last of the rows (of the given width) of v up to size rows.
func padded[T any](v []T, width, size int) []T {
	last := v[len(v)-width:]
	for v = v[:len(v):len(v)]; len(v) < size*width; {
		v = append(v, last...)
	}
	return v
}

func fromFloats(v []float64, dtype dtypes.DType, dims ...int) *tensors.Tensor {
	if dtype == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(v, dims...)
	}
	return tensors.FromFlatDataAndDimensions(cast[float32](v), dims...)
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
