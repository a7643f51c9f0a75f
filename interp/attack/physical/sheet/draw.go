package sheet

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/math/fixed"

	"lucigo/internal/filter"
	"lucigo/internal/typeface"
)

// Image returns the page at a resolution in dots per inch, 20 to 1200.
func (s Sheet) Image(dpi int) (*image.RGBA, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if dpi < 20 || dpi > 1200 {
		return nil, fmt.Errorf("sheet: %d dots per inch, must be from 20 to 1200", dpi)
	}
	p := page{perMM: float64(dpi) / 25.4}
	p.RGBA = image.NewRGBA(image.Rect(0, 0, int(math.Round(Width*p.perMM)), int(math.Round(Height*p.perMM))))
	draw.Draw(p, p.Bounds(), image.White, image.Point{}, draw.Src)

	for i := range 4 {
		p.paint(code(i), squares(codes[4*s.Number+i]), 7, 7, 1)
	}
	for i, b := range patches() {
		if i%len(steps) == 0 { // the first of a strip
			b.h *= float64(len(steps))
			p.paint(b, steps[:], len(steps), 1, 1)
		}
	}
	for i, b := range s.boxes() {
		x := s.Pictures
		pix, h, w := x.Of(i), x.H, x.W
		if s.Smooth {
			h, w = int(math.Ceil(b.h*p.perMM)), int(math.Ceil(b.w*p.perMM))
			pix = enlarge(pix, x.H, x.W, x.C, h, w)
		}
		p.paint(b, pix, h, w, x.C)
		if s.Captions != nil {
			p.write(s.Captions[i], b.x+b.w/2, b.y+b.h+6, 4.2, b.w+gap-2)
		}
	}

	const middle = Width / 2
	p.write(s.Title, middle, 25, 7.5, 190)
	p.write(fmt.Sprintf("LuciGo · sheet %d", s.Number), middle, 37, 4.2, 190)
	p.paint(box{middle - 25, 176, 50, .4}, []float64{0}, 1, 1, 1)
	for i := range 6 {
		p.paint(box{middle - 25 + 10*float64(i) - .2, 174, .4, 4}, []float64{0}, 1, 1, 1)
	}
	p.write("This scale is 50 mm long where the page is printed at 100 %.", middle, 185.5, 3.6, 190)
	p.write("Lay it flat in even light, and photograph all of it. Two of the four codes are enough.", middle, 192, 3.6, 190)
	return p.RGBA, nil
}

// squares returns a code's 7×7 squares, 0 black and 1 white.
func squares(code uint32) []float64 {
	b := make([]float64, 49)
	for i := range 25 {
		b[(i/5+1)*7+i%5+1] = float64(code >> i & 1)
	}
	return b
}

// enlarge enlarges a picture bilinearly.
func enlarge(pix []float64, h, w, channels, toH, toW int) []float64 {
	large, plane, big := make([]float64, toH*toW*channels), make([]float64, h*w), make([]float64, toH*toW)
	for c := range channels {
		for i := range plane {
			plane[i] = pix[i*channels+c]
		}
		filter.Enlarge(big, toH, toW, plane, h, w)
		for i, v := range big {
			large[i*channels+c] = v
		}
	}
	return large
}

// page is a sheet while it is drawn.
type page struct {
	*image.RGBA
	perMM float64
}

// paint fills a box with a picture of h×w flat pixels. A dot becomes the mean of what it covers, paper at the box's edges.
func (p page) paint(b box, pix []float64, h, w, channels int) {
	down, across := p.shares(b.y, b.h, h, p.Rect.Dy()), p.shares(b.x, b.w, w, p.Rect.Dx())
	for _, d := range down {
		for _, a := range across {
			sum, cover := [3]float64{}, 0.
			for j, v := range d.share {
				for i, u := range a.share {
					cover += u * v
					at := ((d.first+j)*w + a.first + i) * channels
					for c := range sum {
						sum[c] += u * v * min(max(pix[at+c%channels], 0), 1)
					}
				}
			}
			old := p.RGBAAt(a.dot, d.dot)
			blend := func(paper uint8, c int) uint8 {
				return uint8(math.Round(math.Max(0, 1-cover)*float64(paper) + 255*sum[c]))
			}
			p.SetRGBA(a.dot, d.dot, color.RGBA{blend(old.R, 0), blend(old.G, 1), blend(old.B, 2), 255})
		}
	}
}

// share is what a row or column of dots covers: so much of the pixels from first on.
type share struct {
	dot, first int
	share      []float64
}

// shares cuts a stretch of the page, of so many pixels, into dots.
func (p page) shares(from, length float64, pixels, dots int) (all []share) {
	a, b := from*p.perMM, (from+length)*p.perMM
	const rounding = 1e-6 // of edges that are meant to lie between two dots
	for d := max(0, int(a+rounding)); d < dots && float64(d)+rounding < b; d++ {
		s := share{dot: d, first: -1}
		low, high := max(a, float64(d)), min(b, float64(d+1))
		perPixel := (b - a) / float64(pixels)
		for k := max(0, int((low-a)/perPixel)); k < pixels; k++ {
			v := min(high, a+float64(k+1)*perPixel) - max(low, a+float64(k)*perPixel)
			if v > rounding {
				if s.first < 0 {
					s.first = k
				}
				s.share = append(s.share, v)
			} else if s.first >= 0 {
				break
			}
		}
		if s.first >= 0 {
			all = append(all, s)
		}
	}
	return all
}

// write writes a line around a middle, in letters of a size, smaller where it were wider than it may be.
func (p page) write(line string, middle, base, size, widest float64) {
	if line == "" {
		return
	}
	face := typeface.Go(size*p.perMM, font.HintingNone)
	wide := float64(font.MeasureString(face, line)) / 64 / p.perMM
	if wide > widest {
		face = typeface.Go(size*p.perMM*widest/wide, font.HintingNone)
		wide = float64(font.MeasureString(face, line)) / 64 / p.perMM
	}
	d := font.Drawer{Dst: p.RGBA, Src: image.NewUniform(color.Gray{40}), Face: face}
	d.Dot = fixed.Point26_6{X: fixed.Int26_6((middle - wide/2) * p.perMM * 64), Y: fixed.Int26_6(base * p.perMM * 64)}
	d.DrawString(line)
}

// Draw returns the photograph with the page's edge drawn in red and the pictures' in green, lines of a 300th of its longer side.
func (r *Reading) Draw(photograph image.Image) *image.RGBA {
	b := photograph.Bounds()
	m := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(m, m.Rect, photograph, b.Min, draw.Src)
	half := max(1, max(b.Dx(), b.Dy())/600)
	outline := func(c [4][2]float64, ink color.RGBA) {
		for i, p := range c {
			q := c[(i+1)%4]
			n := int(math.Min(math.Hypot(q[0]-p[0], q[1]-p[1]), 1e5)) + 1
			for k := range n + 1 {
				x, y := int(p[0]+(q[0]-p[0])*float64(k)/float64(n)), int(p[1]+(q[1]-p[1])*float64(k)/float64(n))
				draw.Draw(m, image.Rect(x-half, y-half, x+half, y+half), image.NewUniform(ink), image.Point{}, draw.Src)
			}
		}
	}
	outline(r.Corners, color.RGBA{220, 30, 30, 255})
	for _, f := range r.Frames {
		outline(f, color.RGBA{20, 170, 60, 255})
	}
	return m
}
