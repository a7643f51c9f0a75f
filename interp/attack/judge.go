package attack

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"lucigo/interp"
	"lucigo/interp/objective"
)

// Judge says what an attack may do and what counts as success, and decides.
type Judge struct {
	Ball Ball
	Goal Goal

	// Restarts is how many times an attack begins anew for the images that still stand; 0 is once in all.
	Restarts int

	// Seed is that of the attacks' random numbers. Those of an image depend on the seed and on its Key.
	Seed uint64

	// Progress, if it is not nil, is told how far an attack has come.
	Progress func(Progress)
}

// Progress is how far an attack has come.
type Progress struct {
	Attack   string
	Step, Of int // of the attack's steps
	Standing int // images for which nothing was accepted yet
}

// Answer is what the network says of an image: the class of the largest logit and its probability.
type Answer struct {
	Class int
	Prob  float64
}

// Verdict is what the judge says of one image.
type Verdict struct {
	Class  int // the true one
	Target int // −1 where any class but the true one will do
	Before Answer
	After  Answer

	// Wrong is whether the network was wrong before. Such an image is not attacked, and never a success.
	Wrong bool

	// Fooled is whether the image in Result.Images meets the goal inside the ball.
	Fooled bool

	L0, L1, L2, Linf  float64 // its distance from the original: L0 counts pixels
	Forward, Backward int     // passes through the network; that of the image as it is is not counted
	By                string  // the attack that it fell to
}

// Result is what came of an attack.
type Result struct {
	Attack   string
	Ball     Ball
	Original interp.Images // keyed, with the true classes
	Images   interp.Images // of each image the nearest that meets the goal; else the one that came closest to it
	Verdicts []Verdict

	// Probabilities is whether the network's outputs are probabilities already. Their gradients vanish where the network
	// is sure, so attacks by gradients look weaker than they are. Remedy: a Forward that ends in the logits, or in the
	// logarithm of the probabilities.
	Probabilities bool
}

// Clean returns the share of the images that the network gets right as they are.
func (r Result) Clean() float64 { return r.share(func(v Verdict) bool { return !v.Wrong }) }

// Left returns the share of the images that the network gets right and the attack does not change: the accuracy under attack.
func (r Result) Left() float64 { return r.share(func(v Verdict) bool { return !v.Wrong && !v.Fooled }) }

func (r Result) share(is func(Verdict) bool) float64 {
	n := 0
	for _, v := range r.Verdicts {
		if is(v) {
			n++
		}
	}
	return float64(n) / float64(len(r.Verdicts))
}

// Fooled returns the share of the attacked images for which the attack met its goal; 0 where none was attacked.
func (r Result) Fooled() float64 {
	if clean := r.Clean(); clean > 0 {
		return r.share(func(v Verdict) bool { return v.Fooled }) / clean
	}
	return 0
}

// Mean returns the mean of a number over the images that were fooled; NaN where none was.
func (r Result) Mean(of func(Verdict) float64) float64 {
	var sum, n float64
	for _, v := range r.Verdicts {
		if v.Fooled {
			sum, n = sum+of(v), n+1
		}
	}
	return sum / n
}

// Try attacks the images x. Their classes are the true ones; where they have none, the network's own answers are. Images that
// the network gets wrong as they are are set aside. With an error, the result holds what was found until then.
func (j Judge) Try(ctx context.Context, m *interp.Model, a Attack, x interp.Images) (Result, error) {
	if a == nil {
		return Result{}, errors.New("attack: the attack is nil")
	}
	t, r, err := j.task(ctx, m, x)
	if err != nil {
		return r, err
	}
	return j.run(ctx, t, a, r)
}

func (j Judge) run(ctx context.Context, t *Task, a Attack, r Result) (_ Result, err error) {
	r.Attack, r.Ball = a.String(), j.Ball
	for restart := range max(j.Restarts, 1) {
		t.Restart = restart
		if err = t.Run(ctx, a); err != nil {
			break
		}
	}
	for k, i := range t.at {
		v, f := &r.Verdicts[i], &t.found[k]
		v.Forward, v.Backward = f.forward, f.backward
		if f.pix == nil {
			continue
		}
		copy(r.Images.Of(i), f.pix)
		v.Fooled, v.After, v.By = f.met, f.after, f.by
		for n, d := range map[Norm]*float64{Norm0: &v.L0, Norm1: &v.L1, Norm2: &v.L2, NormInf: &v.Linf} {
			*d = n.Distance(r.Original.Of(i), f.pix, r.Images.C)
		}
	}
	return r, err
}

// check checks what does not depend on the network.
func (j Judge) check(x interp.Images) error {
	if err := j.Ball.check(); err != nil {
		return err
	}
	if j.Restarts < 0 {
		return fmt.Errorf("attack: Restarts is %d, must be at least 0", j.Restarts)
	}
	if err := x.Check(); err != nil {
		return fmt.Errorf("attack: %w", err)
	}
	for i, v := range x.Pix {
		if v < 0 || v > 1 {
			return fmt.Errorf("attack: image %d has the value %g, and an attack stays in [0, 1]: clip the images", i/x.Size(), v)
		}
	}
	return nil
}

// task checks what is asked, asks the network of the clean images, and sets those aside that it gets wrong.
func (j Judge) task(ctx context.Context, m *interp.Model, x interp.Images) (*Task, Result, error) {
	var r Result
	if err := j.check(x); err != nil {
		return nil, r, err
	}
	if len(m.Classes()) < 2 {
		return nil, r, fmt.Errorf("attack: %s has %d class: there is no other one", m, len(m.Classes()))
	}
	x, err := m.Resolve(ctx, objective.Logit, x.Keyed())
	if err != nil {
		return nil, r, err
	}
	target, err := j.Goal.of(x.N)
	if err != nil {
		return nil, r, err
	}
	if err := j.Goal.check(m, target, x.Class); err != nil {
		return nil, r, err
	}
	p, err := m.Predict(ctx, x)
	if err != nil {
		return nil, r, err
	}
	sure := probabilities(p.Logits)
	before := make([]Answer, x.N)
	for i, top := range p.Top1() {
		before[i] = Answer{top, p.Prob(i, top)}
		if sure {
			before[i].Prob = p.Logits.Of(i)[top]
		}
	}
	t, r := j.begin(x, target, before)
	t.model, t.probabilities, r.Probabilities = m, sure, sure
	return t, r, nil
}

// begin sets aside the images that the network gets wrong, given its answers.
func (j Judge) begin(x interp.Images, target []int, before []Answer) (*Task, Result) {
	r := Result{Original: x, Images: x, Verdicts: make([]Verdict, x.N)}
	r.Images.Pix = slices.Clone(x.Pix)
	t := &Task{judge: j, Ball: j.Ball}
	for i, answer := range before {
		v := Verdict{Class: x.Class[i], Target: -1, Before: answer, After: answer, Wrong: answer.Class != x.Class[i]}
		if target != nil {
			v.Target = target[i]
		}
		r.Verdicts[i] = v
		if !v.Wrong {
			t.at = append(t.at, i)
			t.found = append(t.found, found{target: v.Target, distance: math.Inf(1), lead: math.Inf(-1)})
		}
	}
	t.Images = x.Pick(t.at...)
	return t, r
}

// probabilities reports whether all rows are probabilities.
func probabilities(logits interp.Rows) bool {
	for i := range logits.N {
		sum := 0.0
		for _, v := range logits.Of(i) {
			if v < 0 || v > 1 {
				return false
			}
			sum += v
		}
		if math.Abs(sum-1) > 1e-3 {
			return false
		}
	}
	return true
}
