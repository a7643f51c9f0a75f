package featvis

import (
	"cmp"
	"fmt"

	"github.com/gomlx/gomlx/core/graph"

	"lucigo/interp/random"
)

// Parametrisation says which numbers are optimised, and how they make an image. Its zero value is the
// published one, and its String names every parameter.
type Parametrisation interface {
	fmt.Stringer

	// Canvas returns the parametrisation of images of h rows, w columns and c channels.
	Canvas(h, w, c int) (Canvas, error)
}

// Canvas is a parametrisation of images of one size.
type Canvas struct {
	// Dims are the dimensions of the array that is optimised for one image.
	Dims []int

	// Start fills that array, row-major, with what the optimisation starts from. S is the image's own.
	Start func(s random.Stream, dst []float64)

	// Fixed are arrays that Draw needs. They travel as arguments, so that they are not compiled.
	Fixed []Array

	Drawing
}

// Drawing makes the images, [N, h, w, c] in [0, 1], from the arrays, [N, Dims…], and one node for each of
// Canvas.Fixed. Its type and fields are part of what a compiled program is known by, so all that Draw
// depends on is in them or in the shapes of its arguments; see interp.Step.
type Drawing interface {
	Draw(numbers *graph.Node, fixed []*graph.Node) *graph.Node
}

// Array is an array of numbers, row-major.
type Array struct {
	Dims []int
	Data []float64
}

func positive(h, w, c int) error {
	if min(h, w, c) < 1 || max(h, w) > maxSide {
		return fmt.Errorf("images are %d×%d×%d, must have sides from 1 to %d", h, w, c, maxSide)
	}
	return nil
}

// Pixels optimises an image pixel by pixel, which leaves it noisy: the parametrisation that the others
// are compared with. Its numbers become colours by Colours and a sigmoid.
type Pixels struct {
	SD      float64 // standard deviation of the start; 0: 0.01
	Colours Colours
}

// String returns the parametrisation's name and parameters.
func (p Pixels) String() string {
	return fmt.Sprintf("pixels(σ=%g%s)", cmp.Or(p.SD, .01), p.Colours.suffix())
}

// Canvas implements Parametrisation: the array is [h, w, c].
func (p Pixels) Canvas(h, w, c int) (Canvas, error) {
	if err := positive(h, w, c); err != nil {
		return Canvas{}, err
	}
	return Canvas{
		Dims:    []int{h, w, c},
		Start:   normals(cmp.Or(p.SD, .01)),
		Fixed:   []Array{p.Colours.matrix(c)},
		Drawing: drawPixels{},
	}, nil
}

type drawPixels struct{}

func (drawPixels) Draw(x *graph.Node, fixed []*graph.Node) *graph.Node {
	return graph.Sigmoid(colour(x, fixed[0]))
}

func normals(sd float64) func(s random.Stream, dst []float64) {
	return func(s random.Stream, dst []float64) {
		s.Normals(dst)
		for i := range dst {
			dst[i] *= sd
		}
	}
}
