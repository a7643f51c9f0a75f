package attack

import (
	"context"
	"math"
	"slices"

	"lucigo/interp"
	"lucigo/interp/objective"
)

// nearest keeps of each image the nearest point that met the goal, and brings it before the judge.
type nearest struct {
	task     *Task
	pix      [][]float64
	distance []float64
	fresh    []bool // the judge has not seen it
}

func (t *Task) nearest() *nearest {
	n := t.Images.N
	return &nearest{t, make([][]float64, n), slices.Repeat([]float64{math.Inf(1)}, n), make([]bool, n)}
}

// see looks at points of which no two are of one image, and returns for which of them the goal is met by at least so much.
func (n *nearest) see(p Points, logits interp.Rows, lead float64) []bool {
	met := make([]bool, len(p.Rows))
	each(p, func(k int, y []float64) {
		i, by := p.Rows[k], n.task.Lead(p.Rows[k], logits.Of(k))
		if met[k] = by > 0 && by >= lead; !met[k] {
			return
		}
		n.take(i, y)
	})
	return met
}

// take keeps a point that met the goal, if it is nearer to image i than what is kept.
func (n *nearest) take(i int, y []float64) {
	if d := n.task.Ball.norm.Distance(n.task.Images.Of(i), y, n.task.Images.C); d < n.distance[i] {
		n.pix[i], n.distance[i], n.fresh[i] = append(n.pix[i][:0], y...), d, true
	}
}

// offer brings what the judge has not seen before it, of a bounded ball only what is in it unless all is true.
func (n *nearest) offer(ctx context.Context, all bool) error {
	var p Points
	for i, fresh := range n.fresh {
		if fresh && (all || !n.task.Ball.Bounded() || n.distance[i] <= n.task.Ball.radius) {
			p.Rows, p.Pix = append(p.Rows, i), append(p.Pix, n.pix[i]...)
			n.fresh[i] = false
		}
	}
	_, err := n.task.Offer(ctx, p)
	return err
}

// settled reports whether the attack may leave image i: one that fell inside a bounded ball.
func (n *nearest) settled(i int) bool { return n.task.Ball.Bounded() && n.task.row(i).met }

// rest returns the images that the attack may not leave.
func (n *nearest) rest() (rows []int) {
	for i := range n.task.Images.N {
		if !n.settled(i) {
			rows = append(rows, i)
		}
	}
	return rows
}

// weights searches for each image's least weight of the loss, beside the distance, with which an attack succeeds: tenfold
// until it does, and then by bisection (Carlini and Wagner, arXiv:1608.04644, section V.B).
type weights struct{ now, low, high []float64 }

func newWeights(n int, first float64) weights {
	return weights{slices.Repeat([]float64{first}, n), make([]float64, n), slices.Repeat([]float64{math.Inf(1)}, n)}
}

func (w weights) next(i int, found bool) {
	if found {
		w.high[i] = w.now[i]
	} else {
		w.low[i] = w.now[i]
	}
	if w.now[i] = (w.low[i] + w.high[i]) / 2; math.IsInf(w.high[i], 1) {
		w.now[i] = 10 * w.low[i]
	}
}

// plane is where, if logits were linear around a point x, a rival class would draw level with the true one:
// gap + normal·(z−x) = 0.
type plane struct {
	gap    float64
	normal []float64
}

// boundary returns for each point the nearest plane, in the ball's norm, of the rivals that its image has.
func (t *Task) boundary(ctx context.Context, p Points, rivals [][]int) ([]plane, error) {
	planes := make([]plane, len(p.Rows))
	distance := slices.Repeat([]float64{math.Inf(1)}, len(p.Rows))
	for r := range rivals[0] {
		class := make([]int, len(rivals))
		for i := range rivals {
			class[i] = rivals[i][r]
		}
		reply, err := t.Gradient(ctx, p, objective.LogitOf(class...).Minus(objective.Logit))
		if err != nil {
			return nil, err
		}
		each(reply.Gradient, func(k int, normal []float64) {
			gap := reply.Score[k]
			if d := math.Abs(gap) / max(t.dual(normal), 1e-12); d < distance[k] {
				distance[k], planes[k] = d, plane{gap, normal}
			}
		})
	}
	return planes, nil
}

// dual returns the norm of a gradient that says how much a step of length 1 in the ball's norm gains.
func (t *Task) dual(g []float64) float64 {
	zero := make([]float64, len(g))
	switch t.Ball.norm {
	case NormInf:
		return Norm1.Distance(zero, g, 1)
	case Norm1:
		return NormInf.Distance(zero, g, 1)
	}
	return Norm2.Distance(zero, g, 1)
}

// rivals returns the n likeliest other classes of each image, the likeliest first, or its target where it has one.
func (t *Task) rivals(logits interp.Rows, n int) [][]int {
	all := interp.Prediction{Logits: logits, Names: make([]string, logits.Shape[0])}
	rivals := make([][]int, t.Images.N)
	for i := range rivals {
		if target := t.Target(i); target >= 0 {
			rivals[i] = []int{target}
			continue
		}
		for _, c := range all.Top(i, n+1) {
			if c != t.Images.Class[i] && len(rivals[i]) < n {
				rivals[i] = append(rivals[i], c)
			}
		}
	}
	return rivals
}
