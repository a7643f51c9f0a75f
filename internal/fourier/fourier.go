// Package fourier is the discrete Fourier transform of pictures on the host. Graphs have their own, in interp/featvis,
// as matrix products.
package fourier

import "gonum.org/v1/gonum/dsp/fourier"

// Frequency returns the frequency of bin i of n, in cycles a pixel: above −½ and at most ½. The middle bin of an even n
// is ½, and not −½, so that the bins 0 … n/2, which are all that the spectrum of a real picture needs, never have a
// negative one.
func Frequency(i, n int) float64 {
	if i > n/2 {
		i -= n
	}
	return float64(i) / float64(n)
}

// Transform replaces a picture, given row by row, by its transform Σ picture·exp(−2πi(fy·y + fx·x)).
func Transform(picture []complex128, width int) {
	height := len(picture) / width
	across, down := fourier.NewCmplxFFT(width), fourier.NewCmplxFFT(height)
	for y := range height {
		row := picture[y*width:][:width]
		across.Coefficients(row, row)
	}
	column := make([]complex128, height)
	for x := range width {
		for y := range column {
			column[y] = picture[y*width+x]
		}
		down.Coefficients(column, column)
		for y, v := range column {
			picture[y*width+x] = v
		}
	}
}
