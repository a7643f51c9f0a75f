package dream

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
	"lucigo/interp/random"
	"lucigo/interp/receptive"
)

var ctx = context.Background()

// dreamed returns all frames of a dream.
func dreamed(t *testing.T, d Dream, m *interp.Model, o interp.Objective, x interp.Images) (all []Frame) {
	t.Helper()
	for f, err := range d.Frames(ctx, m, o, x) {
		if err != nil {
			t.Fatalf("%s of %s: %v", d, o, err)
		}
		all = append(all, f)
	}
	return all
}

// guided returns the objective of a dream guided by random images.
func guided(t *testing.T, m *interp.Model, name string) interp.Objective {
	t.Helper()
	o, err := Guide(ctx, m, name, interptest.ImagesOf(2, 14, 11, 3, 77))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// Whatever the objective, its value rises in every octave, and from the photograph to the dream.
func TestLawAscent(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Branchy().On(e.Backend)
		x := interptest.ImagesOf(2, 30, 26, 3, 5)
		before := slices.Clone(x.Pix)
		for _, o := range []interp.Objective{
			objective.Energy("mixed"), objective.Energy("pool1"), objective.Channel("mixed", 2), objective.Channel("shared", 1),
			objective.Channels("mixed", 1, 5), objective.Energy("pool1").Plus(objective.Channel("mixed", 0)), guided(t, m, "mixed"),
		} {
			frames := dreamed(t, Dream{Iterations: 5, Octaves: 2}, m, o, x)
			if len(frames) != 10 {
				t.Fatalf("%d frames", len(frames))
			}
			for _, f := range frames {
				for n := range x.N {
					if f.EndsOctave() && !(f.Before[n] > f.Start[n]) {
						t.Errorf("%s of image %d goes from %g to %g in octave %d", o, n, f.Start[n], f.Before[n], f.Octave)
					}
				}
				if i := slices.IndexFunc(f.Images.Pix, func(v float64) bool { return !(v >= 0 && v <= 1) }); i >= 0 {
					t.Errorf("%s: a pixel is %g", o, f.Images.Pix[i])
				}
			}
			a, err := m.Score(ctx, o, x)
			if err != nil {
				t.Fatal(err)
			}
			b, err := m.Score(ctx, o, frames[9].Images)
			if err != nil {
				t.Fatal(err)
			}
			for n := range x.N {
				if !(b[n] > a[n]) {
					t.Errorf("%s of photograph %d is %g, of the dream %g", o, n, a[n], b[n])
				}
			}
		}
		if !slices.Equal(x.Pix, before) || x.Key != nil {
			t.Error("a dream changed the photographs")
		}
	})
}

// The published code, line by line, on one image and with whole-image gradients.
func TestLawDreamBySlowDefinition(t *testing.T) {
	m := interptest.Branchy().Float64()
	o := objective.Energy("mixed")
	x := interptest.ImagesOf(1, 37, 29, 3, 8).Keyed()
	for _, d := range []Dream{
		{Iterations: 3, Octaves: 3},
		{Iterations: 2, Octaves: 2, Scale: 1.7, Step: 4, Jitter: 5, Seed: 3},
		{Iterations: 1, Octaves: 1, Jitter: -1},
	} {
		frames := dreamed(t, d, m, o, x)
		d = d.whole()
		octaves := []interp.Images{x}
		for range d.Octaves - 1 {
			last := octaves[len(octaves)-1]
			octaves = append(octaves, slowResize(last, int(math.Round(float64(last.H)/d.Scale)), int(math.Round(float64(last.W)/d.Scale))))
		}
		slices.Reverse(octaves)
		detail := octaves[0]
		detail.Pix = make([]float64, len(detail.Pix))
		i := 0
		for k, base := range octaves {
			detail = slowResize(detail, base.H, base.W)
			y := base
			y.Pix = slices.Clone(base.Pix)
			for p := range y.Pix {
				y.Pix[p] += detail.Pix[p]
			}
			for range d.Iterations {
				s := random.New(d.Seed, x.Key[0], uint64(i))
				oy, ox := s.Intn(0, 2*d.Jitter+1)-d.Jitter, s.Intn(1, 2*d.Jitter+1)-d.Jitter
				rolled := roll(y, oy, ox)
				maps, err := m.Gradient(ctx, o, nil, rolled)
				if err != nil {
					t.Fatal(err)
				}
				mean := 0.0
				for _, v := range maps.Pix {
					mean += math.Abs(v) / float64(len(maps.Pix))
				}
				for p, v := range maps.Pix {
					rolled.Pix[p] = min(max(rolled.Pix[p]+d.Step/mean*v/255, 0), 1)
				}
				y = roll(rolled, -oy, -ox)

				f := frames[i]
				i++
				if f.Octave != k+1 || f.Octaves != d.Octaves || f.Iterations != d.Iterations || f.Images.H != base.H || f.Images.W != base.W {
					t.Fatalf("%s: frame %d is %d×%d of octave %d", d, i, f.Images.H, f.Images.W, f.Octave)
				}
				if done, total := f.Done(); done != i || total != d.Octaves*d.Iterations || f.Ends() != (done == total) || f.EndsOctave() != (i%d.Iterations == 0) {
					t.Errorf("%s: frame %d says %d of %d", d, i, done, total)
				}
				if e := interptest.Distance(f.Images.Pix, y.Pix); !(e <= 1e-12) {
					t.Errorf("%s: frame %d is %g from its definition", d, i, e)
				}
				if e := math.Abs(f.Before[0]/maps.Score[0] - 1); !(e <= 1e-12) {
					t.Errorf("%s: frame %d has a score %g off", d, i, e)
				}
			}
			detail.Pix = slices.Clone(y.Pix)
			for p := range y.Pix {
				detail.Pix[p] -= base.Pix[p]
			}
		}
		if i != len(frames) {
			t.Errorf("%s: %d frames, want %d", d, len(frames), i)
		}
	}
}

// roll moves the pixels down and to the right; what leaves comes in at the other side.
func roll(x interp.Images, dy, dx int) interp.Images {
	y := x
	y.Pix = make([]float64, len(x.Pix))
	for r := range x.H {
		for q := range x.W {
			for c := range x.C {
				to := (((r+dy)%x.H+x.H)%x.H*x.W + ((q+dx)%x.W+x.W)%x.W) * x.C
				y.Pix[to+c] = x.Pix[(r*x.W+q)*x.C+c]
			}
		}
	}
	return y
}

func slowResize(x interp.Images, h, w int) interp.Images {
	y := x
	y.H, y.W = h, w
	y.Pix = nil
	tent := func(at float64, i int) float64 { return max(0, 1-math.Abs(at-float64(i))) }
	for r := range h {
		for q := range w {
			for c := range x.C {
				ry, rx := float64(r*(x.H-1))/float64(max(h-1, 1)), float64(q*(x.W-1))/float64(max(w-1, 1))
				sum := 0.0
				for i := range x.H {
					for j := range x.W {
						if k := tent(ry, i) * tent(rx, j); k > 0 {
							sum += k * x.Pix[(i*x.W+j)*x.C+c]
						}
					}
				}
				y.Pix = append(y.Pix, sum)
			}
		}
	}
	return y
}

func TestLawSeedsAndBatches(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Branchy().On(e.Backend)
		o := objective.Energy("mixed")
		x := interptest.ImagesOf(3, 20, 24, 3, 6)
		d := Dream{Iterations: 2, Octaves: 2, Seed: 4}
		last := func(d Dream, m *interp.Model, x interp.Images) []float64 { return dreamed(t, d, m, o, x)[3].Images.Pix }
		all := last(d, m, x)
		if !slices.Equal(last(d, m, x), all) {
			t.Error("the same seed gives other images")
		}
		other := d
		other.Seed = 5
		if slices.Equal(last(other, m, x), all) {
			t.Error("another seed gives the same images")
		}
		// Float32 gradients round differently in batches of another size, and the step only averages.
		if e := interptest.Distance(last(d, m, x.Slice(1, 2)), all[x.Size():2*x.Size()]); !(e <= 1e-4) {
			t.Errorf("without its neighbours an image changes by %g", e)
		}
	})
}

// With tiles that overlap by the receptive field, the gradient is that of the whole image; with less it is
// not, or this test would show nothing.
func TestLawTiles(t *testing.T) {
	m := interptest.Branchy().Float64()
	x := interptest.ImagesOf(2, 150, 101, 3, 2)
	shift := [][2]int{{-31, 7}, {12, -32}}
	field, err := receptive.FieldOf(ctx, m, "mixed")
	if err != nil {
		t.Fatal(err)
	}
	exact := Dream{Overlap: max(field.Size[0], field.Size[1]) - 1}
	for _, o := range []interp.Objective{objective.Energy("mixed"), objective.Channel("mixed", 3), objective.Channels("mixed", 1, 6), guided(t, m, "mixed")} {
		whole, err := exact.gradient(ctx, m.Budget(1<<40), o, x, shift)
		if err != nil {
			t.Fatal(err)
		}
		for n := range x.N { // shifting is undone to the bit
			rolled := roll(x.Slice(n, n+1), shift[n][0], shift[n][1])
			part := rolled
			part.Pix = slices.Concat(rolled.Pix, rolled.Pix)
			part.N, part.Key = 2, nil
			maps, err := m.Gradient(ctx, o, nil, part)
			if err != nil {
				t.Fatal(err)
			}
			back := roll(interp.Images{N: 1, H: x.H, W: x.W, C: 3, Pix: maps.Of(n)}, -shift[n][0], -shift[n][1])
			if !slices.Equal(back.Pix, whole.Of(n)) || maps.Score[n] != whole.Score[n] {
				t.Errorf("%s: the shift of image %d is not undone", o, n)
			}
		}
		small := m.Budget(1)
		tiled, err := exact.gradient(ctx, small, o, x, shift)
		if err != nil {
			t.Fatal(err)
		}
		for n, sum := range tiled.Score { // tiles overlap, so that the energy of all is more than the whole's
			if strings.HasPrefix(o.String(), "energy") && !(sum > whole.Score[n]) {
				t.Errorf("%s of image %d is %g, and over tiles %g", o, n, whole.Score[n], sum)
			}
		}
		if d := interptest.Distance(unit(tiled.Pix), unit(whole.Pix)); !(d <= 1e-12) {
			t.Errorf("%s: tiles change the gradient by %g", o, d)
		}
		rough, err := Dream{}.gradient(ctx, small, o, x, shift)
		if err != nil {
			t.Fatal(err)
		}
		if d := interptest.Distance(unit(rough.Pix), unit(whole.Pix)); !(d > 1e-6) {
			t.Errorf("%s: tiles without overlap change the gradient by %g only", o, d)
		}
	}
}

// An image is looked at whole if a quarter of the budget does for it, and only then.
func TestTilesByBudget(t *testing.T) {
	m := interptest.Branchy().Float64()
	o := objective.Energy("mixed")
	x := interptest.ImagesOf(1, 150, 101, 3, 2)
	need := int64(128 * 8 * x.Size()) // as interp.Model.Batch counts
	whole, err := Dream{}.gradient(ctx, m.Budget(1<<40), o, x, [][2]int{{0, 0}})
	if err != nil {
		t.Fatal(err)
	}
	for budget, tiles := range map[int64]bool{3 * need: true, 4 * need: false} {
		parts, err := Dream{}.gradient(ctx, m.Budget(budget), o, x, [][2]int{{0, 0}})
		if err != nil {
			t.Fatal(err)
		}
		if tiles != (parts.Score[0] != whole.Score[0]) {
			t.Errorf("with a budget of %d images, tiles are not %t", budget/need, tiles)
		}
	}
}

// unit divides a gradient by its mean magnitude, as a step does.
func unit(g []float64) []float64 {
	mean := 0.0
	for _, v := range g {
		mean += math.Abs(v) / float64(len(g))
	}
	out := make([]float64, len(g))
	for i, v := range g {
		out[i] = v / mean
	}
	return out
}

func TestStrips(t *testing.T) {
	s := random.New(1, 0, 0)
	for i := range 3000 {
		length, tile, over := 1+s.Intn(3*i, 2000), 1+s.Intn(3*i+1, 900), s.Intn(3*i+2, 150)
		size, all := strips(length, tile, over)
		asked := min(length, max(tile, 2*over+2*align))
		if size > asked || size%align != length%align && size != length {
			t.Fatalf("%d pixels by %d: tiles of %d", length, tile, size)
		}
		next := 0
		for k, p := range all {
			left, right := p.first-p.from, p.from+size-p.end
			if p.from%align != 0 || p.from+size > length || p.first != next || p.end <= p.first ||
				k > 0 && left < over || k < len(all)-1 && right < over || min(left, right) < 0 {
				t.Fatalf("%d pixels by %d, overlap %d: tile %d of %d is %+v of size %d", length, tile, over, k, len(all), p, size)
			}
			next = p.end
		}
		if next != length {
			t.Fatalf("%d pixels by %d: tiles cover %d", length, tile, next)
		}
		if len(all) == 1 {
			continue
		}
		largest := asked
		for (length-largest)%align != 0 {
			largest--
		}
		if n := greedy(length, largest, over); n != len(all) || greedy(length, size, over) != n || greedy(length, size-align, over) == n {
			t.Fatalf("%d pixels by %d, overlap %d: %d tiles of %d, and %d would do", length, tile, over, len(all), size, n)
		}
	}
}

// greedy counts tiles of a size, each placed as far on as the one before allows; 0 if they do not get on.
func greedy(length, size, over int) int {
	n := 1
	for from := 0; from+size < length; n++ {
		on := (size - 2*over) / align * align
		if on <= 0 {
			return 0
		}
		from = min(from+on, length-size)
	}
	return n
}

func TestTileSize(t *testing.T) {
	for _, c := range []struct{ h, w, pixels, th, tw int }{
		{100, 100, 10000, 100, 100}, {100, 100, 1 << 30, 100, 100}, {100, 200, 10000, 100, 100}, {200, 100, 10000, 100, 100},
		{300, 300, 10000, 100, 100}, {50, 1000, 10000, 50, 200}, {1000, 50, 10000, 200, 50}, {1000, 1000, 1, 1, 1}, {1, 1, 1, 1, 1}, {9, 9, 0, 1, 1},
	} {
		if th, tw := tileSize(c.h, c.w, c.pixels); th != c.th || tw != c.tw {
			t.Errorf("%+v: %d×%d", c, th, tw)
		}
	}
}

func TestSizes(t *testing.T) {
	for _, c := range []struct {
		d    Dream
		h, w int
		want string
	}{
		{Dream{}, 575, 1024, "[[210 373] [294 522] [411 731] [575 1024]]"},
		{Dream{Octaves: 2, Scale: 2}, 5, 1, "[[3 1] [5 1]]"},
		{Dream{Octaves: 3, Scale: 100}, 8, 700, "[[1 1] [1 7] [8 700]]"},
	} {
		if got := fmt.Sprint(c.d.whole().sizes(c.h, c.w)); got != c.want {
			t.Errorf("%s of %d×%d: %s, want %s", c.d, c.h, c.w, got, c.want)
		}
	}
}

func TestResample(t *testing.T) {
	x := interptest.ImagesOf(2, 9, 7, 2, 1)
	for _, size := range [][2]int{{9, 7}, {3, 4}, {20, 5}, {1, 1}, {2, 30}} {
		got := resized(x, size)
		for n := range x.N {
			want := slowResize(x.Slice(n, n+1), size[0], size[1])
			if d := interptest.Distance(got.Slice(n, n+1).Pix, want.Pix); !(d <= 1e-14) {
				t.Errorf("image %d to %v: %g from its definition", n, size, d)
			}
		}
	}
	// A ramp is enlarged around its middle: half as steep at a rate of ½.
	ramp := interp.Images{N: 1, H: 1, W: 9, C: 1, Pix: []float64{0, 1, 2, 3, 4, 5, 6, 7, 8}}
	if got := enlarged(ramp, .5).Pix; fmt.Sprint(got) != "[2.25 2.75 3.25 3.75 4.25 4.75 5.25 5.75 6.25]" {
		t.Errorf("%v", got)
	}
}

func TestGuideBySlowDefinition(t *testing.T) {
	m := interptest.Branchy().Float64()
	x, guide := interptest.ImagesOf(2, 15, 13, 3, 1), interptest.ImagesOf(2, 9, 16, 3, 2)
	o, err := Guide(ctx, m, "mixed", guide)
	if err != nil {
		t.Fatal(err)
	}
	a, err := m.Activations(ctx, x, "mixed")
	if err != nil {
		t.Fatal(err)
	}
	g, err := m.Activations(ctx, guide, "mixed")
	if err != nil {
		t.Fatal(err)
	}
	const channels = 7
	want := make([]float64, x.N)
	for i := 0; i < len(a[0].Data); i += channels {
		best := math.Inf(-1)
		for j := 0; j < len(g[0].Data); j += channels {
			sum := 0.0
			for c := range channels {
				sum += a[0].Data[i+c] * g[0].Data[j+c]
			}
			best = max(best, sum)
		}
		want[i*x.N/len(a[0].Data)] += best
	}
	maps, err := m.Gradient(ctx, o, nil, x)
	if err != nil {
		t.Fatal(err)
	}
	if d := interptest.Distance(maps.Score, want); !(d <= 1e-12) {
		t.Errorf("scores %v, want %v", maps.Score, want)
	}
	interptest.Derivative(t, m, o, x, maps, 1e-6)
}

func TestZoom(t *testing.T) {
	m := interptest.Branchy()
	o := objective.Energy("mixed")
	x := interptest.ImagesOf(1, 20, 16, 3, 9).Keyed()
	z := Zoom{Dream: Dream{Iterations: 2, Octaves: 2, Seed: 3}, N: 3, Rate: .2}
	var ends []interp.Images
	count := 0
	for f, err := range z.Frames(ctx, m, o, x) {
		if err != nil {
			t.Fatal(err)
		}
		count++
		if done, total := f.Done(); done != count || total != 12 {
			t.Errorf("frame %d says %d of %d", count, done, total)
		}
		if f.Ends() {
			ends = append(ends, f.Images)
		}
	}
	if count != 12 || len(ends) != 3 {
		t.Fatalf("%d frames, %d dreams", count, len(ends))
	}
	want := x
	for i, got := range ends {
		d := z.Dream
		d.Seed = random.Hash(3, uint64(i))
		want = dreamed(t, d, m, o, want)[3].Images
		if !slices.Equal(got.Pix, want.Pix) {
			t.Errorf("dream %d is not a dream of what was zoomed into", i)
		}
		want = enlarged(want, .2)
	}
	for _, bad := range []Zoom{{N: -1}, {Rate: 1}, {Rate: -.1}, {Rate: math.NaN()}, {Dream: Dream{Scale: .5}}} {
		if err := only(t, bad.Frames(ctx, m, o, x)); !strings.Contains(err.Error(), "must be a") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// only returns the error that a dream without frames ends in.
func only(t *testing.T, frames func(func(Frame, error) bool)) (err error) {
	t.Helper()
	for _, e := range frames {
		if e == nil || err != nil {
			t.Fatal("a frame, or a second error")
		}
		err = e
	}
	if err == nil {
		t.Fatal("no error")
	}
	return err
}

// The end of the context ends a dream at once, and what was yielded stays what it was.
func TestContext(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.ImagesOf(1, 200, 200, 3, 9)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var frames, copies [][]float64
	var start time.Time
	var ended error
	for f, err := range (Dream{Iterations: 1000}).Frames(ctx, m, objective.Energy("mixed"), x) {
		if ended = err; err != nil {
			break
		}
		frames, copies = append(frames, f.Images.Pix), append(copies, slices.Clone(f.Images.Pix))
		if len(frames) == 3 {
			start = time.Now()
			cancel()
		}
	}
	if !errors.Is(ended, context.Canceled) || len(frames) != 3 {
		t.Fatalf("%d frames, then %v", len(frames), ended)
	}
	if took := time.Since(start); took > time.Minute {
		t.Errorf("it stopped after %v", took)
	}
	for i := range frames {
		if !slices.Equal(frames[i], copies[i]) {
			t.Errorf("frame %d changed", i)
		}
	}
	for range (Dream{}).Frames(t.Context(), m, objective.Energy("mixed"), interptest.ImagesOf(1, 30, 30, 3, 1)) {
		break // a caller who stops has no more frames to take
	}
}

// An objective that asks about a class asks, in every octave, about the class of the image as it came.
func TestClassIsResolvedOnce(t *testing.T) {
	m := interptest.Model("mean", func(s *model.Scope, x *Node) *Node {
		h := layer.At("h", layer.ReLU(layer.Conv(s.In("h"), x, 8, layer.Square(3, 1, 1))))
		return layer.Dense(s.In("logits"), layer.GlobalMean(h), 5)
	}, [3]int{20, 20, 3}, 5, 1)
	x := interptest.ImagesOf(3, 20, 20, 3, 1)
	want, err := m.Resolve(ctx, objective.Logit, x)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range dreamed(t, Dream{Iterations: 1, Octaves: 2}, m, objective.Logit, x) {
		if len(f.Images.Class) != 3 || !slices.Equal(f.Images.Class, want.Class) {
			t.Errorf("octave %d is about classes %v, want %v", f.Octave, f.Images.Class, want.Class)
		}
	}
}

func TestErrors(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.ImagesOf(1, 30, 30, 3, 1)
	broken := x
	broken.Pix = slices.Clone(x.Pix)
	broken.Pix[6] = math.NaN()
	energy := objective.Energy("mixed")
	nan := interp.Objective{Name: "nan", Form: interp.FormOf(func(p *layer.Pass, _ []*Node) *Node {
		s := ReduceSum(Reshape(p.Images, 1, -1), 1)
		return Div(s, ZerosLike(s))
	})}
	for _, c := range []struct {
		d    Dream
		o    interp.Objective
		x    interp.Images
		says string
	}{
		{Dream{}, energy, interptest.ImagesOf(1, 3, 30, 3, 1), "dream: octave 1 of 4, 1×11 pixels: branchy: "},
		{Dream{}, objective.Energy("mixd"), x, `no layer "mixd"; near it: mixed`},
		{Dream{}, objective.LogitOf(1), x, "octave 1 of 4, 11×11 pixels"},
		{Dream{}, objective.Channel("mixed", 7), x, `layer "mixed" has channels 0 to 6`},
		{Dream{}, nan, x, "the score of nan at image 0 is"},
		{Dream{}, energy, broken, "image 0 is NaN at row 0, column 2, channel 0"},
		{Dream{}, energy, interptest.ImagesOf(1, 30, 30, 1, 1), "takes images of 3 channels"},
		{Dream{}, energy, interp.Images{}, "no images"},
		{Dream{Iterations: -1}, energy, x, "Iterations is -1, must"},
		{Dream{Octaves: -1}, energy, x, "Octaves is -1, must"},
		{Dream{Scale: 1}, energy, x, "Scale is 1, must"},
		{Dream{Scale: math.NaN()}, energy, x, "Scale is NaN, must"},
		{Dream{Step: -2}, energy, x, "Step is -2, must"},
		{Dream{Step: math.Inf(1)}, energy, x, "Step is +Inf, must"},
		{Dream{Jitter: 1 << 40}, energy, x, "Jitter is 1099511627776, must"},
		{Dream{Overlap: 1 << 40}, energy, x, "Overlap is 1099511627776, must"},
	} {
		if err := only(t, c.d.Frames(ctx, m, c.o, c.x)); !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s of %s: error %q, want one that says %q", c.d, c.o, err, c.says)
		}
	}
	if _, err := Guide(ctx, m, "mixd", x); err == nil || !strings.Contains(err.Error(), "near it: mixed") {
		t.Errorf("a guide at a layer that does not exist: %v", err)
	}
	dark := interptest.Model("dark", func(s *model.Scope, x *Node) *Node {
		h := layer.At("h", layer.ReLU(layer.Conv(s.In("h"), MulScalar(x, 0), 2, layer.Square(1, 1, 0))))
		return layer.Dense(s.In("logits"), layer.GlobalMean(h), 2)
	}, [3]int{8, 8, 3}, 2, 1)
	dark, err := dark.With(interp.Weights{"/h/biases": must(interp.NewWeight([]float64{-1, -1}, 2))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Guide(ctx, dark, "h", x); err == nil || !strings.Contains(err.Error(), "does not guide") {
		t.Errorf("a guide without features: %v", err)
	}
	frames := 0
	var last error
	for f, err := range (Dream{Iterations: 2, Octaves: 1}).Frames(ctx, dark, objective.Energy("h"), x) {
		if last = err; err == nil {
			frames++
			if !slices.Equal(f.Images.Pix, x.Pix) {
				t.Error("without a gradient the image moved")
			}
		}
	}
	if frames != 2 || last == nil || !strings.Contains(last.Error(), "the gradient of energy of h at image 0 is 0 in every iteration") {
		t.Errorf("%d frames, then %v", frames, last)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestString(t *testing.T) {
	for want, v := range map[string]fmt.Stringer{
		"DeepDream(iterations=10, octaves=4×1.4, step=1.5/255, jitter=32)":                           Dream{},
		"DeepDream(iterations=3, octaves=2×1.5, step=2/255, jitter=0, overlap=0, seed=7)":            Dream{3, 2, 1.5, 2, -1, -1, 7},
		"100 zooms by 0.05 of DeepDream(iterations=10, octaves=4×1.4, step=1.5/255, jitter=32)":      Zoom{},
		"3 zooms by 0.1 of DeepDream(iterations=10, octaves=4×1.4, step=1.5/255, jitter=32, seed=2)": Zoom{Dream{Seed: 2}, 3, .1},
	} {
		if got := v.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func ExampleDream_Frames() {
	m := interptest.Branchy()
	photograph := interptest.ImagesOf(1, 40, 30, 3, 1)
	for f, err := range (Dream{Octaves: 3, Iterations: 4}).Frames(context.Background(), m, objective.Energy("mixed"), photograph) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if f.EndsOctave() {
			fmt.Printf("octave %d of %d: %d×%d, energy rises: %v\n", f.Octave, f.Octaves, f.Images.H, f.Images.W, f.Before[0] > f.Start[0])
		}
	}
	// Output:
	// octave 1 of 3: 21×15, energy rises: true
	// octave 2 of 3: 29×21, energy rises: true
	// octave 3 of 3: 40×30, energy rises: true
}
