package subject

import (
	"fmt"
	"slices"

	"lucigo/interp"
)

// stages are the layers 1 to 5 of Zeiler and Fergus, arXiv:1311.2901, in networks whose layers have other
// names: in each row the first that a network has.
var stages = [][]string{
	{"conv1", "conv1/7x7_s2", "conv2d0", "hidden"},
	{"conv2", "conv2/3x3", "conv2d2"},
	{"mixed3b", "conv4"},
	{"mixed4c", "mixed4b", "conv6"},
	{"mixed5b", "mixed5a", "conv7"},
}

// Stages returns the layers at which a network is looked at on the way from pixels to classes: five of a
// convolutional network, of which the first is the layer that sees the pixels; of the fully connected one
// its only hidden layer.
func Stages(m *interp.Model) ([]string, error) {
	layers, err := m.Layers()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, names := range stages {
		for _, name := range names {
			if slices.ContainsFunc(layers, func(l interp.Layer) bool { return l.Name == name }) {
				out = append(out, name)
				break
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s has no layer with a known name: choose among those of its Layers", m)
	}
	return out, nil
}
