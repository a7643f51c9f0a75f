package layer

import (
	"fmt"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Conv is Convolve with variables "weights", [kh, kw, C, out], and "biases", [out], of s. New ones are
// made by s's initialiser; GoMLX's default is He's for weights and zeros for biases.
func Conv(s *model.Scope, x *graph.Node, out int, w Window) *graph.Node {
	return Convolve(x, convWeights(s, x, out, w), biases(s, x, out), w, 1)
}

// ConvNoBias is Conv without biases, to be followed by a BatchNorm.
func ConvNoBias(s *model.Scope, x *graph.Node, out int, w Window) *graph.Node {
	return Convolve(x, convWeights(s, x, out, w), nil, w, 1)
}

// Dense is Affine with variables "weights", [in, out], and "biases", [out], of s, made as Conv's are.
func Dense(s *model.Scope, x *graph.Node, out int) *graph.Node {
	if x.Rank() != 2 {
		panic(fmt.Errorf("layer: Dense: x is shaped %s, must be [N, in]: Flatten it", x.Shape()))
	}
	weights := s.VariableWithShape("weights", shapes.Make(x.DType(), x.Shape().Dim(1), out)).NodeValue(x)
	return Affine(x, weights, biases(s, x, out))
}

// Affine returns x·weights + bias, for x [N, in], weights [in, out] and bias [out] or nil for none.
func Affine(x, weights, bias *graph.Node) *graph.Node {
	if x.Rank() != 2 || weights.Rank() != 2 || x.Shape().Dim(1) != weights.Shape().Dim(0) {
		panic(fmt.Errorf("layer: Affine: x and weights are shaped %s and %s, must be [N, in] and [in, out]", x.Shape(), weights.Shape()))
	}
	return linear(x, weights, bias, func(x, w *graph.Node) *graph.Node { return graph.MatMul(x, w) })
}

func convWeights(s *model.Scope, x *graph.Node, out int, w Window) *graph.Node {
	shape := shapes.Make(x.DType(), w.Size[0], w.Size[1], x.Shape().Dim(x.Rank()-1), out)
	return s.VariableWithShape("weights", shape).NodeValue(x)
}

func biases(s *model.Scope, x *graph.Node, out int) *graph.Node {
	return s.VariableWithShape("biases", shapes.Make(x.DType(), out)).NodeValue(x)
}
