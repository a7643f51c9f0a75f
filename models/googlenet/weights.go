package googlenet

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"lucigo/interp"
	"lucigo/models/caffe"
	"lucigo/models/imagenet"
	"lucigo/models/named"
	"lucigo/models/weights"
)

// Model returns the network with its trained weights, which are found on this machine or downloaded once:
// see package lucigo/models/weights.
func Model(ctx context.Context) (*interp.Model, error) {
	path, err := weights.Find(ctx, File())
	if err != nil {
		return nil, fmt.Errorf("googlenet: %w", err)
	}
	return Open(path)
}

// Open returns the network with the weights of a safetensors file: one that has, for every convolution
// and the classifier, a tensor NAME.weight, [out, in, h, w] or [out, in], and a tensor NAME.bias, [out],
// where NAME is Caffe's. Another tensor, a missing one or one of another shape is an error.
func Open(path string) (*interp.Model, error) { return reader.Open(path, spec()) }

var reader = named.Reader{Name: named.Slashed}

func spec() interp.Spec {
	return interp.Spec{Name: "GoogLeNet", Forward: Forward, Input: [3]int{Size, Size, 3}, Classes: imagenet.Names()}
}

// parameter is a tensor of the weight file: a convolution's or the classifier's.
type parameter struct {
	name string // Caffe's name of the layer, and .weight or .bias
	dims []int  // [out, in, h, w], [out, in] or [out]
}

// parameters are all tensors, in the order of the network.
func parameters() (all []parameter) {
	add := func(name string, dims ...int) {
		all = append(all, parameter{name + ".weight", dims}, parameter{name + ".bias", dims[:1]})
	}
	add("conv1/7x7_s2", 64, 3, 7, 7)
	add("conv2/3x3_reduce", 64, 64, 1, 1)
	add("conv2/3x3", 192, 64, 3, 3)
	in := 192
	for _, b := range blocks {
		name := "inception_" + b.name + "/"
		add(name+"1x1", b.one, in, 1, 1)
		add(name+"3x3_reduce", b.reduce3, in, 1, 1)
		add(name+"3x3", b.three, b.reduce3, 3, 3)
		add(name+"5x5_reduce", b.reduce5, in, 1, 1)
		add(name+"5x5", b.five, b.reduce5, 5, 5)
		add(name+"pool_proj", b.pool, in, 1, 1)
		in = b.out()
	}
	add("loss3/classifier", Classes, in)
	return all
}

// OpenCaffe returns the network with the weights of a .caffemodel, such as the bvlc_googlenet.caffemodel
// that BVLC publishes: its address and SHA-1, 405fc5acd08a3bb12de8ee5e23a96bec22f08204, are in
// models/bvlc_googlenet/readme.md of BVLC/caffe. The two classifiers that help in training only, loss1 and
// loss2, are left out. Another layer with weights, a missing one or one of another shape is an error.
func OpenCaffe(path string) (*interp.Model, error) {
	blobs, err := caffe.Weights(path)
	if err != nil {
		return nil, fmt.Errorf("googlenet: %w", err)
	}
	maps.DeleteFunc(blobs, func(name string, _ caffe.Blob) bool {
		return strings.HasPrefix(name, "loss1/") || strings.HasPrefix(name, "loss2/")
	})
	m, err := reader.Read(blobs, spec())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}
