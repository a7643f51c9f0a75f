package attack

import (
	"cmp"
	"context"
	"fmt"

	"lucigo/interp"
	"lucigo/interp/random"
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
	if err := t.fits("Through", a.Attack, a.Model); err != nil {
		return err
	}
	other := *t
	other.decides, other.model = cmp.Or(t.decides, t.model), a.Model
	return a.Attack.Find(ctx, &other)
}

// Transferred is an attack on another network. It never asks the one that it is to fool, which is shown what the attack ends with: the
// images that fool the other network, or come nearest to that.
type Transferred struct {
	Attack Attack
	Model  *interp.Model // it takes the same images, and its first classes are those of the network that is judged
}

// String returns the attack's name, and the network's.
func (a Transferred) String() string {
	if a.Attack == nil || a.Model == nil {
		return "transferred(nothing)"
	}
	return fmt.Sprintf("%s transferred from %s", a.Attack, a.Model)
}

// Find implements Attack.
func (a Transferred) Find(ctx context.Context, t *Task) error {
	if err := t.fits("Transferred", a.Attack, a.Model); err != nil {
		return err
	}
	j := Judge{Ball: t.Ball, Seed: random.Hash(t.judge.Seed, uint64(t.Restart))}
	if target := t.targets(); target != nil {
		j.Goal = To(target...)
	}
	r, err := j.Try(ctx, a.Model, a.Attack, t.Images)
	if err != nil {
		return err
	}
	for i, v := range r.Verdicts {
		t.row(i).forward += v.Forward
		t.row(i).backward += v.Backward
	}
	p := t.Points()
	p.Pix = r.Images.Pix
	_, err = t.Offer(ctx, p)
	return err
}

// fits checks what an attack asks another network with.
func (t *Task) fits(kind string, a Attack, m *interp.Model) error {
	if a == nil || m == nil {
		return fmt.Errorf("attack: %s needs an Attack and a Model, and one is nil", kind)
	}
	h, w, c := m.Input()
	if x := t.Images; c != x.C {
		return fmt.Errorf("attack: %s: the model takes images of %d×%d×%d, and the task's are %d×%d×%d", t.attack, h, w, c, x.H, x.W, x.C)
	}
	return nil
}
