package claim

import (
	"encoding/xml"
	"io"
	"math"
	"strings"
	"testing"

	"lucigo/notebooks/claim/record"
)

// A claim that holds is green, and one that fails is red.
func TestColour(t *testing.T) {
	c := record.Claim{Sentence: "It takes %v s", Measured: .5, Relation: record.AtMost, Bound: .6}
	holds := html(c)
	c.Measured = .7
	fails := html(c)
	for _, row := range []struct{ html, colour, other string }{{holds, "#1f8a3d", "#e0323d"}, {fails, "#e0323d", "#1f8a3d"}} {
		if strings.Count(row.html, row.colour) != 2 || strings.Contains(row.html, row.other) {
			t.Errorf("not of the colour %s: %s", row.colour, row.html)
		}
	}
}

func TestNoClaim(t *testing.T) {
	for _, f := range []func(string, float64, float64) error{AtMost, AtLeast, Less, Greater, Equal} {
		if err := f("It is so", 1, 1); err == nil || !strings.Contains(err.Error(), "must have one %v") {
			t.Errorf("a sentence without a place for its number: %v", err)
		}
	}
}

// Whatever the sentence is, the row is well-formed and says all of it.
func FuzzHTML(f *testing.F) {
	f.Add("a <script>alert('x')</script> & more", "<b>", 1.5)
	f.Add("café \"quoted\" ≤", "%", math.Inf(1))
	f.Fuzz(func(t *testing.T, before, after string, measured float64) {
		c := record.Claim{Sentence: before + " " + record.Place + " " + after, Measured: record.Number(measured), Relation: record.Less, Bound: 1}
		if c.Check() != nil {
			return
		}
		row := html(c)
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
		if want := verdict(c) + readable(c.String()); text.String() != want {
			t.Errorf("%q is shown as %q", want, text.String())
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
	AtMost("The gradient differs from finite differences by %v of its length", 3.1e-8, 1e-6)
	AtLeast("%v of the map lies on the object", 0.4, 0.5)
	Equal("The layer compiles %v program", 1, 1)
	Less("A map takes %v s", 0.34, 0.6)
	// Output:
	// ✓ holds The gradient differs from finite differences by 3.1e-8 of its length (required: at most 1e-6)
	// ✗ FAILS 0.4 of the map lies on the object (required: at least 0.5)
	// ✓ holds The layer compiles 1 program (required: exactly 1)
	// ✓ holds A map takes 0.34 s (required: less than 0.6)
}
