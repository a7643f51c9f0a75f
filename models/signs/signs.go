// Package signs is a small network that reads German traffic signs, GTSRB's 43 classes, in images of 64×64 pixels: two
// convolutions, each with batch normalisation and pooling, and a dense layer, 14,000 parameters in all. It is the network of the
// demonstration adversarial.js (Kenny Song, 2020), which publishes its weights without a licence: they are no part of the project,
// and there is nothing to download.
package signs

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/layer"
	"lucigo/models/safetensors"
)

// Size is the height and width of the images.
const Size = 64

// Stop is the class of the stop sign.
const Stop = 14

// Names are the classes, in GTSRB's order (Stallkamp et al., "Man vs. computer", Neural Networks 32, 2012).
func Names() []string {
	return []string{
		"limit 20", "limit 30", "limit 50", "limit 60", "limit 70", "limit 80", "end of limit 80", "limit 100", "limit 120",
		"no overtaking", "no overtaking by lorries", "right of way at the junction", "priority road", "give way", "stop",
		"no vehicles", "no lorries", "no entry", "danger", "bend to the left", "bend to the right", "double bend", "bumpy road",
		"slippery road", "road narrows on the right", "road works", "traffic signals", "pedestrians", "children", "bicycles",
		"ice or snow", "wild animals", "end of all limits", "turn right", "turn left", "ahead only", "straight on or right",
		"straight on or left", "keep right", "keep left", "roundabout", "end of no overtaking", "end of no overtaking by lorries",
	}
}

// forward takes [N, 64, 64, 3] to [N, 43]. Its layers are conv1, conv2 and logits.
func forward(s *model.Scope, x *graph.Node) *graph.Node {
	for i := 1; i <= 2; i++ {
		x = layer.At(fmt.Sprintf("conv%d", i), layer.ReLU(layer.Conv(s.At("conv%d", i), x, 16, layer.Square(3, 1, 1))))
		x = layer.MaxPool(layer.BatchNorm(s.At("bn%d", i), x, 1e-3), layer.Square(4, 4, 0))
	}
	return layer.At("logits", layer.Dense(s.At("logits"), layer.Flatten(x), len(Names())))
}

// Keras's names of the variables. Its layouts are those of package layer.
var tensors = map[string]string{
	"/conv1/weights": "conv2d_2/kernel", "/conv1/biases": "conv2d_2/bias",
	"/conv2/weights": "conv2d_3/kernel", "/conv2/biases": "conv2d_3/bias",
	"/logits/weights": "dense_1/kernel", "/logits/biases": "dense_1/bias",
	"/bn1/scale": "batch_normalization_2/gamma", "/bn1/offset": "batch_normalization_2/beta",
	"/bn1/mean": "batch_normalization_2/moving_mean", "/bn1/variance": "batch_normalization_2/moving_variance",
	"/bn2/scale": "batch_normalization_3/gamma", "/bn2/offset": "batch_normalization_3/beta",
	"/bn2/mean": "batch_normalization_3/moving_mean", "/bn2/variance": "batch_normalization_3/moving_variance",
}

// Open returns the network with the weights of a safetensors file, whose tensors have Keras's names.
func Open(path string) (*interp.Model, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	weights := interp.Weights{}
	for variable, name := range tensors {
		info, ok := f.Info(name)
		if !ok {
			return nil, fmt.Errorf("signs: %s has no tensor %q, must have those of adversarial.js's network for GTSRB", path, name)
		}
		data, err := f.Float32(name)
		if err != nil {
			return nil, err
		}
		if weights[variable], err = interp.NewWeight(data, info.Shape...); err != nil {
			return nil, fmt.Errorf("signs: %s: %s: %w", path, name, err)
		}
	}
	return interp.New(interp.Spec{Name: "traffic signs", Forward: forward, Input: [3]int{Size, Size, 3}, Classes: Names(), Weights: weights})
}
