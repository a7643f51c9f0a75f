package show

import (
	"image/color"
	"math"
)

// levels is how many colours a palette has: one fewer than a byte counts, so that zero has its own in the middle.
const levels = 255

// A ramp gives a colour for every t: in [0, 1] for magnitudes, in [-1, 1] for signed values.
type ramp func(t float64) color.RGBA

// heat goes from black over purple, red and peach to a warm white. Lightness rises evenly and the two
// colour axes run once around a circle through grey, so equal steps of t look equally far apart
// (constant speed in OKLab) and the order survives in grey.
func heat(t float64) color.RGBA {
	const chroma, start = .18, 287 * math.Pi / 180
	c, hue := chroma*math.Sin(math.Pi*t), start+math.Pi*t
	return oklab(.08+.89*t, c*math.Cos(hue), c*math.Sin(hue))
}

// diverging is white at zero, blue below and red above: straight lines in OKLab of one lightness at t and
// -t, in two colours that the usual kinds of colour blindness keep apart.
func diverging(t float64) color.RGBA {
	const chroma = .19
	hue := 27 * math.Pi / 180
	if t < 0 {
		t, hue = -t, 262*math.Pi/180
	}
	return oklab(.985-.505*t, t*chroma*math.Cos(hue), t*chroma*math.Sin(hue))
}

// grey is black at 0 and white at 1: sRGB values are close to even steps of lightness by themselves.
func grey(t float64) color.RGBA {
	v := uint8(math.Round(255 * t))
	return color.RGBA{v, v, v, 255}
}

// signedGrey is black at -1, middle grey at 0 and white at 1.
func signedGrey(t float64) color.RGBA { return grey((t + 1) / 2) }

// table samples a ramp at every level, the first of them -1 where signed.
func (r ramp) table(signed bool) color.Palette {
	p := make(color.Palette, levels)
	for i := range p {
		t := float64(i) / (levels - 1)
		if signed {
			t = 2*t - 1
		}
		p[i] = r(t)
	}
	return p
}

// oklab returns the sRGB colour of lightness l (0 black, 1 white) and colour axes a and b, after
// B. Ottosson, "A perceptual color space for image processing", 2020.
func oklab(l, a, b float64) color.RGBA {
	cone := func(p, q float64) float64 { v := l + p*a + q*b; return v * v * v }
	long := cone(+0.3963377774, +0.2158037573)
	medium := cone(-0.1055613458, -0.0638541728)
	short := cone(-0.0894841775, -1.2914855480)
	return color.RGBA{
		R: gamma(+4.0767416621*long - 3.3077115913*medium + 0.2309699292*short),
		G: gamma(-1.2684380046*long + 2.6097574011*medium - 0.3413193965*short),
		B: gamma(-0.0041960863*long - 0.7034186147*medium + 1.7076147010*short),
		A: 255,
	}
}

// gamma codes a linear intensity as sRGB does, clipped to what a byte holds.
func gamma(v float64) uint8 {
	if v <= .0031308 {
		v *= 12.92
	} else {
		v = 1.055*math.Pow(v, 1/2.4) - .055
	}
	return uint8(math.Round(255 * min(max(v, 0), 1)))
}
