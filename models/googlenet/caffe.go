package googlenet

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"lucigo/interp"
	"lucigo/interp/near"
	"lucigo/models/caffe"
)

// OpenCaffe returns the network with the weights of a .caffemodel, such as the bvlc_googlenet.caffemodel
// that BVLC publishes: its address and SHA-1, 405fc5acd08a3bb12de8ee5e23a96bec22f08204, stand in
// models/bvlc_googlenet/readme.md of BVLC/caffe. The two classifiers that help in training only, loss1 and
// loss2, are left out. Another layer with weights, a missing one or one of another shape is an error.
func OpenCaffe(path string) (*interp.Model, error) {
	layers, err := caffe.Weights(path)
	if err != nil {
		return nil, fmt.Errorf("googlenet: %w", err)
	}
	w := interp.Weights{}
	names := slices.Sorted(maps.Keys(layers))
	for _, p := range parameters() {
		blobs := layers[p.layer]
		if blobs == nil {
			return nil, fmt.Errorf("%s: %w; GoogLeNet needs its weights", path, near.Error("layer", p.layer, names))
		}
		if w[p.path()], err = p.fromCaffe(blobs); err != nil {
			return nil, fmt.Errorf("%s: layer %q: %w", path, p.layer, err)
		}
		names = slices.DeleteFunc(names, func(name string) bool { return name == p.layer && p.bias })
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		return strings.HasPrefix(name, "loss1/") || strings.HasPrefix(name, "loss2/")
	})
	if len(names) > 0 {
		return nil, fmt.Errorf("%s: GoogLeNet has no layers %.300q: this is the file of another network", path, names)
	}
	return newModel(w)
}

// fromCaffe turns the parameter's blob, of its layer's, into the layout of the network.
func (p parameter) fromCaffe(blobs []caffe.Blob) (*interp.Weight, error) {
	if len(blobs) != 2 {
		return nil, fmt.Errorf("it has %d blobs, and GoogLeNet needs weights and biases", len(blobs))
	}
	blob := blobs[0]
	if p.bias {
		blob = blobs[1]
	}
	if !blob.Is(p.dims...) {
		return nil, fmt.Errorf("a blob is shaped %v, and GoogLeNet needs %v", blob.Dims, p.dims)
	}
	return p.weight(blob.Data)
}
