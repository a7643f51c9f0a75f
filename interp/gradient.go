package interp

import (
	"context"
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"lucigo/interp/layer"
)

// Gradient returns the derivative of o at each image: the derivative of its own score, whatever the
// other images of the batch. Cotangents pass back by rule; nil is layer.Exact, the derivative itself.
// Images that have no class are asked about the one that the model gives them, where o asks about one.
//
// A gradient or score that is not a number is an error, which says where it came from.
func (m *Model) Gradient(ctx context.Context, o Objective, rule layer.Rule, x Images) (Maps, error) {
	x, r, err := m.ask(ctx, gradient{o.Form}, rule, o, x)
	if err != nil {
		return Maps{}, err
	}
	out := Maps{x.Free(), r[1].Data}
	if out.Pix = r[0].Data; !o.AsksClass() {
		out.Class = nil
	}
	if i := slices.IndexFunc(out.Pix, NotFinite); i >= 0 {
		n, row, column, c := x.place(i)
		return Maps{}, fmt.Errorf("%s: the gradient of %s at image %d is %g at row %d, column %d, channel %d, though the score is %g%s",
			m.spec.Name, o, n, out.Pix[i], row, column, c, out.Score[n], m.blame())
	}
	return out, nil
}

// Prepare begins to compile Gradient of o, for images of the number and size of x, whose pixels are not looked at. It
// returns at once; Gradient waits for the rest, and is told of errors.
func (m *Model) Prepare(o Objective, rule layer.Rule, x Images) {
	m.prepare(gradient{o.Form}, rule, o, x)
}

func (m *Model) prepare(step Step, rule layer.Rule, o Objective, x Images) {
	if min(x.N, x.H, x.W, x.C) < 1 {
		return
	}
	if x.Class == nil {
		x.Class = make([]int, x.N) // whatever they will be
	}
	args, err := o.For(x)
	if err != nil {
		return
	}
	pixels := Arg{dims: []int{x.H, x.W, x.C}, n: x.N, each: true}
	if l, err := m.Loop(x.N, m.Batch(x), nil, append([]Arg{pixels}, args...)...); err == nil {
		l.Prepare(step, rule)
		l.Close()
	}
}

// gradient is an objective's derivative at the image, and its score.
type gradient struct{ form Form }

func (s gradient) Build(net *Net, a []*graph.Node) []*graph.Node {
	score := Score(s.form, net.Pass(a[0], nil), a[1:])
	return []*graph.Node{graph.Gradient(graph.ReduceAllSum(score), a[0])[0], score}
}

// GradientAt is Gradient at a layer: it returns the layer's values and the derivative of o by each of them.
// An objective that does not depend on the layer is an error.
func (m *Model) GradientAt(ctx context.Context, o Objective, rule layer.Rule, x Images, name string) (values, gradient Activations, score []float64, err error) {
	_, r, err := m.ask(ctx, gradientAt{o.Form, name}, rule, o, x)
	if err != nil {
		return values, gradient, nil, err
	}
	return Activations{name, r[0]}, Activations{name, r[1]}, r[2].Data, nil
}

type gradientAt struct {
	form  Form
	layer string
}

func (s gradientAt) Build(net *Net, a []*graph.Node) []*graph.Node {
	v, slope, score := SlopeAt(s.form, net.Pass(a[0], nil), a[1:], s.layer)
	return []*graph.Node{graph.Identity(v), slope, score}
}

// SlopeAt builds, on a pass, a layer's value, the derivative of the score of f by it, and that score. It panics if the
// score does not depend on the layer.
func SlopeAt(f Form, p *layer.Pass, args []*graph.Node, name string) (value, slope, score *graph.Node) {
	value = p.Layer(name)
	score = Score(f, p, args)
	if !computed(score, value) {
		panic(fmt.Errorf("the objective does not depend on layer %q", name))
	}
	return value, graph.Gradient(graph.ReduceAllSum(score), value)[0], score
}

// computed reports whether y is computed from v.
func computed(y, v *graph.Node) bool {
	seen := map[graph.NodeId]bool{}
	var from func(n *graph.Node) bool
	from = func(n *graph.Node) bool {
		if n == v {
			return true
		}
		if n.Id() < v.Id() || seen[n.Id()] { // a node is made after its inputs
			return false
		}
		seen[n.Id()] = true
		return slices.ContainsFunc(n.Inputs(), from)
	}
	return from(y)
}

// Score returns the value of o at each image.
func (m *Model) Score(ctx context.Context, o Objective, x Images) ([]float64, error) {
	_, r, err := m.ask(ctx, score{o.Form}, nil, o, x)
	if err != nil {
		return nil, err
	}
	return r[0].Data, nil
}

type score struct{ form Form }

func (s score) Build(net *Net, a []*graph.Node) []*graph.Node {
	return []*graph.Node{Score(s.form, net.Pass(a[0], nil), a[1:])}
}

// Activations are the values of a layer, for each image.
type Activations struct {
	Layer string
	Rows
}

// Activations returns the values of the named layers, in the order of the names.
func (m *Model) Activations(ctx context.Context, x Images, layers ...string) ([]Activations, error) {
	if err := m.takes(x); err != nil {
		return nil, err
	}
	r, err := m.once(ctx, activations{layers}, nil, x)
	if err != nil {
		return nil, err
	}
	var out []Activations
	for k, name := range layers {
		out = append(out, Activations{name, r[k]})
	}
	return out, nil
}

type activations struct{ layers []string }

func (s activations) Build(net *Net, a []*graph.Node) []*graph.Node {
	p := net.Pass(a[0], nil)
	nodes := make([]*graph.Node, len(s.layers))
	for i, name := range s.layers {
		nodes[i] = graph.Identity(p.Layer(name)) // two names may be of one node
	}
	return nodes
}

// Predict returns the logits of the images.
func (m *Model) Predict(ctx context.Context, x Images) (Prediction, error) {
	p := Prediction{Names: m.spec.Classes}
	if err := m.takes(x); err != nil {
		return p, err
	}
	r, err := m.once(ctx, logits{len(p.Names)}, nil, x)
	if err != nil {
		return p, err
	}
	p.Logits = r[0]
	if i := slices.IndexFunc(p.Logits.Data, NotFinite); i >= 0 {
		n := len(p.Names)
		return p, fmt.Errorf("%s: logit %d of image %d is %g%s", m.spec.Name, i%n, i/n, p.Logits.Data[i], m.blame())
	}
	return p, nil
}

type logits struct{ classes int }

func (s logits) Build(net *Net, a []*graph.Node) []*graph.Node {
	logits := net.Pass(a[0], nil).Logits()
	if logits.Rank() != 2 || logits.Shape().Dim(1) != s.classes {
		panic(fmt.Errorf("the logits are shaped %s, and there are %d classes", logits.Shape(), s.classes))
	}
	return []*graph.Node{logits}
}

// ask runs a step of the images x and of an objective, whose score is the last of the results, and returns
// x with its classes. What is asked is checked before, and the score after it.
func (m *Model) ask(ctx context.Context, step Step, rule layer.Rule, o Objective, x Images) (Images, []Rows, error) {
	if o.AsksClass() && x.Class == nil {
		m.prepare(step, rule, o, x) // beside the program that resolves it
	}
	x, err := m.Resolve(ctx, o, x)
	if err != nil {
		return x, nil, err
	}
	args, err := o.For(x)
	if err != nil {
		return x, nil, err
	}
	r, err := m.once(ctx, step, rule, x, args...)
	if err != nil {
		return x, nil, err
	}
	score := r[len(r)-1].Data
	if i := slices.IndexFunc(score, NotFinite); i >= 0 {
		err = fmt.Errorf("%s: the score of %s at image %d is %g%s", m.spec.Name, o, i, score[i], m.blame())
	}
	return x, r, err
}

// Resolve checks the images and the objective, and returns x with a class for each image, where o asks
// about one: the given classes, or else the one that the model gives each image. It is asked once, of the
// clean images, by whatever calls the model about perturbed copies of them.
func (m *Model) Resolve(ctx context.Context, o Objective, x Images) (Images, error) {
	if err := m.takes(x); err != nil {
		return x, err
	}
	if n := o.Images(); n != 0 && n != x.N {
		return x, fmt.Errorf("%s: objective %s has arguments for each of %d images, and there are %d", m.spec.Name, o, n, x.N)
	}
	if err := m.Asks(o, x.H, x.W); err != nil {
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

// Asks returns an error if an objective is not whole, or asks about a unit that the network does not have
// for images of h×w.
func (m *Model) Asks(o Objective, h, w int) error {
	if err := o.check(); err != nil {
		return fmt.Errorf("%s: %w", m.spec.Name, err)
	}
	for _, u := range o.Units {
		shape, are := []int{len(m.spec.Classes)}, "the classes are"
		if u.Layer != "" {
			var err error
			if shape, err = m.Shape(u.Layer, h, w); err != nil {
				return err
			}
			are = fmt.Sprintf("layer %q has channels", u.Layer)
		}
		switch last := len(shape) - 1; {
		case u.Channel < 0 || u.Channel >= shape[last]:
			return fmt.Errorf("%s: %s: %s 0 to %d", m.spec.Name, o, are, shape[last]-1)
		case u.At == nil:
		case last != 2:
			return fmt.Errorf("%s: %s: layer %q has no positions: it is shaped %v", m.spec.Name, o, u.Layer, shape)
		case min(u.At[0], u.At[1]) < 0 || u.At[0] >= shape[0] || u.At[1] >= shape[1]:
			return fmt.Errorf("%s: %s: layer %q has rows 0 to %d and columns 0 to %d", m.spec.Name, o, u.Layer, shape[0]-1, shape[1]-1)
		}
	}
	return nil
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

// blame says which weight is to blame for a result that is not a number, if one is.
func (m *Model) blame() string {
	if path := m.weights.notFinite(); path != "" {
		return fmt.Sprintf(": weight %q has a value that is not finite", path)
	}
	return ": all weights are finite, so an operation of the network overflows or divides by zero here"
}
