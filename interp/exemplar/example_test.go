package exemplar_test

import (
	"context"
	"fmt"
	"strings"

	"lucigo/interp/exemplar"
	"lucigo/models/scenes"
)

// The generated scenes that a trained network takes most for a striped cube.
func Example() {
	ctx := context.Background()
	m, err := scenes.Standard()
	if err != nil {
		fmt.Println(err)
		return
	}
	class, err := m.Class("striped cube")
	if err != nil {
		fmt.Println(err)
		return
	}
	ix, err := exemplar.Scan{Layers: []string{"logits"}, K: 3}.Run(ctx, m, scenes.Stream{Seed: 2, N: 64})
	if err != nil {
		fmt.Println(err)
		return
	}
	best, err := ix.Top("logits", class)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range best {
		name, _, _ := strings.Cut(e.Name, " #") // behind it the scene's number
		fmt.Println(name)
	}
	// Output:
	// striped cube
	// striped cube
	// striped cube
}
