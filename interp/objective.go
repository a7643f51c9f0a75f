package interp

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"lucigo/interp/layer"
)

// Objective is a score of each image of a batch. It is a form, which is compiled, and arguments, which
// travel as tensors: all channels of a layer share one program.
type Objective struct {
	name  string
	form  string
	args  []Arg
	score func(p *layer.Pass, args []*Node) *Node
	units []unit
}

// unit is a unit of a layer that an objective asks about, at a row and column or, where at is nil, at all.
type unit struct {
	layer   string
	channel int
	at      *[2]int
}

// Arg is an argument of an objective.
type Arg struct {
	ints     []int
	floats   []float64
	dims     []int
	perImage bool
	class    bool
}

// ImageClass is the argument that holds the class each image is asked about: a node [N] of int32.
var ImageClass = Arg{class: true, perImage: true}

// Int is a whole number: a node of int32 without axes.
func Int(v int) Arg { return Arg{ints: []int{v}} }

// Ints holds a whole number for each image: a node [N] of int32.
func Ints(v ...int) Arg { return Arg{ints: slices.Clone(v), perImage: true} }

// Float is a number: a node without axes, in the network's precision.
func Float(v float64) Arg { return Arg{floats: []float64{v}} }

// Floats is a vector: a node [len(v)], in the network's precision.
func Floats(v []float64) Arg { return Arg{floats: v, dims: []int{len(v)}} }

// NewObjective returns the objective that score computes: from a pass, and a node for each of args, to
// one number an image, [N]. Name is for captions. Form names score together with all that is fixed in
// it, such as the layer: objectives of one form build one graph.
func NewObjective(name, form string, args []Arg, score func(p *layer.Pass, args []*Node) *Node) Objective {
	return Objective{name: name, form: form, args: args, score: score}
}

// Of returns o with a note that it asks about a channel of a layer (of the logits, where its name is
// empty). The graph cannot refuse a unit that does not exist, and scores it NaN; by the note the error says
// why.
func (o Objective) Of(layer string, channel int) Objective { return o.asks(unit{layer, channel, nil}) }

// OfNeuron is Of for a channel at one position.
func (o Objective) OfNeuron(layer string, row, column, channel int) Objective {
	return o.asks(unit{layer, channel, &[2]int{row, column}})
}

func (o Objective) asks(u unit) Objective {
	o.units = append(slices.Clone(o.units), u)
	return o
}

// String returns the objective's name with all its arguments.
func (o Objective) String() string { return o.name }

// Form names the graph of the objective; two objectives that differ only in arguments have one form.
func (o Objective) Form() string { return o.form }

// Args returns the arguments.
func (o Objective) Args() []Arg { return o.args }

// Score builds the objective's graph on a pass: [N], one number an image.
func (o Objective) Score(p *layer.Pass, args []*Node) *Node {
	if o.score == nil {
		panic(errors.New("an objective without a score, such as Objective{}: package objective has them, and NewObjective makes them"))
	}
	s := o.score(p, args)
	if n := p.Images.Shape().Dim(0); s.Rank() != 1 || s.Shape().Dim(0) != n {
		panic(fmt.Errorf("objective %s is shaped %s: it needs one number an image, [%d]", o.name, s.Shape(), n))
	}
	return s
}

// AsksClass reports whether the objective is of the class each image is asked about.
func (o Objective) AsksClass() bool {
	for _, a := range o.args {
		if a.class {
			return true
		}
	}
	return false
}

// Plus returns o + p.
func (o Objective) Plus(p Objective) Objective {
	return o.with(p, " + ", func(a, b *Node) *Node { return Add(a, b) })
}

// Minus returns o − p.
func (o Objective) Minus(p Objective) Objective {
	return o.with(p, " − ", func(a, b *Node) *Node { return Sub(a, b) })
}

// Mul returns o × p.
func (o Objective) Mul(p Objective) Objective {
	return o.with(p, " × ", func(a, b *Node) *Node { return Mul(a, b) })
}

// Times returns c × o.
func (o Objective) Times(c float64) Objective {
	q := NewObjective(fmt.Sprint(c), "c", []Arg{Float(c)}, func(p *layer.Pass, a []*Node) *Node {
		return BroadcastToDims(Reshape(a[0], 1), p.Images.Shape().Dim(0))
	})
	return q.Mul(o)
}

func (o Objective) with(p Objective, sign string, join func(a, b *Node) *Node) Objective {
	n := len(o.args)
	args := append(append(make([]Arg, 0, n+len(p.args)), o.args...), p.args...)
	return Objective{
		name:  "(" + o.name + sign + p.name + ")",
		form:  "(" + o.form + sign + p.form + ")",
		args:  args,
		units: append(slices.Clone(o.units), p.units...),
		score: func(pass *layer.Pass, a []*Node) *Node {
			return join(o.Score(pass, a[:n]), p.Score(pass, a[n:]))
		},
	}
}

// tensors returns the arguments for images i to j-1 of x, of which the last is repeated up to size.
func (o Objective) tensors(x Images, i, j, size int, dtype dtypes.DType) ([]*tensors.Tensor, error) {
	var out []*tensors.Tensor
	for n, a := range o.args {
		if a.class {
			a.ints = x.Class
		}
		if k := slices.IndexFunc(a.ints, func(v int) bool { return int(int32(v)) != v }); k >= 0 {
			return nil, fmt.Errorf("objective %s: argument %d is %d, and must fit in 32 bits", o, n, a.ints[k])
		}
		if k := slices.IndexFunc(a.floats, notFinite); k >= 0 {
			return nil, fmt.Errorf("objective %s: argument %d is %g, and must be finite", o, n, a.floats[k])
		}
		ints := cast[int32](a.ints)
		switch {
		case !a.perImage && a.ints != nil:
			out = append(out, tensors.FromFlatDataAndDimensions(ints, a.dims...))
		case !a.perImage:
			out = append(out, fromFloats(a.floats, dtype, a.dims...))
		case len(ints) != x.N:
			return nil, fmt.Errorf("objective %s has a number for each of %d images, and there are %d", o, len(ints), x.N)
		default:
			out = append(out, tensors.FromFlatDataAndDimensions(padded(ints[i:j], 1, size), size))
		}
	}
	return out, nil
}

// padded repeats the last of the rows (of the given width) of v up to size rows.
func padded[T any](v []T, width, size int) []T {
	out := append(make([]T, 0, size*width), v...)
	for len(out) < size*width {
		out = append(out, v[len(v)-width:]...)
	}
	return out
}

func fromFloats(v []float64, dtype dtypes.DType, dims ...int) *tensors.Tensor {
	if dtype == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(v, dims...)
	}
	return tensors.FromFlatDataAndDimensions(cast[float32](v), dims...)
}
