package exemplar

import (
	"math"
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/random"
)

// best cuts the patches of a unit's best examples: of conv1 they are small, of head the whole images.
func best(t *testing.T, m *interp.Model, layer string) Patches {
	t.Helper()
	src := data(m, 25)
	examples, err := scan(t, Scan{K: 5, Batch: 8, Layers: []string{layer}}, m, src).Top(layer, 1)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Cut(ctx, m, src, layer, 1, examples)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A covered pixel of a patch is grey in the image, and no other is; what a unit sees of an image whose patch
// is all covered is grey.
func TestLawCover(t *testing.T) {
	branchy := interptest.Branchy().Float64()
	for _, c := range []struct {
		m     *interp.Model
		layer string
	}{
		{branchy, "conv1"},
		{branchy, "head"},
		{wide().Float64(), "conv1"}, // a patch is the whole image, of which a unit sees a part
	} {
		m, layer := c.m, c.layer
		p := best(t, m, layer)
		if p.Channel != 1 || p.Unit != layer+" 1" {
			t.Errorf("unit %d is called %q", p.Channel, p.Unit)
		}
		patches := p.Images()
		var masks, all [][]float64
		for n := range patches.N {
			mask, one := make([]float64, patches.H*patches.W), make([]float64, patches.H*patches.W)
			for i := range mask {
				mask[i], one[i] = math.Round(4*random.New(5, uint64(n), 0).Uniform(i))/4, 1 // many are a half
			}
			masks, all = append(masks, mask), append(all, one)
		}
		x, err := p.Cover(masks)
		if err != nil {
			t.Fatal(err)
		}
		covered := p
		covered.Whole = x
		after := covered.Images()
		changed, want := 0, 0
		for i, v := range after.Pix {
			pixel := patches.Pix[i]
			if masks[i/patches.Size()][i%patches.Size()/3] > .5 {
				pixel = .5
			}
			if v != pixel {
				t.Fatalf("%s: number %d of the patches is %g, want %g", layer, i, v, pixel)
			}
			if v != patches.Pix[i] {
				want++
			}
		}
		for i, v := range x.Pix {
			if v != p.Whole.Pix[i] {
				changed++
			}
		}
		if changed != want || want == 0 {
			t.Errorf("%s: %d numbers of the images changed, %d of the patches", layer, changed, want)
		}

		grey := p.Whole
		grey.Pix = make([]float64, len(grey.Pix))
		for i := range grey.Pix {
			grey.Pix[i] = .5
		}
		if x, err = p.Cover(all); err != nil {
			t.Fatal(err)
		}
		a, err := p.Responses(ctx, m, x)
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.Responses(ctx, m, grey)
		if err != nil {
			t.Fatal(err)
		}
		before, err := p.Responses(ctx, m, p.Whole)
		if err != nil {
			t.Fatal(err)
		}
		for n, e := range p.Examples {
			if !(math.Abs(a[n]-b[n]) <= 1e-12) || !(math.Abs(before[n]-e.Value) <= 1e-12*math.Abs(e.Value)) || math.Abs(a[n]-before[n]) < 1e-3*e.Value {
				t.Errorf("%s %d: %g covered, %g of grey; %g before, %g in the index", layer, n, a[n], b[n], before[n], e.Value)
			}
		}
	}
}

// Maps are cut as the images are.
func TestCrop(t *testing.T) {
	m := interptest.Branchy()
	for _, layer := range []string{"conv1", "head"} {
		p := best(t, m, layer)
		patches := p.Images()
		for _, channels := range []int{1, 3} {
			whole := interp.Maps{Images: interp.Images{N: p.Whole.N, H: p.Whole.H, W: p.Whole.W, C: channels}}
			for i := range p.Whole.N * p.Whole.H * p.Whole.W {
				whole.Pix = append(whole.Pix, p.Whole.Pix[3*i:3*i+channels]...)
			}
			got, err := p.Crop(whole)
			if err != nil || got.N != patches.N || got.H != patches.H || got.W != patches.W || got.C != channels {
				t.Fatalf("%s: %d maps of %d×%d×%d, %v", layer, got.N, got.H, got.W, got.C, err)
			}
			outside := 0
			for i, v := range got.Pix {
				if v == 0 {
					outside++
				} else if want := patches.Pix[i/channels*3+i%channels]; v != want {
					t.Fatalf("%s: number %d is %g, want %g", layer, i, v, want)
				}
			}
			if outside == len(got.Pix) || layer == "head" && outside > 0 {
				t.Errorf("%s: %d of %d numbers are 0", layer, outside, len(got.Pix))
			}
		}
	}
}

func TestPatchesRefuse(t *testing.T) {
	m := interptest.Branchy()
	p := best(t, m, "conv1")
	wrong := p.Whole.Like()
	wrong.W++
	for what, try := range map[string]func() error{
		"are not maps of 5 images":                     func() error { _, err := p.Crop(wrong); return err },
		"there are 4 masks, must be one for each of 5": func() error { _, err := p.Cover(make([][]float64, 4)); return err },
		"mask 0 has 0 pixels":                          func() error { _, err := p.Cover(make([][]float64, 5)); return err },
		"there are 4 images, must be":                  func() error { _, err := p.Responses(ctx, m, p.Whole.Slice(0, 4)); return err },
	} {
		if err := try(); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
