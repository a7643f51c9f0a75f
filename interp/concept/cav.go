package concept

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
	"lucigo/interp/objective"
)

// CAV is a concept activation vector: a direction at a layer.
type CAV struct {
	Layer  string
	Shape  []int     // of the layer's values, without the images' axis
	Vector []float64 // of length 1, from the counterparts to the concept; the mean of those of all counterparts in a Result; nil where there is none
}

// Objective is how far an image's activations lie along the vector. Images are sorted by it, and climbing it dreams the concept.
func (c CAV) Objective() interp.Objective { return objective.Direction(c.Layer, c.Vector) }

// Order returns the places of the images, those first that lie farthest along the vector, and where each lies.
func (c CAV) Order(ctx context.Context, m *interp.Model, x interp.Images) (order []int, along []float64, err error) {
	along, err = m.Score(ctx, c.Objective(), x)
	if err != nil {
		return nil, nil, err
	}
	for i := range along {
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(along[b], along[a]) })
	return order, along, nil
}

// Norms returns the length of the vector's part at each position of its layer, row by row. A concept that can be anywhere in an image has
// much the same everywhere; where it depends on the place, so does the score (spatial dependence: Nicolson, Schut, Noble and Gal,
// arXiv:2404.03713, section 3.3).
func (c CAV) Norms() ([]float64, error) {
	if len(c.Shape) != 3 {
		return nil, fmt.Errorf("concept: layer %q has values of shape %v, must have positions: rows, columns and channels", c.Layer, c.Shape)
	}
	norms := make([]float64, c.Shape[0]*c.Shape[1])
	for i, v := range c.Vector {
		norms[i/c.Shape[2]] += v * v
	}
	for i, v := range norms {
		norms[i] = math.Sqrt(v)
	}
	return norms, nil
}

// Consistency is whether two layers mean the same by a concept (arXiv:2404.03713, section 3.1): the cosine, for each image, of later's vector
// with what changes at its layer where the activations of earlier's layer move along its own. The move is small: a thousandth of the
// activations' length either way, so that the cosine is of the derivative. Where nothing changes it is NaN.
func Consistency(ctx context.Context, m *interp.Model, earlier, later CAV, x interp.Images) ([]float64, error) {
	if earlier.Layer == later.Layer {
		return nil, fmt.Errorf("concept: both vectors are of layer %q, must be of two", earlier.Layer)
	}
	if err := x.Check(); err != nil {
		return nil, fmt.Errorf("concept: %w", err)
	}
	l, err := m.Loop(x.N, m.Batch(x), nil, x.Arg(), interp.Floats(earlier.Vector), interp.Floats(later.Vector))
	if err != nil {
		return nil, err
	}
	defer l.Close()
	rows, err := l.Look(ctx, moved{earlier.Layer, later.Layer}, nil)
	if err != nil {
		return nil, err
	}
	return rows[0].Data, nil
}

// moved is the cosine of a direction at a layer with how its values change along a direction at an earlier one.
type moved struct{ from, to string }

func (s moved) Build(net *interp.Net, a []*graph.Node) []*graph.Node {
	value := net.Pass(a[0], nil).Layer(s.from)
	n := value.Shape().Dimensions[0]
	flat := graph.Reshape(value, n, -1)
	length := graph.Sqrt(graph.ReduceAndKeep(graph.Square(flat), graph.ReduceSum, -1))
	step := graph.Mul(graph.MulScalar(length, 1e-3), graph.Reshape(a[1], 1, -1))
	at := func(step *graph.Node) *graph.Node {
		to := net.Pass(a[0], map[string]*graph.Node{s.from: graph.Reshape(graph.Add(flat, step), value.Shape().Dimensions...)}).Layer(s.to)
		return graph.Reshape(to, n, -1)
	}
	change := graph.Sub(at(step), at(graph.Neg(step)))
	along := graph.ReduceSum(graph.Mul(change, graph.Reshape(a[2], 1, -1)), -1)
	return []*graph.Node{graph.Div(along, graph.Sqrt(graph.ReduceSum(graph.Square(change), -1)))}
}
