package defence

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/train"
)

// Distillation trains a network to say what another one of its kind says, both with their logits divided by a temperature, and then takes the
// temperature away: Papernot et al., arXiv:1511.04508, section IV. The network, whose logits are as many times too large, answers in
// probabilities of almost 0 and 1, whose gradient vanishes. Known has the logits, divided by the temperature: Carlini and Wagner,
// arXiv:1607.04311.
//
// Fit trains the model that Of takes: a network that was trained in another way is only given a softmax.
type Distillation struct {
	Temperature float64 // 0 is 100
}

func (d Distillation) temperature() float64 { return cmp.Or(d.Temperature, 100) }

// String names the parameters.
func (d Distillation) String() string {
	return fmt.Sprintf("distillation(temperature=%g)", d.temperature())
}

func (d Distillation) check() error {
	if !(d.temperature() > 0) || math.IsInf(d.Temperature, 1) {
		return fmt.Errorf("defence: Distillation.Temperature is %g, must be a number more than 0, or 0 for 100", d.Temperature)
	}
	return nil
}

// Of implements Defence.
func (d Distillation) Of(m *interp.Model) (*interp.Model, error) {
	return d.ended(m, func(logits *graph.Node) *graph.Node { return graph.Softmax(logits, -1) })
}

// Known implements Defence.
func (d Distillation) Known(m *interp.Model) (*interp.Model, error) {
	return d.ended(m, func(logits *graph.Node) *graph.Node { return graph.DivScalar(logits, d.temperature()) })
}

func (d Distillation) ended(m *interp.Model, end func(logits *graph.Node) *graph.Node) (*interp.Model, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	return wrapped(d, m, func(spec *interp.Spec) {
		f := spec.Forward
		spec.Forward = func(s *model.Scope, x *graph.Node) *graph.Node { return end(f(s, x)) }
	})
}

// Fit trains m twice from the weights that it has, both times with its logits divided by the temperature: on the labels of e, and then on the
// probabilities that the first gives. It returns the second, whose logits are not divided.
func (d Distillation) Fit(ctx context.Context, m *interp.Model, t train.Training, e train.Examples) (*interp.Model, error) {
	hot, err := d.Known(m)
	if err != nil {
		return nil, err
	}
	teacher, err := t.Fit(ctx, hot, e)
	if err != nil {
		return nil, fmt.Errorf("defence: %s: the first network: %w", d, err)
	}
	p, err := teacher.Predict(ctx, e.Images)
	if err != nil {
		return nil, err
	}
	e.Targets = nil
	for i := range e.Images.N {
		for c := range p.Names {
			e.Targets = append(e.Targets, p.Prob(i, c))
		}
	}
	student, err := t.Fit(ctx, hot, e)
	if err != nil {
		return nil, fmt.Errorf("defence: %s: the second network: %w", d, err)
	}
	return m.With(student.Weights())
}
