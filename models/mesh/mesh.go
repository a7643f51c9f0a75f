// Package mesh reads solids made of triangles from Wavefront .obj files, turns some on a lathe, and shows them in scenes: a Mesh is a
// scenes.Body, so it has the camera, the poses and the light of the other solids.
package mesh

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"lucigo/models/scenes"
)

// Mesh is a surface of triangles that is painted with a picture. It is never changed, so it may be used from several goroutines. The
// zero Mesh has no triangles, and no ray meets it.
type Mesh struct {
	// Dropped is how many triangles were left out because they have no area.
	Dropped int

	places    []vec
	normals   []vec
	paint     [][2]float64 // places in the picture, from its top left corner
	triangles []triangle   // in the order of the tree
	tree      []node
}

// triangle is three corners: which place, which place in the picture, and which normal, −1 for none.
type triangle [3]corner

type corner struct{ place, paint, normal int32 }

var _ scenes.Body = (*Mesh)(nil)

// ErrOpen is the error of a mesh that has edges with one triangle only, so that its inside can be seen. The mesh comes with the error and
// can be used: it is painted on both sides.
var ErrOpen = errors.New("the mesh is not closed, so its inside can be seen: fill its holes, or use it as it is, painted on both sides")

// Limits of a mesh.
const (
	MaxTriangles = 1 << 20 // places, normals and places in the picture are at most three times as many
	MaxPlace     = 1e12    // size of a coordinate, in units of the file
)

// build drops triangles without area, makes the tree, and returns ErrOpen where edges have one triangle.
func (m *Mesh) build(ctx context.Context) error {
	same, ids := make([]int32, len(m.places)), make(map[vec]int32, len(m.places)) // places with equal coordinates are one, and −0 equals 0
	for i, p := range m.places {
		if i%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		id, ok := ids[p]
		if !ok {
			id = int32(i)
			ids[p] = id
		}
		same[i] = id
	}
	edges := make([]uint64, 0, 3*len(m.triangles)) // the numbers of two places, the smaller first
	kept := m.triangles[:0]
	for i, t := range m.triangles {
		if i%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		a, b, c := same[t[0].place], same[t[1].place], same[t[2].place]
		if a == b || b == c || c == a {
			m.Dropped++
			continue
		}
		for _, e := range [][2]int32{{a, b}, {b, c}, {c, a}} { // also of three places in line, which join what is beside them
			edges = append(edges, uint64(min(e[0], e[1]))<<32|uint64(max(e[0], e[1])))
		}
		if m.thin(t) {
			m.Dropped++
			continue
		}
		kept = append(kept, t)
	}
	if m.triangles = kept; len(kept) == 0 {
		return fmt.Errorf("mesh: no triangle has an area (%d have none): is this the right file?", m.Dropped)
	}
	if err := m.plant(ctx); err != nil {
		return err
	}
	slices.Sort(edges)
	open, different := 0, 0
	for i := 0; i < len(edges); {
		first := i
		for i < len(edges) && edges[i] == edges[first] {
			i++
		}
		if different++; i == first+1 {
			open++
		}
	}
	if open > 0 {
		return fmt.Errorf("mesh: %d of %d edges have one face only: %w", open, different, ErrOpen)
	}
	return nil
}

// across is at right angles to a triangle, outwards where its corners go round counter-clockwise, and twice as long as its area.
func (m *Mesh) across(t triangle) vec {
	a, b, c := m.places[t[0].place], m.places[t[1].place], m.places[t[2].place]
	return b.plus(a, -1).cross(c.plus(a, -1))
}

// thin says whether a triangle has no area, compared with its longest side.
func (m *Mesh) thin(t triangle) bool {
	square := 0.0
	for i := range t {
		side := m.places[t[i].place].plus(m.places[t[(i+1)%3].place], -1)
		square = max(square, side.dot(side))
	}
	return !(m.across(t).length() > 1e-14*square)
}

// Triangles returns how many the mesh has.
func (m *Mesh) Triangles() int { return len(m.triangles) }

// Reach implements scenes.Body. Places that no triangle has do not count.
func (m *Mesh) Reach() (r float64) {
	for _, t := range m.triangles {
		for _, c := range t {
			r = max(r, m.places[c.place].length())
		}
	}
	return r
}

// Closed implements scenes.Body: the picture repeats beyond its edges, as is usual with meshes.
func (m *Mesh) Closed() (aroundU, aroundV bool) { return true, true }

// Fit returns the mesh moved and scaled: the middle of the box around it to the origin, and its farthest point to the distance reach
// from there, which is 1/MaxPlace to MaxPlace. The solids of scenes reach .8 to 1.2.
func (m *Mesh) Fit(ctx context.Context, reach float64) (*Mesh, error) {
	switch {
	case !(reach >= 1/MaxPlace && reach <= MaxPlace):
		return nil, fmt.Errorf("mesh: Fit: reach is %g, must be from %g to %g", reach, 1/MaxPlace, MaxPlace)
	case len(m.triangles) == 0:
		return nil, errors.New("mesh: Fit: the mesh has no triangles: make it by Read or Lathe")
	}
	box := nowhere()
	for _, t := range m.triangles {
		for _, c := range t {
			box = box.with(m.places[c.place])
		}
	}
	middle, far := box.low.plus(box.high, 1).times(.5), 0.0
	for _, t := range m.triangles {
		for _, c := range t {
			far = max(far, m.places[c.place].plus(middle, -1).length())
		}
	}
	n := *m
	n.places, n.tree = make([]vec, len(m.places)), nil
	for _, t := range m.triangles { // places without a triangle stay behind, at the origin
		for _, c := range t {
			n.places[c.place] = m.places[c.place].plus(middle, -1).times(reach / far)
		}
	}
	n.triangles = slices.DeleteFunc(slices.Clone(m.triangles), n.thin) // rounding may have flattened some
	n.Dropped += len(m.triangles) - len(n.triangles)
	if err := n.plant(ctx); err != nil {
		return nil, err
	}
	return &n, nil
}

type vec [3]float64

func (a vec) plus(b vec, k float64) vec { return vec{a[0] + k*b[0], a[1] + k*b[1], a[2] + k*b[2]} }
func (a vec) times(k float64) vec       { return vec{a[0] * k, a[1] * k, a[2] * k} }
func (a vec) dot(b vec) float64         { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }
func (a vec) length() float64           { return math.Sqrt(a.dot(a)) }
func (a vec) cross(b vec) vec {
	return vec{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}
