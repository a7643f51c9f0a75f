package layer

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
)

// kinds are kinds of layers that a rule may change.
type kinds uint8

const (
	relus kinds = 1 << iota
	linears
	pointwises
	maxPools
)

var kindNames = []struct {
	kind          kinds
	name, instead string
}{
	{relus, "ReLUs", "layer.ReLU, or as layer.Pointwise what is no ReLU"},
	{linears, "linear layers", "layer.Convolve, layer.Affine or layer.MeanPool"},
	{pointwises, "pointwise functions", "layer.Pointwise"},
	{maxPools, "max-pooling", "layer.MaxPool"},
}

func (k kinds) String() string {
	var names []string
	for _, n := range kindNames {
		if k&n.kind != 0 {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, ", ")
}

// changes returns what a rule changes: it has a method for it. It panics if a rule but Exact has none, as
// where a method's name is misspelt, and if it embeds a Rule that changes more: of an embedded interface a
// struct has only that interface's methods.
func changes(rule Rule) (k kinds) {
	for i, has := range []bool{is[ReLURule](rule), is[LinearRule](rule), is[PointwiseRule](rule), is[MaxPoolRule](rule)} {
		if has {
			k |= 1 << i
		}
	}
	if k == 0 && rule != Exact {
		panic(fmt.Errorf("layer: rule %s (%T) changes nothing: it has none of the methods of ReLURule, LinearRule, PointwiseRule and MaxPoolRule", rule, rule))
	}
	if v := reflect.ValueOf(rule); v.Kind() == reflect.Struct {
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.Anonymous && f.Type == reflect.TypeFor[Rule]() && !v.Field(i).IsNil() {
				if inner := v.Field(i).Interface().(Rule); inner != Exact && changes(inner)&^k != 0 {
					panic(fmt.Errorf("layer: rule %s (%T) embeds %s, whose methods it does not get: write them, or embed its type", rule, rule, inner))
				}
			}
		}
	}
	return k
}

func is[T any](rule Rule) bool {
	_, ok := rule.(T)
	return ok
}

// kinds returns which layers' work an operator outside this package does, by its inputs that depend on the
// images. None is only what adds, moves and scales numbers.
func (f *foreign) kinds(n *graph.Node) kinds {
	depends := func(input int) bool { return f.depends[n.Inputs()[input]] }
	switch n.Type() {
	case graph.NodeTypeAdd, graph.NodeTypeBroadcastInDim, graph.NodeTypeConcatenate, graph.NodeTypeConvertDType, graph.NodeTypeCumSum,
		graph.NodeTypeDynamicSlice, graph.NodeTypeGather, graph.NodeTypeIdentity, graph.NodeTypeNeg, graph.NodeTypePad,
		graph.NodeTypeReduceSum, graph.NodeTypeReshape, graph.NodeTypeReverse, graph.NodeTypeScatterSum, graph.NodeTypeSlice,
		graph.NodeTypeSub, graph.NodeTypeTranspose:
		return 0
	case graph.NodeTypeMul:
		if !depends(0) || !depends(1) {
			return 0
		}
	case graph.NodeTypeDiv:
		if !depends(1) {
			return 0
		}
	case graph.NodeTypeAbs, graph.NodeTypeClamp, graph.NodeTypeSign, graph.NodeTypeWhere,
		graph.NodeTypeEqual, graph.NodeTypeNotEqual, graph.NodeTypeGreaterOrEqual, graph.NodeTypeGreaterThan,
		graph.NodeTypeLessOrEqual, graph.NodeTypeLessThan: // masks, by which to multiply
		return relus | pointwises
	case graph.NodeTypeMax, graph.NodeTypeMin:
		return relus | pointwises | maxPools
	case graph.NodeTypeArgMinMax, graph.NodeTypeReduceMax, graph.NodeTypeReduceMin, graph.NodeTypeScatterMax, graph.NodeTypeScatterMin,
		graph.NodeTypeSelectAndScatterMax, graph.NodeTypeSelectAndScatterMin:
		return maxPools
	case graph.NodeTypeReduceWindow: // of maxima, or of sums
		return linears | maxPools
	case graph.NodeTypeConvGeneral, graph.NodeTypeDotGeneral, graph.NodeTypeFFT:
		return linears
	case graph.NodeTypeFusedDense, graph.NodeTypeFusedQuantizedDense: // with their activation
		return linears | relus | pointwises
	}
	return pointwises
}

// foreign finds the operators of a Forward that do what its pass's rule changes and are outside this
// package.
type foreign struct {
	changes kinds
	depends map[*graph.Node]bool // on the images; weights are not what a rule is about
	weighed map[*graph.Node]bool // those that depend on a linear layer with weights
	entered bool                 // the rule is an enteringRule
	next    int                  // the first node of the graph that was not read yet
	found   []*graph.Node
}

func watch(rule Rule, images *graph.Node, replace map[string]*graph.Node) foreign {
	f := foreign{changes: changes(rule), depends: map[*graph.Node]bool{images: true}, weighed: map[*graph.Node]bool{}}
	f.entered = is[enteringRule](rule)
	for _, x := range replace {
		f.depends[x], f.weighed[x] = true, true
	}
	return f
}

// skip passes over the nodes that others built.
func (f *foreign) skip(g *graph.Graph) { f.next = len(g.Nodes()) }

// read reads the nodes built since the last time; those of a layer are not foreign.
func (f *foreign) read(g *graph.Graph, foreign bool) {
	if f.changes == 0 {
		return
	}
	for _, n := range g.Nodes()[f.next:] {
		if !slices.ContainsFunc(n.Inputs(), func(x *graph.Node) bool { return f.depends[x] }) {
			continue
		}
		f.depends[n] = true
		raw := false
		for _, x := range n.Inputs() {
			f.weighed[n] = f.weighed[n] || f.weighed[x]
			raw = raw || f.depends[x] && !f.weighed[x]
		}
		if foreign && f.kinds(n)&f.changes != 0 {
			f.found = append(f.found, n)
		}
		if foreign && f.entered && raw && f.weighed[n] {
			panic(fmt.Errorf("layer: LRP: the images join what layers have made of them (%s), must enter a layer with weights first: "+
				"only there is their relevance known", n.Type()))
		}
	}
	f.skip(g)
}

// error returns the error for what was found on the way to the layer names[at], or to the logits.
func (f *foreign) error(rule Rule, names []string, at int) error {
	if len(f.found) == 0 {
		return nil
	}
	var operators, instead []string
	var where string
	if at > 0 {
		where = fmt.Sprintf(" after layer %q", names[at-1])
	}
	if at < len(names) {
		where += fmt.Sprintf(" before layer %q", names[at])
	}
	var found kinds
	for _, n := range f.found {
		found |= f.kinds(n) & f.changes
		if name := n.Type().String(); !slices.Contains(operators, name) {
			operators = append(operators, name)
		}
	}
	for _, k := range kindNames {
		if found&k.kind != 0 {
			instead = append(instead, k.instead)
		}
	}
	return fmt.Errorf("layer: rule %s changes %s, and does not reach GoMLX's operators %s%s: write them as %s",
		rule, found, strings.Join(operators, ", "), where, strings.Join(instead, ", or as "))
}
