// Package objective has the scores most often asked of a network. Positions are rows and columns of a
// layer, counted from 0 at the top left.
package objective

import (
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
	"lucigo/interp/layer"
)

// The scores of the class each image is asked about (interp.Images.Class).
var (
	// Logit is the logit of the class. Its gradient says what speaks for the class alone.
	Logit = ofImageClass("logit", logit)

	// LogProb is log p(class), p the softmax of all logits. Its gradient also says what speaks against
	// the other classes: softmax couples them.
	LogProb = ofImageClass("log p", logProb)

	// Prob is p(class), p the softmax of all logits.
	Prob = ofImageClass("p", func(p *layer.Pass, class *Node) *Node { return Exp(logProb(p, class)) })

	// Loss is the cross-entropy, −log p(class).
	Loss = ofImageClass("loss", func(p *layer.Pass, class *Node) *Node { return Neg(logProb(p, class)) })
)

// LogitOf is the logit of one class for all images.
func LogitOf(class int) interp.Objective {
	return interp.NewObjective(fmt.Sprintf("logit %d", class), "logit of", []interp.Arg{interp.Int(class)},
		func(p *layer.Pass, a []*Node) *Node { return logit(p, a[0]) }).Of("", class)
}

// LogProbOf is log p of one class for all images.
func LogProbOf(class int) interp.Objective {
	return interp.NewObjective(fmt.Sprintf("log p %d", class), "log p of", []interp.Arg{interp.Int(class)},
		func(p *layer.Pass, a []*Node) *Node { return logProb(p, a[0]) }).Of("", class)
}

func ofImageClass(name string, score func(p *layer.Pass, class *Node) *Node) interp.Objective {
	return interp.NewObjective(name, name, []interp.Arg{interp.ImageClass},
		func(p *layer.Pass, a []*Node) *Node { return score(p, a[0]) })
}

func logit(p *layer.Pass, class *Node) *Node { return pick(p.Logits(), class) }

// logProb is −log(1 + e^z), z = log Σ e^(the other logits) − the class's own. Written as a softmax, log p
// near 0 would be a small difference of large numbers, and its gradient in float32 worth few digits.
func logProb(p *layer.Pass, class *Node) *Node {
	logits := p.Logits()
	if logits.Shape().Dim(1) == 1 {
		panic(errors.New("objective: the network has 1 logit, of which p is 1 for every image: use Logit"))
	}
	own := pick(logits, class)
	others := Where(chosen(logits, class), Scalar(logits.Graph(), logits.DType(), math.Inf(-1)), logits)
	most := StopGradient(ReduceAndKeep(others, ReduceMax, -1))
	z := Sub(Add(Log(ReduceSum(Exp(Sub(others, most)), -1)), Reshape(most, -1)), own)
	return Neg(Add(positive(z), Log1P(Exp(Neg(Abs(z))))))
}

// positive is max(z, 0).
func positive(z *Node) *Node { return Where(LessOrEqual(z, ZerosLike(z)), ZerosLike(z), z) }

// Channel is the mean of channel c of a layer over all positions; of a layer without positions, unit c.
func Channel(name string, c int) interp.Objective {
	return interp.NewObjective(fmt.Sprintf("%s channel %d", name, c), "channel of "+name, []interp.Arg{interp.Int(c)}, channel(name)).
		Of(name, c)
}

// Channels is Channel with a channel of its own for each image of the batch.
func Channels(name string, c ...int) interp.Objective {
	o := interp.NewObjective(fmt.Sprintf("%s channels %v", name, c), "channels of "+name, []interp.Arg{interp.Ints(c...)}, channel(name))
	for _, c := range c {
		o = o.Of(name, c)
	}
	return o
}

func channel(name string) func(p *layer.Pass, a []*Node) *Node {
	return func(p *layer.Pass, a []*Node) *Node {
		h := p.Layer(name)
		if h.Rank() == 4 {
			h = ReduceMean(h, 1, 2)
		}
		return pick(h, a[0])
	}
}

// Neuron is the unit of a layer at one position: row, column and channel c.
func Neuron(name string, row, column, c int) interp.Objective {
	return interp.NewObjective(fmt.Sprintf("%s (%d, %d) channel %d", name, row, column, c), "neuron of "+name,
		[]interp.Arg{interp.Int(row), interp.Int(column), interp.Int(c)},
		func(p *layer.Pass, a []*Node) *Node {
			h := spatial(p, name)
			n, wd, ch := h.Shape().Dim(0), h.Shape().Dim(2), h.Shape().Dim(3)
			flat := Add(Mul(Add(Mul(a[0], Scalar(a[0].Graph(), a[0].DType(), wd)), a[1]), Scalar(a[0].Graph(), a[0].DType(), ch)), a[2])
			inside := And(And(within(a[0], h.Shape().Dim(1)), within(a[1], wd)), within(a[2], ch))
			return pick(Reshape(h, n, -1), Where(inside, flat, Scalar(flat.Graph(), flat.DType(), -1)))
		}).OfNeuron(name, row, column, c)
}

// Energy is ½‖h‖² of a layer. Its gradient at the layer is h itself, which is DeepDream's.
func Energy(name string) interp.Objective {
	return interp.NewObjective("energy of "+name, "energy of "+name, nil, func(p *layer.Pass, _ []*Node) *Node {
		h := p.Layer(name)
		return MulScalar(ReduceSum(Square(Reshape(h, h.Shape().Dim(0), -1)), 1), .5)
	})
}

// Direction is the mean over all positions of the scalar product of a layer's channels with v. With as
// many numbers as the whole layer has, v is a direction in all of it, and the score one scalar product.
func Direction(name string, v []float64) interp.Objective {
	form := fmt.Sprintf("direction of %d at %s", len(v), name)
	return interp.NewObjective(form, form, []interp.Arg{interp.Floats(v)}, func(p *layer.Pass, a []*Node) *Node {
		h := p.Layer(name)
		n, c := h.Shape().Dim(0), h.Shape().Dim(-1)
		switch all := h.Shape().Size() / n; len(v) {
		case c:
			h = Reshape(h, n, -1, c)
			return ReduceMean(ReduceSum(Mul(h, Reshape(a[0], 1, 1, c)), 2), 1)
		case all:
			return ReduceSum(Mul(Reshape(h, n, all), Reshape(a[0], 1, all)), 1)
		}
		panic(fmt.Errorf("a direction of %d numbers at layer %q, which has %d channels and %d numbers in all", len(v), name, c, h.Shape().Size()/n))
	})
}

// spatial returns a layer that has positions.
func spatial(p *layer.Pass, name string) *Node {
	h := p.Layer(name)
	if h.Rank() != 4 {
		panic(fmt.Errorf("layer %q has no positions: it is shaped %v", name, h.Shape().Dimensions[1:]))
	}
	return h
}

// pick returns entry i of each row of x, [N, units]; i is one for all or one each. An entry that does
// not exist scores NaN, which interp reports: the graph cannot.
func pick(x, i *Node) *Node {
	picked := ReduceSum(Where(chosen(x, i), x, ZerosLike(x)), 1)
	return Where(within(each(i, x.Shape().Dim(0)), x.Shape().Dim(1)), picked, Div(ZerosLike(picked), ZerosLike(picked)))
}

// chosen is where a column of x, [N, units], is entry i of its row.
func chosen(x, i *Node) *Node {
	n, units := x.Shape().Dim(0), x.Shape().Dim(1)
	columns := Iota(x.Graph(), shapes.Make(dtypes.Int32, n, units), 1)
	return Equal(columns, BroadcastToDims(Reshape(each(i, n), n, 1), n, units))
}

// each is i for each of n images.
func each(i *Node, n int) *Node {
	if i.Rank() == 0 {
		i = BroadcastToDims(Reshape(i, 1), n)
	}
	return i
}

// within is where 0 ≤ i < n.
func within(i *Node, n int) *Node {
	return And(GreaterOrEqual(i, ZerosLike(i)), LessThan(i, Scalar(i.Graph(), i.DType(), n)))
}
