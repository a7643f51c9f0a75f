package headless

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"lucigo/kernel/notebook"
)

// claimMIME is the type of the representation that makes a display a claim.
const claimMIME = "application/vnd.lucigo.claim+json"

// Claim is a checked statement that a cell displayed: a figure's caption with a measured value and the bound it is
// held to.
type Claim struct {
	Sentence string   `json:"sentence"`
	Measured *float64 `json:"measured"` // nil: not a finite number
	Relation string   `json:"relation"` // <=, >=, <, > or ==
	Bound    float64  `json:"bound"`
	Unit     string   `json:"unit"`
	Holds    bool     `json:"holds"`
}

// String is the claim with its numbers.
func (c Claim) String() string {
	if c.Relation == "" { // One that could not be read.
		return c.Sentence
	}
	num := func(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }
	measured, not := "no finite number", ""
	if c.Measured != nil {
		measured = num(*c.Measured)
	}
	if !c.Holds {
		not = ", not"
	}
	return strings.TrimSpace(fmt.Sprintf("%s (%s%s %s %s", c.Sentence, measured, not, c.Relation, strings.TrimSpace(num(c.Bound)+" "+c.Unit))) + ")"
}

// claims lists the claims among the cell's outputs. One that cannot be read is a claim that does not hold.
func claims(c *notebook.Cell) []Claim {
	var list []Claim
	for _, out := range c.Outputs {
		raw, ok := out.Data[claimMIME]
		if !ok {
			continue
		}
		var claim Claim
		if err := json.Unmarshal(raw, &claim); err != nil {
			claim = Claim{Sentence: "a claim that cannot be read: " + err.Error()}
		}
		list = append(list, claim)
	}
	return list
}
