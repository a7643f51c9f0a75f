package featvis

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"lucigo/interp/random"
)

// MaCo optimises only the phases of an image's spectrum, whose magnitudes stay those of photographs:
// Fel et al., "Unlocking feature visualization for deeper networks with magnitude constrained
// optimization", arXiv:2306.06805. The image has mean 0 and standard deviation 1 before Colours and a
// sigmoid make it colours. The paper's authors show the network 32 windows of an image at every step,
// with noise: see Crop, Render.Looks and Render.Noise. Phases are angles, so a Render.Rate is in radians a
// step; in a few hundred steps 0.2 gets further than 0.05. The authors' implementation takes 256 steps of
// Nadam (Adam with Nesterov's momentum) at rate 1, where a Render takes Adam's.
type MaCo struct {
	Magnitude Spectrum // zero: 1/max(f, 1/longest side) in every channel
	Colours   Colours
}

// String returns the parametrisation's name and parameters.
func (p MaCo) String() string {
	of := "1/f"
	if p.Magnitude.Magnitude != nil {
		of = cmp.Or(p.Magnitude.Name, "a data set")
	}
	return fmt.Sprintf("MaCo(magnitude of %s%s)", of, p.Colours.suffix())
}

// Canvas implements Parametrisation: the array is the phases, [c, h, ⌊w/2⌋+1], uniform over the circle at
// the start. Magnitudes are kept, up to a common factor and except for the mean and the frequencies (at most
// three) that are their own mirror images: of those a real image has the cosine.
func (p MaCo) Canvas(h, w, c int) (Canvas, error) {
	if err := positive(h, w, c); err != nil {
		return Canvas{}, err
	}
	magnitude, err := p.Magnitude.at(c, h, w)
	if err != nil {
		return Canvas{}, err
	}
	half := w/2 + 1
	both := slices.Clone(magnitude) // mirror images are equal in a real image: where both are given, take their mean
	for i := range magnitude {
		if row, column := i/half%h, i%half; column == (w-column)%w {
			magnitude[i] = (both[i] + both[i+((h-row)%h-row)*half]) / 2
		}
	}
	across, down := inverseDFT(h, w)
	return Canvas{
		Dims: []int{c, h, half},
		Start: func(s random.Stream, dst []float64) {
			for i := range dst {
				dst[i] = math.Pi * (2*s.Uniform(i) - 1)
			}
		},
		Fixed:   []Array{{Dims: []int{1, c, h, half}, Data: magnitude}, across, down, p.Colours.matrix(c), mirror(h)},
		Drawing: drawPhases{w},
	}, nil
}

type drawPhases struct{ width int }

func (d drawPhases) Draw(phase *Node, fixed []*Node) *Node {
	phase = hermitian(phase, fixed[4], d.width)
	s := Concatenate([]*Node{Mul(Cos(phase), fixed[0]), Mul(Sin(phase), fixed[0])}, 3)
	x := transform(s, fixed[1], fixed[2])
	x = Sub(x, ReduceAndKeep(x, ReduceMean, 1, 2, 3))
	variance := ReduceAndKeep(Square(x), ReduceMean, 1, 2, 3)
	x = Div(x, Sqrt(AddScalar(variance, 1e-10)))
	return Sigmoid(colour(x, fixed[3]))
}

// mirror is the matrix that keeps the first half of a column of phases, and makes of the rest the first
// half's negatives, from the last to the second.
func mirror(h int) Array {
	m := Array{Dims: []int{h, h}, Data: make([]float64, h*h)}
	for row := range h {
		if row <= h/2 {
			m.Data[row*h+row] = 1
		} else {
			m.Data[row*h+h-row] = -1
		}
	}
	return m
}

// hermitian mirrors the phases, [N, C, h, ⌊w/2⌋+1], of the columns that hold the mirror images of their
// own frequencies: the first, and of an even number w the last.
func hermitian(phase, mirror *Node, w int) *Node {
	column := Iota(phase.Graph(), shapes.Make(dtypes.Int32, phase.Shape().Dimensions...), 3)
	own := Or(Equal(column, ZerosLike(column)), Equal(MulScalar(column, 2), MulScalar(OnesLike(column), w)))
	return Where(own, Einsum("hk,nckw->nchw", mirror, phase), phase)
}
