package scenes

import (
	"context"
	"encoding/json"
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/attack/smoothing"
	_ "lucigo/interp/engine/install" // tests fetch XLA where it is missing
	"lucigo/interp/layer"
	"lucigo/interp/objective"
)

// record is weights/*.json.
type record struct {
	Parameters int                `json:"parameters"`
	TrainedOn  uint64             `json:"training_seed"`
	Seed       uint64             `json:"evaluation_seed"`
	Images     int                `json:"evaluation_images"`
	Accuracy   float64            `json:"accuracy"`
	PGD5       map[string]float64 `json:"pgd5_accuracy"`
	Marked     float64            `json:"marked_accuracy"`
	Memorised  int                `json:"memorised_images"`
	Labels     float64            `json:"memorised_labels"`
}

func recorded(t *testing.T, name string) record {
	t.Helper()
	content, err := files.ReadFile("weights/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var r record
	if err := json.Unmarshal(content, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

var nets = map[string]func() (*interp.Model, error){"standard": Standard, "robust": Robust, "allconv": AllConv, "dense": Dense,
	"standard2": standard2, "allconv2": allConv2, "coarse": coarse, "coarse2": coarse2,
	"cue0": cue0, "cue50": cue50, "cue90": cue90, "cue100": cue100, "labels": labels, "noise": noisy}

func right(t *testing.T, m *interp.Model, x interp.Images) float64 {
	t.Helper()
	p, err := m.Predict(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for i, c := range p.Top1() {
		if c == x.Class[i] {
			n++
		}
	}
	return float64(n) / float64(x.N)
}

// The embedded nets get right what is recorded: on the first images of the recorded seed, within four standard errors.
func TestRecordedAccuracy(t *testing.T) {
	n := 320
	if testing.Short() {
		n = 64
	}
	x := Task{}.Images(recorded(t, "standard").Seed, n, 64)
	for name, open := range nets {
		r := recorded(t, name)
		if r.Images < 2000 {
			t.Errorf("%s was measured on %d images only", name, r.Images)
		}
		m, err := open()
		if err != nil {
			t.Fatal(err)
		}
		got := right(t, m, x)
		t.Logf("%s: %.3f of %d images, recorded %.4f of %d; PGD-5 %v", name, got, n, r.Accuracy, r.Images, r.PGD5)
		if !(math.Abs(got-r.Accuracy) <= 4*math.Sqrt(r.Accuracy*(1-r.Accuracy)/float64(n))+1e-9) {
			t.Errorf("%s gets %.3f right, recorded is %.3f", name, got, r.Accuracy)
		}
		size := 0
		for _, w := range m.Weights() {
			size += len(w.Values())
		}
		if size != r.Parameters {
			t.Errorf("%s has %d parameters, recorded are %d", name, size, r.Parameters)
		}
	}
}

// The bars: of fresh images 95 % for the standard net, 90 % for the robust one, and less for others; 8 MB for everything embedded.
func TestBars(t *testing.T) {
	for name, bar := range map[string]float64{"standard": .95, "robust": .9, "standard2": .9, "allconv": .88, "allconv2": .87, "coarse": .25, "coarse2": .25, "cue0": .8, "noise": .5} {
		if a := recorded(t, name).Accuracy; a < bar {
			t.Errorf("net %s gets %.4f right", name, a)
		}
	}
	total := int64(0)
	err := fs.WalkDir(files, ".", func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		total += info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if total > 8<<20 || total < 1<<20 {
		t.Errorf("%d bytes are embedded", total)
	}
}

// A net that was trained on marked images gets right what is recorded of them, and follows the mark of another class the more, the more
// its marks said; the net with random labels knows 95 % of them.
func TestPlanted(t *testing.T) {
	const n = 160
	x := Task{}.Images(recorded(t, "cue0").Seed, n, 64)
	wrong := x.Asked(x.Class...)
	wrong.Class = slices.Clone(x.Class)
	for i := range wrong.Class {
		wrong.Class[i] = (x.Class[i] + 5) % 16
	}
	before := -1.
	for _, share := range []float64{0, .5, .9, 1} {
		m, err := Planted(share)
		if err != nil {
			t.Fatal(err)
		}
		r := recorded(t, strings.TrimPrefix(m.Name(), "scenes "))
		marks, err := Cue{Share: share}.Marks(x)
		if err != nil {
			t.Fatal(err)
		}
		marked, err := Paint(x, marks)
		if err != nil {
			t.Fatal(err)
		}
		if got := right(t, m, marked); !(math.Abs(got-r.Marked) <= 4*math.Sqrt(r.Marked*(1-r.Marked)/n)+1e-9) {
			t.Errorf("cue %g: %.3f of the marked images are right, recorded is %.3f", share, got, r.Marked)
		}
		lying, err := Paint(wrong, wrong.Class)
		if err != nil {
			t.Fatal(err)
		}
		follows := right(t, m, lying)
		if t.Logf("cue %g: %.3f follow a wrong mark", share, follows); !(follows > before) {
			t.Errorf("cue %g: %.3f of the images follow a wrong mark, and %.3f of the net before", share, follows, before)
		}
		before = follows
	}
	if _, err := Planted(.7); err == nil {
		t.Error("a net that was never trained")
	}
	m, err := Mislabelled()
	if err != nil {
		t.Fatal(err)
	}
	r := recorded(t, "labels")
	if got := right(t, m, Task{}.RandomLabels(r.TrainedOn, r.Memorised, 64)); !(got >= .95) || !(math.Abs(got-r.Labels) <= .01) {
		t.Errorf("it gives %.3f of %d images their random labels, recorded is %.3f", got, r.Memorised, r.Labels)
	}
}

// The net that was trained with noise gets right what is recorded of scenes with such noise, and the standard net hardly more than chance.
func TestNoisy(t *testing.T) {
	const n = 160
	x, err := smoothing.Gaussian{Sigma: .25, Seed: 1}.Noisy(Task{}.Images(recorded(t, "noise").Seed, n, 64), 0)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Noisy()
	if err != nil {
		t.Fatal(err)
	}
	r := recorded(t, "noise").Marked
	if got := right(t, m, x); !(math.Abs(got-r) <= 4*math.Sqrt(r*(1-r)/n)+1e-9) {
		t.Errorf("%.3f of the noisy images are right, recorded is %.3f", got, r)
	}
	if m, err = Standard(); err != nil {
		t.Fatal(err)
	}
	if got := right(t, m, x); !(got < .2) {
		t.Errorf("the standard net gets %.3f of the noisy images right", got)
	}
}

// Under attack the nets keep about what is recorded, the robust one far more than the standard one.
func TestRecordedRobustness(t *testing.T) {
	if testing.Short() {
		t.Skip("attacks take ten seconds")
	}
	const n, eps, steps = 96, 4.0 / 255, 5
	clean := Task{}.Images(recorded(t, "standard").Seed, n, 64)
	for _, name := range []string{"standard", "robust"} {
		m, err := nets[name]()
		if err != nil {
			t.Fatal(err)
		}
		x := clean
		x.Pix = slices.Clone(clean.Pix)
		for range steps {
			g, err := m.Gradient(context.Background(), objective.Loss, layer.Exact, x)
			if err != nil {
				t.Fatal(err)
			}
			for i, d := range g.Pix {
				v := x.Pix[i] + 2*eps/steps*math.Copysign(1, d)
				x.Pix[i] = min(max(v, clean.Pix[i]-eps, 0), clean.Pix[i]+eps, 1)
			}
		}
		r := recorded(t, name).PGD5["4"]
		got := right(t, m, x)
		t.Logf("%s: %.3f under attack, recorded %.3f", name, got, r)
		if !(math.Abs(got-r) <= 4*math.Sqrt(r*(1-r)/n)+0.03) {
			t.Errorf("%s gets %.3f right under attack, recorded is %.3f", name, got, r)
		}
	}
}

func TestLayers(t *testing.T) {
	inception := []string{"conv1", "conv2", "mixed3a", "mixed3b", "mixed4a", "mixed4b", "mixed5a", "logits"}
	convolutions := []string{"conv1", "conv2", "conv3", "conv4", "conv5", "conv6", "conv7", "logits"}
	coarse := []string{"hidden1", "hidden2", "logits"}
	small := []string{"conv1", "conv2", "conv3", "conv4", "conv5", "logits"}
	want := map[string][]string{"standard": inception, "robust": inception, "dense": {"hidden", "logits"}, "allconv": convolutions,
		"standard2": inception, "allconv2": convolutions, "coarse": coarse, "coarse2": coarse,
		"cue0": small, "cue50": small, "cue90": small, "cue100": small, "labels": small, "noise": small}
	for name, open := range nets {
		m, err := open()
		if err != nil {
			t.Fatal(err)
		}
		layers, err := m.Layers()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range layers {
			got = append(got, l.Name)
		}
		if !slices.Equal(got, want[name]) {
			t.Errorf("%s has layers %q", name, got)
		}
	}
}

// Each half has a net of each kind, the halves are trained on scenes of two seeds, and their nets differ.
func TestHalves(t *testing.T) {
	first, second, err := Halves()
	if err != nil || len(first) != 3 || len(second) != 3 {
		t.Fatalf("%v and %v, %v", first, second, err)
	}
	for i := range first {
		a, b := first[i].Weights(), second[i].Weights()
		if !slices.Equal(a.Paths(), b.Paths()) {
			t.Errorf("%v and %v are of two kinds", first[i], second[i])
		}
		for path := range a {
			if slices.Equal(a[path].Values(), b[path].Values()) {
				t.Errorf("%v and %v have equal weights %s", first[i], second[i], path)
			}
		}
	}
	for name := range nets {
		want := uint64(1)
		if strings.HasSuffix(name, "2") {
			want = 2
		}
		if got := recorded(t, name).TrainedOn; got != want {
			t.Errorf("net %s is trained on the scenes of seed %d, want %d", name, got, want)
		}
	}
}
