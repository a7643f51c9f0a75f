package featvis

import (
	"cmp"
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"lucigo/internal/fourier"
)

// Fourier optimises an image's spectrum, in which each frequency f (in cycles a pixel) counts
// 1/max(f, 1/longest side)^Decay: steps of equal size in all numbers are then steps toward an image with
// the spectrum of photographs. The numbers become colours by Colours and a sigmoid.
type Fourier struct {
	Decay   float64 // 0: 1
	SD      float64 // standard deviation of the numbers at the start; 0: 0.01
	Colours Colours
}

// String returns the parametrisation's name and parameters.
func (f Fourier) String() string {
	return fmt.Sprintf("Fourier(decay=%g, σ=%g%s)", cmp.Or(f.Decay, 1), cmp.Or(f.SD, .01), f.Colours.suffix())
}

// Canvas implements Parametrisation: the array is [c, h, 2·(⌊w/2⌋+1)], for each row of frequencies the
// real parts and then the imaginary.
func (f Fourier) Canvas(h, w, c int) (Canvas, error) {
	if err := positive(h, w, c); err != nil {
		return Canvas{}, err
	}
	half := w/2 + 1
	scale := Array{Dims: []int{1, 1, h, 2 * half}, Data: make([]float64, h*2*half)}
	for row := range h {
		for column := range half {
			fy, fx := fourier.Frequency(row, h), fourier.Frequency(column, w)
			lowest := 1 / float64(max(h, w))
			v := math.Pow(max(math.Hypot(fx, fy), lowest), -cmp.Or(f.Decay, 1)) * math.Sqrt(float64(h*w))
			v /= 4 // the article's contrast
			scale.Data[row*2*half+column], scale.Data[row*2*half+half+column] = v, v
		}
	}
	across, down := inverseDFT(h, w)
	return Canvas{
		Dims:    []int{c, h, 2 * half},
		Start:   normals(cmp.Or(f.SD, .01)),
		Fixed:   []Array{scale, across, down, f.Colours.matrix(c)},
		Drawing: drawFourier{},
	}, nil
}

type drawFourier struct{}

func (drawFourier) Draw(s *Node, fixed []*Node) *Node {
	return Sigmoid(colour(transform(Mul(s, fixed[0]), fixed[1], fixed[2]), fixed[3]))
}

// inverseDFT returns the matrices by which transform turns spectra into images: across, [2·half, 2·w],
// along the rows of frequencies, and down, [h, 2, h].
//
// With θ = 2π·column·x/w and φ = 2π·row·y/h, the image is the sum over all frequencies of
// (re·cos(θ+φ) − im·sin(θ+φ))/(h·w). A column that represents its mirror image too counts twice.
func inverseDFT(h, w int) (across, down Array) {
	half := w/2 + 1
	across = Array{Dims: []int{2 * half, 2 * w}, Data: make([]float64, 4*half*w)}
	down = Array{Dims: []int{h, 2, h}, Data: make([]float64, 2*h*h)}
	for k := range half {
		count := 2.0
		if k == 0 || 2*k == w {
			count = 1
		}
		for x := range w {
			sin, cos := circle(k*x, w)
			put := func(row, column int, v float64) { across.Data[row*2*w+column] = v * count / float64(w) }
			put(k, x, cos)
			put(k, w+x, sin)
			put(half+k, x, -sin)
			put(half+k, w+x, cos)
		}
	}
	for k := range h {
		for y := range h {
			sin, cos := circle(k*y, h)
			down.Data[k*2*h+y] = cos / float64(h)
			down.Data[k*2*h+h+y] = -sin / float64(h)
		}
	}
	return across, down
}

// circle returns sine and cosine of i/n of a circle.
func circle(i, n int) (sin, cos float64) {
	return math.Sincos(2 * math.Pi * float64(i%n) / float64(n))
}

// transform returns the real images [N, H, W, C] of spectra [N, C, H, 2·half]: two matrix products, which
// are right and fast on every backend, with their derivatives.
func transform(s, across, down *Node) *Node {
	n, c, h, w := s.Shape().Dim(0), s.Shape().Dim(1), s.Shape().Dim(2), across.Shape().Dim(1)/2
	rows := Reshape(Einsum("nchk,kv->nchv", s, across), n, c, h, 2, w)
	return Einsum("nchtw,hty->nywc", rows, down)
}
