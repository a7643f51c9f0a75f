package train

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/layer"
	"lucigo/interp/train"
	"lucigo/models/safetensors"
)

const epsilon = 1e-5 // of batch norm

// trained is the unit of a net while it is trained: convolution, batch norm and ReLU.
func trained(s *model.Scope, x *graph.Node, out int, w layer.Window) *graph.Node {
	return layer.ReLU(layer.BatchNorm(s, layer.ConvNoBias(s, x, out, w), epsilon))
}

// Adam's moments of the weight at a path are, in a checkpoint, below moments, at the path and first or second.
const (
	moments = "/adam"
	first   = "/first"
	second  = "/second"
)

// save writes a training's state.
func save(file string, s train.State) error {
	all := maps.Clone(s.Weights)
	for path := range s.Weights {
		all[moments+path+first], all[moments+path+second] = s.First[path], s.Second[path]
	}
	return safetensors.Write(file, all, "F32", [2]string{"steps", strconv.Itoa(s.Done)})
}

// anew is what to do with a checkpoint that is none.
const anew = "delete it to start anew"

// read is the inverse of save. Its errors say what to do.
func read(file string) (s train.State, err error) {
	f, err := safetensors.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	var all interp.Weights
	if err == nil {
		defer f.Close()
		all, err = f.Weights()
	}
	if err == nil {
		if s.Done, err = strconv.Atoi(f.Metadata("steps")); err != nil {
			err = fmt.Errorf("its steps are %.20q, must be a number", f.Metadata("steps"))
		}
	}
	if err != nil {
		return train.State{}, fmt.Errorf("%s: %w: %s", file, err, anew)
	}
	s.Weights, s.First, s.Second = interp.Weights{}, interp.Weights{}, interp.Weights{}
	for path, w := range all {
		of, moment := strings.CutPrefix(path, moments)
		switch {
		case !moment:
			s.Weights[path] = w
		case strings.HasSuffix(of, first):
			s.First[strings.TrimSuffix(of, first)] = w
		default:
			s.Second[strings.TrimSuffix(of, second)] = w
		}
	}
	return s, nil
}

// fold returns the weights of the trained net without batch norm: kernels and biases that do the same.
func fold(weights interp.Weights) interp.Weights {
	out := interp.Weights{}
	for path, w := range weights {
		scope, name := path[:strings.LastIndex(path, "/")+1], filepath.Base(path)
		if name != "weights" && name != "biases" {
			continue
		}
		if weights[scope+"mean"] == nil {
			out[path] = w
			continue
		}
		of := func(name string) []float32 { return float32s(weights[scope+name]) }
		mean, variance, gain, bias := of("mean"), of("variance"), of("scale"), of("offset")
		for i := range gain {
			gain[i] /= float32(math.Sqrt(float64(variance[i]) + epsilon))
			bias[i] -= mean[i] * gain[i]
		}
		kernel := float32s(w)
		for i := range kernel {
			kernel[i] *= gain[i%len(gain)]
		}
		out[path], out[scope+"biases"] = weight(kernel, w.Dims()...), weight(bias, len(bias))
	}
	return out
}

// float32s returns a copy of the numbers.
func float32s(w *interp.Weight) []float32 {
	data := make([]float32, 0, len(w.Values()))
	for _, v := range w.Values() {
		data = append(data, float32(v))
	}
	return data
}

// weight is a weight of as many numbers as its shape has.
func weight(data []float32, dims ...int) *interp.Weight {
	w, err := interp.NewWeight(data, dims...)
	if err != nil {
		panic(err)
	}
	return w
}
