package attack

import (
	"context"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
)

// signs is find in L∞ without momentum and copies, where a step asks nothing of the host: the points p stay on the device. It
// moves along the gradient of the look before and then looks, so an image that falls is still where it was seen.
func (a ascent) signs(ctx context.Context, t *Task, p Points, o interp.Objective) error {
	x := t.images(p)
	still := interp.Each(make([]float64, len(x.Pix)), x.H, x.W, x.C)
	l, err := t.loop(p, o, []interp.Arg{x.Arg(), still}, t.Images.Arg(), interp.Float(t.Ball.radius), interp.Float(a.rate*t.Ball.radius))
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
	at, err := l.State(0)
	if err != nil {
		return err
	}
	slope, err := l.State(1)
	if err != nil {
		return err
	}
	p.Pix = at.Data
	each(p, func(k int, y []float64) { a.move(t, p.Rows[k], y, slope.Of(k)) })
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

// signStep moves images along the sign of a gradient, and looks. Its state is the images and the gradient; its arguments are the
// originals, the radius, the length of a step and those of the objective.
type signStep struct{ look query }

func (s signStep) Build(net *interp.Net, a []*graph.Node) []*graph.Node {
	x, slope, original, radius, rate := a[0], a[1], a[2], a[3], a[4]
	x = graph.Add(x, graph.Mul(graph.Sign(slope), rate))
	x = graph.Min(graph.Max(x, graph.Sub(original, radius)), graph.Add(original, radius))
	x = graph.ClipScalar(x, 0, 1)
	out := s.look.Build(net, slices.Concat([]*graph.Node{x}, a[5:]))
	return []*graph.Node{x, out[2], out[0]}
}
