package interp

import "github.com/gomlx/gomlx/core/tensors"

// Tensor returns the pixels of x as an argument of Run: [N, H, W, C], in the network's precision. It is
// the caller's to finalize.
func (m *Model) Tensor(x Images) *tensors.Tensor {
	return fromFloats(x.Pix, m.place.dtype, x.N, x.H, x.W, x.C)
}
