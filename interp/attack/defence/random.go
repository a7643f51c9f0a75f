package defence

import (
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// seedPath is the path of the weight that a defence draws by.
func seedPath(kind string) string { return "/defence/" + kind + "/seed" }

// seeds reports whether a weight is a seed.
func seeds(path string) bool {
	return strings.HasPrefix(path, "/defence/") && strings.HasSuffix(path, "/seed")
}

// draws are random words of each row, [draws·N], one draw of all images after the other. They depend on the seed, on the draw and on every
// bit of the image.
type draws struct{ words *graph.Node }

// drawn returns the words of n draws for images x.
func drawn(x, seed *graph.Node, n int) draws {
	x = graph.ConvertDType(graph.StopGradient(x), dtypes.Float32)
	g, images := x.Graph(), x.Shape().Dim(0)
	size := x.Shape().Size() / images
	bits := graph.Reshape(graph.Bitcast(x, dtypes.Uint32), images, size)
	place := mixed(graph.Iota(g, shapes.Make(dtypes.Uint32, images, size), 1))
	image := graph.ReduceSum(mixed(graph.BitwiseXor(bits, place)), 1) // modulo 2³², so in any order
	word := graph.ConvertDType(graph.ConvertDType(graph.StopGradient(seed), dtypes.Int32), dtypes.Uint32)
	image = mixed(graph.Add(image, graph.BroadcastToDims(mixed(word), images)))
	number := graph.Iota(g, shapes.Make(dtypes.Uint32, n, images), 0)
	words := mixed(graph.Add(graph.BroadcastToDims(graph.ExpandAxes(image, 0), n, images), mixed(number)))
	return draws{graph.Reshape(words, n*images)}
}

// uniform returns numbers in (0, 1), [rows, dims…], by the words for a purpose.
func (d draws) uniform(purpose int, dtype dtypes.DType, dims ...int) *graph.Node {
	g, rows, size := d.words.Graph(), d.words.Shape().Dim(0), 1
	for _, dim := range dims {
		size *= dim
	}
	own := mixed(graph.Add(d.words, graph.Scalar(g, dtypes.Uint32, uint32(purpose))))
	own = graph.BroadcastToDims(graph.Reshape(own, rows, 1), rows, size)
	place := graph.Mul(graph.Iota(g, shapes.Make(dtypes.Uint32, rows, size), 1), graph.Scalar(g, dtypes.Uint32, uint32(golden)))
	bits := graph.BitwiseShiftRightLogicalScalar(mixed(graph.Add(own, place)), uint32(9))
	u := graph.ConvertDType(graph.ConvertDType(bits, dtypes.Int32), dtype)
	u = graph.MulScalar(graph.AddScalar(u, .5), 1./(1<<23)) // exact in float32
	return graph.Reshape(u, append([]int{rows}, dims...)...)
}

const golden = 0x9e3779b9

// mixed changes about half of the bits of a word where one of its bits changes: the hash lowbias32 of Wellons.
func mixed(x *graph.Node) *graph.Node {
	g := x.Graph()
	shift := func(by uint32) { x = graph.BitwiseXor(x, graph.BitwiseShiftRightLogicalScalar(x, by)) }
	x = graph.Add(x, graph.Scalar(g, dtypes.Uint32, uint32(golden)))
	shift(16)
	x = graph.Mul(x, graph.Scalar(g, dtypes.Uint32, uint32(0x7feb352d)))
	shift(15)
	x = graph.Mul(x, graph.Scalar(g, dtypes.Uint32, uint32(0x846ca68b)))
	shift(16)
	return x
}
