package concept

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/random"
	"lucigo/models/scenes"
)

// shown are random images with random masks of three labels, the last of which no image shows.
type shown struct {
	x     interp.Images
	masks [][][]bool
}

func newShown(m *interp.Model, n int) shown {
	s := shown{x: interptest.Images(m, n, 4)}
	for i := range n {
		r := random.New(9, uint64(i), 0)
		masks := make([][]bool, 3)
		for k := range 2 {
			if r.Uniform(1000+k) < .3 {
				continue
			}
			masks[k] = make([]bool, s.x.H*s.x.W)
			for p := range masks[k] {
				masks[k][p] = r.Uniform(k*500+p) < .4
			}
		}
		s.masks = append(s.masks, masks)
	}
	return s
}

func (s shown) String() string    { return "shown" }
func (s shown) Len() int          { return s.x.N }
func (s shown) Name(i int) string { return fmt.Sprint(i) }
func (s shown) Labels() []string  { return []string{"a", "b", "none"} }
func (s shown) Masks(i int) [][]bool {
	return s.masks[i]
}
func (s shown) Image(ctx context.Context, i int) (interp.Images, error) {
	return s.x.Slice(i, i+1), ctx.Err()
}

// enlarged returns the values of layer mixed, and the same as layer.Resize enlarges them to the images.
func enlarged(t *testing.T, m *interp.Model, x interp.Images) (values interp.Activations, large []float64) {
	t.Helper()
	values = must(m.Activations(ctx, x, "mixed"))[0]
	given := must(m.Tensor(interp.Array(values.Data, append([]int{x.N}, values.Shape...)...)))
	out := must(m.Run(ctx, interp.StepOf(func(_ *interp.Net, a []*graph.Node) []*graph.Node {
		return []*graph.Node{layer.Resize(a[0], x.H, x.W, layer.Bilinear)}
	}), nil, given))
	return values, must(out[0].Numbers())
}

// The intersections and unions by their definition, of maps that layer.Resize enlarges; and they are the same however the images are cut.
func TestLawDissectionBySlowDefinition(t *testing.T) {
	m := interptest.Branchy().Float64()
	data := newShown(m, 13)
	d := must(Dissection{Share: .1, Batch: 5}.Run(ctx, m, data, "mixed"))
	if again := must(Dissection{Share: .1}.Run(ctx, m, data, "mixed")); fmt.Sprint(again) != fmt.Sprint(d) {
		t.Error("another batch gives other numbers")
	}
	values, large := enlarged(t, m, data.x)
	units, places := values.Shape[2], values.Shape[0]*values.Shape[1]
	for u := range units {
		var all []float64
		for k := range 13 * places {
			all = append(all, values.Data[k*units+u])
		}
		slices.Sort(all)
		level := all[len(all)-1-len(all)/10]
		if d.Level[u] != level {
			t.Errorf("unit %d is on above %g, want %g", u, d.Level[u], level)
		}
		for k := range 3 {
			both, either := 0., 0.
			for i := range 13 {
				for p := range 144 {
					on := large[(i*144+p)*units+u] > level
					in := data.masks[i][k] != nil && data.masks[i][k][p]
					both += float64(count(on && in))
					either += float64(count(on || in))
				}
			}
			if got := d.IoU[u][k]; !(math.Abs(got-both/either) <= 1e-12) {
				t.Errorf("unit %d, label %d: %g, want %g", u, k, got, both/either)
			}
		}
		label, iou := d.Best(u)
		if iou != slices.Max(d.IoU[u]) || d.IoU[u][label] != iou || d.IoU[u][2] != 0 {
			t.Errorf("unit %d: best is %d, %g of %v", u, label, iou, d.IoU[u])
		}
	}
}

// Shown leaves as they are the pixels at which the dissection counts the unit as on, those where its enlarged map is above its level. The
// rest is a third of what it was, and the images that are given stay.
func TestLawShown(t *testing.T) {
	m := interptest.Branchy().Float64()
	data := newShown(m, 13)
	for i := range data.x.Pix {
		data.x.Pix[i] = max(data.x.Pix[i], .01)
	}
	d := must(Dissection{Share: .1}.Run(ctx, m, data, "mixed"))
	before := slices.Clone(data.x.Pix)
	_, large := enlarged(t, m, data.x)
	for u := range d.Level {
		x := must(d.Shown(ctx, m, u, data.x))
		for i, v := range x.Pix {
			want := before[i]
			if !(large[i/x.C*len(d.Level)+u] > d.Level[u]) {
				want /= 3
			}
			if v != want {
				t.Fatalf("unit %d: number %d of the images is %g, was %g, want %g", u, i, v, before[i], want)
			}
		}
	}
	if !slices.Equal(before, data.x.Pix) {
		t.Error("the images have changed")
	}
	if _, err := d.Shown(ctx, m, len(d.Level), data.x); err == nil || !strings.Contains(err.Error(), "must be from 0 to") {
		t.Errorf("a unit that does not exist: %v", err)
	}
	d.Layer = "conv1"
	if _, err := d.Shown(ctx, m, 0, data.x); err == nil || !strings.Contains(err.Error(), "the dissection is of 7 units") {
		t.Errorf("another layer: %v", err)
	}
}

// Of the network of scenes at least half of the units of mixed5a detect something, three times as many as of one with new weights.
func TestScenesUnitsDetect(t *testing.T) {
	interptest.Unchecked()
	m := must(scenes.Standard())
	untrained := must(m.With(must(m.Initial(77))))
	data := scenes.Stream{Seed: 20002, N: 512}
	share := map[string]float64{}
	for name, m := range map[string]*interp.Model{"trained": m, "untrained": untrained} {
		for _, layer := range []string{"mixed5a"} {
			d := must(Dissection{}.Run(ctx, m, data, layer))
			share[name+" "+layer] = d.Share()
			found := map[string]int{}
			for u := range d.IoU {
				if k, iou := d.Best(u); iou > Detects {
					found[d.Labels[k]]++
				}
			}
			t.Logf("%s %s: %.2f of %d units detect: %v", name, layer, d.Share(), len(d.IoU), found)
		}
	}
	if !(share["trained mixed5a"] >= .5) || !(share["trained mixed5a"] >= 3*share["untrained mixed5a"]) {
		t.Errorf("of mixed5a %.2f of the units detect something, and %.2f of one with new weights", share["trained mixed5a"], share["untrained mixed5a"])
	}
}

func TestBadDissections(t *testing.T) {
	m := interptest.Branchy()
	data := newShown(m, 3)
	few, small, large := newShown(m, 3), newShown(m, 3), newShown(m, 3)
	few.masks[1], small.masks[2][0] = few.masks[1][:2], make([]bool, 9)
	large.x = interptest.ImagesOf(3, 16, 16, 3, 1)
	for want, run := range map[string]func() (Detectors, error){
		"image 1 of shown has 2 masks": func() (Detectors, error) { return Dissection{}.Run(ctx, m, few, "mixed") },
		"a mask of 9 pixels for a":     func() (Detectors, error) { return Dissection{}.Run(ctx, m, small, "mixed") },
		"images of shown are 16×16":    func() (Detectors, error) { return Dissection{}.Run(ctx, m, large, "mixed") },
		"Share is 2":                   func() (Detectors, error) { return Dissection{Share: 2}.Run(ctx, m, data, "mixed") },
		"Batch is -1":                  func() (Detectors, error) { return Dissection{Batch: -1}.Run(ctx, m, data, "mixed") },
		"0 images":                     func() (Detectors, error) { return Dissection{}.Run(ctx, m, shown{}, "mixed") },
		"must have positions":          func() (Detectors, error) { return Dissection{}.Run(ctx, m, data, "head") },
		"no layer":                     func() (Detectors, error) { return Dissection{}.Run(ctx, m, data, "mxied") },
	} {
		if _, err := run(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q: %v", want, err)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := (Dissection{}).Run(ended, m, data, "mixed"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A unit of which no value is above the others, as one that is off, detects nothing.
func TestUnitsThatAreOff(t *testing.T) {
	d := Detectors{Labels: []string{"a"}, IoU: [][]float64{{0}, {math.NaN()}}}
	if k, iou := d.Best(0); k != 0 || iou != 0 {
		t.Errorf("best %d, %g", k, iou)
	}
	if k, iou := d.Best(1); k != -1 || !math.IsNaN(iou) || d.Share() != 0 {
		t.Errorf("best %d, %g, share %g", k, iou, d.Share())
	}
}
