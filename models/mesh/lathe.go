package mesh

import (
	"context"
	"fmt"
	"math"
)

// Lathe turns an outline about the y axis in steps. The outline's points are (distance from the axis, height), at least two, so that the
// solid is to their right as one goes along, as from the top of a ball to its bottom; it begins and ends on the axis, or ends where it
// began. Normals are smooth. The picture's columns are meridians, its middle towards z, and its rows circles, evenly along the outline.
func Lathe(ctx context.Context, outline [][2]float64, around int) (*Mesh, error) {
	n := len(outline)
	if n < 2 || around < 3 || around > MaxTriangles || (n-1)*around > MaxTriangles/2 {
		return nil, fmt.Errorf("mesh: Lathe: %d points of an outline and %d steps, must be at least 2 and 3, and at most %d triangles", n, around, MaxTriangles)
	}
	closed := outline[0] == outline[n-1]
	along := make([]float64, n)
	for i, p := range outline {
		switch {
		case !(p[0] >= 0 && p[0] <= MaxPlace && math.Abs(p[1]) <= MaxPlace):
			return nil, fmt.Errorf("mesh: Lathe: point %d is %v, must be at most %g large and not left of the axis", i, p, MaxPlace)
		case p[0] == 0 && i > 0 && i < n-1:
			return nil, fmt.Errorf("mesh: Lathe: point %d is on the axis, where the outline must begin and end", i)
		case i > 0 && p == outline[i-1]:
			return nil, fmt.Errorf("mesh: Lathe: points %d and %d are the same", i-1, i)
		case i > 0:
			along[i] = along[i-1] + math.Hypot(p[0]-outline[i-1][0], p[1]-outline[i-1][1])
		}
	}
	if !closed && (outline[0][0] != 0 || outline[n-1][0] != 0) {
		return nil, fmt.Errorf("mesh: Lathe: the outline goes from %v to %v, must begin and end on the axis, or end where it began", outline[0], outline[n-1])
	}
	m := &Mesh{}
	for i, p := range outline {
		before, after := outline[max(i-1, 0)], outline[min(i+1, n-1)]
		if closed && (i == 0 || i == n-1) {
			before, after = outline[n-2], outline[1]
		}
		out := [2]float64{before[1] - after[1], after[0] - before[0]}
		if p[0] == 0 { // a pole
			out = [2]float64{0, math.Copysign(1, out[1])}
		}
		if out == [2]float64{} {
			return nil, fmt.Errorf("mesh: Lathe: the outline goes to point %d and back the same way, must go round a solid", i)
		}
		for k := range around {
			sin, cos := math.Sincos((.75 - float64(k)/float64(around)) * 2 * math.Pi)
			m.places = append(m.places, vec{p[0] * cos, p[1], p[0] * sin})
			normal := vec{out[0] * cos, out[1], out[0] * sin}
			m.normals = append(m.normals, normal.times(1/normal.length()))
		}
		for k := range 2*around + 1 { // of the corners, and of the middles between them, for poles
			m.paint = append(m.paint, [2]float64{float64(k) / float64(2*around), along[i] / along[n-1]})
		}
	}
	for i := range n - 1 {
		for k := range around {
			at := func(row, column int) corner {
				place := int32(row*around + column%around) // of a closed outline, the last row lies on the first: build joins them
				paint := int32(row*(2*around+1) + 2*column)
				if outline[row][0] == 0 { // the pole belongs to all columns
					place, paint = int32(row*around), int32(row*(2*around+1)+2*k+1)
				}
				return corner{place, paint, place}
			}
			if a, b, c := at(i, k), at(i+1, k), at(i+1, k+1); outline[i+1][0] > 0 {
				m.triangles = append(m.triangles, triangle{a, b, c})
			}
			if a, b, c := at(i, k), at(i+1, k+1), at(i, k+1); outline[i][0] > 0 {
				m.triangles = append(m.triangles, triangle{a, b, c})
			}
		}
	}
	return m, m.build(ctx)
}

// Vase returns a vase of 1,488 triangles, turned on the lathe, which reaches .95 units from its middle. It is open above; the picture
// begins at the bottom inside, goes up the inner side, over the rim, and down the outer side to the foot.
func Vase(ctx context.Context) (*Mesh, error) {
	outside := [][2]float64{{.40, .90}, {.36, .80}, {.27, .66}, {.29, .52}, {.42, .36}, {.54, .14}, {.58, -.08}, {.54, -.32}, {.43, -.54}, {.33, -.70}, {.36, -.82}, {.36, -.90}}
	outline := [][2]float64{{0, -.60}, {.25, -.56}}
	for i := range outside {
		p := outside[len(outside)-1-i]
		if p[1] > -.4 { // the wall is .06 thick
			outline = append(outline, [2]float64{p[0] - .06, p[1]})
		}
	}
	outline = append(append(outline, outside...), [2]float64{0, -.90})
	return Lathe(ctx, outline, 36)
}
