package objective_test

import (
	"context"
	"fmt"
	"log"

	"lucigo/interp/objective"
	"lucigo/models/scenes"
)

// Objectives name all of what they ask, and add up.
func Example() {
	fmt.Println(objective.LogitOf(0).Minus(objective.LogitOf(1)))
	fmt.Println(objective.Channel("mixed4a", 6).Plus(objective.Neuron("conv1", 3, 4, 11).Times(0.5)))
	// Output:
	// (logit 0 − logit 1)
	// (mixed4a channel 6 + (0.5 × conv1 (3, 4) channel 11))
}

// The probability that a network gives to what each image shows.
func ExampleProb() {
	m, err := scenes.Standard()
	if err != nil {
		log.Fatal(err)
	}
	x := scenes.Task{}.Images(1, 2, 64)
	p, err := m.Score(context.Background(), objective.Prob, x)
	if err != nil {
		log.Fatal(err)
	}
	for i, c := range x.Class {
		fmt.Println(m.ClassName(c), p[i] > 0.5)
	}
	// Output:
	// striped cone true
	// striped cube true
}
