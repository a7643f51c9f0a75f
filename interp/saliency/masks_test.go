package saliency_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/objective"
	"lucigo/interp/random"
	"lucigo/interp/saliency"
)

// score is the score of one image.
func score(t *testing.T, m *interp.Model, o interp.Objective, x interp.Images, pix []float64) float64 {
	t.Helper()
	x.Pix = pix
	s, err := m.Score(ctx, o, x)
	if err != nil {
		t.Fatal(err)
	}
	return s[0]
}

// Every square covered one by one, and the mean of the drops looked up pixel by pixel. The last square ends with the image.
func TestLawOcclusionBySlowDefinition(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Branchy().On(e.Backend).Float64()
		x := interptest.Images(m, 2, 6).Asked(0, 3)
		base := []float64{.1, .2, .3}
		method := saliency.Occlusion{Patch: 5, Stride: 4, Baseline: base}
		starts := []int{0, 4, 7}
		drops, err := method.Coarse(ctx, m, objective.LogProb, x)
		if err != nil {
			t.Fatal(err)
		}
		got := maps(t, method, m, objective.LogProb, x)
		for i := range x.N {
			one := x.Slice(i, i+1)
			var want []float64
			clean := score(t, m, objective.LogProb, one, one.Pix)
			sum, count := make([]float64, 144), make([]float64, 144)
			for _, top := range starts {
				for _, left := range starts {
					pix := slices.Clone(one.Pix)
					for p := range 144 {
						if y, z := p/12-top, p%12-left; y >= 0 && y < 5 && z >= 0 && z < 5 {
							copy(pix[p*3:], base)
							count[p]++
						}
					}
					drop := clean - score(t, m, objective.LogProb, one, pix)
					want = append(want, drop)
					for p := range 144 {
						if y, z := p/12-top, p%12-left; y >= 0 && y < 5 && z >= 0 && z < 5 {
							sum[p] += drop
						}
					}
				}
			}
			if d := interptest.Distance(drops.Of(i), want); !(d <= 1e-10) {
				t.Errorf("the drops of image %d are %g from those one by one", i, d)
			}
			for p := range sum {
				sum[p] /= count[p]
			}
			if d := interptest.Distance(got.Of(i), sum); !(d <= 1e-10) || got.Score[i] != drops.Score[i] {
				t.Errorf("the map of image %d is %g from the mean of the drops", i, d)
			}
		}
	})
}

// Of a linear network, covering a pixel costs its weight times its distance from what covers it.
func TestLawOcclusionLinear(t *testing.T) {
	m := interptest.Linear().Float64()
	x := interptest.Images(m, 3, 1).Asked(0, 1, 2)
	w := slices.Concat(interptest.Rows(m)...)
	for i, v := range maps(t, saliency.Occlusion{Patch: 1}, m, objective.Logit, x).Pix {
		if want := w[i] * (x.Pix[i] - .5); !(math.Abs(v-want) <= 1e-14) {
			t.Errorf("pixel %d: %g, want %g", i, v, want)
		}
	}
}

// Masks made one by one, by interpolating between cells at every pixel.
func TestLawRISEBySlowDefinition(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Branchy().On(e.Backend).Float64()
		x := interptest.Images(m, 2, 6).Keyed().Asked(0, 3)
		const masks, cells, keep, seed = 20, 5, .4, 9
		base := []float64{.3, .2, .1}
		got := maps(t, saliency.RISE{Masks: masks, Cells: cells, Keep: keep, Seed: seed, Baseline: base}, m, objective.Prob, x)
		for i := range x.N {
			one, want := x.Slice(i, i+1), make([]float64, 144)
			for k := range masks {
				s := random.New(seed, x.Key[i], uint64(k))
				cell := func(row, column int) float64 {
					row, column = min(max(row, 0), cells-1), min(max(column, 0), cells-1)
					if s.Uniform(row*cells+column) < keep {
						return 1
					}
					return 0
				}
				const side = 3 // 12 / 5, rounded up
				top, left := s.Intn(cells*cells, side), s.Intn(cells*cells+1, side)
				mask, pix := make([]float64, 144), slices.Clone(one.Pix)
				for p := range mask {
					y := (float64(p/12+top)+.5)*cells/((cells+1)*side) - .5
					z := (float64(p%12+left)+.5)*cells/((cells+1)*side) - .5
					row, column := math.Floor(y), math.Floor(z)
					for _, a := range []int{0, 1} {
						for _, b := range []int{0, 1} {
							share := math.Abs(float64(1-a)-(y-row)) * math.Abs(float64(1-b)-(z-column))
							mask[p] += share * cell(int(row)+a, int(column)+b)
						}
					}
					for c := range 3 {
						pix[p*3+c] = base[c] + mask[p]*(pix[p*3+c]-base[c])
					}
				}
				prob := score(t, m, objective.Prob, one, pix)
				for p, v := range mask {
					want[p] += prob * v / (masks * keep)
				}
			}
			if d := interptest.Distance(got.Of(i), want); !(d <= 1e-12) {
				t.Errorf("the map of image %d is %g from its definition", i, d)
			}
		}
	})
}

// A score that is 1 whatever is seen has a map that is 1: what masks keep is divided out.
func TestLawRISEOfAConstant(t *testing.T) {
	m := interptest.Linear().Float64()
	one := interp.Objective{Name: "1", Form: interp.FormOf(one)}
	x := interptest.ImagesOf(1, 2, 3, 1, 1)
	out := maps(t, saliency.RISE{Cells: 2, Masks: 6000, Keep: .3}, m, one, x)
	for p, v := range out.Pix {
		if !(math.Abs(v-1) <= .1) { // five standard deviations of the mean of 6000
			t.Errorf("pixel %d is %g, want 1", p, v)
		}
	}
	if out.Class != nil {
		t.Errorf("no class was asked about, and the map is of %v", out.Class)
	}
}

// The image seen through each channel, one by one.
func TestLawScoreCAMBySlowDefinition(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := must(interptest.Branchy().On(e.Backend).Float64().With(interp.Weights{ // three channels are the same everywhere
			"/a/weights": must(interp.NewWeight(make([]float64, 18), 1, 1, 6, 3)), "/a/biases": must(interp.NewWeight([]float64{1, .5, 0}, 3))}))
		x := interptest.Images(m, 2, 6).Asked(0, 3)
		base := []float64{.3, .2, .1}
		for _, name := range []string{"mixed", "conv1"} {
			all, err := m.Activations(ctx, x, name)
			if err != nil {
				t.Fatal(err)
			}
			a := all[0]
			h, w, channels := a.Shape[0], a.Shape[1], a.Shape[2]
			method := saliency.ScoreCAM{Layer: name, Baseline: base}
			got, err := method.Coarse(ctx, m, objective.Logit, x)
			if err != nil {
				t.Fatal(err)
			}
			for i := range x.N {
				one, want, total := x.Slice(i, i+1), make([]float64, h*w), 0.
				for k := range channels {
					value := func(row, column int) float64 { return a.Of(i)[(min(row, h-1)*w+min(column, w-1))*channels+k] }
					mask, pix := make([]float64, 144), slices.Clone(one.Pix)
					for p := range mask {
						y := min(max((float64(p/12)+.5)*float64(h)/12-.5, 0), float64(h-1))
						z := min(max((float64(p%12)+.5)*float64(w)/12-.5, 0), float64(w-1))
						row, column := int(y), int(z)
						y, z = y-float64(row), z-float64(column)
						mask[p] = (1-y)*(1-z)*value(row, column) + (1-y)*z*value(row, column+1) +
							y*(1-z)*value(row+1, column) + y*z*value(row+1, column+1)
					}
					low, high := slices.Min(mask), slices.Max(mask)
					if low == high {
						continue
					}
					for p, v := range mask {
						for c := range 3 {
							pix[p*3+c] = base[c] + (v-low)/(high-low)*(pix[p*3+c]-base[c])
						}
					}
					weight := math.Exp(score(t, m, objective.Logit, one, pix))
					total += weight
					for p := range want {
						want[p] += weight * value(p/w, p%w)
					}
				}
				for p := range want {
					want[p] = max(want[p]/total, 0)
				}
				if d := interptest.Distance(got.Of(i), want); !(d <= 1e-12) {
					t.Errorf("%s of image %d is %g from its definition", method, i, d)
				}
			}
		}
	})
}

// A layer whose channels are the same everywhere shows nothing: its map is 0, and no number is made of 0/0.
func TestScoreCAMOfNothing(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 1, 6).Asked(1)
	zeros := interp.Weights{}
	for path, v := range m.Weights() {
		if strings.HasPrefix(path, "/shared/") {
			zeros[path] = must(interp.NewWeight(make([]float64, len(v.Values())), v.Dims()...))
		}
	}
	dead := must(m.With(zeros))
	for _, method := range []saliency.Method{saliency.ScoreCAM{}, saliency.GradCAM{}, saliency.GradCAMPlusPlus{}, saliency.LayerCAM{}} {
		if out := maps(t, method, dead, objective.Logit, x); slices.Max(out.Pix) != 0 || slices.Min(out.Pix) != 0 {
			t.Errorf("%s of a layer of zeros is %g to %g", method, slices.Min(out.Pix), slices.Max(out.Pix))
		}
	}
}

func TestMaskErrors(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 1, 1).Asked(1)
	for _, c := range []struct {
		bad  saliency.Method
		want string
	}{
		{saliency.Occlusion{Patch: 13}, "saliency: Patch is 13, must be 1 to 12"},
		{saliency.Occlusion{Patch: -1}, "Patch is -1, must"},
		{saliency.Occlusion{Patch: 3, Stride: 4}, "Stride is 4, must be at most 3"},
		{saliency.Occlusion{Stride: -2}, "Stride is -2, must"},
		{saliency.Occlusion{Baseline: []float64{1, 2}}, "Baseline has 2 numbers"},
		{saliency.RISE{Masks: -1}, "Masks is -1, must"},
		{saliency.RISE{Cells: 13}, "Cells is 13, must be 1 to 12"},
		{saliency.RISE{Keep: 1}, "Keep is 1, must be above 0 and below 1"},
		{saliency.RISE{Keep: math.NaN()}, "Keep is NaN, must"},
		{saliency.RISE{Baseline: []float64{128, 128, 128}}, "Baseline: image 0 is 128"},
		{saliency.ScoreCAM{Layer: "head"}, `Layer is "head", must have positions`},
		{saliency.ScoreCAM{Baseline: []float64{math.NaN()}}, "Baseline has 1 numbers"},
	} {
		if _, err := c.bad.Maps(ctx, m, objective.Logit, x); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", c.bad, err, c.want)
		}
	}
}
