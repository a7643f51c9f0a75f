package attack

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"lucigo/interp"
)

// Labeler answers with the class of each image and with nothing else, as a server does that somebody else runs.
type Labeler interface {
	Labels(ctx context.Context, x interp.Images) ([]int, error)
}

// TryLabels is Try where only labels are known. The attack must be content with them, and the probabilities of the result are NaN.
func (j Judge) TryLabels(ctx context.Context, l Labeler, a Attack, x interp.Images) (Result, error) {
	if l == nil || a == nil {
		return Result{}, errors.New("attack: the Labeler or the attack is nil")
	}
	if err := j.check(x); err != nil {
		return Result{}, err
	}
	x = x.Keyed()
	before, err := labelsOf(ctx, l, x)
	if err != nil {
		return Result{}, err
	}
	if x.Class == nil {
		for _, b := range before {
			x.Class = append(x.Class, b.Class)
		}
	}
	target, err := j.Goal.of(x.N)
	if err != nil {
		return Result{}, err
	}
	for i, c := range target {
		if c < 0 || c == x.Class[i] {
			return Result{}, fmt.Errorf("attack: the target of image %d is class %d, and its true class is %d: choose another one", i, c, x.Class[i])
		}
	}
	t, r := j.begin(x, target, before)
	t.labels = l
	return j.run(ctx, t, a, r)
}

func labelsOf(ctx context.Context, l Labeler, x interp.Images) (all []Answer, err error) {
	x.Class, x.Key = nil, nil
	labels, err := l.Labels(ctx, x)
	if err == nil && len(labels) != x.N {
		err = fmt.Errorf("attack: %d labels were answered for %d images", len(labels), x.N)
	}
	for i, c := range labels {
		if c < 0 && err == nil {
			err = fmt.Errorf("attack: the label of image %d is %d, must be at least 0", i, c)
		}
		all = append(all, Answer{c, math.NaN()})
	}
	return all, err
}

// labelled is says where only labels are known.
func (t *Task) labelled(ctx context.Context, rows []int, x interp.Images) (all []said, err error) {
	answers, err := labelsOf(ctx, t.labels, x)
	if err != nil {
		return nil, err
	}
	for k, a := range answers {
		s := said{a, -1}
		if t.meets(rows[k], a.Class) {
			s.lead = 1
		}
		all = append(all, s)
	}
	return all, nil
}

// Meets asks which points meet the goal as they are: clipped to [0, 1], but not into the ball, and kept by nobody. It needs
// labels only, and a point costs a pass forward.
func (t *Task) Meets(ctx context.Context, p Points) ([]bool, error) {
	if len(p.Rows) == 0 {
		return nil, ctx.Err()
	}
	x := interp.Images{N: len(p.Rows), H: t.Images.H, W: t.Images.W, C: t.Images.C, Pix: slices.Clone(p.Pix)}
	box(x.Pix)
	says, err := t.says(ctx, p.Rows, x)
	if err != nil {
		return nil, err
	}
	met := make([]bool, x.N)
	for k, s := range says {
		met[k] = s.lead > 0
		t.row(p.Rows[k]).forward++
	}
	return met, nil
}

// meets reports whether image i may be answered with the class top.
func (t *Task) meets(i, top int) bool {
	target := t.Target(i)
	return top == target || target < 0 && top != t.Images.Class[i]
}
