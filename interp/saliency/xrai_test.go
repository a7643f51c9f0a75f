package saliency_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/objective"
	"lucigo/interp/random"
	"lucigo/interp/saliency"
	"lucigo/interp/superpixel"
)

// fixed is a method whose maps are given.
type fixed struct {
	c   int
	pix []float64
}

func (f *fixed) String() string { return "fixed" }

func (f *fixed) Maps(_ context.Context, _ *interp.Model, _ interp.Objective, x interp.Images) (interp.Maps, error) {
	out := interp.Maps{Images: x, Score: make([]float64, x.N)}
	out.C, out.Pix = f.c, f.pix
	return out, nil
}

// attributions returns normal numbers, which are larger in the middle of the images.
func attributions(x interp.Images, c int) *fixed {
	f := &fixed{c, make([]float64, x.N*x.H*x.W*c)}
	random.New(4, 0, 0).Normals(f.pix)
	for i := range f.pix {
		p := i / c % (x.H * x.W)
		y, z := float64(p/x.W)/float64(x.H)-.5, float64(p%x.W)/float64(x.W)-.5
		f.pix[i] += 3 * math.Exp(-20*(y*y+z*z))
	}
	return f
}

// pictures returns n images of blobs, of 3 channels, with noise but at the border.
func pictures(n, h, w int, noise float64) interp.Images {
	x, s := interp.Images{N: n, H: h, W: w, C: 3, Pix: make([]float64, n*h*w*3)}, random.New(2, 0, 0)
	for i := range x.Pix {
		row, column, c := i/3/w%h, i/3%w, float64(i%3+i/x.Size())
		y, z := float64(row)/float64(h), float64(column)/float64(w)
		v := .5 + .3*math.Sin(7*z+c)*math.Cos(5*y-c)*math.Sin(40*y*z) + noise*(s.Uniform(i)-.5)
		if min(row, column, h-1-row, w-1-column) < 8 {
			v = 0
		}
		x.Pix[i] = min(max(v, 0), 1)
	}
	copy(x.Pix[x.W*x.H*3/2:], []float64{1, 1, 1}) // all of the range is there
	return x
}

// ranked is algorithm 1 of the paper, by its definition: masks[k] says which pixels region k has.
func ranked(values []float64, masks [][]bool, least int) []float64 {
	out, in := make([]float64, len(values)), make([]bool, len(values))
	mean := func(mask []bool) (sum float64, n int) {
		for p, v := range values {
			if mask[p] && !in[p] {
				sum += v
				n++
			}
		}
		return sum / float64(n), n
	}
	add := func(mask []bool) {
		m, _ := mean(mask)
		for p := range values {
			if mask[p] && !in[p] {
				out[p] = m
			}
		}
		for p := range values {
			in[p] = in[p] || mask[p]
		}
	}
	for {
		best, highest := -1, math.Inf(-1)
		for k, mask := range masks {
			if m, n := mean(mask); n >= least && m > highest {
				best, highest = k, m
			}
		}
		if best < 0 {
			break
		}
		add(masks[best])
	}
	add(slices.Repeat([]bool{true}, len(values)))
	return out
}

func masksOf(labels []int) (masks [][]bool) {
	for k := range slices.Max(labels) + 1 {
		mask := make([]bool, len(labels))
		for p, l := range labels {
			mask[p] = l == k
		}
		masks = append(masks, mask)
	}
	return masks
}

// The ranking by its definition, of regions that are given and of Felzenszwalb's, each with what is near it.
func TestLawXRAIBySlowDefinition(t *testing.T) {
	m := interptest.Branchy()
	for _, size := range [][2]int{{60, 80}, {50, 45}} {
		x := pictures(2, size[0], size[1], .3).Asked(1, 2)
		side := math.Sqrt(float64(x.H*x.W)) / 224
		least := max(1, int(50*side*side))
		base := attributions(x, 3)
		largest := func(i int) []float64 {
			values := make([]float64, x.H*x.W)
			for p := range values {
				values[p] = slices.Max(base.pix[(i*x.H*x.W+p)*3:][:3])
			}
			return values
		}
		var given [][]int
		var masks [][]bool
		for _, count := range []int{10, 40} {
			labels, _, err := superpixel.SLIC{Count: count}.Cut(x.Of(0), x.H, x.W, 3)
			if err != nil {
				t.Fatal(err)
			}
			given, masks = append(given, labels), append(masks, masksOf(labels)...)
		}
		out := maps(t, saliency.XRAI{Of: base, Labels: given}, m, objective.Logit, x)
		if out.C != 1 || !slices.Equal(out.Class, x.Class) {
			t.Errorf("maps of %d channels of the classes %v", out.C, out.Class)
		}
		for i := range x.N {
			near(t, fmt.Sprintf("%v, regions given", size), out.Of(i), ranked(largest(i), masks, least), 1e-12)
		}
		out = maps(t, saliency.XRAI{Of: base}, m, objective.Logit, x)
		for i := range x.N {
			var masks [][]bool
			for _, scale := range []float64{50, 100, 150, 250, 500, 1200} {
				f := superpixel.Felzenszwalb{Scale: scale / 2 * side, Sigma: .8 * side, Least: max(1, int(150*side*side))}
				labels, _, err := f.Cut(x.Of(i), x.H, x.W, 3)
				if err != nil {
					t.Fatal(err)
				}
				for _, mask := range masksOf(labels) {
					wide := make([]bool, len(mask))
					for p, has := range mask {
						for q := range mask {
							if !has {
								break
							}
							if dy, dx := float64(p/x.W-q/x.W), float64(p%x.W-q%x.W); dy*dy+dx*dx <= 25*side*side {
								wide[q] = true
							}
						}
					}
					masks = append(masks, wide)
				}
			}
			near(t, fmt.Sprintf("%v, %d regions of Felzenszwalb", size, len(masks)), out.Of(i), ranked(largest(i), masks, least), 1e-12)
		}
	}
}

// Where a map is known: a region of all pixels has the mean of them, and regions of a pixel have its own attribution. Whatever the
// regions, a map sums up to what the attribution does, and no number of it is above the largest.
func TestLawXRAIRegions(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 2, 1).Asked(1, 2)
	base := attributions(x, 1)
	each, all := make([]int, 144), make([]int, 144)
	for p := range each {
		each[p] = p
	}
	out := maps(t, saliency.XRAI{Of: base, Labels: [][]int{each}}, m, objective.Logit, x)
	near(t, "a region for each pixel", out.Pix, base.pix, 1e-15)
	out = maps(t, saliency.XRAI{Of: base, Labels: [][]int{all}}, m, objective.Logit, x)
	for i := range x.N {
		sum := 0.
		for _, v := range base.pix[i*144:][:144] {
			sum += v
		}
		near(t, "one region", out.Of(i), slices.Repeat([]float64{sum / 144}, 144), 1e-14)
		for _, labels := range [][][]int{nil, {eight()}, {all, eight()}} {
			out, total := maps(t, saliency.XRAI{Of: base, Labels: labels}, m, objective.Logit, x), 0.
			for _, v := range out.Of(i) {
				total += v
			}
			if !(math.Abs(total-sum) <= 1e-11) || slices.Max(out.Pix) > slices.Max(base.pix) {
				t.Errorf("a map sums up to %g, and the attribution to %g", total, sum)
			}
		}
	}
}

// Without another attribution it is integrated gradients' from black and from white, half of each.
func TestXRAIOfIntegratedGradients(t *testing.T) {
	m := interptest.Smooth()
	x := interptest.Images(m, 2, 3)
	x = x.Asked(must(m.Predict(ctx, x)).Top1()...)
	black := maps(t, saliency.IntegratedGradients{Steps: 100}, m, objective.LogProb, x)
	white := maps(t, saliency.IntegratedGradients{Steps: 100, Baseline: []float64{1, 1, 1}}, m, objective.LogProb, x)
	for p, v := range white.Pix {
		black.Pix[p] = black.Pix[p]/2 + v/2
	}
	labels := [][]int{make([]int, x.H*x.W)}
	for p := range labels[0] {
		labels[0][p] = p / x.W / 2
	}
	want := maps(t, saliency.XRAI{Of: &fixed{3, black.Pix}, Labels: labels}, m, objective.LogProb, x)
	x.Class = nil
	got := maps(t, saliency.XRAI{Labels: labels}, m, objective.LogProb, x)
	near(t, "the mean of both", got.Pix, want.Pix, 1e-14)
	if !slices.Equal(got.Score, black.Score) || !slices.Equal(got.Class, black.Class) {
		t.Errorf("scores %v of classes %v, want %v of %v", got.Score, got.Class, black.Score, black.Class)
	}
}

func TestXRAIErrors(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 1, 1).Asked(1)
	wrong, base := eight(), attributions(x, 1)
	wrong[3] = -1
	beyond := eight()
	beyond[3] = math.MaxInt - 1
	nan := attributions(x, 3)
	nan.pix[70] = math.NaN()
	for _, c := range []struct {
		bad  saliency.XRAI
		want string
	}{
		{saliency.XRAI{Of: base, Labels: [][]int{eight(), make([]int, 9)}}, "Labels has 9 numbers, must have one for each of 12×12 pixels"},
		{saliency.XRAI{Of: base, Labels: [][]int{nil}}, "Labels has 0 numbers, must"},
		{saliency.XRAI{Of: base, Labels: [][]int{wrong}}, "Labels has -1, must be at least 0"},
		{saliency.XRAI{Of: base, Labels: [][]int{beyond}}, "must have at most 144"},
		{saliency.XRAI{Of: nan}, "is NaN"},
		{saliency.XRAI{Of: &fixed{1, make([]float64, 9)}}, "fixed returned maps of 12×12×1"},
		{saliency.XRAI{Of: saliency.SmoothGrad{N: -1}}, "N is -1"},
	} {
		if _, err := c.bad.Maps(ctx, m, objective.Logit, x); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", c.bad, err, c.want)
		}
	}
}

// The map is that of PAIR's saliency, of the same attribution: with regions given, and, at its own size of 224×224, with all
// of its own. Skimage cuts as Felzenszwalb does here; its images end otherwise where they are smoothed, and nothing is to
// be smoothed at the borders of these.
func TestPeersXRAI(t *testing.T) {
	needPython(t)
	m := interptest.Branchy()
	for _, size := range [][2]int{{60, 80}, {224, 224}} {
		x := pictures(1, size[0], size[1], .2).Asked(1)
		least := max(1, int(50*float64(x.H*x.W)/(224*224)))
		base := attributions(x, 3)
		e := exchange{t, t.TempDir()}
		e.write("image", x.Pix)
		e.write("attribution", base.pix)
		var given [][]int
		var all []float64
		for _, count := range []int{10, 40, 90} {
			labels, _, err := superpixel.SLIC{Count: count}.Cut(x.Pix, x.H, x.W, 3)
			if err != nil {
				t.Fatal(err)
			}
			given = append(given, labels)
			for _, k := range labels {
				all = append(all, float64(k))
			}
		}
		e.write("labels", all)
		e.run("xrai.py", e.dir, fmt.Sprint(x.H), fmt.Sprint(x.W), fmt.Sprint(least))
		near(t, fmt.Sprintf("%v, regions given", size), maps(t, saliency.XRAI{Of: base, Labels: given}, m, objective.Logit, x).Pix, e.read("given"), 1e-12)
		if x.H == 224 {
			near(t, "with its own regions", maps(t, saliency.XRAI{Of: base}, m, objective.Logit, x).Pix, e.read("whole"), 1e-12)
		}
		for _, scale := range []float64{50, 300, 1200} {
			labels, n, err := superpixel.Felzenszwalb{Scale: scale, Sigma: .8, Least: 20}.Cut(x.Pix, x.H, x.W, 3)
			if err != nil {
				t.Fatal(err)
			}
			differ, theirs := 0, e.read(fmt.Sprintf("cut %g", scale))
			for p, k := range labels {
				if float64(k) != theirs[p] {
					differ++
				}
			}
			t.Logf("%v, scale %g: %d pieces", size, scale, n)
			if differ > 0 {
				t.Errorf("%v, scale %g: %d pixels are in another piece than skimage's", size, scale, differ)
			}
		}
	}
}

func BenchmarkXRAI(b *testing.B) {
	m := interptest.Branchy()
	x := pictures(1, 224, 224, .2).Asked(1)
	for b.Loop() {
		if _, err := (saliency.XRAI{Of: attributions(x, 3)}).Maps(ctx, m, objective.Logit, x); err != nil {
			b.Fatal(err)
		}
	}
}
