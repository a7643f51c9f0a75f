package channel_test

import (
	"flag"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/channel"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
)

var python = flag.String("peers", "", "an interpreter with torch and the libraries to compare with: captum, zennit")

// Captum's layer gradient × activation and layer feature ablation, and zennit's relevance (EpsilonPlus) at inner layers, in float64.
func TestPeersChannels(t *testing.T) {
	if *python == "" {
		t.Skip("skipped: compares with other libraries; run with -peers PYTHON")
	}
	m := interptest.Model("small", func(s *model.Scope, x *Node) *Node {
		x = layer.At("relu1", layer.ReLU(layer.Conv(s.At("conv1"), x, 6, layer.Square(3, 1, 1))))
		x = layer.At("relu2", layer.ReLU(layer.Conv(s.At("conv2"), x, 5, layer.Square(3, 2, 1))))
		return layer.Dense(s.At("logits"), layer.Flatten(x), 4)
	}, [3]int{12, 12, 3}, 4, 5).Float64()
	x := interptest.Images(m, 3, 1).Asked(1, 2, 0)
	dir := t.TempDir()
	write := func(name string, v []float64) {
		interptest.WriteArray(t, filepath.Join(dir, name+".f64"), v)
	}
	for path, w := range m.Weights() {
		write(strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", "-"), w.Values())
	}
	write("images", x.Pix)
	write("classes", []float64{1, 2, 0})
	if out, err := exec.CommandContext(t.Context(), *python, "../../testdata/peers/channel.py", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	near := func(what string, got []float64) {
		t.Helper()
		d := interptest.Distance(got, interptest.ReadArray[float64](t, filepath.Join(dir, what+".f64")))
		t.Logf("%s: error %.1e", what, d)
		if !(d <= 1e-12) { // rounding
			t.Errorf("%s: error %g", what, d)
		}
	}
	gradients := must(channel.Attribution{}.At(ctx, m, objective.Logit, x, "relu1", "relu2"))
	relevances := must(channel.Attribution{Rule: layer.EpsilonPlus}.At(ctx, m, objective.Logit, x, "relu1", "relu2"))
	for l, c := range gradients {
		near(c.Layer+"-gradient", c.Data)
		near(c.Layer+"-relevance", relevances[l].Data)
		costs := interp.Rows{N: x.N, Shape: c.Shape, Data: make([]float64, len(c.Data))}
		for u := range c.Shape[0] {
			for i, v := range must(channel.Ablation{Layer: c.Layer}.Costs(ctx, m, objective.Logit, x, slices.Repeat([][]int{{u}}, x.N))) {
				costs.Of(i)[u] = v
			}
		}
		near(c.Layer+"-ablation", costs.Data)
	}
}
