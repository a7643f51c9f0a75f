//go:build unix

package session

import (
	"encoding/json"
	"fmt"

	"lucigo/notebooks/claim/record"
)

// claims are those that a cell has shown.
type claims struct {
	number, wrong int
	first         string // that does not hold
	unread        error
}

// add takes in a claim's data.
func (c *claims) add(data any) {
	c.number++
	b, err := json.Marshal(data)
	if err == nil {
		var one record.Claim
		if one, err = record.Read(b); err == nil && !one.Holds() {
			if c.wrong++; c.wrong == 1 {
				c.first = one.String()
			}
		}
	}
	if err != nil && c.unread == nil {
		c.unread = err
	}
}

// verdict is the failure of a cell that has shown a claim that does not hold.
func (c *claims) verdict() error {
	switch {
	case c.unread != nil:
		return failure("ClaimError", fmt.Sprintf("an output is not the claim that it should be: %v", c.unread))
	case c.wrong > 1:
		return failure("ClaimError", fmt.Sprintf("%d of %d claims do not hold, the first: %s", c.wrong, c.number, c.first))
	case c.wrong == 1:
		return failure("ClaimError", "a claim does not hold: "+c.first)
	}
	return nil
}
