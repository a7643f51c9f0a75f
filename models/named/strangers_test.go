package named_test

import (
	"slices"
	"testing"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest/shared"
	"lucigo/models/dataset"
	"lucigo/models/imagenet"
	"lucigo/models/strangers"
)

// right returns which parts of a source's pictures a model gets right, and has among its five likeliest.
func right(t *testing.T, m *interp.Model, src interp.Source) (top1, top5 float64) {
	t.Helper()
	e, err := engine.Default()
	if err != nil {
		t.Fatal(err)
	}
	if e.Kind() == engine.Go && testing.Short() {
		t.Skip("skipped: slow on the Go backend; run without -short")
	}
	x, err := interp.Read(t.Context(), src, 0, src.Len())
	if err != nil || x.Class == nil {
		t.Fatalf("classes %v, %v", x.Class, err)
	}
	p, err := m.Predict(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	for i, class := range x.Class {
		best := p.Top(i, 5)
		if best[0] == class {
			top1++
		}
		if slices.Contains(best, class) {
			top5++
		}
	}
	top1, top5 = top1/float64(x.N), top5/float64(x.N)
	t.Logf("%s: of %d pictures %.1f %% are right, %.1f %% among the five likeliest", m, x.N, 100*top1, 100*top5)
	return top1, top5
}

// ResNet-20 gets 81.0 % of these compressed pictures right, the tutorial's network 58.4 %, and without the
// order of its flatten far less.
func TestOracleCIFARNetworks(t *testing.T) {
	src := strangers.CIFARFolder(t)
	if got, _ := right(t, strangers.ResNet20(t), src); got < .79 || got > .83 {
		t.Errorf("ResNet-20 gets %.3f right, and 0.810 is known", got)
	}
	if got, _ := right(t, strangers.Tutorial(t), src); got < .56 || got > .61 {
		t.Errorf("the tutorial's network gets %.3f right, and 0.584 is known", got)
	}
	if got, _ := right(t, strangers.TutorialFlat(t, [3]int{16 * 5 * 5, 1, 1}), src); got > .4 {
		t.Errorf("with its flatten in another order the tutorial's network gets %.3f right", got)
	}
}

// SqueezeNet gets 62.2 and 83.7 % of a thousand photographs right.
func TestOracleSqueezeNet(t *testing.T) {
	in := dataset.Input{Height: 227, Width: 227, Short: 256, Class: imagenet.ClassOf}
	src, err := in.Folder(shared.Path(t, "images", "imagenet_samples_dev"))
	if err != nil {
		t.Fatal(err)
	}
	top1, top5 := right(t, strangers.SqueezeNet(t), src)
	if top1 < .52 || top5 < .76 {
		t.Errorf("it gets %.3f and %.3f right, and 0.622 and 0.837 are known", top1, top5)
	}
}
