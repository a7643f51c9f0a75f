package main

import (
	"math"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp/layer"
	"lucigo/models/scenes"
)

// mode is what batch norm does.
type mode int

const (
	learning  mode = iota // statistics of the batch, which move the averages
	searching             // statistics of the batch (while an adversarial image is sought)
)

const (
	bnEpsilon = 1e-5
	bnKeep    = 0.95
)

// unit returns convolution, batch norm and ReLU, as trained.
func unit(m mode) scenes.Unit {
	return func(s *model.Scope, x *Node, out int, w layer.Window) *Node {
		y := layer.ConvNoBias(s, x, out, w)
		one := func(g *Graph, s shapes.Shape) *Node { return Ones(g, s) }
		c := shapes.Make(y.DType(), out)
		scale := s.WithInitializer(one).VariableWithShape("scale", c).NodeValue(y)
		offset := s.VariableWithShape("offset", c).NodeValue(y)
		average := s.VariableWithShape("mean", c).SetTrainable(false)
		spread := s.WithInitializer(one).VariableWithShape("variance", c).SetTrainable(false)
		mean := columnMean(y)
		variance := MaxScalar(Sub(columnMean(Square(y)), Square(mean)), 0)
		if m == learning {
			move := func(v *model.Variable, x *Node) {
				v.SetNodeValue(Add(MulScalar(v.NodeValue(y), bnKeep), MulScalar(x, 1-bnKeep)))
			}
			move(average, mean)
			move(spread, variance)
		}
		return layer.ReLU(Add(Mul(standardize(y, mean, variance), wide(scale)), wide(offset)))
	}
}

// wide shapes a vector of channels to be added to or multiplied with [N,H,W,C].
func wide(v *Node) *Node { return Reshape(v, 1, 1, 1, -1) }

// columnMean returns the mean of each channel, [C], of x [N,H,W,C]; as a product with ones, which XLA's CPU backend does four times
// as fast as a reduction over the leading axes.
func columnMean(x *Node) *Node {
	c := x.Shape().Dim(-1)
	rows := x.Shape().Size() / c
	ones := BroadcastToDims(Scalar(x.Graph(), x.DType(), 1/float64(rows)), 1, rows)
	return Reshape(Dot(ones, Reshape(x, rows, c)).MatMul(), c)
}

// standardize returns (y − mean)/√(variance + ε) where mean and variance are y's own: its gradient passes through them as well.
func standardize(y, mean, variance *Node) *Node {
	inverse := StopGradient(Inverse(Sqrt(AddScalar(variance, bnEpsilon))))
	shift := StopGradient(wide(Neg(Mul(mean, inverse))))
	gain := wide(inverse)
	y = IdentityWithCustomGradient(y, func(y, slope *Node) *Node {
		z := Add(Mul(y, gain), shift)
		return Sub(slope, Add(wide(columnMean(slope)), Mul(z, wide(columnMean(Mul(slope, z))))))
	})
	return Add(Mul(y, gain), shift)
}

// crossEntropy returns the loss of each image, [batch].
func crossEntropy(logits, labels *Node) *Node {
	classes := logits.Shape().Dim(-1)
	hot := OneHot(labels, classes, logits.DType())
	return Neg(ReduceSum(Mul(hot, LogSoftmax(logits)), -1))
}

// adversarial moves each image inside the box of radius epsilon around it (and inside [0,1]) to raise its loss: from the given start,
// steps steps along the gradient's sign, each of 1.25/steps … of the radius.
func adversarial(forward func(*Node) *Node, x, start, labels, epsilon *Node, steps int) *Node {
	g := x.Graph()
	clip := func(d *Node) *Node {
		d = Min(Max(d, Neg(epsilon)), epsilon)
		return Sub(Min(Max(Add(x, d), ScalarZero(g, x.DType())), ScalarOne(g, x.DType())), x)
	}
	rate := 1.25
	if steps > 1 {
		rate = 2 / float64(steps)
	}
	d := clip(Mul(start, epsilon))
	for range steps {
		moved := StopGradient(Add(x, d))
		slope := Gradient(ReduceAllSum(crossEntropy(forward(moved), labels)), moved)[0]
		d = clip(Add(d, Mul(Sign(slope), MulScalar(epsilon, rate))))
	}
	return StopGradient(Add(x, d))
}

// knobs are the numbers that change from step to step, in the order of the step's last argument.
type knobs struct{ rate, epsilon, warm1, warm2 float32 }

const (
	beta1, beta2 = 0.9, 0.999
	decay        = 0.02 // AdamW's weight decay, of matrices and kernels alone
)

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
	n := float64(t + 1)
	return knobs{float32(rate), float32(epsilon * min(1, at/0.3)),
		float32(1 - math.Pow(beta1, n)), float32(1 - math.Pow(beta2, n))}
}

// step returns the graph of one training step: loss and share right, having changed the variables. attack is the number of adversarial
// steps, 0 for none.
func step(forward func(scenes.Unit) layer.Forward, attack int) func(s *model.Scope, images, start, labels, knobs *Node) (loss, right *Node) {
	return func(s *model.Scope, x, start, labels, k *Node) (loss, right *Node) {
		g := x.Graph()
		knob := func(i int) *Node { return Reshape(Slice(k, AxisElem(i))) }
		if attack > 0 {
			f := func(x *Node) *Node { return forward(unit(searching))(s, x) }
			x = adversarial(f, x, MulScalar(ConvertDType(start, x.DType()), 1.0/127), labels, knob(1), attack)
		}
		logits := forward(unit(learning))(s, x)
		loss = ReduceAllMean(crossEntropy(logits, labels))
		right = ReduceAllMean(ConvertDType(Equal(ArgMax(logits, -1, dtypes.Int32), labels), x.DType()))

		var vars []*model.Variable
		for v := range s.IterVariables() {
			if v.Trainable && v.InUseByGraph(g) {
				vars = append(vars, v)
			}
		}
		slices.SortFunc(vars, func(a, b *model.Variable) int { return strings.Compare(a.Path(), b.Path()) })
		values := make([]*Node, len(vars))
		for i, v := range vars {
			values[i] = v.NodeValue(g)
		}
		for i, slope := range Gradient(loss, values...) {
			adamW(s, vars[i], slope, knob(0), knob(2), knob(3))
		}
		return loss, right
	}
}

// adamW changes one variable by its gradient.
func adamW(s *model.Scope, v *model.Variable, slope, rate, warm1, warm2 *Node) {
	w := v.NodeValue(slope)
	zero := func(g *Graph, s shapes.Shape) *Node { return Zeros(g, s) }
	moment := func(name string) *model.Variable {
		return s.Store().VariableWithShape("/adam"+v.Path()+"/"+name, v.Shape(), zero).SetTrainable(false)
	}
	m1, m2 := moment("first"), moment("second")
	mean := Add(MulScalar(m1.NodeValue(w), beta1), MulScalar(slope, 1-beta1))
	square := Add(MulScalar(m2.NodeValue(w), beta2), MulScalar(Square(slope), 1-beta2))
	m1.SetNodeValue(mean)
	m2.SetNodeValue(square)
	move := Div(Div(mean, warm1), AddScalar(Sqrt(Div(square, warm2)), 1e-8))
	if w.Rank() > 1 {
		move = Add(move, MulScalar(w, decay))
	}
	v.SetNodeValue(Sub(w, Mul(move, rate)))
}
