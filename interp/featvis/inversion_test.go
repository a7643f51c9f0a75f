package featvis

import (
	"math"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/measure"
	"lucigo/models/scenes"
)

func TestLawInversion(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Smooth().On(e.Backend).Float64()
		x, y := interptest.Images(m, 3, 6), interptest.Images(m, 3, 7)
		layers, err := m.Layers()
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range layers {
			o, err := Inversion(ctx, m, l.Name, x)
			if err != nil {
				t.Fatal(err)
			}
			a, err := m.Activations(ctx, interp.Images{N: 6, H: x.H, W: x.W, C: x.C, Pix: append(append([]float64{}, x.Pix...), y.Pix...)}, l.Name)
			if err != nil {
				t.Fatal(err)
			}
			var want []float64
			for i := range 3 {
				var apart, length float64
				for k, v := range a[0].Of(i) {
					apart += (a[0].Of(3 + i)[k] - v) * (a[0].Of(3 + i)[k] - v)
					length += v * v
				}
				want = append(want, -apart/length)
			}
			g, err := m.Gradient(ctx, o, nil, y)
			if err != nil {
				t.Fatal(err)
			}
			if d := interptest.Distance(g.Score, want); !(d < 1e-12) {
				t.Errorf("%s: scores %v, want %v", o, g.Score, want)
			}
			interptest.Derivative(t, m, o, y, g, 1e-6)
			if there, err := m.Score(ctx, o.Of(2, 0), x.Pick(2, 0)); err != nil || max(-there[0], -there[1]) > 1e-24 {
				t.Errorf("%s: the images themselves have %v: %v", o, there, err)
			}
			if d := Deviation(g.Score[0]); !(math.Abs(d*d+g.Score[0]) < 1e-12) {
				t.Errorf("%s: a score of %g is an error of %g", o, g.Score[0], d)
			}
		}
	})
}

// The first layer still knows each pixel, and what follows knows fewer and fewer, while the error stays small: it is not that a
// deeper layer were harder to reach. What the network says of the images stays.
func TestInversionForgetsWithDepth(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	interptest.Unchecked()
	m, err := scenes.Standard()
	if err != nil {
		t.Fatal(err)
	}
	x := scenes.Task{}.Images(77, 4, 64)
	says, err := m.Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	last := 1.0
	for _, l := range []string{"conv1", "conv2", "mixed4a", "mixed5a"} {
		o, err := Inversion(ctx, m, l, x)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Render{Views: None, Steps: 192}.Final(ctx, m, o)
		if err != nil {
			t.Fatal(err)
		}
		var worst, agreement float64
		for i := range x.N {
			r, err := measure.Pearson(f.Images.Of(i), x.Of(i))
			if err != nil {
				t.Fatal(err)
			}
			worst, agreement = max(worst, Deviation(f.Score[i])), agreement+r/float64(x.N)
		}
		p, err := m.Predict(ctx, f.Images)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: error %.3f at most, pixels agree by %.3f", l, worst, agreement)
		if !(worst <= .2) || l == "conv1" && !(worst <= .1) {
			t.Errorf("%s: the error is %g", l, worst)
		}
		if !(agreement < last-.1) && l != "conv1" {
			t.Errorf("%s: pixels agree by %g, and %g at the layer before", l, agreement, last)
		}
		for i, c := range says.Top1() {
			if p.Top1()[i] != c {
				t.Errorf("%s: image %d was %s and is %s", l, i, says.Name(i), p.Name(i))
			}
		}
		last = agreement
	}
}

func TestInversionErrors(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.ImagesOf(1, 14, 11, 3, 1)
	if _, err := Inversion(ctx, m, "mixd", x); err == nil || !strings.Contains(err.Error(), "near it: mixed") {
		t.Errorf("a layer that does not exist: %v", err)
	}
	if _, err := Inversion(ctx, m, "mixed", interp.Images{}); err == nil {
		t.Error("no images")
	}
	o, err := Inversion(ctx, m, "mixed", x)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (Render{Views: None, Steps: 1}).Final(ctx, m, o); err == nil || !strings.Contains(err.Error(), "make images of the same size") {
		t.Errorf("an image of another size: %v", err)
	}
	if _, err := (Render{Views: None, Steps: 1, Height: 14, Width: 11, N: 2}).Final(ctx, m, o); err == nil {
		t.Error("two images for one")
	}
	dark := interptest.Model("dark", func(s *model.Scope, x *Node) *Node {
		h := layer.At("h", layer.ReLU(layer.Conv(s.In("h"), MulScalar(x, 0), 2, layer.Square(1, 1, 0))))
		return layer.Dense(s.In("logits"), layer.GlobalMean(h), 2)
	}, [3]int{8, 8, 3}, 2, 1)
	w, err := interp.NewWeight([]float64{-1, -1}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if dark, err = dark.With(interp.Weights{"/h/biases": w}); err != nil {
		t.Fatal(err)
	}
	if _, err := Inversion(ctx, dark, "h", interptest.ImagesOf(1, 8, 8, 3, 1)); err == nil || !strings.Contains(err.Error(), "says nothing of the image") {
		t.Errorf("a layer of zeros: %v", err)
	}
}
