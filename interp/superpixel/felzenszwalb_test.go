package superpixel

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// still smooths nothing.
const still = 1e-9

// Every pixel has a label, all labels occur, in the order of their first pixels, each piece is connected and has as many pixels
// as it must, and a second call gives the same.
func TestLawPiecesOfFelzenszwalb(t *testing.T) {
	for _, c := range []struct{ height, width, channels, least int }{
		{64, 64, 3, 0}, {60, 80, 3, 1}, {224, 224, 3, 150}, {40, 30, 1, 7}, {9, 70, 4, 30}, {1, 50, 3, 3}, {33, 1, 1, 40}, {1, 1, 1, 1},
	} {
		for seed, noise := range []float64{0, .1, 1} {
			pix, f := picture(c.height, c.width, c.channels, noise, uint64(seed)), Felzenszwalb{Scale: 40, Least: c.least}
			name := fmt.Sprintf("%d×%d×%d, noise %g, %s", c.height, c.width, c.channels, noise, f)
			before := slices.Clone(pix)
			labels, n, err := f.Cut(pix, c.height, c.width, c.channels)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(pix, before) {
				t.Fatalf("%s changed the image", name)
			}
			next, size := 0, make([]int, n)
			for _, k := range labels {
				if k < 0 || k > next || k >= n {
					t.Fatalf("%s: label %d comes after %d others, of %d", name, k, next, n)
				}
				next = max(next, k+1)
				size[k]++
			}
			if next != n || len(labels) != c.height*c.width {
				t.Errorf("%s: %d labels of %d pieces", name, next, n)
			}
			if found := components(labels, c.height, c.width, true); found != n {
				t.Errorf("%s: %d pieces are %d connected ones", name, n, found)
			}
			if least := min(f.defaults().Least, len(labels)); slices.Min(size) < least {
				t.Errorf("%s: a piece has %d pixels, want %d", name, slices.Min(size), least)
			}
			if again, _, _ := f.Cut(pix, c.height, c.width, c.channels); !slices.Equal(again, labels) {
				t.Errorf("%s: cut again it gives other pieces", name)
			}
		}
	}
}

// The definition, pixel by pixel: pieces join where the least difference between them is not above the largest one within the minimum
// spanning tree of either, plus scale/255 over its pixels. In the end no two neighbours could join: the cut is not too fine
// (theorem 1 of the paper).
func TestLawFelzenszwalbBySlowDefinition(t *testing.T) {
	const height, width, channels = 7, 9, 3
	for seed := range uint64(12) {
		f := Felzenszwalb{Scale: []float64{60, 100, 200}[seed%3], Sigma: still, Least: 1}
		pix := picture(height, width, channels, .4, seed)
		apart := func(p, q int) float64 { // of neighbours
			if d := max(p/width-q/width, q/width-p/width, p%width-q%width, q%width-p%width); d != 1 {
				return math.Inf(1)
			}
			var d [channels]float64
			for c := range d {
				d[c] = pix[p*channels+c] - pix[q*channels+c]
			}
			return math.Sqrt(d[0]*d[0] + d[1]*d[1] + d[2]*d[2])
		}
		bound := func(piece []int) float64 { // Prim's tree
			in, largest := piece[:1:1], 0.
			for len(in) < len(piece) {
				best, next := math.Inf(1), -1
				for _, q := range piece {
					for _, p := range in {
						if d := apart(p, q); !slices.Contains(in, q) && d < best {
							best, next = d, q
						}
					}
				}
				in, largest = append(in, next), max(largest, best)
			}
			return largest + f.Scale/255/float64(len(piece))
		}
		labels := make([]int, height*width)
		for p := range labels {
			labels[p] = p
		}
		of := func(k int) (piece []int) {
			for p, l := range labels {
				if l == k {
					piece = append(piece, p)
				}
			}
			return piece
		}
		var pairs [][2]int
		for p := range labels {
			for q := range p {
				if !math.IsInf(apart(p, q), 1) {
					pairs = append(pairs, [2]int{p, q})
				}
			}
		}
		slices.SortFunc(pairs, func(a, b [2]int) int {
			if apart(a[0], a[1]) < apart(b[0], b[1]) {
				return -1
			}
			return 1
		})
		for _, e := range pairs {
			a, b := labels[e[0]], labels[e[1]]
			if a != b && apart(e[0], e[1]) <= min(bound(of(a)), bound(of(b))) {
				for _, p := range of(b) {
					labels[p] = a
				}
			}
		}
		number(labels)
		got, n, err := f.Cut(pix, height, width, channels)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, labels) {
			t.Errorf("seed %d, %s: pieces\n%v, want\n%v", seed, f, got, labels)
		}
		if n < 3 || n > 40 {
			t.Errorf("seed %d, %s: %d pieces tell little", seed, f, n)
		}
		for _, e := range pairs {
			if a, b := labels[e[0]], labels[e[1]]; a != b && apart(e[0], e[1]) <= min(bound(of(a)), bound(of(b))) {
				t.Errorf("seed %d, %s: pieces %d and %d are not apart", seed, f, a, b)
			}
		}
	}
}

// Smoothing is what a Gaussian does, before anything is compared: a pixel that stands out from one colour is a piece of its
// own, and, smoothed much, none.
func TestFelzenszwalbSmooths(t *testing.T) {
	pix := slices.Repeat([]float64{.5}, 20*20)
	pix[10*20+10] = 1
	for sigma, want := range map[float64]int{still: 2, 3: 1} {
		if _, n, err := (Felzenszwalb{Scale: 2000, Sigma: sigma, Least: 1}).Cut(pix, 20, 20, 1); err != nil || n != want {
			t.Errorf("σ %g: %d pieces, want %d; error %v", sigma, n, want, err)
		}
	}
	// Small pieces join the most similar neighbour.
	pix = []float64{0, 0, 0, 0, .6, 1, 1, 1, 1}
	labels, _, err := Felzenszwalb{Scale: 1, Sigma: still, Least: 2}.Cut(pix, 1, 9, 1)
	if want := []int{0, 0, 0, 0, 1, 1, 1, 1, 1}; err != nil || !slices.Equal(labels, want) {
		t.Errorf("pieces %v, want %v; error %v", labels, want, err)
	}
}

func TestFelzenszwalbErrors(t *testing.T) {
	pix := make([]float64, 12)
	nan := slices.Clone(pix)
	nan[5] = math.NaN()
	for _, c := range []struct {
		f    Felzenszwalb
		pix  []float64
		want string
	}{
		{Felzenszwalb{}, pix[1:], "an image of 2×2×3 has 11 numbers"},
		{Felzenszwalb{}, nan, "not finite"},
		{Felzenszwalb{Scale: -1}, pix, "Scale is -1, must"},
		{Felzenszwalb{Scale: math.Inf(1)}, pix, "Scale is +Inf, must"},
		{Felzenszwalb{Sigma: math.NaN()}, pix, "Sigma is NaN, must"},
		{Felzenszwalb{Sigma: 1e9}, pix, "Sigma is 1e+09, must"},
		{Felzenszwalb{Least: -1}, pix, "Least is -1, must"},
	} {
		if _, _, err := c.f.Cut(c.pix, 2, 2, 3); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", c.f, err, c.want)
		}
	}
}

func BenchmarkFelzenszwalb(b *testing.B) {
	pix := picture(224, 224, 3, .1, 1)
	for b.Loop() {
		if _, _, err := (Felzenszwalb{}).Cut(pix, 224, 224, 3); err != nil {
			b.Fatal(err)
		}
	}
}
