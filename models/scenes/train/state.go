package train

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/x448/float16"

	"lucigo/internal/atomicfile"
	"lucigo/interp"
	"lucigo/models/safetensors"
)

// write stores weights as a safetensors file, in float32 or in half precision, the file replaced at once when it is complete.
func write(file string, weights interp.Weights, half bool, metadata ...[2]string) error {
	var tensors []safetensors.Tensor
	for _, path := range weights.Paths() {
		t := safetensors.Tensor{Name: path[1:], Info: safetensors.Info{Type: "F32", Shape: weights[path].Dims()}}
		if half {
			t.Type = "F16"
		}
		for _, v := range float32s(weights[path]) {
			if half {
				t.Data = binary.LittleEndian.AppendUint16(t.Data, float16.Fromfloat32(v).Bits())
			} else {
				t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(v))
			}
		}
		tensors = append(tensors, t)
	}
	content, err := safetensors.Encode(metadata, tensors)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return atomicfile.WriteFile(file, content, 0o644)
}

// read is the inverse of write. Its errors say what to do.
func read(file string) (weights interp.Weights, steps string, err error) {
	f, err := safetensors.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, "", err
	}
	if err == nil {
		defer f.Close()
		weights, err = f.Weights()
	}
	if err != nil {
		return nil, "", fmt.Errorf("%w: delete it to start anew", err)
	}
	return weights, f.Metadata("steps"), nil
}

// save writes every variable of the store, and the number of steps done.
func save(file string, store *model.Store, steps int) error {
	weights, err := interp.WeightsOf(store)
	if err != nil {
		return err
	}
	return write(file, weights, false, [2]string{"steps", strconv.Itoa(steps)})
}

// restore sets variables of the store.
func restore(store *model.Store, weights interp.Weights) error {
	for path, w := range weights {
		if _, err := store.CreateVariable(path, tensors.FromFlatDataAndDimensions(float32s(w), w.Dims()...)); err != nil {
			return fmt.Errorf("variable %s: %w", path, err)
		}
	}
	return nil
}

// fold returns the weights of the trained net without batch norm: kernels and biases that do the same.
func fold(weights interp.Weights) interp.Weights {
	out := interp.Weights{}
	for path, w := range weights {
		scope, name := path[:strings.LastIndex(path, "/")+1], filepath.Base(path)
		if strings.HasPrefix(path, adamScope) || name != "weights" && name != "biases" {
			continue
		}
		if weights[scope+"mean"] == nil {
			out[path] = w
			continue
		}
		of := func(name string) []float32 { return float32s(weights[scope+name]) }
		mean, variance, gain, bias := of("mean"), of("variance"), of("scale"), of("offset")
		for i := range gain {
			gain[i] /= float32(math.Sqrt(float64(variance[i]) + bnEpsilon))
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

// rounded returns the weights as half precision keeps them.
func rounded(weights interp.Weights) interp.Weights {
	out := interp.Weights{}
	for path, w := range weights {
		data := float32s(w)
		for i, v := range data {
			data[i] = float16.Fromfloat32(v).Float32()
		}
		out[path] = weight(data, w.Dims()...)
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
