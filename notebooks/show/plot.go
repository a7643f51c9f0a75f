package show

import (
	"cmp"
	"image"
	"image/color"
	"math"
	"slices"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/math/fixed"

	"lucigo/internal/typeface"
)

const (
	dense    = 2  // a plot's pixels for each one of the page, for screens of high resolution
	textSize = 15 // of the page's pixels
)

// face is the typeface of plots.
var face = sync.OnceValue(func() font.Face { return typeface.Go(textSize*dense, font.HintingNone) })

// plot is a picture of lines and words on white. Its points are pixels.
type plot struct{ *image.RGBA }

type point struct{ x, y float64 }

func newPlot(w, h int) plot {
	p := plot{image.NewRGBA(image.Rect(0, 0, w, h))}
	for i := range p.Pix {
		p.Pix[i] = 255
	}
	return p
}

// mix lays a colour over a pixel; cover is from 0 to 1.
func (p plot) mix(x, y int, c color.RGBA, cover float64) {
	if !(image.Point{x, y}.In(p.Rect)) || cover <= 0 {
		return
	}
	cover = min(cover, 1)
	i := p.PixOffset(x, y)
	for k, v := range []uint8{c.R, c.G, c.B} {
		p.Pix[i+k] = uint8(math.Round(float64(p.Pix[i+k]) + cover*(float64(v)-float64(p.Pix[i+k]))))
	}
}

// line draws a straight line with round ends; a dot where a is b.
func (p plot) line(a, b point, width float64, c color.RGBA) {
	r := width/2 + 1
	dx, dy := b.x-a.x, b.y-a.y
	square := dx*dx + dy*dy
	for y := int(min(a.y, b.y) - r); y <= int(max(a.y, b.y)+r); y++ {
		for x := int(min(a.x, b.x) - r); x <= int(max(a.x, b.x)+r); x++ {
			u, v := float64(x)-a.x, float64(y)-a.y
			t := 0.0 // how far along the line the nearest point is
			if square > 0 {
				t = min(max((u*dx+v*dy)/square, 0), 1)
			}
			p.mix(x, y, c, width/2+.5-math.Hypot(u-t*dx, v-t*dy))
		}
	}
}

// fill fills an upright rectangle from its top left to its bottom right.
func (p plot) fill(a, b point, c color.RGBA) {
	for y := math.Floor(a.y); y < b.y; y++ {
		for x := math.Floor(a.x); x < b.x; x++ {
			cover := (min(x+1, b.x) - max(x, a.x)) * (min(y+1, b.y) - max(y, a.y))
			p.mix(int(x), int(y), c, cover)
		}
	}
}

// band fills what is between two lines of the same horizontal places, lightly.
func (p plot) band(low, high []point, c color.RGBA) {
	for i := range len(low) - 1 {
		from, to := low[i].x, low[i+1].x
		for x := math.Ceil(from); x < to; x++ {
			t := (x - from) / (to - from)
			top, bottom := high[i].y+t*(high[i+1].y-high[i].y), low[i].y+t*(low[i+1].y-low[i].y)
			for y := math.Floor(top); y <= bottom+1; y++ {
				p.mix(int(x), int(y), c, .13*min(max(min(y+.5, bottom)-max(y-.5, top), 0), 1))
			}
		}
	}
}

// write writes a text whose baseline begins at a place.
func (p plot) write(s string, x, y float64, c color.RGBA) {
	at := fixed.Point26_6{X: fixed.Int26_6(64 * x), Y: fixed.Int26_6(64 * y)}
	d := font.Drawer{Dst: p, Src: image.NewUniform(c), Face: face(), Dot: at}
	d.DrawString(s)
}

// width is that of a text.
func width(s string) float64 { return float64(font.MeasureString(face(), s)) / 64 }

// fits is s, or as much of its beginning as fits.
func fits(s string, most float64) string {
	if width(s) <= most {
		return s
	}
	letters := []rune(s)
	for len(letters) > 0 && width(string(letters)+"…") > most {
		letters = letters[:len(letters)-1]
	}
	return string(letters) + "…"
}

// apart moves places, but keeps their order, so that neighbours are at least gap apart and all are
// between low and high if there is room.
func apart(at []float64, gap, low, high float64) []float64 {
	order := make([]int, len(at))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(at[i], at[j]) })
	out := slices.Clone(at)
	next := low
	for _, i := range order {
		out[i] = max(out[i], next)
		next = out[i] + gap
	}
	last := high
	for _, i := range slices.Backward(order) {
		out[i] = min(out[i], last)
		last = out[i] - gap
	}
	return out
}

// ticks are round numbers from low to high, about five.
func ticks(low, high float64) (all []float64) {
	step := math.Pow(10, math.Floor(math.Log10(high-low)))
	for _, by := range []float64{.1, .2, .25, .5} {
		if (high-low)/(step*by) <= 6 {
			step *= by
			break
		}
	}
	for k := math.Ceil(low/step - 1e-9); k*step <= high+1e-9*step; k++ {
		all = append(all, k*step)
	}
	return all
}
