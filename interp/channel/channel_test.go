package channel_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/internal/filter"
	"lucigo/interp"
	"lucigo/interp/channel"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/interptest/shared"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
	"lucigo/models/dataset"
	"lucigo/models/googlenet"
	"lucigo/models/scenes"
)

var ctx = context.Background()

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// scores returns the score of each image where a layer has the given values instead of its own: the slow definition.
func scores(t *testing.T, m *interp.Model, o interp.Objective, x interp.Images, name string, values interp.Rows) []float64 {
	t.Helper()
	args := append([]interp.Arg{x.Arg(), interp.Each(values.Data, values.Shape...)}, must(o.For(x))...)
	var tensors []*interp.Tensor
	for _, a := range args {
		tensors = append(tensors, must(m.Tensor(a)))
	}
	out := must(m.Run(ctx, interp.StepOf(func(net *interp.Net, a []*Node) []*Node {
		return []*Node{interp.Score(o.Form, net.Pass(a[0], map[string]*Node{name: a[1]}), a[2:])}
	}), nil, tensors...))
	return must(out[0].Numbers())
}

// scaled returns values in which a channel is times what it was.
func scaled(r interp.Rows, channel int, times float64) interp.Rows {
	r.Data = slices.Clone(r.Data)
	for i := channel; i < len(r.Data); i += r.Shape[len(r.Shape)-1] {
		r.Data[i] *= times
	}
	return r
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*max(1e-2, math.Abs(want))) {
		t.Errorf("%s is %g, want %g", what, got, want)
	}
}

// A contribution is the derivative of the score by how much a channel is scaled, measured by central differences.
func TestLawContributionIsDerivative(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Branchy().Float64().On(e.Backend)
		x := interptest.Images(m, 3, 1).Asked(0, 1, 2)
		layers := []string{"conv1", "mixed", "shared", "head"}
		for _, o := range []interp.Objective{objective.Logit, objective.LogProb} {
			for l, c := range must(channel.Attribution{}.At(ctx, m, o, x, layers...)) {
				values := must(m.Activations(ctx, x, layers[l]))[0].Rows
				const step = 1e-5
				for u := range c.Shape[0] {
					up, down := scores(t, m, o, x, layers[l], scaled(values, u, 1+step)), scores(t, m, o, x, layers[l], scaled(values, u, 1-step))
					for i := range x.N {
						near(t, c.Layer+" contribution", c.Of(i)[u], (up[i]-down[i])/(2*step), 1e-6)
					}
				}
			}
		}
	})
}

// Costs are what the score is less where channels of each image have another value: the slow definition, number by number.
func TestLawCostsBySlowDefinition(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Branchy().Float64().On(e.Backend)
		x := interptest.Images(m, 3, 1).Asked(0, 1, 2)
		units := [][]int{{0, 2}, {}, {1, 1, 4}}
		for _, name := range []string{"conv1", "mixed", "head"} {
			values := must(m.Activations(ctx, x, name))[0].Rows
			n := values.Shape[len(values.Shape)-1]
			whole := must(m.Score(ctx, objective.LogProb, x))
			for _, to := range []interp.Rows{{}, must(channel.Means(ctx, m, interptest.Images(m, 5, 9), name))} {
				costs := must(channel.Ablation{Layer: name, To: to}.Costs(ctx, m, objective.LogProb, x, units))
				changed := values
				changed.Data = slices.Clone(values.Data)
				for i, of := range units {
					for p := range values.Of(i) {
						if slices.Contains(of, p%n) {
							mean := 0.
							for k := range to.N {
								mean += to.Of(k)[p%n] / float64(to.N)
							}
							changed.Of(i)[p] = mean
						}
					}
				}
				for i, s := range scores(t, m, objective.LogProb, x, name, changed) {
					near(t, name+" cost", costs[i], whole[i]-s, 1e-10)
				}
				if costs[1] != 0 {
					t.Errorf("%s: no unit costs %g, want 0", name, costs[1])
				}
			}
		}
	})
}

// Means are the means over positions of the layer's values, and Maps those of a channel, enlarged.
func TestLawMeansAndMaps(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Branchy().Float64().On(e.Backend)
		x := interptest.Images(m, 3, 1)
		units := []int{4, 0, 4}
		for _, name := range []string{"conv1", "mixed", "head"} {
			values, means := must(m.Activations(ctx, x, name))[0].Rows, must(channel.Means(ctx, m, x, name))
			n := means.Shape[0]
			for i := range x.N {
				sum, grid := make([]float64, n), []float64{}
				for p, v := range values.Of(i) {
					if sum[p%n] += v; p%n == units[i] {
						grid = append(grid, v)
					}
				}
				for u := range n {
					near(t, name+" mean", means.Of(i)[u], sum[u]/float64(len(values.Of(i))/n), 1e-12)
				}
				if name == "head" {
					continue
				}
				want := make([]float64, x.H*x.W)
				filter.Enlarge(want, x.H, x.W, grid, values.Shape[0], values.Shape[1])
				maps := must(channel.Maps(ctx, m, x, name, units...))
				for p, v := range want {
					near(t, name+" map", maps.Of(i)[p], v, 1e-12)
				}
				near(t, name+" score of a map", maps.Score[i], slices.Max(grid), 1e-12)
			}
		}
	})
}

// Where no nonlinearity follows a layer, a contribution is exactly what its channel's ablation costs, and costs add up. So is relevance by
// the ε-rule, except for ε.
func TestLawLinearContributionsAreCosts(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Smooth().Float64().On(e.Backend)
		x := interptest.Images(m, 3, 1)
		ablation := channel.Ablation{Layer: "hidden"}
		c := must(channel.Attribution{}.At(ctx, m, objective.Logit, x, "hidden"))[0]
		relevance := must(channel.Attribution{Rule: layer.LRP{}}.At(ctx, m, objective.Logit, x, "hidden"))[0]
		for u := range c.Shape[0] {
			costs := must(ablation.Costs(ctx, m, objective.Logit, x, slices.Repeat([][]int{{u}}, x.N)))
			for i := range x.N {
				near(t, "contribution", c.Of(i)[u], costs[i], 1e-9)
				near(t, "relevance", relevance.Of(i)[u], costs[i], 1e-4)
			}
		}
		costs := must(ablation.Costs(ctx, m, objective.Logit, x, [][]int{{0, 1}, {2, 4}, {3, 0}}))
		for i, of := range [][]int{{0, 1}, {2, 4}, {3, 0}} {
			near(t, "cost of two", costs[i], c.Of(i)[of[0]]+c.Of(i)[of[1]], 1e-9)
		}
	})
}

// The relevance of the channels of every layer that all of the way passes sums up to the logit: in a network without biases whatever the
// rule, and in one with biases where inputs take their share. There activation × gradient does not.
func TestLawRelevanceConserves(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Branchy().Float64().On(e.Backend)
		changes := interp.Weights{}
		for path, w := range m.Weights() {
			if strings.HasSuffix(path, "biases") {
				changes[path] = must(interp.NewWeight(make([]float64, len(w.Values())), w.Dims()...))
			}
		}
		bare := must(m.With(changes))
		x := interptest.Images(m, 3, 1)
		misses := func(m *interp.Model, rule layer.Rule) (most float64) { // as a share of the logit
			for _, c := range must(channel.Attribution{Rule: rule}.At(ctx, m, objective.Logit, x, "conv1", "pool1", "mixed", "shared", "shared:2", "head")) {
				for i := range x.N {
					sum := 0.
					for _, v := range c.Of(i) {
						sum += v
					}
					most = max(most, math.Abs(sum/c.Score[i]-1))
				}
			}
			return most
		}
		for _, rule := range []layer.LRP{{}, {Conv: layer.Gamma{}}, layer.EpsilonPlus, layer.EpsilonGammaBox} {
			if miss := misses(bare, rule); !(miss <= 1e-3) {
				t.Errorf("%s: sums of relevance miss %g of the logit", rule, miss)
			}
		}
		shared, exact := misses(m, layer.LRP{NoBias: true}), misses(m, nil)
		t.Logf("with biases, relevance misses %.1e of the logit, and activation × gradient %.1e", shared, exact)
		if !(shared <= 1e-3) || exact < 1e-2 {
			t.Errorf("with biases, relevance misses %g of the logit, and activation × gradient %g", shared, exact)
		}
	})
}

// A layer that is asked about twice, and two names of one value, have the same contributions; a shared module has a layer for each use.
func TestLawSameLayers(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Model("named twice", func(s *model.Scope, x *Node) *Node {
			x = layer.At("first", layer.ReLU(layer.Conv(s.At("conv"), x, 4, layer.Square(3, 1, 1))))
			x = layer.At("second", x)
			return layer.Dense(s.At("logits"), layer.GlobalMean(x), 3)
		}, [3]int{6, 6, 3}, 3, 1).On(e.Backend)
		c := must(channel.Attribution{}.At(ctx, m, objective.Logit, interptest.Images(m, 2, 1), "first", "second", "first"))
		if !slices.Equal(c[0].Data, c[1].Data) || !slices.Equal(c[0].Data, c[2].Data) || slices.Max(c[0].Data) == 0 {
			t.Errorf("contributions are %g, %g and %g", c[0].Data, c[1].Data, c[2].Data)
		}
		b := interptest.Branchy().On(e.Backend)
		c = must(channel.Attribution{}.At(ctx, b, objective.Logit, interptest.Images(b, 2, 1), "shared", "shared:2"))
		if slices.Equal(c[0].Data, c[1].Data) {
			t.Error("both uses of a module contribute the same")
		}
	})
}

// What a score does not depend on contributes nothing and costs nothing.
func TestLawIndependentLayers(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 2, 1)
	c := must(channel.Attribution{}.At(ctx, m, objective.Channel("pool1", 1), x, "mixed"))[0]
	costs := must(channel.Ablation{Layer: "mixed"}.Costs(ctx, m, objective.Channel("pool1", 1), x, [][]int{{0}, {1}}))
	if slices.Max(c.Data) != 0 || slices.Min(c.Data) != 0 || slices.Max(costs) != 0 || slices.Min(costs) != 0 {
		t.Errorf("contributions %g and costs %g, want 0", c.Data, costs)
	}
}

func TestTopAndRandom(t *testing.T) {
	r := interp.Rows{N: 2, Shape: []int{4}, Data: []float64{1, 3, 3, -5, 0, 1, 2, 3}}
	if got := must(channel.Top(r, 3)); !slices.Equal(got[0], []int{1, 2, 0}) || !slices.Equal(got[1], []int{3, 2, 1}) {
		t.Errorf("the top are %d", got)
	}
	drawn, count := map[string]bool{}, make([]int, 4)
	for seed := range uint64(400) {
		got := must(channel.Random(r, 2, seed))
		for _, of := range got {
			if len(of) != 2 || of[0] == of[1] {
				t.Fatalf("seed %d draws %d", seed, got)
			}
			count[of[0]]++
			count[of[1]]++
		}
		drawn[fmt.Sprint(got)] = true
	}
	if !(slices.Min(count) > 340 && slices.Max(count) < 460) || len(drawn) < 50 { // 400 ± 3 standard deviations of 14 and some
		t.Errorf("400 seeds draw channels %d times, in %d ways", count, len(drawn))
	}
	for _, bad := range []func() ([][]int, error){
		func() ([][]int, error) { return channel.Top(r, 5) },
		func() ([][]int, error) { return channel.Top(r, 0) },
		func() ([][]int, error) { return channel.Random(r, 5, 1) },
		func() ([][]int, error) { return channel.Top(interp.Rows{}, 1) },
		func() ([][]int, error) {
			return channel.Top(interp.Rows{N: 1, Shape: []int{2, 2}, Data: make([]float64, 4)}, 1)
		},
	} {
		if got, err := bad(); err == nil {
			t.Errorf("no error, but %d", got)
		}
	}
}

// experiment is what costs of several kinds of n units are, in the mean of images, as shares of their logits.
type experiment struct{ named, relevant, random, active float64 }

// compare ablates n units at each image: those that contribute most, those of the most relevance, random ones (the mean of draws), and the
// most active ones.
func compare(t *testing.T, m *interp.Model, x interp.Images, name string, n, draws int) (out experiment) {
	t.Helper()
	shares := must(channel.Attribution{}.At(ctx, m, objective.Logit, x, name))[0]
	relevance := must(channel.Attribution{Rule: layer.EpsilonPlus}.At(ctx, m, objective.Logit, x, name))[0]
	active := must(channel.Means(ctx, m, x, name))
	x.Class = must(m.Resolve(ctx, objective.Logit, x)).Class
	logits := 0.
	for _, v := range shares.Score {
		logits += v
	}
	cost := func(units [][]int) (sum float64) {
		for _, v := range must(channel.Ablation{Layer: name}.Costs(ctx, m, objective.Logit, x, units)) {
			sum += v / logits
		}
		return sum
	}
	out.named, out.relevant, out.active = cost(must(channel.Top(shares.Rows, n))), cost(must(channel.Top(relevance.Rows, n))), cost(must(channel.Top(active, n)))
	for k := range draws {
		out.random += cost(must(channel.Random(active, n, uint64(k)))) / float64(draws)
	}
	t.Logf("%s of %d channels, %d images: without %d units the logit loses, as a share: named %.3f, of most relevance %.3f, random %.3f, most active %.3f",
		name, shares.Shape[0], x.N, n, out.named, out.relevant, out.random, out.active)
	if !(out.named >= 2*out.random) || !(out.named > out.active) {
		t.Errorf("%s: the named units cost %.3f, random ones %.3f and the most active %.3f: want at least twice the random and more than the active", name, out.named, out.random, out.active)
	}
	return out
}

// The bar of the method: the 8 units that it names cost the logit at least twice what 8 random ones do, and more than the 8 most active.
func TestNamedUnitsCost(t *testing.T) {
	interptest.Unchecked()
	m := must(scenes.Standard())
	x := scenes.Task{}.Images(7, 64, 64)
	for _, name := range []string{"mixed3b", "mixed4a", "mixed4b", "mixed5a"} {
		compare(t, m, x, name, 8, 16)
	}
}

func TestNamedUnitsCostOnGoogLeNet(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: half a minute")
	}
	interptest.Unchecked()
	m := must(googlenet.Open(shared.Path(t, "models", "googlenet_bvlc", "bvlc_googlenet.safetensors")))
	in := dataset.Input{Height: googlenet.Size, Width: googlenet.Size, Short: googlenet.Short}
	x := must(interp.Read(ctx, must(in.Folder(shared.Path(t, "images", "imagenet_samples_dev"))), 20, 28))
	x.Class = nil
	for _, name := range []string{"inception_4d/output", "inception_5a/output"} {
		compare(t, m, x, name, 8, 2)
	}
}

func TestErrors(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 2, 1)
	bare := interptest.Model("bare", func(s *model.Scope, x *Node) *Node {
		layer.At("brightness", ReduceMean(x, 1, 2, 3))
		return layer.Dense(s.At("logits"), layer.Flatten(x), 2)
	}, [3]int{4, 4, 3}, 2, 1)
	y := interptest.Images(bare, 2, 1)
	one := [][]int{{0}, {0}}
	nan := x
	nan.Pix = slices.Clone(x.Pix)
	nan.Pix[0] = math.NaN()
	at := func(m *interp.Model, x interp.Images, layers ...string) func() error {
		return func() error { _, err := channel.Attribution{}.At(ctx, m, objective.Logit, x, layers...); return err }
	}
	costs := func(a channel.Ablation, m *interp.Model, x interp.Images, units [][]int) func() error {
		return func() error { _, err := a.Costs(ctx, m, objective.Logit, x, units); return err }
	}
	maps := func(name string, units ...int) func() error {
		return func() error { _, err := channel.Maps(ctx, m, x, name, units...); return err }
	}
	for want, f := range map[string]func() error{
		`no layer "mixd"; near it: mixed`:                 at(m, x, "conv1", "mixd"),
		"there are no layers":                             at(m, x),
		"channel: no images":                              at(m, interp.Images{}, "mixed"),
		"is NaN":                                          at(m, nan, "mixed"),
		`layer "brightness" has one number an image`:      at(bare, y, "brightness"),
		"channels, and these have":                        at(m, interptest.ImagesOf(1, 12, 12, 1, 1), "mixed"),
		`no layer "heads"; near it: head`:                 costs(channel.Ablation{Layer: "heads"}, m, x, one),
		"brightness":                                      costs(channel.Ablation{Layer: "brightness"}, bare, y, one),
		`unit 7 of image 1, layer "mixed" has channels 0`: costs(channel.Ablation{Layer: "mixed"}, m, x, [][]int{{0}, {7}}),
		"unit -1 of image 0":                              costs(channel.Ablation{Layer: "mixed"}, m, x, [][]int{{-1}, {0}}),
		"there are units for 1 images, and 2 images":      costs(channel.Ablation{Layer: "mixed"}, m, x, [][]int{{0}}),
		"Ablation.To has 3 numbers for 1 images":          costs(channel.Ablation{Layer: "mixed", To: interp.Rows{N: 1, Data: []float64{1, 2, 3}}}, m, x, one),
		"Ablation.To, image 0, is NaN":                    costs(channel.Ablation{Layer: "mixed", To: interp.Rows{N: 1, Data: []float64{0, 0, 0, 0, 0, 0, math.NaN()}}}, m, x, one),
		`no layer "x"`:                                    func() error { _, err := channel.Means(ctx, m, x, "x"); return err },
		"must have rows and columns":                      maps("head", 0, 0),
		"1 units and 2 images":                            maps("mixed", 0),
		`unit 9 of image 1, layer "mixed"`:                maps("mixed", 0, 9),
		`no layer "mixedd"; near it: mixed`:               maps("mixedd", 0, 0),
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := (channel.Ablation{Layer: "mixed"}).Costs(ended, m, objective.Logit, x, one); !errors.Is(err, context.Canceled) {
		t.Errorf("when the context has ended: %v", err)
	}
}
