package scenes

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"lucigo/interp/random"
)

// A scene whose pattern is a fine picture and that is drawn through its View is what Draw draws, within one of 255 steps at every
// pixel. The patterns are those without jumps, four times as large as usual, so that blending between the pixels of the picture
// changes no colour by half a step.
func TestTextureIsWhatDrawDraws(t *testing.T) {
	const size = 48
	for shape := range Shape(len(shapeNames)) {
		for i, surface := range []Surface{Plain, Striped, Dotted, Checked} {
			s := New(uint64(i)+100*uint64(shape), shape, surface)
			s.Grain, s.Finish.Frequency = 0, s.Finish.Frequency/4
			paint, err := s.Texture(700, 1000)
			if err != nil {
				t.Fatal(err)
			}
			v, err := s.View(size)
			if err != nil {
				t.Fatal(err)
			}
			want, off, worst := s.Draw(size), 0, 0.
			for i, c := range v.Draw(paint) {
				d := math.Abs(math.Round(c*255) - float64(want.RGB[i]))
				if worst = max(worst, d); d > 1 {
					off++
				}
			}
			if off > 0 {
				t.Errorf("%v %v of seed %d: %d of %d numbers are more than a step away, the farthest %g", surface, shape, s.Seed, off, len(want.RGB), worst)
			}
		}
	}
}

// The picture covers the solid once: where a place of it lies, the surface is, its normal is the surface's, and the way back leads to the
// same place.
func TestLawSkin(t *testing.T) {
	r := random.New(5, 0, 0)
	for shape := range Shape(len(shapeNames)) {
		tried := 0
		for i := range 4000 {
			u, v := r.Uniform(2*i), r.Uniform(2*i+1)
			p, n := shape.spot(u, v)
			if all := faces[shape]; all != nil {
				f := all[min(3*min(int(2*v), 1)+int(3*u), len(all)-1)]
				q := p.along(f.middle, -1)
				a, b := q.dot(f.right)/f.right.dot(f.right), q.dot(f.up)/f.up.dot(f.up)
				if math.Abs(a) > .999 || math.Abs(b) > .999 || 3*min(int(2*v), 1)+int(3*u) >= len(all) ||
					shape == Pyramid && n.y > 0 && math.Abs(a) > .99*(1-b)/2 {
					continue
				}
			} else if _, t := outlines[shape].at(v); t < 0 || t > 1 {
				continue
			}
			gotU, gotV := shape.skin(p, n)
			if d := math.Abs(gotU - u); min(d, 1-d) > 1e-9 && v > 1e-3 && v < 1-1e-3 || math.Abs(gotV-v) > 1e-9 {
				t.Fatalf("%v: (%g, %g) is at %v, which is at (%g, %g)", shape, u, v, p, gotU, gotV)
			}
			far, m, _, _, ok := shape.Meet(p.along(n, 3).array(), n.times(-1).array())
			if ok && far < 2.9 { // another part of the solid is before it
				continue
			}
			if !ok || math.Abs(far-3) > 1e-4 || m[0]*n.x+m[1]*n.y+m[2]*n.z < .999 {
				t.Fatalf("%v: from 3 above (%g, %g) the surface is %g away with normal %v, want 3 and %v: %t", shape, u, v, far, m, n, ok)
			}
			tried++
		}
		if tried < 800 {
			t.Errorf("%v: only %d places were tried", shape, tried)
		}
	}
}

// The picture is not seen as in a mirror: before the camera, what is right in it is right, and what is down is down.
func TestSkinIsNotMirrored(t *testing.T) {
	for shape := range Shape(len(shapeNames)) {
		eye := vec{0, 0, 4}
		look := func(x, y float64) (u, v float64) {
			d := vec{x, y, .3}.add(eye.times(-1)).unit()
			_, _, u, v, ok := shape.Meet(eye.array(), d.array())
			if !ok {
				t.Fatalf("%v: no surface at (%g, %g)", shape, x, y)
			}
			return u, v
		}
		y := 0.
		if shape == Torus || shape == Ring {
			y = -.05
		}
		u0, v0 := look(-.1, y)
		u1, v1 := look(.1, y-.1)
		if !(u1 > u0 && v1 > v0) {
			t.Errorf("%v: left and above (%g, %g), right and below (%g, %g)", shape, u0, v0, u1, v1)
		}
	}
}

type boulder struct{ Shape }

func (boulder) Reach() float64 { return 5 }

func TestBadViews(t *testing.T) {
	s := New(1, Cube, Dotted)
	for want, f := range map[string]func() error{
		"a view of 0×0":             func() error { _, err := s.View(0); return err },
		"no view of a Shape(99)":    func() error { _, err := New(1, 0, 0).with(99).View(8); return err },
		"make it smaller":           func() error { _, err := s.ViewOf(boulder{Cube}, 8); return err },
		"no texture of 0×5":         func() error { _, err := s.Texture(0, 5); return err },
		"1 to 16384 each":           func() error { _, err := s.Texture(5, 1<<20); return err },
		"texture of 4×4 pixels, 1 ": func() error { _, err := New(1, 0, 99).Texture(4, 4); return err },
		"the value NaN":             func() error { s := s; s.Light[0] = math.NaN(); _, err := s.View(8); return err },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
	empty, err := (Scene{Shape: Cube}).View(8)
	if err != nil || len(empty.Hits) != 0 {
		t.Errorf("of a scene of size 0: %v, %v", empty, err)
	}
}

func (s Scene) with(shape Shape) Scene { s.Shape = shape; return s }

// Poses draw the same view for the same number, another for another, and a class's own solid as the task's scenes are drawn.
func TestPoses(t *testing.T) {
	p := Poses{Body: Torus, Size: 24}
	a, err := p.View(5, 1)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := p.View(5, 1)
	c, _ := p.View(5, 2)
	d, _ := p.View(6, 1)
	if !reflect.DeepEqual(a, b) || reflect.DeepEqual(a, c) || reflect.DeepEqual(a, d) || a.H != 24 || !a.AroundV {
		t.Error("views are not drawn by seed and number")
	}
	if yaw := p.Yaw(5, 1); math.Abs(yaw-p.Scene(5, 1).Yaw*180/math.Pi) > 1e-9 || yaw < 0 || yaw > 360 {
		t.Errorf("yaw %g", yaw)
	}
	want, _ := p.Scene(5, 1).with(Torus).View(24)
	if !reflect.DeepEqual(a, want) {
		t.Error("a view is not of its scene")
	}
	if v, err := (Poses{}).View(5, 1); err != nil || v.H != 64 || v.AroundV {
		t.Errorf("zero Poses: %v", err)
	}
	if _, err := (Poses{Size: -1}).View(5, 1); err == nil || !strings.Contains(err.Error(), "must be below 0") {
		t.Error(err)
	}
}
