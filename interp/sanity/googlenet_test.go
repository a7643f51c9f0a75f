package sanity_test

import (
	"flag"
	"slices"
	"testing"
	"time"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/interptest/shared"
	"lucigo/interp/saliency"
	"lucigo/interp/sanity"
	"lucigo/models/dataset"
	"lucigo/models/googlenet"
)

var (
	photos = flag.Int("photographs", 0, "how many `photographs` TestGoogLeNet checks; 0 skips it")
	copies = flag.Int("copies", 50, "SmoothGrad's copies and the steps of integrated gradients in TestGoogLeNet")
	keep   = flag.String("keep", "", "a `file` that keeps what TestGoogLeNet has done, so that it can go on")
)

// TestGoogLeNet runs a whole check of GoogLeNet on photographs: eight methods and an edge detector, block by block. It takes many minutes.
func TestGoogLeNet(t *testing.T) {
	if *photos == 0 {
		t.Skip("skipped: -photographs is 0")
	}
	interptest.Unchecked()
	m, x := photographs(t, *photos)
	methods := sanity.Methods()
	for k, method := range methods {
		switch method.(type) {
		case saliency.SmoothGrad:
			methods[k] = saliency.SmoothGrad{N: *copies}
		case saliency.IntegratedGradients:
			methods[k] = saliency.IntegratedGradients{Steps: *copies}
		}
	}
	methods = append(methods, saliency.Edge{})
	variants := must(sanity.Cascade(m, 1))
	took := make([]time.Duration, len(methods))
	last, begin := -1, time.Now()
	lap := func(done int) {
		if last >= 0 {
			took[last%len(methods)] += time.Since(begin)
		}
		last, begin = done, time.Now()
	}
	start := begin
	r := must(sanity.Check{Methods: methods, Path: *keep, Progress: func(what string, done, of int) { lap(done) }}.Run(ctx, m, variants, x))
	lap(-1)
	t.Logf("%d photographs, %d variants, %d methods: %.1f minutes", x.N, len(variants), len(methods), time.Since(start).Minutes())
	for k, name := range r.Methods {
		t.Logf("%6.1f s  %s", took[k].Seconds(), name)
		for _, s := range sanity.Similarities() {
			var means []float64
			for _, e := range r.Curve(s, k) {
				means = append(means, float64(int(1000*e.Mean))/1000)
			}
			t.Logf("    %s: %v", s, means)
		}
	}
	half := r.Half()
	at := func(method saliency.Method) int { return slices.Index(r.Methods, method.String()) }
	if v := r.Curve(sanity.AbsRank, at(saliency.Guided))[half].Mean; !(v >= .6) {
		t.Errorf("guided backprop has %.2f when the upper half is random, want at least .6", v)
	}
	for v, e := range r.Curve(sanity.AbsRank, at(saliency.Edge{})) {
		if !(e.Mean > 1-1e-12) {
			t.Errorf("the edges have %g in variant %d", e.Mean, v)
		}
	}
}

// photographs returns GoogLeNet and n photographs.
func photographs(t *testing.T, n int) (*interp.Model, interp.Images) {
	t.Helper()
	m := must(googlenet.Open(shared.Path(t, "models", "googlenet_bvlc", "bvlc_googlenet.safetensors")))
	in := dataset.Input{Height: googlenet.Size, Width: googlenet.Size, Short: googlenet.Short}
	folder := must(in.Folder(shared.Path(t, "images", "imagenet_samples_dev")))
	x := must(interp.Read(ctx, folder, 0, n))
	x.Class = nil
	return m, x
}
