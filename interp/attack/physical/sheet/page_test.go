package sheet

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/draw"
	"math"
	"slices"
	"testing"

	"lucigo/interp"
)

// What has been printed must be read by later versions: codes are 35 mm wide, 10 mm from the page's edges, bit 5·row+column is
// white where it is 1, and the corners are top left, top right, bottom right, bottom left.
func TestPrintedCodes(t *testing.T) {
	s := ordinary()
	m, err := s.Image(100)
	if err != nil {
		t.Fatal(err)
	}
	for corner, at := range [][2]float64{{10, 10}, {252, 10}, {252, 165}, {10, 165}} {
		for i := range 49 {
			row, column := i/7-1, i%7-1
			want := row >= 0 && row < 5 && column >= 0 && column < 5 && codes[4*s.Number+corner]>>(5*row+column)&1 == 1
			x, y := at[0]+5*float64(column+1)+2.5, at[1]+5*float64(row+1)+2.5
			if got := m.RGBAAt(int(x*100/25.4), int(y*100/25.4)).R > 128; got != want {
				t.Errorf("code %d, row %d, column %d: white %t", corner, row, column, got)
			}
		}
	}
}

// Pictures are printed in reading order, rows around the middle of the page, none over another.
func TestBoxes(t *testing.T) {
	for n := 1; n <= 12; n++ {
		s := Sheet{Pictures: interp.Images{N: n, H: 30, W: 40, C: 1, Pix: make([]float64, n*1200)}}
		boxes, err := s.Boxes()
		if err != nil {
			t.Fatal(err)
		}
		if len(boxes) != n {
			t.Fatalf("%d boxes for %d pictures", len(boxes), n)
		}
		rows := map[float64][2]float64{}
		for i, b := range boxes {
			if i > 0 {
				if a := boxes[i-1]; !(b[1] == a[1] && b[0] > a[0]+a[2] || b[1] > a[1]+a[3]+captionHeight) {
					t.Errorf("%d pictures: %d is at %v, after %v", n, i, b, a)
				}
			}
			e, seen := rows[b[1]]
			if !seen {
				e[0] = b[0]
			}
			rows[b[1]] = [2]float64{e[0], b[0] + b[2]}
		}
		for _, e := range rows {
			if math.Abs((e[0]+e[1])/2-Width/2) > 1e-9 {
				t.Errorf("%d pictures: a row goes from %g to %g, not around the middle", n, e[0], e[1])
			}
		}
	}
}

// A photograph that is made smaller before codes are looked for is measured as it is.
func TestLarge(t *testing.T) {
	s := ordinary()
	m, err := s.Image(200) // 2339 pixels wide
	if err != nil {
		t.Fatal(err)
	}
	p, err := plain(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	levels, found, _, err := look(t.Context(), p)
	if err != nil || len(levels) != 2 || len(found) != 4 {
		t.Fatalf("%d levels, %d codes, %v", len(levels), len(found), err)
	}
	far := func(pose *homography) (d float64) {
		for i := range 4 {
			for k, c := range found {
				if c.corner == i {
					for j, q := range code(i).corners() {
						d = max(d, pose.follow(q).to(found[k].quad[j]))
					}
				}
			}
		}
		return d
	}
	want := homography{200 / 25.4, 0, 0, 0, 200 / 25.4, 0, 0, 0, 1}
	d := far(&want)
	t.Logf("codes are %.2f pixels off", d)
	if d > .08 { // .11 in the half alone
		t.Errorf("a code's corner is %.2f pixels off", d)
	}
	wrong := want
	wrong[2], wrong[0] = 4, wrong[0]*1.001 // more than is looked for in the photograph itself, but not in its half
	got := settle(levels, wrong, nil)
	if d := far(&got); d > .3 {
		t.Errorf("settled, a code's corner is %.2f pixels off", d)
	}
}

// A half is the means of squares of 2×2 pixels, without a last row and column that are left over.
func TestHalf(t *testing.T) {
	g := &grey{5, 3, []uint8{
		0, 100, 10, 20, 9,
		200, 40, 30, 43, 9,
		9, 9, 9, 9, 9,
	}}
	if s, err := g.half(t.Context()); err != nil || s.w != 2 || s.h != 1 || !bytes.Equal(s.pix, []uint8{85, 26}) {
		t.Errorf("%+v, %v", s, err)
	}
}

// Sums are those of what is above and left, softening and darkness what their definitions say.
func TestLawSums(t *testing.T) {
	g := &grey{7, 5, make([]uint8, 35)}
	for i := range g.pix {
		g.pix[i] = uint8(i * 89)
	}
	s := g.sums()
	for y := range 6 {
		for x := range 8 {
			sum := uint32(0)
			for i := range g.pix {
				if i/7 < y && i%7 < x {
					sum += uint32(g.pix[i])
				}
			}
			if s[8*y+x] != sum {
				t.Errorf("above and left of row %d, column %d: %d, want %d", y, x, s[8*y+x], sum)
			}
		}
	}
	dark, err := g.darker(t.Context(), s, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range g.pix {
		sum, n := 0., 0.
		for k, w := range g.pix {
			if max(i/7-k/7, k/7-i/7) <= 2 && max(i%7-k%7, k%7-i%7) <= 2 {
				sum, n = sum+float64(w), n+1
			}
		}
		if dark[i] != (float64(v)+8 < sum/n) {
			t.Errorf("pixel %d is %d, around it is %.1f: dark %t", i, v, sum/n, dark[i])
		}
	}
}

// Greys of a printer that prints them too dark change nothing: they count only where black or white is cut.
func TestGreys(t *testing.T) {
	s := ordinary()
	m, _ := flat(t, 100)
	p := page{m, 100 / 25.4}
	for i, b := range patches() {
		if v := steps[i%len(steps)]; v > 0 && v < 1 {
			p.paint(b, []float64{v * v}, 1, 1, 1)
		}
	}
	for i, v := range m.Pix {
		if i%4 != 3 {
			m.Pix[i] = uint8(25 + int(v)*205/255) // neither is cut
		}
	}
	r, err := read(m, s)
	if err != nil {
		t.Fatal(err)
	}
	if d := mean(r.Pictures.Pix, s.Pictures.Pix); d > .01 {
		t.Errorf("the pictures are off by %.3f", d)
	}
}

// Scale is the smaller one, where a photograph is squeezed; Error is not 0, and small where the page is flat. A pixel of the
// result is where it was printed, and a picture that is enlarged smoothly has values between its pixels.
func TestReading(t *testing.T) {
	s := ordinary()
	m, _ := flat(t, 150)
	squeezed := image.NewRGBA(image.Rect(0, 0, m.Rect.Dx()/2, m.Rect.Dy()))
	for y := range squeezed.Rect.Dy() {
		for x := range squeezed.Rect.Dx() {
			a, b := m.RGBAAt(2*x, y), m.RGBAAt(2*x+1, y)
			f := func(a, b uint8) uint8 { return uint8((int(a) + int(b)) / 2) }
			squeezed.SetRGBA(x, y, color.RGBA{f(a.R, b.R), f(a.G, b.G), f(a.B, b.B), 255})
		}
	}
	r, err := read(squeezed, s)
	if err != nil {
		t.Fatal(err)
	}
	if want := s.boxes()[0].w / 48 * 150 / 25.4 / 2; math.Abs(r.Scale-want) > .02*want {
		t.Errorf("Scale is %g, want %g", r.Scale, want)
	}
	if !(r.Error > 0 && r.Error < .5) {
		t.Errorf("Error is %g", r.Error)
	}
	if d := mean(r.Pictures.Pix, s.Pictures.Pix); d > .01 {
		t.Errorf("the pictures are off by %.4f", d)
	}
	edge := Sheet{Pictures: interp.Images{N: 1, H: 2, W: 2, C: 1, Pix: []float64{0, 1, 0, 1}}}
	for _, smooth := range []bool{false, true} {
		edge.Smooth = smooth
		m, err := edge.Image(50)
		if err != nil {
			t.Fatal(err)
		}
		b, grey := edge.boxes()[0], 0
		for x := int(b.x*50/25.4) + 2; x < int((b.x+b.w)*50/25.4)-2; x++ {
			if v := m.RGBAAt(x, int((b.y+b.h/2)*50/25.4)).R; v > 20 && v < 235 {
				grey++
			}
		}
		if smooth != (grey > 20) {
			t.Errorf("smooth %t: %d dots between black and white", smooth, grey)
		}
	}
}

// Whatever is put over a page, there is an answer, and its numbers are some. Every five bytes are a rectangle and how bright it is.
func FuzzCovered(f *testing.F) {
	s := Sheet{Number: 3, Pictures: interp.Images{N: 1, H: 2, W: 2, C: 1, Pix: []float64{.2, .9, .5, .1}}}
	clean, err := s.Image(20)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	f.Add([]byte{0, 0, 40, 40, 255, 20, 100, 60, 60, 0})
	f.Add([]byte{8, 8, 5, 27, 0, 200, 8, 30, 5, 128, 8, 130, 27, 9, 255})
	f.Fuzz(func(t *testing.T, over []byte) {
		m := image.NewRGBA(clean.Rect)
		draw.Draw(m, m.Rect, clean, image.Point{}, draw.Src)
		for o := range slices.Chunk(over[:min(len(over), 200)/5*5], 5) {
			x, y := int(o[0]), int(o[1])
			draw.Draw(m, image.Rect(x, y, x+int(o[2])%64, y+int(o[3])%64), image.NewUniform(color.Gray{o[4]}), image.Point{}, draw.Src)
		}
		r, err := Reader{}.Read(context.Background(), m, s)
		if (r == nil) == (err == nil) {
			t.Fatalf("%v and %v", r, err)
		}
		if err != nil {
			return
		}
		if err := r.Pictures.Check(); err != nil {
			t.Error(err)
		}
		for i, c := range r.Corners { // the page is flat, and its corners are where they are
			if want := (box{0, 0, Width, Height}).corners()[i].times(20 / 25.4); !(want.to(point{c[0], c[1]}) < 8) {
				t.Errorf("corner %d is at %v, want %v; codes %v", i, c, want, r.Codes)
			}
		}
	})
}

// A pixel of the result is the mean over where it was printed, not beside it: ramps to the right and to the left are both read as
// they were.
func TestLawPlace(t *testing.T) {
	s := Sheet{Pictures: interp.Images{N: 2, H: 40, W: 40, C: 1, Pix: make([]float64, 2*1600)}}
	for i := range 1600 {
		v := .1 + .8*float64(i%40)/39
		s.Pictures.Pix[i], s.Pictures.Pix[1600+i] = v, 1-v
	}
	m, err := s.Image(60)
	if err != nil {
		t.Fatal(err)
	}
	r, err := read(m, s)
	if err != nil {
		t.Fatal(err)
	}
	up, down := 0., 0.
	for i := range 1600 {
		up, down = up+(r.Pictures.Pix[i]-s.Pictures.Pix[i])/1600, down+(r.Pictures.Pix[1600+i]-s.Pictures.Pix[1600+i])/1600
	}
	const slope = .8 / 39
	t.Logf("the pictures are moved by %.4f pixels", (down-up)/2/slope)
	if math.Abs(down-up)/2/slope > .03 { // .043 where pixels are half a pixel of the photograph beside themselves
		t.Error("that is too much")
	}
}
