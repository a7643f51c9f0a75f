package concept

import (
	"context"
	"errors"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/floats"

	"lucigo/interp"
)

// columns is how many numbers of each row go to the device at once.
const columns = 8192

// products returns the inner products of all rows with each other, row by row. Rows are of the same length.
func products(ctx context.Context, m *interp.Model, rows [][]float32) ([]float64, error) {
	n, size := len(rows), len(rows[0])
	width := min(columns, size)
	sum, part := make([]float64, n*n), make([]float64, n*width)
	for from := 0; from < size; from += width {
		clear(part)
		for i, r := range rows {
			for j, v := range r[from:min(from+width, size)] {
				part[i*width+j] = float64(v)
			}
		}
		x, err := m.Tensor(interp.Array(part, n, width))
		if err != nil {
			return nil, err
		}
		out, err := m.Run(ctx, product{}, nil, x)
		x.Close()
		if err != nil {
			return nil, err
		}
		v, err := out[0].Numbers()
		out[0].Close()
		if err != nil {
			return nil, err
		}
		floats.Add(sum, v)
	}
	if slices.ContainsFunc(sum, interp.NotFinite) {
		return nil, errors.New("activations or slopes are too large, or are no numbers: their products are not finite")
	}
	return sum, nil
}

// product is a matrix times its own transpose.
type product struct{}

func (product) Build(_ *interp.Net, a []*graph.Node) []*graph.Node {
	return []*graph.Node{graph.Einsum("ik,jk->ij", a[0], a[0])}
}
