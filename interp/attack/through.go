package attack

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"lucigo/interp"
)

// Through is an attack that asks another network than the one that it is to fool: one without the defence, as an attack does that knows
// of none, or one whose gradient leads on where the defence's does not (package defence). The judge asks the network that is judged.
type Through struct {
	Attack Attack
	Model  *interp.Model // it takes the same images, and its first classes are those of the network that is judged
}

// String returns the attack's name, and the network's.
func (a Through) String() string {
	if a.Attack == nil || a.Model == nil {
		return "through(nothing)"
	}
	return fmt.Sprintf("%s through %s", a.Attack, a.Model)
}

// Find implements Attack.
func (a Through) Find(ctx context.Context, t *Task) error {
	if a.Attack == nil || a.Model == nil {
		return errors.New("attack: Through needs an Attack and a Model, and one is nil")
	}
	h, w, c := a.Model.Input()
	if x := t.Images; c != x.C {
		return fmt.Errorf("attack: %s: the model takes images of %d×%d×%d, and the task's are %d×%d×%d", t.attack, h, w, c, x.H, x.W, x.C)
	}
	other := *t
	other.decides, other.model = cmp.Or(t.decides, t.model), a.Model
	return a.Attack.Find(ctx, &other)
}
