package measure_test

import (
	"fmt"
	"log"

	"lucigo/interp/measure"
)

// How much of a map lies on the object.
func ExampleMass() {
	saliency := []float64{
		0, 1, 0,
		0, -6, 1,
	}
	object := []float64{
		0, 1, 0,
		0, 1, 0,
	}
	mass, err := measure.Mass(saliency, object)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(mass)
	// Output: 0.875
}

// Two maps that order the pixels alike, in other units.
func ExampleSpearman() {
	rho, err := measure.Spearman([]float64{0.1, 0.2, 0.3, 0.4}, []float64{1, 10, 100, 1000})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(rho)
	// Output: 1
}

// The images that excite a unit most are three cones and a cube.
func ExamplePurity() {
	fmt.Println(measure.Purity([]string{"cone", "cube", "cone", "cone"}))
	// Output: 0.75
}
