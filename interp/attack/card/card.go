// Package card says in one call how robust a network is, and whether to believe it: accuracy against the radius for several
// attacks, accuracy under corruptions, and flags that something is wrong with the evaluation itself.
//
//	report, err := card.Card{}.Of(ctx, m, x)
package card

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"lucigo/interp"
	"lucigo/interp/attack"
	"lucigo/interp/objective"
)

// Card says what a network is examined with. The zero Card is good for a first look at some hundred images.
type Card struct {
	Norm attack.Norm // 0 is L∞; L0 has no card

	// Radii are those of the balls, in ascending order; nil is 1, 2, 4, 8 and 16 255ths in L∞, .1, .25, .5, 1 and 2 in L2, and
	// 1, 3, 6, 12 and 24 in L1.
	Radii []float64

	// Attacks are what each ball is searched with; nil is 10 images of noise, FGSM, PGD, APGD on the margin, and the square
	// attack with 500 queries: a control, one step, many steps, no step size to get wrong, and no gradient.
	Attacks []attack.Attack

	Seed uint64

	// Progress, if it is not nil, is told what is done next, and how many of such parts are done.
	Progress func(what string, done, of int)
}

// Report is what came of it. Where it was interrupted it has what was measured until then, and no flag that needs more.
type Report struct {
	Model string
	Norm  attack.Norm
	Clean Share

	Lines []Line // accuracy against the radius, an attack each

	// Worst is the accuracy against all attacks together, those with smaller radii included.
	Worst Line

	Corruptions []Line // accuracy against the severity, a corruption each
	Flags       []Flag
}

// Line is a curve. At has the radii or severities that were measured.
type Line struct {
	Name  string
	At    []float64
	Right []Share
}

// Values returns the shares and their intervals, as a figure draws them.
func (l Line) Values() (share, low, high []float64) {
	for _, s := range l.Right {
		a, b := s.Interval()
		share, low, high = append(share, s.Value()), append(low, a), append(high, b)
	}
	return share, low, high
}

// examination is a card that is being filled in.
type examination struct {
	Card
	ctx      context.Context
	model    *interp.Model
	images   interp.Images // with their true classes
	right    interp.Images // those that the network gets right
	answers  []int         // to all images
	report   *Report
	results  [][]attack.Result // of each attack at each radius, over the right images
	done, of int
	blind    bool // gradients cannot be computed
}

// Of examines m with the images x. Their classes are the true ones; where they have none, the network's own answers are.
func (c Card) Of(ctx context.Context, m *interp.Model, x interp.Images) (Report, error) {
	var err error
	if c, err = c.filled(); err != nil {
		return Report{}, err
	}
	if err := x.Check(); err != nil {
		return Report{}, fmt.Errorf("card: %w", err)
	}
	if x, err = m.Resolve(ctx, objective.Logit, x.Keyed()); err != nil {
		return Report{}, err
	}
	r := Report{Model: m.Name(), Norm: c.Norm, Worst: Line{Name: "worst case"}}
	e := examination{Card: c, ctx: ctx, model: m, images: x, report: &r}
	e.of = len(c.Radii)*len(c.Attacks) + len(Corruptions)*Severities + 2
	err = e.run()
	return r, err
}

func (c Card) filled() (Card, error) {
	if c.Norm == 0 {
		c.Norm = attack.NormInf
	}
	if c.Radii == nil {
		switch c.Norm {
		case attack.NormInf:
			c.Radii = []float64{1. / 255, 2. / 255, 4. / 255, 8. / 255, 16. / 255}
		case attack.Norm2:
			c.Radii = []float64{.1, .25, .5, 1, 2}
		case attack.Norm1:
			c.Radii = []float64{1, 3, 6, 12, 24}
		}
	}
	if c.Attacks == nil {
		c.Attacks = []attack.Attack{attack.Noise{Tries: 10}, attack.FGSM{}, attack.PGD{}, attack.APGD{Loss: attack.Margin}, attack.Square{Queries: 500}}
	}
	switch {
	case !slices.Contains([]attack.Norm{attack.NormInf, attack.Norm2, attack.Norm1}, c.Norm):
		return c, fmt.Errorf("card: Norm is %s, must be L∞, L2 or L1", c.Norm)
	case len(c.Radii) == 0 || !slices.IsSorted(c.Radii) || !(c.Radii[0] > 0):
		return c, fmt.Errorf("card: Radii is %g, must be above 0 and ascend", c.Radii)
	case len(c.Attacks) == 0 || slices.Contains(c.Attacks, nil):
		return c, errors.New("card: Attacks has none, or nil among them")
	}
	return c, nil
}

// step begins a part.
func (e *examination) step(what string) {
	if e.Progress != nil {
		e.Progress(what, e.done, e.of)
	}
	e.done++
}

func (e *examination) run() error {
	e.step("looking at the network")
	p, err := e.model.Predict(e.ctx, e.images)
	if err != nil {
		return err
	}
	var right []int
	e.answers = p.Top1()
	for i, top := range e.answers {
		if top == e.images.Class[i] {
			right = append(right, i)
		}
	}
	e.right = e.images.Pick(right...)
	e.report.Clean = Share{e.right.N, e.images.N}
	if err := e.look(p); err != nil {
		return err
	}
	if err := e.corruptions(); err != nil || e.right.N == 0 {
		return err
	}
	if err := e.attacks(); err != nil {
		return err
	}
	return e.compare()
}

// corruptions measures the accuracy on corrupted images.
func (e *examination) corruptions() error {
	for _, c := range Corruptions {
		if c == JPEG && e.images.C != 1 && e.images.C != 3 {
			continue
		}
		e.report.Corruptions = append(e.report.Corruptions, Line{Name: c.String(), At: []float64{0}, Right: []Share{e.report.Clean}})
		line := &e.report.Corruptions[len(e.report.Corruptions)-1]
		for severity := 1; severity <= Severities; severity++ {
			e.step(c.String())
			x, err := c.Of(e.images, severity, e.Seed)
			if err != nil {
				return err
			}
			p, err := e.model.Predict(e.ctx, x)
			if err != nil {
				return err
			}
			right := 0
			for i, top := range p.Top1() {
				if top == x.Class[i] {
					right++
				}
			}
			line.At, line.Right = append(line.At, float64(severity)), append(line.Right, Share{right, x.N})
		}
	}
	return nil
}

// attacks measures the accuracy under attack, one radius after the other.
func (e *examination) attacks() error {
	r := e.report
	for _, a := range e.Attacks {
		r.Lines = append(r.Lines, Line{Name: a.String(), At: []float64{0}, Right: []Share{r.Clean}})
	}
	r.Worst.At, r.Worst.Right = []float64{0}, []Share{r.Clean}
	e.results = make([][]attack.Result, len(e.Attacks))
	fell := make([]bool, e.right.N)
	for _, radius := range e.Radii {
		for k, a := range e.Attacks {
			e.step(a.String())
			result, err := attack.Judge{Ball: e.Norm.Ball(radius), Seed: e.Seed}.Try(e.ctx, e.model, a, e.right)
			if e.blind && err != nil && e.ctx.Err() == nil {
				continue
			}
			if err != nil {
				return err
			}
			left := 0
			for i, v := range result.Verdicts {
				fell[i] = fell[i] || v.Fooled
				if !v.Fooled {
					left++
				}
			}
			line := &r.Lines[k]
			line.At, line.Right = append(line.At, radius), append(line.Right, Share{left, e.images.N})
			e.results[k] = append(e.results[k], result)
		}
		left := 0
		for _, f := range fell {
			if !f {
				left++
			}
		}
		r.Worst.At, r.Worst.Right = append(r.Worst.At, radius), append(r.Worst.Right, Share{left, e.images.N})
	}
	return nil
}
