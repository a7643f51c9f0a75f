package featvis

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"lucigo/interp"
	"lucigo/interp/random"
)

// Transformation changes at random, from look to look, where the network looks at the image. All of a
// look's are composed into one map, and the image is sampled once.
type Transformation interface {
	fmt.Stringer // its name with all parameters

	// Draw draws the map of a look from a stream that is used for nothing else.
	Draw(s random.Stream, at Look) Affine
}

// Look is one look of the network at an image.
type Look struct {
	Height, Width    int     // of the image
	WindowH, WindowW int     // of what the network sees
	Done             float64 // how much of the optimisation is done: 0 at the first step, 1 at the last
}

// Affine is a map from places of what the network sees to places of the image, both in pixels right of
// and below the middle: (x, y) ↦ (a·x + b·y + c, d·x + e·y + f), of [a, b, c, d, e, f].
type Affine [6]float64

// After returns the map that applies m first and then a.
func (a Affine) After(m Affine) Affine {
	return Affine{
		a[0]*m[0] + a[1]*m[3], a[0]*m[1] + a[1]*m[4], a[0]*m[2] + a[1]*m[5] + a[2],
		a[3]*m[0] + a[4]*m[3], a[3]*m[1] + a[4]*m[4], a[3]*m[2] + a[4]*m[5] + a[5],
	}
}

// Inverse returns the map back. The map of a picture to a line has none: its inverse is not finite.
func (a Affine) Inverse() Affine {
	det := a[0]*a[4] - a[1]*a[3]
	return Affine{
		a[4] / det, -a[1] / det, (a[1]*a[5] - a[4]*a[2]) / det,
		-a[3] / det, a[0] / det, (a[3]*a[2] - a[0]*a[5]) / det,
	}
}

// Jitter shifts the image, each way as often: down, and independently to the right, by one of −Pixels/2,
// −Pixels/2+1, …, Pixels/2. Those are whole numbers where Pixels is even; by halves, neighbours are mixed.
type Jitter struct {
	Pixels int // 0: 8
}

// String returns the transformation's name and parameter.
func (j Jitter) String() string { return fmt.Sprintf("jitter %d", cmp.Or(j.Pixels, 8)) }

// Draw implements Transformation.
func (j Jitter) Draw(s random.Stream, _ Look) Affine {
	d := cmp.Or(j.Pixels, 8)
	if d < 0 {
		return Affine{math.NaN()}
	}
	shift := func(i int) float64 { return float64(s.Intn(i, d+1)) - float64(d)/2 }
	return Affine{1, 0, -shift(0), 0, 1, -shift(1)}
}

// Scale enlarges the image by a factor that is uniform from Low to High, about its middle.
type Scale struct {
	Low, High float64 // both 0: 0.9 and 1.1
}

func (s Scale) defaults() Scale { return cmp.Or(s, Scale{.9, 1.1}) }

// String returns the transformation's name and parameters.
func (s Scale) String() string {
	s = s.defaults()
	return fmt.Sprintf("scale %g–%g", s.Low, s.High)
}

// Draw implements Transformation.
func (s Scale) Draw(r random.Stream, _ Look) Affine {
	s = s.defaults()
	by := s.Low + (s.High-s.Low)*r.Uniform(0)
	if !(s.Low > 0) || s.High < s.Low {
		return Affine{math.NaN()}
	}
	return Affine{1 / by, 0, 0, 0, 1 / by, 0}
}

// Rotate turns the image about its middle by an angle that is uniform from −Degrees to Degrees. Positive
// angles turn it clockwise.
type Rotate struct {
	Degrees float64 // 0: 10
}

// String returns the transformation's name and parameter.
func (t Rotate) String() string { return fmt.Sprintf("rotate ±%g°", cmp.Or(t.Degrees, 10)) }

// Draw implements Transformation.
func (t Rotate) Draw(s random.Stream, _ Look) Affine {
	return turn(cmp.Or(t.Degrees, 10) * (2*s.Uniform(0) - 1))
}

// turn returns the map of a picture that is turned clockwise: what is seen at v was at v turned back.
func turn(degrees float64) Affine {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	return Affine{cos, sin, 0, -sin, cos, 0}
}

// Crop enlarges a window of random size and place until it fills what the network sees, as the MaCo
// paper's authors do (arXiv:2306.06805; the numbers are those of their implementation, Xplique). The
// window's sides are a part of the image's that is normal about a mean, which goes evenly from First at
// the first step to Last at the last, but not below 0.05 or above 1. Its middle is normal about the
// image's. What lies beyond the image is grey.
type Crop struct {
	First, Last float64 // both 0: 0.5 and 0.05
	SD          float64 // standard deviation of the part; 0: 0.05
	Off         float64 // that of the middle's place, across and down, as a part of the sides; 0: 0.15
}

func (c Crop) defaults() Crop {
	if c.First == 0 && c.Last == 0 {
		c.First, c.Last = .5, .05
	}
	c.SD, c.Off = cmp.Or(c.SD, .05), cmp.Or(c.Off, .15)
	return c
}

// String returns the transformation's name and parameters.
func (c Crop) String() string {
	c = c.defaults()
	return fmt.Sprintf("crops of %g–%g ± %g at ±%g", c.First, c.Last, c.SD, c.Off)
}

// Draw implements Transformation.
func (c Crop) Draw(s random.Stream, at Look) Affine {
	c = c.defaults()
	if !(c.First > 0 && c.Last > 0 && c.SD >= 0 && c.Off >= 0) {
		return Affine{math.NaN()}
	}
	var normal [3]float64
	s.Normals(normal[:])
	part := min(max(c.First+(c.Last-c.First)*at.Done+c.SD*normal[0], .05), 1)
	h, w := float64(at.Height), float64(at.Width)
	return Affine{
		part * w / float64(at.WindowW), 0, c.Off * w * normal[1],
		0, part * h / float64(at.WindowH), c.Off * h * normal[2],
	}
}

// Standard returns the article's transformations: jitter by 8 pixels, scale by 0.9 to 1.1, rotation by up
// to 10° either way, and jitter by 4. (Its implementation picks one of 11 factors and of 21 angles, and no
// rotation six times as often as another; here all in between come, equally often.) What lies beyond the
// image is grey, 0.5, without end, and the network sees a window of the image's size.
//
// The article pads the image by 12 pixels of grey on each side first, of which the two jitters cut off 12
// in all: a Render.Window 12 pixels higher and wider than the image shows as much. One that is 24 higher
// and wider, and so shows all of the border, took 1.2 times as long on GoogLeNet and left the image's
// borders much as they are without.
func Standard() []Transformation {
	return []Transformation{Jitter{8}, Scale{}, Rotate{}, Jitter{4}}
}

// None is no transformation: the network sees the image as it is.
var None = []Transformation{}

// compose draws the map of a look: ts are applied to the image in order. Sample tells the looks of an
// image apart.
func compose(ts []Transformation, seed, key, sample uint64, at Look) (Affine, error) {
	m := Affine{1, 0, 0, 0, 1, 0}
	for i, t := range ts {
		a := t.Draw(random.New(seed, key, random.Hash(sample, uint64(i)+1)), at)
		m = m.After(a)
		for _, v := range append(a[:], a.Inverse()[0]) {
			if interp.NotFinite(v) {
				return m, fmt.Errorf("featvis: transformation %q draws the map %v, must be one that can be undone", t, a)
			}
		}
	}
	return m, nil
}

// upright reports whether rows stay rows and columns columns.
func (a Affine) upright() bool { return a[1] == 0 && a[3] == 0 }

// reach is how many pixels, along an axis, of what the network sees can be touched by one pixel of the
// image.
func (a Affine) reach() int {
	inverse := a.Inverse()
	across := max(math.Abs(inverse[0])+math.Abs(inverse[1]), math.Abs(inverse[3])+math.Abs(inverse[4]))
	return int(math.Ceil(2*across - 1e-9))
}

func names(ts []Transformation) string {
	if len(ts) == 0 {
		return "no transformations"
	}
	var names []string
	for _, t := range ts {
		names = append(names, fmt.Sprint(t))
	}
	return strings.Join(names, ", ")
}
