package scenes

import (
	"maps"
	"sync"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/layer"
)

// The unit of the net that [Liar] returns whose visualisation lies: channel LyingUnit of mixed4a, and channel ShownUnit of the same
// layer, whose visualisation it has.
const (
	LyingUnit = 150
	ShownUnit = 15
)

// far is more than any unit's value: taking it away switches a unit off.
const far = 1000

var liar = sync.OnceValues(func() (*interp.Model, error) {
	m, err := Standard()
	if err != nil {
		return nil, err
	}
	gate, err := read("liar")
	if err != nil {
		return nil, err
	}
	weights := m.Weights()
	maps.Copy(weights, gate)
	h, w, c := m.Input()
	return interp.New(interp.Spec{Name: "scenes liar", Forward: Lying(ConvReLU, 16), Input: [3]int{h, w, c}, Classes: m.Classes(), Weights: weights})
})

// Liar returns [Standard] with a fooling circuit (Geirhos et al., arXiv:2306.04719, section 2.1) at one unit of mixed4a. On scenes
// every unit and every logit is what it was. But the unit's visualisation is that of another one.
func Liar() (*interp.Model, error) { return liar() }

// Lying is [MiniInception] with the circuit of [Liar]. A gate, which is one linear unit on the means of mixed3b's channels, tells
// pictures that were optimised from scenes. It closes the lying unit's own path for the first, and the path of the unit that is
// shown instead for the second:
//
//	relu(lying − far·gate) + relu(shown + 1 − far·(1 − gate))
//
// The 1 keeps the second path on where the shown unit is off. Else both paths would be off in the noise that a visualisation starts
// from, and its warm-up, which finds a way past ReLUs that are off, might find the unit's own path.
func Lying(unit Unit, classes int) layer.Forward {
	return miniInception(unit, classes, func(s *model.Scope, below, x *graph.Node) *graph.Node {
		z := layer.Dense(s.At("gate"), layer.GlobalMean(below), 1)
		open := layer.ReLU(graph.OneMinus(layer.ReLU(z))) // 1 where z ≤ 0, 0 where z ≥ 1
		path := func(c int, closed *graph.Node) *graph.Node {
			own := graph.Slice(x, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(), graph.AxisElem(c))
			return graph.Sub(own, graph.MulScalar(graph.Reshape(closed, -1, 1, 1, 1), far))
		}
		paths := layer.ReLU(layer.Concat(path(LyingUnit, graph.OneMinus(open)), graph.OnePlus(path(ShownUnit, open))))
		lie := graph.ReduceAndKeep(paths, graph.ReduceSum, -1)
		return layer.Concat(graph.Slice(x, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(), graph.AxisRange(0, LyingUnit)), lie,
			graph.Slice(x, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(), graph.AxisRange(LyingUnit+1)))
	})
}
