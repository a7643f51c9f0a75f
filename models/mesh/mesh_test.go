package mesh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/random"
	"lucigo/interp/render"
	"lucigo/models/scenes"
)

// ball is the outline of a sphere.
func ball(radius float64, steps int) (outline [][2]float64) {
	for i := range steps + 1 {
		sin, cos := math.Sincos(float64(i) / float64(steps) * math.Pi)
		if i == 0 || i == steps {
			sin = 0
		}
		outline = append(outline, [2]float64{radius * sin, radius * cos})
	}
	return outline
}

func lathe(t testing.TB, outline [][2]float64, around int) *Mesh {
	t.Helper()
	m, err := Lathe(t.Context(), outline, around)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A sphere of triangles is seen as the sphere of scenes is: the same rays meet it, but for a few at the rim; the same places of the
// picture, light and highlights are there; and painted, both look the same.
func TestSphereIsThatOfScenes(t *testing.T) {
	m := lathe(t, ball(.9, 160), 320)
	for seed := range uint64(4) {
		s := scenes.New(seed, scenes.Sphere, scenes.Marble)
		s.Gloss = .5
		want, err := s.View(64)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.ViewOf(m, 64)
		if err != nil {
			t.Fatal(err)
		}
		if lost := len(want.Hits) - len(got.Hits); lost < 0 || lost > 15 { // the mesh lies inside the sphere
			t.Errorf("seed %d: %d rays meet the mesh and %d the sphere", seed, len(got.Hits), len(want.Hits))
		}
		paint, err := s.Texture(64, 128)
		if err != nil {
			t.Fatal(err)
		}
		a, b, far, sum := want.Draw(paint), got.Draw(paint), 0.0, 0.0
		for i := range a {
			far, sum = max(far, math.Abs(a[i]-b[i])), sum+math.Abs(a[i]-b[i])/float64(len(a))
		}
		if t.Logf("seed %d: the pictures differ by %.4f at most and by %.6f in the mean", seed, far, sum); sum > 2e-4 {
			t.Error("that is too much")
		}
		all := func(v *render.View) (hits [][]render.Hit) {
			hits = make([][]render.Hit, 64*64)
			for _, h := range v.Hits {
				hits[h.Pixel] = append(hits[h.Pixel], h)
			}
			return hits
		}
		ours, theirs := all(got), all(want)
		for p, hits := range ours {
			for k := range len(hits) / 4 * 4 { // of pixels that are not at the rim
				g, w := hits[k], theirs[p][k]
				du, dv := math.Abs(float64(g.U-w.U)), math.Abs(float64(g.V-w.V))
				if pole := min(w.V, 1-w.V); min(du, 1-du) > .004 && pole > .05 || dv > .004 ||
					math.Abs(float64(g.Light[0]-w.Light[0])) > .01 || math.Abs(float64(g.Shine-w.Shine)) > .02 {
					t.Fatalf("seed %d: the ray meets the mesh at %+v and the sphere at %+v", seed, g, w)
				}
			}
		}
	}
}

// slow is Meet without a tree, by Cramer's rule.
func (m *Mesh) slow(o, d vec) (far float64) {
	far = math.Inf(1)
	for _, t := range m.triangles {
		a := m.places[t[0].place]
		p, q, r := m.places[t[1].place].plus(a, -1), m.places[t[2].place].plus(a, -1), o.plus(a, -1)
		det := p.dot(d.cross(q))
		if det == 0 {
			continue
		}
		u, v, x := r.dot(d.cross(q))/det, d.dot(r.cross(p))/det, q.dot(r.cross(p))/det
		if u >= 0 && v >= 0 && u+v <= 1 && x > 0 {
			far = min(far, x)
		}
	}
	return far
}

func vase(t testing.TB) *Mesh {
	t.Helper()
	m, err := Vase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Rays through a tree meet what they meet without one, from outside and from inside.
func TestLawTree(t *testing.T) {
	m, s, met := vase(t), random.New(1, 0, 0), 0
	for i := range 3000 {
		at := func(k int) float64 { return 2*s.Uniform(8*i+k) - 1 }
		o := vec{at(0), at(1), at(2)}.times(2)
		d := vec{at(3), at(4), at(5)}.plus(o, -1)
		if i%3 == 0 { // along an axis: the planes of the boxes' sides
			d = vec{}
			d[i/3%3] = 1 - 2*float64(i/9%2)
		}
		d = d.times(1 / d.length())
		want := m.slow(o, d)
		far, n, u, v, ok := m.Meet(o, d)
		if !ok {
			far = math.Inf(1)
		}
		if ok != !math.IsInf(want, 1) || ok && math.Abs(far-want) > 1e-9 {
			t.Fatalf("ray %d from %v along %v: %g far, want %g", i, o, d, far, want)
		}
		if ok {
			met++
			if math.Abs(vec(n).length()-1) > 1e-12 || !(u >= 0 && u < 1 && v >= 0 && v < 1) {
				t.Fatalf("ray %d: normal %v, place (%g, %g)", i, n, u, v)
			}
		}
	}
	if met < 500 {
		t.Errorf("%d rays met the mesh", met)
	}
}

// No ray slips through between triangles: from outside, rays to each corner and the middle of each side that face them meet the mesh
// there or before.
func TestLawNoGaps(t *testing.T) {
	m, tried := vase(t), 0
	for i, tri := range m.triangles {
		for k, c := range tri {
			p := m.places[c.place]
			for _, at := range []vec{p, p.plus(m.places[tri[(k+1)%3].place], 1).times(.5)} {
				o := vec{3, 1 - float64(i%7)/3, 2 - float64(i%11)/4}
				d := at.plus(o, -1)
				far := d.length()
				if !m.facing(at, o) {
					continue
				}
				tried++
				if got, _, _, _, ok := m.Meet(o, d.times(1/far)); !ok || got > far+1e-9 {
					t.Fatalf("triangle %d: a ray to %v goes %g far, and that is %g away", i, at, got, far)
				}
			}
		}
	}
	if tried < 1000 {
		t.Errorf("%d places were tried", tried)
	}
}

// facing says whether all triangles in whose plane a place is turn their outer side to o, so that it is not at the rim as seen from there.
func (m *Mesh) facing(at, o vec) bool {
	for _, t := range m.triangles {
		if n, d := m.across(t), at.plus(m.places[t[0].place], -1); math.Abs(n.dot(d)) < 1e-9*n.length() && n.dot(o.plus(at, -1)) <= 0 {
			return false
		}
	}
	return true
}

const tetrahedron = `# four faces in all forms
mtllib skin.mtl
o thing
v 0 0 0
v 1 0 0 1.0
v 0 1 0
v 0 0 1
vt 0 0
vt 1 0 0
vt 0 .5
vn 0 0 -2
g a b
usemtl ../any name, which is none of a file
s off
f 1/1/1 3/3/1 2/2/1
f 1/1 2/2 \
4/3
f -4/-3 -1/-2 -2/-1
f 2/1/ 3/2 4/3
`

func TestForms(t *testing.T) {
	for name, text := range map[string]string{"as it is": tetrahedron, "of Windows": "\uFEFF" + strings.ReplaceAll(tetrahedron, "\n", "\r\n")} {
		m, err := Read(t.Context(), strings.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if m.Triangles() != 4 || m.Dropped != 0 || m.Reach() != 1 {
			t.Errorf("%s: %d triangles, %d dropped, reach %g", name, m.Triangles(), m.Dropped, m.Reach())
		}
		far, n, u, v, ok := m.Meet(vec{.25, .25, -2}, vec{0, 0, 1})
		if !ok || far != 2 || n != [3]float64{0, 0, -1} || u != .25 || math.Abs(v-.875) > 1e-12 {
			t.Errorf("%s: from behind: %g far, normal %v, at (%g, %g)", name, far, n, u, v)
		}
		far, n, _, _, ok = m.Meet(vec{2, 2, 2}, vec{-1, -1, -1}.times(1/math.Sqrt(3)))
		if want := 1 / math.Sqrt(3); !ok || math.Abs(far-5*want) > 1e-12 || math.Abs(n[0]-want) > 1e-12 || math.Abs(n[2]-want) > 1e-12 {
			t.Errorf("%s: from before: %g far, normal %v", name, far, n)
		}
	}
}

// A cube of six squares and one of a bent polygon are what they are of triangles.
func TestPolygons(t *testing.T) {
	m, err := Read(t.Context(), strings.NewReader(cube))
	if err != nil {
		t.Fatal(err)
	}
	if m.Triangles() != 12 {
		t.Errorf("%d triangles", m.Triangles())
	}
	fitted, err := m.Fit(t.Context(), math.Sqrt(3))
	if err != nil || math.Abs(fitted.Reach()-math.Sqrt(3)) > 1e-12 || math.Abs(m.Reach()-2*math.Sqrt(3)) > 1e-12 {
		t.Errorf("fitted: reach %g, before %g, %v", fitted.Reach(), m.Reach(), err)
	}
	for _, z := range []float64{9, -9} {
		if far, _, _, _, ok := fitted.Meet(vec{-.1, .2, z}, vec{0, 0, -z / 9}); !ok || math.Abs(far-8) > 1e-12 {
			t.Errorf("the face of a cube of half edge 1 is %g away from %g, want 8", far, z)
		}
	}
	bent := "v 0 0 0\nv 4 0 0\nv 1 1 0\nv 0 4 0\nvt 0 0\nf 1/1 2/1 3/1 4/1\n" // an arrowhead, which can be cut from its first corner only
	for turn := range 4 {
		words := strings.Fields(strings.Split(bent, "f ")[1])
		text := strings.Split(bent, "f ")[0] + "f " + strings.Join(append(words[turn:], words[:turn]...), " ") + "\n"
		a, err := Read(t.Context(), strings.NewReader(text))
		if !errors.Is(err, ErrOpen) {
			t.Fatal(err)
		}
		if _, _, _, _, ok := a.Meet(vec{2, 2, 1}, vec{0, 0, -1}); ok || a.Triangles() != 2 {
			t.Errorf("turned by %d: the arrowhead covers what is outside, of %d triangles", turn, a.Triangles())
		}
	}
}

const cube = `v 0 0 0
v 2 0 0
v 2 2 0
v 0 2 0
v 0 0 2
v 2 0 2
v 2 2 2
v 0 2 2
vt 0 0
vt 1 0
vt 1 1
vt 0 1
f 1/1 4/4 3/3 2/2
f 5/1 6/2 7/3 8/4
f 1/1 2/2 6/3 5/4
f 2/1 3/2 7/3 6/4
f 3/1 4/2 8/3 7/4
f 4/1 1/2 5/3 8/4
`

// What is written is read as the same mesh.
func TestWrittenIsRead(t *testing.T) {
	m := vase(t)
	var b bytes.Buffer
	if err := m.Write(&b); err != nil {
		t.Fatal(err)
	}
	again, err := Read(t.Context(), &b)
	if err != nil {
		t.Fatal(err)
	}
	s := scenes.New(3, scenes.Sphere, scenes.Plain)
	x, err := s.ViewOf(m, 32)
	if err != nil {
		t.Fatal(err)
	}
	y, err := s.ViewOf(again, 32)
	if err != nil {
		t.Fatal(err)
	}
	if len(x.Hits) < 500 || !reflect.DeepEqual(x, y) {
		t.Errorf("of %d and %d rays that meet it, not all are the same", len(x.Hits), len(y.Hits))
	}
}

func TestDropped(t *testing.T) {
	text := tetrahedron + "f 1/1 1/1 2/2\nv 2 0 0\nf 1/1 2/2 5/3\nf 1/1 5/3 2/2\n" // a corner twice, and three in line, twice, so that it stays closed
	m, err := Read(t.Context(), strings.NewReader(text))
	if err != nil || m.Dropped != 3 || m.Triangles() != 4 {
		t.Errorf("%v: %+v", err, m)
	}
}

// An open mesh comes with the error, and is seen from both sides.
func TestOpen(t *testing.T) {
	m, err := Read(t.Context(), strings.NewReader("v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nf 1/1 2/1 3/1\n"))
	if !errors.Is(err, ErrOpen) || !strings.Contains(err.Error(), "3 of 3 edges") {
		t.Fatal(err)
	}
	for _, z := range []float64{1, -1} {
		if far, n, _, _, ok := m.Meet(vec{.2, .2, z}, vec{0, 0, -z}); !ok || math.Abs(far-1) > 1e-15 || n != [3]float64{0, 0, z} {
			t.Errorf("from %g: %g far, normal %v, %t", z, far, n, ok)
		}
	}
}

func TestBadMeshes(t *testing.T) {
	head := "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\n"
	for text, want := range map[string]string{
		"":                                       "no face (f) in 0 lines",
		head:                                     "no face (f) in 4 lines",
		head + "f 1 2 3":                         "mesh: line 5: the corner \"1\" of a face has no vt, and without places in a picture it cannot be painted: unwrap",
		head + "f 1//1 2//1 3//1":                "has no vt",
		head + "f 1/1 2/1 9/1":                   "line 5: a face names v 9, and there are 3 before it",
		head + "f 1/1 2/1 -4/1":                  "names v -4",
		head + "f 1/1 2/2 3/1":                   "names vt 2, and there are 1",
		head + "f 1/1/1 2/1/1 3/1/1":             "names vn 1, and there are 0",
		head + "f 1/1 2/1 0/1":                   "names v \"0\", must be a number from 1",
		head + "f 1/1 2/1 x/1":                   "names v \"x\"",
		head + "f 1/1/1/1 2/1 3/1":               "must be v/vt or v/vt/vn",
		head + "f 1/1 2/1":                       "a face has 2 corners",
		head + "f" + strings.Repeat(" 1/1", 300): "a face has 300 corners",
		head + "f 1/1 1/1 2/1":                   "no triangle has an area (1 have none)",
		"v 0 NaN 0":                              "line 1: v has \"NaN\", must be a number",
		"v 0 0 1e99":                             "from −1e+12 to 1e+12",
		"vt Inf":                                 "vt has \"Inf\"",
		"vn 0 1":                                 "vn has 2 numbers, must have at least 3",
		"v 0 1":                                  "v has 2 numbers",
		"mtllib /etc/passwd":                     "mtllib names \"/etc/passwd\", which is outside the mesh's folder: remove the line",
		"mtllib ok.mtl ../x.mtl":                 "\"../x.mtl\"",
		`mtllib a\..\..\x.mtl`:                   "outside the mesh's folder",
		`mtllib C:\x.mtl`:                        "outside the mesh's folder",
		"mtllib http://a/b.mtl":                  "outside the mesh's folder",
		"map_Kd ../../skin.png":                  "map_Kd names",
		"call other.obj":                         "call asks for another file",
		"csh rm x":                               "csh asks for another file or program",
		"curv 0 1 1 2":                           "curv belongs to a curved surface",
		"v 0 0 0\rv 1 0 0":                       "line 1 has a carriage return within it: save",
		"v 0 0 0 f":                              "v has \"f\", must be a number",
		head + "f 1/1 2/1 3/1 \\":                "line 5 is the last and ends with a backslash",
		strings.Repeat("g \\\n", 1<<15):          "goes on for more than 65536 bytes",
		"ply":                                    "\"ply\" is no statement of a Wavefront .obj file",
		"\x89PNG\r\n":                            "is no statement",
		strings.Repeat("x", 1<<17):               "line 1 has more than 65536 bytes",
		"#\n#\n" + strings.Repeat("v", 1<<17):    "line 3 has more than 65536 bytes",
		"v 0 0 0\nv 4 0 0\nv 1 1 0\nv 4 4 0\nv 1 3 0\nv 0 4 0\nv 3 2 0\nvt 0 0\nf 1/1 2/1 3/1 4/1 5/1 6/1 7/1": "a face of 7 corners is not convex",
	} {
		if m, err := Read(t.Context(), strings.NewReader(text)); err == nil || m != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q in it", text, err, want)
		}
	}
	m := vase(t)
	if _, err := new(Mesh).Fit(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "no triangles") {
		t.Errorf("the zero Mesh: %v", err)
	}
	for _, around := range []int{2, math.MaxInt, MaxTriangles + 1} {
		if _, err := Lathe(t.Context(), ball(1, 2), around); err == nil || !strings.Contains(err.Error(), "at most 1048576 triangles") {
			t.Errorf("%d steps: %v", around, err)
		}
	}
	for _, reach := range []float64{0, -1, 1e-13, math.NaN(), math.Inf(1)} {
		if _, err := m.Fit(t.Context(), reach); err == nil || !strings.Contains(err.Error(), "Fit: reach is") {
			t.Errorf("reach %g: %v", reach, err)
		}
	}
	for want, outline := range map[string][][2]float64{
		"1 points":              {{0, 1}},
		"must begin and end":    {{.5, 1}, {.5, 0}, {0, 0}},
		"not left of the axis":  {{0, 1}, {-.5, .5}, {0, 0}},
		"point 1 is on the":     {{0, 1}, {0, .5}, {1, 0}, {0, -1}},
		"points 1 and 2 are":    {{0, 1}, {1, 0}, {1, 0}, {0, -1}},
		"point 1 is [NaN 0]":    {{0, 1}, {math.NaN(), 0}, {0, -1}},
		"to point 2 and back":   {{0, 1}, {1, 1}, {2, 0}, {1, 1}, {0, -1}},
		"to point 0 and back":   {{1, 1}, {2, 0}, {1, 1}},
		"at most 1048576 trian": make([][2]float64, MaxTriangles),
	} {
		if _, err := Lathe(t.Context(), outline, 8); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
}

// repeated is a text, and then a line again and again.
func repeated(head, line string, n int) io.Reader {
	return io.MultiReader(strings.NewReader(head), strings.NewReader(strings.Repeat(line, n)))
}

// A mesh beyond the limit is an error that says the limit, and reading ends when the context does.
func TestLimits(t *testing.T) {
	head := "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\n"
	if _, err := Read(t.Context(), repeated(head, "f 1/1 2/1 3/1\n", MaxTriangles+1)); err == nil || !strings.Contains(err.Error(), "line 1048581: more than 1048576 triangles: reduce the mesh") {
		t.Error(err)
	}
	if _, err := Read(t.Context(), repeated("", "v 1 2 3\n", 3*MaxTriangles+5)); err == nil || !strings.Contains(err.Error(), "more than 3145728 places") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Read(ctx, repeated(head, "f 1/1 2/1 3/1\n", 4096)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := Lathe(ctx, ball(1, 64), 64); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Many triangles in one place, and at distances that double, are found through a tree that stays small.
func TestDegenerateTrees(t *testing.T) {
	var b strings.Builder
	fmt.Fprint(&b, "vt 0 0\n")
	for i := range 3000 {
		x := math.Ldexp(1, i%60-30)
		fmt.Fprintf(&b, "v %g 0 0\nv %g 1 0\nv %g 0 1\nf -3/1 -2/1 -1/1\n", x, x, x)
	}
	m, err := Read(t.Context(), strings.NewReader(b.String()))
	if err != nil { // each place has fifty, so no edge is open
		t.Fatal(err)
	}
	if far, _, _, _, ok := m.Meet(vec{-1, .2, .2}, vec{1, 0, 0}); !ok || math.Abs(far-1-math.Ldexp(1, -30)) > 1e-12 {
		t.Errorf("the first is %g away", far)
	}
	if len(m.tree) > 6000 {
		t.Errorf("%d nodes", len(m.tree))
	}
}

// The derivative of what is seen of a painted vase by the paint is that of finite differences. What is seen is linear in the paint
// but where it is cut, so a step as long as the rounding of the sums allows is exact; rays at the cuts are left out by paint in the
// middle of what is seen.
func TestLawDerivative(t *testing.T) {
	v, err := scenes.New(8, scenes.Sphere, scenes.Plain).ViewOf(vase(t), 32)
	if err != nil {
		t.Fatal(err)
	}
	s := random.New(2, 0, 0)
	paint := interp.Images{N: 1, H: 10, W: 14, C: 3, Pix: make([]float64, 10*14*3)}
	for i := range paint.Pix {
		paint.Pix[i] = .3 + .2*s.Uniform(i)
	}
	weights := make([]float64, v.H*v.W*3)
	for i := range weights {
		weights[i] = s.Uniform(1000 + i)
	}
	score := func() (sum float64) {
		for i, c := range v.Draw(paint) {
			sum += weights[i] * c
		}
		return sum
	}
	got, worst := make([]float64, len(paint.Pix)), 0.0
	v.Back(paint, weights, got)
	for i, was := range paint.Pix {
		const h = 1e-3
		paint.Pix[i] = was + h
		up := score()
		paint.Pix[i] = was - h
		want := (up - score()) / (2 * h)
		paint.Pix[i] = was
		worst = max(worst, math.Abs(got[i]-want))
	}
	if t.Logf("the farthest derivative is %.2g away from finite differences", worst); !(worst < 1e-8) {
		t.Error("that is too much")
	}
}

// Whatever is read is an error, or a mesh that rays and scenes can be asked about.
func FuzzRead(f *testing.F) {
	f.Add([]byte(tetrahedron))
	f.Add([]byte(cube))
	f.Add([]byte("v 1e12 0 0\nv 0 1e-300 0\nv -1e12 1e12 1\nvt 1e12 -1e12\nf -1/1 -2/1 -3/1\n"))
	f.Add([]byte("mtllib ../x\n"))
	f.Add([]byte("\xef\xbb\xbfv 0 0 \\\r\n0 1 # a\r\nv 1 0 0\nv .3 2e-14 0\nv .3 1 1\nv .5 .2 0\nvt -1e-20\nvn 0 0 0\nf 1/1/1 2/1/1 3/1/1 4/1/1 5/1/1\nf -1/1 -2/1/-1 -3/1/\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<14 {
			return
		}
		m, err := Read(t.Context(), bytes.NewReader(text))
		if err != nil && !errors.Is(err, ErrOpen) {
			if m != nil || !strings.HasPrefix(err.Error(), "mesh: ") {
				t.Fatalf("%v, %v", m, err)
			}
			return
		}
		if m, err = m.Fit(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		v, err := scenes.New(1, 0, 0).ViewOf(m, 8)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

// failing is a writer that fails.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// What a mesh promises where it is hardly one: no triangles, places without one, places of the picture at its very edge, and triangles
// that rounding makes flat.
func TestRare(t *testing.T) {
	if _, _, _, _, ok := new(Mesh).Meet(vec{0, 0, 2}, vec{0, 0, -1}); ok || new(Mesh).Reach() != 0 {
		t.Error("a ray meets the zero Mesh")
	}
	if err := vase(t).Write(failing{}); !errors.Is(err, io.ErrShortWrite) || !strings.HasPrefix(err.Error(), "mesh: ") {
		t.Error(err)
	}
	stray, err := Read(t.Context(), strings.NewReader(cube+"v 9 9 9\n"))
	if err != nil || stray.Reach() != 2*math.Sqrt(3) {
		t.Errorf("with a place that no triangle has: reach %g, %v", stray.Reach(), err)
	}
	zeros := strings.Replace(cube, "f 1/1 4/4 3/3 2/2", "v -0 -0 -0\nv 2 -0 -0\nf 9/1 4/4 3/3 10/2", 1)
	if _, err := Read(t.Context(), strings.NewReader(zeros)); err != nil {
		t.Errorf("with −0 for 0: %v", err)
	}
	for _, c := range []struct{ at, want float64 }{{-1e-20, 0}, {-.25, .75}, {1, 0}, {2.5, .5}, {0, 0}} {
		if got := repeat(c.at); got != c.want {
			t.Errorf("the picture at %g is that at %g, want %g", c.at, got, c.want)
		}
	}
	// Far from the origin, a triangle may be just wide enough, and no more when it has been moved and scaled.
	m, err := Read(t.Context(), strings.NewReader("vt 0 0\nv 0 0 0\nv 1 0 0\nv .3 2e-14 0\nv 1 1 7\nv 3 2 1\nf 1/1 2/1 3/1\nf 1/1 4/1 5/1\n"))
	if !errors.Is(err, ErrOpen) {
		t.Fatal(err)
	}
	if m, err = m.Fit(t.Context(), .7); err != nil {
		t.Fatal(err)
	}
	for _, tri := range m.triangles {
		if m.across(tri).length() == 0 {
			t.Error("a triangle without area has been kept")
		}
	}
	if m.Dropped+m.Triangles() != 2 {
		t.Errorf("%d dropped and %d kept of 2", m.Dropped, m.Triangles())
	}
	for _, r := range []vec{{}, {math.NaN(), 0, 1}} {
		if _, _, _, _, ok := m.Meet(vec{}, r); ok {
			t.Errorf("a ray along %v meets the mesh", r)
		}
	}
}

// The numbers of a mesh of known shape: 3 corners of a triangle have their own place in the picture and normal, and a place between
// them has the mean of these, weighted by how near it is to each, however long the normals are in the file.
func TestShares(t *testing.T) {
	text := "v 0 0 0\nv 4 0 0\nv 0 4 0\nvt .1 .2\nvt .5 .3\nvt .2 .9\nvn 0 0 5\nvn .06 0 .08\nvn 0 .6 .8\nf 1/1/1 2/2/2 3/3/3\n"
	m, err := Read(t.Context(), strings.NewReader(text))
	if !errors.Is(err, ErrOpen) {
		t.Fatal(err)
	}
	far, n, u, v, ok := m.Meet(vec{1, 2, 3}, vec{0, 0, -1}) // shares ¼, ¼, ½
	want := vec{.25 * .6, .5 * .6, .25 + .75*.8}
	want = want.times(1 / want.length())
	if !ok || math.Abs(far-3) > 1e-12 || math.Abs(u-(.1/4+.5/4+.2/2)) > 1e-12 || math.Abs(v-(1-(.2/4+.3/4+.9/2))) > 1e-12 || vec(n).plus(want, -1).length() > 1e-12 {
		t.Errorf("%g far, normal %v, want %v, at (%g, %g)", far, n, want, u, v)
	}
	// From below, all is the same but the side.
	far, n, u2, v2, ok := m.Meet(vec{1, 2, -3}, vec{0, 0, 1})
	if !ok || math.Abs(far-3) > 1e-12 || u2 != u || v2 != v || vec(n).plus(want, 1).length() > 1e-12 {
		t.Errorf("from below: %g far, normal %v, at (%g, %g)", far, n, u2, v2)
	}
}

// A tree of a million nodes is given up when the context ends, however its triangles lie: here every node but one holds nearly all.
func TestPlantEnds(t *testing.T) {
	m := &Mesh{}
	for i := range 20000 {
		x := math.Ldexp(1, -min(i, 900))
		m.places = append(m.places, vec{x, 0, 0}, vec{x, 1, 0}, vec{x, 0, 1})
		at := func(k int) corner { return corner{int32(3*i + k), 0, -1} }
		m.triangles = append(m.triangles, triangle{at(0), at(1), at(2)})
	}
	ctx := &counting{Context: t.Context()}
	if err := m.plant(ctx); err != nil {
		t.Fatal(err)
	}
	if ctx.asked < 100 {
		t.Errorf("the context was asked %d times in about 450 passes over 20,000 triangles", ctx.asked)
	}
}

// counting counts how often it is asked whether it has ended.
type counting struct {
	context.Context
	asked int
}

func (c *counting) Err() error { c.asked++; return c.Context.Err() }

// Where the normals of the corners cancel, that of the triangle is the normal.
func TestNormalsCancel(t *testing.T) {
	m, err := Read(t.Context(), strings.NewReader("v 0 0 0\nv 4 0 0\nv 0 4 0\nvt 0 0\nvn 0 1 0\nvn 0 -1 0\nf 1/1/1 2/1/2 3/1/2\n"))
	if !errors.Is(err, ErrOpen) {
		t.Fatal(err)
	}
	if _, n, _, _, ok := m.Meet(vec{1, 1, 3}, vec{0, 0, -1}); !ok || n != [3]float64{0, 0, 1} { // shares ½, ¼, ¼
		t.Errorf("normal %v", n)
	}
}

// At a pole the picture's columns come together: on the middle of every face there, it is the middle of the face's columns.
func TestPole(t *testing.T) {
	m := lathe(t, ball(1, 6), 8)
	for k := range 8 {
		want := (float64(k) + .5) / 8
		sin, cos := math.Sincos((.75 - want) * 2 * math.Pi)
		for _, y := range []float64{3, -3} {
			if _, _, u, _, ok := m.Meet(vec{.1 * cos, y, .1 * sin}, vec{0, -y / 3, 0}); !ok || math.Abs(u-want) > 1e-12 {
				t.Errorf("face %d at the pole towards %g: column %g, want %g", k, y, u, want)
			}
		}
	}
}

// A ring, whose outline ends where it began, is closed, smooth across that seam, and has a hole; and a face is written as it was read.
func TestRing(t *testing.T) {
	var outline [][2]float64
	for i := range 9 {
		sin, cos := math.Sincos(float64(i%8) / 4 * math.Pi)
		outline = append(outline, [2]float64{2 + .5*cos, -.5 * sin})
	}
	m := lathe(t, outline, 8)
	if m.Triangles() != 2*8*8 || m.Dropped != 0 {
		t.Errorf("%d triangles, %d dropped", m.Triangles(), m.Dropped)
	}
	if _, _, _, _, ok := m.Meet(vec{.1, 3, .2}, vec{0, -1, 0}); ok {
		t.Error("a ray through the hole meets the ring")
	}
	if far, n, u, v, ok := m.Meet(vec{0, 0, 5}, vec{0, 0, -1}); !ok || math.Abs(far-2.5) > 1e-12 || vec(n).plus(vec{0, 0, 1}, -1).length() > 1e-12 || math.Abs(u-.5) > 1e-12 || min(v, 1-v) > 1e-12 {
		t.Errorf("the ring is %g away, want 2.5, normal %v, at (%g, %g)", far, n, u, v)
	}
	text := "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nf 1/1 2/1 3/1\n"
	one, err := Read(t.Context(), strings.NewReader(text))
	if !errors.Is(err, ErrOpen) {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := one.Write(&b); err != nil || b.String() != text {
		t.Errorf("%q is written as %q, %v", text, b.String(), err)
	}
}
