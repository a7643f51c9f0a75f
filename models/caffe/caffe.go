// Package caffe reads the weights of networks that Caffe trained: the blobs of a .caffemodel, a NetParameter in the
// encoding of protocol buffers. The format is described in src/caffe/proto/caffe.proto of BVLC/caffe.
//
// Nothing in a file is believed: a blob's dimensions must agree with the numbers that are there.
package caffe

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"lucigo/interp/near"
	"lucigo/models/internal/label"
	"lucigo/models/internal/wire"
)

// Blob is a tensor of weights.
type Blob struct {
	// Dims are the lengths of the axes, the last one contiguous: [out, in/groups, h, w] of a
	// convolution's weights, [out, in] of an inner product's. In files of before 2015 every blob has four
	// axes, of which the first are 1 where they are not needed.
	Dims []int

	// Data are the numbers. Those of a file in double precision are rounded.
	Data []float32
}

// Blobs are those of a network by name: the first of a layer is LAYER.weight, the second LAYER.bias, others are
// LAYER.blob2 and so on. Those of a BatchNorm are LAYER.running_mean and LAYER.running_var, and what Caffe divides them by is
// done. They are a file of tensors as lucigo/models/named takes it.
type Blobs map[string]Blob

// Names returns the names, sorted.
func (b Blobs) Names() []string { return slices.Sorted(maps.Keys(b)) }

// Shape returns the dimensions of a blob; false if there is none of that name.
func (b Blobs) Shape(name string) ([]int, bool) {
	blob, ok := b[name]
	return blob.Dims, ok
}

// Float32 returns the numbers of a blob.
func (b Blobs) Float32(name string) ([]float32, error) {
	blob, ok := b[name]
	if !ok {
		return nil, near.Error("blob", name, b.Names())
	}
	return blob.Data, nil
}

// maxBlobs is how many blobs a file may have, and maxDims how many axes a blob: Caffe's own limit.
const (
	maxBlobs = 1 << 16
	maxDims  = 32
)

// Weights returns the blobs of the layers of a .caffemodel: of a convolution and an inner product, the weights and, unless
// the layer has none, the biases. Files of both versions of Caffe's layers are read.
func Weights(path string) (Blobs, error) {
	b, err := wire.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("caffe: %w", err)
	}
	w, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("caffe: %s: %w", path, err)
	}
	return w, nil
}

// roles are what the blobs of a layer are called, and statistics those of a BatchNorm.
var roles, statistics = []string{"weight", "bias"}, []string{"running_mean", "running_var", ""}

// Parse is Weights of a file's content. It keeps nothing of b.
func Parse(b []byte) (all Blobs, err error) {
	all = Blobs{}
	for f := range wire.Fields(b, &err) {
		// NetParameter has V1LayerParameter layers = 2, where types are numbers, and LayerParameter layer = 100.
		nameField, typeField, blobsField := 4, 0, 6
		switch f.Number {
		case 2:
		case 100:
			nameField, typeField, blobsField = 1, 2, 7
		default:
			continue
		}
		var content []byte
		if content, err = f.Bytes(); err != nil {
			break
		}
		name, kind, blobs, e := layer(content, nameField, typeField, blobsField, maxBlobs-len(all))
		called := roles
		if e == nil && kind == "BatchNorm" && len(blobs) > 0 {
			called, e = statistics, average(blobs)
		}
		if e != nil {
			return nil, fmt.Errorf("layer %.200q: %w", name, e)
		}
		for i, blob := range blobs {
			role := fmt.Sprintf("blob%d", i)
			if i < len(called) {
				role = called[i]
			}
			if role == "" { // what the others were divided by
				continue
			}
			full := name + "." + role
			if _, twice := all[full]; twice {
				return nil, fmt.Errorf("layer %.200q appears twice", name)
			}
			all[full] = blob
		}
	}
	if err == nil && len(all) == 0 {
		err = errors.New("no layer has weights: the file must be a .caffemodel, the binary file of a trained network; " +
			"a .prototxt describes one only, and files of before 2014 are brought up to date by Caffe's upgrade_net_proto_binary")
	}
	return all, err
}

// average divides the sums that a BatchNorm keeps, of means and of variances, by its third blob; a layer
// that was never trained has 0 there, and its statistics are 0.
func average(blobs []Blob) error {
	if len(blobs) < 3 || len(blobs[2].Data) != 1 {
		return errors.New("a BatchNorm must have a mean, a variance, and one number by which both are divided")
	}
	var share float32
	if by := blobs[2].Data[0]; by != 0 {
		share = 1 / by
	}
	if math.IsNaN(float64(share)) {
		return errors.New("a BatchNorm's mean and variance are divided by NaN: the file is damaged")
	}
	for _, blob := range blobs[:2] {
		for i := range blob.Data {
			blob.Data[i] *= share
		}
	}
	return nil
}

// layer reads a layer's name, type and blobs. Their fields' numbers differ between the versions.
func layer(b []byte, nameField, typeField, blobsField, most int) (name, kind string, blobs []Blob, err error) {
	for f := range wire.Fields(b, &err) {
		var content []byte
		switch f.Number {
		case nameField:
			if content, err = f.Bytes(); err == nil {
				name = string(content)
				err = label.Check(name)
			}
		case typeField:
			content, err = f.Bytes()
			kind = string(content)
		case blobsField:
			if len(blobs) == most {
				return name, kind, nil, fmt.Errorf("the file has more than %d blobs", maxBlobs)
			}
			var blob Blob
			if content, err = f.Bytes(); err == nil {
				blob, err = parseBlob(content)
			}
			if err != nil {
				return name, kind, nil, fmt.Errorf("blob %d: %w", len(blobs), err)
			}
			blobs = append(blobs, blob)
		}
	}
	return name, kind, blobs, err
}

// parseBlob reads a BlobProto.
func parseBlob(b []byte) (Blob, error) {
	var (
		err            error
		data           []float32
		dims           []int64
		legacy         [4]int64 // num, channels, height, width
		old            bool
		single, double bool
	)
	for f := range wire.Fields(b, &err) {
		switch f.Number {
		case 1, 2, 3, 4:
			old = true
			legacy[f.Number-1], err = f.Int()
		case 5:
			single = true
			data, err = wire.Numbers(data, f, 4, wire.Float32)
		case 7:
			dims, err = shape(f)
		case 8:
			double = true
			data, err = wire.Numbers(data, f, 8, func(b []byte) float32 { return float32(wire.Float64(b)) })
		}
	}
	if err != nil {
		return Blob{}, err
	}
	if old && dims == nil {
		dims = legacy[:]
	}
	blob := Blob{Dims: make([]int, len(dims)), Data: data}
	size := 1
	for i, d := range dims {
		if d < 1 || int64(size) > math.MaxInt32/d {
			return Blob{}, fmt.Errorf("it is shaped %v", dims)
		}
		size *= int(d)
		blob.Dims[i] = int(d)
	}
	switch {
	case single && double:
		return Blob{}, errors.New("it has numbers in both precisions")
	case len(data) != size:
		return Blob{}, fmt.Errorf("it is shaped %v, which is %d numbers, and has %d: the file is truncated or damaged", dims, size, len(data))
	}
	return blob, nil
}

// shape reads a BlobShape.
func shape(f wire.Field) (dims []int64, err error) {
	b, err := f.Bytes()
	dims = []int64{}
	for f := range wire.Fields(b, &err) {
		if f.Number == 1 {
			dims, err = f.Ints(dims, maxDims)
		}
	}
	return dims, err
}
