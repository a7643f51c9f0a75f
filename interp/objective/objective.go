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
	Logit = ofImageClass("logit")

	// LogProb is log p(class), p the softmax of all logits. Its gradient also says what speaks against
	// the other classes: softmax couples them.
	LogProb = ofImageClass("log p")

	// Prob is p(class), p the softmax of all logits.
	Prob = ofImageClass("p")

	// Loss is the cross-entropy, −log p(class).
	Loss = ofImageClass("loss")

	// Margin is the largest logit of the other classes less that of the class: positive where the network decides for
	// another one (Carlini and Wagner, arXiv:1608.04644, section V.A, f6).
	Margin = ofImageClass("margin")

	// DLR is Margin in units of the distance of the largest logit from the third largest, which no change of the
	// logits' scale changes (Croce and Hein, arXiv:2003.01690, section 4.1). It needs 3 classes.
	DLR = ofImageClass("DLR")
)

func ofImageClass(name string) interp.Objective {
	return interp.Objective{Name: name, Form: classForm{name}, Args: []interp.Arg{interp.ImageClass}}
}

// LogitOf is the logit of a class: one for all images, or one each.
func LogitOf(class ...int) interp.Objective { return ofClass("logit", class) }

// LogProbOf is log p of a class: one for all images, or one each.
func LogProbOf(class ...int) interp.Objective { return ofClass("log p", class) }

// LeadOf is the logit of a class, one for all images or one each, less the largest of the others: positive where the network
// decides for it.
func LeadOf(class ...int) interp.Objective { return ofClass("lead", class) }

// DLRTo is the logit of a class, one for all images or one each, less that of the class each image is asked about, in units
// of the distance of the largest logit from the mean of the third and the fourth (arXiv:2003.01690, section 4.3). It needs 4
// classes.
func DLRTo(class ...int) interp.Objective {
	o := ofClass("DLR to", class)
	o.Args = append(o.Args, interp.ImageClass)
	return o
}

func ofClass(name string, class []int) interp.Objective {
	o := interp.Objective{Name: fmt.Sprintf("%s %v", name, class), Form: classForm{name}, Args: []interp.Arg{interp.Ints(class...)}}
	if len(class) == 1 {
		o.Name, o.Args[0] = fmt.Sprintf("%s %d", name, class[0]), interp.Int(class[0])
	}
	for _, c := range class {
		o.Units = append(o.Units, interp.Unit{Channel: c})
	}
	return o
}

// classForm is one of the scores of a class, by its name.
type classForm struct{ name string }

func (f classForm) Score(p *layer.Pass, a []*Node) *Node {
	switch f.name {
	case "logit":
		return pick(p.Logits(), a[0])
	case "p":
		return Exp(logProb(p, a[0]))
	case "loss":
		return Neg(logProb(p, a[0]))
	case "margin":
		return Neg(lead(p.Logits(), a[0]))
	case "lead":
		return lead(p.Logits(), a[0])
	case "DLR":
		first, _, third, _ := largest(p.Logits(), 3)
		return Div(Neg(lead(p.Logits(), a[0])), AddScalar(Sub(first, third), tiny))
	case "DLR to":
		first, _, third, fourth := largest(p.Logits(), 4)
		return Div(Sub(pick(p.Logits(), a[0]), pick(p.Logits(), a[1])),
			AddScalar(Sub(first, MulScalar(Add(third, fourth), .5)), tiny))
	}
	return logProb(p, a[0])
}

// tiny keeps a ratio of differences finite where all logits are equal.
const tiny = 1e-12

// lead is the logit of a class less the largest of the others.
func lead(logits, class *Node) *Node {
	if logits.Shape().Dim(1) == 1 {
		panic(errors.New("objective: the network has 1 logit, and there is no other class"))
	}
	others := Where(chosen(logits, class), Scalar(logits.Graph(), logits.DType(), math.Inf(-1)), logits)
	return Sub(pick(logits, class), ReduceMax(others, -1))
}

// largest returns the k largest logits of each image, 3 or 4, the largest first.
func largest(logits *Node, k int) (first, second, third, fourth *Node) {
	if n := logits.Shape().Dim(1); n < k {
		panic(fmt.Errorf("objective: the difference of logits ratio needs %d classes, and the network has %d: use Margin", k, n))
	}
	var found [4]*Node
	for i := range k {
		top := ArgMax(logits, -1, dtypes.Int32)
		found[i] = pick(logits, top)
		logits = Where(chosen(logits, top), Scalar(logits.Graph(), logits.DType(), math.Inf(-1)), logits)
	}
	return found[0], found[1], found[2], found[3]
}

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
	return interp.Objective{
		Name: fmt.Sprintf("%s channel %d", name, c), Form: channelForm{name},
		Args: []interp.Arg{interp.Int(c)}, Units: []interp.Unit{{Layer: name, Channel: c}},
	}
}

// Channels is Channel with a channel of its own for each image of the batch.
func Channels(name string, c ...int) interp.Objective {
	o := interp.Objective{Name: fmt.Sprintf("%s channels %v", name, c), Form: channelForm{name}, Args: []interp.Arg{interp.Ints(c...)}}
	for _, c := range c {
		o.Units = append(o.Units, interp.Unit{Layer: name, Channel: c})
	}
	return o
}

type channelForm struct{ layer string }

func (f channelForm) Score(p *layer.Pass, a []*Node) *Node {
	h := p.Layer(f.layer)
	if h.Rank() == 4 {
		h = ReduceMean(h, 1, 2)
	}
	return pick(h, a[0])
}

// Neuron is the unit of a layer at one position: row, column and channel c.
func Neuron(name string, row, column, c int) interp.Objective {
	return interp.Objective{
		Name: fmt.Sprintf("%s (%d, %d) channel %d", name, row, column, c), Form: neuronForm{name},
		Args:  []interp.Arg{interp.Int(row), interp.Int(column), interp.Int(c)},
		Units: []interp.Unit{{Layer: name, Channel: c, At: &[2]int{row, column}}},
	}
}

type neuronForm struct{ layer string }

func (f neuronForm) Score(p *layer.Pass, a []*Node) *Node {
	h := spatial(p, f.layer)
	n, wd, ch := h.Shape().Dim(0), h.Shape().Dim(2), h.Shape().Dim(3)
	at := Add(MulScalar(Add(MulScalar(a[0], wd), a[1]), ch), a[2])
	return pick(Reshape(h, n, -1), at)
}

// Energy is ½‖h‖² of a layer. Its gradient at the layer is h itself, which is DeepDream's.
func Energy(name string) interp.Objective {
	return interp.Objective{Name: "energy of " + name, Form: energyForm{name}}
}

type energyForm struct{ layer string }

func (f energyForm) Score(p *layer.Pass, _ []*Node) *Node {
	h := p.Layer(f.layer)
	return MulScalar(ReduceSum(Square(Reshape(h, h.Shape().Dim(0), -1)), 1), .5)
}

// Direction is the mean over all positions of the scalar product of a layer's channels with v. With as
// many numbers as the whole layer has, v is a direction in all of it, and the score one scalar product.
func Direction(name string, v []float64) interp.Objective {
	return interp.Objective{
		Name: fmt.Sprintf("direction of %d at %s", len(v), name), Form: directionForm{name}, Args: []interp.Arg{interp.Floats(v)},
	}
}

type directionForm struct{ layer string }

func (f directionForm) Score(p *layer.Pass, a []*Node) *Node {
	h, v := p.Layer(f.layer), a[0].Shape().Size()
	n, c := h.Shape().Dim(0), h.Shape().Dim(-1)
	switch all := h.Shape().Size() / n; v {
	case c:
		h = Reshape(h, n, -1, c)
		return ReduceMean(ReduceSum(Mul(h, Reshape(a[0], 1, 1, c)), 2), 1)
	case all:
		return ReduceSum(Mul(Reshape(h, n, all), Reshape(a[0], 1, all)), 1)
	default:
		panic(fmt.Errorf("objective: the direction has %d numbers, must have %d (the channels of layer %q) or %d (all of it)", v, c, f.layer, all))
	}
}

// spatial returns a layer that has positions.
func spatial(p *layer.Pass, name string) *Node {
	h := p.Layer(name)
	if h.Rank() != 4 {
		panic(fmt.Errorf("objective: layer %q has no positions: it is shaped %v", name, h.Shape().Dimensions[1:]))
	}
	return h
}

// pick returns entry i of each row of x, [N, units]; i is one for all or one each.
func pick(x, i *Node) *Node { return ReduceSum(Where(chosen(x, i), x, ZerosLike(x)), 1) }

// chosen is where a column of x, [N, units], is entry i of its row.
func chosen(x, i *Node) *Node {
	n, units := x.Shape().Dim(0), x.Shape().Dim(1)
	columns := Iota(x.Graph(), shapes.Make(dtypes.Int32, n, units), 1)
	return Equal(columns, BroadcastToDims(Reshape(i, -1, 1), n, units)) // of one row or n
}
