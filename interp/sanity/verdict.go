package sanity

import (
	"context"
	"fmt"
	"math"

	"lucigo/interp"
	"lucigo/interp/measure"
)

// Curve returns a similarity of a method's maps with those of each variant.
func (r Report) Curve(s Similarity, method int) []measure.Estimate {
	var all []measure.Estimate
	for _, values := range r.Values[s][method] {
		all = append(all, measure.Estimated(values))
	}
	return all
}

// Card asks of each method whether its maps follow what the network has learnt.
type Card struct {
	Check
	Seed int64 // of the weights that are drawn; another seed, other networks
}

// Result is a card that is filled in.
type Result struct {
	Report // of Cascade

	// Level are similarities of the maps of two networks that have nothing in common but their layers, both of new weights: what
	// is left where a method forgets the network that was under test. Level[s][k] is similarity s of method k.
	Level [][]measure.Estimate

	Verdicts []Verdict // of each method
}

// Verdict is what a card says of a method.
type Verdict int

// The verdicts. They are of what a method Keeps.
const (
	// Undecided is said where too many maps have no rank.
	Undecided Verdict = iota

	// Follows is said where less than .4 is kept: maps of a network that knows no class any more are other maps.
	Follows

	// TopBlind is said where at least .4 is kept: a network whose upper half is random gives nearly the same picture.
	TopBlind

	// Blind is said where even maps of two networks with nothing in common are the same: the picture is of the image alone.
	Blind
)

const (
	same = .9 // a rank correlation from which on maps are taken for the same
	half = .4 // of what is kept, from which on a method does not notice
)

// String is what the card says.
func (v Verdict) String() string {
	switch v {
	case Follows:
		return "follows what the network has learnt"
	case TopBlind:
		return "does not notice that the upper half of the network is random"
	case Blind:
		return "does not look at the network"
	}
	return "is undecided"
}

// Of fills in the card of m with the images x.
func (c Card) Of(ctx context.Context, m *interp.Model, x interp.Images) (Result, error) {
	var r Result
	x, err := m.Resolve(ctx, c.objective(), x)
	if err != nil {
		return r, err
	}
	variants, err := Cascade(m, c.Seed)
	if err != nil {
		return r, err
	}
	if r.Report, err = c.Run(ctx, m, variants, x); err != nil {
		return r, err
	}
	one := variants[len(variants)-1].Model // all of it is new
	other, err := Redraw(m, c.Seed+1)
	if err != nil {
		return r, err
	}
	if c.Path != "" {
		c.Path += ".level"
	}
	level, err := c.Run(ctx, one, []Variant{{Name: "another random network", Model: other}}, x)
	if err != nil {
		return r, err
	}
	for s := range similarities {
		var of []measure.Estimate
		for k := range level.Methods {
			of = append(of, level.Curve(s, k)[0])
		}
		r.Level = append(r.Level, of)
	}
	for k := range r.Methods {
		r.Verdicts = append(r.Verdicts, r.verdict(k))
	}
	return r, nil
}

// Kept is how much of the likeness of a method's maps is left when the upper half of the network is random, beyond what two networks
// with nothing in common share: (s − l) / (1 − l), where s is the rank correlation with that variant and l the Level, of magnitudes or
// with signs, whichever is more. It is 1 where the maps stay as they are, and about 0 where they forget the network.
func (r Result) Kept(method int) float64 {
	kept := math.Inf(-1)
	for _, s := range []Similarity{AbsRank, Rank} {
		top, level := r.Curve(s, method)[r.Half()].Mean, r.Level[s][method].Mean
		kept = max(kept, (top-level)/(1-level))
	}
	return kept
}

func (r Result) verdict(k int) Verdict {
	switch kept := r.Kept(k); {
	case r.Level[AbsRank][k].Mean >= same:
		return Blind
	case kept >= half:
		return TopBlind
	case kept < half:
		return Follows
	}
	return Undecided
}

// Half returns the variant in which the upper half of the network is random: the first in which at least half of the blocks are.
func (r Report) Half() int {
	for v, share := range r.Random {
		if share >= .5 {
			return v
		}
	}
	return len(r.Random) - 1
}

// Summary returns a line for each method.
func (r Result) Summary() []string {
	var lines []string
	for k, name := range r.Methods {
		lines = append(lines, fmt.Sprintf("%s %s: it keeps %.2f", name, r.Verdicts[k], r.Kept(k)))
	}
	return lines
}
