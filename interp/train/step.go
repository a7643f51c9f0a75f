package train

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/descent"
)

// step is one step of a training. Its arguments are the weights, Adam's moments of them, images, targets, the knobs
// and, where an adversary moves, where it starts and its radius. Its results are the next weights and moments, the
// loss and the share of images that were right.
type step struct {
	paths []string // of the weights
	moves int      // of the adversary
	move  float64
}

func (s step) Build(net *interp.Net, a []*graph.Node) []*graph.Node {
	n := len(s.paths)
	values, first, second, a := a[:n], a[n:2*n], a[2*n:3*n], a[3*n:]
	x, targets, g := a[0], a[1], a[0].Graph()
	knob := func(i int) *graph.Node { return graph.Reshape(graph.Slice(a[2], graph.AxisElem(i))) }
	rate, adam, decay := knob(0), knob(1), knob(2)

	store := model.GetStore(g)
	store.SetTraining(g, true)
	variables := make([]*model.Variable, n)
	bind := func() { // the network reads these values, and not those of the model
		for i, path := range s.paths {
			variables[i] = store.VariableWithShape(path, values[i].Shape(), graph.Zeros)
			variables[i].SetNodeValue(values[i])
		}
	}
	bind()
	if s.moves > 0 {
		loss := func(x *graph.Node) *graph.Node { return crossEntropy(net.Pass(x, nil).Logits(), targets) }
		d := a[3]
		for range s.moves {
			d = ascend(loss, x, d, a[4], s.move)
		}
		x = graph.StopGradient(graph.Add(x, d))
		bind() // the averages of batch norm do not follow adversarial images on their way
	}
	logits := net.Pass(x, nil).Logits()
	if !logits.Shape().Equal(targets.Shape()) {
		panic(fmt.Errorf("the logits are shaped %s, and there are targets shaped %s", logits.Shape(), targets.Shape()))
	}
	loss := graph.ReduceAllMean(crossEntropy(logits, targets))
	slopes := graph.Gradient(loss, values...)
	next := make([]*graph.Node, 3*n)
	for i, v := range variables {
		next[i], next[n+i], next[2*n+i] = v.NodeValue(g), first[i], second[i] // averages move by themselves
		if v.Trainable {
			next[i], next[n+i], next[2*n+i] = adamW(values[i], slopes[i], first[i], second[i], rate, adam, decay)
		}
	}
	return append(next, loss, graph.ReduceAllMean(same(logits, targets)))
}

// crossEntropy returns the loss of each image, [N], from logits and probabilities.
func crossEntropy(logits, targets *graph.Node) *graph.Node {
	return graph.Neg(graph.ReduceSum(graph.Mul(targets, graph.LogSoftmax(logits)), -1))
}

// same returns 1 for each image whose largest logit is where its largest target is, and 0 for the others.
func same(logits, targets *graph.Node) *graph.Node {
	top := func(v *graph.Node) *graph.Node { return graph.ArgMax(v, -1, dtypes.Int32) }
	return graph.ConvertDType(graph.Equal(top(logits), top(targets)), logits.DType())
}

// adamW returns the next value of a weight, and of Adam's moments of it. Vectors do not decay.
func adamW(w, slope, first, second, rate, adam, decay *graph.Node) (next, nextFirst, nextSecond *graph.Node) {
	move, first, second := descent.Adam{}.Move(slope, first, second)
	move = graph.Mul(move, adam)
	if w.Rank() > 1 {
		move = graph.Add(move, graph.Mul(w, graph.Mul(decay, rate)))
	}
	return graph.Sub(w, move), first, second
}
