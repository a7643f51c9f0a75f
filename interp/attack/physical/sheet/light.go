package sheet

import (
	"context"
	"errors"
	"image"
	"math"

	"gonum.org/v1/gonum/mat"

	"lucigo/internal/parallel"
	"lucigo/interp"
)

// colourAt returns red, green and blue at a place, in [0, 1], bilinearly between the middles of pixels.
func colourAt(m *image.RGBA, p point) (c [3]float64) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	x, y := min(max(p.x-.5, 0), float64(w-1)), min(max(p.y-.5, 0), float64(h-1))
	i, j := int(x), int(y)
	x, y = x-float64(i), y-float64(j)
	a := m.Pix[j*m.Stride+4*i:]
	b := m.Pix[j*m.Stride+4*min(i+1, w-1):]
	d := m.Pix[min(j+1, h-1)*m.Stride+4*i:]
	e := m.Pix[min(j+1, h-1)*m.Stride+4*min(i+1, w-1):]
	for k := range c {
		c[k] = ((1-y)*((1-x)*float64(a[k])+x*float64(b[k])) + y*((1-x)*float64(d[k])+x*float64(e[k]))) / 255
	}
	return c
}

// light is what was made of the page's colours: each is seen as offset + (g0 + g1·x + g2·y)·colour, x and y in shares of the
// page.
type light [3][4]float64 // red, green, blue: g0, g1, g2, offset

// undo returns the page's colour at a place where it is seen as c.
func (l *light) undo(c [3]float64, p point) [3]float64 {
	for k, g := range l {
		c[k] = (c[k] - g[3]) / max(.02, g[0]+g[1]*p.x/Width+g[2]*p.y/Height)
	}
	return c
}

// lightOf fits the light to the patches and to the paper beside them by least squares, leaving out those that are far off: a
// shadow, a finger, a reflection. Where white or black is cut, as too bright a photograph is at 1, greys take its place: they
// count only then, because printers do not agree about them.
func lightOf(m *image.RGBA, pose homography) (l light, err error) {
	type sample struct {
		at     point
		colour float64
		seen   [3]float64
	}
	var samples []sample
	take := func(b box, colour float64) {
		sum, n := [3]float64{}, 0.
		for i := range 9 {
			q := pose.follow(b.at(.4+.1*float64(i%3), .4+.1*float64(i/3)))
			if q.x < 0 || q.y < 0 || q.x > float64(m.Rect.Dx()) || q.y > float64(m.Rect.Dy()) {
				continue
			}
			n++
			for k, v := range colourAt(m, q) {
				sum[k] += v
			}
		}
		if n < 9 {
			return // outside the photograph
		}
		for k := range sum {
			sum[k] /= n
		}
		samples = append(samples, sample{b.at(.5, .5), colour, sum})
	}
	for i, b := range patches() {
		take(b, steps[i%len(steps)])
		b.x += 1.5 * patch // the paper beside it, towards the middle of the page
		if i >= len(steps) {
			b.x -= 3 * patch
		}
		take(b, 1)
	}
	for i := range 4 { // the paper beside the codes, below the upper ones and above the lower
		b := code(i)
		b.y += side + 1
		if i >= 2 {
			b.y -= side + 2 + patch
		}
		take(box{b.x + side/2, b.y, patch, patch}, 1)
	}
	for k := range l { // each colour
		clear := func(s sample) bool { return s.seen[k] > .02 && s.seen[k] < .97 }
		var cut, all [2]float64 // of black and white
		for _, s := range samples {
			if s.colour == 0 || s.colour == 1 {
				all[int(s.colour)]++
				if !clear(s) {
					cut[int(s.colour)]++
				}
			}
		}
		greys := 4*cut[0] >= all[0] || 4*cut[1] >= all[1]
		var use []sample
		for _, s := range samples {
			if clear(s) && (s.colour == 0 || s.colour == 1 || greys) {
				use = append(use, s)
			}
		}
		for range 4 {
			if len(use) < 8 {
				break
			}
			system, right := mat.NewDense(len(use), 4, nil), mat.NewVecDense(len(use), nil)
			for i, s := range use {
				system.SetRow(i, []float64{s.colour, s.colour * s.at.x / Width, s.colour * s.at.y / Height, 1})
				right.SetVec(i, s.seen[k])
			}
			var g mat.VecDense
			if g.SolveVec(system, right) != nil {
				break
			}
			l[k] = [4]float64(g.RawVector().Data)
			off := func(s sample) float64 {
				return math.Abs(l[k][3] + s.colour*(l[k][0]+l[k][1]*s.at.x/Width+l[k][2]*s.at.y/Height) - s.seen[k])
			}
			mean := 0.
			for _, s := range use {
				mean += off(s) / float64(len(use))
			}
			var near []sample
			for _, s := range use {
				if off(s) <= max(.03, 2.5*mean) {
					near = append(near, s)
				}
			}
			if len(near) == len(use) {
				break
			}
			use = near
		}
		const least = .1
		for _, p := range (box{0, 0, 1, 1}).corners() {
			if !(l[k][0]+l[k][1]*p.x+l[k][2]*p.y > least) {
				return l, errors.New("sheet: the paper cannot be told from the ink: photograph it in more light, or in less where all is white, and without a shadow across it")
			}
		}
	}
	return l, nil
}

// straighten fills Pictures and Scale. A pixel of a picture is the mean of places in it, so many that they are at most a pixel of
// the photograph apart.
func (r Reader) straighten(ctx context.Context, reading *Reading, m *image.RGBA, pose homography, l light, s Sheet) error {
	h, w := r.H, r.W
	if h == 0 {
		h, w = s.Pictures.H, s.Pictures.W
	}
	boxes := s.boxes()
	x := interp.Images{N: len(boxes), H: h, W: w, C: s.Pictures.C, Pix: make([]float64, len(boxes)*h*w*s.Pictures.C)}
	reading.Scale = math.Inf(1)
	far := 0.
	for _, frame := range reading.Frames {
		for k, p := range frame {
			q := frame[(k+1)%4]
			length, printed, wanted := math.Hypot(q[0]-p[0], q[1]-p[1]), s.Pictures.W, w
			if k%2 == 1 {
				printed, wanted = s.Pictures.H, h
			}
			reading.Scale = min(reading.Scale, length/float64(printed))
			far = max(far, length/float64(wanted))
		}
	}
	n := min(max(2, int(math.Ceil(far))), 64)
	err := parallel.Each(ctx, len(boxes)*h, func(i int) error {
		b, row := boxes[i/h], i%h
		for column := range w {
			mean := [3]float64{}
			for k := range n * n {
				p := b.at((float64(column)+(float64(k%n)+.5)/float64(n))/float64(w), (float64(row)+(float64(k/n)+.5)/float64(n))/float64(h))
				for c, v := range l.undo(colourAt(m, pose.follow(p)), p) {
					mean[c] += v / float64(n*n)
				}
			}
			pixel := x.Pixel(i/h, row, column)
			if x.C == 1 {
				mean[0] = (mean[0] + mean[1] + mean[2]) / 3
			}
			for c := range pixel {
				pixel[c] = min(max(mean[c], 0), 1)
			}
		}
		return nil
	})
	reading.Pictures = x
	return err
}
