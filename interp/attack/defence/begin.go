package defence

import (
	"fmt"
	"slices"

	"lucigo/interp"
)

// Begin returns m as a network that takes the code, to be trained further from there. Each level has a part in Levels of the weight that its
// number had in m's first layer, whose weights are at the path, such as "/conv1/weights": so with the code the network sees numbers rounded
// up to a multiple of 1/Levels, and answers as m does of those.
func (d Thermometer) Begin(m *interp.Model, path string) (*interp.Model, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	w, err := weightOf(d, m, path)
	if err != nil {
		return nil, err
	}
	dims, levels := w.Dims(), d.levels()
	_, _, channels := m.Input()
	if len(dims) < 2 || dims[len(dims)-2]%channels != 0 {
		return nil, fmt.Errorf("defence: %s: the weights %q are shaped %v, must be those of the first layer, of images of %d channels", d, path, dims, channels)
	}
	out := dims[len(dims)-1]
	dims[len(dims)-2] *= levels
	wide, err := interp.NewWeight(repeated(w.Values(), out, levels, 1/float64(levels)), dims...)
	if err != nil {
		return nil, err
	}
	begun, err := m.Wrapped(func(spec *interp.Spec) {
		spec.Input[2] *= levels
		spec.Weights[path] = wide
	})
	if err != nil {
		return nil, fmt.Errorf("defence: %s: %w", d, err)
	}
	return begun, nil
}

// Begin returns m with its logits multiplied by the temperature, for Fit, which divides them by it: so its training begins where m is. The
// paths are those of the weights and biases of m's last layer.
func (d Distillation) Begin(m *interp.Model, paths ...string) (*interp.Model, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	hot := interp.Weights{}
	for _, path := range paths {
		w, err := weightOf(d, m, path)
		if err != nil {
			return nil, err
		}
		if hot[path], err = interp.NewWeight(repeated(w.Values(), 1, 1, d.temperature()), w.Dims()...); err != nil {
			return nil, err
		}
	}
	return m.With(hot)
}

func weightOf(d Defence, m *interp.Model, path string) (*interp.Weight, error) {
	if m == nil {
		return nil, fmt.Errorf("defence: %s: the model is nil", d)
	}
	w := m.Weights()[path]
	if w == nil {
		return nil, fmt.Errorf("defence: %s: %s has no weights %q", d, m, path)
	}
	return w, nil
}

// repeated returns each run of so many numbers so many times, multiplied.
func repeated(values []float64, run, times int, by float64) (all []float64) {
	for v := range slices.Chunk(values, run) {
		for range times {
			for _, n := range v {
				all = append(all, n*by)
			}
		}
	}
	return all
}
