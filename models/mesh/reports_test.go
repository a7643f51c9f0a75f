package mesh

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// Faults that were reported of other readers and ray casters, each with the report that it was seen in.
func TestReports(t *testing.T) {
	// mikedh/trimesh#2364: numbers that count from the end count from where they stand, not from the end of the file.
	solids := strings.ReplaceAll("v 0 0 X\nv 1 0 X\nv 0 1 X\nvt 0 0\nf -3/-1 -2/-1 -1/-1\n", "X", "1") + strings.ReplaceAll("v 0 0 X\nv 1 0 X\nv 0 1 X\nvt 0 0\nf -3/-1 -2/-1 -1/-1\n", "X", "3")
	m, err := Read(t.Context(), strings.NewReader(solids))
	if !errors.Is(err, ErrOpen) {
		t.Fatal(err)
	}
	if far, _, _, _, ok := m.Meet(vec{.2, .2, 0}, vec{0, 0, 1}); !ok || math.Abs(far-1) > 1e-15 {
		t.Errorf("the nearer triangle is %g away, want 1", far)
	}

	// madmann91/bvh#9 and #20, jbikker/tinybvh#282: directions with a part that is 0 or −0.
	minus := math.Copysign(0, -1)
	two := "v 1 -1 1\nv 1 1 1\nv -1 1 1\nv 1 -1 2.1\nv 1 1 2.1\nv -1 1 2.1\nvt 0 0\nf 1/1 2/1 3/1\nf 4/1 5/1 6/1\n"
	if m, err = Read(t.Context(), strings.NewReader(two)); !errors.Is(err, ErrOpen) {
		t.Fatal(err)
	}
	for _, d := range []vec{{0, 0, 1}, {0, minus, 1}, {minus, minus, 1}} {
		if far, _, _, _, ok := m.Meet(vec{.25, .25, 0}, d); !ok || math.Abs(far-1) > 1e-15 {
			t.Errorf("along %v the triangle is %g away, want 1", d, far)
		}
	}

	// svencrosso/bvh#140, libigl/libigl#2232: a ray that begins in the plane of a box's side and runs along it, to an edge and a corner.
	if m, err = Read(t.Context(), strings.NewReader(cube)); err != nil {
		t.Fatal(err)
	}
	for _, o := range []vec{{0, 1, -1}, {2, 1, -1}, {1, 0, -1}, {0, 0, -1}, {2, 2, -1}} {
		for _, d := range []vec{{0, 0, 1}, {minus, minus, 1}} {
			if far, _, _, _, ok := m.Meet(o, d); !ok || math.Abs(far-1) > 1e-15 {
				t.Errorf("from %v along %v the cube is %g away, want 1", o, d, far)
			}
		}
	}

	// mikedh/trimesh#717: the name of a file with a space. #1103: lines that go on.
	spaced := "mtllib Sail ship.mtl\n" + strings.ReplaceAll(cube, " 7/3", " \\\n7/3")
	if again, err := Read(t.Context(), strings.NewReader(spaced)); err != nil || again.Triangles() != 12 {
		t.Error(err)
	}

	// assimp/assimp#2297, mrdoob/three.js#19262: a last line without an end. assimp#1200: a line that goes on ends the file.
	if again, err := Read(t.Context(), strings.NewReader(strings.TrimRight(cube, "\n"))); err != nil || again.Triangles() != 12 {
		t.Error(err)
	}
	if _, err := Read(t.Context(), strings.NewReader(cube+"f 1/1 2/1 3/1 \\\n")); err == nil || !strings.Contains(err.Error(), "line 19 is the last and ends with a backslash") {
		t.Error(err)
	}

	// clover-moe/mm3d#143, f3d-app/f3d#473: a cross, which a fan covers from four of its corners alone and whose first corner comes again as its last.
	cross := "v -.5 1 0\nv -.3333 1 0\nv 0 1.25 0\nv .3333 1 0\nv .5 1 0\nv .5 1.1667 0\nv .25 1.5 0\nv .5 1.8333 0\nv .5 2 0\nv .3333 2 0\nv 0 1.75 0\nv -.3333 2 0\nv -.5 2 0\nv -.5 1.8333 0\nv -.25 1.5 0\nv -.5 1.1667 0\nvt 0 0\nf"
	for _, c := range "123456789" {
		cross += " " + string(c) + "/1"
	}
	cross += " 10/1 11/1 12/1 13/1 14/1 15/1 16/1 1/1\n"
	if m, err = Read(t.Context(), strings.NewReader(cross)); !errors.Is(err, ErrOpen) {
		t.Fatal(err)
	}
	for _, c := range []struct {
		x, y float64
		is   bool
	}{{0, 1.5, true}, {.4, 1.1, true}, {-.4, 1.9, true}, {0, 1.1, false}, {.45, 1.5, false}, {-.45, 1.5, false}, {0, 1.9, false}} {
		if _, _, _, _, ok := m.Meet(vec{c.x, c.y, 1}, vec{0, 0, -1}); ok != c.is {
			t.Errorf("the cross covers (%g, %g): %t", c.x, c.y, ok)
		}
	}

	// syoyo/tinyobjloader#140: numbers that begin at 0. #359: some faces without places in the picture.
	for text, want := range map[string]string{"f 0/0/0 1/1/0 3/3/0": `names v "0"`, "f 1//1 2//1 3//1": "has no vt"} {
		if _, err := Read(t.Context(), strings.NewReader(cube+"vn 0 0 1\n"+text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
}
