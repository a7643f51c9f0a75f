package saliency_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/interptest/shared"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
	"lucigo/interp/saliency"
	"lucigo/models/dataset"
	"lucigo/models/googlenet"
)

// photographs returns GoogLeNet and n photographs.
func photographs(t testing.TB, n int) (*interp.Model, interp.Images) {
	t.Helper()
	m, err := googlenet.Open(shared.Path(t, "models", "googlenet_bvlc", "bvlc_googlenet.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	in := dataset.Input{Height: googlenet.Size, Width: googlenet.Size, Short: googlenet.Short}
	folder, err := in.Folder(shared.Path(t, "images", "imagenet_samples_dev"))
	if err != nil {
		t.Fatal(err)
	}
	x, err := interp.Read(ctx, folder, 20, 20+n)
	if err != nil {
		t.Fatal(err)
	}
	x.Class = nil
	return m, x
}

// What maps of GoogLeNet sum up to, in float32: integrated gradients of 64 steps within 1 % of the rise in the mean of photographs (.8 %;
// even points miss 3.3 %), DeepLIFT within 1e-4 of it, and relevance, in the network without its biases, within 1e-3 of the logit.
func TestSumsOnGoogLeNet(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: minutes")
	}
	m, x := photographs(t, 6)
	mean := []float64{123. / 255, 117. / 255, 104. / 255} // zero, to the network
	g := saliency.IntegratedGradients{Steps: 64, Baseline: mean}
	gaps, err := g.Gap(ctx, m, objective.Logit, x, maps(t, g, m, objective.Logit, x))
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.
	for _, gap := range gaps {
		sum += gap
	}
	t.Logf("%s: off by %.4f of the rise, the mean of %.4f", g, sum/float64(len(gaps)), gaps)
	if !(sum/float64(len(gaps)) <= .01) {
		t.Errorf("%s: the sums miss %.4f of the rise, want at most .01 in the mean", g, gaps)
	}
	x = x.Slice(0, 2)
	lift := saliency.DeepLIFT{Baseline: mean}
	out := maps(t, lift, m, objective.Logit, x)
	off := missed(out, rises(t, m, objective.Logit, x, out.Class, slices.Repeat(mean, len(x.Pix)/3)))
	t.Logf("%s: off by %.1e of the rise", lift, off)
	if !(off <= 1e-4) {
		t.Errorf("%s: the sum misses %g of the rise, want at most 1e-4", lift, off)
	}
	conserves(t, m, x, layer.LRP{}, layer.EpsilonPlus, layer.EpsilonGammaBox)
}

// TestPeersRelevanceSpeed: LRP on GoogLeNet is at least 1.2 times as fast as the faster of captum and zennit. Each side waits while
// the other works, and the fastest of its runs counts.
func TestPeersRelevanceSpeed(t *testing.T) {
	needPython(t)
	interptest.Unchecked()
	m, _ := photographs(t, 1)
	theirs := timer(t, "attribution.py")
	for _, n := range []int{1, 8} {
		x := interptest.Images(m, n, 1).Asked(340)
		for _, row := range []struct {
			rule  layer.LRP
			peers []string
		}{
			{layer.LRP{}, []string{"captum epsilon", "zennit epsilon"}},
			{layer.EpsilonPlus, []string{"zennit EpsilonPlus"}},
		} {
			fastest, names := make([]float64, 1+len(row.peers)), append([]string{row.rule.String()}, row.peers...)
			for round := range 4 { // the first compiles
				for i, name := range names {
					begin := time.Now()
					ms := 0.
					if i == 0 {
						maps(t, saliency.LRP{Rule: row.rule}, m, objective.Logit, x)
						ms = 1e3 * time.Since(begin).Seconds()
					} else {
						ms = theirs(t, fmt.Sprintf("%s %d", name, n))
					}
					if round == 1 || round > 1 && ms < fastest[i] {
						fastest[i] = ms
					}
				}
			}
			for i, name := range names {
				t.Logf("%d images, %s: %.0f ms, %.2f times as long", n, name, fastest[i], fastest[i]/fastest[0])
				if i > 0 && !(fastest[i] >= 1.2*fastest[0]) {
					t.Errorf("%d images: %s takes %.0f ms, and %s %.0f ms", n, names[0], fastest[0], name, fastest[i])
				}
			}
		}
	}
}
