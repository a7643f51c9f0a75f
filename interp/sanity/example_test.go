package sanity_test

import (
	"context"
	"fmt"
	"log"

	"lucigo/interp/interptest"
	"lucigo/interp/saliency"
	"lucigo/interp/sanity"
)

// Edges of the image are the same whatever the network has learnt.
func ExampleCard() {
	m := interptest.Branchy()
	card := sanity.Card{Check: sanity.Check{Methods: []saliency.Method{saliency.Edge{}}}}
	r, err := card.Of(context.Background(), m, interptest.Images(m, 2, 1))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Methods[0], r.Verdicts[0])
	// Output: edges does not look at the network
}
