package scenes

import (
	"fmt"
	"math"
	"slices"

	"lucigo/internal/parallel"
	"lucigo/interp"
	"lucigo/interp/render"
)

// Body is a solid that is painted with a picture, which a scene can show in place of its own shape: a mesh, for instance.
type Body interface {
	// Meet returns where the ray from o along d, which has length 1, first meets the body: how far along the ray, the outward normal,
	// which has length 1 too, and the place in the picture, from 0 to 1 from its left to its right edge and from its top to its bottom.
	Meet(o, d [3]float64) (far float64, normal [3]float64, u, v float64, ok bool)

	Reach() float64                  // radius of the ball about the origin that holds the body, in object units
	Closed() (aroundU, aroundV bool) // whether opposite edges of the picture meet on the body
}

// View returns what the camera sees of the scene's solid, apart from its paint, in size × size pixels: geometry, light, highlight and
// background as [Scene.Draw] draws them, with the same rays, and neither the surface's pattern nor the grain.
//
// The picture covers the solid once. On solids that are turned about their axis its columns are meridians and its rows are circles,
// evenly along the outline from the top to the bottom, so that the top edge is the upper pole and the lower edge the lower one; on a
// torus and a ring, whose outline is closed, all edges meet. The faces of a cube are six squares of it: in the upper row front
// (towards z), right and back, in the lower row left, top and bottom; each fills 94 % of its third and half, so that colours
// of two faces do not mix. A pyramid's four sides and its base are the first five. On a cone, a cylinder and a ring, whose outlines
// have edges too, each side fills 94 % of its rows.
func (s Scene) View(size int) (*render.View, error) {
	if nameless(int(s.Shape), shapeNames) {
		return nil, fmt.Errorf("scenes: no view of a %v, must be one of %v", s.Shape, shapeNames)
	}
	return s.ViewOf(s.Shape, size)
}

// ViewOf is View of another solid in the place of the scene's.
func (s Scene) ViewOf(b Body, size int) (*render.View, error) {
	switch r := b.Reach(); {
	case size < 1:
		return nil, fmt.Errorf("scenes: a view of %d×%[1]d pixels, must have at least one", size)
	case !(r < camera):
		return nil, fmt.Errorf("scenes: the solid reaches %g units from its middle and the camera is at %d: make it smaller", r, camera)
	}
	v := s.view(b.Reach())
	out := &render.View{H: size, W: size, Rays: rays * rays, Background: make([]float64, 0, 3*size*size)}
	out.AroundU, out.AroundV = b.Closed()
	soft := 1.2 / float64(size)
	for i := range size * size {
		for k := range rays * rays {
			x, y := through(i, k, size)
			d, _, ok := v.ray(x, y)
			if !ok {
				continue
			}
			_, normal, pu, pv, ok := b.Meet(v.eye.array(), d.array())
			if !ok {
				continue
			}
			bright, shine := v.lit(vec{normal[0], normal[1], normal[2]}, d)
			light := float32(bright)
			out.Hits = append(out.Hits, render.Hit{Pixel: int32(i), U: float32(pu), V: float32(pv), Light: [3]float32{light, light, light}, Shine: float32(shine)})
		}
		c := s.Background.at((float64(i%size)+0.5)/float64(size), (float64(i/size)+0.5)/float64(size), soft)
		out.Background = append(out.Background, clamp01(c[0]), clamp01(c[1]), clamp01(c[2]))
	}
	return out, out.Check()
}

// Texture returns the pattern of the scene's solid as the picture that [Scene.View] shows as what [Scene.Draw] draws, of h rows and
// w columns. Between its pixels the pattern is blended, so fine pictures show it better; jumps, as between rings of wood, stay blurred.
func (s Scene) Texture(h, w int) (interp.Images, error) {
	if h < 1 || w < 1 || h > 1<<14 || w > 1<<14 || nameless(int(s.Shape), shapeNames) || nameless(int(s.Surface), surfaceNames) {
		return interp.Images{}, fmt.Errorf("scenes: no texture of %d×%d pixels, 1 to %d each, of a %v %v", h, w, 1<<14, s.Surface, s.Shape)
	}
	x := interp.Images{N: 1, H: h, W: w, C: 3, Pix: make([]float64, 3*h*w)}
	density := s.Finish.Frequency * density[s.Surface]
	parallel.For(h, func(row int) {
		for column := range w {
			p, n := s.Shape.spot((float64(column)+.5)/float64(w), (float64(row)+.5)/float64(h))
			c := s.Colours[0].mix(s.Colours[1], s.Finish.mix(s.Surface, p, s.Shape.chart(p, n, density)))
			copy(x.Pix[3*(row*w+column):], c[:])
		}
	})
	return x, nil
}

// Meet implements Body.
func (s Shape) Meet(o, d [3]float64) (far float64, normal [3]float64, u, v float64, ok bool) {
	eye, along := vec{o[0], o[1], o[2]}, vec{d[0], d[1], d[2]}
	far, n, ok := s.hit(eye, along)
	if !ok {
		return 0, normal, 0, 0, false
	}
	u, v = s.skin(eye.along(along, far), n)
	return far, n.array(), u, v, true
}

// Reach implements Body.
func (s Shape) Reach() float64 { return reach[s] }

// Closed implements Body.
func (s Shape) Closed() (aroundU, aroundV bool) {
	return faces[s] == nil, s == Torus || s == Ring
}

// skin returns the place in the picture of the point p of the surface with outward normal n.
func (s Shape) skin(p, n vec) (u, v float64) {
	if all := faces[s]; all != nil {
		best := 0
		for i := range all {
			if all[i].out.dot(n) > all[best].out.dot(n) {
				best = i
			}
		}
		f, q := &all[best], p.along(all[best].middle, -1)
		a, b := q.dot(f.right)/f.right.dot(f.right), q.dot(f.up)/f.up.dot(f.up)
		return (float64(best%3) + .5 + .5*filled*a) / 3, (float64(best/3) + .5 - .5*filled*b) / 2
	}
	return frac(.75 - math.Atan2(p.z, p.x)/(2*math.Pi)), outlines[s].find(math.Sqrt(p.x*p.x+p.z*p.z), p.y)
}

// spot is the way back: the point at a place of the picture and the normal there. Around the faces of a cube it goes on as they do.
func (s Shape) spot(u, v float64) (p, n vec) {
	if all := faces[s]; all != nil {
		column, row := min(int(3*u), 2), min(int(2*v), 1)
		f := all[min(3*row+column, len(all)-1)]
		a, b := (3*u-float64(column)-.5)*2/filled, (.5+float64(row)-2*v)*2/filled
		return f.middle.along(f.right, a).along(f.up, b), f.out
	}
	k, t := outlines[s].at(v)
	q, m := k.at(t)
	sin, cos := math.Sincos((.75 - u) * 2 * math.Pi)
	return vec{q[0] * cos, q[1], q[0] * sin}, vec{m[0] * cos, m[1], m[0] * sin}
}

const filled = .94 // of the length and height of each face's part of the picture, and of a line's

// face is a parallelogram: its middle, how far it goes from there to the right and up, and its outward normal.
type face struct{ middle, right, up, out vec }

func facing(middle, right, up vec) face {
	out := vec{right.y*up.z - right.z*up.y, right.z*up.x - right.x*up.z, right.x*up.y - right.y*up.x}
	return face{middle, right, up, out.unit()}
}

var faces = [...][]face{Ring: nil, Cube: cubeFaces(), Pyramid: pyramidFaces()}

func cubeFaces() (all []face) {
	const h = cubeH
	x, y, z := vec{h, 0, 0}, vec{0, h, 0}, vec{0, 0, h}
	return append(all, facing(z, x, y), facing(x, z.times(-1), y), facing(z.times(-1), x.times(-1), y),
		facing(x.times(-1), z, y), facing(y, x, z.times(-1)), facing(y.times(-1), x, z))
}

func pyramidFaces() (all []face) {
	const h, up, middle = pyrHalf, (pyrTop - pyrBase) / 2, (pyrTop + pyrBase) / 2
	for _, out := range []vec{{0, 0, 1}, {1, 0, 0}, {0, 0, -1}, {-1, 0, 0}} {
		right := vec{out.z, 0, -out.x}
		all = append(all, facing(vec{out.x * h / 2, middle, out.z * h / 2}, right.times(h), vec{-out.x * h / 2, up, -out.z * h / 2}))
	}
	return append(all, facing(vec{0, pyrBase, 0}, vec{h, 0, 0}, vec{0, 0, h}))
}

// outline is half of a cut through a solid that is turned about its axis, from the top to the bottom. Points are (distance from the
// axis, height).
type outline []stroke

// stroke is a part of an outline: the line from a to b, or with a radius the arc about a from one angle to another, counted from the
// direction outwards to that upwards.
type stroke struct {
	a, b     [2]float64
	radius   float64
	from, to float64
}

var outlines = [...]outline{
	Sphere:   {{radius: sphereR, from: math.Pi / 2, to: -math.Pi / 2}},
	Cone:     {line(0, coneTop, coneR, coneBase), line(coneR, coneBase, 0, coneBase)},
	Torus:    {{a: [2]float64{torusR, 0}, radius: torusr, from: math.Pi, to: -math.Pi}},
	Cylinder: {line(0, cylH, cylR, cylH), line(cylR, cylH, cylR, -cylH), line(cylR, -cylH, 0, -cylH)},
	Capsule: {{a: [2]float64{0, capH}, radius: capR, from: math.Pi / 2}, line(capR, capH, capR, -capH),
		{a: [2]float64{0, -capH}, radius: capR, to: -math.Pi / 2}},
	Ring: {line(ringIn, ringH, ringOut, ringH), line(ringOut, ringH, ringOut, -ringH), line(ringOut, -ringH, ringIn, -ringH),
		line(ringIn, -ringH, ringIn, ringH)},
}

func line(r0, y0, r1, y1 float64) stroke { return stroke{a: [2]float64{r0, y0}, b: [2]float64{r1, y1}} }

func (k stroke) length() float64 {
	if k.radius > 0 {
		return k.radius * math.Abs(k.to-k.from)
	}
	return math.Hypot(k.b[0]-k.a[0], k.b[1]-k.a[1])
}

// at returns the point at the share t of the stroke, and the normal there.
func (k stroke) at(t float64) (p, n [2]float64) {
	if k.radius > 0 {
		sin, cos := math.Sincos(k.from + t*(k.to-k.from))
		return [2]float64{k.a[0] + k.radius*cos, k.a[1] + k.radius*sin}, [2]float64{cos, sin}
	}
	dr, dy, l := k.b[0]-k.a[0], k.b[1]-k.a[1], k.length()
	return [2]float64{k.a[0] + t*dr, k.a[1] + t*dy}, [2]float64{-dy / l, dr / l}
}

// find returns the share of the stroke at which it is nearest to a point, and its square distance there.
func (k stroke) find(r, y float64) (t, gap float64) {
	if r, y := r-k.a[0], y-k.a[1]; k.radius > 0 {
		t = (math.Atan2(y, r) - k.from) / (k.to - k.from)
	} else {
		dr, dy := k.b[0]-k.a[0], k.b[1]-k.a[1]
		t = (r*dr + y*dy) / (dr*dr + dy*dy)
	}
	t = clamp01(t)
	p, _ := k.at(t)
	return t, (p[0]-r)*(p[0]-r) + (p[1]-y)*(p[1]-y)
}

// filled returns how much of its part of the picture's rows each stroke fills: all where the outline is smooth.
func (o outline) filled() float64 {
	if slices.ContainsFunc(o, func(k stroke) bool { return k.radius > 0 }) {
		return 1
	}
	return filled // lines meet at edges
}

// at returns the stroke that a row of the picture shows, as a share of them, and the share of the stroke. Below 0 and above 1 is
// between two lines that meet at an edge: each goes on for as far as its part of the rows does.
func (o outline) at(v float64) (stroke, float64) {
	left, k := v*o.length(), o[0]
	for _, next := range o[1:] {
		if left < k.length() {
			break
		}
		left, k = left-k.length(), next
	}
	return k, .5 + (left/k.length()-.5)/o.filled()
}

// find returns the row of the picture, as a share of them, at which the outline is nearest to a point.
func (o outline) find(r, y float64) float64 {
	best, v, before, part := math.Inf(1), 0.0, 0.0, o.filled()
	for _, k := range o {
		if t, gap := k.find(r, y); gap < best {
			best, v = gap, before+(.5+part*(t-.5))*k.length()
		}
		before += k.length()
	}
	return v / before
}

func (o outline) length() (sum float64) {
	for _, k := range o {
		sum += k.length()
	}
	return sum
}

func (a vec) array() [3]float64 { return [3]float64{a.x, a.y, a.z} }
