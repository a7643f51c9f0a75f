package sanity_test

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/featvis"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/measure"
	"lucigo/interp/objective"
	"lucigo/interp/random"
	"lucigo/interp/sanity"
	"lucigo/models/scenes"
)

// The bar of the check: the unit that was made to lie is caught, and of 20 honest units of the same network, in two layers, none is.
// Each visualisation, of three for each unit, is judged alone.
func TestLiarIsCaught(t *testing.T) {
	const seeds = 3
	m := must(scenes.Liar())
	natural := scenes.Task{}.Images(20002, 192, 64)
	honest := 0
	for k, name := range []string{"mixed4a", "mixed4b"} {
		units := random.New(12, uint64(k), 0).Choose(0, 10, must(m.Shape(name, 64, 64))[2])
		if name == "mixed4a" {
			if slices.Contains(units, scenes.LyingUnit) {
				t.Fatal("the lying unit is among those drawn as honest: draw others")
			}
			units = append(units, scenes.LyingUnit)
		}
		r := featvis.Render{Steps: 48} // from noise of its own for each picture
		pictures := must(r.Final(ctx, m, objective.Channels(name, slices.Repeat(units, seeds)...))).Images
		for seed := range seeds {
			for _, r := range must(sanity.Paths{}.Check(ctx, m, name, units, pictures.Slice(seed*len(units), (seed+1)*len(units)), natural)) {
				last := len(r.Layers) - 1
				t.Logf("%s %d, seed %d: %s; pictures %.2f, natural %.2f, random %.2f, unrelated %.2f, level %.2f", name, r.Unit, seed, r.Verdict,
					r.Pictures[last], r.Natural[last], r.Random[last], r.Unrelated[last], r.Level[last])
				want := sanity.PathShared
				if name == "mixed4a" && r.Unit == scenes.LyingUnit {
					want = sanity.PathForeign
				} else if seed == 0 {
					honest++
				}
				if r.Verdict != want {
					t.Errorf("%s %d, seed %d: the verdict is that it %s, want that it %s", name, r.Unit, seed, r.Verdict, want)
				}
			}
		}
	}
	pictures := must(featvis.Render{Steps: 48}.Final(ctx, m, objective.Channel("mixed4a", scenes.LyingUnit))).Images
	plain := must(scenes.Standard())
	own := must(featvis.Render{Steps: 48}.Final(ctx, plain, objective.Channels("mixed4a", scenes.LyingUnit, scenes.ShownUnit))).Images
	excites := func(unit int, x interp.Images) float64 {
		return must(plain.Score(ctx, objective.Channel("mixed4a", unit), x))[0]
	}
	lying := excites(scenes.LyingUnit, pictures) / excites(scenes.LyingUnit, own.Slice(0, 1))
	shown := excites(scenes.ShownUnit, pictures) / excites(scenes.ShownUnit, own.Slice(1, 2))
	if t.Logf("the lie excites the unit itself %.2f as much as its honest picture, and the unit shown %.2f", lying, shown); !(lying < .3 && shown > .75) {
		t.Error("the picture is not that of the unit shown")
	}
	if honest != 20 {
		t.Errorf("%d honest units were judged, want 20", honest)
	}
}

// wide is a network of 24 units in its second layer, of which unit 3 is off for every image, and of which the layer "aside" is no part.
func wide() *interp.Model {
	m := interptest.Model("wide", func(s *model.Scope, x *Node) *Node {
		x = layer.At("conv1", layer.ReLU(layer.Conv(s.At("conv1"), AddScalar(x, -.5), 9, layer.Square(3, 1, 1))))
		layer.At("aside", layer.ReLU(layer.Conv(s.At("aside"), x, 5, layer.Square(1, 1, 0))))
		x = layer.At("conv2", layer.ReLU(layer.Conv(s.At("conv2"), x, 24, layer.Square(3, 2, 1))))
		return layer.At("logits", layer.Dense(s.At("logits"), layer.GlobalMean(x), interptest.Classes))
	}, [3]int{interptest.Size, interptest.Size, 3}, interptest.Classes, 5)
	bias := m.Weights()["/conv2/biases"].Values()
	bias[3] = -1e6
	return must(m.With(interp.Weights{"/conv2/biases": must(interp.NewWeight(bias, len(bias)))}))
}

// What is reported is what the definition says, step by step in float64 and image by image.
func TestPathsSlowly(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := wide().Float64().On(e.Backend)
		natural, pictures := interptest.Images(m, 40, 1), interptest.Images(m, 3, 2)
		units := []int{7, 20, 7}
		p := sanity.Paths{Best: 4, Others: 19, Seed: 3}
		report := must(p.Check(ctx, m, "conv2", units, pictures, natural))
		if len(report) != 2 || report[0].Unit != 7 || report[1].Unit != 20 || !slices.Equal(report[0].Layers, []string{"conv1", "aside"}) {
			t.Fatalf("reports are of %v", report)
		}
		path := func(x interp.Images, unit int) []float64 {
			a, g, _, err := m.GradientAt(ctx, objective.Channel("conv2", unit), nil, x, "conv1")
			if err != nil {
				t.Fatal(err)
			}
			sum := make([]float64, 9)
			for k, v := range a.Data {
				sum[k%9] += v * g.Data[k]
			}
			return sum
		}
		scores := must(m.Score(ctx, objective.Channel("conv2", 7), natural))
		order := make([]int, natural.N)
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
		r := report[0]
		if !slices.Equal(r.Best, order[:4]) {
			t.Errorf("the best images are %v, want %v", r.Best, order[:4])
		}
		var pictured, among float64
		for i, b := range r.Best {
			best := path(natural.Slice(b, b+1), 7)
			for _, k := range []int{0, 2} {
				pictured += must(measure.Spearman(path(pictures.Slice(k, k+1), 7), best)) / 8
			}
			for _, c := range r.Best[:i] {
				among += must(measure.Spearman(path(natural.Slice(c, c+1), 7), best)) / 6
			}
		}
		if math.Abs(r.Pictures[0]-pictured) > 1e-9 || math.Abs(r.Natural[0]-among) > 1e-9 {
			t.Errorf("the pictures have %.9f and the best images %.9f, want %.9f and %.9f", r.Pictures[0], r.Natural[0], pictured, among)
		}
		if !math.IsNaN(r.Pictures[1]) || !math.IsNaN(r.Level[1]) {
			t.Errorf("at a layer that the unit does not depend on the pictures have %g, level %g, want NaN", r.Pictures[1], r.Level[1])
		}
	})
}

// Images themselves take the path of images, images that excite another unit of it most do not, and of a unit that is always off
// nothing is said.
func TestLawPaths(t *testing.T) {
	m := must(scenes.Standard())
	natural := scenes.Task{}.Images(20002, 96, 64)
	p := sanity.Paths{Others: 19, Layers: []string{"mixed3a"}}
	first := must(p.Check(ctx, m, "mixed3b", []int{5}, natural.Slice(0, 1), natural))[0]
	again := must(p.Check(ctx, m, "mixed3b", slices.Repeat([]int{5}, len(first.Best)), natural.Pick(first.Best...), natural))[0]
	if again.Verdict != sanity.PathShared || !(again.Pictures[0] > again.Natural[0]) { // each is among those it is compared with, or nearly
		t.Errorf("the best images as pictures: %s, %.2f, and among themselves %.2f", again.Verdict, again.Pictures[0], again.Natural[0])
	}
	off := wide()
	r := must(sanity.Paths{Others: 19}.Check(ctx, off, "conv2", []int{3}, interptest.Images(off, 1, 1), interptest.Images(off, 20, 2)))[0]
	if r.Verdict != sanity.PathUnknown || !math.IsNaN(r.Pictures[0]) {
		t.Errorf("a unit that is off %s, correlation %g", r.Verdict, r.Pictures[0])
	}
}

func TestPathsErrors(t *testing.T) {
	m := wide()
	x, y := interptest.Images(m, 2, 1), interptest.Images(m, 20, 2)
	for want, call := range map[string]func() ([]sanity.Path, error){
		"Best is 1": func() ([]sanity.Path, error) {
			return sanity.Paths{Best: 1}.Check(ctx, m, "conv2", []int{1, 2}, x, y)
		},
		"Others is 18": func() ([]sanity.Path, error) {
			return sanity.Paths{Others: 18}.Check(ctx, m, "conv2", []int{1, 2}, x, y)
		},
		"1 units and 2 pictures": func() ([]sanity.Path, error) { return sanity.Paths{}.Check(ctx, m, "conv2", []int{1}, x, y) },
		"2 natural images":       func() ([]sanity.Path, error) { return sanity.Paths{}.Check(ctx, m, "conv2", []int{1, 2}, x, x) },
		"of one size": func() ([]sanity.Path, error) {
			return sanity.Paths{}.Check(ctx, m, "conv2", []int{1, 2}, x, interptest.ImagesOf(20, 8, 8, 3, 1))
		},
		"channels 0 to 23": func() ([]sanity.Path, error) { return sanity.Paths{}.Check(ctx, m, "conv2", []int{1, 24}, x, y) },
		"is the first":     func() ([]sanity.Path, error) { return sanity.Paths{}.Check(ctx, m, "conv1", []int{1, 2}, x, y) },
		"has 5 units":      func() ([]sanity.Path, error) { return sanity.Paths{}.Check(ctx, m, "aside", []int{1, 2}, x, y) },
		`Layers has "conv2"`: func() ([]sanity.Path, error) {
			return sanity.Paths{Layers: []string{"conv2"}}.Check(ctx, m, "conv2", []int{1, 2}, x, y)
		},
		"Layers is empty": func() ([]sanity.Path, error) {
			return sanity.Paths{Layers: []string{}}.Check(ctx, m, "conv2", []int{1, 2}, x, y)
		},
	} {
		if _, err := call(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := (sanity.Paths{}).Check(ended, m, "conv2", []int{1, 2}, x, y); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended the error is %v", err)
	}
}
