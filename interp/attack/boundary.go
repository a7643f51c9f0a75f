package attack

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"lucigo/interp"
	"lucigo/interp/random"
)

// Boundary is the boundary attack of Brendel, Rauber and Bethge, arXiv:1712.04248, algorithm 1: it asks for labels only, in L2.
// It begins far away and walks along the boundary: a random step on the sphere around the image, then one towards the image,
// which is undone where the goal is not met any more. Both steps' lengths follow the share of steps that succeed (section 2.4).
//
// The first point is brought to the boundary by bisection. An image is done when its step is shorter than 1e-7 of the distance,
// when its queries are spent, and in a ball with a radius as soon as it is inside.
type Boundary struct {
	Queries int     // at most, for each image; 0 is 25,000
	Sphere  float64 // length of the first steps on the sphere, as a share of the distance; 0 is .01
	Source  float64 // and of those towards the image; 0 is .01

	// From are images to begin from, as in HopSkipJump.
	From interp.Images
}

// String returns the attack's name with its parameters.
func (a Boundary) String() string {
	return fmt.Sprintf("boundary(queries=%d, sphere=%g, source=%g%s)",
		cmp.Or(a.Queries, 25_000), cmp.Or(a.Sphere, .01), cmp.Or(a.Source, .01), beginning(a.From))
}

// walker is one image's walk.
type walker struct {
	sphere, source   float64 // lengths of the steps
	spheres, sources rate
}

// rate is the share of steps that succeeded.
type rate struct{ of, met int }

func (r *rate) count(met bool) {
	r.of++
	if met {
		r.met++
	}
}

// factor returns by how much steps change after so many: they become longer where more than high of them succeeded, shorter
// where fewer than low did. It begins anew then.
func (r *rate) factor(many int, low, high float64) float64 {
	if r.of < many {
		return 1
	}
	share := float64(r.met) / float64(r.of)
	*r = rate{}
	switch {
	case share > high:
		return 1.5
	case share < low:
		return 1 / 1.5
	}
	return 1
}

// Find implements Attack.
func (a Boundary) Find(ctx context.Context, t *Task) error {
	a.Queries, a.Sphere, a.Source = cmp.Or(a.Queries, 25_000), cmp.Or(a.Sphere, .01), cmp.Or(a.Source, .01)
	switch {
	case a.Queries < 1:
		return fmt.Errorf("attack: %s: Queries is %d, must be at least 1", t.attack, a.Queries)
	case !(a.Sphere > 0 && a.Sphere < 1 && a.Source > 0 && a.Source < 1):
		return fmt.Errorf("attack: %s: Sphere is %g and Source %g, must be in (0, 1)", t.attack, a.Sphere, a.Source)
	case t.Ball.norm != Norm2:
		return fmt.Errorf("attack: %s has no %s ball: take L2, or HopSkipJump", t.attack, t.Ball.norm)
	}
	p, err := t.begin(ctx, a.From, a.Queries-search)
	if err != nil {
		return err
	}
	if err := t.approach(ctx, p, 1e-6); err != nil {
		return err
	}
	walk := make([]walker, t.Images.N)
	for i := range walk {
		walk[i] = walker{sphere: a.Sphere, source: a.Source}
	}
	for step := 0; ; step++ {
		if step%100 == 0 {
			left, err := t.offered(ctx, p)
			if err != nil {
				return err
			}
			p = p.Pick(left)
		}
		var left, done []int
		for k, i := range p.Rows {
			if a.Queries-t.spent(i) > 3 && walk[i].source > 1e-7 {
				left = append(left, k)
			} else {
				done = append(done, k)
			}
		}
		if _, err := t.Offer(ctx, p.Pick(done)); err != nil {
			return err
		}
		if p = p.Pick(left); len(p.Rows) == 0 {
			return nil
		}
		if err := t.stroll(ctx, p, walk, step); err != nil {
			return err
		}
		t.Step(t.spent(p.Rows[0]), a.Queries)
	}
}

// stroll takes one step of each walk. Every tenth also asks about the point on the sphere, from which the lengths learn.
func (t *Task) stroll(ctx context.Context, p Points, walk []walker, step int) error {
	sphere, try := Points{p.Rows, slices.Clone(p.Pix)}, Points{p.Rows, slices.Clone(p.Pix)}
	each(p, func(k int, y []float64) {
		propose(t.Random(p.Rows[k], step), t.Original(p, k), y, sphere.Of(k), try.Of(k), walk[p.Rows[k]])
	})
	met, err := t.Meets(ctx, try)
	if err != nil {
		return err
	}
	for k := range p.Rows {
		x := t.Original(p, k)
		if met[k] && Norm2.Distance(x, try.Of(k), 1) < Norm2.Distance(x, p.Of(k), 1) {
			copy(p.Of(k), try.Of(k))
		}
	}
	if step%10 > 0 {
		return nil
	}
	on, err := t.Meets(ctx, sphere)
	if err != nil {
		return err
	}
	for k, i := range p.Rows {
		w := &walk[i]
		w.spheres.count(on[k])
		w.sources.count(met[k])
		both := w.spheres.factor(100, .2, .5)
		w.sphere, w.source = w.sphere*both, w.source*both*w.sources.factor(30, .1, .25)
	}
	return nil
}

// propose draws a point on the sphere around x through y, and one nearer to x.
func propose(s random.Stream, x, y, sphere, nearer []float64, w walker) {
	out, side := make([]float64, len(x)), make([]float64, len(x))
	for i, v := range x {
		out[i] = y[i] - v
	}
	distance := Norm2.Distance(x, y, 1)
	normalize(out)
	s.Normals(side)
	var along float64
	for i, v := range out {
		along += v * side[i]
	}
	add(side, out, -along)
	normalize(side)
	shrink := 1 / math.Sqrt(1+w.sphere*w.sphere)
	for i, v := range x {
		sphere[i] = v + distance*shrink*(out[i]+w.sphere*side[i])
	}
	box(sphere)
	from := max(Norm2.Distance(x, sphere, 1), 1e-300) // less than the distance where [0, 1] cut something
	share := 1 - max(w.source*distance+from-distance, 0)/from
	for i, v := range x {
		nearer[i] = v + share*(sphere[i]-v)
	}
}
