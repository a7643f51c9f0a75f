package tensorflow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"lucigo/models/internal/label"
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
	for f := range wire.Fields(b, &err) {
		if f.Number != 1 {
			continue // versions and the library of functions
		}
		raw, e := f.Bytes()
		if e != nil {
			return nil, errors.New("this is no GraphDef; it may be a SavedModel: freeze it, which gives one file with graph and weights")
		}
		if len(nodes) == maxNodes {
			return nil, fmt.Errorf("more than %d nodes", maxNodes)
		}
		n, e := parseNode(raw, maxInputs-inputs)
		if e != nil {
			return nil, fmt.Errorf("node %d: %w", len(nodes), e)
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
	if err == nil && len(nodes) == 0 {
		err = errors.New("no nodes: this is no GraphDef")
	}
	return nodes, err
}

func parseNode(raw []byte, most int) (n plan.Node, err error) {
	for f := range wire.Fields(raw, &err) {
		if f.Number > 3 {
			continue
		}
		var text []byte
		if text, err = f.Bytes(); len(text) > maxName {
			err = fmt.Errorf("a name of %d bytes", len(text))
		}
		switch name := string(text); {
		case f.Number == 1:
			n.Name = name
		case f.Number == 2:
			n.Op = name
		case len(n.Inputs) == most:
			err = fmt.Errorf("the nodes have more than %d inputs", maxInputs)
		case !strings.HasPrefix(name, "^"): // which only says what runs first
			n.Inputs = append(n.Inputs, strings.TrimSuffix(name, ":0"))
		}
	}
	switch {
	case err != nil:
	case !nodeName.MatchString(n.Name):
		err = fmt.Errorf("a node cannot be named %.100q", n.Name)
	default:
		err = label.Check(n.Op)
	}
	return n, err
}

// nodeDef is a NodeDef. Its attributes are read when they are asked for: it is a plan.Attributes.
type nodeDef []byte

// attr returns an attribute of the node, an AttrValue; nil if it has none of that name.
func (n nodeDef) attr(name string) (value []byte, err error) {
	for f := range wire.Fields(n, &err) {
		if f.Number != 5 {
			continue
		}
		var entry, key []byte
		entry, err = f.Bytes()
		v := []byte{}
		for f := range wire.Fields(entry, &err) {
			switch f.Number {
			case 1:
				key, err = f.Bytes()
			case 2:
				v, err = f.Bytes()
			}
		}
		if string(key) == name {
			value = v
		}
	}
	return value, err
}

// Attribute reads an attribute into value, a pointer, unless the node has none of that name.
func (n nodeDef) Attribute(name string, value any) error {
	b, err := n.attr(name)
	if err != nil || b == nil {
		return err
	}
	found := false
	for f := range wire.Fields(b, &err) {
		var is bool
		is, err = read(f, value)
		found = found || is
	}
	switch {
	case err != nil:
		return fmt.Errorf("attribute %q: %w", name, err)
	case !found:
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
	var b []byte
	switch v := value.(type) {
	case *int64:
		if is = f.Number == 3 || f.Number == 5; is { // or a bool
			*v, err = f.Int()
		}
	case *string:
		if is = f.Number == 2; is {
			b, err = f.Bytes()
			*v = string(b)
		}
	case *shapeProto:
		if is = f.Number == 7; is {
			*v, err = f.Bytes()
		}
	case *tensorProto:
		if is = f.Number == 8; is {
			*v, err = f.Bytes()
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
			b, err = f.Bytes()
			for f := range wire.Fields(b, &err) {
				if f.Number == 3 {
					*v, err = f.Ints(*v, maxRank)
				}
			}
		}
	}
	return is, err
}

// shape reads a TensorShapeProto: the lengths of the axes, −1 for one that is open; nil if even their number is.
func shape(b []byte) (dims []int64, err error) {
	dims = []int64{}
	for f := range wire.Fields(b, &err) {
		switch f.Number {
		case 2:
			if len(dims) == maxRank {
				return nil, fmt.Errorf("more than %d axes", maxRank)
			}
			var dim []byte
			var size int64
			dim, err = f.Bytes()
			for f := range wire.Fields(dim, &err) {
				if f.Number == 1 {
					size, err = f.Int()
				}
			}
			dims = append(dims, max(size, -1))
		case 3:
			if open, err := f.Int(); err != nil || open != 0 {
				return nil, err
			}
		}
	}
	return dims, err
}

// TensorFlow's numbers for the types of tensors that are read.
const (
	typeFloat  = 1
	typeDouble = 2
	typeInt32  = 3
	typeInt64  = 9
)

// fill bounds how many numbers the tensors of a file may have that are not there: a TensorProto may
// leave out the repetitions of its last number.
type fill int

const maxFill fill = 1 << 20

// parseTensor reads a TensorProto.
func parseTensor(b []byte, left *fill) (*plan.Constant, error) {
	var (
		err              error
		kind             int64
		dims             []int64
		content, itsAxes []byte
		t                plan.Constant
	)
	for f := range wire.Fields(b, &err) {
		switch f.Number {
		case 1:
			kind, err = f.Int()
		case 2:
			if itsAxes, err = f.Bytes(); err == nil {
				dims, err = shape(itsAxes)
			}
		case 4:
			content, err = f.Bytes()
		case 5:
			t.F32, err = wire.Numbers(t.F32, f, 4, wire.Float32)
		case 6:
			t.F64, err = wire.Numbers(t.F64, f, 8, wire.Float64)
		case 7, 10: // int_val, int64_val
			t.Ints, err = f.Ints(t.Ints, maxInts)
		}
	}
	if err != nil {
		return nil, err
	}
	size := 1
	for _, d := range dims {
		if d < 0 || d > 0 && int64(size) > math.MaxInt32/d {
			return nil, fmt.Errorf("it is shaped %v", dims)
		}
		size *= int(d)
		t.Dims = append(t.Dims, int(d))
	}
	switch kind {
	case typeFloat:
		t.F64, t.Ints = nil, nil
		t.F32, err = complete(t.F32, content, 4, wire.Float32, size, left)
	case typeDouble:
		t.F32, t.Ints = nil, nil
		t.F64, err = complete(t.F64, content, 8, wire.Float64, size, left)
	case typeInt32, typeInt64:
		if size > maxInts {
			return nil, fmt.Errorf("it has %d integers, must have at most %d", size, maxInts)
		}
		t.F32, t.F64 = nil, nil
		width, from := 8, func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }
		if kind == typeInt32 {
			width, from = 4, func(b []byte) int64 { return int64(int32(binary.LittleEndian.Uint32(b))) }
		}
		t.Ints, err = complete(t.Ints, content, width, from, size, left)
	default:
		err = fmt.Errorf("its type is number %d, and only float (1), double (2), int32 (3) and int64 (9) are supported", kind)
	}
	return &t, err
}

// maxInts is how many integers a tensor may have: they are axes and shapes.
const maxInts = 64

// complete returns the numbers of a tensor of the given size: those of content, or else data and as many
// more of its last number, zeros if it has none, as are missing.
func complete[T any](data []T, content []byte, width int, from func([]byte) T, size int, left *fill) ([]T, error) {
	if len(content) > 0 {
		if len(content) != size*width {
			return nil, fmt.Errorf("it has %d bytes, must have %d numbers of %d bytes: the file is damaged", len(content), size, width)
		}
		return wire.Decode[T](nil, content, width, from), nil
	}
	missing := size - len(data)
	switch {
	case missing < 0:
		return nil, fmt.Errorf("it has %d numbers, must have %d: the file is damaged", len(data), size)
	case fill(missing) > *left:
		return nil, fmt.Errorf("%d of its numbers are left out of the file, which is not supported for so many", missing)
	}
	*left -= fill(missing)
	last := make([]T, 1)
	if len(data) > 0 {
		last = data[len(data)-1:]
	}
	return append(data, slices.Repeat(last, missing)...), nil
}
