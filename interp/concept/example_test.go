package concept_test

import (
	"context"
	"fmt"
	"log"

	"lucigo/interp"
	"lucigo/interp/concept"
	"lucigo/interp/objective"
	"lucigo/models/scenes"
)

// Does the answer "striped cube" depend on stripes? The concept is spheres with stripes, which the network was not trained on, and the
// counterparts are spheres of any surface.
func ExampleStudy() {
	ctx := context.Background()
	m, err := scenes.Standard()
	if err != nil {
		log.Fatal(err)
	}
	spheres := func(seed uint64, n int, surfaces ...scenes.Surface) interp.Images {
		x := scenes.Task{Shapes: []scenes.Shape{scenes.Sphere}, Surfaces: surfaces}.Images(seed, n, 64)
		x.Class = nil
		return x
	}
	stripes := []concept.Set{{Name: "stripes", Images: spheres(1, 24, scenes.Striped)}}
	var random []concept.Set
	for k := range 8 {
		random = append(random, concept.Set{Name: fmt.Sprint("random ", k), Images: spheres(uint64(10+k), 24, scenes.Plain, scenes.Checked, scenes.Marble, scenes.Fur)})
	}
	cubes := scenes.Task{Shapes: []scenes.Shape{scenes.Cube}, Surfaces: []scenes.Surface{scenes.Striped}}.Images(2, 16, 64)
	class, err := m.Class("striped cube")
	if err != nil {
		log.Fatal(err)
	}
	report, err := concept.Study{Layers: []string{"mixed4b"}}.Run(ctx, m, objective.LogitOf(class), stripes, random, cubes)
	if err != nil {
		log.Fatal(err)
	}
	r := report.Layers[0].Results[0]
	fmt.Printf("score %.2f, found %t, significant %t\n", r.Score.Mean, r.Found, r.Corrected < .05)
	// Output: score 1.00, found true, significant true
}
