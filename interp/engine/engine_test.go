package engine_test

import (
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"lucigo/interp/engine"
	_ "lucigo/interp/engine/install"
)

// gradient compiles and runs x ↦ d/dx Σ x³ and returns it at 1, 2, 3: 3, 12, 27.
func gradient(t *testing.T, e *engine.Engine) []float32 {
	t.Helper()
	exec, err := graph.NewExec(e.Backend, func(x *graph.Node) *graph.Node {
		return graph.Gradient(graph.ReduceAllSum(graph.Mul(x, graph.Mul(x, x))), x)[0]
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call([]float32{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	got, err := tensors.CopyFlatData[float32](out[0])
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestLawEveryEngineGivesTheGradient(t *testing.T) {
	all, err := engine.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		t.Run(e.Kind().String(), func(t *testing.T) {
			t.Log(e, e.Notice())
			got := gradient(t, e)
			for i, want := range []float32{3, 12, 27} {
				if got[i] != want {
					t.Errorf("at %d: %g, want %g", i+1, got[i], want)
				}
			}
			t.Logf("%+v", e.CacheStats())
		})
	}
}
