package layer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp/engine"
)

func shape(like *Node, dims ...int) shapes.Shape { return shapes.Make(like.DType(), dims...) }

// steps is a Forward of named layers: x·2, +1, ·3, and a head that needs 4×4 images.
func steps(_ *model.Scope, x *Node) *Node {
	x = At("double", graph.MulScalar(x, 2))
	x = At("conv", graph.AddScalar(x, 1))
	x = At("conv", graph.MulScalar(x, 3))
	x = Flatten(x)
	head := graph.Ones(x.Graph(), shape(x, 16, 2))
	return At("head", Affine(x, head, nil))
}

// building runs f while a graph is built on images of ones, and returns its panic as an error.
func building(t *testing.T, size int, f func(x *Node)) error {
	t.Helper()
	engines, err := engine.All()
	if err != nil {
		t.Fatal(err)
	}
	return buildingOn(t, engines[0].Backend, size, f)
}

func buildingOn(t *testing.T, b compute.Backend, size int, f func(x *Node)) error {
	t.Helper()
	exec, err := graph.NewExec(b, func(x *Node) *Node { f(x); return x })
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	_, err = exec.Call(make4(size))
	return err
}

func make4(size int) [][][][]float32 {
	x := make([][][]float32, size)
	for i := range x {
		x[i] = make([][]float32, size)
		for j := range x[i] {
			x[i][j] = []float32{1}
		}
	}
	return [][][][]float32{x}
}

// names runs a pass to its end and returns the names of its layers, in order.
func names(p *Pass) (all []string) {
	for name := range p.Layers() {
		all = append(all, name)
	}
	return all
}

func TestPassNames(t *testing.T) {
	err := building(t, 4, func(x *Node) {
		p := Start(nil, x, steps, nil, nil)
		defer p.Stop()
		if got := names(p); !slices.Equal(got, []string{"double", "conv", "conv:2", "head"}) {
			t.Errorf("names %q", got)
		}
		if p.Layer("conv") == p.Layer("conv:2") || p.Layer("head") != p.Logits() || p.Images != x {
			t.Error("layers are mixed up")
		}
		for name, v := range p.Layers() {
			if v != p.Layer(name) {
				t.Errorf("another value of layer %q", name)
			}
			break
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A layer is built without what is after it: at a size whose head does not fit too.
func TestLawPassStopsEarly(t *testing.T) {
	err := building(t, 7, func(x *Node) {
		p := Start(nil, x, steps, nil, nil)
		if d := p.Layer("conv").Shape().Dim(1); d != 7 {
			t.Errorf("conv is %d high", d)
		}
		p.Stop()
		p.Stop() // twice is once
		q := Start(nil, x, steps, nil, nil)
		q.Stop() // before anything
	})
	if err != nil {
		t.Fatal(err)
	}
	err = building(t, 7, func(x *Node) {
		p := Start(nil, x, steps, nil, nil)
		defer p.Stop()
		p.Logits()
	})
	if err == nil || !strings.Contains(err.Error(), "layer: Affine") {
		t.Errorf("the head at another size: %v", err)
	}
	err = building(t, 4, func(x *Node) {
		p := Start(nil, x, steps, nil, map[string]*Node{"head": x})
		p.Layer("double")
		p.Stop()
		p.Logits()
	})
	if err == nil || !strings.Contains(err.Error(), "ended before its logits") {
		t.Errorf("logits after Stop: %v", err)
	}
}

func TestPassWrongName(t *testing.T) {
	err := building(t, 4, func(x *Node) {
		p := Start(nil, x, steps, nil, nil)
		defer p.Stop()
		p.Layer("dobble")
	})
	if err == nil || !strings.Contains(err.Error(), `no layer "dobble"; near it: double`) {
		t.Errorf("a wrong name: %v", err)
	}
	err = building(t, 4, func(x *Node) {
		p := Start(nil, x, steps, nil, map[string]*Node{"hed": x})
		defer p.Stop()
		p.Logits()
	})
	if err == nil || !strings.Contains(err.Error(), `no layer "hed"; near it: head`) {
		t.Errorf("a wrong name to replace: %v", err)
	}
	err = building(t, 4, func(x *Node) {
		p := Start(nil, x, steps, nil, map[string]*Node{"head": x})
		defer p.Stop()
		p.Logits()
	})
	if err == nil || !strings.Contains(err.Error(), `layer "head" is shaped`) {
		t.Errorf("a wrong shape to replace: %v", err)
	}
}

// What replaces a layer is what comes after it and what the layer is; the gradient stops there.
func TestLawPassReplace(t *testing.T) {
	onEvery(t, func(t *testing.T, b compute.Backend) {
		x := zeros(1, 4, 4, 1)
		other := zeros(1, 4, 4, 1)
		for i := range x.v {
			x.v[i], other.v[i] = 1, 10
		}
		got := run[float64](t, b, []array{x, other}, func(x []*Node) []*Node {
			p := Start(nil, x[0], steps, nil, map[string]*Node{"conv": x[1]})
			defer p.Stop()
			y := p.Logits()
			g := graph.Gradient(graph.ReduceAllSum(y), x[0], x[1])
			return []*Node{y, p.Layer("conv"), g[0], g[1]}
		})
		same(t, "logits", got[0], array{[]int{1, 2}, []float64{480, 480}}, 0)
		same(t, "the layer", got[1], other, 0)
		same(t, "gradient at the images", got[2], zeros(1, 4, 4, 1), 0)
		for _, v := range got[3].v {
			if v != 6 {
				t.Fatalf("gradient at the replacement: %v", got[3].v)
			}
		}
	})
}

// A Forward's panic is the caller's, and leaves nothing attached.
func TestPassPanic(t *testing.T) {
	err := building(t, 4, func(x *Node) {
		p := Start(nil, x, func(_ *model.Scope, x *Node) *Node {
			At("first", x)
			panic(errors.New("the net's own"))
		}, Guided, nil)
		defer p.Stop()
		p.Layer("first")
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "the net's own") {
					t.Errorf("recovered %v", r)
				}
			}()
			p.Logits()
		}()
		if current(x) != nil {
			t.Error("the pass is still attached")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Outside a pass At names nothing; between its steps and after it nothing is attached.
func TestLawPassDetached(t *testing.T) {
	err := building(t, 4, func(x *Node) {
		if At("name", x) != x || current(x) != nil {
			t.Error("there is a pass where none is")
		}
		p := Start(nil, x, steps, Guided, nil)
		check := func(when string) {
			if current(x) != nil {
				t.Errorf("a pass is attached %s", when)
			}
		}
		check("before it runs")
		p.Layer("double")
		check("between its layers")
		p.Stop()
		check("after its end")
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Two passes over one graph, their steps mixed, keep their own rules and layers.
func TestLawPassesInterleaved(t *testing.T) {
	var seen []string
	net := func(_ *model.Scope, x *Node) *Node {
		for i := range 3 {
			seen = append(seen, current(x).rule.String())
			x = At(fmt.Sprint("l", i), graph.AddScalar(x, 1))
		}
		return x
	}
	err := building(t, 4, func(x *Node) {
		a, b := Start(nil, x, net, Guided, nil), Start(nil, x, net, Deconv, nil)
		defer a.Stop()
		defer b.Stop()
		for i := range 3 {
			if a.Layer(fmt.Sprint("l", i)) == b.Layer(fmt.Sprint("l", i)) {
				t.Error("the passes share a layer")
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"guided", "deconv", "guided", "deconv", "guided", "deconv"}; !slices.Equal(seen, want) {
		t.Errorf("rules %q", seen)
	}
}

// A Forward may hold a pass of another net, over the same graph.
func TestLawPassNested(t *testing.T) {
	err := building(t, 4, func(x *Node) {
		outer := Start(nil, x, func(s *model.Scope, x *Node) *Node {
			inner := Start(s, x, steps, Deconv, nil)
			defer inner.Stop()
			y := inner.Layer("conv")
			if current(x).rule != Guided {
				t.Error("the inner pass changed the outer's rule")
			}
			return At("outer", y)
		}, Guided, nil)
		defer outer.Stop()
		if got := names(outer); !slices.Equal(got, []string{"outer"}) {
			t.Errorf("names %q", got)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A change of layers is what the layers are: the Forward goes on with it, the pass names it, a replaced layer comes last, and of two changes the
// inner one is first. Another pass of the same graph has none of it.
func TestChange(t *testing.T) {
	changed := func(_ *model.Scope, x *Node) *Node {
		outer := func(name string, x *Node) *Node { return graph.MulScalar(x, 10) }
		inner := func(name string, x *Node) *Node {
			if name == "conv:2" {
				return graph.AddScalar(x, 1)
			}
			return x
		}
		return Change(x, outer, func() *Node {
			return Change(x, inner, func() *Node { return steps(nil, x) })
		})
	}
	engines, err := engine.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range engines {
		for replaced, want := range map[bool][]float32{false: {6310, 1009600, 9}, true: {10, 1600, 9}} {
			out, err := graph.CallOnce(e.Backend, func(x *Node) *Node {
				with := map[string]*Node{}
				if replaced {
					with["conv"] = graph.ZerosLike(x)
				}
				p, plain := Start(nil, x, changed, nil, with), Start(nil, x, steps, nil, nil)
				defer p.Stop()
				defer plain.Stop()
				p.Layer("conv") // the other pass begins in the middle of this one
				plain.Logits()
				first := func(n *Node) *Node { return graph.Reshape(graph.ReduceAllMax(n), 1) }
				return graph.Concatenate([]*Node{first(p.Layer("conv:2")), first(p.Logits()), first(plain.Layer("conv:2"))}, 0)
			}, make4(4))
			if err != nil {
				t.Fatal(err)
			}
			if got := tensors.MustCopyFlatData[float32](out); !slices.Equal(got, want) {
				t.Errorf("%s, conv replaced %t: %v, want %v", e.Kind(), replaced, got, want)
			}
		}
	}
	err = building(t, 4, func(x *Node) { Change(x, nil, func() *Node { return x }) })
	if err == nil || !strings.Contains(err.Error(), "no Pass is running") {
		t.Errorf("outside a pass: %v", err)
	}
}
