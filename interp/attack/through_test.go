package attack

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
)

// Through asks the other network for gradients, and the judge asks its own: PGD through a network that is the same finds what PGD finds, one
// whose gradient points back finds less than noise, and what is counted as fooled fools the network that is judged.
func TestThrough(t *testing.T) {
	ctx, m := context.Background(), interptest.Smooth()
	x := interptest.Images(m, 40, 5)
	judge := Judge{Ball: Linf(8. / 255)}
	back := interptest.Smooth()
	backward, err := back.Wrapped(func(spec *interp.Spec) {
		f := spec.Forward
		spec.Forward = backwards(f)
	})
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]float64{}
	for name, a := range map[string]Attack{
		"itself": PGD{}, "the same": Through{PGD{}, back}, "backward": Through{PGD{}, backward}, "both": Ensemble{Through{PGD{Steps: 1}, backward}, Through{PGD{}, back}},
	} {
		r, err := judge.Try(ctx, m, a, x)
		if err != nil {
			t.Fatal(err)
		}
		p, err := m.Predict(ctx, r.Images)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range r.Verdicts {
			if v.Fooled != (p.Top1()[i] != v.Class) {
				t.Errorf("%s: image %d: fooled %t, and the answer is %d of %d", name, i, v.Fooled, p.Top1()[i], v.Class)
			}
			if name != "both" && v.Fooled && v.By != r.Attack {
				t.Errorf("%s: image %d fell to %q, and the attack is %q", name, i, v.By, r.Attack)
			}
		}
		left[name] = r.Left()
	}
	if left["itself"] != left["the same"] || left["both"] > left["itself"]+.05 || left["backward"] < .9 || left["itself"] > .7 {
		t.Errorf("left: %v", left)
	}
	if _, err := judge.Try(ctx, m, Through{}, x); err == nil || !strings.Contains(err.Error(), "one is nil") {
		t.Errorf("error %v", err)
	}
	grey := interptest.Linear() // takes images of one channel
	_, err = judge.Try(ctx, grey, Through{PGD{}, m}, interptest.Images(grey, 3, 1))
	if err == nil || !strings.Contains(err.Error(), "the model takes images of 12×12×3, and the task's are 2×3×1") {
		t.Errorf("error %v", err)
	}
}

// Transferred shows the judge what fools the other network, and no more: from a network that is the same it finds what the attack finds, and
// from one that is like it as many as Judge.Transfer counts. With targets it has those.
func TestTransferred(t *testing.T) {
	ctx, m, same := context.Background(), interptest.Smooth(), interptest.Smooth()
	x := interptest.Images(m, 40, 5)
	own, err := m.Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	x.Class = own.Top1()
	other, err := same.Wrapped(func(spec *interp.Spec) {
		f := spec.Forward
		spec.Forward = func(s *model.Scope, x *graph.Node) *graph.Node { return f(s, graph.MulScalar(graph.Mul(x, x), 1.5)) }
	})
	if err != nil {
		t.Fatal(err)
	}
	judge := Judge{Ball: Linf(8. / 255)}
	next := slices.Clone(x.Class)
	for i := range next {
		next[i] = (next[i] + 1) % interptest.Classes
	}
	for _, goal := range []Goal{{}, To(next...)} {
		judge.Goal = goal
		here, err := judge.Try(ctx, m, DeepFool{}, x)
		if err != nil {
			t.Fatal(err)
		}
		there, err := judge.Try(ctx, m, Transferred{DeepFool{}, same}, x)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(here.Images.Pix, there.Images.Pix) || here.Left() != there.Left() || here.Left() > .8 {
			t.Errorf("%v: from the same network %g are left, want %g", goal, there.Left(), here.Left())
		}
		for i, v := range there.Verdicts {
			if v.Forward < here.Verdicts[i].Forward || v.Backward < here.Verdicts[i].Backward {
				t.Fatalf("image %d cost %d passes forward and %d backward, and on the network itself %d and %d", i, v.Forward, v.Backward, here.Verdicts[i].Forward, here.Verdicts[i].Backward)
			}
		}
	}
	judge.Goal = Goal{}
	passed, err := judge.Transfer(ctx, DeepFool{}, []*interp.Model{other}, []*interp.Model{m}, x)
	if err != nil {
		t.Fatal(err)
	}
	r, err := judge.Try(ctx, m, Transferred{DeepFool{}, other}, x)
	if err != nil {
		t.Fatal(err)
	}
	fooled, both := 0., 0.
	p, err := other.Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range r.Verdicts {
		if !v.Wrong && p.Top1()[i] == v.Class {
			both++
			if v.Fooled {
				fooled++
			}
		}
	}
	if cell := passed.Cells[0][0]; float64(cell.Images) != both || cell.Fooled != fooled/both || fooled == 0 || fooled == both {
		t.Errorf("%g of %g are fooled, and Judge.Transfer says %+v; left %g", fooled, both, cell, r.Left())
	}
	if _, err := judge.Try(ctx, m, Transferred{}, x); err == nil || !strings.Contains(err.Error(), "one is nil") {
		t.Errorf("error %v", err)
	}
}

// backwards is f with a gradient that points back.
func backwards(f layer.Forward) layer.Forward {
	return func(s *model.Scope, x *graph.Node) *graph.Node {
		return f(s, graph.Sub(graph.MulScalar(graph.StopGradient(x), 2), x))
	}
}
