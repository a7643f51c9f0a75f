package interp

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp/layer"
	"lucigo/interp/near"
)

// Step is one computation with a network: from tensors to tensors.
type Step struct {
	// Key names Build: steps of equal keys build equal graphs from arguments of equal shapes.
	Key string

	// Rule is how the network's layers pass gradients back; nil is layer.Exact.
	Rule layer.Rule

	// Build builds the graph, from one node an argument to the results. It panics on errors, as graph
	// building does.
	Build func(net *Net, args []*Node) []*Node
}

// Net is a network inside a graph that is being built: its weights are parameters of the graph.
type Net struct {
	forward layer.Forward
	rule    layer.Rule
	store   *model.Store
	passes  []*layer.Pass
}

// Pass starts a run of the network over images [N, H, W, C], in [0, 1], of which a layer named in
// replace takes that value instead of its own. A graph may have several passes; they share the weights.
func (n *Net) Pass(images *Node, replace map[string]*Node) *layer.Pass {
	p := layer.Start(n.store.RootScope(), images, n.forward, n.rule, replace)
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
func (m *Model) net(g *Graph, p place, rule layer.Rule) *Net {
	if rule == nil {
		rule = layer.Exact
	}
	store := model.NewStore()
	if m.spec.Store != nil {
		for path, value := range m.spec.Store.IterParams() {
			store.SetParam(path, value)
		}
	}
	model.SetStore(g, store)
	return &Net{forward: m.spec.Forward, rule: rule, store: store}
}

// Run runs a step on the model's device, with the model's weights. The step is compiled at its first run
// with arguments of these shapes, for all models of this structure. Arguments that are on the device are
// not copied; results stay there until they are read, and are the caller's to finalize.
//
// When ctx ends Run returns at once; what the device is doing it finishes unheard.
func (m *Model) Run(ctx context.Context, s Step, args ...*tensors.Tensor) ([]*tensors.Tensor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p, err := m.at()
	if err != nil {
		return nil, err
	}
	type result struct {
		out []*tensors.Tensor
		err error
	}
	done := make(chan result, 1)
	go func() {
		out, err := m.run(p, s, args)
		done <- result{out, err}
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

func (m *Model) run(p place, s Step, args []*tensors.Tensor) (out []*tensors.Tensor, err error) {
	rule := s.Rule
	if rule == nil {
		rule = layer.Exact
	}
	var key strings.Builder
	fmt.Fprintf(&key, "%s\x00%s\x00%s\x00%p", s.Key, rule, p.dtype, p.backend)
	for _, a := range args {
		fmt.Fprintf(&key, "\x00%s", a.Shape())
	}
	prog, err := m.family.programs.acquire(key.String(), func(prog *program) error { return m.compile(prog, p, s, args) })
	if err != nil {
		return nil, err
	}
	defer m.family.programs.release(prog)

	inputs := make([]compute.Buffer, len(prog.inputs))
	for i, in := range prog.inputs {
		t := (*tensors.Tensor)(nil)
		if in.arg >= 0 {
			t = args[in.arg]
		} else {
			w := m.weights[in.weight]
			if w == nil {
				return nil, fmt.Errorf("no weight %q: the network has that variable, and the weights do not", in.weight)
			}
			if t, err = w.at(p); err != nil {
				return nil, fmt.Errorf("weight %q: %w", in.weight, err)
			}
		}
		if inputs[i], err = t.Buffer(p.backend, 0); err != nil {
			return nil, fmt.Errorf("%s: an input does not fit on the device: %w", s.Key, err)
		}
	}
	err = catch(func() { out = prog.graph.RunWithBuffers(inputs, make([]bool, len(inputs)), 0) })
	runtime.KeepAlive(args)
	return out, err
}

// program is a compiled step.
type program struct {
	key    string
	graph  *Graph
	inputs []input
	bytes  int64

	once    sync.Once
	err     error
	users   int
	evicted bool
	used    int64
}

// input is where a parameter of a program comes from: argument arg, or, when that is negative, a weight.
type input struct {
	arg    int
	weight string
}

func (m *Model) compile(prog *program, p place, s Step, args []*tensors.Tensor) error {
	return catch(func() {
		g := NewGraph(p.backend, "step")
		nodes := make([]*Node, len(args))
		for i, a := range args {
			nodes[i] = Parameter(g, fmt.Sprintf("arg%d", i), a.Shape())
		}
		net := m.net(g, p, s.Rule)
		out := s.Build(net, nodes)
		net.stop()
		for i := range g.NumParameters() {
			name := g.GetParameterByHandle(ParameterHandle(i)).GetParameterName()
			in := input{arg: -1, weight: name}
			if i < len(args) {
				in = input{arg: i}
			} else if err := m.fits(g.GetParameterByName(name)); err != nil {
				panic(err)
			}
			prog.inputs = append(prog.inputs, in)
		}
		if slices.ContainsFunc(net.passes, (*layer.Pass).Done) {
			if err := m.unread(g); err != nil {
				panic(err)
			}
		}
		if err := g.Compile(out...); err != nil {
			panic(err)
		}
		prog.graph = g
		prog.bytes = estimate(g)
	})
}

// fits checks that the weights have the variable that a network asks for.
func (m *Model) fits(variable *Node) error {
	path, shape := variable.GetParameterName(), variable.Shape()
	w := m.weights[path]
	switch {
	case w == nil:
		return fmt.Errorf("the network reads variable %q, shaped %v: %w", path, shape.Dimensions, near.Error("weight", path, m.weights.Paths()))
	case !shape.DType.IsFloat():
		return fmt.Errorf("weight %q is of %s: only floats are supported", path, shape.DType)
	case !shapes.Make(dtypes.Float32, w.dims...).EqualDimensions(shape):
		return fmt.Errorf("weight %q is shaped %v, and the network needs %v", path, w.dims, shape.Dimensions)
	}
	return nil
}

// unread checks that the whole network, which is built in g, reads every weight: one that it does not is
// misnamed, or a layer is missing.
func (m *Model) unread(g *Graph) error {
	var paths []string
	for _, v := range variables(g) {
		paths = append(paths, v.GetParameterName())
	}
	for _, path := range m.weights.Paths() {
		if !m.spare && !slices.Contains(paths, path) {
			return fmt.Errorf("weight %q is never read: %w", path, near.Error("variable", path, paths))
		}
	}
	return nil
}

// estimate is about what a compiled graph occupies: machine code, by its operations, and constants.
func estimate(g *Graph) int64 {
	const operation = 4 << 10
	var bytes int64
	for _, n := range g.Nodes() {
		bytes += operation
		if n.Type() == NodeTypeConstant {
			bytes += n.Shape().ByteSize()
		}
	}
	return bytes
}

// programs holds compiled steps, up to a bound in bytes; the least recently used goes first.
type programs struct {
	mu       sync.Mutex
	held     map[string]*program
	bytes    int64
	clock    int64
	compiled int
	bound    int64 // 0 is 1 GiB
}

// acquire returns the program of a key, compiling it if it is not held. Two that want the same one wait
// for one compilation. The program stays until it is released, even if it is evicted meanwhile.
func (ps *programs) acquire(key string, compile func(*program) error) (*program, error) {
	ps.mu.Lock()
	if ps.held == nil {
		ps.held = map[string]*program{}
	}
	prog := ps.held[key]
	if prog == nil {
		prog = &program{key: key}
		ps.held[key] = prog
	}
	ps.clock++
	prog.used = ps.clock
	prog.users++
	ps.mu.Unlock()

	prog.once.Do(func() {
		prog.err = compile(prog)
		ps.mu.Lock()
		defer ps.mu.Unlock()
		if prog.err != nil { // the next caller tries again
			prog.evicted = true
			delete(ps.held, key)
			return
		}
		ps.compiled++
		ps.bytes += prog.bytes
		ps.evict(prog)
	})
	if prog.err != nil {
		ps.release(prog)
		return nil, prog.err
	}
	return prog, nil
}

func (ps *programs) release(prog *program) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	prog.users--
	prog.finalize()
}

// evict drops the least recently used programs, but not keep, until the rest are within the bound.
func (ps *programs) evict(keep *program) {
	bound := ps.bound
	if bound == 0 {
		bound = 1 << 30
	}
	for ps.bytes > bound {
		oldest := keep
		for _, p := range ps.held {
			if p != keep && p.graph != nil && (oldest == keep || p.used < oldest.used) {
				oldest = p
			}
		}
		if oldest == keep {
			return
		}
		delete(ps.held, oldest.key)
		ps.bytes -= oldest.bytes
		oldest.evicted = true
		oldest.finalize()
	}
}

func (p *program) finalize() {
	if p.evicted && p.users == 0 && p.graph != nil {
		p.graph.Finalize()
		p.graph = nil
	}
}

// Programs says how many steps models of this structure have compiled so far, how many they hold, and
// about how many bytes those occupy.
func (m *Model) Programs() (compiled, held int, bytes int64) {
	ps := &m.family.programs
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.compiled, len(ps.held), ps.bytes
}
