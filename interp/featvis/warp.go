package featvis

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// grey is what lies beyond an image.
const grey = .5

// warp returns what the network sees, [N, window…, C], of images x, [N, H, W, C], through maps and their
// inverses, [N, 6]: at each place the image at its map, between the nearest four pixels, and grey beyond
// the image.
//
// The derivative gathers too, instead of scattering: each pixel of the image asks the reach × reach places
// of the view around its own for their weights. That is faster, is the same on every backend, and adds in
// the same order at every run.
func warp(x, maps, inverse *Node, window [2]int, reach int) *Node {
	x = AddScalar(x, -grey)
	image, view := gridOf(x), newGrid(x, window[0], window[1])
	sx, sy := view.onto(image, maps, view.x, view.y)
	y := image.sum(StopGradient(x), Floor(sx), Floor(sy), 2, func(ix, iy *Node) *Node { return Mul(near(sx, ix), near(sy, iy)) })

	back := func(v *Node) *Node {
		qx, qy := image.onto(view, inverse, image.x, image.y)
		first := func(q *Node) *Node { return AddScalar(Floor(AddScalar(q, -float64(reach)/2)), 1) }
		return view.sum(v, first(qx), first(qy), reach, func(ix, iy *Node) *Node {
			sx, sy := view.onto(image, maps, ix, iy)
			return Mul(near(sx, image.x), near(sy, image.y))
		})
	}
	return AddScalar(Add(StopGradient(y), carrier(x, window, back)), grey)
}

// carrier returns zeros, [N, window…, C], whose derivative to x, [N, H, W, C], is back: a custom
// derivative keeps its node's shape, so it is that of one that holds both the image and the window.
func carrier(x *Node, window [2]int, back func(v *Node) *Node) *Node {
	h, w := x.Shape().Dim(1), x.Shape().Dim(2)
	both := resized(x, max(h, window[0]), max(w, window[1]))
	carried := IdentityWithCustomGradient(both, func(_, v *Node) *Node {
		return resized(back(resized(v, window[0], window[1])), v.Shape().Dim(1), v.Shape().Dim(2))
	})
	return resized(Sub(carried, StopGradient(both)), window[0], window[1])
}

// resized cuts images at the bottom and the right, or adds zeros there.
func resized(x *Node, h, w int) *Node {
	down, across := h-x.Shape().Dim(1), w-x.Shape().Dim(2)
	if down < 0 {
		x = SliceAxis(x, 1, AxisRange(0, h))
	}
	if across < 0 {
		x = SliceAxis(x, 2, AxisRange(0, w))
	}
	if down > 0 || across > 0 {
		x = Pad(x, ScalarZero(x.Graph(), x.DType()), PadAxis{}, PadAxis{End: max(down, 0)}, PadAxis{End: max(across, 0)}, PadAxis{})
	}
	return x
}

// straight is warp for maps that keep rows and columns: as matrix products, whose cost does not depend on
// how much the maps enlarge.
func straight(x, maps *Node, window [2]int) *Node {
	x = AddScalar(x, -grey)
	n := x.Shape().Dim(0)
	weights := func(axis, scale, shift int) *Node { // [N, window, image]
		size := x.Shape().Dim(axis)
		place := func(iota int) *Node {
			return ConvertDType(Iota(x.Graph(), shapes.Make(dtypes.Int32, n, window[axis-1], size), iota), x.DType())
		}
		k := func(i int) *Node {
			return BroadcastToDims(Reshape(SliceAxis(maps, 1, AxisElem(i)), n, 1, 1), n, window[axis-1], size)
		}
		at := Add(Mul(k(scale), AddScalar(place(1), -middle(window[axis-1]))), AddScalar(k(shift), middle(size)))
		return near(at, place(2))
	}
	y := Einsum("nvh,nhwc->nvwc", weights(1, 4, 5), x)
	y = Einsum("nuw,nvwc->nvuc", weights(2, 0, 2), y)
	return AddScalar(y, grey)
}

// near is the weight of a pixel at distance |a − b| along an axis.
func near(a, b *Node) *Node {
	d := OneMinus(Abs(Sub(a, b)))
	return Where(GreaterThan(d, ZerosLike(d)), d, ZerosLike(d))
}

// middle is the place of the middle of n pixels.
func middle(n int) float64 { return float64(n-1) / 2 }

// grid is that of the pixels of N images of h rows and w columns.
type grid struct {
	n, h, w int
	x, y    *Node // each pixel's column and row, [N, h, w]
}

func gridOf(x *Node) grid { return newGrid(x, x.Shape().Dim(1), x.Shape().Dim(2)) }

// newGrid returns a grid for as many images as x, [N, …], holds.
func newGrid(x *Node, h, w int) grid {
	p := grid{n: x.Shape().Dim(0), h: h, w: w}
	place := func(axis int) *Node {
		return ConvertDType(Iota(x.Graph(), shapes.Make(dtypes.Int32, p.n, h, w), axis), x.DType())
	}
	p.x, p.y = place(2), place(1)
	return p
}

// onto maps places of p, in columns and rows, to places of q. All are [N, …, …].
func (p grid) onto(q grid, maps, x, y *Node) (mx, my *Node) {
	k := func(i int) *Node {
		return BroadcastToShape(Reshape(SliceAxis(maps, 1, AxisElem(i)), p.n, 1, 1), x.Shape())
	}
	x, y = AddScalar(x, -middle(p.w)), AddScalar(y, -middle(p.h))
	line := func(i int) *Node { return Add(Add(Mul(k(i), x), Mul(k(i+1), y)), k(i+2)) }
	return AddScalar(line(0), middle(q.w)), AddScalar(line(3), middle(q.h))
}

// sum adds up the pixels of images, [N, h, w, C], in a square of size × size from (x0, y0) on, each with
// its weight: x0, y0 and weights are [N, rows, columns], and the sum is [N, rows, columns, C].
func (p grid) sum(images, x0, y0 *Node, size int, weight func(x, y *Node) *Node) *Node {
	g, c, dims := images.Graph(), images.Shape().Dim(3), x0.Shape().Dimensions
	places := x0.Shape().Size()
	flat := Reshape(images, p.n*p.h*p.w, c)
	first := MulScalar(Iota(g, shapes.Make(dtypes.Int32, dims...), 0), p.h*p.w)
	var sum *Node
	for dy := range size {
		for dx := range size {
			x, y := AddScalar(x0, float64(dx)), AddScalar(y0, float64(dy))
			inside := And(within(x, p.w), within(y, p.h))
			at := func(v *Node) *Node {
				return ConvertDType(Where(inside, v, ZerosLike(v)), dtypes.Int32)
			}
			index := Add(first, Add(MulScalar(at(y), p.w), at(x)))
			w := weight(x, y)
			w = Where(inside, w, ZerosLike(w))
			pixel := Mul(Gather(flat, Reshape(index, places, 1)), BroadcastToDims(Reshape(w, places, 1), places, c))
			if sum == nil {
				sum = pixel
			} else {
				sum = Add(sum, pixel)
			}
		}
	}
	return Reshape(sum, dims[0], dims[1], dims[2], c)
}

func within(v *Node, size int) *Node {
	return And(GreaterOrEqual(v, ZerosLike(v)), LessThan(v, Scalar(v.Graph(), v.DType(), size)))
}
