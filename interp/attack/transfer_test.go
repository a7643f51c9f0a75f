package attack

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/random"
)

// TestTransfer compares every number with a count of what the networks say.
func TestTransfer(t *testing.T) {
	dense := func(seed uint64) *interp.Model {
		return interptest.Model("dense", func(s *model.Scope, x *graph.Node) *graph.Node {
			return layer.Dense(s.At("logits"), layer.Flatten(x), interptest.Classes)
		}, [3]int{interptest.Size, interptest.Size, 3}, interptest.Classes, seed)
	}
	ctx, ms := context.Background(), []*interp.Model{interptest.Smooth(), dense(9), dense(10)}
	x := interptest.Images(ms[0], 80, 5)
	p, err := ms[0].Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	x.Class = p.Top1()
	for i := range 4 { // the first network is wrong here
		x.Class[i] = (x.Class[i] + 1) % interptest.Classes
	}
	next := make([]int, x.N)
	for i, c := range x.Class {
		next[i] = (c + 1) % interptest.Classes
	}
	for _, goal := range []Goal{{}, To(next...)} {
		j := Judge{Ball: L2(2), Goal: goal, Seed: 3}
		r, err := j.Transfer(ctx, FGSM{}, ms[:2], ms, x)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Cells) != 2 || len(r.Cells[0]) != 3 || r.From[1] != ms[1].Name() || r.To[2] != ms[2].Name() ||
			r.Attack != "FGSM(cross-entropy)" || r.Ball != j.Ball {
			t.Fatalf("%+v", r)
		}
		fell, quiet := 0.0, 0.0
		for a, from := range ms[:2] {
			made, err := j.Try(ctx, from, FGSM{}, x)
			if err != nil {
				t.Fatal(err)
			}
			for b, to := range ms {
				clean, err := to.Predict(ctx, x)
				if err != nil {
					t.Fatal(err)
				}
				after, err := to.Predict(ctx, made.Images)
				if err != nil {
					t.Fatal(err)
				}
				var both, fooled float64
				for i, v := range made.Verdicts {
					if !v.Wrong && clean.Top1()[i] == x.Class[i] {
						both++
						if answer := after.Top1()[i]; goal.target == nil && answer != x.Class[i] || goal.target != nil && answer == next[i] {
							fooled++
						}
					}
				}
				got := r.Cells[a][b]
				if both == 0 {
					if got.Images != 0 || !math.IsNaN(got.Fooled) || !math.IsNaN(got.Noise) {
						t.Errorf("from %s to %s no image counts: %+v", from, to, got)
					}
					continue
				}
				if got.Images != int(both) || math.Abs(got.Fooled-fooled/both) > 1e-12 {
					t.Errorf("from %s to %s: %+v, want %g of %g", from, to, got, fooled, both)
				}
				if a == b && got.Fooled != made.Fooled() {
					t.Errorf("on its own network the attack fools %g, and the judge said %g", got.Fooled, made.Fooled())
				}
				fell, quiet = fell+got.Fooled, quiet+got.Noise
			}
		}
		if !(fell > quiet) || quiet == 0 {
			t.Errorf("goal %v: the attack fools %g in all, noise %g: the test compares nothing", goal, fell, quiet)
		}
	}
}

// TestLawScrambled: the noise has the length of what it is made of, in every norm, and nothing else of it.
func TestLawScrambled(t *testing.T) {
	for seed := range uint64(20) {
		for _, channels := range []int{1, 3} {
			both := interptest.ImagesOf(2, 20, 20, channels, seed)
			x, y := both.Of(0), both.Of(1)
			for i := range y {
				switch {
				case i/channels%3 == 0:
					y[i] = x[i]
				case i%5 == 0:
					x[i], y[i] = 1, .95 // no room above
				default:
					y[i] = min(x[i]+.4*y[i], 1)
				}
			}
			z := scrambled(random.New(seed, 1, 2), x, y, channels)
			var along, length float64
			for i := range z {
				if z[i] < 0 || z[i] > 1 {
					t.Fatalf("number %d is %g", i, z[i])
				}
				along, length = along+(z[i]-x[i])*(y[i]-x[i]), length+(y[i]-x[i])*(y[i]-x[i])
			}
			for _, n := range []Norm{NormInf, Norm2, Norm1, Norm0} {
				if a, b := n.Distance(x, y, channels), n.Distance(x, z, channels); math.Abs(a-b) > 1e-9*a {
					t.Errorf("%s of the noise is %g, want %g", n, b, a)
				}
			}
			if c := along / length; math.Abs(c) > .25 { // 400 numbers of random sign: a standard deviation is .05
				t.Errorf("the noise has %g of the attack's direction", c)
			}
			var sum, sizes float64
			for i := range z {
				sum, sizes = sum+z[i]-x[i], sizes+math.Abs(z[i]-x[i])
			}
			if math.Abs(sum) > .3*sizes {
				t.Errorf("the signs are not random: the differences add up to %g, their magnitudes to %g", sum, sizes)
			}
			if slices.Equal(z, scrambled(random.New(seed+1, 1, 2), x, y, channels)) {
				t.Error("another seed gives the same noise")
			}
		}
	}
}

func TestTransferBadInput(t *testing.T) {
	m := interptest.Smooth()
	one := []*interp.Model{m}
	x := interptest.Images(m, 2, 1)
	known := x
	known.Class = []int{0, 1}
	b := Linf(.1)
	for _, c := range []struct {
		what     string
		j        Judge
		a        Attack
		from, to []*interp.Model
		x        interp.Images
		says     string
	}{
		{"no attack", Judge{Ball: b}, nil, one, one, known, "attack is nil"},
		{"no network", Judge{Ball: b}, FGSM{}, nil, one, known, "from 0 networks to 1"},
		{"nobody to show it to", Judge{Ball: b}, FGSM{}, one, nil, known, "from 1 networks to 0"},
		{"no truth", Judge{Ball: b}, FGSM{}, one, one, x, "Images.Class is nil"},
		{"no ball", Judge{}, FGSM{}, one, one, known, "Ball is absent"},
		{"other classes", Judge{Ball: b}, FGSM{}, one, []*interp.Model{interptest.Linear()}, known, "smooth has 4 classes and linear has 3"},
		{"a class that does not exist", Judge{Ball: b}, FGSM{}, one, one, x.Asked(9), "class 9"},
	} {
		if _, err := c.j.Transfer(context.Background(), c.a, c.from, c.to, c.x); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.what, err, c.says)
		}
	}
	stopped, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (Judge{Ball: b}).Transfer(stopped, FGSM{}, one, one, known); err == nil {
		t.Error("a context that has ended is no error")
	}
}

// With a target, another class is no success; an image that one of the networks gets wrong does not count.
func TestPassed(t *testing.T) {
	one := Verdict{Class: 0, Target: 1}
	verdicts := []Verdict{one, one, one, {Class: 2, Target: 1, Wrong: true}, {Class: 0, Target: -1}}
	got := passed(verdicts, []int{0, 0, 2, 2, 0}, []int{1, 2, 1, 1, 2}, []int{0, 1, 1, 1, 0})
	if want := (Passed{Images: 3, Fooled: 2. / 3, Noise: 1. / 3}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
