package interp

import (
	"errors"
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
	Path  string // such as "/conv1/weights"
	Dims  []int
	Layer string // the first named layer after it; "" after the last

	shape shapes.Shape
}

// Variables returns the variables that the network reads, in its order, whether the model has weights for
// them or not. It builds the graph once, and compiles nothing.
func (m *Model) Variables() ([]Variable, error) {
	s, err := m.structure()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.spec.Name, err)
	}
	all := slices.Clone(s.variables) // whose dimensions are kept
	for i := range all {
		all[i].Dims = slices.Clone(all[i].Dims)
	}
	return all, nil
}

// Initial returns new weights for the network, drawn from the distributions of its variables' own
// initialisers, as at the beginning of a training: means and variances of batch norm are 0 and 1. Equal seeds
// give equal weights on one backend.
func (m *Model) Initial(seed int64) (Weights, error) {
	var store *model.Store
	err := m.sketch(m.spec.Input[0], m.spec.Input[1], func(x *Node, pass *layer.Pass) error {
		pass.Logits()
		store = model.GetStore(x.Graph())
		return errors.Join(store.SetRNGStateFromSeed(seed), store.InitializeVariables(x.Graph().Backend(), nil))
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.spec.Name, err)
	}
	return WeightsOf(store)
}

// structure is what a network is made of.
type structure struct {
	layers    []Layer
	variables []Variable
}

func (s structure) paths() (all []string) {
	for _, v := range s.variables {
		all = append(all, v.Path)
	}
	return all
}

func (m *Model) structure() (structure, error) {
	type key struct{}
	return Once(m, key{}, func() (s structure, err error) {
		err = m.sketch(m.spec.Input[0], m.spec.Input[1], func(_ *Node, pass *layer.Pass) error {
			g := pass.Images.Graph()
			claim := func(name string) {
				for _, v := range variables(g)[len(s.variables):] {
					s.variables = append(s.variables, Variable{v.GetParameterName(), slices.Clone(v.Shape().Dimensions), name, v.Shape()})
				}
			}
			for name, v := range pass.Layers() {
				s.layers = append(s.layers, Layer{name, slices.Clone(v.Shape().Dimensions[1:])})
				claim(name)
			}
			pass.Logits()
			claim("")
			return nil
		})
		return s, err
	})
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
