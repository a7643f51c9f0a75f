package interp

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"lucigo/interp/layer"
)

// Inspect builds the network's graph over one image of h×w pixels, as far as the named layer or, where name is
// empty, as the logits, and calls look with the nodes of the image and of the layer. It compiles and runs nothing, and the graph ends with
// the call. The error is that of look, or of building the graph.
func (m *Model) Inspect(h, w int, name string, look func(image, value *graph.Node) error) error {
	return m.sketch(h, w, func(image *graph.Node, pass *layer.Pass) error {
		var value *graph.Node
		if name == "" {
			value = pass.Logits()
		} else {
			value = pass.Layer(name)
		}
		for _, v := range variables(image.Graph()) {
			if err := m.fits(v.GetParameterName(), v.Shape()); err != nil {
				return err
			}
		}
		return look(image, value)
	})
}

// Shape returns the shape of a layer's value for one image of h×w: rows, columns, channels, or only the
// last where it has no positions. The network is built only as far as that layer, so the image may be of
// any size that goes in there.
func (m *Model) Shape(name string, h, w int) ([]int, error) {
	type sized struct {
		layer string
		h, w  int
	}
	shape, err := Once(m, sized{name, h, w}, func() (shape []int, err error) {
		err = m.Inspect(h, w, name, func(_, value *graph.Node) error {
			shape = slices.Clone(value.Shape().Dimensions[1:])
			return nil
		})
		return shape, err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.spec.Name, err)
	}
	return slices.Clone(shape), nil
}

// sketch builds the network on one image of h×w, as far as build asks for it, and compiles nothing.
func (m *Model) sketch(h, w int, build func(image *graph.Node, pass *layer.Pass) error) error {
	if min(h, w) < 1 {
		return errors.New("an image without pixels")
	}
	p, err := m.at()
	if err != nil {
		return err
	}
	return catch(func() {
		g := graph.NewGraph(p.backend, "sketch")
		defer g.Finalize()
		net := m.net(g, layer.Exact)
		defer net.stop()
		x := graph.Parameter(g, "images", shapes.Make(p.dtype, 1, h, w, m.spec.Input[2]))
		if err := build(x, net.Pass(x, nil)); err != nil {
			panic(err)
		}
	})
}

// Once returns what find finds, and keeps it for all models of m's structure: a second call with an equal
// key costs nothing. A key of a type of the caller's own equals no other caller's.
func Once[K comparable, V any](m *Model, key K, find func() (V, error)) (V, error) {
	if v, ok := m.family.found.Load(key); ok {
		return v.(V), nil
	}
	v, err := find()
	if err == nil {
		m.family.found.Store(key, v)
	}
	return v, err
}
