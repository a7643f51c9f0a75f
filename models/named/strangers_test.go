package named

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest/shared"
	"lucigo/interp/layer"
	"lucigo/models/dataset"
	"lucigo/models/imagenet"
)

// Networks as a stranger adds them: a Forward and a Spec. Their accuracy is the one that is known of them.

var cifar = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}

// resnet20 is the network of He et al., arXiv:1512.03385, section 4.2, with shortcuts without weights.
func resnet20(s *model.Scope, x *graph.Node) *graph.Node {
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
	return layer.Dense(s.At("linear"), layer.GlobalMean(x), len(cifar))
}

func normalized(x *graph.Node, mean, deviation []float64) *graph.Node {
	row := func(v []float64) *graph.Node {
		return graph.Reshape(graph.ConstAsDType(x.Graph(), x.DType(), v), 1, 1, 1, 3)
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
	return layer.Dense(s.At("fc3"), x, len(cifar))
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

// right returns which parts of the pictures in a folder a model gets right, and has among its five likeliest.
func right(t *testing.T, m *interp.Model, in dataset.Input, folder string) (top1, top5 float64) {
	t.Helper()
	e, err := engine.Default()
	if err != nil {
		t.Fatal(err)
	}
	if e.Kind() == engine.Go && testing.Short() {
		t.Skip("skipped: slow on the Go backend; run without -short")
	}
	src, err := in.Folder(folder)
	if err != nil {
		t.Fatal(err)
	}
	x, err := dataset.Read(t.Context(), src, 0, src.Len())
	if err != nil || x.Class == nil {
		t.Fatalf("classes %v, %v", x.Class, err)
	}
	p, err := m.Predict(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	for i, class := range x.Class {
		best := p.Top(i, 5)
		if best[0] == class {
			top1++
		}
		if slices.Contains(best, class) {
			top5++
		}
	}
	top1, top5 = top1/float64(x.N), top5/float64(x.N)
	t.Logf("%s: of %d pictures %.1f %% are right, %.1f %% among the five likeliest", m, x.N, 100*top1, 100*top5)
	return top1, top5
}

func pictures(path string) (int, error) {
	return slices.Index(cifar, filepath.Base(filepath.Dir(path))), nil
}

// ResNet-20 gets 81.0 % of these compressed pictures right, the tutorial's network 58.4 %, and without the
// order of its flatten far less.
func TestOracleCIFARNetworks(t *testing.T) {
	in := dataset.Input{Height: 32, Width: 32, Class: pictures}
	folder := shared.Path(t, "datasets", "cifar10_jpg", "test2000")
	open := func(r Reader, forward layer.Forward, elem ...string) *interp.Model {
		m, err := r.Open(shared.Path(t, append([]string{"models"}, elem...)...),
			interp.Spec{Name: elem[0], Forward: forward, Input: [3]int{32, 32, 3}, Classes: cifar})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	if got, _ := right(t, open(Reader{}, resnet20, "cifar10_resnet20", "resnet20-12fca82f.safetensors"), in, folder); got < .79 || got > .83 {
		t.Errorf("ResNet-20 gets %.3f right, and 0.810 is known", got)
	}
	flat := Reader{Flat: map[string][3]int{"/fc1/weights": {16, 5, 5}}}
	if got, _ := right(t, open(flat, tutorial, "cifar10_cnn_captum", "cifar_torchvision.safetensors"), in, folder); got < .56 || got > .61 {
		t.Errorf("the tutorial's network gets %.3f right, and 0.584 is known", got)
	}
	flat.Flat["/fc1/weights"] = [3]int{16 * 5 * 5, 1, 1}
	if got, _ := right(t, open(flat, tutorial, "cifar10_cnn_captum", "cifar_torchvision.safetensors"), in, folder); got > .4 {
		t.Errorf("with its flatten in another order the tutorial's network gets %.3f right", got)
	}
}

// SqueezeNet gets 62.2 and 83.7 % of a thousand photographs right.
func TestOracleSqueezeNet(t *testing.T) {
	m, err := Reader{Name: Slashed}.Open(shared.Path(t, "models", "squeezenet1.1", "squeezenet1.1.safetensors"),
		interp.Spec{Name: "SqueezeNet 1.1", Forward: squeezeNet, Input: [3]int{227, 227, 3}, Classes: imagenet.Names()})
	if err != nil {
		t.Fatal(err)
	}
	in := dataset.Input{Height: 227, Width: 227, Short: 256, Class: imagenet.ClassOf}
	top1, top5 := right(t, m, in, shared.Path(t, "images", "imagenet_samples_dev"))
	if top1 < .52 || top5 < .76 {
		t.Errorf("it gets %.3f and %.3f right, and 0.622 and 0.837 are known", top1, top5)
	}
}
