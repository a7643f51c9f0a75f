package interp

import "math"

// Maps holds a number for every number of a batch of images: a gradient, or another saliency map. Pix is
// signed and of any size, and Class nil where the objective asks about no class.
type Maps struct {
	Images
	Score []float64 // the objective's value at each image
}

// Like returns maps of zeros for the images x.
func (x Images) Like() Maps {
	x.Pix = make([]float64, x.N*x.Size())
	return Maps{x.Free(), make([]float64, x.N)}
}

// Magnitude returns, for each pixel of image or map n, row by row, the largest |·| over channels: Simonyan
// et al., arXiv:1312.6034, section 3.1.
func (x Images) Magnitude(n int) []float64 {
	return x.reduce(n, func(most, v float64) float64 { return math.Max(most, math.Abs(v)) }) // keeps NaN
}

// Mean returns, for each pixel of image or map n, row by row, the mean over channels, with its sign.
func (x Images) Mean(n int) []float64 {
	return x.reduce(n, func(sum, v float64) float64 { return sum + v/float64(x.C) })
}

func (x Images) reduce(n int, add func(sum, v float64) float64) []float64 {
	out := make([]float64, x.H*x.W)
	for i, v := range x.Of(n) {
		out[i/x.C] = add(out[i/x.C], v)
	}
	return out
}
