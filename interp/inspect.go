package interp

import (
	"errors"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"lucigo/interp/layer"
)

// Inspect builds the network's graph over one image of h×w pixels, as far as the named layer, and calls
// look with the nodes of the image and of the layer. It compiles and runs nothing, and the graph ends with
// the call. The error is that of look, or of building the graph.
func (m *Model) Inspect(h, w int, name string, look func(image, value *graph.Node) error) error {
	if min(h, w) < 1 {
		return errors.New("an image without pixels")
	}
	p, err := m.at()
	if err != nil {
		return err
	}
	return catch(func() {
		g := graph.NewGraph(p.backend, "inspect")
		defer g.Finalize()
		net := m.net(g, p, layer.Exact)
		defer net.stop()
		x := graph.Parameter(g, "images", shapes.Make(p.dtype, 1, h, w, m.spec.Input[2]))
		v := net.Pass(x, nil).Layer(name)
		for i := 1; i < g.NumParameters(); i++ {
			if err := m.fits(g.GetParameterByHandle(graph.ParameterHandle(i))); err != nil {
				panic(err)
			}
		}
		if err := look(x, v); err != nil {
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
