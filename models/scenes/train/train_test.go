package train

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/internal/hostile"
	"lucigo/interp"
	_ "lucigo/interp/engine/install" // tests fetch XLA where it is missing
	"lucigo/interp/layer"
	"lucigo/interp/train"
	"lucigo/models/safetensors"
	"lucigo/models/scenes"
)

// tiny is a net with everything the real ones have: a unit with batch norm, a pool of positions, a dense layer.
func tiny(unit scenes.Unit, classes int) layer.Forward {
	return func(s *model.Scope, x *graph.Node) *graph.Node {
		x = unit(s.At("conv"), x, 5, layer.Square(3, 4, 1))
		return layer.Dense(s.At("logits"), layer.GlobalMean(x), classes)
	}
}

var tinyRecipe = recipe{forward: tiny, batch: 8, seed: 1, Training: train.Training{Steps: 5, Rate: 1e-2, Rise: .4, Decay: .02,
	Adversary: train.Adversary{Radius: 8. / 255, Moves: 2}, Grow: .3}}

func tinyFeed() *feed { return &feed{seed: 1, batch: 8, window: 12, fresh: 3} }

// A training interrupted and resumed from its checkpoint ends with the weights, averages and moments of one that was not, to the bit.
func TestLawResume(t *testing.T) {
	through := func(stops ...int) train.State {
		file := filepath.Join(t.TempDir(), "tiny.checkpoint")
		for _, stop := range append(stops, 5) {
			ctx, cancel := context.WithCancel(context.Background())
			s, err := fit(ctx, "tiny", tinyRecipe, func(step int) (train.Examples, error) {
				if step == stop {
					time.Sleep(100 * time.Millisecond) // for the steps before it
					cancel()
				}
				return tinyFeed().at(step)
			}, file, "")
			if cancel(); stop < 5 && (!errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the same command goes on") || s.Done > stop) || stop == 5 && err != nil {
				t.Fatalf("stopped after %d steps: %v", s.Done, err)
			}
		}
		s, err := read(file)
		if err != nil || s.Done != 5 {
			t.Fatalf("checkpoint after %d steps: %v", s.Done, err)
		}
		return s
	}
	whole, parts := through(), through(2, 4)
	for name, of := range map[string][2]interp.Weights{
		"weights": {whole.Weights, parts.Weights}, "first": {whole.First, parts.First}, "second": {whole.Second, parts.Second}} {
		if len(of[0]) != 7 || !slices.Equal(of[0].Paths(), of[1].Paths()) { // five trained tensors and two averages
			t.Fatalf("%s: tensors %v and %v", name, of[0].Paths(), of[1].Paths())
		}
		for path, w := range of[0] {
			if !slices.Equal(w.Values(), of[1][path].Values()) {
				t.Errorf("%s of %s: %v uninterrupted, %v resumed", name, path, w.Values(), of[1][path].Values())
			}
		}
		if w := of[0]["/conv/weights"].Values(); slices.Max(w) == 0 && slices.Min(w) == 0 {
			t.Errorf("%s: nothing was learnt", name)
		}
	}
}

// The folded net is the trained net.
func TestLawFold(t *testing.T) {
	s, err := fit(context.Background(), "tiny", tinyRecipe, tinyFeed().at, filepath.Join(t.TempDir(), "c"), "")
	if err != nil {
		t.Fatal(err)
	}
	folded := fold(s.Weights)
	if len(folded) != 4 {
		t.Errorf("folded weights: %v", folded.Paths())
	}
	run := func(weights interp.Weights, unit scenes.Unit) []float64 {
		m, err := interp.New(tinyRecipe.spec("tiny", unit, weights))
		if err != nil {
			t.Fatal(err)
		}
		e, err := tinyFeed().at(9)
		if err != nil {
			t.Fatal(err)
		}
		p, err := m.Predict(context.Background(), e.Images)
		if err != nil {
			t.Fatal(err)
		}
		return p.Logits.Data
	}
	want, got := run(s.Weights, trained), run(folded, scenes.ConvReLU)
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= 1e-5*(1+math.Abs(want[i]))) {
			t.Fatalf("logit %d is %g folded, %g with batch norm", i, got[i], want[i])
		}
	}
}

// The embedded weights, read and written again, are the same to the byte.
func TestWritesTheEmbeddedFiles(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "weights", "*.safetensors"))
	if err != nil || len(files) < 4 {
		t.Fatalf("files %v, %v", files, err)
	}
	for _, file := range files {
		net := strings.TrimSuffix(filepath.Base(file), ".safetensors")
		f, err := safetensors.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		weights, err := f.Weights()
		if err != nil {
			t.Fatal(err)
		}
		again := filepath.Join(t.TempDir(), "w")
		if err := safetensors.Write(again, weights, "F16", [2]string{"net", net}, [2]string{"steps", f.Metadata("steps")},
			[2]string{"task", strings.Join(recipes[net].task.Classes(), ", ")}); err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(again); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d other bytes, %v", net, len(got), err)
		}
	}
}

// The two streams that nets are trained on, and the one that they are measured on, have no scene in common.
func TestLawStreamsAreDisjoint(t *testing.T) {
	seen := map[uint64]uint64{}
	for _, seed := range []uint64{1, 2, evaluationSeed} {
		for i := range 2500*21 + 3072 { // as many as a training draws
			s := (scenes.Task{}).Sample(seed, i).Seed
			if of, ok := seen[s]; ok {
				t.Fatalf("scene %d of seed %d is one of seed %d", i, seed, of)
			}
			seen[s] = seed
		}
	}
}

// A batch is the same whatever was asked for before, holds images of the window alone, and moves on.
func TestFeed(t *testing.T) {
	f, g := tinyFeed(), tinyFeed()
	at := func(f *feed, t int) interp.Images {
		e, _ := f.at(t) // has no errors
		return e.Images
	}
	at(f, 0)
	at(f, 1)
	a, b := at(f, 4), at(g, 4)
	if !slices.Equal(a.Pix, b.Pix) || !slices.Equal(a.Class, b.Class) || !slices.Equal(a.Key, b.Key) {
		t.Error("a batch depends on those before")
	}
	if c := at(g, 5); slices.Equal(b.Pix, c.Pix) || slices.Equal(b.Key, c.Key) {
		t.Error("two batches are equal")
	}
	for i, v := range a.Pix {
		if v < 0 || v > 1 {
			t.Fatalf("value %d is %g", i, v)
		}
	}
	p := feed{seed: 3, batch: 6, window: 6, fresh: 6, test: true}
	x := at(&p, 2)
	for k := range 6 {
		s := scenes.Task{}.Sample(3, 12+k)
		if c := (scenes.Task{}).Class(s); x.Class[k] != c {
			t.Errorf("image %d has label %d, want %d", k, x.Class[k], c)
		}
		for i, v := range s.Draw(side).RGB {
			if x.Of(k)[i] != float64(v)/255 {
				t.Fatalf("image %d, value %d differs from the drawn one", k, i)
			}
		}
	}
}

// Accuracy counts: a net whose biases say class 3 whatever it sees gets the images of class 3 right, with and without an attack.
func TestAccuracy(t *testing.T) {
	const n = 150
	weight := func(data []float32, dims ...int) *interp.Weight {
		w, err := interp.NewWeight(data, dims...)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	biases := make([]float32, 16)
	biases[3] = 1
	weights := interp.Weights{"/logits/weights": weight(make([]float32, 48), 3, 16), "/logits/biases": weight(biases, 16)}
	blind := recipe{forward: func(_ scenes.Unit, classes int) layer.Forward {
		return func(s *model.Scope, x *graph.Node) *graph.Node {
			return layer.Dense(s.At("logits"), layer.GlobalMean(x), classes)
		}
	}}
	m, err := interp.New(blind.spec("blind", nil, weights))
	if err != nil {
		t.Fatal(err)
	}
	want := 0.0
	for i := range n {
		if task := (scenes.Task{}); task.Class(task.Sample(evaluationSeed, i)) == 3 {
			want += 1.0 / n
		}
	}
	for _, a := range []train.Adversary{{}, {Radius: .1}} {
		got, err := accuracy(context.Background(), m, feed{seed: evaluationSeed}, n, a)
		if err != nil || !(math.Abs(got-want) <= 1e-6) || want == 0 {
			t.Errorf("%v: accuracy %v, want %g, %v", a, got, want, err)
		}
	}
}

func TestInside(t *testing.T) {
	for i, want := range map[int]int{-5: 5, -1: 1, 0: 0, 63: 63, 64: 62, 68: 58} {
		if got := inside(i); got != want {
			t.Errorf("coordinate %d is taken at %d, want %d", i, got, want)
		}
	}
}

// A checkpoint that is not whole, or of no training, is refused: nothing would tell that the net began with other numbers.
func TestCheckpoints(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tiny.checkpoint")
	whole, err := fit(t.Context(), "tiny", tinyRecipe, tinyFeed().at, file, "")
	if err != nil {
		t.Fatal(err)
	}
	without := func(of interp.Weights, path string) interp.Weights {
		if of[path] == nil {
			t.Fatalf("there is no %s", path)
		}
		of = maps.Clone(of)
		delete(of, path)
		return of
	}
	steps := func(n string) func() error {
		return func() error { return safetensors.Write(file, whole.Weights, "F32", [2]string{"steps", n}) }
	}
	for want, write := range map[string]func() error{
		`no weight "/conv/scale"`: func() error {
			return safetensors.Write(file, without(whole.Weights, "/conv/scale"), "F32", [2]string{"steps", "3"})
		},
		`no first moment of weight "/conv/`: steps("3"),
		"State.Done is -3":                  steps("-3"),
		`its steps are "", must`:            steps(""),
		`its steps are "many", must`:        steps("many"),
	} {
		if err := write(); err != nil {
			t.Fatal(err)
		}
		_, err := fit(t.Context(), "tiny", tinyRecipe, tinyFeed().at, file, "")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "delete it") {
			t.Errorf("%v, want %s", err, want)
		}
		if want == "State.Done is -3" || !strings.Contains(want, "weight") {
			continue
		}
		if _, err := fit(t.Context(), "tiny", tinyRecipe, tinyFeed().at, file+"2", file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("to begin with: %v, want %s", err, want)
		}
	}
}

// Whatever a checkpoint holds, it is read, or an error says what to do.
func FuzzRead(f *testing.F) {
	dir := f.TempDir()
	file := filepath.Join(dir, "checkpoint")
	w := weight([]float32{1, 2, 3}, 3)
	s := train.State{Done: 4, Weights: interp.Weights{"/a/scale": w, "/a/mean": w}}
	s.First, s.Second = s.Weights, s.Weights
	if err := save(file, s); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(bytes.Replace(b, []byte(`"4"`), []byte(`"-"`), 1))
	f.Add(bytes.ReplaceAll(b, []byte("scale"), []byte("other")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		hostile.Bounded(t, func() {
			got, err := read(file)
			if err != nil {
				if !strings.Contains(err.Error(), anew) || len(err.Error()) > 4<<10 {
					t.Errorf("%.300v", err)
				}
				return
			}
			if got.Check(s.Weights) == nil && !slices.Equal(got.Weights.Paths(), s.Weights.Paths()) && got.Done > 0 {
				t.Errorf("weights %v are those of a net with %v", got.Weights.Paths(), s.Weights.Paths())
			}
		})
	})
}

func TestRunRefuses(t *testing.T) {
	for want, c := range map[string]Training{
		"near it: robust": {Net: "robustt"},
		"delete it":       {Net: "dense", Dir: "testdata"},
		"Images is -1":    {Net: "dense", Images: -1},
		"Attacked is -1":  {Net: "dense", Attacked: -1},
		"Window is -1":    {Net: "dense", Window: -1},
		"Steps is -5":     {Net: "dense", Steps: -5},
		"Rate is -0.1":    {Net: "dense", Rate: -0.1},
		"Seed is 20002":   {Net: "caption0", Seed: evaluationSeed},
		"Epsilon is -4":   {Net: "robust", Epsilon: -4},
	} {
		if err := c.Run(context.Background()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
}
