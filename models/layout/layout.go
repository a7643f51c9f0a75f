// Package layout turns weights as other frameworks store them into the layouts of lucigo/interp/layer.
package layout

// HWIO turns convolution weights [out, in, h, w], as PyTorch, Caffe and ONNX store them, into [h, w, in, out]. Dense
// weights [out, in] are those with h = w = 1, and become [in, out]. It panics if src has another length.
func HWIO[T any](src []T, out, in, h, w int) []T {
	window := h * w
	columns := in * window
	if len(src) != out*columns {
		panic("layout.HWIO: weights of another length")
	}
	dst := make([]T, len(src))
	// Blocks keep the lines read across, and the line written along, in the first cache.
	const block = 16
	for o0 := 0; o0 < out; o0 += block {
		o1 := min(o0+block, out)
		for c0 := 0; c0 < columns; c0 += block {
			for c := c0; c < min(c0+block, columns); c++ {
				i, p := c/window, c%window
				row := dst[(p*in+i)*out:][:out]
				for o := o0; o < o1; o++ {
					row[o] = src[o*columns+c]
				}
			}
		}
	}
	return dst
}

// Flattened turns the weights of a dense layer, [out, c·h·w], that sees images flattened as [C, H, W], as
// PyTorch, Caffe and ONNX flatten them, into [h·w·c, out] for layer.Flatten, where channels change fastest.
// Loaded without this they fit, and are wrong. It panics if src has another length.
func Flattened[T any](src []T, out, c, h, w int) []T { return HWIO(src, out, c, h, w) }
