package featvis

import (
	"math"
	"slices"
	"testing"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/random"
)

// At each place all pixels are asked for their weights.
func TestLawView(t *testing.T) {
	x := interptest.ImagesOf(2, 9, 12, 3, 1)
	x.Class, x.Key = []int{3, 4}, []uint64{5, 6}
	near := func(a, b float64) float64 { return max(0, 1-math.Abs(a-b)) }
	for step := range 20 {
		s := random.New(1, 2, uint64(step))
		var a Affine
		for i := range a {
			a[i] = []float64{2, 2, 9}[i%3] * (2*s.Uniform(i) - 1)
		}
		var want []float64
		for i := range len(x.Pix) {
			n, row, column, channel := i/(9*12*3), i/(12*3)%9, i/3%12, i%3
			px, py := a.apply(float64(column)-5.5, float64(row)-4)
			v := .5
			for r := range 9 {
				for c := range 12 {
					v += near(px+5.5, float64(c)) * near(py+4, float64(r)) * (x.Pix[((n*9+r)*12+c)*3+channel] - .5)
				}
			}
			want = append(want, v)
		}
		got := a.View(x)
		if d := interptest.Distance(got.Pix, want); !(d < 1e-12) {
			t.Errorf("%v: %g from the definition", a, d)
		}
		if got.N != 2 || !slices.Equal(got.Class, x.Class) || !slices.Equal(got.Key, x.Key) {
			t.Errorf("images %d, classes %d, keys %d", got.N, got.Class, got.Key)
		}
	}
}

func TestTurned(t *testing.T) {
	x := interp.Images{N: 1, H: 3, W: 3, C: 1, Pix: []float64{
		1, 2, 3,
		4, 5, 6,
		7, 8, 9,
	}}
	for _, c := range []struct {
		a    Affine
		want []float64
	}{
		{Turned(0, 0, 0), x.Pix},
		{Turned(90, 0, 0), []float64{7, 4, 1, 8, 5, 2, 9, 6, 3}},
		{Turned(0, 1, 0), []float64{.5, 1, 2, .5, 4, 5, .5, 7, 8}},
		{Turned(0, 0, -1), []float64{4, 5, 6, 7, 8, 9, .5, .5, .5}},
		{Turned(0, -.5, 0), []float64{1.5, 2.5, 1.75, 4.5, 5.5, 3.25, 7.5, 8.5, 4.75}},
		{Turned(90, 1, 0), []float64{.5, 7, 4, .5, 8, 5, .5, 9, 6}},
		{Turned(0, 5, 0), slices.Repeat([]float64{.5}, 9)},
		{Affine{math.NaN()}, slices.Repeat([]float64{.5}, 9)},
	} {
		if got := c.a.View(x).Pix; interptest.Distance(got, c.want) > 1e-12 {
			t.Errorf("%v: %v, want %v", c.a, got, c.want)
		}
	}
}
