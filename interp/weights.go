package interp

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp/near"
)

// Weights are the tensors of a network, by the path of the variable they are the value of, such as
// "/conv1/weights". Neither the map nor its tensors change once a Model has them.
type Weights map[string]*Weight

// Weight is an immutable tensor of numbers. Models share it, and its copies on devices, freely.
type Weight struct {
	dims []int
	f32  []float32 // exactly one of f32 and f64 is set
	f64  []float64

	mu     sync.Mutex
	device map[place]*tensors.Tensor
}

// place is where, and in which precision, a copy of a weight is.
type place struct {
	backend compute.Backend
	dtype   dtypes.DType
}

// NewWeight returns a tensor of the given dimensions, row-major. It keeps data, which must not change.
func NewWeight[T float32 | float64](data []T, dims ...int) (*Weight, error) {
	size := 1
	for _, d := range dims {
		if d < 1 || size > math.MaxInt32/d {
			return nil, fmt.Errorf("interp: a weight is shaped %v, must have from 1 to 2³¹ − 1 numbers", dims)
		}
		size *= d
	}
	if size != len(data) {
		return nil, fmt.Errorf("interp: a weight shaped %v has %d numbers, must have %d", dims, len(data), size)
	}
	w := &Weight{dims: slices.Clone(dims)}
	w.f32, _ = any(data).([]float32)
	w.f64, _ = any(data).([]float64)
	return w, nil
}

// Dims returns the dimensions.
func (w *Weight) Dims() []int { return slices.Clone(w.dims) }

// Values returns a copy of the numbers, row-major.
func (w *Weight) Values() []float64 { return convert[float64](w) }

func convert[T float32 | float64](w *Weight) []T {
	if w.f32 != nil {
		return cast[T](w.f32)
	}
	return cast[T](w.f64)
}

func cast[T, F int | int32 | float32 | float64](from []F) []T {
	to := make([]T, len(from))
	copyAs(to, from)
	return to
}

// copyAs copies numbers to an array of another type that has room for them.
func copyAs[T, F int | int32 | float32 | float64](to []T, from []F) {
	to = to[:len(from)]
	for i, v := range from {
		to[i] = T(v)
	}
}

// at returns the copy of w in the given place, making it at the first call.
func (w *Weight) at(p place) (*tensors.Tensor, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t := w.device[p]; t != nil {
		return t, nil
	}
	var t *tensors.Tensor
	switch {
	case p.dtype == dtypes.Float64:
		t = tensors.FromFlatDataAndDimensions(convert[float64](w), w.dims...)
	case w.f32 != nil:
		t = tensors.FromFlatDataAndDimensions(w.f32, w.dims...)
	default:
		t = tensors.FromFlatDataAndDimensions(convert[float32](w), w.dims...)
	}
	if _, err := t.Buffer(p.backend, 0); err != nil {
		return nil, fmt.Errorf("a weight shaped %v does not fit on the device: %w", w.dims, err)
	}
	if w.device == nil {
		w.device = map[place]*tensors.Tensor{}
	}
	w.device[p] = t
	return t, nil
}

// WeightsOf copies the values of a GoMLX store, as after training. Integer variables (step counters,
// random states) are left out.
func WeightsOf(store *model.Store) (Weights, error) {
	weights := Weights{}
	for v := range store.IterVariables() {
		t, err := v.Value()
		if err != nil {
			return nil, fmt.Errorf("variable %s: %w", v.Path(), err)
		}
		w := &Weight{dims: slices.Clone(v.Shape().Dimensions)}
		switch v.DType() {
		case dtypes.Float32:
			w.f32, err = tensors.CopyFlatData[float32](t)
		case dtypes.Float64:
			w.f64, err = tensors.CopyFlatData[float64](t)
		default:
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("variable %s: %w", v.Path(), err)
		}
		weights[v.Path()] = w
	}
	return weights, nil
}

// With returns w with some tensors replaced. A path that w does not have, or another shape, is an error.
func (w Weights) With(changes Weights) (Weights, error) {
	out := maps.Clone(w)
	for path, c := range changes {
		old := w[path]
		if old == nil {
			return nil, near.Error("weight", path, w.Paths())
		}
		if !slices.Equal(old.dims, c.dims) {
			return nil, fmt.Errorf("weight %q is shaped %v and cannot be replaced by one shaped %v", path, old.dims, c.dims)
		}
		out[path] = c
	}
	return out, nil
}

// Paths returns the paths, sorted.
func (w Weights) Paths() []string { return slices.Sorted(maps.Keys(w)) }

// notFinite returns the path of a tensor with a NaN or an infinity, or "".
func (w Weights) notFinite() string {
	for _, path := range w.Paths() {
		if slices.ContainsFunc(w[path].Values(), NotFinite) {
			return path
		}
	}
	return ""
}
