package interp

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp/layer"
)

// Variable is what a network reads a weight into.
type Variable struct {
	Path string // such as "/conv1/weights"
	Dims []int
}

// Variables returns the variables that the network reads, in its order, whether the model has weights for
// them or not. It builds the graph, and compiles nothing.
func (m *Model) Variables() ([]Variable, error) {
	var all []Variable
	err := m.whole(func(g *Graph, _ *layer.Pass) {
		for _, v := range variables(g) {
			all = append(all, Variable{v.GetParameterName(), slices.Clone(v.Shape().Dimensions)})
		}
	})
	return all, err
}

// whole builds the whole network, on one image, for as long as f looks at it.
func (m *Model) whole(f func(g *Graph, pass *layer.Pass)) error {
	p, err := m.at()
	if err != nil {
		return err
	}
	err = catch(func() {
		g := NewGraph(p.backend, "network")
		defer g.Finalize()
		net := m.net(g, p, layer.Exact)
		defer net.stop()
		x := Parameter(g, "images", shapes.Make(p.dtype, 1, m.spec.Input[0], m.spec.Input[1], m.spec.Input[2]))
		pass := net.Pass(x, nil)
		pass.Logits()
		f(g, pass)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", m.spec.Name, err)
	}
	return nil
}

// variables returns the parameters of a graph that are variables, and not its arguments.
func variables(g *Graph) (all []*Node) {
	for i := range g.NumParameters() {
		if v := g.GetParameterByHandle(ParameterHandle(i)); strings.HasPrefix(v.GetParameterName(), model.RootScopePath) {
			all = append(all, v)
		}
	}
	return all
}
