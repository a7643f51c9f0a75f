package train

import (
	"math"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp/descent"
	"lucigo/interp/layer"
	"lucigo/models/scenes"
)

const (
	bnEpsilon = 1e-5
	bnKeep    = 0.95
)

// unit returns convolution, batch norm by the statistics of the batch, and ReLU, as trained. The statistics move the averages if it is
// learning, and not while an adversarial image is sought.
func unit(learning bool) scenes.Unit {
	return func(s *model.Scope, x *graph.Node, out int, w layer.Window) *graph.Node {
		y := layer.ConvNoBias(s, x, out, w)
		one := func(g *graph.Graph, s shapes.Shape) *graph.Node { return graph.Ones(g, s) }
		c := shapes.Make(y.DType(), out)
		scale := s.WithInitializer(one).VariableWithShape("scale", c).NodeValue(y)
		offset := s.VariableWithShape("offset", c).NodeValue(y)
		average := s.VariableWithShape("mean", c).SetTrainable(false)
		spread := s.WithInitializer(one).VariableWithShape("variance", c).SetTrainable(false)
		mean := columnMean(y)
		variance := graph.MaxScalar(graph.Sub(columnMean(graph.Square(y)), graph.Square(mean)), 0)
		if learning {
			move := func(v *model.Variable, x *graph.Node) {
				v.SetNodeValue(graph.Add(graph.MulScalar(v.NodeValue(y), bnKeep), graph.MulScalar(x, 1-bnKeep)))
			}
			move(average, mean)
			move(spread, variance)
		}
		return layer.ReLU(graph.Add(graph.Mul(standardize(y, mean, variance), wide(scale)), wide(offset)))
	}
}

// wide shapes a vector of channels to be added to or multiplied with [N,H,W,C].
func wide(v *graph.Node) *graph.Node { return graph.Reshape(v, 1, 1, 1, -1) }

// columnMean returns the mean of each channel, [C], of x [N,H,W,C]; as a product with ones, which XLA's CPU backend does four times
// as fast as a reduction over the leading axes.
func columnMean(x *graph.Node) *graph.Node {
	c := x.Shape().Dim(-1)
	rows := x.Shape().Size() / c
	ones := graph.BroadcastToDims(graph.Scalar(x.Graph(), x.DType(), 1/float64(rows)), 1, rows)
	return graph.Reshape(graph.Dot(ones, graph.Reshape(x, rows, c)).MatMul(), c)
}

// standardize returns (y − mean)/√(variance + ε) where mean and variance are y's own: its gradient passes through them as well.
func standardize(y, mean, variance *graph.Node) *graph.Node {
	inverse := graph.StopGradient(graph.Reciprocal(graph.Sqrt(graph.AddScalar(variance, bnEpsilon))))
	shift := graph.StopGradient(wide(graph.Neg(graph.Mul(mean, inverse))))
	gain := wide(inverse)
	y = graph.IdentityWithCustomGradient(y, func(y, slope *graph.Node) *graph.Node {
		z := graph.Add(graph.Mul(y, gain), shift)
		return graph.Sub(slope, graph.Add(wide(columnMean(slope)), graph.Mul(z, wide(columnMean(graph.Mul(slope, z))))))
	})
	return graph.Add(graph.Mul(y, gain), shift)
}

// crossEntropy returns the loss of each image, [batch].
func crossEntropy(logits, labels *graph.Node) *graph.Node {
	classes := logits.Shape().Dim(-1)
	hot := graph.OneHot(labels, classes, logits.DType())
	return graph.Neg(graph.ReduceSum(graph.Mul(hot, graph.LogSoftmax(logits)), -1))
}

// adversarial moves each image inside the box of radius epsilon around it (and inside [0,1]) to raise its loss: from the given start,
// steps steps along the gradient's sign, each of 1.25/steps … of the radius.
func adversarial(forward func(*graph.Node) *graph.Node, x, start, labels, epsilon *graph.Node, steps int) *graph.Node {
	clip := func(d *graph.Node) *graph.Node {
		return graph.Sub(descent.Box(graph.Add(x, descent.Ball(d, epsilon)), 0, 1), x)
	}
	rate := 1.25
	if steps > 1 {
		rate = 2 / float64(steps)
	}
	d := clip(graph.Mul(start, epsilon))
	for range steps {
		moved := graph.Identity(graph.StopGradient(graph.Add(x, d))) // a stopped node itself is given no gradient
		slope := graph.Gradient(graph.ReduceAllSum(crossEntropy(forward(moved), labels)), moved)[0]
		d = clip(graph.Add(d, graph.Mul(graph.Sign(slope), graph.MulScalar(epsilon, rate))))
	}
	return graph.StopGradient(graph.Add(x, d))
}

// knobs are the numbers that change from step to step, in the order of the step's last argument.
type knobs struct{ rate, epsilon, adam float32 }

// oneCycle returns the knobs of step t of total: the rate rises along a cosine over the first rise of the way from peak/25 to peak
// and falls along a cosine to nearly nothing; epsilon grows to its full size over the first third.
func oneCycle(t, total int, peak, rise, epsilon float64) knobs {
	at := (float64(t) + 0.5) / float64(total)
	rate := peak
	if at < rise {
		rate = peak * (1 + 24*(1-math.Cos(math.Pi*at/rise))/2) / 25
	} else {
		rate = peak * (1e-4 + (1-1e-4)*(1+math.Cos(math.Pi*(at-rise)/(1-rise)))/2)
	}
	return knobs{float32(rate), float32(epsilon * min(1, at/0.3)), float32(descent.Adam{}.Rate(rate, t))}
}

// step returns the graph of one training step: loss and share right, having changed the variables. attack is the number of adversarial
// steps, 0 for none; decay is AdamW's weight decay, of matrices and kernels alone.
func step(forward func(scenes.Unit) layer.Forward, attack int, decay float64) func(s *model.Scope, images, start, labels, knobs *graph.Node) (loss, right *graph.Node) {
	return func(s *model.Scope, x, start, labels, k *graph.Node) (loss, right *graph.Node) {
		g := x.Graph()
		knob := func(i int) *graph.Node { return graph.Reshape(graph.Slice(k, graph.AxisElem(i))) }
		if attack > 0 {
			f := func(x *graph.Node) *graph.Node { return forward(unit(false))(s, x) }
			x = adversarial(f, x, graph.MulScalar(graph.ConvertDType(start, x.DType()), 1.0/127), labels, knob(1), attack)
		}
		logits := forward(unit(true))(s, x)
		loss = graph.ReduceAllMean(crossEntropy(logits, labels))
		right = graph.ReduceAllMean(graph.ConvertDType(graph.Equal(graph.ArgMax(logits, -1, dtypes.Int32), labels), x.DType()))

		var vars []*model.Variable
		for v := range s.IterVariables() {
			if v.Trainable && v.InUseByGraph(g) {
				vars = append(vars, v)
			}
		}
		slices.SortFunc(vars, func(a, b *model.Variable) int { return strings.Compare(a.Path(), b.Path()) })
		values := make([]*graph.Node, len(vars))
		for i, v := range vars {
			values[i] = v.NodeValue(g)
		}
		for i, slope := range graph.Gradient(loss, values...) {
			adamW(s, vars[i], slope, knob(0), knob(2), decay)
		}
		return loss, right
	}
}

// adamScope is where the moments of gradients are.
const adamScope = "/adam/"

// adamW changes one variable by its gradient.
func adamW(s *model.Scope, v *model.Variable, slope, rate, adam *graph.Node, decay float64) {
	w := v.NodeValue(slope)
	zero := func(g *graph.Graph, s shapes.Shape) *graph.Node { return graph.Zeros(g, s) }
	moment := func(name string) *model.Variable {
		return s.Store().VariableWithShape(adamScope+v.Path()[1:]+"/"+name, v.Shape(), zero).SetTrainable(false)
	}
	m1, m2 := moment("first"), moment("second")
	move, mean, square := descent.Adam{}.Move(slope, m1.NodeValue(w), m2.NodeValue(w))
	m1.SetNodeValue(mean)
	m2.SetNodeValue(square)
	move = graph.Mul(move, adam)
	if w.Rank() > 1 {
		move = graph.Add(move, graph.Mul(graph.MulScalar(w, decay), rate))
	}
	v.SetNodeValue(graph.Sub(w, move))
}
