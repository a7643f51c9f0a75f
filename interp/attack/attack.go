// Package attack looks for images near given ones that a network gets wrong.
//
// An Attack is a struct whose zero value is the published one; its String has every parameter. A Judge says what counts: away
// from the true class or to another one, and inside which ball. It decides for all attacks alike: what an attack offers is
// clipped into the ball and into [0, 1], and the network is asked again.
//
//	judge := attack.Judge{Ball: attack.Linf(8. / 255)}
//	result, err := judge.Try(ctx, m, attack.PGD{}, x)
//
// Distances are in units of the pixels, [0, 1].
package attack

import (
	"context"
	"fmt"
	"strings"

	"lucigo/interp"
)

// Attack looks for images that meet a task's goal inside its ball.
type Attack interface {
	// String names the attack with all its parameters.
	String() string

	// Find offers candidates for the task's images (Task.Offer). With a bounded ball it may leave an image as soon as one is
	// accepted; otherwise it goes on to the nearest that it finds. What was offered before an error counts.
	Find(ctx context.Context, t *Task) error
}

// Goal says what an attack is after. The zero Goal is any class but the true one.
type Goal struct {
	target []int
}

// To is the goal that the network answers with the given class: one for all images, or one each.
func To(class ...int) Goal { return Goal{class} }

// for returns the target of each of n images; nil where there is none.
func (g Goal) of(n int) ([]int, error) {
	switch len(g.target) {
	case 0, n:
		return g.target, nil
	case 1:
		all := make([]int, n)
		for i := range all {
			all[i] = g.target[0]
		}
		return all, nil
	}
	return nil, fmt.Errorf("attack: Goal has %d target classes, must have one for all or one for each of %d images", len(g.target), n)
}

// check checks the targets of images of the given classes.
func (g Goal) check(m *interp.Model, target, class []int) error {
	n := len(m.Classes())
	for i, t := range target {
		switch {
		case t < 0 || t >= n:
			return fmt.Errorf("attack: the target of image %d is class %d, and the classes of %s are 0 to %d", i, t, m, n-1)
		case t == class[i]:
			return fmt.Errorf("attack: the target of image %d is class %d (%s), which is its true class: choose another one, or the zero Goal, which is any other",
				i, t, m.ClassName(t))
		}
	}
	return nil
}

// Ensemble runs attacks one after the other, each on the images that still stand. An image falls if any of them fools the
// network: the worst case.
type Ensemble []Attack

// String returns the names of the attacks.
func (e Ensemble) String() string {
	var names []string
	for _, a := range e {
		names = append(names, a.String())
	}
	return strings.Join(names, " + ")
}

// Find implements Attack.
func (e Ensemble) Find(ctx context.Context, t *Task) error {
	for _, a := range e {
		if err := t.Run(ctx, a); err != nil {
			return err
		}
	}
	return nil
}
