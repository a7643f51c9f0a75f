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
	steps := strides(dims)
	unknown := fmt.Errorf("receptive: operator %s: it has no rule that says what its result depends on", n.Type())
	same := func(k int, of []uint64) { spread(to[k], of, aligned(dims, n.Inputs()[k].Shape().Dimensions)) }
	var in, inSteps []int // of the first input
	if len(n.Inputs()) > 0 && n.Inputs()[0].NumOutputs() == 1 {
		in = n.Inputs()[0].Shape().Dimensions
		inSteps = strides(in)
	}
	switch t := n.Type(); t {
	case graph.NodeTypeMul, graph.NodeTypeLogicalAnd:
		same(0, d.where(n, 1, of, 1))
		same(1, d.where(n, 0, of, 1))

	case graph.NodeTypeWhere:
		same(0, of)
		same(1, d.where(n, 0, of, 1))
		same(2, d.where(n, 0, of, 0))

	case graph.NodeTypeBatchNormForInference:
		if slices.ContainsFunc(to[1:], func(b []uint64) bool { return b != nil }) {
			return unknown
		}
		same(0, of)

	case graph.NodeTypeReshape:
		spread(to[0], of, []run{{len(of), 0, 1, 0, 1}})

	case graph.NodeTypeTranspose:
		runs := make([]run, len(dims))
		for a, from := range s.ints("permutation") {
			runs[a] = run{dims[a], 0, steps[a], 0, inSteps[from]}
		}
		spread(to[0], of, runs)

	case graph.NodeTypeSlice:
		starts, by := s.ints("starts"), s.ints("strides")
		runs := make([]run, len(dims))
		for a := range dims {
			runs[a] = run{dims[a], 0, steps[a], starts[a] * inSteps[a], at(by, a, 1) * inSteps[a]}
		}
		spread(to[0], of, runs)

	case graph.NodeTypeReverse:
		runs := aligned(dims, in)
		for _, a := range s.ints("axes") {
			runs[a].to, runs[a].toStep = (in[a]-1)*inSteps[a], -inSteps[a]
		}
		spread(to[0], of, runs)

	case graph.NodeTypeBroadcastInDim:
		runs := make([]run, len(dims))
		for a := range dims {
			runs[a] = run{dims[a], 0, steps[a], 0, 0}
		}
		for k, a := range s.ints("broadcastAxes") {
			if in[k] > 1 {
				runs[a].toStep = inSteps[k]
			}
		}
		spread(to[0], of, runs)

	case graph.NodeTypeConcatenate:
		axis, first := s.int("axis"), 0
		for k, x := range n.Inputs() {
			part := x.Shape().Dimensions
			runs := make([]run, len(dims))
			for a, step := range strides(part) {
				runs[a] = run{part[a], 0, steps[a], 0, step}
			}
			runs[axis].from = first * steps[axis]
			first += part[axis]
			spread(to[k], of, runs)
		}

	case graph.NodeTypePad:
		if to[1] != nil {
			return unknown
		}
		runs := make([]run, len(dims))
		for a := range dims {
			low, spacing := s.pads("axesConfig", a)
			runs[a] = meeting(dims[a], in[a], 1, -low, spacing+1, steps[a], inSteps[a])
		}
		spread(to[0], of, runs)

	case graph.NodeTypeReduceSum, graph.NodeTypeReduceProduct, graph.NodeTypeReduceMax, graph.NodeTypeReduceMin,
		graph.NodeTypeReduceLogicalAnd, graph.NodeTypeReduceLogicalOr, graph.NodeTypeReduceLogicalXor,
		graph.NodeTypeReduceBitwiseAnd, graph.NodeTypeReduceBitwiseOr, graph.NodeTypeReduceBitwiseXor:
		spread(to[0], of, reduced(in, s.ints("axes"), steps))

	case graph.NodeTypeArgMinMax:
		spread(to[0], of, reduced(in, []int{s.int("axis")}, steps))

	case graph.NodeTypeFusedSoftmax:
		overAxes(to[0], of, in, []int{s.int("axis")})

	case graph.NodeTypeReduceWindow:
		window, by := s.ints("windowDimensions"), s.ints("strides")
		if len(by) == 0 {
			by = window
		}
		spacing, gaps := s.ints("inputDilations"), s.ints("windowDilations")
		for tap := range places(window) {
			runs := make([]run, len(dims))
			for a := range dims {
				low, _ := s.pads("paddings", a)
				runs[a] = meeting(dims[a], in[a], by[a], tap[a]*at(gaps, a, 1)-low, at(spacing, a, 1), steps[a], inSteps[a])
			}
			spread(to[0], of, runs)
		}

	case graph.NodeTypeConvGeneral:
		if s.int("batchGroupCount") > 1 {
			return unknown
		}
		d.convolution(n, s, of, to)

	case graph.NodeTypeDotGeneral:
		d.product(n, s, of, to, 0)
		d.product(n, s, of, to, 1)

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

	default:
		if !slices.Contains(elementwise, t) {
			return unknown
		}
		for k := range to {
			same(k, of)
		}
	}
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
	each(aligned(n.Shape().Dimensions, x.Shape().Dimensions), func(from, to int) {
		if is[to] == want {
			kept[from] = of[from]
		}
	})
	return kept
}

// convolution is back for ConvGeneral: taps of the kernel meet the input at strided places.
func (d *dependence) convolution(n *graph.Node, s settings, of []uint64, to [][]uint64) {
	x, w := n.Inputs()[0].Shape().Dimensions, n.Inputs()[1].Shape().Dimensions
	dims, axes := n.Shape().Dimensions, settings{s.get("axes")}
	xSteps, wSteps, steps := strides(x), strides(w), strides(dims)
	inBatch, inSpace, inChannel := axes.int("InputBatch"), axes.ints("InputSpatial"), axes.int("InputChannels")
	outBatch, outSpace, outChannel := axes.int("OutputBatch"), axes.ints("OutputSpatial"), axes.int("OutputChannels")
	space, wIn, wOut := axes.ints("KernelSpatial"), axes.int("KernelInputChannels"), axes.int("KernelOutputChannels")
	groups := max(1, s.int("channelGroupCount"))
	ins, outs := w[wIn], w[wOut]/groups // channels of a group
	by, spacing, gaps := s.ints("strides"), s.ints("inputDilations"), s.ints("kernelDilations")

	// The channels of a group together, for inputs that contribute to each of them.
	sum := slices.Clone(dims)
	sum[outChannel] = groups
	sumSteps, any := strides(sum), make([]uint64, size(sum))
	gather := aligned(dims, dims)
	for a := range gather {
		gather[a].toStep = sumSteps[a]
	}
	gather[outChannel] = run{groups, 0, outs * steps[outChannel], 0, sumSteps[outChannel]}
	spread(any, of, append(gather, run{outs, 0, steps[outChannel], 0, 0}))

	window := make([]int, len(space))
	for a, k := range space {
		window[a] = w[k]
	}
	for tap := range places(window) {
		first := 0 // number of the kernel
		meet := func(steps []int) []run {
			runs := []run{{dims[outBatch], 0, steps[outBatch], 0, xSteps[inBatch]}}
			for a := range space {
				low, _ := s.pads("paddings", a)
				runs = append(runs, meeting(dims[outSpace[a]], x[inSpace[a]], at(by, a, 1), tap[a]*at(gaps, a, 1)-low, at(spacing, a, 1),
					steps[outSpace[a]], xSteps[inSpace[a]]))
			}
			return runs
		}
		for a, k := range space {
			first += tap[a] * wSteps[k]
		}
		if to[1] != nil {
			runs := meet(steps)
			for a := range runs {
				runs[a].to, runs[a].toStep = 0, 0
			}
			runs = append(runs, run{w[wOut], 0, steps[outChannel], first, wSteps[wOut]}, run{ins, 0, 0, 0, wSteps[wIn]})
			spread(to[1], of, runs)
		}
		if to[0] == nil {
			continue
		}
		kernel, step := d.read[n.Inputs()[1]], xSteps[inChannel]
		if kernel == nil {
			spread(to[0], any, append(meet(sumSteps), run{groups, 0, sumSteps[outChannel], 0, ins * step}, run{ins, 0, 0, 0, step}))
			continue
		}
		for g := range groups {
			for c := range ins {
				var not0 []int
				for o := g * outs; o < (g+1)*outs; o++ {
					if kernel[first+c*wSteps[wIn]+o*wSteps[wOut]] != 0 {
						not0 = append(not0, o)
					}
				}
				channel := (g*ins + c) * step
				if len(not0) == outs {
					spread(to[0], any, append(meet(sumSteps), run{1, g * sumSteps[outChannel], 0, channel, 0}))
					continue
				}
				for _, o := range not0 {
					spread(to[0], of, append(meet(steps), run{1, o * steps[outChannel], 0, channel, 0}))
				}
			}
		}
	}
}

// product is back for one of the two operands of DotGeneral, whose result has the axes that both share,
// then those of its own of the left operand, then those of the right one.
func (d *dependence) product(n *graph.Node, s settings, of []uint64, to [][]uint64, side int) {
	if to[side] == nil {
		return
	}
	names := [2]string{"lhs", "rhs"}
	var dims, steps, contracted, shared, own [2][]int
	for k, x := range n.Inputs() {
		dims[k] = x.Shape().Dimensions
		steps[k] = strides(dims[k])
		contracted[k], shared[k] = s.ints(names[k]+"ContractingAxes"), s.ints(names[k]+"BatchAxes")
		for a := range dims[k] {
			if !slices.Contains(contracted[k], a) && !slices.Contains(shared[k], a) {
				own[k] = append(own[k], a)
			}
		}
	}
	// Runs over the result and the operand: their common axes, those of the operand alone, and those of the
	// other one alone. With them go runs over the result and the other operand.
	out, mine, other := strides(n.Shape().Dimensions), side, 1-side
	x, y := steps[mine], steps[other]
	var both, ours, theirs, bothOther, theirsOther []run
	for i, a := range shared[mine] {
		both = append(both, run{dims[mine][a], 0, out[i], 0, x[a]})
		bothOther = append(bothOther, run{dims[mine][a], 0, out[i], 0, y[shared[other][i]]})
	}
	out = out[len(both):]
	firstOf := [2]int{0, len(own[0])}
	for i, a := range own[mine] {
		ours = append(ours, run{dims[mine][a], 0, out[firstOf[mine]+i], 0, x[a]})
	}
	for i, a := range own[other] {
		theirs = append(theirs, run{dims[other][a], 0, out[firstOf[other]+i], 0, 0})
		theirsOther = append(theirsOther, run{dims[other][a], 0, out[firstOf[other]+i], 0, y[a]})
	}
	values := d.read[n.Inputs()[other]]
	if values == nil {
		any := make([]uint64, len(to[side])) // at place 0 of the contracted axes
		spread(any, of, slices.Concat(both, ours, theirs))
		copies := aligned(dims[mine], dims[mine])
		for _, a := range contracted[mine] {
			copies[a].fromStep = 0
		}
		spread(to[side], any, copies)
		return
	}
	mineAt, otherAt := slices.Concat(both, theirs), slices.Concat(bothOther, theirsOther)
	for i, a := range contracted[mine] {
		mineAt = append(mineAt, run{dims[mine][a], 0, 0, 0, x[a]})
		otherAt = append(otherAt, run{dims[mine][a], 0, 0, 0, y[contracted[other][i]]})
	}
	var starts []int // in the operand, for each number of the other one
	each(mineAt, func(_, at int) { starts = append(starts, at) })
	each(otherAt, func(from, at int) {
		if values[at] != 0 {
			spread(to[side][starts[0]:], of[from:], ours)
		}
		starts = starts[1:]
	})
}

// overAxes is back for an operator that mixes all places along some axes, and keeps the shape.
func overAxes(to, of []uint64, dims, axes []int) {
	all := make([]uint64, len(to)) // at place 0 of the axes
	collect, copies := aligned(dims, dims), aligned(dims, dims)
	for _, a := range axes {
		collect[a].toStep, copies[a].fromStep = 0, 0
	}
	spread(all, of, collect)
	spread(to, all, copies)
}

// reduced is the runs of an operator that reduces axes (none is all) of dims to a result with such steps.
func reduced(dims, axes, steps []int) []run {
	runs := aligned(dims, dims)
	kept := 0
	for a := range runs {
		runs[a].fromStep = 0
		if len(axes) > 0 && !slices.Contains(axes, a) {
			runs[a].fromStep = steps[kept]
			kept++
		}
	}
	return runs
}

// meeting returns the run along an axis of n places o of a result and m numbers i of an input over those
// that meet: o·stride + offset = i·spacing.
func meeting(n, m, stride, offset, spacing, fromStep, toStep int) run {
	var o, i []int
	for place := range n {
		if at := place*stride + offset; at >= 0 && at%spacing == 0 && at/spacing < m {
			o, i = append(o, place), append(i, at/spacing)
		}
	}
	switch len(o) {
	case 0:
		return run{}
	case 1:
		return run{1, o[0] * fromStep, 0, i[0] * toStep, 0}
	}
	return run{len(o), o[0] * fromStep, (o[1] - o[0]) * fromStep, i[0] * toStep, (i[1] - i[0]) * toStep}
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
		panic(fmt.Errorf("receptive: field %s: %s of this version of GoMLX has none", name, s.Type()))
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
