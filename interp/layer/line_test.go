package layer_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp/engine"
	"lucigo/interp/layer"
)

// here returns the file and line that its caller's line is.
func here() string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", file, line)
}

// A runtime error in a Forward, at whatever depth, is an error with the line of the Forward's code, and so is a panic
// with a text. An error of graph building is itself.
func TestForwardFailsWithItsLine(t *testing.T) {
	engines, err := engine.All()
	if err != nil {
		t.Fatal(err)
	}
	var nothing *struct{ out int }
	var line string
	at := func(where string) string { line = where; return where }
	for name, c := range map[string]struct {
		net  layer.Forward
		want string
	}{
		"nil pointer": {func(_ *model.Scope, x *graph.Node) *graph.Node {
			x = layer.At("first", x)
			return graph.AddScalar(x, float64(len(at(here()))+nothing.out))
		}, "nil pointer"},
		"index": {func(_ *model.Scope, x *graph.Node) *graph.Node {
			return graph.AddScalar(x, []float64{}[len(at(here()))])
		}, "index out of range"},
		"nil node in a layer": {func(_ *model.Scope, x *graph.Node) *graph.Node {
			return layer.Concat(x, layer.LeakyReLU(map[string]*graph.Node{}[at(here())], 1))
		}, "nil pointer"},
		"text": {func(_ *model.Scope, x *graph.Node) *graph.Node { panic("no: " + at(here())) }, "no: "},
	} {
		g := graph.NewGraph(engines[0].Backend, name)
		x := graph.Parameter(g, "x", shapes.Make(dtypes.Float32, 1, 4, 4, 1))
		p := layer.Start(nil, x, c.net, nil, nil)
		func() {
			defer func() {
				err, ok := recover().(error)
				if !ok || !strings.Contains(err.Error(), "at "+line+": ") || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s: error %v, want one with %s and %q", name, err, line, c.want)
				}
			}()
			p.Logits()
		}()
		p.Stop()
		g.Finalize()
	}
}

// A Forward that forgets to return its logits.
func TestForwardReturnsNothing(t *testing.T) {
	engines, err := engine.All()
	if err != nil {
		t.Fatal(err)
	}
	g := graph.NewGraph(engines[0].Backend, "nothing")
	defer g.Finalize()
	x := graph.Parameter(g, "x", shapes.Make(dtypes.Float32, 1, 4, 4, 1))
	p := layer.Start(nil, x, func(*model.Scope, *graph.Node) *graph.Node { return nil }, nil, nil)
	defer p.Stop()
	defer func() {
		if err, ok := recover().(error); !ok || !strings.Contains(err.Error(), "returned no logits") {
			t.Errorf("error %v", err)
		}
	}()
	p.Logits()
}
