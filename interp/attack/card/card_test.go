package card_test

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
	"lucigo/interp/attack"
	"lucigo/interp/attack/card"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/models/scenes"
)

var ctx = context.Background()

// small is a network with a convolution and a dense layer.
func small(s *model.Scope, x *graph.Node) *graph.Node {
	h := layer.Tanh(layer.Conv(s.At("conv"), x, 5, layer.Square(3, 2, 1)))
	return layer.Dense(s.At("logits"), layer.Flatten(h), interptest.Classes)
}

// defended are defences that only make attacks weaker, each with the flag that it must raise.
var defended = []struct {
	name    string
	kind    card.Kind
	forward layer.Forward
}{
	{"noise that hangs on every digit of the image", card.Randomised, func(s *model.Scope, x *graph.Node) *graph.Node {
		noise := graph.Sin(graph.MulScalar(layer.Dense(s.At("noise"), layer.Flatten(x), interptest.Classes), 1e6))
		return graph.Add(small(s, x), noise)
	}},
	{"softmax", card.Softmax, func(s *model.Scope, x *graph.Node) *graph.Node { return graph.Softmax(small(s, x)) }},
	{"100 × softmax", card.Softmax, func(s *model.Scope, x *graph.Node) *graph.Node {
		return graph.MulScalar(graph.Softmax(small(s, x)), 100)
	}},
	{"logits × 10,000", card.NoGradient, func(s *model.Scope, x *graph.Node) *graph.Node { return graph.MulScalar(small(s, x), 1e4) }},
	{"quantised input", card.NoGradient, func(s *model.Scope, x *graph.Node) *graph.Node {
		return small(s, graph.DivScalar(graph.Round(graph.MulScalar(x, 16)), 16))
	}},
	{"thermometer code", card.NoGradient, func(s *model.Scope, x *graph.Node) *graph.Node {
		var code []*graph.Node
		for k := range 15 {
			code = append(code, graph.ConvertDType(graph.GreaterThan(x, graph.Scalar(x.Graph(), x.DType(), float64(k+1)/16)), x.DType()))
		}
		return small(s, graph.Concatenate(code, -1))
	}},
	{"a gradient for 8-bit images alone", card.OneStepBeatsMany, func(s *model.Scope, x *graph.Node) *graph.Node {
		levels := graph.MulScalar(x, 255)
		off := graph.ReduceAndKeep(graph.Abs(graph.Sub(levels, graph.Round(levels))), graph.ReduceMax, 1, 2, 3)
		passes := graph.StopGradient(graph.ConvertDType(graph.LessThan(off, graph.Scalar(x.Graph(), x.DType(), .01)), x.DType()))
		return small(s, graph.Add(graph.Mul(x, passes), graph.Mul(graph.StopGradient(x), graph.OneMinus(passes))))
	}},
	{"no gradient", card.BlackBoxBeatsWhite, func(s *model.Scope, x *graph.Node) *graph.Node { return small(s, graph.StopGradient(x)) }},
	{"a gradient that points back", card.BlackBoxBeatsWhite, func(s *model.Scope, x *graph.Node) *graph.Node {
		return small(s, graph.Sub(graph.MulScalar(graph.StopGradient(x), 2), x))
	}},
	{"no gradient", card.LargerDoesNotHelp, func(s *model.Scope, x *graph.Node) *graph.Node { return small(s, graph.StopGradient(x)) }},
	{"refuses what is not of 8 bits", card.Refuses, func(s *model.Scope, x *graph.Node) *graph.Node {
		levels := graph.MulScalar(x, 255)
		off := graph.ReduceMax(graph.Abs(graph.Sub(levels, graph.StopGradient(graph.Round(levels)))), 1, 2, 3)
		logits := graph.SliceAxis(small(s, x), 1, graph.AxisRange(0, interptest.Classes-1))
		refused := graph.Add(graph.ReduceMax(logits, 1), graph.MulScalar(graph.AddScalar(off, -.2), 10))
		return graph.Concatenate([]*graph.Node{logits, graph.ExpandAxes(refused, -1)}, 1)
	}},
	{"steps down its own gradient", card.Optimises, func(s *model.Scope, x *graph.Node) *graph.Node {
		for range 2 {
			logits := small(s, x)
			x = graph.Sub(x, graph.MulScalar(graph.Gradient(graph.ReduceAllSum(graph.Square(logits)), x)[0], .001))
		}
		return small(s, x)
	}},
}

// quick is a card that is soon done.
var quick = card.Card{
	Radii: []float64{4. / 255, 12. / 255},
	Attacks: []attack.Attack{
		attack.Noise{Tries: 3}, attack.FGSM{}, attack.PGD{Steps: 10}, attack.APGD{Steps: 10, Loss: attack.Margin}, attack.Square{Queries: 80},
	},
}

// eight returns images of 8 bits.
func eight(m *interp.Model, n int) interp.Images {
	x := interptest.Images(m, n, 5)
	for i, v := range x.Pix {
		x.Pix[i] = math.Round(v*255) / 255
	}
	return x
}

func examine(t *testing.T, c card.Card, m *interp.Model, x interp.Images) card.Report {
	t.Helper()
	r, err := c.Of(ctx, m, x)
	if err != nil {
		t.Fatalf("%s: %v", m, err)
	}
	for _, f := range r.Flags {
		t.Logf("%s: %s", m, f)
		if f.Remedy == "" || f.Saw == "" {
			t.Errorf("%s: %+v", m, f)
		}
	}
	return r
}

func TestFlagsOfDefences(t *testing.T) {
	interptest.Unchecked()
	for _, d := range defended {
		t.Run(d.name, func(t *testing.T) {
			m := interptest.Model(d.name, d.forward, [3]int{interptest.Size, interptest.Size, 3}, interptest.Classes, 3)
			r := examine(t, quick, m, eight(m, 24))
			if !slices.ContainsFunc(r.Flags, func(f card.Flag) bool { return f.Kind == d.kind }) {
				t.Errorf("does not raise %q: %v, worst %v", d.kind, r.Flags, r.Worst.Right)
				for _, l := range r.Lines {
					t.Logf("%s %v", l.Name, l.Right)
				}
			}
		})
	}
}

// sideBySide asks a network about an image, its mirror image and a blurred one. No answer depends on another.
func sideBySide(s *model.Scope, x *graph.Node) *graph.Node {
	sum := small(s, x)
	for _, other := range []*graph.Node{graph.Reverse(x, 2), graph.DivScalar(graph.Add(x, graph.Reverse(x, 1)), 2)} {
		sum = graph.Add(sum, small(s, other))
	}
	return sum
}

func TestNoFlagsOfHonestNetworks(t *testing.T) {
	interptest.Unchecked()
	three := interptest.Model("three side by side", sideBySide, [3]int{interptest.Size, interptest.Size, 3}, interptest.Classes, 3)
	for _, m := range []*interp.Model{interptest.Branchy(), interptest.Smooth(), interptest.Linear(), three} {
		if r := examine(t, quick, m, eight(m, 24)); len(r.Flags) > 0 || r.Worst.Right[2].Value() > .9 {
			t.Errorf("%s: %v, worst %v", m, r.Flags, r.Worst.Right)
		}
	}
}

// TestScenes: neither the standard nor the robust network raises a flag, the robust one stands longer, and the worst case is what it says.
func TestScenes(t *testing.T) {
	interptest.Unchecked()
	x := scenes.Task{}.Images(9, 24, 64)
	worst := map[string]card.Line{}
	for name, open := range map[string]func() (*interp.Model, error){"standard": scenes.Standard, "robust": scenes.Robust} {
		m, err := open()
		if err != nil {
			t.Fatal(err)
		}
		c := quick
		c.Radii = []float64{4. / 255}
		c.Attacks = []attack.Attack{attack.Noise{}, attack.FGSM{}, attack.PGD{Steps: 5}, attack.Square{Queries: 20}}
		r := examine(t, c, m, x)
		if len(r.Flags) > 0 || len(r.Corruptions) != len(card.Corruptions) {
			t.Errorf("%s: %v", name, r.Flags)
		}
		for _, l := range slices.Concat(r.Lines, r.Corruptions) {
			t.Logf("%s: %s %v", name, l.Name, l.Right)
			for k, s := range l.Right {
				if k < len(r.Worst.Right) && len(l.At) == len(r.Worst.At) && s.Right < r.Worst.Right[k].Right {
					t.Errorf("%s: %s leaves %v, and the worst case %v", name, l.Name, s, r.Worst.Right[k])
				}
			}
		}
		worst[name] = r.Worst
	}
	if s, r := worst["standard"].Right[1], worst["robust"].Right[1]; r.Right < s.Right+8 {
		t.Errorf("of the standard network %v are left, of the robust one %v", s, r)
	}
}

// TestInterrupted: what was measured before ctx ended is in the report.
func TestInterrupted(t *testing.T) {
	m := interptest.Smooth()
	x := eight(m, 6)
	stopped, stop := context.WithCancel(ctx)
	c, seen := quick, 0
	c.Progress = func(what string, done, of int) {
		if done != seen || of != 2*5+25+2 {
			t.Errorf("%s is part %d of %d, and %d were begun", what, done, of, seen)
		}
		if seen++; seen == 1+25+5+3 { // in the middle of the second radius
			stop()
		}
	}
	r, err := c.Of(stopped, m, x)
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	whole := examine(t, quick, m, x)
	if len(r.Worst.At) != 2 || len(r.Corruptions) != 5 || len(r.Lines[0].At) != 3 || len(r.Lines[4].At) != 2 {
		t.Errorf("%+v", r)
	}
	for k, l := range r.Lines {
		if !slices.Equal(l.Right, whole.Lines[k].Right[:len(l.Right)]) {
			t.Errorf("%s: %v, and whole %v", l.Name, l.Right, whole.Lines[k].Right)
		}
	}
}

func TestBadInput(t *testing.T) {
	m := interptest.Smooth()
	x := eight(m, 2)
	for _, c := range []struct {
		c    card.Card
		want string
	}{
		{card.Card{Norm: attack.Norm0}, "Norm is L0"},
		{card.Card{Radii: []float64{.2, .1}}, "Radii is [0.2 0.1]"},
		{card.Card{Radii: []float64{0, .1}}, "above 0"},
		{card.Card{Radii: []float64{math.NaN()}}, "above 0"},
		{card.Card{Attacks: []attack.Attack{nil}}, "nil"},
		{card.Card{Radii: []float64{8}}, "255"},
	} {
		if _, err := c.c.Of(ctx, m, x); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v does not say %q", err, c.want)
		}
	}
	x.Pix[0] = 200
	if _, err := quick.Of(ctx, m, x); err == nil || !strings.Contains(err.Error(), "200") {
		t.Errorf("%v", err)
	}
}

// A network that is never right has a card with no attacks on it.
func TestNeverRight(t *testing.T) {
	m := interptest.Smooth()
	x := eight(m, 5)
	p, err := m.Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range p.Top1() {
		x.Class = append(x.Class, (c+1)%interptest.Classes)
	}
	if r := examine(t, quick, m, x); r.Clean.Right != 0 || len(r.Lines) != 0 || len(r.Corruptions) != 5 {
		t.Errorf("%+v", r)
	}
}
