package scenes

import "math"

type vec struct{ x, y, z float64 }

func (a vec) add(b vec) vec              { return vec{a.x + b.x, a.y + b.y, a.z + b.z} }
func (a vec) times(k float64) vec        { return vec{a.x * k, a.y * k, a.z * k} }
func (a vec) dot(b vec) float64          { return a.x*b.x + a.y*b.y + a.z*b.z }
func (a vec) unit() vec                  { return a.times(1 / math.Sqrt(a.dot(a))) }
func (a vec) along(d vec, t float64) vec { return vec{a.x + d.x*t, a.y + d.y*t, a.z + d.z*t} }

// The solids' measures, in object units.
const (
	sphereR                  = 0.9
	cubeH                    = 0.68
	coneTop, coneBase, coneR = 0.95, -0.75, 0.8
	torusR, torusr           = 0.7, 0.28
	cylR, cylH               = 0.58, 0.85
	pyrTop, pyrBase, pyrHalf = 0.9, -0.7, 0.75
	capR, capH               = 0.42, 0.55
	ringIn, ringOut, ringH   = 0.64, 0.84, 0.38
	ringMid                  = (ringIn + ringOut) / 2
)

// reach is the radius of the sphere around the origin that holds each solid.
var reach = [...]float64{
	Sphere:   sphereR,
	Cube:     cubeH * math.Sqrt(3),
	Cone:     math.Hypot(coneR, coneBase),
	Torus:    torusR + torusr,
	Cylinder: math.Hypot(cylR, cylH),
	Pyramid:  math.Sqrt(2*pyrHalf*pyrHalf + pyrBase*pyrBase),
	Capsule:  capR + capH,
	Ring:     math.Hypot(ringOut, ringH),
}

// span is the part of a ray inside a convex body: where it enters, with the outward normal there, and where it leaves.
// An empty span has in ≥ out.
type span struct {
	in, out float64
	normal  vec
}

var up, down = vec{0, 1, 0}, vec{0, -1, 0}

func everything() span { return span{in: math.Inf(-1), out: math.Inf(1)} }

// and intersects two spans; the later entry decides the normal.
func (s span) and(t span) span {
	if t.in > s.in {
		s.in, s.normal = t.in, t.normal
	}
	s.out = min(s.out, t.out)
	return s
}

// half cuts away what lies outside the half space n·p ≤ h.
func (s span) half(n vec, h float64, o, d vec) span {
	speed, gap := n.dot(d), h-n.dot(o)
	switch {
	case speed < 0:
		if t := gap / speed; t > s.in {
			s.in, s.normal = t, n
		}
	case speed > 0:
		s.out = min(s.out, gap/speed)
	case gap < 0:
		s.out = math.Inf(-1)
	}
	return s
}

// slab is the span between the planes at ±h across the axis along which the ray starts at o and moves by d.
func slab(o, d, h float64, axis vec) span {
	if d == 0 {
		if math.Abs(o) > h {
			return span{in: 1, out: 0}
		}
		return everything()
	}
	inv := 1 / d
	if d > 0 {
		return span{(-h - o) * inv, (h - o) * inv, axis.times(-1)}
	}
	return span{(h - o) * inv, (-h - o) * inv, axis}
}

// roots returns the span of a·t² + 2b·t + c ≤ 0 for a > 0, empty when there is none.
func roots(a, b, c float64) span {
	q := b*b - a*c
	if q <= 0 || a <= 0 {
		return span{in: 1, out: 0}
	}
	q = math.Sqrt(q)
	return span{in: (-b - q) / a, out: (-b + q) / a}
}

// tube is the span inside the endless cylinder of radius r around the y axis.
func tube(r float64, o, d vec) span {
	a := d.x*d.x + d.z*d.z
	if a < 1e-18 {
		if o.x*o.x+o.z*o.z <= r*r {
			return everything()
		}
		return span{in: 1, out: 0}
	}
	s := roots(a, o.x*d.x+o.z*d.z, o.x*o.x+o.z*o.z-r*r)
	p := o.along(d, s.in)
	s.normal = vec{p.x / r, 0, p.z / r}
	return s
}

// ball is the span inside the sphere of radius r around (0, y, 0).
func ball(y, r float64, o, d vec) span {
	o.y -= y
	s := roots(d.dot(d), o.dot(d), o.dot(o)-r*r)
	s.normal = o.along(d, s.in).times(1 / r)
	return s
}

// hit returns where the ray o + t·d (d of length 1, o outside) first meets the solid, and the outward normal there.
func (s Shape) hit(o, d vec) (t float64, normal vec, ok bool) {
	switch s {
	case Torus:
		return hitTorus(o, d)
	case Ring:
		return hitRing(o, d)
	case Capsule:
		return hitCapsule(o, d)
	}
	in := everything()
	switch s {
	case Sphere:
		in = ball(0, sphereR, o, d)
	case Cube:
		in = slab(o.x, d.x, cubeH, vec{1, 0, 0}).and(slab(o.y, d.y, cubeH, up)).and(slab(o.z, d.z, cubeH, vec{0, 0, 1}))
	case Cylinder:
		in = tube(cylR, o, d).and(slab(o.y, d.y, cylH, up))
	case Pyramid:
		n := vec{pyrTop - pyrBase, pyrHalf, 0}.unit()
		h := n.y * pyrTop
		in = in.half(n, h, o, d).half(vec{-n.x, n.y, 0}, h, o, d).half(vec{0, n.y, n.x}, h, o, d).
			half(vec{0, n.y, -n.x}, h, o, d).half(down, -pyrBase, o, d)
	case Cone:
		in = hitCone(o, d).half(down, -coneBase, o, d)
	}
	return in.in, in.normal, in.in < in.out
}

// hitCone is the span inside the endless cone below its apex. x² + z² − k²(top − y)² is a quadratic along the ray whose sign inside
// the mirrored upper cone is the same, so a root above the apex does not count.
func hitCone(o, d vec) span {
	const k = coneR / (coneTop - coneBase)
	h := coneTop - o.y
	a, b, c := d.x*d.x+d.z*d.z-k*k*d.y*d.y, o.x*d.x+o.z*d.z+k*k*h*d.y, o.x*o.x+o.z*o.z-k*k*h*h
	q := b*b - a*c
	if q <= 0 || a == 0 {
		return span{in: 1, out: 0}
	}
	q = math.Sqrt(q)
	t0, t1 := (-b-q)/a, (-b+q)/a
	if t0 > t1 {
		t0, t1 = t1, t0
	}
	below := func(t float64) bool { return o.y+d.y*t <= coneTop }
	s := span{in: t0, out: t1}
	switch {
	case a > 0 && below(t0) && below(t1):
	case a > 0: // both on the mirrored cone
		return span{in: 1, out: 0}
	case d.y < 0: // steeper than the side: enters at the later root and stays inside
		s = span{in: t1, out: math.Inf(1)}
	default: // from below: inside until the earlier root
		s = span{in: math.Inf(-1), out: t0}
	}
	p := o.along(d, s.in)
	s.normal = vec{p.x, k * k * (coneTop - p.y), p.z}.unit()
	return s
}

func hitCapsule(o, d vec) (t float64, normal vec, ok bool) {
	t = math.Inf(1)
	side := tube(capR, o, d).and(slab(o.y, d.y, capH, up))
	for _, s := range [...]span{side, ball(capH, capR, o, d), ball(-capH, capR, o, d)} {
		if s.in < s.out && s.in < t {
			t, normal, ok = s.in, s.normal, true
		}
	}
	return t, normal, ok
}

// hitRing: the outer tube cut at both heights is a convex body; a ray that enters it inside the hole goes on to the hole's wall.
func hitRing(o, d vec) (t float64, normal vec, ok bool) {
	body := tube(ringOut, o, d).and(slab(o.y, d.y, ringH, up))
	if body.in >= body.out {
		return 0, vec{}, false
	}
	hole := tube(ringIn, o, d)
	if hole.in >= hole.out || body.in < hole.in || body.in > hole.out {
		return body.in, body.normal, true
	}
	if hole.out >= body.out {
		return 0, vec{}, false
	}
	p := o.along(d, hole.out)
	return hole.out, vec{-p.x / ringIn, 0, -p.z / ringIn}, true
}

// hitTorus walks along the ray by the distance to the torus, which never steps through it, inside the part of the ray between the
// planes y = ±r and the outer tube; a step of Newton's ends the walk where the ray meets the surface steeply.
func hitTorus(o, d vec) (t float64, normal vec, ok bool) {
	box := tube(torusR+torusr, o, d).and(slab(o.y, d.y, torusr, up))
	if box.in >= box.out {
		return 0, vec{}, false
	}
	t = box.in
	for range 64 {
		p := o.along(d, t)
		ring := math.Sqrt(p.x*p.x + p.z*p.z)
		across := ring - torusR
		away := math.Sqrt(across*across + p.y*p.y)
		gap := away - torusr
		if gap < 3e-4 {
			k := across / (ring * away)
			normal = vec{p.x * k, p.y / away, p.z * k}
			if slope := normal.dot(d); slope < -0.1 {
				return t - gap/slope, normal, true
			}
			if gap < 1e-5 {
				return t, normal, true
			}
		}
		if t += gap; t > box.out {
			break
		}
	}
	return 0, vec{}, false
}

// chart is the surface coordinates of a point: u and v in periods of the pattern, and after how many whole periods each closes
// (0: it does not). Closing counts are even, so that patterns that alternate from period to period close too.
type chart struct {
	u, v           float64
	closeU, closeV int
}

// around returns the number of pattern periods, even and at least 2, nearest to f per unit on a circle of radius r.
func around(r, f float64) int { return max(2, 2*int(math.Round(math.Pi*r*f))) }

// chart returns the surface coordinates of the point p with outward normal n, with f pattern periods a unit length.
func (s Shape) chart(p, n vec, f float64) chart {
	flat := chart{u: p.x * f, v: p.z * f}
	if s == Cube || s == Pyramid {
		switch {
		case math.Abs(n.y) > 0.71:
			return flat
		case math.Abs(n.x) > math.Abs(n.z):
			return chart{u: p.z * f, v: p.y * f}
		}
		return chart{u: p.x * f, v: p.y * f}
	}
	if (s == Cylinder || s == Ring || s == Cone) && math.Abs(n.y) > 0.9 {
		return flat
	}
	turn := math.Atan2(p.z, p.x)/(2*math.Pi) + 0.5
	wrap := func(r, v float64) chart {
		k := around(r, f)
		return chart{u: turn * float64(k), v: v * f, closeU: k}
	}
	switch s {
	case Sphere:
		return wrap(0.8*sphereR, math.Asin(min(max(p.y/sphereR, -1), 1))*sphereR)
	case Cone:
		return wrap(0.55, p.y)
	case Cylinder:
		return wrap(cylR, p.y)
	case Ring:
		return wrap(ringMid, p.y)
	case Capsule: // arc length along the side and over the ends
		over := min(max((math.Abs(p.y)-capH)/capR, 0), 1)
		return wrap(capR, math.Copysign(min(math.Abs(p.y), capH)+capR*math.Asin(over), p.y))
	}
	c := wrap(torusR, 0)
	c.closeV = around(torusr, f)
	c.v = (math.Atan2(p.y, math.Sqrt(p.x*p.x+p.z*p.z)-torusR)/(2*math.Pi) + 0.5) * float64(c.closeV)
	return c
}
