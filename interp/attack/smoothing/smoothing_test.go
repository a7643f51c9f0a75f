package smoothing_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/attack/smoothing"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
	"lucigo/interp/random"
)

// two returns a linear network of two classes, of which the second is favoured by so much. What the smoothed network answers and how far
// an image is from another answer is known: see margin.
func two(bias float64) *interp.Model {
	return interptest.Model("two", func(s *model.Scope, x *graph.Node) *graph.Node {
		y := layer.Dense(s.At("logits"), layer.Flatten(x), 2)
		return graph.Add(y, graph.Reshape(graph.ConstAsDType(x.Graph(), x.DType(), []float64{0, bias}), 1, 2))
	}, [3]int{3, 4, 1}, 2, 5)
}

// margin returns how far an image of two(bias) is from the boundary, positive where it is of the second class. Noise of σ leaves it there
// with the probability Φ(margin/σ).
func margin(m *interp.Model, bias float64, x []float64) float64 {
	w, b := m.Weights()["/logits/weights"].Values(), m.Weights()["/logits/biases"].Values()
	sum, square := b[1]-b[0]+bias, 0.0
	for p, v := range x {
		d := w[2*p+1] - w[2*p]
		sum, square = sum+d*v, square+d*d
	}
	return sum / math.Sqrt(square)
}

// phi is the distribution function of the standard normals.
func phi(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }

// TestLinear: the smoothed network of a linear one is known in closed form. No certificate reaches beyond the boundary, and each comes
// as near to it as so many copies allow: the share of hits is within 5 standard deviations of its probability, which Lower undercuts by
// 3.1 of them (alpha .001) and a little.
func TestLinear(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := two(0).On(e.Backend)
		x := interptest.Images(m, 40, 3)
		for _, sigma := range []float64{.25, 1} {
			g := smoothing.Gaussian{Sigma: sigma, N: 3000, Seed: 1}
			all, err := g.Certify(t.Context(), m, x)
			if err != nil || len(all) != x.N {
				t.Fatalf("%d certificates, %v", len(all), err)
			}
			answers, err := g.Predict(t.Context(), m, x)
			if err != nil || len(answers) != x.N {
				t.Fatalf("%d answers, %v", len(answers), err)
			}
			certain := 0
			for i, c := range all {
				d := margin(m, 0, x.Of(i))
				class := 0
				if d > 0 {
					class = 1
				}
				d = math.Abs(d)
				p := phi(d / sigma)
				deviation := math.Sqrt(p * (1 - p) / 3000)
				if c.Why == smoothing.Answered && (c.Class != class || c.Radius > d) {
					t.Errorf("σ=%g, image %d: %+v, and it is %g away from the boundary of class %d", sigma, i, c, d, class)
				}
				if answers[i].Why == smoothing.Answered && answers[i].Class != class {
					t.Errorf("σ=%g, image %d: %+v, and it is of class %d", sigma, i, answers[i], class)
				}
				if p-9*deviation-.003 > .5 {
					certain++
					if c.Why != smoothing.Answered || c.Low < p-9*deviation-.003 || answers[i].Why != smoothing.Answered {
						t.Errorf("σ=%g, image %d: %+v and %+v, and the class has probability %g", sigma, i, c, answers[i], p)
					}
				}
				if c.N != 3000 || math.Abs(float64(c.Hits)/3000-phi(d/sigma)) > 5*deviation+1e-9 && c.Guess == class {
					t.Errorf("σ=%g, image %d: %d hits of %d, and the probability is %g", sigma, i, c.Hits, c.N, p)
				}
				if c.Why == smoothing.Answered {
					if got := sigma * math.Sqrt2 * math.Erfinv(2*c.Low-1); math.Abs(got-c.Radius) > 1e-12 || c.Low != smoothing.Lower(c.Hits, c.N, .001) {
						t.Errorf("the radius of %+v would be %g", c, got)
					}
				} else if c.Class != -1 || c.Radius != 0 {
					t.Errorf("%+v abstains", c)
				}
			}
			if certain < 20 {
				t.Errorf("σ=%g: only %d images of %d are far enough from the boundary for a test", sigma, certain, x.N)
			}
		}
	})
}

// TestCertificatesAreHonest: the certificates of 400 linear networks' images by few copies, of which alpha = .2 may err: no more do than
// 5 standard deviations allow, and some do, or alpha would not matter.
func TestCertificatesAreHonest(t *testing.T) {
	interptest.Unchecked()
	m := two(0)
	x := interptest.Images(m, 400, 7)
	all, err := smoothing.Gaussian{Sigma: .5, Select: 10, N: 60, Alpha: .2}.Certify(t.Context(), m, x)
	if err != nil {
		t.Fatal(err)
	}
	wrong := 0
	for i, c := range all {
		d := margin(m, 0, x.Of(i))
		if c.Why == smoothing.Answered && ((c.Class == 1) != (d > 0) || c.Radius > math.Abs(d)) {
			wrong++
		}
	}
	if most := .2*400 + 5*math.Sqrt(.2*.8*400); float64(wrong) > most || wrong == 0 {
		t.Errorf("%d of 400 certificates reach too far", wrong)
	}
	t.Logf("%d of 400 certificates of alpha = .2 reach too far", wrong)
}

// TestLawCut: what comes out depends on the seed, the key and the copy, and not on how a batch is cut, on its other images or on the
// number of cores.
func TestLawCut(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 5, 1)
	g := smoothing.Gaussian{Select: 7, N: 45, Alpha: .1, Seed: 3}
	type both struct {
		c []smoothing.Certificate
		a []smoothing.Answer
	}
	of := func(g smoothing.Gaussian, m *interp.Model, x interp.Images) (b both) {
		t.Helper()
		var err, failed error
		b.c, err = g.Certify(t.Context(), m, x)
		b.a, failed = g.Predict(t.Context(), m, x)
		if err != nil || failed != nil {
			t.Fatal(err, failed)
		}
		return b
	}
	same := func(a, b both) bool { return slices.Equal(a.c, b.c) && slices.Equal(a.a, b.a) }
	want := of(g, m, x)
	if got := of(g, m.Budget(4*128*4*int64(x.Size())), x); !same(got, want) {
		t.Errorf("cut otherwise it is %+v, want %+v", got, want)
	}
	before := runtime.GOMAXPROCS(1)
	got := of(g, m, x)
	runtime.GOMAXPROCS(before)
	if !same(got, want) {
		t.Errorf("on one core it is %+v, want %+v", got, want)
	}
	for i := range x.N {
		if got := of(g, m, x.Slice(i, i+1)); got.c[0] != want.c[i] || got.a[0] != want.a[i] {
			t.Errorf("image %d alone is %+v, want %+v and %+v", i, got, want.c[i], want.a[i])
		}
	}
	g.Seed++
	if same(of(g, m, x), want) {
		t.Error("another seed has the same noise")
	}
	g.Seed--
	keyed := x.Keyed()
	keyed.Key = slices.Clone(keyed.Key)
	for i := range keyed.Key {
		keyed.Key[i]++
	}
	if same(of(g, m, keyed), want) {
		t.Error("images of other keys have the same noise")
	}
}

// TestNoisy: the noise is the one that Certify and Predict count, its deviation is Sigma, it is not clipped, and each copy has its own.
func TestNoisy(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 12, 1)
	g := smoothing.Gaussian{Sigma: 1, Select: 3, N: 40, Alpha: .1, Seed: 9}
	certificates, err := g.Certify(t.Context(), m, x)
	if err != nil {
		t.Fatal(err)
	}
	answers, err := g.Predict(t.Context(), m, x)
	if err != nil {
		t.Fatal(err)
	}
	hits, votes := make([]int, x.N), make([]int, x.N)
	var sum, square, beyond float64
	for k := range 43 {
		y, err := g.Noisy(x, k)
		if err != nil {
			t.Fatal(err)
		}
		p, err := m.Predict(t.Context(), y)
		if err != nil {
			t.Fatal(err)
		}
		for i, class := range p.Top1() {
			if k >= 3 && class == certificates[i].Guess {
				hits[i]++
			}
			if k < 40 && class == answers[i].Guess {
				votes[i]++
			}
		}
		for i, v := range y.Pix {
			d := v - x.Pix[i]
			sum, square = sum+d, square+d*d
			if v < 0 || v > 1 {
				beyond++
			}
		}
	}
	mixed := 0 // a count of all copies or of none says little about which ones they are
	for i, c := range certificates {
		if c.Hits > 0 && c.Hits < 40 && answers[i].Hits < 40 {
			mixed++
		}
		if hits[i] != c.Hits {
			t.Errorf("image %d: %d of the copies are of class %d, and Certify counts %d", i, hits[i], c.Guess, c.Hits)
		}
		if a := answers[i]; votes[i] != a.Hits {
			t.Errorf("image %d: %d of the copies are of class %d, and Predict counts %d", i, votes[i], a.Guess, a.Hits)
		}
	}
	if mixed < 6 {
		t.Errorf("the copies of only %d images of %d are of several classes", mixed, x.N)
	}
	n := float64(43 * len(x.Pix))
	if mean, deviation := sum/n, math.Sqrt(square/n); math.Abs(mean) > 5/math.Sqrt(n) || math.Abs(deviation-1) > 5/math.Sqrt(2*n) || beyond == 0 {
		t.Errorf("the noise has mean %g and deviation %g, and %g numbers are outside [0, 1]", mean, deviation, beyond)
	}
}

// TestTooFew: where copies that all agree would not be enough, it abstains, says so, and does not ask the network; one more is enough.
func TestTooFew(t *testing.T) {
	m := two(1e6)
	x := interptest.Images(m, 3, 1)
	asked := 0
	g := smoothing.Gaussian{N: 9, Progress: func(int, int) { asked++ }}
	certificates, err := g.Certify(t.Context(), m, x)
	if err != nil || len(certificates) != 3 || asked > 0 {
		t.Fatalf("%v, %v, asked %d times", certificates, err, asked)
	}
	for _, c := range certificates {
		if c != (smoothing.Certificate{Class: -1, Why: smoothing.TooFew, Guess: -1, N: 9}) {
			t.Errorf("%+v", c)
		}
	}
	g.N = 10
	answers, err := g.Predict(t.Context(), m, x)
	if err != nil || len(answers) != 3 || asked > 0 {
		t.Fatalf("%v, %v, asked %d times", answers, err, asked)
	}
	for _, a := range answers {
		if a != (smoothing.Answer{Class: -1, Why: smoothing.TooFew, Guess: -1, P: 1}) {
			t.Errorf("%+v", a)
		}
	}
	if !strings.Contains(smoothing.TooFew.String(), "raise N or Alpha") {
		t.Errorf("%q does not say what to do", smoothing.TooFew)
	}
	if certificates, err = g.Certify(t.Context(), m, x); err != nil || certificates[0].Class != 1 || math.Abs(certificates[0].Low-.50118723362727224) > 1e-15 {
		t.Errorf("%+v, %v", certificates, err)
	}
	g.N = 11
	if answers, err = g.Predict(t.Context(), m, x); err != nil || answers[0].Class != 1 || math.Abs(answers[0].P-1./1024) > 1e-15 {
		t.Errorf("%+v, %v", answers, err)
	}
}

// TestNoMajority: at the boundary itself it abstains.
func TestNoMajority(t *testing.T) {
	m := two(0)
	x := interptest.Images(m, 20, 2)
	x = x.Slice(4, 5)
	m = two(-margin(m, 0, x.Pix) / (margin(m, 1, x.Pix) - margin(m, 0, x.Pix)))
	g := smoothing.Gaussian{N: 400}
	certificates, err := g.Certify(t.Context(), m, x)
	if err != nil || certificates[0].Why != smoothing.NoMajority || certificates[0].Class != -1 || certificates[0].Radius != 0 || certificates[0].Guess < 0 {
		t.Errorf("%+v, %v", certificates, err)
	}
	answers, err := g.Predict(t.Context(), m, x)
	if err != nil || answers[0].Why != smoothing.NoMajority || answers[0].Class != -1 || answers[0].Hits+answers[0].Next != 400 {
		t.Errorf("%+v, %v", answers, err)
	}
}

func TestBadInput(t *testing.T) {
	m := two(0)
	x := interptest.Images(m, 2, 1)
	bad := func(v float64) interp.Images {
		y := x
		y.Pix = slices.Clone(x.Pix)
		y.Pix[3] = v
		return y
	}
	small := smoothing.Gaussian{N: 20, Select: 5}
	for _, c := range []struct {
		g    smoothing.Gaussian
		x    interp.Images
		want string
	}{
		{smoothing.Gaussian{Sigma: -1}, x, "Sigma is -1"},
		{smoothing.Gaussian{Sigma: math.NaN()}, x, "Sigma is NaN"},
		{smoothing.Gaussian{Sigma: math.Inf(1)}, x, "Sigma is +Inf"},
		{smoothing.Gaussian{Sigma: 64}, x, "Sigma is 64, must be at most 4, as pixels are in [0, 1]: divide"},
		{smoothing.Gaussian{N: -1}, x, "N is -1"},
		{smoothing.Gaussian{N: math.MaxInt}, x, "N is 9223372036854775807"},
		{smoothing.Gaussian{Select: -1}, x, "Select is -1"},
		{smoothing.Gaussian{Alpha: -.1}, x, "Alpha is -0.1"},
		{smoothing.Gaussian{Alpha: 1}, x, "Alpha is 1"},
		{smoothing.Gaussian{Alpha: math.NaN()}, x, "Alpha is NaN"},
		{small, bad(math.NaN()), "image 0 is NaN"},
		{small, bad(math.Inf(1)), "image 0 is +Inf"},
		{small, bad(255), "must be in [0, 1]"},
		{small, interp.Images{}, "no images"},
		{small, interptest.ImagesOf(1, 5, 5, 1, 1), "[25 2]"},
	} {
		_, err := c.g.Certify(t.Context(), m, c.x)
		_, failed := c.g.Predict(t.Context(), m, c.x)
		for _, err := range []error{err, failed} {
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "smoothing: ") {
				t.Errorf("%s: %v, want %q", c.g, err, c.want)
			}
		}
	}
	if _, err := small.Certify(t.Context(), nil, x); err == nil {
		t.Error("a nil model")
	}
	for _, c := range []struct {
		g smoothing.Gaussian
		x interp.Images
		k int
	}{{smoothing.Gaussian{Sigma: -1}, x, 0}, {smoothing.Gaussian{Sigma: 64}, x, 0}, {small, x, -1}, {small, bad(math.NaN()), 0}} {
		if _, err := c.g.Noisy(c.x, c.k); err == nil || !strings.HasPrefix(err.Error(), "smoothing: ") {
			t.Errorf("copy %d of %s: %v", c.k, c.g, err)
		}
	}
	nan, err := m.With(interp.Weights{"/logits/biases": weight(t, []float64{0, math.NaN()}, 2)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := small.Certify(t.Context(), nan, x); err == nil || !strings.Contains(err.Error(), "NaN") {
		t.Errorf("a network that answers NaN: %v", err)
	}
}

func weight(t *testing.T, v []float64, dims ...int) *interp.Weight {
	t.Helper()
	w, err := interp.NewWeight(v, dims...)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestStopped: when ctx ends, what is known until then is returned with the error.
func TestStopped(t *testing.T) {
	m := two(0)
	x := interptest.Images(m, 6, 1)
	g := smoothing.Gaussian{N: 300}
	want, err := g.Certify(t.Context(), m, x)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	last := 0
	g.Progress = func(done, of int) {
		if done <= last || of != 6*400 {
			t.Errorf("%d of %d copies are done, after %d", done, of, last)
		}
		if last = done; done >= 900 {
			cancel()
		}
	}
	got, err := g.Certify(ctx, m, x)
	if !errors.Is(err, context.Canceled) || len(got) != 2 || !slices.Equal(got, want[:2]) {
		t.Errorf("%d certificates, %v", len(got), err)
	}
	if got, err := g.Predict(ctx, m, x); !errors.Is(err, context.Canceled) || len(got) > 0 {
		t.Errorf("%d answers, %v", len(got), err)
	}
}

func TestAccuracy(t *testing.T) {
	all := []smoothing.Certificate{{Class: 1, Radius: .5}, {Class: 1, Radius: .25}, {Class: 0, Radius: 3}, {Class: -1, Why: smoothing.NoMajority}}
	class := []int{1, 1, 1, -1}
	for radius, want := range map[float64]int{0: 2, .25: 2, .3: 1, .5: 1, .6: 0} {
		if s, err := smoothing.Accuracy(all, class, radius); err != nil || s.Right != want || s.Of != 4 {
			t.Errorf("at %g it is %+v, %v, want %d of 4", radius, s, err, want)
		}
	}
	if _, err := smoothing.Accuracy(nil, nil, 0); err == nil {
		t.Error("no certificates")
	}
	if _, err := smoothing.Accuracy(all, class[:3], 0); err == nil {
		t.Error("too few classes")
	}
	for _, radius := range []float64{-1, math.NaN()} {
		if _, err := smoothing.Accuracy(all, class, radius); err == nil {
			t.Errorf("a radius of %g", radius)
		}
	}
}

func TestString(t *testing.T) {
	want := "randomised smoothing(σ=0.25, n₀=100, n=100000, α=0.001, seed=0)"
	if got := (smoothing.Gaussian{}).String(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := (smoothing.Gaussian{Sigma: .5, Select: 10, N: 200, Alpha: .05, Seed: 4}).String(); got != "randomised smoothing(σ=0.5, n₀=10, n=200, α=0.05, seed=4)" {
		t.Errorf("%q", got)
	}
}

// smooth is the network of interptest.Smooth's kind, whose Forward a test can put another one around.
func smooth(s *model.Scope, x *graph.Node) *graph.Node {
	h := layer.At("hidden", layer.Tanh(layer.Conv(s.At("conv"), x, 5, layer.Square(3, 2, 1))))
	return layer.Dense(s.At("logits"), layer.Flatten(h), 4)
}

// TestSoft: against its definition, by the copies that Noisy makes of images with the key 0 and a seed that nobody uses, and against finite
// differences. With its own seed Noisy makes other copies.
func TestSoft(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		input := [3]int{12, 12, 3}
		g := smoothing.Gaussian{Sigma: .4, Seed: 2}
		base := interptest.Model("smooth", smooth, input, 4, 3).On(e.Backend).Float64()
		soft := interptest.Model("soft", g.Soft(smooth, 5), input, 4, 3).On(e.Backend).Float64()
		x := interptest.Images(base, 3, 1)
		got, err := soft.Predict(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		mean := make([]float64, 3*4)
		alike := x
		alike.Key = make([]uint64, 3)
		for k := range 5 {
			y, err := smoothing.Gaussian{Sigma: .4, Seed: random.Hash(2)}.Noisy(alike, k)
			if err != nil {
				t.Fatal(err)
			}
			if same, err := g.Noisy(alike, k); err != nil || slices.Equal(same.Pix, y.Pix) {
				t.Errorf("the noise is Predict's, %v", err)
			}
			p, err := base.Predict(t.Context(), y)
			if err != nil {
				t.Fatal(err)
			}
			for i := range mean {
				mean[i] += p.Prob(i/4, i%4) / 5
			}
		}
		for i, want := range mean {
			if v := math.Exp(got.Logits.Data[i]); math.Abs(v-want) > 1e-12 {
				t.Errorf("image %d, class %d: %g, want %g", i/4, i%4, v, want)
			}
		}
		o := objective.LogitOf(1)
		maps, err := soft.Gradient(t.Context(), o, nil, x)
		if err != nil {
			t.Fatal(err)
		}
		interptest.Derivative(t, soft, o, x, maps, 1e-6)
	})
	for _, f := range []layer.Forward{smoothing.Gaussian{}.Soft(smooth, 0), smoothing.Gaussian{Sigma: -1}.Soft(smooth, 1), smoothing.Gaussian{Sigma: 64}.Soft(smooth, 1)} {
		m, err := interp.New(interp.Spec{Name: "none", Forward: f, Input: [3]int{12, 12, 3}, Classes: []string{"a", "b", "c", "d"}})
		if err == nil {
			_, err = m.Layers()
		}
		if err == nil || !strings.Contains(err.Error(), "smoothing: S") {
			t.Errorf("Soft without copies or noise: %v", err)
		}
	}
}
