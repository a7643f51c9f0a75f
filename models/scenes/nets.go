package scenes

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp/layer"
)

// Unit is one convolution of a net with everything up to the next: [ConvReLU] in the trained nets; while training, a batch norm
// is between convolution and ReLU. Its variables live in the scope s; out is the number of output channels.
type Unit func(s *model.Scope, x *graph.Node, out int, w layer.Window) *graph.Node

// ConvReLU is the unit of the trained nets, batch norm folded into weights and biases.
func ConvReLU(s *model.Scope, x *graph.Node, out int, w layer.Window) *graph.Node {
	return layer.ReLU(layer.Conv(s, x, out, w))
}

// centre is the preprocessing of every net here: images in [0,1] to about [−2,2].
func centre(x *graph.Node) *graph.Node { return graph.MulScalar(graph.AddScalar(x, -0.45), 4) }

// Hidden is the number of hidden units of the fully connected net that [Dense] returns.
const Hidden = 64

// MiniInception is an Inception in small, for images of 64×64 (any size from 32×32 works): layers conv1 (7×7, stride 2), conv2,
// mixed3a, mixed3b, mixed4a, mixed4b, mixed5a, logits; 0.56 million parameters with 16 classes.
func MiniInception(unit Unit, classes int) layer.Forward {
	return miniInception(unit, classes, func(_ *model.Scope, _, x *graph.Node) *graph.Node { return x })
}

// miniInception is MiniInception with a change of mixed4a, which is told of mixed3b and of what mixed4a would be.
func miniInception(unit Unit, classes int, change func(s *model.Scope, below, x *graph.Node) *graph.Node) layer.Forward {
	return func(s *model.Scope, x *graph.Node) *graph.Node {
		mixed := func(name string, x *graph.Node, one, reduce3, three, reduce5, five, pool int) *graph.Node {
			s := s.At("%s", name)
			dot := layer.Square(1, 1, 0)
			return layer.Concat(
				unit(s.At("1x1"), x, one, dot),
				unit(s.At("3x3"), unit(s.At("3x3_reduce"), x, reduce3, dot), three, layer.Square(3, 1, 1)),
				unit(s.At("5x5"), unit(s.At("5x5_reduce"), x, reduce5, dot), five, layer.Square(5, 1, 2)),
				unit(s.At("pool"), layer.MaxPool(x, layer.Square(3, 1, 1)), pool, dot))
		}
		halve := func(x *graph.Node) *graph.Node { return layer.MaxPool(x, layer.Square(3, 2, 1)) }
		x = layer.At("conv1", unit(s.At("conv1"), centre(x), 48, layer.Square(7, 2, 3)))
		x = layer.At("conv2", unit(s.At("conv2"), halve(x), 96, layer.Square(3, 1, 1)))
		x = layer.At("mixed3a", mixed("mixed3a", x, 32, 32, 64, 12, 24, 16))
		x = layer.At("mixed3b", mixed("mixed3b", x, 40, 40, 80, 16, 32, 24))
		x = layer.At("mixed4a", change(s, x, mixed("mixed4a", halve(x), 56, 48, 112, 16, 40, 32)))
		x = layer.At("mixed4b", mixed("mixed4b", x, 64, 64, 128, 20, 48, 32))
		x = layer.At("mixed5a", mixed("mixed5a", x, 80, 72, 144, 20, 48, 48))
		return layer.At("logits", layer.Dense(s.At("logits"), layer.GlobalMean(x), classes))
	}
}

// AllConvolutional is a net of convolutions alone, which halves by stride instead of pooling: layers conv1 (5×5) … conv7 (1×1),
// logits, for images of 64×64 (any size from 16×16 works); 0.57 million parameters with 16 classes.
func AllConvolutional(unit Unit, classes int) layer.Forward {
	return stack(unit, classes, []convolution{{48, 5, 1}, {64, 3, 2}, {96, 3, 2}, {96, 3, 1}, {160, 3, 2}, {160, 3, 1}, {192, 1, 1}})
}

// Small is a net of five convolutions and 0.1 million parameters with 16 classes, for questions that need several nets which
// were each trained on something else: layers conv1 (5×5) … conv5, logits, for images of 64×64 (any size from 16×16 works).
func Small(unit Unit, classes int) layer.Forward {
	return stack(unit, classes, []convolution{{24, 5, 2}, {40, 3, 2}, {48, 3, 1}, {64, 3, 2}, {72, 3, 1}})
}

// Tiny is Small with fewer channels, for the same questions: 0.06 million parameters with 4 classes.
func Tiny(unit Unit, classes int) layer.Forward {
	return stack(unit, classes, []convolution{{16, 5, 2}, {32, 3, 2}, {40, 3, 1}, {48, 3, 2}, {64, 3, 1}})
}

type convolution struct{ out, size, stride int }

// stack is a net of convolutions, conv1 and so on, a mean over positions and logits.
func stack(unit Unit, classes int, convolutions []convolution) layer.Forward {
	return func(s *model.Scope, x *graph.Node) *graph.Node {
		x = centre(x)
		for i, c := range convolutions {
			name := fmt.Sprintf("conv%d", i+1)
			x = layer.At(name, unit(s.At("%s", name), x, c.out, layer.Square(c.size, c.stride, c.size/2)))
		}
		return layer.At("logits", layer.Dense(s.At("logits"), layer.GlobalMean(x), classes))
	}
}

// FullyConnected sees a 64×64 image in grey through hidden units that are each joined to every pixel: layers hidden, logits. A unit's
// weights are an image themselves; they start a tenth as large as He's, so that pixels which teach a unit nothing stay grey in it.
func FullyConnected(hidden, classes int) layer.Forward {
	return func(s *model.Scope, x *graph.Node) *graph.Node {
		x = layer.Flatten(graph.ReduceMean(centre(x), -1))
		small := func(g *graph.Graph, shape shapes.Shape) *graph.Node {
			if shape.Rank() < 2 {
				return graph.Zeros(g, shape)
			}
			return graph.MulScalar(s.RandomNormal(g, shape), 0.1*math.Sqrt(2/float64(shape.Dim(0))))
		}
		x = layer.At("hidden", layer.ReLU(layer.Dense(s.At("hidden").WithInitializer(small), x, hidden)))
		return layer.At("logits", layer.Dense(s.At("logits"), x, classes))
	}
}

// Coarse is a net of dense layers: each unit of the first sees all of the image, in the means of squares of 4×4 pixels, in
// colour. Layers hidden1, hidden2, logits, for images of 64×64; 0.17 million parameters with 16 classes. A dense layer is
// written as a convolution as large as its input.
func Coarse(unit Unit, classes int) layer.Forward {
	return func(s *model.Scope, x *graph.Node) *graph.Node {
		x = layer.MeanPool(centre(x), layer.Square(4, 4, 0), false)
		x = layer.At("hidden1", unit(s.At("hidden1"), x, 192, layer.Square(x.Shape().Dim(1), 1, 0)))
		x = layer.At("hidden2", unit(s.At("hidden2"), x, 128, layer.Square(1, 1, 0)))
		return layer.At("logits", layer.Dense(s.At("logits"), layer.GlobalMean(x), classes))
	}
}
