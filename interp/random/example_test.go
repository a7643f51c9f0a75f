package random_test

import (
	"fmt"

	"lucigo/interp/random"
)

// Any element of any sample of any image can be asked for alone.
func ExampleStream() {
	s := random.New(1, 42, 3) // seed, image, sample
	all := make([]float64, 8)
	s.Normals(all)
	first := make([]float64, 2)
	random.New(1, 42, 3).Normals(first)
	fmt.Println(first[0] == all[0], first[1] == all[1])
	fmt.Println(s.Intn(5, 10) == random.New(1, 42, 3).Intn(5, 10))
	// Output:
	// true true
	// true
}
