package scenes

import "math"

// BackgroundKind says what surrounds the solid in the picture.
type BackgroundKind int

// The backgrounds.
const (
	Even      BackgroundKind = iota // almost one colour
	Slope                           // a straight gradient
	Clouds                          // fractal noise
	Floor                           // a patterned plane up to a horizon, sky above
	Wallpaper                       // a flat pattern
)

// Background is what surrounds the solid in the picture. Places are in image widths from the top left corner.
type Background struct {
	Kind      BackgroundKind
	Colours   [3]RGB // the first two are mixed; the third is the sky of Floor
	Angle     float64
	Frequency float64    // noise cells across the image (Clouds)
	Strength  float64    // how much of the second colour the pattern may show, 0 … 1
	Horizon   float64    // height of the Floor's edge
	Lean      float64    // the edge's slope
	Offset    [3]float64 // where in the noise it is cut
	Print     Print      // the pattern of Floor and Wallpaper
	Clutter   []Piece    // drawn over it, first to last
	Mottled   bool       // brightness unevenly ±20 %
}

// Piece is one flat thing lying about: a rectangle or an ellipse, with a pattern or shaded along its width.
type Piece struct {
	X, Y, Angle, Width, Height float64
	Round, Printed             bool
	Colours                    [2]RGB
	Print                      Print
}

// Print is a flat pattern: stripes, dots, checks, streaks, veins or clouds. Texture alone must not give a class away, so backgrounds
// carry patterns as well.
type Print struct {
	Kind      int // 0 stripes, 1 dots, 2 checks, 3 streaks, 4 veins, 5 and 6 clouds
	Angle     float64
	Frequency float64
	Offset    [3]float64

	cos, sin float64
}

func drawPrint(r source) Print {
	p := Print{Kind: r.IntN(7), Angle: r.in(0, math.Pi), Frequency: r.in(2, 7), Offset: r.place()}
	p.sin, p.cos = math.Sincos(p.Angle)
	return p
}

func drawBackground(r source) Background {
	var b Background
	for i := range b.Colours {
		b.Colours[i] = hsv(r.Float64(), r.in(0, 0.8), r.in(0.1, 1))
	}
	b.Kind = BackgroundKind(r.IntN(5))
	b.Angle, b.Frequency, b.Offset = r.angle(), r.in(1.5, 9), r.place()
	b.Horizon, b.Lean = r.in(0.3, 0.7), r.in(-0.15, 0.15)
	b.Strength, b.Print, b.Mottled = r.in(0, 1), drawPrint(r), r.chance(0.3)
	for range r.IntN(6) {
		b.Clutter = append(b.Clutter, Piece{
			X: r.Float64(), Y: r.Float64(), Angle: r.in(0, math.Pi), Width: r.in(0.04, 0.35), Height: r.in(0.04, 0.35),
			Round: r.chance(0.5), Printed: r.chance(0.35),
			Colours: [2]RGB{hsv(r.Float64(), r.Float64(), r.in(0.05, 1)), hsv(r.Float64(), r.Float64(), r.in(0.05, 1))},
			Print:   drawPrint(r),
		})
	}
	return b
}

// at returns the pattern's value at a place, in [0,1].
func (p *Print) at(x, y float64) float64 {
	u, v, o := (x*p.cos+y*p.sin)*p.Frequency, (y*p.cos-x*p.sin)*p.Frequency, p.Offset
	switch p.Kind {
	case 0:
		return smooth(-0.3, 0.3, math.Sin(2*math.Pi*u))
	case 1:
		a, b := frac(u)-0.5, frac(v)-0.5
		return 1 - smooth(0.25, 0.4, math.Sqrt(a*a+b*b))
	case 2:
		return smooth(-0.2, 0.2, math.Sin(math.Pi*u)*math.Sin(math.Pi*v))
	case 3:
		return clamp01(fractal(u+o[0], v*0.3+o[1], o[2], 4)*1.6 - 0.3)
	case 4:
		return math.Abs(math.Sin(3*u + 8*fractal(u+o[0], v+o[1], o[2], 4)))
	}
	return clamp01(fractal(u+o[0], v+o[1], o[2], 4)*2 - 0.5)
}

// at returns the background's colour at the place (x, y); soft is the width over which edges of pieces blend.
func (b *Background) at(x, y, soft float64) RGB {
	c := b.wall(x, y)
	for i := range b.Clutter {
		c = b.Clutter[i].over(c, x, y, soft)
	}
	if b.Mottled {
		c = c.times(0.8 + 0.4*fractal(x*6+b.Offset[1], y*6+b.Offset[2], b.Offset[0], 4))
	}
	return c
}

func (b *Background) wall(x, y float64) RGB {
	t := 0.0
	switch b.Kind {
	case Even:
		t = 0.2 * b.Strength * x
	case Slope:
		sin, cos := math.Sincos(b.Angle)
		t = clamp01(0.5 + (x-0.5)*cos + (y-0.5)*sin)
	case Clouds:
		t = clamp01(fractal(x*b.Frequency+b.Offset[0], y*b.Frequency+b.Offset[1], b.Offset[2], 5)*1.8 - 0.4)
	case Floor:
		below := y - b.Horizon - b.Lean*(x-0.5)
		if below <= 0 {
			return b.Colours[2].times(1 - 0.4*y)
		}
		away := 1 / (below + 0.25)
		t = 0.6 * smooth(0, 0.1, below) * b.Print.at((x-0.5)*0.5*away, 0.25*away)
	case Wallpaper:
		t = (0.2 + 0.7*b.Strength) * b.Print.at(x, y)
	}
	return b.Colours[0].mix(b.Colours[1], t)
}

func (p *Piece) over(under RGB, x, y, soft float64) RGB {
	x, y = x-p.X, y-p.Y
	if r := p.Width + p.Height + soft; x > r || x < -r || y > r || y < -r {
		return under
	}
	sin, cos := math.Sincos(p.Angle)
	x, y = x*cos+y*sin, y*cos-x*sin
	outside := 0.0
	if p.Round {
		a, b := 2*x/p.Width, 2*y/p.Height
		outside = (math.Sqrt(a*a+b*b) - 1) * min(p.Width, p.Height) / 2
	} else {
		outside = max(math.Abs(x)-p.Width/2, math.Abs(y)-p.Height/2)
	}
	cover := 1 - smooth(-soft, soft, outside)
	if cover == 0 {
		return under
	}
	t := 0.5 * clamp01(x/p.Width+0.5)
	if p.Printed {
		t = p.Print.at(1.6*x, 1.6*y)
	}
	return under.mix(p.Colours[0].mix(p.Colours[1], t), cover)
}
