package subject

import (
	"fmt"
	"slices"

	"lucigo/interp"
	"lucigo/interp/near"
)

// Stages returns the layers at which the network is looked at on the way from pixels to classes, in its order: those
// that are listed for it, or else five at even depth. The first of five is the first layer that is no preprocessing;
// the others have positions as far as there are enough such layers. A network of few layers has fewer stages.
func (n Network) Stages() ([]string, error) {
	layers, err := n.Layers()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, l := range layers {
		names = append(names, l.Name)
	}
	for _, name := range n.Known.Stages {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("subject: the stages of %s: %w", n, near.Error("layer", name, names))
		}
	}
	if n.Known.Stages != nil {
		return slices.Clone(n.Known.Stages), nil
	}
	return byDepth(n.Model, layers)
}

// most is how many stages a network has at most.
const most = 5

func byDepth(m *interp.Model, layers []interp.Layer) ([]string, error) {
	h, w, c := m.Input()
	prepared := func(l interp.Layer) bool { return slices.Equal(l.Shape, []int{h, w, c}) }
	for len(layers) > 1 && prepared(layers[0]) {
		layers = layers[1:]
	}
	if len(layers) == 0 {
		return nil, fmt.Errorf("subject: %s has no named layers, must have some: name them in its Forward by layer.At", m)
	}
	flat := func(l interp.Layer) bool { return len(l.Shape) != 3 || l.Shape[0]*l.Shape[1] == 1 }
	all := slices.DeleteFunc(slices.Clone(layers), flat)
	if len(all) < most {
		all = layers
		if last := all[len(all)-1]; len(all) > 1 && slices.Equal(last.Shape, []int{len(m.Classes())}) {
			all = all[:len(all)-1] // the logits
		}
	}
	var out []string
	k := min(most, len(all))
	for i := range k {
		out = append(out, all[i*(len(all)-1)/max(1, k-1)].Name)
	}
	return out, nil
}
