package attack

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"lucigo/interp"
)

// tries is how many random images an attack that knows labels only begins with, where it is given none.
const tries = 1000

// begin returns for each image of the task a point that meets the goal, from which an attack that knows labels only walks
// towards the image: the nearest of the images from, or else a random one, uniform in [0, 1]. Images for which there is none
// are left out. At most so many points of an image are asked about.
func (t *Task) begin(ctx context.Context, from interp.Images, most int) (Points, error) {
	if from.N > 0 {
		if err := from.Check(); err != nil {
			return Points{}, fmt.Errorf("attack: %s: From: %w", t.attack, err)
		}
		if from.H != t.Images.H || from.W != t.Images.W || from.C != t.Images.C {
			return Points{}, fmt.Errorf("attack: %s: From has images of %d×%d×%d, must be of %d×%d×%d",
				t.attack, from.H, from.W, from.C, t.Images.H, t.Images.W, t.Images.C)
		}
	}
	all := t.Points()
	var order [][]int // of from, the nearest first
	for i := range all.Rows {
		far := make([]float64, from.N)
		near := make([]int, from.N)
		for k := range near {
			near[k], far[k] = k, Norm2.Distance(t.Images.Of(i), from.Of(k), 1)
		}
		slices.SortStableFunc(near, func(a, b int) int { return cmp.Compare(far[a], far[b]) })
		order = append(order, near)
	}
	missing := slices.Clone(all.Rows)
	begun := make([]bool, len(all.Rows))
	for try := range min(from.N+tries, most) {
		p := all.Pick(missing)
		each(p, func(k int, y []float64) {
			if try < from.N {
				copy(y, from.Of(order[p.Rows[k]][try]))
				return
			}
			s := t.Random(p.Rows[k], -1-try)
			for i := range y {
				y[i] = s.Uniform(i)
			}
		})
		met, err := t.Meets(ctx, p)
		if err != nil {
			return Points{}, err
		}
		for k, i := range p.Rows {
			if met[k] {
				begun[i] = true
				copy(all.Of(i), p.Of(k))
			}
		}
		if missing = p.Pick(refused(met)).Rows; len(missing) == 0 {
			break
		}
	}
	var rows []int
	for i, b := range begun {
		if b {
			rows = append(rows, i)
		}
	}
	return all.Pick(rows), nil
}

// approach moves points that meet the goal towards their images as far as they still do, by bisection: in L∞ what is further
// than a share of the distance is clipped, in L2 the whole difference shrinks. The share is found to within tolerance.
func (t *Task) approach(ctx context.Context, p Points, tolerance float64) error {
	far := Points{p.Rows, slices.Clone(p.Pix)}
	low, high := make([]float64, len(p.Rows)), slices.Repeat([]float64{1}, len(p.Rows))
	for width := 1.0; width > tolerance; width /= 2 {
		try := Points{p.Rows, slices.Clone(far.Pix)}
		each(try, func(k int, y []float64) { t.shrink(t.Original(p, k), y, (low[k]+high[k])/2) })
		met, err := t.Meets(ctx, try)
		if err != nil {
			return err
		}
		for k, met := range met {
			middle := (low[k] + high[k]) / 2
			if !met {
				low[k] = middle
				continue
			}
			high[k] = middle
			copy(p.Of(k), try.Of(k))
		}
	}
	return nil
}

// shrink makes the distance of y from x the given share of itself.
func (t *Task) shrink(x, y []float64, share float64) {
	if t.Ball.norm == NormInf {
		far := share * NormInf.Distance(x, y, 1)
		for i, v := range x {
			y[i] = min(max(y[i], v-far), v+far)
		}
		return
	}
	for i, v := range x {
		y[i] = v + share*(y[i]-v)
	}
}

// spent is how many passes forward image i has cost since the attack began.
func (t *Task) spent(i int) int { return t.row(i).forward - t.began[i] }

// offered offers points and returns those that an attack goes on with: all of them where it looks for the nearest image.
func (t *Task) offered(ctx context.Context, p Points) (rows []int, err error) {
	met, err := t.Offer(ctx, p)
	if err != nil {
		return nil, err
	}
	if t.Ball.Bounded() {
		return refused(met), nil
	}
	for k := range met {
		rows = append(rows, k)
	}
	return rows, nil
}

// normalize divides d by its length.
func normalize(d []float64) {
	var square float64
	for _, v := range d {
		square += v * v
	}
	for i := range d {
		d[i] /= max(math.Sqrt(square), 1e-300)
	}
}
