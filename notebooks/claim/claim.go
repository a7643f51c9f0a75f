// Package claim states what a notebook's figures show as sentences that a run checks.
//
// A claim is a sentence, a measured value and a bound. It is displayed as a row, and a headless run
// collects it: the run fails in the end if a claim does not hold, the cell goes on.
//
//	must.M(claim.AtMost("The gradient equals finite differences (relative error).", err, 1e-6))
//
// Outside a notebook the row goes to standard output.
package claim

import (
	"fmt"
	"math"
	"strings"

	"lucigo/notebooks/internal/cell"
	"lucigo/notebooks/internal/number"
)

// MediaType is the type of a claim's data in a notebook's output: an object of sentence, measured,
// relation, bound, unit and holds. It has no "measured" where the value is infinite or not a number.
const MediaType = "application/vnd.lucigo.claim+json"

// A Relation is how the measured value must stand to the bound.
type Relation string

// The relations. None holds for a value that is not a number.
const (
	LE Relation = "<="
	GE Relation = ">="
	LT Relation = "<"
	GT Relation = ">"
	EQ Relation = "=="
)

// Claim is a sentence that holds if Measured stands in the Relation to Bound.
type Claim struct {
	Sentence string
	Measured float64
	Relation Relation
	Bound    float64
	Unit     string // of Measured and Bound; "" where they have none
}

// AtMost shows the claim that measured ≤ bound. Its error says that it could not be shown, not that it
// is false.
func AtMost(sentence string, measured, bound float64) error {
	return Claim{Sentence: sentence, Measured: measured, Relation: LE, Bound: bound}.Show()
}

// AtLeast shows the claim that measured ≥ bound, with errors as AtMost's.
func AtLeast(sentence string, measured, bound float64) error {
	return Claim{Sentence: sentence, Measured: measured, Relation: GE, Bound: bound}.Show()
}

// Less shows the claim that measured < bound, with errors as AtMost's.
func Less(sentence string, measured, bound float64) error {
	return Claim{Sentence: sentence, Measured: measured, Relation: LT, Bound: bound}.Show()
}

// Greater shows the claim that measured > bound, with errors as AtMost's.
func Greater(sentence string, measured, bound float64) error {
	return Claim{Sentence: sentence, Measured: measured, Relation: GT, Bound: bound}.Show()
}

// Equal shows the claim that measured and bound are the same number, as counts are, with errors as
// AtMost's.
func Equal(sentence string, measured, bound float64) error {
	return Claim{Sentence: sentence, Measured: measured, Relation: EQ, Bound: bound}.Show()
}

// Holds says whether the claim is true.
func (c Claim) Holds() bool {
	switch c.Relation {
	case LE:
		return c.Measured <= c.Bound
	case GE:
		return c.Measured >= c.Bound
	case LT:
		return c.Measured < c.Bound
	case GT:
		return c.Measured > c.Bound
	case EQ:
		return c.Measured == c.Bound
	}
	return false
}

// Check returns an error if c is no claim: it says nothing, or no measurement could make it false.
func (c Claim) Check() error {
	switch {
	case strings.TrimSpace(c.Sentence) == "":
		return fmt.Errorf("a claim without a sentence (measured %g)", c.Measured)
	case sign[c.Relation] == "":
		return fmt.Errorf("claim %q: relation %q is none of <=, >=, <, > and ==", c.Sentence, c.Relation)
	case math.IsNaN(c.Bound) || math.IsInf(c.Bound, 0):
		return fmt.Errorf("claim %q: its bound is %g; a bound is a finite number", c.Sentence, c.Bound)
	}
	return nil
}

// Show displays the claim, true or false. Its error says that it could not be displayed.
func (c Claim) Show() error {
	if err := c.Check(); err != nil {
		return err
	}
	return cell.Display(cell.Output{HTML: c.HTML(), Text: c.String(), Type: MediaType, Value: c.data()})
}

// String is the claim in one line: verdict, sentence, numbers.
func (c Claim) String() string {
	return fmt.Sprintf("%s %s [%s]", c.verdict(), strings.Join(strings.Fields(c.Sentence), " "), c.numbers())
}

// HTML is the claim as a table of one row, of which only the sentence breaks in a narrow page. Its colours are as far
// from white as from JupyterLab's dark background.
func (c Claim) HTML() string {
	colour := "#1f8a3d"
	if !c.Holds() {
		colour = "#e0323d"
	}
	return fmt.Sprintf(`<table width="100%%" cellpadding="4"><tr>`+
		`<td width="80" nowrap="nowrap" align="left" style="text-align:left;color:%s"><b>%s</b></td>`+
		`<td align="left" style="text-align:left">%s</td>`+
		`<td width="25%%" nowrap="nowrap" align="right" style="text-align:right;color:%[1]s">%[4]s</td></tr></table>`,
		colour, c.verdict(), cell.Escape(c.Sentence), cell.Escape(c.numbers()))
}

func (c Claim) verdict() string {
	if c.Holds() {
		return "✓ holds"
	}
	return "✗ FAILS"
}

var sign = map[Relation]string{LE: "≤", GE: "≥", LT: "<", GT: ">", EQ: "="}

// numbers writes a claim that holds as "0.1 ≤ 0.5 s", and one that fails as "0.7 s, not ≤ 0.5 s".
func (c Claim) numbers() string {
	measured, bound := number.Apart(c.Measured, c.Bound)
	unit := ""
	if c.Unit != "" {
		unit = " " + c.Unit
	}
	if c.Holds() {
		return measured + " " + sign[c.Relation] + " " + bound + unit
	}
	return measured + unit + ", not " + sign[c.Relation] + " " + bound + unit
}

func (c Claim) data() map[string]any {
	d := map[string]any{"sentence": c.Sentence, "relation": string(c.Relation), "bound": c.Bound, "unit": c.Unit, "holds": c.Holds()}
	if !math.IsNaN(c.Measured) && !math.IsInf(c.Measured, 0) { // JSON has neither
		d["measured"] = c.Measured
	}
	return d
}
