package layer

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
)

// Pad puts value around x, [N, H, W, C]: {{top, bottom}, {left, right}} rows and columns, never negative.
func Pad(x *graph.Node, pad [2][2]int, value float64) *graph.Node {
	checkImages("Pad", x)
	if min(pad[0][0], pad[0][1], pad[1][0], pad[1][1]) < 0 {
		panic(fmt.Errorf("layer: Pad: padding is %v, must not be negative", pad))
	}
	return pad2(x, pad, value)
}

// Concat lays the channels (the last axis) of xs one after the other.
func Concat(xs ...*graph.Node) *graph.Node { return signed(graph.Concatenate(xs, -1), xs...) }

// Flatten returns x, [N, …], as [N, product of the rest]; of images, channels change fastest.
func Flatten(x *graph.Node) *graph.Node {
	n := x.Shape().Dim(0)
	return signed(graph.Reshape(x, n, x.Shape().Size()/n), x)
}
