// Package strangers has networks that others have trained, as somebody who uses the library adds them: a Forward and a Spec
// each. It is for tests, which are skipped where the weights are absent.
package strangers

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/interptest/shared"
	"lucigo/interp/layer"
	"lucigo/models/dataset"
	"lucigo/models/imagenet"
	"lucigo/models/named"
)

// CIFAR are the classes of CIFAR-10.
var CIFAR = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}

// ResNet20 returns a network for CIFAR-10 that gets 81.0 % of CIFARImages right.
func ResNet20(t testing.TB) *interp.Model {
	return open(t, named.Reader{}, cifar("ResNet-20", ResNet20Forward), "cifar10_resnet20", "resnet20-12fca82f.safetensors")
}

// Tutorial returns the small network of PyTorch's tutorial on CIFAR-10, which gets 58.4 % of CIFARImages right.
func Tutorial(t testing.TB) *interp.Model { return TutorialFlat(t, [3]int{16, 5, 5}) }

// TutorialFlat returns the tutorial's network with another order of its flatten, which is wrong.
func TutorialFlat(t testing.TB, flat [3]int) *interp.Model {
	r := named.Reader{Flat: map[string][3]int{"/fc1/weights": flat}}
	return open(t, r, cifar("tutorial", tutorial), "cifar10_cnn_captum", "cifar_torchvision.safetensors")
}

// SqueezeNet returns SqueezeNet 1.1 for ImageNet's classes.
func SqueezeNet(t testing.TB) *interp.Model {
	spec := interp.Spec{Name: "SqueezeNet 1.1", Forward: squeezeNet, Input: [3]int{227, 227, 3}, Classes: imagenet.Names()}
	return open(t, named.Reader{Name: named.Slashed}, spec, "squeezenet1.1", "squeezenet1.1.safetensors")
}

func cifar(name string, forward layer.Forward) interp.Spec {
	return interp.Spec{Name: name, Forward: forward, Input: [3]int{32, 32, 3}, Classes: CIFAR}
}

func open(t testing.TB, r named.Reader, spec interp.Spec, elem ...string) *interp.Model {
	t.Helper()
	m, err := r.Open(shared.Path(t, append([]string{"models"}, elem...)...), spec)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// CIFARFolder returns the 2,000 pictures of CIFAR-10, compressed as JPEG, ordered by class and name.
func CIFARFolder(t testing.TB) *dataset.Folder {
	t.Helper()
	in := dataset.Input{Height: 32, Width: 32, Class: func(path string) (int, error) {
		return slices.Index(CIFAR, filepath.Base(filepath.Dir(path))), nil
	}}
	src, err := in.Folder(shared.Path(t, "datasets", "cifar10_jpg", "test2000"))
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// CIFARImages returns n of the pictures, at equal distances in their order, so that all classes occur.
func CIFARImages(t testing.TB, n int) interp.Images {
	t.Helper()
	src := CIFARFolder(t)
	var batches []interp.Images
	for i := range n {
		k := i * src.Len() / n
		x, err := interp.Read(t.Context(), src, k, k+1)
		if err != nil {
			t.Fatal(err)
		}
		batches = append(batches, x)
	}
	x, err := interp.Join(batches...)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// ResNet20Forward is the network of He et al., arXiv:1512.03385, section 4.2, with shortcuts without weights.
func ResNet20Forward(s *model.Scope, x *graph.Node) *graph.Node {
	unit := func(s *model.Scope, i int, x *graph.Node, out, stride int) *graph.Node {
		return layer.BatchNorm(s.At("bn%d", i), layer.ConvNoBias(s.At("conv%d", i), x, out, layer.Square(3, stride, 1)), 1e-5)
	}
	x = layer.At("conv1", layer.ReLU(unit(s, 1, normalized(x, []float64{.485, .456, .406}, []float64{.229, .224, .225}), 16, 1)))
	for stage, out := range []int{16, 32, 64} {
		for block := range 3 {
			stride, s := 1, s.At("layer%d", stage+1).At("%d", block)
			if stage > 0 && block == 0 {
				stride = 2
			}
			y := unit(s, 2, layer.ReLU(unit(s, 1, x, out, stride)), out, 1)
			if stride > 1 {
				even := graph.AxisRange().Stride(2)
				x = graph.Slice(x, graph.AxisRange(), even, even, graph.AxisRange())
				x = graph.Pad(x, graph.ScalarZero(x.Graph(), x.DType()),
					graph.PadAxis{}, graph.PadAxis{}, graph.PadAxis{}, graph.PadAxis{Start: out / 4, End: out / 4})
			}
			x = layer.At(fmt.Sprintf("layer%d.%d", stage+1, block), layer.ReLU(graph.Add(x, y)))
		}
	}
	return layer.Dense(s.At("linear"), layer.GlobalMean(x), len(CIFAR))
}

// normalized takes the colours' means off and divides by their deviations. Of each colour there may be several channels in a row, as in a code.
func normalized(x *graph.Node, mean, deviation []float64) *graph.Node {
	row := func(v []float64) *graph.Node {
		each := graph.Reshape(graph.ConstAsDType(x.Graph(), x.DType(), v), 1, 1, 1, 3, 1)
		return graph.Reshape(graph.BroadcastToDims(each, 1, 1, 1, 3, x.Shape().Dim(3)/3), 1, 1, 1, x.Shape().Dim(3))
	}
	return graph.Div(graph.Sub(x, row(mean)), row(deviation))
}

// tutorial is the small network of PyTorch's tutorial on CIFAR-10.
func tutorial(s *model.Scope, x *graph.Node) *graph.Node {
	x = graph.DivScalar(graph.SubScalar(x, .5), .5)
	x = layer.At("conv1", layer.ReLU(layer.Conv(s.At("conv1"), x, 6, layer.Square(5, 1, 0))))
	x = layer.At("conv2", layer.ReLU(layer.Conv(s.At("conv2"), layer.MaxPool(x, layer.Square(2, 2, 0)), 16, layer.Square(5, 1, 0))))
	x = layer.Flatten(layer.MaxPool(x, layer.Square(2, 2, 0)))
	x = layer.At("fc1", layer.ReLU(layer.Dense(s.At("fc1"), x, 120)))
	x = layer.At("fc2", layer.ReLU(layer.Dense(s.At("fc2"), x, 84)))
	return layer.Dense(s.At("fc3"), x, len(CIFAR))
}

// squeezeNet is SqueezeNet 1.1 (Iandola et al., arXiv:1602.07360) as it was trained with Caffe.
func squeezeNet(s *model.Scope, x *graph.Node) *graph.Node {
	dot, halve := layer.Square(1, 1, 0), layer.Window{Size: [2]int{3, 3}, Stride: [2]int{2, 2}, Ceil: true}
	unit := func(s *model.Scope, x *graph.Node, out int, w layer.Window) *graph.Node {
		return layer.ReLU(layer.Conv(s, x, out, w))
	}
	x = normalized(graph.MulScalar(graph.Reverse(x, 3), 255), []float64{104, 117, 123}, []float64{1, 1, 1})
	x = layer.At("conv1", unit(s.At("conv1"), x, 64, layer.Square(3, 2, 0)))
	for i, squeeze := range []int{16, 16, 32, 32, 48, 48, 64, 64} {
		if i < 6 && i%2 == 0 {
			x = layer.MaxPool(x, halve)
		}
		s := s.At("fire%d", i+2)
		x = unit(s.At("squeeze1x1"), x, squeeze, dot)
		x = layer.At(fmt.Sprintf("fire%d", i+2), layer.Concat(
			unit(s.At("expand1x1"), x, 4*squeeze, dot), unit(s.At("expand3x3"), x, 4*squeeze, layer.Square(3, 1, 1))))
	}
	return layer.GlobalMean(layer.At("conv10", unit(s.At("conv10"), x, imagenet.Classes, dot)))
}
