package interp

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"lucigo/interp/layer"
	"lucigo/interp/random"
)

// Objective is a score of each image of a batch: a form, which is compiled, and arguments, which travel as
// tensors. Objectives of equal forms share their programs, so all channels of a layer compile once.
type Objective struct {
	Name  string // for captions
	Form  Form
	Args  []Arg
	Units []Unit // what it asks about, which is checked before anything runs
}

// Form builds the graph of an objective. Its type and its fields are its identity: objectives of equal
// forms, with arguments of equal shapes, share programs. So what Score depends on is a field, or an
// argument. A field may not hold a func; FormOf makes a form of one.
type Form interface {
	// Score builds the score of a pass, [N], one number an image, from a node for each argument. It
	// panics on errors, as graph building does.
	Score(p *layer.Pass, args []*graph.Node) *graph.Node
}

// FormOf returns the form that score builds. It equals no other, not even one of the same func: what is
// compiled for it serves it alone.
func FormOf(score func(p *layer.Pass, args []*graph.Node) *graph.Node) Form { return formOf{&score} }

type formOf struct {
	score *func(p *layer.Pass, args []*graph.Node) *graph.Node
}

func (f formOf) Score(p *layer.Pass, args []*graph.Node) *graph.Node { return (*f.score)(p, args) }

// Unit is a unit that an objective asks about: a channel of a layer, or of the logits where Layer is empty,
// at one position (row, column) or, where At is nil, at all.
type Unit struct {
	Layer   string
	Channel int
	At      *[2]int
}

// String returns the objective's name. Arrays among its arguments, which no name has room for, are told
// apart by a digest.
func (o Objective) String() string {
	h, long := uint64(0), false
	for _, a := range o.Args {
		if len(a.dims) > 0 {
			long = true
			for _, v := range a.values {
				h = random.Hash(h, math.Float64bits(v))
			}
		}
	}
	if !long {
		return o.Name
	}
	return fmt.Sprintf("%s #%06x", o.Name, h>>40)
}

// check returns an error if o is not whole.
func (o Objective) check() error {
	if o.Form == nil {
		return errors.New("interp: an Objective has no Form: package objective has objectives, and FormOf makes a form of a func")
	}
	for i, a := range o.Args {
		if a.err != nil {
			return fmt.Errorf("interp: objective %s: %w", o.Name, a.err)
		}
		if k := slices.IndexFunc(a.values, NotFinite); k >= 0 {
			return fmt.Errorf("interp: objective %s: argument %d is %g, and must be finite", o.Name, i, a.values[k])
		}
	}
	return nil
}

// AsksClass reports whether the objective is of the class each image is asked about.
func (o Objective) AsksClass() bool {
	return slices.ContainsFunc(o.Args, func(a Arg) bool { return a.class })
}

// Images returns how many images o has arguments of their own for; 0 where it takes any number of images.
func (o Objective) Images() int {
	for _, a := range o.Args {
		if a.each && !a.class {
			return a.n
		}
	}
	return 0
}

// Of returns the objective that asks of each image k of a batch what o asks of image images[k] of its own:
// arguments that are one for each image travel with the copies, cuts and permutations of a batch.
func (o Objective) Of(images ...int) Objective {
	o.Args = slices.Clone(o.Args)
	for i, a := range o.Args {
		if a.each && !a.class {
			o.Args[i] = a.of(images)
		}
	}
	return o
}

// Plus returns o + p.
func (o Objective) Plus(p Objective) Objective { return o.with(p, "+") }

// Minus returns o − p.
func (o Objective) Minus(p Objective) Objective { return o.with(p, "−") }

// Mul returns o × p.
func (o Objective) Mul(p Objective) Objective { return o.with(p, "×") }

// Times returns c × o.
func (o Objective) Times(c float64) Objective {
	return Objective{Name: fmt.Sprint(c), Form: constant{}, Args: []Arg{Float(c)}}.Mul(o)
}

func (o Objective) with(p Objective, sign string) Objective {
	return Objective{
		Name:  "(" + o.Name + " " + sign + " " + p.Name + ")",
		Form:  pair{o.Form, p.Form, len(o.Args), sign},
		Args:  slices.Concat(o.Args, p.Args),
		Units: slices.Concat(o.Units, p.Units),
	}
}

// pair is a ± b or a × b, of which a takes the first n arguments.
type pair struct {
	a, b Form
	n    int
	sign string
}

func (f pair) Score(p *layer.Pass, args []*graph.Node) *graph.Node {
	a, b := Score(f.a, p, args[:f.n]), Score(f.b, p, args[f.n:])
	switch f.sign {
	case "+":
		return graph.Add(a, b)
	case "−":
		return graph.Sub(a, b)
	}
	return graph.Mul(a, b)
}

// constant is its argument.
type constant struct{}

func (constant) Score(p *layer.Pass, args []*graph.Node) *graph.Node {
	return graph.BroadcastToDims(graph.Reshape(args[0], 1), p.Images.Shape().Dim(0))
}

// Score builds the score of a form on a pass, and panics if it is not one number an image, [N].
func Score(f Form, p *layer.Pass, args []*graph.Node) *graph.Node {
	if f == nil {
		panic(errors.New("interp: an objective has no Form"))
	}
	s := f.Score(p, args)
	if n := p.Images.Shape().Dim(0); s.Rank() != 1 || s.Shape().Dim(0) != n {
		panic(fmt.Errorf("interp: the score of %T is shaped %s, must be one number an image, [%d]", f, s.Shape(), n))
	}
	return s
}
