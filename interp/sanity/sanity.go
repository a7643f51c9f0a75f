// Package sanity asks whether a saliency method looks at the network at all: Adebayo et al., arXiv:1810.03292. A map of
// the network under test is compared with maps of variants of it that have learnt nothing, or something else. A method
// whose maps stay as they are says little of what the network has learnt.
//
//	variants, err := sanity.Cascade(m, 1)
//	report, err := sanity.Check{}.Run(ctx, m, variants, x)
//
// The network under test is never changed.
package sanity

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"lucigo/interp"
	"lucigo/interp/near"
	"lucigo/interp/random"
)

// Stage is a part of a network whose weights are drawn anew together: a layer, which is what the network computes after one
// named layer, up to the next that has weights of its own, or a block of several.
type Stage struct {
	Name  string   // of its last layer, or of its block; "" is what comes after the last named layer
	Paths []string // of its weights
}

// String returns the name.
func (s Stage) String() string {
	if s.Name == "" {
		return "the end"
	}
	return s.Name
}

// Layers returns a stage for each layer that has weights, from the logits down to the images.
func Layers(m *interp.Model) ([]Stage, error) {
	variables, err := m.Variables()
	if err != nil {
		return nil, err
	}
	var stages []Stage
	for _, v := range variables {
		if n := len(stages); n == 0 || stages[n-1].Name != v.Layer {
			stages = append(stages, Stage{Name: v.Layer})
		}
		last := &stages[len(stages)-1]
		last.Paths = append(last.Paths, v.Path)
	}
	if len(stages) == 0 {
		return nil, fmt.Errorf("sanity: %s has no weights, so there is nothing to draw anew", m.Name())
	}
	slices.Reverse(stages)
	return stages, nil
}

// Blocks returns a stage for each block of layers, from the logits down to the images: layers that follow each other and whose
// names are the same up to the last slash, as "inception_3a/1x1" and "inception_3a/pool_proj". Other layers are blocks of their own.
func Blocks(m *interp.Model) ([]Stage, error) {
	layers, err := Layers(m)
	if err != nil {
		return nil, err
	}
	var blocks []Stage
	last := ""
	for _, l := range layers {
		block := ""
		if i := strings.LastIndexByte(l.Name, '/'); i >= 0 {
			block = l.Name[:i]
		}
		if n := len(blocks); block != "" && block == last {
			blocks[n-1].Name, blocks[n-1].Paths = block, append(blocks[n-1].Paths, l.Paths...)
			continue
		}
		blocks, last = append(blocks, l), block
	}
	return blocks, nil
}

// Variant is a network that a method's maps are compared with those of.
type Variant struct {
	Name  string
	Model *interp.Model

	// Random is the share of the network's blocks whose weights are drawn anew, from 0 to 1, where the share grows from one
	// variant to the next; 0 where they are not of such a series.
	Random float64
}

// Cascade returns a variant for each of the Blocks: the first has new weights in the last block of the network alone, the next in
// the last two, and so on to the images (arXiv:1810.03292, section 3). New weights are drawn from the distributions of the
// network's own initialisers, and those of batch norm are its initial ones: see interp.Model.Initial. Equal seeds give equal
// variants.
func Cascade(m *interp.Model, seed int64) ([]Variant, error) {
	return series(m, seed, true)
}

// Independent returns a variant for each of the Blocks, in which the weights of that block alone are new.
func Independent(m *interp.Model, seed int64) ([]Variant, error) {
	return series(m, seed, false)
}

func series(m *interp.Model, seed int64, cascade bool) ([]Variant, error) {
	stages, err := Blocks(m)
	if err != nil {
		return nil, err
	}
	drawn, err := initial(m, seed)
	if err != nil {
		return nil, err
	}
	var variants []Variant
	for i, s := range stages {
		v := Variant{Name: s.String()}
		of := stages[i : i+1]
		if cascade {
			of, v.Random = stages[:i+1], float64(i+1)/float64(len(stages))
		}
		if v.Model, err = redrawn(m, drawn, of); err != nil {
			return nil, err
		}
		variants = append(variants, v)
	}
	return variants, nil
}

// Redraw returns the network with new weights in the given layers or blocks; with none, in all.
func Redraw(m *interp.Model, seed int64, names ...string) (*interp.Model, error) {
	layers, err := Layers(m)
	if err != nil {
		return nil, err
	}
	blocks, err := Blocks(m)
	if err != nil {
		return nil, err
	}
	of := blocks
	if len(names) > 0 {
		of = nil
	}
	all := map[string]Stage{}
	for _, s := range slices.Concat(layers, blocks) {
		all[s.String()] = s
	}
	for _, n := range names {
		s, ok := all[n]
		if !ok {
			return nil, fmt.Errorf("sanity: %s: %w", m.Name(), near.Error("layer with weights", n, slices.Sorted(maps.Keys(all))))
		}
		of = append(of, s)
	}
	drawn, err := initial(m, seed)
	if err != nil {
		return nil, err
	}
	return redrawn(m, drawn, of)
}

// initial returns new weights. The seed is mixed first: a network that was trained from Initial(1) is much like it still
// (cosine .83 in the logits of a net of scenes), so weights of the same seed would not be new.
func initial(m *interp.Model, seed int64) (interp.Weights, error) {
	const own = 0x73616e697479
	return m.Initial(int64(random.Hash(uint64(seed), own)))
}

func redrawn(m *interp.Model, initial interp.Weights, stages []Stage) (*interp.Model, error) {
	changes := interp.Weights{}
	for _, s := range stages {
		for _, path := range s.Paths {
			if initial[path] == nil {
				return nil, fmt.Errorf("sanity: %s: weight %q has no initialiser to draw it from", m.Name(), path)
			}
			changes[path] = initial[path]
		}
	}
	return m.With(changes)
}

// checkVariants returns an error unless variants are there, each with a network of m's images and classes.
func checkVariants(m *interp.Model, variants []Variant) error {
	if len(variants) == 0 {
		return errors.New("sanity: there are no variants, must be at least one: see Cascade")
	}
	for i, v := range variants {
		if v.Model == nil {
			return fmt.Errorf("sanity: variant %d (%s) has no Model", i, v.Name)
		}
		h, w, c := m.Input()
		if vh, vw, vc := v.Model.Input(); vh != h || vw != w || vc != c || len(v.Model.Classes()) != len(m.Classes()) {
			return fmt.Errorf("sanity: variant %s is a network of images %d×%d×%d and %d classes, must be of %d×%d×%d and %d, as %s is",
				v.Name, vh, vw, vc, len(v.Model.Classes()), h, w, c, len(m.Classes()), m.Name())
		}
	}
	return nil
}
