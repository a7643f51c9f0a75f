package layer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
)

// LRP is layer-wise relevance propagation: Bach et al., PLoS ONE 10(7), 2015, doi:10.1371/journal.pone.0130140, as
// Montavon et al. sum it up (2019, doi:10.1007/978-3-030-28954-6_10). The relevance of a unit is its share in the score. A
// layer shares out what its outputs have among its inputs, by the contributions x·w.
//
// The gradient that a pass under this rule gives at the images is their relevance itself. At a layer inside it is the
// relevance divided by the layer's value, so there value × gradient is the relevance. So what is added shares by its
// parts, and what is moved keeps its share. Relevance starts as value × gradient where the objective begins: for a logit, as
// the logit. Other libraries start with 1.
//
//   - ReLUs, max-pools (the winner takes all) and Concat pass relevance on as they pass a gradient.
//   - Pointwise functions, LRN among them, pass it on as it is, position by position, whatever their derivative. None arises
//     and none is lost, but where the input is exactly 0.
//   - Means and resizing share by contribution, as Epsilon does.
//   - Batch normalisation that follows a layer with weights is folded into it, whose relevance is then shared once. Elsewhere
//     it is pointwise.
//   - Preprocessing, which is whatever is before the first layer with weights, gives relevance back to the pixels that it was
//     made of, by how much they move it. Its constants take none.
//
// Relevance is conserved except for what biases take (see NoBias) and stabilisers, which keep denominators from 0, let go.
type LRP struct {
	First Share   // of layers with weights that no other is before; nil is as the others
	Until []Until // of layers with weights up to a named one, in the order of the network; those after all are shared by kind
	Conv  Share   // of convolutions; nil is Epsilon{}
	Dense Share   // of dense layers; nil is Epsilon{}

	// NoBias leaves biases out of the denominators: inputs take their share too. It is larger than all that there is where
	// a bias is what makes a unit active.
	NoBias bool
}

// Until is how relevance is shared in the layers up to one of a name, and in the one of that name.
type Until struct {
	Layer string
	Share Share
}

// The composites in use, with the defaults of Anders et al., "Software for dataset-wide XAI", arXiv:2106.13200.
var (
	EpsilonPlus        = LRP{Conv: AlphaBeta{}}
	EpsilonAlpha2Beta1 = LRP{Conv: AlphaBeta{Beta: 1}}
	EpsilonPlusFlat    = LRP{First: Flat{}, Conv: AlphaBeta{}}
	EpsilonGammaBox    = LRP{First: Box{}, Conv: Gamma{}}
)

// String names the shares of each kind of layer.
func (r LRP) String() string {
	conv, dense := cmp.Or(r.Conv, Share(Epsilon{})), cmp.Or(r.Dense, Share(Epsilon{}))
	var parts []string
	if r.First != nil {
		parts = append(parts, "first "+r.First.String())
	}
	for _, u := range r.Until {
		parts = append(parts, fmt.Sprintf("until %s %v", u.Layer, u.Share))
	}
	if conv == dense {
		parts = append(parts, conv.String())
	} else {
		parts = append(parts, "conv "+conv.String(), "dense "+dense.String())
	}
	if r.NoBias {
		parts = append(parts, "no bias")
	}
	return "LRP(" + strings.Join(parts, ", ") + ")"
}

// layers implements namingRule.
func (r LRP) layers() (names []string) {
	for _, u := range r.Until {
		names = append(names, u.Layer)
	}
	return names
}

// enters implements enteringRule.
func (r LRP) enters() {}

// Linear implements LinearRule.
func (r LRP) Linear(l LinearLayer) *graph.Node {
	y := l.Value()
	if l.Weights == nil && l.First {
		return y // preprocessing
	}
	share := r.share(l)
	if l.First {
		l = l.entered()
	} else if _, first := share.(firstShare); first {
		panic(fmt.Errorf("layer: %s: %s is for LRP.First alone: inputs that are 0 have relevance by it", r, share))
	}
	if r.NoBias {
		l.Bias = nil
	}
	parts, give := share.parts(l)
	return withDerivative(y, parts, func(v *graph.Node) []*graph.Node { return give(y, graph.Mul(v, y)) })
}

// share returns the share of a layer.
func (r LRP) share(l LinearLayer) Share {
	if l.Weights == nil {
		return Epsilon{}
	}
	if l.First && r.First != nil {
		return r.First
	}
	for _, u := range r.Until {
		if !slices.Contains(l.After, u.Layer) && u.Share != nil {
			return u.Share
		}
	}
	if l.Weights.Rank() == 4 {
		return cmp.Or(r.Conv, Share(Epsilon{}))
	}
	return cmp.Or(r.Dense, Share(Epsilon{}))
}

// Pointwise implements PointwiseRule: the gradient at x is that at f(x) times f(x)/x, which leaves the relevance as it is.
func (r LRP) Pointwise(x *graph.Node, f func(x *graph.Node) *graph.Node) *graph.Node {
	y := f(x)
	if p := current(x); p != nil && !p.foreign.weighed[x] {
		return y // preprocessing
	}
	sameShape(r, x, y)
	zero := graph.ZerosLike(x)
	none := graph.Equal(x, zero)
	return withDerivative(y, []*graph.Node{x}, func(v *graph.Node) []*graph.Node {
		ratio := graph.Div(y, graph.Where(none, graph.OnesLike(x), x))
		return []*graph.Node{graph.Where(none, zero, graph.Mul(v, ratio))}
	})
}

// sameShape panics where a pointwise function changes the shape, so that no position of y is one of x.
func sameShape(rule Rule, x, y *graph.Node) {
	if !x.Shape().Equal(y.Shape()) {
		panic(fmt.Errorf("layer: rule %s: a pointwise function turns %s into %s, must keep the shape", rule, x.Shape(), y.Shape()))
	}
}

// entered is the layer l, which nothing but preprocessing is before, for inputs x·m, where m is ones and the cotangent of m
// is the relevance of x. It reaches the images as it is: divided here by what a change of all pixels would change x by, so
// that the preprocessing's own derivative shares it out by how much each pixel moves x.
func (l LinearLayer) entered() LinearLayer {
	x, ones := l.X, graph.OnesLike(l.X)
	l.ones = ones
	if l.Images != nil {
		moved := along(x, l.Images, graph.OnesLike(l.Images))
		l.ones = withDerivative(ones, []*graph.Node{x}, func(v *graph.Node) []*graph.Node {
			still := graph.Equal(moved, graph.ZerosLike(moved))
			return []*graph.Node{graph.Where(still, graph.ZerosLike(v), graph.Div(v, graph.Where(still, ones, moved)))}
		})
	}
	l.before = x
	l.X = graph.Mul(graph.StopGradient(x), l.ones)
	return l
}

// along returns how much y changes when x, on which it depends, changes by t, to first order.
func along(y, x, t *graph.Node) *graph.Node {
	u := graph.ZerosLike(y)
	back := graph.Gradient(graph.ReduceAllSum(graph.Mul(y, u)), x)[0] // linear in u
	return graph.Gradient(graph.ReduceAllSum(graph.Mul(back, graph.StopGradient(t))), u)[0]
}

// Share is how a layer shares the relevance of its outputs among its inputs: Epsilon, Gamma or AlphaBeta, or for the first
// layers Box, WSquare or Flat.
type Share interface {
	// String names the share with its parameters.
	String() string

	// parts returns what of the layer the relevance goes back through, and what gives each of these its cotangent, from the
	// layer's value y and the relevance of that. Relevance of an input is then input × gradient.
	parts(l LinearLayer) (parts []*graph.Node, give func(y, relevance *graph.Node) []*graph.Node)
}

// firstShare is a share that says nothing of input × gradient.
type firstShare interface{ first() }

// stabiliser keeps denominators from 0, in all shares but Epsilon, which has its own.
const stabiliser = 1e-6

// over returns r/z, z moved away from 0 by epsilon.
func over(r, z *graph.Node, epsilon float64) *graph.Node {
	negative := graph.LessThan(z, graph.ZerosLike(z))
	return graph.Div(r, graph.Where(negative, graph.AddScalar(z, -epsilon), graph.AddScalar(z, epsilon)))
}

// agreeing is the sum of the contributions x·w that are positive; of weights −w, of those that are negative.
func (l LinearLayer) agreeing(w *graph.Node) *graph.Node {
	y := l.Op(relu(l.X), relu(w))
	if l.Positive {
		return y
	}
	return graph.Add(y, l.Op(relu(graph.Neg(l.X)), relu(graph.Neg(w))))
}

// positivePart is max(b, 0), or nil for none.
func positivePart(b *graph.Node) *graph.Node {
	if b == nil {
		return nil
	}
	return relu(b)
}

// Epsilon shares by contribution, x·w/(Σ x·w + b ± ε): the bias takes its share, and ε what is left where contributions
// cancel. Bach et al. 2015, equation 58.
type Epsilon struct {
	Epsilon float64 // in units of the layer's value; 0 is 1e-6
}

// String names the share.
func (e Epsilon) String() string { return fmt.Sprintf("ε=%g", cmp.Or(e.Epsilon, stabiliser)) }

func (e Epsilon) parts(l LinearLayer) ([]*graph.Node, func(y, r *graph.Node) []*graph.Node) {
	epsilon := cmp.Or(e.Epsilon, stabiliser)
	if !(epsilon > 0) {
		panic(fmt.Errorf("layer: Epsilon.Epsilon is %g, must be above 0, or 0 for %g", e.Epsilon, stabiliser))
	}
	z := l.Op(l.X, l.Weights)
	return []*graph.Node{z}, func(_, r *graph.Node) []*graph.Node {
		return []*graph.Node{over(r, plus(z, l.Bias), epsilon)}
	}
}

// Gamma shares by contribution, those of the output's sign counted 1 + γ times: Montavon et al. 2019, section 10.2.2, for
// inputs of any sign as Anders et al. have it (arXiv:2106.13200). An output that is 0 shares nothing.
type Gamma struct {
	Gamma float64 // 0 is 0.25
}

// String names the share.
func (g Gamma) String() string { return fmt.Sprintf("γ=%g", cmp.Or(g.Gamma, .25)) }

func (g Gamma) parts(l LinearLayer) ([]*graph.Node, func(y, r *graph.Node) []*graph.Node) {
	gamma := cmp.Or(g.Gamma, .25)
	if !(gamma > 0) {
		panic(fmt.Errorf("layer: Gamma.Gamma is %g, must be above 0, or 0 for 0.25", g.Gamma))
	}
	z, positive := l.Op(l.X, l.Weights), l.agreeing(l.Weights)
	favour := func(part *graph.Node, sign float64) (sum, denominator *graph.Node) {
		sum = graph.Add(z, graph.MulScalar(part, gamma))
		if l.Bias == nil {
			return sum, sum
		}
		bias := relu(graph.MulScalar(l.Bias, sign))
		return sum, plus(sum, graph.Add(l.Bias, graph.MulScalar(bias, sign*gamma)))
	}
	up, overUp := favour(positive, 1)
	down, overDown := favour(graph.Sub(z, positive), -1)
	return []*graph.Node{up, down}, func(y, r *graph.Node) []*graph.Node {
		zero := graph.ZerosLike(y)
		return []*graph.Node{
			graph.Where(graph.GreaterThan(y, zero), over(r, overUp, stabiliser), zero),
			graph.Where(graph.LessThan(y, zero), over(r, overDown, stabiliser), zero),
		}
	}
}

// AlphaBeta shares α = 1 + β times the relevance by the positive contributions, and −β times by the negative ones: Bach et
// al. 2015, equation 60. Its zero value is α1β0, the z⁺-rule of Montavon et al. (arXiv:1512.02479) for inputs of any sign.
type AlphaBeta struct {
	Beta float64
}

// String names the share.
func (a AlphaBeta) String() string {
	if a.Beta == 0 {
		return "z⁺"
	}
	return fmt.Sprintf("α%gβ%g", 1+a.Beta, a.Beta)
}

func (a AlphaBeta) parts(l LinearLayer) ([]*graph.Node, func(y, r *graph.Node) []*graph.Node) {
	if !(a.Beta >= 0) {
		panic(fmt.Errorf("layer: AlphaBeta.Beta is %g, must be at least 0", a.Beta))
	}
	parts := []*graph.Node{l.agreeing(l.Weights)}
	bias := []*graph.Node{positivePart(l.Bias), nil}
	if a.Beta > 0 {
		parts = append(parts, l.agreeing(graph.Neg(l.Weights))) // by its size
		if l.Bias != nil {
			bias[1] = relu(graph.Neg(l.Bias))
		}
	}
	return parts, func(_, r *graph.Node) (given []*graph.Node) {
		for i, factor := range []float64{1 + a.Beta, -a.Beta}[:len(parts)] {
			given = append(given, graph.MulScalar(over(r, plus(parts[i], bias[i]), stabiliser), factor))
		}
		return given
	}
}

// Box shares by x·w − l·w⁺ − h·w⁻, where l and h are what black and white pixels would be at the layer: the zᴮ-rule of
// Montavon et al., arXiv:1512.02479, for pixels in [0, 1]. What is shared does not depend on the preprocessing, if each of
// its numbers is a multiple of a pixel plus a constant.
type Box struct{}

// String names the share.
func (Box) String() string { return "box" }

func (Box) first() {}

func (Box) parts(l LinearLayer) ([]*graph.Node, func(y, r *graph.Node) []*graph.Node) {
	black := graph.Sub(l.before, along(l.before, l.Images, l.Images))
	white := graph.Add(l.before, along(l.before, l.Images, graph.OneMinus(l.Images)))
	at := func(bound *graph.Node) *graph.Node { return graph.Mul(graph.StopGradient(bound), l.ones) }
	z := graph.Sub(l.Op(l.X, l.Weights), l.Op(at(graph.Min(black, white)), relu(l.Weights)))
	z = graph.Add(z, l.Op(at(graph.Max(black, white)), relu(graph.Neg(l.Weights))))
	return []*graph.Node{z}, func(_, r *graph.Node) []*graph.Node { return []*graph.Node{over(r, z, stabiliser)} }
}

// WSquare shares by the squares of the weights, whatever the inputs: Montavon et al., arXiv:1512.02479.
type WSquare struct{}

// String names the share.
func (WSquare) String() string { return "w²" }

func (WSquare) first() {}

func (WSquare) parts(l LinearLayer) ([]*graph.Node, func(y, r *graph.Node) []*graph.Node) {
	z := l.Op(l.ones, graph.Square(l.Weights))
	bias := l.Bias
	if bias != nil {
		bias = graph.Square(bias)
	}
	return []*graph.Node{z}, func(_, r *graph.Node) []*graph.Node {
		return []*graph.Node{over(r, plus(z, bias), stabiliser)}
	}
}

// Flat shares alike among all inputs that an output sees: Lapuschkin et al. 2019, doi:10.1038/s41467-019-08987-4.
type Flat struct{}

// String names the share.
func (Flat) String() string { return "flat" }

func (Flat) first() {}

func (Flat) parts(l LinearLayer) ([]*graph.Node, func(y, r *graph.Node) []*graph.Node) {
	z := l.Op(l.ones, graph.OnesLike(l.Weights))
	return []*graph.Node{z}, func(_, r *graph.Node) []*graph.Node { return []*graph.Node{over(r, z, stabiliser)} }
}
