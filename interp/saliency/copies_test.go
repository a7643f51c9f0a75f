package saliency_test

import (
	"fmt"
	"testing"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/objective"
	"lucigo/interp/saliency"
	"lucigo/interp/superpixel"
)

// A method that has a baseline for each image has that image's for each of its copies, whatever is between, and however the copies
// are cut: two at a time are as many as there are baselines.
func TestLawCopiesKeepTheirBaselines(t *testing.T) {
	m := interptest.Branchy().Float64()
	x, base := interptest.Images(m, 2, 1).Keyed().Asked(1, 2), interptest.Images(m, 2, 5)
	small := saliency.Superpixels{SLIC: superpixel.SLIC{Count: 4}}
	for _, with := range []func(b []float64) saliency.Method{
		func(b []float64) saliency.Method { return saliency.IntegratedGradients{Steps: 3, Baseline: b} },
		func(b []float64) saliency.Method { return saliency.GuidedIG{Steps: 2, Baseline: b} },
		func(b []float64) saliency.Method { return saliency.DeepLIFT{Baseline: b} },
		func(b []float64) saliency.Method { return saliency.Occlusion{Patch: 6, Baseline: b} },
		func(b []float64) saliency.Method { return saliency.RISE{Masks: 2, Baseline: b} },
		func(b []float64) saliency.Method { return saliency.ScoreCAM{Layer: "mixed", Baseline: b} },
		func(b []float64) saliency.Method {
			small.Baseline = b
			return saliency.LIME{Samples: 8, Superpixels: small}
		},
		func(b []float64) saliency.Method {
			small.Baseline = b
			return saliency.KernelSHAP{Superpixels: small}
		},
		func(b []float64) saliency.Method {
			return saliency.TimesInput{Of: saliency.XRAI{Labels: [][]int{eight()}, Of: saliency.DeepLIFT{Baseline: b}}}
		},
		func(b []float64) saliency.Method {
			return saliency.SquareGrad{N: 2, Of: saliency.Blurred{Of: saliency.DeepLIFT{Baseline: b}}}
		},
		func(b []float64) saliency.Method {
			return saliency.VarGrad{N: 2, Of: saliency.SmoothGrad{N: 2, Of: saliency.DeepLIFT{Baseline: b}}}
		},
		func(b []float64) saliency.Method {
			return saliency.IntegratedGradients{Steps: 2, Of: saliency.DeepLIFT{Baseline: b}}
		},
	} {
		of := func(b []float64, m *interp.Model, x interp.Images) []float64 {
			return maps(t, saliency.SmoothGrad{N: 2, Sigma: .05, Of: with(b)}, m, objective.Logit, x).Pix
		}
		var want []float64
		for i := range x.N {
			want = append(want, of(base.Of(i), m, x.Slice(i, i+1))...)
		}
		near(t, fmt.Sprint(with(base.Pix)), of(base.Pix, m, x), want, 1e-9)
		near(t, fmt.Sprint(with(base.Pix), ", cut"), of(base.Pix, m.Budget(2*128*8*int64(x.Size())), x), want, 1e-9)
	}
}
