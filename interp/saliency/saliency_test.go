package saliency_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
	"lucigo/interp/random"
	"lucigo/interp/saliency"
	"lucigo/interp/superpixel"
)

var ctx = context.Background()

// methods are all there are: a new one is tested by being listed.
var methods = []struct {
	method saliency.Method
	title  string
}{
	{saliency.Gradient{}, "gradient"},
	{saliency.Guided, "guided backprop"},
	{saliency.Deconvnet, "deconvnet"},
	{saliency.TimesInput{}, "gradient × input"},
	{saliency.TimesInput{Of: saliency.SmoothGrad{N: 3}}, "SmoothGrad(N=3, σ=0.15) × input"},
	{saliency.SmoothGrad{}, "SmoothGrad(N=50, σ=0.15)"},
	{saliency.SquareGrad{N: 4, Seed: 9}, "SquareGrad(N=4, σ=0.15, seed=9)"},
	{saliency.VarGrad{N: 5, Sigma: .3, Of: saliency.Guided}, "VarGrad(N=5, σ=0.3) of guided backprop"},
	{saliency.IntegratedGradients{}, "IG(steps=50, baseline black)"},
	{saliency.IntegratedGradients{Steps: 7, Baseline: []float64{.5, .25, .125}}, "IG(steps=7, baseline [0.5 0.25 0.125])"},
	{saliency.IntegratedGradients{Even: true}, "IG(steps=50, baseline black, even)"},
	{saliency.SmoothGrad{N: 2, Of: saliency.IntegratedGradients{Steps: 3}}, "SmoothGrad(N=2, σ=0.15) of IG(steps=3, baseline black)"},
	{saliency.LRP{}, "LRP(ε=1e-06)"},
	{saliency.LRP{Rule: layer.EpsilonPlus}, "LRP(conv z⁺, dense ε=1e-06)"},
	{saliency.LRP{Rule: layer.EpsilonGammaBox}, "LRP(first box, conv γ=0.25, dense ε=1e-06)"},
	{saliency.DeepLIFT{}, "DeepLIFT(baseline black)"},
	{saliency.DeepLIFT{Baseline: []float64{.5, .25, .125}}, "DeepLIFT(baseline [0.5 0.25 0.125])"},
	{saliency.ExpectedGradients{References: interptest.ImagesOf(4, interptest.Size, interptest.Size, 3, 8), N: 6, Sigma: .1, Seed: 2},
		"expected gradients(N=6, 4 references, σ=0.1, seed=2)"},
	{saliency.GuidedIG{Steps: 7}, "guided IG(steps=7, fraction=0.25, distance=0.02, baseline black)"},
	{saliency.BlurIG{Sigma: 3, Steps: 5}, "blur IG(σ=3, steps=5)"},
	{saliency.TimesInput{Of: saliency.VarGrad{N: 2, Of: saliency.Deconvnet}}, "(VarGrad(N=2, σ=0.15) of deconvnet) × input"},
	{saliency.GradCAM{}, "Grad-CAM(last layer with positions)"},
	{saliency.GradCAMPlusPlus{Layer: "mixed"}, "Grad-CAM++(mixed)"},
	{saliency.LayerCAM{Layer: "pool1"}, "Layer-CAM(pool1)"},
	{saliency.GuidedGradCAM{Layer: "mixed"}, "Guided Grad-CAM(mixed)"},
	{saliency.SmoothGrad{N: 2, Of: saliency.GradCAM{}}, "SmoothGrad(N=2, σ=0.15) of Grad-CAM(last layer with positions)"},
	{saliency.IntegratedGradients{Steps: 2, Of: saliency.LayerCAM{}}, "IG(steps=2, baseline black) of Layer-CAM(last layer with positions)"},
	{saliency.Occlusion{Patch: 6}, "occlusion(patch=6, stride=half, baseline grey)"},
	{saliency.Occlusion{Patch: 5, Stride: 4, Baseline: []float64{0, .5, 1}}, "occlusion(patch=5, stride=4, baseline [0 0.5 1])"},
	{saliency.RISE{Masks: 5, Seed: 3}, "RISE(masks=5, cells=7, keep=0.5, baseline black, seed=3)"},
	{saliency.ScoreCAM{Layer: "mixed"}, "Score-CAM(mixed, baseline black)"},
	{saliency.LIME{Samples: 20, Superpixels: saliency.Superpixels{SLIC: superpixel.SLIC{Count: 6}}},
		"LIME(samples=20, width=0.25, ridge=1, SLIC(count=6, compactness=10, iterations=10), mean colour)"},
	{saliency.KernelSHAP{Seed: 2, Superpixels: saliency.Superpixels{SLIC: superpixel.SLIC{Count: 4}, Baseline: []float64{.5, 0, 1}}},
		"KernelSHAP(samples=2·pieces+2048, SLIC(count=4, compactness=10, iterations=10), baseline [0.5 0 1], seed=2)"},
	{saliency.XRAI{}, "XRAI of IG(steps=100, baselines black and white)"},
	{saliency.XRAI{Of: saliency.SmoothGrad{N: 2}, Labels: [][]int{eight(), make([]int, 144)}}, "XRAI(2 segmentations given) of SmoothGrad(N=2, σ=0.15)"},
	{saliency.Edge{}, "edges"},
	{saliency.Centre{}, "centre"},
	{saliency.Random{Seed: 3}, "random(seed=3)"},
	{saliency.Input{}, "image"},
	{saliency.Blurred{}, "blurred(σ=side/32) of gradient"},
	{saliency.Blurred{Of: saliency.SmoothGrad{N: 2}, Sigma: 2}, "blurred(σ=2) of SmoothGrad(N=2, σ=0.15)"},
}

func maps(t *testing.T, s saliency.Method, m *interp.Model, o interp.Objective, x interp.Images) interp.Maps {
	t.Helper()
	out, err := s.Maps(ctx, m, o, x)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return out
}

func TestLawEveryMethod(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Branchy().On(e.Backend)
		x := interptest.Images(m, 3, 1)
		before := slices.Clone(x.Pix)
		for _, c := range methods {
			if c.method.String() != c.title {
				t.Errorf("%q calls itself %q", c.title, c.method)
			}
			out := maps(t, c.method, m, objective.Logit, x)
			if out.N != 3 || out.H != x.H || out.W != x.W || out.C != x.C && out.C != 1 || len(out.Pix) != 3*out.Size() || len(out.Score) != 3 || len(out.Class) != 3 {
				t.Errorf("%s: maps of %d×%d×%d×%d, %d scores, %d classes", c.title, out.N, out.H, out.W, out.C, len(out.Score), len(out.Class))
			}
			if !slices.Equal(x.Pix, before) || x.Class != nil || x.Key != nil {
				t.Fatalf("%s changed the images", c.title)
			}
			if again := maps(t, c.method, m, objective.Logit, x); !slices.Equal(again.Pix, out.Pix) {
				t.Errorf("%s: called again, it gives another map", c.title)
			}
			cut := maps(t, c.method, m.Budget(2*128*4*int64(x.Size())), objective.Logit, x)
			if d := interptest.Distance(cut.Pix, out.Pix); !(d <= 5e-6) {
				t.Errorf("%s: two images at a time change the map by %g", c.title, d)
			}
			one := maps(t, c.method, m, objective.Logit, x.Slice(1, 2))
			if d := interptest.Distance(one.Pix, out.Of(1)); !(d <= 5e-6) {
				t.Errorf("%s: without its neighbours the map changes by %g", c.title, d)
			}
			if d := math.Abs(one.Score[0] - out.Score[1]); !(d <= 1e-5) {
				t.Errorf("%s: without its neighbours the score changes by %g", c.title, d)
			}
			ended, cancel := context.WithCancel(ctx)
			cancel()
			if _, err := c.method.Maps(ended, m, objective.Logit, x); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: after the end of the context, error %v", c.title, err)
			}
			if _, err := c.method.Maps(ctx, m, objective.Energy("mixd"), x); err == nil || !strings.Contains(err.Error(), "mixed") {
				t.Errorf("%s: for a layer that does not exist, error %v", c.title, err)
			}
			if _, err := c.method.Maps(ctx, m, objective.Logit, interp.Images{N: 1, H: 2, W: 2, C: 3}); err == nil {
				t.Errorf("%s: images without pixels have a map", c.title)
			}
		}
	})
}

// The gradient of a linear network is the same at every image: what is averaged is known.
func TestLawLinear(t *testing.T) {
	m := interptest.Linear().Float64()
	x := interptest.Images(m, 3, 1).Asked(0, 1, 2)
	w := slices.Concat(interptest.Rows(m)...)
	base := []float64{.3}
	for _, c := range []struct {
		method saliency.Method
		want   func(w, x float64) float64
	}{
		{saliency.Gradient{}, func(w, _ float64) float64 { return w }},
		{saliency.TimesInput{}, func(w, x float64) float64 { return w * x }},
		{saliency.SmoothGrad{}, func(w, _ float64) float64 { return w }},
		{saliency.SquareGrad{}, func(w, _ float64) float64 { return w * w }},
		{saliency.VarGrad{}, func(_, _ float64) float64 { return 0 }},
		{saliency.IntegratedGradients{}, func(w, x float64) float64 { return w * x }},
		{saliency.IntegratedGradients{Baseline: base, Steps: 1}, func(w, x float64) float64 { return w * (x - .3) }},
		{saliency.IntegratedGradients{Baseline: base, Steps: 3, Even: true}, func(w, x float64) float64 { return w * (x - .3) }},
	} {
		for i, v := range maps(t, c.method, m, objective.Logit, x).Pix {
			if want := c.want(w[i], x.Pix[i]); !(math.Abs(v-want) <= 1e-14) {
				t.Errorf("%s: number %d is %g, want %g", c.method, i, v, want)
			}
		}
	}
}

// The noisy copies made and averaged one by one.
func TestLawNoiseBySlowDefinition(t *testing.T) {
	m := interptest.Branchy().Float64()
	x := interptest.Images(m, 2, 4).Keyed().Asked(3, 1)
	for i := range x.Size() {
		x.Pix[i] *= .5 // the first image has half the range, so it gets half the noise
	}
	const n, sigma, seed = 6, .2, 77
	size := x.Size()
	mean, square, score := make([]float64, len(x.Pix)), make([]float64, len(x.Pix)), make([]float64, x.N)
	for i := range x.N {
		one := x.Slice(i, i+1)
		wide := slices.Max(one.Pix) - slices.Min(one.Pix)
		for k := range n {
			noise := make([]float64, size)
			random.New(seed, x.Key[i], uint64(k)).Normals(noise)
			y := one.Free()
			y.Pix = make([]float64, size)
			for p := range noise {
				y.Pix[p] = one.Pix[p] + sigma*wide*noise[p]
			}
			g, err := m.Gradient(ctx, objective.LogProb, nil, y)
			if err != nil {
				t.Fatal(err)
			}
			score[i] += g.Score[0] / n
			for p, v := range g.Pix {
				mean[i*size+p] += v / n
				square[i*size+p] += v * v / n
			}
		}
	}
	variance := make([]float64, len(mean))
	for p := range variance {
		variance[p] = square[p] - mean[p]*mean[p]
	}
	for _, c := range []struct {
		method saliency.Method
		want   []float64
	}{
		{saliency.SmoothGrad{N: n, Sigma: sigma, Seed: seed}, mean},
		{saliency.SquareGrad{N: n, Sigma: sigma, Seed: seed}, square},
		{saliency.VarGrad{N: n, Sigma: sigma, Seed: seed}, variance},
	} {
		got := maps(t, c.method, m, objective.LogProb, x)
		if d := interptest.Distance(got.Pix, c.want); d > 1e-12 {
			t.Errorf("%s: %g from its definition", c.method, d)
		}
		if d := interptest.Distance(got.Score, score); d > 1e-12 {
			t.Errorf("%s: scores %v, and the means of the copies' are %v", c.method, got.Score, score)
		}
	}
}

// With many copies the mean settles: its error falls as 1/√N, which it would not if copies shared noise.
func TestLawSmoothGradConverges(t *testing.T) {
	m := interptest.Smooth()
	x := interptest.Images(m, 1, 2).Asked(1)
	far := maps(t, saliency.SmoothGrad{N: 1600, Seed: 5}, m, objective.Logit, x)
	d := func(n int) float64 {
		return interptest.Distance(maps(t, saliency.SmoothGrad{N: n}, m, objective.Logit, x).Pix, far.Pix)
	}
	if ratio := d(25) / d(400); ratio < 2.5 || ratio > 6 {
		t.Errorf("16 times the copies divide the error by %g, want about 4", ratio)
	}
}

func TestLawCompleteness(t *testing.T) {
	m := interptest.Smooth().Float64()
	x := interptest.Images(m, 3, 2)
	whole := interptest.Images(m, 3, 9)
	for _, base := range [][]float64{nil, {.2, .4, .6}, whole.Pix[:x.Size()], whole.Pix} {
		gap := func(steps int, even bool) float64 {
			g := saliency.IntegratedGradients{Steps: steps, Baseline: base, Even: even}
			gaps, err := g.Gap(ctx, m, objective.LogProb, x, maps(t, g, m, objective.LogProb, x))
			if err != nil {
				t.Fatal(err)
			}
			return slices.Max(gaps)
		}
		for _, even := range []bool{false, true} {
			coarse, fine := gap(16, even), gap(64, even)
			if fine > 1e-3 || fine > coarse/8 { // both err as 1/steps²
				t.Errorf("baseline of %d numbers, even %t: the sum misses by %g of the rise at 16 steps and %g at 64", len(base), even, coarse, fine)
			}
		}
	}
	g := saliency.IntegratedGradients{Baseline: []float64{1, 2}}
	if _, err := g.Maps(ctx, m, objective.Logit, x); err == nil || !strings.Contains(err.Error(), "2 numbers") {
		t.Errorf("a baseline of 2 numbers for 3 channels: error %v", err)
	}
}

// An image that is its own baseline has nothing to explain, and so has one whose score does not change:
// nothing of it is missed. Gap is a share of the change for the others.
func TestLawGapOfNothing(t *testing.T) {
	m := interptest.Smooth().Float64()
	x := interptest.Images(m, 3, 2)
	base := slices.Clone(x.Pix)
	for p := range x.Size() {
		base[x.Size()+p] /= 2
	}
	constant := interp.Objective{Name: "constant", Form: interp.FormOf(func(p *layer.Pass, _ []*graph.Node) *graph.Node {
		return zero(p.Images)
	})}
	g := saliency.IntegratedGradients{Steps: 2, Baseline: base}
	for _, o := range []interp.Objective{objective.LogProb, constant} {
		out := maps(t, g, m, o, x)
		gap, err := g.Gap(ctx, m, o, x, out)
		if err != nil {
			t.Fatal(err)
		}
		if gap[0] != 0 || gap[2] != 0 {
			t.Errorf("%s: gaps %v where image and baseline are the same", o, gap)
		}
		if changed := o.AsksClass(); changed != (gap[1] > 0) || gap[1] > .1 {
			t.Errorf("%s: gap %g of an image with another baseline", o, gap[1])
		}
	}
	out := maps(t, g, m, objective.LogProb, x)
	sum := 0.
	for p := range x.Size() {
		out.Pix[x.Size()+p] *= 3
		sum += out.Pix[x.Size()+p]
	}
	b := x
	b.Pix, b.Class = base, out.Class
	low, err := m.Score(ctx, objective.LogProb, b)
	if err != nil {
		t.Fatal(err)
	}
	gap, err := g.Gap(ctx, m, objective.LogProb, x, out)
	if err != nil {
		t.Fatal(err)
	}
	if want := math.Abs(sum/(out.Score[1]-low[1]) - 1); !(math.Abs(gap[1]-want) <= 1e-9) {
		t.Errorf("a map of three times the size has gap %g, want %g", gap[1], want)
	}
}

// IG where the integral is known: the score Σx³ has gradient 3x², and IG from 0 is x³.
func TestIntegratedGradientsClosedForm(t *testing.T) {
	m := interptest.Linear().Float64()
	x := interptest.Images(m, 2, 3)
	score, err := m.Score(ctx, objective.LogitOf(1), x)
	if err != nil {
		t.Fatal(err)
	}
	if got := maps(t, saliency.IntegratedGradients{Steps: 3}, m, objective.LogitOf(1), x).Score; !slices.Equal(got, score) {
		t.Errorf("scores %v, and the images' are %v", got, score)
	}
	cube := interp.Objective{Name: "Σx³", Form: interp.FormOf(func(p *layer.Pass, _ []*graph.Node) *graph.Node { return sumCubes(p.Images) })}
	for _, even := range []bool{false, true} {
		for i, v := range maps(t, saliency.IntegratedGradients{Steps: 800, Even: even}, m, cube, x).Pix {
			if want := math.Pow(x.Pix[i], 3); !(math.Abs(v-want) <= 1e-5) {
				t.Errorf("even %t: number %d is %g, want %g", even, i, v, want)
			}
		}
	}
}

// The class is the one of the clean image, though the copies are nothing but noise.
func TestClassIsResolvedOnce(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 8, 1)
	p, err := m.Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	s := saliency.SmoothGrad{N: 5, Sigma: 20, Of: saliency.IntegratedGradients{Steps: 2}}
	out := maps(t, s, m, objective.Logit, x)
	if !slices.Equal(out.Class, p.Top1()) {
		t.Errorf("asked about %v, and the clean images are %v", out.Class, p.Top1())
	}
	if want := maps(t, s, m, objective.Logit, x.Asked(p.Top1()...)); !slices.Equal(out.Pix, want.Pix) {
		t.Error("another map than when the classes are given")
	}
}

func TestSeedsAndKeys(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 1, 1).Asked(0)
	a := maps(t, saliency.SmoothGrad{N: 2}, m, objective.Logit, x)
	if b := maps(t, saliency.SmoothGrad{N: 2, Seed: 1}, m, objective.Logit, x); slices.Equal(a.Pix, b.Pix) {
		t.Error("another seed, the same map")
	}
	x.Key = []uint64{1}
	if b := maps(t, saliency.SmoothGrad{N: 2}, m, objective.Logit, x); slices.Equal(a.Pix, b.Pix) {
		t.Error("another key, the same map")
	}
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		bad   saliency.Method
		field string
	}{
		{saliency.SmoothGrad{N: -1}, "N is -1"},
		{saliency.VarGrad{Sigma: -1}, "Sigma is -1"},
		{saliency.SmoothGrad{Sigma: nan}, "Sigma is NaN"},
		{saliency.SquareGrad{Sigma: inf}, "Sigma is +Inf"},
		{saliency.IntegratedGradients{Steps: -1}, "Steps is -1, must"},
		{saliency.IntegratedGradients{Baseline: []float64{0, nan, 0}}, "Baseline[1] is NaN"},
		{saliency.IntegratedGradients{Baseline: []float64{0, 0, -inf}}, "Baseline[2] is -Inf"},
		{saliency.IntegratedGradients{Baseline: []float64{104, 117, 123}}, "Baseline: image 0 is 104 at row 0, column 0, channel 0, must be in [0, 1]"},
		{saliency.SmoothGrad{N: 2, Of: saliency.IntegratedGradients{Baseline: []float64{0, 0, -2.1}}}, "Baseline: image 0 is -2.1 at row 0, column 0, channel 2, must be in [0, 1]"},
	} {
		if _, err := c.bad.Maps(ctx, m, objective.Logit, x); err == nil || !strings.Contains(err.Error(), c.field) {
			t.Errorf("%s: error %v, want one that says %q", c.bad, err, c.field)
		}
	}
}

func ExampleSmoothGrad() {
	fmt.Println(saliency.SmoothGrad{})
	fmt.Println(saliency.SmoothGrad{N: 20, Sigma: .1, Of: saliency.Guided})
	// Output:
	// SmoothGrad(N=50, σ=0.15)
	// SmoothGrad(N=20, σ=0.1) of guided backprop
}
