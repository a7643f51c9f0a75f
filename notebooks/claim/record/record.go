// Package record is what a notebook's output holds of a claim: package claim writes it in a cell, and whatever runs or
// grades notebooks reads it.
package record

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"lucigo/notebooks/internal/number"
)

// MediaType is the type of a claim's JSON among the representations of an output.
const MediaType = "application/vnd.lucigo.claim+json"

// Place marks where the measured number belongs in a sentence.
const Place = "%v"

// A Relation is what must be true of the measured number and the bound.
type Relation string

// The relations. None holds for a value that is not a number.
const (
	AtMost  Relation = "<="
	AtLeast Relation = ">="
	Less    Relation = "<"
	Greater Relation = ">"
	Equal   Relation = "=="
)

var relations = map[Relation]struct {
	words string
	holds func(measured, bound float64) bool
}{
	AtMost:  {"at most", func(m, b float64) bool { return m <= b }},
	AtLeast: {"at least", func(m, b float64) bool { return m >= b }},
	Less:    {"less than", func(m, b float64) bool { return m < b }},
	Greater: {"more than", func(m, b float64) bool { return m > b }},
	Equal:   {"exactly", func(m, b float64) bool { return m == b }},
}

// Claim is a sentence about a measured number, which is true if the number is in the Relation to Bound.
type Claim struct {
	Sentence string   `json:"sentence"` // has one Place
	Measured Number   `json:"measured"`
	Relation Relation `json:"relation"`
	Bound    float64  `json:"bound"`
}

// Number is a float64 whose JSON is a string where JSON has no such number: NaN, +Inf or -Inf.
type Number float64

// MarshalJSON writes a finite number as JSON does.
func (n Number) MarshalJSON() ([]byte, error) {
	if v := float64(n); math.IsNaN(v) || math.IsInf(v, 0) {
		return json.Marshal(strconv.FormatFloat(v, 'g', -1, 64))
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON reads what MarshalJSON writes.
func (n *Number) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseFloat(strings.Trim(string(b), `"`), 64)
	*n = Number(v)
	return err
}

// Read reads a claim's JSON. What is not a claim by Check is an error too.
func Read(b []byte) (Claim, error) {
	c := Claim{Measured: Number(math.NaN())} // where there is none
	err := json.Unmarshal(b, &c)
	if err == nil {
		err = c.Check()
	}
	return c, err
}

// Check returns an error if c is not a claim: it says nothing of its number, or no number could make it false.
func (c Claim) Check() error {
	switch {
	case strings.Count(c.Sentence, Place) != 1:
		return fmt.Errorf("claim: Sentence is %q, must have one %s, where the number belongs", c.Sentence, Place)
	case strings.TrimSpace(strings.Replace(c.Sentence, Place, "", 1)) == "":
		return fmt.Errorf("claim: Sentence is %q, must have words", c.Sentence)
	case relations[c.Relation].holds == nil:
		return fmt.Errorf("claim: Relation of %q is %q, must be <=, >=, <, > or ==", c.Sentence, c.Relation)
	case math.IsNaN(c.Bound) || math.IsInf(c.Bound, 0):
		return fmt.Errorf("claim: Bound of %q is %g, must be finite", c.Sentence, c.Bound)
	}
	return nil
}

// Holds says whether the claim is true.
func (c Claim) Holds() bool {
	r, ok := relations[c.Relation]
	return ok && r.holds(float64(c.Measured), c.Bound)
}

// Parts are the sentence on one line, before and after its number, the number as people read it, and what is required
// of it, such as "more than 1".
func (c Claim) Parts() (before, measured, after, required string) {
	before, after, _ = strings.Cut(strings.Join(strings.Fields(c.Sentence), " "), Place)
	measured, bound := number.Apart(float64(c.Measured), c.Bound)
	return before, measured, after, relations[c.Relation].words + " " + bound
}

// String is the sentence with its number and what is required of it: "The energy rises by a factor of 2.42 (required:
// more than 1)".
func (c Claim) String() string {
	before, measured, after, required := c.Parts()
	return before + measured + after + " (required: " + required + ")"
}

// Name is the sentence without its number: the same in every run.
func (c Claim) Name() string {
	before, _, after, _ := c.Parts()
	return before + "…" + after
}
