package saliency_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/objective"
	"lucigo/interp/saliency"
)

// What controls draw, where it is known.
func TestControls(t *testing.T) {
	m := interptest.Branchy().Float64()
	const side = interptest.Size
	ramp := interptest.Images(m, 2, 1).Asked(0, 1)
	for p := range ramp.Size() { // of image 0: brightness rises by .05 a column
		ramp.Pix[p] = .05 * float64(p/3%side)
	}
	draw := func(s saliency.Method) interp.Maps { return maps(t, s, m, objective.Logit, ramp) }
	edges := draw(saliency.Edge{})
	if got := edges.Pixel(0, 5, 5)[0]; !(math.Abs(got-.05) <= 1e-12) {
		t.Errorf("a ramp of .05 a pixel has an edge of %g", got)
	}
	if got := edges.Pixel(0, 5, 0)[0]; !(math.Abs(got-.025) <= 1e-12) { // beyond the border it is flat
		t.Errorf("at the border the edge is %g, want .025", got)
	}
	turned := ramp // rows for columns: edges turn with the image
	turned.Pix = make([]float64, len(ramp.Pix))
	for i := range turned.Pix {
		n, p, c := i/ramp.Size(), i/3%(side*side), i%3
		turned.Pix[i] = ramp.Pixel(n, p%side, p/side)[c]
	}
	other := maps(t, saliency.Edge{}, m, objective.Logit, turned)
	for p := range side * side {
		if a, b := edges.Pixel(1, p/side, p%side)[0], other.Pixel(1, p%side, p/side)[0]; !(math.Abs(a-b) <= 1e-12) {
			t.Fatalf("pixel %d has an edge of %g, and of %g in the image with rows for columns", p, a, b)
		}
	}
	centre := draw(saliency.Centre{})
	a, b, corner := centre.Pixel(0, 5, 5)[0], centre.Pixel(0, 6, 6)[0], centre.Pixel(0, 0, 11)[0]
	if a != b || a != slices.Max(centre.Pix) || corner != slices.Min(centre.Pix) || !(corner >= 0 && a <= 1) {
		t.Errorf("the centre has %g and %g, a corner %g", a, b, corner)
	}
	if got := draw(saliency.Input{}); !slices.Equal(got.Pix, ramp.Pix) {
		t.Error("the image is another")
	}
	random := draw(saliency.Random{})
	if slices.Equal(random.Of(0), random.Of(1)) || slices.Equal(random.Pix, draw(saliency.Random{Seed: 1}).Pix) {
		t.Error("two images, or two seeds, have one random map")
	}
	sharp, soft := draw(saliency.Gradient{}), draw(saliency.Blurred{Sigma: 1})
	var sum, blurred float64
	for i, w := range sharp.Magnitude(1) { // the Gaussian about pixel (6, 5), by its definition
		down, across := i/side-6, i%side-5
		if max(down, -down, across, -across) <= 4 {
			sum += math.Exp(-float64(down*down+across*across) / 2)
			blurred += w * math.Exp(-float64(down*down+across*across)/2)
		}
	}
	if got := soft.Pixel(1, 6, 5)[0]; !(math.Abs(got-blurred/sum) <= 1e-12) {
		t.Errorf("blurred %g, want %g", got, blurred/sum)
	}
	if _, err := (saliency.Blurred{Sigma: -1}).Maps(ctx, m, objective.Logit, ramp); err == nil || !strings.Contains(err.Error(), "Sigma is -1") {
		t.Errorf("a σ of −1: error %v", err)
	}
}
