package render

import (
	"fmt"
	"math"
)

// Flat is a sheet before a camera that looks at the middle of the photograph's plane from a distance of 4 half heights of the
// photograph, as scenes are seen. The sheet is turned about its own middle.
type Flat struct {
	Aspect float64 // the sheet's width divided by its height; 0 is 1
	Size   float64 // the sheet's height seen straight, as a share of the photograph's; 0 is .8
	X, Y   float64 // its middle, in half heights right of and above the photograph's

	// Outline is the polygon that the sheet is cut to, in (u, v) from 0 to 1 from its left to its right and from its top to its bottom
	// edge; nil is all of the sheet.
	Outline [][2]float64

	// The sheet is leant away by Tilt degrees about an axis in its plane that is Axis degrees from the horizontal, and before that
	// turned in its plane by Roll degrees counter-clockwise.
	Tilt, Axis, Roll float64

	// Light is how bright the sheet is in its middle, in red, green and blue; all 0 is 1. Fall is by how much that rises from the
	// sheet's left to its right edge, and from its bottom to its top.
	Light [3]float64
	Fall  [2]float64
}

const away = 4 // distance of the camera

type vec [3]float64

func (a vec) plus(b vec, k float64) vec { return vec{a[0] + k*b[0], a[1] + k*b[1], a[2] + k*b[2]} }
func (a vec) dot(b vec) float64         { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

// axes returns the sheet's directions to the right, up, and towards the camera.
func (f Flat) axes() (right, up, out vec) {
	turn := func(v vec) vec {
		s, c := math.Sincos(f.Roll * math.Pi / 180)
		v = vec{c*v[0] - s*v[1], s*v[0] + c*v[1], v[2]}
		k := vec{math.Cos(f.Axis * math.Pi / 180), math.Sin(f.Axis * math.Pi / 180), 0}
		s, c = math.Sincos(f.Tilt * math.Pi / 180) // Rodrigues
		cross := vec{k[1]*v[2] - k[2]*v[1], k[2]*v[0] - k[0]*v[2], k[0]*v[1] - k[1]*v[0]}
		r := vec{}.plus(v, c).plus(cross, s)
		return r.plus(k, k.dot(v)*(1-c))
	}
	return turn(vec{1, 0, 0}), turn(vec{0, 1, 0}), turn(vec{0, 0, 1})
}

func (f Flat) filled() Flat {
	if f.Aspect == 0 {
		f.Aspect = 1
	}
	if f.Size == 0 {
		f.Size = .8
	}
	if f.Light == [3]float64{} {
		f.Light = [3]float64{1, 1, 1}
	}
	return f
}

// View returns what the camera sees in a photograph of h×w pixels with rays×rays rays each, before a background of [h·w·3]
// numbers in [0, 1].
func (f Flat) View(h, w, rays int, background []float64) (*View, error) {
	f = f.filled()
	switch {
	case !(f.Aspect > 0 && f.Size > 0 && f.Aspect < 1e6 && f.Size < 1e6):
		return nil, fmt.Errorf("render: Flat: Aspect is %g and Size %g, must be above 0", f.Aspect, f.Size)
	case !(math.Abs(f.Tilt) < 90):
		return nil, fmt.Errorf("render: Flat: Tilt is %g degrees, must be between −90 and 90: beyond, the sheet shows its back", f.Tilt)
	case h < 1 || w < 1 || rays < 1 || rays > 16:
		return nil, fmt.Errorf("render: a photograph of %d×%d pixels with %d×%[3]d rays each, must be at least 1×1 with 1 to 16", h, w, rays)
	}
	v := &View{H: h, W: w, Rays: rays * rays, Background: background, Hits: make([]Hit, 0, h*w*rays*rays)}
	right, up, out := f.axes()
	eye := vec{-f.X, -f.Y, away} // seen from the sheet's middle
	across, above, before := eye.dot(right), eye.dot(up), eye.dot(out)
	for p := range h * w {
		for k := range rays * rays {
			x := ((float64(p%w*rays+k%rays)+.5)/float64(rays)*2 - float64(w)) / float64(h)
			y := 1 - (float64(p/w*rays+k/rays)+.5)/float64(rays*h)*2
			speed := x*out[0] + y*out[1] - away*out[2] // of the ray (x, y, −away) out of the sheet's plane
			if speed >= 0 {
				continue
			}
			far := -before / speed
			u := (across+far*(x*right[0]+y*right[1]-away*right[2]))/(2*f.Size*f.Aspect) + .5
			t := .5 - (above+far*(x*up[0]+y*up[1]-away*up[2]))/(2*f.Size)
			if !(u >= 0 && u <= 1 && t >= 0 && t <= 1) || f.Outline != nil && !Inside(f.Outline, u, t) {
				continue
			}
			hit := Hit{Pixel: int32(p), U: float32(u), V: float32(t)}
			for c := range hit.Light {
				hit.Light[c] = float32(f.Light[c] * max(0, 1+f.Fall[0]*(u-.5)+f.Fall[1]*(.5-t)))
			}
			v.Hits = append(v.Hits, hit)
		}
	}
	return v, v.Check()
}

// Inside reports whether a point is inside a polygon, given by its corners.
func Inside(corners [][2]float64, x, y float64) bool {
	inside := false
	for i, a := range corners {
		b := corners[(i+1)%len(corners)]
		if (a[1] > y) != (b[1] > y) && x < a[0]+(y-a[1])/(b[1]-a[1])*(b[0]-a[0]) {
			inside = !inside
		}
	}
	return inside
}

// Corners returns where the sheet's corners are in a photograph of h×w pixels: columns and rows, in pixels from its top left
// corner, of the sheet's top left, top right, bottom right and bottom left corners.
func (f Flat) Corners(h, w int) (corners [4][2]float64) {
	f = f.filled()
	right, up, _ := f.axes()
	for i, s := range [4][2]float64{{-1, 1}, {1, 1}, {1, -1}, {-1, -1}} {
		p := vec{f.X, f.Y, 0}.plus(right, s[0]*f.Size*f.Aspect).plus(up, s[1]*f.Size)
		k := away / (away - p[2])
		corners[i] = [2]float64{(p[0]*k*float64(h) + float64(w)) / 2, (1 - p[1]*k) * float64(h) / 2}
	}
	return corners
}
