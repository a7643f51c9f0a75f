// Package tensorflow reads image classifiers that TensorFlow trained: frozen graphs, which hold the
// operators and the weights in one file, a GraphDef in the encoding of protocol buffers. The format is
// described in tensorflow/core/framework/{graph,node_def,attr_value,tensor}.proto of tensorflow/tensorflow.
//
// The operators are those of Szegedy et al.'s Inception, arXiv:1409.4842. They are built from the layers of
// lucigo/interp/layer, so that every method and every Rule works on the network. Each node whose value
// depends on the images is a layer, of the node's name; each constant with axes is a weight, /NAME. Layers
// take images of any size as far as the operators do: up to the first Reshape.
//
// Nothing in a file is believed: names, shapes, windows and the memory that they take are bounded.
package tensorflow

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"

	"lucigo/interp"
	"lucigo/models/internal/plan"
	"lucigo/models/internal/wire"
)

// Options say what a graph leaves open. The zero value guesses; errors of the network then say what was guessed.
type Options struct {
	// Name is the network's name; "" is the file's without its ending.
	Name string

	// Input is the node that gives the images. What it computes them from is left out, so any node that
	// has the shape of images will do. "" is the only Placeholder.
	Input string

	// Output is the node of the logits, [N, classes]. "" is the input of the Softmax, of several the one
	// that the most nodes lead to.
	Output string

	// Size is the height, width and channels of the images that the whole network takes. A 0 is what the
	// Placeholder says, or else 224, 224, 3.
	Size [3]int

	// Range are the values of the input for black, 0, and for full, 1. The zero value is {0, 1}: the
	// network takes images as they are. {-117, 138} is x·255 − 117.
	Range [2]float64

	// Classes are the names of the classes; nil is "class 0", "class 1", …
	Classes []string
}

// Open returns the network of a frozen graph.
func Open(path string, o Options) (*interp.Model, error) {
	b, err := wire.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("tensorflow: %w", err)
	}
	return Parse(path, b, o)
}

// Parse is Open of the content of the file of a name. It keeps nothing of b.
func Parse(name string, b []byte, o Options) (*interp.Model, error) {
	o.Name = cmp.Or(o.Name, strings.TrimSuffix(filepath.Base(name), filepath.Ext(name)))
	o.Input, o.Output = strings.TrimSuffix(o.Input, ":0"), strings.TrimSuffix(o.Output, ":0")
	var m *interp.Model
	nodes, err := parse(b)
	if err == nil {
		m, err = plan.Open(format, nodes, plan.Options(o))
	}
	if err != nil {
		return nil, fmt.Errorf("tensorflow: %s: %w", name, err)
	}
	return m, nil
}
