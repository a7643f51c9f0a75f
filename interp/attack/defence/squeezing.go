package defence

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
)

// Refused is the name of the class of images that a detector does not answer. It is the last.
const Refused = "refused"

// Squeezing is a detector: Xu et al., arXiv:1704.01155. It asks the network of the image, of the image with fewer bits, and of the medians of its
// squares of 2×2 pixels; where the probabilities differ by more than a threshold in L1, it refuses to answer. The paper's third squeezer,
// non-local means, is left out. The model has a class more, Refused, whose logit is the largest logit plus Scale times how far the
// difference is above the threshold.
//
// Whoever attacks it wants an answer, so an attack is to be judged with targets (attack.To): any class but the true one would be met by a
// refusal. Known passes the gradient through the rounding as if it were not there.
type Squeezing struct {
	Bits int // from 1 to 8; 0 is 5

	// Threshold is from 0 to 2; 0 is 1.1402, the authors' for CIFAR-10. Fit finds that of a network.
	Threshold float64

	Scale float64 // 0 is 10
}

func (d Squeezing) defaults() Squeezing {
	return Squeezing{cmp.Or(d.Bits, 5), cmp.Or(d.Threshold, 1.1402), cmp.Or(d.Scale, 10)}
}

// String names the parameters.
func (d Squeezing) String() string {
	d = d.defaults()
	return fmt.Sprintf("feature squeezing(bits=%d, threshold=%.4g, scale=%g)", d.Bits, d.Threshold, d.Scale)
}

// Of implements Defence.
func (d Squeezing) Of(m *interp.Model) (*interp.Model, error) { return d.watched(m, false) }

// Known implements Defence.
func (d Squeezing) Known(m *interp.Model) (*interp.Model, error) { return d.watched(m, true) }

func (d Squeezing) watched(m *interp.Model, known bool) (*interp.Model, error) {
	d = d.defaults()
	switch {
	case d.Bits < 1 || d.Bits > 8:
		return nil, fmt.Errorf("defence: Squeezing.Bits is %d, must be from 1 to 8, or 0 for 5", d.Bits)
	case !(d.Threshold > 0 && d.Threshold <= 2):
		return nil, fmt.Errorf("defence: Squeezing.Threshold is %g, must be from 0 to 2", d.Threshold)
	case !(d.Scale > 0) || math.IsInf(d.Scale, 1):
		return nil, fmt.Errorf("defence: Squeezing.Scale is %g, must be a number of at least 0", d.Scale)
	case m != nil && slices.Contains(m.Classes(), Refused):
		return nil, fmt.Errorf("defence: %s: %s has the class %q already, and a detector around a detector is not one of this package", d, m, Refused)
	}
	return d.asked(m, known, func(logits, apart *graph.Node) *graph.Node {
		return graph.Add(graph.ReduceMax(logits, -1), graph.MulScalar(graph.AddScalar(apart, -d.Threshold), d.Scale))
	})
}

// asked returns m with a class more, whose logit is made of the others and of how far the probabilities are apart, in L1, at most.
func (d Squeezing) asked(m *interp.Model, known bool, last func(logits, apart *graph.Node) *graph.Node) (*interp.Model, error) {
	return wrapped(d, m, func(spec *interp.Spec) {
		f := spec.Forward
		spec.Classes = append(spec.Classes, Refused)
		spec.Forward = func(s *model.Scope, x *graph.Node) *graph.Node {
			bits := graph.StopGradient(rounded(x, d.Bits))
			if known {
				bits = straight(x, bits)
			}
			logits := f(s, x)
			p := graph.Softmax(logits, -1)
			var apart [2]*graph.Node
			for i, squeezed := range []*graph.Node{bits, medians(x)} {
				apart[i] = graph.ReduceSum(graph.Abs(graph.Sub(p, graph.Softmax(f(s, squeezed), -1))), -1)
			}
			return graph.Concatenate([]*graph.Node{logits, graph.ExpandAxes(last(logits, graph.Max(apart[0], apart[1])), -1)}, -1)
		}
	})
}

// medians returns for each pixel the second largest of it and of those above, to the left, and both, as the authors' program has it; at the
// edge the pixel itself counts again.
func medians(x *graph.Node) *graph.Node {
	left := previous(x, 2)
	high, low := graph.Max(x, left), graph.Min(x, left)
	return graph.Max(graph.Min(high, previous(high, 1)), graph.Max(low, previous(low, 1)))
}

// Fit returns the detector whose threshold refuses a share of the images x, or, where they have classes, of those that m gets right: the
// paper takes .05. The share is rounded down to a number of images. The threshold lies halfway between the largest difference that is answered
// and the smallest that is refused; the authors take the former.
func (d Squeezing) Fit(ctx context.Context, m *interp.Model, x interp.Images, share float64) (Squeezing, error) {
	if !(share > 0 && share < 1) {
		return d, fmt.Errorf("defence: Squeezing.Fit: the share is %g, must be more than 0 and less than 1", share)
	}
	if _, err := d.Of(m); err != nil {
		return d, err
	}
	d = d.defaults()
	w, err := d.asked(m, false, func(_, apart *graph.Node) *graph.Node { return apart })
	if err != nil {
		return d, err
	}
	p, err := w.Predict(ctx, x)
	if err != nil {
		return d, err
	}
	var apart []float64
	for i := range x.N {
		logits := p.Logits.Of(i)
		own := logits[:len(logits)-1]
		if x.Class != nil && (x.Class[i] < 0 || x.Class[i] >= len(own)) {
			return d, fmt.Errorf("defence: Squeezing.Fit: the class of image %d is %d, must be from 0 to %d", i, x.Class[i], len(own)-1)
		}
		if x.Class == nil || own[x.Class[i]] == slices.Max(own) {
			apart = append(apart, logits[len(own)])
		}
	}
	if len(apart) == 0 {
		return d, fmt.Errorf("defence: Squeezing.Fit: %s gets none of %d images right, and must some", m, x.N)
	}
	slices.Sort(apart)
	last := len(apart) - 1 - min(int(share*float64(len(apart))+1e-9), len(apart)-1) // that is not refused
	next := min(last+1, len(apart)-1)
	d.Threshold = min(max((apart[last]+apart[next])/2, 1e-6), 2)
	return d, nil
}
