package saliency_test

import (
	"math"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/objective"
	"lucigo/interp/random"
	"lucigo/interp/saliency"
	"lucigo/interp/superpixel"
)

// eight cuts 12×12 pixels into 8 pieces of 3×6.
func eight() []int {
	labels := make([]int, 144)
	for p := range labels {
		labels[p] = p/12/6*4 + p%12/3
	}
	return labels
}

// ofPieces returns a map's number of each piece, and fails the test where a piece has several.
func ofPieces(t *testing.T, out []float64, labels []int) []float64 {
	t.Helper()
	values := make([]float64, slices.Max(labels)+1)
	for p, k := range labels {
		values[k] = out[p]
	}
	for p, k := range labels {
		if out[p] != values[k] {
			t.Fatalf("piece %d has the numbers %g and %g", k, out[p], values[k])
		}
	}
	return values
}

// seen returns the score of an image of which the set's pieces are shown.
func seen(t *testing.T, m *interp.Model, x interp.Images, base []float64, labels []int, set func(k int) bool) float64 {
	t.Helper()
	pix := slices.Clone(x.Pix)
	for p, k := range labels {
		if !set(k) {
			copy(pix[p*x.C:(p+1)*x.C], base)
		}
	}
	return score(t, m, objective.Logit, x, pix)
}

// Shapley values by their definition: a piece's share in the score, over all sets of the others, each as often as orders
// begin with it. Of 8 pieces all coalitions are asked about, and the values are exact.
func TestLawShapley(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		labels, base := eight(), []float64{.2, .5, .9}
		for name, m := range map[string]*interp.Model{"float32": interptest.Branchy(), "float64": interptest.Branchy().Float64()} {
			m = m.On(e.Backend)
			rounding := map[string]float64{"float32": 1e-5, "float64": 1e-12}[name]
			x := interptest.Images(m, 1, 6).Asked(2)
			all := make([]float64, 256)
			for set := range all {
				all[set] = seen(t, m, x, base, labels, func(k int) bool { return set>>k&1 == 1 })
			}
			want := make([]float64, 8)
			for k := range want {
				for set, v := range all {
					if set>>k&1 == 1 {
						continue
					}
					n, orders := bits.OnesCount(uint(set)), 1.
					for i := 1; i <= n; i++ {
						orders *= float64(i) / float64(8-i)
					}
					want[k] += orders / 8 * (all[set|1<<k] - v)
				}
			}
			method := saliency.KernelSHAP{Samples: 254, Superpixels: saliency.Superpixels{Labels: labels, Baseline: base}}
			got := ofPieces(t, maps(t, method, m, objective.Logit, x).Pix, labels)
			near(t, "KernelSHAP of 8 superpixels, "+name, got, want, rounding)

			sum, rise := 0., all[255]-all[0]
			method.Samples, method.Seed = 60, 1 // drawn
			drawn := ofPieces(t, maps(t, method, m, objective.Logit, x).Pix, labels)
			for _, v := range drawn {
				sum += v
			}
			if !(math.Abs(sum-rise) <= rounding*math.Abs(rise)) {
				t.Errorf("values from 60 coalitions sum up to %g, and the score rises by %g", sum, rise)
			}
			if d := interptest.Distance(drawn, want); d == 0 || d > .5 {
				t.Errorf("values from 60 coalitions are %g from the exact ones", d)
			}
		}
	})
}

// With more coalitions drawn the values come nearer to the exact ones, as 1/√Samples.
func TestLawShapleyConverges(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 1, 6).Keyed().Asked(2)
	pieces := saliency.Superpixels{Labels: make([]int, 144), Baseline: []float64{0, 0, 0}}
	for p := range pieces.Labels {
		pieces.Labels[p] = p / 12
	}
	exact := maps(t, saliency.KernelSHAP{Samples: 1<<12 - 2, Superpixels: pieces}, m, objective.Logit, x)
	d := func(n int) (mean float64) {
		for seed := range 4 {
			mean += interptest.Distance(maps(t, saliency.KernelSHAP{Samples: n, Seed: uint64(seed), Superpixels: pieces}, m, objective.Logit, x).Pix, exact.Pix) / 4
		}
		return mean
	}
	if few, many := d(100), d(1600); many > few/2.5 || few > .5 {
		t.Errorf("100 coalitions err by %g, 1600 by %g", few, many)
	}
}

// Of a linear network each piece has the sum of its weights times what showing it changes, exactly, be it a pixel or all.
func TestLawPiecesOfALinearNetwork(t *testing.T) {
	m := interptest.Linear().Float64()
	x := interptest.Images(m, 3, 1).Asked(0, 1, 2)
	w := slices.Concat(interptest.Rows(m)...)
	for _, labels := range [][]int{{0, 1, 2, 3, 4, 5}, {0, 0, 0, 0, 0, 0}, {1, 0, 1, 0, 2, 2}} {
		pieces := saliency.Superpixels{Labels: labels, Baseline: []float64{.3}}
		for _, method := range []saliency.Method{saliency.KernelSHAP{Superpixels: pieces}, saliency.KernelSHAP{Superpixels: pieces, Samples: 20},
			saliency.LIME{Superpixels: pieces, Ridge: 1e-9, Width: 5}} {
			out := maps(t, method, m, objective.Logit, x)
			for i := range x.N {
				want := make([]float64, slices.Max(labels)+1)
				for p, k := range labels {
					want[k] += w[i*6+p] * (x.Pix[i*6+p] - .3)
				}
				if d := interptest.Distance(ofPieces(t, out.Of(i), labels), want); !(d <= 1e-7) {
					t.Errorf("%s, pieces %v: %g from the weights", method, labels, d)
				}
			}
		}
	}
	one := maps(t, saliency.KernelSHAP{Superpixels: saliency.Superpixels{SLIC: superpixel.SLIC{Count: 6}, Baseline: []float64{.3}}}, m, objective.Logit, x)
	each := maps(t, saliency.KernelSHAP{Superpixels: saliency.Superpixels{Labels: []int{0, 1, 2, 3, 4, 5}, Baseline: []float64{.3}}}, m, objective.Logit, x)
	if !slices.Equal(one.Pix, each.Pix) {
		t.Error("superpixels of one pixel are not the pixels")
	}
}

// Samples drawn one by one, and the least squares with their intercept solved by elimination.
func TestLawLIMEBySlowDefinition(t *testing.T) {
	m := interptest.Branchy().Float64()
	x, labels, base := interptest.Images(m, 1, 6).Keyed().Asked(2), eight(), []float64{.2, .5, .9}
	const samples, width, ridge, seed = 40, .3, .7, 5
	method := saliency.LIME{Superpixels: saliency.Superpixels{Labels: labels, Baseline: base}, Samples: samples, Width: width, Ridge: ridge, Seed: seed}
	var a [9][10]float64 // eight weights and the intercept, and the right side
	for k := range samples {
		s := random.New(seed, x.Key[0], uint64(k))
		show := func(j int) bool { return k == 0 || s.Bits(j)>>63 == 0 }
		row, count := [10]float64{8: 1}, 0.
		for j := range 8 {
			if show(j) {
				row[j] = 1
				count++
			}
		}
		row[9] = seen(t, m, x, base, labels, show)
		d := 1 - math.Sqrt(count/8)
		weight := math.Sqrt(math.Exp(-d * d / (width * width)))
		for i := range 9 {
			for j := range row {
				a[i][j] += weight * row[i] * row[j]
			}
		}
	}
	for j := range 8 {
		a[j][j] += ridge
	}
	for i := range a { // Gauss and Jordan
		for r := range a {
			if f := a[r][i] / a[i][i]; r != i {
				for j := range a[r] {
					a[r][j] -= f * a[i][j]
				}
			}
		}
	}
	want := make([]float64, 8)
	for j := range want {
		want[j] = a[j][9] / a[j][j]
	}
	near(t, "LIME", ofPieces(t, maps(t, method, m, objective.Logit, x).Pix, labels), want, 1e-10)
}

// Without a baseline a piece is hidden by its mean colour: of a picture whose pieces are of one colour nothing is hidden.
func TestLawMeanColour(t *testing.T) {
	m := interptest.Branchy().Float64()
	x, labels := interptest.Images(m, 1, 6).Asked(2), eight()
	for p, k := range labels {
		copy(x.Pix[p*3:], []float64{float64(k) / 8, .5, 1 - float64(k)/8})
	}
	pieces := saliency.Superpixels{Labels: labels}
	for _, method := range []saliency.Method{saliency.KernelSHAP{Superpixels: pieces}, saliency.LIME{Superpixels: pieces}} {
		for _, v := range maps(t, method, m, objective.Logit, x).Pix {
			if !(math.Abs(v) <= 1e-12) {
				t.Fatalf("%s: %g, though nothing is hidden", method, v)
			}
		}
	}
}

func TestSegmentErrors(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 1, 1).Asked(1)
	labels := func(change func(l []int)) saliency.Superpixels {
		l := eight()
		change(l)
		return saliency.Superpixels{Labels: l}
	}
	for _, c := range []struct {
		bad  saliency.Method
		want string
	}{
		{saliency.LIME{Samples: 1}, "Samples is 1, must be at least 2"},
		{saliency.LIME{Width: -1}, "Width is -1, must"},
		{saliency.LIME{Ridge: math.NaN()}, "Ridge is NaN, must"},
		{saliency.LIME{Superpixels: saliency.Superpixels{Labels: make([]int, 9)}}, "Labels has 9 numbers, must have one for each of 12×12 pixels"},
		{saliency.LIME{Superpixels: labels(func(l []int) { l[7] = -1 })}, "Labels has -1, must be at least 0"},
		{saliency.LIME{Superpixels: labels(func(l []int) { l[7] = 9 })}, "Labels never has 8, must have all of 0 to 9"},
		{saliency.LIME{Superpixels: labels(func(l []int) { l[7] = math.MaxInt - 1 })}, "must have at most 1024"},
		{saliency.LIME{Superpixels: saliency.Superpixels{SLIC: superpixel.SLIC{Count: -1}}}, "Count is -1, must"},
		{saliency.KernelSHAP{Superpixels: saliency.Superpixels{Baseline: []float64{1, 2}}}, "Baseline has 2 numbers"},
		{saliency.KernelSHAP{Samples: -1}, "Samples is -1, must"},
		{saliency.KernelSHAP{Samples: 4}, "saliency: image 0: too few Samples, 4, to tell"},
	} {
		if _, err := c.bad.Maps(ctx, m, objective.Logit, x); err == nil || !strings.Contains(err.Error(), c.want) || strings.Count(err.Error(), "saliency: ") != 1 {
			t.Errorf("%s: error %v, want one that says %q", c.bad, err, c.want)
		}
	}
}
