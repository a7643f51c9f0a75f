// Package plan makes networks of the graphs of operators in which other frameworks store them: a package that reads a
// format tells the nodes of a file and what its operators mean, in terms of the operators that Call has.
//
// The networks are built from the layers of lucigo/interp/layer, so that every method and every Rule works on them. Each
// node whose value depends on the images is a layer, of the node's name; each constant with axes is a weight, /NAME.
// Layers take images of any size as far as the operators do.
//
// Nothing in a graph is believed: shapes, windows and the memory that they take are bounded.
package plan

import (
	"fmt"
	"slices"

	"lucigo/interp/near"
)

// Format is a format of files.
type Format struct {
	Layout

	// Operators are what nodes may do.
	Operators map[string]Operator

	// Input, Constant and Identity are the operators of the images, of constants and of nodes that hand on their input,
	// be it a constant; Softmax is that which turns logits into probabilities.
	Input, Constant, Identity, Softmax string
}

// Layout says in which order a format has the axes of tensors. The zero value is the order of package layer.
type Layout struct {
	// ChannelsFirst says that images are [N, C, H, W], not [N, H, W, C].
	ChannelsFirst bool

	// OutFirst says that the weights of convolutions are [out, in, h, w], not [h, w, in, out].
	OutFirst bool
}

// Node is an operator and its inputs, the names of nodes.
type Node struct {
	Name, Op   string
	Inputs     []string
	Attributes Attributes

	// Shape returns the shape of images at a node whose operator is Format.Input, with −1 for an axis that is open; none
	// if it is not known.
	Shape func() ([]int64, error)

	// Value reads the value of a node whose operator is Format.Constant. It is called once, and only if it is needed.
	Value func() (*Constant, error)
}

// Attributes are those of a node.
type Attributes interface {
	// Attribute reads the attribute of a name into value, a *int64, *float64, *string or *[]int64, unless there is none. A
	// number is finite, and a list has at most 8 integers.
	Attribute(name string, value any) error
}

// Constant is a tensor, row-major, of as many numbers as Dims say. One of F32, F64 and Ints is set, unless there are none.
type Constant struct {
	Dims []int
	F32  []float32
	F64  []float64
	Ints []int64
}

// source is the nodes of a file.
type source struct {
	Format
	nodes []Node
	index map[string]int
	from  [][]int // the nodes whose values each takes, in order; −1 for one that is not there
}

func newSource(f Format, nodes []Node) (*source, error) {
	g := &source{Format: f, nodes: nodes, index: map[string]int{}}
	for i, n := range nodes {
		if _, twice := g.index[n.Name]; twice {
			return nil, fmt.Errorf("node %q appears twice", n.Name)
		}
		g.index[n.Name] = i
	}
	for _, n := range nodes { // once: to look a name up takes long
		from := make([]int, len(n.Inputs))
		for k, in := range n.Inputs {
			i, ok := g.index[in]
			if !ok {
				i = -1
			}
			from[k] = i
		}
		g.from = append(g.from, from)
	}
	return g, nil
}

// find returns the node of a name that an option chooses.
func (g *source) find(option, name string) (int, error) {
	if i, ok := g.index[name]; ok {
		return i, nil
	}
	var names []string
	for _, n := range g.nodes {
		if n.Op != g.Constant {
			names = append(names, n.Name)
		}
	}
	return 0, fmt.Errorf("%s: %w", option, near.Error("node", name, names))
}

// sources returns the nodes whose values node i takes, in order.
func (g *source) sources(i int) ([]int, error) {
	if k := slices.Index(g.from[i], -1); k >= 0 {
		return nil, fmt.Errorf("node %q takes %.200q, and there is no such node: the file is not complete, or it takes another output than a node's first",
			g.nodes[i].Name, g.nodes[i].Inputs[k])
	}
	return g.from[i], nil
}

// order returns the nodes that output needs, each after what it needs itself. Those that the input needs are left out.
func (g *source) order(output, input int) ([]int, error) {
	const open, done = 1, 2
	var (
		out   []int
		state = make([]byte, len(g.nodes))
		stack = []int{output}
	)
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		if state[i] != 0 {
			stack = stack[:len(stack)-1]
			if state[i] == open {
				state[i] = done
				out = append(out, i)
			}
			continue
		}
		state[i] = open
		if i == input {
			continue
		}
		sources, err := g.sources(i)
		if err != nil {
			return nil, err
		}
		for k := len(sources) - 1; k >= 0; k-- { // the first is popped first
			switch j := sources[k]; state[j] {
			case open:
				return nil, fmt.Errorf("node %q needs its own value: loops are not supported", g.nodes[j].Name)
			case 0:
				stack = append(stack, j)
			}
		}
	}
	return out, nil
}

// output returns the node of the logits: the named one, or the input of the Softmax that the most nodes lead to.
func (g *source) output(name string) (int, error) {
	if name != "" {
		return g.find("Options.Output", name)
	}
	const most = 64
	var softmaxes []int
	for i, n := range g.nodes {
		if n.Op == g.Softmax {
			softmaxes = append(softmaxes, i)
		}
	}
	if len(softmaxes) > most {
		return 0, fmt.Errorf("%d %s nodes, and of at most %d one is chosen: set Options.Output to the node of the logits", len(softmaxes), g.Softmax, most)
	}
	best, longest, tied, mark := 0, 0, false, make([]int, len(g.nodes))
	for k, i := range softmaxes {
		n := g.nodes[i]
		sources, err := g.sources(i)
		if err != nil {
			return 0, err
		}
		if len(sources) != 1 {
			return 0, fmt.Errorf("node %q (%s) has %d inputs, must have 1", n.Name, n.Op, len(sources))
		}
		if k > 0 && sources[0] == best {
			continue
		}
		if leads := g.leads(sources[0], mark, k+1); leads >= longest {
			best, longest, tied = sources[0], leads, leads == longest
		}
	}
	switch {
	case len(softmaxes) == 0:
		return 0, fmt.Errorf("no %s: set Options.Output to the node of the logits", g.Softmax)
	case tied:
		return 0, fmt.Errorf("several %s nodes that as many nodes lead to: set Options.Output to the node of the logits", g.Softmax)
	}
	return best, nil
}

// leads returns how many nodes a node needs, itself included, as far as they are there. It marks them with a number of its own.
func (g *source) leads(node int, mark []int, own int) (n int) {
	for stack := []int{node}; len(stack) > 0; {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if i < 0 || mark[i] == own {
			continue
		}
		mark[i] = own
		n++
		stack = append(stack, g.from[i]...)
	}
	return n
}

// input returns the node of the images: the named one, or the only input that the output needs.
func (g *source) input(name string, output int) (int, error) {
	if name != "" {
		return g.find("Options.Input", name)
	}
	order, err := g.order(output, -1)
	if err != nil {
		return 0, err
	}
	found := -1
	for _, i := range order {
		switch {
		case g.nodes[i].Op != g.Input:
		case found >= 0:
			return 0, fmt.Errorf("two %s nodes, %q and %q: set Options.Input to the node of the images", g.Input, g.nodes[found].Name, g.nodes[i].Name)
		default:
			found = i
		}
	}
	if found < 0 {
		return 0, fmt.Errorf("node %q needs no %s: set Options.Input to the node of the images", g.nodes[output].Name, g.Input)
	}
	return found, nil
}

// size fills in, where size has a 0, what the input's shape says, or else what is usual.
func (g *source) size(input int, size [3]int) ([3]int, error) {
	n := g.nodes[input]
	var says []int64
	if n.Op == g.Input && n.Shape != nil {
		var err error
		if says, err = n.Shape(); err != nil {
			return size, fmt.Errorf("node %q (%s): %w", n.Name, n.Op, err)
		}
	}
	if len(says) != 0 && len(says) != 4 {
		return size, fmt.Errorf("node %q (%s) is shaped %v, must be shaped as images are, with 4 axes: set Options.Input", n.Name, n.Op, says)
	}
	axes := [3]int{1, 2, 3}
	if g.ChannelsFirst {
		axes = [3]int{2, 3, 1}
	}
	numbers := 1.0
	for i, usual := range [3]int{224, 224, 3} {
		if size[i] == 0 && len(says) == 4 && says[axes[i]] > 0 && says[axes[i]] <= maxNumbers {
			size[i] = int(says[axes[i]])
		}
		if size[i] == 0 {
			size[i] = usual
		}
		numbers *= float64(size[i])
	}
	if min(size[0], size[1], size[2]) < 1 || numbers > maxNumbers {
		return size, fmt.Errorf("images of %v are not supported", size)
	}
	return size, nil
}
