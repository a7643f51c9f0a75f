package sheet

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// point is a column and a row, or a place on the page.
type point struct{ x, y float64 }

func (a point) plus(b point, k float64) point { return point{a.x + k*b.x, a.y + k*b.y} }
func (a point) to(b point) float64            { return math.Hypot(b.x-a.x, b.y-a.y) }
func (a point) cross(b point) float64         { return a.x*b.y - a.y*b.x }
func (a point) dot(b point) float64           { return a.x*b.x + a.y*b.y }

// homography takes (x, y, 1) to (X·W, Y·W, W): three rows.
type homography [9]float64

// at returns where p is seen; ok is false where it is not seen, because it is behind the camera.
func (h *homography) at(p point) (q point, ok bool) {
	w := h[6]*p.x + h[7]*p.y + h[8]
	return point{(h[0]*p.x + h[1]*p.y + h[2]) / w, (h[3]*p.x + h[4]*p.y + h[5]) / w}, w > 1e-9
}

// follow is at for places that are known to be before the camera.
func (h *homography) follow(p point) point { q, _ := h.at(p); return q }

// page returns where the page's corners are seen; ok is false where one is not.
func (h *homography) page() (corners [4]point, ok bool) {
	for i, p := range (box{0, 0, Width, Height}).corners() {
		if corners[i], ok = h.at(p); !ok {
			return corners, false
		}
	}
	return corners, true
}

// distance is how far places of the page are seen from where a photograph has them, in pixels: root mean square.
func (h *homography) distance(from, to []point) float64 {
	sum := 0.
	for i, p := range from {
		d := h.follow(p).to(to[i])
		sum += d * d / float64(len(from))
	}
	return math.Sqrt(sum)
}

// fit returns the homography that takes from to to, at least four points, with the least squares of distances: a first one from
// linear equations in coordinates of zero mean and deviation one (Hartley, PAMI 1997), then Gauss and Newton's steps. It also
// returns the root mean square of the distances.
func fit(from, to []point) (h homography, rms float64, ok bool) {
	places, seen := from, to
	a, from := normal(from)
	b, to := normal(to)
	g := [8]float64{}
	for step := range 6 {
		system, right := mat.NewDense(2*len(from), 8, nil), mat.NewVecDense(2*len(from), nil)
		for i, p := range from {
			q, w, x, y := to[i], 1., 0., 0. // the first step solves for g itself, the others for its change
			if step > 0 {
				w = g[6]*p.x + g[7]*p.y + 1
				x, y = (g[0]*p.x+g[1]*p.y+g[2])/w, (g[3]*p.x+g[4]*p.y+g[5])/w
				right.SetVec(2*i, q.x-x)
				right.SetVec(2*i+1, q.y-y)
			} else {
				x, y = q.x, q.y
				right.SetVec(2*i, x)
				right.SetVec(2*i+1, y)
			}
			system.SetRow(2*i, []float64{p.x / w, p.y / w, 1 / w, 0, 0, 0, -x * p.x / w, -x * p.y / w})
			system.SetRow(2*i+1, []float64{0, 0, 0, p.x / w, p.y / w, 1 / w, -y * p.x / w, -y * p.y / w})
		}
		var change mat.VecDense
		if err := change.SolveVec(system, right); err != nil {
			return h, 0, false // points on a line, or nearly
		}
		for i := range g {
			g[i] += change.AtVec(i)
		}
	}
	h = back(a, g, b)
	rms = h.distance(places, seen)
	return h, rms, !math.IsNaN(rms) && !math.IsInf(rms, 0)
}

// scale moves a middle to 0 and multiplies by k.
type scale struct {
	middle point
	k      float64
}

func normal(p []point) (s scale, moved []point) {
	n := float64(len(p))
	for _, q := range p {
		s.middle = s.middle.plus(q, 1/n)
	}
	far := 0.
	for _, q := range p {
		far += q.to(s.middle) / n
	}
	s.k = math.Sqrt2 / far
	for _, q := range p {
		moved = append(moved, q.plus(s.middle, -1).times(s.k))
	}
	return s, moved
}

func (a point) times(k float64) point { return point{a.x * k, a.y * k} }

// back returns b⁻¹·g·a: from coordinates as they were to such coordinates.
func back(a scale, g [8]float64, b scale) homography {
	first := mat.NewDense(3, 3, []float64{a.k, 0, -a.k * a.middle.x, 0, a.k, -a.k * a.middle.y, 0, 0, 1})
	then := mat.NewDense(3, 3, append(g[:], 1))
	last := mat.NewDense(3, 3, []float64{1 / b.k, 0, b.middle.x, 0, 1 / b.k, b.middle.y, 0, 0, 1})
	var h mat.Dense
	h.Product(last, then, first)
	return homography(h.RawMatrix().Data)
}
