package measure

import (
	"fmt"
	"math"
	"math/cmplx"
	"strconv"
	"testing"

	"lucigo/interp/random"
)

// picture is drawn by a function of x and y, counted from the middle, the same in each channel except for a
// factor.
func picture(height, width int, factors []float64, at func(x, y float64) float64) []float64 {
	var out []float64
	for i := range height * width {
		x, y := float64(i%width)-float64(width-1)/2, float64(i/width)-float64(height-1)/2
		for _, f := range factors {
			out = append(out, f*at(x, y))
		}
	}
	return out
}

func TestOrientation(t *testing.T) {
	grating := func(across, down float64) func(x, y float64) float64 {
		return func(x, y float64) float64 { return 5 + math.Cos(2*math.Pi*(across*x+down*y)+.7) }
	}
	blob := func(x, y float64) float64 { return 3 + math.Exp(-(x*x+y*y)/6) }
	ring := func(x, y float64) float64 { return math.Cos(math.Hypot(x, y)) }
	half, colours := math.Sqrt(.5), []float64{1, -2, .5}
	for _, c := range []struct {
		what          string
		height, width int
		channels      []float64
		at            func(x, y float64) float64
		want          float64
	}{
		{"a grating across", 8, 8, colours, grating(2./8, 0), 1},
		{"a grating down", 9, 6, colours, grating(0, 4./9), 1},
		{"the finest grating", 5, 8, colours[:1], grating(4./8, 0), 1},
		{"an oblique grating", 7, 7, colours, grating(2./7, 1./7), 1},
		{"the other oblique grating", 12, 16, colours[:2], grating(3./16, -2./12), 1},
		{"two gratings at right angles", 8, 8, colours, func(x, y float64) float64 { return grating(.25, 0)(x, y) + grating(0, .25)(x, y) }, 0},
		// 1 and e^{iπ/2}, of equal energy
		{"two gratings at 45°", 8, 8, colours, func(x, y float64) float64 { return grating(.25, 0)(x, y) + grating(.25, .25)(x, y) }, half},
		// energies 9 and 1 at right angles
		{"a stronger grating", 8, 8, colours, func(x, y float64) float64 { return 3*grating(.25, 0)(x, y) + grating(0, .25)(x, y) }, .8},
		{"a round blob", 7, 7, colours, blob, 0},
		{"a round blob in an even square", 8, 8, colours, blob, 0},
		{"a ring", 11, 11, colours[:1], ring, 0},
		{"a chessboard", 6, 6, colours, grating(.5, .5), 0},
	} {
		got, err := Orientation(picture(c.height, c.width, c.channels, c.at), c.width, len(c.channels))
		if err != nil || !(math.Abs(got-c.want) <= 1e-12) {
			t.Errorf("%s: %g, %v, want %g", c.what, got, err, c.want)
		}
	}
	if got, err := Orientation(picture(7, 7, colours, func(x, y float64) float64 { return .1 }), 7, 3); err != nil || !math.IsNaN(got) {
		t.Errorf("a flat filter: %g, %v", got, err)
	}
	for _, c := range [][3]int{{12, 5, 1}, {12, 4, 2}, {0, 1, 1}, {12, 0, 3}, {12, 4, 0}} {
		if _, err := Orientation(make([]float64, c[0]), c[1], c[2]); err == nil {
			t.Errorf("%d numbers of width %d and %d channels were taken", c[0], c[1], c[2])
		}
	}
}

// Against the transform by its definition.
func TestOrientationSlow(t *testing.T) {
	const height, width, channels = 6, 5, 2
	f := normals(height*width*channels, 8)
	var along complex128
	var all float64
	for v := range height {
		for u := range width {
			y, x := float64((v+3)%height-3)/height, float64((u+2)%width-2)/width
			if x == 0 && y == 0 {
				continue
			}
			for c := range channels {
				var sum complex128
				for i := range height * width {
					turn := float64(u*(i%width))/width + float64(v*(i/width))/height
					sum += complex(f[i*channels+c], 0) * cmplx.Exp(complex(0, -2*math.Pi*turn))
				}
				e := cmplx.Abs(sum) * cmplx.Abs(sum)
				along += complex(e, 0) * cmplx.Exp(complex(0, 2*math.Atan2(y, x)))
				all += e
			}
		}
	}
	if got, _ := Orientation(f, width, channels); !(math.Abs(got-cmplx.Abs(along)/all) <= 1e-12) {
		t.Errorf("%g, want %g", got, cmplx.Abs(along)/all)
	}
}

// Brightness, contrast and a quarter turn do not orient a filter; the larger noise is, the less it is
// oriented.
func TestLawOrientation(t *testing.T) {
	const size, channels = 9, 3
	f := normals(size*size*channels, 3)
	before, _ := Orientation(f, size, channels)
	turned := make([]float64, len(f))
	for i, v := range f {
		p, c := i/channels, i%channels
		turned[(p%size*size+size-1-p/size)*channels+c] = 7 - 2*v
	}
	if after, _ := Orientation(turned, size, channels); !(math.Abs(after-before) <= 1e-12) {
		t.Errorf("%g, and turned %g", before, after)
	}
	mean := func(size int) (m float64) {
		for seed := range uint64(20) {
			v, _ := Orientation(normals(size*size, seed), size, 1)
			m += v / 20
		}
		return m
	}
	if small, large := mean(7), mean(28); !(large < small/2 && small < .4) {
		t.Errorf("noise of 7×7 pixels %g, of 28×28 %g", small, large)
	}
}

func TestChroma(t *testing.T) {
	for _, c := range []struct {
		what string
		f    []float64
		want float64
	}{
		{"grey", []float64{1, 1, 1, -2, -2, -2}, 0},
		{"red", []float64{2, 0, 0}, 2. / 3},
		{"red against cyan", []float64{2, -1, -1}, 1},
		{"red in one place, green in another", []float64{1, 0, 0, 0, 3, 0}, 2. / 3},
		{"half of the energy", []float64{1, 1, 1, math.Sqrt(1.5), -math.Sqrt(1.5), 0}, .5},
	} {
		if got, err := Chroma(c.f); err != nil || !(math.Abs(got-c.want) <= 1e-15) {
			t.Errorf("%s: %g, %v, want %g", c.what, got, err, c.want)
		}
	}
	if got, _ := Chroma(make([]float64, 6)); !math.IsNaN(got) {
		t.Errorf("zeros: %g", got)
	}
	if got, _ := Chroma(normals(30000, 5)); !(math.Abs(got-2./3) <= .01) {
		t.Errorf("noise: %g", got)
	}
	for _, n := range []int{0, 4} {
		if _, err := Chroma(make([]float64, n)); err == nil {
			t.Errorf("%d numbers were taken", n)
		}
	}
}

func TestStrongest(t *testing.T) {
	m := []float64{.1, -5, 3, 3, 0, 3, -.2, 4}
	for share, want := range map[float64][]float64{
		0:    {0, 0, 0, 0, 0, 0, 0, 0},
		.1:   {0, 1, 0, 0, 0, 0, 0, 0}, // one of eight is an eighth
		.25:  {0, 1, 0, 0, 0, 0, 0, 1},
		.5:   {0, 1, 1, 1, 0, 0, 0, 1}, // of equal ones the first
		.625: {0, 1, 1, 1, 0, 1, 0, 1},
		1:    {1, 1, 1, 1, 1, 1, 1, 1},
	} {
		got, err := Strongest(m, share)
		if err != nil {
			t.Fatal(err)
		}
		for i := range m {
			if got[i] != want[i] {
				t.Errorf("%g: %v, want %v", share, got, want)
				break
			}
		}
	}
	flat, _ := Strongest(make([]float64, 100), .5)
	for i, v := range flat {
		if (v == 1) != (i < 50) {
			t.Fatalf("of a flat map pixel %d is %g", i, v)
		}
	}
	for _, share := range []float64{-.1, 1.1, math.NaN()} {
		if _, err := Strongest(m, share); err == nil {
			t.Errorf("a share of %g was taken", share)
		}
	}
}

// A share that is written as a decimal fraction marks as many pixels as its product says, though no float
// is 0.07, and 0.07·100 is rounded up to just above 7.
func TestLawStrongestCounts(t *testing.T) {
	for thousandth := range 1001 {
		share, err := strconv.ParseFloat(fmt.Sprintf("%d.%03d", thousandth/1000, thousandth%1000), 64)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{1, 7, 100, 1000, 50176} {
			mask, err := Strongest(make([]float64, n), share)
			if err != nil {
				t.Fatal(err)
			}
			marked := 0
			for _, v := range mask {
				marked += int(v)
			}
			if want := (thousandth*n + 999) / 1000; marked != want {
				t.Fatalf("a share of %g of %d pixels marks %d, want %d", share, n, marked, want)
			}
		}
	}
}

// What is strongest has the most mass that as many pixels can have.
func TestLawStrongest(t *testing.T) {
	m := normals(500, 4)
	mask, _ := Strongest(m, .2)
	most, _ := Mass(m, mask)
	s := random.New(9, 0, 0)
	for i := range 200 {
		a, b := s.Intn(2*i, len(m)), s.Intn(2*i+1, len(m))
		mask[a], mask[b] = mask[b], mask[a]
		if other, _ := Mass(m, mask); other > most {
			t.Fatalf("%g of the mass, and elsewhere %g", most, other)
		}
	}
}

func TestPurity(t *testing.T) {
	for _, c := range []struct {
		kinds []string
		want  float64
	}{
		{[]string{"striped", "wood", "striped", "dotted"}, .5},
		{[]string{"wood", "wood"}, 1},
		{[]string{"a", "b", "c", "d", "e"}, .2},
	} {
		if got := Purity(c.kinds); got != c.want {
			t.Errorf("%v: %g, want %g", c.kinds, got, c.want)
		}
	}
	if got := Purity([]int{}); !math.IsNaN(got) {
		t.Errorf("of nothing: %g", got)
	}
}
