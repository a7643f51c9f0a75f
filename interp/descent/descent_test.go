package descent_test

import (
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"lucigo/interp/descent"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
)

// Six steps against the paper's algorithm 1 in float64. Its epsilon is added to the corrected root, ours to
// the other one, which differs by less than 1e-7 of a step here.
func TestLawAdam(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		for _, a := range []descent.Adam{{}, {Beta1: .5, Beta2: .9, Epsilon: 1e-8}} {
			b1, b2 := a.Beta1, a.Beta2
			if b1 == 0 {
				b1, b2 = .9, .999
			}
			exec := graph.MustNewExec(e.Backend, func(g, first, second *graph.Node) []*graph.Node {
				move, first, second := a.Move(g, first, second)
				return []*graph.Node{move, first, second}
			})
			first, second := []float64{0, 0, 0}, []float64{0, 0, 0}
			m, v := []float64{0, 0, 0}, []float64{0, 0, 0}
			for step := range 6 {
				gradient := []float64{1, -.01 * float64(step+1), 300 * math.Cos(float64(step))}
				out := exec.MustCall(gradient, first, second)
				move := tensors.MustCopyFlatData[float64](out[0])
				first, second = tensors.MustCopyFlatData[float64](out[1]), tensors.MustCopyFlatData[float64](out[2])
				for i, g := range gradient {
					m[i], v[i] = b1*m[i]+(1-b1)*g, b2*v[i]+(1-b2)*g*g
					n := float64(step + 1)
					want := .1 * m[i] / (1 - math.Pow(b1, n)) / (math.Sqrt(v[i]/(1-math.Pow(b2, n))) + 1e-8)
					if got := a.Rate(.1, step) * move[i]; !(math.Abs(got-want) <= 1e-4*math.Abs(want)) {
						t.Errorf("%+v: step %d moves number %d by %g, want %g", a, step, i, got, want)
					}
				}
			}
		}
	})
}

// What is inside stays, what is outside goes to the border, and a second projection changes nothing.
func TestLawProjections(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		exec := graph.MustNewExec(e.Backend, func(x, radius *graph.Node) []*graph.Node {
			box, ball := descent.Box(x, 0, 1), descent.Ball(x, radius)
			return []*graph.Node{box, descent.Box(box, 0, 1), ball, descent.Ball(ball, radius)}
		})
		out := exec.MustCall([]float64{-3, 0, .2, 1, 1.5}, .25)
		for i, want := range [][]float64{{0, 0, .2, 1, 1}, {0, 0, .2, 1, 1}, {-.25, 0, .2, .25, .25}, {-.25, 0, .2, .25, .25}} {
			if got := tensors.MustCopyFlatData[float64](out[i]); !slices.Equal(got, want) {
				t.Errorf("projection %d is %v, want %v", i, got, want)
			}
		}
	})
}
