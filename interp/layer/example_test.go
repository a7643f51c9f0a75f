package layer_test

import (
	"fmt"

	"lucigo/interp/layer"
)

// GoogLeNet's first layer halves an image of 224×224 pixels, and its first pool halves that, counting the last,
// partial window too.
func ExampleWindow_Out() {
	h, w := layer.Square(7, 2, 3).Out(224, 224)
	fmt.Println(h, w)
	h, w = layer.Window{Size: [2]int{3, 3}, Stride: [2]int{2, 2}, Ceil: true}.Out(h, w)
	fmt.Println(h, w)
	// Output:
	// 112 112
	// 56 56
}
