package interp_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
)

// count adds what each image gets in this run, what it gets in every run, and what all get, to its state, and
// returns the sum of that.
type count struct{}

func (count) Build(_ *interp.Net, a []*Node) []*Node {
	state, now, always, all := a[0], a[1], a[2], a[3]
	next := Add(Add(Add(state, now), always), BroadcastToShape(all, state.Shape()))
	return []*Node{next, ReduceSum(next, 1)}
}

// When all images have stopped, there is nothing to run and no state, whatever is asked for.
func TestLoopOfNone(t *testing.T) {
	m := interptest.Linear()
	l, err := m.Loop(2, 1, []interp.Arg{interp.Each([]float64{1, 2})})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Keep(func(int) bool { return false }); err != nil {
		t.Fatal(err)
	}
	out, err := l.Next(ctx, count{}, nil)
	if state, stateErr := l.State(0); err != nil || stateErr != nil || len(out) != 0 || state.N != 0 || len(l.Images()) != 0 {
		t.Errorf("%d results, %v; the state of %d images, %v", len(out), err, state.N, stateErr)
	}
}

// A loop against the same on the host, for every cut, with images that stop on the way.
func TestLawLoop(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Linear().On(e.Backend).Float64()
		const n, width = 39, 3
		start, own := make([]float64, n*width), make([]float64, n*width)
		for i := range start {
			start[i], own[i] = float64(i), 1/float64(i+1)
		}
		for _, most := range []int{0, 1, 2, 4, 16, 32} {
			l, err := m.Loop(n, most, []interp.Arg{interp.Each(start, width)}, interp.Each(own, width), interp.Float(.25))
			if err != nil {
				t.Fatal(err)
			}
			want := slices.Clone(start)
			var images []int
			for i := range n {
				images = append(images, i)
			}
			for round := range 4 {
				var args []float64
				for _, i := range images {
					args = append(args, own[i*width:(i+1)*width]...)
				}
				out, err := l.Next(ctx, count{}, nil, interp.Each(args, width))
				if err != nil {
					t.Fatal(err)
				}
				for k, i := range images {
					sum := 0.0
					for j := range width {
						want[i*width+j] += 2*own[i*width+j] + .25
						sum += want[i*width+j]
					}
					if d := math.Abs(out[0].Of(k)[0] - sum); !(d <= 1e-12) {
						t.Errorf("most %d, round %d: image %d is off by %g", most, round, i, d)
					}
				}
				state, err := l.State(0)
				if err != nil || state.N != len(images) {
					t.Fatalf("state of %d images, want %d, %v", state.N, len(images), err)
				}
				for k, i := range images {
					if d := interptest.Distance(state.Of(k), want[i*width:(i+1)*width]); d > 1e-15 {
						t.Errorf("most %d, round %d: the state of image %d is off by %g", most, round, i, d)
					}
				}
				if err := l.Keep(func(i int) bool { return i%(round+2) != 1 }); err != nil {
					t.Fatal(err)
				}
				images = slices.DeleteFunc(images, func(i int) bool { return i%(round+2) == 1 })
				if !slices.Equal(l.Images(), images) {
					t.Fatalf("images %v still run, want %v", l.Images(), images)
				}
			}
			if err := l.Keep(func(int) bool { return false }); err != nil || len(l.Images()) != 0 {
				t.Errorf("images %v still run, %v", l.Images(), err)
			}
			l.Close()
			l.Close()
		}
	})
}

func TestLoopErrors(t *testing.T) {
	m := interptest.Linear()
	each := interp.Each(make([]float64, 6), 3)
	keeps := interp.StepOf(func(_ *interp.Net, a []*Node) []*Node { return a[:2] })
	begin := func(n, most int, state []interp.Arg, args ...interp.Arg) func() error {
		return func() error { _, err := m.Loop(n, most, state, args...); return err }
	}
	next := func(step interp.Step, args ...interp.Arg) func() error {
		return func() error {
			l, err := m.Loop(2, 2, []interp.Arg{each, each})
			if err != nil {
				return err
			}
			defer l.Close()
			_, err = l.Next(ctx, step, nil, args...)
			return err
		}
	}
	for _, c := range []struct {
		try  func() error
		want string
	}{
		{begin(0, 1, nil), "at least 1"},
		{begin(3, 1, nil, each), "each of 2 images, and there are 3"},
		{begin(2, 1, []interp.Arg{interp.Float(1)}), "array 0 of a loop's state"},
		{begin(2, 1, nil, interp.Array(make([]float64, 5), 2, 3)), "5 numbers, must fill arrays of [2 3]"},
		{begin(2, 1, nil, interp.Int(1<<40)), "must fit in 32 bits"},
		{next(keeps, interp.Each(make([]float64, 9), 3)), "each of 3 images, and there are 2"},
		{next(interp.StepOf(func(_ *interp.Net, a []*Node) []*Node { return []*Node{Identity(a[0])} })), "returns 1 results, and the state has 2 arrays"},
		{next(interp.StepOf(func(_ *interp.Net, a []*Node) []*Node { return []*Node{a[0], a[1], ReduceAllSum(a[0])} })), "must be of each of 2 images"},
	} {
		if err := c.try(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

// A tensor may be closed while the device is at it: memory goes when it is done.
func TestTensorsAreHeld(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 4, 1)
	for range 20 {
		a, err := m.Tensor(x.Arg())
		if err != nil {
			t.Fatal(err)
		}
		ended, cancel := context.WithCancel(ctx)
		go cancel()
		out, err := m.Run(ended, forward{}, nil, a)
		a.Close()
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		for _, r := range out {
			r.Close()
		}
		cancel()
	}
}

type forward struct{}

func (forward) Build(net *interp.Net, a []*Node) []*Node {
	return []*Node{net.Pass(a[0], nil).Logits()}
}

// The derivative at a layer is right: it, carried on to the image, is the derivative at the image.
func TestLawGradientAt(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Branchy().On(e.Backend).Float64()
		x := interptest.Images(m, 2, 3).Asked(1, 2)
		values, at, score, err := m.GradientAt(ctx, objective.LogProb, nil, x, "mixed")
		if err != nil {
			t.Fatal(err)
		}
		acts, err := m.Activations(ctx, x, "mixed")
		if err != nil {
			t.Fatal(err)
		}
		whole, err := m.Gradient(ctx, objective.LogProb, nil, x)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(values.Data, acts[0].Data) || interptest.Distance(score, whole.Score) > 1e-14 {
			t.Error("the values or scores are others than those of the network")
		}
		for i := range x.N {
			through, err := m.Gradient(ctx, objective.Direction("mixed", at.Of(i)), nil, x.Slice(i, i+1))
			if err != nil {
				t.Fatal(err)
			}
			if d := interptest.Distance(through.Of(0), whole.Of(i)); !(d <= 1e-12) {
				t.Errorf("image %d: carried on to the image, the derivative at the layer is %g off", i, d)
			}
		}
		if _, _, _, err := m.GradientAt(ctx, objective.Channel("conv1", 1), nil, x, "mixed"); err == nil || !strings.Contains(err.Error(), `does not depend on layer "mixed"`) {
			t.Errorf("at a layer that comes later: error %v", err)
		}
	})
}

// Variables come in the order of the network, each with its layer; initial weights fit them and follow their
// initialisers, and equal seeds draw equal ones.
func TestVariablesAndInitial(t *testing.T) {
	m := interptest.Branchy()
	vars, err := m.Variables()
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, v := range vars {
		paths = append(paths, v.Path)
	}
	if !slices.Equal(slices.Sorted(slices.Values(paths)), m.Weights().Paths()) || vars[0].Path != "/conv1/weights" || vars[0].Layer != "conv1" || vars[len(vars)-1].Layer != "" {
		t.Errorf("variables %v", vars)
	}
	layers, err := m.Layers()
	if err != nil {
		t.Fatal(err)
	}
	clear(vars[0].Dims) // what was returned is the caller's, and what is kept stays
	clear(layers[0].Shape)
	if vars, err := m.Variables(); err != nil || slices.Contains(vars[0].Dims, 0) {
		t.Errorf("variables %v after the first answer was changed, error %v", vars, err)
	}
	if layers, err := m.Layers(); err != nil || slices.Contains(layers[0].Shape, 0) {
		t.Errorf("layers %v after the first answer was changed, error %v", layers, err)
	}
	w, err := m.Initial(1)
	if err != nil {
		t.Fatal(err)
	}
	same, err := m.Initial(1)
	if err != nil {
		t.Fatal(err)
	}
	other, err := m.Initial(2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.With(w); err != nil {
		t.Error(err)
	}
	for _, v := range vars {
		a, b := w[v.Path].Values(), same[v.Path].Values()
		if !slices.Equal(a, b) {
			t.Errorf("%s: equal seeds draw other weights", v.Path)
		}
		zero := !slices.ContainsFunc(a, func(v float64) bool { return v != 0 })
		if bias := strings.HasSuffix(v.Path, "biases"); bias != zero || !bias && slices.Equal(a, other[v.Path].Values()) {
			t.Errorf("%s: zeros %t, or the weights of another seed", v.Path, zero)
		}
	}
}

// What is prepared is what runs, so it is compiled once; what cannot be compiled is told where it runs.
func TestPrepare(t *testing.T) {
	m := interptest.Branchy() // which has ReLUs
	compiled := func() int { n, _, _ := m.Programs(); return n }
	prepared := func(more func()) {
		t.Helper()
		before := compiled()
		more()
		for end := time.Now().Add(time.Minute); compiled() == before; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("nothing was compiled")
			}
		}
	}
	h, w, c := m.Input()
	x := interptest.ImagesOf(5, h, w, c, 1).Asked(0)
	for _, o := range []interp.Objective{objective.Logit, objective.LogitOf(1)} {
		prepared(func() { m.Prepare(o, layer.Guided, interp.Images{N: x.N, H: h, W: w, C: c}) })
		before := compiled()
		if _, err := m.Gradient(ctx, o, layer.Guided, x); err != nil {
			t.Fatal(err)
		}
		if now := compiled(); now != before {
			t.Errorf("%s: %d programs were compiled that had been prepared otherwise", o, now-before)
		}
	}
	l, err := m.Loop(2, 0, []interp.Arg{interp.Each(make([]float64, 6), 3)}, interp.Each(make([]float64, 6), 3), interp.Float(.25))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	now := interp.Each(make([]float64, 6), 3)
	prepared(func() { l.Prepare(count{}, nil, now) })
	before := compiled()
	if _, err := l.Next(ctx, count{}, nil, now); err != nil || compiled() != before {
		t.Errorf("%d programs, %d after a run: %v", before, compiled(), err)
	}
	l.Prepare(count{}, nil) // an argument is missing
	if _, err := l.Next(ctx, count{}, nil); err == nil {
		t.Error("a step that cannot be built ran")
	}
}
