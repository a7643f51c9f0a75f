package featvis

import (
	"cmp"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
	"lucigo/interp/layer"
)

// Penalties are objectives of what the network sees: subtract them, with a weight, from what is to be
// climbed, as in o.Minus(featvis.Variation.Times(0.25)).
var (
	// Variation is the total variation: the sum of all differences of neighbouring pixels, |·|, in every
	// channel.
	Variation = interp.Objective{Name: "total variation", Form: variation{}}

	// Blur is half the squared distance from the image blurred (each pixel with weight 1, its four
	// neighbours ½ and its corners ½, in the image, as a mean), which is held fixed: its gradient leads
	// toward the blurred image.
	Blur = interp.Objective{Name: "distance from blurred", Form: blur{}}
)

// L1 is the sum of all distances |·| of pixels from a level, in every channel: 0.5 draws toward grey.
func L1(level float64) interp.Objective {
	return interp.Objective{Name: fmt.Sprintf("L1 from %g", level), Form: l1{}, Args: []interp.Arg{interp.Float(level)}}
}

type (
	variation struct{}
	blur      struct{}
	l1        struct{}
)

func (variation) Score(p *layer.Pass, _ []*Node) *Node {
	x := p.Images
	d := func(axis int) *Node {
		n := x.Shape().Dim(axis)
		if n == 1 { // no neighbours
			return sum(ZerosLike(x))
		}
		return sum(Abs(Sub(SliceAxis(x, axis, AxisRange(1, n)), SliceAxis(x, axis, AxisRange(0, n-1)))))
	}
	return Add(d(1), d(2))
}

func (blur) Score(p *layer.Pass, _ []*Node) *Node {
	return MulScalar(sum(Square(Sub(p.Images, StopGradient(blurred(p.Images))))), .5)
}

func (l1) Score(p *layer.Pass, a []*Node) *Node {
	return sum(Abs(Sub(p.Images, BroadcastToDims(a[0], p.Images.Shape().Dimensions...))))
}

// sum adds up each image.
func sum(x *Node) *Node { return ReduceSum(Reshape(x, x.Shape().Dim(0), -1), 1) }

// blurred returns the weighted means of 3×3 pixels.
func blurred(x *Node) *Node {
	spread := func(x *Node) *Node {
		all := add3(add3(x, 1), 2)
		return MulScalar(Add(all, x), .5)
	}
	return Div(spread(x), spread(OnesLike(x)))
}

// add3 adds to each pixel the two beside it along an axis, where there are any.
func add3(x *Node, axis int) *Node {
	n := x.Shape().Dim(axis)
	pad := make([]PadAxis, x.Rank())
	pad[axis] = PadAxis{Start: 1, End: 1}
	p := Pad(x, ScalarZero(x.Graph(), x.DType()), pad...)
	return Add(Add(SliceAxis(p, axis, AxisRange(0, n)), x), SliceAxis(p, axis, AxisRange(2, n+2)))
}

// Blend returns (1−t)·a + t·b, with t rising evenly from 0 for the first of n images to 1 for the
// last.
func Blend(a, b interp.Objective, n int) interp.Objective {
	t := make([]float64, n)
	rest := make([]float64, n)
	for i := range t {
		t[i] = float64(i) / float64(max(n-1, 1))
		rest[i] = 1 - t[i]
	}
	weight := func(name string, v []float64) interp.Objective {
		return interp.Objective{Name: name, Form: weights{}, Args: []interp.Arg{interp.Each(v)}}
	}
	return weight("(1−t)", rest).Mul(a).Plus(weight("t", t).Mul(b))
}

// weights is its argument, a number an image.
type weights struct{}

func (weights) Score(_ *layer.Pass, a []*Node) *Node { return a[0] }

// Diversity asks the images of a batch to excite a part of the network in different ways. From each image's
// score it subtracts Weight times the size of that score, which is held fixed, times the mean of the
// cosines between the image's Gram matrix at Layer and those of the others: the products of all pairs of
// channels, summed over positions (and looks). A Weight of 1 gives a hundredth of the score for images
// that are alike by a hundredth less, whatever the scale of the score. The zero value asks for nothing.
type Diversity struct {
	Layer  string
	Weight float64 // 0: 1
}

// String returns the name of the term, with its parameters.
func (d Diversity) String() string { return fmt.Sprintf("diversity(%s, %g)", d.Layer, d.weight()) }

func (d Diversity) weight() float64 { return cmp.Or(d.Weight, 1) }

// alike returns each of n images' mean cosine with the others, [n].
func (d Diversity) alike(p *layer.Pass, n int) *Node {
	h := p.Layer(d.Layer)
	c := h.Shape().Dim(-1)
	h = Reshape(h, n, -1, c)
	gram := Reshape(Einsum("npc,npd->ncd", h, h), n, c*c)
	norm := Sqrt(AddScalar(ReduceAndKeep(Square(gram), ReduceSum, 1), 1e-10))
	gram = Div(gram, norm)
	cosines := ReduceSum(Einsum("ik,jk->ij", gram, gram), 1)
	own := ReduceSum(Square(gram), 1)
	return DivScalar(Sub(cosines, own), float64(max(n-1, 1)))
}
