// Package train trains the networks of lucigo/models/scenes on images drawn as it goes, and writes their weights:
//
//	go run ./kernel models train --net standard
//	go run ./kernel models train --net robust --from models/scenes/weights/standard.checkpoint
//
// A checkpoint is written twice a minute, at the end, and when training is interrupted; started again with the same parameters,
// it goes on from there and ends with the weights of an uninterrupted run. At the end batch norm is folded, the weights are stored
// in half precision, and the net of the stored weights is measured on fresh images, as it is and under attack.
package train

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/internal/atomicfile"
	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/layer"
	"lucigo/interp/near"
	"lucigo/models/scenes"
)

// recipe is how one of the nets is trained; flags may change it.
type recipe struct {
	forward func(u scenes.Unit, classes int) layer.Forward
	steps   int
	batch   int
	peak    float64 // highest learning rate
	rise    float64 // share of the steps over which it rises
	decay   float64 // weight decay
	attack  int     // adversarial steps, 0: none
	epsilon float64 // their radius, in 1/255
}

var recipes = map[string]recipe{
	"standard": {scenes.MiniInception, 2500, 64, 4e-3, 0.2, 0.02, 0, 0},
	"robust":   {scenes.MiniInception, 1600, 64, 3e-3, 0.1, 0.02, 1, 4},
	"allconv":  {scenes.AllConvolutional, 1450, 64, 4e-3, 0.2, 0.02, 0, 0},
	"dense":    {dense, 2500, 64, 1e-3, 0.2, 0.5, 0, 0},
}

func dense(_ scenes.Unit, classes int) layer.Forward {
	return scenes.FullyConnected(scenes.Hidden, classes)
}

// report is what is recorded beside the weights.
type report struct {
	Net        string             `json:"net"`
	Parameters int                `json:"parameters"`
	Steps      int                `json:"steps"`
	Batch      int                `json:"batch"`
	Attack     int                `json:"attack_steps"`
	Epsilon    float64            `json:"attack_epsilon_255ths"`
	Seed       uint64             `json:"evaluation_seed"` // of the task's stream of scenes
	Images     int                `json:"evaluation_images"`
	Accuracy   float64            `json:"accuracy"`
	Attacked   int                `json:"pgd5_images"`   // the first of them
	PGD5       map[string]float64 `json:"pgd5_accuracy"` // by radius in 1/255
}

const evaluationSeed = 20002

// Training is one net's training: the help says what each field is. A field that is zero has the default that it names.
type Training struct {
	Net      string  `help:"Which net: standard, robust, allconv or dense (default: standard)."`
	Dir      string  `help:"Where weights, checkpoint and report go (default: models/scenes/weights)."`
	From     string  `help:"Checkpoint whose weights to start from; the robust net starts from the standard one (default: none)."`
	Steps    int     `help:"Training steps (default: the net's own number)."`
	Rate     float64 `help:"Peak learning rate (default: the net's own)."`
	Epsilon  float64 `help:"Radius of the attack in training, in 1/255 (default: the net's own)."`
	Window   int     `help:"Scenes held at a time (default: 3072)."`
	Images   int     `help:"Fresh images to measure the net on (default: 2000)."`
	Attacked int     `help:"Of these, the images to attack (default: 500)."`
}

// Run trains, measures and writes the net, and says on standard output how far it is.
func (c Training) Run(ctx context.Context) error {
	c.Net, c.Dir = cmp.Or(c.Net, "standard"), cmp.Or(c.Dir, "models/scenes/weights")
	c.Window, c.Images, c.Attacked = cmp.Or(c.Window, 3072), cmp.Or(c.Images, 2000), cmp.Or(c.Attacked, 500)
	task := scenes.Task{}
	r, ok := recipes[c.Net]
	if !ok {
		return fmt.Errorf("train: %w", near.Error("net", c.Net, slices.Sorted(maps.Keys(recipes))))
	}
	r.steps, r.peak, r.epsilon = cmp.Or(c.Steps, r.steps), cmp.Or(c.Rate, r.peak), cmp.Or(c.Epsilon, r.epsilon)
	switch {
	case r.steps < 1:
		return fmt.Errorf("train: Steps is %d, must be at least 1", r.steps)
	case !(r.peak > 0):
		return fmt.Errorf("train: Rate is %g, must be more than 0", r.peak)
	case !(r.epsilon >= 0):
		return fmt.Errorf("train: Epsilon is %g, must be at least 0", r.epsilon)
	case c.Images < 1 || c.Images%evaluated != 0:
		return fmt.Errorf("train: Images is %d, must be a multiple of %d", c.Images, evaluated)
	case c.Attacked < 1 || c.Attacked%evaluated != 0:
		return fmt.Errorf("train: Attacked is %d, must be a multiple of %d", c.Attacked, evaluated)
	case c.Window < 1:
		return fmt.Errorf("train: Window is %d, must be at least 1", c.Window)
	}
	checkpoint := filepath.Join(c.Dir, c.Net+".checkpoint")
	store, done, err := start(checkpoint, c.From)
	if err != nil {
		return err
	}
	e, err := engine.Default()
	if err != nil {
		return err
	}
	f := &feed{task: task, seed: 1, batch: r.batch, window: c.Window, fresh: max(1, r.batch/3)}
	if err := train(ctx, e, store, r, f, done, checkpoint); err != nil {
		return err
	}
	weights, err := interp.WeightsOf(store)
	if err != nil {
		return err
	}
	weights = fold(weights)
	if err := write(filepath.Join(c.Dir, c.Net+".safetensors"), weights, true, [2]string{"net", c.Net},
		[2]string{"steps", strconv.Itoa(r.steps)}, [2]string{"task", strings.Join(task.Classes(), ", ")}); err != nil {
		return err
	}
	forward := r.forward(scenes.ConvReLU, len(task.Classes()))
	rep := report{Net: c.Net, Steps: r.steps, Batch: r.batch, Attack: r.attack, Epsilon: r.epsilon,
		Seed: evaluationSeed, Images: c.Images, Attacked: c.Attacked, PGD5: map[string]float64{}}
	for _, w := range weights {
		rep.Parameters += len(w.Values())
	}
	test := feed{task: task, seed: evaluationSeed}
	share, err := accuracy(ctx, e.Backend, forward, rounded(weights), test, c.Images, 0, 0)
	if err != nil {
		return err
	}
	rep.Accuracy = share[0]
	fmt.Printf("%s gets %.2f %% of %d fresh images right\n", c.Net, 100*rep.Accuracy, c.Images)
	if share, err = accuracy(ctx, e.Backend, forward, rounded(weights), test, c.Attacked, 5, 1./255, 2./255, 4./255); err != nil {
		return err
	}
	for i, radius := range []string{"1", "2", "4"} {
		fmt.Printf("%s gets %.2f %% of %d right after PGD-5 of radius %s/255\n", c.Net, 100*share[i], c.Attacked, radius)
		rep.PGD5[radius] = share[i]
	}
	text, err := json.MarshalIndent(rep, "", "\t")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(c.Dir, c.Net+".json"), append(text, '\n'), 0o644)
}

// start returns the variables to train and the number of steps they have had: those of the checkpoint where there is one, else the
// net's weights in from, else none yet.
func start(checkpoint, from string) (*model.Store, int, error) {
	store := model.NewStore()
	if err := store.SetRNGStateFromSeed(1); err != nil {
		return nil, 0, err
	}
	weights, steps, err := read(checkpoint)
	switch {
	case err == nil:
		done, err := strconv.Atoi(steps)
		if err != nil {
			return nil, 0, fmt.Errorf("%s does not say how many steps it has had: delete it to start anew", checkpoint)
		}
		return store, done, restore(store, weights)
	case !errors.Is(err, os.ErrNotExist):
		return nil, 0, err
	case from == "":
		return store, 0, nil
	}
	if weights, _, err = read(from); err != nil {
		return nil, 0, err
	}
	maps.DeleteFunc(weights, func(path string, _ *interp.Weight) bool { return strings.HasPrefix(path, adamScope) })
	return store, 0, restore(store, weights)
}

// train runs the steps from done on, and leaves a checkpoint whenever it returns.
func train(ctx context.Context, e *engine.Engine, store *model.Store, r recipe, f *feed, done int, checkpoint string) (err error) {
	exec, err := model.NewExec(e.Backend, store, step(func(u scenes.Unit) layer.Forward { return r.forward(u, len(f.task.Classes())) }, r.attack, r.decay))
	if err != nil {
		return err
	}
	defer exec.Finalize()

	batches := make(chan batch, 2) // drawn while the device computes
	drawing, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer close(batches)
		for t := done; t < r.steps; t++ {
			select {
			case batches <- f.at(t):
			case <-drawing.Done():
				return
			}
		}
	}()

	var loss, right float64 // running averages
	began, saved, shown := time.Now(), time.Now(), time.Now()
	first := done
	for {
		var b batch
		more := true
		select {
		case b, more = <-batches:
		case <-ctx.Done(): // a batch may take long: it is not waited for
		}
		if !more || ctx.Err() != nil {
			break
		}
		k := oneCycle(done, r.steps, r.peak, r.rise, r.epsilon/255)
		x, s, y := b.tensors()
		l, a, err := exec.Call2(x, s, y, []float32{k.rate, k.epsilon, k.adam})
		if err != nil {
			return fmt.Errorf("step %d: %w", done, err)
		}
		keep := 0.98
		if done == first {
			keep = 0
		}
		loss = keep*loss + (1-keep)*float64(tensors.ToScalar[float32](l))
		right = keep*right + (1-keep)*float64(tensors.ToScalar[float32](a))
		done++
		for _, t := range []*tensors.Tensor{x, s, y, l, a} {
			t.MustFinalizeAll()
		}
		if time.Since(shown) > 5*time.Second || done == r.steps {
			shown = time.Now()
			per := time.Since(began) / time.Duration(done-first)
			fmt.Printf("step %d of %d  loss %.3f  right %.3f  %.0f images/s  %s left\n", done, r.steps, loss, right,
				float64(r.batch)/per.Seconds(), (per * time.Duration(r.steps-done)).Round(time.Second))
		}
		if time.Since(saved) > 30*time.Second {
			saved = time.Now()
			if err := save(checkpoint, store, done); err != nil {
				return err
			}
		}
	}
	if done > first {
		if err := save(checkpoint, store, done); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("stopped after %d of %d steps; the same command goes on from there: %w", done, r.steps, err)
	}
	return nil
}

// evaluation of a net goes in batches of this many images.
const evaluated = 100

// accuracy returns, for each radius, the share of the feed's first n images that the net gets right after an adversarial search of that
// radius in that many steps. n is a multiple of evaluated.
func accuracy(ctx context.Context, b compute.Backend, forward layer.Forward, weights interp.Weights, f feed, n, steps int, radii ...float64) ([]float64, error) {
	store := model.NewStore()
	if err := restore(store, weights); err != nil {
		return nil, err
	}
	exec, err := model.NewExec(b, store, func(s *model.Scope, x, start, labels, epsilon *graph.Node) *graph.Node {
		net := func(x *graph.Node) *graph.Node { return forward(s, x) }
		start = graph.MulScalar(graph.ConvertDType(start, x.DType()), 1.0/127)
		x = adversarial(net, x, start, labels, epsilon, steps)
		return graph.ReduceAllSum(graph.ConvertDType(graph.Equal(graph.ArgMax(net(x), -1, dtypes.Int32), labels), dtypes.Float32))
	})
	if err != nil {
		return nil, err
	}
	defer exec.Finalize()
	f.batch, f.window, f.fresh, f.test = evaluated, evaluated, evaluated, true
	right := make([]float64, len(radii))
	for t := range n / evaluated {
		x, start, labels := f.at(t).tensors()
		for i, epsilon := range radii {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			r, err := exec.Call1(x, start, labels, float32(epsilon))
			if err != nil {
				return nil, fmt.Errorf("evaluating: %w", err)
			}
			right[i] += float64(tensors.ToScalar[float32](r))
		}
	}
	for i := range right {
		right[i] /= float64(n)
	}
	return right, nil
}

// tensors returns the batch ready for the device.
func (b batch) tensors() (images, start, labels *tensors.Tensor) {
	n := len(b.labels)
	return tensors.FromFlatDataAndDimensions(b.images, n, side, side, 3),
		tensors.FromFlatDataAndDimensions(b.start, n, side, side, 3),
		tensors.FromFlatDataAndDimensions(b.labels, n)
}
