package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/attack"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
	"lucigo/interp/random"
	"lucigo/interp/train"
)

// Substitute is the attack of Papernot et al., arXiv:1602.02697, on a network that only answers: it teaches a
// network of its own to answer alike, on images that it makes itself, so that attacks on that one, which need gradients, work on
// the other. Each round asks about the new images, trains on all that were ever asked, and moves images by a step along the sign of
// the derivative of the substitute's output for the answered class (section 4). As in the paper's later versions (ACM Asia CCS
// 2017), steps change their direction every few rounds, and after the first rounds only some images are moved, drawn by reservoir
// sampling.
//
// Equal seeds, oracles and first images ask about equal images, so a Client with a log goes on where it was when the same is done
// again. We differ in that pixels are multiples of 2⁻²⁰, by which a step back ends at the very image where the step forth began,
// and that no image is asked twice.
type Substitute struct {
	Net     layer.Forward // the substitute, from images to a logit for each class; nil: two networks of convolutions and a dense one, added
	Step    float64       // λ, the length of a step of each pixel; 0: .1
	Period  int           // τ, the rounds after which steps change their direction; 0: 3
	Doubled int           // σ, the rounds in which every image is moved; 0: 6
	Sample  int           // κ, the images that are moved in each later round; 0: 400
	Rounds  int           // ρ, of augmentation; 0: as many as Queries allows
	Queries int           // the most images that are asked about; 0: 6400

	// Vary turns, scales and shifts images before they are moved, and anew whenever they are trained on; the zero value, as published,
	// does not. A varied image is trained on with the answer to the image as it was: that is free.
	Vary Vary

	Training train.Training // of each round, which begins with the weights of the round before
	Seed     uint64         // of the first weights, and of what is drawn

	Progress func(Round) // is told of each round; nil: nobody is told
}

// Round is what a round has come to.
type Round struct {
	Number int     // 0 is that of the first images
	New    int     // images that were asked about
	Images int     // so far
	Alike  float64 // share of these that the substitute, trained on them, answers like the oracle
}

// Copy is a network that was taught to answer like an oracle.
type Copy struct {
	Model  *interp.Model // nil before the first round's end
	Rounds []Round
	Images interp.Images // all that were asked about, with the answers as their classes
	Scores [][]float64   // their scores, where the oracle tells them
}

// Queries is the number of images that were asked about.
func (c *Copy) Queries() int { return c.Images.N }

const grid = 1 << 20

// What is random, as keys of random streams.
const drawing, varying, training = 0, 1, 2

func (s Substitute) defaults() Substitute {
	s.Step, s.Period, s.Doubled = cmp.Or(s.Step, .1), cmp.Or(s.Period, 3), cmp.Or(s.Doubled, 6)
	s.Sample, s.Queries = cmp.Or(s.Sample, 400), cmp.Or(s.Queries, 6400)
	return s
}

func (s Substitute) check(o Oracle, start interp.Images) error {
	switch {
	case o == nil:
		return errors.New("api: the oracle is nil")
	case !(s.Step > 0 && s.Step <= 1):
		return fmt.Errorf("api: Substitute.Step is %g, must be more than 0 and at most 1: pixels are in [0, 1]", s.Step)
	case s.Period < 0 || s.Doubled < 0 || s.Sample < 0 || s.Rounds < 0:
		return fmt.Errorf("api: Substitute's Period, Doubled, Sample and Rounds are %d, %d, %d and %d, must be at least 0",
			s.Period, s.Doubled, s.Sample, s.Rounds)
	case s.Queries < start.N:
		return fmt.Errorf("api: Substitute.Queries is %d, must be at least the number of the first images, %d", s.Queries, start.N)
	}
	if err := start.Check(); err != nil {
		return fmt.Errorf("api: the first images: %w", err)
	}
	return s.Vary.check()
}

// Copy teaches a network to answer like the oracle, beginning with the given images, whose classes it does not look at. With an error,
// the copy holds all that was answered; when the oracle's budget is spent, it is trained on that.
func (s Substitute) Copy(ctx context.Context, o Oracle, start interp.Images) (*Copy, error) {
	s = s.defaults()
	if err := s.check(o, start); err != nil {
		return nil, err
	}
	if s.Net == nil {
		s.Net = trio(len(o.Classes()))
	}
	m, err := train.New(interp.Spec{Name: "substitute", Forward: s.Net, Input: [3]int{start.H, start.W, start.C},
		Classes: o.Classes()}, s.Seed)
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	c := &Copy{Images: interp.Images{H: start.H, W: start.W, C: start.C}}
	asked := map[digest]bool{}
	next := unasked(asked, snapped(start))
	for round := 0; ; round++ {
		a, budget := o.Ask(ctx, next)
		c.add(next, a)
		if budget != nil && !errors.Is(budget, ErrBudget) || c.Images.N == 0 {
			return c, fmt.Errorf("round %d: %w", round, budget)
		}
		if m, err = s.fit(ctx, m, c.examples(), round); err != nil {
			return c, fmt.Errorf("api: round %d: %w", round, err)
		}
		c.Model = m
		r := Round{Number: round, New: len(a.Labels), Images: c.Images.N}
		if r.Alike, err = alike(ctx, m, c.Images, c.Images.Class); err != nil {
			return c, fmt.Errorf("api: round %d: %w", round, err)
		}
		c.Rounds = append(c.Rounds, r)
		if s.Progress != nil {
			s.Progress(r)
		}
		if budget != nil || c.Images.N >= s.Queries || s.Rounds > 0 && round == s.Rounds {
			return c, budget
		}
		moved, err := s.move(ctx, c, round)
		if err != nil {
			return c, fmt.Errorf("api: round %d: %w", round, err)
		}
		if next = unasked(asked, moved); next.N == 0 {
			return c, nil // every step ends at an image that is known
		}
	}
}

// move returns new images for the round after the given one: λ_ρ = λ·(−1)^⌊ρ/τ⌋.
func (s Substitute) move(ctx context.Context, c *Copy, round int) (interp.Images, error) {
	n := c.Images.N
	if round >= s.Doubled {
		n = min(n, s.Sample)
	}
	n = min(n, s.Queries-c.Images.N)
	x := c.Images.Pick(reservoir(random.New(s.Seed, drawing, uint64(round)), c.Images.N, n)...)
	for k := range x.N {
		copy(x.Of(k), s.Vary.image(x, k, random.New(s.Seed, varying, uint64(c.Images.N+k))))
	}
	g, err := c.Model.Gradient(ctx, objective.LogProb, nil, x)
	if err != nil {
		return x, err
	}
	step := s.Step
	if round/s.Period%2 == 1 {
		step = -step
	}
	for i, d := range g.Pix {
		if d != 0 {
			x.Pix[i] += math.Copysign(step, step*d)
		}
	}
	return snapped(x), nil
}

// snapped returns images in [0, 1] whose pixels are on the grid, without classes.
func snapped(x interp.Images) interp.Images {
	x.Pix, x.Class, x.Key = slices.Clone(x.Pix), nil, nil
	for i, v := range x.Pix {
		x.Pix[i] = min(max(math.Round(v*grid)/grid, 0), 1)
	}
	return x
}

// reservoir draws n of the numbers below count: algorithm R of Vitter (ACM TOMS 11, 1985), in order.
func reservoir(s random.Stream, count, n int) []int {
	kept := make([]int, n)
	for i := range count {
		if i < n {
			kept[i] = i
		} else if j := s.Intn(i, i+1); j < n {
			kept[j] = i
		}
	}
	slices.Sort(kept)
	return kept
}

// unasked returns the images of x that were not asked about, and are to be now.
func unasked(asked map[digest]bool, x interp.Images) interp.Images {
	var fresh []int
	for i := range x.N {
		if id := contents(x.Of(i)); !asked[id] {
			asked[id] = true
			fresh = append(fresh, i)
		}
	}
	return x.Pick(fresh...)
}

// add adds the images that were answered.
func (c *Copy) add(x interp.Images, a Answers) {
	n := len(a.Labels)
	c.Images.N += n
	c.Images.Pix = append(c.Images.Pix, x.Slice(0, n).Pix...)
	c.Images.Class = append(c.Images.Class, a.Labels...)
	c.Scores = append(c.Scores, a.Scores...)
}

// examples are what the substitute learns from: the scores where there are some.
func (c *Copy) examples() train.Examples {
	e := train.Examples{Images: c.Images}
	for _, scores := range c.Scores {
		sum := 0.
		for _, p := range scores {
			sum += p
		}
		for _, p := range scores {
			e.Targets = append(e.Targets, p/sum) // scores may be rounded
		}
	}
	return e
}

// alike is the share of the images to which a model gives the labels.
func alike(ctx context.Context, m *interp.Model, x interp.Images, labels []int) (float64, error) {
	p, err := m.Predict(ctx, x)
	if err != nil {
		return 0, err
	}
	return equal(p.Top1(), labels), nil
}

func equal(a, b []int) float64 {
	n := 0
	for i := range a {
		if a[i] == b[i] {
			n++
		}
	}
	return float64(n) / float64(len(a))
}

// Transfer is what an attack on a copy does to the oracle.
type Transfer struct {
	Attack    string
	Ball      attack.Ball
	Images    int
	Agreement float64 // share of the images as they are to which copy and oracle give the same label
	Right     int     // images that the oracle gets right as they are
	Fooled    int     // of those, how many it gets wrong when they are attacked
	Wrong     float64 // share of all attacked images that it gets wrong: what Papernot et al. count
	OnCopy    float64 // share of the attacked images at which the copy itself changes its answer
	Queries   int     // images that it took to find this out
}

// Rate is the share of the images that the oracle gets right as they are, and wrong attacked; 0 where it gets none right.
func (t Transfer) Rate() float64 { return float64(t.Fooled) / float64(max(1, t.Right)) }

// String says it in a line.
func (t Transfer) String() string {
	return fmt.Sprintf("%s, %s: of %d images the copy answers %.1f %% like the oracle and changes its answer to %.1f %%; the oracle is fooled by %d of %d that it gets right, %.1f %%",
		t.Attack, t.Ball, t.Images, 100*t.Agreement, 100*t.OnCopy, t.Fooled, t.Right, 100*t.Rate())
}

// Transfer attacks fresh images, which have their true classes, on the copy, away from the copy's own answers, and asks the oracle
// about them as they are and as they were attacked. Attacks with smoothed gradients that do not stop at the border fool it best: on
// MNIST at .3, attack.MIFGSM{Steps: 4, Rate: .5, Full: true, Smooth: attack.Smooth{Copies: 9, Noise: .3, Shift: 2}} fools twice as
// many digits as attack.FGSM.
func (c *Copy) Transfer(ctx context.Context, o Oracle, j attack.Judge, a attack.Attack, x interp.Images) (Transfer, error) {
	t := Transfer{Attack: fmt.Sprint(a), Ball: j.Ball, Images: x.N}
	if c.Model == nil || x.Class == nil {
		return t, errors.New("api: the copy is not trained, or the images have no classes: Copy must have ended its first round, and Asked gives images classes")
	}
	own := x
	own.Class = nil
	r, err := j.Try(ctx, c.Model, a, own)
	if err != nil {
		return t, err
	}
	plain := x
	plain.Class, plain.Key = nil, nil
	attacked := plain
	attacked.Pix = r.Images.Pix
	before, err := o.Ask(ctx, plain)
	if err != nil {
		return t, err
	}
	after, err := o.Ask(ctx, attacked)
	if err != nil {
		return t, err
	}
	copied := make([]int, x.N)
	for i, v := range r.Verdicts {
		copied[i] = v.Before.Class
		if before.Labels[i] == x.Class[i] {
			t.Right++
			if after.Labels[i] != x.Class[i] {
				t.Fooled++
			}
		}
	}
	t.Agreement, t.Wrong, t.OnCopy, t.Queries = equal(copied, before.Labels), 1-equal(after.Labels, x.Class), r.Fooled(), 2*x.N
	return t, nil
}

// trio is the default substitute: the sum of the logits of two networks of convolutions and a dense one. What fools several networks
// is likelier to fool another (Liu et al., arXiv:1611.02770).
func trio(classes int) layer.Forward {
	convolutions := func(s *model.Scope, x *graph.Node, size int) *graph.Node {
		x = layer.ReLU(layer.Conv(s.At("conv1"), x, 16, layer.Square(size, 2, size/2)))
		x = layer.ReLU(layer.Conv(s.At("conv2"), x, 32, layer.Square(3, 2, 1)))
		x = layer.ReLU(layer.Dense(s.At("dense"), layer.Flatten(x), 100))
		return layer.Dense(s.At("logits"), x, classes)
	}
	return func(s *model.Scope, x *graph.Node) *graph.Node {
		dense := layer.ReLU(layer.Dense(s.At("dense"), layer.Flatten(x), 200))
		logits := layer.Dense(s.At("logits"), dense, classes)
		logits = graph.Add(logits, convolutions(s.At("fine"), x, 3))
		return layer.At("logits", graph.Add(logits, convolutions(s.At("coarse"), x, 5)))
	}
}
