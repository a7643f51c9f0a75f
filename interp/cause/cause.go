// Package cause asks whether a map tells what an answer depends on, where that is known: of images that can be drawn again
// without some of their parts. How much the score falls without a part is the truth, and a map's share of the part is what it
// says of it.
//
// The questions are those of FunnyBirds (Hesse, Schaub-Meyer and Roth, ICCV 2023, arXiv:2308.06248): is a map correct,
// complete and contrastive? Where we differ is said at each.
package cause

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"lucigo/internal/parallel"
	"lucigo/interp"
	"lucigo/interp/measure"
)

// Subject is an image that consists of parts, and can be drawn without some of them.
type Subject interface {
	// Parts returns the names of the parts.
	Parts() []string

	// Without returns the image without the given parts, counted as Parts names them: one image, of one size and with the class of
	// the whole, whatever is left out.
	Without(parts ...int) (interp.Images, error)
}

// Case is a subject, and what a network's answer about it truly depends on.
type Case struct {
	Parts []string
	Class int     // that the network gives the whole; all scores are its logits
	Score float64 // of the whole

	// Drop is how much the score falls without each part. It is negative where the score rises.
	Drop []float64

	// Regions are where each part can be seen: 1 for each pixel that changes without it, and 0 elsewhere.
	Regions [][]float64

	subject Subject
	top     map[uint64]int // the class that the network gives the subject without some parts, by the set of these
}

// Cases are subjects that a network was asked about.
type Cases struct {
	Images interp.Images // of the subjects as they are, asked about the classes that the network gives them
	All    []Case
	Model  *interp.Model
}

// MaxParts is how many parts a subject may have.
const MaxParts = 64

// Measure asks a network about the subjects, as they are and without each of their parts.
func Measure[S Subject](ctx context.Context, m *interp.Model, subjects []S) (Cases, error) {
	if len(subjects) == 0 {
		return Cases{}, errors.New("cause: there are no subjects, must be at least one")
	}
	c := Cases{Model: m, All: make([]Case, len(subjects))}
	drawn := make([][]interp.Images, len(subjects)) // as it is, and then without each part
	failed := make([]error, len(subjects))
	parallel.For(len(subjects), func(i int) {
		if failed[i] = ctx.Err(); failed[i] == nil {
			drawn[i], failed[i] = draw(subjects[i])
		}
	})
	var whole, all []interp.Images
	for i, err := range failed {
		if err != nil {
			return Cases{}, fmt.Errorf("cause: subject %d: %w", i, err)
		}
		whole, all = append(whole, drawn[i][0]), append(all, drawn[i][1:]...)
	}
	var err error
	if c.Images, err = interp.Join(whole...); err != nil {
		return Cases{}, fmt.Errorf("cause: %w", err)
	}
	p, err := m.Predict(ctx, c.Images)
	if err != nil {
		return Cases{}, err
	}
	without, err := interp.Join(all...)
	if err != nil {
		return Cases{}, fmt.Errorf("cause: %w", err)
	}
	q, err := m.Predict(ctx, without)
	if err != nil {
		return Cases{}, err
	}
	c.Images.Class = p.Top1()
	top, k := q.Top1(), 0
	for i, s := range subjects {
		class := c.Images.Class[i]
		one := Case{Parts: s.Parts(), Class: class, Score: p.Logits.Of(i)[class], subject: s, top: map[uint64]int{0: class}}
		for part := range one.Parts {
			one.Drop = append(one.Drop, one.Score-q.Logits.Of(k)[class])
			one.Regions = append(one.Regions, region(c.Images.Slice(i, i+1), without.Slice(k, k+1)))
			one.top[1<<part] = top[k]
			k++
		}
		c.All[i] = one
	}
	return c, nil
}

// draw returns a subject's image as it is, and then without each part.
func draw(s Subject) ([]interp.Images, error) {
	parts := s.Parts()
	if len(parts) == 0 || len(parts) > MaxParts {
		return nil, fmt.Errorf("it has %d parts, must have from 1 to %d", len(parts), MaxParts)
	}
	whole, err := s.Without()
	if err != nil {
		return nil, err
	}
	all := []interp.Images{whole}
	for p := range parts {
		x, err := s.Without(p)
		if err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	for p, x := range all {
		if x.N != 1 || x.H != whole.H || x.W != whole.W || x.C != whole.C {
			return nil, fmt.Errorf("without part %d it is %d images of %d×%d×%d, must be 1 of %d×%d×%d", p-1, x.N, x.H, x.W, x.C, whole.H, whole.W, whole.C)
		}
	}
	return all, nil
}

// region is 1 for each pixel in which two images differ, and 0 elsewhere.
func region(a, b interp.Images) []float64 {
	mask := make([]float64, a.H*a.W)
	for i, v := range a.Pix {
		if v != b.Pix[i] {
			mask[i/a.C] = 1
		}
	}
	return mask
}

// Importance is what a map says of each part: the sum of the map, a number a pixel, over where the part can be seen.
func (c Case) Importance(m []float64) []float64 {
	v := make([]float64, len(c.Parts))
	for p, mask := range c.Regions {
		for i, in := range mask {
			v[p] += in * m[i]
		}
	}
	return v
}

// Correctness is whether a map tells the parts that matter more from those that matter less: Spearman's rank correlation, over
// the parts, of their importance and of the drops of the score, in [−1, 1] (single deletion; FunnyBirds maps it to [0, 1]). A
// subject of fewer than 3 parts has none, NaN, and neither has a map that says the same of all.
func (c Case) Correctness(m []float64) float64 {
	if len(c.Parts) < 3 {
		return math.NaN()
	}
	r, err := measure.Spearman(c.Importance(m), c.Drop)
	if err != nil {
		return math.NaN()
	}
	return r
}

// thresholds are the shares of the largest importance from which on a part counts as important.
var thresholds = []float64{.1, .2, .3, .4, .5, .6, .7, .8, .9}

// important returns the set of parts whose importance is at least a share of the largest; where none is above 0 there is none.
func important(importance []float64, share float64) (set uint64, ok bool) {
	most := slices.Max(importance)
	if !(most > 0) {
		return 0, false
	}
	for p, v := range importance {
		if v >= share*most {
			set |= 1 << p
		}
	}
	return set, true
}

// Completeness is whether the parts that a map calls important are all that the answer needs. Kept is the share of thresholds
// at which the network gives the same class when only they are left (preservation check), Lost that at which it gives another
// without them (deletion check), and Ignored the share of the parts which do not matter that the map does not call important
// (distractibility). A part does not matter where the drop without it is less than a twentieth of the largest.
//
// Where FunnyBirds chooses thresholds for each method, these are means over those from .1 to .9 of the largest importance. A
// map that says of no part that it speaks for the class has none of the three, NaN; and so has Ignored where every part matters.
func (c Cases) Completeness(ctx context.Context, i int, m []float64) (kept, lost, ignored float64, err error) {
	one := c.All[i]
	importance := one.Importance(m)
	if _, ok := important(importance, 1); !ok {
		nan := math.NaN()
		return nan, nan, nan, nil
	}
	all := ^uint64(0) >> (64 - len(one.Parts))
	most := 0.
	for _, d := range one.Drop {
		most = max(most, math.Abs(d))
	}
	var idle uint64
	for p, d := range one.Drop {
		if math.Abs(d) < most/20 {
			idle |= 1 << p
		}
	}
	passed, idles := 0., 0.
	for _, t := range thresholds {
		set, _ := important(importance, t)
		left, err := one.class(ctx, c.Model, all&^set)
		if err != nil {
			return 0, 0, 0, err
		}
		without, err := one.class(ctx, c.Model, set)
		if err != nil {
			return 0, 0, 0, err
		}
		if left == one.Class {
			kept++
		}
		if without != one.Class {
			lost++
		}
		for p := range one.Parts {
			if idle>>p&1 == 1 {
				idles++
				passed += float64(1 - set>>p&1)
			}
		}
	}
	n := float64(len(thresholds))
	return kept / n, lost / n, passed / idles, nil
}

// class returns the class that the network gives the subject without a set of parts.
func (c Case) class(ctx context.Context, m *interp.Model, without uint64) (int, error) {
	if class, ok := c.top[without]; ok {
		return class, nil
	}
	var parts []int
	for p := range c.Parts {
		if without>>p&1 == 1 {
			parts = append(parts, p)
		}
	}
	x, err := c.subject.Without(parts...)
	if err != nil {
		return 0, fmt.Errorf("cause: %w", err)
	}
	p, err := m.Predict(ctx, x)
	if err != nil {
		return 0, err
	}
	c.top[without] = p.Top1()[0]
	return c.top[without], nil
}
