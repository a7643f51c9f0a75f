package receptive

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"lucigo/interp/random"
)

// dependence is which numbers of an image a layer's values depend on, as the operators of the graph say:
// no number is computed, so that nothing can cancel, saturate or overflow. Weights count as if none were
// zero; other constants count as they are.
type dependence struct {
	image, value *graph.Node
	depends      map[*graph.Node]bool
	nodes        []*graph.Node // those between image and value that depend on the image, in order

	// read holds values of nodes that do not depend on the image: where an operand is not zero, and,
	// for a node that moves numbers to computed places, where each comes from.
	read map[*graph.Node][]int32
}

// newDependence prepares the graph between the nodes of an image and of a layer.
func newDependence(image, value *graph.Node) (*dependence, error) {
	d := &dependence{image: image, value: value, depends: map[*graph.Node]bool{}, read: map[*graph.Node][]int32{}}
	needed := map[*graph.Node]bool{value: true}
	all := slices.Clone(image.Graph().Nodes())
	for _, n := range slices.Backward(all) {
		for _, x := range n.Inputs() {
			needed[x] = needed[x] || needed[n]
		}
	}
	for _, n := range all {
		// A branch or a loop may read the image without having it as an input.
		hidden := n.Type() == graph.NodeTypeIf || n.Type() == graph.NodeTypeWhile || n.Type() == graph.NodeTypeCall
		d.depends[n] = n == image || hidden || slices.ContainsFunc(n.Inputs(), func(x *graph.Node) bool { return d.depends[x] })
		if needed[n] && d.depends[n] {
			d.nodes = append(d.nodes, n)
		}
	}
	return d, d.readConstants()
}

// readConstants computes the values in read, with weights that are random and not zero.
func (d *dependence) readConstants() error {
	var of, wanted []*graph.Node
	want := func(n, value *graph.Node) {
		if !slices.Contains(of, n) {
			of, wanted = append(of, n), append(wanted, value)
		}
	}
	for _, n := range d.nodes {
		if mix := movers[n.Type()]; mix > 0 && len(n.Inputs()) > mix {
			if source := d.sources(n, mix); source != nil {
				want(n, source)
			}
		}
		for _, k := range selectors[n.Type()] {
			switch x := n.Inputs()[k]; {
			case d.depends[x] || nowhereZero(x):
			case x.DType() == dtypes.Bool:
				want(x, graph.ConvertDType(x, dtypes.Int32))
			default:
				want(x, graph.ConvertDType(graph.NotEqual(x, graph.ZerosLike(x)), dtypes.Int32))
			}
		}
	}
	if of == nil {
		return nil
	}
	g := d.image.Graph()
	if err := g.Compile(wanted...); err != nil {
		return err
	}
	var inputs []any
	for i := range g.NumParameters() {
		t, err := generic(uint64(i), g.GetParameterByHandle(graph.ParameterHandle(i)).Shape())
		if err != nil {
			return err
		}
		defer t.FinalizeAll()
		inputs = append(inputs, t)
	}
	for i, t := range g.Run(inputs...) {
		flat, err := tensors.CopyFlatData[int32](t)
		if err != nil {
			return err
		}
		if slices.Contains(flat, 0) || movers[of[i].Type()] > 0 {
			d.read[of[i]] = flat
		}
		t.FinalizeAll()
	}
	return nil
}

// generic returns numbers between ½ and 1½ in which no coincidence hides a dependence.
func generic(key uint64, shape shapes.Shape) (*tensors.Tensor, error) {
	t, stream := tensors.FromShape(shape), random.New(1, key, 0)
	err := t.MutableFlatData(func(flat any) {
		v := reflect.ValueOf(flat)
		for i := range v.Len() {
			v.Index(i).SetFloat(stream.Uniform(i) + .5)
		}
	})
	return t, err
}

// nowhereZero reports whether it is plain that a node that does not depend on the image is not zero: it is
// made of weights and of constants other than zero, without sums that could cancel.
func nowhereZero(n *graph.Node) bool {
	switch n.Type() {
	case graph.NodeTypeParameter:
		return true
	case graph.NodeTypeConstant:
		t := n.ConstantValue() // of large constants GoMLX keeps none
		return t != nil && t.Shape().IsScalar() && t.DType().IsFloat() && fmt.Sprint(t.Value()) != "0"
	case graph.NodeTypeReshape, graph.NodeTypeTranspose, graph.NodeTypeSlice, graph.NodeTypeReverse, graph.NodeTypeBroadcastInDim,
		graph.NodeTypeConcatenate, graph.NodeTypeNeg, graph.NodeTypeSqrt, graph.NodeTypeRsqrt, graph.NodeTypeMul, graph.NodeTypeDiv:
		return !slices.ContainsFunc(n.Inputs(), func(x *graph.Node) bool { return !nowhereZero(x) })
	case graph.NodeTypeAdd: // of a weight, which is random, and something that is not the same weight
		return nowhereZero(n.Inputs()[0]) && nowhereZero(n.Inputs()[1])
	}
	return false
}

// sources returns the node that says, for each number of n, which number of its first mix inputs it is,
// counted through them; nil where that depends on the image.
func (d *dependence) sources(n *graph.Node, mix int) *graph.Node {
	inputs := slices.Clone(n.Inputs())
	if slices.ContainsFunc(inputs[mix:], func(x *graph.Node) bool { return d.depends[x] }) {
		return nil
	}
	first := 0
	for k, x := range inputs[:mix] {
		number := graph.IotaFull(x.Graph(), shapes.Make(dtypes.Int32, x.Shape().Dimensions...))
		inputs[k] = graph.AddScalar(number, float64(first))
		first += x.Shape().Size()
	}
	return n.CloneWithInputs(inputs...)
}

// sweep returns, for each number of the image, which of up to 64 questions depend on it: a bit each. Asked
// has the bits of the layer's values that each question is about.
func (d *dependence) sweep(ctx context.Context, asked []uint64) ([]uint64, error) {
	bits := map[*graph.Node][]uint64{d.value: asked}
	free := map[int][][]uint64{} // arrays that are not needed any more, by length
	for _, n := range slices.Backward(d.nodes) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		of := bits[n]
		if n == d.image || !slices.ContainsFunc(of, func(b uint64) bool { return b != 0 }) {
			continue
		}
		delete(bits, n)
		// An input of which every number has one place may take over the array as it is.
		inPlace, handed := n.Type() == graph.NodeTypeReshape || slices.Contains(elementwise, n.Type()), false
		to := make([][]uint64, len(n.Inputs()))
		for k, x := range n.Inputs() {
			if !d.depends[x] {
				continue
			}
			if bits[x] == nil && !handed && inPlace && x.Shape().Size() == len(of) {
				bits[x], handed = of, true
				continue
			}
			if bits[x] == nil {
				size := x.Shape().Size()
				if all := free[size]; len(all) > 0 {
					bits[x], free[size] = all[len(all)-1], all[:len(all)-1]
					clear(bits[x])
				} else {
					bits[x] = make([]uint64, size)
				}
			}
			to[k] = bits[x]
		}
		if err := d.back(n, of, to); err != nil {
			return nil, err
		}
		if !handed {
			free[len(of)] = append(free[len(of)], of)
		}
	}
	if bits[d.image] == nil {
		return make([]uint64, d.image.Shape().Size()), nil
	}
	return bits[d.image], nil
}
