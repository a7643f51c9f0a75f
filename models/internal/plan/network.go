package plan

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/layer"
)

// What a network may have at most.
const (
	maxSteps   = 20_000
	maxTaps    = 1 << 14 // places of all its windows together
	maxNumbers = 1 << 28 // of a layer, for one image
	maxClasses = 1 << 20 // that get numbers for names
	maxRank    = 8
)

// Options say what a graph leaves open; tensorflow.Options documents the fields. A Name must be given.
type Options struct {
	Name          string
	Input, Output string
	Size          [3]int
	Range         [2]float64
	Classes       []string
}

// Open returns the network of a graph.
func Open(f Format, nodes []Node, o Options) (*interp.Model, error) {
	g, err := newSource(f, nodes)
	if err != nil {
		return nil, err
	}
	output, err := g.output(o.Output)
	if err != nil {
		return nil, err
	}
	input, err := g.input(o.Input, output)
	if err != nil {
		return nil, err
	}
	size, err := g.size(input, o.Size)
	if err != nil {
		return nil, err
	}
	var guesses []string
	guess := func(guessed bool, format string, args ...any) {
		if guessed {
			guesses = append(guesses, fmt.Sprintf(format, args...))
		}
	}
	guess(o.Output == "", "Output %q", nodes[output].Name)
	guess(o.Input == "", "Input %q", nodes[input].Name)
	guess(o.Size != size, "Size %v", size)
	if o.Range == [2]float64{} {
		o.Range = [2]float64{0, 1}
		guess(true, "Range %v", o.Range)
	}
	if low, high := o.Range[0], o.Range[1]; !(math.Abs(low) < math.MaxFloat32) || !(math.Abs(high) < math.MaxFloat32) || low == high {
		return nil, fmt.Errorf("Options.Range is %v, must be two finite numbers that differ", o.Range)
	}
	n, err := g.plan(input, output, size[2])
	if err != nil {
		return nil, err
	}
	n.low, n.high = o.Range[0], o.Range[1]
	if len(guesses) > 0 {
		n.guessed = "; guessed: " + strings.Join(guesses, ", ") + ": set the Options that are wrong"
	}
	if o.Classes == nil {
		if n.classes < 1 || n.classes > maxClasses {
			return nil, fmt.Errorf("node %q does not tell how many classes there are (%d): set Options.Classes, or Options.Output to the node of the logits",
				nodes[output].Name, n.classes)
		}
		for i := range n.classes {
			o.Classes = append(o.Classes, fmt.Sprint("class ", i))
		}
	}
	if n.classes != 0 && n.classes != len(o.Classes) {
		return nil, fmt.Errorf("Options.Classes has %d names, and node %q gives %d logits", len(o.Classes), nodes[output].Name, n.classes)
	}
	n.classes = len(o.Classes)
	return interp.New(interp.Spec{Name: o.Name, Forward: n.forward, Input: size, Classes: o.Classes, Weights: n.weights})
}

// network is what leads from the images to the logits.
type network struct {
	steps     []step // the first is the input
	low, high float64
	weights   interp.Weights
	classes   int
	guessed   string
}

// step is a node whose value depends on the images.
type step struct {
	name, op string
	operands []operand
	build    Build
	channels int // of the value; 0 if their number depends on the images' size
}

// operand is what a step computes with; nil is something that its Build knows already.
type operand func(b *building) *graph.Node

// building is a network whose graph is being built.
type building struct {
	*network
	scope     *model.Scope
	images    *graph.Node
	values    []*graph.Node // of the steps, as far as they are built
	variables map[string]*graph.Node
}

// Build builds a node's value from its inputs'. Images are [N, H, W, C] whatever the format's layout. It is given nil
// for an input that is neither a value nor a weight.
type Build func(in []*graph.Node) *graph.Node

// plan checks the nodes that lead from input to output, and makes them ready.
func (g *source) plan(input, output, channels int) (*network, error) {
	order, err := g.order(output, input)
	if err != nil {
		return nil, err
	}
	if len(order) > maxSteps {
		return nil, fmt.Errorf("%d nodes lead to %q, and at most %d are supported", len(order), g.nodes[output].Name, maxSteps)
	}
	p := &planner{
		source: g, network: &network{weights: interp.Weights{}}, constantOf: map[int]*constant{}, stepOf: map[int]int{},
	}
	for _, i := range order {
		n := &g.nodes[i]
		if i == input {
			p.add(i, step{name: n.Name, op: n.Op, channels: channels})
			continue
		}
		if err := p.node(i); err != nil {
			return nil, fmt.Errorf("node %q (%s): %w", n.Name, n.Op, err)
		}
	}
	for _, from := range []int{output, input} {
		if _, ok := p.stepOf[from]; !ok {
			return nil, fmt.Errorf("node %q does not depend on the images, node %q", g.nodes[output].Name, g.nodes[input].Name)
		}
	}
	p.classes = p.network.steps[len(p.network.steps)-1].channels
	return p.network, nil
}

// planner makes a network from a graph, node by node.
type planner struct {
	*source
	*network
	taps       int
	constantOf map[int]*constant // the constant that a node is, or hands on
	stepOf     map[int]int       // the step of a node
}

// constant is a node, with its value once it is read, and its weight, if it is one.
type constant struct {
	*Node
	value  *Constant
	weight *interp.Weight
	turned bool // whether the weight has another layout than the file's
}

func (p *planner) add(node int, s step) {
	p.stepOf[node] = len(p.network.steps)
	p.network.steps = append(p.network.steps, s)
}

// node makes node i ready, whose sources are.
func (p *planner) node(i int) error {
	n := &p.nodes[i]
	if n.Op == p.Constant {
		p.constantOf[i] = &constant{Node: n}
		return nil
	}
	sources, err := p.sources(i)
	if err != nil {
		return err
	}
	if n.Op == p.Identity && len(sources) == 1 {
		if c, ok := p.constantOf[sources[0]]; ok {
			p.constantOf[i] = c
			return nil
		}
	}
	if n.Op == p.Input {
		return fmt.Errorf("a second %s, whose value nobody gives: set Options.Input to the node of the images", n.Op)
	}
	operator, ok := p.Operators[n.Op]
	if !ok {
		return fmt.Errorf("this operator is not supported; supported are: %s", strings.Join(p.Supported(), ", "))
	}
	c := &Call{p: p, node: n, sources: sources, operands: make([]operand, len(sources))}
	build := operator(c)
	if c.channels > maxNumbers {
		c.Fail("%d channels", c.channels)
	}
	p.add(i, step{name: n.Name, op: n.Op, operands: c.operands, build: build, channels: c.channels})
	return c.err
}

// Supported returns the names of the operators that a graph may have, sorted.
func (f Format) Supported() []string {
	return slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(f.Operators)), f.Constant, f.Input)))
}

// forward is the network's Forward. Every step is a layer of its node's name.
func (n *network) forward(s *model.Scope, images *graph.Node) *graph.Node {
	b := &building{network: n, scope: s, images: images, variables: map[string]*graph.Node{}}
	for _, st := range n.steps {
		b.values = append(b.values, layer.At(st.name, b.value(st)))
	}
	logits := b.values[len(b.values)-1]
	if batch := images.Shape().Dim(0); logits.Rank() != 2 || logits.Shape().Dim(0) != batch || logits.Shape().Dim(1) != n.classes {
		st := n.steps[len(n.steps)-1]
		panic(fmt.Errorf("node %q (%s) gives %s, must give the logits of %d images and %d classes%s",
			st.name, st.op, logits.Shape(), batch, n.classes, n.guessed))
	}
	return logits
}

// value builds one step. Its panics name the node.
func (b *building) value(st step) *graph.Node {
	defer func() {
		if r := recover(); r != nil {
			err, ok := r.(error)
			if !ok {
				panic(r)
			}
			panic(fmt.Errorf("node %q (%s): %w%s", st.name, st.op, err, b.guessed))
		}
	}()
	if st.build == nil {
		return graph.Add(scale(b.images, b.number(b.high-b.low)), b.number(b.low))
	}
	in := make([]*graph.Node, len(st.operands))
	for i, o := range st.operands {
		if o != nil {
			in[i] = o(b)
		}
	}
	y := st.build(in)
	if y.Rank() == 0 || y.Shape().Dim(0) != b.images.Shape().Dim(0) {
		panic(fmt.Errorf("it gives %s, must give images [N, …]", y.Shape()))
	}
	numbers := 1.0
	for _, d := range y.Shape().Dimensions[1:] {
		numbers *= float64(d)
	}
	if numbers > maxNumbers {
		panic(fmt.Errorf("it gives %.0f numbers an image, and at most %d are supported; give smaller images", numbers, maxNumbers))
	}
	return y
}

func (b *building) number(v float64) *graph.Node {
	return graph.Scalar(b.images.Graph(), b.images.DType(), v)
}

// variable returns the variable of a constant, whose scopes are the parts of its name.
func (b *building) variable(name string, dims []int) *graph.Node {
	if b.variables[name] == nil {
		s, parts := b.scope, strings.Split(name, "/")
		for _, scope := range parts[:len(parts)-1] {
			s = s.At("%s", scope)
		}
		b.variables[name] = s.VariableWithShape(parts[len(parts)-1], shapes.Make(b.images.DType(), dims...)).NodeValue(b.images)
	}
	return b.variables[name]
}
