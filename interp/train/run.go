package train

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"lucigo/interp"
	"lucigo/interp/descent"
)

// run is a training on the device.
type run struct {
	m     *interp.Model
	paths []string // of the weights
	dims  [][]int
	state []*interp.Tensor // the weights, then Adam's first moments, then the second ones
	done  int
}

// begin copies a state to the device.
func begin(m *interp.Model, s State) (r *run, err error) {
	r = &run{m: m, done: s.Done}
	if err := s.Check(m.Weights()); err != nil {
		return nil, err
	}
	_, err = m.Layers() // weights that are missing or do not fit
	weights, changed := m.Weights().With(s.Weights)
	variables, unbuilt := m.Variables()
	if err = cmp.Or(err, changed, unbuilt); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	for _, v := range variables {
		r.paths, r.dims = append(r.paths, v.Path), append(r.dims, v.Dims)
	}
	for _, of := range []interp.Weights{weights, s.First, s.Second} {
		for i, path := range r.paths {
			values := make([]float64, len(weights[path].Values()))
			if w := of[path]; w != nil {
				values = w.Values()
			}
			tensor, failed := m.Tensor(interp.Array(values, r.dims[i]...))
			if err = cmp.Or(err, failed); err != nil {
				r.close()
				return nil, err
			}
			r.state = append(r.state, tensor)
		}
	}
	return r, nil
}

func (r *run) close() { closeAll(r.state) }

func closeAll(all []*interp.Tensor) {
	for _, t := range all {
		if t != nil {
			t.Close()
		}
	}
}

// read copies the state from the device.
func (r *run) read() (State, error) {
	s, n := State{r.done, interp.Weights{}, interp.Weights{}, interp.Weights{}}, len(r.paths)
	for k, to := range []interp.Weights{s.Weights, s.First, s.Second} {
		for i, path := range r.paths {
			v, err := r.state[k*n+i].Numbers()
			if err != nil {
				return State{}, fmt.Errorf("train: %w", err)
			}
			if to[path], err = weight(v, r.dims[i]); err != nil {
				return State{}, fmt.Errorf("train: %w", err)
			}
		}
	}
	return s, nil
}

// weight keeps numbers as float32 where they are.
func weight(v []float64, dims []int) (*interp.Weight, error) {
	short := make([]float32, len(v))
	for i := range v {
		short[i] = float32(v[i])
		if float64(short[i]) != v[i] {
			return interp.NewWeight(v, dims...)
		}
	}
	return interp.NewWeight(short, dims...)
}

// next takes one step. After an error the state is the one before it.
func (r *run) next(ctx context.Context, t Training, b batch) (loss, right float64, err error) {
	k := t.knobs(r.done)
	var args []*interp.Tensor
	defer func() { closeAll(args) }()
	given := []interp.Arg{b.Images.Arg(), b.targets, interp.Floats([]float64{k.rate, k.adam, t.Decay})}
	s := step{paths: r.paths}
	if t.Adversary.Radius > 0 {
		s.moves, s.move = t.Adversary.Moves, t.Adversary.Move
		given = append(given, b.start, interp.Float(k.radius))
	}
	for _, a := range given {
		tensor, err := r.m.Tensor(a)
		if err != nil {
			return 0, 0, err
		}
		args = append(args, tensor)
	}
	out, err := r.m.Run(ctx, s, nil, slices.Concat(r.state, args)...)
	if err != nil {
		return 0, 0, err
	}
	n := len(r.state)
	var seen []float64
	for _, tensor := range out[n:] {
		v, failed := tensor.Numbers()
		err = cmp.Or(err, failed)
		seen = append(seen, v...)
		tensor.Close()
	}
	if err == nil && interp.NotFinite(seen[0]) {
		err = fmt.Errorf("the loss is %g: with a rate of %g the weights have grown too large; take a smaller Rate", seen[0], k.rate)
	}
	if err != nil {
		closeAll(out[:n])
		return 0, 0, err
	}
	closeAll(r.state)
	r.state, r.done = out[:n], r.done+1
	return seen[0], seen[1], nil
}

// knobs are the numbers that change from step to step.
type knobs struct{ rate, adam, radius float64 }

// knobs returns those of a step: the rate rises along a cosine from Rate/25 to Rate, and falls along one to a
// ten-thousandth of it; the radius grows evenly.
func (t Training) knobs(step int) (k knobs) {
	at := (float64(step) + .5) / float64(t.Steps)
	wave := func(from, to, share float64) float64 { return from + (to-from)*(1-math.Cos(math.Pi*share))/2 }
	if at < t.Rise {
		k.rate = wave(t.Rate/25, t.Rate, at/t.Rise)
	} else {
		k.rate = wave(t.Rate, t.Rate*1e-4, (at-t.Rise)/(1-t.Rise))
	}
	k.adam, k.radius = descent.Adam{}.Rate(k.rate, step), t.Adversary.Radius
	if at < t.Grow {
		k.radius *= at / t.Grow
	}
	return k
}
