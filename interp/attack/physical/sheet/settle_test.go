package sheet

import (
	"context"
	"image"
	"image/color"
	"image/draw"
	"math"
	"testing"

	"lucigo/interp/attack/physical"
)

// flat is a page seen from above at so many dots per inch, and its pose.
func flat(t *testing.T, dpi int) (*image.RGBA, homography) {
	t.Helper()
	m, err := ordinary().Image(dpi)
	if err != nil {
		t.Fatal(err)
	}
	k := float64(dpi) / 25.4
	return m, homography{k, 0, 0, 0, k, 0, 0, 0, 1}
}

// Left of every rim the printed page is bright, and right of it dark, all along it.
func TestLawRims(t *testing.T) {
	m, pose := flat(t, 200)
	g, err := brightness(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	all := rims(nil)
	if want := 4*4 + 2*(2+8+2*8); len(all) != want { // codes; two strips: ends, steps, and the sides of all but white
		t.Errorf("%d rims, want %d", len(all), want)
	}
	if n := len(rims([]int{1, 2})); n != len(all)-8 {
		t.Errorf("without two codes there are %d of %d", n, len(all))
	}
	for _, r := range all {
		for _, share := range []float64{.03, .5, .97} {
			p := r.from.plus(r.to.plus(r.from, -1), share)
			along := r.to.plus(r.from, -1).times(1 / r.from.to(r.to))
			out := point{along.y, -along.x}
			if left, right := g.at(pose.follow(p.plus(out, 1))), g.at(pose.follow(p.plus(out, -1))); left-right < 60 {
				t.Errorf("%v at %v: %g on its left and %g on its right", r, p, left, right)
			}
		}
	}
}

// A pose of which a corner is 1.5 pixels wrong is put right, also where the photograph ends within the codes of the right side, and where a
// third of the edges is covered, or dark beside them.
func TestSettle(t *testing.T) {
	m, want := flat(t, 60)
	cut := m.SubImage(image.Rect(0, 0, 640, 496)).(*image.RGBA)
	covered := image.NewRGBA(m.Rect)
	draw.Draw(covered, m.Rect, m, image.Point{}, draw.Src)
	draw.Draw(covered, image.Rect(0, 0, 130, 60), image.NewUniform(color.Gray{90}), image.Point{}, draw.Src)
	draw.Draw(covered, image.Rect(10, 200, 40, 300), image.White, image.Point{}, draw.Src)
	shaded := image.NewRGBA(m.Rect) // beside the left side of two codes and of a strip it is dark for two pixels
	draw.Draw(shaded, m.Rect, m, image.Point{}, draw.Src)
	for _, b := range append(patches()[:len(steps)], code(0), code(3)) {
		at := around(&want, b)
		draw.Draw(shaded, image.Rect(at.Min.X-2, at.Min.Y, at.Min.X, at.Max.Y), image.Black, image.Point{}, draw.Src)
	}
	for what, m := range map[string]*image.RGBA{"whole": m, "cut": cut, "covered": covered, "shaded": shaded} {
		small, err := plain(context.Background(), m)
		if err != nil {
			t.Fatal(err)
		}
		g, err := brightness(context.Background(), small)
		if err != nil {
			t.Fatal(err)
		}
		wrong := homography{want[0] * 1.002, .004, -1, -.003, want[4] * .998, 1.2, 2e-6, -3e-6, 1}
		got := settle([]*grey{g}, wrong, nil)
		before, after := 0., 0.
		for _, p := range (box{0, 0, Width, Height}).corners() {
			before, after = max(before, wrong.follow(p).to(want.follow(p))), max(after, got.follow(p).to(want.follow(p)))
		}
		t.Logf("%s: corners were %.2f pixels off, and are %.3f", what, before, after)
		if before < 1.5 || after > .2 { // edges without blur are found to a fifth of a pixel
			t.Error("that is too little or too much")
		}
	}
	// Too few edges change nothing, and neither does a photograph without any.
	for _, h := range []int{40, 480} {
		if got := settle([]*grey{{w: 640, h: h, pix: make([]uint8, 640*h)}}, want, nil); got != want {
			t.Errorf("%d rows without a page: %v", h, got)
		}
	}
}

// Where the photograph ends within two of the codes, the page's corners outside of it are right, too. By the codes that are read
// alone they were 1.1 to 1.5 pixels off.
func TestCut(t *testing.T) {
	s := ordinary()
	paint := drawn(t, s)
	c := physical.Camera{H: 480, W: 640, Sizes: []float64{.75, .6, .45}}
	for _, i := range []int{61, 154, 174} {
		shot, photograph := taken(t, c, paint, 11, i)
		r, err := read(photograph, s)
		if err != nil {
			t.Error(err)
			continue
		}
		if d := farthest(r, shot); whole(shot, c) || d > .5 {
			t.Errorf("photograph %d: a corner is %.2f pixels off, whole %t", i, d, whole(shot, c))
		}
	}
}

// asked counts how often a context is asked whether it has ended, and ends it after so many times.
type asked struct {
	context.Context
	times, end int
}

func (c *asked) Err() error {
	if c.times++; c.times > c.end {
		return context.Canceled
	}
	return c.Context.Err()
}

// A page full of squares is looked at for long, and given up between two of them when the context ends.
func TestManySquares(t *testing.T) {
	m := image.NewGray(image.Rect(0, 0, 640, 640))
	for i := range m.Pix {
		m.Pix[i] = 255
		if x, y := i%640%32, i/640%32; x > 7 && x < 24 && y > 7 && y < 24 {
			m.Pix[i] = 0
		}
	}
	p, err := plain(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	ctx := &asked{Context: t.Context(), end: math.MaxInt}
	if _, _, _, err := look(ctx, p); err != nil || ctx.times < 400 {
		t.Errorf("400 squares, and the context was asked %d times, %v", ctx.times, err)
	}
	if _, _, _, err := look(&asked{Context: t.Context(), end: ctx.times - 100}, p); err != context.Canceled {
		t.Errorf("after the end: %v", err)
	}
}

// Quadrilaterals that are no picture of a square are refused, whatever is in the image: sides without length, corners on a line,
// crossed sides, places that are no numbers.
func TestBadQuads(t *testing.T) {
	g := &grey{w: 64, h: 64, pix: make([]uint8, 64*64)}
	for i := range g.pix {
		g.pix[i] = uint8(i * 37)
	}
	nan := math.NaN()
	for _, q := range []quad{
		{}, {{9, 9}, {9, 9}, {30, 30}, {9, 30}}, {{9, 9}, {20, 20}, {30, 30}, {40, 40}}, {{9, 9}, {40, 40}, {40, 9}, {9, 40}},
		{{9, 9}, {60, 10}, {20, 12}, {9, 60}}, {{nan, 9}, {40, 9}, {40, 40}, {9, 40}},
	} {
		if s, ok, _ := g.decode(q); ok {
			t.Errorf("%v is read as %+v", q, s)
		}
		if q[0].x == q[0].x {
			if s, ok, _ := g.read(q); ok {
				t.Errorf("%v is read as %+v", q, s)
			}
		}
	}
}
