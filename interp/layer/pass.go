package layer

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp/near"
)

// Forward is an ordinary GoMLX model function: from images [N, H, W, C], in [0, 1], to logits
// [N, classes]. Preprocessing is its first line. The same function trains and is explained: outside a
// Pass, At names nothing and every layer's gradient is the exact one.
type Forward func(s *model.Scope, images *Node) (logits *Node)

// Pass is one run of a Forward while a graph is built. The Forward runs only as far as it is asked: a
// score of an inner layer builds no head, so it works at image sizes whose head does not fit.
//
// A Pass belongs to the goroutine that builds its graph. Stop must be called at the end.
type Pass struct {
	// Images are what the Forward was given: [N, H, W, C], in [0, 1].
	Images *Node

	rule    Rule
	replace map[string]*Node
	layers  map[string]*Node
	names   []string // in the order of the Forward
	logits  *Node
	done    bool
	next    func() (string, bool)
	stop    func()
	yield   func(string) bool
}

// Start prepares a pass of f over images: nothing of f runs yet. Gradients through the pass follow rule;
// nil is Exact. A layer named in replace takes that value instead of its own, from there on.
func Start(s *model.Scope, images *Node, f Forward, rule Rule, replace map[string]*Node) *Pass {
	if rule == nil {
		rule = Exact
	}
	p := &Pass{Images: images, rule: rule, replace: replace, layers: map[string]*Node{}}
	p.next, p.stop = iter.Pull(func(yield func(string) bool) {
		p.yield = yield
		defer func() {
			if r := recover(); r != nil && r != any(stopped{}) {
				panic(r)
			}
		}()
		p.logits = f(s, images)
	})
	return p
}

type (
	passKey struct{}
	stopped struct{} // unwinds a Forward that nobody asks any more
)

// Layer returns the value of the named layer, [N, H, W, C] or [N, C]. It panics, as graph building does,
// if the model has no layer of that name.
func (p *Pass) Layer(name string) *Node {
	for p.layers[name] == nil {
		if !p.step() {
			panic(near.Error("layer", name, p.names))
		}
	}
	return p.layers[name]
}

// Logits runs the Forward to its end and returns the logits, [N, classes]. It panics if the pass was
// stopped before that.
func (p *Pass) Logits() *Node {
	for p.step() {
	}
	if p.logits == nil {
		panic(errors.New("the pass ended before its logits; ask for them before Stop"))
	}
	return p.logits
}

// Names runs the Forward to its end and returns the names of its layers, in order.
func (p *Pass) Names() []string {
	p.Logits()
	return slices.Clone(p.names)
}

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
	_, more := p.next()
	p.done = !more
	if p.done && p.logits != nil {
		for name := range p.replace {
			if p.layers[name] == nil {
				panic(near.Error("layer", name, p.names))
			}
		}
	}
	return more
}

// At names x as a layer and returns it, or what replaces it in this pass. A name met again (a shared
// submodule) becomes name:2, name:3, …
func At(name string, x *Node) *Node {
	p := current(x)
	if p == nil {
		return x
	}
	base := name
	for i := 2; p.layers[name] != nil; i++ {
		name = fmt.Sprintf("%s:%d", base, i)
	}
	if r := p.replace[name]; r != nil {
		if !r.Shape().Equal(x.Shape()) {
			panic(fmt.Errorf("layer %q is shaped %s and cannot be replaced by %s", name, x.Shape(), r.Shape()))
		}
		x = r
	}
	p.layers[name] = x
	p.names = append(p.names, name)
	if !p.yield(name) {
		panic(stopped{})
	}
	return x
}

// current returns the pass whose Forward is running on x's graph, or nil.
func current(x *Node) *Pass {
	p, _ := x.Graph().State(passKey{}).(*Pass)
	return p
}

// ruleOf returns the rule that gradients through x follow.
func ruleOf(x *Node) Rule {
	if p := current(x); p != nil {
		return p.rule
	}
	return Exact
}
