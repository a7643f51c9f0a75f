package cause_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/cause"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/measure"
	"lucigo/interp/objective"
	"lucigo/interp/saliency"
	"lucigo/models/scenes"
)

var ctx = context.Background()

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// pixels is a subject each of whose pixels is a part, which is 0 where it is left out.
type pixels struct{ x interp.Images }

func (p pixels) Parts() []string { return strings.Split("abcdef", "") }

func (p pixels) Without(parts ...int) (interp.Images, error) {
	x := p.x
	x.Pix = slices.Clone(x.Pix)
	for _, i := range parts {
		x.Pix[i] = 0
	}
	return x, nil
}

func subjects(n int) (all []pixels) {
	x := interptest.Images(interptest.Linear(), n, 3)
	for i := range n {
		all = append(all, pixels{x.Slice(i, i+1)})
	}
	return all
}

// given is a method with the maps of another's numbers.
type given struct {
	name string
	of   func(m *interp.Model, x interp.Images) []float64
}

func (g given) String() string { return g.name }

func (g given) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	out := x.Like()
	out.Pix = g.of(m, x)
	return out, nil
}

// Of a linear network the drop without a pixel is its weight times its value, and so is the gradient times the input: that map
// is correct, and its negative is as wrong as can be.
func TestLawLinear(t *testing.T) {
	m := interptest.Linear().Float64()
	c := must(cause.Measure(ctx, m, subjects(12)))
	rows := interptest.Rows(m)
	maps := must(saliency.TimesInput{}.Maps(ctx, m, objective.Logit, c.Images))
	for i, one := range c.All {
		top := must(m.Predict(ctx, c.Images.Slice(i, i+1))).Top1()[0]
		if one.Class != top {
			t.Fatalf("subject %d is asked about class %d, and the network says %d", i, one.Class, top)
		}
		for p, d := range one.Drop {
			if want := rows[top][p] * c.Images.Of(i)[p]; !(math.Abs(d-want) <= 1e-12) {
				t.Errorf("subject %d without part %d: drop %g, want %g", i, p, d, want)
			}
			for q, in := range one.Regions[p] {
				if want := map[bool]float64{true: 1, false: 0}[q == p]; in != want {
					t.Errorf("region of part %d has %g at %d", p, in, q)
				}
			}
		}
		m := maps.Mean(i)
		opposite := make([]float64, len(m))
		for j, v := range m {
			opposite[j] = -v
		}
		if r, s := one.Correctness(m), one.Correctness(opposite); !(math.Abs(r-1) <= 1e-12) || !(math.Abs(s+1) <= 1e-12) {
			t.Errorf("subject %d: correctness %g, and %g of the opposite", i, r, s)
		}
		if r := one.Correctness(make([]float64, len(m))); !math.IsNaN(r) {
			t.Errorf("a map of zeros has correctness %g", r)
		}
	}
}

// Completeness by its definition: each threshold's images drawn and asked one by one.
func TestLawCompleteness(t *testing.T) {
	m := interptest.Linear().Float64()
	all := subjects(12)
	c := must(cause.Measure(ctx, m, all))
	maps := interptest.Images(m, 12, 9)
	lostSome, keptSome := false, false
	for i, one := range c.All {
		v := maps.Of(i)
		v[2] = -v[2]
		var kept, lost, idle, ignored float64
		most := 0.
		for _, d := range one.Drop {
			most = max(most, math.Abs(d))
		}
		for k := 1; k <= 9; k++ {
			var in, out []int
			for p := range v {
				important := v[p] >= float64(k)/10*slices.Max(v)
				if important {
					in = append(in, p)
				} else {
					out = append(out, p)
				}
				if math.Abs(one.Drop[p]) < most/20 {
					idle++
					if !important {
						ignored++
					}
				}
			}
			top := func(without []int) int { return must(m.Predict(ctx, must(all[i].Without(without...)))).Top1()[0] }
			if top(out) == one.Class {
				kept++
			}
			if top(in) != one.Class {
				lost++
			}
		}
		gotKept, gotLost, gotIgnored, err := c.Completeness(ctx, i, v)
		if err != nil || !close(gotKept, kept/9) || !close(gotLost, lost/9) || !close(gotIgnored, ignored/idle) {
			t.Errorf("subject %d: %g, %g, %g, %v; want %g, %g, %g", i, gotKept, gotLost, gotIgnored, err, kept/9, lost/9, ignored/idle)
		}
		keptSome, lostSome = keptSome || kept > 0 && kept < 9, lostSome || lost > 0
	}
	if !keptSome || !lostSome {
		t.Error("no subject tells thresholds apart")
	}
	if k, l, d, err := c.Completeness(ctx, 0, make([]float64, 6)); err != nil || !math.IsNaN(k) || !math.IsNaN(l) || !math.IsNaN(d) {
		t.Errorf("of a map of zeros: %g, %g, %g, %v", k, l, d, err)
	}
}

func close(a, b float64) bool { return math.Abs(a-b) <= 1e-12 || math.IsNaN(a) && math.IsNaN(b) }

// Two objects are two halves of the picture. A map that looks at its own object has 1, one that does not know its class ½, and one that
// looks at the other object 0.
func TestContrast(t *testing.T) {
	m := halves(t)
	x := interptest.ImagesOf(5, 2, 3, 1, 3)
	p := &cause.Pairs{Model: m, Images: x}
	for side := range 2 {
		p.Classes[side] = slices.Repeat([]int{side}, x.N)
		mask := make([]float64, 6)
		p.Removed[side] = x
		p.Removed[side].Pix = slices.Clone(x.Pix)
		for q := range 3 {
			mask[3*side+q] = 1
			for i := range x.N {
				p.Removed[side].Pix[6*i+3*side+q] = 0
			}
		}
		p.Masks[side] = slices.Repeat([][]float64{mask}, x.N)
	}
	own := func(flip int) func(m *interp.Model, x interp.Images) []float64 {
		return func(_ *interp.Model, x interp.Images) (v []float64) {
			for i := range x.N {
				for q := range 6 {
					v = append(v, 1+map[bool]float64{true: 1, false: 0}[q/3 == x.Class[i]^flip])
				}
			}
			return v
		}
	}
	for name, c := range map[string]struct {
		method saliency.Method
		want   float64
	}{
		"gradient × input": {saliency.TimesInput{}, 1},
		"own object":       {given{"own", own(0)}, 1},
		"other object":     {given{"other", own(1)}, 0},
		"the image":        {given{"image", func(_ *interp.Model, x interp.Images) []float64 { return slices.Clone(x.Pix) }}, .5},
		"zeros":            {given{"zeros", func(_ *interp.Model, x interp.Images) []float64 { return make([]float64, len(x.Pix)) }}, math.NaN()},
	} {
		got := must(p.Ask(ctx, cause.Entry{Method: c.method, Signed: true}))[0]
		for i, v := range got {
			if v != c.want && !(math.IsNaN(v) && math.IsNaN(c.want)) {
				t.Errorf("%s, pair %d: %g, want %g", name, i, v, c.want)
			}
		}
	}
	blind := *p
	q := cause.Pairs{Model: m, Images: x, Classes: [2][]int{p.Classes[1], p.Classes[0]}, Masks: blind.Masks, Removed: blind.Removed}
	if _, err := q.Ask(ctx, cause.Entry{Method: saliency.Gradient{}}); err == nil || !strings.Contains(err.Error(), "in none of the pairs") {
		t.Errorf("of a network that looks at the other object: %v", err)
	}
}

// halves returns a linear network whose class 0 is of the first three pixels, and class 1 of the others.
func halves(t *testing.T) *interp.Model {
	m := interptest.Linear()
	w := make([]float64, 18)
	for q := range 6 {
		w[3*q+q/3] = 1
	}
	return must(m.With(interp.Weights{"/logits/weights": must(interp.NewWeight(w, 6, 3))}))
}

// Each image has its own mask, or all have the one.
func TestMasksOfImages(t *testing.T) {
	m := interptest.Linear()
	x := interptest.Images(m, 2, 3)
	masks := [][]float64{{1, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 1}}
	first := given{"first", func(_ *interp.Model, x interp.Images) []float64 { return []float64{2, 1, 1, 1, 1, 0, 2, 1, 1, 1, 1, 0} }}
	got := must(cause.Masked{Model: m, Images: x, Masks: masks}.Ask(ctx, cause.Entry{Method: first}))[0]
	if !slices.Equal(got, []float64{1, 0}) {
		t.Errorf("areas %v, want 1 and 0", got)
	}
	if _, err := (cause.Masked{Model: m, Images: x, Masks: slices.Repeat(masks, 2)}).Ask(ctx, cause.Entry{Method: first}); err == nil {
		t.Error("four masks of two images were taken")
	}
}

// white is a subject whose pixels are 1 where they are left out.
type white struct{ pixels }

func (w white) Without(parts ...int) (interp.Images, error) {
	x, err := w.pixels.Without()
	for _, i := range parts {
		x.Pix[i] = 1
	}
	return x, err
}

// A part is where the picture changes without it, whether it becomes darker or brighter.
func TestRegionsOfBrighterParts(t *testing.T) {
	c := must(cause.Measure(ctx, interptest.Linear(), []white{{subjects(1)[0]}}))
	for p, region := range c.All[0].Regions {
		want := make([]float64, 6)
		want[p] = 1
		if !slices.Equal(region, want) {
			t.Errorf("region of part %d is %v", p, region)
		}
	}
}

func TestMasked(t *testing.T) {
	m := interptest.Linear()
	x := interptest.Images(m, 3, 3)
	mask := []float64{0, 1, 0, 0, 0, 1}
	q := cause.Masked{Name: "cue", Model: m, Images: x, Masks: [][]float64{mask}}
	found := given{"mask", func(_ *interp.Model, x interp.Images) (v []float64) {
		for range x.N {
			v = append(v, mask...)
		}
		return v
	}}
	got := must(q.Ask(ctx, cause.Entry{Method: found}))
	for k, name := range q.Columns() {
		if !slices.Equal(got[k], []float64{1, 1, 1}) {
			t.Errorf("%s of the mask itself: %v", name, got[k])
		}
	}
	grad := must(q.Ask(ctx, cause.Entry{Method: saliency.Gradient{}}))
	maps := must(saliency.Gradient{}.Maps(ctx, m, objective.Logit, x))
	for i := range x.N {
		v := maps.Magnitude(i)
		for k, want := range []float64{must(measure.AUROC(v, mask)), must(measure.Mass(v, mask)), must(measure.PointingGame{}.Of(v, mask, 3)),
			measure.IoU(must(measure.Box{}.Of(v, 3)), must(measure.Around(mask, 3)))} {
			if !close(grad[k][i], want) {
				t.Errorf("image %d, %s: %g, want %g", i, q.Columns()[k], grad[k][i], want)
			}
		}
	}
}

// A removal is the measure's own, and of deletion what is left to 1.
func TestRemoval(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 3, 3)
	maps := must(saliency.Guided.Maps(ctx, m, objective.Logit, x))
	var read [][]float64
	for i := range x.N {
		read = append(read, maps.Magnitude(i))
	}
	for name, c := range map[string]struct {
		of   cause.Remover
		sign float64
	}{"insertion": {measure.Insertion{}, 1}, "1 − deletion": {measure.Deletion{}, -1}, "ROAD": {measure.ROAD{}, 1}, "sensitivity-n": {measure.SensitivityN{}, 1}} {
		q := cause.Removal{Of: c.of, Model: m, Images: x}
		if got := q.Columns(); !slices.Equal(got, []string{name}) {
			t.Errorf("columns %v, want %s", got, name)
		}
		got := must(q.Ask(ctx, cause.Entry{Method: saliency.Guided}))[0]
		for i, v := range must(c.of.Of(ctx, m, objective.Prob, x, read)) {
			if want := c.sign*v + max(0, -c.sign); !(math.Abs(got[i]-want) <= 1e-12) {
				t.Errorf("%s of image %d: %g, want %g", name, i, got[i], want)
			}
		}
	}
}

// Measures of what a map foretells, of how it moves and of how it looks are the measures' own, with the sign that makes more better.
func TestOtherQuestions(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 3, 3)
	entry := cause.Entry{Method: saliency.TimesInput{}, Signed: true, Shares: true}
	maps := must(entry.Method.Maps(ctx, m, objective.Logit, x))
	x.Class = maps.Class
	infidelity := must(measure.Infidelity{N: 7, Shares: true, Scaled: true}.Of(ctx, m, objective.Logit, x, maps))
	moves := must(measure.MaxSensitivity{N: 3}.Of(ctx, m, objective.Logit, x, entry.Method))
	questions := []cause.Question{
		cause.Infidelity{Of: measure.Infidelity{N: 7}, Model: m, Images: x},
		cause.Stability{Of: measure.MaxSensitivity{N: 3}, Model: m, Images: x},
		cause.Concentration{Model: m, Images: x},
	}
	var got [][]float64
	for _, q := range questions {
		got = append(got, must(q.Ask(ctx, entry))...)
	}
	for i := range x.N {
		v := maps.Mean(i)
		want := []float64{-infidelity[i], -moves[i], measure.Gini(v), 1 - measure.Entropy(v)/math.Log(144)}
		for k := range want {
			if !close(got[k][i], want[k]) {
				t.Errorf("image %d, number %d: %g, want %g", i, k, got[k][i], want[k])
			}
		}
	}
	table := must(cause.Comparison{}.Compare(ctx, []cause.Entry{entry}, questions))
	for k, cell := range table.Rows[0].Cells {
		if want := measure.Estimated(got[k]); cell != want {
			t.Errorf("%s in a table: %v, alone %v", table.Columns[k], cell, want)
		}
	}
}

// asked answers with given values.
type asked map[string][]float64

func (asked) Columns() []string { return []string{"a"} }

func (a asked) Ask(_ context.Context, e cause.Entry) ([][]float64, error) {
	if v := a[e.Method.String()]; v != nil {
		return [][]float64{v}, nil
	}
	return nil, errors.New("no answer")
}

// tally is a method that counts in tallied how often maps are computed.
type tally struct{}

var tallied int

func (tally) String() string { return "tally" }

func (tally) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	tallied++
	return saliency.Guided.Maps(ctx, m, o, x)
}

// Several questions about the same images compute the maps once, and answer as each does alone.
func TestCompareComputesOnce(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 3, 3)
	mask := make([]float64, 144)
	mask[40] = 1
	a, b := cause.Masked{Name: "a", Model: m, Images: x, Masks: [][]float64{mask}}, cause.Removal{Of: measure.Deletion{}, Model: m, Images: x}
	other := cause.Masked{Name: "other", Model: m, Images: x.Asked(1), Masks: [][]float64{mask}}
	tallied = 0
	entry := cause.Entry{Method: tally{}}
	all := must(cause.Comparison{}.Compare(ctx, []cause.Entry{entry}, []cause.Question{a, b, other}))
	if tallied != 2 {
		t.Errorf("maps were computed %d times, of two kinds of images", tallied)
	}
	var want []measure.Estimate
	for _, q := range []cause.Question{a, b, other} {
		for _, v := range must(q.Ask(ctx, entry)) {
			want = append(want, measure.Estimated(v))
		}
	}
	if !slices.Equal(all.Rows[0].Cells, want) {
		t.Errorf("together %v, one by one %v", all.Rows[0].Cells, want)
	}
}

// A comparison whose answers are kept asks each question once, in whatever comparison; and answers are of one question, one method and
// one network.
func TestComparisonGoesOn(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 3, 3)
	mask := make([]float64, 144)
	mask[40] = 1
	q := cause.Masked{Name: "a", Model: m, Images: x, Masks: [][]float64{mask}}
	questions := []cause.Question{q, cause.Removal{Of: measure.Deletion{}, Model: m, Images: x}}
	entries := []cause.Entry{{Method: saliency.Gradient{}}, {Method: saliency.Guided}, {Method: saliency.LRP{Rule: layer.EpsilonPlus}, Signed: true}}
	want := must(cause.Comparison{}.Compare(ctx, entries, questions))
	kept := cause.Comparison{Path: filepath.Join(t.TempDir(), "answers")}
	ended, cancel := context.WithCancel(ctx)
	kept.Progress = func(_ string, done, _ int) {
		if done == 3 {
			cancel()
		}
	}
	if part, err := kept.Compare(ended, entries, questions); !errors.Is(err, context.Canceled) || len(part.Rows) != 1 || !slices.Equal(part.Rows[0].Cells, want.Rows[0].Cells) {
		t.Fatalf("interrupted: %v, %v", part, err)
	}
	kept.Progress = nil
	if got := must(kept.Compare(ctx, entries, questions)); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("gone on: %v, want %v", got, want)
	}
	tallied = 0
	counting := tally{}
	all := append(slices.Clone(entries), cause.Entry{Method: counting})
	must(kept.Compare(ctx, all, questions))
	must(kept.Compare(ctx, all, questions))
	if tallied != 1 {
		t.Errorf("maps were computed %d times, want once: the first comparison keeps the answers", tallied)
	}
	other := must(m.With(must(m.Initial(9))))
	moved, masked := q, q
	moved.Model, masked.Masks = other, [][]float64{append(slices.Clone(mask[1:]), 0)}
	for what, q := range map[string]cause.Question{"network": moved, "mask": masked} {
		if got, want := must(kept.Compare(ctx, entries, []cause.Question{q})), must(cause.Comparison{}.Compare(ctx, entries, []cause.Question{q})); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("of another %s: %v, want %v", what, got, want)
		}
	}
	signed := []cause.Entry{{Method: saliency.Gradient{}, Signed: true}}
	if got, want := must(kept.Compare(ctx, signed, questions)), must(cause.Comparison{}.Compare(ctx, signed, questions)); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("of a map that is read otherwise: %v, want %v", got, want)
	}
	if _, err := kept.Compare(ctx, []cause.Entry{{Method: given{"func", func(*interp.Model, interp.Images) []float64 { return nil }}}}, questions); err == nil || !strings.Contains(err.Error(), "cannot be kept") {
		t.Errorf("a method that holds a func: %v", err)
	}
}

// A measure proves nothing where a control wins it, or comes so near that the intervals meet.
func TestProves(t *testing.T) {
	entry := func(name string, control bool) cause.Entry {
		return cause.Entry{Method: given{name: name}, Control: control}
	}
	entries := []cause.Entry{entry("good", false), entry("control", true)}
	nan := math.NaN()
	for name, c := range map[string]struct {
		good, control []float64
		want          bool
	}{
		"ahead":           {[]float64{.9, .91, .92}, []float64{.1, .11, .12}, true},
		"beaten":          {[]float64{.1, .11, .12}, []float64{.9, .91, .92}, false},
		"not surely":      {[]float64{.5, .9, .7}, []float64{.4, .8, .6}, false},
		"undefined":       {[]float64{nan, nan, nan}, []float64{nan, nan, nan}, false},
		"without control": {[]float64{.9, .91, .92}, []float64{nan, nan, nan}, true},
	} {
		table := must(cause.Comparison{}.Compare(ctx, entries, []cause.Question{asked{"good": c.good, "control": c.control}}))
		if got := table.Proves(0); got != c.want {
			t.Errorf("%s: %v, want %v: %+v", name, got, c.want, table)
		}
	}
	if _, err := (cause.Comparison{}).Compare(ctx, []cause.Entry{entry("unknown", false)}, []cause.Question{asked{}}); err == nil || !strings.Contains(err.Error(), "unknown: no answer") {
		t.Errorf("an error: %v", err)
	}
	for _, entries := range [][]cause.Entry{nil, {{}}} {
		if _, err := (cause.Comparison{}).Compare(ctx, entries, []cause.Question{asked{}}); err == nil {
			t.Errorf("entries %v were taken", entries)
		}
	}
}

// Scenes are subjects: what is drawn without a part differs where the part is, and only there.
func TestScenes(t *testing.T) {
	m := must(scenes.Standard())
	all := scenes.Task{}.Subjects(20002, 8)
	c := must(cause.Measure(ctx, m, all))
	if p := must(m.Predict(ctx, scenes.Task{}.Images(20002, 8, 64))); !slices.Equal(c.Images.Class, p.Top1()) {
		t.Errorf("classes %v, want %v", c.Images.Class, p.Top1())
	}
	for i, one := range c.All {
		drawn := all[i].Scene.Draw(64)
		for p, in := range one.Regions[0] {
			if drawn.Mask[p] == 0 && in != 0 {
				t.Fatalf("scene %d: without its object pixel %d changes, which is none of its", i, p)
			}
		}
		most := slices.Max(one.Drop)
		if one.Parts[0] != "object" || one.Parts[len(one.Parts)-1] != "wall" || !(one.Drop[0] > most/2) {
			t.Errorf("scene %d: parts %v, drops %.1f", i, one.Parts, one.Drop)
		}
	}
}

func TestBadSubjects(t *testing.T) {
	m := interptest.Linear()
	if _, err := cause.Measure(ctx, m, []pixels{}); err == nil {
		t.Error("no subjects were taken")
	}
	for want, s := range map[string]cause.Subject{
		"0 parts": partless{}, "without part 0 it is": uneven{subjects(1)[0]}, "gone": failing{subjects(1)[0]},
	} {
		if _, err := cause.Measure(ctx, m, []cause.Subject{s}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q: %v", want, err)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := cause.Measure(ended, m, subjects(3)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

type (
	partless struct{}
	uneven   struct{ pixels }
	failing  struct{ pixels }
)

func (partless) Parts() []string                                   { return nil }
func (partless) Without(parts ...int) (x interp.Images, err error) { return x, nil }

func (u uneven) Without(parts ...int) (interp.Images, error) {
	x, err := u.pixels.Without(parts...)
	if len(parts) > 0 {
		x.H, x.W = x.W, x.H
	}
	return x, err
}

func (f failing) Without(parts ...int) (interp.Images, error) {
	if len(parts) > 0 {
		return interp.Images{}, errors.New("gone")
	}
	return f.pixels.Without()
}
