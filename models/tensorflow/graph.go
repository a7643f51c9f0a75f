package tensorflow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"

	"lucigo/interp/near"
	"lucigo/models/internal/wire"
)

// What a file may have at most. The network of the package's name has some 600 nodes.
const (
	maxNodes  = 1 << 17
	maxInputs = 1 << 20 // of all nodes together
	maxName   = 1 << 10 // bytes
	maxRank   = 8
)

// graphDef is a GraphDef: its nodes, in the order of the file.
type graphDef struct {
	nodes []node
	index map[string]int
}

// node is a NodeDef. Its attributes are read when they are asked for.
type node struct {
	name, op string
	inputs   []string // as they are in the file: "name", "name:0", "^name"
	raw      []byte
}

// nodeName is TensorFlow's own rule.
var nodeName = regexp.MustCompile(`^[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*$`)

// parse reads a GraphDef.
func parse(b []byte) (*graphDef, error) {
	g := &graphDef{index: map[string]int{}}
	inputs := 0
	for f, err := range wire.Fields(b) {
		if err != nil {
			return nil, err
		}
		if f.Number != 1 {
			continue // versions and the library of functions
		}
		raw, err := f.Bytes()
		if err != nil {
			return nil, errors.New("this is no GraphDef; it may be a SavedModel: freeze it, which gives one file with graph and weights")
		}
		if len(g.nodes) == maxNodes {
			return nil, fmt.Errorf("more than %d nodes", maxNodes)
		}
		n, err := parseNode(raw, maxInputs-inputs)
		if err != nil {
			return nil, fmt.Errorf("node %d: %w", len(g.nodes), err)
		}
		if _, twice := g.index[n.name]; twice {
			return nil, fmt.Errorf("node %q appears twice", n.name)
		}
		inputs += len(n.inputs)
		g.index[n.name] = len(g.nodes)
		g.nodes = append(g.nodes, n)
	}
	if len(g.nodes) == 0 {
		return nil, errors.New("no nodes: this is no GraphDef")
	}
	return g, nil
}

func parseNode(raw []byte, most int) (node, error) {
	n := node{raw: raw}
	for f, err := range wire.Fields(raw) {
		if err != nil {
			return n, err
		}
		if f.Number > 3 {
			continue
		}
		text, err := f.Bytes()
		if err != nil {
			return n, err
		}
		if len(text) > maxName {
			return n, fmt.Errorf("a name of %d bytes", len(text))
		}
		switch f.Number {
		case 1:
			n.name = string(text)
		case 2:
			n.op = string(text)
		case 3:
			if len(n.inputs) == most {
				return n, fmt.Errorf("the nodes have more than %d inputs", maxInputs)
			}
			n.inputs = append(n.inputs, string(text))
		}
	}
	if !nodeName.MatchString(n.name) {
		return n, fmt.Errorf("a node cannot be named %.100q", n.name)
	}
	return n, nil
}

// find returns the node of a name that the caller chose.
func (g *graphDef) find(name string) (int, error) {
	i, ok := g.index[strings.TrimSuffix(name, ":0")]
	if !ok {
		var names []string
		for _, n := range g.nodes {
			if n.op != "Const" {
				names = append(names, n.name)
			}
		}
		return 0, near.Error("node", name, names)
	}
	return i, nil
}

// sources returns the nodes whose values node i takes, in order.
func (g *graphDef) sources(i int) ([]int, error) {
	var all []int
	for _, in := range g.nodes[i].inputs {
		if strings.HasPrefix(in, "^") {
			continue // only says what runs first
		}
		j, ok := g.index[strings.TrimSuffix(in, ":0")]
		switch {
		case !ok && strings.Contains(in, ":"):
			return nil, fmt.Errorf("node %q takes %.200q, and only the first outputs of nodes are supported", g.nodes[i].name, in)
		case !ok:
			return nil, fmt.Errorf("node %q takes %.200q, and there is no such node: the file is not complete", g.nodes[i].name, in)
		}
		all = append(all, j)
	}
	return all, nil
}

// order returns the nodes that output needs, each after what it needs itself. Those that the input needs
// are left out.
func (g *graphDef) order(output, input int) ([]int, error) {
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
				return nil, fmt.Errorf("node %q needs its own value: loops are not supported", g.nodes[j].name)
			case 0:
				stack = append(stack, j)
			}
		}
	}
	return out, nil
}

// attr returns an attribute of the node, an AttrValue; nil if it has none of that name.
func (n node) attr(name string) ([]byte, error) {
	var value []byte
	for f, err := range wire.Fields(n.raw) {
		if err != nil {
			return nil, err
		}
		if f.Number != 5 {
			continue
		}
		entry, err := f.Bytes()
		if err != nil {
			return nil, err
		}
		var key, v []byte
		for f, err := range wire.Fields(entry) {
			if err == nil && f.Number == 1 {
				key, err = f.Bytes()
			} else if err == nil && f.Number == 2 {
				v, err = f.Bytes()
			}
			if err != nil {
				return nil, err
			}
		}
		if string(key) == name {
			value = v[:len(v):len(v)]
			if value == nil {
				value = []byte{}
			}
		}
	}
	return value, nil
}

// field returns what is in one field of an attribute, and false where it does not.
func (n node) field(name string, number int) (value wire.Field, ok bool, err error) {
	b, err := n.attr(name)
	if err != nil {
		return value, false, err
	}
	for f, err := range wire.Fields(b) {
		if err != nil {
			return value, false, fmt.Errorf("attribute %q: %w", name, err)
		}
		if f.Number == number {
			value, ok = f, true
		}
	}
	if b != nil && !ok {
		return value, false, fmt.Errorf("attribute %q is of another type than the operator's", name)
	}
	return value, ok, nil
}

// text, integer, number, flag and integers return an attribute, or what it is where it is missing.
func (n node) text(name, missing string) (string, error) {
	f, ok, err := n.field(name, 2)
	if err != nil || !ok {
		return missing, err
	}
	b, err := f.Bytes()
	return string(b), err
}

func (n node) integer(name string, missing int64) (int64, error) {
	f, ok, err := n.field(name, 3)
	if err != nil || !ok {
		return missing, err
	}
	return f.Int()
}

func (n node) number(name string, missing float64) (float64, error) {
	f, ok, err := n.field(name, 4)
	if err != nil || !ok {
		return missing, err
	}
	b, err := f.Fixed(4)
	if err != nil || len(b) != 4 {
		return 0, fmt.Errorf("attribute %q is no number", name)
	}
	v := float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("attribute %q is %g: the file is damaged", name, v)
	}
	return v, nil
}

func (n node) flag(name string, missing bool) (bool, error) {
	f, ok, err := n.field(name, 5)
	if err != nil || !ok {
		return missing, err
	}
	v, err := f.Int()
	return v != 0, err
}

func (n node) integers(name string, missing []int64) ([]int64, error) {
	f, ok, err := n.field(name, 1)
	if err != nil || !ok {
		return missing, err
	}
	b, err := f.Bytes()
	if err != nil {
		return nil, err
	}
	var list []int64
	for f, err := range wire.Fields(b) {
		if err == nil && f.Number == 3 {
			list, err = f.Ints(list, maxRank)
		}
		if err != nil {
			return nil, fmt.Errorf("attribute %q: %w", name, err)
		}
	}
	return list, nil
}

// shape reads a TensorShapeProto: the lengths of the axes, −1 for one that is open; nil if even their
// number is.
func shape(b []byte) ([]int64, error) {
	dims := []int64{}
	for f, err := range wire.Fields(b) {
		if err != nil {
			return nil, err
		}
		switch f.Number {
		case 2:
			dim, err := f.Bytes()
			if err != nil {
				return nil, err
			}
			if len(dims) == maxRank {
				return nil, fmt.Errorf("more than %d axes", maxRank)
			}
			var size int64
			for f, err := range wire.Fields(dim) {
				if err == nil && f.Number == 1 {
					size, err = f.Int()
				}
				if err != nil {
					return nil, err
				}
			}
			dims = append(dims, max(size, -1))
		case 3:
			if open, err := f.Int(); err != nil || open != 0 {
				return nil, err
			}
		}
	}
	return dims, nil
}
