package attack_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/attack"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
)

var ctx = context.Background()

// attacks are all there are, with few steps: a new one is tested by being listed. Unbounded says that it looks for the nearest
// image where the ball has no radius; the others say that they need one.
var attacks = []struct {
	attack    attack.Attack
	title     string
	norms     []attack.Norm // nil is all of them
	unbounded bool
}{
	{attack: attack.GradientStep{}, title: "gradient step(cross-entropy)"},
	{attack: attack.FGSM{}, title: "FGSM(cross-entropy)"},
	{attack: attack.FGSM{Loss: attack.Margin}, title: "FGSM(margin)"},
	{attack: attack.PGD{}, title: "PGD(steps=40, rate=0.0625, cross-entropy)"},
	{attack: attack.PGD{Steps: 3, Loss: attack.DLR}, title: "PGD(steps=3, rate=0.8333, DLR)"},
	{attack: attack.BIM{Steps: 4}, title: "BIM(steps=4, rate=0.25, cross-entropy)"},
	{attack: attack.MIFGSM{Steps: 4}, title: "MI-FGSM(steps=4, rate=0.25, cross-entropy, decay=1)"},
	{attack: attack.APGD{Steps: 12}, title: "APGD(steps=12, cross-entropy)", norms: dense},
	{attack: attack.APGD{Steps: 5, Loss: attack.Margin, Targets: 2}, title: "APGD(steps=5, margin, targets=2)", norms: dense},
	{attack: attack.APGD{Steps: 5, Loss: attack.DLR, Targets: 9}, title: "APGD(steps=5, DLR, targets=9)", norms: dense},
	{attack: attack.Square{Queries: 12}, title: "square(queries=12, share=0.8)", norms: dense},
	{attack: attack.HopSkipJump{Queries: 150, First: 10}, title: "HopSkipJump(queries=150, first=10)", norms: dense[:2], unbounded: true},
	{attack: attack.Boundary{Queries: 80}, title: "boundary(queries=80, sphere=0.01, source=0.01)", norms: dense[1:2], unbounded: true},
	{attack: attack.MIFGSM{Steps: 4, Full: true}, title: "MI-FGSM(steps=4, rate=0.25, cross-entropy, decay=1, full)"},
	{attack: attack.MIFGSM{Steps: 2, Smooth: attack.Smooth{Copies: 2, Noise: .1, Shift: 1}},
		title: "MI-FGSM(steps=2, rate=0.5, cross-entropy, decay=1, smooth(copies=2, noise=0.1, shift=1))"},
	{attack: attack.Noise{Tries: 3}, title: "noise(tries=3)"},
	{attack: attack.CarliniWagner{Searches: 2, Steps: 12, Weight: 1}, title: "C&W(searches=2, steps=12, rate=0.01, weight=1, confidence=0)",
		unbounded: true},
	{attack: attack.LBFGS{Searches: 2, Steps: 6, Weight: 1}, title: "L-BFGS(searches=2, steps=6, weight=1, cross-entropy)", unbounded: true},
	{attack: attack.DeepFool{}, title: "DeepFool(steps=50, candidates=10, overshoot=0.02)", unbounded: true, norms: dense[:2]},
	{attack: attack.FAB{Steps: 4}, title: "FAB(steps=4, targets=0, overshoot=1.05, pull=0.1, back=0.9)", unbounded: true, norms: dense},
	{attack: attack.FAB{Steps: 3, Targets: 9}, title: "FAB(steps=3, targets=9, overshoot=1.05, pull=0.1, back=0.9)", unbounded: true, norms: dense},
	{attack: attack.JSMA{Gamma: .1}, title: "JSMA(theta=1, gamma=0.1)", unbounded: true},
	{attack: attack.JSMA{Theta: -.5, Gamma: .05}, title: "JSMA(theta=-0.5, gamma=0.05)", unbounded: true},
	{attack: attack.Ensemble{attack.FGSM{}, attack.PGD{Steps: 2}}, title: "FGSM(cross-entropy) + PGD(steps=2, rate=1.25, cross-entropy)"},
}

// dense are the norms in which every number may move.
var dense = []attack.Norm{attack.NormInf, attack.Norm2, attack.Norm1}

// takes reports whether attack k of the table takes a ball.
func takes(k int, b attack.Ball) bool {
	a := attacks[k]
	return (a.norms == nil || slices.Contains(a.norms, b.Norm())) && (b.Bounded() || a.unbounded)
}

var balls = []attack.Ball{
	attack.Linf(.05), attack.L2(.4), attack.L1(3), attack.L0(4),
	attack.Linf(0), attack.L2(0), attack.L1(0), attack.L0(0), attack.Linf(1e-9), attack.L2(1e-9), attack.Linf(1.2), attack.L2(99), attack.L1(1e4), attack.L0(1e4),
	attack.Anywhere(attack.NormInf), attack.Anywhere(attack.Norm2), attack.Anywhere(attack.Norm1), attack.Anywhere(attack.Norm0),
}

// networks are of three kinds: with what makes gradients hard, without kinks, and linear.
func networks() []*interp.Model {
	return []*interp.Model{interptest.Branchy(), interptest.Smooth(), interptest.Linear()}
}

func try(t *testing.T, j attack.Judge, m *interp.Model, a attack.Attack, x interp.Images) attack.Result {
	t.Helper()
	r, err := j.Try(ctx, m, a, x)
	if err != nil {
		t.Fatalf("%s %s: %v", a, j.Ball, err)
	}
	return r
}

// odd returns images at the edges of [0, 1] among others.
func odd(m *interp.Model) interp.Images {
	x := interptest.Images(m, 6, 7)
	for i := range x.Of(0) {
		x.Of(0)[i], x.Of(1)[i] = 0, 1
		x.Of(2)[i] = float64(i % 2)
	}
	return x
}

// TestLawEveryAttack: whatever the ball, results are in it and in [0, 1], are what the network says, and say the truth about
// themselves.
func TestLawEveryAttack(t *testing.T) {
	interptest.Unchecked()
	for k, c := range attacks {
		if c.attack.String() != c.title {
			t.Errorf("%q calls itself %q", c.title, c.attack)
		}
		for _, m := range networks() {
			for _, b := range balls {
				x := odd(m)
				before := slices.Clone(x.Pix)
				r, err := attack.Judge{Ball: b}.Try(ctx, m, c.attack, x)
				if !takes(k, b) {
					if err == nil {
						t.Errorf("%s: %s is no error", c.title, b)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s, %s, %s: %v", c.title, m, b, err)
					continue
				}
				if !slices.Equal(x.Pix, before) || x.Class != nil || x.Key != nil {
					t.Fatalf("%s changed the images", c.title)
				}
				honest(t, fmt.Sprintf("%s, %s, %s", c.title, m, b), m, b, r)
			}
		}
	}
}

// honest checks a result against the network and against slow definitions of the distances.
func honest(t *testing.T, name string, m *interp.Model, b attack.Ball, r attack.Result) {
	t.Helper()
	answer, err := m.Predict(ctx, r.Images)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range r.Verdicts {
		x, y := r.Original.Of(i), r.Images.Of(i)
		var most, squares, sum float64
		pixels := map[int]bool{}
		for k := range x {
			d := math.Abs(y[k] - x[k])
			most, squares, sum = max(most, d), squares+d*d, sum+d
			if d > 0 {
				pixels[k/r.Images.C] = true
			}
			if y[k] < 0 || y[k] > 1 {
				t.Fatalf("%s: image %d has the value %g", name, i, y[k])
			}
		}
		for _, c := range [][2]float64{{v.Linf, most}, {v.L2, math.Sqrt(squares)}, {v.L1, sum}, {v.L0, float64(len(pixels))}} {
			if math.Abs(c[0]-c[1]) > 1e-12*(1+c[1]) {
				t.Errorf("%s: image %d: a distance is %g, and is said to be %g", name, i, c[1], c[0])
			}
		}
		distance := map[attack.Norm]float64{attack.NormInf: v.Linf, attack.Norm2: v.L2, attack.Norm1: v.L1, attack.Norm0: v.L0}[b.Norm()]
		if distance > b.Radius()*(1+1e-9)+1e-15 {
			t.Errorf("%s: image %d is %g away", name, i, distance)
		}
		top := answer.Top(i, 1)[0]
		if v.After.Class != top || math.Abs(v.After.Prob-answer.Prob(i, top)) > 1e-5 {
			t.Errorf("%s: image %d is said to be class %d with p %g, and is %d with %g", name, i, v.After.Class, v.After.Prob, top, answer.Prob(i, top))
		}
		want := !v.Wrong && (v.Target < 0 && top != v.Class || top == v.Target)
		logits := answer.Logits.Of(i)
		two := answer.Top(i, 2)
		draw := logits[two[0]]-logits[two[1]] < 2e-5*(slices.Max(logits)-slices.Min(logits)) // rounding decides: no success
		if v.Fooled != want && !(draw && !v.Fooled) || v.Fooled && v.By == "" {
			t.Errorf("%s: image %d: fooled is %v by %q, and the network says %d of class %d, target %d", name, i, v.Fooled, v.By, top, v.Class, v.Target)
		}
		if v.Wrong && (most > 0 || v.Forward > 0) {
			t.Errorf("%s: image %d was wrong before, and was attacked", name, i)
		}
	}
}

// TestDraw: where two classes are level, the answer depends on how the batch is cut, and the goal is not met.
func TestDraw(t *testing.T) {
	m := interptest.Smooth()
	x := interptest.Images(m, 1, 3)
	far := try(t, attack.Judge{Ball: attack.L2(20)}, m, attack.PGD{Full: true}, x)
	low, high := x.Of(0), far.Images.Of(0)
	for range 60 { // to the last bit where the class changes
		middle := x
		middle.Pix = make([]float64, x.Size())
		for i := range middle.Pix {
			middle.Pix[i] = (low[i] + high[i]) / 2
		}
		p, err := m.Predict(ctx, middle)
		if err != nil {
			t.Fatal(err)
		}
		if p.Top1()[0] == far.Verdicts[0].Class {
			low = middle.Pix
		} else {
			high = middle.Pix
		}
	}
	if r := try(t, attack.Judge{Ball: attack.L2(20)}, m, given(high), x); r.Verdicts[0].Fooled {
		t.Errorf("%+v: accepted where two classes are level", r.Verdicts[0])
	}
	if r := try(t, attack.Judge{Ball: attack.L2(20)}, m, given(far.Images.Pix), x); !r.Verdicts[0].Fooled {
		t.Errorf("%+v: refused", r.Verdicts[0])
	}
}

// given is an attack that offers one image.
type given []float64

func (given) String() string { return "given" }

func (g given) Find(ctx context.Context, t *attack.Task) error {
	_, err := t.Offer(ctx, attack.Points{Rows: []int{0}, Pix: g})
	return err
}

// TestCut: neither the budget nor the neighbours change what is found. In float64, because the order of sums differs.
func TestCut(t *testing.T) {
	for k, c := range attacks {
		for _, b := range []attack.Ball{attack.Linf(.05), attack.L2(.5), attack.L1(4), attack.L0(6), attack.Anywhere(attack.Norm2)} {
			if !takes(k, b) {
				continue
			}
			m := interptest.Branchy().Float64()
			x := interptest.Images(m, 4, 3).Keyed()
			j := attack.Judge{Ball: b, Seed: 4, Restarts: 2}
			whole := try(t, j, m, c.attack, x)
			cut := try(t, j, m.Budget(2*128*8*int64(x.Size())), c.attack, x)
			one := try(t, j, m, c.attack, x.Slice(3, 4))
			same := func(what string, v, w attack.Verdict, p, q []float64) {
				if v.Fooled != w.Fooled || v.Forward != w.Forward || v.Backward != w.Backward || interptest.Distance(p, q) > 1e-6 {
					t.Errorf("%s, %s: %s changes %+v to %+v, the image by %g", c.title, b, what, v, w, interptest.Distance(p, q))
				}
			}
			for i := range x.N {
				same("the cut", whole.Verdicts[i], cut.Verdicts[i], whole.Images.Of(i), cut.Images.Of(i))
			}
			same("being alone", whole.Verdicts[3], one.Verdicts[0], whole.Images.Of(3), one.Images.Of(0))
			if again := try(t, j, m, c.attack, x); !slices.Equal(again.Images.Pix, whole.Images.Pix) {
				t.Errorf("%s, %s: called again, it gives other images", c.title, b)
			}
		}
	}
}

// TestTargets: of targets of their own, each image that falls is taken for its own.
func TestTargets(t *testing.T) {
	m := interptest.Smooth()
	x := interptest.Images(m, 8, 5)
	p, err := m.Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	var target []int
	for i, c := range p.Top1() {
		target = append(target, (c+1+i%3)%interptest.Classes)
	}
	for k, c := range attacks {
		b := attack.L2(20)
		if !takes(k, b) {
			continue
		}
		r := try(t, attack.Judge{Ball: b, Goal: attack.To(target...)}, m, c.attack, x)
		honest(t, c.title, m, b, r)
		for i, v := range r.Verdicts {
			if v.Target != target[i] {
				t.Errorf("%s: image %d has target %d, not %d", c.title, i, v.Target, target[i])
			}
		}
		if strings.HasPrefix(c.title, "PGD(steps=40") && r.Fooled() < .9 {
			t.Errorf("%s: %g reach their target", c.title, r.Fooled())
		}
	}
}

// TestLinear: of a linear network the attacks' results are known: away from class y to class c, a step of radius ε raises the
// margin by ε‖w_c − w_y‖ in the dual norm.
func TestLinear(t *testing.T) {
	m := interptest.Linear().Float64()
	x := interptest.Images(m, 40, 11)
	for i, v := range x.Pix { // so far from 0 and 1 that [0, 1] cuts nothing
		x.Pix[i] = .4 + .2*v
	}
	rows := interptest.Rows(m)
	p, err := m.Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	dual := func(n attack.Norm, d []float64) (sum float64) {
		for _, v := range d {
			switch n {
			case attack.NormInf:
				sum += math.Abs(v)
			case attack.Norm2:
				sum += v * v
			default:
				sum = max(sum, math.Abs(v))
			}
		}
		if n == attack.Norm2 {
			return math.Sqrt(sum)
		}
		return sum
	}
	for _, b := range []attack.Ball{attack.Linf(.12), attack.L2(.3), attack.L1(.35)} {
		r := try(t, attack.Judge{Ball: b}, m, attack.PGD{Loss: attack.Margin, Steps: 200}, x)
		fell := 0
		for i, v := range r.Verdicts {
			least := math.Inf(1) // the radius at which the first other class overtakes
			for c := range rows {
				if c != v.Class {
					d := make([]float64, len(rows[c]))
					for k := range d {
						d[k] = rows[c][k] - rows[v.Class][k]
					}
					least = min(least, (p.Logits.Of(i)[v.Class]-p.Logits.Of(i)[c])/dual(b.Norm(), d))
				}
			}
			if math.Abs(least-b.Radius()) > .02*b.Radius() && v.Fooled != (least < b.Radius()) {
				t.Errorf("%s: image %d falls at radius %g: fooled is %v", b, i, least, v.Fooled)
			}
			if v.Fooled {
				fell++
			}
		}
		if fell == 0 || fell == x.N {
			t.Errorf("%s: %d of %d fall: the test compares nothing", b, fell, x.N)
		}
	}
}

// Where a network is linear, its gradient is the same at noisy copies, and the attack is MI-FGSM; where it is not, it is another.
func TestSmoothNoise(t *testing.T) {
	j := attack.Judge{Ball: attack.Linf(.3)}
	for _, m := range []*interp.Model{interptest.Linear(), interptest.Smooth()} {
		x := interptest.Images(m, 6, 4)
		plain := try(t, j, m, attack.MIFGSM{Steps: 1}, x).Images.Pix
		for _, noise := range []float64{0, .3} {
			got := try(t, j, m, attack.MIFGSM{Steps: 1, Smooth: attack.Smooth{Copies: 20, Noise: noise}}, x).Images.Pix
			if slices.Equal(got, plain) != (m.Name() == "linear" || noise == 0) {
				t.Errorf("%s, noise %g: the images are MI-FGSM's: %v", m, noise, slices.Equal(got, plain))
			}
		}
	}
}

// units are the gradients of the loss at L1 length 1.
func units(t *testing.T, m *interp.Model, x interp.Images) interp.Images {
	t.Helper()
	g, err := m.Gradient(ctx, objective.Loss, nil, x)
	if err != nil {
		t.Fatal(err)
	}
	for i := range x.N {
		length := 0.
		for _, v := range g.Of(i) {
			length += math.Abs(v)
		}
		for k := range g.Of(i) {
			g.Of(i)[k] /= length
		}
	}
	x.Pix = g.Pix
	return x
}

// slowly is the slow definition of MI-FGSM in L∞ with shifted copies: each copy of each step is moved by one of the nine shifts by a pixel
// at most, the same for all images.
func slowly(t *testing.T, m *interp.Model, x interp.Images, radius float64, steps [][]int) interp.Images {
	t.Helper()
	y, sum := x, make([]float64, len(x.Pix))
	for _, shifts := range steps {
		mean := units(t, m, y)
		for _, shift := range shifts {
			from := func(k int) int {
				row, column := k/(x.W*x.C)+shift/3-1, k/x.C%x.W+shift%3-1
				return (min(max(row, 0), x.H-1)*x.W+min(max(column, 0), x.W-1))*x.C + k%x.C
			}
			moved := y
			moved.Pix = nil
			for i := range x.N {
				for k := range x.Size() {
					moved.Pix = append(moved.Pix, y.Of(i)[from(k)])
				}
			}
			g := units(t, m, moved)
			for i := range x.N {
				for k, v := range g.Of(i) {
					mean.Of(i)[from(k)] += v
				}
			}
		}
		y.Pix = slices.Clone(y.Pix)
		for i := range x.N {
			length := 0.
			for _, v := range mean.Of(i) {
				length += math.Abs(v)
			}
			for k, v := range mean.Of(i) {
				at := i*x.Size() + k
				sum[at] += v / length
				y.Pix[at] += math.Copysign(radius, sum[at])
				y.Pix[at] = min(max(y.Pix[at], x.Pix[at]-radius, 0), x.Pix[at]+radius, 1)
			}
		}
	}
	return y
}

// Every image is moved as the slow definition moves it with some shifts; all shifts come up, and each copy of each step has its own.
func TestSmoothShift(t *testing.T) {
	j := attack.Judge{Ball: attack.Linf(.1)}
	m := interptest.Smooth()
	x := interptest.Images(m, 40, 4)
	p, err := m.Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	x.Class = p.Top1()
	for _, c := range []struct {
		steps, copies int
		shifts        func(a, b int) [][]int
	}{
		{1, 1, func(a, b int) [][]int { return [][]int{{a}} }},
		{1, 2, func(a, b int) [][]int { return [][]int{{a, b}} }},
		{2, 1, func(a, b int) [][]int { return [][]int{{a}, {b}} }},
	} {
		if c.steps*c.copies > 1 {
			x = x.Slice(0, 12)
		}
		got := try(t, j, m, attack.MIFGSM{Steps: c.steps, Rate: 1, Full: true, Smooth: attack.Smooth{Copies: c.copies, Shift: 1}}, x).Images
		var found, two int
		var first [9]int
		known := make([]bool, x.N)
		for a := range 9 {
			for b := range 9 {
				if c.steps*c.copies == 1 && b > 0 || c.copies == 2 && b < a {
					continue
				}
				want := slowly(t, m, x, .1, c.shifts(a, b))
				for i := range x.N {
					other := 0 // float32 moves a sum that is nearly 0 to the other side
					for k, v := range want.Of(i) {
						if math.Abs(got.Of(i)[k]-v) > 1e-6 {
							other++
						}
					}
					if other <= 1 && !known[i] {
						known[i] = true
						found++
						first[a]++
						if a != b {
							two++
						}
					}
				}
			}
		}
		if found != x.N || c.steps*c.copies == 1 && slices.Min(first[:]) == 0 || two < x.N/2 {
			t.Errorf("%d steps, %d copies: %d of %d images are moved as by some shifts, %d by two; these come up: %v",
				c.steps, c.copies, found, x.N, two, first)
		}
	}
}

// drawer is an attack that notes the random numbers it gets.
type drawer struct{ drew *[]uint64 }

func (drawer) String() string { return "drawer" }

func (d drawer) Find(_ context.Context, t *attack.Task) error {
	for i := range t.Images.N {
		for step := range 2 {
			*d.drew = append(*d.drew, t.Random(i, step).Bits(0))
		}
	}
	return nil
}

// TestRandom: the random numbers differ from image to image, step to step, restart to restart and seed to seed, and are the
// same when all is done again.
func TestRandom(t *testing.T) {
	m := interptest.Linear()
	x := interptest.Images(m, 3, 1)
	draw := func(seed uint64) (drew []uint64) {
		try(t, attack.Judge{Ball: attack.Linf(.1), Seed: seed, Restarts: 2}, m, drawer{&drew}, x)
		return drew
	}
	one, two := draw(1), draw(2)
	all := slices.Sorted(slices.Values(slices.Concat(one, two)))
	if len(all) != 2*3*2*2 || len(slices.Compact(all)) != 2*3*2*2 {
		t.Errorf("of %d random numbers some are equal: %v, %v", len(all), one, two)
	}
	if !slices.Equal(draw(1), one) {
		t.Error("drawn again, they differ")
	}
}

// TestFull: every step is made at every image, and the images are farther inside the other class.
func TestFull(t *testing.T) {
	m := interptest.Smooth()
	x := interptest.Images(m, 12, 5)
	j := attack.Judge{Ball: attack.L2(2)}
	short, full := try(t, j, m, attack.PGD{Steps: 9}, x), try(t, j, m, attack.PGD{Steps: 9, Full: true}, x)
	honest(t, "full", m, j.Ball, full)
	deeper := 0
	for i, v := range full.Verdicts {
		if v.Forward != 10 || v.Backward != 9 {
			t.Errorf("image %d: %d passes forward, %d backward", i, v.Forward, v.Backward)
		}
		if v.Fooled && v.After.Prob > short.Verdicts[i].After.Prob {
			deeper++
		}
	}
	if short.Left() != 0 || full.Left() != 0 || deeper < 11 {
		t.Errorf("%g and %g left, %d of 12 deeper", short.Left(), full.Left(), deeper)
	}
}

// TestWrongBefore: images that the network gets wrong are no successes, and the shares say so.
func TestWrongBefore(t *testing.T) {
	m := interptest.Smooth()
	x := interptest.Images(m, 10, 5)
	p, err := m.Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	x.Class = p.Top1()
	for i := range 4 {
		x.Class[i] = (x.Class[i] + 1) % interptest.Classes
	}
	r := try(t, attack.Judge{Ball: attack.L2(50)}, m, attack.PGD{}, x)
	if r.Clean() != .6 || r.Left() != 0 || r.Fooled() != 1 {
		t.Errorf("clean %g, left %g, fooled %g", r.Clean(), r.Left(), r.Fooled())
	}
	for i, v := range r.Verdicts {
		if v.Wrong != (i < 4) || v.Fooled != (i >= 4) {
			t.Errorf("image %d: %+v", i, v)
		}
	}
	for i := range x.Class {
		x.Class[i] = (p.Top1()[i] + 1) % interptest.Classes
	}
	if r := try(t, attack.Judge{Ball: attack.L2(50)}, m, attack.PGD{}, x); r.Clean() != 0 || r.Left() != 0 || r.Fooled() != 0 {
		t.Errorf("all wrong before: clean %g, left %g, fooled %g", r.Clean(), r.Left(), r.Fooled())
	}
}

func TestBadInput(t *testing.T) {
	m := interptest.Smooth()
	x := interptest.Images(m, 2, 1)
	bright, nan := x, x
	bright.Pix, nan.Pix = slices.Clone(x.Pix), slices.Clone(x.Pix)
	bright.Pix[3], nan.Pix[3] = 1.01, math.NaN()
	p, err := m.Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	b := attack.Linf(.1)
	for _, c := range []struct {
		what string
		j    attack.Judge
		a    attack.Attack
		x    interp.Images
		want []string
	}{
		{"no ball", attack.Judge{}, attack.PGD{}, x, []string{"Ball is absent", "Linf(8./255)"}},
		{"a radius below 0", attack.Judge{Ball: attack.L2(-1)}, attack.PGD{}, x, []string{"L2 ball is -1", "at least 0"}},
		{"a radius that is no number", attack.Judge{Ball: attack.Linf(math.NaN())}, attack.PGD{}, x, []string{"NaN"}},
		{"a radius of 8 bits", attack.Judge{Ball: attack.Linf(8)}, attack.PGD{}, x, []string{"is 8", "255"}},
		{"no radius", attack.Judge{Ball: attack.Anywhere(attack.Norm2)}, attack.PGD{}, x, []string{"PGD(", "radius"}},
		{"no attack", attack.Judge{Ball: b}, nil, x, []string{"attack is nil"}},
		{"a target that is the class", attack.Judge{Ball: b, Goal: attack.To(p.Top1()...)}, attack.PGD{}, x, []string{"image 0", "true class"}},
		{"a target that does not exist", attack.Judge{Ball: b, Goal: attack.To(9)}, attack.PGD{}, x, []string{"class 9", "0 to 3"}},
		{"targets for others", attack.Judge{Ball: b, Goal: attack.To(1, 2, 3)}, attack.PGD{}, x, []string{"3 target classes", "2 images"}},
		{"a class that does not exist", attack.Judge{Ball: b}, attack.PGD{}, x.Asked(-1), []string{"class -1"}},
		{"an image too bright", attack.Judge{Ball: b}, attack.PGD{}, bright, []string{"image 0", "1.01", "clip"}},
		{"an image that is no number", attack.Judge{Ball: b}, attack.PGD{}, nan, []string{"NaN"}},
		{"restarts below 0", attack.Judge{Ball: b, Restarts: -1}, attack.PGD{}, x, []string{"Restarts is -1"}},
		{"steps below 0", attack.Judge{Ball: b}, attack.PGD{Steps: -3}, x, []string{"Steps is -3"}},
		{"a rate below 0", attack.Judge{Ball: b}, attack.BIM{Rate: -1}, x, []string{"Rate is -1"}},
		{"a rate that is no number", attack.Judge{Ball: b}, attack.PGD{Rate: math.NaN()}, x, []string{"Rate is NaN"}},
		{"decay below 0", attack.Judge{Ball: b}, attack.MIFGSM{Decay: -1}, x, []string{"Decay is -1"}},
		{"no such loss", attack.Judge{Ball: b}, attack.FGSM{Loss: 7}, x, []string{"Loss(7)", "Margin"}},
		{"searches below 0", attack.Judge{Ball: b}, attack.CarliniWagner{Searches: -1}, x, []string{"C&W(", "Searches is -1"}},
		{"a rate of Adam below 0", attack.Judge{Ball: b}, attack.CarliniWagner{Rate: -1}, x, []string{"Rate is -1"}},
		{"a confidence that is no number", attack.Judge{Ball: b}, attack.CarliniWagner{Confidence: math.NaN()}, x, []string{"Confidence is NaN"}},
		{"steps of L-BFGS below 0", attack.Judge{Ball: b}, attack.LBFGS{Steps: -1}, x, []string{"L-BFGS(", "Steps is -1"}},
		{"a weight below 0", attack.Judge{Ball: b}, attack.LBFGS{Weight: -1}, x, []string{"Weight is -1"}},
		{"one candidate", attack.Judge{Ball: b}, attack.DeepFool{Candidates: 1}, x, []string{"Candidates is 1, must be at least 2"}},
		{"an overshoot below 0", attack.Judge{Ball: b}, attack.DeepFool{Overshoot: -1}, x, []string{"Overshoot is -1"}},
		{"DeepFool in L1", attack.Judge{Ball: attack.L1(1)}, attack.DeepFool{}, x, []string{"in L1", "FAB"}},
		{"FAB in L0", attack.Judge{Ball: attack.L0(1)}, attack.FAB{}, x, []string{"in L0", "JSMA"}},
		{"an overshoot below 1", attack.Judge{Ball: b}, attack.FAB{Overshoot: .5}, x, []string{"Overshoot is 0.5"}},
		{"a pull above 1", attack.Judge{Ball: b}, attack.FAB{Pull: 2}, x, []string{"Pull is 2"}},
		{"targets below 0", attack.Judge{Ball: b}, attack.FAB{Targets: -1}, x, []string{"Targets is -1"}},
		{"theta above 1", attack.Judge{Ball: b}, attack.JSMA{Theta: 2}, x, []string{"Theta is 2"}},
		{"gamma above 1", attack.Judge{Ball: b}, attack.JSMA{Gamma: 2}, x, []string{"Gamma is 2"}},
		{"queries below 0", attack.Judge{Ball: b}, attack.Square{Queries: -1}, x, []string{"Queries is -1"}},
		{"a share above 1", attack.Judge{Ball: b}, attack.Square{Share: 2}, x, []string{"Share is 2"}},
		{"no neighbours", attack.Judge{Ball: b}, attack.HopSkipJump{First: -1}, x, []string{"First is -1"}},
		{"queries of HopSkipJump below 0", attack.Judge{Ball: b}, attack.HopSkipJump{Queries: -1}, x, []string{"Queries is -1"}},
		{"HopSkipJump in L1", attack.Judge{Ball: attack.L1(1)}, attack.HopSkipJump{}, x, []string{"no L1 ball", "L2"}},
		{"beginning elsewhere", attack.Judge{Ball: b}, attack.HopSkipJump{From: interptest.ImagesOf(1, 3, 3, 3, 1)}, x,
			[]string{"From has images of 3×3×3", "12×12×3"}},
		{"a step around", attack.Judge{Ball: attack.L2(1)}, attack.Boundary{Sphere: 1}, x, []string{"Sphere is 1"}},
		{"the boundary attack in L∞", attack.Judge{Ball: b}, attack.Boundary{}, x, []string{"no L∞ ball", "HopSkipJump"}},
		{"copies below 0", attack.Judge{Ball: b}, attack.MIFGSM{Smooth: attack.Smooth{Copies: -1}}, x, []string{"Smooth.Copies is -1"}},
		{"noise below 0", attack.Judge{Ball: b}, attack.MIFGSM{Smooth: attack.Smooth{Copies: 1, Noise: -1}}, x, []string{"Smooth.Noise is -1"}},
		{"noise that is not finite", attack.Judge{Ball: b}, attack.MIFGSM{Smooth: attack.Smooth{Copies: 1, Noise: math.Inf(1)}}, x,
			[]string{"Smooth.Noise is +Inf"}},
		{"a shift out of the image", attack.Judge{Ball: b}, attack.MIFGSM{Smooth: attack.Smooth{Copies: 1, Shift: 13}}, x,
			[]string{"Smooth.Shift is 13, must be from 0 to 12"}},
		{"noise of no copies", attack.Judge{Ball: b}, attack.MIFGSM{Smooth: attack.Smooth{Noise: .1}}, x, []string{"Smooth.Copies is 0"}},
		{"tries below 0", attack.Judge{Ball: b}, attack.Noise{Tries: -1}, x, []string{"Tries is -1"}},
	} {
		_, err := c.j.Try(ctx, m, c.a, c.x)
		if err == nil {
			t.Errorf("%s is no error", c.what)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", c.what, err, want)
			}
		}
	}
}

// liar offers what is outside the ball, and what is not a number.
type liar struct{ value float64 }

func (liar) String() string { return "liar" }

func (l liar) Find(ctx context.Context, t *attack.Task) error {
	p := t.Points()
	for i := range p.Pix {
		p.Pix[i] += l.value
	}
	_, err := t.Offer(ctx, p)
	return err
}

// TestJudge: what an attack offers outside the ball is clipped before the network is asked.
func TestJudge(t *testing.T) {
	m := interptest.Smooth()
	x := interptest.Images(m, 4, 2)
	for _, b := range balls {
		honest(t, b.String(), m, b, try(t, attack.Judge{Ball: b}, m, liar{100}, x))
	}
	if _, err := (attack.Judge{Ball: attack.Linf(.1)}).Try(ctx, m, liar{math.NaN()}, x); err == nil || !strings.Contains(err.Error(), "liar offers") {
		t.Errorf("NaN: %v", err)
	}
}

// TestInterrupted: what an ensemble had found before ctx ended is in the result.
func TestInterrupted(t *testing.T) {
	m := interptest.Smooth()
	x := interptest.Images(m, 4, 2)
	stopped, stop := context.WithCancel(ctx)
	j := attack.Judge{Ball: attack.L2(.3), Progress: func(p attack.Progress) {
		if strings.HasPrefix(p.Attack, "PGD") && p.Standing == 4 {
			t.Errorf("%+v: the first attack found nothing: the test compares nothing", p)
		}
		if strings.HasPrefix(p.Attack, "PGD") {
			stop()
		}
	}}
	first := try(t, attack.Judge{Ball: j.Ball}, m, attack.FGSM{}, x)
	r, err := j.Try(stopped, m, attack.Ensemble{attack.FGSM{}, attack.PGD{Rate: 1e-9}}, x)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	for i, v := range first.Verdicts {
		if v.Fooled && !r.Verdicts[i].Fooled {
			t.Errorf("image %d had fallen, and is lost", i)
		}
	}
	if first.Left() == 1 || first.Left() == 0 {
		t.Errorf("%g are left: the test compares nothing", first.Left())
	}
}

// TestProbabilities: a network that ends in a softmax is reported, and with the logarithm it is attacked as one of logits is.
func TestProbabilities(t *testing.T) {
	net := func(end func(*graph.Node) *graph.Node) *interp.Model {
		return interptest.Model("p", func(s *model.Scope, x *graph.Node) *graph.Node {
			h := layer.Tanh(layer.Conv(s.At("conv"), x, 5, layer.Square(3, 2, 1)))
			return end(graph.MulScalar(layer.Dense(s.At("logits"), layer.Flatten(h), 4), 100))
		}, [3]int{12, 12, 3}, 4, 3)
	}
	same := func(x *graph.Node) *graph.Node { return x }
	softmax := func(x *graph.Node) *graph.Node { return graph.Softmax(x) }
	x := interptest.Images(net(same), 12, 2)
	j := attack.Judge{Ball: attack.Linf(.03)}
	logits, probs := try(t, j, net(same), attack.PGD{}, x), try(t, j, net(softmax), attack.PGD{}, x)
	if logits.Probabilities || !probs.Probabilities {
		t.Errorf("logits are said to be probabilities: %v; probabilities: %v", logits.Probabilities, probs.Probabilities)
	}
	if logits.Left() >= probs.Left() {
		t.Errorf("%g left of logits, %g of probabilities: the test compares nothing", logits.Left(), probs.Left())
	}
	for i, v := range probs.Verdicts {
		if math.Abs(v.Before.Prob-logits.Verdicts[i].Before.Prob) > 1e-5 {
			t.Errorf("image %d: p %g of the probabilities, %g of the logits", i, v.Before.Prob, logits.Verdicts[i].Before.Prob)
		}
	}
}
