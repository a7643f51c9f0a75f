package record

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
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
		for relation, want := range map[Relation]bool{AtMost: c.le, AtLeast: c.ge, Less: c.lt, Greater: c.gt, Equal: c.eq} {
			if got := (Claim{Sentence: "%v", Measured: Number(c.measured), Relation: relation, Bound: 1}).Holds(); got != want {
				t.Errorf("%g %s 1: holds is %v", c.measured, relation, got)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	good := Claim{Sentence: "Pigs fly %v m.", Measured: Number(math.NaN()), Relation: Less, Bound: 1}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		change func(*Claim)
		says   string
	}{
		{func(c *Claim) { c.Sentence = "Pigs fly." }, `Sentence is "Pigs fly.", must have one %v`},
		{func(c *Claim) { c.Sentence = "Pigs fly %v m, or %v." }, "must have one %v"},
		{func(c *Claim) { c.Sentence = " %v\n" }, "must have words"},
		{func(c *Claim) { c.Relation = "" }, `Relation of "Pigs fly %v m." is "", must be`},
		{func(c *Claim) { c.Relation = "!=" }, `is "!=", must be`},
		{func(c *Claim) { c.Bound = math.NaN() }, "is NaN, must be finite"},
		{func(c *Claim) { c.Bound = math.Inf(-1) }, "is -Inf, must be finite"},
	} {
		bad := good
		c.change(&bad)
		if err := bad.Check(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: error %v, want one that says %q", bad, err, c.says)
		}
	}
}

func TestString(t *testing.T) {
	for _, c := range []struct {
		claim      Claim
		want, name string
	}{
		{Claim{"It takes %v s", .25, AtMost, .6}, "It takes 0.25 s (required: at most 0.6)", "It takes … s"},
		{Claim{"It takes\n 50 % more, %v s", .75, AtLeast, .6}, "It takes 50 % more, 0.75 s (required: at least 0.6)", "It takes 50 % more, … s"},
		{Claim{"%v are alike", Number(math.NaN()), Equal, 50}, "NaN are alike (required: exactly 50)", "… are alike"},
		{Claim{"Off by %v", 0.01000001, Less, 0.01}, "Off by 0.01000001 (required: less than 0.01)", "Off by …"},
		{Claim{"Off by %v", Number(math.Inf(1)), Greater, 0}, "Off by ∞ (required: more than 0)", "Off by …"},
	} {
		if got := c.claim.String(); got != c.want || c.claim.Name() != c.name {
			t.Errorf("got %q of name %q, want %q of name %q", got, c.claim.Name(), c.want, c.name)
		}
	}
}

// What is written reads back as the same claim.
func TestLawReadsBack(t *testing.T) {
	for _, v := range []float64{0, -1.5, 1e-300, math.MaxFloat64, math.Inf(1), math.Inf(-1), math.NaN()} {
		for relation := range relations {
			want := Claim{"It is %v, \"so\" <b>", Number(v), relation, -2.5}
			b, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Read(b)
			same := got.Measured == want.Measured || math.IsNaN(float64(got.Measured)) && math.IsNaN(v)
			if got.Measured, want.Measured = 0, 0; err != nil || !same || got != want {
				t.Errorf("%s is read as %+v, %v", b, got, err)
			}
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for _, s := range []string{"", "[]", `{"sentence":3}`, `{"sentence":"%v so","relation":"<","bound":1,"measured":"much"}`,
		`{"sentence":"so","relation":"<","bound":1,"measured":0}`, `{"sentence":"%v so","relation":"?","bound":1,"measured":0}`} {
		if c, err := Read([]byte(s)); err == nil {
			t.Errorf("%s is read as %+v", s, c)
		}
	}
	c, err := Read([]byte(`{"sentence":"%v so","relation":"<","bound":1}`))
	if err != nil || c.Holds() {
		t.Errorf("a claim without a number: %+v, %v", c, err)
	}
}
