package sheet

import (
	"cmp"
	"context"
	"image"
	"image/draw"
	"math"
	"slices"

	"lucigo/internal/parallel"
)

// grey is how bright a photograph is, in 0 to 255, perhaps made smaller.
type grey struct {
	w, h int
	pix  []uint8
}

// bands cuts n rows into pieces that are worked on at the same time.
func bands(ctx context.Context, n int, f func(from, to int)) error {
	const rows = 64
	return parallel.Each(ctx, (n+rows-1)/rows, func(i int) error {
		f(i*rows, min(n, (i+1)*rows))
		return nil
	})
}

// plain copies a photograph into an image whose pixels lie in memory. What is transparent is laid over black.
func plain(ctx context.Context, m image.Image) (*image.RGBA, error) {
	b := m.Bounds()
	p := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	err := bands(ctx, b.Dy(), func(from, to int) {
		draw.Draw(p, image.Rect(0, from, b.Dx(), to), m, b.Min.Add(image.Pt(0, from)), draw.Src)
	})
	return p, err
}

// brightness returns how bright an image is (the luma of ITU-R BT.601).
func brightness(ctx context.Context, m *image.RGBA) (*grey, error) {
	g := &grey{m.Rect.Dx(), m.Rect.Dy(), make([]uint8, m.Rect.Dx()*m.Rect.Dy())}
	err := bands(ctx, g.h, func(from, to int) {
		for i := from * g.w; i < to*g.w; i++ {
			p := m.Pix[4*i : 4*i+3 : 4*i+3]
			g.pix[i] = uint8((77*uint32(p[0]) + 150*uint32(p[1]) + 29*uint32(p[2]) + 128) >> 8)
		}
	})
	return g, err
}

// half returns the means of squares of 2×2 pixels.
func (g *grey) half(ctx context.Context) (*grey, error) {
	s := &grey{g.w / 2, g.h / 2, make([]uint8, (g.w/2)*(g.h/2))}
	err := bands(ctx, s.h, func(from, to int) {
		for y := from; y < to; y++ {
			a, b := g.pix[2*y*g.w:], g.pix[(2*y+1)*g.w:]
			for x := range s.w {
				s.pix[y*s.w+x] = uint8((uint32(a[2*x]) + uint32(a[2*x+1]) + uint32(b[2*x]) + uint32(b[2*x+1]) + 2) / 4)
			}
		}
	})
	return s, err
}

// at returns how bright a place is, bilinearly between the middles of pixels.
func (g *grey) at(p point) float64 {
	x, y := min(max(p.x-.5, 0), float64(g.w-1)), min(max(p.y-.5, 0), float64(g.h-1))
	i, j := min(int(x), max(0, g.w-2)), min(int(y), max(0, g.h-2))
	x, y = x-float64(i), y-float64(j)
	right, below := min(1, g.w-1), 0
	if g.h > 1 {
		below = g.w
	}
	o := j*g.w + i
	return (1-y)*((1-x)*float64(g.pix[o])+x*float64(g.pix[o+right])) + y*((1-x)*float64(g.pix[o+below])+x*float64(g.pix[o+below+right]))
}

// soft returns the image blurred by the weights ¼, ½, ¼ both ways.
func (g *grey) soft(ctx context.Context) (*grey, error) {
	s := &grey{g.w, g.h, make([]uint8, len(g.pix))}
	err := bands(ctx, g.h, func(from, to int) {
		column := make([]uint32, g.w+2)
		for y := from; y < to; y++ {
			a, b, c := g.pix[max(0, y-1)*g.w:], g.pix[y*g.w:], g.pix[min(g.h-1, y+1)*g.w:]
			for x := range g.w {
				column[x+1] = uint32(a[x]) + 2*uint32(b[x]) + uint32(c[x])
			}
			column[0], column[g.w+1] = column[1], column[g.w]
			for x := range g.w {
				s.pix[y*g.w+x] = uint8((column[x] + 2*column[x+1] + column[x+2] + 8) >> 4)
			}
		}
	})
	return s, err
}

// sums returns the sums of all pixels above and left, (h+1)×(w+1) numbers. They may run over: differences are right.
func (g *grey) sums() []uint32 {
	s := make([]uint32, (g.w+1)*(g.h+1))
	for y := range g.h {
		row, above, below := uint32(0), s[y*(g.w+1):], s[(y+1)*(g.w+1):]
		for x := range g.w {
			row += uint32(g.pix[y*g.w+x])
			below[x+1] = above[x+1] + row
		}
	}
	return s
}

// darker marks the pixels that are darker than the mean of the square around them, by more than noise is.
func (g *grey) darker(ctx context.Context, sums []uint32, reach int) ([]bool, error) {
	const noise = 8
	dark := make([]bool, len(g.pix))
	err := bands(ctx, g.h, func(from, to int) {
		for y := from; y < to; y++ {
			top, bottom := max(0, y-reach), min(g.h, y+reach+1)
			above, below := sums[top*(g.w+1):], sums[bottom*(g.w+1):]
			for x := range g.w {
				left, right := max(0, x-reach), min(g.w, x+reach+1)
				area := uint32((bottom - top) * (right - left))
				dark[y*g.w+x] = (uint32(g.pix[y*g.w+x])+noise)*area < below[right]-below[left]-above[right]+above[left]
			}
		}
	})
	return dark, err
}

// run is a stretch of dark pixels of a row.
type run struct {
	y, from, to int32
	parent      int32 // a run that it touches; the first one of all that touch is its own
}

// patchesOf returns the corners of the pixels at the left and right ends of the rows of every patch of touching dark pixels whose
// sides are at least smallest, and which does not reach the edge of the image.
func patchesOf(dark []bool, w, h, smallest int) (ends [][]point) {
	var runs []run
	root := func(i int32) int32 {
		for runs[i].parent != i {
			runs[i].parent = runs[runs[i].parent].parent
			i = runs[i].parent
		}
		return i
	}
	last, begin := 0, 0 // the runs of the row above begin at last, those of this one at begin
	for y := range h {
		row := dark[y*w : (y+1)*w]
		last, begin = begin, len(runs)
		above := last
		for x := 0; x < w; x++ {
			if !row[x] {
				continue
			}
			from := x
			for x < w && row[x] {
				x++
			}
			me := int32(len(runs))
			runs = append(runs, run{int32(y), int32(from), int32(x), me})
			for above < begin && int(runs[above].to) <= from {
				above++
			}
			for k := above; k < begin && int(runs[k].from) < x; k++ {
				a, b := root(int32(k)), root(me)
				runs[max(a, b)].parent = min(a, b)
			}
		}
	}
	type extent struct{ left, top, right, bottom int32 }
	extents := make([]extent, len(runs)) // of the patch whose first run it is
	for i, r := range runs {
		k := root(int32(i))
		if int(k) == i {
			extents[k] = extent{r.from, r.y, r.to, r.y + 1}
		}
		e := &extents[k]
		e.left, e.right, e.bottom = min(e.left, r.from), max(e.right, r.to), r.y+1
	}
	number := map[int32]int{}
	for i, r := range runs {
		k := root(int32(i))
		e := extents[k]
		if e.left == 0 || e.top == 0 || int(e.right) == w || int(e.bottom) == h ||
			int(e.right-e.left) < smallest || int(e.bottom-e.top) < smallest {
			continue
		}
		n, seen := number[k]
		if !seen {
			n, number[k] = len(ends), len(ends)
			ends = append(ends, nil)
		}
		a, b, y := float64(r.from), float64(r.to), float64(r.y)
		ends[n] = append(ends[n], point{a, y}, point{a, y + 1}, point{b, y}, point{b, y + 1})
	}
	return ends
}

// hull returns the corners of the convex hull, clockwise as seen (Andrew, 1979).
func hull(p []point) []point {
	slices.SortFunc(p, func(a, b point) int {
		return cmp.Or(cmp.Compare(a.x, b.x), cmp.Compare(a.y, b.y))
	})
	p = slices.Compact(p)
	if len(p) < 3 {
		return p
	}
	chain := func(h []point, q point, least int) []point {
		for len(h) > least && h[len(h)-1].plus(h[len(h)-2], -1).cross(q.plus(h[len(h)-2], -1)) <= 0 {
			h = h[:len(h)-1]
		}
		return append(h, q)
	}
	var h []point
	for _, q := range p {
		h = chain(h, q, 1)
	}
	lower := len(h)
	for i := len(p) - 2; i >= 0; i-- {
		h = chain(h, p[i], lower)
	}
	return h[:len(h)-1]
}

// quad is four corners, clockwise as seen.
type quad [4]point

func area(p []point) (a float64) {
	for i, q := range p {
		a += q.cross(p[(i+1)%len(p)]) / 2
	}
	return a
}

// quadIn returns the largest quadrilateral whose corners are corners of a convex hull: for every diagonal, the farthest corner on
// either side.
func quadIn(h []point) (best quad) {
	largest, n := 0., len(h)
	for i := range n {
		a, b := i+1, i+3
		for k := i + 2; k < i+n-1; k++ {
			away := func(j int) float64 {
				return math.Abs(h[k%n].plus(h[i], -1).cross(h[j%n].plus(h[i], -1)))
			}
			for a+1 < k && away(a+1) >= away(a) {
				a++
			}
			b = max(b, k+1)
			for b+1 < i+n && away(b+1) >= away(b) {
				b++
			}
			if v := away(a) + away(b); v > largest {
				largest, best = v, quad{h[i], h[a%n], h[k%n], h[b%n]}
			}
		}
	}
	return best
}

// quads returns what may be codes: dark patches that fill a quadrilateral with sides of at least smallest pixels.
func (g *grey) quads(ctx context.Context, smallest int) (all []quad, err error) {
	s, err := g.soft(ctx)
	if err != nil {
		return nil, err
	}
	sums := s.sums()
	for _, part := range [2]int{40, 12} { // the squares around a pixel: of a twentieth and of a sixth of the longer side
		dark, err := s.darker(ctx, sums, max(3, max(g.w, g.h)/part))
		if err != nil {
			return nil, err
		}
		for _, ends := range patchesOf(dark, g.w, g.h, smallest) {
			h := hull(ends)
			if len(h) < 4 || len(h) > 1000 {
				continue
			}
			q := quadIn(h)
			shortest, longest := math.Inf(1), 0.
			for i, c := range q {
				shortest, longest = min(shortest, c.to(q[(i+1)%4])), max(longest, c.to(q[(i+1)%4]))
			}
			const round = .8 // blur takes the corners off
			if area(q[:]) > round*area(h) && shortest >= float64(smallest) && longest < 6*shortest {
				all = append(all, q)
			}
		}
	}
	return all, ctx.Err()
}

// refine moves the sides of a quadrilateral to where the image becomes bright fastest, and returns where they meet. A side is a
// line through its edge at several places, each the mean over a stretch of it; places that are far from the line are left out. Reach
// is how far a side may be moved, in pixels. It returns false where a side has no such edge, or the corners would move too far.
func (g *grey) refine(q quad, reach float64) (quad, bool) {
	type line struct{ at, along point }
	var lines [4]line
	for i, a := range q {
		b := q[(i+1)%4]
		length := a.to(b)
		if !(length > 1) {
			return q, false // refined before to a triangle, or nearly
		}
		along := b.plus(a, -1).times(1 / length)
		out := point{along.y, -along.x}
		n := min(max(int(length/4), 4), 24)
		const end = .1 // of a side is near its corners
		stretch := length * (1 - 2*end) / float64(n)
		var edge []point
		for k := range n {
			at, ok := g.edge(a.plus(along, length*end+stretch*(float64(k)+.5)), along.times(stretch), out, reach)
			if ok {
				edge = append(edge, at)
			}
		}
		at, along, ok := through(edge)
		if !ok || len(edge) < n/2 {
			return q, false
		}
		lines[i] = line{at, along}
	}
	for i, b := range lines {
		a := lines[(i+3)%4]
		d := a.along.cross(b.along)
		if math.Abs(d) < .1 {
			return q, false
		}
		c := a.at.plus(a.along, b.at.plus(a.at, -1).cross(b.along)/d)
		if !(c.to(q[i]) < 4*reach+2) {
			return q, false
		}
		q[i] = c
	}
	return q, true
}

// edge returns where, across a stretch, the image becomes bright fastest from inside to outside, at most reach pixels from its middle.
func (g *grey) edge(middle, stretch, out point, reach float64) (point, bool) {
	const fine = 2 // places a pixel
	n := int(math.Ceil(reach*fine))*2 + 1
	profile := make([]float64, n+2*fine)
	across := max(2, min(16, int(math.Hypot(stretch.x, stretch.y))))
	for i := range profile {
		at := middle.plus(out, float64(i-len(profile)/2)/fine)
		for k := range across {
			profile[i] += g.at(at.plus(stretch, (float64(k)+.5)/float64(across)-.5)) / float64(across)
		}
	}
	slope := make([]float64, n)
	best := 0
	for i := range slope {
		slope[i] = profile[i+2*fine] - profile[i]
		if slope[i] > slope[best] {
			best = i
		}
	}
	if slope[best] < 10 || best == 0 || best == n-1 {
		return point{}, false
	}
	a, b, c := slope[best-1], slope[best], slope[best+1]
	top := 0.
	if bend := a - 2*b + c; bend < 0 {
		top = (a - c) / (2 * bend)
	}
	return middle.plus(out, (float64(best-n/2)+top)/fine), true
}

// through returns the line with the least squares of distances, without the points that are far from a first one.
func through(p []point) (middle, along point, ok bool) {
	for range 3 {
		if len(p) < 2 {
			return middle, along, false
		}
		middle = point{}
		for _, q := range p {
			middle = middle.plus(q, 1/float64(len(p)))
		}
		var xx, xy, yy float64
		for _, q := range p {
			d := q.plus(middle, -1)
			xx, xy, yy = xx+d.x*d.x, xy+d.x*d.y, yy+d.y*d.y
		}
		angle := math.Atan2(2*xy, xx-yy) / 2
		along = point{math.Cos(angle), math.Sin(angle)}
		near := usual(p, func(q point) float64 { return along.cross(q.plus(middle, -1)) })
		if len(near) == len(p) {
			break
		}
		p = near
	}
	return middle, along, true
}

// usual returns what is not far off, in pixels: at most three times as far as is usual, or a quarter of a pixel.
func usual[T any](all []T, off func(T) float64) (near []T) {
	far := make([]float64, len(all))
	for i, v := range all {
		far[i] = math.Abs(off(v))
	}
	sorted := slices.Sorted(slices.Values(far))
	limit := max(.25, 3*sorted[len(sorted)/2])
	for i, v := range all {
		if far[i] <= limit {
			near = append(near, v)
		}
	}
	return near
}
