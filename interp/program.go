package interp

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"lucigo/interp/internal/key"
	"lucigo/interp/internal/verify"
	"lucigo/interp/layer"
	"lucigo/interp/near"
)

// program is a compiled step.
type program struct {
	key    string
	of     []any  // the step and its rule, whose addresses may be part of the key
	text   string // the graph, where verify is on
	graph  *Graph
	inputs []input
	bytes  int64

	turn    places // of the one that compiles it
	ready   bool   // it is compiled
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

// program returns the compiled program of a step, held until it is released.
func (m *Model) program(ctx context.Context, p place, s Step, rule layer.Rule, args []shapes.Shape) (*program, error) {
	if rule == nil {
		rule = layer.Exact
	}
	values := []any{s, rule, p.dtype}
	for _, a := range args {
		values = append(values, a.DType, a.Dimensions)
	}
	k, err := key.Of(values...)
	if err != nil {
		return nil, fmt.Errorf("interp: what is compiled is known by its type and its fields, and one of them has no value to know it by: %w", err)
	}
	k = fmt.Sprintf("%p %s", p.backend, k)
	compiled := false
	prog, err := m.family.programs.acquire(ctx, k, deviceOf(p.backend).compiling, func(prog *program) error {
		compiled = true
		prog.of = []any{s, rule}
		return m.compile(prog, p, s, rule, args)
	})
	if err == nil && !compiled && verify.On() {
		if err = m.same(prog, p, s, rule, args); err != nil {
			m.family.programs.release(prog)
		}
	}
	return prog, err
}

// ahead begins to compile a step beside what else is done, one step at a time. Whoever runs the step waits for the rest,
// and is told of its errors. What has not begun when ctx ends never does.
func (m *Model) ahead(ctx context.Context, s Step, rule layer.Rule, args []shapes.Shape) {
	p, err := m.at()
	if err != nil {
		return
	}
	go func() {
		ahead := deviceOf(p.backend).ahead
		if ahead.take(ctx) != nil {
			return
		}
		defer ahead.give()
		if prog, err := m.program(ctx, p, s, rule, args); err == nil {
			m.family.programs.release(prog)
		}
	}()
}

func (m *Model) compile(prog *program, p place, s Step, rule layer.Rule, args []shapes.Shape) error {
	g, inputs, out, err := m.build(p, s, rule, args)
	if err != nil {
		return err
	}
	if verify.On() {
		prog.text = g.String()
	}
	err = catch(func() {
		if err := g.Compile(out...); err != nil {
			panic(err)
		}
	})
	if err != nil {
		return err
	}
	prog.graph, prog.inputs, prog.bytes = g, inputs, estimate(g)
	return nil
}

// build builds a step's graph, and says where its parameters come from.
func (m *Model) build(p place, s Step, rule layer.Rule, args []shapes.Shape) (g *Graph, inputs []input, out []*Node, err error) {
	err = catch(func() {
		g = NewGraph(p.backend, "step")
		nodes := make([]*Node, len(args))
		for i, a := range args {
			nodes[i] = Parameter(g, fmt.Sprintf("arg%d", i), a)
		}
		net := m.net(g, rule)
		defer net.stop()
		out = s.Build(net, nodes)
		net.stop()
		for i := range g.NumParameters() {
			name := g.GetParameterByHandle(ParameterHandle(i)).GetParameterName()
			in := input{arg: -1, weight: name}
			if i < len(args) {
				in = input{arg: i}
			} else if err := m.fits(name, g.GetParameterByHandle(ParameterHandle(i)).Shape()); err != nil {
				panic(err)
			}
			inputs = append(inputs, in)
		}
		if slices.ContainsFunc(net.passes, (*layer.Pass).Done) {
			var paths []string
			for _, v := range variables(g) {
				paths = append(paths, v.GetParameterName())
			}
			if err := m.unread(paths); err != nil {
				panic(err)
			}
		}
	})
	return g, inputs, out, err
}

// same returns an error if a step builds another graph than the one that was compiled for its key: then
// Build depends on something that is neither in the step's fields nor in its arguments.
func (m *Model) same(prog *program, p place, s Step, rule layer.Rule, args []shapes.Shape) error {
	g, _, _, err := m.build(p, s, rule, args)
	if err != nil {
		return err
	}
	defer g.Finalize()
	if now := g.String(); now != prog.text {
		return fmt.Errorf("interp: step %T under rule %s builds another graph than before, from equal fields and arguments: "+
			"its Build, or the objective or network in it, depends on something else\n%s", s, rule, firstDifference(prog.text, now))
	}
	return nil
}

func firstDifference(before, now string) string {
	a, b := strings.Split(before, "\n"), strings.Split(now, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("before: %s\nnow:    %s", a[i], b[i])
		}
	}
	return fmt.Sprintf("before: %d lines\nnow:    %d lines", len(a), len(b))
}

// fits checks that the weights have the variable that a network asks for.
func (m *Model) fits(path string, shape shapes.Shape) error {
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

// unread checks that the whole network, which reads variables of the given paths, reads every weight: one
// that it does not is misnamed, or a layer is missing.
func (m *Model) unread(paths []string) error {
	for _, path := range m.weights.Paths() {
		if !m.spare && !slices.Contains(paths, path) {
			return fmt.Errorf("weight %q is never read: %w", path, near.Error("variable", path, paths))
		}
	}
	return nil
}

// estimate is about what a compiled graph occupies: machine code, by its operations, and constants. Measured on GoogLeNet's
// gradient of 5,200 operations, loaded from the cache of programs: 18.7 MB in XLA and 6.0 MB in GoMLX's graph.
func estimate(g *Graph) int64 {
	const operation = 4600
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

// acquire returns the program of a key, compiling it if it is not held. Of those that want the same one, one compiles and
// the others wait; none waits longer than its ctx. The program stays until it is released, even if it is evicted meanwhile.
func (ps *programs) acquire(ctx context.Context, key string, compiling places, compile func(*program) error) (*program, error) {
	prog := ps.use(key)
	err := prog.turn.take(ctx)
	if err == nil {
		err = ps.make(ctx, prog, compiling, compile)
		prog.turn.give()
	}
	if err != nil {
		ps.release(prog)
		return nil, err
	}
	return prog, nil
}

// use returns the entry of a key, which has one user more.
func (ps *programs) use(key string) *program {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.held == nil {
		ps.held = map[string]*program{}
	}
	prog := ps.held[key]
	if prog == nil {
		prog = &program{key: key, turn: make(places, 1)}
		ps.held[key] = prog
	}
	ps.clock++
	prog.used = ps.clock
	prog.users++
	return prog
}

// make compiles a program, whose turn the caller has, unless that was done before.
func (ps *programs) make(ctx context.Context, prog *program, compiling places, compile func(*program) error) error {
	if prog.ready || prog.err != nil {
		return prog.err
	}
	if err := compiling.take(ctx); err != nil {
		return err
	}
	defer compiling.give()
	prog.err = compile(prog)
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if prog.err != nil { // the next caller tries again
		delete(ps.held, prog.key)
		return prog.err
	}
	prog.ready = true
	ps.compiled++
	ps.bytes += prog.bytes
	ps.evict(prog)
	return nil
}

func (ps *programs) release(prog *program) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	prog.users--
	if prog.users == 0 && !prog.ready && ps.held[prog.key] == prog { // nobody waited long enough
		delete(ps.held, prog.key)
	}
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
			if p != keep && p.ready && (oldest == keep || p.used < oldest.used) {
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
