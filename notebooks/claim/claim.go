// Package claim states what a notebook's figures show as sentences that a run checks.
//
// A claim is a sentence with a place for a measured number, %v, and a bound for that number. It is displayed as a row,
// true or false, and a headless run collects it: the cell goes on, and the run fails in the end if a claim does not
// hold.
//
//	must.M(claim.AtMost("The gradient differs from finite differences by %v of its length", off, 1e-6))
//
// The row says: ✓ holds, The gradient differs from finite differences by 3.1e-8 of its length (required: at most 1e-6).
// Outside a notebook it goes to standard output.
package claim

import (
	"encoding/json"
	"fmt"

	"lucigo/notebooks/claim/record"
	"lucigo/notebooks/internal/cell"
)

// AtMost shows the claim that measured ≤ bound. Its error says that it could not be shown, not that it is false.
func AtMost(sentence string, measured, bound float64) error {
	return show(record.Claim{Sentence: sentence, Measured: record.Number(measured), Relation: record.AtMost, Bound: bound})
}

// AtLeast shows the claim that measured ≥ bound, with errors as AtMost's.
func AtLeast(sentence string, measured, bound float64) error {
	return show(record.Claim{Sentence: sentence, Measured: record.Number(measured), Relation: record.AtLeast, Bound: bound})
}

// Less shows the claim that measured < bound, with errors as AtMost's.
func Less(sentence string, measured, bound float64) error {
	return show(record.Claim{Sentence: sentence, Measured: record.Number(measured), Relation: record.Less, Bound: bound})
}

// Greater shows the claim that measured > bound, with errors as AtMost's.
func Greater(sentence string, measured, bound float64) error {
	return show(record.Claim{Sentence: sentence, Measured: record.Number(measured), Relation: record.Greater, Bound: bound})
}

// Equal shows the claim that measured and bound are the same number, as counts are, with errors as AtMost's.
func Equal(sentence string, measured, bound float64) error {
	return show(record.Claim{Sentence: sentence, Measured: record.Number(measured), Relation: record.Equal, Bound: bound})
}

func show(c record.Claim) error {
	if err := c.Check(); err != nil {
		return err
	}
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	var data map[string]any
	if err := json.Unmarshal(b, &data); err != nil {
		return err
	}
	return cell.Display(cell.Output{HTML: html(c), Text: verdict(c) + " " + c.String(), Type: record.MediaType, Value: data})
}

// html is the claim as a table of one row. Its colours are as far from white as from JupyterLab's dark background.
func html(c record.Claim) string {
	colour := "#1f8a3d"
	if !c.Holds() {
		colour = "#e0323d"
	}
	before, measured, after, required := c.Parts()
	return fmt.Sprintf(`<table width="100%%" cellpadding="4"><tr>`+
		`<td width="80" nowrap="nowrap" align="left" style="text-align:left;color:%[1]s"><b>%[2]s</b></td>`+
		`<td align="left" style="text-align:left">%[3]s<b style="color:%[1]s">%[4]s</b>%[5]s (required: %[6]s)</td></tr></table>`,
		colour, verdict(c), cell.Escape(before), cell.Escape(measured), cell.Escape(after), cell.Escape(required))
}

func verdict(c record.Claim) string {
	if c.Holds() {
		return "✓ holds"
	}
	return "✗ FAILS"
}
