package attack_test

import (
	"context"
	"slices"
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
var labelOnly = []attack.Attack{attack.Noise{Tries: 5}}

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
			if v.Fooled && !slices.Equal(got.Images.Of(i), want.Images.Of(i)) {
				t.Errorf("%s: image %d differs from that with scores", a, i)
			}
			spent += v.Forward
		}
		if spent != asked || !got.Verdicts[2].Wrong || got.Fooled() == 0 {
			t.Errorf("%s: %d were asked and %d counted, %g are fooled, %+v", a, asked, spent, got.Fooled(), got.Verdicts[2])
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
