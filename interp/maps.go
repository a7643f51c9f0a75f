package interp

import "math"

// Maps holds a number for every number of a batch of images: a gradient, or another saliency map. The
// layout is that of Images; values are signed and of any size.
type Maps struct {
	N, H, W, C int
	Pix        []float64

	// Score is the objective's value at each image, and Class the class it was asked about (nil where
	// the objective asks about none).
	Score []float64
	Class []int
}

// Like returns empty maps for the images x.
func (x Images) Like() Maps {
	return Maps{N: x.N, H: x.H, W: x.W, C: x.C, Pix: make([]float64, x.N*x.Size()), Score: make([]float64, x.N), Class: x.Class}
}

// Of returns map n: H·W·C numbers, shared with m.
func (m Maps) Of(n int) []float64 {
	size := m.H * m.W * m.C
	return m.Pix[n*size : (n+1)*size : (n+1)*size]
}

// Magnitude returns, for each pixel of map n, row by row, the largest |·| over channels: Simonyan et al.,
// arXiv:1312.6034, section 3.1.
func (m Maps) Magnitude(n int) []float64 {
	return m.reduce(n, func(most, v float64, _ int) float64 { return math.Max(most, math.Abs(v)) }) // keeps NaN
}

// Mean returns, for each pixel of map n, row by row, the mean over channels, with its sign.
func (m Maps) Mean(n int) []float64 {
	return m.reduce(n, func(sum, v float64, channels int) float64 { return sum + v/float64(channels) })
}

func (m Maps) reduce(n int, add func(sum, v float64, channels int) float64) []float64 {
	out := make([]float64, m.H*m.W)
	for i, v := range m.Of(n) {
		out[i/m.C] = add(out[i/m.C], v, m.C)
	}
	return out
}
