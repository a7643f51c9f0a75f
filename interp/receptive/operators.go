package receptive

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
)

// elementwise operators compute each number from the numbers at the same place; an axis of length 1, or no
// axis, is the same everywhere.
var elementwise = []graph.NodeType{
	graph.NodeTypeAbs, graph.NodeTypeAdd, graph.NodeTypeAtan2, graph.NodeTypeBitCount, graph.NodeTypeBitwiseAnd, graph.NodeTypeBitwiseNot,
	graph.NodeTypeBitwiseOr, graph.NodeTypeBitwiseXor, graph.NodeTypeCeil, graph.NodeTypeClamp, graph.NodeTypeClz, graph.NodeTypeComplex,
	graph.NodeTypeConj, graph.NodeTypeConvertDType, graph.NodeTypeCos, graph.NodeTypeDiv, graph.NodeTypeEqual, graph.NodeTypeEqualTotalOrder,
	graph.NodeTypeErf, graph.NodeTypeExp, graph.NodeTypeExpm1, graph.NodeTypeFloor, graph.NodeTypeFusedGelu, graph.NodeTypeGreaterOrEqual,
	graph.NodeTypeGreaterOrEqualTotalOrder, graph.NodeTypeGreaterThan, graph.NodeTypeGreaterThanTotalOrder, graph.NodeTypeIdentity,
	graph.NodeTypeImag, graph.NodeTypeIsFinite, graph.NodeTypeIsNaN, graph.NodeTypeLessOrEqual, graph.NodeTypeLessOrEqualTotalOrder,
	graph.NodeTypeLessThan, graph.NodeTypeLessThanTotalOrder, graph.NodeTypeLog, graph.NodeTypeLog1p, graph.NodeTypeLogicalNot,
	graph.NodeTypeLogicalOr, graph.NodeTypeLogicalXor, graph.NodeTypeLogistic, graph.NodeTypeMax, graph.NodeTypeMin, graph.NodeTypeNeg,
	graph.NodeTypeNotEqual, graph.NodeTypeNotEqualTotalOrder, graph.NodeTypePow, graph.NodeTypeReal, graph.NodeTypeRem, graph.NodeTypeRound,
	graph.NodeTypeRsqrt, graph.NodeTypeShiftLeft, graph.NodeTypeShiftRightArithmetic, graph.NodeTypeShiftRightLogical, graph.NodeTypeSign,
	graph.NodeTypeSin, graph.NodeTypeSqrt, graph.NodeTypeSub, graph.NodeTypeTanh,
}

// selectors are the inputs of operators whose zeros decide what the others contribute.
var selectors = map[graph.NodeType][]int{
	graph.NodeTypeMul: {0, 1}, graph.NodeTypeLogicalAnd: {0, 1}, graph.NodeTypeDotGeneral: {0, 1}, graph.NodeTypeConvGeneral: {1}, graph.NodeTypeWhere: {0},
}

// movers move numbers of so many of their first inputs to places that the others say.
var movers = map[graph.NodeType]int{
	graph.NodeTypeGather: 1, graph.NodeTypeDynamicSlice: 1, graph.NodeTypeDynamicUpdateSlice: 2,
}

// back adds to the bits of the inputs of n, nil where one does not depend on the image, those of n.
func (d *dependence) back(n *graph.Node, of []uint64, to [][]uint64) error {
	s, dims := settingsOf(n), n.Shape().Dimensions
	unknown := fmt.Errorf("operator %s has no rule that says what its result depends on", n.Type())
	same := func(k int, of []uint64) { spread(to[k], of, aligned(dims, n.Inputs()[k].Shape().Dimensions)) }
	var in, inSteps []int // of the first input
	if len(n.Inputs()) > 0 && n.Inputs()[0].NumOutputs() == 1 {
		in = n.Inputs()[0].Shape().Dimensions
		inSteps = strides(in)
	}
	steps, runs := strides(dims), aligned(dims, nil) // runs over the result and its first input
	switch t := n.Type(); t {
	case graph.NodeTypeMul, graph.NodeTypeLogicalAnd:
		same(0, d.where(n, 1, of, 1))
		same(1, d.where(n, 0, of, 1))
		return nil

	case graph.NodeTypeWhere:
		same(0, of)
		same(1, d.where(n, 0, of, 1))
		same(2, d.where(n, 0, of, 0))
		return nil

	case graph.NodeTypeBatchNormForInference:
		if slices.ContainsFunc(to[1:], func(b []uint64) bool { return b != nil }) {
			return unknown
		}
		runs = aligned(dims, in)

	case graph.NodeTypeReshape:
		runs = []run{along(len(of), 1, 1, 0)}

	case graph.NodeTypeTranspose:
		for a, from := range s.ints("permutation") {
			runs[a].step[1] = inSteps[from]
		}

	case graph.NodeTypeSlice:
		starts, by := s.ints("starts"), s.ints("strides")
		for a := range dims {
			runs[a].first[1], runs[a].step[1] = starts[a]*inSteps[a], at(by, a, 1)*inSteps[a]
		}

	case graph.NodeTypeReverse:
		runs = aligned(dims, in)
		for _, a := range s.ints("axes") {
			runs[a].first[1], runs[a].step[1] = (in[a]-1)*inSteps[a], -inSteps[a]
		}

	case graph.NodeTypeBroadcastInDim:
		for k, a := range s.ints("broadcastAxes") {
			if in[k] > 1 {
				runs[a].step[1] = inSteps[k]
			}
		}

	case graph.NodeTypeConcatenate:
		axis, first := s.int("axis"), 0
		for k, x := range n.Inputs() {
			part := x.Shape().Dimensions
			for a, step := range strides(part) {
				runs[a] = along(part[a], steps[a], step, 0)
			}
			runs[axis].first[0] = first * steps[axis]
			first += part[axis]
			spread(to[k], of, runs)
		}
		return nil

	case graph.NodeTypePad:
		if to[1] != nil {
			return unknown
		}
		for a := range dims {
			low, spacing := s.pads("axesConfig", a)
			runs[a] = meeting(dims[a], in[a], 1, -low, spacing+1, steps[a], inSteps[a])
		}

	case graph.NodeTypeReduceSum, graph.NodeTypeReduceProduct, graph.NodeTypeReduceMax, graph.NodeTypeReduceMin,
		graph.NodeTypeReduceLogicalAnd, graph.NodeTypeReduceLogicalOr, graph.NodeTypeReduceLogicalXor,
		graph.NodeTypeReduceBitwiseAnd, graph.NodeTypeReduceBitwiseOr, graph.NodeTypeReduceBitwiseXor:
		runs = reduced(in, s.ints("axes"))

	case graph.NodeTypeArgMinMax:
		runs = reduced(in, []int{s.int("axis")})

	case graph.NodeTypeFusedSoftmax:
		axis := s.int("axis")
		runs = append(aligned(dims, in), along(in[axis], 0, inSteps[axis], 0))
		runs[axis].step[1] = 0

	case graph.NodeTypeReduceWindow:
		window, by := s.ints("windowDimensions"), s.ints("strides")
		if len(by) == 0 {
			by = window
		}
		spacing, gaps := s.ints("inputDilations"), s.ints("windowDilations")
		for tap := range places(window) {
			for a := range dims {
				low, _ := s.pads("paddings", a)
				runs[a] = meeting(dims[a], in[a], by[a], tap[a]*at(gaps, a, 1)-low, at(spacing, a, 1), steps[a], inSteps[a])
			}
			spread(to[0], of, runs)
		}
		return nil

	case graph.NodeTypeConvGeneral:
		if s.int("batchGroupCount") > 1 {
			return unknown
		}
		d.convolution(n, s, of, to)
		return nil

	case graph.NodeTypeDotGeneral:
		runs = contraction(n, s)
		product(to[0], of, runs, d.read[n.Inputs()[1]])
		product(to[1], of, exchanged(runs), d.read[n.Inputs()[0]])
		return nil

	case graph.NodeTypeGather, graph.NodeTypeDynamicSlice, graph.NodeTypeDynamicUpdateSlice:
		source := d.read[n]
		if source == nil {
			return unknown
		}
		for i, place := range source {
			k, place := 0, int(place)
			for place >= n.Inputs()[k].Shape().Size() {
				place -= n.Inputs()[k].Shape().Size()
				k++
			}
			if to[k] != nil {
				to[k][place] |= of[i]
			}
		}
		return nil

	default:
		if !slices.Contains(elementwise, t) {
			return unknown
		}
		for k := range to {
			same(k, of)
		}
		return nil
	}
	spread(to[0], of, runs)
	return nil
}

// where returns of, but 0 where input k of n, if it does not depend on the image, is zero (want is 1), or
// is not (0).
func (d *dependence) where(n *graph.Node, k int, of []uint64, want int32) []uint64 {
	x := n.Inputs()[k]
	is := d.read[x]
	if d.depends[x] || is == nil && want == 1 { // where it is nowhere zero, it is not read
		return of
	}
	kept := make([]uint64, len(of))
	if is == nil {
		return kept
	}
	each(aligned(n.Shape().Dimensions, x.Shape().Dimensions), [3]int{}, func(at [3]int) {
		if is[at[1]] == want {
			kept[at[0]] = of[at[0]]
		}
	})
	return kept
}

// convolution is back for ConvGeneral: taps of the kernel meet the input at strided places.
func (d *dependence) convolution(n *graph.Node, s settings, of []uint64, to [][]uint64) {
	x, w, dims := n.Inputs()[0].Shape().Dimensions, n.Inputs()[1].Shape().Dimensions, n.Shape().Dimensions
	xSteps, wSteps, axes := strides(x), strides(w), settings{s.get("axes")}
	inBatch, inSpace, inChannel := axes.int("InputBatch"), axes.ints("InputSpatial"), axes.int("InputChannels")
	outBatch, outSpace, outChannel := axes.int("OutputBatch"), axes.ints("OutputSpatial"), axes.int("OutputChannels")
	space, wIn, wOut := axes.ints("KernelSpatial"), axes.int("KernelInputChannels"), axes.int("KernelOutputChannels")
	groups := max(1, s.int("channelGroupCount"))
	ins, outs := w[wIn], w[wOut]/groups // channels of a group
	by, spacing, gaps := s.ints("strides"), s.ints("inputDilations"), s.ints("kernelDilations")

	known := d.read[n.Inputs()[1]]
	if known == nil && to[1] == nil { // the channels of a group count together: they are added up before all taps
		sum := slices.Clone(dims)
		sum[outChannel] = groups
		all, runs := make([]uint64, size(sum)), aligned(dims, sum)
		step := strides(dims)[outChannel]
		runs[outChannel] = along(groups, outs*step, strides(sum)[outChannel], 0)
		spread(all, of, append(runs, along(outs, step, 0, 0)))
		of, dims, outs = all, sum, 1
	}
	steps, window := strides(dims), make([]int, len(space))
	for a, k := range space {
		window[a] = w[k]
	}
	for tap := range places(window) {
		runs := []run{
			along(dims[outBatch], steps[outBatch], xSteps[inBatch], 0),
			along(groups, outs*steps[outChannel], ins*xSteps[inChannel], outs*wSteps[wOut]),
			along(outs, steps[outChannel], 0, wSteps[wOut]),
		}
		first := 0 // number of the kernel
		for a, k := range space {
			low, _ := s.pads("paddings", a)
			runs = append(runs, meeting(dims[outSpace[a]], x[inSpace[a]], at(by, a, 1), tap[a]*at(gaps, a, 1)-low, at(spacing, a, 1),
				steps[outSpace[a]], xSteps[inSpace[a]]))
			first += tap[a] * wSteps[k]
		}
		channels := along(ins, 0, xSteps[inChannel], wSteps[wIn])
		channels.first[2] = first
		runs = append(runs, channels)
		product(to[0], of, runs, known)
		product(to[1], of, exchanged(runs), nil)
	}
}

// contraction returns the runs over the result and the two inputs of DotGeneral: the result has the axes that
// both share, then those of the left one alone, then those of the right one alone.
func contraction(n *graph.Node, s settings) (runs []run) {
	names := [2]string{"lhs", "rhs"}
	var dims, steps, contracted, shared [2][]int
	for k, x := range n.Inputs() {
		dims[k] = x.Shape().Dimensions
		steps[k] = strides(dims[k])
		contracted[k], shared[k] = s.ints(names[k]+"ContractingAxes"), s.ints(names[k]+"BatchAxes")
	}
	result := strides(n.Shape().Dimensions)
	for i, a := range shared[0] {
		runs = append(runs, along(dims[0][a], result[i], steps[0][a], steps[1][shared[1][i]]))
	}
	for k := range dims {
		for a, n := range dims[k] {
			if slices.Contains(contracted[k], a) || slices.Contains(shared[k], a) {
				continue
			}
			own := along(n, result[len(runs)], 0, 0)
			own.step[1+k] = steps[k][a]
			runs = append(runs, own)
		}
	}
	for i, a := range contracted[0] {
		runs = append(runs, along(dims[0][a], 0, steps[0][a], steps[1][contracted[1][i]]))
	}
	return runs
}

// settings are what an operator was given besides its inputs. GoMLX keeps them in fields that it does not
// export; one that is not there any more is an error.
type settings struct{ reflect.Value }

func settingsOf(n *graph.Node) settings {
	return settings{settings{reflect.ValueOf(n).Elem()}.get("inputs").Elem().Elem()}
}

func (s settings) get(name string) reflect.Value {
	v := s.FieldByName(name)
	if !v.IsValid() {
		panic(fmt.Errorf("field %s: %s of this version of GoMLX has none", name, s.Type()))
	}
	return v
}

func (s settings) int(name string) int { return int(s.get(name).Int()) }

func (s settings) ints(name string) (out []int) {
	v := s.get(name)
	for i := range v.Len() {
		out = append(out, int(v.Index(i).Int()))
	}
	return out
}

// pads returns the padding before the numbers of an axis, and between them; no list is no padding.
func (s settings) pads(name string, axis int) (before, between int) {
	v := s.get(name)
	if v.Len() == 0 {
		return 0, 0
	}
	if v = v.Index(axis); v.Kind() == reflect.Array {
		return int(v.Index(0).Int()), 0
	}
	return settings{v}.int("Start"), settings{v}.int("Interior")
}
