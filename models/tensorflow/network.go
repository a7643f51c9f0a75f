package tensorflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/layer"
)

// Node is GoMLX's: a value in a computation graph.
type Node = graph.Node

// What a network may have at most.
const (
	maxSteps   = 20_000
	maxTaps    = 1 << 14 // places of all its windows together
	maxNumbers = 1 << 28 // of a layer, for one image
)

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
	build    build
	channels int // length of the value's last axis; 0 if it depends on the images' size
}

// operand is what a step computes with: the value of an earlier step, a variable, a number, or, if step is
// negative and the others are not set, something that build knows already.
type operand struct {
	step   int
	weight string // path of a variable, without the slash in front
	dims   []int
	number *float64
}

// build builds a step's value from its operands'.
type build func(in []*Node) *Node

// plan checks the nodes that lead from input to output, and makes them ready.
func (g *graphDef) plan(input, output, channels int) (*network, error) {
	order, err := g.order(output, input)
	if err != nil {
		return nil, err
	}
	if len(order) > maxSteps {
		return nil, fmt.Errorf("%d nodes lead to %q, of which at most %d are supported", len(order), g.nodes[output].name, maxSteps)
	}
	p := &planner{
		graph: g, network: &network{weights: interp.Weights{}}, tensors: map[int]*tensor{}, left: maxFill,
		constants: map[int]int{}, steps: map[int]int{},
	}
	for _, i := range order {
		n := g.nodes[i]
		if i == input {
			p.add(i, step{name: n.name, op: n.op, channels: channels})
			continue
		}
		if err := p.node(i); err != nil {
			return nil, fmt.Errorf("node %q (%s): %w", n.name, n.op, err)
		}
	}
	if _, ok := p.steps[output]; !ok {
		return nil, fmt.Errorf("node %q does not depend on the images", g.nodes[output].name)
	}
	if _, ok := p.steps[input]; !ok {
		return nil, fmt.Errorf("node %q does not depend on node %q", g.nodes[output].name, g.nodes[input].name)
	}
	p.network.classes = p.network.steps[len(p.network.steps)-1].channels
	return p.network, nil
}

// planner makes a network from a graph, node by node.
type planner struct {
	graph     *graphDef
	network   *network
	tensors   map[int]*tensor // values of Consts, as far as they are read
	left      fill
	taps      int
	constants map[int]int // the Const that a node is, or hands on
	steps     map[int]int // the step of a node
}

func (p *planner) add(node int, s step) {
	p.steps[node] = len(p.network.steps)
	p.network.steps = append(p.network.steps, s)
}

// node makes node i ready, whose sources are.
func (p *planner) node(i int) error {
	n := p.graph.nodes[i]
	if n.op == "Const" {
		p.constants[i] = i
		return nil
	}
	sources, err := p.graph.sources(i)
	if err != nil {
		return err
	}
	if n.op == "Identity" && len(sources) == 1 {
		if c, ok := p.constants[sources[0]]; ok { // how weights are read from frozen variables
			p.constants[i] = c
			return nil
		}
	}
	if n.op == "Placeholder" {
		return errors.New("a second Placeholder, whose value nobody gives: set Options.Input to the node of the images")
	}
	operator, ok := operators[n.op]
	if !ok {
		return fmt.Errorf("this operator is not supported; supported are: %s", strings.Join(supported(), ", "))
	}
	c := &call{node: n, planner: p, sources: sources, operands: make([]operand, len(sources))}
	for k := range c.operands {
		c.operands[k].step = -1
	}
	b := operator(c)
	if c.channels > maxNumbers {
		c.fail("%d channels", c.channels)
	}
	if c.err != nil {
		return c.err
	}
	p.add(i, step{name: n.name, op: n.op, operands: c.operands, build: b, channels: c.channels})
	return nil
}

// tensor returns the value of a Const.
func (p *planner) tensor(i int) (*tensor, error) {
	if t := p.tensors[i]; t != nil {
		return t, nil
	}
	n := p.graph.nodes[i]
	t, err := n.tensor(&p.left)
	if err != nil {
		return nil, fmt.Errorf("constant %q: %w", n.name, err)
	}
	p.tensors[i] = t
	return t, nil
}

// forward is the network's Forward. Every step is a layer of its node's name.
func (n *network) forward(s *model.Scope, images *Node) *Node {
	values := make([]*Node, len(n.steps))
	variables := map[string]*Node{}
	for i, st := range n.steps {
		values[i] = layer.At(st.name, n.value(s, st, images, values[:i], variables))
	}
	logits := values[len(values)-1]
	if batch := images.Shape().Dim(0); logits.Rank() != 2 || logits.Shape().Dim(0) != batch || logits.Shape().Dim(1) != n.classes {
		st := n.steps[len(n.steps)-1]
		panic(fmt.Errorf("node %q (%s) gives %s, and the logits of %d images and %d classes are wanted%s",
			st.name, st.op, logits.Shape(), batch, n.classes, n.guessed))
	}
	return logits
}

// value builds one step. Its panics name the node.
func (n *network) value(s *model.Scope, st step, images *Node, values []*Node, variables map[string]*Node) *Node {
	defer func() {
		if r := recover(); r != nil {
			err, ok := r.(error)
			if !ok {
				panic(r)
			}
			panic(fmt.Errorf("node %q (%s): %w%s", st.name, st.op, err, n.guessed))
		}
	}()
	if st.build == nil {
		g, dtype := images.Graph(), images.DType()
		return graph.Add(scale(images, graph.Scalar(g, dtype, n.high-n.low)), graph.Scalar(g, dtype, n.low))
	}
	in := make([]*Node, len(st.operands))
	for i, o := range st.operands {
		switch {
		case o.step >= 0:
			in[i] = values[o.step]
		case o.number != nil:
			in[i] = graph.Scalar(images.Graph(), images.DType(), *o.number)
		case o.weight != "":
			if variables[o.weight] == nil {
				variables[o.weight] = variable(s, images, o.weight, o.dims)
			}
			in[i] = variables[o.weight]
		}
	}
	y := st.build(in)
	if y.Rank() == 0 || y.Shape().Dim(0) != images.Shape().Dim(0) {
		panic(fmt.Errorf("it gives %s, where images [N, …] are wanted", y.Shape()))
	}
	numbers := 1.0
	for _, d := range y.Shape().Dimensions[1:] {
		numbers *= float64(d)
	}
	if numbers > maxNumbers {
		panic(fmt.Errorf("it gives %.0f numbers an image, of which %d are supported; give smaller images", numbers, maxNumbers))
	}
	return y
}

// variable returns the variable of a Const, whose scopes are the parts of its name.
func variable(s *model.Scope, images *Node, name string, dims []int) *Node {
	parts := strings.Split(name, "/")
	for _, scope := range parts[:len(parts)-1] {
		s = s.At("%s", scope)
	}
	return s.VariableWithShape(parts[len(parts)-1], shapes.Make(images.DType(), dims...)).NodeValue(images)
}

// call is a node that an operator checks. Its methods note the first error and return zeros after it.
type call struct {
	node     node
	planner  *planner
	sources  []int
	operands []operand
	channels int // what the operator says of step.channels
	err      error
}

func (c *call) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// attr returns an attribute of the node, of the type that get reads.
func attr[T any](c *call, get func(name string, missing T) (T, error), name string, missing T) T {
	v, err := get(name, missing)
	if err != nil {
		c.fail("%w", err)
	}
	return v
}

// inputs says how many inputs the operator takes.
func (c *call) inputs(n int) bool {
	if len(c.sources) != n {
		c.fail("it has %d inputs, and the operator takes %d", len(c.sources), n)
	}
	return c.err == nil
}

// depends says whether input i depends on the images.
func (c *call) depends(i int) bool {
	_, ok := c.planner.steps[c.sources[i]]
	return ok
}

// value takes input i, which must depend on the images. It returns its channels.
func (c *call) value(i int) (channels int) {
	k, ok := c.planner.steps[c.sources[i]]
	if !ok {
		c.fail("its input %q is a constant, where something that depends on the images is wanted", c.name(i))
		return 0
	}
	c.operands[i].step = k
	return c.planner.network.steps[k].channels
}

// name is that of input i.
func (c *call) name(i int) string { return c.planner.graph.nodes[c.sources[i]].name }

// constant returns the constant that input i is.
func (c *call) constant(i int) *tensor {
	k, ok := c.planner.constants[c.sources[i]]
	if !ok {
		c.fail("its input %q is not a constant, which the operator needs: freeze the graph", c.name(i))
		return &tensor{}
	}
	t, err := c.planner.tensor(k)
	if err != nil {
		c.fail("%w", err)
		return &tensor{}
	}
	return t
}

// integers returns the constant integers that input i is.
func (c *call) integers(i int) []int64 {
	t := c.constant(i)
	if c.err == nil && t.ints == nil && !slices.Equal(t.dims, []int{0}) {
		c.fail("its input %q is not of integers", c.name(i))
	}
	return t.ints
}

// weight takes input i, a constant of the given rank, or of any if that is negative, and returns its
// dimensions. With axes it becomes a variable; without, a number of the graph.
func (c *call) weight(i, rank int) []int {
	t := c.constant(i)
	switch {
	case c.err != nil:
		return make([]int, max(rank, 0))
	case !t.isFloat():
		c.fail("its input %q is not of floating-point numbers", c.name(i))
		return make([]int, max(rank, 0))
	case rank >= 0 && len(t.dims) != rank:
		c.fail("its input %q is shaped %v, where %d axes are wanted", c.name(i), t.dims, rank)
		return make([]int, rank)
	case len(t.dims) == 0:
		number := t.scalar()
		c.operands[i].number = &number
		return nil
	}
	name := c.planner.graph.nodes[c.planner.constants[c.sources[i]]].name
	if slices.Contains(strings.Split(name, "/"), "") {
		c.fail("its input %q cannot be the name of a weight", name)
		return t.dims
	}
	c.operands[i].weight, c.operands[i].dims = name, t.dims
	if path := "/" + name; c.planner.network.weights[path] == nil {
		w, err := t.weight()
		if err != nil {
			c.fail("its input %q: %w", name, err)
		}
		c.planner.network.weights[path] = w
	}
	return t.dims
}

// window counts the places of a window that the node's value is computed from.
func (c *call) window(taps int) {
	if c.planner.taps += taps; c.planner.taps > maxTaps {
		c.fail("windows of more than %d places", maxTaps)
	}
}
