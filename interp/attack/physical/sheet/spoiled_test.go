package sheet

import (
	"image"
	"image/color"
	"image/draw"
	"strings"
	"testing"

	"lucigo/interp/attack/physical"
)

// copied is a copy of a picture that can be painted on.
func copied(m image.Image) *image.RGBA {
	c := image.NewRGBA(m.Bounds())
	draw.Draw(c, c.Rect, m, c.Rect.Min, draw.Src)
	return c
}

// around is the rectangle that a place of the page fills in a photograph in which it is upright.
func around(pose *homography, b box) image.Rectangle {
	p, q := pose.follow(b.at(0, 0)), pose.follow(b.at(1, 1))
	return image.Rect(int(p.x), int(p.y), int(q.x)+1, int(q.y)+1)
}

// posed is where a photograph shows a page.
func posed(t *testing.T, shot *physical.Shot) homography {
	t.Helper()
	page := box{0, 0, Width, Height}.corners()
	var to []point
	for _, c := range shot.Corners {
		to = append(to, point{c[0], c[1]})
	}
	pose, _, ok := fit(page[:], to)
	if !ok {
		t.Fatal("no pose")
	}
	return pose
}

// A reflection on two black patches and a finger on the paper beside others do not change the light that is undone.
func TestReflection(t *testing.T) {
	s := ordinary()
	shot, good := taken(t, straight(), drawn(t, s), 1, 0)
	pose, m := posed(t, shot), copied(good)
	boxes := patches()
	draw.Draw(m, around(&pose, boxes[0]), image.White, image.Point{}, draw.Src)
	draw.Draw(m, around(&pose, boxes[19]), image.NewUniform(color.Gray{230}), image.Point{}, draw.Src)
	finger := boxes[12]
	finger.x, finger.h = finger.x-2*patch, 3*patch
	draw.Draw(m, around(&pose, finger), image.NewUniform(color.RGBA{120, 80, 60, 255}), image.Point{}, draw.Src)
	want, err := read(good, s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := read(m, s)
	if err != nil {
		t.Fatal(err)
	}
	if d := mean(got.Pictures.Pix, want.Pictures.Pix); d > .004 {
		t.Errorf("the pictures differ by %.4f", d)
	}
}

// A page whose codes are not where they were printed, because it is folded, is refused, and so is one that is almost as dark as its ink.
func TestSpoiled(t *testing.T) {
	s := ordinary()
	shot, good := taken(t, straight(), drawn(t, s), 1, 0)
	pose, folded := posed(t, shot), copied(good)
	for corner, by := range map[int]float64{0: 15, 2: -15} {
		b := code(corner)
		from := around(&pose, b).Inset(-4)
		b.x += by
		draw.Draw(folded, from, image.NewUniform(good.At(from.Min.X-1, from.Min.Y+10)), image.Point{}, draw.Src)
		draw.Draw(folded, around(&pose, b).Inset(-4), good, from.Min, draw.Src)
	}
	dark := copied(good)
	for i, v := range dark.Pix {
		if i%4 != 3 {
			dark.Pix[i] = 100 + uint8(int(v)*18/255)
		}
	}
	for want, m := range map[string]image.Image{"do not lie in one plane": folded, "no sheet is seen": dark} {
		if _, err := read(m, s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// Codes so blurred that their bits run together are read: a code of 26 pixels with a blur of 2, and one of 61 with a blur of 4.
func TestBlurred(t *testing.T) {
	s := ordinary()
	paint := drawn(t, s)
	for size, blur := range map[float64]float64{.35: 2, .45: 2.5, .6: 3.5, .85: 4} {
		c := straight()
		c.Sizes, c.Steady = []float64{size}, physical.Lens{Blur: blur}
		for i := range 2 {
			shot, m := taken(t, c, paint, 1, i)
			r, err := read(m, s)
			if err != nil {
				t.Errorf("size %g, blur %g: %v", size, blur, err)
			} else if d := farthest(r, shot); d > 1.5 {
				t.Errorf("size %g, blur %g: a corner is %.2f pixels off", size, blur, d)
			}
		}
	}
}

// Too few edges are no ground to move a pose: where all but two patches is white, it stays as it is.
func TestTooFewEdges(t *testing.T) {
	m, pose := flat(t, 100)
	white := image.NewRGBA(m.Rect)
	draw.Draw(white, white.Rect, image.White, image.Point{}, draw.Src)
	two := box{margin - 4, stripTop - 4, patch + 8, 2*patch + 8}
	at := around(&pose, two)
	draw.Draw(white, at, m, at.Min, draw.Src)
	g, err := brightness(t.Context(), white)
	if err != nil {
		t.Fatal(err)
	}
	wrong := pose
	wrong[2] += 1
	if n := len(g.sights(&wrong, rims(nil), 3)); n < 9 || n >= 24 {
		t.Errorf("%d edges are seen", n)
	}
	if got := settle([]*grey{g}, wrong, nil); got != wrong {
		t.Errorf("the pose has moved: %v", got)
	}
}
