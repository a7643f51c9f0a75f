package defence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"lucigo/interp"
	"lucigo/interp/attack"
	"lucigo/interp/attack/card"
)

// Study measures what a defence keeps: of images as they are, of images that its paper's kind of attack has changed, and of images that an
// attack has changed which knows the defence.
//
// attack.Judge decides by asking the defended model. An image that a random defence answers counts by its most frequent answer over Votes
// draws, which are others than those that the attack has seen. What a detector refuses is neither right nor fooled: as an image it is wrong,
// and an attack has to make the network answer with another class, which is the second likeliest without the detector.
type Study struct {
	Ball  attack.Ball
	Steps int // of each of the attacks that know, PGD on the cross-entropy and on the margin through Known; 0 is 40
	Votes int // of a random defence; 0 is 9

	// Card is what looks for flags; without radii and attacks, that of the ball alone, with noise, FGSM, PGD and the square attack.
	Card card.Card

	// Look is how many images the card is given, at equal distances in their order; 0 is 24.
	Look int

	Seed uint64 // of the attacks' random numbers, and of the card's where it has no seed

	// Progress, if it is not nil, is told what is done next.
	Progress func(what string)
}

// Row is what came of a defence.
type Row struct {
	Defence string
	Model   string
	Ball    attack.Ball

	Clean   card.Share // right as they are
	Claimed card.Share // and after Naive
	Left    card.Share // and after Knowing too: an image that fell to either attack has fallen

	Naive, Knowing string // the attacks
	Flags          []card.Flag

	// Published is what arXiv:1802.00420 and its like left of it, in words; empty where none is known.
	Published string
}

// Words are the kinds of the flags.
func (r Row) Words() string {
	var all []string
	for _, f := range r.Flags {
		all = append(all, f.Kind.String())
	}
	return strings.Join(all, ", ")
}

// String returns the row as a sentence.
func (r Row) String() string {
	return fmt.Sprintf("%s: clean %s, claimed %s, after the attack that knows %s; flags: %s",
		r.Defence, r.Clean, r.Claimed, r.Left, cmp.Or(r.Words(), "none"))
}

// AsIs is no defence: a network as it is, such as one that was trained on adversarial images. Name is what it is called.
type AsIs struct{ Name string }

// String returns the name.
func (d AsIs) String() string { return cmp.Or(d.Name, "as it is") }

// Of implements Defence.
func (d AsIs) Of(m *interp.Model) (*interp.Model, error) {
	if m == nil {
		return nil, fmt.Errorf("defence: %s: the model is nil", d)
	}
	return m, nil
}

// Known implements Defence.
func (d AsIs) Known(m *interp.Model) (*interp.Model, error) { return d.Of(m) }

// Of measures a defence of m with images of known classes. What was measured before an error is in the row.
func (s Study) Of(ctx context.Context, d Defence, m *interp.Model, x interp.Images) (Row, error) {
	row := Row{Ball: s.Ball}
	switch {
	case d == nil:
		return row, errors.New("defence: the defence is nil")
	case s.Steps < 0 || s.Votes < 0 || s.Look < 0:
		return row, fmt.Errorf("defence: Study.Steps, Votes and Look are %d, %d and %d, must be at least 0", s.Steps, s.Votes, s.Look)
	case x.Class == nil:
		return row, errors.New("defence: Images.Class is nil, and a study needs the true classes: accuracy is the share of right answers")
	case !s.Ball.Bounded():
		return row, errors.New("defence: Study.Ball has no radius, and must have one: accuracy is that in a ball")
	case s.Ball.Norm() == attack.Norm0 && s.Card.Radii == nil && s.Card.Attacks == nil:
		return row, fmt.Errorf("defence: Study.Ball is %s, and a card has no L0: Study.Card must have radii and attacks", s.Ball)
	}
	of, err := d.Of(m)
	if err != nil {
		return row, err
	}
	judged, err := Judged(d, m, cmp.Or(s.Votes, 9))
	if err != nil {
		return row, err
	}
	known, err := d.Known(m)
	if err != nil {
		return row, err
	}
	row.Defence, row.Model = d.String(), m.Name()
	s.Steps, x = cmp.Or(s.Steps, 40), x.Keyed()
	goal, err := s.goal(ctx, m, of, x)
	if err != nil {
		return row, err
	}
	naive := trusting(of)
	if b, ok := d.(Broken); ok {
		naive, row.Published = b.Naive(m, of, s.Ball), b.Published()
	}
	judge := attack.Judge{Ball: s.Ball, Goal: goal, Seed: s.Seed}
	knowing := attack.Ensemble{attack.PGD{Steps: s.Steps}, attack.PGD{Steps: s.Steps, Loss: attack.Margin}}
	fell := make([]bool, x.N)
	for _, part := range []struct {
		a    attack.Attack
		name *string
		left *card.Share
	}{{naive, &row.Naive, &row.Claimed}, {attack.Through{Attack: knowing, Model: known}, &row.Knowing, &row.Left}} {
		s.tell(d, part.a)
		r, err := judge.Try(ctx, judged, part.a, x)
		if err != nil {
			return row, err
		}
		*part.name, *part.left, row.Clean = part.a.String(), card.Share{Of: x.N}, card.Share{Of: x.N}
		for i, v := range r.Verdicts {
			if fell[i] = fell[i] || v.Fooled; v.Wrong {
				continue
			}
			row.Clean.Right++
			if !fell[i] {
				part.left.Right++
			}
		}
	}
	row.Flags, err = s.flags(ctx, of, x)
	return row, err
}

func (s Study) tell(d Defence, what fmt.Stringer) {
	if s.Progress != nil {
		s.Progress(fmt.Sprintf("%s: %s", d, what))
	}
}

// flags are what the card says of the defended model.
func (s Study) flags(ctx context.Context, of *interp.Model, x interp.Images) ([]card.Flag, error) {
	c := s.Card
	if c.Radii == nil && c.Attacks == nil {
		c.Norm, c.Radii = s.Ball.Norm(), []float64{s.Ball.Radius()}
		c.Attacks = []attack.Attack{attack.Noise{}, attack.FGSM{}, attack.PGD{Steps: 10}, attack.Square{Queries: 100}}
	}
	c.Seed = cmp.Or(c.Seed, s.Seed)
	look := make([]int, min(x.N, cmp.Or(s.Look, 24)))
	for k := range look {
		look[k] = k * x.N / len(look)
	}
	report, err := c.Of(ctx, of, x.Pick(look...))
	return report.Flags, err
}

// goal is that of attacks: of a detector, the second likeliest class of each image.
func (s Study) goal(ctx context.Context, m, of *interp.Model, x interp.Images) (attack.Goal, error) {
	if !slices.Contains(of.Classes(), Refused) {
		return attack.Goal{}, nil
	}
	p, err := m.Predict(ctx, x)
	if err != nil {
		return attack.Goal{}, err
	}
	var target []int
	for i := range x.N {
		two := p.Top(i, 2)
		if two[0] == x.Class[i] && len(two) > 1 {
			two = two[1:]
		}
		target = append(target, two[0])
	}
	return attack.To(target...), nil
}
