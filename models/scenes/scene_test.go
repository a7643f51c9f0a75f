package scenes

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"

	"lucigo/internal/parallel"
)

// inside is each solid's slow definition: positive outside, negative inside.
func inside(s Shape, p vec) float64 {
	r, ax, ay, az := math.Hypot(p.x, p.z), math.Abs(p.x), math.Abs(p.y), math.Abs(p.z)
	switch s {
	case Sphere:
		return math.Sqrt(p.dot(p)) - 0.9
	case Cube:
		return max(ax, ay, az) - 0.68
	case Cone: // the radius falls from 0.8 at −0.75 to 0 at 0.95
		return max(r-0.8*(0.95-p.y)/1.7, -0.75-p.y)
	case Torus:
		return math.Hypot(r-0.7, p.y) - 0.28
	case Cylinder:
		return max(r-0.58, ay-0.85)
	case Pyramid:
		return max(max(ax, az)-0.75*(0.9-p.y)/1.6, -0.7-p.y)
	case Capsule:
		return math.Hypot(r, p.y-min(max(p.y, -0.55), 0.55)) - 0.42
	}
	return max(math.Abs(r-0.74)-0.1, ay-0.38)
}

// Rays meet each solid where a walk in small steps first finds itself inside, and the normal is the slope of the slow definition.
func TestLawHit(t *testing.T) {
	const step = 1e-3
	r := rand.New(rand.NewPCG(1, 2))
	for s := range Shape(len(shapeNames)) {
		met, missed := 0, 0
		for range 600 {
			o := vec{r.NormFloat64(), r.NormFloat64(), r.NormFloat64()}.unit().times(4)
			to := vec{r.Float64() - 0.5, r.Float64() - 0.5, r.Float64() - 0.5}.times(2.2)
			d := to.add(o.times(-1)).unit()
			got, n, ok := s.hit(o, d)
			want, deepest := math.Inf(1), math.Inf(1)
			for u := 2.0; u < 6; u += step {
				f := inside(s, o.along(d, u))
				deepest = min(deepest, f)
				if f < 0 {
					want = u
					break
				}
			}
			if !ok {
				missed++
				if deepest < -2e-3 {
					t.Fatalf("%v: the ray misses, and is inside by %g", s, -deepest)
				}
				continue
			}
			met++
			p := o.along(d, got)
			if f := inside(s, p); !(math.Abs(f) <= 1e-3) {
				t.Fatalf("%v: hits at %v, which is %g off the surface", s, p, f)
			}
			if got > want+1e-3 {
				t.Fatalf("%v: hits at %g and is inside at %g already", s, got, want)
			}
			if n.dot(d) > 1e-9 || !(math.Abs(n.dot(n)-1) <= 1e-3) {
				t.Fatalf("%v: normal %v (length² %g) looks along the ray %v", s, n, n.dot(n), d)
			}
			const e = 1e-4 // away from edges the slope of the definition is the normal
			slope := func(p vec) vec {
				return vec{inside(s, p.add(vec{e, 0, 0})) - inside(s, p.add(vec{-e, 0, 0})), inside(s, p.add(vec{0, e, 0})) - inside(s, p.add(vec{0, -e, 0})),
					inside(s, p.add(vec{0, 0, e})) - inside(s, p.add(vec{0, 0, -e}))}.unit()
			}
			flat := true
			for _, q := range []vec{{0.02, 0, 0}, {-0.02, 0, 0}, {0, 0.02, 0}, {0, -0.02, 0}, {0, 0, 0.02}, {0, 0, -0.02}} {
				flat = flat && slope(p.add(q)).dot(slope(p)) > 0.97
			}
			if g := slope(p); flat && g.dot(n) < 0.999 {
				t.Fatalf("%v: at %v the normal is %v, and the slope %v", s, p, n, g)
			}
		}
		if met < 100 || missed < 20 {
			t.Fatalf("%v: only %d hits and %d misses: the test sees too little", s, met, missed)
		}
	}
}

// Every point that a ray meets lies within the reach that rays are cut to.
func TestLawReach(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for s := range Shape(len(shapeNames)) {
		far := 0.0
		for range 20000 {
			p := vec{r.Float64()*3 - 1.5, r.Float64()*3 - 1.5, r.Float64()*3 - 1.5}
			if inside(s, p) < 0 {
				far = max(far, math.Sqrt(p.dot(p)))
			}
		}
		if far > reach[s] || far < 0.8*reach[s] {
			t.Errorf("%v reaches %g from its centre, and %g is given", s, far, reach[s])
		}
	}
}

// Patterns close: on both sides of the seams of the surface coordinates the mix of colours is the same.
func TestLawPatternsClose(t *testing.T) {
	const tiny = 1e-7
	r := rand.New(rand.NewPCG(5, 6))
	onAxis := func(s Shape, angle, along float64) (p, n vec) {
		radius := map[Shape]float64{Sphere: math.Sqrt(0.81 - along*along), Cone: 0.8 * (0.95 - along) / 1.7, Cylinder: cylR, Capsule: capR, Ring: ringOut}[s]
		sin, cos := math.Sincos(angle)
		return vec{radius * cos, along, radius * sin}, vec{cos, 0, sin}
	}
	for _, su := range []Surface{Striped, Dotted, Checked, Fur, Scales} {
		for range 60 {
			f := Finish{Frequency: 1.9 + 1.5*r.Float64(), Kind: r.Float64(), Width: r.Float64(), Offset: [3]float64{31 * r.Float64(), 31 * r.Float64(), 31 * r.Float64()}}
			same := func(s Shape, p, q, n, m vec) {
				a, b := f.mix(su, p, s.chart(p, n, f.Frequency*density[su])), f.mix(su, q, s.chart(q, m, f.Frequency*density[su]))
				if !(math.Abs(a-b) <= 1e-4) {
					t.Fatalf("%v %v: %g on one side of the seam, %g on the other", su, s, a, b)
				}
			}
			for _, s := range []Shape{Sphere, Cone, Cylinder, Capsule, Ring} {
				y := r.Float64()*0.7 - 0.35
				p, n := onAxis(s, math.Pi-tiny, y)
				q, m := onAxis(s, -math.Pi+tiny, y)
				same(s, p, q, n, m)
			}
			on := func(a, b float64) (p, n vec) {
				sa, ca := math.Sincos(a)
				sb, cb := math.Sincos(b)
				n = vec{ca * cb, sb, sa * cb}
				return vec{ca * torusR, 0, sa * torusR}.along(n, torusr), n
			}
			a := r.Float64() * 6
			p, n := on(math.Pi-tiny, a)
			q, m := on(-math.Pi+tiny, a)
			same(Torus, p, q, n, m)
			p, n = on(a, math.Pi-tiny)
			q, m = on(a, -math.Pi+tiny)
			same(Torus, p, q, n, m)
		}
	}
}

// The surface coordinates are continuous except for their seams: neighbouring pixels of a smooth solid differ by little, or by a whole
// number of periods in which the pattern closes.
func TestLawChartIsContinuous(t *testing.T) {
	s := New(11, Torus, Striped)
	s.Size = 0.9
	p := s.Draw(256)
	f := s.Finish.Frequency
	compared := 0
	for i := range 256 * 255 {
		if p.Mask[i] != 1 || p.Mask[i+1] != 1 || !(math.Abs(float64(p.Depth[i]-p.Depth[i+1])) <= 0.02) {
			continue
		}
		compared++
		for _, d := range [2][2]float64{{float64(p.U[i] - p.U[i+1]), float64(around(torusR, f))}, {float64(p.V[i] - p.V[i+1]), float64(around(torusr, f))}} {
			if off := math.Abs(math.Remainder(d[0], d[1])); off > 0.35 {
				t.Fatalf("pixel %d: coordinates jump by %g", i, d[0])
			}
		}
	}
	if compared < 3000 {
		t.Fatalf("only %d pairs compared", compared)
	}
}

// The mask of a sphere is the disc that perspective gives: of radius size·4·r/√(16−r²) half image widths.
func TestLawMaskArea(t *testing.T) {
	for seed := range uint64(8) {
		s := New(seed, Sphere, Plain)
		s.X, s.Y, s.Size = 0, 0, 0.5+0.05*float64(seed)
		sum, depth := 0.0, math.Inf(1)
		p := s.Draw(128)
		for i, m := range p.Mask {
			sum += float64(m)
			if m > 0 {
				depth = min(depth, float64(p.Depth[i]))
			}
			if (m == 0) != math.IsNaN(float64(p.Depth[i])) || (m == 0) != math.IsNaN(float64(p.U[i])) || (m == 0) != math.IsNaN(float64(p.V[i])) {
				t.Fatalf("pixel %d: mask %g, depth %g, u %g, v %g", i, m, p.Depth[i], p.U[i], p.V[i])
			}
		}
		radius := s.Size * 4 * 0.9 / math.Sqrt(16-0.81)
		want := math.Pi * radius * radius / 4
		if got := sum / (128 * 128); !(math.Abs(got/want-1) <= 0.01) {
			t.Errorf("size %g: the mask covers %.4f, the disc %.4f", s.Size, got, want)
		}
		if !(math.Abs(depth-3.1) <= 0.005) {
			t.Errorf("the nearest point of the sphere is at depth %g, want 3.1", depth)
		}
	}
}

// Depth is measured along the viewing axis: the face of a cube that looks at the camera has one depth, however far a ray goes to it.
func TestLawDepthOfAFace(t *testing.T) {
	s := New(1, Cube, Plain)
	s.Yaw, s.Tilt, s.Roll, s.X, s.Y, s.Size = 0, 0, 0, 0, 0, 0.9
	p, seen := s.Draw(64), 0
	for i, m := range p.Mask {
		if m == 1 {
			seen++
			if !(math.Abs(float64(p.Depth[i])-(4-0.68)) <= 1e-5) {
				t.Fatalf("pixel %d is at depth %g", i, p.Depth[i])
			}
		}
	}
	if seen < 1000 {
		t.Fatalf("the face covers %d pixels", seen)
	}
}

// Rolling the solid by a quarter turn, and its place with it, turns the mask, the depth and the coordinates by a quarter.
func TestLawRollTurnsThePicture(t *testing.T) {
	const n = 48
	for shape := range Shape(len(shapeNames)) {
		s := New(uint64(shape)+40, shape, Checked)
		r := s
		r.Roll += math.Pi / 2
		r.X, r.Y = -s.Y, s.X
		p, q := s.Draw(n), r.Draw(n)
		off := 0
		for y := range n {
			for x := range n {
				// (x right, y up) → (−y, x): the pixel at column x, row y goes to column y', row n−1−x.
				a, b := y*n+x, (n-1-x)*n+y
				if p.Mask[a] != q.Mask[b] {
					off++
				}
			}
		}
		if off > 4 {
			t.Errorf("%v: %d pixels of the mask do not turn with the roll", shape, off)
		}
	}
}

// Scenes of one seed and two surfaces are counterfactuals: only the surface differs.
func TestLawSurfaceAlone(t *testing.T) {
	for seed := range uint64(6) {
		p, q := New(seed, Cone, Striped).Draw(48), New(seed, Cone, Wood).Draw(48)
		differ := 0
		for i := range p.Mask {
			if p.Mask[i] != q.Mask[i] || p.Mask[i] > 0 && p.Depth[i] != q.Depth[i] {
				t.Fatalf("seed %d: the solid moved at pixel %d", seed, i)
			}
			same := bytes.Equal(p.RGB[3*i:3*i+3], q.RGB[3*i:3*i+3])
			if p.Mask[i] == 0 && !same {
				t.Fatalf("seed %d: the background changed at pixel %d", seed, i)
			}
			if !same {
				differ++
			}
		}
		if differ < 50 {
			t.Errorf("seed %d: only %d pixels show another surface", seed, differ)
		}
	}
}

// A scene drawn larger shows the same thing: its mask, averaged over blocks, is that of the small picture.
func TestLawSize(t *testing.T) {
	for shape := range Shape(len(shapeNames)) {
		s := New(uint64(shape)+90, shape, Dotted)
		small, large := s.Draw(32), s.Draw(128)
		off := 0.0
		for y := range 32 {
			for x := range 32 {
				sum := float32(0)
				for k := range 16 {
					sum += large.Mask[(4*y+k/4)*128+4*x+k%4]
				}
				off += math.Abs(float64(sum/16 - small.Mask[y*32+x]))
			}
		}
		if off/(32*32) > 0.01 {
			t.Errorf("%v: masks at 32 and 128 pixels differ by %.4f", shape, off/(32*32))
		}
	}
}

// Pictures are the same bytes however many cores draw them, and other seeds give others.
func TestLawCores(t *testing.T) {
	draw := func(cores int) []*Picture {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
		return Task{}.Pictures(5, 24, 32)
	}
	one, two := draw(1), draw(2)
	for i := range one {
		if !bytes.Equal(one[i].RGB, two[i].RGB) {
			t.Fatalf("picture %d depends on the number of cores", i)
		}
		for j := range i {
			if bytes.Equal(one[i].RGB, one[j].RGB) {
				t.Fatalf("pictures %d and %d are equal", i, j)
			}
		}
	}
	if bytes.Equal(one[0].RGB, Task{}.Pictures(6, 1, 32)[0].RGB) {
		t.Error("another seed gives the same picture")
	}
}

func TestLawNoise(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	lowest, highest := 1.0, 0.0
	for range 5000 {
		x, y, z := r.NormFloat64()*40, r.NormFloat64()*40, r.NormFloat64()*40
		v := fractal(x, y, z, 3)
		lowest, highest = min(lowest, v), max(highest, v)
		if a, b := wrapped(x, y, z, 7, 10), wrapped(x+7, y-20, z, 7, 10); !(math.Abs(a-b) <= 1e-6) {
			t.Fatalf("noise at %g %g %g: %g, and %g a period on", x, y, z, a, b)
		}
		const e = 1e-5
		if d := math.Abs(noise(x+e, y+e, z-e) - noise(x, y, z)); d > 10*e {
			t.Fatalf("noise jumps by %g", d)
		}
	}
	if lowest < 0 || highest > 1 || highest-lowest < 0.5 {
		t.Errorf("fractal noise spans %g … %g", lowest, highest)
	}
	if v := noise(3, 4, 5); v != float64(lattice[(3*edge+4)*edge+5]) {
		t.Errorf("at a whole point noise is %g, not the lattice's value", v)
	}
}

// sheet draws every surface on every solid, 8 × 8 pictures of 32 pixels.
func sheet() *image.NRGBA {
	const n = 32
	m := image.NewNRGBA(image.Rect(0, 0, 8*n, 8*n))
	parallel.For(64, func(k int) {
		p := New(uint64(7000+k), Shape(k/8), Surface(k%8)).Draw(n)
		for i := range n * n {
			m.SetNRGBA(k%8*n+i%n, k/8*n+i/n, color.NRGBA{p.RGB[3*i], p.RGB[3*i+1], p.RGB[3*i+2], 255})
		}
	})
	return m
}

// The drawn sheet is testdata/sheet.png, except for a level here and there (another architecture rounds otherwise). With SCENES_SHEET set
// to a file, the test writes what it drew there.
func TestGoldenSheet(t *testing.T) {
	got := sheet()
	if file := os.Getenv("SCENES_SHEET"); file != "" {
		var b bytes.Buffer
		if err := png.Encode(&b, got); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open("testdata/sheet.png")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	far := 0
	for i := range got.Pix {
		if i%4 == 3 {
			continue
		}
		x, y := i/4%got.Rect.Dx(), i/4/got.Rect.Dx()
		r, g, b, _ := want.At(x, y).RGBA()
		if d := int(got.Pix[i]) - int([3]uint32{r, g, b}[i%4]>>8); d < -2 || d > 2 {
			far++
		}
	}
	if share := float64(far) / float64(len(got.Pix)*3/4); share > 0.001 {
		t.Errorf("%.2f %% of the values are more than two levels off", 100*share)
	}
}

func TestNames(t *testing.T) {
	seen := map[string]bool{"": true}
	for _, names := range [][]string{shapeNames, surfaceNames} {
		for _, name := range names {
			if seen[name] {
				t.Errorf("%q is no name, or another's", name)
			}
			seen[name] = true
		}
	}
	for what, got := range map[string]string{"ring": Ring.String(), "sphere": Sphere.String(), "scales": Scales.String(), "plain": Plain.String()} {
		if got != what {
			t.Errorf("%s is named %q", what, got)
		}
	}
	if s := Shape(99).String(); s != "Shape(99)" {
		t.Errorf("an unknown shape is %q", s)
	}
}

// The zero scene is a picture of its (black) background.
func TestZeroScene(t *testing.T) {
	for i, v := range (Scene{}).Draw(32).RGB {
		if v != 0 {
			t.Fatalf("value %d is %d", i, v)
		}
	}
}

func TestDrawRefuses(t *testing.T) {
	for name, draw := range map[string]func(){
		"size":    func() { (Scene{}).Draw(-4) },
		"shape":   func() { (Scene{Shape: 8}).Draw(32) },
		"surface": func() { (Scene{Surface: -1}).Draw(32) },
	} {
		func() {
			defer func() {
				if s, _ := recover().(string); !strings.HasPrefix(s, "scenes: no picture") {
					t.Errorf("a bad %s: %q", name, s)
				}
			}()
			draw()
		}()
	}
}

func BenchmarkDraw(b *testing.B) {
	task := Task{}
	for i := 0; b.Loop(); i++ {
		task.Sample(1, i).Draw(64)
	}
}
