package attack

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"

	"lucigo/interp/random"
)

// Square is the square attack of Andriushchenko et al., arXiv:1912.00049, algorithms 1 to 3, and in L1 that of Croce and
// Hein, arXiv:2103.01208, section 5: it asks for scores only. Each query changes one random square of the best image so far,
// and the change stays if it raises the score: the margin or, with a target, the logarithm of the target's probability.
//
// In L∞ a square moves to the ball's surface, up or down in each channel. In L2 and L1 a bump fills it, for which another
// square gives up its share of the radius, to each channel that of all of them, as in AutoAttack. Squares shrink as in section 3.2, whose schedule is for 10,000 queries and is
// stretched to Queries; AutoAttack leaves it unstretched. Here the squares reach the last row and column too.
type Square struct {
	Queries int     // at most, for each image; 0 is 5000
	Share   float64 // of the pixels that the first squares cover; 0 is .8
}

// String returns the attack's name with its parameters.
func (a Square) String() string {
	return fmt.Sprintf("square(queries=%d, share=%g)", cmp.Or(a.Queries, 5000), cmp.Or(a.Share, .8))
}

// Find implements Attack.
func (a Square) Find(ctx context.Context, t *Task) error {
	a.Queries, a.Share = cmp.Or(a.Queries, 5000), cmp.Or(a.Share, .8)
	switch {
	case a.Queries < 1:
		return fmt.Errorf("attack: %s: Queries is %d, must be at least 1", t.attack, a.Queries)
	case !(a.Share > 0 && a.Share <= 1):
		return fmt.Errorf("attack: %s: Share is %g, must be in (0, 1]", t.attack, a.Share)
	case t.Ball.norm == Norm0:
		return fmt.Errorf("attack: %s has no L0 ball: take L∞, L2 or L1", t.attack)
	}
	if err := t.bounded(); err != nil {
		return err
	}
	best := t.Points()
	score := slices.Repeat([]float64{math.Inf(-1)}, len(best.Rows))
	for step := range a.Queries {
		try := Points{best.Rows, slices.Clone(best.Pix)}
		each(try, func(k int, y []float64) {
			c := canvas{t.Original(try, k), y, t.Images.H, t.Images.W, t.Images.C}
			c.square(t.Ball, t.Random(try.Rows[k], step), step, a.share(step))
		})
		logits, err := t.Logits(ctx, try)
		if err != nil {
			return err
		}
		for k, i := range try.Rows {
			if s := t.score(i, logits.Of(k)); s > score[k] {
				score[k] = s
				copy(best.Of(k), try.Of(k))
			}
		}
		left, err := t.Settle(ctx, try, logits)
		if err != nil {
			return err
		}
		if len(left) < len(best.Rows) {
			for n, k := range left {
				score[n] = score[k]
			}
			best = best.Pick(left)
		}
		if len(best.Rows) == 0 {
			return nil
		}
		t.Step(step+1, a.Queries)
	}
	_, err := t.Offer(ctx, best)
	return err
}

// share is the part of the pixels that the squares of a step cover.
func (a Square) share(step int) float64 {
	share := a.Share
	for _, halved := range []int{10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000} {
		if step*10000/a.Queries > halved {
			share /= 2
		}
	}
	return share
}

// score is what the square attack climbs.
func (t *Task) score(i int, logits []float64) float64 {
	if !t.Targeted() {
		return t.Lead(i, logits)
	}
	most, sum := slices.Max(logits), 0.0
	for _, v := range logits {
		sum += math.Exp(v - most)
	}
	return logits[t.Target(i)] - most - math.Log(sum)
}

// canvas is an image y near x, of h rows, w columns and c channels.
type canvas struct {
	x, y    []float64
	h, w, c int
}

// square changes y: at step 0 all of it, later a square.
func (v canvas) square(b Ball, s random.Stream, step int, share float64) {
	side := int(math.Round(math.Sqrt(share * float64(v.h*v.w))))
	if b.norm != NormInf {
		side = max(side, 3) | 1
	}
	side = min(max(side, 1), v.h, v.w)
	row, column := s.Intn(0, v.h-side+1), s.Intn(1, v.w-side+1)
	switch {
	case b.norm == NormInf && step == 0:
		for column := range v.w {
			v.paint(b.radius, window{0, column, v.h, 1}, s, 2+column*v.c)
		}
	case b.norm == NormInf:
		v.paint(b.radius, window{row, column, side, side}, s, 2)
	default:
		v.bumps(b, s, step, window{row, column, side, side}, window{s.Intn(2, v.h-side+1), s.Intn(3, v.w-side+1), side, side})
	}
}

// window is a part of an image.
type window struct{ row, column, h, w int }

// at is where the numbers of channel c of a window are, row by row.
func (v canvas) at(win window, c int) iter.Seq2[int, int] {
	return func(yield func(n, i int) bool) {
		for n := range win.h * win.w {
			if !yield(n, ((win.row+n/win.w)*v.w+win.column+n%win.w)*v.c+c) {
				return
			}
		}
	}
}

// paint moves each channel of a window up or down by the radius, by the random bits from the given element on.
func (v canvas) paint(radius float64, win window, s random.Stream, element int) {
	for c := range v.c {
		d := math.Copysign(radius, s.Uniform(element+c)-.5)
		for _, i := range v.at(win, c) {
			v.y[i] = min(max(v.x[i]+d, 0), 1)
		}
	}
}

// bumps makes y of its difference d from x: at step 0 a grid of bumps; later one bump more in the window to, which takes over
// the radius that the window from gives up and that is not used yet.
func (v canvas) bumps(b Ball, s random.Stream, step int, to, from window) {
	power := 1.0
	if b.norm == Norm2 {
		power = 2
	}
	weight := func(v float64) float64 {
		if power == 2 {
			return v * v
		}
		return math.Abs(v)
	}
	d, rest := make([]float64, len(v.y)), weight(b.radius)
	for i := range d {
		d[i] = v.y[i] - v.x[i]
		rest -= weight(d[i])
	}
	weigh := func(win window, c int) (sum float64) {
		for _, i := range v.at(win, c) {
			sum += weight(d[i])
		}
		return sum
	}
	element := 3
	draw := func() float64 { // 1 or −1
		element++
		return math.Copysign(1, s.Uniform(element)-.5)
	}
	if side := max(1, min(v.h, v.w)/5); step == 0 {
		for row := v.h % side / 2; row+side <= v.h; row += side {
			for column := v.w % side / 2; column+side <= v.w; column += side {
				shape := bump(side, draw() < 0)
				for c := range v.c {
					sign := draw()
					for n, i := range v.at(window{row, column, side, side}, c) {
						d[i] = sign * shape[n]
					}
				}
			}
		}
	} else {
		shape, before := bump(to.h, draw() < 0), slices.Clone(d)
		var share float64 // of all channels in both windows
		for _, win := range []window{to, from} {
			for c := range v.c {
				share += weigh(win, c)
				for _, i := range v.at(win, c) {
					d[i] = 0
				}
			}
		}
		for c := range v.c {
			var own float64
			for _, i := range v.at(to, c) {
				own += weight(before[i])
			}
			sign, length := draw(), max(math.Pow(own, 1/power), 1e-12)
			for n, i := range v.at(to, c) {
				d[i] = sign*shape[n] + before[i]/length
			}
			scale := math.Pow((share+max(rest, 0)/float64(v.c))/max(weigh(to, c), 1e-300), 1/power)
			for _, i := range v.at(to, c) {
				d[i] *= scale
			}
		}
	}
	b.reach(d)
	copy(v.y, v.x)
	add(v.y, d, 1)
	box(v.y)
}

// bump is the update η of the paper's section 3.3: a positive and a negative half, side by side or one above the other, each
// of which falls off from its centre; at length 1.
func bump(side int, turned bool) []float64 {
	d := make([]float64, side*side)
	half := side / 2
	var square float64
	for row := range side {
		for column := range side {
			begin, rows, sign := 0, half, 1.0
			if row >= half {
				begin, rows, sign = half, side-half, -1
			}
			ring := max(row-begin-rows/2, rows/2-(row-begin), column-side/2, side/2-column)
			var sum float64
			for k := ring; k <= side/2; k++ {
				sum += 1 / float64((k+1)*(k+1))
			}
			at := row*side + column
			if turned {
				at = column*side + row
			}
			d[at] = sign * sum
			square += sum * sum
		}
	}
	for i := range d {
		d[i] /= math.Sqrt(square)
	}
	return d
}
