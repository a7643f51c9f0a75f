package sheet

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"testing"
)

// What was reported of other readers of codes.
func TestReports(t *testing.T) {
	s := ordinary()
	shot, good := taken(t, straight(), drawn(t, s), 1, 0)
	at := shot.Corners
	copied := func() *image.RGBA {
		m := image.NewRGBA(good.Bounds())
		draw.Draw(m, m.Rect, good, image.Point{}, draw.Src)
		return m
	}
	// A reflection over a code and beside it (AprilRobotics/apriltag#165): the others are enough, and the light stays.
	glare := copied()
	for y := range 480 {
		for x := range 640 {
			d := math.Hypot(float64(x)-at[1][0]+60, float64(y)-at[1][1]-60)
			if k := math.Exp(-d * d / 2000); k > .01 {
				c := glare.RGBAAt(x, y)
				f := func(v uint8) uint8 { return uint8(float64(v) + k*(255-float64(v))) }
				glare.SetRGBA(x, y, color.RGBA{f(c.R), f(c.G), f(c.B), 255})
			}
		}
	}
	// The image ends within a code (apriltag#375, PhotonVision#1817): that code is not used, and corners stay.
	cut := copied().SubImage(image.Rect(int(at[0][0])+30, 0, 640, 480))
	// A shutter that rolls while the hand moves shears the photograph: still a plane.
	sheared := image.NewRGBA(good.Bounds())
	for y := range 480 {
		for x := range 640 {
			sheared.Set(x+y/16-15, y, good.At(x, y))
		}
	}
	// Text in the white margin (apriltag#272): a line beside a code, a bit's side away.
	line := copied()
	draw.Draw(line, image.Rect(int(at[0][0])+20, int(at[0][1])+4, int(at[0][0])+90, int(at[0][1])+8), image.Black, image.Point{}, draw.Src)
	for what, m := range map[string]image.Image{"glare": glare, "cut": cut, "sheared": sheared, "line": line} {
		r, err := read(m, s)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		d := 0.
		for i, c := range r.Corners {
			x, y := at[i][0], at[i][1]
			switch what {
			case "cut":
				x -= float64(int(at[0][0]) + 30)
			case "sheared":
				x += y/16 - 15.5
			}
			d = max(d, math.Hypot(c[0]-x, c[1]-y))
		}
		if d > 1.5 {
			t.Errorf("%s: a corner is %.2f pixels off, codes %v", what, d, r.Codes)
		}
		if e := mean(r.Pictures.Pix, s.Pictures.Pix); e > .06 {
			t.Errorf("%s: the pictures are off by %.3f", what, e)
		}
		t.Logf("%s: corners %.2f, codes %v, pictures %.3f", what, d, r.Codes, mean(r.Pictures.Pix, s.Pictures.Pix))
	}
	// No white around the codes (opencv_contrib#1698 and #2492), on a dark table: it is said, and nothing invented.
	bare := copied()
	draw.Draw(bare, image.Rect(0, 0, 640, int(at[0][1])+20), image.Black, image.Point{}, draw.Src)
	draw.Draw(bare, image.Rect(0, int(at[2][1])-20, 640, 480), image.Black, image.Point{}, draw.Src)
	if r, err := read(bare, s); err == nil {
		t.Errorf("without margins: %v", r.Corners)
	}
}
