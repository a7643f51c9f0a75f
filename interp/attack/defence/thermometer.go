package defence

import (
	"cmp"
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
)

// Thermometer gives the network a code instead of each number: Buckman et al., "Thermometer encoding" (ICLR 2018). Channel c·Levels + k of
// what the network takes is 1 where channel c of the image is more than k/Levels, and 0 elsewhere. So the model that is wrapped takes
// Levels times as many channels as the images have, and learns its weights in the defended model: train.Training.Fit takes that, and Begin
// makes a beginning of a network that has learnt without the code.
//
// The code has no gradient. Known has that of min(max(x − k/Levels, 0), 1): arXiv:1802.00420, section 5.1.1.
type Thermometer struct {
	Levels int // 0 is 16
}

// String names the parameters.
func (d Thermometer) String() string { return fmt.Sprintf("thermometer(levels=%d)", d.levels()) }

func (d Thermometer) levels() int { return cmp.Or(d.Levels, 16) }

// Of implements Defence.
func (d Thermometer) Of(m *interp.Model) (*interp.Model, error) { return d.coded(m, false) }

// Known implements Defence.
func (d Thermometer) Known(m *interp.Model) (*interp.Model, error) { return d.coded(m, true) }

func (d Thermometer) check() error {
	if d.levels() < 1 {
		return fmt.Errorf("defence: Thermometer.Levels is %d, must be at least 0", d.Levels)
	}
	return nil
}

func (d Thermometer) coded(m *interp.Model, known bool) (*interp.Model, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	if m != nil {
		if _, _, c := m.Input(); c%d.levels() != 0 {
			return nil, fmt.Errorf("defence: %s: %s takes images of %d channels, must take Levels times as many as the images have: a multiple of %d",
				d, m, c, d.levels())
		}
	}
	return wrapped(d, m, func(spec *interp.Spec) {
		f := spec.Forward
		spec.Input[2] /= d.levels()
		spec.Forward = func(s *model.Scope, x *graph.Node) *graph.Node { return f(s, d.code(x, known)) }
	})
}

// code returns the code of images [N, H, W, C], [N, H, W, C·Levels].
func (d Thermometer) code(x *graph.Node, known bool) *graph.Node {
	dims, levels := x.Shape().Dimensions, d.levels()
	at := make([]float64, levels)
	for k := range at {
		at[k] = float64(k) / float64(levels)
	}
	wide := graph.BroadcastToDims(graph.ExpandAxes(x, -1), append(append([]int{}, dims...), levels)...)
	over := graph.Sub(wide, graph.BroadcastToDims(graph.Reshape(graph.ConstAsDType(x.Graph(), x.DType(), at), 1, 1, 1, 1, levels), wide.Shape().Dimensions...))
	code := graph.ConvertDType(graph.GreaterThan(over, graph.ZerosLike(over)), x.DType())
	if known {
		code = straight(graph.ClipScalar(over, 0, 1), code)
	}
	return graph.Reshape(code, dims[0], dims[1], dims[2], dims[3]*levels)
}
