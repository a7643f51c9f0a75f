// Package train fits a network to images and labels, on adversarial images where that is asked for. The network is
// a Model like any other: its Forward is the one that is looked at later, and training returns the same model with
// other weights.
//
//	m, err := train.New(spec, 1)                                        // new weights
//	m, err = train.Training{Epochs: 5}.Fit(ctx, m, train.Examples{Images: x}) // x.Class are the labels
package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"

	"lucigo/interp"
)

// Training is how a network is trained: by AdamW (Loshchilov and Hutter, arXiv:1711.05101) on the mean cross-entropy
// of each batch, with a learning rate that rises once and falls once along cosines (Smith, arXiv:1708.07120). The zero
// value works for small networks.
//
// Equal trainings of equal models on equal examples give equal weights on one machine.
type Training struct {
	Epochs float64 // how often Fit shows each image; 0: 10
	Batch  int     // images of a step of Fit; 0: 64
	Steps  int     // 0: as many as Epochs needs; Run needs it

	Rate  float64 // the highest learning rate; 0: .001, Adam's own
	Rise  float64 // share of the steps over which the rate rises, from Rate/25; 0: .2
	Decay float64 // weight decay, of matrices and kernels alone; 0: none

	Adversary Adversary // moves the images before each step; the zero value does not

	// Grow is the share of the steps over which the adversary's radius grows from 0; 0: .2. A network that has learnt nothing
	// yet learns nothing from images that have moved far: that of Wong et al. stays at 12 % of MNIST if the radius is .3 from
	// the first of 300 steps.
	Grow float64

	Seed uint64 // of the order of Fit's images and of the places where the adversary starts

	Progress func(Progress) // is called after each step; nil: nobody is told
}

// Progress is how far a training is.
type Progress struct {
	Done, Steps int
	Loss, Right float64               // of the last step's batch, before the step: mean cross-entropy, share of images that were right
	State       func() (State, error) // copies the state from the device; only to be called before Progress returns
}

// State is a training under way: what a checkpoint keeps.
type State struct {
	Done          int            // steps
	Weights       interp.Weights // all of the model's, or none: then it begins with the model's own
	First, Second interp.Weights // Adam's moments, of all weights, or none: then no step has been taken
}

// Check returns an error if the state is not one of a training of these weights.
func (s State) Check(of interp.Weights) error {
	if s.Done < 0 {
		return fmt.Errorf("train: State.Done is %d, must be at least 0", s.Done)
	}
	for _, part := range []struct {
		what string
		interp.Weights
	}{{"weight", s.Weights}, {"first moment of weight", s.First}, {"second moment of weight", s.Second}} {
		if len(part.Weights) == 0 && s.Done == 0 {
			continue
		}
		for _, path := range of.Paths() {
			if part.Weights[path] == nil {
				return fmt.Errorf("train: the state has no %s %q, must have all: it is of another network, or not whole", part.what, path)
			}
		}
		if _, err := of.With(part.Weights); err != nil {
			return fmt.Errorf("train: the state's %s: %w", part.what, err)
		}
	}
	return nil
}

// New returns the model of spec with new weights, drawn by the network's own initialisers from the seed.
func New(spec interp.Spec, seed uint64) (*interp.Model, error) {
	m, err := interp.New(spec)
	if err == nil {
		spec.Weights, err = m.Initial(int64(seed))
	}
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	return interp.New(spec)
}

// String names the parameters.
func (t Training) String() string {
	t = t.defaults()
	length := fmt.Sprintf("%g epochs, batch %d", t.Epochs, t.Batch)
	if t.Steps > 0 {
		length = fmt.Sprintf("%d steps", t.Steps)
	}
	adversary := t.Adversary.String()
	if t.Adversary.Radius > 0 {
		adversary += fmt.Sprintf(" (grows over %g)", t.Grow)
	}
	return fmt.Sprintf("AdamW, %s, rate %g (rises over %g), decay %g, %s, seed %d", length, t.Rate, t.Rise, t.Decay, adversary, t.Seed)
}

func (t Training) defaults() Training {
	t.Epochs, t.Batch = cmp.Or(t.Epochs, 10), cmp.Or(t.Batch, 64)
	t.Rate, t.Rise, t.Grow = cmp.Or(t.Rate, .001), cmp.Or(t.Rise, .2), cmp.Or(t.Grow, .2)
	t.Adversary = t.Adversary.defaults()
	return t
}

func (t Training) check() error {
	switch {
	case !(t.Epochs > 0) || math.IsInf(t.Epochs, 1):
		return fmt.Errorf("train: Epochs is %g, must be a number more than 0", t.Epochs)
	case t.Batch < 1:
		return fmt.Errorf("train: Batch is %d, must be at least 1", t.Batch)
	case t.Steps < 0:
		return fmt.Errorf("train: Steps is %d, must be at least 0", t.Steps)
	case !(t.Rate > 0) || math.IsInf(t.Rate, 1):
		return fmt.Errorf("train: Rate is %g, must be a number more than 0", t.Rate)
	case !(t.Rise > 0 && t.Rise < 1):
		return fmt.Errorf("train: Rise is %g, must be more than 0 and less than 1", t.Rise)
	case !(t.Decay >= 0) || math.IsInf(t.Decay, 1):
		return fmt.Errorf("train: Decay is %g, must be a number of at least 0", t.Decay)
	case !(t.Grow > 0 && t.Grow <= 1):
		return fmt.Errorf("train: Grow is %g, must be more than 0 and at most 1", t.Grow)
	}
	return t.Adversary.check()
}

// Fit trains m further on the examples, from the weights it has, and returns the same network with the weights that
// it ends with. Another Fit of m, on more examples too, compiles nothing. When ctx ends, the model is the one so far,
// and the error says how far that was.
func (t Training) Fit(ctx context.Context, m *interp.Model, e Examples) (*interp.Model, error) {
	t = t.defaults()
	if err := cmp.Or(t.check(), e.check(m)); err != nil {
		return nil, err
	}
	if t.Steps == 0 {
		steps := math.Ceil(t.Epochs * float64(e.Images.N) / float64(t.Batch))
		if steps > math.MaxInt32 {
			return nil, fmt.Errorf("train: Epochs is %g, which are %g steps of %d images, must be at most 2³¹ − 1 steps", t.Epochs, steps, t.Batch)
		}
		t.Steps = int(steps)
	}
	s, err := t.Run(ctx, m, State{Weights: m.Weights()}, e.shuffled(t.Batch, t.Seed))
	if s.Weights == nil {
		return nil, err
	}
	fitted, failed := m.With(s.Weights)
	return fitted, cmp.Or(err, failed)
}

// Run takes the steps of a training that s has not had yet, step i on the examples that feed gives for i. A training
// that ended early, by ctx or by an error, goes on from the state that was returned, to the same weights as if it had not.
func (t Training) Run(ctx context.Context, m *interp.Model, s State, feed Feed) (State, error) {
	t = t.defaults()
	if err := t.check(); err != nil {
		return State{}, err
	}
	if t.Steps == 0 {
		return State{}, errors.New("train: Steps is 0, must be at least 1")
	}
	r, err := begin(m, s)
	if err != nil {
		return State{}, err
	}
	defer r.close()
	err = t.steps(ctx, r, feed)
	end, failed := r.read()
	return end, cmp.Or(err, failed)
}

func (t Training) steps(ctx context.Context, r *run, feed Feed) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	batches := t.ahead(ctx, r, feed)
	for r.done < t.Steps {
		var b batch
		select {
		case b = <-batches:
		case <-ctx.Done(): // a batch may take long: it is not waited for
		}
		err := cmp.Or(ctx.Err(), b.err)
		var loss, right float64
		if err == nil {
			loss, right, err = r.next(ctx, t, b)
		}
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("train: %s: stopped after %d of %d steps: %w", r.m.Name(), r.done, t.Steps, ctx.Err())
		case err != nil:
			return fmt.Errorf("train: %s: step %d: %w", r.m.Name(), r.done, err)
		}
		if t.Progress != nil {
			t.Progress(Progress{r.done, t.Steps, loss, right, r.read})
		}
	}
	return nil
}
