package show

import (
	"image/color"
	"math"
	"testing"
)

// toOKLab inverts oklab, from the published matrices of the way there.
func toOKLab(c color.RGBA) (l, a, b float64) {
	linear := func(v uint8) float64 {
		x := float64(v) / 255
		if x <= .04045 {
			return x / 12.92
		}
		return math.Pow((x+.055)/1.055, 2.4)
	}
	return linearToOKLab(linear(c.R), linear(c.G), linear(c.B))
}

func linearToOKLab(r, g, bl float64) (l, a, b float64) {
	long := math.Cbrt(.4122214708*r + .5363325363*g + .0514459929*bl)
	medium := math.Cbrt(.2119034982*r + .6806995451*g + .1073969566*bl)
	short := math.Cbrt(.0883024619*r + .2817188376*g + .6299787005*bl)
	return .2104542553*long + .7936177850*medium - .0040720468*short,
		1.9779984951*long - 2.4285922050*medium + .4505937099*short,
		.0259040371*long + .7827717662*medium - .8086757660*short
}

func distance(c, d color.RGBA) float64 {
	l, a, b := toOKLab(c)
	m, p, q := toOKLab(d)
	return math.Sqrt((l-m)*(l-m) + (a-p)*(a-p) + (b-q)*(b-q))
}

// No colour of a palette is clipped to what a screen can show: each is the one asked for, to a byte's
// rounding.
func TestOKLab(t *testing.T) {
	for l := .1; l < .95; l += .1 {
		for _, ab := range [][2]float64{{0, 0}, {.05, 0}, {-.03, .02}, {.02, -.04}} {
			l2, a2, b2 := toOKLab(oklab(l, ab[0], ab[1]))
			if math.Abs(l-l2)+math.Abs(ab[0]-a2)+math.Abs(ab[1]-b2) > .02 {
				t.Errorf("oklab(%g, %g, %g) is (%g, %g, %g)", l, ab[0], ab[1], l2, a2, b2)
			}
		}
	}
	for want, got := range map[color.RGBA]color.RGBA{
		{0, 0, 0, 255}: oklab(0, 0, 0), {255, 255, 255, 255}: oklab(1, 0, 0), {255, 0, 0, 255}: oklab(.627955, .224863, .125846),
	} {
		if got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

// Equal steps of the number look equally far apart.
func TestLawUniform(t *testing.T) {
	const steps = 16
	for name, r := range map[string]struct {
		ramp ramp
		from float64
	}{"heat": {heat, 0}, "diverging": {diverging, -1}} {
		var d []float64
		sum := 0.
		for i := range steps {
			at := func(i int) color.RGBA { return r.ramp(r.from + (1-r.from)*float64(i)/steps) }
			d = append(d, distance(at(i), at(i+1)))
			sum += d[i]
		}
		for i := range d {
			if mean := sum / steps; !(math.Abs(d[i]-mean) <= .12*mean) {
				t.Errorf("%s: step %d of %d is %.4f, and the mean %.4f", name, i, steps, d[i], mean)
			}
		}
	}
}

// Order survives without colour: lightness rises with magnitude in heat, falls in diverging, and is the
// same on both sides of zero.
func TestLawLightness(t *testing.T) {
	for i := range 50 {
		t0, t1 := float64(i)/50, float64(i+1)/50
		h0, _, _ := toOKLab(heat(t0))
		h1, _, _ := toOKLab(heat(t1))
		if h1 <= h0 {
			t.Errorf("heat(%g) is not lighter than heat(%g)", t1, t0)
		}
		d0, _, _ := toOKLab(diverging(t0))
		d1, _, _ := toOKLab(diverging(t1))
		n1, _, _ := toOKLab(diverging(-t1))
		if d1 >= d0 || !(math.Abs(d1-n1) <= .006) {
			t.Errorf("diverging at %g, %g and %g has lightness %g, %g and %g", t0, t1, -t1, d0, d1, n1)
		}
	}
}

// Both signs stay apart for those who lack the long or the medium cones (simulated after Viénot, Brettel
// and Mollon, 1999).
func TestLawColourBlind(t *testing.T) {
	simulate := map[string]func(r, g, b float64) (float64, float64, float64){
		"protan": func(r, g, b float64) (float64, float64, float64) {
			return .11238*r + .88762*g, .11238*r + .88762*g, .00401*r - .00401*g + b
		},
		"deutan": func(r, g, b float64) (float64, float64, float64) {
			return .29275*r + .70725*g, .29275*r + .70725*g, -.02234*r + .02234*g + b
		},
	}
	linear := func(v uint8) float64 { return math.Pow(float64(v)/255, 2.2) }
	for name, see := range simulate {
		for _, at := range []float64{.25, .5, 1} {
			var lab [2][3]float64
			for i, c := range []color.RGBA{diverging(-at), diverging(at)} {
				lab[i][0], lab[i][1], lab[i][2] = linearToOKLab(see(linear(c.R), linear(c.G), linear(c.B)))
			}
			apart := math.Hypot(math.Hypot(lab[0][0]-lab[1][0], lab[0][1]-lab[1][1]), lab[0][2]-lab[1][2])
			if apart < .2*at {
				t.Errorf("%s: −%g and +%g are %.3f apart", name, at, at, apart)
			}
		}
	}
}
