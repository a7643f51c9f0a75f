package saliency_test

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/interptest/shared"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
	"lucigo/interp/random"
	"lucigo/interp/saliency"
)

var python = flag.String("peers", "", "an interpreter with torch, safetensors and the libraries to compare with: zennit, captum, shap, saliency")

// needPython skips a test that compares with other libraries where there are none.
func needPython(t testing.TB) {
	t.Helper()
	if *python == "" {
		t.Skip("skipped: compares with other libraries; run with -peers PYTHON")
	}
}

// timer starts a script that times other libraries on GoogLeNet, and returns what asks it: how many milliseconds something takes.
// It waits while nothing is asked.
func timer(t *testing.T, script string) func(t *testing.T, what string) float64 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), *python, "../../testdata/peers/"+script, "speed",
		shared.Path(t, "models", "googlenet_bvlc", "bvlc_googlenet.safetensors"))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	answers := bufio.NewScanner(out)
	return func(t *testing.T, what string) float64 {
		t.Helper()
		fmt.Fprintln(in, what)
		if !answers.Scan() {
			t.Fatalf("%s: the script ended", what)
		}
		ms, err := strconv.ParseFloat(answers.Text(), 64)
		if err != nil {
			t.Fatal(err)
		}
		return ms
	}
}

// exchange is a folder of arrays that another library's script reads and writes.
type exchange struct {
	t   *testing.T
	dir string
}

func (e exchange) write(name string, v []float64) {
	interptest.WriteArray(e.t, filepath.Join(e.dir, name+".f64"), v)
}

func (e exchange) read(name string) []float64 {
	return interptest.ReadArray[float64](e.t, filepath.Join(e.dir, name+".f64"))
}

func (e exchange) run(script string, args ...string) {
	e.t.Helper()
	cmd := exec.CommandContext(e.t.Context(), *python, append([]string{"../../testdata/peers/" + script}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		e.t.Fatalf("%v\n%s", err, out)
	}
}

// near fails the test if the relative L2 distance of got from want is above bound, and logs it.
func near(t *testing.T, what string, got, want []float64, bound float64) {
	t.Helper()
	d := interptest.Distance(got, want)
	t.Logf("%-40s error %.1e", what, d)
	if !(d <= bound) {
		t.Errorf("%s: error %.2e, want at most %.0e", what, d, bound)
	}
}

// small is a network of what all those libraries know, but for its first pool, which captum's DeepLIFT has wrong if it is a max-pool.
func small(pool func(x *graph.Node, w layer.Window) *graph.Node) *interp.Model {
	return interptest.Model("small", func(s *model.Scope, x *graph.Node) *graph.Node {
		x = minusOne(x)
		x = pool(layer.ReLU(layer.Conv(s.At("conv1"), x, 6, layer.Square(3, 1, 1))), layer.Square(2, 2, 0))
		x = layer.MeanPool(layer.ReLU(layer.Conv(s.At("conv2"), x, 5, layer.Square(3, 2, 1))), layer.Square(2, 1, 0), false)
		x = layer.ReLU(layer.Dense(s.At("dense"), layer.Flatten(x), 8))
		return layer.Dense(s.At("logits"), x, 4)
	}, [3]int{12, 12, 3}, 4, 5).Float64()
}

// The maps of zennit (LRP), captum and shap (DeepLIFT, Gradient SHAP) and PAIR's saliency (guided IG, blur IG), in float64.
func TestPeersAttribution(t *testing.T) {
	needPython(t)
	m := small(layer.MaxPool)
	x := interptest.Images(m, 2, 1).Keyed().Asked(1, 2)
	base, refs := interptest.Images(m, 2, 7), interptest.Images(m, 5, 8)
	e := exchange{t, t.TempDir()}
	for path, w := range m.Weights() {
		name := strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", "-")
		e.write(strings.NewReplacer("weights", "w", "biases", "b").Replace(name), w.Values())
	}
	e.write("images", x.Pix)
	e.write("baseline", base.Pix)
	e.write("references", refs.Pix)
	const samples = 9
	var drawn, at []float64
	for i := range x.N {
		for k := range samples {
			s := random.New(3, x.Key[i], uint64(k))
			drawn, at = append(drawn, float64(s.Intn(0, refs.N))), append(at, s.Uniform(1))
		}
	}
	e.write("drawn", drawn)
	e.write("at", at)
	e.run("attribution.py", "small", e.dir)

	interptest.OnEach(t, func(t *testing.T, on *engine.Engine) {
		m := m.On(on.Backend)
		e := exchange{t, e.dir}
		for name, method := range map[string]saliency.Method{
			"epsilon":            saliency.LRP{},
			"epsilon, no bias":   saliency.LRP{Rule: layer.LRP{NoBias: true}},
			"EpsilonPlus":        saliency.LRP{Rule: layer.EpsilonPlus},
			"EpsilonAlpha2Beta1": saliency.LRP{Rule: layer.EpsilonAlpha2Beta1},
			"EpsilonPlusFlat":    saliency.LRP{Rule: layer.EpsilonPlusFlat},
			"EpsilonGammaBox":    saliency.LRP{Rule: layer.EpsilonGammaBox},
			"shap":               saliency.DeepLIFT{Baseline: base.Pix},
			"GradientShap":       saliency.ExpectedGradients{References: refs, N: samples, Seed: 3},
			"GuidedIG":           saliency.GuidedIG{Steps: 50, Baseline: base.Pix},
			"GuidedIG free":      saliency.GuidedIG{Steps: 20, Fraction: .1, Distance: 1, Baseline: base.Pix},
			"BlurIG":             saliency.BlurIG{Sigma: 5, Steps: 20},
		} {
			var want []float64
			if _, err := os.Stat(filepath.Join(e.dir, name+".f64")); err == nil {
				want = e.read(name)
			} else {
				want = slices.Concat(e.read(name+" 0"), e.read(name+" 1"))
			}
			near(t, name, maps(t, method, m, objective.Logit, x).Pix, want, 1e-9)
		}
		mean := small(func(x *graph.Node, w layer.Window) *graph.Node { return layer.MeanPool(x, w, false) }).On(on.Backend)
		near(t, "DeepLift", maps(t, saliency.DeepLIFT{Baseline: base.Pix}, mean, objective.Logit, x).Pix, e.read("DeepLift"), 1e-9)
	})
}

// GoogLeNet's relevance is zennit's, with its rule Pass for local response normalisation, for which it has none.
func TestPeersGoogLeNetRelevance(t *testing.T) {
	needPython(t)
	weights := shared.Path(t, "models", "googlenet_bvlc", "bvlc_googlenet.safetensors")
	m, _ := photographs(t, 1)
	x := interptest.Images(m, 1, 1).Asked(340)
	e := exchange{t, t.TempDir()}
	e.write("images", x.Pix)
	e.run("attribution.py", "googlenet", weights, e.dir)
	for name, rule := range map[string]layer.LRP{"epsilon": {}, "EpsilonPlus": layer.EpsilonPlus, "EpsilonGammaBox": layer.EpsilonGammaBox} {
		near(t, name+" in float64", maps(t, saliency.LRP{Rule: rule}, m.Float64(), objective.Logit, x).Pix, e.read(name), 1e-4)
		near(t, name+" in float32", maps(t, saliency.LRP{Rule: rule}, m, objective.Logit, x).Pix, e.read(name), 1e-4)
	}
}
