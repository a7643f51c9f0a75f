package subject_test

import (
	"context"
	"fmt"
	"log"

	"lucigo/models"
	"lucigo/models/scenes"
	"lucigo/notebooks/subject"
)

// A network by its name, and four images of the kind that it was trained on.
func ExampleOpen() {
	n, err := subject.Open(context.Background(), "scenes")
	if err != nil {
		log.Fatal(err)
	}
	s, err := n.Subject(context.Background(), "", 4)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n, s.Images.N, s.Images.H, s.Images.W)
	for _, c := range s.Images.Class {
		fmt.Println(n.ClassName(c))
	}
	// Output:
	// scenes standard 4 64 64
	// dotted torus
	// dotted cube
	// striped cone
	// wood torus
}

// A network's name that was mistyped.
func ExampleOpen_mistyped() {
	_, err := subject.Open(context.Background(), "scenes-robst")
	fmt.Println(err)
	// Output: models: no network "scenes-robst"; near it: scenes, scenes-robust, scenes-dense
}

// A network that is open already, and what a notebook should know of it: photographs are brought to a shorter side
// of 72 pixels.
func ExampleNetwork() {
	m, err := scenes.AllConv()
	if err != nil {
		log.Fatal(err)
	}
	n := subject.Network{Model: m, Known: models.Network{Pictures: models.Pictures{Short: 72}}}
	stages, err := n.Stages()
	fmt.Println(stages, err)
	// Output: [conv1 conv2 conv4 conv5 conv7] <nil>
}
