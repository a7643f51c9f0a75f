package mesh

import (
	"context"
	"math"
)

// box holds what lies between two corners.
type box struct{ low, high vec }

func nowhere() box {
	inf := math.Inf(1)
	return box{vec{inf, inf, inf}, vec{-inf, -inf, -inf}}
}

func (b box) with(p vec) box {
	for k := range p {
		b.low[k], b.high[k] = min(b.low[k], p[k]), max(b.high[k], p[k])
	}
	return b
}

// node is a box around triangles from first to last, which are its own if it has no children: nodes left and left+1.
type node struct {
	box
	first, last, left int32
}

// plant makes the tree of boxes in which rays look for triangles, and puts the triangles in its order: each node's are parted by the
// middle of their longest spread, down to four.
func (m *Mesh) plant(ctx context.Context) error {
	middle := func(t triangle) vec {
		return m.places[t[0].place].plus(m.places[t[1].place], 1).plus(m.places[t[2].place], 1)
	}
	m.tree = append(make([]node, 0, len(m.triangles)+1), node{first: 0, last: int32(len(m.triangles))})
	const often = 1 << 16 // triangles that were looked at between two looks at ctx
	for i, looked := 0, often; i < len(m.tree); i++ {
		n := m.tree[i]
		if looked += int(n.last - n.first); looked >= often {
			if looked = 0; ctx.Err() != nil {
				return ctx.Err()
			}
		}
		spread := nowhere()
		n.box = nowhere()
		for _, t := range m.triangles[n.first:n.last] {
			for _, c := range t {
				n.box = n.box.with(m.places[c.place])
			}
			spread = spread.with(middle(t))
		}
		if n.last-n.first > 4 {
			size, axis := spread.high.plus(spread.low, -1), 0
			for k := range size {
				if size[k] > size[axis] {
					axis = k
				}
			}
			half, at := n.first, spread.low[axis]+size[axis]/2
			for j := n.first; j < n.last; j++ {
				if middle(m.triangles[j])[axis] < at {
					m.triangles[half], m.triangles[j] = m.triangles[j], m.triangles[half]
					half++
				}
			}
			if half == n.first || half == n.last { // all in one place
				half = (n.first + n.last) / 2
			}
			n.left = int32(len(m.tree))
			m.tree = append(m.tree, node{first: n.first, last: half}, node{first: half, last: n.last})
		}
		m.tree[i] = n
	}
	return nil
}

// Meet implements scenes.Body. Normals are those of the file, blended between the corners, or where it has none those of the triangle;
// they are turned to the side from which the ray comes.
func (m *Mesh) Meet(o, d [3]float64) (far float64, normal [3]float64, u, v float64, ok bool) {
	r := aim(o, d)
	best := math.Inf(1)
	var which triangle
	var share vec
	for todo := make([]int32, min(1, len(m.tree)), 64); len(todo) > 0; { // from the root on
		at := &m.tree[todo[len(todo)-1]]
		todo = todo[:len(todo)-1]
		if !r.enters(&at.box, best) {
			continue
		}
		if at.left > 0 {
			todo = append(todo, at.left, at.left+1)
			continue
		}
		for _, t := range m.triangles[at.first:at.last] {
			if far, s, hit := r.meets(m.places[t[0].place], m.places[t[1].place], m.places[t[2].place]); hit && far < best {
				best, which, share = far, t, s
			}
		}
	}
	if math.IsInf(best, 1) {
		return 0, normal, 0, 0, false
	}
	out := m.across(which)
	n := out
	if which[0].normal >= 0 && which[1].normal >= 0 && which[2].normal >= 0 {
		n = vec{}
		for i, c := range which {
			n = n.plus(m.normals[c.normal], share[i])
		}
		if n.dot(n) < 1e-12 { // they cancel
			n = out
		}
	}
	if out.dot(d) > 0 {
		out = out.times(-1)
	}
	if n.dot(out) < 0 {
		n = n.times(-1)
	}
	for i, c := range which {
		u, v = u+share[i]*m.paint[c.paint][0], v+share[i]*m.paint[c.paint][1]
	}
	return best, n.times(1 / n.length()), repeat(u), repeat(v), true
}

// repeat is a place in a picture that repeats beyond its edges, at least 0 and below 1.
func repeat(u float64) float64 {
	if u -= math.Floor(u); u < 1 {
		return u
	}
	return 0 // a little below a whole number
}

// ray is a ray seen along itself: axis z is the one along which it moves most, and a place is moved by shear·z so that the ray is the z
// axis. So a ray never slips through between two triangles with a common edge (Woop, Benthin and Wald, "Watertight Ray/Triangle
// Intersection", Journal of Computer Graphics Techniques 2(1), 2013).
type ray struct {
	o, inverse vec
	x, y, z    int
	shear      vec
}

func aim(o, d vec) ray {
	z := 0
	for k := range d {
		if math.Abs(d[k]) > math.Abs(d[z]) {
			z = k
		}
	}
	x, y := (z+1)%3, (z+2)%3
	return ray{o: o, inverse: vec{1 / d[0], 1 / d[1], 1 / d[2]}, x: x, y: y, z: z, shear: vec{d[x] / d[z], d[y] / d[z], 1 / d[z]}}
}

// meets returns how far away the ray meets a triangle, and the shares of its corners in the place.
func (r *ray) meets(a, b, c vec) (far float64, share vec, ok bool) {
	var x, y, z vec
	for i, p := range [3]vec{a, b, c} {
		q := p.plus(r.o, -1)
		x[i], y[i], z[i] = q[r.x]-r.shear[0]*q[r.z], q[r.y]-r.shear[1]*q[r.z], q[r.z]*r.shear[2]
	}
	share = vec{x[2]*y[1] - y[2]*x[1], x[0]*y[2] - y[0]*x[2], x[1]*y[0] - y[1]*x[0]}
	if (share[0] < 0 || share[1] < 0 || share[2] < 0) && (share[0] > 0 || share[1] > 0 || share[2] > 0) {
		return 0, share, false
	}
	sum := share[0] + share[1] + share[2]
	if sum == 0 { // seen from the edge
		return 0, share, false
	}
	share = share.times(1 / sum)
	far = share.dot(z)
	return far, share, far > 0
}

// enters says whether the ray comes into a box before the distance far. Rounding may make boxes a little larger, never smaller.
func (r *ray) enters(b *box, far float64) bool {
	near := 0.0
	for k := range b.low {
		if math.IsInf(r.inverse[k], 0) { // along the sides
			if r.o[k] < b.low[k] || r.o[k] > b.high[k] {
				return false
			}
			continue
		}
		t0, t1 := (b.low[k]-r.o[k])*r.inverse[k], (b.high[k]-r.o[k])*r.inverse[k]
		if t0 > t1 {
			t0, t1 = t1, t0
		}
		near, far = max(near, t0), min(far, t1*(1+1e-15))
	}
	return near <= far
}
