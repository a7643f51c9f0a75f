package layer

import (
	"fmt"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// LRN is local response normalisation across channels, of x, [N, H, W, C]:
//
//	y[c] = x[c] / (bias + alpha/size · Σ x[i]²)^beta,  c − ⌊(size−1)/2⌋ ≤ i ≤ c + ⌈(size−1)/2⌉
//
// with alpha over size as Caffe and ONNX have it (Krizhevsky et al., NIPS 2012, have alpha alone).
func LRN(x *graph.Node, size int, alpha, beta, bias float64) *graph.Node {
	checkImages("LRN", x)
	if size < 1 {
		panic(fmt.Errorf("layer: LRN: size is %d, must be at least 1", size))
	}
	return signed(Pointwise(x, func(x *graph.Node) *graph.Node {
		scale := alpha / float64(size)
		base := graph.AddScalar(graph.MulScalar(neighbours(graph.Mul(x, x), (size-1)/2, size/2), scale), bias)
		factor := power(base, -beta)
		y := graph.Mul(x, factor)
		return withDerivative(y, []*graph.Node{x}, func(v *graph.Node) []*graph.Node {
			others := neighbours(graph.Mul(graph.Mul(y, v), power(base, -1)), size/2, (size-1)/2)
			return []*graph.Node{graph.Sub(graph.Mul(v, factor), graph.MulScalar(graph.Mul(x, others), 2*scale*beta))}
		})
	}), x)
}

// neighbours returns the sum of each channel of x and so many before and after it.
func neighbours(x *graph.Node, before, after int) *graph.Node {
	channels := x.Shape().Dim(3)
	padded := graph.Pad(x, graph.ScalarZero(x.Graph(), x.DType()),
		graph.PadAxis{}, graph.PadAxis{}, graph.PadAxis{}, graph.PadAxis{Start: before, End: after})
	sum := graph.SliceAxis(padded, 3, graph.AxisRange(0, channels))
	for i := range before + after {
		sum = graph.Add(sum, graph.SliceAxis(padded, 3, graph.AxisRange(i+1, i+1+channels)))
	}
	return sum
}

// power returns x^p for positive x, by square roots where they suffice.
func power(x *graph.Node, p float64) *graph.Node {
	switch p {
	case -1:
		return graph.Reciprocal(x)
	case -0.5:
		return inverseRoot(x)
	case -0.75:
		root := inverseRoot(x)
		return graph.Mul(root, graph.Sqrt(root))
	}
	return graph.Exp(graph.MulScalar(graph.Log(x), p))
}

// inverseRoot returns 1/√x. GoMLX's own operator has no derivative.
func inverseRoot(x *graph.Node) *graph.Node {
	return withDerivative(graph.Rsqrt(x), []*graph.Node{x}, func(v *graph.Node) []*graph.Node {
		y := inverseRoot(x)
		return []*graph.Node{graph.MulScalar(graph.Mul(v, graph.Mul(y, graph.Mul(y, y))), -.5)}
	})
}

// Normalize is batch normalisation with known statistics: scale·(x − mean)/√(variance + epsilon) +
// offset, channel by channel, for x [N, H, W, C] or [N, C] and the others [C].
func Normalize(x, mean, variance, scale, offset *graph.Node, epsilon float64) *graph.Node {
	factor := graph.Div(scale, graph.Sqrt(graph.AddScalar(variance, epsilon)))
	shift := graph.Sub(offset, graph.Mul(mean, factor))
	if y := folded(x, factor, shift); y != nil {
		return y
	}
	return Pointwise(x, func(x *graph.Node) *graph.Node {
		return graph.Add(graph.Mul(x, graph.ExpandLeftToRank(factor, x.Rank())), graph.ExpandLeftToRank(shift, x.Rank()))
	})
}

// BatchNorm is batch normalisation (Ioffe and Szegedy, arXiv:1502.03167) of x, [N, H, W, C] or [N, C].
// Epsilon is the network's, and no file of weights tells it: PyTorch's and Caffe's default is 1e-5, that of
// TensorFlow, Keras and most ports of Inception and MobileNet 1e-3. Its variables in s are "scale" (ones), "offset" (zeros) and, not trainable, "mean"
// (zeros) and "variance" (ones), all [C]. While training it takes the statistics of the batch, the
// variance with divisor n, and moves the variables towards them by a tenth a step; else it takes the
// variables.
func BatchNorm(s *model.Scope, x *graph.Node, epsilon float64) *graph.Node {
	const keep = 0.9
	if !(epsilon >= 0) {
		panic(fmt.Errorf("layer: BatchNorm: epsilon is %g, must be at least 0", epsilon))
	}
	g, last := x.Graph(), x.Rank()-1
	shape := shapes.Make(x.DType(), x.Shape().Dim(last))
	ones, zeros := s.WithInitializer(graph.Ones), s.WithInitializer(graph.Zeros)
	scale := ones.VariableWithShape("scale", shape)
	offset := zeros.VariableWithShape("offset", shape)
	mean := zeros.VariableWithShape("mean", shape).SetTrainable(false)
	variance := ones.VariableWithShape("variance", shape).SetTrainable(false)
	if !s.IsTraining(g) {
		return Normalize(x, mean.NodeValue(g), variance.NodeValue(g), scale.NodeValue(g), offset.NodeValue(g), epsilon)
	}
	z, m, v := standardize(x, epsilon)
	move := func(variable *model.Variable, to *graph.Node) {
		old := variable.NodeValue(g)
		variable.SetNodeValue(graph.Add(graph.MulScalar(old, keep), graph.MulScalar(graph.StopGradient(to), 1-keep)))
	}
	move(mean, m)
	move(variance, v)
	wide := func(v *model.Variable) *graph.Node { return graph.ExpandLeftToRank(v.NodeValue(g), x.Rank()) }
	return graph.Add(graph.Mul(z, wide(scale)), wide(offset))
}

// standardize returns (x − mean)/√(variance + epsilon), channel by channel, with x's own mean and variance, and these, [C].
// The derivative passes through them as well: Ioffe and Szegedy's formulas, put together.
func standardize(x *graph.Node, epsilon float64) (z, mean, variance *graph.Node) {
	wide := func(v *graph.Node) *graph.Node { return graph.ExpandLeftToRank(v, x.Rank()) }
	mean = channelMean(x)
	d := graph.Sub(x, wide(mean))
	variance = channelMean(graph.Square(d))
	inverse := wide(inverseRoot(graph.AddScalar(variance, epsilon)))
	z = graph.Mul(d, inverse)
	return withDerivative(z, []*graph.Node{x}, func(v *graph.Node) []*graph.Node {
		through := graph.Add(wide(channelMean(v)), graph.Mul(z, wide(channelMean(graph.Mul(v, z)))))
		return []*graph.Node{graph.Mul(inverse, graph.Sub(v, through))}
	}), mean, variance
}

// channelMean returns the mean of each channel, [C]; as a product with ones, which XLA's CPU backend computes four times as
// fast as a reduction over the leading axes.
func channelMean(x *graph.Node) *graph.Node {
	c := x.Shape().Dim(x.Rank() - 1)
	rows := x.Shape().Size() / c
	ones := graph.BroadcastToDims(graph.Scalar(x.Graph(), x.DType(), 1/float64(rows)), 1, rows)
	return graph.Reshape(graph.Dot(ones, graph.Reshape(x, rows, c)).MatMul(), c)
}
