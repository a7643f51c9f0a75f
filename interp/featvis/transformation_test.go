package featvis

import (
	"math"
	"strings"
	"testing"

	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/random"
)

func (a Affine) apply(x, y float64) (float64, float64) {
	return a[0]*x + a[1]*y + a[2], a[3]*x + a[4]*y + a[5]
}

func TestStandardTransformations(t *testing.T) {
	if got := names(Standard()); got != "jitter 8, scale 0.9–1.1, rotate ±10°, jitter 4" {
		t.Errorf("%q", got)
	}
	if got := names([]Transformation{Jitter{}, Scale{}, Rotate{}, Crop{}}); got != "jitter 8, scale 0.9–1.1, rotate ±10°, crops of 0.5–0.05 ± 0.05 at ±0.15" {
		t.Errorf("the zero values are %q", got)
	}
}

func TestLawJitter(t *testing.T) {
	const draws = 9000
	var count [2][9]int
	both := 0.0
	for i := range draws {
		a := Jitter{}.Draw(random.New(0, 0, uint64(i)), Look{})
		if a[0] != 1 || a[1] != 0 || a[3] != 0 || a[4] != 1 {
			t.Fatalf("jitter turns: %v", a)
		}
		for axis, v := range []float64{a[2], a[5]} {
			k := int(v) + 4
			if v != math.Trunc(v) || k < 0 || k > 8 {
				t.Fatalf("jitter by %g", v)
			}
			count[axis][k]++
		}
		both += a[2] * a[5] / draws
	}
	for axis, c := range count {
		for k, n := range c {
			if n < draws/9*8/10 || n > draws/9*12/10 {
				t.Errorf("axis %d: a shift by %d came %d times of %d", axis, k-4, n, draws)
			}
		}
	}
	if !(math.Abs(both) <= .3) {
		t.Errorf("the shifts of the axes vary together, by %g", both)
	}
}

func TestLawScaleAndRotate(t *testing.T) {
	const draws = 4000
	var angles, factors, spread, wide float64
	for i := range draws {
		s := random.New(0, 0, uint64(i))
		a := Rotate{}.Draw(s, Look{})
		angle := math.Atan2(a[1], a[0]) * 180 / math.Pi
		if !(math.Abs(angle) <= 10) || a[2] != 0 || a[5] != 0 || !(math.Abs(a[0]*a[4]-a[1]*a[3]-1) <= 1e-12) || a[0] != a[4] {
			t.Fatalf("no rotation by up to 10°: %v", a)
		}
		angles, spread = angles+angle/draws, spread+angle*angle/draws
		b := Scale{}.Draw(s, Look{})
		if f := 1 / b[0]; f < .9 || f > 1.1 || b != (Affine{b[0], 0, 0, 0, b[0], 0}) {
			t.Fatalf("no enlargement by 0.9 to 1.1: %v", b)
		} else {
			factors, wide = factors+f/draws, wide+(f-1)*(f-1)/draws
		}
	}
	if !(math.Abs(angles) <= .4) || !(math.Abs(spread-100./3) <= 2) || !(math.Abs(factors-1) <= .004) || !(math.Abs(wide-.01/3) <= .0002) {
		t.Errorf("mean angle %g°, its square %g, mean factor %g, its distance from 1 squared %g", angles, spread, factors, wide)
	}
}

// A mark on the image is seen where the transformations, applied to it one after the other, move it.
func TestLawComposition(t *testing.T) {
	ts := []Transformation{Jitter{}, Scale{.5, 2}, Rotate{40}, Jitter{6}}
	const seed, key = 3, 4
	for step := range 20 {
		m, err := compose(ts, seed, key, uint64(step), Look{})
		if err != nil {
			t.Fatal(err)
		}
		x, y := 3.0, -7.0
		vx, vy := x, y
		for i, tr := range ts {
			a := tr.Draw(random.New(seed, key, random.Hash(uint64(step), uint64(i)+1)), Look{})
			switch i {
			case 0, 3: // the image shifts by what the map adds, the other way
				vx, vy = vx-a[2], vy-a[5]
			case 1:
				vx, vy = vx/a[0], vy/a[4]
			case 2: // clockwise on a page whose y points down
				angle := math.Atan2(a[1], a[0])
				vx, vy = vx*math.Cos(angle)-vy*math.Sin(angle), vx*math.Sin(angle)+vy*math.Cos(angle)
			}
		}
		if gx, gy := m.apply(vx, vy); !(math.Hypot(gx-x, gy-y) <= 1e-9) {
			t.Errorf("step %d: the mark at (%g, %g) is seen at (%g, %g), which maps to (%g, %g)", step, x, y, vx, vy, gx, gy)
		}
		if gx, gy := m.Inverse().apply(x, y); !(math.Hypot(gx-vx, gy-vy) <= 1e-9) {
			t.Errorf("step %d: the inverse shows it at (%g, %g), want (%g, %g)", step, gx, gy, vx, vy)
		}
	}
	// A quarter turn clockwise brings what is to the right of the middle below it.
	if x, y := turn(90).Inverse().apply(1, 0); !(math.Hypot(x, y-1) <= 1e-12) {
		t.Errorf("right of the middle goes to (%g, %g)", x, y)
	}
	for _, bad := range []Transformation{Crop{First: -1}, Crop{SD: -1}, Crop{Last: 1}, Crop{Off: math.Inf(1)}, Scale{-1, 1}, Scale{0, -1}, Scale{2, 1}, Jitter{-3}, Rotate{math.Inf(1)}} {
		if _, err := compose([]Transformation{bad}, 0, 0, 0, Look{Height: 9, Width: 9, WindowH: 9, WindowW: 9}); err == nil || !strings.Contains(err.Error(), bad.String()) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// A window's sides are normal about a mean that moves evenly, between 0.05 and 1; its place is normal; and
// what it shows fills what the network sees.
func TestLawCrop(t *testing.T) {
	const draws = 4000
	look := Look{Height: 300, Width: 500, WindowH: 60, WindowW: 200}
	for _, c := range []struct {
		crop              Crop
		done              float64
		mean, sd, off     float64
		smallest, biggest float64
	}{
		{Crop{}, 0, .5, .05, .15, .3, .7},
		{Crop{}, .5, .275, .05, .15, .05, .5},
		{Crop{First: .4, Last: .8, SD: .02, Off: .1}, .75, .7, .02, .1, .6, .8},
		{Crop{}, 1, .07, .029, .15, .05, .3}, // half of the windows are cut off at 0.05
		{Crop{First: 1, Last: 1}, 1, .98, .029, .15, .7, 1},
	} {
		look.Done = c.done
		var mean, square float64
		var off [2]float64
		for i := range draws {
			a := c.crop.Draw(random.New(0, 0, uint64(i)), look)
			left, top := a.apply(-100, -30)
			right, bottom := a.apply(100, 30)
			part := (right - left) / 500
			if !(math.Abs((bottom-top)/300-part) <= 1e-12) || !a.upright() {
				t.Fatalf("%s: a window of %g × %g of the image, %v", c.crop, part, (bottom-top)/300, a)
			}
			if part < c.smallest-1e-12 || part > c.biggest+1e-12 {
				t.Errorf("%s: a window of %g of the image", c.crop, part)
			}
			mean, square = mean+part/draws, square+part*part/draws
			off[0] += math.Pow((left+right)/1000, 2) / draws
			off[1] += math.Pow((top+bottom)/600, 2) / draws
		}
		sd := math.Sqrt(square - mean*mean)
		if !(math.Abs(mean-c.mean) <= .002) || !(math.Abs(sd-c.sd) <= .04*c.sd) || !(math.Abs(math.Sqrt(off[0])/c.off-1) <= .04) || !(math.Abs(math.Sqrt(off[1])/c.off-1) <= .04) {
			t.Errorf("%s when %g is done: windows of %g ± %g, off by %g, %g", c.crop, c.done, mean, sd, math.Sqrt(off[0]), math.Sqrt(off[1]))
		}
	}
}

// slowWarp is warp, pixel by pixel.
func slowWarp(x []float64, n, h, w, c int, maps []Affine, window [2]int) []float64 {
	pixel := func(i, row, column, channel int) float64 {
		if row < 0 || row >= h || column < 0 || column >= w {
			return .5
		}
		return x[((i*h+row)*w+column)*c+channel]
	}
	var out []float64
	for i := range n {
		for row := range window[0] {
			for column := range window[1] {
				sx, sy := maps[i].apply(float64(column)-float64(window[1]-1)/2, float64(row)-float64(window[0]-1)/2)
				sx, sy = sx+float64(w-1)/2, sy+float64(h-1)/2
				x0, y0 := math.Floor(sx), math.Floor(sy)
				fx, fy := sx-x0, sy-y0
				for channel := range c {
					at := func(dy, dx int) float64 { return pixel(i, int(y0)+dy, int(x0)+dx, channel) }
					out = append(out, (1-fy)*((1-fx)*at(0, 0)+fx*at(0, 1))+fy*((1-fx)*at(1, 0)+fx*at(1, 1)))
				}
			}
		}
	}
	return out
}

func TestLawWarpBySlowDefinition(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Linear().On(e.Backend).Float64()
		const n, h, w, c = 2, 9, 11, 2
		x := interptest.ImagesOf(n, h, w, c, 3)
		for _, ts := range [][]Transformation{
			nil, {Jitter{4}}, {Jitter{5}}, {Rotate{}}, {Scale{}}, Standard(), {Rotate{180}, Scale{.3, 2}, Jitter{9}}, {Crop{}},
		} {
			for step, window := range [][2]int{{h, w}, {h + 4, w + 3}, {6, 14}} {
				weights := weightsFor(n, window[0], window[1], c)
				var maps []Affine
				a, b := Array{Dims: []int{n, 6}}, Array{Dims: []int{n, 6}}
				reach, upright := 3, true
				for i := range n {
					look := Look{Height: h, Width: w, WindowH: window[0], WindowW: window[1]}
					m, err := compose(ts, 9, uint64(i), uint64(step), look)
					if err != nil {
						t.Fatal(err)
					}
					inverse := m.Inverse()
					maps = append(maps, m)
					a.Data, b.Data = append(a.Data, m[:]...), append(b.Data, inverse[:]...)
					reach, upright = max(reach, m.reach()), upright && m.upright()
				}
				var ways []int
				if upright {
					ways = append(ways, 0)
				}
				if reach <= 6 {
					ways = append(ways, reach)
				}
				for _, way := range ways {
					y, g := warped(t, m, Array{[]int{n, h, w, c}, x.Pix}, a, b, weights, window, way)
					if d := interptest.Distance(y, slowWarp(x.Pix, n, h, w, c, maps, window)); !(d < 1e-12) {
						t.Errorf("%s, window %d, reach %d: %g from the definition", names(ts), window, way, d)
					}
					// It is affine in x, so a finite difference is exact: move every pixel by its own amount.
					moved := make([]float64, len(x.Pix))
					random.New(2, uint64(step), 0).Normals(moved)
					var slope, want float64
					plus, zero := slowWarp(moved, n, h, w, c, maps, window), slowWarp(make([]float64, len(moved)), n, h, w, c, maps, window)
					for i := range moved {
						slope += moved[i] * g[i]
					}
					for i := range plus {
						want += weights.Data[i] * (plus[i] - zero[i])
					}
					if !(math.Abs(slope-want) <= 1e-10*max(1, math.Abs(want))) {
						t.Errorf("%s, window %d, reach %d: slope %g, want %g", names(ts), window, way, slope, want)
					}
				}
			}
		}
	})
}

// A smaller reach than the map's own leaves parts of the derivative out, so reach must not be too small.
func TestReach(t *testing.T) {
	for _, c := range []struct {
		a    Affine
		want int
	}{
		{Affine{1, 0, .3, 0, 1, 7}, 2}, {Affine{.5, 0, 0, 0, .5, 0}, 4}, {turn(45), 3}, {turn(90), 2}, {turn(10), 3},
	} {
		if got := c.a.reach(); got != c.want {
			t.Errorf("%v: reach %d, want %d", c.a, got, c.want)
		}
	}
}
