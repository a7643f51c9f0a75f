package saliency_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
	"lucigo/interp/saliency"
)

// coarser is a method that has maps at a size of its own.
type coarser interface {
	saliency.Method
	Coarse(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error)
}

// Each method from the layer's values and derivatives, number by number, as its paper writes it.
func TestLawCAMBySlowDefinition(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Branchy().On(e.Backend).Float64()
		x := interptest.Images(m, 3, 6).Asked(0, 1, 3)
		for _, name := range []string{"conv1", "mixed", "shared:2"} {
			a, g, score, err := m.GradientAt(ctx, objective.LogProb, nil, x, name)
			if err != nil {
				t.Fatal(err)
			}
			h, w, channels := a.Shape[0], a.Shape[1], a.Shape[2]
			for _, c := range []struct {
				method coarser
				weight func(v, g []float64, p, k int) float64 // of channel k at position p
			}{
				{saliency.GradCAM{Layer: name}, func(_, g []float64, _, k int) (mean float64) {
					for p := range h * w {
						mean += g[p*channels+k] / float64(h*w)
					}
					return mean
				}},
				{saliency.GradCAMPlusPlus{Layer: name}, func(v, g []float64, _, k int) (weight float64) {
					sum := 0.
					for p := range h * w {
						sum += v[p*channels+k]
					}
					for p := range h * w {
						if d := g[p*channels+k]; d != 0 {
							weight += d * d / (2*d*d + sum*d*d*d) * max(d, 0)
						}
					}
					return weight
				}},
				{saliency.LayerCAM{Layer: name}, func(_, g []float64, p, k int) float64 { return max(g[p*channels+k], 0) }},
			} {
				want := make([]float64, 3*h*w)
				for i := range want {
					n, p := i/(h*w), i%(h*w)
					for k := range channels {
						want[i] += c.weight(a.Of(n), g.Of(n), p, k) * a.Of(n)[p*channels+k]
					}
					want[i] = max(want[i], 0)
				}
				got, err := c.method.Coarse(ctx, m, objective.LogProb, x)
				if err != nil {
					t.Fatal(err)
				}
				if got.H != h || got.W != w || got.C != 1 || !slices.Equal(got.Class, x.Class) {
					t.Errorf("%s: coarse maps of %d×%d×%d, of classes %v", c.method, got.H, got.W, got.C, got.Class)
				}
				if d := interptest.Distance(got.Pix, want); !(d <= 1e-12) || slices.Max(want) == 0 {
					t.Errorf("%s: %g from its definition, whose largest number is %g", c.method, d, slices.Max(want))
				}
				if d := interptest.Distance(got.Score, score); !(d <= 1e-12) {
					t.Errorf("%s: scores %v, want %v", c.method, got.Score, score)
				}
			}
		}
	})
}

// Of a network that ends in the mean over positions and one dense layer, Grad-CAM is the class activation map of Zhou et
// al., arXiv:1512.04150, over the number of positions.
func TestLawGradCAMIsCAM(t *testing.T) {
	m := interptest.Model("cam", func(s *model.Scope, x *graph.Node) *graph.Node {
		x = layer.At("conv", layer.ReLU(layer.Conv(s.At("conv"), x, 5, layer.Square(3, 1, 1))))
		return layer.Dense(s.At("logits"), layer.GlobalMean(x), 3)
	}, [3]int{6, 4, 3}, 3, 1).Float64()
	x := interptest.Images(m, 2, 1).Asked(2, 0)
	a, err := m.Activations(ctx, x, "conv")
	if err != nil {
		t.Fatal(err)
	}
	weights, want := m.Weights()["/logits/weights"].Values(), make([]float64, 2*24)
	for i := range want {
		for k := range 5 {
			want[i] += weights[k*3+x.Class[i/24]] * a[0].Data[i*5+k] / 24
		}
		want[i] = max(want[i], 0)
	}
	got := maps(t, saliency.GradCAM{}, m, objective.Logit, x)
	if d := interptest.Distance(got.Pix, want); !(d <= 1e-13) {
		t.Errorf("Grad-CAM is %g from the class activation map", d)
	}
}

// What is enlarged is what layer.Resize makes of it, and Guided Grad-CAM the product of its two parts.
func TestLawEnlarged(t *testing.T) {
	m := interptest.Branchy().Float64()
	x := interptest.Images(m, 2, 3).Asked(1, 2)
	for _, c := range []struct {
		layer  string
		method coarser
	}{{"mixed", saliency.GradCAM{Layer: "mixed"}}, {"conv1", saliency.LayerCAM{Layer: "conv1"}}} {
		small, err := c.method.Coarse(ctx, m, objective.Logit, x)
		if err != nil {
			t.Fatal(err)
		}
		resize := interp.StepOf(func(_ *interp.Net, a []*graph.Node) []*graph.Node {
			return []*graph.Node{layer.Resize(a[0], x.H, x.W, layer.Bilinear)}
		})
		given, err := m.Tensor(small.Arg())
		if err != nil {
			t.Fatal(err)
		}
		r, err := m.Run(ctx, resize, nil, given)
		if err != nil {
			t.Fatal(err)
		}
		want, err := r[0].Numbers()
		if err != nil {
			t.Fatal(err)
		}
		if d := interptest.Distance(maps(t, c.method, m, objective.Logit, x).Pix, want); !(d <= 1e-14) {
			t.Errorf("%s: the enlarged map is %g from layer.Resize", c.method, d)
		}
	}
	cam, guided := maps(t, saliency.GradCAM{}, m, objective.Logit, x), maps(t, saliency.Guided, m, objective.Logit, x)
	for i, v := range maps(t, saliency.GuidedGradCAM{}, m, objective.Logit, x).Pix {
		if want := cam.Pix[i/3] * guided.Pix[i]; v != want {
			t.Fatalf("number %d of Guided Grad-CAM is %g, want %g", i, v, want)
		}
	}
}

// Statistics over copies of maps with one number a pixel are those of the maps; the image multiplies each channel.
func TestLawOneNumberAPixel(t *testing.T) {
	m := interptest.Branchy().Float64()
	x := interptest.Images(m, 2, 8).Keyed().Asked(1, 2)
	inner := saliency.GradCAM{Layer: "mixed"}
	one := maps(t, inner, m, objective.Logit, x)
	for i, v := range maps(t, saliency.TimesInput{Of: inner}, m, objective.Logit, x).Pix {
		if want := one.Pix[i/3] * x.Pix[i]; v != want {
			t.Fatalf("number %d times the image is %g, want %g", i, v, want)
		}
	}
	ig := maps(t, saliency.IntegratedGradients{Of: inner, Steps: 1, Even: true, Baseline: []float64{0, .25, .5}}, m, objective.Logit, x)
	half := x.Free()
	half.Pix = make([]float64, len(x.Pix))
	for i, v := range x.Pix {
		half.Pix[i] = (v + .25*float64(i%3)) / 2
	}
	at := maps(t, inner, m, objective.Logit, half)
	for i, v := range ig.Pix {
		if want := at.Pix[i/3] * (x.Pix[i] - .25*float64(i%3)); !(math.Abs(v-want) <= 1e-12) {
			t.Fatalf("number %d of IG is %g, want %g", i, v, want)
		}
	}
	smooth := maps(t, saliency.SmoothGrad{Of: inner, N: 3, Sigma: 1e-9}, m, objective.Logit, x)
	variance := maps(t, saliency.VarGrad{Of: inner, N: 3, Sigma: 1e-9}, m, objective.Logit, x)
	if d := interptest.Distance(smooth.Pix, one.Pix); smooth.C != 1 || variance.C != 1 || !(d <= 1e-6) || slices.Max(variance.Pix) > 1e-12 {
		t.Errorf("with next to no noise the mean map has %d channels, is %g from the map, and varies by %g", smooth.C, d, slices.Max(variance.Pix))
	}
}

func TestCAMLayers(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 1, 1).Asked(1)
	if a, b := maps(t, saliency.GradCAM{}, m, objective.Logit, x), maps(t, saliency.GradCAM{Layer: "shared:2"}, m, objective.Logit, x); !slices.Equal(a.Pix, b.Pix) {
		t.Error("the last layer with positions is not the default")
	}
	flat := interptest.Linear()
	nan, err := m.With(interp.Weights{"/a/biases": must(interp.NewWeight([]float64{1e38, math.NaN(), 0}, 3))})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		m     *interp.Model
		layer string
		o     interp.Objective
		want  string
	}{
		{m, "mixd", objective.Logit, `no layer "mixd"; near it: mixed`},
		{m, "head", objective.Logit, `Layer is "head", must have positions, and it is shaped [5]; layers that have: pool1, branch, mixed, shared, shared:2`},
		{m, "mixed", objective.Energy("conv1"), `does not depend on layer "mixed"`},
		{flat, "", objective.Logit, "must have positions, and linear has no such layer"},
		{nan, "mixed", objective.Logit, "is NaN"},
	} {
		for _, method := range []saliency.Method{saliency.GradCAM{Layer: c.layer}, saliency.GradCAMPlusPlus{Layer: c.layer},
			saliency.LayerCAM{Layer: c.layer}, saliency.GuidedGradCAM{Layer: c.layer}} {
			if _, err := method.Maps(ctx, c.m, c.o, interptest.Images(c.m, 1, 1).Asked(1)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s of %s: error %v, want one that says %q", method, c.o, err, c.want)
			}
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
