// Command train trains the networks of lucigo/models/scenes on images drawn as it goes, and writes their weights:
//
//	go run ./models/scenes/train -net standard
//	go run ./models/scenes/train -net robust -from models/scenes/weights/standard.checkpoint
//
// A checkpoint is written twice a minute, at the end, and when the command is interrupted; started again with the same flags, the
// command goes on from it and ends with the weights of an uninterrupted run. At the end batch norm is folded, the weights are stored
// in half precision, and the net of the stored weights is measured on fresh images, as it is and under attack.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/internal/atomicfile"
	"lucigo/interp/engine"
	_ "lucigo/interp/engine/install" // so that XLA is fetched where it is missing
	"lucigo/interp/layer"
	"lucigo/models/scenes"
)

// recipe is how one of the nets is trained; flags may change it.
type recipe struct {
	forward func(scenes.Unit) layer.Forward
	steps   int
	batch   int
	peak    float64 // highest learning rate
	rise    float64 // share of the steps over which it rises
	decay   float64 // weight decay
	attack  int     // adversarial steps, 0: none
	epsilon float64 // their radius, in 1/255
}

func recipes(classes int) map[string]recipe {
	inception := func(u scenes.Unit) layer.Forward { return scenes.MiniInception(u, classes) }
	return map[string]recipe{
		"standard": {inception, 2500, 64, 4e-3, 0.2, 0.02, 0, 0},
		"robust":   {inception, 1600, 64, 3e-3, 0.1, 0.02, 1, 4},
		"allconv":  {func(u scenes.Unit) layer.Forward { return scenes.AllConvolutional(u, classes) }, 1450, 64, 4e-3, 0.2, 0.02, 0, 0},
		"dense":    {func(scenes.Unit) layer.Forward { return scenes.FullyConnected(scenes.Hidden, classes) }, 2500, 64, 1e-3, 0.2, 0.5, 0, 0},
	}
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

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	task := scenes.Task{}
	all := recipes(len(task.Classes()))
	flags := flag.NewFlagSet("train", flag.ContinueOnError)
	name := flags.String("net", "standard", "which net: standard, robust, allconv or dense")
	dir := flags.String("dir", "models/scenes/weights", "where weights, checkpoint and report go")
	from := flags.String("from", "", "checkpoint whose weights to start from (the robust net starts from the standard one)")
	steps := flags.Int("steps", 0, "training steps (0: the net's own number)")
	rate := flags.Float64("rate", 0, "peak learning rate (0: the net's own)")
	epsilon := flags.Float64("epsilon", 0, "radius of the attack in training, in 1/255 (0: the net's own)")
	window := flags.Int("window", 3072, "scenes held at a time")
	images := flags.Int("images", 2000, "fresh images to measure the net on")
	attacked := flags.Int("attacked", 500, "of these, the images to attack")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	r, ok := all[*name]
	if !ok {
		return fmt.Errorf("no net is named %q: choose standard, robust, allconv or dense", *name)
	}
	if *steps > 0 {
		r.steps = *steps
	}
	if *rate > 0 {
		r.peak = *rate
	}
	if *epsilon > 0 {
		r.epsilon = *epsilon
	}
	if *images < evaluated || *images%evaluated != 0 || *attacked < evaluated || *attacked%evaluated != 0 {
		return fmt.Errorf("-images %d and -attacked %d must be multiples of %d", *images, *attacked, evaluated)
	}
	checkpoint := filepath.Join(*dir, *name+".checkpoint")
	store, done, err := start(checkpoint, *from)
	if err != nil {
		return err
	}
	e, err := engine.Default()
	if err != nil {
		return err
	}
	f := &feed{task: task, seed: 1, batch: r.batch, window: *window, fresh: max(1, r.batch/3)}
	if err := train(ctx, e, store, r, f, done, checkpoint); err != nil {
		return err
	}
	arrays, err := values(store)
	if err != nil {
		return err
	}
	weights := fold(arrays)
	about := map[string]string{"net": *name, "steps": strconv.Itoa(r.steps), "task": strings.Join(task.Classes(), ", ")}
	if err := write(filepath.Join(*dir, *name+".safetensors"), weights, true, about); err != nil {
		return err
	}
	forward := r.forward(scenes.ConvReLU)
	rep := report{Net: *name, Steps: r.steps, Batch: r.batch, Attack: r.attack, Epsilon: r.epsilon,
		Seed: evaluationSeed, Images: *images, Attacked: *attacked, PGD5: map[string]float64{}}
	for _, a := range weights {
		rep.Parameters += len(a.data)
	}
	test := feed{task: task, seed: evaluationSeed}
	share, err := accuracy(ctx, e.Backend, forward, rounded(weights), test, *images, 0, 0)
	if err != nil {
		return err
	}
	rep.Accuracy = share[0]
	fmt.Printf("%s gets %.2f %% of %d fresh images right\n", *name, 100*rep.Accuracy, *images)
	if share, err = accuracy(ctx, e.Backend, forward, rounded(weights), test, *attacked, 5, 1./255, 2./255, 4./255); err != nil {
		return err
	}
	for i, radius := range []string{"1", "2", "4"} {
		fmt.Printf("%s gets %.2f %% of %d right after PGD-5 of radius %s/255\n", *name, 100*share[i], *attacked, radius)
		rep.PGD5[radius] = share[i]
	}
	text, err := json.MarshalIndent(rep, "", "\t")
	if err != nil {
		return err
	}
	fmt.Printf("%s\n", text)
	return atomicfile.WriteFile(filepath.Join(*dir, *name+".json"), append(text, '\n'), 0o644)
}

// start returns the variables to train and the number of steps they have had: those of the checkpoint where there is one, else the
// net's weights in from, else none yet.
func start(checkpoint, from string) (*model.Store, int, error) {
	store := model.NewStore()
	if err := store.SetRNGStateFromSeed(1); err != nil {
		return nil, 0, err
	}
	arrays, steps, err := read(checkpoint)
	if err == nil {
		done, err := strconv.Atoi(steps)
		if err != nil {
			return nil, 0, fmt.Errorf("%s does not say how many steps it has had: delete it to start anew", checkpoint)
		}
		return store, done, restore(store, arrays, nil)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, 0, err
	}
	if from != "" {
		if arrays, _, err = read(from); err != nil {
			return nil, 0, err
		}
		return store, 0, restore(store, arrays, func(path string) bool { return !strings.HasPrefix(path, "adam/") })
	}
	return store, 0, nil
}

// train runs the steps from done on, and leaves a checkpoint whenever it returns.
func train(ctx context.Context, e *engine.Engine, store *model.Store, r recipe, f *feed, done int, checkpoint string) (err error) {
	exec, err := model.NewExec(e.Backend, store, step(r.forward, r.attack, r.decay))
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
	for b := range batches {
		if ctx.Err() != nil {
			break
		}
		k := oneCycle(done, r.steps, r.peak, r.rise, r.epsilon/255)
		x, s, y := b.tensors()
		l, a, err := exec.Call2(x, s, y, []float32{k.rate, k.epsilon, k.warm1, k.warm2})
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
