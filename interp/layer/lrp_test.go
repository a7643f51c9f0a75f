package layer

import (
	"cmp"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// affine is a layer in full: y[j] = Σ x[i]·w[i][j] + b[j], and whether input i is in the window of output j.
type affine struct {
	w    [][]float64
	b    []float64
	seen [][]bool
}

// inFull writes out a layer f of one image x, linear except for its bias, whose windows are those that ones sees.
func inFull(x array, f, ones func(x array) array) affine {
	a := affine{b: f(zeros(x.dims...)).v}
	for i := range x.v {
		unit := zeros(x.dims...)
		unit.v[i] = 1
		y, window := f(unit).v, ones(unit).v
		row, seen := make([]float64, len(y)), make([]bool, len(y))
		for j := range y {
			row[j], seen[j] = y[j]-a.b[j], window[j] != 0
		}
		a.w, a.seen = append(a.w, row), append(a.seen, seen)
	}
	return a
}

// slowShare is a share by its definition: of relevance r of the outputs of a, whose inputs are x. Low and high are what the
// inputs may be.
func slowShare(s Share, a affine, x, low, high, r []float64, noBias bool) []float64 {
	in := make([]float64, len(x))
	stab := func(z, e float64) float64 {
		if z < 0 {
			return z - e
		}
		return z + e
	}
	for j := range r {
		b, y := a.b[j], a.b[j]
		for i := range x {
			y += x[i] * a.w[i][j]
		}
		if noBias {
			b = 0
		}
		// share adds to each input what its contribution c is of r, with c's sum and the bias's for denominator
		share := func(r, bias, e float64, c func(i int) float64) {
			z := bias
			for i := range x {
				z += c(i)
			}
			for i := range x {
				in[i] += c(i) / stab(z, e) * r
			}
		}
		contribution := func(i int) float64 { return x[i] * a.w[i][j] }
		switch s := s.(type) {
		case Epsilon:
			e := s.Epsilon
			if e == 0 {
				e = 1e-6
			}
			share(r[j], b, e, contribution)
		case Gamma:
			sign := 1.
			if y < 0 {
				sign = -1
			}
			favoured := func(c float64) float64 {
				if c*sign > 0 {
					return (1 + cmp.Or(s.Gamma, .25)) * c
				}
				return c
			}
			share(r[j], favoured(b), 1e-6, func(i int) float64 { return favoured(contribution(i)) })
		case AlphaBeta:
			share((1+s.Beta)*r[j], math.Max(b, 0), 1e-6, func(i int) float64 { return math.Max(contribution(i), 0) })
			if s.Beta > 0 {
				share(-s.Beta*r[j], math.Min(b, 0), 1e-6, func(i int) float64 { return math.Min(contribution(i), 0) })
			}
		case Box:
			share(r[j], 0, 1e-6, func(i int) float64 {
				return contribution(i) - low[i]*math.Max(a.w[i][j], 0) - high[i]*math.Min(a.w[i][j], 0)
			})
		case WSquare:
			share(r[j], b*b, 1e-6, func(i int) float64 { return a.w[i][j] * a.w[i][j] })
		case Flat:
			share(r[j], 0, 1e-6, func(i int) float64 {
				if a.seen[i][j] {
					return 1
				}
				return 0
			})
		}
	}
	return in
}

// relevanceNet is a network with all that relevance passes: preprocessing that turns channels round, one of them upside down;
// convolution, ReLU, max-pool; a sum of two branches, one of them of tanh; LRN; a folded batch normalisation; a mean; dense
// layers. Its arguments are the image and the weights.
type relevanceNet struct {
	first, pool, second, mean Window
	in                        []array
	relus                     bool // after tanh and after the batch normalisation too
}

func newRelevanceNet(bias float64) relevanceNet {
	rng := rand.New(rand.NewPCG(31, 32))
	r := relevanceNet{
		first: Window{Stride: [2]int{2, 1}, Pad: [2][2]int{{1, 0}, {1, 1}}}, pool: Square(2, 1, 0),
		second: Window{Stride: [2]int{1, 1}, Pad: [2][2]int{{1, 1}, {1, 1}}}, mean: Square(2, 1, 0),
	}
	r.in = []array{
		zeros(2, 6, 5, 2), normal(rng, 3, 3, 2, 4), normal(rng, 4), // image, conv1
		normal(rng, 3, 3, 4, 4), normal(rng, 4), // conv2, whose tanh is added to what it sees
		normal(rng, 1, 1, 4, 3), normal(rng, 3), normal(rng, 3), normal(rng, 3), normal(rng, 3), // conv3 and its scale, offset, mean and variance
		normal(rng, 9, 5), normal(rng, 5), normal(rng, 5, 3), normal(rng, 3), // dense
	}
	for i := range r.in[0].v {
		r.in[0].v[i] = rng.Float64()
	}
	for i := range r.in[9].v {
		r.in[9].v[i] = 1 + r.in[9].v[i]*r.in[9].v[i]
	}
	for _, k := range []int{2, 4, 7, 8, 11, 13} {
		for i := range r.in[k].v {
			r.in[k].v[i] *= bias
		}
	}
	return r
}

var factors, shifts = []float64{3, -2}, []float64{-.5, .75}

// forward takes the image and the weights.
func (r relevanceNet) forward(x []*Node) *Node {
	constant := func(v []float64) *Node { return graph.ConstAsDType(x[0].Graph(), x[0].DType(), [][][][]float64{{{v}}}) }
	y := graph.Add(graph.Mul(graph.Reverse(x[0], 3), constant(factors)), constant(shifts))
	h := At("first", MaxPool(ReLU(Convolve(y, x[1], x[2], r.first, 1)), r.pool))
	activation := func(x *Node) *Node {
		if r.relus {
			return ReLU(x)
		}
		return x
	}
	y = LRN(At("sum", graph.Add(h, activation(Tanh(Convolve(h, x[3], x[4], r.second, 1))))), 3, .5, .75, 1)
	y = Normalize(Convolve(y, x[5], nil, Window{}, 1), x[8], x[9], x[6], x[7], 1e-3)
	y = MeanPool(activation(y), r.mean, false)
	y = At("hidden", ReLU(Affine(Flatten(y), x[10], x[11])))
	return Affine(y, x[12], x[13])
}

// slow is the relevance at image n, of its logit 1, by the definitions, and that logit.
func (r relevanceNet) slow(rule LRP, n int) ([]float64, float64) {
	in := r.in
	size := len(in[0].v) / 2
	image := array{append([]int{1}, in[0].dims[1:]...), in[0].v[n*size : (n+1)*size]}
	x := zeros(image.dims...)
	low, high := make([]float64, size), make([]float64, size)
	for i := range x.v {
		c := i % 2
		x.v[i] = image.v[i^1]*factors[c] + shifts[c]
		low[i], high[i] = math.Min(shifts[c], shifts[c]+factors[c]), math.Max(shifts[c], shifts[c]+factors[c])
	}
	conv := func(w, b array, win Window) (f, ones func(x array) array) {
		one := zeros(w.dims...)
		for i := range one.v {
			one.v[i] = 1
		}
		return func(x array) array { return slowConv(x, w, b, win, 1) }, func(x array) array { return slowConv(x, one, array{}, win, 1) }
	}
	full := func(x array, w, b array, win Window) affine {
		f, ones := conv(w, b, win)
		return inFull(x, f, ones)
	}
	apply := func(a affine, x array, dims ...int) array {
		y := array{dims, append([]float64(nil), a.b...)}
		for i := range x.v {
			for j := range y.v {
				y.v[j] += x.v[i] * a.w[i][j]
			}
		}
		return y
	}
	flat := func(x array) array { return array{[]int{1, len(x.v)}, x.v} }
	positive := func(v float64) float64 { return math.Max(v, 0) }

	conv1 := full(x, in[1], in[2], r.first)
	oh, ow := Window{Size: [2]int{3, 3}, Stride: r.first.Stride, Pad: r.first.Pad}.Out(6, 5)
	a := slowMap(apply(conv1, x, 1, oh, ow, 4), positive)
	h, from := slowMaxPool(a, r.pool)
	conv2 := full(h, in[3], in[4], r.second)
	t := slowMap(apply(conv2, h, h.dims...), math.Tanh)
	s := zeros(h.dims...)
	for i := range s.v {
		s.v[i] = h.v[i] + t.v[i]
	}
	l := slowLRN(s, 3, .5, .75, 1)
	w, b := in[5].clone(), zeros(3)
	for i := range w.v {
		w.v[i] *= in[6].v[i%3] / math.Sqrt(in[9].v[i%3]+1e-3)
	}
	for c := range b.v {
		b.v[c] = in[7].v[c] - in[8].v[c]*in[6].v[c]/math.Sqrt(in[9].v[c]+1e-3)
	}
	conv3 := full(l, w, b, Window{})
	z := apply(conv3, l, 1, l.dims[1], l.dims[2], 3)
	pool := func(x array) array { return slowMeanPool(x, r.mean, false) }
	mean := inFull(z, pool, pool)
	m := flat(pool(z))
	dense := func(x, w, b array) affine {
		return inFull(x, func(x array) array { return slowAffine(x, w, b) }, func(x array) array { return slowAffine(x, w, array{}) })
	}
	dense1 := dense(m, in[10], in[11])
	d := slowMap(flat(apply(dense1, m, 1, 5)), positive)
	dense2 := dense(d, in[12], in[13])
	y := apply(dense2, d, 1, 3)

	back := func(k int, a affine, x array, relevance []float64) []float64 {
		return slowShare(shareOf(rule, k), a, x.v, low, high, relevance, rule.NoBias)
	}
	rel := make([]float64, 3)
	rel[1] = y.v[1]
	rel = back(4, dense2, d, rel)
	rel = back(3, dense1, m, rel)
	rel = slowShare(Epsilon{}, mean, z.v, nil, nil, rel, false)
	rel = back(2, conv3, l, rel)
	// LRN leaves it; the sum shares by its parts; tanh leaves it
	one, two := make([]float64, len(rel)), make([]float64, len(rel))
	for i, v := range rel {
		one[i], two[i] = v*h.v[i]/s.v[i], v*t.v[i]/s.v[i]
		if s.v[i] == 0 {
			one[i], two[i] = 0, 0
		}
	}
	for i, v := range back(1, conv2, h, two) {
		one[i] += v
	}
	u := make([]float64, len(a.v))
	for i, p := range from {
		u[p] += one[i]
	}
	out := make([]float64, size)
	for i, v := range back(0, conv1, x, u) {
		out[i^1] = v
	}
	return out, y.v[1]
}

// shareOf is the share of the network's linear layer k, of which three are convolutions.
func shareOf(rule LRP, k int) Share {
	until := map[string]int{"first": 0, "sum": 1, "hidden": 3}
	share := rule.Dense
	if k < 3 {
		share = rule.Conv
	}
	if share == nil {
		share = Epsilon{}
	}
	for i := len(rule.Until) - 1; i >= 0; i-- {
		if k <= until[rule.Until[i].Layer] {
			share = rule.Until[i].Share
		}
	}
	if k == 0 && rule.First != nil {
		share = rule.First
	}
	return share
}

var lrps = []struct {
	rule LRP
	name string
}{
	{LRP{}, "LRP(ε=1e-06)"},
	{LRP{Conv: Epsilon{.25}, Dense: Epsilon{.1}}, "LRP(conv ε=0.25, dense ε=0.1)"},
	{LRP{NoBias: true}, "LRP(ε=1e-06, no bias)"},
	{EpsilonPlus, "LRP(conv z⁺, dense ε=1e-06)"},
	{EpsilonAlpha2Beta1, "LRP(conv α2β1, dense ε=1e-06)"},
	{EpsilonPlusFlat, "LRP(first flat, conv z⁺, dense ε=1e-06)"},
	{EpsilonGammaBox, "LRP(first box, conv γ=0.25, dense ε=1e-06)"},
	{LRP{Conv: Gamma{}, Dense: Gamma{}, NoBias: true}, "LRP(γ=0.25, no bias)"},
	{LRP{Conv: AlphaBeta{}, NoBias: true}, "LRP(conv z⁺, dense ε=1e-06, no bias)"},
	{LRP{Conv: AlphaBeta{.5}, Dense: AlphaBeta{.5}}, "LRP(α1.5β0.5)"},
	{LRP{First: WSquare{}, Conv: Gamma{.5}}, "LRP(first w², conv γ=0.5, dense ε=1e-06)"},
	{LRP{Until: []Until{{"first", AlphaBeta{}}, {"hidden", Gamma{}}}}, "LRP(until first z⁺, until hidden γ=0.25, ε=1e-06)"},
}

// relevance runs the network under a rule, and returns the gradient of logit 1 at the images, and the logits.
func (r relevanceNet) relevance(t *testing.T, b compute.Backend, rule Rule) (relevance, logits array) {
	t.Helper()
	out := run[float64](t, b, r.in, func(x []*Node) []*Node {
		p := Start(nil, x[0], func(_ *model.Scope, images *Node) *Node { return r.forward(append([]*Node{images}, x[1:]...)) }, rule, nil)
		defer p.Stop()
		y := p.Logits()
		return []*Node{graph.Gradient(graph.ReduceAllSum(graph.SliceAxis(y, 1, graph.AxisElem(1))), x[0])[0], y}
	})
	return out[0], out[1]
}

// Each share's relevance is its definition's, done by hand, and the value of the network stays what it is.
func TestLawRelevance(t *testing.T) {
	net := newRelevanceNet(.3)
	onEvery(t, func(t *testing.T, b compute.Backend) {
		_, logits := net.relevance(t, b, Exact)
		for _, c := range lrps {
			if got := c.rule.String(); got != c.name {
				t.Errorf("%s calls itself %s", c.name, got)
			}
			got, values := net.relevance(t, b, c.rule)
			same(t, c.name+": logits", values, logits, 1e-12)
			want := zeros(got.dims...)
			for n := range 2 {
				slow, _ := net.slow(c.rule, n)
				copy(want.v[n*len(slow):], slow)
			}
			same(t, c.name, got, want, 1e-10)
		}
	})
}

// Without biases all relevance reaches the images: a logit is what its pixels have. Stabilisers of 1e-6 let go of as much.
// With biases the rules that leave them out conserve it too. Not all of AlphaBeta do: what it has for outputs without positive
// contributions is lost, so z⁺ needs a ReLU after each layer and no biases, and with β contributions of both signs.
func TestLawRelevanceIsConserved(t *testing.T) {
	for _, bias := range []float64{0, .3} {
		net := newRelevanceNet(bias)
		net.relus = true
		onEvery(t, func(t *testing.T, b compute.Backend) {
			for _, c := range lrps {
				conv, plus := c.rule.Conv.(AlphaBeta)
				if bias != 0 && (!c.rule.NoBias || plus) || conv.Beta > 0 || c.rule.Dense == Share(Epsilon{.1}) {
					continue
				}
				got, logits := net.relevance(t, b, c.rule)
				for n := range 2 {
					sum, size := 0., len(got.v)/2
					for _, v := range got.v[n*size : (n+1)*size] {
						sum += v
					}
					missed := math.Abs(sum/logits.v[3*n+1] - 1)
					t.Logf("%s, biases %g: %.6f of a logit of %.6f, off by %.1e", c.name, bias, sum, logits.v[3*n+1], missed)
					if !(missed <= 1e-3) {
						t.Errorf("%s, biases %g, image %d: %g of a logit of %g", c.name, bias, n, sum, logits.v[3*n+1])
					}
				}
			}
		})
	}
}

// owned is somebody's rule that is LRP except for its name.
type owned struct{ LRP }

// What cannot be relevance is an error that says so, of a rule that embeds LRP too.
func TestRelevanceRefused(t *testing.T) {
	w := func(x *Node, dims ...int) *Node { return weights(x, dims...) }
	conv := func(x *Node) *Node { return Convolve(x, w(x, 1, 1, x.Shape().Dim(3), 2), nil, Window{}, 1) }
	for _, c := range []struct {
		rule Rule
		f    func(x *Node) *Node
		want string
	}{
		{owned{LRP{Until: []Until{{"convv", Epsilon{}}}}}, func(x *Node) *Node { return GlobalMean(At("conv", conv(x))) }, `"convv"`},
		{owned{}, func(x *Node) *Node { return Concat(x, conv(x)) }, "the images join what layers have made of them (Concatenate)"},
		{LRP{Conv: Box{}}, func(x *Node) *Node { return conv(conv(x)) }, "box is for LRP.First alone"},
		{LRP{Until: []Until{{"convv", Epsilon{}}}}, func(x *Node) *Node { return GlobalMean(At("conv", conv(x))) }, `"convv"`},
		{LRP{Conv: Epsilon{-1}}, conv, "Epsilon.Epsilon is -1, must be above 0"},
		{LRP{Conv: Gamma{-1}}, conv, "Gamma.Gamma is -1, must be above 0"},
		{LRP{Conv: AlphaBeta{-1}}, conv, "AlphaBeta.Beta is -1, must be at least 0"},
		{LRP{}, func(x *Node) *Node { return Concat(x, conv(x)) }, "the images join what layers have made of them (Concatenate)"},
		{LRP{}, func(x *Node) *Node { return graph.Tanh(conv(x)) }, "does not reach GoMLX's operators Tanh"},
		{LRP{}, func(x *Node) *Node { return graph.Mul(conv(x), conv(x)) }, "does not reach GoMLX's operators Mul"},
		{LRP{}, func(x *Node) *Node {
			return Pointwise(conv(x), func(x *Node) *Node { return graph.Concatenate([]*Node{x, x}, -1) })
		}, "must keep the shape"},
	} {
		err := building(t, 4, func(x *Node) {
			p := Start(nil, x, func(_ *model.Scope, x *Node) *Node { return c.f(x) }, c.rule, nil)
			defer p.Stop()
			p.Logits()
		})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.rule, err, c.want)
		}
	}
}
