package featvis

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"lucigo/interp/random"
)

// MaCo optimises only the phases of an image's spectrum, whose magnitudes stay those of photographs:
// Fel et al., "Unlocking feature visualization for deeper networks with magnitude constrained
// optimization", arXiv:2306.06805. The image has mean 0 and standard deviation 1 before Colours and a
// sigmoid make it colours. (The paper shows the network random crops and noise; here that is the
// transformations' business.)
type MaCo struct {
	Magnitude Spectrum // zero: 1/max(f, 1/longest side) in every channel
	Colours   Colours
}

// String returns the parametrisation's name and parameters.
func (p MaCo) String() string {
	of := "1/f"
	if p.Magnitude.Magnitude != nil {
		of = or(p.Magnitude.Name, "a data set")
	}
	return fmt.Sprintf("MaCo(magnitude of %s%s)", of, p.Colours.suffix())
}

// Canvas implements Parametrisation: the array is the phases, [c, h, ⌊w/2⌋+1], uniform over the circle at
// the start.
func (p MaCo) Canvas(h, w, c int) (Canvas, error) {
	if err := positive(h, w, c); err != nil {
		return Canvas{}, err
	}
	magnitude, err := p.Magnitude.at(c, h, w)
	if err != nil {
		return Canvas{}, err
	}
	half := w/2 + 1
	across, down := inverseDFT(h, w)
	return Canvas{
		Form: "MaCo",
		Dims: []int{c, h, half},
		Start: func(s random.Stream, dst []float64) {
			for i := range dst {
				dst[i] = math.Pi * (2*s.Uniform(i) - 1)
			}
		},
		Fixed: []Array{{Dims: []int{1, c, h, half}, Data: magnitude}, across, down, p.Colours.matrix(c)},
		Draw: func(phase *Node, fixed []*Node) *Node {
			s := Concatenate([]*Node{Mul(Cos(phase), fixed[0]), Mul(Sin(phase), fixed[0])}, 3)
			x := transform(s, fixed[1], fixed[2])
			x = Sub(x, ReduceAndKeep(x, ReduceMean, 1, 2, 3))
			variance := ReduceAndKeep(Square(x), ReduceMean, 1, 2, 3)
			x = Div(x, Sqrt(AddScalar(variance, 1e-10)))
			return Sigmoid(colour(x, fixed[3]))
		},
	}, nil
}
