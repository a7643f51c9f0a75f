package featvis

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// warp returns what the network sees of images x, [N, H, W, C], through maps and their inverses, [N, 6]:
// at each place the image at its map, between the nearest four pixels, and grey, 0.5, beyond the image.
//
// The derivative gathers too, instead of scattering: each pixel of the image asks the reach × reach places
// of the view around its own for their weights. That is faster, is the same on every backend, and adds in
// the same order at every run.
func warp(x, maps, inverse *Node, reach int) *Node {
	const grey = .5
	x = AddScalar(x, -grey)
	s := newSampler(x)
	sx, sy := s.at(maps, s.x, s.y)
	x0, y0 := Floor(sx), Floor(sy)
	y := s.sum(StopGradient(x), x0, y0, 2, func(ix, iy *Node) *Node { return Mul(near(sx, ix), near(sy, iy)) })

	behind := IdentityWithCustomGradient(x, func(_, v *Node) *Node {
		qx, qy := s.at(inverse, s.x, s.y)
		first := func(q *Node) *Node { return AddScalar(Floor(AddScalar(q, -float64(reach)/2)), 1) }
		return s.sum(v, first(qx), first(qy), reach, func(ix, iy *Node) *Node {
			sx, sy := s.at(maps, ix, iy)
			return Mul(near(sx, s.x), near(sy, s.y))
		})
	})
	y = Add(StopGradient(y), Sub(behind, StopGradient(x))) // the second is 0, and has the derivative
	return AddScalar(y, grey)
}

// near is the weight of a pixel at distance |a − b| along an axis.
func near(a, b *Node) *Node {
	d := OneMinus(Abs(Sub(a, b)))
	return Where(GreaterThan(d, ZerosLike(d)), d, ZerosLike(d))
}

// sampler samples images of one size.
type sampler struct {
	n, h, w, c int
	x, y       *Node // each pixel's column and row, [N, H, W]
}

func newSampler(x *Node) sampler {
	s := sampler{n: x.Shape().Dim(0), h: x.Shape().Dim(1), w: x.Shape().Dim(2), c: x.Shape().Dim(3)}
	place := func(axis int) *Node {
		return ConvertDType(Iota(x.Graph(), shapes.Make(dtypes.Int32, s.n, s.h, s.w), axis), x.DType())
	}
	s.x, s.y = place(2), place(1)
	return s
}

// at maps places, in columns and rows.
func (s sampler) at(maps, x, y *Node) (mx, my *Node) {
	k := func(i int) *Node {
		return BroadcastToDims(Reshape(SliceAxis(maps, 1, AxisElem(i)), s.n, 1, 1), s.n, s.h, s.w)
	}
	cx, cy := float64(s.w-1)/2, float64(s.h-1)/2
	x, y = AddScalar(x, -cx), AddScalar(y, -cy)
	line := func(i int) *Node { return Add(Add(Mul(k(i), x), Mul(k(i+1), y)), k(i+2)) }
	return AddScalar(line(0), cx), AddScalar(line(3), cy)
}

// sum adds up the pixels of images in a square of size × size from (x0, y0) on, each with its weight. All
// three are [N, H, W]; the sum is [N, H, W, C].
func (s sampler) sum(images, x0, y0 *Node, size int, weight func(x, y *Node) *Node) *Node {
	g, pixels := images.Graph(), s.n*s.h*s.w
	flat := Reshape(images, pixels, s.c)
	first := MulScalar(Iota(g, shapes.Make(dtypes.Int32, s.n, s.h, s.w), 0), s.h*s.w)
	var sum *Node
	for dy := range size {
		for dx := range size {
			x, y := AddScalar(x0, float64(dx)), AddScalar(y0, float64(dy))
			inside := And(s.within(x, s.w), s.within(y, s.h))
			at := func(v *Node) *Node {
				return ConvertDType(Where(inside, v, ZerosLike(v)), dtypes.Int32)
			}
			index := Add(first, Add(MulScalar(at(y), s.w), at(x)))
			w := weight(x, y)
			w = Where(inside, w, ZerosLike(w))
			pixel := Mul(Gather(flat, Reshape(index, pixels, 1)), BroadcastToDims(Reshape(w, pixels, 1), pixels, s.c))
			if sum == nil {
				sum = pixel
			} else {
				sum = Add(sum, pixel)
			}
		}
	}
	return Reshape(sum, s.n, s.h, s.w, s.c)
}

func (s sampler) within(v *Node, size int) *Node {
	return And(GreaterOrEqual(v, ZerosLike(v)), LessThan(v, Scalar(v.Graph(), v.DType(), size)))
}
