package attack_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/attack"
	"lucigo/interp/interptest"
)

// labels answers with what a model says, or with what lie makes of it.
type labels struct {
	m     *interp.Model
	asked *int
	lie   func([]int) []int
}

func (l labels) Labels(ctx context.Context, x interp.Images) ([]int, error) {
	p, err := l.m.Predict(ctx, x)
	if err != nil {
		return nil, err
	}
	if l.asked != nil {
		*l.asked += x.N
	}
	if l.lie != nil {
		return l.lie(p.Top1()), nil
	}
	return p.Top1(), nil
}

// labelOnly are the attacks that need labels alone.
var labelOnly = []attack.Attack{attack.Noise{Tries: 5}, attack.HopSkipJump{Queries: 300, First: 20}, attack.Boundary{Queries: 300}}

// TestLabels: from labels alone an attack finds what it finds where scores are known, and counts what it asks.
func TestLabels(t *testing.T) {
	m := interptest.Smooth()
	x := interptest.Images(m, 6, 2)
	p, err := m.Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	x.Class = p.Top1()
	x.Class[2] = (x.Class[2] + 1) % interptest.Classes
	for _, a := range labelOnly {
		asked := 0
		j := attack.Judge{Ball: attack.L2(3), Seed: 5}
		want := try(t, j, m, a, x)
		got, err := j.TryLabels(ctx, labels{m, &asked, nil}, a, x)
		if err != nil {
			t.Fatalf("%s: %v", a, err)
		}
		spent := x.N
		for i, v := range got.Verdicts {
			w := want.Verdicts[i]
			if v.Fooled != w.Fooled || v.Wrong != w.Wrong || v.After.Class != w.After.Class || v.Forward != w.Forward || v.After.Prob == v.After.Prob {
				t.Errorf("%s: image %d: %+v, and with scores %+v", a, i, v, w)
			}
			if d := math.Abs(v.L2 - w.L2); v.Fooled && d > .02*w.L2 { // with scores, what rounding may change is refused
				t.Errorf("%s: image %d is %g away, and with scores %g", a, i, v.L2, w.L2)
			}
			spent += v.Forward
		}
		if spent != asked || !got.Verdicts[2].Wrong || got.Fooled() == 0 {
			t.Errorf("%s: %d were asked and %d counted, %g are fooled, %+v", a, asked, spent, got.Fooled(), got.Verdicts[2])
		}
	}
}

// TestLabelsNearest: of a linear network it is known where another class begins, and labels lead to the nearest point of it.
func TestLabelsNearest(t *testing.T) {
	m := interptest.Linear().Float64()
	x := interptest.Images(m, 12, 11)
	for i, v := range x.Pix { // so far from 0 and 1 that [0, 1] cuts nothing
		x.Pix[i] = .4 + .2*v
	}
	p, err := m.Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		a    attack.Attack
		norm attack.Norm
	}{
		{attack.HopSkipJump{Queries: 6000}, attack.Norm2},
		{attack.HopSkipJump{Queries: 6000}, attack.NormInf},
		{attack.Boundary{Queries: 6000}, attack.Norm2},
	} {
		r := try(t, attack.Judge{Ball: attack.Anywhere(c.norm)}, m, c.a, x)
		reached := 0
		for i, v := range r.Verdicts {
			if v.Forward > 6000 {
				t.Errorf("%s: image %d cost %d queries", c.a, i, v.Forward)
			}
			least := least(m, p, i, v.Class, v.After.Class, c.norm) // of the class that it came to, which need not be the nearest
			got := map[attack.Norm]float64{attack.Norm2: v.L2, attack.NormInf: v.Linf}[c.norm]
			if !v.Fooled || least > .35 {
				continue
			}
			reached++
			if got > least*1.05 || got < least*(1-1e-6) {
				t.Errorf("%s, %s: image %d is %g away, and the nearest is %g", c.a, c.norm, i, got, least)
			}
		}
		if reached < 3 {
			t.Errorf("%s, %s: %d images are looked at", c.a, c.norm, reached)
		}
	}
}

// least is the distance of image i of a linear network, which is in the given class, from where another one begins.
func least(m *interp.Model, p interp.Prediction, i, class, other int, n attack.Norm) float64 {
	rows := interptest.Rows(m)
	var sum, square float64
	for k, v := range rows[other] {
		d := v - rows[class][k]
		sum, square = sum+math.Abs(d), square+d*d
	}
	if n == attack.Norm2 {
		sum = math.Sqrt(square)
	}
	return (p.Logits.Of(i)[class] - p.Logits.Of(i)[other]) / sum
}

// TestLabelsFrom: images of the target class to begin from lead to it, and where none is given and random ones do not, nothing is found.
func TestLabelsFrom(t *testing.T) {
	m := interptest.Smooth()
	x := interptest.Images(m, 60, 7)
	p, err := m.Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	target := p.Top1()[0]
	var others []int
	for i, c := range p.Top1() {
		if c != target {
			others = append(others, i)
		}
	}
	y := x.Slice(others[0], others[0]+1)
	for _, a := range []attack.Attack{attack.HopSkipJump{Queries: 500, From: x.Slice(0, 1)}, attack.Boundary{Queries: 500, From: x.Slice(0, 1)}} {
		r := try(t, attack.Judge{Ball: attack.Anywhere(attack.Norm2), Goal: attack.To(target)}, m, a, y)
		if v, far := r.Verdicts[0], attack.Norm2.Distance(x.Of(0), y.Of(0), 1); !v.Fooled || v.After.Class != target || v.L2 > .9*far {
			t.Errorf("%s: %+v, and it began %g away", a, v, far)
		}
		if !strings.Contains(a.String(), "from 1 images") {
			t.Errorf("%s does not say where it begins", a)
		}
	}
}

func TestBadLabels(t *testing.T) {
	m := interptest.Smooth()
	x := interptest.Images(m, 3, 2)
	p, err := m.Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		l    attack.Labeler
		a    attack.Attack
		goal attack.Goal
		want string
	}{
		{labels{m: m}, attack.FGSM{}, attack.Goal{}, "FGSM(cross-entropy) needs scores"},
		{nil, attack.Noise{}, attack.Goal{}, "nil"},
		{labels{m: m, lie: func(c []int) []int { return c[1:] }}, attack.Noise{}, attack.Goal{}, "2 labels were answered for 3 images"},
		{labels{m: m, lie: func(c []int) []int { c[1] = -1; return c }}, attack.Noise{}, attack.Goal{}, "label of image 1 is -1"},
		{labels{m: m}, attack.Noise{}, attack.To(p.Top1()...), "target of image 0"},
	} {
		_, err := attack.Judge{Ball: attack.Linf(.1), Goal: c.goal}.TryLabels(ctx, c.l, c.a, x)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q does not say %q", err, c.want)
		}
	}
}
