package tensorflow_test

import (
	"fmt"
	"strings"

	"lucigo/models/tensorflow"
)

// The graph is of InceptionV1's form, with few channels.
func ExampleOpen() {
	m, err := tensorflow.Open("testdata/inception_v1.pb", tensorflow.Options{Range: [2]float64{-117, 138}})
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
		if strings.HasPrefix(l.Name, "mixed4") && len(l.Name) == len("mixed4a") {
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
