package headless

import (
	"fmt"

	"lucigo/kernel/notebook"
	"lucigo/notebooks/claim/record"
)

// claims lists the claims among the cell's outputs. One that cannot be read is an error: it might be false.
func claims(c *notebook.Cell) (list []record.Claim, err error) {
	for _, out := range c.Outputs {
		if raw, ok := out.Data[record.MediaType]; ok {
			claim, err := record.Read(raw)
			if err != nil {
				return list, fmt.Errorf("an output is not the claim that it should be: %w", err)
			}
			list = append(list, claim)
		}
	}
	return list, nil
}
