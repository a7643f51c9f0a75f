package channel_test

import (
	"context"
	"fmt"
	"log"

	"lucigo/interp/channel"
	"lucigo/interp/objective"
	"lucigo/models/scenes"
)

// The units that speak for an answer, and what the logit loses without them.
func Example() {
	ctx := context.Background()
	m, err := scenes.Standard()
	if err != nil {
		log.Fatal(err)
	}
	x := scenes.Task{}.Images(1, 1, 64)
	shares, err := channel.Attribution{}.At(ctx, m, objective.Logit, x, "mixed4b")
	if err != nil {
		log.Fatal(err)
	}
	units, err := channel.Top(shares[0].Rows, 8)
	if err != nil {
		log.Fatal(err)
	}
	costs, err := channel.Ablation{Layer: "mixed4b"}.Costs(ctx, m, objective.Logit, x, units)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("8 of %d units: more than a quarter of the logit: %t\n", shares[0].Shape[0], costs[0] > shares[0].Score[0]/4)
	// Output:
	// 8 of 272 units: more than a quarter of the logit: true
}
