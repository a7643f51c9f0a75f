// Package googlenet is BVLC GoogLeNet: the network of Szegedy et al., "Going deeper with convolutions",
// arXiv:1409.4842, as the Berkeley Vision and Learning Center trained it with Caffe on ImageNet's 1,000
// classes (Sergio Guadarrama; "released for unrestricted use", says the model's readme in BVLC/caffe,
// models/bvlc_googlenet). It is also called InceptionV1.
//
// Its input is a photograph in red, green and blue, in [0, 1], of 224×224 pixels: the middle of one whose
// shorter side is 256. The network's own first step turns that into what Caffe fed it: blue, green, red,
// from 0 to 255, minus (104, 117, 123).
//
// Layers have the names of Caffe's blobs, which a ReLU overwrites: conv1/7x7_s2 is what the ReLU after
// that convolution gives. The output of each inception block has a second name, as the literature on
// feature visualisation has it: mixed3a is inception_3a/output, and so on to mixed5b.
package googlenet

import (
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp/layer"
)

// Size is the height and width of the images that the whole network takes.
const Size = 224

// Short is the shorter side of a photograph from whose middle the image is cut.
const Short = 256

// Classes is the number of classes.
const Classes = 1000

// block is an inception block: the channels of its four branches, 1×1, 3×3 after a reduction, 5×5
// after a reduction, and 1×1 after max-pooling.
type block struct {
	name                                     string
	one, reduce3, three, reduce5, five, pool int
	shrink                                   bool // max-pooling by 2 follows
}

// blocks is table 1 of the paper.
var blocks = []block{
	{"3a", 64, 96, 128, 16, 32, 32, false},
	{"3b", 128, 128, 192, 32, 96, 64, true},
	{"4a", 192, 96, 208, 16, 48, 64, false},
	{"4b", 160, 112, 224, 24, 64, 64, false},
	{"4c", 128, 128, 256, 24, 64, 64, false},
	{"4d", 112, 144, 288, 32, 64, 64, false},
	{"4e", 256, 160, 320, 32, 128, 128, true},
	{"5a", 256, 160, 320, 32, 128, 128, false},
	{"5b", 384, 192, 384, 48, 128, 128, false},
}

// out is the number of channels of the block's output.
func (b block) out() int { return b.one + b.three + b.five + b.pool }

// halve is Caffe's way to pool: a last, partial window counts.
var halve = layer.Window{Size: [2]int{3, 3}, Stride: [2]int{2, 2}, Ceil: true}

// Forward is the network, from images [N, 224, 224, 3] in [0, 1] to logits [N, 1000]. Its layers up to
// inception_5b/output take images of any size from 32×32 up. Dropout, which acts only in training, is left out.
func Forward(s *model.Scope, images *graph.Node) *graph.Node {
	x := preprocess(images)
	stem := s.At("conv1")
	x = convolve(stem, "conv1/", "7x7_s2", x, 64, layer.Square(7, 2, 3))
	x = layer.At("pool1/3x3_s2", layer.MaxPool(x, halve))
	x = layer.At("pool1/norm1", normalize(x))
	stem = s.At("conv2")
	x = convolve(stem, "conv2/", "3x3_reduce", x, 64, layer.Square(1, 1, 0))
	x = convolve(stem, "conv2/", "3x3", x, 192, layer.Square(3, 1, 1))
	x = layer.At("conv2/norm2", normalize(x))
	x = layer.At("pool2/3x3_s2", layer.MaxPool(x, halve))
	for _, b := range blocks {
		x = b.forward(s, x)
		if b.shrink {
			x = layer.At("pool"+b.name[:1]+"/3x3_s2", layer.MaxPool(x, halve))
		}
	}
	x = layer.At("pool5/7x7_s1", layer.MeanPool(x, layer.Square(7, 1, 0), true))
	x = layer.Dense(s.At("loss3").At("classifier"), layer.Flatten(x), Classes)
	return layer.At("loss3/classifier", x)
}

func (b block) forward(s *model.Scope, x *graph.Node) *graph.Node {
	name := "inception_" + b.name
	s = s.At("%s", name)
	point := layer.Square(1, 1, 0)
	conv := func(at string, x *graph.Node, out int, w layer.Window) *graph.Node {
		return convolve(s, name+"/", at, x, out, w)
	}

	one := conv("1x1", x, b.one, point)
	three := conv("3x3", conv("3x3_reduce", x, b.reduce3, point), b.three, layer.Square(3, 1, 1))
	five := conv("5x5", conv("5x5_reduce", x, b.reduce5, point), b.five, layer.Square(5, 1, 2))
	pool := layer.At(name+"/pool", layer.MaxPool(x, layer.Square(3, 1, 1)))
	pool = conv("pool_proj", pool, b.pool, point)

	x = layer.At(name+"/output", layer.Concat(one, three, five, pool))
	return layer.At("mixed"+b.name, x)
}

// convolve is a convolution and its ReLU, with the variables prefix/name/weights and prefix/name/biases.
func convolve(s *model.Scope, prefix, name string, x *graph.Node, out int, w layer.Window) *graph.Node {
	return layer.At(prefix+name, layer.ReLU(layer.Conv(s.At("%s", name), x, out, w)))
}

func normalize(x *graph.Node) *graph.Node { return layer.LRN(x, 5, 1e-4, 0.75, 1) }

// mean is what Caffe subtracted: of blue, green and red, from 0 to 255.
var mean = []float64{104, 117, 123}

// preprocess turns red, green and blue in [0, 1] into what Caffe fed the network.
func preprocess(images *graph.Node) *graph.Node {
	g, dtype := images.Graph(), images.DType()
	bgr := graph.MulScalar(graph.Reverse(images, 3), 255)
	return graph.Sub(bgr, graph.Reshape(graph.ConstAsDType(g, dtype, mean), 1, 1, 1, 3))
}
