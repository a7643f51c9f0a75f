package render

import (
	"math"
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/random"
)

func noise(seed uint64, h, w int) interp.Images {
	x, s := interp.Images{N: 1, H: h, W: w, C: 3, Pix: make([]float64, h*w*3)}, random.New(seed, 0, 0)
	for i := range x.Pix {
		x.Pix[i] = s.Uniform(i)
	}
	return x
}

// A sheet that fills the photograph, seen straight with one ray a pixel, is the photograph.
func TestStraight(t *testing.T) {
	paint := noise(1, 5, 7)
	v, err := Flat{Aspect: 7. / 5, Size: 1}.View(5, 7, 1, make([]float64, 5*7*3))
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range v.Draw(paint) {
		if math.Abs(got-paint.Pix[i]) > 1e-6 {
			t.Fatalf("number %d is %g, want %g", i, got, paint.Pix[i])
		}
	}
}

// views are several, which leave nothing out: light, highlights, both edges closed, rays that miss.
func views(t *testing.T) []*View {
	var all []*View
	for i, f := range []Flat{
		{Tilt: 40, Axis: 30, Roll: 12, X: .1, Y: -.2, Size: .6, Light: [3]float64{.8, 1.1, .9}, Fall: [2]float64{.3, -.2}},
		{Tilt: -70, Axis: 90, Size: 2, Aspect: .5},
	} {
		v, err := f.View(9, 11, 2, noise(uint64(i+7), 9, 11).Pix)
		if err != nil {
			t.Fatal(err)
		}
		v.AroundU, v.AroundV = i == 1, i == 1
		for k := range v.Hits {
			v.Hits[k].Shine = float32(k%5) / 20
		}
		all = append(all, v)
	}
	return all
}

// The derivative by the paint is that of finite differences, of a sum of what is seen with weights.
func TestLawDerivative(t *testing.T) {
	for n, v := range views(t) {
		paint, by := noise(3, 6, 8), noise(4, v.H, v.W).Pix
		score := func() (sum float64) {
			for i, s := range v.Draw(paint) {
				sum += by[i] * s
			}
			return sum
		}
		got := make([]float64, len(paint.Pix))
		v.Back(paint, by, got)
		const h = 1e-7
		for i := range paint.Pix {
			was := paint.Pix[i]
			paint.Pix[i] = was + h
			up := score()
			paint.Pix[i] = was - h
			want := (up - score()) / (2 * h)
			paint.Pix[i] = was
			if math.Abs(got[i]-want) > 1e-6 {
				t.Fatalf("view %d, number %d: %g, finite differences %g", n, i, got[i], want)
			}
		}
	}
}

// Corners are where the sheet is seen to end: of a white sheet in the dark, the pixels inside their quadrilateral are covered,
// and no other.
func TestCorners(t *testing.T) {
	const h, w = 60, 80
	for _, f := range []Flat{{}, {Tilt: 45, Axis: 20, Roll: 30, X: .2, Size: .5, Aspect: 1.4}, {Tilt: -60, Axis: 90, Size: .7}} {
		v, err := f.View(h, w, 1, make([]float64, h*w*3))
		if err != nil {
			t.Fatal(err)
		}
		cover, corners := v.Cover(), f.Corners(h, w)
		for p, got := range cover {
			x, y, inside, near := float64(p%w)+.5, float64(p/w)+.5, true, false
			for i, a := range corners {
				b := corners[(i+1)%4]
				side := ((b[0]-a[0])*(y-a[1]) - (b[1]-a[1])*(x-a[0])) / math.Hypot(b[0]-a[0], b[1]-a[1])
				inside, near = inside && side > 0, near || math.Abs(side) < 1e-3
			}
			if !near && inside != (got == 1) {
				t.Fatalf("%+v: pixel (%g, %g) is covered by %g, and inside is %t", f, x, y, got, inside)
			}
		}
	}
}

// A sheet that is cut to a triangle shows the background outside of it.
func TestOutline(t *testing.T) {
	const n = 40
	v, err := Flat{Size: 1, Outline: [][2]float64{{.1, .2}, {1, .2}, {.1, 1}}}.View(n, n, 1, make([]float64, n*n*3))
	if err != nil {
		t.Fatal(err)
	}
	for p, got := range v.Cover() {
		x, y := (float64(p%n)+.5)/n, (float64(p/n)+.5)/n
		if want := x > .1 && y > .2 && (x-.1)/.9+(y-.2)/.8 < 1; want != (got == 1) {
			t.Fatalf("(%g, %g) is covered by %g", x, y, got)
		}
	}
}

// Light falls from the sheet's left to its right edge and from its bottom to its top, and colours are lit each by its own.
func TestLight(t *testing.T) {
	const n = 10
	white := interp.Images{N: 1, H: 1, W: 1, C: 3, Pix: []float64{1, 1, 1}}
	f := Flat{Size: 1, Light: [3]float64{.5, .6, .7}, Fall: [2]float64{.4, -.2}}
	v, err := f.View(n, n, 1, make([]float64, n*n*3))
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range v.Draw(white) {
		right, up := (float64(i/3%n)+.5)/n-.5, .5-(float64(i/3/n)+.5)/n
		if want := f.Light[i%3] * (1 + .4*right - .2*up); math.Abs(got-want) > 1e-6 {
			t.Fatalf("number %d is %g, want %g", i, got, want)
		}
	}
}

func TestBadViews(t *testing.T) {
	black := make([]float64, 12)
	for want, f := range map[string]func() error{
		"Tilt is 90":           func() error { _, err := Flat{Tilt: 90}.View(2, 2, 1, black); return err },
		"Aspect is -1":         func() error { _, err := Flat{Aspect: -1}.View(2, 2, 1, black); return err },
		"Size NaN":             func() error { _, err := Flat{Size: math.NaN()}.View(2, 2, 1, black); return err },
		"Background has 12":    func() error { _, err := Flat{}.View(3, 3, 1, black); return err },
		"must be at least 1×1": func() error { _, err := Flat{}.View(0, 3, 1, black); return err },
		"ray 0 belongs to pixel 9": func() error {
			return (&View{H: 2, W: 2, Rays: 1, Background: black, Hits: []Hit{{Pixel: 9}}}).Check()
		},
		"more than 1 rays": func() error {
			return (&View{H: 2, W: 2, Rays: 1, Background: black, Hits: []Hit{{}, {}}}).Check()
		},
		"the value NaN": func() error {
			return (&View{H: 2, W: 2, Rays: 1, Background: black, Hits: []Hit{{U: float32(math.NaN())}}}).Check()
		},
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q, want %q in it", err, want)
		}
	}
}
