package saliency_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/interptest/shared"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
	"lucigo/interp/random"
	"lucigo/interp/saliency"
	"lucigo/models/googlenet"
)

// The maps of pytorch-grad-cam before it stretches them, of captum's occlusion, lime and shap, in float64. Pytorch-grad-cam
// adds 1e-6 and 1e-8 to what it divides by, and captum's occlusion computes in part in float32, which is what the bounds are
// for. No channel of this network is the same everywhere: pytorch-grad-cam's Score-CAM counts such a one as a black image.
func TestPeersCAMs(t *testing.T) {
	needPython(t)
	m := interptest.Model("tapped", func(s *model.Scope, x *graph.Node) *graph.Node {
		x = layer.At("tap1", layer.ReLU(layer.Conv(s.At("conv1"), x, 6, layer.Square(3, 1, 1))))
		x = layer.MaxPool(x, layer.Square(2, 2, 0))
		x = layer.At("tap2", layer.ReLU(layer.Conv(s.At("conv2"), x, 5, layer.Square(3, 1, 1))))
		return layer.Dense(s.At("logits"), layer.GlobalMean(x), 4)
	}, [3]int{12, 12, 3}, 4, 7).Float64()
	m = must(m.With(interp.Weights{"/conv1/biases": must(interp.NewWeight(slices.Repeat([]float64{1}, 6), 6)),
		"/conv2/biases": must(interp.NewWeight(slices.Repeat([]float64{1}, 5), 5))}))
	x := interptest.Images(m, 2, 1).Keyed().Asked(1, 2)
	for _, a := range must(m.Activations(ctx, x, "tap1", "tap2")) {
		for i := range x.N * a.Shape[2] {
			v, flat := a.Of(i / a.Shape[2])[i%a.Shape[2]:], true
			for p := 0; p < len(v); p += a.Shape[2] {
				flat = flat && v[p] == v[0]
			}
			if flat {
				t.Fatalf("%s: channel %d is the same everywhere", a.Layer, i)
			}
		}
	}
	e := exchange{t, t.TempDir()}
	for path, w := range m.Weights() {
		e.write(strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", "-"), w.Values())
	}
	e.write("images", x.Pix)
	const samples = 100
	labels, z := make([]float64, 144), []float64{}
	for p, k := range eight() {
		labels[p] = float64(k)
	}
	for k := range samples {
		for j := range 8 {
			z = append(z, 1)
			if k > 0 {
				z[len(z)-1] = float64(1 - random.New(0, x.Key[0], uint64(k)).Bits(j)>>63)
			}
		}
	}
	e.write("labels", labels)
	e.write("z", z)
	e.run("cams.py", "small", e.dir)
	interptest.OnEach(t, func(t *testing.T, on *engine.Engine) {
		m := m.On(on.Backend)
		for _, tap := range []string{"tap1", "tap2"} {
			for _, c := range []struct {
				name   string
				method coarser
				o      interp.Objective
				bound  float64
			}{
				{"GradCAM", saliency.GradCAM{Layer: tap}, objective.Logit, 1e-9},
				{"GradCAMPlusPlus", saliency.GradCAMPlusPlus{Layer: tap}, objective.Logit.Times(1e6), 1e-6},
				{"LayerCAM", saliency.LayerCAM{Layer: tap}, objective.Logit, 1e-9},
				{"ScoreCAM", saliency.ScoreCAM{Layer: tap}, objective.Logit, 1e-6},
			} {
				got, err := c.method.Coarse(ctx, m, c.o, x)
				if err != nil {
					t.Fatal(err)
				}
				near(t, c.name+" "+tap, got.Pix, e.read(c.name+" "+tap), c.bound)
			}
		}
		near(t, "Occlusion", maps(t, saliency.Occlusion{Patch: 4, Stride: 2}, m, objective.Logit, x).Pix, e.read("Occlusion"), 1e-7)
		pieces := saliency.Superpixels{Labels: eight(), Baseline: []float64{.2, .5, .9}}
		one := x.Slice(0, 1)
		for name, method := range map[string]saliency.Method{"LIME": saliency.LIME{Samples: samples, Superpixels: pieces}, "KernelSHAP": saliency.KernelSHAP{Superpixels: pieces}} {
			near(t, name, ofPieces(t, maps(t, method, m, objective.Logit, one).Pix, eight()), e.read(name), 1e-9)
		}
	})
}

// Grad-CAM, occlusion 32/16 and RISE of 500 masks on GoogLeNet and one image are at least 1.2 times as fast as the fastest
// other. Sides take turns, and the fastest run of each counts.
func TestPeersSpeedOfCAMs(t *testing.T) {
	needPython(t)
	interptest.Unchecked()
	weights := shared.Path(t, "models", "googlenet_bvlc", "bvlc_googlenet.safetensors")
	m, err := googlenet.Open(weights)
	if err != nil {
		t.Fatal(err)
	}
	x := interptest.Images(m, 1, 1).Asked(340)
	theirs := timer(t, "cams.py")
	ours := func(method saliency.Method, o interp.Objective) float64 {
		begin := time.Now()
		maps(t, method, m, o, x)
		return 1e3 * time.Since(begin).Seconds()
	}
	grey := []float64{123. / 255, 117. / 255, 104. / 255}
	for _, c := range []struct {
		name         string
		warm, method saliency.Method
		o            interp.Objective
		rounds       int
		names        []string // the first warms up
	}{
		{"Grad-CAM", saliency.GradCAM{}, saliency.GradCAM{}, objective.Logit, 20, []string{"Grad-CAM captum", "Grad-CAM captum", "Grad-CAM pytorch-grad-cam"}},
		{"occlusion", saliency.RISE{Masks: 8}, saliency.Occlusion{Patch: 32, Stride: 16, Baseline: grey}, objective.Logit, 2, []string{"RISE-8 program", "occlusion captum"}},
		{"RISE-500", saliency.RISE{Masks: 12}, saliency.RISE{Masks: 500}, objective.Prob, 1, []string{"RISE-8 program", "RISE-500 program"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ours(c.warm, c.o)
			theirs(t, c.names[0])
			us, them, fastest := []float64{}, map[string][]float64{}, ""
			for range c.rounds {
				us = append(us, ours(c.method, c.o))
				for _, name := range c.names[1:] {
					them[name] = append(them[name], theirs(t, name))
				}
			}
			for name, all := range them {
				t.Logf("%s: %.0f ms, ours %.0f ms, ratio %.2f", name, slices.Min(all), slices.Min(us), slices.Min(all)/slices.Min(us))
				if fastest == "" || slices.Min(all) < slices.Min(them[fastest]) {
					fastest = name
				}
			}
			if slices.Min(them[fastest]) < 1.2*slices.Min(us) {
				t.Errorf("%s takes %.0f ms, and %s %.0f ms", c.method, slices.Min(us), fastest, slices.Min(them[fastest]))
			}
		})
	}
}
