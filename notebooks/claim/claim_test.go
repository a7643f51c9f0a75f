package claim_test

import (
	"encoding/xml"
	"io"
	"math"
	"strings"
	"testing"

	"lucigo/notebooks/claim"
)

func TestHolds(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	below := math.Nextafter(1, 0)
	for _, c := range []struct {
		measured           float64
		le, ge, lt, gt, eq bool
	}{
		{1, true, true, false, false, true},
		{below, true, false, true, false, false},
		{2, false, true, false, true, false},
		{inf, false, true, false, true, false},
		{-inf, true, false, true, false, false},
		{nan, false, false, false, false, false},
	} {
		for relation, want := range map[claim.Relation]bool{claim.LE: c.le, claim.GE: c.ge, claim.LT: c.lt, claim.GT: c.gt, claim.EQ: c.eq} {
			if got := (claim.Claim{Sentence: "s", Measured: c.measured, Relation: relation, Bound: 1}).Holds(); got != want {
				t.Errorf("%g %s 1: holds is %v", c.measured, relation, got)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	good := claim.Claim{Sentence: "Pigs fly.", Measured: math.NaN(), Relation: claim.LT, Bound: 1}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		change func(*claim.Claim)
		says   string
	}{
		{func(c *claim.Claim) { c.Sentence = " \n" }, "without a sentence"},
		{func(c *claim.Claim) { c.Relation = "" }, `"Pigs fly.": relation "" is none of`},
		{func(c *claim.Claim) { c.Relation = "!=" }, `relation "!="`},
		{func(c *claim.Claim) { c.Bound = math.NaN() }, "its bound is NaN"},
		{func(c *claim.Claim) { c.Bound = math.Inf(-1) }, "its bound is -Inf"},
	} {
		bad := good
		c.change(&bad)
		for _, err := range []error{bad.Check(), bad.Show()} {
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%+v: error %v, want one that says %q", bad, err, c.says)
			}
		}
	}
}

func TestString(t *testing.T) {
	for _, c := range []struct {
		claim claim.Claim
		want  string
	}{
		{claim.Claim{Sentence: "It is quick.", Measured: .25, Relation: claim.LE, Bound: .6, Unit: "s"}, "✓ holds It is quick. [0.25 ≤ 0.6 s]"},
		{claim.Claim{Sentence: "It is\n quick.", Measured: .75, Relation: claim.LE, Bound: .6, Unit: "s"}, "✗ FAILS It is quick. [0.75 s, not ≤ 0.6 s]"},
		{claim.Claim{Sentence: "Same.", Measured: math.NaN(), Relation: claim.EQ, Bound: 50}, "✗ FAILS Same. [NaN, not = 50]"},
		{claim.Claim{Sentence: "Close.", Measured: 0.01000001, Relation: claim.LT, Bound: 0.01}, "✗ FAILS Close. [0.01000001, not < 0.01]"},
	} {
		if got := c.claim.String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// A claim that holds is green, and one that fails is red.
func TestColour(t *testing.T) {
	c := claim.Claim{Sentence: "It is quick.", Measured: .5, Relation: claim.LE, Bound: .6}
	holds := c.HTML()
	c.Measured = .7
	fails := c.HTML()
	for _, row := range []struct{ html, colour, other string }{{holds, "#1f8a3d", "#e0323d"}, {fails, "#e0323d", "#1f8a3d"}} {
		if strings.Count(row.html, row.colour) != 2 || strings.Contains(row.html, row.other) {
			t.Errorf("not of the colour %s: %s", row.colour, row.html)
		}
	}
}

// Whatever the sentence and the unit are, the row is well-formed and says them.
func FuzzHTML(f *testing.F) {
	f.Add("a <script>alert('x')</script> & more", "<b>", 1.5)
	f.Add("café \"quoted\" ≤", "%", math.Inf(1))
	f.Fuzz(func(t *testing.T, sentence, unit string, measured float64) {
		c := claim.Claim{Sentence: sentence, Measured: measured, Relation: claim.LT, Bound: 1, Unit: unit}
		row := c.HTML()
		var text strings.Builder
		d := xml.NewDecoder(strings.NewReader(row))
		for {
			token, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%v in %s", err, row)
			}
			switch token := token.(type) {
			case xml.StartElement:
				if !strings.Contains(" table tr td b ", " "+token.Name.Local+" ") {
					t.Fatalf("element %s in %s", token.Name.Local, row)
				}
			case xml.CharData:
				text.Write(token)
			}
		}
		if !strings.Contains(text.String(), readable(sentence)) || !strings.Contains(text.String(), readable(unit)) {
			t.Errorf("%q in %q is shown as %q", sentence, unit, text.String())
		}
	})
}

// readable is s without what no page may hold.
func readable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || r == 0xfffe || r == 0xffff {
			return '\ufffd'
		}
		return r
	}, s)
}

func Example() {
	claim.AtMost("The gradient equals finite differences (relative error).", 3.1e-8, 1e-6)
	claim.AtLeast("More than half of the map lies on the object.", 0.4, 0.5)
	claim.Equal("Fifty units of a layer compile once.", 1, 1)
	claim.Claim{Sentence: "A map takes less than a blink.", Measured: 0.34, Relation: claim.LT, Bound: 0.6, Unit: "s"}.Show()
	// Output:
	// ✓ holds The gradient equals finite differences (relative error). [3.1e-8 ≤ 1e-6]
	// ✗ FAILS More than half of the map lies on the object. [0.4, not ≥ 0.5]
	// ✓ holds Fifty units of a layer compile once. [1 = 1]
	// ✓ holds A map takes less than a blink. [0.34 < 0.6 s]
}
