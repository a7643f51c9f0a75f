package train_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/random"
	"lucigo/interp/train"
)

// normed is a network with batch norm, whose averages training moves.
func normed(s *model.Scope, x *graph.Node) *graph.Node {
	x = layer.ReLU(layer.BatchNorm(s.At("norm"), layer.ConvNoBias(s.At("conv"), x, 5, layer.Square(3, 2, 1)), 1e-5))
	return layer.Dense(s.At("logits"), layer.GlobalMean(x), 3)
}

func open(t *testing.T, forward layer.Forward, seed uint64) *interp.Model {
	t.Helper()
	m, err := train.New(interp.Spec{Name: "net", Forward: forward, Input: [3]int{6, 6, 2}, Classes: []string{"a", "b", "c"}}, seed)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// examples are n images of three classes, which the mean of a channel or of neither tells apart.
func examples(n int, seed uint64) train.Examples {
	x := interptest.ImagesOf(n, 6, 6, 2, seed)
	for i := range n {
		x.Class = append(x.Class, i%3)
		for p := range x.Of(i) {
			x.Of(i)[p] *= .5
			if p%2 == i%3 {
				x.Of(i)[p] += .5
			}
		}
	}
	return train.Examples{Images: x}
}

func fit(t *testing.T, r train.Training, m *interp.Model, e train.Examples) *interp.Model {
	t.Helper()
	m, err := r.Fit(context.Background(), m, e)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func equal(a, b interp.Weights) bool {
	for path, w := range a {
		if b[path] == nil || !slices.Equal(w.Values(), b[path].Values()) {
			return false
		}
	}
	return len(a) == len(b)
}

// Classes that are far apart are told apart without an error, on images that training has not seen, under an adversary too.
func TestLawLearns(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		for _, a := range []train.Adversary{{}, {Radius: .05}, {Radius: .05, Moves: 3}} {
			m := fit(t, train.Training{Epochs: 60, Batch: 16, Rate: .02, Adversary: a, Grow: .3}, open(t, normed, 1).On(e.Backend), examples(48, 1))
			fresh := examples(30, 2).Images
			p, err := m.Predict(context.Background(), fresh)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(p.Top1(), fresh.Class) {
				t.Errorf("%v: says %v of %v", a, p.Top1(), fresh.Class)
			}
			right, err := a.Right(context.Background(), m, fresh, 7)
			if err != nil || slices.Contains(right, false) {
				t.Errorf("%v: right under it: %v, %v", a, right, err)
			}
		}
	})
}

// Six steps on a linear network are those of the definitions, written out: the adversary's step from its start, softmax's
// derivative, Adam's formulas, decay of the matrix alone, the rate along its cosines.
func TestLawStep(t *testing.T) {
	const steps, n, radius, decay, top, rise = 6, 5, .2, .3, .05, .4
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Linear().Float64().On(e.Backend)
		x := interptest.Images(m, n, 3).Keyed()
		var targets []float64
		for i := range n {
			p := float64(i) / n
			targets = append(targets, p, 1-p, 0)
		}
		w, b := interptest.Rows(m), m.Weights()["/logits/biases"].Values()
		type moments struct{ first, second float64 }
		size := x.Size()
		mw, mb := make([]moments, 3*size), make([]moments, 3)
		for step := range steps {
			dw, db := make([]float64, 3*size), make([]float64, 3)
			for i := range n {
				target := targets[3*i : 3*i+3]
				soft := func(x []float64) (p [3]float64) {
					sum := 0.
					for c := range p {
						z := b[c]
						for k, v := range x {
							z += w[c][k] * v
						}
						p[c] = math.Exp(z)
						sum += p[c]
					}
					for c := range p {
						p[c] /= sum
					}
					return p
				}
				clean, start := x.Of(i), random.New(9, x.Key[i], uint64(step))
				grown := radius * min(1, (float64(step)+.5)/steps/.5)
				into := func(v []float64) []float64 {
					for k := range v {
						v[k] = min(max(v[k], clean[k]-grown, 0), clean[k]+grown, 1)
					}
					return v
				}
				moved := make([]float64, size)
				for k := range moved {
					moved[k] = clean[k] + grown*(2*start.Uniform(k)-1)
				}
				p := soft(into(moved))
				for k := range moved {
					slope := 0.
					for c := range p {
						slope += (p[c] - target[c]) * w[c][k]
					}
					moved[k] += 1.25 * grown * math.Copysign(1, slope)
				}
				p = soft(into(moved))
				for c := range p {
					db[c] += (p[c] - target[c]) / n
					for k := range moved {
						dw[c*size+k] += (p[c] - target[c]) * moved[k] / n
					}
				}
			}
			at, rate := (float64(step)+.5)/steps, 0.
			if at < rise {
				rate = top/25 + (top-top/25)*(1-math.Cos(math.Pi*at/rise))/2
			} else {
				rate = top + (top*1e-4-top)*(1-math.Cos(math.Pi*(at-rise)/(1-rise)))/2
			}
			adam := func(w *float64, m *moments, g, decay float64) {
				m.first, m.second = .9*m.first+.1*g, .999*m.second+.001*g*g
				k := float64(step + 1)
				adam := math.Sqrt(1-math.Pow(.999, k)) / (1 - math.Pow(.9, k)) // arXiv:1412.6980, end of section 2
				*w -= rate * (adam*m.first/(math.Sqrt(m.second)+1e-8) + decay**w)
			}
			for c := range 3 {
				adam(&b[c], &mb[c], db[c], 0)
				for k := range size {
					adam(&w[c][k], &mw[c*size+k], dw[c*size+k], decay)
				}
			}
		}
		r := train.Training{Steps: steps, Rate: top, Rise: rise, Decay: decay, Adversary: train.Adversary{Radius: radius}, Grow: .5, Seed: 9}
		s, err := r.Run(context.Background(), m, train.State{}, func(int) (train.Examples, error) {
			return train.Examples{Images: x, Targets: targets}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		end, err := m.With(s.Weights)
		if err != nil {
			t.Fatal(err)
		}
		const tolerance = 1e-10 // of float64, after six steps
		if d := interptest.Distance(slices.Concat(interptest.Rows(end)...), slices.Concat(w...)); !(d <= tolerance) {
			t.Errorf("the matrix is off by %g", d)
		}
		if d := interptest.Distance(end.Weights()["/logits/biases"].Values(), b); !(d <= tolerance) {
			t.Errorf("the biases are off by %g", d)
		}
	})
}

// On a linear network of two classes the adversary ends in the corner of its box that the weights' signs say, cut at black and
// white: what is right under it is what is right there. Which images they are beside each other in a batch does not matter.
func TestLawRight(t *testing.T) {
	const radius = .3
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Model("linear", func(s *model.Scope, x *graph.Node) *graph.Node {
			return layer.Dense(s.At("logits"), layer.Flatten(x), 2)
		}, [3]int{2, 3, 1}, 2, 5).On(e.Backend)
		x := interptest.Images(m, 40, 6)
		w, b := interptest.Rows(m), m.Weights()["/logits/biases"].Values()
		clean, under := 0, 0
		var want []bool
		for i := range x.N {
			margin := func(x []float64) float64 {
				v := b[0] - b[1]
				for k := range x {
					v += (w[0][k] - w[1][k]) * x[k]
				}
				return v
			}
			c, sign := 0, 1.
			if margin(x.Of(i)) < 0 != (i%4 == 0) { // every fourth is wrong from the beginning
				c, sign = 1, -1
			}
			x.Class = append(x.Class, c)
			moved := slices.Clone(x.Of(i))
			for k := range moved {
				moved[k] = min(max(moved[k]-radius*sign*math.Copysign(1, w[0][k]-w[1][k]), 0), 1)
			}
			if want = append(want, sign*margin(moved) > 0); want[i] {
				under++
			}
			if sign*margin(x.Of(i)) > 0 {
				clean++
			}
		}
		if under == 0 || under == clean || clean != 30 {
			t.Fatalf("of %d images %d stay right: the test shows nothing", clean, under)
		}
		for _, moves := range []int{2, 7} {
			got, err := (train.Adversary{Radius: radius, Moves: moves, Move: 1}).Right(context.Background(), m, x, 3)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%d moves: %v, want %v, %v", moves, got, want, err)
			}
		}
		alone, err := (train.Adversary{Radius: radius, Moves: 2, Move: 1}).Right(context.Background(), m, x.Slice(3, 4), 3)
		if err != nil || alone[0] != want[3] {
			t.Errorf("image 3 alone: %v, want %v, %v", alone, want[3], err)
		}
		if got, err := (train.Adversary{}).Right(context.Background(), m, x, 3); err != nil || slices.Contains(got[1:4], false) || got[0] {
			t.Errorf("without an adversary: %v, %v", got, err)
		}
		far := x.Free() // and where nothing moves, images that noise has moved out of [0, 1] stay there
		far.Pix = slices.Clone(x.Pix)
		for i, v := range far.Pix {
			far.Pix[i] = 9*v - 4
		}
		p, err := m.Predict(context.Background(), far)
		if err != nil {
			t.Fatal(err)
		}
		got, err := (train.Adversary{}).Right(context.Background(), m, far, 3)
		for i, top := range p.Top1() {
			if err != nil || got[i] != (top == x.Class[i]) {
				t.Errorf("far outside [0, 1], image %d: %v, %v, and the answer is %d", i, got, err, top)
			}
		}
	})
}

// Labels are probabilities of one and zeros.
func TestLawTargets(t *testing.T) {
	e := examples(12, 1)
	soft := train.Examples{Images: e.Images}
	soft.Images.Class = nil
	for _, c := range e.Images.Class {
		hot := make([]float64, 3)
		hot[c] = 1
		soft.Targets = append(soft.Targets, hot...)
	}
	r, m := train.Training{Steps: 5, Batch: 8}, open(t, normed, 1)
	if !equal(fit(t, r, m, e).Weights(), fit(t, r, m, soft).Weights()) {
		t.Error("labels and their probabilities give other weights")
	}
}

// A network that sees nothing learns the mean of the targets.
func TestLawProbabilities(t *testing.T) {
	m := open(t, func(s *model.Scope, x *graph.Node) *graph.Node {
		return layer.Dense(s.At("logits"), graph.MulScalar(layer.GlobalMean(x), 0), 3)
	}, 1)
	e := examples(2, 1)
	e.Targets = []float64{.9, .1, 0, .3, .2, .5}
	p, err := fit(t, train.Training{Steps: 400, Batch: 2, Rate: .1}, m, e).Predict(context.Background(), e.Images)
	if err != nil {
		t.Fatal(err)
	}
	for c, want := range []float64{.6, .15, .25} {
		if got := p.Prob(0, c); !(math.Abs(got-want) <= 1e-3) {
			t.Errorf("class %d has probability %g, want %g", c, got, want)
		}
	}
}

// A batch of one image, whose variance is 0 where batch norm follows a dense layer, trains as others do.
func TestBatchOfOne(t *testing.T) {
	m := open(t, func(s *model.Scope, x *graph.Node) *graph.Node {
		x = layer.BatchNorm(s.At("norm"), layer.Dense(s.At("dense"), layer.Flatten(x), 4), 1e-5)
		return layer.Dense(s.At("logits"), layer.ReLU(x), 3)
	}, 1)
	w := fit(t, train.Training{Steps: 9, Batch: 1, Adversary: train.Adversary{Radius: .1}}, m, examples(5, 1)).Weights()
	for path := range w {
		if slices.ContainsFunc(w[path].Values(), interp.NotFinite) {
			t.Errorf("%s is %v", path, w[path].Values())
		}
	}
}

// Equal seeds give equal weights; another seed, and other first weights, give others.
func TestLawSeed(t *testing.T) {
	r := train.Training{Steps: 4, Batch: 8, Adversary: train.Adversary{Radius: .1}}
	a := fit(t, r, open(t, normed, 1), examples(20, 1)).Weights()
	if b := fit(t, r, open(t, normed, 1), examples(20, 1)).Weights(); !equal(a, b) {
		t.Error("equal trainings give other weights")
	}
	other := r
	other.Seed = 1
	if b := fit(t, other, open(t, normed, 1), examples(20, 1)).Weights(); equal(a, b) {
		t.Error("the seed changes nothing")
	}
	if b := fit(t, r, open(t, normed, 2), examples(20, 1)).Weights(); equal(a, b) {
		t.Error("the first weights change nothing")
	}
}

// Each parameter changes what is trained.
func TestEachParameterCounts(t *testing.T) {
	r := train.Training{Epochs: 2, Batch: 8, Adversary: train.Adversary{Radius: .1}}
	m := open(t, normed, 1)
	base := fit(t, r, m, examples(20, 1)).Weights()
	for name, change := range map[string]func(*train.Training){
		"Epochs": func(r *train.Training) { r.Epochs = 3 },
		"Batch":  func(r *train.Training) { r.Batch = 5 },
		"Steps":  func(r *train.Training) { r.Steps = 2 },
		"Rate":   func(r *train.Training) { r.Rate = .002 },
		"Rise":   func(r *train.Training) { r.Rise = .5 },
		"Decay":  func(r *train.Training) { r.Decay = .1 },
		"Grow":   func(r *train.Training) { r.Grow = .5 },
		"Radius": func(r *train.Training) { r.Adversary.Radius = .2 },
		"Moves":  func(r *train.Training) { r.Adversary.Moves = 2 },
		"Move":   func(r *train.Training) { r.Adversary.Move = .5 },
	} {
		other := r
		change(&other)
		if other.String() == r.String() {
			t.Errorf("%s: String does not name it", name)
		}
		if equal(base, fit(t, other, m, examples(20, 1)).Weights()) {
			t.Errorf("%s changes nothing", name)
		}
	}
}

// The averages of batch norm follow the images that are learnt from, and not those on their way there.
func TestLawAverages(t *testing.T) {
	r := train.Training{Steps: 3, Batch: 8}
	plain := fit(t, r, open(t, normed, 1), examples(20, 1)).Weights()
	r.Adversary.Radius = 1e-20 // the images stay where they are
	still := fit(t, r, open(t, normed, 1), examples(20, 1)).Weights()
	if slices.Max(plain["/norm/mean"].Values()) == 0 {
		t.Error("the averages do not move")
	}
	if d := interptest.Distance(still["/norm/mean"].Values(), plain["/norm/mean"].Values()); !(d <= 1e-5) { // float32
		t.Errorf("the averages are off by %g", d)
	}
}

// A training that is interrupted says so within a second, and goes on to the weights of one that was not, to the bit.
func TestLawResume(t *testing.T) {
	m, r := open(t, normed, 1), train.Training{Steps: 7, Adversary: train.Adversary{Radius: .1}}
	feed := func(step int) (train.Examples, error) { return examples(8, uint64(step)), nil }
	whole, err := r.Run(context.Background(), m, train.State{}, feed)
	if err != nil || whole.Done != 7 {
		t.Fatalf("%d steps, %v", whole.Done, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	began := time.Now()
	release := make(chan struct{})
	defer close(release)
	part, err := r.Run(ctx, m, train.State{}, func(step int) (train.Examples, error) {
		if step == 4 {
			began = time.Now()
			cancel()
			<-release // a slow source
		}
		return feed(step)
	})
	if took := time.Since(began); !errors.Is(err, context.Canceled) || part.Done > 4 || took > time.Second {
		t.Fatalf("stopped after %d steps and %v: %v", part.Done, took, err)
	}
	part, err = r.Run(context.Background(), m, part, feed)
	if err != nil || !equal(part.Weights, whole.Weights) || !equal(part.First, whole.First) || !equal(part.Second, whole.Second) {
		t.Errorf("a training that was interrupted ends elsewhere, %v", err)
	}
}

// What Fit was when it was interrupted is kept, and Progress is told of each step.
func TestFitKeepsWhatItHas(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r := train.Training{Steps: 50, Batch: 8}
	var steps []int
	var kept train.State
	r.Progress = func(p train.Progress) {
		if steps = append(steps, p.Done); p.Steps != 50 || !(p.Loss > 0) || !(p.Right >= 0 && p.Right <= 1) {
			t.Errorf("progress %+v", p)
		}
		if p.Done == 3 {
			kept, _ = p.State()
			cancel()
		}
	}
	m, err := r.Fit(ctx, open(t, normed, 1), examples(20, 1))
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "after 3 of 50 steps") || m == nil {
		t.Fatalf("%v, %v", m, err)
	}
	if !slices.Equal(steps, []int{1, 2, 3}) || kept.Done != 3 || !equal(kept.Weights, m.Weights()) {
		t.Errorf("steps %v, a state of %d", steps, kept.Done)
	}
}

// Trainings of one model on more and more examples compile one program.
func TestCompilesOnce(t *testing.T) {
	m := open(t, normed, 1)
	for n := 4; n < 40; n *= 2 {
		m = fit(t, train.Training{Epochs: 1, Batch: 8, Rate: float64(n) / 1e4, Seed: uint64(n)}, m, examples(n, 1))
	}
	if compiled, _, _ := m.Programs(); compiled != 1 {
		t.Errorf("%d programs are compiled", compiled)
	}
}

// Each number comes once in an epoch, in orders that differ from epoch to epoch and from seed to seed, whatever is asked first.
func TestLawOrder(t *testing.T) {
	const n = 50
	read := func(o train.Order, from int) (numbers []int) {
		for k := range n {
			numbers = append(numbers, o.At(from+k))
		}
		return numbers
	}
	first, second, other := read(train.Order{N: n, Seed: 1}, 0), read(train.Order{N: n, Seed: 1}, n), read(train.Order{N: n, Seed: 2}, 0)
	if slices.Equal(first, second) || slices.Equal(first, other) || slices.IsSorted(first) {
		t.Error("orders do not differ")
	}
	for _, numbers := range [][]int{first, second, other} {
		slices.Sort(numbers)
		for i, v := range numbers {
			if i != v {
				t.Fatalf("an epoch has %v", numbers)
			}
		}
	}
}

func TestRefuses(t *testing.T) {
	m, ctx := open(t, normed, 1), context.Background()
	good := examples(6, 1)
	change := func(f func(*train.Examples)) train.Examples {
		e := examples(6, 1)
		f(&e)
		return e
	}
	for want, c := range map[string]struct {
		r train.Training
		e train.Examples
	}{
		"no images":                         {e: train.Examples{}},
		"the images have no labels":         {e: change(func(e *train.Examples) { e.Images.Class = nil })},
		"the label of image 2 is 3, must":   {e: change(func(e *train.Examples) { e.Images.Class[2] = 3 })},
		"the label of image 2 is -1, must":  {e: change(func(e *train.Examples) { e.Images.Class[2] = -1 })},
		"6 images have 5 classes":           {e: change(func(e *train.Examples) { e.Images.Class = e.Images.Class[:5] })},
		"must be in [0, 1]":                 {e: change(func(e *train.Examples) { e.Images.Pix[7] = 255 })},
		"is NaN at row 0":                   {e: change(func(e *train.Examples) { e.Images.Pix[7] = math.NaN() })},
		"and net takes 6×6×2":               {e: train.Examples{Images: interptest.ImagesOf(2, 5, 6, 2, 1).Asked(0)}},
		"Targets has 4 numbers, must":       {e: train.Examples{Images: good.Images, Targets: []float64{1, 0, 0, 1}}},
		"class 1 of image 0 is -0.5":        {e: train.Examples{Images: good.Images.Slice(0, 1), Targets: []float64{1, -.5, .5}}},
		"class 1 of image 0 is NaN":         {e: train.Examples{Images: good.Images.Slice(0, 1), Targets: []float64{1, math.NaN(), 0}}},
		"targets of image 0 add up to 1.5":  {e: train.Examples{Images: good.Images.Slice(0, 1), Targets: []float64{1, 0, .5}}},
		"Epochs is -1, must":                {r: train.Training{Epochs: -1}, e: good},
		"Epochs is NaN, must":               {r: train.Training{Epochs: math.NaN()}, e: good},
		"must be at most 2³¹":               {r: train.Training{Epochs: 1e12}, e: good},
		"Batch is -8, must":                 {r: train.Training{Batch: -8}, e: good},
		"Steps is -1, must":                 {r: train.Training{Steps: -1}, e: good},
		"Rate is -1, must":                  {r: train.Training{Rate: -1}, e: good},
		"Rate is NaN, must":                 {r: train.Training{Rate: math.NaN()}, e: good},
		"Rise is 1, must":                   {r: train.Training{Rise: 1}, e: good},
		"Decay is -0.1, must":               {r: train.Training{Decay: -.1}, e: good},
		"Grow is 2, must":                   {r: train.Training{Grow: 2}, e: good},
		"Adversary.Radius is -1, must":      {r: train.Training{Adversary: train.Adversary{Radius: -1}}, e: good},
		"Adversary.Radius is +Inf, must":    {r: train.Training{Adversary: train.Adversary{Radius: math.Inf(1)}}, e: good},
		"Adversary.Moves is -1, must":       {r: train.Training{Adversary: train.Adversary{Moves: -1}}, e: good},
		"Adversary.Move is -1, must":        {r: train.Training{Adversary: train.Adversary{Move: -1}}, e: good},
		"the loss is NaN: with a rate of 1": {r: train.Training{Rate: 1e38, Steps: 40, Batch: 6}, e: good},
	} {
		if _, err := c.r.Fit(ctx, m, c.e); err == nil || !strings.HasPrefix(err.Error(), "train: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	feed := func(int) (train.Examples, error) { return good, nil }
	wrong, err := interp.NewWeight([]float32{1}, 1)
	if err != nil {
		t.Fatal(err)
	}
	with := func(path string) interp.Weights {
		w := m.Weights()
		w[path] = wrong
		return w
	}
	without := func(path string) interp.Weights {
		w := m.Weights()
		if delete(w, path); len(w) == len(m.Weights()) {
			t.Fatalf("there is no %s", path)
		}
		return w
	}
	for want, s := range map[string]train.State{
		"State.Done is -1":                     {Done: -1},
		"State.Done is -7":                     {Done: -7, Weights: m.Weights()},
		"the state has no weight \"/norm/":     {Weights: without("/norm/scale")},
		`the state has no first moment of`:     {First: without("/norm/mean")},
		`the state has no second moment of`:    {Done: 1, Weights: m.Weights(), First: m.Weights()},
		`the state has no weight "`:            {Done: 1},
		`no weight "/conv/weight"`:             {Weights: with("/conv/weight")},
		"cannot be replaced by one shaped [":   {Weights: with("/norm/mean")},
		"first moment of weight: weight \"/no": {First: with("/norm/mean")},
	} {
		if _, err := (train.Training{Steps: 2}).Run(ctx, m, s, feed); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := (train.Training{}).Run(ctx, m, train.State{}, feed); err == nil || !strings.Contains(err.Error(), "Steps is 0") {
		t.Errorf("%v", err)
	}
	broken := errors.New("the disk is gone")
	s, err := train.Training{Steps: 5}.Run(ctx, m, train.State{}, func(step int) (train.Examples, error) {
		if step == 2 {
			return train.Examples{}, broken
		}
		return good, nil
	})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "step 2") || s.Done != 2 || s.Weights == nil {
		t.Errorf("a feed that fails: %d steps, %v", s.Done, err)
	}
	if _, err := train.New(interp.Spec{}, 1); err == nil {
		t.Error("a network without a name is opened")
	}
}
