package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
	"lucigo/models/layout"
)

// Operator checks a node and returns what builds its value.
type Operator func(c *Call) Build

// Call is a node that an Operator checks. Its methods note the first error and return zeros after it.
type Call struct {
	p        *planner
	node     *Node
	sources  []int
	operands []operand
	channels int // of step.channels
	err      error
}

// Fail notes an error.
func (c *Call) Fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// Attribute returns an attribute of the node, or missing where it has none of that name.
func Attribute[T int64 | float64 | string | []int64](c *Call, name string, missing T) T {
	if err := c.node.Attributes.Attribute(name, &missing); err != nil {
		c.Fail("%w", err)
	}
	return missing
}

// Inputs returns how many inputs the node has.
func (c *Call) Inputs() int { return len(c.sources) }

// takes says whether the node has n inputs, as the operator wants.
func (c *Call) takes(n int) bool {
	if len(c.sources) != n {
		c.Fail("it has %d inputs, and the operator takes %d", len(c.sources), n)
	}
	return c.err == nil
}

// depends says whether input i depends on the images.
func (c *Call) depends(i int) bool {
	_, ok := c.p.stepOf[c.sources[i]]
	return ok
}

// value takes input i, which must depend on the images. It returns its channels.
func (c *Call) value(i int) (channels int) {
	k, ok := c.p.stepOf[c.sources[i]]
	if !ok {
		c.Fail("its input %q is a constant, must depend on the images", c.name(i))
		return 0
	}
	c.operands[i] = func(b *building) *graph.Node { return b.values[k] }
	return c.p.network.steps[k].channels
}

// name is that of input i.
func (c *Call) name(i int) string { return c.p.nodes[c.sources[i]].Name }

// constant returns the constant that input i is.
func (c *Call) constant(i int) *constant {
	k := c.p.constantOf[c.sources[i]]
	if k == nil {
		c.Fail("its input %q is not a constant, which the operator needs: the file must hold the weights", c.name(i))
		return &constant{value: &Constant{}}
	}
	if k.value == nil {
		v, err := k.Value()
		if err != nil {
			c.Fail("constant %q: %w", k.Name, err)
			v = &Constant{}
		}
		k.value = v
	}
	return k
}

// Integers returns the constant integers that input i is.
func (c *Call) Integers(i int) []int64 {
	t := c.constant(i).value
	if c.err == nil && t.Ints == nil && !slices.Equal(t.Dims, []int{0}) {
		c.Fail("its input %q is not of integers", c.name(i))
	}
	return t.Ints
}

// weight takes input i, a constant of the given rank, or of any if that is negative, and returns its dimensions. With
// axes it becomes a variable; without, a number of the graph. If outFirst, it is [out, in, h, w] or [out, in] in the
// file, and becomes [h, w, in, out] or [in, out].
func (c *Call) weight(i, rank int, outFirst bool) []int {
	k := c.constant(i)
	t := k.value
	switch {
	case c.err != nil:
		return make([]int, max(rank, 0))
	case t.F32 == nil && t.F64 == nil:
		c.Fail("its input %q is not of floating-point numbers", c.name(i))
		return make([]int, max(rank, 0))
	case rank >= 0 && len(t.Dims) != rank:
		c.Fail("its input %q is shaped %v, must have %d axes", c.name(i), t.Dims, rank)
		return make([]int, rank)
	case len(t.Dims) == 0:
		c.operands[i] = func(b *building) *graph.Node { return b.number(t.first()) }
		return nil
	}
	dims := t.Dims
	if outFirst {
		dims = append(slices.Clone(t.Dims[2:]), t.Dims[1], t.Dims[0])
	}
	c.operands[i] = func(b *building) *graph.Node { return b.variable(k.Name, dims) }
	switch {
	case slices.Contains(strings.Split(k.Name, "/"), ""):
		c.Fail("its input %q cannot be the name of a weight", k.Name)
	case k.weight == nil:
		var err error
		if k.weight, err = t.weight(dims, outFirst); err != nil {
			c.Fail("its input %q: %w", k.Name, err)
		}
		c.p.weights["/"+k.Name], k.turned = k.weight, outFirst
	case k.turned != outFirst:
		c.Fail("its input %q is the weight of another operator, which has another layout: this is not supported", k.Name)
	}
	return dims
}

// first returns the only number of a constant without axes.
func (t *Constant) first() float64 {
	if t.F64 != nil {
		return t.F64[0]
	}
	return float64(t.F32[0])
}

func (t *Constant) weight(dims []int, outFirst bool) (*interp.Weight, error) {
	if t.F64 != nil {
		return weight(t.F64, dims, outFirst)
	}
	return weight(t.F32, dims, outFirst)
}

func weight[T float32 | float64](data []T, dims []int, outFirst bool) (*interp.Weight, error) {
	if outFirst {
		out, in := dims[len(dims)-1], dims[len(dims)-2]
		data = layout.HWIO(data, out, in, 1, len(data)/max(1, out*in))
	}
	return interp.NewWeight(data, dims...)
}
