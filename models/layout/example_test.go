package layout_test

import (
	"fmt"

	"lucigo/models/layout"
)

// The weights of a dense layer of two units that see three numbers each, a row a unit, become a column a unit.
func ExampleHWIO() {
	fmt.Println(layout.HWIO([]int{1, 2, 3, 10, 20, 30}, 2, 3, 1, 1))
	// Output: [1 10 2 20 3 30]
}
