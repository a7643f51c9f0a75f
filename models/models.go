// Package models is the registry of the networks that the project knows: a row for each says how it is opened, what it was
// trained on and which of its layers are worth showing. Notebooks look at any of them, and the kernel's command lists
// them and fetches their weights. A network is a folder beside this file, and a row in it.
package models

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"lucigo/interp"
	"lucigo/interp/near"
	"lucigo/models/googlenet"
	"lucigo/models/imagenet"
	"lucigo/models/inception5h"
	"lucigo/models/scenes"
	"lucigo/models/weights"
)

// Network is what is known of a network. All but Open may be left out.
type Network struct {
	// Name is what commands and notebooks call it.
	Name string

	// Open opens the network with its trained weights.
	Open func(ctx context.Context) (*interp.Model, error)

	// Files open it with the weights of a file, by the ending of the file's name.
	Files map[string]func(path string) (*interp.Model, error)

	// Weights is the file that Open finds on this machine or downloads; nil if there is none to fetch.
	Weights func() weights.File

	// Pictures are what it was trained on.
	Pictures Pictures

	// Stages are layers at which the network is looked at, in its order: the first sees the pixels. None are five at
	// even depth.
	Stages []string
}

// Pictures are what a network was trained on: where images for it come from, how they are prepared, and which classes
// they have. The zero value takes pictures whole, as far as they have the image's proportions, and knows no classes.
type Pictures struct {
	// Name says in words what they are.
	Name string

	// Draw returns n pictures that need no files and that the network was not trained on; nil: there are none.
	Draw func(n int) interp.Source

	// Short, Class and Labels are those of a dataset.Input.
	Short  int
	Class  func(path string) (int, error)
	Labels bool
}

var networks = []Network{
	drawn("scenes", scenes.Standard, "conv1", "conv2", "mixed3b", "mixed4b", "mixed5a"),
	drawn("scenes-robust", scenes.Robust, "conv1", "conv2", "mixed3b", "mixed4b", "mixed5a"),
	drawn("scenes-allconv", scenes.AllConv, "conv1", "conv2", "conv4", "conv6", "conv7"),
	drawn("scenes-dense", scenes.Dense, "hidden"),
	{
		Name:     "googlenet",
		Open:     googlenet.Model,
		Files:    map[string]func(string) (*interp.Model, error){".safetensors": googlenet.Open, ".caffemodel": googlenet.OpenCaffe},
		Weights:  googlenet.File,
		Pictures: Pictures{Name: "ImageNet", Short: googlenet.Short, Class: imagenet.ClassOf},
		Stages:   []string{"conv1/7x7_s2", "conv2/3x3", "mixed3b", "mixed4c", "mixed5b"},
	}, {
		Name:     "inception5h",
		Open:     inception5h.Model,
		Files:    map[string]func(string) (*interp.Model, error){".pb": inception5h.Open, ".zip": inception5h.Open},
		Weights:  inception5h.File,
		Pictures: Pictures{Name: "ImageNet, with classes in an order of its own", Short: inception5h.Short},
		Stages:   []string{"conv2d0", "conv2d2", "mixed3b", "mixed4c", "mixed5b"},
	},
}

// drawn is the row of a network whose weights are part of the project. Its pictures are scenes of a seed that training
// does not draw.
func drawn(name string, open func() (*interp.Model, error), stages ...string) Network {
	return Network{
		Name:     name,
		Open:     func(context.Context) (*interp.Model, error) { return open() },
		Pictures: Pictures{Name: "drawn scenes", Draw: func(n int) interp.Source { return scenes.Stream{Seed: 2016, N: n} }},
		Stages:   stages,
	}
}

// All returns the networks, in the order of their rows.
func All() []Network { return slices.Clone(networks) }

// Find returns the network of a name, or of a file of weights: the one network that takes files of its ending, or
// the one whose name is before it, as in googlenet:FILE.
func Find(name string) (Network, error) { return find(networks, name) }

func find(all []Network, name string) (Network, error) {
	ending := strings.ToLower(filepath.Ext(name))
	var names, takers, endings []string
	var found Network
	for _, n := range all {
		if n.Name == name {
			return n, nil
		}
		names = append(names, n.Name)
		endings = slices.AppendSeq(endings, maps.Keys(n.Files))
		open := n.Files[ending]
		if open == nil {
			continue
		}
		path, chosen := strings.CutPrefix(name, n.Name+":")
		found, takers = n, append(takers, n.Name)
		found.Open = func(context.Context) (*interp.Model, error) { return open(path) }
		if chosen {
			return found, nil
		}
	}
	switch {
	case len(takers) == 1:
		return found, nil
	case len(takers) > 1:
		return Network{}, fmt.Errorf("models: %s may be of %s: write which before it, as in %s:%s", name, strings.Join(takers, " or "), takers[0], name)
	case ending != "":
		slices.Sort(endings)
		return Network{}, fmt.Errorf("models: %w; files of weights end in %s", near.Error("network", name, names), strings.Join(slices.Compact(endings), ", "))
	}
	return Network{}, fmt.Errorf("models: %w", near.Error("network", name, names))
}
