package card_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/attack"
	"lucigo/interp/attack/card"
	"lucigo/interp/interptest"
	"lucigo/models/scenes"
)

// TestLawCorruptions: in [0, 1], the worse the more severe, and the same for an image alone. Thicker fog is also smoother, and
// may be no further away.
func TestLawCorruptions(t *testing.T) {
	for _, size := range []int{32, 64, 160} {
		x := scenes.Task{}.Images(3, 4, size)
		for _, c := range card.Corruptions {
			before := 0.0
			for severity := 1; severity <= card.Severities; severity++ {
				y, err := c.Of(x, severity, 1)
				if err != nil {
					t.Fatal(err)
				}
				if slices.Min(y.Pix) < 0 || slices.Max(y.Pix) > 1 {
					t.Errorf("%s: outside [0, 1]", c)
				}
				d := attack.Norm2.Distance(x.Pix, y.Pix, 3)
				if !(d > before) && !(c == card.Fog && d > .9*before) {
					t.Errorf("%s, %d pixels: severity %d is %g away, and the one before %g", c, size, severity, d, before)
				}
				before = d
				one, err := c.Of(x.Slice(2, 3), severity, 1)
				if err != nil || !slices.Equal(one.Pix, y.Of(2)) {
					t.Errorf("%s: an image alone is another: %v", c, err)
				}
			}
		}
	}
}

// TestBlur: against the definition in two dimensions.
func TestBlur(t *testing.T) {
	x := interptest.ImagesOf(1, 9, 7, 2, 1)
	y, err := card.Blur.Of(x, 5, 0) // deviation 1
	if err != nil {
		t.Fatal(err)
	}
	for row := range 9 {
		for column := range 7 {
			for c := range 2 {
				var sum, weight float64
				for i := -4; i <= 4; i++ {
					for k := -4; k <= 4; k++ {
						w := math.Exp(-float64(i*i+k*k) / 2)
						sum += w * x.Pixel(0, min(max(row+i, 0), 8), min(max(column+k, 0), 6))[c]
						weight += w
					}
				}
				if got := y.Pixel(0, row, column)[c]; math.Abs(got-sum/weight) > 1e-12 {
					t.Fatalf("row %d, column %d: %g, not %g", row, column, got, sum/weight)
				}
			}
		}
	}
}

// TestCorruptionsOfGrey: of an image that is all grey, noise has its deviation, contrast and JPEG change nothing, fog stays between
// the image and white.
func TestCorruptionsOfGrey(t *testing.T) {
	x := interp.Images{N: 1, H: 32, W: 32, C: 1, Pix: slices.Repeat([]float64{128. / 255}, 32*32)}
	of := func(c card.Corruption, severity int) []float64 {
		y, err := c.Of(x, severity, 4)
		if err != nil {
			t.Fatal(err)
		}
		return y.Pix
	}
	var square float64
	for _, v := range of(card.Noise, 5) {
		square += (v - x.Pix[0]) * (v - x.Pix[0])
	}
	if d := math.Sqrt(square / 1024); math.Abs(d-.1) > .1*4/math.Sqrt(2*1024) { // four deviations
		t.Errorf("the noise's deviation is %g", d)
	}
	for _, c := range []card.Corruption{card.Contrast, card.JPEG, card.Blur} {
		if d := attack.NormInf.Distance(x.Pix, of(c, 5), 1); d > 1./255 {
			t.Errorf("%s changes grey by %g", c, d)
		}
	}
	fog := of(card.Fog, 3) // thickness .75: from g·g/(g+.75) to (g+.75)·g/(g+.75)
	g := x.Pix[0]
	if low, high := slices.Min(fog), slices.Max(fog); math.Abs(low-g*g/(g+.75)) > 1e-9 && math.Abs(high-g) > 1e-9 {
		t.Errorf("fog is from %g to %g", low, high)
	}
}

func TestBadCorruption(t *testing.T) {
	x := interptest.ImagesOf(1, 4, 4, 2, 1)
	for _, c := range []struct {
		c        card.Corruption
		severity int
		want     string
	}{{card.JPEG, 1, "2 channels"}, {card.Fog, 0, "severity is 0"}, {card.Fog, 6, "severity is 6"}, {9, 1, "Corruption(9)"}} {
		if _, err := c.c.Of(x, c.severity, 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v does not say %q", err, c.want)
		}
	}
}

// TestInterval: against published values of Wilson's interval.
func TestInterval(t *testing.T) {
	for _, c := range []struct {
		s         card.Share
		low, high float64
	}{{card.Share{10, 10}, .7225, 1}, {card.Share{0, 10}, 0, .2775}, {card.Share{50, 100}, .4038, .5962}, {card.Share{81, 263}, .2553, .3662}, {card.Share{}, 0, 1}} {
		low, high := c.s.Interval()
		if math.Abs(low-c.low) > 1e-4 || math.Abs(high-c.high) > 1e-4 {
			t.Errorf("%v: from %.4f to %.4f, not %.4f to %.4f", c.s, low, high, c.low, c.high)
		}
	}
	share, low, high := card.Line{Right: []card.Share{{81, 263}, {10, 10}}}.Values()
	if math.Abs(share[0]-81./263) > 1e-12 || math.Abs(low[0]-.2553) > 1e-4 || math.Abs(high[0]-.3662) > 1e-4 || share[1] != 1 || high[1] != 1 {
		t.Errorf("a line has %g, from %g to %g", share, low, high)
	}
}
