package layer

import (
	"cmp"
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
)

// Window is the geometry of a sliding window over the two spatial axes of an image.
type Window struct {
	Size     [2]int    // height, width
	Stride   [2]int    // 0 is 1
	Dilation [2]int    // 0 is 1
	Pad      [2][2]int // {{top, bottom}, {left, right}}, never negative
	Ceil     bool      // pools only: the last, partial window counts too (Caffe, ONNX ceil_mode)
}

// Square is the window of size × size that moves by stride, over an image padded by pad on every side.
func Square(size, stride, pad int) Window {
	return Window{
		Size:   [2]int{size, size},
		Stride: [2]int{stride, stride},
		Pad:    [2][2]int{{pad, pad}, {pad, pad}},
	}
}

// Same is the window of size × size that moves by stride over x, [N, H, W, C], padded as TensorFlow's
// SAME: the output is x's height and width divided by stride, rounded up, and of an odd padding the
// greater half is at the bottom and at the right.
func Same(size, stride int, x *graph.Node) Window {
	w := Square(size, stride, 0)
	for axis := range 2 {
		n := x.Shape().Dim(1 + axis)
		total := max(0, (ceilDiv(n, stride)-1)*stride+size-n)
		w.Pad[axis] = [2]int{total / 2, total - total/2}
	}
	return w
}

// Out returns how many windows fit an image of h × wd, below each other and beside each other: 0 or less
// where none fits. In ceil mode a window that starts after the image and its top or left padding does
// not count.
func (w Window) Out(h, wd int) (int, int) {
	w = w.whole()
	return w.out(0, h), w.out(1, wd)
}

// whole is w with its defaults filled in.
func (w Window) whole() Window {
	for axis := range 2 {
		w.Stride[axis], w.Dilation[axis] = cmp.Or(w.Stride[axis], 1), cmp.Or(w.Dilation[axis], 1)
	}
	return w
}

// extent is how far a whole window reaches along an axis, its gaps included.
func (w Window) extent(axis int) int { return (w.Size[axis]-1)*w.Dilation[axis] + 1 }

func (w Window) out(axis, n int) int {
	room := n + w.Pad[axis][0] + w.Pad[axis][1] - w.extent(axis)
	stride := w.Stride[axis]
	if !w.Ceil {
		return floorDiv(room, stride) + 1
	}
	o := ceilDiv(room, stride) + 1
	if (o-1)*stride >= n+w.Pad[axis][0] {
		o--
	}
	return o
}

// over is w with its defaults filled in and the number of its places over x. It panics where w is no
// window, x no image, or w larger than x and its padding.
func (w Window) over(what string, x *graph.Node) (Window, [2]int) {
	checkImages(what, x)
	w = w.whole()
	for axis := range 2 {
		if min(w.Size[axis], w.Stride[axis], w.Dilation[axis]) < 1 || min(w.Pad[axis][0], w.Pad[axis][1]) < 0 {
			panic(fmt.Errorf("layer: %s: no such window: %+v", what, w))
		}
	}
	h, wd := x.Shape().Dim(1), x.Shape().Dim(2)
	out := [2]int{w.out(0, h), w.out(1, wd)}
	if out[0] < 1 || out[1] < 1 {
		panic(fmt.Errorf("layer: %s: a window of %d×%d (dilation %v) does not fit an image of %d×%d with padding %v: "+
			"give a larger image", what, w.Size[0], w.Size[1], w.Dilation, h, wd, w.Pad))
	}
	return w, out
}

// checkImages panics if x, which the named function takes, is no batch of images.
func checkImages(what string, x *graph.Node) {
	if x.Rank() != 4 {
		panic(fmt.Errorf("layer: %s: images are shaped %s, must be [N, H, W, C]", what, x.Shape()))
	}
}

func floorDiv(a, b int) int {
	if a < 0 {
		return -((-a + b - 1) / b)
	}
	return a / b
}

func ceilDiv(a, b int) int { return -floorDiv(-a, b) }
