package attack

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"lucigo/interp"
	"lucigo/interp/random"
)

// HopSkipJump is the attack of Chen, Jordan and Wainwright, arXiv:1904.02144, algorithm 2: it asks for labels only, in L2 and
// L∞. From a point of the boundary it estimates the boundary's normal by the labels of random neighbours (section 3.1), goes
// along it as far as the goal allows, half as far each time that it does not, and returns to the boundary by bisection.
//
// The number of neighbours grows with the root of the iterations, and where the paper counts iterations, this counts queries.
// In a ball with a radius an image is done as soon as it is inside.
type HopSkipJump struct {
	Queries int // at most, for each image; 0 is 25,000
	First   int // neighbours in the first iteration; 0 is 100

	// From are images to begin from, of which the nearest that meets the goal is taken. Without, and where none does, they are
	// random, which rarely helps towards a target: give images of the target class.
	From interp.Images
}

// String returns the attack's name with its parameters.
func (a HopSkipJump) String() string {
	return fmt.Sprintf("HopSkipJump(queries=%d, first=%d%s)", cmp.Or(a.Queries, 25_000), cmp.Or(a.First, 100), beginning(a.From))
}

func beginning(from interp.Images) string {
	if from.N == 0 {
		return ""
	}
	return fmt.Sprintf(", from %d images", from.N)
}

// search is the most that an iteration asks beside the neighbours: halvings of the step, a bisection, and the judge.
const search = 30 + 30 + 1

// Find implements Attack.
func (a HopSkipJump) Find(ctx context.Context, t *Task) error {
	a.Queries, a.First = cmp.Or(a.Queries, 25_000), cmp.Or(a.First, 100)
	switch {
	case a.Queries < 1:
		return fmt.Errorf("attack: %s: Queries is %d, must be at least 1", t.attack, a.Queries)
	case a.First < 1:
		return fmt.Errorf("attack: %s: First is %d, must be at least 1", t.attack, a.First)
	case t.Ball.norm != Norm2 && t.Ball.norm != NormInf:
		return fmt.Errorf("attack: %s has no %s ball: take L2 or L∞", t.attack, t.Ball.norm)
	}
	p, err := t.begin(ctx, a.From, a.Queries-search)
	if err != nil {
		return err
	}
	size := float64(t.Images.Size())
	tolerance := max(1/(size*math.Sqrt(size)), 1e-9)
	if t.Ball.norm == NormInf {
		tolerance = max(1/(size*size), 1e-9)
	}
	for iteration := 1; ; iteration++ {
		if err := t.approach(ctx, p, tolerance); err != nil {
			return err
		}
		left, err := t.offered(ctx, p)
		if err != nil {
			return err
		}
		p = p.Pick(left)
		left = nil
		neighbours := make([]int, 0, len(p.Rows))
		for k, i := range p.Rows {
			if room := a.Queries - t.spent(i) - search; room >= min(a.First, 10) {
				left = append(left, k)
				neighbours = append(neighbours, min(int(float64(a.First)*math.Sqrt(float64(iteration))), 10_000, room))
			}
		}
		if p = p.Pick(left); len(p.Rows) == 0 {
			return nil
		}
		normal, err := t.normal(ctx, p, neighbours, iteration, tolerance)
		if err != nil {
			return err
		}
		if err := t.jump(ctx, p, normal, iteration); err != nil {
			return err
		}
		t.Step(t.spent(p.Rows[0]), a.Queries)
	}
}

// normal estimates the direction in which the goal is met at points of the boundary, by the labels of so many neighbours of each.
func (t *Task) normal(ctx context.Context, p Points, neighbours []int, iteration int, tolerance float64) (Points, error) {
	size := t.Images.Size()
	var of, number []int // the point that each neighbour is of, and which of its neighbours it is
	radius := make([]float64, len(p.Rows))
	for k, n := range neighbours {
		for b := range n {
			of, number = append(of, k), append(number, b)
		}
		radius[k] = .1
		if iteration > 1 {
			radius[k] = tolerance * t.Ball.norm.Distance(t.Original(p, k), p.Of(k), 1) * float64(size)
			if t.Ball.norm == Norm2 {
				radius[k] /= math.Sqrt(float64(size))
			}
		}
	}
	signed, sum := Points{p.Rows, make([]float64, len(p.Pix))}, Points{p.Rows, make([]float64, len(p.Pix))}
	balance := make([]float64, len(p.Rows))
	for most := max(1, 1<<22/size); len(of) > 0; { // so many at once
		n := min(most, len(of))
		near := Points{Pix: make([]float64, n*size)}
		for _, k := range of[:n] {
			near.Rows = append(near.Rows, p.Rows[k])
		}
		each(near, func(q int, y []float64) {
			t.neighbour(t.Random(near.Rows[q], iteration<<16|number[q]), y)
			for i, v := range p.Of(of[q]) {
				y[i] = min(max(v+radius[of[q]]*y[i], 0), 1)
			}
		})
		met, err := t.Meets(ctx, near)
		if err != nil {
			return Points{}, err
		}
		each(p, func(k int, y []float64) {
			for q, met := range met {
				if of[q] != k {
					continue
				}
				sign := -1.0
				if met {
					sign = 1
				}
				balance[k] += sign
				for i, v := range near.Of(q) {
					d := (v - y[i]) / max(radius[k], 1e-300)
					signed.Of(k)[i] += sign * d
					sum.Of(k)[i] += d
				}
			}
		})
		of, number = of[n:], number[n:]
	}
	each(signed, func(k int, d []float64) {
		if mean := balance[k] / float64(neighbours[k]); math.Abs(mean) < 1 { // the paper's equation 16
			add(d, sum.Of(k), -mean)
		}
		if t.Ball.norm == Norm2 {
			normalize(d)
			return
		}
		for i, v := range d {
			d[i] = sign(v)
		}
	})
	return signed, nil
}

// neighbour draws a direction of length 1.
func (t *Task) neighbour(s random.Stream, d []float64) {
	if t.Ball.norm == Norm2 {
		s.Normals(d)
	} else {
		for i := range d {
			d[i] = 2*s.Uniform(i) - 1
		}
	}
	normalize(d)
}

// jump moves points along their directions by the distance from their images over the root of the iteration, or by half of it, and
// so on, until they meet the goal.
func (t *Task) jump(ctx context.Context, p, direction Points, iteration int) error {
	step := make([]float64, len(p.Rows))
	rows := make([]int, len(p.Rows))
	for k := range rows {
		rows[k] = k
		step[k] = t.Ball.norm.Distance(t.Original(p, k), p.Of(k), 1) / math.Sqrt(float64(iteration))
	}
	for range 30 {
		try := p.Pick(rows)
		each(try, func(q int, y []float64) {
			add(y, direction.Of(rows[q]), step[rows[q]])
			box(y)
		})
		met, err := t.Meets(ctx, try)
		if err != nil {
			return err
		}
		var again []int
		for q, k := range rows {
			if met[q] {
				copy(p.Of(k), try.Of(q))
				continue
			}
			step[k] /= 2
			again = append(again, k)
		}
		if rows = again; len(rows) == 0 {
			return nil
		}
	}
	return nil
}
