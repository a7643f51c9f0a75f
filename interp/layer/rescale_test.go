package layer

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// multipliers returns the gradient under Rescale of logit 1 at the first of the arguments, against the second, and the logits.
func multipliers(t *testing.T, b compute.Backend, in []array, forward func(x []*Node) *Node) (array, array) {
	t.Helper()
	out := run[float64](t, b, in, func(x []*Node) []*Node {
		p := StartBeside(nil, x[0], x[1], func(_ *model.Scope, images *Node) *Node {
			return forward(append([]*Node{images}, x[2:]...))
		}, Rescale)
		defer p.Stop()
		y := p.Logits()
		return []*Node{graph.Gradient(graph.ReduceAllSum(graph.SliceAxis(y, 1, graph.AxisElem(1))), x[0])[0], y}
	})
	return out[0], out[1]
}

// The multipliers of a network of convolution, ReLU, max-pool, tanh and dense layers are the definition's, done by hand. Where
// image and reference are the same, they are the gradient.
func TestLawRescale(t *testing.T) {
	rng := rand.New(rand.NewPCG(41, 42))
	win, pool := Square(3, 1, 1), Square(2, 2, 0)
	in := []array{normal(rng, 2, 4, 4, 2), normal(rng, 2, 4, 4, 2), normal(rng, 3, 3, 2, 3), normal(rng, 3),
		normal(rng, 12, 6), normal(rng, 6), normal(rng, 6, 2), normal(rng, 2)}
	for i := range 6 {
		in[1].v[i] = in[0].v[i]
	}
	net := func(x []*Node) *Node {
		y := MaxPool(ReLU(Convolve(x[0], x[1], x[2], win, 1)), pool)
		return Affine(Tanh(Affine(Flatten(y), x[3], x[4])), x[5], x[6])
	}
	slow := func(n int) []float64 {
		var c, a, p, d, h [2]array // of image and reference
		var from [2][]int
		for k := range 2 {
			x := array{[]int{1, 4, 4, 2}, in[k].v[n*32 : (n+1)*32]}
			c[k] = slowConv(x, in[2], in[3], win, 1)
			a[k] = slowMap(c[k], func(v float64) float64 { return math.Max(v, 0) })
			p[k], from[k] = slowMaxPool(a[k], pool)
			d[k] = slowAffine(array{[]int{1, 12}, p[k].v}, in[4], in[5])
			h[k] = slowMap(d[k], math.Tanh)
		}
		m := make([]float64, 12)
		for i := range m {
			for j := range 6 {
				m[i] += *in[4].at(i, j) * (h[0].v[j] - h[1].v[j]) / (d[0].v[j] - d[1].v[j]) * *in[6].at(j, 1)
			}
		}
		u := make([]float64, 48) // the differences that the pools' inputs are given, times multipliers
		for i, v := range m {
			most := math.Max(p[0].v[i], p[1].v[i])
			u[from[0][i]] += v * (most - p[1].v[i])
			u[from[1][i]] += v * (p[0].v[i] - most)
		}
		g := make([]float64, 32)
		exact := make([]float64, 48)
		for i, v := range m {
			exact[from[0][i]] += v
		}
		for i := range g {
			unit := zeros(1, 4, 4, 2)
			unit.v[i] = 1
			for k, w := range slowConv(unit, in[2], array{}, win, 1).v {
				v := exact[k]
				if da := a[0].v[k] - a[1].v[k]; da != 0 {
					v = u[k] / da
				}
				if dc := c[0].v[k] - c[1].v[k]; dc != 0 {
					v *= (a[0].v[k] - a[1].v[k]) / dc
				} else if c[0].v[k] <= 0 {
					v = 0
				}
				g[i] += w * v
			}
		}
		return g
	}
	onEvery(t, func(t *testing.T, b compute.Backend) {
		got, _ := multipliers(t, b, in, net)
		want := array{in[0].dims, append(slow(0), slow(1)...)}
		same(t, "multipliers", got, want, 1e-11)

		alone := append([]array{in[0], in[0]}, in[2:]...)
		got, _ = multipliers(t, b, alone, net)
		r := array{[]int{2, 2}, []float64{0, 1, 0, 1}}
		same(t, "an image against itself", got, gradientThrough(t, b, Exact, append([]array{in[0]}, in[2:]...), r, net), 1e-12)
	})
}

// Multipliers times differences sum up to the logit's difference, through all that a network has.
func TestLawSummationToDelta(t *testing.T) {
	net := newRelevanceNet(.3)
	rng := rand.New(rand.NewPCG(43, 44))
	reference := zeros(net.in[0].dims...)
	for i := range reference.v {
		reference.v[i] = rng.Float64()
	}
	in := append([]array{net.in[0], reference}, net.in[1:]...)
	onEvery(t, func(t *testing.T, b compute.Backend) {
		got, logits := multipliers(t, b, in, net.forward)
		low := net
		low.in = append([]array{reference}, net.in[1:]...)
		_, base := low.relevance(t, b, Exact)
		for n := range 2 {
			sum, size := 0., len(got.v)/2
			for i := n * size; i < (n+1)*size; i++ {
				sum += got.v[i] * (in[0].v[i] - reference.v[i])
			}
			rise := logits.v[3*n+1] - base.v[3*n+1]
			missed := math.Abs(sum/rise - 1)
			t.Logf("image %d: %.9f of a difference of %.9f, off by %.1e", n, sum, rise, missed)
			if !(missed <= 1e-10) {
				t.Errorf("image %d: %g of a difference of %g", n, sum, rise)
			}
		}
	})
}

// A pass without references has nothing to compare.
func TestRescaleNeedsReferences(t *testing.T) {
	err := building(t, 4, func(x *Node) { Start(nil, x, steps, Rescale, nil) })
	if err == nil || !strings.Contains(err.Error(), "rule rescale compares images with references") {
		t.Errorf("error %v", err)
	}
	err = building(t, 4, func(x *Node) {
		p := StartBeside(nil, x, x, func(_ *model.Scope, x *Node) *Node { return At("relu", ReLU(x)) }, Rescale)
		defer p.Stop()
		if n := p.Layer("relu").Shape().Dim(0); n != 1 {
			t.Errorf("a layer of %d images, want 1", n)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
