package googlenet

import (
	"encoding/binary"

	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/interptest/shared"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
	"lucigo/interp/saliency"
)

func weightFile(t testing.TB) string {
	return shared.Path(t, "models", "googlenet_bvlc", "bvlc_googlenet.safetensors")
}

func open(t testing.TB) *interp.Model {
	t.Helper()
	m, err := Open(weightFile(t))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var npyHeader = regexp.MustCompile(`^\{'descr': '<f4', 'fortran_order': False, 'shape': \(([\d, ]*)\), \} *\n$`)

// npy reads a NumPy file of float32.
func npy(t testing.TB, path string) (dims []int, data []float64) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := 10 + int(binary.LittleEndian.Uint16(b[8:]))
	m := npyHeader.FindSubmatch(b[10:n])
	if m == nil {
		t.Fatalf("%s: header %q", path, b[10:n])
	}
	for _, s := range strings.FieldsFunc(string(m[1]), func(r rune) bool { return r == ',' || r == ' ' }) {
		d, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		dims = append(dims, d)
	}
	for b = b[n:]; len(b) > 0; b = b[4:] {
		data = append(data, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
	}
	return dims, data
}

// hwc turns [c, h, w] into [h, w, c].
func hwc(dims []int, data []float64) []float64 {
	c, positions := dims[0], dims[1]*dims[2]
	out := make([]float64, len(data))
	for i := range data {
		out[i%positions*c+i/positions] = data[i]
	}
	return out
}

// rgb turns [h, w, (b, g, r)] into [h, w, (r, g, b)].
func rgb(data []float64) []float64 {
	out := slices.Clone(data)
	for i := 0; i < len(out); i += 3 {
		out[i], out[i+2] = out[i+2], out[i]
	}
	return out
}

// reference is what another framework computed in float64 for a photograph, kept in float32.
type reference struct {
	dir   string
	image interp.Images // what Forward's preprocessing turns into the other framework's input
}

func references(t testing.TB) (all []reference) {
	t.Helper()
	inputs, err := filepath.Glob(filepath.Join(shared.Path(t, "oracles", "googlenet_torch"), "*", "input_bgr_meansub.npy"))
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no inputs: %v", err)
	}
	for _, path := range inputs {
		r := reference{dir: filepath.Dir(path)}
		dims, data := npy(t, path)
		bgr := hwc(dims, data)
		for i := range bgr {
			bgr[i] = (bgr[i] + mean[i%3]) / 255
		}
		r.image = interp.Images{N: 1, H: dims[1], W: dims[2], C: dims[0], Pix: rgb(bgr)}
		all = append(all, r)
	}
	return all
}

// layer reads the values of a layer, or of the logits.
func (r reference) values(t testing.TB, name string) []float64 {
	t.Helper()
	dims, data := npy(t, filepath.Join(r.dir, name+".npy"))
	if len(dims) == 3 {
		return hwc(dims, data)
	}
	return data
}

// gradient reads a gradient at the other framework's input, and returns that at ours.
func (r reference) gradient(t testing.TB, name string) []float64 {
	t.Helper()
	g := rgb(r.values(t, name))
	for i := range g {
		g[i] *= 255
	}
	return g
}

// within fails the test if the relative L2 distance of got from want is above bound.
func within(t *testing.T, what string, got, want []float64, bound float64) {
	t.Helper()
	e := interptest.Distance(got, want)
	verdict := "within"
	if !(e <= bound) {
		verdict = "ABOVE"
		t.Fail()
	}
	t.Logf("%-24s error %.2e, %s %.0e", what, e, verdict, bound)
}

// bounds are the largest relative L2 errors, of this photograph: TestGuidedInFloat32 looks at others.
type bounds struct{ values, guided, gradient, integrated float64 }

// GoogLeNet's numbers in float64 are those of the other framework; in float32 those of float32.
func TestOracleGoogLeNet(t *testing.T) {
	m := open(t)
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		t.Run("float32", func(t *testing.T) {
			if e.Kind() == engine.Go && !simd {
				t.Skip("skipped: minutes on the Go backend without vector instructions; run with GOEXPERIMENT=simd")
			}
			compare(t, m.On(e.Backend), bounds{5e-6, 5e-6, 1e-2, 5e-4})
		})
		t.Run("float64", func(t *testing.T) {
			if e.Kind() == engine.Go {
				t.Skip("skipped: the Go backend takes minutes in float64")
			}
			compare(t, m.On(e.Backend).Float64(), bounds{1e-6, 1e-6, 1e-6, 1e-6})
		})
	})
}

func compare(t *testing.T, m *interp.Model, most bounds) {
	black := []float64{mean[2] / 255, mean[1] / 255, mean[0] / 255} // zero, to the network
	ctx := t.Context()
	for _, r := range references(t) {
		t.Run(filepath.Base(r.dir), func(t *testing.T) {
			p, err := m.Predict(ctx, r.image)
			if err != nil {
				t.Fatal(err)
			}
			within(t, "logits", p.Logits.Data, r.values(t, "logits"), most.values)
			prob := make([]float64, Classes)
			for c := range prob {
				prob[c] = p.Prob(0, c)
			}
			within(t, "probabilities", prob, r.values(t, "prob"), most.values)

			names := []string{"inception_4a/output", "inception_4e/output", "inception_5b/output", "mixed4a"}
			acts, err := m.Activations(ctx, r.image, names...)
			if err != nil {
				t.Fatal(err)
			}
			for i, file := range []string{"inception_4a", "inception_4e", "inception_5b", "inception_4a"} {
				within(t, names[i], acts[i].Data, r.values(t, "act_"+file), most.values)
			}

			began := time.Now()
			for _, c := range []struct {
				what, file string
				rule       layer.Rule
				objective  interp.Objective
				bound      float64
			}{
				{"gradient of the logit", "grad_logit", nil, objective.Logit, most.gradient},
				{"gradient of p", "grad_prob", nil, objective.Prob, most.gradient},
				{"guided backprop", "guided_backprop_logit", layer.Guided, objective.Logit, most.guided},
			} {
				g, err := m.Gradient(ctx, c.objective, c.rule, r.image)
				if err != nil {
					t.Fatal(err)
				}
				within(t, c.what, g.Pix, r.gradient(t, c.file), c.bound)
			}

			// 64 more gradients: on a machine so slow that they do not fit into go test's time, they are left out.
			if end, ok := t.Deadline(); ok && time.Until(end) < 64*time.Since(began)/3 {
				t.Skip("skipped: integrated gradients, for which too little of go test's time is left; give it more with -timeout")
			}
			ig, err := saliency.IntegratedGradients{Steps: 64, Baseline: black, Even: true}.Maps(ctx, m, objective.Logit, r.image)
			if err != nil {
				t.Fatal(err)
			}
			within(t, "integrated gradients", ig.Pix, rgb(r.values(t, "integrated_gradients_midpoint64_zero_baseline")), most.integrated)
		})
	}
}

// The other framework's photograph, asked about by name.
func TestOracleGoogLeNetNamesTheZebra(t *testing.T) {
	m := open(t)
	zebra, err := m.Class("zebra")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range references(t) {
		if !strings.Contains(r.dir, "zebra") {
			continue
		}
		p, err := m.Predict(t.Context(), r.image)
		if err != nil {
			t.Fatal(err)
		}
		if top := p.Top(0, 1)[0]; top != zebra || p.Name(0) != "zebra" {
			t.Errorf("it is class %d, %s", top, p.Name(0))
		}
	}
}
