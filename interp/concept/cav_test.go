package concept

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
)

// smooth returns a network of three layers without kinks: its second is tanh of a matrix times its first.
func smooth() *interp.Model {
	return interptest.Model("smooth", func(s *model.Scope, x *graph.Node) *graph.Node {
		one := layer.At("one", layer.Dense(s.At("one"), layer.Flatten(x), 5))
		two := layer.At("two", layer.Tanh(layer.Dense(s.At("two"), one, 4)))
		return layer.Dense(s.At("logits"), two, 3)
	}, [3]int{2, 3, 1}, 3, 1)
}

// unit returns a random direction.
func unit(layer string, seed uint64, shape ...int) CAV {
	n := 1
	for _, d := range shape {
		n *= d
	}
	x, _ := examples(1, n, 0, seed)
	length := math.Sqrt(dot(x[0], x[0]))
	for i := range x[0] {
		x[0][i] /= length
	}
	return CAV{Layer: layer, Shape: shape, Vector: x[0]}
}

// Where the later layer is tanh of a matrix times the earlier one, it changes by the matrix times the direction, times tanh's slope.
func TestLawConsistency(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := smooth().On(e.Backend)
		x := interptest.Images(m, 3, 1)
		first, second := unit("one", 1, 5), unit("two", 2, 4)
		w := m.Weights()["/two/weights"].Values() // 5×4
		two := must(m.Float64().Activations(ctx, x, "two"))[0]
		want := func(image int) float64 {
			change := make([]float64, 4)
			for k := range change {
				for i, v := range first.Vector {
					change[k] += v * w[4*i+k]
				}
				change[k] *= 1 - two.Of(image)[k]*two.Of(image)[k]
			}
			return dot(change, second.Vector) / math.Sqrt(dot(change, change))
		}
		for _, c := range []struct {
			m     *interp.Model
			bound float64
		}{{m, 1e-3}, {m.Float64(), 1e-6}} {
			for i, got := range must(Consistency(ctx, c.m, first, second, x)) {
				if !(math.Abs(got-want(i)) <= c.bound) {
					t.Errorf("image %d: %g, want %g", i, got, want(i))
				}
			}
		}
	})
	m := smooth()
	if _, err := Consistency(ctx, m, unit("one", 1, 5), unit("one", 2, 5), interptest.Images(m, 1, 1)); err == nil {
		t.Error("a layer was compared with itself")
	}
	if v, err := Consistency(ctx, m, unit("two", 1, 4), unit("one", 2, 5), interptest.Images(m, 2, 1)); err == nil && !math.IsNaN(v[0]) {
		t.Errorf("what a later layer does to an earlier one is %v", v)
	}
}

// Products of rows that do not fit the device's parts are those of the rows.
func TestLawProducts(t *testing.T) {
	x, _ := examples(3, 2*columns+100, 0, 1)
	var rows [][]float32
	for _, v := range x {
		row := make([]float32, len(v))
		for i := range v {
			row[i] = float32(v[i])
			v[i] = float64(row[i])
		}
		rows = append(rows, row)
	}
	got := must(products(ctx, interptest.Branchy().Float64(), rows))
	for i := range x {
		for j := range x {
			if want := dot(x[i], x[j]); !(math.Abs(got[3*i+j]-want) <= 1e-8) {
				t.Errorf("product %d, %d is %g, want %g", i, j, got[3*i+j], want)
			}
		}
	}
}

// What neither rises nor falls counts half.
func TestStep(t *testing.T) {
	for v, want := range map[float64]float64{-2: 0, 0: .5, 1e-300: 1} {
		if got := step(v); got != want {
			t.Errorf("step of %g is %g", v, got)
		}
	}
	if got := step(math.NaN()); !math.IsNaN(got) {
		t.Errorf("step of NaN is %g", got)
	}
}

// Images are ordered by the scalar product of their activations with the vector.
func TestLawOrder(t *testing.T) {
	m := interptest.Branchy().Float64()
	x := interptest.Images(m, 9, 3)
	rows := must(m.Activations(ctx, x, "mixed"))[0]
	c := unit("mixed", 4, rows.Shape...)
	order, along, err := c.Order(ctx, m, x)
	if err != nil {
		t.Fatal(err)
	}
	for i := range x.N {
		if want := dot(rows.Of(i), c.Vector); !(math.Abs(along[i]-want) <= 1e-9) {
			t.Errorf("image %d lies at %g, want %g", i, along[i], want)
		}
	}
	if !slices.IsSortedFunc(order, func(a, b int) int { return int(math.Copysign(1, along[b]-along[a])) }) || len(order) != 9 {
		t.Errorf("order %v of %v", order, along)
	}
	norms := must(c.Norms())
	sum := 0.
	for p, v := range norms {
		part := c.Vector[p*rows.Shape[2] : (p+1)*rows.Shape[2]]
		if want := math.Sqrt(dot(part, part)); !(math.Abs(v-want) <= 1e-12) {
			t.Errorf("position %d: %g, want %g", p, v, want)
		}
		sum += v * v
	}
	if !(math.Abs(sum-1) <= 1e-12) {
		t.Errorf("the squares sum up to %g", sum)
	}
	if _, err := unit("head", 1, 5).Norms(); err == nil || !strings.Contains(err.Error(), "must have positions") {
		t.Errorf("a layer without positions: %v", err)
	}
}

// The direction is the classifier's, from all images of the others to the concept's; and where the two are the same thing P is any number.
func TestLawRelative(t *testing.T) {
	m := interptest.Branchy().Float64()
	x, o := interptest.Images(m, 20, 5), objective.LogitOf(0)
	all := sets(m, 3, 12, .5)
	r := must(Relative{Layer: "head", Permutations: 199}.Run(ctx, m, o, all[0], all[1:], x))
	others := must(interp.Join(all[1].Images, all[2].Images))
	var examples [][]float64
	var labels []float64
	for side, of := range []interp.Images{all[0].Images, others} {
		rows := must(m.Activations(ctx, of, "head"))[0]
		for i := range of.N {
			examples, labels = append(examples, rows.Of(i)), append(labels, float64(1-2*side))
		}
	}
	w, _ := direction(t, Logistic{}, examples, labels)
	length := math.Sqrt(dot(w, w))
	_, slopes, _, err := m.GradientAt(ctx, o, nil, x, "head")
	if err != nil {
		t.Fatal(err)
	}
	score, rise := 0., 0.
	for i := range x.N {
		along := dot(w, slopes.Of(i)) / length
		rise += along / float64(x.N)
		score += step(along) / float64(x.N)
	}
	if !(math.Abs(score-r.Score) <= 1e-12) || !(math.Abs(rise-r.Rise) <= 1e-6) {
		t.Errorf("score %g, rise %g, want %g, %g", r.Score, r.Rise, score, rise)
	}
	for i, v := range r.CAV.Vector {
		if !(math.Abs(v-w[i]/length) <= 1e-6) {
			t.Errorf("number %d of the vector is %g, want %g", i, v, w[i]/length)
		}
	}
	if !(r.P <= .02) {
		t.Errorf("brightness against none has P %g", r.P)
	}
	if r := must(Relative{Layer: "head", Permutations: 19}.Run(ctx, m, o, all[0], all[1:], x)); r.P != .05 {
		t.Errorf("with 19 permutations, none of which rises as much, P is %g", r.P)
	}
	alarms := 0.
	const trials = 60
	random := sets(m, 2*trials+1, 10, 0)
	for k := range trials {
		v := must(Relative{Layer: "head", Permutations: 99, Classifier: MeanDifference{}}.Run(ctx, m, o, random[2*k+1], random[2*k+2:2*k+3], x))
		alarms += step(.05-v.P) / trials
	}
	t.Logf("of %d pairs of random sets %.3f have P below .05", trials, alarms)
	if !(alarms <= .12) {
		t.Errorf("of %d pairs of random sets %g have P below .05", trials, alarms)
	}
}

func TestBadRelative(t *testing.T) {
	m := interptest.Branchy()
	all := sets(m, 2, 9, .5)
	x := interptest.Images(m, 4, 5)
	for want, c := range map[string]struct {
		r      Relative
		others []Set
		x      interp.Images
	}{
		"no others":         {Relative{Layer: "head"}, nil, x},
		"Permutations is 5": {Relative{Layer: "head", Permutations: 5}, all[1:], x},
		"no images":         {Relative{Layer: "head"}, all[1:], interp.Images{}},
		"too: nothing can":  {Relative{Layer: "head"}, []Set{{"again", all[0].Images}}, x},
		"no layer":          {Relative{Layer: "haed"}, all[1:], x},
		"C is -2":           {Relative{Layer: "head", Classifier: Logistic{-2}}, all[1:], x},
	} {
		if _, err := c.r.Run(ctx, m, objective.Logit, all[0], c.others, c.x); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q: %v", want, err)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := (Relative{Layer: "head"}).Run(ended, m, objective.Logit, all[0], all[1:], x); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
