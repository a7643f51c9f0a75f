package attack

import (
	"context"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
)

// signs is find in L∞ without momentum and copies, where a step asks nothing of the host: the points p stay on the device.
func (a ascent) signs(ctx context.Context, t *Task, p Points, o interp.Objective) error {
	x := t.images(p).Arg()
	l, err := t.loop(p, o, []interp.Arg{x, x}, t.Images.Arg(), interp.Float(t.Ball.radius), interp.Float(a.rate*t.Ball.radius))
	if err != nil {
		return err
	}
	defer l.Close()
	for step := range a.steps {
		r, err := l.Next(ctx, signStep{query{o.Form, len(t.model.Classes())}}, nil)
		if err != nil {
			return err
		}
		if err := t.passed(p.Rows, true, r[0].Data); err != nil {
			return err
		}
		if !a.full && (step > 0 || a.random) {
			if p.Rows, err = t.leave(ctx, l, p.Rows, r[0]); err != nil || len(p.Rows) == 0 {
				return err
			}
		}
		t.Step(step+1, a.steps)
	}
	next, err := l.State(1)
	if err != nil {
		return err
	}
	p.Pix = next.Data
	_, err = t.Offer(ctx, p)
	return err
}

// leave offers the points of a loop, whose state they are, that meet the goal, stops those that the judge accepts, and returns
// the rows of the others.
func (t *Task) leave(ctx context.Context, l *interp.Loop, rows []int, logits interp.Rows) ([]int, error) {
	meet := false
	for k, i := range rows {
		meet = meet || t.Lead(i, logits.Of(k)) > 0
	}
	if !meet {
		return rows, nil
	}
	at, err := l.State(0)
	if err != nil {
		return nil, err
	}
	left, err := t.Settle(ctx, Points{rows, at.Data}, logits)
	if err != nil {
		return nil, err
	}
	image, stays := l.Images(), map[int]bool{}
	var rest []int
	for _, k := range left {
		stays[image[k]], rest = true, append(rest, rows[k])
	}
	return rest, l.Keep(func(i int) bool { return stays[i] })
}

// signStep looks at images and moves them along the sign of the gradient. Its state is the images that it has looked at, and
// those that are next; its arguments are the originals, the radius, the length of a step and those of the objective.
type signStep struct{ look query }

// Build implements interp.Step.
func (s signStep) Build(net *interp.Net, a []*graph.Node) []*graph.Node {
	seen, original, radius, rate := a[1], a[2], a[3], a[4]
	out := s.look.Build(net, slices.Concat([]*graph.Node{seen}, a[5:]))
	x := graph.Add(seen, graph.Mul(graph.Sign(out[2]), rate))
	x = graph.Min(graph.Max(x, graph.Sub(original, radius)), graph.Add(original, radius))
	return []*graph.Node{seen, graph.ClipScalar(x, 0, 1), out[0]}
}
