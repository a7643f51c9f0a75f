package googlenet

import (
	"fmt"
	"maps"
	"strings"

	"lucigo/interp"
	"lucigo/models/caffe"
)

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
