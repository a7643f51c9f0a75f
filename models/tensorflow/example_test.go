package tensorflow_test

import (
	"fmt"

	"lucigo/models/tensorflow"
	"lucigo/models/tensorflow/graphtest"
)

// A file would be read with Open; this graph is written on the spot.
func ExampleParse() {
	graph := graphtest.InceptionV1(64, 224, 5, 1).Encode()
	m, err := tensorflow.Parse("tensorflow_inception_graph.pb", graph, tensorflow.Options{Range: [2]float64{-117, 138}})
	if err != nil {
		fmt.Println(err)
		return
	}
	layers, err := m.Layers()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, l := range layers {
		if len(l.Name) == len("mixed4a") && l.Name[:6] == "mixed4" {
			fmt.Println(l.Name, l.Shape)
		}
	}
	fmt.Println(m.Class("class 4"))
	// Output:
	// mixed4a [14 14 8]
	// mixed4b [14 14 7]
	// mixed4c [14 14 8]
	// mixed4d [14 14 7]
	// mixed4e [14 14 13]
	// 4 <nil>
}
