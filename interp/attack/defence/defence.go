// Package defence has defences that were published and broken: each is a model that wraps a model, and beside it the same model as an
// attack sees it that knows the defence.
//
//	defended, err := defence.JPEG{}.Of(m)
//	known, err := defence.JPEG{}.Known(m)
//	r, err := attack.Judge{Ball: ball}.Try(ctx, defended, attack.Through{Attack: attack.PGD{}, Model: known}, x)
//
// How they break is Athalye et al., arXiv:1802.00420: what has no gradient passes it on as if it were not there, or as a smooth function
// near it would (backward pass differentiable approximation, section 4.1); of what is random the mean over draws is attacked (expectation
// over transformation, section 4.2); and a softmax is left out.
//
// Random numbers are a hash of a weight, "/defence/NAME/seed", of the layer and of the image's own numbers: results are the same in any batch
// and on any backend, a change of one bit of an image draws others, and Model.With gives another seed.
package defence

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/layer"
)

// Defence changes a network so that attacks should find less. The zero value of each in this package is the published setting.
type Defence interface {
	// String names the defence with all its parameters.
	String() string

	// Of returns m with the defence. m's layers keep their names, and m's weights their paths.
	Of(m *interp.Model) (*interp.Model, error)

	// Known returns m with the defence as an attack is to see it that knows it: it gives the same answers, and its gradient leads
	// to others. Where the defence is random its logits are the mean, over Draws draws, of the logarithms of the probabilities.
	Known(m *interp.Model) (*interp.Model, error)
}

// Random is a defence that draws random numbers.
type Random interface {
	Defence

	// Voted returns m with the defence as it is to be judged: it answers with the class that most of so many draws give, and its
	// logits are the shares of the draws. The draws are others than those of Of and Known.
	Voted(m *interp.Model, draws int) (*interp.Model, error)
}

// Judged returns what a judge is to ask: for a random defence its most frequent answer over so many draws, and otherwise the defended
// model.
func Judged(d Defence, m *interp.Model, draws int) (*interp.Model, error) {
	if r, ok := d.(Random); ok {
		return r.Voted(m, draws)
	}
	return d.Of(m)
}

// Draws is over how many draws Known takes the mean. Each step of an attack draws anew, as the image has changed: 20 steps see 100 draws.
const Draws = 5

// Seed returns a random defence's model with another seed, a whole number from 0 to 2²⁴: other draws at the same images.
func Seed(m *interp.Model, seed int) (*interp.Model, error) {
	if seed < 0 || seed > 1<<24 {
		return nil, fmt.Errorf("defence: the seed is %d, must be from 0 to 2²⁴", seed)
	}
	changes := interp.Weights{}
	for path := range m.Weights() {
		if seeds(path) {
			w, err := interp.NewWeight([]float32{float32(seed)})
			if err != nil {
				return nil, err
			}
			changes[path] = w
		}
	}
	if len(changes) == 0 {
		return nil, fmt.Errorf("defence: %s draws no random numbers, and has no seed", m)
	}
	return m.With(changes)
}

// wrapped returns m with a change of its spec, under the name that it has with a defence.
func wrapped(d Defence, m *interp.Model, change func(spec *interp.Spec)) (*interp.Model, error) {
	if m == nil {
		return nil, fmt.Errorf("defence: %s: the model is nil", d)
	}
	w, err := m.Wrapped(func(spec *interp.Spec) {
		spec.Name = fmt.Sprintf("%s, %s", spec.Name, d)
		change(spec)
	})
	if err != nil {
		return nil, fmt.Errorf("defence: %w", err)
	}
	return w, nil
}

// before returns m with a change of the images before it.
func before(d Defence, m *interp.Model, change func(x *graph.Node) *graph.Node) (*interp.Model, error) {
	return wrapped(d, m, func(spec *interp.Spec) {
		f := spec.Forward
		spec.Forward = func(s *model.Scope, x *graph.Node) *graph.Node { return f(s, change(x)) }
	})
}

// straight is y, whose derivative by x, of the same shape, is 1.
func straight(x, y *graph.Node) *graph.Node {
	return graph.Add(graph.StopGradient(y), graph.Sub(x, graph.StopGradient(x))) // x − x is 0, so y stays what it is
}

// summary says what becomes of the logits of several draws.
type summary int

const (
	mean  summary = iota // of the logarithms of the probabilities
	votes                // the share of the draws in which each class has the largest logit
)

// randomly returns m with a defence that draws: run is given the images, their random numbers and the network.
func randomly(d Defence, kind string, m *interp.Model, n int, sum summary, run func(s *model.Scope, x *graph.Node, u draws, f layer.Forward) *graph.Node) (*interp.Model, error) {
	if n < 1 {
		return nil, fmt.Errorf("defence: %s: the number of draws is %d, must be at least 1", d, n)
	}
	path := seedPath(kind)
	if m != nil && m.Weights()[path] != nil {
		return nil, fmt.Errorf("defence: %s: %s has the weight %q already: it is defended in this way", d, m, path)
	}
	seed, err := interp.NewWeight([]float32{0})
	if err != nil {
		return nil, err
	}
	w, err := wrapped(d, m, func(spec *interp.Spec) {
		if spec.Weights == nil {
			spec.Weights = interp.Weights{}
		}
		f := spec.Forward
		spec.Weights[path] = seed
		spec.Forward = func(s *model.Scope, x *graph.Node) *graph.Node {
			seed := s.At("defence").At("%s", kind).VariableWithShape("seed", shapes.Make(x.DType())).SetTrainable(false).NodeValue(x)
			u := drawn(x, seed, n)
			if n == 1 && sum == mean {
				return run(s, x, u, f)
			}
			dims := x.Shape().Dimensions
			x = graph.BroadcastToDims(graph.ExpandAxes(x, 0), append([]int{n}, dims...)...)
			logits := run(s, graph.Reshape(x, append([]int{n * dims[0]}, dims[1:]...)...), u, f)
			if logits.Rank() != 2 {
				panic(errors.New("defence: the network's logits are not shaped [N, classes]"))
			}
			return sum.of(graph.Reshape(logits, n, dims[0], logits.Shape().Dim(1)))
		}
	})
	if err != nil || n == 1 {
		return w, err
	}
	return w.Budget(1 << 30 / int64(n)), nil
}

// of returns what becomes of logits [draws, N, classes].
func (sum summary) of(logits *graph.Node) *graph.Node {
	if sum == mean {
		return graph.ReduceMean(graph.LogSoftmax(logits, -1), 0)
	}
	top := graph.OneHot(graph.ArgMax(logits, -1, dtypes.Int32), logits.Shape().Dim(2), logits.DType())
	return graph.ReduceMean(top, 0)
}

// voted returns the model whose logits are votes, with a seed of its own.
func voted(w *interp.Model, err error) (*interp.Model, error) {
	const judges = 1 << 20 // nobody else's seed
	if err != nil {
		return nil, err
	}
	return Seed(w, judges)
}
