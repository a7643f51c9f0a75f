package train

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
	"lucigo/interp/descent"
	"lucigo/interp/random"
)

// Adversary moves images to raise their loss, inside the L∞ ball of a radius around them and inside [0, 1]. With one
// step it is the fast recipe of Wong et al., arXiv:2001.03994: from a uniform random place in the ball, 1.25 radii along
// the sign of the gradient. The start matters: one step from the image itself trains networks that two steps fool, and
// that recognise the true label in the step (Kurakin et al., arXiv:1611.01236, call it label leaking). Where batch norm
// is, the search sees the statistics of the batch, as the step after it does.
type Adversary struct {
	Radius float64 // in units of pixels, which are from 0 to 1; 0: nothing moves
	Moves  int     // 0: 1
	Move   float64 // size of each, in radii; 0: 1.25 for one, else 2/Moves
}

// String names the parameters.
func (a Adversary) String() string {
	if a = a.defaults(); a.Radius == 0 {
		return "no adversary"
	}
	return fmt.Sprintf("adversary of radius %.4g, %d × %.3g of it", a.Radius, a.Moves, a.Move)
}

func (a Adversary) defaults() Adversary {
	if a.Moves = cmp.Or(a.Moves, 1); a.Moves == 1 {
		a.Move = cmp.Or(a.Move, 1.25)
	}
	a.Move = cmp.Or(a.Move, 2/float64(a.Moves))
	return a
}

func (a Adversary) check() error {
	switch {
	case !(a.Radius >= 0) || math.IsInf(a.Radius, 1):
		return fmt.Errorf("train: Adversary.Radius is %g, must be a number of at least 0", a.Radius)
	case a.Moves < 1:
		return fmt.Errorf("train: Adversary.Moves is %d, must be at least 0", a.Moves)
	case !(a.Move > 0) || math.IsInf(a.Move, 1):
		return fmt.Errorf("train: Adversary.Move is %g, must be a number of at least 0", a.Move)
	}
	return nil
}

// Right returns which images m gets right, x.Class being the truth, after the adversary has moved them from places that
// seed gives.
func (a Adversary) Right(ctx context.Context, m *interp.Model, x interp.Images, seed uint64) ([]bool, error) {
	a = a.defaults()
	e := Examples{Images: x}
	if err := cmp.Or(a.check(), e.check(m)); err != nil {
		return nil, err
	}
	state := []interp.Arg{starts(x.Keyed(), seed, 0, a.Radius)}
	l, err := m.Loop(x.N, m.Batch(x), state, x.Arg(), e.targets(len(m.Classes())), interp.Float(a.Radius))
	if err != nil {
		return nil, err
	}
	defer l.Close()
	for range a.Moves {
		if a.Radius == 0 {
			break
		}
		if _, err := l.Next(ctx, climb{a.Move}, nil); err != nil {
			return nil, err
		}
	}
	r, err := l.Look(ctx, judge{}, nil)
	if err != nil {
		return nil, err
	}
	right := make([]bool, x.N)
	for i, v := range r[0].Data {
		right[i] = v == 1
	}
	return right, nil
}

// climb is one move of an adversary. Its arguments are the differences from the images, the images, targets and the radius.
type climb struct{ move float64 }

func (s climb) Build(net *interp.Net, a []*graph.Node) []*graph.Node {
	loss := func(x *graph.Node) *graph.Node { return crossEntropy(net.Pass(x, nil).Logits(), a[2]) }
	return []*graph.Node{ascend(loss, a[1], a[0], a[3], s.move)}
}

// judge says which images are right. Its arguments are those of climb, which has moved the images, or the differences are 0: then
// images that noise has moved out of [0, 1] stay there.
type judge struct{}

func (judge) Build(net *interp.Net, a []*graph.Node) []*graph.Node {
	return []*graph.Node{same(net.Pass(graph.Add(a[1], a[0]), nil).Logits(), a[2])}
}

// ascend returns the difference d from images x moved along the sign of the loss's gradient.
func ascend(loss func(*graph.Node) *graph.Node, x, d, radius *graph.Node, move float64) *graph.Node {
	d = inside(x, d, radius)
	moved := graph.Identity(graph.StopGradient(graph.Add(x, d))) // a stopped node itself is given no gradient
	slope := graph.Gradient(graph.ReduceAllSum(loss(moved)), moved)[0]
	return inside(x, graph.Add(d, graph.Mul(graph.Sign(slope), graph.MulScalar(radius, move))), radius)
}

// inside returns the difference d from images x clipped to the ball, and so that the images stay in [0, 1].
func inside(x, d, radius *graph.Node) *graph.Node {
	return graph.Sub(descent.Box(graph.Add(x, descent.Ball(d, radius)), 0, 1), x)
}

// starts returns for each image a uniform place in the ball of a radius, relative to the image.
func starts(x interp.Images, seed, step uint64, radius float64) interp.Arg {
	v := make([]float64, len(x.Pix))
	for i := range x.N {
		s := random.New(seed, x.Key[i], step)
		for p := range x.Size() {
			v[i*x.Size()+p] = radius * (2*s.Uniform(p) - 1)
		}
	}
	return interp.Each(v, x.H, x.W, x.C)
}
