package measure

import (
	"fmt"
	"image"
	"math"
	"slices"
	"testing"

	"lucigo/interp/random"
)

const height, width = 40, 52

// agreements are all measures of two maps. A map agrees fully with itself, and who comes first does not matter.
var agreements = []struct {
	name string
	of   func(a, b []float64, width int) (float64, error)
}{
	{"Pearson", func(a, b []float64, _ int) (float64, error) { return Pearson(a, b) }},
	{"Spearman", func(a, b []float64, _ int) (float64, error) { return Spearman(a, b) }},
	{"SSIM(window=5, maps in [−1, 1], L=2)", SSIM{}.Of},
	{"SSIM(window=11, σ=1.5, maps in [0, 1], L=2)", SSIM{Sigma: 1.5, Unit: true, Range: 2}.Of},
	{"SSIM(window=7, maps in [0, 1], L=1)", SSIM{Window: 7, Unit: true}.Of},
	{"HOG(orientations=9, cell=8, block=3)", HOG{Cell: 8}.Of},
	{"HOG(orientations=9, cell=4, block=1)", HOG{Cell: 4, Block: 1}.Of},
}

// finds are all measures of a map by a mask. A map that is the mask has the best there is, 1.
var finds = []struct {
	name string
	of   func(m, mask []float64, width int) (float64, error)
}{
	{"Mass", func(m, mask []float64, _ int) (float64, error) { return Mass(m, mask) }},
	{"AUROC", func(m, mask []float64, _ int) (float64, error) { return AUROC(m, mask) }},
	{"RankAccuracy", func(m, mask []float64, _ int) (float64, error) { return RankAccuracy(m, mask) }},
	{"pointing game(tolerance=0)", PointingGame{}.Of},
	{"pointing game(tolerance=3.5)", PointingGame{3.5}.Of},
	{"box(threshold=0.2)", func(m, mask []float64, width int) (float64, error) {
		box, err := Box{}.Of(m, width)
		if err != nil {
			return 0, err
		}
		object, err := Around(mask, width)
		if err == nil && len(m) != len(mask) {
			err = fmt.Errorf("boxes know no sizes")
		}
		if all := image.Rect(0, 0, width, len(m)/width); object == all {
			object = image.Rectangle{}
		}
		return IoU(box, object), err
	}},
}

// spreads are all measures of one map, as far as its scale and sign say nothing of it.
var spreads = []struct {
	name string
	of   func(m []float64, width int) (float64, error)
}{
	{"Gini", func(m []float64, _ int) (float64, error) { return Gini(m), nil }},
	{"Entropy", func(m []float64, _ int) (float64, error) { return Entropy(m), nil }},
	{"Variation", Variation},
}

// bad are maps that have no answer, beside good ones.
func bad() map[string][]float64 {
	hole := normals(height*width, 5)
	hole[height*width/2] = math.NaN()
	return map[string][]float64{"zeros": make([]float64, height*width), "a NaN": hole, "equal values": slices.Repeat([]float64{.3}, height*width)}
}

func times(m []float64, factor float64) []float64 {
	out := slices.Clone(m)
	for i := range out {
		out[i] *= factor
	}
	return out
}

func TestLawEveryAgreement(t *testing.T) {
	a, b := normals(height*width, 1), normals(height*width, 2)
	for i, v := range a {
		b[i] = v + .5*b[i]
	}
	for _, c := range agreements {
		before, err := c.of(a, b, width)
		if err != nil || !(before > .2 && before < .99) {
			t.Errorf("%s of a map and a noisy one: %g, %v", c.name, before, err)
		}
		for what, pair := range map[string][2][]float64{
			"the other way round": {b, a}, "a map divided by 10⁷": {times(a, 1e-7), b}, "a map times 1000": {a, times(b, 1000)},
		} {
			if got, err := c.of(pair[0], pair[1], width); err != nil || !(math.Abs(got-before) <= 1e-9) {
				t.Errorf("%s: %g, %v, and of %s %g", c.name, before, err, what, got)
			}
		}
		if got, err := c.of(a, a, width); err != nil || !(math.Abs(got-1) <= 1e-12) {
			t.Errorf("%s of a map with itself: %g, %v", c.name, got, err)
		}
		for what, m := range bad() {
			for _, pair := range [][2][]float64{{a, m}, {m, a}, {m, m}} {
				if got, err := c.of(pair[0], pair[1], width); err != nil || !math.IsNaN(got) {
					t.Errorf("%s of a map with %s: %g, %v", c.name, what, got, err)
				}
			}
		}
		if _, err := c.of(a, b[:len(b)-width], width); err == nil {
			t.Errorf("%s took maps of two sizes", c.name)
		}
	}
}

func TestLawEveryFind(t *testing.T) {
	mask, m := make([]float64, height*width), normals(height*width, 3)
	for i := range mask {
		if x, y := i%width, i/width; x >= 9 && x < 20 && y >= 5 && y < 17 {
			mask[i] = 1
			m[i] += 2
		}
	}
	everything, nothing, hole := slices.Repeat([]float64{1}, len(mask)), make([]float64, len(mask)), slices.Clone(mask)
	hole[3] = math.NaN()
	for _, c := range finds {
		if got, err := c.of(mask, mask, width); err != nil || got != 1 {
			t.Errorf("%s of a map that is the mask: %g, %v", c.name, got, err)
		}
		before, err := c.of(m, mask, width)
		if got, _ := c.of(times(m, 1e-7), mask, width); err != nil || !(before >= 0 && before <= 1) || !(math.Abs(got-before) <= 1e-12) {
			t.Errorf("%s: %g, %v, and of a map divided by 10⁷ %g", c.name, before, err, got)
		}
		for what, m := range bad() {
			if got, err := c.of(m, mask, width); what == "equal values" && c.name == "Mass" {
				if share := 11. * 12 / float64(len(mask)); err != nil || !(math.Abs(got-share) <= 1e-12) {
					t.Errorf("%s of a map of %s: %g, %v, want the mask's share %g", c.name, what, got, err, share)
				}
			} else if err != nil || !math.IsNaN(got) {
				t.Errorf("%s of a map with %s: %g, %v", c.name, what, got, err)
			}
		}
		for what, mask := range map[string][]float64{"everything": everything, "nothing": nothing, "a NaN": hole} {
			if got, err := c.of(m, mask, width); c.name != "box(threshold=0.2)" && what == "a NaN" && (err != nil || !math.IsNaN(got)) ||
				what != "a NaN" && (err != nil || !math.IsNaN(got)) {
				t.Errorf("%s by a mask of %s: %g, %v", c.name, what, got, err)
			}
		}
		if _, err := c.of(m, mask[width:], width); err == nil {
			t.Errorf("%s took a mask of another size", c.name)
		}
	}
}

func TestLawEverySpread(t *testing.T) {
	m := normals(height*width, 4)
	for _, c := range spreads {
		before, err := c.of(m, width)
		if got, _ := c.of(times(m, -1e-7), width); err != nil || !(math.Abs(got-before) <= 1e-12) {
			t.Errorf("%s: %g, %v, and of the map times −10⁻⁷ %g", c.name, before, err, got)
		}
		for what, m := range bad() {
			if got, err := c.of(m, width); err != nil || math.IsNaN(got) == (what == "equal values") {
				t.Errorf("%s of a map with %s: %g, %v", c.name, what, got, err)
			}
		}
	}
}

// The extremes of sparseness: all in one pixel, and the same in each.
func TestLawSpreadExtremes(t *testing.T) {
	const n = 250
	one, same := make([]float64, n), slices.Repeat([]float64{-2}, n)
	one[77] = -3
	for _, c := range []struct {
		name      string
		of        func([]float64) float64
		one, same float64
	}{{"Gini", Gini, 1 - 1./n, 0}, {"Entropy", Entropy, 0, math.Log(n)}} {
		if got := c.of(one); !(math.Abs(got-c.one) <= 1e-12) {
			t.Errorf("%s of one pixel: %g, want %g", c.name, got, c.one)
		}
		if got := c.of(same); !(math.Abs(got-c.same) <= 1e-12) {
			t.Errorf("%s of equal pixels: %g, want %g", c.name, got, c.same)
		}
		if got := c.of(nil); !math.IsNaN(got) {
			t.Errorf("%s of nothing: %g", c.name, got)
		}
	}
}

// AUROC by its definition, pair by pair, with ties.
func TestLawAUROC(t *testing.T) {
	m, mask := normals(300, 6), make([]float64, 300)
	for i := range m {
		m[i] = math.Round(2 * m[i])
		mask[i] = float64(random.New(7, 0, 0).Intn(i, 2))
	}
	var won, pairs float64
	for i, v := range m {
		for j, w := range m {
			if mask[i] == 1 && mask[j] == 0 {
				pairs++
				switch {
				case v > w:
					won++
				case v == w:
					won += .5
				}
			}
		}
	}
	if got, err := AUROC(m, mask); err != nil || !(math.Abs(got-won/pairs) <= 1e-12) {
		t.Errorf("%g, %v, want %g", got, err, won/pairs)
	}
}

// Rank accuracy with ties is the mean over all ways to break them.
func TestRankAccuracyTies(t *testing.T) {
	m, mask := []float64{5, 3, 3, 3, 1, 0}, []float64{1, 1, 0, 0, 1, 0} // one of the three 3s is taken with 5 and another
	if got, err := RankAccuracy(m, mask); err != nil || !(math.Abs(got-(1+2./3)/3) <= 1e-15) {
		t.Errorf("%g, %v, want %g", got, err, (1+2./3)/3)
	}
}

func TestPointingGame(t *testing.T) {
	const size = 21
	mask, m := make([]float64, size*size), make([]float64, size*size)
	mask[10*size+10] = 1
	for i := range m { // a hit is what is within the tolerance of the one pixel
		m[i] = 1
		away := math.Hypot(float64(i%size-10), float64(i/size-10))
		for _, tolerance := range []float64{0, 1, 2.5, 5, 8.9} {
			want := 0.0
			if away <= tolerance {
				want = 1
			}
			if got, err := (PointingGame{tolerance}).Of(m, mask, size); err != nil || got != want {
				t.Fatalf("%g pixels away with tolerance %g: %g, %v", away, tolerance, got, err)
			}
		}
		m[i] = 0
	}
	m[10*size+10], m[3], m[5] = 2, 2, 2
	if got, _ := (PointingGame{}).Of(m, mask, size); got != 1./3 {
		t.Errorf("one of three largest pixels hits, and the answer is %g", got)
	}
	if got, err := (PointingGame{15}).Of(m, mask, size); err != nil || !math.IsNaN(got) {
		t.Errorf("a tolerance that reaches everywhere: %g, %v", got, err)
	}
	for _, bad := range []float64{-1, math.NaN(), math.Inf(1)} {
		if _, err := (PointingGame{bad}).Of(m, mask, size); err == nil {
			t.Errorf("a tolerance of %g was taken", bad)
		}
	}
}

func TestBox(t *testing.T) {
	m := []float64{
		9, 0, 0, 0, 0, 0,
		0, 0, 0, 3, 0, 0,
		0, 0, 0, 0, 3, 2,
		0, 1, 1, 0, 0, 1,
	}
	for _, c := range []struct {
		threshold float64
		want      image.Rectangle
	}{
		{0, image.Rect(3, 1, 6, 3)},            // above 1.8: three that touch at a corner
		{.1, image.Rect(3, 1, 6, 4)},           // above .9: four against two
		{.9, image.Rect(0, 0, 1, 1)},           // the largest alone
		{1. / 3 * .99, image.Rect(3, 1, 5, 3)}, // two 3s
	} {
		if got, err := (Box{c.threshold}).Of(m, 6); err != nil || got != c.want {
			t.Errorf("%s: %v, %v, want %v", Box{c.threshold}, got, err, c.want)
		}
	}
	cup := []float64{
		2, 0, 2, 0, 1, 1,
		2, 0, 2, 0, 1, 1,
		0, 2, 0, 0, 1, 0,
	}
	for share, want := range map[float64]image.Rectangle{.9: image.Rect(0, 0, 3, 3), .4: image.Rect(0, 0, 3, 3)} { // of 5 and 5 the first
		if got, err := (Box{share}).Of(cup, 6); err != nil || got != want {
			t.Errorf("%s of a cup: %v, %v, want %v", Box{share}, got, err, want)
		}
	}
	if got := IoU(image.Rect(0, 0, 4, 4), image.Rect(2, 2, 6, 4)); got != 4./20 {
		t.Errorf("boxes that share 4 of 20 pixels: %g", got)
	}
	if got := IoU(image.Rect(0, 0, 4, 4), image.Rect(5, 5, 6, 6)); got != 0 {
		t.Errorf("boxes that share nothing: %g", got)
	}
	if got, err := (Box{}).Of(times(m, -1), 6); err != nil || !got.Empty() {
		t.Errorf("nothing is above 0, and the box is %v, %v", got, err)
	}
	for _, bad := range []float64{-.1, 1, math.NaN()} {
		if _, err := (Box{bad}).Of(m, 6); err == nil {
			t.Errorf("a threshold of %g was taken", bad)
		}
	}
}

// What maps are brought to.
func TestScales(t *testing.T) {
	m := []float64{1, -4, 2}
	if got := Signed(m); !slices.Equal(got, []float64{.25, -1, .5}) {
		t.Errorf("signed %v", got)
	}
	if got := Unit(m); !slices.Equal(got, []float64{5. / 6, 0, 1}) {
		t.Errorf("unit %v", got)
	}
	for what, m := range bad() {
		if u := Unit(m); !math.IsNaN(u[0]) || !math.IsNaN(u[len(u)-1]) {
			t.Errorf("unit of %s: %g", what, u[0])
		}
		if s := Signed(m); (what != "equal values") != math.IsNaN(s[0]) {
			t.Errorf("signed of %s: %g", what, s[0])
		}
	}
}

// Fields out of range, and maps too small, are errors.
func TestSimilarityErrors(t *testing.T) {
	m := normals(24*30, 8)
	for _, f := range []func(a, b []float64, width int) (float64, error){
		SSIM{Window: 4}.Of, SSIM{Window: -1}.Of, SSIM{Window: 25}.Of, SSIM{Sigma: -1}.Of, SSIM{Sigma: math.NaN()}.Of, SSIM{Range: -1}.Of,
		HOG{Orientations: -1}.Of, HOG{Cell: -1}.Of, HOG{Block: -1}.Of, HOG{}.Of, // three cells of 16 need 48 pixels
	} {
		if got, err := f(m, m, 30); err == nil {
			t.Errorf("%g, and no error", got)
		}
	}
	if _, err := (SSIM{}).Of(m, m, 31); err == nil {
		t.Error("rows that are not whole were taken")
	}
}

// Both measures of similarity say how they are set.
func TestStrings(t *testing.T) {
	for _, c := range []struct {
		value fmt.Stringer
		want  string
	}{
		{SSIM{}, agreements[2].name}, {SSIM{Sigma: 1.5, Unit: true, Range: 2}, agreements[3].name}, {SSIM{Window: 7, Unit: true}, agreements[4].name},
		{HOG{Cell: 8}, agreements[5].name}, {HOG{}, "HOG(orientations=9, cell=16, block=3)"}, {PointingGame{3.5}, finds[4].name}, {Box{}, finds[5].name},
	} {
		if c.value.String() != c.want {
			t.Errorf("%q, want %q", c.value, c.want)
		}
	}
}
