package subject_test

import (
	"context"
	"fmt"
	"log"

	"lucigo/notebooks/subject"
)

// A network by its name, and four images of the kind that it was trained on.
func ExampleOpen() {
	s, err := subject.Open(context.Background(), "scenes", "", 4)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Model, s.Images.N, s.Images.H, s.Images.W)
	for _, c := range s.Images.Class {
		fmt.Println(s.Model.ClassName(c))
	}
	// Output:
	// scenes standard 4 64 64
	// dotted torus
	// dotted cube
	// striped cone
	// wood torus
}

// A network's name that was mistyped.
func ExampleNetwork() {
	_, err := subject.Network(context.Background(), "scenes-robst")
	fmt.Println(err)
	// Output: no network "scenes-robst"; near it: scenes, scenes-robust, scenes-dense
}
