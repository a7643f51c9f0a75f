package defence

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/attack"
	"lucigo/interp/attack/card"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
	"lucigo/interp/train"
)

// near reports the first of two lists' numbers that are more than a millionth apart.
func near(t *testing.T, what string, got, want []float64) {
	t.Helper()
	for i, v := range want {
		if len(got) != len(want) || !(math.Abs(got[i]-v) <= 1e-6*max(1, math.Abs(v))) {
			t.Fatalf("%s: number %d of %d is %g, want %g of %d", what, i, len(got), got[i], v, len(want))
		}
	}
}

// total is a network of two classes, the sum of the image's numbers and the negative of it.
func total(h, w, c int) *interp.Model {
	return interptest.Model("total", func(s *model.Scope, x *graph.Node) *graph.Node {
		sum := graph.ReduceSum(layer.At("hidden", layer.Flatten(x)), -1)
		return graph.Stack([]*graph.Node{sum, graph.Neg(sum)}, 1)
	}, [3]int{h, w, c}, 2, 1)
}

// The zero value of each defence is the published setting.
func TestLawZeroIsPublished(t *testing.T) {
	for _, c := range []struct{ zero, published Defence }{
		{BitDepth{}, BitDepth{Bits: 3}},
		{JPEG{}, JPEG{Quality: 75}},
		{TotalVariation{}, TotalVariation{Weight: .03, Keep: .5, Steps: 30}},
		{ResizePad{}, ResizePad{Most: 331. / 299}},
		{Pruning{}, Pruning{Share: 1}},
		{Distillation{}, Distillation{Temperature: 100}},
		{Squeezing{}, Squeezing{Bits: 5, Threshold: 1.1402, Scale: 10}},
		{Thermometer{}, Thermometer{Levels: 16}},
	} {
		m, x := under(c.published), interptest.ImagesOf(3, interptest.Size, interptest.Size, 3, 5)
		if c.zero.String() != c.published.String() {
			t.Errorf("%s is not %s", c.zero, c.published)
		}
		near(t, c.zero.String(), says(t, must[*interp.Model](t)(c.zero.Of(m)), x).Data, says(t, must[*interp.Model](t)(c.published.Of(m)), x).Data)
		near(t, c.zero.String()+", known", says(t, must[*interp.Model](t)(c.zero.Known(m)), x).Data, says(t, must[*interp.Model](t)(c.published.Known(m)), x).Data)
	}
}

// Every defence takes images of one pixel, of one row and of one column.
func TestLawThinImages(t *testing.T) {
	for _, d := range defences {
		for _, side := range [][2]int{{1, 1}, {1, 5}, {4, 1}} {
			m := interptest.Model("thin", open, [3]int{side[0], side[1], 3}, interptest.Classes, 5)
			if code, ok := d.(Thermometer); ok {
				m = interptest.Model("thin", open, [3]int{side[0], side[1], 3 * code.levels()}, interptest.Classes, 5)
			}
			x := interptest.ImagesOf(2, side[0], side[1], 3, 4)
			says(t, must[*interp.Model](t)(d.Of(m)), x)
			must[interp.Maps](t)(must[*interp.Model](t)(d.Known(m)).Gradient(ctx, objective.Margin, nil, x.Asked(0)))
		}
	}
}

// What becomes of several draws, from the definition: the mean of the logarithms of the probabilities, or the share of the draws that answer so.
func TestLawSummary(t *testing.T) {
	const n, classes = 4, 3
	x := interptest.ImagesOf(5, n, 1, classes, 6) // a row a draw
	for i := range x.Pix {
		x.Pix[i] = 20*x.Pix[i] - 10
	}
	x = x.Free()
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		for _, sum := range []summary{mean, votes} {
			m := must[*interp.Model](t)(interp.New(interp.Spec{Name: "summary", Input: [3]int{n, 1, classes}, Classes: make([]string, classes),
				Forward: func(_ *model.Scope, x *graph.Node) *graph.Node {
					return sum.of(graph.Transpose(graph.Reshape(x, x.Shape().Dim(0), n, classes), 0, 1))
				}}))
			got := says(t, m.On(e.Backend), x)
			for i := range x.N {
				want := make([]float64, classes)
				for k := range n {
					row, all := x.Pixel(i, k, 0), 0.
					for _, v := range row {
						all += math.Exp(v)
					}
					for c, v := range row {
						if sum == mean {
							want[c] += (v - math.Log(all)) / n
						} else if v == slices.Max(row) {
							want[c] += 1. / n
						}
					}
				}
				near(t, fmt.Sprint("summary ", sum), got.Of(i), want)
			}
		}
	})
}

// several is what Known gives of a random defence, with so many draws.
func several(d Defence, m *interp.Model, n int) (*interp.Model, error) {
	switch d := d.(type) {
	case TotalVariation:
		return d.smoothed(m, n, mean, true)
	case ResizePad:
		return d.resized(m, n, mean)
	case Pruning:
		return d.pruned(m, n, mean)
	}
	return nil, fmt.Errorf("%s is not random", d)
}

// Known takes 5 draws, and a judge's draws are others than an attack's.
func TestLawDraws(t *testing.T) {
	m, x := opened(3), interptest.ImagesOf(20, interptest.Size, interptest.Size, 3, 9)
	for _, d := range []Random{TotalVariation{Steps: 5}, ResizePad{}, Pruning{Share: .3}} {
		near(t, d.String(), says(t, must[*interp.Model](t)(d.Known(m)), x).Data, says(t, must[*interp.Model](t)(several(d, m, 5)), x).Data)
		near(t, d.String(), says(t, must[*interp.Model](t)(Judged(d, m, 3)), x).Data, says(t, must[*interp.Model](t)(d.Voted(m, 3)), x).Data)
		one := must[interp.Prediction](t)(must[*interp.Model](t)(d.Voted(m, 1)).Predict(ctx, x)).Top1()
		of := must[*interp.Model](t)(d.Of(m))
		other := must[interp.Prediction](t)(must[*interp.Model](t)(Seed(of, 1<<20)).Predict(ctx, x)).Top1()
		if !slices.Equal(one, other) {
			t.Errorf("%s: one vote is %v, and the judge's draw answers %v", d, one, other)
		}
		for path, w := range of.Weights() {
			if seeds(path) && w.Values()[0] == must[*interp.Model](t)(d.Voted(m, 1)).Weights()[path].Values()[0] {
				t.Errorf("%s: the judge's draws are those of Of", d)
			}
		}
	}
}

// TotalVariation's gradient is that of a blur of the numbers that were kept: none at those that were dropped, and, as the weights of each number
// add up to 1, as many in all as there are numbers.
func TestLawVariationsGradient(t *testing.T) {
	const side = 24
	x := interptest.ImagesOf(1, side, side, 1, 4)
	d := TotalVariation{Keep: .8, Steps: 2}
	g := must[interp.Maps](t)(must[*interp.Model](t)(several(d, total(side, side, 1), 1)).Gradient(ctx, objective.Logit, nil, x.Asked(0)))
	sum, dropped := 0., 0.
	for _, v := range g.Pix {
		if sum += v; v == 0 {
			dropped++
		}
	}
	if n := float64(side * side); math.Abs(sum-n) > .02*n || math.Abs(dropped-.2*n) > 3*math.Sqrt(.16*n) {
		t.Errorf("of %g numbers %g have no gradient, and the sum is %g", n, dropped, sum)
	}
}

// JPEG's gradient where it is known is that of all but the roundings: one number's own where there is no colour; of red, the luminance at the pixel and
// the mean chrominance of its 2×2.
func TestLawJPEGsGradient(t *testing.T) {
	const side, at = 16, 5*16 + 3
	for _, c := range []int{1, 3} {
		x := smoothly(1, side, side, c).Asked(at * c)
		g := must[interp.Maps](t)(must[*interp.Model](t)(JPEG{}.Known(mirror(t, side, side, c))).Gradient(ctx, objective.Logit, nil, x))
		want := make([]float64, len(x.Pix))
		if want[at*c] = 1; c == 3 {
			for ch, v := range []float64{.299, .587, .114} {
				want[at*3+ch] = v
			}
			for _, pixel := range []int{4*16 + 2, 4*16 + 3, 5*16 + 2, 5*16 + 3} {
				for ch, v := range []float64{.5, -.418688, -.081312} {
					want[pixel*3+ch] += 1.402 * v / 4
				}
			}
		}
		for i, v := range want {
			if math.Abs(g.Pix[i]-v) > 1e-5 {
				t.Fatalf("%d channels: the gradient of number %d is %g, want %g", c, i, g.Pix[i], v)
			}
		}
	}
}

// Pruning passes the gradient of a unit on as it passes the unit: times the inverse of its chance, which has no gradient itself, or not at all.
func TestLawPruningsGradient(t *testing.T) {
	const units = 40
	x := interptest.ImagesOf(1, 1, 1, units, 4)
	g := must[interp.Maps](t)(must[*interp.Model](t)(Pruning{}.Of(total(1, 1, units))).Gradient(ctx, objective.Logit, nil, x.Asked(0)))
	sum, dropped := 0., 0
	for _, v := range x.Pix {
		sum += v
	}
	for i, v := range g.Pix {
		want := 1 / (1 - math.Pow(1-x.Pix[i]/sum, units))
		if v == 0 {
			dropped++
		} else if math.Abs(v-want) > 1e-4*want {
			t.Errorf("unit %d has the gradient %g, want 0 or %g", i, v, want)
		}
	}
	if dropped == 0 || dropped == units {
		t.Errorf("%d of %d units are dropped", dropped, units)
	}
}

// Pruning leaves the logits alone, and each layer has draws of its own: of what one leaves, another like it drops some.
func TestLawPruningsLayers(t *testing.T) {
	x := interptest.ImagesOf(4, interptest.Size, interptest.Size, 3, 4)
	m := interptest.Model("logits alone", func(s *model.Scope, x *graph.Node) *graph.Node {
		return layer.At("logits", layer.Dense(s.At("logits"), layer.Flatten(x), interptest.Classes))
	}, [3]int{interptest.Size, interptest.Size, 3}, interptest.Classes, 1)
	near(t, "logits", says(t, must[*interp.Model](t)(Pruning{}.Of(m)), x).Data, says(t, m, x).Data)
	twice := interptest.Model("twice", func(s *model.Scope, x *graph.Node) *graph.Node {
		a := layer.At("a", graph.OnesLike(layer.Flatten(x)))
		b := layer.At("b", a)
		return graph.Stack([]*graph.Node{graph.ReduceSum(graph.Sign(a), -1), graph.ReduceSum(graph.Sign(b), -1)}, 1)
	}, [3]int{8, 8, 1}, 2, 1)
	r := says(t, must[*interp.Model](t)(Pruning{}.Of(twice)), interptest.ImagesOf(1, 8, 8, 1, 4)).Data
	if !(r[0] < 64 && r[1] < r[0]-2) {
		t.Errorf("of 64 units %g are left, and then %g", r[0], r[1])
	}
}

// Distillation answers with the softmax of the logits as they are, and Known has the logits divided by the temperature.
func TestLawDistillationsEnds(t *testing.T) {
	m, x := opened(3), interptest.ImagesOf(3, interptest.Size, interptest.Size, 3, 4)
	d := Distillation{Temperature: 7}
	p := must[interp.Prediction](t)(m.Predict(ctx, x))
	var soft, divided []float64
	for i := range x.N {
		for c, v := range p.Logits.Of(i) {
			soft, divided = append(soft, p.Prob(i, c)), append(divided, v/7)
		}
	}
	near(t, "Of", says(t, must[*interp.Model](t)(d.Of(m)), x).Data, soft)
	near(t, "Known", says(t, must[*interp.Model](t)(d.Known(m)), x).Data, divided)
}

// Distillation's fit is two trainings at the temperature: on the labels, and on the probabilities of the first.
func TestLawDistillationFitsTwice(t *testing.T) {
	d, m, how := Distillation{Temperature: 5}, opened(3), train.Training{Epochs: 4, Batch: 8, Rate: .02}
	x := interptest.Images(m, 16, 2)
	for i := range x.N {
		x.Class = append(x.Class, i%interptest.Classes)
	}
	hot := must[*interp.Model](t)(m.Wrapped(func(spec *interp.Spec) {
		f := spec.Forward
		spec.Forward = func(s *model.Scope, x *graph.Node) *graph.Node { return graph.DivScalar(f(s, x), 5) }
	}))
	first := must[*interp.Model](t)(how.Fit(ctx, hot, train.Examples{Images: x}))
	e := train.Examples{Images: x}
	for i, p := 0, must[interp.Prediction](t)(first.Predict(ctx, x)); i < x.N; i++ {
		for c := range interptest.Classes {
			e.Targets = append(e.Targets, p.Prob(i, c))
		}
	}
	want := must[*interp.Model](t)(m.With(must[*interp.Model](t)(how.Fit(ctx, hot, e)).Weights()))
	near(t, d.String(), says(t, must[*interp.Model](t)(d.Fit(ctx, m, how, train.Examples{Images: x})), x).Data, says(t, want, x).Data)
}

// A detector's logits from the definition.
func TestLawSqueezingsLogits(t *testing.T) {
	m, x := interptest.Smooth(), interptest.Images(interptest.Smooth(), 12, 3)
	squeezed := [2]interp.Images{x, x}
	for k := range squeezed {
		squeezed[k].Pix = slices.Clone(x.Pix)
	}
	for i := range x.N {
		for row := range x.H {
			for column := range x.W {
				for ch := range x.C {
					at := (row*x.W+column)*x.C + ch
					squeezed[0].Of(i)[at] = math.RoundToEven(3*float64(float32(x.Of(i)[at]))) / 3
					var four []float64
					for _, a := range []int{row, max(row-1, 0)} {
						for _, b := range []int{column, max(column-1, 0)} {
							four = append(four, x.Pixel(i, a, b)[ch])
						}
					}
					slices.Sort(four)
					squeezed[1].Of(i)[at] = four[2]
				}
			}
		}
	}
	p, larger := must[interp.Prediction](t)(m.Predict(ctx, x)), [2]int{}
	q := [2]interp.Prediction{must[interp.Prediction](t)(m.Predict(ctx, squeezed[0])), must[interp.Prediction](t)(m.Predict(ctx, squeezed[1]))}
	d := Squeezing{Bits: 2, Threshold: .3, Scale: 4}
	got := says(t, must[*interp.Model](t)(d.Of(m)), x)
	for i := range x.N {
		var apart [2]float64
		for k := range q {
			for c := range p.Names {
				apart[k] += math.Abs(p.Prob(i, c) - q[k].Prob(i, c))
			}
		}
		if apart[0] > apart[1] {
			larger[0]++
		} else {
			larger[1]++
		}
		own := p.Logits.Of(i)
		want := append(slices.Clone(own), slices.Max(own)+4*(max(apart[0], apart[1])-.3))
		for c, v := range want {
			if math.Abs(got.Of(i)[c]-v) > 1e-4 {
				t.Errorf("image %d: logit %d is %g, want %g", i, c, got.Of(i)[c], v)
			}
		}
	}
	if larger[0] == 0 || larger[1] == 0 {
		t.Errorf("of %d images the bits are farther at %d", x.N, larger[0])
	}
}

// The gradient of a refusal where it is known, in closed form: a network of one number has the probability σ(ax) at x and σ(ar) at what is rounded.
func TestLawSqueezingsGradient(t *testing.T) {
	const a = 3.
	m := interptest.Model("one", func(s *model.Scope, x *graph.Node) *graph.Node {
		v := graph.MulScalar(layer.Flatten(x), a)
		return graph.Concatenate([]*graph.Node{v, graph.ZerosLike(v)}, 1)
	}, [3]int{1, 1, 1}, 2, 1)
	x := interp.Images{N: 2, H: 1, W: 1, C: 1, Pix: []float64{.3, .8}}.Asked(2)
	slope := func(x float64) float64 { p := 1 / (1 + math.Exp(-a*x)); return a * p * (1 - p) }
	for known, make := range map[float64]func(*interp.Model) (*interp.Model, error){0: Squeezing{Bits: 1}.Of, 1: Squeezing{Bits: 1}.Known} {
		g := must[interp.Maps](t)(must[*interp.Model](t)(make(m)).Gradient(ctx, objective.Logit, nil, x))
		for i, v := range x.Pix {
			r := math.Round(v)
			want := a + 10*2*math.Copysign(1, v-r)*(slope(v)-known*slope(r))
			if math.Abs(g.Pix[i]-want) > 1e-4 {
				t.Errorf("known %g: the gradient at %g is %g, want %g", known, v, g.Pix[i], want)
			}
		}
	}
}

// What the authors' kind of attack asks: the network without the defence where that is before it, and else the defended one.
func TestNaive(t *testing.T) {
	m, of := opened(1), opened(1)
	unaware := attack.Transferred{Attack: attack.DeepFool{}, Model: m}
	for _, c := range []struct {
		d Broken
		a attack.Attack
	}{
		{BitDepth{}, unaware}, {JPEG{}, unaware}, {TotalVariation{}, unaware}, {ResizePad{}, unaware}, {Squeezing{}, unaware},
		{Pruning{}, attack.Through{Attack: attack.FGSM{}, Model: of}},
		{Thermometer{}, attack.Through{Attack: attack.PGD{Steps: 20}, Model: of}},
		{Distillation{}, attack.Through{Attack: attack.PGD{Steps: 20}, Model: of}},
	} {
		if got := c.d.Naive(m, of, attack.Linf(.1)); got != c.a {
			t.Errorf("%s: %s", c.d, got)
		}
		if c.d.Naive(m, of, attack.L1(3)).String() == "" {
			t.Errorf("%s: nothing in L1", c.d)
		}
	}
	if got := (JPEG{}).Naive(m, of, attack.L1(3)); got != attack.Attack(attack.Transferred{Attack: attack.FAB{}, Model: m}) {
		t.Errorf("in L1: %s", got)
	}
}

// Who attacks a detector wants the likeliest class that is wrong; of all others any wrong class will do.
func TestStudysGoal(t *testing.T) {
	m := interptest.Smooth()
	x := answered(t, m, 12)
	p := must[interp.Prediction](t)(m.Predict(ctx, x))
	var want []int
	for i := range x.N {
		best := -1
		for c, v := range p.Logits.Of(i) {
			if c != x.Class[i] && (best < 0 || v > p.Logits.Of(i)[best]) {
				best = c
			}
		}
		want = append(want, best)
	}
	if got := must[attack.Goal](t)(Study{}.goal(ctx, m, must[*interp.Model](t)(Squeezing{}.Of(m)), x)); !reflect.DeepEqual(got, attack.To(want...)) {
		t.Errorf("goal %v, want %v", got, want)
	}
	if got := must[attack.Goal](t)(Study{}.goal(ctx, m, must[*interp.Model](t)(BitDepth{}.Of(m)), x)); !reflect.DeepEqual(got, attack.Goal{}) {
		t.Errorf("goal %v", got)
	}
}

// chance is an attack that remembers a random number.
type chance struct{ numbers *[]float64 }

func (chance) String() string { return "chance" }
func (a chance) Find(_ context.Context, t *attack.Task) error {
	*a.numbers = append(*a.numbers, t.Random(0, 0).Uniform(0))
	return nil
}

// A study's seed is its attacks', and its card's unless that has one. Where there is no gradient, PGD finds what its random start finds.
func TestStudysSeed(t *testing.T) {
	interptest.Unchecked()
	m := interptest.Smooth()
	x := answered(t, m, 4)
	var got []float64
	for _, seeds := range [][2]uint64{{1, 0}, {2, 0}, {2, 1}} {
		s := Study{Ball: attack.Linf(.01), Steps: 1, Seed: seeds[0], Card: card.Card{Seed: seeds[1], Radii: []float64{.01}, Attacks: []attack.Attack{chance{&got}}}}
		if _, err := s.Of(ctx, AsIs{}, m, x); err != nil {
			t.Fatal(err)
		}
	}
	if len(got) != 3 || got[0] == got[1] || got[0] != got[2] {
		t.Errorf("the card's random numbers are %g", got)
	}
	blind := must[*interp.Model](t)(m.Wrapped(func(spec *interp.Spec) {
		f := spec.Forward
		spec.Forward = func(s *model.Scope, x *graph.Node) *graph.Node { return f(s, graph.StopGradient(x)) }
	}))
	x = answered(t, blind, 32)
	claimed := map[int]bool{}
	for seed := range uint64(6) {
		s := Study{Ball: attack.Linf(.3), Steps: 1, Seed: seed, Look: 1, Card: card.Card{Radii: []float64{.01}, Attacks: []attack.Attack{attack.Noise{Tries: 1}}}}
		claimed[must[Row](t)(s.Of(ctx, AsIs{}, blind, x)).Claimed.Right] = true
	}
	if len(claimed) < 2 {
		t.Errorf("six seeds leave %v", claimed)
	}
}

// fickle is a defence whose votes are always wrong.
type fickle struct {
	AsIs
	draws *int
}

func (d fickle) Voted(m *interp.Model, draws int) (*interp.Model, error) {
	*d.draws = draws
	return m.Wrapped(func(spec *interp.Spec) {
		f := spec.Forward
		spec.Forward = func(s *model.Scope, x *graph.Node) *graph.Node { return graph.Neg(f(s, x)) }
	})
}

// TestStudysDefaults: a random defence is judged by 9 votes, the attacks that know take 40 steps, and the card is given 24 images and the ball.
func TestStudysDefaults(t *testing.T) {
	interptest.Unchecked()
	m := interptest.Smooth()
	x := answered(t, m, 30)
	draws, parts, given := 0, 0, []int{}
	s := Study{Ball: attack.L2(.01), Card: card.Card{Progress: func(_ string, _, of int) { parts = of }}}
	r, err := s.Of(ctx, fickle{AsIs{}, &draws}, m, x)
	if err != nil {
		t.Fatal(err)
	}
	if r.Clean.Right > 1 || draws != 9 { // the first, which is wrong, may be right
		t.Errorf("%d votes, %s", draws, r)
	}
	if strings.Count(r.Knowing, "steps=40") != 2 {
		t.Errorf("%s", r.Knowing)
	}
	if want := 1*4 + 5*card.Severities + 2; parts != want {
		t.Errorf("the card has %d parts, want %d", parts, want)
	}
	s.Card = card.Card{Radii: []float64{.01}, Attacks: []attack.Attack{seen{&given}}}
	if _, err = s.Of(ctx, AsIs{}, m, x); err != nil || len(given) != 23 {
		t.Errorf("the card is given %d images that are right, want 23: %v", len(given), err)
	}
	given = nil
	s.Look = 10
	if _, err = s.Of(ctx, AsIs{}, m, x); err != nil || len(given) != 9 {
		t.Errorf("the card is given %d images that are right, want 9: %v", len(given), err)
	}
}

// The draws hang on where an image's numbers are: with two of them exchanged it draws others.
func TestLawDrawsByPlace(t *testing.T) {
	m := must[*interp.Model](t)(interp.New(interp.Spec{Name: "uniform", Input: [3]int{1, 2, 1}, Classes: make([]string, 8), Forward: func(_ *model.Scope, x *graph.Node) *graph.Node {
		return drawn(x, graph.ScalarZero(x.Graph(), x.DType()), 1).uniform(0, x.DType(), 8)
	}}))
	r := says(t, m, interp.Images{N: 2, H: 1, W: 2, C: 1, Pix: []float64{.25, .75, .75, .25}})
	if slices.Equal(r.Of(0), r.Of(1)) {
		t.Errorf("both draw %g", r.Of(0))
	}
}

// What Begin makes answers as the network does from which it begins: with the code to numbers rounded up to a level, and divided by the
// temperature.
func TestLawBegin(t *testing.T) {
	m := interptest.Smooth()
	x := interptest.Images(m, 4, 5)
	begun := must[*interp.Model](t)(Thermometer{Levels: 5}.Begin(m, "/conv/weights"))
	up := x
	up.Pix = slices.Clone(x.Pix)
	for i, v := range up.Pix {
		up.Pix[i] = math.Ceil(5*v) / 5
	}
	hot := must[*interp.Model](t)(Distillation{Temperature: 7}.Begin(m, "/logits/weights", "/logits/biases"))
	for what, c := range map[string]struct {
		m, as *interp.Model
		x, at interp.Images
	}{
		"code":        {must[*interp.Model](t)(Thermometer{Levels: 5}.Of(begun)), m, x, up},
		"temperature": {must[*interp.Model](t)(Distillation{Temperature: 7}.Known(hot)), m, x, x},
	} {
		got, want := must[interp.Prediction](t)(c.m.Predict(ctx, c.x)).Logits.Data, must[interp.Prediction](t)(c.as.Predict(ctx, c.at)).Logits.Data
		for i := range want {
			if math.Abs(got[i]-want[i]) > 1e-5 {
				t.Fatalf("%s: logit %d is %g, want %g", what, i, got[i], want[i])
			}
		}
	}
	for want, f := range map[string]func() error{
		`has no weights "/conv9/weights"`:       func() error { _, err := Thermometer{}.Begin(m, "/conv9/weights"); return err },
		"must be those of the first layer":      func() error { _, err := Thermometer{}.Begin(m, "/conv/biases"); return err },
		"Thermometer.Levels is -1":              func() error { _, err := Thermometer{Levels: -1}.Begin(m, "/conv/weights"); return err },
		`has no weights "/end/weights"`:         func() error { _, err := Distillation{}.Begin(m, "/end/weights"); return err },
		"Distillation.Temperature is -2":        func() error { _, err := Distillation{Temperature: -2}.Begin(m, "/logits/weights"); return err },
		"thermometer(levels=16): the model is":  func() error { _, err := Thermometer{}.Begin(nil, ""); return err },
		"distillation(temperature=100): the mo": func() error { _, err := Distillation{}.Begin(nil, ""); return err },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
