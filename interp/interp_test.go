package interp_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
	"lucigo/interp/random"
)

var ctx = context.Background()

// objectives are all there are, for the Branchy network.
func objectives() []interp.Objective {
	v := make([]float64, 7)
	for i := range v {
		v[i] = float64(i) - 2.5
	}
	whole := make([]float64, 12/2*12*7)
	for i := range whole {
		whole[i] = math.Sin(float64(i))
	}
	return []interp.Objective{
		objective.Logit, objective.LogProb, objective.Prob, objective.Loss, objective.LogitOf(2), objective.LogProbOf(1),
		objective.Margin, objective.DLR, objective.LeadOf(1), objective.DLRTo(2),
		objective.Channel("conv1", 3), objective.Channel("head", 2), objective.Channels("mixed", 1, 0, 6),
		objective.Neuron("shared", 2, 5, 4), objective.Energy("mixed"), objective.Energy("head"),
		objective.Direction("shared:2", v), objective.Direction("mixed", whole),
		objective.Logit.Plus(objective.Energy("conv1")), objective.Channel("mixed", 2).Mul(objective.Logit),
		objective.Logit.Times(-2.5), objective.Logit.Minus(objective.LogProbOf(3)),
	}
}

// lead is logit c less the largest of the others.
func lead(logits []float64, c int) float64 {
	return logits[c] - slices.Max(slices.Concat(logits[:c], logits[c+1:]))
}

func TestLawGradient(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Branchy().On(e.Backend).Float64()
		x := interptest.Images(m, 3, 5).Asked(1, 3, 0)
		for _, o := range objectives() {
			g, err := m.Gradient(ctx, o, nil, x)
			if err != nil {
				t.Fatal(err)
			}
			interptest.Derivative(t, m, o, x, g, 1e-6)
		}
	})
}

// What an objective computes, slowly, from the activations.
func TestLawObjective(t *testing.T) {
	m := interptest.Branchy().Float64()
	x := interptest.Images(m, 3, 6).Asked(1, 3, 0)
	acts, err := m.Activations(ctx, x, "mixed", "shared", "head")
	if err != nil {
		t.Fatal(err)
	}
	pred, err := m.Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	at := func(a interp.Activations, i int) []float64 { return a.Of(i) }
	channel := func(a interp.Activations, i, c int) float64 {
		var sum float64
		v, k := at(a, i), a.Shape[len(a.Shape)-1]
		for j := c; j < len(v); j += k {
			sum += v[j]
		}
		return sum / float64(len(v)/k)
	}
	mixed, shared, head := acts[0], acts[1], acts[2]
	most := 0 // a unit of the first image that is on
	for k, v := range at(shared, 0) {
		if v > at(shared, 0)[most] {
			most = k
		}
	}
	all := make([]float64, len(at(shared, 0)))
	random.New(3, 0, 0).Normals(all)
	for _, c := range []struct {
		o    interp.Objective
		want func(i int) float64
	}{
		{objective.Logit, func(i int) float64 { return pred.Logits.Of(i)[x.Class[i]] }},
		{objective.LogProb, func(i int) float64 { return math.Log(pred.Prob(i, x.Class[i])) }},
		{objective.Prob, func(i int) float64 { return pred.Prob(i, x.Class[i]) }},
		{objective.Loss, func(i int) float64 { return -math.Log(pred.Prob(i, x.Class[i])) }},
		{objective.LogitOf(2), func(i int) float64 { return pred.Logits.Of(i)[2] }},
		{objective.LogitOf(2, 0, 1), func(i int) float64 { return pred.Logits.Of(i)[[]int{2, 0, 1}[i]] }},
		{objective.LogProbOf(2, 0, 1), func(i int) float64 { return math.Log(pred.Prob(i, []int{2, 0, 1}[i])) }},
		{objective.Margin, func(i int) float64 { return -lead(pred.Logits.Of(i), x.Class[i]) }},
		{objective.LeadOf(3), func(i int) float64 { return lead(pred.Logits.Of(i), 3) }},
		{objective.DLR, func(i int) float64 {
			z := slices.Sorted(slices.Values(pred.Logits.Of(i)))
			return -lead(pred.Logits.Of(i), x.Class[i]) / (z[3] - z[1])
		}},
		{objective.DLRTo(2, 0, 1), func(i int) float64 {
			z := slices.Sorted(slices.Values(pred.Logits.Of(i)))
			return (pred.Logits.Of(i)[[]int{2, 0, 1}[i]] - pred.Logits.Of(i)[x.Class[i]]) / (z[3] - (z[1]+z[0])/2)
		}},
		{objective.Channel("mixed", 5), func(i int) float64 { return channel(mixed, i, 5) }},
		{objective.Channels("mixed", 4, 0, 6), func(i int) float64 { return channel(mixed, i, []int{4, 0, 6}[i]) }},
		{objective.Channel("head", 2), func(i int) float64 { return at(head, i)[2] }},
		{objective.Neuron("shared", 2, 5, 4), func(i int) float64 { return at(shared, i)[(2*12+5)*7+4] }},
		{objective.Neuron("shared", most/7/12, most/7%12, most%7), func(i int) float64 { return at(shared, i)[most] }},
		{objective.LogProbOf(3), func(i int) float64 { return math.Log(pred.Prob(i, 3)) }},
		{objective.Direction("shared", all), func(i int) (s float64) {
			for k, v := range at(shared, i) {
				s += v * all[k]
			}
			return
		}},
		{objective.Channel("mixed", 5).Mul(objective.LogitOf(1)).Minus(objective.Channel("head", 2)), func(i int) float64 {
			return channel(mixed, i, 5)*pred.Logits.Of(i)[1] - at(head, i)[2]
		}},
		{objective.Energy("mixed"), func(i int) (e float64) {
			for _, v := range at(mixed, i) {
				e += v * v / 2
			}
			return
		}},
		{objective.Direction("shared", []float64{1, 0, 0, 0, 0, 0, -2}), func(i int) float64 { return channel(shared, i, 0) - 2*channel(shared, i, 6) }},
		{objective.Logit.Times(3).Plus(objective.Energy("head")), func(i int) (e float64) {
			for _, v := range at(head, i) {
				e += v * v / 2
			}
			return e + 3*pred.Logits.Of(i)[x.Class[i]]
		}},
	} {
		got, err := m.Score(ctx, c.o, x)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range got {
			if want := c.want(i); !(math.Abs(v-want) <= 1e-12*max(1, math.Abs(want))) {
				t.Errorf("%s of image %d: %g, want %g", c.o, i, v, want)
			}
		}
	}
}

// Of one class there is no log p: an error that says what to ask instead.
func TestOneLogit(t *testing.T) {
	m := interptest.Model("one logit", func(s *model.Scope, x *Node) *Node {
		return layer.Dense(s.In("logits"), layer.Flatten(x), 1)
	}, [3]int{2, 3, 1}, 1, 2)
	x := interptest.Images(m, 2, 1)
	for _, o := range []interp.Objective{objective.LogProb, objective.Prob, objective.Loss, objective.LogProbOf(0)} {
		if _, err := m.Gradient(ctx, o, nil, x); err == nil || !strings.Contains(err.Error(), "1 logit") || !strings.Contains(err.Error(), "use Logit") {
			t.Errorf("%s of a network with one logit: error %v", o, err)
		}
	}
	if _, err := m.Gradient(ctx, objective.Logit, nil, x); err != nil {
		t.Error(err)
	}
}

// The gradient of a linear network is known.
func TestLinear(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Linear().On(e.Backend).Float64()
		x := interptest.Images(m, 3, 1).Asked(0, 1, 2)
		g, err := m.Gradient(ctx, objective.Logit, nil, x)
		if err != nil {
			t.Fatal(err)
		}
		rows := interptest.Rows(m)
		if d := interptest.Distance(g.Pix, slices.Concat(rows...)); d > 1e-15 {
			t.Errorf("the gradient is %g from the weights", d)
		}
	})
}

func TestLawBatch(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Branchy().On(e.Backend)
		x := interptest.Images(m, 7, 3)
		whole, err := m.Gradient(ctx, objective.LogProb, nil, x)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{1, 2, 4, 16} { // images at once: 7 = 2+2+2+1, …
			cut := m.Budget(int64(n * 128 * 4 * x.Size()))
			if got := cut.Batch(x); got != n {
				t.Fatalf("a budget for %d images lets %d through", n, got)
			}
			part, err := cut.Gradient(ctx, objective.LogProb, nil, x)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(whole.Class, part.Class) {
				t.Errorf("classes %v, in parts of %d %v", whole.Class, n, part.Class)
			}
			if d := interptest.Distance(part.Pix, whole.Pix); d > 2e-6 {
				t.Errorf("in parts of %d the gradient changes by %g", n, d)
			}
		}
		one, err := m.Gradient(ctx, objective.LogProb, nil, x.Slice(4, 5))
		if err != nil {
			t.Fatal(err)
		}
		if d := interptest.Distance(one.Pix, whole.Pix[4*x.Size():5*x.Size()]); d > 2e-6 {
			t.Errorf("the gradient of image 4 changes by %g with its neighbours", d)
		}
	})
}

func TestLawPrecisionsAndBackendsAgree(t *testing.T) {
	var want interp.Maps
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Branchy().On(e.Backend)
		x := interptest.Images(m, 4, 8)
		for _, c := range []struct {
			m         *interp.Model
			tolerance float64
		}{{m.Float64(), 1e-13}, {m, 2e-6}} {
			g, err := c.m.Gradient(ctx, objective.Logit, nil, x)
			if err != nil {
				t.Fatal(err)
			}
			if want.Pix == nil {
				want = g
			}
			if d := interptest.Distance(g.Pix, want.Pix); !(d <= c.tolerance) {
				t.Errorf("%s: %g from the first backend in float64, want %g", c.m, d, c.tolerance)
			}
		}
	})
}

// Where a network is sure, 1 − p is far below float32's distance from 1, and the gradient is still right.
func TestLawSureOfAClass(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Linear().On(e.Backend)
		large := m.Weights()["/logits/biases"].Values()
		large[1] += 14
		w, err := interp.NewWeight(large, 3)
		if err != nil {
			t.Fatal(err)
		}
		if m, err = m.With(interp.Weights{"/logits/biases": w}); err != nil {
			t.Fatal(err)
		}
		x := interptest.Images(m, 2, 1).Asked(1, 0)
		for _, o := range []interp.Objective{objective.LogProb, objective.Prob, objective.Loss, objective.LogProbOf(1)} {
			want, err := m.Float64().Gradient(ctx, o, nil, x)
			if err != nil {
				t.Fatal(err)
			}
			got, err := m.Gradient(ctx, o, nil, x)
			if err != nil {
				t.Fatal(err)
			}
			for i := range x.N {
				if d := interptest.Distance(got.Of(i), want.Of(i)); !(d <= 3e-6) {
					t.Errorf("%s of image %d: in float32 the gradient is %g off", o, i, d)
				}
			}
		}
	})
}

func TestUnitsShareOneProgram(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 1, 1)
	for c := range 50 {
		if _, err := m.Gradient(ctx, objective.Channel("mixed", c%7), nil, x); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Gradient(ctx, objective.Neuron("mixed", c%6, c%12, c%7).Times(float64(c)), nil, x); err != nil {
			t.Fatal(err)
		}
	}
	if compiled, _, _ := m.Programs(); compiled != 2 {
		t.Errorf("100 units of two forms took %d compilations", compiled)
	}
}

func TestWeightsAreSwappedPerCall(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Linear().On(e.Backend)
		x := interptest.Images(m, 1, 1).Asked(1)
		gradient := func(m *interp.Model) []float64 {
			g, err := m.Gradient(ctx, objective.Logit, nil, x)
			if err != nil {
				t.Fatal(err)
			}
			return g.Pix
		}
		before := gradient(m)
		double := m.Weights()["/logits/weights"].Values()
		for i := range double {
			double[i] *= 2
		}
		w, err := interp.NewWeight(double, 6, 3)
		if err != nil {
			t.Fatal(err)
		}
		other, err := m.With(interp.Weights{"/logits/weights": w})
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range gradient(other) {
			if v != 2*before[i] {
				t.Errorf("with doubled weights number %d of the gradient is %g, before %g", i, v, before[i])
			}
		}
		if !slices.Equal(gradient(m), before) {
			t.Error("the original changed")
		}
		if compiled, _, _ := m.Programs(); compiled != 1 {
			t.Errorf("%d compilations", compiled)
		}
		if other.Weights()["/logits/biases"] != m.Weights()["/logits/biases"] {
			t.Error("a tensor that was not replaced is not shared")
		}
	})
}

func TestLayerAtAnySize(t *testing.T) {
	m := interptest.Branchy().Float64()
	for _, size := range [][2]int{{8, 12}, {31, 17}, {64, 64}} {
		x := interptest.ImagesOf(1, size[0], size[1], 3, 4)
		o := objective.Energy("shared:2")
		g, err := m.Gradient(ctx, o, nil, x)
		if err != nil {
			t.Fatalf("%v: %v", size, err)
		}
		interptest.Derivative(t, m, o, x, g, 1e-6)
		if _, err := m.Gradient(ctx, objective.LogitOf(0), nil, x); err == nil {
			t.Errorf("the head of a %d×%d net took images of %v", interptest.Size, interptest.Size, size)
		}
	}
}

func TestReplacedLayer(t *testing.T) {
	m := interptest.Branchy().Float64()
	x := interptest.Images(m, 2, 2)
	acts, err := m.Activations(ctx, x, "mixed")
	if err != nil {
		t.Fatal(err)
	}
	want, err := m.Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	l, err := m.Loop(2, 2, nil, x.Arg(), interp.Each(acts[0].Data, acts[0].Shape...))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	out, err := l.Look(ctx, headFromMixed{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := interptest.Distance(out[0].Data, want.Logits.Data); d > 1e-14 {
		t.Errorf("from the replaced layer on, the logits are off by %g", d)
	}
}

type headFromMixed struct{}

func (headFromMixed) Build(net *interp.Net, a []*Node) []*Node {
	return []*Node{net.Pass(ZerosLike(a[0]), map[string]*Node{"mixed": a[1]}).Logits()}
}

func TestConcurrentUse(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Branchy().On(e.Backend)
		x := interptest.Images(m, 2, 1)
		want := map[string][]float64{}
		for _, o := range objectives()[13:17] {
			g, err := interptest.Branchy().On(e.Backend).Gradient(ctx, o, nil, x)
			if err != nil {
				t.Fatal(err)
			}
			want[o.String()] = g.Pix
		}
		var wg sync.WaitGroup
		for range 4 {
			for _, o := range objectives()[13:17] {
				wg.Go(func() {
					g, err := m.Gradient(ctx, o, nil, x)
					if err != nil {
						t.Error(err)
					} else if !slices.Equal(g.Pix, want[o.String()]) {
						t.Errorf("%s: another gradient than alone", o)
					}
				})
			}
		}
		wg.Wait()
		if compiled, _, _ := m.Programs(); compiled != 4 {
			t.Errorf("%d compilations of 4 steps", compiled)
		}
	})
}

func TestCancel(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 1, 1)
	started, release := make(chan bool), make(chan bool)
	slow := interp.Objective{Name: "slow", Form: interp.FormOf(func(p *layer.Pass, _ []*Node) *Node {
		close(started)
		<-release // as long as a compilation
		return ReduceMean(p.Images, 1, 2, 3)
	})}
	ended, cancel := context.WithCancel(ctx)
	go func() { <-started; cancel() }()
	if _, err := m.Gradient(ended, slow, nil, x); !errors.Is(err, context.Canceled) { // A Gradient that waited would wait for ever.
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	close(release)
	if _, err := m.Gradient(ended, objective.Logit, nil, x); !errors.Is(err, context.Canceled) {
		t.Errorf("begun after the end: error %v", err)
	}
}

func TestFromStore(t *testing.T) {
	store := model.NewStore()
	store.SetParam("/width", 5)
	forward := func(s *model.Scope, x *Node) *Node {
		x = layer.Flatten(x)
		x = layer.At("hidden", layer.ReLU(layer.Dense(s.In("hidden"), x, model.GetParamOr(s, "width", 2))))
		return layer.Dense(s.In("logits"), x, 2)
	}
	e, err := engine.Default()
	if err != nil {
		t.Fatal(err)
	}
	exec := model.MustNewExec(e.Backend, store, forward)
	x := interptest.ImagesOf(2, 3, 3, 1, 1)
	pix := make([]float32, len(x.Pix))
	for i, v := range x.Pix {
		pix[i] = float32(v)
	}
	want := tensors.MustCopyFlatData[float32](exec.MustCall(tensors.FromFlatDataAndDimensions(pix, 2, 3, 3, 1))[0])
	m, err := interp.FromStore(store, "trained", forward, [3]int{3, 3, 1}, []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range p.Logits.Data {
		if !(math.Abs(v-float64(want[i])) <= 1e-6) {
			t.Errorf("logit %d is %g, and was %g where it was trained", i, v, want[i])
		}
	}
	layers, err := m.Layers()
	if err != nil || len(layers) != 1 || layers[0].Name != "hidden" || !slices.Equal(layers[0].Shape, []int{5}) {
		t.Errorf("layers %v, %v", layers, err)
	}
}

func TestBadInput(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 2, 1)
	nan := interptest.Images(m, 2, 1)
	nan.Pix[500] = math.NaN()
	poisoned := m.Weights()["/shared/weights"].Values()
	poisoned[7] = math.NaN()
	w, err := interp.NewWeight(poisoned, m.Weights()["/shared/weights"].Dims()...)
	if err != nil {
		t.Fatal(err)
	}
	bad, err := m.With(interp.Weights{"/shared/weights": w})
	if err != nil {
		t.Fatal(err)
	}
	root := interp.Objective{Name: "√|pixels − pixels|", Form: interp.FormOf(func(p *layer.Pass, _ []*Node) *Node {
		return ReduceSum(Sqrt(MulScalar(p.Images, 0)), 1, 2, 3)
	})}
	gradient := func(m *interp.Model, o interp.Objective, x interp.Images) func() error {
		return func() error { _, err := m.Gradient(ctx, o, nil, x); return err }
	}
	for _, c := range []struct {
		what string
		try  func() error
		want []string
	}{
		{"a layer that does not exist", gradient(m, objective.Energy("mixd"), x), []string{"branchy", `no layer "mixd"`, "mixed"}},
		{"a channel that does not exist", gradient(m, objective.Channel("mixed", 7), x), []string{"mixed channel 7", "channels 0 to 6"}},
		{"a negative channel", gradient(m, objective.Channels("mixed", 0, -1), x), []string{"channels 0 to 6"}},
		{"a position that does not exist", gradient(m, objective.Neuron("mixed", 6, 0, 0), x), []string{"rows 0 to 5", "columns 0 to 11"}},
		{"a column that does not exist", gradient(m, objective.Neuron("mixed", 0, 12, 0), x), []string{"columns 0 to 11"}},
		{"a channel of a position that does not exist", gradient(m, objective.Neuron("mixed", 0, 0, 7), x), []string{"channels 0 to 6"}},
		{"a negative position", gradient(m, objective.Neuron("mixed", -1, -1, 0), x), []string{"(-1, -1)", "columns 0 to 11"}},
		{"a negative column", gradient(m, objective.Neuron("mixed", 1, -1, 0), x), []string{"columns 0 to 11"}},
		{"a class that does not exist", gradient(m, objective.Logit, x.Asked(4)), []string{"class 4", "0 to 3"}},
		{"a fixed class that does not exist", gradient(m, objective.LogitOf(9), x), []string{"logit 9", "classes are 0 to 3"}},
		{"a fixed class below 0", gradient(m, objective.Channel("mixed", 1).Plus(objective.LogProbOf(-1)), x), []string{"log p -1", "classes are 0 to 3"}},
		{"a class that is 0 in 32 bits", gradient(m, objective.Logit, x.Asked(1<<32)), []string{"class 4294967296", "0 to 3"}},
		{"a fixed class that is 0 in 32 bits", gradient(m, objective.LogitOf(1<<32), x), []string{"logit 4294967296", "must fit in 32 bits"}},
		{"a channel that is 1 in 32 bits", gradient(m, objective.Channels("mixed", 1, -1<<32+1), x), []string{"is -4294967295,", "must fit in 32 bits"}},
		{"a row that is 0 in 32 bits", gradient(m, objective.Neuron("mixed", 1<<40, 0, 0), x), []string{"is 1099511627776,", "must fit in 32 bits"}},
		{"a factor that is no number", gradient(m, objective.Logit.Times(math.NaN()), x), []string{"argument 0 is NaN, and must be finite"}},
		{"a class name that does not exist", func() error { _, err := m.Class("clas b"); return err }, []string{"branchy", "clas b", "class b"}},
		{"no pixels", gradient(m, objective.Logit, interp.Images{}), []string{"no images"}},
		{"too few pixels", gradient(m, objective.Logit, interp.Images{N: 1, H: 12, W: 12, C: 3, Pix: make([]float64, 5)}), []string{"432", "5"}},
		{"grey images", gradient(m, objective.Logit, interptest.ImagesOf(1, 12, 12, 1, 1)), []string{"3 channels", "1"}},
		{"a pixel that is no number", gradient(m, objective.Logit, nan), []string{"image 1", "NaN", "row 1, column 10, channel 2"}},
		{"classes for other images", gradient(m, objective.Logit, x.Asked(1, 2, 3)), []string{"2 images", "3 classes"}},
		{"a direction of another length", gradient(m, objective.Direction("mixed", make([]float64, 5)), x), []string{"5 numbers", "7 (the channels", "504"}},
		{"positions of a layer without any", gradient(m, objective.Neuron("head", 0, 0, 0), x), []string{`"head" has no positions`}},
		{"channels for other images", gradient(m, objective.Channels("mixed", 1, 2, 3), x), []string{"3 images", "there are 2"}},
		{"images of another size", gradient(m, objective.LogitOf(0), interptest.ImagesOf(1, 16, 16, 3, 1)), []string{"/head/weights", "[126 5]", "[224 5]"}},
		{"a weight that is no number", gradient(bad, objective.Logit, x.Asked(0)), []string{"NaN", "/shared/weights"}},
		{"a logit that is no number", func() error { _, err := bad.Predict(ctx, x); return err }, []string{"logit", "NaN", "/shared/weights"}},
		{"a gradient that is no number", gradient(m, root, x), []string{"gradient of √|pixels − pixels|", "row 0", "though the score is 0", "all weights are finite"}},
		{"a weight that does not exist", func() error { _, err := m.With(interp.Weights{"/shard/weights": w}); return err }, []string{"/shard/weights", "/shared/weights"}},
		{"a weight of another shape", func() error { _, err := m.With(interp.Weights{"/head/weights": w}); return err }, []string{"[126 5]", "[3 3 7 7]"}},
		{"an image to show that is not there", func() error { _, err := x.Image(2); return err }, []string{"no image 2"}},
	} {
		err := c.try()
		if err == nil {
			t.Errorf("%s: no error", c.what)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q does not say %q", c.what, err, w)
			}
		}
	}
}

func TestJoinAndSlice(t *testing.T) {
	x := interptest.ImagesOf(5, 4, 3, 2, 1).Asked(0, 1, 2, 3, 4).Keyed()
	y, err := interp.Join(x.Slice(0, 2), x.Slice(2, 5))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(x.Pix, y.Pix) || !slices.Equal(x.Class, y.Class) || !slices.Equal(x.Key, y.Key) {
		t.Error("slices joined are not the whole")
	}
	x.Key = nil
	if k := x.Slice(3, 4).Keyed().Key[0]; k != y.Key[3] {
		t.Error("the key of an image changes with its neighbours")
	}
	if _, err := interp.Join(x, interptest.ImagesOf(1, 3, 4, 2, 1)); err == nil {
		t.Error("images of two sizes were joined")
	}
}

// Images that differ in one pixel, or in their shape alone, have different keys; equal ones have equal keys.
func TestLawKeys(t *testing.T) {
	x := interptest.ImagesOf(1, 4, 6, 3, 1)
	seen := map[uint64]string{x.Keyed().Key[0]: "the image"}
	add := func(what string, y interp.Images) {
		key := y.Keyed().Key[0]
		if other, ok := seen[key]; ok {
			t.Errorf("%s has the key of %s", what, other)
		}
		seen[key] = what
	}
	for p := range x.Pix {
		y := x
		y.Pix = slices.Clone(x.Pix)
		y.Pix[p] = 1 - y.Pix[p]
		add(fmt.Sprintf("another pixel %d", p), y)
	}
	for _, shape := range [][3]int{{6, 4, 3}, {3, 6, 4}, {4, 3, 6}} {
		y := x
		y.H, y.W, y.C = shape[0], shape[1], shape[2]
		add(fmt.Sprintf("another shape %v", shape), y)
	}
	if same := interptest.ImagesOf(1, 4, 6, 3, 1).Keyed().Key[0]; seen[same] != "the image" {
		t.Error("the same pixels have another key")
	}
}

// Of equal logits the first comes first, wherever they are.
func TestEqualLogits(t *testing.T) {
	p := interp.Prediction{Logits: interp.Rows{N: 2, Shape: []int{5}, Data: []float64{1, 3, 3, 0, 3, 2, 2, 2, 2, 2}}, Names: []string{"a", "b", "c", "d", "e"}}
	if top := p.Top(0, 5); !slices.Equal(top, []int{1, 2, 4, 0, 3}) {
		t.Errorf("the order is %v", top)
	}
	if top := p.Top1(); !slices.Equal(top, []int{1, 0}) || p.Name(1) != "a" {
		t.Errorf("the first are %v, and image 1 is of class %s", top, p.Name(1))
	}
}

func TestMapReductions(t *testing.T) {
	m := interp.Maps{Images: interp.Images{N: 2, H: 1, W: 3, C: 3, Pix: []float64{9, 9, 9, 9, 9, 9, 9, 9, 9, 1, -4, 3, -.5, .25, 0, -1, -2, -3}}}
	if got := m.Magnitude(1); !slices.Equal(got, []float64{4, .5, 3}) {
		t.Errorf("magnitudes %v", got)
	}
	if d := interptest.Distance(m.Mean(1), []float64{0, -.25 / 3, -2}); d > 1e-15 {
		t.Errorf("means %v", m.Mean(1))
	}
	m.Pix[10] = math.NaN()
	if got := m.Magnitude(1); !math.IsNaN(got[0]) || math.IsNaN(got[1]) {
		t.Errorf("with a NaN, magnitudes %v", got)
	}
}

// Transparency is laid over black, whatever the picture's kind.
func TestTransparency(t *testing.T) {
	clear := image.NewNRGBA(image.Rect(3, 4, 5, 5))
	clear.SetNRGBA(3, 4, color.NRGBA{R: 255, G: 51, A: 102})
	clear.SetNRGBA(4, 4, color.NRGBA{R: 255, G: 255, B: 255})
	if x := interp.FromImage(clear); interptest.Distance(x.Pix, []float64{.4, .08, 0, 0, 0, 0}) > 1e-4 {
		t.Errorf("got %v", x.Pix)
	}
}

func TestImageRoundTrip(t *testing.T) {
	x := interptest.ImagesOf(1, 5, 4, 3, 1)
	for i := range x.Pix {
		x.Pix[i] = math.Round(x.Pix[i]*255) / 255
	}
	m, err := x.Image(0)
	if err != nil {
		t.Fatal(err)
	}
	if y := interp.FromImage(m); interptest.Distance(y.Pix, x.Pix) > 1e-12 {
		t.Error("an image and back is another image")
	}
}

// TestPick: image k of what is picked is the one that was named, with its class and key, and a copy.
func TestPick(t *testing.T) {
	x := interptest.ImagesOf(4, 2, 3, 2, 1).Asked(7, 5, 3, 1).Keyed()
	for _, images := range [][]int{{2, 0, 2}, {3}, {}} {
		y := x.Pick(images...)
		if y.N != len(images) || len(y.Pix) != y.N*x.Size() || len(y.Class) != y.N || len(y.Key) != y.N {
			t.Fatalf("%v: %d images, %d numbers, %d classes, %d keys", images, y.N, len(y.Pix), len(y.Class), len(y.Key))
		}
		for k, i := range images {
			if !slices.Equal(y.Of(k), x.Of(i)) || y.Class[k] != x.Class[i] || y.Key[k] != x.Key[i] {
				t.Errorf("%v: image %d is not image %d", images, k, i)
			}
			before := x.Of(i)[0]
			if y.Of(k)[0]++; x.Of(i)[0] != before {
				t.Errorf("%v: image %d shares its pixels", images, k)
			}
			y.Of(k)[0] = before
		}
	}
	x.Class, x.Key = nil, nil
	if y := x.Pick(1); y.Class != nil || y.Key != nil {
		t.Errorf("%v, %v", y.Class, y.Key)
	}
}

// A wrapped model is another network with the weights that m has now; it computes in m's precision, and m stays what it is.
func TestWrapped(t *testing.T) {
	m := interptest.Linear().Float64()
	w, err := interp.NewWeight(make([]float64, 3), 3)
	if err != nil {
		t.Fatal(err)
	}
	m, err = m.With(interp.Weights{"/logits/biases": w})
	if err != nil {
		t.Fatal(err)
	}
	double, err := m.Wrapped(func(spec *interp.Spec) {
		f := spec.Forward
		spec.Name, spec.Classes[0] = "double", "first"
		spec.Forward = func(s *model.Scope, x *Node) *Node { return MulScalar(f(s, x), 2) }
	})
	if err != nil {
		t.Fatal(err)
	}
	x := interptest.Images(m, 2, 1)
	a, err := m.Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	b, err := double.Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range a.Logits.Data {
		if b.Logits.Data[i] != 2*v {
			t.Errorf("logit %d is %g, and wrapped %g", i, v, b.Logits.Data[i])
		}
	}
	if double.String() != "double in float64" || double.ClassName(0) != "first" || m.ClassName(0) == "first" {
		t.Errorf("%s with class %s, and %s with class %s", double, double.ClassName(0), m, m.ClassName(0))
	}
	if _, err := m.Wrapped(func(spec *interp.Spec) { spec.Forward = nil }); err == nil || !strings.Contains(err.Error(), "Forward is nil") {
		t.Errorf("error %v", err)
	}
}
