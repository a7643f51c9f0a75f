package train

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/x448/float16"

	"lucigo/internal/atomicfile"
	"lucigo/models/safetensors"
)

// array is a named tensor on the host.
type array struct {
	dims []int
	data []float32
}

// write stores arrays as a safetensors file, in float32 or in half precision, the file replaced at once when it is complete.
func write(file string, arrays map[string]array, half bool, about map[string]string) error {
	var metadata [][2]string
	for _, key := range slices.Sorted(maps.Keys(about)) {
		metadata = append(metadata, [2]string{key, about[key]})
	}
	var tensors []safetensors.Tensor
	for _, name := range slices.Sorted(maps.Keys(arrays)) {
		t := safetensors.Tensor{Name: name, Info: safetensors.Info{Type: "F32", Shape: arrays[name].dims}}
		if half {
			t.Type = "F16"
		}
		for _, v := range arrays[name].data {
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
func read(file string) (arrays map[string]array, steps string, err error) {
	f, err := safetensors.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, "", err
	}
	if err != nil {
		return nil, "", fmt.Errorf("%w: delete it to start anew", err)
	}
	defer f.Close()
	arrays = map[string]array{}
	for _, name := range f.Names() {
		info, _ := f.Info(name)
		data, err := f.Float32(name)
		if err != nil {
			return nil, "", fmt.Errorf("%w: delete it to start anew", err)
		}
		arrays[name] = array{info.Shape, data}
	}
	return arrays, f.Metadata("steps"), nil
}

// save writes every variable of the store, and the number of steps done.
func save(file string, store *model.Store, steps int) error {
	arrays, err := values(store)
	if err != nil {
		return err
	}
	return write(file, arrays, false, map[string]string{"steps": strconv.Itoa(steps)})
}

// values copies the float32 variables of the store to the host, by path without the leading slash.
func values(store *model.Store) (map[string]array, error) {
	arrays := map[string]array{}
	for v := range store.IterVariables() {
		if strings.HasPrefix(v.Name(), "#") { // the random generator's own state: no step draws from it
			continue
		}
		t, err := v.Value()
		if err != nil {
			return nil, err
		}
		data, err := tensors.CopyFlatData[float32](t)
		if err != nil {
			return nil, fmt.Errorf("variable %s: %w", v.Path(), err)
		}
		arrays[strings.TrimPrefix(v.Path(), "/")] = array{slices.Clone(v.Shape().Dimensions), data}
	}
	return arrays, nil
}

// restore sets variables of the store; with only given, those whose path it accepts.
func restore(store *model.Store, arrays map[string]array, only func(path string) bool) error {
	for path, a := range arrays {
		if only != nil && !only(path) {
			continue
		}
		if _, err := store.CreateVariable("/"+path, tensors.FromFlatDataAndDimensions(slices.Clone(a.data), a.dims...)); err != nil {
			return fmt.Errorf("variable %s: %w", path, err)
		}
	}
	return nil
}

// fold returns the weights of the trained net without batch norm: kernels and biases that do the same.
func fold(arrays map[string]array) map[string]array {
	out := map[string]array{}
	for path, a := range arrays {
		scope, name := path[:strings.LastIndex(path, "/")+1], filepath.Base(path)
		if strings.HasPrefix(path, "adam/") || name != "weights" && name != "biases" {
			continue
		}
		mean, ok := arrays[scope+"mean"]
		if !ok {
			out[path] = a
			continue
		}
		n := len(mean.data)
		gain, bias := make([]float32, n), make([]float32, n)
		for i := range gain {
			gain[i] = arrays[scope+"scale"].data[i] / float32(math.Sqrt(float64(arrays[scope+"variance"].data[i])+bnEpsilon))
			bias[i] = arrays[scope+"offset"].data[i] - mean.data[i]*gain[i]
		}
		w := make([]float32, len(a.data))
		for i, v := range a.data {
			w[i] = v * gain[i%n]
		}
		out[path] = array{a.dims, w}
		out[scope+"biases"] = array{[]int{n}, bias}
	}
	return out
}

// rounded returns the arrays as half precision keeps them.
func rounded(arrays map[string]array) map[string]array {
	out := map[string]array{}
	for path, a := range arrays {
		data := make([]float32, len(a.data))
		for i, v := range a.data {
			data[i] = float16.Fromfloat32(v).Float32()
		}
		out[path] = array{a.dims, data}
	}
	return out
}
