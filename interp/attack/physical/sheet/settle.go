package sheet

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// rim is a printed edge: as one goes along it, the page is bright to its left and dark to its right.
type rim struct{ from, to point }

// rims returns the edges of the patches, and of the codes of the corners that are not in without.
func rims(without []int) (all []rim) {
	side := func(b box, i int) {
		c := b.corners()
		all = append(all, rim{c[i], c[(i+1)%4]})
	}
	for corner := range 4 {
		for i := 0; i < 4 && !slices.Contains(without, corner); i++ {
			side(code(corner), i)
		}
	}
	for i, b := range patches() {
		k := i % len(steps)
		above, below := 1., 1. // paper
		if k > 0 {
			above = steps[k-1]
		}
		if k+1 < len(steps) {
			below = steps[k+1]
		}
		for i, beside := range [4]float64{above, 1, below, 1} {
			if beside-steps[k] >= .25 {
				side(b, i)
			}
		}
	}
	return all
}

// sight is an edge that was found in a photograph: how far it is outside of where the pose has it, in pixels, and the derivatives of
// this distance by the pose's first eight numbers, the ninth being held.
type sight struct {
	off float64
	by  [8]float64
}

// sights looks for the rims in pieces of a bit's side, at most so many pixels beside where the pose has them.
func (g *grey) sights(pose *homography, all []rim, reach float64) (found []sight) {
	inside := func(p point) bool {
		d := reach + 2
		return p.x > d && p.y > d && p.x < float64(g.w)-d && p.y < float64(g.h)-d
	}
	for _, r := range all {
		n := math.Round(r.from.to(r.to) / module)
		for k := range int(n) {
			on := func(t float64) point { return r.from.plus(r.to.plus(r.from, -1), .05+.9*(float64(k)+t)/n) } // corners are round
			a, p, b := pose.follow(on(0)), on(.5), pose.follow(on(1))
			length := a.to(b)
			if !inside(a) || !inside(b) || length < 2 {
				continue
			}
			q, out := pose.follow(p), point{b.y - a.y, a.x - b.x}.times(1/length)
			edge, ok := g.edge(q, b.plus(a, -1), out, reach)
			if !ok {
				continue
			}
			w := pose[6]*p.x + pose[7]*p.y + pose[8]
			x, y, q0 := out.x/w, out.y/w, -(q.x*out.x+q.y*out.y)/w
			found = append(found, sight{
				edge.plus(q, -1).dot(out),
				[8]float64{x * p.x, x * p.y, x, y * p.x, y * p.y, y, q0 * p.x, q0 * p.y},
			})
		}
	}
	return found
}

// settle fits a pose that is nearly right to every edge of the strips and the codes that is in the photograph, by Gauss and Newton's
// steps without the edges that are far off. So the codes and the patches that the photograph's edge cuts help to place the page, too.
// Levels are the photograph and what was made smaller of it. It returns the pose as it was where it sees too few edges.
func settle(levels []*grey, pose homography, without []int) homography {
	all := rims(without)
	for k := len(levels) - 1; k >= 0; k-- {
		size := math.Exp2(-float64(k))
		for _, reach := range [3]float64{3, 2, 2} {
			small := pose.larger(size)
			use := levels[k].sights(&small, all, reach)
			var change mat.VecDense
			for {
				const least = 24 // for eight numbers
				if len(use) < least {
					return pose
				}
				system, right := mat.NewDense(len(use), 8, nil), mat.NewVecDense(len(use), nil)
				for i, s := range use {
					system.SetRow(i, s.by[:])
					right.SetVec(i, s.off)
				}
				if change.SolveVec(system, right) != nil {
					return pose
				}
				near := usual(use, func(s sight) float64 { return s.off - mat.Dot(mat.NewVecDense(8, s.by[:]), &change) })
				if len(near) == len(use) {
					break
				}
				use = near
			}
			for i := range 8 {
				small[i] += change.AtVec(i)
			}
			pose = small.larger(1 / size)
		}
	}
	return pose
}

// larger is the homography to a photograph that is k times as large.
func (h homography) larger(k float64) homography {
	for i := range 6 {
		h[i] *= k
	}
	return h
}
