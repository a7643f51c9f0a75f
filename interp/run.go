package interp

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp/layer"
	"lucigo/interp/near"
)

// Step is one computation with a network: from tensors to tensors. Its type and its fields are its
// identity: equal steps, with arguments of equal shapes, share one compiled program. So what Build depends
// on is a field, or an argument. A field may not hold a func; StepOf makes a step of one.
type Step interface {
	// Build builds the graph, from one node an argument to the results. It panics on errors, as graph
	// building does.
	Build(net *Net, args []*graph.Node) []*graph.Node
}

// StepOf returns the step that build builds. It equals no other, not even one of the same func: what is
// compiled for it serves it alone.
func StepOf(build func(net *Net, args []*graph.Node) []*graph.Node) Step { return stepOf{&build} }

type stepOf struct {
	build *func(net *Net, args []*graph.Node) []*graph.Node
}

func (s stepOf) Build(net *Net, args []*graph.Node) []*graph.Node { return (*s.build)(net, args) }

// Net is a network inside a graph that is being built: its weights are parameters of the graph.
type Net struct {
	forward layer.Forward
	rule    layer.Rule
	store   *model.Store
	passes  []*layer.Pass
}

// Pass starts a run of the network over images [N, H, W, C], in [0, 1], of which a layer named in
// replace takes that value instead of its own. A graph may have several passes; they share the weights.
func (n *Net) Pass(images *graph.Node, replace map[string]*graph.Node) *layer.Pass {
	p := layer.Start(n.store.RootScope(), images, n.forward, n.rule, replace)
	n.passes = append(n.passes, p)
	return p
}

// Beside starts a run over images and as many references, which the rule compares: layer.Rescale is such a rule.
func (n *Net) Beside(images, references *graph.Node) *layer.Pass {
	p := layer.StartBeside(n.store.RootScope(), images, references, n.forward, n.rule)
	n.passes = append(n.passes, p)
	return p
}

func (n *Net) stop() {
	for _, p := range n.passes {
		p.Stop()
	}
}

// net binds the model's network to g. Every graph has a store of its own: GoMLX's is not safe for two
// builders at once, and knows variables only by path.
func (m *Model) net(g *graph.Graph, rule layer.Rule) *Net {
	store := model.NewStore()
	if m.spec.Store != nil {
		for path, value := range m.spec.Store.IterParams() {
			store.SetParam(path, value)
		}
	}
	model.SetStore(g, store)
	return &Net{forward: m.spec.Forward, rule: rule, store: store}
}

// Tensor is an array where a model computes. Close frees its memory; a run that uses it is finished first,
// so it may be closed at any time.
type Tensor struct {
	t *tensors.Tensor

	mu     sync.Mutex
	users  int
	closed bool
}

// Tensor returns an argument of Run: of an argument that is one for each image, all of them.
func (m *Model) Tensor(a Arg) (*Tensor, error) {
	if a.err != nil {
		return nil, fmt.Errorf("interp: %w", a.err)
	}
	return &Tensor{t: a.tensor(upTo(a.n), a.n, m.place.dtype)}, nil
}

// Dims returns the dimensions.
func (t *Tensor) Dims() []int { return slices.Clone(t.t.Shape().Dimensions) }

// Numbers returns the numbers, row-major. Of a tensor of whole numbers they are those.
func (t *Tensor) Numbers() ([]float64, error) {
	v := make([]float64, t.t.Shape().Size())
	return v, t.read(v, []int{0})
}

// read copies the given rows, of equal length, which together are dst.
func (t *Tensor) read(dst []float64, rows []int) error {
	width := len(dst) / len(rows)
	if last := slices.Max(rows); t.t.Shape().Size() < (last+1)*width {
		return fmt.Errorf("interp: a result shaped %s has no row %d of %d numbers", t.t.Shape(), last, width)
	}
	switch t.t.DType() {
	case dtypes.Float64:
		return tensors.ConstFlatData(t.t, func(flat []float64) { pick(dst, flat, rows) })
	case dtypes.Float32:
		return tensors.ConstFlatData(t.t, func(flat []float32) { pick(dst, flat, rows) })
	case dtypes.Int32:
		return tensors.ConstFlatData(t.t, func(flat []int32) { pick(dst, flat, rows) })
	}
	return fmt.Errorf("interp: a result is of %s, must be of float32, float64 or int32", t.t.DType())
}

func pick[T int32 | float32 | float64](dst []float64, from []T, rows []int) {
	width := len(dst) / len(rows)
	for k, row := range rows {
		copyAs(dst[k*width:], from[row*width:(row+1)*width])
	}
}

// Close frees the tensor's memory, as soon as no run uses it. A second call does nothing.
func (t *Tensor) Close() { t.use(0, true) }

// use counts a user more, or less, and frees what is closed and has none.
func (t *Tensor) use(more int, closing bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.closed && t.users == 0
	t.users += more
	t.closed = t.closed || closing
	if t.closed && t.users == 0 && !was {
		t.t.FinalizeAll()
	}
}

func closeAll(ts []*Tensor) {
	for _, t := range ts {
		if t != nil {
			t.Close()
		}
	}
}

// Run runs a step where the model computes, with the model's weights. Gradients through the network follow
// rule; nil is layer.Exact. The step is compiled at its first run with arguments of these shapes, for all
// models of this structure. Results stay on the device until they are read, and are the caller's to close.
//
// When ctx ends, Run returns at once. The device finishes what it is doing before another run begins there, and nobody is
// told of it. A run that waits for the device, or for a compilation, never begins.
func (m *Model) Run(ctx context.Context, s Step, rule layer.Rule, args ...*Tensor) ([]*Tensor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p, err := m.at()
	if err != nil {
		return nil, err
	}
	for _, a := range args {
		a.use(1, false)
	}
	type result struct {
		out []*Tensor
		err error
	}
	done := make(chan result)
	go func() {
		out, err := m.run(ctx, p, s, rule, args)
		for _, a := range args {
			a.use(-1, false)
		}
		select {
		case done <- result{out, err}:
		case <-ctx.Done():
			closeAll(out)
		}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, fmt.Errorf("%s: %w", m.spec.Name, r.err)
		}
		return r.out, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// run ends with ctx while it waits, and once it computes, when it is done.
func (m *Model) run(ctx context.Context, p place, s Step, rule layer.Rule, args []*Tensor) (out []*Tensor, err error) {
	var given []shapes.Shape
	for _, a := range args {
		given = append(given, a.t.Shape())
	}
	prog, err := m.program(ctx, p, s, rule, given)
	if err != nil {
		return nil, err
	}
	defer m.family.programs.release(prog)
	d := deviceOf(p.backend)
	if err := d.running.take(ctx); err != nil {
		return nil, err
	}
	defer d.running.give()

	inputs := make([]compute.Buffer, len(prog.inputs))
	for i, in := range prog.inputs {
		t := (*tensors.Tensor)(nil)
		if in.arg >= 0 {
			t = args[in.arg].t
		} else {
			w := m.weights[in.weight]
			if w == nil {
				return nil, near.Error("weight", in.weight, m.weights.Paths())
			}
			if t, err = w.at(p); err != nil {
				return nil, fmt.Errorf("weight %q: %w", in.weight, err)
			}
		}
		if inputs[i], err = t.Buffer(p.backend, 0); err != nil {
			return nil, fmt.Errorf("%T: an input does not fit on the device: %w", s, err)
		}
	}
	err = catch(func() {
		for _, t := range prog.graph.RunWithBuffers(inputs, make([]bool, len(inputs)), 0) {
			out = append(out, &Tensor{t: t})
		}
	})
	return out, err
}
