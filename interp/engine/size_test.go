package engine_test

import (
	"runtime"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/internal/malloc"
	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
)

// deep is a network of twelve convolutions.
func deep(s *model.Scope, x *Node) *Node {
	for i := range 12 {
		x = layer.ReLU(layer.Conv(s.At("conv%d", i), x, 8, layer.Square(3, 1, 1)))
	}
	return layer.Dense(s.At("logits"), layer.Flatten(x), 4)
}

// What a model says that its programs occupy, by which their number is bounded, is what they occupy, in C's memory and in
// Go's, to a quarter where they were loaded, as most are. Those that were compiled take between a half and all of it.
func TestProgramsTakeWhatIsCounted(t *testing.T) {
	interptest.Unchecked()
	file, dir := xlaPlugin(t), t.TempDir()
	if malloc.InUse() == 0 {
		t.Skip("skipped: the C library does not say what is in use")
	}
	for _, c := range []struct {
		how         string
		least, most float64
	}{{"compiled", 1, 2}, {"loaded", .8, 1.25}} {
		e, err := engine.Open(engine.Config{Backend: "xla:" + file, CompileCache: dir})
		if err != nil {
			t.Fatal(err)
		}
		m := interptest.Model("deep", deep, [3]int{16, 16, 3}, 4, 1).On(e.Backend)
		x := interptest.Images(m, 1, 1).Asked(1)
		gradient := func(o interp.Objective) (counted, used int64) {
			if _, err := m.Gradient(t.Context(), o, nil, x); err != nil {
				t.Fatal(err)
			}
			var s runtime.MemStats
			runtime.GC()
			runtime.GC() // what the first has found to be free
			runtime.ReadMemStats(&s)
			_, _, counted = m.Programs()
			return counted, int64(s.HeapAlloc) + malloc.InUse()
		}
		counted, used := gradient(objective.Logit) // the weights too
		for _, o := range []interp.Objective{objective.LogProb, objective.Prob, objective.Loss, objective.Margin} {
			beforeCounted, beforeUsed := counted, used
			counted, used = gradient(o)
			ratio := float64(counted-beforeCounted) / float64(used-beforeUsed)
			t.Logf("%s, %s: %d bytes counted, %d used", o, c.how, counted-beforeCounted, used-beforeUsed)
			if ratio < c.least || ratio > c.most {
				t.Errorf("%s, %s: %.2f times what is used is counted, want from %g to %g", o, c.how, ratio, c.least, c.most)
			}
		}
		defer runtime.KeepAlive(m) // or its memory is freed while that of the next is measured
	}
}
