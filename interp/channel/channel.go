// Package channel says why a network gives an answer, in units: which channels of a layer speak for it at an image, and what it loses
// without them (Olah et al., "The building blocks of interpretability", Distill 2018, doi:10.23915/distill.00010; Achtibat et al.,
// arXiv:2206.03208).
//
//	shares, err := channel.Attribution{}.At(ctx, m, objective.Logit, x, "mixed4b")
//	units, err := channel.Top(shares[0].Rows, 8)
//	costs, err := channel.Ablation{Layer: "mixed4b"}.Costs(ctx, m, objective.Logit, x, units)
//
// An attribution is a statement to first order, and an ablation is an experiment: the second tests the first.
package channel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"lucigo/internal/filter"
	"lucigo/interp"
	"lucigo/interp/layer"
	"lucigo/interp/random"
)

// Attribution says what each channel of a layer contributes to a score: the sum over positions of activation × gradient. The zero value
// takes the gradient itself. Where no nonlinearity follows the layer, that is exactly what the score loses without the channel.
type Attribution struct {
	// Rule is how the gradient is passed back to the layer; nil is layer.Exact. Under a layer.LRP, activation × gradient is the
	// relevance that arrives at the layer, as Achtibat et al. use it. Its sum over channels is the score, less what biases above take.
	Rule layer.Rule
}

// String names the rule.
func (a Attribution) String() string {
	if a.Rule == nil || a.Rule == layer.Exact {
		return "activation × gradient"
	}
	return fmt.Sprintf("activation × gradient by %s", a.Rule)
}

// Contributions is what the channels of a layer contribute to the score of each image, in its units.
type Contributions struct {
	Layer       string
	interp.Rows // a number a channel
	Score       []float64
}

// At returns the contributions of each of the layers, in the order of their names, computed in one run. Images that have no class are
// asked about the one that the model gives them, where o asks about one. To a score that does not depend on a layer its channels
// contribute 0.
func (a Attribution) At(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, layers ...string) ([]Contributions, error) {
	if len(layers) == 0 {
		return nil, errors.New("channel: there are no layers, must be at least one")
	}
	for _, name := range layers {
		if _, err := channels(m, x, name); err != nil {
			return nil, err
		}
	}
	x, err := m.Resolve(ctx, o, x)
	if err != nil {
		return nil, err
	}
	args, err := o.For(x)
	if err != nil {
		return nil, err
	}
	r, err := look(ctx, m, contributed{o.Form, layers}, a.Rule, x, args...)
	if err != nil {
		return nil, err
	}
	score := r[len(layers)].Data
	if err := finite("the score of "+o.String(), score, 1); err != nil {
		return nil, err
	}
	var out []Contributions
	for k, name := range layers {
		if err := finite("a contribution of "+name, r[k].Data, r[k].Shape[0]); err != nil {
			return nil, err
		}
		out = append(out, Contributions{name, r[k], score})
	}
	return out, nil
}

// Top returns the n channels of the largest numbers of each image, the largest first, of equal ones the first: of Contributions, those that
// speak most for the score; of Means, the most active.
func Top(r interp.Rows, n int) ([][]int, error) {
	if err := some(r, n); err != nil {
		return nil, err
	}
	out := make([][]int, r.N)
	for i := range out {
		all := make([]int, r.Shape[0])
		for k := range all {
			all[k] = k
		}
		slices.SortStableFunc(all, func(a, b int) int { return cmp.Compare(r.Of(i)[b], r.Of(i)[a]) })
		out[i] = all[:n]
	}
	return out, nil
}

// Random draws n channels for each image, the control of an ablation. Another seed draws others.
func Random(r interp.Rows, n int, seed uint64) ([][]int, error) {
	if err := some(r, n); err != nil {
		return nil, err
	}
	out := make([][]int, r.N)
	for i := range out {
		out[i] = random.New(seed, uint64(i), 0).Choose(0, n, r.Shape[0])
	}
	return out, nil
}

// some returns an error unless there are n numbers of each image.
func some(r interp.Rows, n int) error {
	switch {
	case len(r.Shape) != 1 || len(r.Data) != r.N*r.Shape[0]:
		return fmt.Errorf("channel: %d numbers shaped %v of %d images are not a number a channel, as Contributions and Means have", len(r.Data), r.Shape, r.N)
	case n < 1 || n > r.Shape[0]:
		return fmt.Errorf("channel: %d channels are asked for, must be from 1 to %d, which the layer has", n, r.Shape[0])
	}
	return nil
}

// contributed is the step of At.
type contributed struct {
	form   interp.Form
	layers []string
}

func (s contributed) Build(net *interp.Net, a []*graph.Node) []*graph.Node {
	pass := net.Pass(a[0], nil)
	var out []*graph.Node
	for _, name := range s.layers {
		out = append(out, pass.Layer(name))
	}
	score := interp.Score(s.form, pass, a[1:])
	for l, slope := range graph.Gradient(graph.ReduceAllSum(score), out...) {
		out[l] = overPositions(graph.ReduceSum, graph.Mul(out[l], slope))
	}
	return append(out, score)
}

// Ablation asks what a score loses without some channels of a layer. The zero value sets them to 0.
type Ablation struct {
	Layer string

	// To is what channels are set to, a number a channel, as Means returns it: the mean over the images there. None is 0.
	To interp.Rows
}

// Costs returns by how much the score of each image falls when its own units, units[i] for image i, are set to To at all positions. No
// unit costs 0. One program serves all units.
func (a Ablation) Costs(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, units [][]int) ([]float64, error) {
	n, err := channels(m, x, a.Layer)
	if err != nil {
		return nil, err
	}
	to, err := a.to(n)
	if err != nil {
		return nil, err
	}
	if len(units) != x.N {
		return nil, fmt.Errorf("channel: there are units for %d images, and %d images", len(units), x.N)
	}
	kept := slices.Repeat([]float64{1}, n*x.N)
	for i, of := range units {
		for _, u := range of {
			if u < 0 || u >= n {
				return nil, fmt.Errorf("channel: unit %d of image %d, layer %q has channels 0 to %d", u, i, a.Layer, n-1)
			}
			kept[i*n+u] = 0
		}
	}
	if x, err = m.Resolve(ctx, o, x); err != nil { // before anything is ablated
		return nil, err
	}
	args, err := o.For(x)
	if err != nil {
		return nil, err
	}
	args = append([]interp.Arg{interp.Each(kept, n), interp.Floats(to)}, args...)
	r, err := look(ctx, m, ablated{o.Form, a.Layer}, nil, x, args...)
	if err != nil {
		return nil, err
	}
	whole, less := r[0].Data, r[1].Data
	if err := errors.Join(finite("the score of "+o.String(), whole, 1), finite("the score without units of "+o.String(), less, 1)); err != nil {
		return nil, err
	}
	costs := make([]float64, x.N)
	for i := range costs {
		costs[i] = whole[i] - less[i]
	}
	return costs, nil
}

// to returns what each of n channels is set to.
func (a Ablation) to(n int) ([]float64, error) {
	to := make([]float64, n)
	if a.To.N == 0 && len(a.To.Data) == 0 {
		return to, nil
	}
	if len(a.To.Data) != a.To.N*n {
		return nil, fmt.Errorf("channel: Ablation.To has %d numbers for %d images, must have %d for each, one for each channel of %q", len(a.To.Data), a.To.N, n, a.Layer)
	}
	if err := finite("Ablation.To", a.To.Data, n); err != nil {
		return nil, err
	}
	for i, v := range a.To.Data {
		to[i%n] += v / float64(a.To.N)
	}
	return to, nil
}

// ablated is the step of Costs: the score, and the score of a pass in which the layer is what is kept of it.
type ablated struct {
	form  interp.Form
	layer string
}

// Build takes the images, which channels of each are kept, what the others are set to, and the objective's arguments.
func (s ablated) Build(net *interp.Net, a []*graph.Node) []*graph.Node {
	pass := net.Pass(a[0], nil)
	value := pass.Layer(s.layer)
	each := func(x *graph.Node) *graph.Node { // [N or 1, channels], the same at all positions
		for x.Rank() < value.Rank() {
			x = graph.InsertAxes(x, 1)
		}
		return graph.BroadcastToShape(x, value.Shape())
	}
	zero := graph.ZerosLike(value)
	left := graph.Where(graph.Equal(each(a[1]), zero), each(graph.InsertAxes(a[2], 0)), value)
	without := net.Pass(a[0], map[string]*graph.Node{s.layer: left})
	return []*graph.Node{interp.Score(s.form, pass, a[3:]), interp.Score(s.form, without, a[3:])}
}

// Means returns the mean of each channel of a layer over all positions, for each image: how active it is there.
func Means(ctx context.Context, m *interp.Model, x interp.Images, name string) (interp.Rows, error) {
	if _, err := channels(m, x, name); err != nil {
		return interp.Rows{}, err
	}
	r, err := look(ctx, m, averaged{name}, nil, x)
	if err != nil {
		return interp.Rows{}, err
	}
	return r[0], finite("a mean of "+name, r[0].Data, r[0].Shape[0])
}

// averaged is the step of Means.
type averaged struct{ layer string }

func (s averaged) Build(net *interp.Net, a []*graph.Node) []*graph.Node {
	return []*graph.Node{overPositions(graph.ReduceMean, net.Pass(a[0], nil).Layer(s.layer))}
}

// Maps returns where a unit is active in each image: units[i] of the layer in image i, its values enlarged bilinearly to the size of
// the image, as Grad-CAM's are. The layer has positions: rows, columns and channels.
func Maps(ctx context.Context, m *interp.Model, x interp.Images, name string, units ...int) (interp.Maps, error) {
	n, err := channels(m, x, name)
	if err != nil {
		return interp.Maps{}, err
	}
	if len(units) != x.N {
		return interp.Maps{}, fmt.Errorf("channel: there are %d units and %d images, must be one each", len(units), x.N)
	}
	for i, u := range units {
		if u < 0 || u >= n {
			return interp.Maps{}, fmt.Errorf("channel: unit %d of image %d, layer %q has channels 0 to %d", u, i, name, n-1)
		}
	}
	if shape, err := m.Shape(name, x.H, x.W); err != nil || len(shape) != 3 {
		return interp.Maps{}, errors.Join(err, fmt.Errorf("channel: layer %q is shaped %v, must have rows and columns to say where a unit is active", name, shape))
	}
	r, err := look(ctx, m, chosen{name}, nil, x, interp.Ints(units...))
	if err != nil {
		return interp.Maps{}, err
	}
	maps := x.Like()
	maps.C, maps.Class, maps.Pix = 1, nil, make([]float64, x.N*x.H*x.W)
	for i := range x.N {
		filter.Enlarge(maps.Of(i), x.H, x.W, r[0].Of(i), r[0].Shape[0], r[0].Shape[1])
		maps.Score[i] = slices.Max(r[0].Of(i))
	}
	return maps, finite("a value of "+name, r[0].Data, r[0].Shape[0]*r[0].Shape[1])
}

// chosen is the step of Maps: one channel of each image.
type chosen struct{ layer string }

func (s chosen) Build(net *interp.Net, a []*graph.Node) []*graph.Node {
	value := net.Pass(a[0], nil).Layer(s.layer)
	one := graph.OneHot(a[1], value.Shape().Dim(-1), value.DType())
	return []*graph.Node{graph.Einsum("nhwc,nc->nhw", value, one)}
}

// channels returns how many channels a layer has for images of the size of x.
func channels(m *interp.Model, x interp.Images, name string) (int, error) {
	if err := x.Check(); err != nil {
		return 0, fmt.Errorf("channel: %w", err)
	}
	shape, err := m.Shape(name, x.H, x.W)
	if err != nil {
		return 0, err
	}
	if len(shape) == 0 {
		return 0, fmt.Errorf("channel: %s: layer %q has one number an image, must have channels", m.Name(), name)
	}
	return shape[len(shape)-1], nil
}

// overPositions reduces what is between the first and the last axis.
func overPositions(reduce func(x *graph.Node, axes ...int) *graph.Node, x *graph.Node) *graph.Node {
	for x.Rank() > 2 {
		x = reduce(x, 1)
	}
	return graph.Identity(x)
}

// look runs a step once for all images.
func look(ctx context.Context, m *interp.Model, step interp.Step, rule layer.Rule, x interp.Images, args ...interp.Arg) ([]interp.Rows, error) {
	loop, err := m.Loop(x.N, m.Batch(x), nil, append([]interp.Arg{x.Arg()}, args...)...)
	if err != nil {
		return nil, err
	}
	defer loop.Close()
	return loop.Look(ctx, step, rule)
}

// finite returns an error if one of the numbers, each so many of an image, is not a number.
func finite(what string, v []float64, each int) error {
	if i := slices.IndexFunc(v, interp.NotFinite); i >= 0 {
		return fmt.Errorf("channel: %s, image %d, is %g: look for what is not finite in the weights or the images, or what overflows", what, i/each, v[i])
	}
	return nil
}
