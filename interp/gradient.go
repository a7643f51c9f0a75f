package interp

import (
	"context"
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"lucigo/interp/layer"
)

// Gradient returns the derivative of o at each image: the derivative of its own score, whatever the
// other images of the batch. Cotangents pass back by rule; nil is layer.Exact, the derivative itself.
// Images that have no class are asked about the one that the model gives them, where o asks about one.
//
// A gradient or score that is not a number is an error, which says where it came from.
func (m *Model) Gradient(ctx context.Context, o Objective, rule layer.Rule, x Images) (Maps, error) {
	x, err := m.Resolve(ctx, o, x)
	if err != nil {
		return Maps{}, err
	}
	out := x.Like()
	if !o.AsksClass() {
		out.Class = nil
	}
	step := Step{Key: "gradient of " + o.form, Rule: rule, Build: func(net *Net, a []*Node) []*Node {
		p := net.Pass(a[0], nil)
		score := o.Score(p, a[1:])
		return []*Node{Gradient(ReduceAllSum(score), a[0])[0], score}
	}}
	err = m.batches(ctx, x, o, step, func(i, j int, r []*tensors.Tensor) error {
		if err := read(out.Pix[i*x.Size():j*x.Size()], r[0]); err != nil {
			return err
		}
		return read(out.Score[i:j], r[1])
	})
	if err != nil {
		return Maps{}, err
	}
	if err := m.finite(o, x, out.Score); err != nil {
		return Maps{}, err
	}
	if i := slices.IndexFunc(out.Pix, notFinite); i >= 0 {
		n, row, column, c := x.place(i)
		return Maps{}, fmt.Errorf("%s: the gradient of %s at image %d is %g at row %d, column %d, channel %d, though the score is %g%s",
			m.spec.Name, o, n, out.Pix[i], row, column, c, out.Score[n], m.blame())
	}
	return out, nil
}

// finite returns an error if a score is not a number: it says which unit does not exist, or which weight
// is to blame.
func (m *Model) finite(o Objective, x Images, score []float64) error {
	i := slices.IndexFunc(score, notFinite)
	if i < 0 {
		return nil
	}
	layers, err := m.Layers()
	if err != nil {
		return err
	}
	for _, u := range o.units {
		if classes := len(m.spec.Classes); u.layer == "" && (u.channel < 0 || u.channel >= classes) {
			return fmt.Errorf("%s: %s: the classes are 0 to %d", m.spec.Name, o, classes-1)
		}
		k := slices.IndexFunc(layers, func(l Layer) bool { return l.Name == u.layer })
		if k < 0 {
			continue
		}
		shape := layers[k].Shape
		if channels := shape[len(shape)-1]; u.channel < 0 || u.channel >= channels {
			return fmt.Errorf("%s: %s: layer %q has channels 0 to %d", m.spec.Name, o, u.layer, channels-1)
		}
		if u.at == nil {
			continue
		}
		row, column := u.at[0], u.at[1]
		whole := x.H == m.spec.Input[0] && x.W == m.spec.Input[1]
		if row < 0 || column < 0 || whole && (row >= shape[0] || column >= shape[1]) {
			return fmt.Errorf("%s: %s: layer %q has rows 0 to %d and columns 0 to %d", m.spec.Name, o, u.layer, shape[0]-1, shape[1]-1)
		}
	}
	return fmt.Errorf("%s: the score of %s at image %d is %g%s", m.spec.Name, o, i, score[i], m.blame())
}

// blame says which weight is to blame for a result that is not a number, if one is.
func (m *Model) blame() string {
	if path := m.weights.notFinite(); path != "" {
		return fmt.Sprintf(": weight %q has a value that is not finite", path)
	}
	return ": all weights are finite, so an operation of the network overflows or divides by zero here"
}

// Score returns the value of o at each image.
func (m *Model) Score(ctx context.Context, o Objective, x Images) ([]float64, error) {
	x, err := m.Resolve(ctx, o, x)
	if err != nil {
		return nil, err
	}
	out := make([]float64, x.N)
	step := Step{Key: "score of " + o.form, Build: func(net *Net, a []*Node) []*Node {
		return []*Node{o.Score(net.Pass(a[0], nil), a[1:])}
	}}
	err = m.batches(ctx, x, o, step, func(i, j int, r []*tensors.Tensor) error { return read(out[i:j], r[0]) })
	if err != nil {
		return nil, err
	}
	if err := m.finite(o, x, out); err != nil {
		return nil, err
	}
	return out, nil
}

// Activations are the values of a layer: for each image Shape numbers, row-major.
type Activations struct {
	Layer string
	N     int
	Shape []int
	Data  []float64
}

// Activations returns the values of the named layers, in the order of the names.
func (m *Model) Activations(ctx context.Context, x Images, layers ...string) ([]Activations, error) {
	if err := m.takes(x); err != nil {
		return nil, err
	}
	out := make([]Activations, len(layers))
	step := Step{Key: fmt.Sprintf("activations of %q", layers), Build: func(net *Net, a []*Node) []*Node {
		p := net.Pass(a[0], nil)
		nodes := make([]*Node, len(layers))
		for i, name := range layers {
			nodes[i] = Identity(p.Layer(name)) // two names may stand for one node
		}
		return nodes
	}}
	err := m.batches(ctx, x, Objective{}, step, func(i, j int, r []*tensors.Tensor) error {
		for k, t := range r {
			shape := t.Shape().Dimensions[1:]
			size := t.Shape().Size() / t.Shape().Dim(0)
			if i == 0 {
				out[k] = Activations{layers[k], x.N, slices.Clone(shape), make([]float64, x.N*size)}
			}
			if err := read(out[k].Data[i*size:j*size], t); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// Prediction is what a model says of a batch of images.
type Prediction struct {
	N, Classes int
	Logits     []float64 // [N, Classes]
	Names      []string  // of the classes
}

// Predict returns the logits of the images.
func (m *Model) Predict(ctx context.Context, x Images) (Prediction, error) {
	p := Prediction{N: x.N, Classes: len(m.spec.Classes), Names: m.spec.Classes}
	if err := m.takes(x); err != nil {
		return p, err
	}
	p.Logits = make([]float64, p.N*p.Classes)
	step := Step{Key: "logits", Build: func(net *Net, a []*Node) []*Node {
		logits := net.Pass(a[0], nil).Logits()
		if logits.Rank() != 2 || logits.Shape().Dim(1) != p.Classes {
			panic(fmt.Errorf("the logits are shaped %s, and there are %d classes", logits.Shape(), p.Classes))
		}
		return []*Node{logits}
	}}
	err := m.batches(ctx, x, Objective{}, step, func(i, j int, r []*tensors.Tensor) error {
		return read(p.Logits[i*p.Classes:j*p.Classes], r[0])
	})
	if err != nil {
		return p, err
	}
	if i := slices.IndexFunc(p.Logits, notFinite); i >= 0 {
		return p, fmt.Errorf("%s: logit %d of image %d is %g%s", m.spec.Name, i%p.Classes, i/p.Classes, p.Logits[i], m.blame())
	}
	return p, nil
}

// Resolve returns x with a class for each image, where o asks about one: the given classes, checked, or
// else the one that the model gives each image. It is asked once, of the clean images, by whatever calls
// the model about perturbed copies of them.
func (m *Model) Resolve(ctx context.Context, o Objective, x Images) (Images, error) {
	if err := m.takes(x); err != nil {
		return x, err
	}
	if !o.AsksClass() {
		return x, nil
	}
	for i, c := range x.Class {
		if c < 0 || c >= len(m.spec.Classes) {
			return x, fmt.Errorf("%s: image %d is asked about class %d, and the classes are 0 to %d", m.spec.Name, i, c, len(m.spec.Classes)-1)
		}
	}
	if x.Class == nil {
		p, err := m.Predict(ctx, x)
		if err != nil {
			return x, err
		}
		x.Class = p.Top1()
	}
	return x, nil
}

// takes checks the images against the network's input.
func (m *Model) takes(x Images) error {
	if err := x.Check(); err != nil {
		return fmt.Errorf("%s: %w", m.spec.Name, err)
	}
	if x.C != m.spec.Input[2] {
		return fmt.Errorf("%s takes images of %d channels, and these have %d", m.spec.Name, m.spec.Input[2], x.C)
	}
	return nil
}

// batches runs step on all of x, in parts of equal size, and hands each part's results to result. The
// last part is filled up with copies of the last image, whose results read leaves out.
func (m *Model) batches(ctx context.Context, x Images, o Objective, step Step, result func(i, j int, r []*tensors.Tensor) error) error {
	parts := (x.N + m.Batch(x) - 1) / m.Batch(x)
	size := (x.N + parts - 1) / parts
	for i := 0; i < x.N; i += size {
		j := min(i+size, x.N)
		pix := padded(x.Pix[i*x.Size():j*x.Size()], x.Size(), size)
		args, err := o.tensors(x, i, j, size, m.place.dtype)
		if err != nil {
			return fmt.Errorf("%s: %w", m.spec.Name, err)
		}
		images := fromFloats(pix, m.place.dtype, size, x.H, x.W, x.C)
		out, err := m.Run(ctx, step, append([]*tensors.Tensor{images}, args...)...)
		if err != nil {
			return err
		}
		err = result(i, j, out)
		for _, t := range append(out, images) {
			t.FinalizeAll()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// read copies the first len(dst) numbers of t.
func read(dst []float64, t *tensors.Tensor) error {
	if t.Shape().Size() < len(dst) {
		return fmt.Errorf("a result shaped %s has fewer than %d numbers", t.Shape(), len(dst))
	}
	if t.DType() == dtypes.Float64 {
		return tensors.ConstFlatData(t, func(flat []float64) { copy(dst, flat) })
	}
	return tensors.ConstFlatData(t, func(flat []float32) {
		for i := range dst {
			dst[i] = float64(flat[i])
		}
	})
}
