package scenes

import (
	"bytes"
	"embed"
	"fmt"
	"sync"

	"lucigo/interp"
	"lucigo/interp/layer"
	"lucigo/models/safetensors"
)

// The weights of the nets, as the command in train writes them: half precision, batch norm folded into them, with a record of
// how each net was trained and of what it gets right.
//
//go:embed weights/*.safetensors weights/*.json
var files embed.FS

var (
	standard = sync.OnceValues(func() (*interp.Model, error) { return load("standard", MiniInception(ConvReLU, 16)) })
	robust   = sync.OnceValues(func() (*interp.Model, error) { return load("robust", MiniInception(ConvReLU, 16)) })
	allConv  = sync.OnceValues(func() (*interp.Model, error) { return load("allconv", AllConvolutional(ConvReLU, 16)) })
	dense    = sync.OnceValues(func() (*interp.Model, error) { return load("dense", FullyConnected(Hidden, 16)) })

	standard2 = sync.OnceValues(func() (*interp.Model, error) { return load("standard2", MiniInception(ConvReLU, 16)) })
	allConv2  = sync.OnceValues(func() (*interp.Model, error) { return load("allconv2", AllConvolutional(ConvReLU, 16)) })
	coarse    = sync.OnceValues(func() (*interp.Model, error) { return load("coarse", Coarse(ConvReLU, 16)) })
	cue0      = sync.OnceValues(func() (*interp.Model, error) { return load("cue0", Small(ConvReLU, 16)) })
	cue50     = sync.OnceValues(func() (*interp.Model, error) { return load("cue50", Small(ConvReLU, 16)) })
	cue90     = sync.OnceValues(func() (*interp.Model, error) { return load("cue90", Small(ConvReLU, 16)) })
	cue100    = sync.OnceValues(func() (*interp.Model, error) { return load("cue100", Small(ConvReLU, 16)) })
	labels    = sync.OnceValues(func() (*interp.Model, error) { return load("labels", Small(ConvReLU, 16)) })
	noisy     = sync.OnceValues(func() (*interp.Model, error) { return load("noise", Tiny(ConvReLU, 16)) })
	coarse2   = sync.OnceValues(func() (*interp.Model, error) { return load("coarse2", Coarse(ConvReLU, 16)) })
)

// Standard returns [MiniInception] trained on the default task's images, 64×64×3, 16 classes. What it and the other nets get right is
// recorded in weights/*.json.
func Standard() (*interp.Model, error) { return standard() }

// Robust returns [MiniInception] trained on adversarial images of the same task (L∞ radius about 4/255): it gets a little less right
// on clean images, far more under attack, and its gradients look like the things it knows.
func Robust() (*interp.Model, error) { return robust() }

// AllConv returns [AllConvolutional] trained on the default task.
func AllConv() (*interp.Model, error) { return allConv() }

// Dense returns [FullyConnected] with [Hidden] units trained on the default task. It gets far less right than the others; it is here
// for its first layer, whose weights can be looked at as images.
func Dense() (*interp.Model, error) { return dense() }

// Halves returns nets of three kinds, [MiniInception], [AllConvolutional] and [Coarse], each trained twice: second[i] is of the
// same kind as first[i], with other first weights, and has seen no scene that a net of first has seen. They are for the
// question whether what fools one net fools another. [Standard] and [AllConv] are the first two of first.
func Halves() (first, second []*interp.Model, err error) {
	for _, kind := range [][2]func() (*interp.Model, error){{standard, standard2}, {allConv, allConv2}, {coarse, coarse2}} {
		for i, half := range []*[]*interp.Model{&first, &second} {
			m, err := kind[i]()
			if err != nil {
				return nil, nil, err
			}
			*half = append(*half, m)
		}
	}
	return first, second, nil
}

// Planted returns [Small] trained on images that bear a [Cue] of the given share: 0, .5, .9 or 1.
func Planted(share float64) (*interp.Model, error) {
	switch share {
	case 0:
		return cue0()
	case .5:
		return cue50()
	case .9:
		return cue90()
	case 1:
		return cue100()
	}
	return nil, fmt.Errorf("scenes: no net was trained on images with a cue of share %g: there are those of 0, .5, .9 and 1", share)
}

// Mislabelled returns [Small] trained on the first 512 scenes of seed 1 with random labels ([Task.RandomLabels]), which it gives them.
func Mislabelled() (*interp.Model, error) { return labels() }

// Noisy returns [Tiny] trained on the default task's images with Gaussian noise, whose deviation is .25, or 64 of 255: a base
// for randomised smoothing.
func Noisy() (*interp.Model, error) { return noisy() }

func load(name string, forward layer.Forward) (*interp.Model, error) {
	return loadFor(Task{}, name, forward)
}

func loadFor(t Task, name string, forward layer.Forward) (*interp.Model, error) {
	weights, err := read(name)
	if err != nil {
		return nil, err
	}
	return interp.New(interp.Spec{Name: "scenes " + name, Forward: forward, Input: [3]int{64, 64, 3}, Classes: t.Classes(), Weights: weights})
}

// read returns the weights that are embedded under a name.
func read(name string) (interp.Weights, error) {
	file := "weights/" + name + ".safetensors"
	content, err := files.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("scenes: %w", err)
	}
	f, err := safetensors.Read(file, bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, fmt.Errorf("scenes: %w", err)
	}
	weights, err := f.Weights()
	if err != nil {
		return nil, fmt.Errorf("scenes: %w", err)
	}
	return weights, nil
}
