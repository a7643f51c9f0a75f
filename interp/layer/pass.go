package layer

import (
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp/near"
)

// Forward is an ordinary GoMLX model function: from images [N, H, W, C], in [0, 1], to logits
// [N, classes]. Preprocessing is its first line. The same function trains and is explained: outside a
// Pass, At names nothing and every layer's gradient is the exact one.
type Forward func(s *model.Scope, images *graph.Node) (logits *graph.Node)

// Pass is one run of a Forward while a graph is built. The Forward runs only as far as it is asked: a
// score of an inner layer builds no head, so it works at image sizes whose head does not fit.
//
// A Pass belongs to the goroutine that builds its graph. Stop must be called at the end.
type Pass struct {
	// Images are what the Forward was given: [N, H, W, C], in [0, 1].
	Images *graph.Node

	beside  bool // the Forward is given references, after the images
	rule    Rule
	foreign foreign
	inside  bool // a layer is being built
	changed bool // the rule changed a layer
	replace map[string]*graph.Node
	change  func(name string, x *graph.Node) *graph.Node // of each layer; nil is none
	layers  map[string]*graph.Node
	linears map[*graph.Node]LinearLayer // with weights, by their values
	signs   map[*graph.Node]bool        // nodes without negative numbers
	names   []string                    // in the order of the Forward
	logits  *graph.Node
	done    bool
	next    func() (string, bool)
	stop    func()
	yield   func(string) bool
}

// Start prepares a pass of f over images: nothing of f runs yet. Gradients through the pass follow rule;
// nil is Exact. A layer named in replace takes that value instead of its own, from there on.
//
// Where the rule changes what ReLUs, linear layers, pointwise functions or max-pools do, a Forward that has
// operators of such a kind outside this package is an error, which Layer and Logits panic with: the rule
// would not reach them. So is, at its logits, a Forward that has nothing for the rule to change.
func Start(s *model.Scope, images *graph.Node, f Forward, rule Rule, replace map[string]*graph.Node) *Pass {
	if _, compares := rule.(ComparingRule); compares {
		panic(fmt.Errorf("layer: rule %s compares images with references, and this pass has none: StartBeside gives them", rule))
	}
	return start(s, images, images, f, rule, replace)
}

// StartBeside is Start over images and references, [N, H, W, C] both, which a ComparingRule compares layer by layer. What
// Layer, Layers and Logits give is of the images.
func StartBeside(s *model.Scope, images, references *graph.Node, f Forward, rule Rule) *Pass {
	return start(s, images, graph.Concatenate([]*graph.Node{images, references}, 0), f, rule, nil)
}

// start is Start of a Forward that is given x: the images, or these and their references.
func start(s *model.Scope, images, x *graph.Node, f Forward, rule Rule, replace map[string]*graph.Node) *Pass {
	if rule == nil {
		rule = Exact
	}
	p := &Pass{Images: images, beside: x != images, rule: rule, foreign: watch(rule, x, replace), replace: replace,
		layers: map[string]*graph.Node{}, linears: map[*graph.Node]LinearLayer{}, signs: map[*graph.Node]bool{}}
	p.next, p.stop = iter.Pull(func(yield func(string) bool) {
		p.yield = yield
		defer func() {
			switch r := recover().(type) {
			case nil, stopped:
			case runtime.Error:
				panic(fmt.Errorf("layer: the Forward failed at %s: %w", line(), r))
			case error: // of graph building
				panic(r)
			default:
				panic(fmt.Errorf("layer: the Forward panicked at %s: %v", line(), r))
			}
		}()
		if p.logits = f(s, x); p.logits == nil {
			panic(errors.New("layer: the Forward returned no logits"))
		}
		p.logits = p.own(p.logits)
	})
	return p
}

type (
	passKey struct{}
	stopped struct{} // unwinds a Forward that nobody asks any more
)

// line returns the file and line of the Forward's code that panics: where it left for the runtime, for GoMLX
// or for this package. The panic itself ends the coroutine that the Forward runs in, and with it the stack.
func line() string {
	pcs := make([]uintptr, 1<<10)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	own, _ := frames.Next()
	pkg := strings.TrimSuffix(own.Function, "line")
	for {
		f, more := frames.Next()
		if !more {
			return "an unknown line"
		}
		if !strings.HasPrefix(f.Function, "runtime.") && !strings.HasPrefix(f.Function, "github.com/gomlx/") && !strings.HasPrefix(f.Function, pkg) {
			return fmt.Sprintf("%s:%d", f.File, f.Line)
		}
	}
}

// own returns what of a layer's value is of the images.
func (p *Pass) own(x *graph.Node) *graph.Node {
	if !p.beside {
		return x
	}
	return graph.SliceAxis(x, 0, graph.AxisRange(0, x.Shape().Dim(0)/2))
}

// Layer returns the value of the named layer, [N, H, W, C] or [N, C]. It panics, as graph building does,
// if the model has no layer of that name.
func (p *Pass) Layer(name string) *graph.Node {
	for p.layers[name] == nil {
		if !p.step() {
			panic(near.Error("layer", name, p.names))
		}
	}
	return p.layers[name]
}

// Logits runs the Forward to its end and returns the logits, [N, classes]. It panics if the pass was
// stopped before that.
func (p *Pass) Logits() *graph.Node {
	for p.step() {
	}
	if p.logits == nil {
		panic(errors.New("layer: the pass ended before its logits; ask for them before Stop"))
	}
	return p.logits
}

// Layers runs the Forward to its end, and yields each of its layers, with its value, as it comes.
func (p *Pass) Layers() iter.Seq2[string, *graph.Node] {
	return func(yield func(string, *graph.Node) bool) {
		for i := 0; i < len(p.names) || p.step(); i++ {
			if i < len(p.names) && !yield(p.names[i], p.layers[p.names[i]]) {
				return
			}
		}
	}
}

// Done reports whether the Forward ran to its end.
func (p *Pass) Done() bool { return p.logits != nil }

// Stop ends the Forward where it is.
func (p *Pass) Stop() { p.stop() }

// step resumes the Forward until its next named layer; false at its end. The pass is attached to the
// graph only meanwhile, so that what others build on the same graph follows no rule of this pass.
func (p *Pass) step() bool {
	if p.done {
		return false
	}
	g := p.Images.Graph()
	before := g.State(passKey{})
	g.AttachState(passKey{}, p)
	defer g.AttachState(passKey{}, before)
	if outer, ok := before.(*Pass); ok { // this Forward is a part of another's, under a rule of its own
		outer.changed = true
		outer.foreign.read(g, true)
		defer outer.foreign.read(g, false)
	}
	p.foreign.skip(g)
	last := len(p.names)
	_, more := p.next()
	p.done = !more
	p.foreign.read(g, true)
	if err := p.foreign.error(p.rule, p.names, last); err != nil {
		panic(err)
	}
	if p.done && p.logits != nil {
		if _, optional := p.rule.(OptionalRule); p.foreign.changes != 0 && !p.changed && !optional {
			panic(fmt.Errorf("layer: rule %s changes %s, and the network has none: it would give the exact gradient", p.rule, p.foreign.changes))
		}
		for name := range p.replace {
			if p.layers[name] == nil {
				panic(near.Error("layer", name, p.names))
			}
		}
		if r, ok := p.rule.(namingRule); ok {
			for _, name := range r.layers() {
				if p.layers[name] == nil {
					panic(fmt.Errorf("layer: rule %s: %w", p.rule, near.Error("layer", name, p.names)))
				}
			}
		}
	}
	return more
}

// At names x as a layer and returns it, or what replaces it in this pass. A name met again (a shared
// submodule) becomes name:2, name:3, …
func At(name string, x *graph.Node) *graph.Node {
	p := current(x)
	if p == nil {
		return x
	}
	base := name
	for i := 2; p.layers[name] != nil; i++ {
		name = fmt.Sprintf("%s:%d", base, i)
	}
	if p.change != nil {
		x = p.change(name, x)
	}
	if r := p.replace[name]; r != nil {
		if !r.Shape().Equal(x.Shape()) {
			panic(fmt.Errorf("layer: layer %q is shaped %s, and cannot be replaced by %s", name, x.Shape(), r.Shape()))
		}
		x = r
	}
	p.layers[name] = p.own(x)
	p.names = append(p.names, name)
	if !p.yield(name) {
		panic(stopped{})
	}
	return x
}

// Change runs f, a Forward that another one calls on the graph of x, and puts in the place of every layer that f names what change makes
// of it, which is the layer then. It panics outside a Pass, where layers have no names.
func Change(x *graph.Node, change func(name string, x *graph.Node) *graph.Node, f func() *graph.Node) *graph.Node {
	p := current(x)
	if p == nil {
		panic(errors.New("layer: Change: no Pass is running, and outside of one layers have no names"))
	}
	before := p.change
	defer func() { p.change = before }()
	p.change = func(name string, x *graph.Node) *graph.Node {
		if x = change(name, x); before != nil {
			x = before(name, x)
		}
		return x
	}
	return f()
}

// current returns the pass whose Forward is running on x's graph, or nil.
func current(x *graph.Node) *Pass {
	p, _ := x.Graph().State(passKey{}).(*Pass)
	return p
}

// through builds a layer of x: by the rule of the pass that is running, where it has a method for layers of
// this kind (R), and otherwise exactly. What a layer is made of belongs to it: there the layers are exact.
func through[R any](x *graph.Node, ruled func(R) *graph.Node, exact func() *graph.Node) *graph.Node {
	p := current(x)
	if p == nil || p.inside {
		return exact()
	}
	g := p.Images.Graph()
	p.foreign.read(g, true)
	p.inside = true
	defer func() {
		p.inside = false
		p.foreign.read(g, false)
	}()
	if rule, ok := p.rule.(R); ok {
		p.changed = true
		return ruled(rule)
	}
	return exact()
}

// linear returns op(x, weights) + bias, of a layer that a LinearRule may change.
func linear(x, weights, bias *graph.Node, op func(x, weights *graph.Node) *graph.Node) *graph.Node {
	l := LinearLayer{X: x, Weights: weights, Bias: bias, Op: op}
	p := current(x)
	if p != nil && !p.inside {
		p.foreign.read(p.Images.Graph(), true) // up to x
		l.Images, l.First, l.Positive, l.After = p.Images, !p.foreign.weighed[x], p.signs[x], slices.Clone(p.names)
	}
	y := through(x, func(r LinearRule) *graph.Node { return r.Linear(l) }, l.Value)
	if p != nil && !p.inside && weights != nil {
		p.linears[y] = l
		p.foreign.weighed[y] = true
	}
	return y
}

// folded returns factor·x + shift, a number a channel both, as one linear layer with that which x is the value of, for a rule
// of linear layers; nil where there is no such rule or layer.
func folded(x, factor, shift *graph.Node) *graph.Node {
	p := current(x)
	if p == nil || p.inside || !is[LinearRule](p.rule) {
		return nil
	}
	l, ok := p.linears[x]
	if !ok {
		return nil
	}
	if l.Bias != nil {
		shift = graph.Add(shift, graph.Mul(l.Bias, factor))
	}
	return linear(l.X, graph.Mul(l.Weights, graph.ExpandLeftToRank(factor, l.Weights.Rank())), shift, l.Op)
}

// signed notes that y has no negative number where no x has one, and returns y.
func signed(y *graph.Node, xs ...*graph.Node) *graph.Node {
	if p := current(y); p != nil && !slices.ContainsFunc(xs, func(x *graph.Node) bool { return !p.signs[x] }) {
		p.signs[y] = true
	}
	return y
}
