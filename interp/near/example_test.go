package near_test

import (
	"fmt"

	"lucigo/interp/near"
)

// A name that was mistyped.
func ExampleError() {
	fmt.Println(near.Error("layer", "mixd4a", []string{"conv1", "mixed3a", "mixed4a", "logits"}))
	// Output: no layer "mixd4a"; near it: mixed4a, mixed3a
}
