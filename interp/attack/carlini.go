package attack

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
	"lucigo/interp/descent"
)

// CarliniWagner is the L2 attack of Carlini and Wagner, arXiv:1608.04644, section V.A and VI.A: it minimises
// ‖x′−x‖² + c·max(κ − lead, 0) by Adam over w, of which x′ = (tanh w + 1)/2 is the image and never leaves [0, 1]; lead is by
// how much the goal is met (Task.Lead). A search finds c for each image. Of all images on the way that meet the goal with lead
// κ, the nearest counts, in the norm of the judge's ball. Numbers of 0 and 1 move slowly at first: images of little else, as
// in MNIST, need some 1000 steps.
//
// Every tenth of the steps, but no sooner than after 100 more, an image whose sum has not become .01 % smaller is left until
// the next c. The authors' program and others look at the sum of a whole batch; a single image's swings for some 50 steps.
type CarliniWagner struct {
	Searches   int     // how many values of c are tried; 0 is 9
	Steps      int     // of Adam for each c; 0 is 10000
	Rate       float64 // Adam's; 0 is .01
	Weight     float64 // the first c; 0 is .001
	Confidence float64 // κ
}

func (a CarliniWagner) defaults() CarliniWagner {
	return CarliniWagner{cmp.Or(a.Searches, 9), cmp.Or(a.Steps, 10000), cmp.Or(a.Rate, .01), cmp.Or(a.Weight, .001), a.Confidence}
}

// String returns the attack's name with its parameters.
func (a CarliniWagner) String() string {
	a = a.defaults()
	return fmt.Sprintf("C&W(searches=%d, steps=%d, rate=%g, weight=%g, confidence=%g)", a.Searches, a.Steps, a.Rate, a.Weight, a.Confidence)
}

// Find implements Attack.
func (a CarliniWagner) Find(ctx context.Context, t *Task) error {
	a = a.defaults()
	switch {
	case a.Searches < 1 || a.Steps < 1:
		return fmt.Errorf("attack: %s: Searches is %d and Steps is %d, must be at least 1", t.attack, a.Searches, a.Steps)
	case !(a.Rate > 0) || !(a.Weight > 0):
		return fmt.Errorf("attack: %s: Rate is %g and Weight is %g, must be more than 0", t.attack, a.Rate, a.Weight)
	case !(a.Confidence >= 0):
		return fmt.Errorf("attack: %s: Confidence is %g, must be at least 0", t.attack, a.Confidence)
	}
	best, c := t.nearest(), newWeights(t.Images.N, a.Weight)
	for search := range a.Searches {
		rows := best.rest()
		if len(rows) == 0 {
			return nil
		}
		met, err := a.descend(ctx, t, t.Points().Pick(rows), c.now, best, search)
		if err != nil {
			return err
		}
		for _, i := range rows {
			c.next(i, met[i])
		}
	}
	return best.offer(ctx, true)
}

// descend minimises the sum of distance and loss for all points, and returns for which images the goal was met on the way.
func (a CarliniWagner) descend(ctx context.Context, t *Task, p Points, c []float64, best *nearest, search int) ([]bool, error) {
	o, err := t.Objective(Margin)
	if err != nil {
		return nil, err
	}
	l, err := a.begin(t, p, o, c)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	met := make([]bool, t.Images.N)
	before := slices.Repeat([]float64{math.Inf(1)}, t.Images.N)
	for step := range a.Steps {
		rate := 0. // of the move along the gradient of the step before
		if step > 0 {
			rate = descent.Adam{}.Rate(a.Rate, step-1)
		}
		r, err := l.Next(ctx, tanhStep{o.Form, t.Ball.norm}, nil, interp.Float(rate))
		if err != nil {
			return nil, err
		}
		on, sums := l.Images(), r[0].Data
		rows := make([]int, len(on))
		for k, image := range on {
			rows[k] = p.Rows[image]
		}
		if err := t.passed(rows, true, sums); err != nil {
			return nil, err
		}
		tenth := max(a.Steps/10, 1)
		if (step+1)%tenth != 0 && step+1 < a.Steps {
			continue
		}
		if err := a.keep(ctx, l, rows, best, met); err != nil {
			return nil, err
		}
		t.Step(search*a.Steps+step+1, a.Searches*a.Steps)
		goes := map[int]bool{}
		for k, i := range rows {
			gains := true
			if (step+1)%max(tenth, 100) == 0 {
				gains, before[i] = sums[k] <= .9999*before[i], sums[k]
			}
			goes[on[k]] = gains && !best.settled(i)
		}
		if err := l.Keep(func(image int) bool { return goes[image] }); err != nil {
			return nil, err
		}
		if len(l.Images()) == 0 {
			break
		}
	}
	return met, nil
}

// begin begins the descent of the points, which stays on the device.
func (a CarliniWagner) begin(t *Task, p Points, o interp.Objective, c []float64) (*interp.Loop, error) {
	x := t.images(p)
	w, zero := make([]float64, len(x.Pix)), make([]float64, len(x.Pix))
	for i, v := range x.Pix {
		w[i] = math.Atanh(.999999 * (2*v - 1)) // finite where a pixel is 0 or 1
	}
	var weight []float64
	for _, i := range p.Rows {
		weight = append(weight, c[i])
	}
	like := func(v []float64) interp.Arg { return interp.Each(v, x.H, x.W, x.C) }
	nowhere := interp.Each(slices.Repeat([]float64{math.MaxFloat32}, x.N))
	state := []interp.Arg{like(w), like(zero), like(zero), like(zero), like(zero), nowhere}
	return t.loop(p, o, state, x.Arg(), interp.Each(weight), interp.Float(a.Confidence))
}

// keep brings the nearest points that met the goal from the device before the judge, and notes whose images they are in met.
func (a CarliniWagner) keep(ctx context.Context, l *interp.Loop, rows []int, best *nearest, met []bool) error {
	pix, err := l.State(4)
	if err != nil {
		return err
	}
	distance, err := l.State(5)
	if err != nil {
		return err
	}
	for k, i := range rows {
		if distance.Data[k] < math.MaxFloat32/2 {
			met[i] = true
			best.take(i, pix.Of(k))
		}
	}
	return best.offer(ctx, false)
}

// tanhStep is a step of Adam, and a look at where it leads. Its state is w, Adam's moments, the gradient, the nearest image that met
// the goal with lead κ, and its distance; its arguments are the rate, the originals, c, κ and those of the margin. It returns the sum
// that is minimised. The gradient is moved along by the next step, because XLA would compute it anew for w and for each moment.
type tanhStep struct {
	margin interp.Form
	norm   Norm
}

// Build implements interp.Step.
func (s tanhStep) Build(net *interp.Net, a []*graph.Node) []*graph.Node {
	w, first, second, slope, best, distance := a[0], a[1], a[2], a[3], a[4], a[5]
	rate, original, c, confidence := a[6], a[7], a[8], a[9]
	move, first, second := descent.Adam{}.Move(slope, first, second)
	w = graph.Sub(w, graph.Mul(rate, move))
	x := graph.Sigmoid(graph.MulScalar(w, 2)) // (tanh w + 1)/2
	pass := net.Pass(x, nil)
	lead, logits := interp.Score(s.margin, pass, a[10:]), pass.Logits()
	moved := graph.Sub(x, original)
	missing := graph.MaxScalar(graph.Sub(confidence, lead), 0)
	sum := graph.Add(graph.ReduceSum(graph.Square(moved), 1, 2, 3), graph.Mul(c, missing))
	slope = graph.Gradient(graph.ReduceAllSum(sum), w)[0]

	lead = graph.Sub(lead, graph.MulScalar(graph.Sub(graph.ReduceMax(logits, 1), graph.ReduceMin(logits, 1)), rounding))
	met := graph.LogicalAnd(graph.GreaterThan(lead, graph.ScalarZero(w.Graph(), w.DType())), graph.GreaterOrEqual(lead, confidence))
	far := s.norm.far(moved)
	nearer := graph.LogicalAnd(met, graph.LessThan(far, distance))
	best = graph.Where(graph.BroadcastToDims(graph.Reshape(nearer, -1, 1, 1, 1), x.Shape().Dimensions...), x, best)
	return []*graph.Node{w, first, second, slope, best, graph.Where(nearer, far, distance), sum}
}

// far is Distance from 0 in a graph, of each of some differences [N, H, W, C].
func (n Norm) far(d *graph.Node) *graph.Node {
	switch n {
	case NormInf:
		return graph.ReduceMax(graph.Abs(d), 1, 2, 3)
	case Norm2:
		return graph.Sqrt(graph.ReduceSum(graph.Square(d), 1, 2, 3))
	case Norm1:
		return graph.ReduceSum(graph.Abs(d), 1, 2, 3)
	}
	return graph.ReduceSum(graph.Sign(graph.ReduceMax(graph.Abs(d), 3)), 1, 2)
}
