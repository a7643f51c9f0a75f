package fourier

import (
	"fmt"
	"math"
	"math/cmplx"
	"math/rand/v2"
	"slices"
	"testing"
)

// Every bin of the transform is the sum by the definition, at the bin's frequency.
func TestLawTransform(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range [][2]int{{1, 1}, {1, 7}, {6, 1}, {2, 2}, {5, 8}, {12, 9}} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			height, width := size[0], size[1]
			picture := make([]complex128, height*width)
			for i := range picture {
				picture[i] = complex(r.NormFloat64(), r.NormFloat64())
			}
			got := slices.Clone(picture)
			Transform(got, width)
			for bin := range got {
				fy, fx := Frequency(bin/width, height), Frequency(bin%width, width)
				var want complex128
				for i, v := range picture {
					want += v * cmplx.Exp(complex(0, -2*math.Pi*(fy*float64(i/width)+fx*float64(i%width))))
				}
				if !(cmplx.Abs(got[bin]-want) <= 1e-12) {
					t.Errorf("bin %d is %v, want %v", bin, got[bin], want)
				}
			}
		})
	}
}

func TestFrequency(t *testing.T) {
	for n, want := range map[int][]float64{
		1: {0},
		2: {0, .5},
		5: {0, .2, .4, -.4, -.2},
		8: {0, .125, .25, .375, .5, -.375, -.25, -.125},
	} {
		for i, f := range want {
			if got := Frequency(i, n); !(math.Abs(got-f) <= 1e-15) {
				t.Errorf("bin %d of %d has frequency %g, want %g", i, n, got, f)
			}
		}
	}
}
