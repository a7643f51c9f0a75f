// Package digits has small networks for images of handwritten digits, as in the data set MNIST: 28×28 in grey, from 0
// for paper to 1 for ink. Neither the data set nor trained weights are part of the project:
//
//	go run ./kernel models digits --data DIR
//	go run ./kernel models digits --data DIR --net robust
//
// train them on the files of MNIST in a folder, in a few minutes each, and keep the weights in the cache, where Plain
// and Robust find them.
package digits

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/internal/project"
	"lucigo/interp"
	"lucigo/interp/layer"
	"lucigo/interp/near"
	"lucigo/models/safetensors"
)

// Forwards are the networks that the project's command trains, by name.
var forwards = map[string]layer.Forward{"plain": Strided, "robust": Strided, "pooled": Pooled([]int{32, 64}, 200, 200)}

// Names returns the names of the networks that the command trains: plain and robust are Strided, trained on the images
// as they are and on adversarial ones (L∞ radius .3); pooled is substitute A of Papernot et al.
func Names() []string { return slices.Sorted(maps.Keys(forwards)) }

// Strided is the network of the MNIST experiments of Wong et al., arXiv:2001.03994: convolutions of 4×4
// with stride 2, of 16 and of 32 channels, then 100 units and the logits. Layers conv1, conv2, dense, logits.
func Strided(s *model.Scope, x *graph.Node) *graph.Node {
	x = layer.At("conv1", layer.ReLU(layer.Conv(s.At("conv1"), x, 16, layer.Square(4, 2, 1))))
	x = layer.At("conv2", layer.ReLU(layer.Conv(s.At("conv2"), x, 32, layer.Square(4, 2, 1))))
	x = layer.At("dense", layer.ReLU(layer.Dense(s.At("dense"), layer.Flatten(x), 100)))
	return layer.At("logits", layer.Dense(s.At("logits"), x, 10))
}

// Pooled returns a network of the form that the substitutes of Papernot et al., arXiv:1602.02697, have: convolutions of
// 2×2, each with ReLU and a max-pool of 2×2, then dense layers with ReLU. Their substitute A has 32 and 64 channels and
// 200 and 200 units. Without maps it is dense. Layers conv1 …, dense1 …, logits.
func Pooled(maps []int, units ...int) layer.Forward {
	return func(s *model.Scope, x *graph.Node) *graph.Node {
		for i, n := range maps {
			name := fmt.Sprintf("conv%d", i+1)
			x = layer.ReLU(layer.Conv(s.At("%s", name), x, n, layer.Square(2, 1, 0)))
			x = layer.At(name, layer.MaxPool(x, layer.Square(2, 2, 0)))
		}
		x = layer.Flatten(x)
		for i, n := range units {
			name := fmt.Sprintf("dense%d", i+1)
			x = layer.At(name, layer.ReLU(layer.Dense(s.At("%s", name), x, n)))
		}
		return layer.At("logits", layer.Dense(s.At("logits"), x, 10))
	}
}

// Spec says what a classifier of digits is. Its classes are called 0 to 9.
func Spec(name string, forward layer.Forward) interp.Spec {
	spec := interp.Spec{Name: "digits " + name, Forward: forward, Input: [3]int{28, 28, 1}}
	for c := range 10 {
		spec.Classes = append(spec.Classes, fmt.Sprint(c))
	}
	return spec
}

// Named returns the spec, without weights, of a network that the command trains.
func Named(name string) (interp.Spec, error) {
	if forwards[name] == nil {
		return interp.Spec{}, fmt.Errorf("digits: %w", near.Error("network", name, Names()))
	}
	return Spec(name, forwards[name]), nil
}

// Plain returns the network that was trained on images as they are.
func Plain() (*interp.Model, error) { return trained("plain") }

// Robust returns the network that was trained on adversarial images of L∞ radius .3, in one step each: the fast recipe
// of Wong et al., arXiv:2001.03994.
func Robust() (*interp.Model, error) { return trained("robust") }

func trained(name string) (*interp.Model, error) {
	path, err := File(name)
	if err != nil {
		return nil, err
	}
	m, err := Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w\ndigits: train the network: go run ./kernel models digits --net %s --data DIR, DIR being a folder with the files of MNIST", err, name)
	}
	return m, err
}

// File returns where the weights of a network are kept.
func File(name string) (string, error) {
	if _, err := Named(name); err != nil {
		return "", err
	}
	return project.Cache("digits", name+".safetensors")
}

// Open opens a network that the command has trained, whose name the file tells.
func Open(path string) (*interp.Model, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, fmt.Errorf("digits: %w", err)
	}
	defer f.Close()
	spec, err := Named(f.Metadata("net"))
	if err == nil {
		spec.Weights, err = f.Weights()
	}
	if err != nil {
		return nil, fmt.Errorf("digits: %s: %w", path, err)
	}
	return interp.New(spec)
}
