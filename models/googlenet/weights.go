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
	"lucigo/models/safetensors"
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

// caffejs holds the trained weights as one file a tensor: a copy of BVLC's, made by Christoph Körner for
// running Caffe's networks in a browser (MIT licence), at a commit that does not change.
const caffejs = "https://raw.githubusercontent.com/chaosmail/caffejs/dedfd566d0268352c3becdc808ea3d24908a7a0c/examples/models/bvlc_googlenet/weights/"

// File is the file of the trained weights: float32, as Open takes it. It is not published as one file,
// but put together, to the bit, from the tensors that are.
func File() weights.File {
	f := weights.File{
		Model:  "googlenet",
		Name:   "bvlc_googlenet.safetensors",
		Size:   28005392,
		SHA256: "b355f98d18f96dceb6ef2ee8dd7a04a3095181e0da056a8f417024b65d12f74c",
		Origin: "BVLC GoogLeNet, released for unrestricted use; from github.com/chaosmail/caffejs",

		PartsSHA256: "eff931e366c61e656ae802f87759883a0164cd4a758379419772ec057da07ac0",
		Join:        join,
	}
	published := strings.NewReplacer(".weight", "_filter.bin", ".bias", "_bias.bin")
	for _, p := range parameters() {
		f.Parts = append(f.Parts, weights.Part{URL: caffejs + published.Replace(p.name), Size: int64(p.bytes())})
	}
	return f
}

// bytes is the length of the tensor.
func (p parameter) bytes() int {
	n := 4
	for _, d := range p.dims {
		n *= d
	}
	return n
}

// join turns the published tensors, one after the other, into the safetensors file. Convolutions are
// published as [out, h, w, in].
func join(parts []byte) ([]byte, error) {
	var tensors []safetensors.Tensor
	for _, p := range parameters() {
		if len(parts) < p.bytes() {
			return nil, fmt.Errorf("googlenet: %s has %d bytes, must be %d", p.name, len(parts), p.bytes())
		}
		data := parts[:p.bytes()]
		parts = parts[p.bytes():]
		if len(p.dims) == 4 {
			data = p.transposed(data)
		}
		tensors = append(tensors, safetensors.Tensor{Name: p.name, Info: safetensors.Info{Type: "F32", Shape: p.dims}, Data: data})
	}
	return safetensors.Encode([][2]string{
		{"source", "chaosmail/caffejs@dedfd566 bvlc_googlenet per-layer .bin, transposed O,H,W,I -> O,I,H,W"},
		{"input", "BGR 0-255 minus [104,117,123], 1x3x224x224"},
	}, tensors)
}

// transposed turns [out, h, w, in] into [out, in, h, w].
func (p parameter) transposed(data []byte) []byte {
	out := make([]byte, 0, len(data))
	in, window := p.dims[1], p.dims[2]*p.dims[3]
	for o := range p.dims[0] {
		for i := range in {
			for w := range window {
				out = append(out, data[4*((o*window+w)*in+i):][:4]...)
			}
		}
	}
	return out
}
