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
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"lucigo/interp"
	"lucigo/models/internal/wire"
)

// Options say what a graph leaves open. The zero value guesses; errors of the network then say what was
// guessed.
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
		return nil, fmt.Errorf("a frozen graph: %w", err)
	}
	return Parse(path, b, o)
}

// Parse is Open of the content of the file of a name. It keeps nothing of b.
func Parse(name string, b []byte, o Options) (*interp.Model, error) {
	m, err := open(name, b, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

func open(name string, b []byte, o Options) (*interp.Model, error) {
	g, err := parse(b)
	if err != nil {
		return nil, err
	}
	var guesses []string
	guess := func(format string, args ...any) { guesses = append(guesses, fmt.Sprintf(format, args...)) }

	output, err := g.output(o.Output)
	if err != nil {
		return nil, err
	}
	if o.Output == "" {
		guess("Output %q", g.nodes[output].name)
	}
	input, err := g.input(o.Input, output)
	if err != nil {
		return nil, err
	}
	if o.Input == "" {
		guess("Input %q", g.nodes[input].name)
	}
	size, err := g.size(input, o.Size)
	if err != nil {
		return nil, err
	}
	if size != o.Size {
		guess("Size %v", size)
	}
	if o.Range == [2]float64{} {
		o.Range = [2]float64{0, 1}
		guess("Range %v", o.Range)
	}
	if low, high := o.Range[0], o.Range[1]; !(math.Abs(low) < math.MaxFloat32) || !(math.Abs(high) < math.MaxFloat32) || low == high {
		return nil, fmt.Errorf("Options.Range %v is none", o.Range)
	}
	n, err := g.plan(input, output, size[2])
	if err != nil {
		return nil, err
	}
	n.low, n.high = o.Range[0], o.Range[1]
	if len(guesses) > 0 {
		n.guessed = "; guessed: " + strings.Join(guesses, ", ") + ": set the tensorflow.Options that are wrong"
	}
	if o.Classes == nil {
		if n.classes < 1 || n.classes > maxClasses {
			return nil, fmt.Errorf("node %q has not told how many classes there are (%d): set Options.Classes, or Options.Output to the node of the logits",
				g.nodes[output].name, n.classes)
		}
		for i := range n.classes {
			o.Classes = append(o.Classes, fmt.Sprint("class ", i))
		}
	}
	if n.classes != 0 && n.classes != len(o.Classes) {
		return nil, fmt.Errorf("Options.Classes has %d names, and node %q gives %d logits", len(o.Classes), g.nodes[output].name, n.classes)
	}
	n.classes = len(o.Classes)
	if o.Name == "" {
		o.Name = strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
	}
	return interp.New(interp.Spec{Name: o.Name, Forward: n.forward, Input: size, Classes: o.Classes, Weights: n.weights})
}

// maxClasses is how many classes get numbers for names.
const maxClasses = 1 << 20

// output returns the node of the logits: the named one, or the input of the Softmax that the most nodes
// lead to.
func (g *graphDef) output(name string) (int, error) {
	if name != "" {
		i, err := g.find(name)
		if err != nil {
			return 0, fmt.Errorf("Options.Output: %w", err)
		}
		return i, nil
	}
	const most = 64
	best, longest, tied, found := 0, 0, false, 0
	for i, n := range g.nodes {
		if n.op != "Softmax" {
			continue
		}
		if found++; found > most {
			return 0, fmt.Errorf("more than %d Softmax nodes: set Options.Output to the node of the logits", most)
		}
		sources, err := g.sources(i)
		if err != nil {
			return 0, err
		}
		if len(sources) != 1 {
			return 0, fmt.Errorf("node %q (Softmax) has %d inputs", n.name, len(sources))
		}
		if found > 1 && sources[0] == best {
			continue
		}
		order, err := g.order(sources[0], -1)
		if err != nil {
			return 0, err
		}
		if len(order) >= longest {
			best, longest, tied = sources[0], len(order), len(order) == longest
		}
	}
	switch {
	case found == 0:
		return 0, errors.New("no Softmax: set Options.Output to the node of the logits")
	case tied:
		return 0, errors.New("several Softmax nodes that as many nodes lead to: set Options.Output to the node of the logits")
	}
	return best, nil
}

// input returns the node of the images: the named one, or the only Placeholder that the output needs.
func (g *graphDef) input(name string, output int) (int, error) {
	if name != "" {
		i, err := g.find(name)
		if err != nil {
			return 0, fmt.Errorf("Options.Input: %w", err)
		}
		return i, nil
	}
	order, err := g.order(output, -1)
	if err != nil {
		return 0, err
	}
	found := -1
	for _, i := range order {
		if g.nodes[i].op != "Placeholder" {
			continue
		}
		if found >= 0 {
			return 0, fmt.Errorf("two Placeholders, %q and %q: set Options.Input to the node of the images", g.nodes[found].name, g.nodes[i].name)
		}
		found = i
	}
	if found < 0 {
		return 0, fmt.Errorf("node %q needs no Placeholder: set Options.Input to the node of the images", g.nodes[output].name)
	}
	return found, nil
}

// size fills in, where size has a 0, what the input's shape says, or else what is usual.
func (g *graphDef) size(input int, size [3]int) ([3]int, error) {
	n := g.nodes[input]
	var says []int64
	f, ok, err := n.field("shape", 7)
	if err == nil && ok && n.op == "Placeholder" {
		var b []byte
		if b, err = f.Bytes(); err == nil {
			says, err = shape(b)
		}
	}
	if err != nil {
		return size, fmt.Errorf("node %q (%s): %w", n.name, n.op, err)
	}
	if len(says) != 0 && len(says) != 4 {
		return size, fmt.Errorf("node %q (%s) is shaped %v, where images [N, H, W, C] are wanted: set Options.Input", n.name, n.op, says)
	}
	numbers := 1.0
	for i, usual := range [3]int{224, 224, 3} {
		if size[i] == 0 && len(says) == 4 && says[1+i] > 0 && says[1+i] <= maxNumbers {
			size[i] = int(says[1+i])
		}
		if size[i] == 0 {
			size[i] = usual
		}
		numbers *= float64(size[i])
	}
	if min(size[0], size[1], size[2]) < 1 || numbers > maxNumbers {
		return size, fmt.Errorf("images of %v are not supported", size)
	}
	return size, nil
}
