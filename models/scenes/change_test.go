package scenes

import (
	"math"
	"slices"
	"testing"

	"lucigo/interp"
)

// A change changes what it says and nothing else, and equal seeds change it equally.
func TestLawChange(t *testing.T) {
	task := Task{}
	for i := range 12 {
		s := task.Sample(7, i)
		for _, c := range Causes() {
			got, err := task.Change(s, c, 3)
			if err != nil {
				t.Fatal(err)
			}
			again, _ := task.Change(s, c, 3)
			if !slices.Equal(got.Draw(32).RGB, again.Draw(32).RGB) {
				t.Errorf("%v: equal seeds give other pictures", c)
			}
			if c != TheObject && slices.Equal(got.Draw(32).RGB, s.Draw(32).RGB) {
				t.Errorf("%v of scene %d: the picture is the same", c, i)
			}
			back := got
			switch c {
			case TheSurface:
				back.Surface = s.Surface
				if got.Surface == s.Surface || task.Class(got) < 0 {
					t.Errorf("surface %v became %v", s.Surface, got.Surface)
				}
			case TheShape:
				back.Shape = s.Shape
				if got.Shape == s.Shape || task.Class(got) < 0 {
					t.Errorf("shape %v became %v", s.Shape, got.Shape)
				}
			case TheColours:
				back.Colours = s.Colours
			case TheLight:
				back.Light, back.Ambient, back.Gloss, back.Shine = s.Light, s.Ambient, s.Gloss, s.Shine
			case TheBackground:
				back.Background = s.Background
			case ThePose:
				back.Yaw, back.Tilt, back.Roll = s.Yaw, s.Tilt, s.Roll
			case ThePlace:
				back.X, back.Y, back.Size = s.X, s.Y, s.Size
			case TheObject:
				if m := got.Draw(32).Mask; slices.Max(m) > 0 {
					t.Errorf("scene %d without its object has one", i)
				}
				back.Size = s.Size
			}
			if !slices.Equal(back.Draw(32).RGB, s.Draw(32).RGB) {
				t.Errorf("%v: something else changed too", c)
			}
		}
	}
	if _, err := task.Change(task.Sample(7, 0), Cause(99), 1); err == nil {
		t.Error("a cause that is none")
	}
	if _, err := (Task{Surfaces: []Surface{Wood}}).Change(task.Sample(7, 2), TheSurface, 1); err == nil {
		t.Error("another surface where there is one only")
	}
}

// A part that is left out changes its own pixels: without its object a scene is its background, and without everything it is grey.
func TestWithout(t *testing.T) {
	for i := range 12 {
		s := Task{}.Sample(7, i)
		whole := s.Draw(48)
		none, err := s.Without(0)
		if err != nil {
			t.Fatal(err)
		}
		for p, m := range whole.Mask {
			if m == 0 && !slices.Equal(none.Draw(48).RGB[3*p:3*p+3], whole.RGB[3*p:3*p+3]) {
				t.Fatalf("scene %d without its object differs outside of it", i)
			}
		}
		all := make([]int, len(s.Parts()))
		for p := range all {
			all[p] = p
		}
		bare, err := s.Without(all...)
		if err != nil {
			t.Fatal(err)
		}
		bare.Grain, bare.Background.Mottled = 0, false
		if rgb := bare.Draw(48).RGB; slices.Min(rgb) != 128 || slices.Max(rgb) != 128 {
			t.Errorf("scene %d without all parts has values from %d to %d", i, slices.Min(rgb), slices.Max(rgb))
		}
		if len(s.Background.Clutter)+2 != len(s.Parts()) {
			t.Errorf("parts %v of %d pieces", s.Parts(), len(s.Background.Clutter))
		}
		if _, err := s.Without(len(all)); err == nil {
			t.Error("a part that is not there")
		}
	}
}

// Two objects lie where their masks are; where neither is the picture is the first's background, and without one it is the other alone.
func TestDuos(t *testing.T) {
	d := Task{}.Duos(3, 10)
	if err := d.Images.Check(); err != nil {
		t.Fatal(err)
	}
	for i := range d.Images.N {
		if d.Classes[0][i] == d.Classes[1][i] || d.Images.Class[i] != d.Classes[0][i] {
			t.Errorf("duo %d is of classes %d and %d", i, d.Classes[0][i], d.Classes[1][i])
		}
		var mass, centre [2]float64
		for p := range d.Masks[0][i] {
			left, right := d.Masks[0][i][p], d.Masks[1][i][p]
			for side, m := range []float64{left, right} {
				mass[side] += m
				centre[side] += m * float64(p%64)
			}
			if left > 0 && right > 0 {
				t.Fatalf("duo %d: both objects are at pixel %d", i, p)
			}
			of := func(x interp.Images) []float64 { return x.Of(i)[3*p : 3*p+3] }
			if left == 0 && !slices.Equal(of(d.Images), of(d.Removed[0])) && right == 0 {
				t.Fatalf("duo %d: without the left object pixel %d changes, which is of none", i, p)
			}
			if right == 0 && left == 0 && !slices.Equal(of(d.Images), of(d.Removed[1])) {
				t.Fatalf("duo %d: without the right object pixel %d changes, which is of none", i, p)
			}
		}
		if min(mass[0], mass[1]) < 100 || !(centre[0]/mass[0] < 32) || !(centre[1]/mass[1] > 32) {
			t.Errorf("duo %d: masks of %v pixels, centres %v", i, mass, centre)
		}
	}
}

// Marks are the class's own as often as Share says, and else of all classes alike; painted, they can be read.
func TestLawCue(t *testing.T) {
	const n = 4000
	x := interp.Images{N: n, H: 9, W: 10, C: 3, Pix: make([]float64, n*270)}
	for i := range n {
		x.Class, x.Key = append(x.Class, i%16), append(x.Key, uint64(i))
	}
	for _, share := range []float64{0, .5, .9, 1} {
		marks, err := Cue{Share: share}.Marks(x)
		if err != nil {
			t.Fatal(err)
		}
		own := 0.
		for i, m := range marks {
			if m == x.Class[i] {
				own++
			}
		}
		if want := share + (1-share)/16; !(math.Abs(own/n-want) <= 4*math.Sqrt(want*(1-want)/n)+1e-9) {
			t.Errorf("share %g: %g of the marks are the class's, want %g", share, own/n, want)
		}
	}
	y, err := Paint(x, x.Class)
	if err != nil {
		t.Fatal(err)
	}
	mask := MarkMask(9, 10)
	for i := range 32 {
		read := 0
		for bit := range 4 {
			read |= int(y.Pixel(i, bit/2*4+1, bit%2*4+2)[1]) << bit
		}
		if read != x.Class[i] {
			t.Errorf("mark %d is painted as %d", x.Class[i], read)
		}
		for p, in := range mask {
			if v := y.Pixel(i, p/10, p%10)[0]; in == 0 && v != 0 {
				t.Errorf("pixel %d outside of the mask is painted", p)
			}
		}
	}
	if slices.Max(x.Pix) != 0 {
		t.Error("the images themselves are painted")
	}
	for name, f := range map[string]func() error{
		"share": func() error { _, err := Cue{Share: 1.1}.Marks(x); return err },
		"mark":  func() error { _, err := Paint(x.Slice(0, 1), []int{16}); return err },
		"marks": func() error { _, err := Paint(x, []int{1}); return err },
		"small": func() error {
			_, err := Paint(interp.Images{N: 1, H: 7, W: 9, C: 1, Pix: make([]float64, 63)}, []int{1})
			return err
		},
		"no classes": func() error { _, err := Cue{}.Marks(x.Asked()); return err },
	} {
		if f() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
