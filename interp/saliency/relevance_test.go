package saliency_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
	"lucigo/interp/random"
	"lucigo/interp/saliency"
)

// rises returns how much the score of each image is above that of its baseline.
func rises(t *testing.T, m *interp.Model, o interp.Objective, x interp.Images, class []int, base []float64) []float64 {
	t.Helper()
	x.Class = class
	rise, err := m.Score(ctx, o, x)
	if err != nil {
		t.Fatal(err)
	}
	x.Pix = base
	low, err := m.Score(ctx, o, x)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rise {
		rise[i] -= low[i]
	}
	return rise
}

// missed returns by how much the sum of each map misses what it should be, as a share of that; the most of all counts.
func missed(maps interp.Maps, want []float64) (most float64) {
	for i, w := range want {
		var sum float64
		for _, v := range maps.Of(i) {
			sum += v
		}
		most = max(most, math.Abs(sum/w-1))
	}
	return most
}

// The maps of a linear network are known: w·(x − baseline), and relevance is w·x but for the stabiliser.
func TestLawLinearShares(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Linear().Float64().On(e.Backend)
		x := interptest.Images(m, 3, 1).Keyed().Asked(0, 1, 2)
		w := slices.Concat(interptest.Rows(m)...)
		refs := interptest.Images(m, 4, 2)
		sample := make([]float64, len(x.Pix)) // the mean of the references that are drawn
		for i := range x.N {
			for k := range 7 {
				for p, v := range refs.Of(random.New(5, x.Key[i], uint64(k)).Intn(0, refs.N)) {
					sample[i*x.Size()+p] += v / 7
				}
			}
		}
		score, err := m.Score(ctx, objective.Logit, x)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			method saliency.Method
			want   func(p int) float64
		}{
			{saliency.LRP{}, func(p int) float64 {
				z := score[p/x.Size()]
				return w[p] * x.Pix[p] * z / (z + math.Copysign(1e-6, z))
			}},
			{saliency.DeepLIFT{}, func(p int) float64 { return w[p] * x.Pix[p] }},
			{saliency.DeepLIFT{Baseline: []float64{.3}}, func(p int) float64 { return w[p] * (x.Pix[p] - .3) }},
			{saliency.GuidedIG{Baseline: []float64{.3}}, func(p int) float64 { return w[p] * (x.Pix[p] - .3) }},
			{saliency.ExpectedGradients{References: refs, N: 7, Seed: 5}, func(p int) float64 { return w[p] * (x.Pix[p] - sample[p]) }},
		} {
			for p, v := range maps(t, c.method, m, objective.Logit, x).Pix {
				if want := c.want(p); !(math.Abs(v-want) <= 1e-13) {
					t.Errorf("%s: number %d is %g, want %g", c.method, p, v, want)
				}
			}
		}
	})
}

// A network without biases has its logit in the pixels.
func TestLawRelevanceOfAModel(t *testing.T) {
	m := interptest.Branchy()
	conserves(t, m, interptest.Images(m, 3, 1), layer.LRP{}, layer.LRP{Conv: layer.Gamma{}}, layer.EpsilonPlus, layer.EpsilonPlusFlat, layer.EpsilonGammaBox)
}

// conserves checks that the relevance of the pixels sums up to the logit, in the network m without its biases.
func conserves(t *testing.T, m *interp.Model, x interp.Images, rules ...layer.LRP) {
	t.Helper()
	changes := interp.Weights{}
	for path, w := range m.Weights() {
		if strings.HasSuffix(path, "biases") {
			zero, err := interp.NewWeight(make([]float64, len(w.Values())), w.Dims()...)
			if err != nil {
				t.Fatal(err)
			}
			changes[path] = zero
		}
	}
	m, err := m.With(changes)
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range rules {
		out := maps(t, saliency.LRP{Rule: rule}, m, objective.Logit, x)
		off := missed(out, out.Score)
		t.Logf("%s: off by %.1e of the logit", rule, off)
		if !(off <= 1e-3) {
			t.Errorf("%s: the map misses %g of the logit", rule, off)
		}
	}
}

// DeepLIFT sums up to the difference of the scores, whatever the objective and the baseline.
func TestLawDeepLIFTSumsUp(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		for _, net := range []*interp.Model{interptest.Branchy(), interptest.Smooth()} {
			for _, c := range []struct {
				m     *interp.Model
				bound float64
			}{{net.On(e.Backend), 1e-4}, {net.On(e.Backend).Float64(), 1e-9}} {
				x := interptest.Images(c.m, 3, 1)
				for _, base := range [][]float64{make([]float64, len(x.Pix)), interptest.Images(c.m, 3, 9).Pix} {
					out := maps(t, saliency.DeepLIFT{Baseline: base}, c.m, objective.Logit, x)
					off := missed(out, rises(t, c.m, objective.Logit, x, out.Class, base))
					t.Logf("%s: off by %.1e", c.m, off)
					if !(off <= c.bound) {
						t.Errorf("%s: the map misses %g of the difference", c.m, off)
					}
				}
			}
		}
	})
	m := interptest.Smooth()
	if out := maps(t, saliency.DeepLIFT{}, m, objective.Energy("hidden"), interptest.Images(m, 2, 1)); out.Class != nil {
		t.Errorf("an objective that asks no class is asked about %v", out.Class)
	}
}

// The mean over many samples is the score less the references' mean score, within four standard errors.
func TestLawExpectedGradientsSumUp(t *testing.T) {
	m := interptest.Smooth()
	x, refs := interptest.Images(m, 1, 2).Asked(1), interptest.Images(m, 5, 3)
	score, err := m.Score(ctx, objective.Logit, x)
	if err != nil {
		t.Fatal(err)
	}
	low, err := m.Score(ctx, objective.Logit, refs.Asked(1))
	if err != nil {
		t.Fatal(err)
	}
	want := score[0]
	for _, v := range low {
		want -= v / float64(len(low))
	}
	const seeds = 40
	var mean, square float64
	for seed := range seeds {
		var sum float64
		for _, v := range maps(t, saliency.ExpectedGradients{References: refs, N: 50, Seed: uint64(seed)}, m, objective.Logit, x).Pix {
			sum += v
		}
		mean += sum / seeds
		square += sum * sum / seeds
	}
	se := math.Sqrt((square - mean*mean) / seeds)
	t.Logf("sum %.4f ± %.4f of a difference of %.4f", mean, se, want)
	if !(math.Abs(mean-want) <= 4*se && se <= .05*math.Abs(want)) {
		t.Errorf("the maps' mean sum is %g ± %g, want %g", mean, se, want)
	}
}

// slowBlur blurs an image by plain loops.
func slowBlur(x interp.Images, sigma float64) interp.Images {
	y := x
	y.Pix = make([]float64, len(x.Pix))
	radius := int(4*sigma + .5)
	weight := func(d int) float64 {
		if sigma == 0 {
			return 1
		}
		return math.Exp(-float64(d*d) / (2 * sigma * sigma))
	}
	var sum float64
	for d := -radius; d <= radius; d++ {
		sum += weight(d)
	}
	for i := range x.N {
		for r := range x.H {
			for c := range x.W {
				for a := max(0, r-radius); a <= min(x.H-1, r+radius); a++ {
					for b := max(0, c-radius); b <= min(x.W-1, c+radius); b++ {
						for k, v := range x.Pixel(i, a, b) {
							y.Pixel(i, r, c)[k] += v * weight(a-r) * weight(b-c) / (sum * sum)
						}
					}
				}
			}
		}
	}
	return y
}

// Blur IG by its definition, and what its numbers sum up to.
func TestLawBlurIG(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Smooth().Float64().On(e.Backend)
		x := interptest.Images(m, 2, 2).Asked(1, 2)
		const sigma, steps = 3., 6
		want := make([]float64, len(x.Pix))
		for k := range steps {
			at := sigma * float64(k) / steps
			y, more := slowBlur(x, at), slowBlur(x, at+.01)
			g, err := m.Gradient(ctx, objective.Logit, nil, y)
			if err != nil {
				t.Fatal(err)
			}
			for p, v := range g.Pix {
				want[p] -= v * (more.Pix[p] - y.Pix[p]) / .01 * sigma / steps
			}
		}
		got := maps(t, saliency.BlurIG{Sigma: sigma, Steps: steps}, m, objective.Logit, x)
		if d := interptest.Distance(got.Pix, want); !(d <= 1e-10) {
			t.Errorf("%g from its definition", d)
		}
	})
	m := interptest.Smooth()
	x := interptest.Images(m, 2, 2).Asked(1, 2)
	rise := rises(t, m, objective.Logit, x, x.Class, slowBlur(x, 4).Pix)
	coarse := missed(maps(t, saliency.BlurIG{Sigma: 4, Steps: 100}, m, objective.Logit, x), rise)
	fine := missed(maps(t, saliency.BlurIG{Sigma: 4, Steps: 400}, m, objective.Logit, x), rise)
	t.Logf("the sum misses %.1e of the rise at 100 steps, and %.1e at 400", coarse, fine)
	if !(fine <= .02) {
		t.Errorf("the sum misses %g of the rise at 400 steps", fine)
	}
}

// Guided IG sums up to the rise. Where it may not leave the straight line it is Integrated Gradients by left ends.
func TestLawGuidedIG(t *testing.T) {
	m := interptest.Smooth().Float64()
	x := interptest.Images(m, 2, 2).Asked(1, 2)
	base := interptest.Images(m, 2, 9)
	rise := rises(t, m, objective.Logit, x, x.Class, base.Pix)
	for _, g := range []saliency.GuidedIG{{}, {Distance: 1}, {Distance: .3, Fraction: .5}, {Fraction: 1}} {
		g.Baseline = base.Pix
		off := missed(maps(t, g, m, objective.Logit, x), rise)
		t.Logf("%s: the sum misses %.1e of the rise", g, off)
		if !(off <= .02) {
			t.Errorf("%s: the sum misses %g of the rise", g, off)
		}
	}
	const steps = 10
	want := make([]float64, len(x.Pix))
	for k := range steps {
		y := base.Asked(1, 2)
		y.Pix = make([]float64, len(x.Pix))
		for p := range y.Pix {
			y.Pix[p] = base.Pix[p] + float64(k)/steps*(x.Pix[p]-base.Pix[p])
		}
		g, err := m.Gradient(ctx, objective.Logit, nil, y)
		if err != nil {
			t.Fatal(err)
		}
		for p, v := range g.Pix {
			want[p] += v * (x.Pix[p] - base.Pix[p]) / steps
		}
	}
	got := maps(t, saliency.GuidedIG{Steps: steps, Distance: 1e-12, Baseline: base.Pix}, m, objective.Logit, x)
	if d := interptest.Distance(got.Pix, want); !(d <= 1e-6) {
		t.Errorf("on the straight line: %g from Integrated Gradients", d)
	}
}

// What has no map is an error that says so.
func TestSharesRefused(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 2, 1)
	nan := math.NaN()
	dark := x
	dark.Pix = slices.Repeat([]float64{200}, len(x.Pix))
	for _, c := range []struct {
		bad  saliency.Method
		want string
	}{
		{saliency.ExpectedGradients{}, "References: no images"},
		{saliency.ExpectedGradients{References: interptest.ImagesOf(1, 5, 5, 3, 1)},
			"References are 5×5×3, must be of the size of the images, 12×12×3"},
		{saliency.ExpectedGradients{References: dark}, "References: image 0 is 200"},
		{saliency.ExpectedGradients{References: x, N: -1}, "N is -1, must be at least 1"},
		{saliency.ExpectedGradients{References: x, Sigma: nan}, "Sigma is NaN"},
		{saliency.DeepLIFT{Baseline: []float64{1, 2}}, "Baseline has 2 numbers"},
		{saliency.DeepLIFT{Baseline: []float64{0, nan, 0}}, "Baseline[1] is NaN"},
		{saliency.GuidedIG{Steps: -1}, "Steps is -1"},
		{saliency.GuidedIG{Fraction: 1.5}, "Fraction is 1.5, must be in (0, 1]"},
		{saliency.GuidedIG{Distance: nan}, "Distance is NaN, must be in (0, 1]"},
		{saliency.BlurIG{Sigma: -1}, "Sigma is -1, must be above 0"},
		{saliency.BlurIG{Sigma: math.Inf(1)}, "Sigma is +Inf"},
		{saliency.BlurIG{Steps: -1}, "Steps is -1"},
		{saliency.LRP{Rule: layer.LRP{Dense: layer.Epsilon{Epsilon: -1}}}, "Epsilon.Epsilon is -1"},
		{saliency.LRP{Rule: layer.LRP{Until: []layer.Until{{Layer: "mixd", Share: layer.Gamma{}}}}}, "mixed"},
		{saliency.Gradient{Rule: layer.Rescale}, "rule rescale compares images with references"},
	} {
		if _, err := c.bad.Maps(ctx, m, objective.Logit, x); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", c.bad, err, c.want)
		}
	}
	foreign := interptest.Model("foreign", func(s *model.Scope, x *graph.Node) *graph.Node {
		x = activation.Relu(layer.Conv(s.At("conv"), x, 4, layer.Square(3, 1, 1)))
		return layer.Dense(s.At("logits"), layer.GlobalMean(x), 3)
	}, [3]int{8, 8, 3}, 3, 1)
	for _, bad := range []saliency.Method{saliency.LRP{}, saliency.DeepLIFT{}} {
		_, err := bad.Maps(ctx, foreign, objective.Logit, interptest.Images(foreign, 1, 1))
		if err == nil || !strings.Contains(err.Error(), "does not reach GoMLX's operators Max") {
			t.Errorf("%s of a network with a foreign ReLU: error %v", bad, err)
		}
	}
}

func ExampleLRP() {
	fmt.Println(saliency.LRP{})
	fmt.Println(saliency.LRP{Rule: layer.EpsilonGammaBox})
	fmt.Println(saliency.LRP{Rule: layer.LRP{Until: []layer.Until{{Layer: "mixed3b", Share: layer.AlphaBeta{}}}, Conv: layer.Gamma{}}})
	// Output:
	// LRP(ε=1e-06)
	// LRP(first box, conv γ=0.25, dense ε=1e-06)
	// LRP(until mixed3b z⁺, conv γ=0.25, dense ε=1e-06)
}
