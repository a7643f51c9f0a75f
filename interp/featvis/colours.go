package featvis

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/lapack"
	"gonum.org/v1/gonum/lapack/gonum"

	"lucigo/interp"
)

// Colours turns three numbers that vary independently into red, green and blue that vary together as
// they do in photographs. The zero value is ImageNet's. Images of other than three channels keep theirs.
type Colours struct {
	// Root is a square root of the covariance of colours, Root·Rootᵀ ∝ covariance: red, green and blue
	// are Root times the three numbers. Its columns are the axes along which colours vary most, and
	// least, the longest of length 1. All zeros are ImageNet's.
	Root [3][3]float64
}

// RGB optimises red, green and blue as they are.
var RGB = Colours{Root: [3][3]float64{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}}

// imageNet is the root of the covariance of the colours of ImageNet, as published with the article.
var imageNet = Colours{Root: [3][3]float64{{.26, .09, .02}, {.27, 0, -.05}, {.27, -.09, .03}}}.normalised()

// ColoursOf returns the colours of a data set, from the covariance of all its pixels.
func ColoursOf(x interp.Images) (Colours, error) {
	if err := x.Check(); err != nil {
		return Colours{}, fmt.Errorf("featvis: %w", err)
	}
	if x.C != 3 {
		return Colours{}, fmt.Errorf("featvis: images have %d channels, must have red, green and blue", x.C)
	}
	var mean [3]float64
	n := float64(len(x.Pix) / 3)
	for i, v := range x.Pix {
		mean[i%3] += v / n
	}
	var covariance [3][3]float64
	for i := 0; i < len(x.Pix); i += 3 {
		for a := range 3 {
			for b := range 3 {
				covariance[a][b] += (x.Pix[i+a] - mean[a]) * (x.Pix[i+b] - mean[b]) / n
			}
		}
	}
	value, vector := eigen(covariance)
	var c Colours
	for k := range 3 {
		sign := 1.0
		if vector[0][k]+vector[1][k]+vector[2][k] < 0 {
			sign = -1
		}
		for a := range 3 {
			c.Root[a][k] = sign * vector[a][k] * math.Sqrt(max(value[k], 0))
		}
	}
	if value[2] <= 1e-9*value[0] {
		return Colours{}, errors.New("featvis: the images' colours do not vary independently (they may be grey): use RGB or ImageNet's colours")
	}
	return c.normalised(), nil
}

// normalised returns c with its longest column of length 1.
func (c Colours) normalised() Colours {
	longest := 0.0
	for k := range 3 {
		longest = max(longest, math.Hypot(math.Hypot(c.Root[0][k], c.Root[1][k]), c.Root[2][k]))
	}
	for a := range 3 {
		for k := range 3 {
			c.Root[a][k] /= longest
		}
	}
	return c
}

func (c Colours) defaults() Colours { return cmp.Or(c, imageNet) }

func (c Colours) suffix() string {
	switch c {
	case Colours{}, imageNet:
		return ""
	case RGB:
		return ", RGB"
	}
	return fmt.Sprintf(", colours %.2v", c.Root)
}

// matrix is what the numbers of c channels are multiplied by.
func (c Colours) matrix(channels int) Array {
	m := Array{Dims: []int{channels, channels}, Data: make([]float64, channels*channels)}
	root := c.defaults().Root
	for a := range channels {
		for k := range channels {
			if channels == 3 {
				m.Data[a*channels+k] = root[a][k]
			} else if a == k {
				m.Data[a*channels+k] = 1
			}
		}
	}
	return m
}

// colour multiplies the channels of x, [N, H, W, C], by a matrix [C, C].
func colour(x, matrix *Node) *Node { return Einsum("nhwk,ck->nhwc", x, matrix) }

// inverse returns the inverse of the root.
func (c Colours) inverse() (r [3][3]float64, err error) {
	m := c.defaults().Root
	minor := func(i, j int) float64 {
		a, b, p, q := (i+1)%3, (i+2)%3, (j+1)%3, (j+2)%3
		return m[a][p]*m[b][q] - m[a][q]*m[b][p]
	}
	det := m[0][0]*minor(0, 0) + m[0][1]*minor(0, 1) + m[0][2]*minor(0, 2)
	if interp.NotFinite(1 / det) {
		return r, fmt.Errorf("featvis: Colours.Root is %v, must have an inverse", m)
	}
	for i := range 3 {
		for j := range 3 {
			r[j][i] = minor(i, j) / det
		}
	}
	return r, nil
}

// eigen returns the eigenvalues of a symmetric matrix, the largest first, and its eigenvectors as columns. LAPACK is
// called without gonum/mat, which would add 2 MB to every cell instead of 0.9. Where it finds none, all are zeros.
func eigen(m [3][3]float64) (value [3]float64, vector [3][3]float64) {
	const n = 3
	a, ascending, work := slices.Concat(m[0][:], m[1][:], m[2][:]), make([]float64, n), make([]float64, 3*n)
	if (gonum.Implementation{}).Dsyev(lapack.EVCompute, blas.Upper, n, a, n, ascending, work, len(work)) {
		for i := range n {
			for k := range n {
				value[k], vector[i][k] = ascending[n-1-k], a[i*n+n-1-k]
			}
		}
	}
	return value, vector
}
