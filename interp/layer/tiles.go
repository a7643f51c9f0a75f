package layer

import (
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
)

// XLA's convolution on a CPU is slow where channels are few: it multiplies a matrix that has a column for each
// channel of the output, and copies what a place sees a few channels at a time. A correlation of 100 images of
// 28×28 from 6 channels to 3 by 5×5 takes 29 ms, and 7 ms as scatter does it (AMD EPYC, 2 cores). Neither way is
// for strides, dilation and groups.

// native says whether the backend's own convolution is used. XLA's is fast and right; the Go backend's
// is hundreds of times slower than its matrix product.
func native(x *graph.Node) bool { return x.Graph().Backend().Name() == "xla" }

// onCPU says whether x is computed by XLA on a CPU.
func onCPU(x *graph.Node) bool {
	return native(x) && !OnGPU(x.Graph().Backend())
}

// OnGPU says whether a backend computes on a GPU.
func OnGPU(b compute.Backend) bool { return strings.Contains(strings.ToLower(b.Description()), "cuda") }

// plain says whether a window is one that tiles are for.
func plain(w Window) bool {
	one := [2]int{1, 1}
	return w.Stride == one && w.Dilation == one && w.Size != one
}

// tiling is a correlation between tiles: squares of side×side places, whose channels are those of all the places.
type tiling struct {
	win   Window // without stride and dilation
	out   [2]int // places of the output
	side  int
	reach [2]int // tiles of the input that a tile of the output sees
	tiles [2]int // of the output
}

func tiled(win Window, out [2]int, side int) tiling {
	t := tiling{win: win, out: out, side: side}
	for axis := range 2 {
		t.reach[axis] = ceilDiv(side-1+win.Size[axis], side)
		t.tiles[axis] = ceilDiv(out[axis], side)
	}
	return t
}

// gather is the backend's own correlation of tiles.
func (t tiling) gather(x, w *graph.Node) *graph.Node {
	var size [2]int
	for axis := range 2 {
		size[axis] = (t.tiles[axis] + t.reach[axis] - 1) * t.side
	}
	one := [2]int{1, 1}
	return t.join(correlateNative(t.cut(x, [2]int{t.win.Pad[0][0], t.win.Pad[1][0]}, size), t.weights(w), one, one, [2][2]int{}, 1))
}

// scatter multiplies each tile of the input with the weights of every tile of the output that sees it, and
// adds what each of those is given. Padding costs nothing. XLA computes the sum anew in every operation that it
// fuses with it, so it is for what few of them use: the gradient at the images.
func (t tiling) scatter(x, w *graph.Node) *graph.Node {
	var low, size, before [2]int
	for axis := range 2 {
		pad := t.win.Pad[axis][0]
		low[axis], before[axis] = pad%t.side, pad/t.side
		size[axis] = ceilDiv(x.Shape().Dim(1+axis)+low[axis], t.side) * t.side
	}
	x = t.cut(x, low, size)
	w = t.weights(w)
	in, out := w.Shape().Dim(2), w.Shape().Dim(3)
	w = graph.Reshape(graph.TransposeAllAxes(w, 2, 0, 1, 3), 1, 1, in, t.reach[0]*t.reach[1]*out)
	one := [2]int{1, 1}
	given := correlateNative(x, w, one, one, [2][2]int{}, 1) // XLA makes a product of it, and all cores compute the operands
	y := graph.BroadcastToDims(graph.ScalarZero(x.Graph(), x.DType()), x.Shape().Dim(0), t.tiles[0], t.tiles[1], out)
	for i := range t.reach[0] {
		for j := range t.reach[1] {
			at, first := [2]int{before[0] - i, before[1] - j}, (i*t.reach[1]+j)*out
			if meets(at, x.Shape().Dimensions[1:3], t.tiles) {
				y = graph.Add(y, placed(graph.SliceAxis(given, 3, graph.AxisRange(first, first+out)), at, t.tiles))
			}
		}
	}
	return t.join(y)
}

// meets says whether an array of the given size that begins at a place has any element among tiles.
func meets(at [2]int, size []int, tiles [2]int) bool {
	return at[0]+size[0] > 0 && at[1]+size[1] > 0 && at[0] < tiles[0] && at[1] < tiles[1]
}

// placed lays x, [N, H, W, C], at a place of an array of zeros of the given size, which cuts off the rest.
func placed(x *graph.Node, at, size [2]int) *graph.Node {
	var seen [2]graph.SliceAxisSpec
	var fill [2]graph.PadAxis
	for axis := range 2 {
		from, to := max(0, -at[axis]), min(x.Shape().Dim(1+axis), size[axis]-at[axis])
		seen[axis] = graph.AxisRange(from, to)
		fill[axis] = graph.PadAxis{Start: at[axis] + from, End: size[axis] - at[axis] - to}
	}
	x = graph.Slice(x, graph.AxisRange(), seen[0], seen[1])
	return graph.Pad(x, graph.ScalarZero(x.Graph(), x.DType()), graph.PadAxis{}, fill[0], fill[1], graph.PadAxis{})
}

// cut lays x at a place of zeros of the given size and cuts that into tiles: [N, rows, columns, side·side·C].
func (t tiling) cut(x *graph.Node, at, size [2]int) *graph.Node {
	n, c := x.Shape().Dim(0), x.Shape().Dim(3)
	x = graph.Reshape(placed(x, at, size), n, size[0]/t.side, t.side, size[1]/t.side, t.side, c)
	return graph.Reshape(graph.TransposeAllAxes(x, 0, 1, 3, 2, 4, 5), n, size[0]/t.side, size[1]/t.side, t.side*t.side*c)
}

// join is the places of the output's tiles y.
func (t tiling) join(y *graph.Node) *graph.Node {
	n, c := y.Shape().Dim(0), y.Shape().Dim(3)/(t.side*t.side)
	y = graph.TransposeAllAxes(graph.Reshape(y, n, t.tiles[0], t.tiles[1], t.side, t.side, c), 0, 1, 3, 2, 4, 5)
	y = graph.Reshape(y, n, t.tiles[0]*t.side, t.tiles[1]*t.side, c)
	return graph.Slice(y, graph.AxisRange(), graph.AxisRange(0, t.out[0]), graph.AxisRange(0, t.out[1]))
}

// weights are those between tiles: [reach, reach, side·side·C, side·side·O]. Each place of a tile of the output has
// the weights w, moved to where it is.
func (t tiling) weights(w *graph.Node) *graph.Node {
	in, out := w.Shape().Dim(2), w.Shape().Dim(3)
	zero := graph.ScalarZero(w.Graph(), w.DType())
	var places []*graph.Node
	for i := range t.side {
		for j := range t.side {
			var fill [2]graph.PadAxis
			for axis, start := range [2]int{i, j} {
				fill[axis] = graph.PadAxis{Start: start, End: t.reach[axis]*t.side - t.win.Size[axis] - start}
			}
			places = append(places, graph.Pad(w, zero, fill[0], fill[1], graph.PadAxis{}, graph.PadAxis{}))
		}
	}
	w = graph.Reshape(graph.Concatenate(places, 3), t.reach[0], t.side, t.reach[1], t.side, in, t.side*t.side*out)
	w = graph.TransposeAllAxes(w, 0, 2, 1, 3, 4, 5)
	return graph.Reshape(w, t.reach[0], t.reach[1], t.side*t.side*in, t.side*t.side*out)
}
