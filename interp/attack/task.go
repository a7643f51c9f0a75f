package attack

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
	"lucigo/interp/objective"
	"lucigo/interp/random"
)

// Task is what an attack is given: images that the network gets right, and how to ask about others. An attack runs on one
// goroutine.
type Task struct {
	Images  interp.Images // keyed, with their true classes
	Ball    Ball
	Restart int // how often the attack has begun before

	model         *interp.Model
	decides       *interp.Model // where the attack asks another one than the judge; nil is model
	labels        Labeler       // instead of a model
	judge         Judge
	at            []int   // where each image is in the judge's batch
	found         []found // of each image; a part of a task shares it
	rows          []int   // where each image is in found; nil is in order
	began         []int   // passes forward that each image had cost when the attack began
	probabilities bool
	attack        string
}

// found is what was found for one image.
type found struct {
	target            int // −1: any class but the true one
	pix               []float64
	met               bool
	distance, lead    float64 // in the ball's norm; and by how much the goal is met
	after             Answer
	by                string
	forward, backward int
}

// row returns what was found for image i.
func (t *Task) row(i int) *found {
	if t.rows != nil {
		i = t.rows[i]
	}
	return &t.found[i]
}

// Points are images to ask about: row k is one of image Rows[k] of the task. An image may have several.
type Points struct {
	Rows []int
	Pix  []float64
}

// Of returns the numbers of row k, which p shares.
func (p Points) Of(k int) []float64 {
	size := len(p.Pix) / len(p.Rows)
	return p.Pix[k*size : (k+1)*size : (k+1)*size]
}

// Points returns the task's images as they are. It is a copy.
func (t *Task) Points() Points {
	p := Points{Pix: slices.Clone(t.Images.Pix)}
	for i := range t.Images.N {
		p.Rows = append(p.Rows, i)
	}
	return p
}

// Original returns the image that row k of p is of.
func (t *Task) Original(p Points, k int) []float64 { return t.Images.Of(p.Rows[k]) }

// Random returns the random numbers of image i for a step of the attack.
func (t *Task) Random(i, step int) random.Stream {
	return random.New(t.judge.Seed, t.Images.Key[i], random.Hash(uint64(t.Restart), uint64(step)))
}

// Target returns the class that image i is to be taken for; −1 where any but the true one will do.
func (t *Task) Target(i int) int { return t.row(i).target }

// Targeted reports whether the images have targets.
func (t *Task) Targeted() bool { return len(t.found) > 0 && t.found[0].target >= 0 }

// Loss is what an attack by gradients climbs.
type Loss int

// The losses. CrossEntropy is that of the true class or, with a target, the logarithm of the target's probability. Margin is
// by how much the largest other logit is above the true class's, or the target's above the largest other: it is positive
// where the goal is met. DLR is Margin without the logits' scale (objective.DLR, objective.DLRTo).
const (
	CrossEntropy Loss = iota
	Margin
	DLR
)

// String returns the loss's usual name.
func (l Loss) String() string {
	switch l {
	case CrossEntropy:
		return "cross-entropy"
	case Margin:
		return "margin"
	case DLR:
		return "DLR"
	}
	return fmt.Sprintf("Loss(%d)", int(l))
}

// Objective returns the objective whose climb leads to the goal.
func (t *Task) Objective(l Loss) (interp.Objective, error) {
	return t.toward(l, t.targets())
}

// targets returns the class that each image is to be taken for; nil where any but the true one will do.
func (t *Task) targets() (all []int) {
	if t.Targeted() {
		for i := range t.Images.N {
			all = append(all, t.Target(i))
		}
	}
	return all
}

// toward returns the objective that climbs towards a class of its own for each image, or away from the true one.
func (t *Task) toward(l Loss, target []int) (interp.Objective, error) {
	var away interp.Objective
	var to func(class ...int) interp.Objective
	switch l {
	case CrossEntropy:
		away, to = objective.Loss, objective.LogProbOf
	case Margin:
		away, to = objective.Margin, objective.LeadOf
	case DLR:
		away, to = objective.DLR, objective.DLRTo
	default:
		return away, fmt.Errorf("attack: %s: %s is not a loss, must be CrossEntropy, Margin or DLR", t.attack, l)
	}
	if target == nil {
		return away, nil
	}
	return to(target...), nil
}

// Reply is what the network says of points, in the order of their rows.
type Reply struct {
	Logits   interp.Rows
	Score    []float64 // the objective's
	Gradient Points    // of the score at the pixels
}

// Gradient asks the network for its logits at the points, and for o and its gradient there; o is of the task's images. A
// point costs one pass forward and one backward.
func (t *Task) Gradient(ctx context.Context, p Points, o interp.Objective) (Reply, error) {
	return t.ask(ctx, p, o, true)
}

// Logits asks the network for its logits at the points. A point costs one pass forward.
func (t *Task) Logits(ctx context.Context, p Points) (interp.Rows, error) {
	r, err := t.ask(ctx, p, interp.Objective{}, false)
	return r.Logits, err
}

func (t *Task) ask(ctx context.Context, p Points, o interp.Objective, backward bool) (r Reply, err error) {
	if len(p.Rows) == 0 {
		return r, ctx.Err()
	}
	if !backward {
		o = interp.Objective{}
	}
	l, err := t.loop(p, o, nil, t.images(p).Arg())
	if err != nil {
		return r, err
	}
	defer l.Close()
	out, err := l.Look(ctx, query{o.Form, len(t.model.Classes())}, nil)
	if err != nil {
		return r, err
	}
	r.Logits = out[0]
	if backward {
		r.Score, r.Gradient = out[1].Data, Points{p.Rows, out[2].Data}
	}
	return r, t.passed(p.Rows, backward, r.Logits.Data, r.Score, r.Gradient.Pix)
}

// images returns points as images.
func (t *Task) images(p Points) interp.Images {
	return interp.Images{N: len(p.Rows), H: t.Images.H, W: t.Images.W, C: t.Images.C, Pix: p.Pix}
}

// loop begins a loop over points, whose last arguments are those of the objective, if it has a form.
func (t *Task) loop(p Points, o interp.Objective, state []interp.Arg, args ...interp.Arg) (*interp.Loop, error) {
	if t.model == nil {
		return nil, fmt.Errorf("attack: %s needs scores, and only labels are answered: take HopSkipJump or Boundary", t.attack)
	}
	x := t.images(p)
	if o.Form != nil {
		if err := t.model.Asks(o, x.H, x.W); err != nil {
			return nil, err
		}
		for _, i := range p.Rows {
			x.Class = append(x.Class, t.Images.Class[i])
		}
		own, err := o.Of(p.Rows...).For(x)
		if err != nil {
			return nil, err
		}
		args = append(args, own...)
	}
	return t.model.Loop(x.N, t.model.Batch(x), state, args...)
}

// passed counts a pass for each of the rows, and returns an error if one of the results, each as many numbers of every row,
// is not finite.
func (t *Task) passed(rows []int, backward bool, results ...[]float64) error {
	for _, v := range results {
		if k := slices.IndexFunc(v, interp.NotFinite); k >= 0 {
			k /= len(v) / len(rows)
			return fmt.Errorf("attack: %s: the logits, the score or the gradient of %s at image %d has a value that is not finite", t.attack, t.model, t.at[rows[k]])
		}
	}
	for _, i := range rows {
		t.row(i).forward++
		if backward {
			t.row(i).backward++
		}
	}
	return nil
}

// query is the logits and, where there is a form, its score and gradient.
type query struct {
	form    interp.Form
	classes int
}

// Build implements interp.Step.
func (s query) Build(net *interp.Net, a []*graph.Node) []*graph.Node {
	pass := net.Pass(a[0], nil)
	logits := pass.Logits()
	if logits.Rank() != 2 || logits.Shape().Dim(1) != s.classes {
		panic(fmt.Errorf("the logits are shaped %s, and there are %d classes", logits.Shape(), s.classes))
	}
	if s.form == nil {
		return []*graph.Node{logits}
	}
	score := interp.Score(s.form, pass, a[1:])
	return []*graph.Node{logits, score, graph.Gradient(graph.ReduceAllSum(score), a[0])[0]}
}

// rounding is how far, as a part of the distance of the largest logit from the smallest, float32 may move a logit when a
// batch is cut in another way.
const rounding = 1e-5

// Lead returns by how much logits of image i meet the goal: the largest other logit less the true class's, or the target's
// less the largest other, and less what rounding may change. The goal is met where it is positive: then the network gives the
// same answer in any batch.
func (t *Task) Lead(i int, logits []float64) float64 {
	own, sign := t.Images.Class[i], -1.0
	if target := t.Target(i); target >= 0 {
		own, sign = target, 1
	}
	other := math.Inf(-1)
	for c, v := range logits {
		if c != own {
			other = max(other, v)
		}
	}
	return sign*(logits[own]-other) - rounding*(slices.Max(logits)-slices.Min(logits))
}

// Offer brings points before the judge: each is clipped into the ball and into [0, 1], and the network is asked, which costs a
// pass forward. It returns which meet the goal. Of each image the nearest of those is kept, or else the one that comes closest
// to the goal.
func (t *Task) Offer(ctx context.Context, p Points) (met []bool, err error) {
	if len(p.Rows) == 0 {
		return nil, ctx.Err()
	}
	if k := slices.IndexFunc(p.Pix, interp.NotFinite); k >= 0 {
		return nil, fmt.Errorf("attack: %s offers an image that has the value %g", t.attack, p.Pix[k])
	}
	x := interp.Images{N: len(p.Rows), H: t.Images.H, W: t.Images.W, C: t.Images.C, Pix: slices.Clone(p.Pix)}
	clipped := Points{p.Rows, x.Pix}
	each(clipped, func(k int, y []float64) {
		original := t.Original(clipped, k)
		for i, v := range original {
			if float64(float32(v)) == y[i] {
				y[i] = v // float32 on the device rounded it, and no attack moved it
			}
		}
		t.Ball.Project(original, y, t.Images.C)
	})
	says, err := t.says(ctx, p.Rows, x)
	if err != nil {
		return nil, err
	}
	for k, i := range p.Rows {
		f, pix, say := t.row(i), clipped.Of(k), says[k]
		distance, ok := t.Ball.norm.Distance(t.Images.Of(i), pix, x.C), say.lead > 0
		f.forward++
		met = append(met, ok)
		if better := ok && (!f.met || distance < f.distance) || !ok && !f.met && say.lead > f.lead; better {
			f.pix, f.met, f.distance, f.lead, f.by, f.after = slices.Clone(pix), ok, distance, say.lead, t.attack, say.Answer
		}
	}
	return met, nil
}

// said is an answer, and by how much it meets the goal.
type said struct {
	Answer
	lead float64
}

// says asks the network of images that are of the given rows.
func (t *Task) says(ctx context.Context, rows []int, x interp.Images) (all []said, err error) {
	if t.labels != nil {
		return t.labelled(ctx, rows, x)
	}
	p, err := cmp.Or(t.decides, t.model).Predict(ctx, x)
	if err != nil {
		return nil, err
	}
	for k, i := range rows {
		top := p.Top(k, 1)[0]
		s := said{Answer{top, p.Prob(k, top)}, t.Lead(i, p.Logits.Of(k))}
		if t.probabilities {
			s.Prob = p.Logits.Of(k)[top]
		}
		all = append(all, s)
	}
	return all, nil
}

// Settle offers the points whose logits meet the goal, and returns where the others are; those too that the judge refuses.
func (t *Task) Settle(ctx context.Context, p Points, logits interp.Rows) (left []int, err error) {
	var meet []int
	for k, i := range p.Rows {
		if t.Lead(i, logits.Of(k)) > 0 {
			meet = append(meet, k)
		}
	}
	met, err := t.Offer(ctx, p.Pick(meet))
	if err != nil {
		return nil, err
	}
	for k := range p.Rows {
		if n, found := slices.BinarySearch(meet, k); !found || !met[n] {
			left = append(left, k)
		}
	}
	return left, nil
}

// Pick returns the given rows of p.
func (p Points) Pick(rows []int) Points {
	var q Points
	for _, k := range rows {
		q.Rows, q.Pix = append(q.Rows, p.Rows[k]), append(q.Pix, p.Of(k)...)
	}
	return q
}

// bounded returns an error if the ball has no radius, without which an attack does not know how far to go.
func (t *Task) bounded() error {
	if t.Ball.Bounded() {
		return nil
	}
	return fmt.Errorf("attack: %s needs a ball with a radius, and is asked for the %s: give one, or take DeepFool, CarliniWagner, LBFGS or FAB",
		t.attack, t.Ball)
}

// Step tells the judge how far the attack has come.
func (t *Task) Step(done, of int) {
	if t.judge.Progress == nil {
		return
	}
	p := Progress{Attack: t.attack, Step: done, Of: of}
	for _, f := range t.found {
		if !f.met {
			p.Standing++
		}
	}
	t.judge.Progress(p)
}

// Run runs an attack on the images for which nothing was accepted yet.
func (t *Task) Run(ctx context.Context, a Attack) error {
	rest := *t
	rest.rows, rest.at, rest.began, rest.attack = nil, nil, nil, a.String()
	var images []int
	for i := range t.Images.N {
		if f := t.row(i); !f.met || !t.Ball.Bounded() {
			images = append(images, i)
			row := i
			if t.rows != nil {
				row = t.rows[i]
			}
			rest.rows, rest.at, rest.began = append(rest.rows, row), append(rest.at, t.at[i]), append(rest.began, f.forward)
		}
	}
	if len(images) == 0 {
		return ctx.Err()
	}
	rest.Images = t.Images.Pick(images...)
	return a.Find(ctx, &rest)
}
