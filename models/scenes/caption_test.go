package scenes

import (
	"math"
	"slices"
	"strings"
	"testing"

	"lucigo/interp"
)

// noughts is a word for each image, the first.
func noughts(n int) []int { return make([]int, n) }

// The words are as noisy as they say: of noise q, a word is the class's with probability 1 − q + q/4, and the others are equally often
// the rest. Less noise changes only words that were drawn. A wrong word is never the class's, and each of the others is equally often.
func TestLawCaptionNoise(t *testing.T) {
	const n = 8000
	x := interp.Images{N: n, H: 1, W: 1, C: 1, Pix: make([]float64, n)}
	for i := range n {
		x.Class, x.Key = append(x.Class, i%4), append(x.Key, uint64(i))
	}
	share := func(words []int, from int) (count float64) {
		for i, w := range words {
			if (w-x.Class[i]+4)%4 == from {
				count += 1. / n
			}
		}
		return count
	}
	near := func(got, want float64) bool { return math.Abs(got-want) <= 4*math.Sqrt(want*(1-want)/n)+1e-9 }
	var before []int
	for _, noise := range []float64{0, .3, 1} {
		words, err := Caption{Noise: noise}.Words(x)
		if err != nil {
			t.Fatal(err)
		}
		for from := range 4 {
			want := noise / 4
			if from == 0 {
				want += 1 - noise
			}
			if got := share(words, from); !near(got, want) {
				t.Errorf("noise %g: %.3f of the words are %d after the class, want %.3f", noise, got, from, want)
			}
		}
		for i := range before {
			if before[i] != x.Class[i] && words[i] != before[i] {
				t.Fatalf("noise %g: word %d is another than with less noise", noise, i)
			}
		}
		before = words
		again, err := Caption{Noise: noise}.Words(x)
		if other, err2 := (Caption{Noise: noise, Seed: 1}).Words(x); err != nil || err2 != nil || !slices.Equal(words, again) || (noise > 0) == slices.Equal(words, other) {
			t.Errorf("noise %g: the same seed or another, %v, %v", noise, err, err2)
		}
	}
	wrong, err := Caption{}.Wrong(x)
	if err != nil {
		t.Fatal(err)
	}
	for from, want := range []float64{0, 1. / 3, 1. / 3, 1. / 3} {
		if got := share(wrong, from); !near(got, want) {
			t.Errorf("%.3f of the wrong words are %d after the class, want %.3f", got, from, want)
		}
	}
}

// A mask covers the pixels that a caption changes and no others, and neither they nor it depend on what was there; the word that was
// written can be read from them; places vary; and what has no key gets one that leads to the same place.
func TestLawCaptionMask(t *testing.T) {
	const n = 24
	x := CaptionTask().Images(3, n, 64)
	negative := x
	negative.Pix = nil
	for _, v := range x.Pix {
		negative.Pix = append(negative.Pix, 1-v)
	}
	c := Caption{}
	words, err := c.Words(x)
	if err != nil {
		t.Fatal(err)
	}
	var written [2]interp.Images
	before := slices.Clone(x.Pix)
	for k, of := range []interp.Images{x, negative} {
		if written[k], err = c.Write(of, words); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(x.Pix, before) {
		t.Error("the images themselves have changed")
	}
	masks, err := c.Masks(x)
	if err != nil {
		t.Fatal(err)
	}
	places := map[int]bool{}
	for i := range n {
		places[slices.Index(masks[i], 1)] = true
		for p := range 64 * 64 {
			row, column := p/64, p%64
			a, b := written[0].Pixel(i, row, column), written[1].Pixel(i, row, column)
			from, to := x.Pixel(i, row, column), negative.Pixel(i, row, column)
			switch masks[i][p] {
			case 1:
				if !slices.Equal(a, b) || a[0] != a[1] || a[0] != a[2] {
					t.Fatalf("image %d, pixel (%d, %d): %v and %v on its negative, want the same grey", i, row, column, a, b)
				}
			case 0:
				if !slices.Equal(a, from) || !slices.Equal(b, to) {
					t.Fatalf("image %d, pixel (%d, %d) has changed outside the mask", i, row, column)
				}
			default:
				t.Fatalf("the mask is %g", masks[i][p])
			}
		}
		var same, other float64
		for k := range n {
			at, from := slices.Index(masks[i], 1), slices.Index(masks[k], 1)
			d := 0.
			for row := range 15 {
				for column := range 47 {
					d += math.Abs(written[0].Pix[3*(i*64*64+at+row*64+column)] - written[0].Pix[3*(k*64*64+from+row*64+column)])
				}
			}
			if words[i] == words[k] {
				same = max(same, d)
			} else if other == 0 || d < other {
				other = d
			}
		}
		if same != 0 || other < 10 {
			t.Errorf("image %d: pixels of the same word differ by %g in all, of another by %g", i, same, other)
		}
	}
	if len(places) < n/2 {
		t.Errorf("%d images have captions at %d places", n, len(places))
	}
	x.Key = nil
	if written[0], err = c.Write(x, words); err != nil {
		t.Fatal(err)
	}
	if masks, err = c.Masks(written[0]); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		for p, v := range written[0].Of(i) {
			if v != x.Of(i)[p] && masks[i][p/3] != 1 {
				t.Fatalf("image %d without a key: value %d has changed outside the mask", i, p)
			}
		}
	}
}

func TestBadCaptions(t *testing.T) {
	x := CaptionTask().Images(1, 2, 64)
	small := CaptionTask().Images(1, 2, 40)
	low := interp.Images{N: 2, H: 12, W: 64, C: 3, Pix: make([]float64, 2*12*64*3)}
	foreign, none := x.Asked(0, 4), x
	none.Class = nil
	m, err := Captioned(0)
	if err != nil {
		t.Fatal(err)
	}
	for want, run := range map[string]func() error{
		"Noise is -0.1, must be from 0 to 1": func() error { _, err := Caption{Noise: -.1}.Words(x); return err },
		"Noise is NaN":                       func() error { _, err := Caption{Noise: math.NaN()}.Words(x); return err },
		"2 images have 0 classes":            func() error { _, err := Caption{}.Words(none); return err },
		"2 images have 0 classes, and a":     func() error { _, err := Caption{}.Wrong(none); return err },
		"class 4 of image 1":                 func() error { _, err := Caption{}.Words(foreign); return err },
		"2 images have 3 words":              func() error { _, err := Caption{}.Write(x, noughts(3)); return err },
		"word -1 of image 1":                 func() error { _, err := Caption{}.Write(x, []int{0, -1}); return err },
		"40×40, must have room for":          func() error { _, err := Caption{}.Write(small, noughts(2)); return err },
		"12×64, must have room":              func() error { _, err := Caption{}.Write(low, noughts(2)); return err },
		"40×40, must have room":              func() error { _, err := Caption{}.Masks(small); return err },
		"there are no images to measure":     func() error { _, err := Caption{}.Truth(t.Context(), m, interp.Images{}); return err },
		"noise 0.5: there are those of 0":    func() error { _, err := Captioned(.5); return err },
	} {
		if err := run(); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "scenes: ") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// The nets get right what is recorded, without captions and with those that they were trained on; and the noisier these were, the
// more of the answers follow the picture where it contradicts the word.
func TestCaptioned(t *testing.T) {
	const n = 320
	x := CaptionTask().Images(recorded(t, "caption0").Seed, n, 64)
	var before Truth
	for _, noise := range []float64{0, .3, 1} {
		m, err := Captioned(noise)
		if err != nil {
			t.Fatal(err)
		}
		r := recorded(t, strings.TrimPrefix(m.Name(), "scenes "))
		truth, err := Caption{Noise: noise}.Truth(t.Context(), m, x)
		if err != nil {
			t.Fatal(err)
		}
		c := Caption{Noise: noise}
		words, err := c.Words(x)
		if err != nil {
			t.Fatal(err)
		}
		captioned, err := c.Write(x, words)
		if err != nil {
			t.Fatal(err)
		}
		marked := right(t, m, captioned)
		for of, v := range map[string][2]float64{"without captions": {truth.Accuracy, r.Accuracy}, "with captions": {marked, r.Marked}} {
			if !(math.Abs(v[0]-v[1]) <= 4*math.Sqrt(v[1]*(1-v[1])/n)+1e-9) {
				t.Errorf("noise %g: %.3f are right %s, recorded is %.3f", noise, v[0], of, v[1])
			}
		}
		if r.TrainedOn != 1 || r.Images < 2000 {
			t.Errorf("noise %g: trained on seed %d, measured on %d images", noise, r.TrainedOn, r.Images)
		}
		t.Logf("noise %g: %.3f right without captions, %.3f with; where the word is wrong %.3f follow the picture, %.3f the word", noise, truth.Accuracy, marked, truth.Picture, truth.Word)
		if noise > 0 && !(truth.Picture > before.Picture && truth.Word < before.Word && truth.Accuracy > before.Accuracy) {
			t.Errorf("noise %g: %+v, after %+v of less noise", noise, truth, before)
		}
		before = truth
	}
}
