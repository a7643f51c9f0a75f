package concept

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/measure"
	"lucigo/interp/objective"
)

var ctx = context.Background()

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// sets are of random images; those of the first are brighter at the left.
func sets(m *interp.Model, n, size int, bright float64) (all []Set) {
	for k := range n {
		x := interptest.Images(m, size, uint64(100+k))
		for i := range x.N {
			for row := range x.H {
				for column := range x.W / 2 {
					for c, v := range x.Pixel(i, row, column) {
						if k == 0 {
							x.Pixel(i, row, column)[c] = v + bright*(1-v)
						}
					}
				}
			}
		}
		all = append(all, Set{Name: fmt.Sprint("set ", k), Images: x})
	}
	return all
}

// A study is what its parts are, computed one by one: activations, slopes, a classifier for each pair of sets, and the share of
// slopes along its direction.
func TestLawStudyBySlowDefinition(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		m := interptest.Branchy().Float64().On(e.Backend)
		x, o := interptest.Images(m, 7, 5), objective.LogitOf(2)
		all := sets(m, 6, 9, .3)
		for _, c := range []Classifier{Logistic{}, Hinge{}, MeanDifference{}} {
			study := Study{Layers: []string{"branch", "head"}, Classifier: c, Memory: 1} // so little that layers are computed one by one
			r := must(study.Run(ctx, m, o, all[:2], all[2:], x))
			study.Memory = 0
			if again := must(study.Run(ctx, m, o, all[:2], all[2:], x)); fmt.Sprint(again) != fmt.Sprint(r) {
				t.Errorf("%s: with all layers at once %v, one by one %v", c, again, r)
			}
			for k, name := range study.Layers {
				_, slopes, _, err := m.GradientAt(ctx, o, nil, x, name)
				if err != nil {
					t.Fatal(err)
				}
				for a := range 2 {
					got := r.Layers[k].Results[a]
					mean := make([]float64, len(slopes.Of(0)))
					var scores, right []float64
					for _, against := range all[2:] {
						v, accuracy := slow(t, study, m, name, all[a].Images, against.Images)
						share := 0.
						for i := range x.N {
							if dot(v, slopes.Of(i)) > 0 {
								share += 1. / 7
							}
						}
						scores, right = append(scores, share), append(right, accuracy)
						for i := range v {
							mean[i] += v[i] / math.Sqrt(dot(v, v))
						}
					}
					length := math.Sqrt(dot(mean, mean))
					for i, v := range got.CAV.Vector {
						if !(math.Abs(v-mean[i]/length) <= 1e-5) {
							t.Fatalf("%s, %s: number %d of the vector is %g, want %g", c, name, i, v, mean[i]/length)
						}
					}
					for i := range scores {
						if !(math.Abs(scores[i]-got.Scores[i]) <= 1e-12) {
							t.Errorf("%s, %s, counterpart %d: score %g, want %g", c, name, i, got.Scores[i], scores[i])
						}
					}
					if want := measure.Estimated(right); !(math.Abs(want.Mean-got.Accuracy.Mean) <= 1e-12) {
						t.Errorf("%s, %s: accuracy %v, want %v", c, name, got.Accuracy, want)
					}
					if want := (length*length/4 - 1) / 3; !(math.Abs(want-got.Stability) <= 1e-5) {
						t.Errorf("%s, %s: stability %g, want %g", c, name, got.Stability, want)
					}
				}
				if mean := measure.Estimated(r.Layers[k].Random).Mean; !(math.Abs(mean-.5) <= 1e-12) {
					t.Errorf("%s, %s: random sets have mean score %g with each other", c, name, mean)
				}
				first, second := r.Layers[k].Results[0].CAV.Vector, r.Layers[k].Results[1].CAV.Vector
				if got := r.Layers[k].Alike; !(math.Abs(got[0][1]-dot(first, second)) <= 1e-5) || !(math.Abs(got[0][0]-1) <= 1e-6) {
					t.Errorf("%s, %s: cosines %v, want %g", c, name, got, dot(first, second))
				}
			}
		}
	})
}

// slow returns the direction from b to a, in the space of the activations, and its accuracy on what is held out.
func slow(t *testing.T, s Study, m *interp.Model, name string, a, b interp.Images) (w []float64, accuracy float64) {
	t.Helper()
	sets := []int{a.N, b.N}
	rows := must(m.Activations(ctx, must(interp.Join(a, b)), name))[0]
	var x [][]float64
	var labels []float64
	for set, y := range []float64{1, -1} {
		in, _ := s.rows(sets, set)
		for _, i := range in {
			x, labels = append(x, rows.Of(i)), append(labels, y)
		}
	}
	w, bias := direction(t, s.classifier(), x, labels)
	n := 0.
	for set, y := range []float64{1, -1} {
		_, out := s.rows(sets, set)
		for _, i := range out {
			n++
			if y*(dot(w, rows.Of(i))+bias) > 0 {
				accuracy++
			}
		}
	}
	return w, accuracy / n
}

// What is held out is a third of each set, of which no image is trained with.
func TestHeldOut(t *testing.T) {
	train, held := Study{}.rows([]int{9, 30, 2}, 1)
	all := slices.Concat(train, held)
	slices.Sort(all)
	if len(held) != 10 || len(all) != 30 || all[0] != 9 || all[29] != 38 || len(slices.Compact(all)) != 30 {
		t.Errorf("train %v, held %v", train, held)
	}
}

// A random set is significant as often as P says, whichever the counterparts are. The test that is in wide use finds most of them.
func TestFalseAlarms(t *testing.T) {
	m := interptest.Branchy()
	x := interptest.Images(m, 40, 5)
	const draws, trials = 25, 8
	all := sets(m, draws*(20+trials), 12, 0)
	alarms, published, found := 0., 0., 0.
	for k := range draws {
		of := all[k*(20+trials) : (k+1)*(20+trials)]
		r := must(Study{Layers: []string{"head"}, Classifier: MeanDifference{}}.Run(ctx, m, objective.LogitOf(2), of[:trials], of[trials:], x))
		for _, v := range r.Layers[0].Results {
			alarms += step(.05-v.P) / (draws * trials)
			published += step(.05-v.PublishedP) / (draws * trials)
			if v.Found {
				found += 1. / (draws * trials)
			}
		}
	}
	t.Logf("of %d random sets %.3f have P below .05 and %.3f PublishedP; %.3f are found", draws*trials, alarms, published, found)
	if !(alarms <= .08) || !(found <= .08) || !(published >= .5) {
		t.Errorf("of %d random sets %.3f have P below .05 and %.3f PublishedP; %.3f are found", draws*trials, alarms, published, found)
	}
}

// A set whose images have something in common is found, and where the network uses it its rise is significant and its score far from ½;
// a random set is neither.
func TestConceptIsFound(t *testing.T) {
	m := interptest.Branchy()
	all := sets(m, 22, 30, .5)
	r := must(Study{Layers: []string{"mixed", "head"}}.Run(ctx, m, objective.LogitOf(0), all[:2], all[2:], interptest.Images(m, 40, 5)))
	for _, l := range r.Layers {
		for k, v := range l.Results {
			if found := k == 0; v.Found != found || v.P < .06 != found || (math.Abs(v.Score.Mean-.5) > .45) != found || v.Corrected != min(1, 4*v.P) {
				t.Errorf("%s at %s: score %.2f, rise %.3f, P %.2g corrected %.2g, found %t", r.Concepts[k], l.Name, v.Score.Mean, v.Rise.Mean, v.P, v.Corrected, v.Found)
			}
		}
	}
}

// Where all activations are equal there is no direction, and nothing is made of it.
func TestConstantLayer(t *testing.T) {
	m := interptest.Branchy()
	weights := m.Weights()
	changes := interp.Weights{}
	for path, w := range weights {
		if strings.HasPrefix(path, "/head/") {
			zero := make([]float64, len(w.Values()))
			changes[path] = must(interp.NewWeight(zero, w.Dims()...))
		}
	}
	m = must(m.With(changes))
	all := sets(m, 6, 9, .5)
	r := must(Study{Layers: []string{"head"}}.Run(ctx, m, objective.LogitOf(1), all[:1], all[1:], interptest.Images(m, 4, 5)))
	v := r.Layers[0].Results[0]
	if v.Found || v.Score.N != 0 || !math.IsNaN(v.P) || !math.IsNaN(v.Corrected) || !math.IsNaN(v.Accuracy.Mean) {
		t.Errorf("of a constant layer: %+v", v)
	}
}

func TestBadStudies(t *testing.T) {
	m := interptest.Branchy()
	all := sets(m, 6, 9, .5)
	x := interptest.Images(m, 4, 5)
	good := Study{Layers: []string{"head"}}
	short := Set{Name: "short", Images: interptest.Images(m, 2, 1)}
	double := Set{Name: "double", Images: must(interp.Join(all[3].Images.Slice(4, 5), all[0].Images.Slice(1, 9)))}
	for want, run := range map[string]func() (Report, error){
		"Layers has none":      func() (Report, error) { return Study{}.Run(ctx, m, objective.Logit, all[:1], all[1:], x) },
		"no concepts":          func() (Report, error) { return good.Run(ctx, m, objective.Logit, nil, all[1:], x) },
		"2 random sets":        func() (Report, error) { return good.Run(ctx, m, objective.Logit, all[:1], all[1:3], x) },
		"no images of a class": func() (Report, error) { return good.Run(ctx, m, objective.Logit, all[:1], all[1:], interp.Images{}) },
		`"short" has 2 images`: func() (Report, error) { return good.Run(ctx, m, objective.Logit, []Set{short}, all[1:], x) },
		`image 0 of set "double`: func() (Report, error) {
			return good.Run(ctx, m, objective.Logit, all[1:2], append([]Set{double}, all[2:]...), x)
		},
		"must have as many": func() (Report, error) {
			return good.Run(ctx, m, objective.Logit, []Set{{"more", interptest.Images(m, 10, 1)}}, all[1:], x)
		},
		"must be 12×12×3 as those of the class": func() (Report, error) {
			return good.Run(ctx, m, objective.Logit, []Set{{"large", interptest.ImagesOf(9, 14, 12, 3, 1)}}, all[1:], x)
		},
		"Held is 1": func() (Report, error) {
			return Study{Layers: good.Layers, Held: 1}.Run(ctx, m, objective.Logit, all[:1], all[1:], x)
		},
		"Memory is -1": func() (Report, error) {
			return Study{Layers: good.Layers, Memory: -1}.Run(ctx, m, objective.Logit, all[:1], all[1:], x)
		},
		"C is -1": func() (Report, error) {
			return Study{Layers: good.Layers, Classifier: Logistic{-1}}.Run(ctx, m, objective.Logit, all[:1], all[1:], x)
		},
		"Alpha is -1": func() (Report, error) {
			return Study{Layers: good.Layers, Classifier: Hinge{-1}}.Run(ctx, m, objective.Logit, all[:1], all[1:], x)
		},
		`no layer "haed"; near it: head`: func() (Report, error) {
			return Study{Layers: []string{"haed"}}.Run(ctx, m, objective.Logit, all[:1], all[1:], x)
		},
	} {
		if _, err := run(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q: %v", want, err)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := good.Run(ended, m, objective.Logit, all[:1], all[1:], x); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Student's t by integration, and Welch's test as scipy.stats.ttest_ind(equal_var=False) has it.
func TestOracleSignificance(t *testing.T) {
	random := []float64{-.1, 0, .1, -.05, .05}
	s := math.Sqrt(.025 / 4)
	tt := .3 / (s * .8 * math.Sqrt(1.2))
	if got, want := Significance(.3, random), studentTail(tt, 4); !(math.Abs(got-want) <= 1e-9) {
		t.Errorf("P is %g, want %g", got, want)
	}
	if got := welch([]float64{1, 2, 3, 4}, []float64{2, 4, 6, 9, 9}); !(math.Abs(got-.06432142334681994) <= 1e-12) {
		t.Errorf("Welch's P is %g", got)
	}
}

// studentTail integrates Student's density from |t|, both sides, by Simpson's rule in s = atan(x/√ν).
func studentTail(t, nu float64) float64 {
	density := func(s float64) float64 { return math.Pow(math.Cos(s), nu-1) }
	integral := func(from, to float64) (sum float64) {
		const n = 2000
		for k := range n + 1 {
			w := 2. + 2*float64(k%2)
			if k == 0 || k == n {
				w = 1
			}
			sum += w * density(from+(to-from)*float64(k)/n) * (to - from) / n / 3
		}
		return sum
	}
	return integral(math.Atan(t/math.Sqrt(nu)), math.Pi/2) / integral(0, math.Pi/2)
}
