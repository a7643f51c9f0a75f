package tensorflow

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// array is a dense array, row-major. One without axes has one number.
type array struct {
	Dims []int
	Data []float64
}

// attrs are a node's attributes by name: string, int, float32, bool, []int, or axes.
type attrs map[string]any

// axes is the attribute of a Placeholder: the lengths of the axes, −1 for one that is open.
type axes []int

// written is a graph being written. Its zero value is empty. It shares nothing with the reader that it tests.
type written struct {
	Nodes []node
}

// node is an operator, its inputs and its attributes, or a constant.
type node struct {
	Name, Op string
	Inputs   []string
	Attrs    attrs
	Value    *array // of a Const
	Integers bool   // whether Value is of int32, or else of float
}

// Add writes a node and returns its name.
func (g *written) Add(name, op string, a attrs, inputs ...string) string {
	return g.add(node{Name: name, Op: op, Attrs: a, Inputs: inputs})
}

// Const writes a constant of float32, and returns its name. Numbers are rounded to float32.
func (g *written) Const(name string, data []float64, dims ...int) string {
	rounded := make([]float64, len(data))
	for i, v := range data {
		rounded[i] = float64(float32(v))
	}
	return g.add(node{Name: name, Op: "Const", Value: &array{dims, rounded}})
}

// Ints writes a constant of int32 with one axis, or, if scalar, none, and returns its name.
func (g *written) Ints(name string, scalar bool, data ...int) string {
	v := array{Dims: []int{len(data)}}
	if scalar {
		v.Dims = nil
	}
	for _, d := range data {
		v.Data = append(v.Data, float64(d))
	}
	return g.add(node{Name: name, Op: "Const", Value: &v, Integers: true})
}

func (g *written) add(n node) string {
	g.Nodes = append(g.Nodes, n)
	return n.Name
}

func writeInt(b []byte, field protowire.Number, v int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(v))
}

// Encode returns the GraphDef.
func (g *written) Encode() []byte {
	var b []byte
	for _, n := range g.Nodes {
		m := message(message(nil, 1, []byte(n.Name)), 2, []byte(n.Op))
		for _, in := range n.Inputs {
			m = message(m, 3, []byte(in))
		}
		attr := func(name string, value []byte) {
			m = message(m, 5, message(message(nil, 1, []byte(name)), 2, value))
		}
		for _, name := range slices.Sorted(maps.Keys(n.Attrs)) {
			attr(name, attrValue(n.Attrs[name]))
		}
		if n.Value != nil {
			kind := 1
			if n.Integers {
				kind = 3
			}
			attr("dtype", writeInt(nil, 6, kind))
			attr("value", message(nil, 8, n.tensor(kind)))
		}
		b = message(b, 1, m)
	}
	return message(b, 4, writeInt(nil, 1, 21)) // versions
}

func attrValue(v any) []byte {
	switch v := v.(type) {
	case string:
		return message(nil, 2, []byte(v))
	case int:
		return writeInt(nil, 3, v)
	case float32:
		return protowire.AppendFixed32(protowire.AppendTag(nil, 4, protowire.Fixed32Type), math.Float32bits(v))
	case bool:
		if v {
			return writeInt(nil, 5, 1)
		}
		return writeInt(nil, 5, 0)
	case []int:
		var packed []byte
		for _, i := range v {
			packed = protowire.AppendVarint(packed, uint64(i))
		}
		return message(nil, 1, message(nil, 3, packed))
	case axes:
		return message(nil, 7, writeShape(v))
	}
	panic(fmt.Sprintf("no attribute %T", v))
}

func writeShape(dims []int) (b []byte) {
	for _, d := range dims {
		b = message(b, 2, writeInt(nil, 1, d))
	}
	return b
}

// tensor is a TensorProto.
func (n node) tensor(kind int) []byte {
	b := message(writeInt(nil, 1, kind), 2, writeShape(n.Value.Dims))
	var content []byte
	for _, v := range n.Value.Data {
		bits := math.Float32bits(float32(v))
		if n.Integers {
			bits = uint32(int32(v))
		}
		content = protowire.AppendFixed32(content, bits)
	}
	return message(b, 4, content)
}
