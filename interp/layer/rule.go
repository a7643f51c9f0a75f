package layer

import "github.com/gomlx/gomlx/core/graph"

// Rule is how the layers of a Pass send a gradient back to their inputs.
//
// A rule changes the layers that it has a method for: those of ReLURule, LinearRule, PointwiseRule and
// MaxPoolRule. All other layers are exact, and so is every layer inside a rule's method: it may call
// the function that it changes.
type Rule interface {
	// String names the rule, for captions. Programs know a rule by its type and its fields.
	String() string
}

// ReLURule changes ReLUs.
type ReLURule interface {
	// ReLU returns max(x, 0).
	ReLU(x *graph.Node) *graph.Node
}

// LinearRule changes convolutions, dense layers, means and resizing.
type LinearRule interface {
	// Linear returns l.Value(). A batch normalisation of known statistics that follows a layer with weights
	// is folded into it: they are one linear layer.
	Linear(l LinearLayer) *graph.Node
}

// LinearLayer is a layer whose value is Op(X, Weights) + Bias, for an Op linear in X and, where there are any, in the
// weights, whose last axis is that of the layer's channels.
type LinearLayer struct {
	X, Weights, Bias *graph.Node // Weights is nil for means and resizing, Bias for none
	Op               func(x, weights *graph.Node) *graph.Node

	Images   *graph.Node // what the network was given
	First    bool        // between Images and X there is no linear layer with weights
	Positive bool        // X is known to have no negative number, as what a ReLU gives
	After    []string    // the named layers before it, in order

	before, ones *graph.Node // of one that LRP has entered
}

// Value returns Op(X, Weights) + Bias.
func (l LinearLayer) Value() *graph.Node { return plus(l.Op(l.X, l.Weights), l.Bias) }

// plus returns y + bias, a number a channel or nil for none.
func plus(y, bias *graph.Node) *graph.Node {
	if bias == nil {
		return y
	}
	return graph.Add(y, graph.ExpandLeftToRank(bias, y.Rank()))
}

// PointwiseRule changes normalisations and all activations but ReLUs.
type PointwiseRule interface {
	// Pointwise returns f(x), for an f that does not mix positions.
	Pointwise(x *graph.Node, f func(x *graph.Node) *graph.Node) *graph.Node
}

// MaxPoolRule changes max-pooling.
type MaxPoolRule interface {
	// MaxPool returns the maxima of the windows of x, as the function MaxPool does.
	MaxPool(x *graph.Node, w Window) *graph.Node
}

// ComparingRule marks a rule that compares images with references: it is for a pass that StartBeside starts, and
// an error elsewhere. What its methods are given is of the images and then, as many, of their references.
type ComparingRule interface {
	Compares()
}

// OptionalRule marks a rule that may find nothing to change in a network, and is Exact there. Of other rules that is
// an error.
type OptionalRule interface {
	Optional()
}

// namingRule is a rule that is about layers of these names. One that the network does not have is an error.
type namingRule interface {
	layers() []string
}

// enteringRule marks a rule to which the first layers with weights are the way from the images into the network: what joins the
// images with what layers have made of them is an error.
type enteringRule interface {
	enters()
}

// The rules. Guided and Deconv follow max-pooling's switches, as the exact gradient does.
var (
	// Exact is the derivative. A ReLU's is 0 at 0, and NaN stays NaN.
	Exact Rule = exact{}

	// Guided passes through a ReLU what is positive, where the unit is active: guided backpropagation,
	// Springenberg et al., arXiv:1412.6806, section 3.4.
	Guided Rule = guided{}

	// Deconv passes through a ReLU what is positive, active or not: the deconvnet of Zeiler and Fergus,
	// arXiv:1311.2901, section 2.1.
	Deconv Rule = deconv{}
)

type exact struct{}

func (exact) String() string { return "exact" }

// relu is the exact ReLU. graph.Max(x, 0) would have derivative 1 at 0, and Where(x > 0, x, 0) would hide
// a NaN.
func relu(x *graph.Node) *graph.Node {
	zero := graph.ZerosLike(x)
	return graph.Where(graph.LessOrEqual(x, zero), zero, x)
}

type guided struct{}

func (guided) String() string { return "guided" }

func (guided) ReLU(x *graph.Node) *graph.Node { return positive(relu(x)) }

type deconv struct{}

func (deconv) String() string { return "deconv" }

// x + (max(x, 0) − x) is max(x, 0) to the bit, and its derivative at x is 1.
func (deconv) ReLU(x *graph.Node) *graph.Node {
	return positive(graph.Add(x, graph.StopGradient(graph.Sub(relu(x), x))))
}

// positive is the identity whose cotangent loses its negative part.
func positive(y *graph.Node) *graph.Node {
	return graph.IdentityWithCustomGradient(y, func(_, v *graph.Node) *graph.Node { return relu(v) })
}
