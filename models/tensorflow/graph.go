package tensorflow

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"

	"lucigo/models/internal/plan"
	"lucigo/models/internal/wire"
)

// What a file may have at most. The network of the package's name has some 600 nodes.
const (
	maxNodes  = 1 << 17
	maxInputs = 1 << 20 // of all nodes together
	maxName   = 1 << 10 // bytes
	maxRank   = 8
)

// nodeName is TensorFlow's own rule.
var nodeName = regexp.MustCompile(`^[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*$`)

// parse reads a GraphDef: its nodes, in the order of the file.
func parse(b []byte) (nodes []plan.Node, err error) {
	inputs, left := 0, maxFill
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
		if len(nodes) == maxNodes {
			return nil, fmt.Errorf("more than %d nodes", maxNodes)
		}
		n, err := parseNode(raw, maxInputs-inputs)
		if err != nil {
			return nil, fmt.Errorf("node %d: %w", len(nodes), err)
		}
		inputs += len(n.Inputs)
		def := nodeDef(raw)
		n.Attributes = def
		n.Shape = func() ([]int64, error) {
			var s shapeProto
			if err := def.Attribute("shape", &s); err != nil {
				return nil, err
			}
			return shape(s)
		}
		n.Value = func() (*plan.Constant, error) {
			var t tensorProto
			if err := def.Attribute("value", &t); err != nil {
				return nil, err
			}
			return parseTensor(t, &left)
		}
		nodes = append(nodes, n)
	}
	if len(nodes) == 0 {
		return nil, errors.New("no nodes: this is no GraphDef")
	}
	return nodes, nil
}

func parseNode(raw []byte, most int) (n plan.Node, err error) {
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
		switch name := string(text); {
		case f.Number == 1:
			n.Name = name
		case f.Number == 2:
			n.Op = name
		case len(n.Inputs) == most:
			return n, fmt.Errorf("the nodes have more than %d inputs", maxInputs)
		case name[:min(1, len(name))] != "^": // which only says what runs first
			n.Inputs = append(n.Inputs, strings.TrimSuffix(name, ":0"))
		}
	}
	if !nodeName.MatchString(n.Name) {
		return n, fmt.Errorf("a node cannot be named %.100q", n.Name)
	}
	return n, nil
}

// nodeDef is a NodeDef. Its attributes are read when they are asked for: it is a plan.Attributes.
type nodeDef []byte

// attr returns an attribute of the node, an AttrValue; nil if it has none of that name.
func (n nodeDef) attr(name string) (value []byte, err error) {
	for f, err := range wire.Fields(n) {
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
		var key []byte
		v := []byte{}
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
			value = v
		}
	}
	return value, nil
}

// Attribute reads an attribute into value, a pointer, unless the node has none of that name.
func (n nodeDef) Attribute(name string, value any) error {
	b, err := n.attr(name)
	if err != nil || b == nil {
		return err
	}
	found := false
	for f, err := range wire.Fields(b) {
		is := false
		if err == nil {
			is, err = read(f, value)
		}
		if err != nil {
			return fmt.Errorf("attribute %q: %w", name, err)
		}
		found = found || is
	}
	if !found {
		return fmt.Errorf("attribute %q is of another type than the operator's", name)
	}
	return nil
}

// tensorProto is a value of a Const, shapeProto that of the attribute by which a Placeholder tells its axes.
type (
	tensorProto []byte
	shapeProto  []byte
)

// read reads a field of an AttrValue if it is that of value's type.
func read(f wire.Field, value any) (is bool, err error) {
	if v, integer := value.(*int64); integer && (f.Number == 3 || f.Number == 5) { // or a bool
		*v, err = f.Int()
		return true, err
	}
	var b []byte
	if f.Number != 4 {
		b, err = f.Bytes()
	}
	switch v := value.(type) {
	case *string:
		if is = f.Number == 2; is {
			*v = string(b)
		}
	case *shapeProto:
		if is = f.Number == 7; is {
			*v = b
		}
	case *tensorProto:
		if is = f.Number == 8; is {
			*v = b
		}
	case *float64:
		if is = f.Number == 4; is {
			if b, err = f.Fixed(4); err == nil && len(b) == 4 {
				*v = float64(wire.Float32(b))
			}
			if len(b) != 4 || math.IsNaN(*v) || math.IsInf(*v, 0) {
				err = fmt.Errorf("it is %g, must be a finite number: the file is damaged", *v)
			}
		}
	case *[]int64:
		if is = f.Number == 1; is {
			*v = nil
			for f, e := range wire.Fields(b) {
				if e == nil && f.Number == 3 {
					*v, e = f.Ints(*v, maxRank)
				}
				err = errors.Join(err, e)
			}
		}
	}
	if !is {
		return false, nil
	}
	return true, err
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
