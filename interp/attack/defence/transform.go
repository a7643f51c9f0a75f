package defence

import (
	"cmp"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/layer"
)

// BitDepth rounds each number of the image to one of 2ᴮⁱᵗˢ: Guo et al., arXiv:1711.00117, section 4. Known passes the gradient on as if
// nothing were rounded.
type BitDepth struct {
	Bits int // from 1 to 8; 0 is 3
}

// String names the parameters.
func (d BitDepth) String() string { return fmt.Sprintf("bit depth(bits=%d)", cmp.Or(d.Bits, 3)) }

func (d BitDepth) check() error {
	if d.Bits < 0 || d.Bits > 8 {
		return fmt.Errorf("defence: BitDepth.Bits is %d, must be from 1 to 8, or 0 for 3", d.Bits)
	}
	return nil
}

// Of implements Defence.
func (d BitDepth) Of(m *interp.Model) (*interp.Model, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	return before(d, m, func(x *graph.Node) *graph.Node { return graph.StopGradient(rounded(x, cmp.Or(d.Bits, 3))) })
}

// Known implements Defence.
func (d BitDepth) Known(m *interp.Model) (*interp.Model, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	return before(d, m, func(x *graph.Node) *graph.Node { return straight(x, rounded(x, cmp.Or(d.Bits, 3))) })
}

// rounded rounds numbers from 0 to 1 to so many bits.
func rounded(x *graph.Node, bits int) *graph.Node {
	most := float64(int(1)<<bits - 1)
	return graph.DivScalar(graph.Round(graph.MulScalar(x, most)), most)
}

// TotalVariation drops numbers of the image at random and fills in what is smooth: Guo et al., arXiv:1711.00117, section 4. It is the z that
// minimises ½‖z − x‖² over the numbers that were kept, plus Weight times the total variation of z, which is the sum over pixels and channels
// of the length of the difference to the next pixels below and to the right. The authors minimise another total variation, of whole rows and
// columns, and a distance that is not squared; so Weight is not quite theirs.
//
// It is found by Steps steps of the primal-dual algorithm of Chambolle and Pock (2011), algorithm 1. Known has the gradient of a blur of the
// numbers that were kept, weighted ¼, ½, ¼ along both axes, and takes the mean over draws.
type TotalVariation struct {
	Weight float64 // 0 is .03
	Keep   float64 // the chance of a number to be kept, up to 1; 0 is .5
	Steps  int     // 0 is 30
}

func (d TotalVariation) defaults() TotalVariation {
	return TotalVariation{cmp.Or(d.Weight, .03), cmp.Or(d.Keep, .5), cmp.Or(d.Steps, 30)}
}

// String names the parameters.
func (d TotalVariation) String() string {
	d = d.defaults()
	return fmt.Sprintf("total variation(weight=%g, keep=%g, steps=%d)", d.Weight, d.Keep, d.Steps)
}

// Of implements Defence.
func (d TotalVariation) Of(m *interp.Model) (*interp.Model, error) {
	return d.smoothed(m, 1, mean, false)
}

// Known implements Defence.
func (d TotalVariation) Known(m *interp.Model) (*interp.Model, error) {
	return d.smoothed(m, Draws, mean, true)
}

// Voted implements Random.
func (d TotalVariation) Voted(m *interp.Model, draws int) (*interp.Model, error) {
	return voted(d.smoothed(m, draws, votes, false))
}

func (d TotalVariation) smoothed(m *interp.Model, n int, sum summary, known bool) (*interp.Model, error) {
	d = d.defaults()
	switch {
	case !(d.Weight > 0) || math.IsInf(d.Weight, 1):
		return nil, fmt.Errorf("defence: TotalVariation.Weight is %g, must be a number of at least 0", d.Weight)
	case !(d.Keep > 0 && d.Keep <= 1):
		return nil, fmt.Errorf("defence: TotalVariation.Keep is %g, must be from 0 to 1", d.Keep)
	case d.Steps < 1:
		return nil, fmt.Errorf("defence: TotalVariation.Steps is %d, must be at least 0", d.Steps)
	}
	return randomly(d, "variation", m, n, sum, func(s *model.Scope, x *graph.Node, u draws, f layer.Forward) *graph.Node {
		still := graph.StopGradient(x)
		chance := u.uniform(0, x.DType(), x.Shape().Dimensions[1:]...)
		kept := graph.ConvertDType(graph.LessThan(chance, graph.Scalar(x.Graph(), x.DType(), d.Keep)), x.DType())
		y := graph.StopGradient(d.minimise(still, kept))
		if known {
			blurred := graph.Div(blur(graph.Mul(x, kept)), graph.MaxScalar(blur(kept), 1./16))
			y = straight(blurred, y)
		}
		return f(s, y)
	})
}

// minimise returns the z of TotalVariation, clipped to [0, 1].
func (d TotalVariation) minimise(x, kept *graph.Node) *graph.Node {
	const (
		primal = 1.                  // length of the steps of z; of the dual variables it is
		dual   = 1 / (8.01 * primal) // so that the product times the squared norm of the differences, 8, is below 1
	)
	g, zero := x.Graph(), graph.ZerosLike(x)
	// What a closure makes of GoMLX's cache of scalars is not for others, so these are no scalars at first.
	scalar := func(g *graph.Graph, dtype dtypes.DType, v float64) *graph.Node {
		return graph.Reshape(graph.ConstAsDType(g, dtype, []float64{v}))
	}
	state := []*graph.Node{graph.Scalar(g, dtypes.Int32, 0), x, x, zero, zero, x, kept}
	parameters := func(g *graph.Graph) (p []*graph.Node) {
		for i, n := range state {
			p = append(p, graph.Parameter(g, fmt.Sprintf("state%d", i), n.Shape()))
		}
		return p
	}
	more := graph.NewClosure(g, func(g *graph.Graph) []*graph.Node {
		return []*graph.Node{graph.LessThan(parameters(g)[0], scalar(g, dtypes.Int32, float64(d.Steps)))}
	})
	step := graph.NewClosure(g, func(g *graph.Graph) []*graph.Node {
		p := parameters(g)
		z, ahead, down, right, x, kept := p[1], p[2], p[3], p[4], p[5], p[6]
		number := func(v float64) *graph.Node { return scalar(g, x.DType(), v) }
		down = graph.Add(down, graph.Mul(difference(ahead, 1), number(dual)))
		right = graph.Add(right, graph.Mul(difference(ahead, 2), number(dual)))
		length := graph.Sqrt(graph.Add(graph.Square(down), graph.Square(right)))
		over := graph.Max(graph.Div(length, number(d.Weight)), number(1))
		down, right = graph.Div(down, over), graph.Div(right, over)
		next := graph.Sub(z, graph.Mul(graph.Add(transposed(down, 1), transposed(right, 2)), number(primal)))
		pull := graph.Mul(kept, number(primal))
		next = graph.Div(graph.Add(next, graph.Mul(pull, x)), graph.Add(pull, number(1)))
		ahead = graph.Sub(graph.Mul(next, number(2)), z)
		return []*graph.Node{graph.Add(p[0], scalar(g, dtypes.Int32, 1)), next, ahead, down, right, x, kept}
	})
	return graph.ClipScalar(graph.While(more, step, state...)[1], 0, 1)
}

// blur takes the mean of each number and of those beside it along both axes, weighted ½ and ¼; beyond the edge is the edge.
func blur(x *graph.Node) *graph.Node {
	for axis := 1; axis <= 2; axis++ {
		beside := graph.Add(previous(x, axis), following(x, axis))
		x = graph.Add(graph.DivScalar(x, 2), graph.DivScalar(beside, 4))
	}
	return x
}

// previous returns for each number the one before it along an axis; the first for the first.
func previous(x *graph.Node, axis int) *graph.Node {
	size := x.Shape().Dim(axis)
	if size == 1 {
		return x
	}
	part := func(from, to int) *graph.Node { return graph.SliceAxis(x, axis, graph.AxisRange(from, to)) }
	return graph.Concatenate([]*graph.Node{part(0, 1), part(0, size-1)}, axis)
}

// following returns for each number the one after it along an axis; the last for the last.
func following(x *graph.Node, axis int) *graph.Node {
	size := x.Shape().Dim(axis)
	if size == 1 {
		return x
	}
	part := func(from, to int) *graph.Node { return graph.SliceAxis(x, axis, graph.AxisRange(from, to)) }
	return graph.Concatenate([]*graph.Node{part(1, size), part(size-1, size)}, axis)
}

// difference returns the next number along an axis less each; 0 for the last.
func difference(x *graph.Node, axis int) *graph.Node { return graph.Sub(following(x, axis), x) }

// transposed is the transpose of difference, of numbers of which the last are 0.
func transposed(p *graph.Node, axis int) *graph.Node {
	size := p.Shape().Dim(axis)
	if size == 1 {
		return p
	}
	zero := graph.SliceAxis(p, axis, graph.AxisRange(size-1, size))
	return graph.Sub(graph.Concatenate([]*graph.Node{zero, graph.SliceAxis(p, axis, graph.AxisRange(0, size-1))}, axis), p)
}

// ResizePad resizes the image at random and puts it at a random place on grey: Xie et al., arXiv:1711.01991, section 3. The network sees
// squares whose side is 331/299 of the image's, in which the image has a side from its own to one pixel less than the whole, by the nearest
// number. Grey is ½, which is 0 to the authors' network, as that takes numbers from −1 to 1. Known takes the mean over draws.
type ResizePad struct {
	Most float64 // the side that the network sees as a share of the image's, at least 1; 0 is 331/299

	// Shrink is for networks that take images of one size: the network sees as large an image as comes in, and the image is made
	// smaller, down to 1/Most.
	Shrink bool
}

// String names the parameters.
func (d ResizePad) String() string {
	s := fmt.Sprintf("resize and pad(most=%.4g", d.most())
	if d.Shrink {
		s += ", shrink"
	}
	return s + ")"
}

func (d ResizePad) most() float64 { return cmp.Or(d.Most, 331./299) }

// Of implements Defence.
func (d ResizePad) Of(m *interp.Model) (*interp.Model, error) { return d.resized(m, 1, mean) }

// Known implements Defence.
func (d ResizePad) Known(m *interp.Model) (*interp.Model, error) { return d.resized(m, Draws, mean) }

// Voted implements Random.
func (d ResizePad) Voted(m *interp.Model, draws int) (*interp.Model, error) {
	return voted(d.resized(m, draws, votes))
}

func (d ResizePad) resized(m *interp.Model, n int, sum summary) (*interp.Model, error) {
	if !(d.most() >= 1 && d.most() <= 4) {
		return nil, fmt.Errorf("defence: ResizePad.Most is %g, must be from 1 to 4, or 0 for 331/299", d.Most)
	}
	return randomly(d, "resize", m, n, sum, func(s *model.Scope, x *graph.Node, u draws, f layer.Forward) *graph.Node {
		share := u.uniform(0, x.DType(), 1)
		x = graph.AddScalar(x, -.5)
		for axis := 1; axis <= 2; axis++ {
			x = d.along(x, axis, share, u.uniform(axis, x.DType(), 1))
		}
		return f(s, graph.AddScalar(x, .5))
	})
}

// along resizes along an axis and pads with zeros. Both random numbers are [N, 1], from 0 to 1: the size and the place.
func (d ResizePad) along(x *graph.Node, axis int, share, place *graph.Node) *graph.Node {
	side := x.Shape().Dim(axis)
	least, canvas := side, int(math.Ceil(d.most()*float64(side)-1e-9))
	if d.Shrink {
		least, canvas = int(math.Ceil(float64(side)/d.most()-1e-9)), side
	}
	most := max(least, canvas-1)
	g, n := x.Graph(), x.Shape().Dim(0)
	whole := func(u *graph.Node, room *graph.Node) *graph.Node { // a number from 0 to room
		return graph.Min(graph.Floor(graph.Mul(u, graph.AddScalar(room, 1))), room)
	}
	size := graph.AddScalar(whole(share, graph.MulScalar(graph.OnesLike(share), float64(most-least))), float64(least))
	start := whole(place, graph.Sub(graph.Scalar(g, x.DType(), float64(canvas)), size))
	to := graph.Iota(g, shapes.Make(x.DType(), n, canvas), 1)
	at := graph.Sub(to, graph.BroadcastToDims(start, n, canvas)) // in the resized image
	from := graph.Floor(graph.Div(graph.MulScalar(graph.AddScalar(at, .5), float64(side)), graph.BroadcastToDims(size, n, canvas)))
	from = graph.BroadcastToDims(graph.ExpandAxes(from, -1), n, canvas, side) // below 0 or at least side where nothing of the image is
	takes := graph.ConvertDType(graph.Equal(from, graph.Iota(g, from.Shape(), 2)), x.DType())
	if axis == 1 {
		return graph.Einsum("nih,nhwc->niwc", takes, x)
	}
	return graph.Einsum("njw,nhwc->nhjc", takes, x)
}
