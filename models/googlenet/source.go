package googlenet

import (
	"fmt"
	"strings"

	"lucigo/models/safetensors"
	"lucigo/models/weights"
)

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
