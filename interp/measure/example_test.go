package measure_test

import (
	"context"
	"fmt"
	"log"
	"math"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/layer"
	"lucigo/interp/measure"
	"lucigo/interp/objective"
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

// Maps of one structure, the second twice as strong, and one of another.
func ExampleSSIM() {
	a, twice, other := make([]float64, 16*16), make([]float64, 16*16), make([]float64, 16*16)
	for p := range a {
		a[p] = math.Sin(float64(p))
		twice[p], other[p] = 2*a[p], math.Cos(float64(p)*2)
	}
	for _, b := range [][]float64{twice, other} {
		s, err := measure.SSIM{}.Of(a, b, 16)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(s > .9)
	}
	// Output:
	// true
	// false
}

// The probability that a pixel of the object has more than one beside it: it has in 5 of 6 pairs.
func ExampleAUROC() {
	saliency := []float64{.9, .5, .4, .1, 0}
	object := []float64{1, 0, 1, 0, 0}
	area, err := measure.AUROC(saliency, object)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.2f\n", area)
	// Output: 0.83
}

// Of three images a measure is defined in two.
func ExampleEstimated() {
	e := measure.Estimated([]float64{.5, math.NaN(), .7})
	fmt.Printf("%.2f, from %.2f to %.2f, of %d images\n", e.Mean, e.Low, e.High, e.N)
	// Output: 0.60, from -0.67 to 1.87, of 2 images
}

// halves is a network of images of 4×4 pixels, whose logits are the sums of the left half's pixels and of the right half's, and an
// image that is bright on the left.
func halves() (*interp.Model, interp.Images) {
	x := interp.Images{N: 1, H: 4, W: 4, C: 1, Class: []int{0}}
	var sums []float64
	for p := range 16 {
		left := 1 - float64(p%4/2)
		x.Pix = append(x.Pix, .2+.6*left)
		sums = append(sums, left, 1-left)
	}
	weights, err := interp.NewWeight(sums, 16, 2)
	if err != nil {
		log.Fatal(err)
	}
	biases, err := interp.NewWeight([]float64{0, 0}, 2)
	if err != nil {
		log.Fatal(err)
	}
	m, err := interp.New(interp.Spec{Name: "halves", Input: [3]int{4, 4, 1}, Classes: []string{"left", "right"},
		Forward: func(s *model.Scope, x *graph.Node) *graph.Node {
			return layer.Dense(s.At("logits"), layer.Flatten(x), 2)
		},
		Weights: interp.Weights{"/logits/weights": weights, "/logits/biases": biases}})
	if err != nil {
		log.Fatal(err)
	}
	return m, x
}

// The pixels that matter go first, and the score is gone when half of them are: a small area.
func ExampleDeletion() {
	m, x := halves()
	wrong := make([]float64, 16) // says that dark pixels matter
	for p, v := range x.Pix {
		wrong[p] = 1 - v
	}
	for _, saliency := range [][]float64{x.Pix, wrong} {
		area, err := measure.Deletion{}.Of(context.Background(), m, objective.Logit, x, [][]float64{saliency})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%.1f\n", area[0])
	}
	// Output:
	// 1.6
	// 4.8
}

// As much as the score falls when the pixels that matter are imputed first, and not last.
func ExampleROAD() {
	m, x := halves()
	gain, err := measure.ROAD{Shares: []float64{.25, .5}}.Of(context.Background(), m, objective.Logit, x, [][]float64{x.Pix})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(gain[0] > .5)
	// Output: true
}

// The gradient of a linear network says what any change does to the score. Twice the gradient does not.
func ExampleInfidelity() {
	m, x := halves()
	slopes, err := m.Gradient(context.Background(), objective.Logit, nil, x)
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		infidelity, err := measure.Infidelity{}.Of(context.Background(), m, objective.Logit, x, slopes)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(infidelity[0] < 1e-6)
		for p := range slopes.Pix {
			slopes.Pix[p] *= 2
		}
	}
	// Output:
	// true
	// false
}
