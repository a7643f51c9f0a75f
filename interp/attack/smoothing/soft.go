package smoothing

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp/layer"
	"lucigo/interp/random"
)

// Soft returns a network for attacks on the smoothed one, which itself has no gradient: the logarithm of the mean of f's probabilities
// over n copies of the image (Salman et al., arXiv:1906.04584, section 2.2). Their noise depends on the seed, is the same for all images,
// and is not that of Certify and Predict with this seed: what fools it has not learned theirs. It is a candidate that Predict has the
// last word on. It needs n times the memory and the time of f.
func (g Gaussian) Soft(f layer.Forward, n int) layer.Forward {
	g = g.defaults()
	return func(s *model.Scope, x *graph.Node) *graph.Node {
		if n < 1 {
			panic(fmt.Errorf("smoothing: Soft has %d copies, must have at least 1", n))
		}
		if err := g.deviation(); err != nil {
			panic(err)
		}
		dims := x.Shape().Dimensions
		batch, size := dims[0], x.Shape().Size()/dims[0]
		noise := make([]float64, n*size)
		for k := range n {
			random.New(random.Hash(g.Seed), 0, uint64(k)).Normals(noise[k*size : (k+1)*size])
		}
		z := graph.Reshape(graph.ConstAsDType(x.Graph(), x.DType(), noise), append([]int{1, n}, dims[1:]...)...)
		copies := graph.Add(graph.InsertAxes(x, 1), graph.MulScalar(z, g.Sigma))
		logits := f(s, graph.Reshape(copies, append([]int{batch * n}, dims[1:]...)...))
		each := graph.Reshape(graph.LogSoftmax(logits), batch, n, -1)
		most := graph.StopGradient(graph.ReduceAndKeep(each, graph.ReduceMax, 1))
		mean := graph.ReduceMean(graph.Exp(graph.Sub(each, most)), 1)
		return graph.Add(graph.Log(mean), graph.Reshape(most, batch, -1))
	}
}
