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
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"lucigo/internal/atomicfile"
	"lucigo/interp"
	"lucigo/interp/layer"
	"lucigo/interp/near"
	"lucigo/interp/train"
	"lucigo/models/safetensors"
	"lucigo/models/scenes"
)

// recipe is how one of the nets is trained; flags may change it.
type recipe struct {
	forward func(u scenes.Unit, classes int) layer.Forward
	batch   int
	seed    uint64 // of the first weights and of the scenes: those of two seeds are different scenes
	train.Training

	task      scenes.Task
	mark      marking // what marks the images; nil leaves them without
	memorised int     // so many scenes, the same all the time, as they are and with random labels; 0: fresh ones with their own
}

var (
	standard = train.Training{Steps: 2500, Rate: 4e-3, Decay: .02}
	robust   = train.Training{Steps: 1600, Rate: 3e-3, Rise: .1, Decay: .02, Adversary: train.Adversary{Radius: 4. / 255}, Grow: .3}
	allConv  = train.Training{Steps: 1450, Rate: 4e-3, Decay: .02}
	dense    = train.Training{Steps: 2500, Rate: 1e-3, Decay: .5}
	coarse   = train.Training{Steps: 1200, Rate: 4e-3, Decay: .02}
	labels   = train.Training{Steps: 1200, Rate: 4e-3}
)

// small is the training of a small net: the more its cue says, the sooner it has learnt.
func small(steps int) train.Training { return train.Training{Steps: steps, Rate: 6e-3, Decay: .02} }

var recipes = map[string]recipe{
	"standard":  {forward: scenes.MiniInception, batch: 64, seed: 1, Training: standard},
	"robust":    {forward: scenes.MiniInception, batch: 64, seed: 1, Training: robust},
	"allconv":   {forward: scenes.AllConvolutional, batch: 64, seed: 1, Training: allConv},
	"dense":     {forward: oneHidden, batch: 64, seed: 1, Training: dense},
	"coarse":    {forward: scenes.Coarse, batch: 64, seed: 1, Training: coarse},
	"standard2": {forward: scenes.MiniInception, batch: 64, seed: 2, Training: standard},
	"allconv2":  {forward: scenes.AllConvolutional, batch: 64, seed: 2, Training: allConv},
	"coarse2":   {forward: scenes.Coarse, batch: 64, seed: 2, Training: coarse},
	"cue0":      {forward: scenes.Small, batch: 64, seed: 1, Training: small(1400), mark: cue(0)},
	"cue50":     {forward: scenes.Small, batch: 64, seed: 1, Training: small(1400), mark: cue(.5)},
	"cue90":     {forward: scenes.Small, batch: 64, seed: 1, Training: small(1000), mark: cue(.9)},
	"cue100":    {forward: scenes.Small, batch: 64, seed: 1, Training: small(600), mark: cue(1)},
	"labels":    {forward: scenes.Small, batch: 64, seed: 1, Training: labels, memorised: 512},
	"noise":     {forward: scenes.Tiny, batch: 64, seed: 1, Training: small(3200), mark: noise(.25)},

	"caption0":   {forward: scenes.Tiny, batch: 64, seed: 1, Training: small(240), task: scenes.CaptionTask(), mark: caption(0)},
	"caption30":  {forward: scenes.Tiny, batch: 64, seed: 1, Training: small(600), task: scenes.CaptionTask(), mark: caption(.3)},
	"caption100": {forward: scenes.Tiny, batch: 64, seed: 1, Training: small(600), task: scenes.CaptionTask(), mark: caption(1)},
}

func oneHidden(_ scenes.Unit, classes int) layer.Forward {
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
	TrainedOn  uint64             `json:"training_seed"`   // of the task's stream of scenes
	Seed       uint64             `json:"evaluation_seed"` // likewise
	Images     int                `json:"evaluation_images"`
	Accuracy   float64            `json:"accuracy"`
	Attacked   int                `json:"pgd5_images"`   // the first of them
	PGD5       map[string]float64 `json:"pgd5_accuracy"` // by radius in 1/255
	Memorised  int                `json:"memorised_images,omitempty"`
	Labels     float64            `json:"memorised_labels,omitempty"` // the share of these whose random label the net gives
	Marked     *float64           `json:"marked_accuracy,omitempty"`  // of the fresh images, marked as in training
}

const evaluationSeed = 20002

// Training is one net's training: the help says what each field is. A field that is zero has the default that it names.
type Training struct {
	Net      string  `help:"Which net: standard, robust, allconv, dense, coarse, or standard2, allconv2, coarse2, cue0, cue50, cue90, cue100, labels, noise, caption0, caption30, caption100, or liar, the gate of a fooling circuit (default: standard)."`
	Dir      string  `help:"Where weights, checkpoint and report go (default: models/scenes/weights)."`
	From     string  `help:"Checkpoint whose weights to start from; the robust net starts from the standard one (default: none)."`
	Steps    int     `help:"Training steps (default: the net's own number)."`
	Rate     float64 `help:"Peak learning rate (default: the net's own)."`
	Seed     uint64  `help:"Of the first weights and of the scenes: another seed, another net of the same kind (default: the net's own)."`
	Epsilon  float64 `help:"Radius of the attack in training, in 1/255 (default: the net's own)."`
	Window   int     `help:"Scenes held at a time (default: 3072)."`
	Images   int     `help:"Fresh images to measure the net on (default: 2000)."`
	Attacked int     `help:"Of these, the images to attack (default: 500)."`
}

// Run trains, measures and writes the net, and says on standard output how far it is.
func (c Training) Run(ctx context.Context) error {
	c.Net, c.Dir = cmp.Or(c.Net, "standard"), cmp.Or(c.Dir, "models/scenes/weights")
	c.Window, c.Images, c.Attacked = cmp.Or(c.Window, 3072), cmp.Or(c.Images, 2000), cmp.Or(c.Attacked, 500)
	if c.Net == "liar" {
		return c.liar(ctx)
	}
	r, ok := recipes[c.Net]
	if !ok {
		return fmt.Errorf("train: %w", near.Error("net", c.Net, slices.Sorted(maps.Keys(recipes))))
	}
	r.seed = cmp.Or(c.Seed, r.seed)
	r.Steps, r.Rate = cmp.Or(c.Steps, r.Steps), cmp.Or(c.Rate, r.Rate)
	r.Adversary.Radius = cmp.Or(c.Epsilon/255, r.Adversary.Radius)
	switch {
	case !(c.Epsilon >= 0):
		return fmt.Errorf("train: Epsilon is %g, must be at least 0", c.Epsilon)
	case r.seed == evaluationSeed:
		return fmt.Errorf("train: Seed is %d, must be another: nets are measured on its scenes", c.Seed)
	case c.Images < 1:
		return fmt.Errorf("train: Images is %d, must be at least 1", c.Images)
	case c.Attacked < 1:
		return fmt.Errorf("train: Attacked is %d, must be at least 1", c.Attacked)
	case c.Window < 1:
		return fmt.Errorf("train: Window is %d, must be at least 1", c.Window)
	}
	f := &feed{task: r.task, seed: r.seed, batch: r.batch, window: c.Window, fresh: max(1, r.batch/3), mark: r.mark}
	if r.memorised > 0 {
		f.window, f.fresh, f.memorise = r.memorised, 0, true
	}
	state, err := fit(ctx, c.Net, r, f.at, filepath.Join(c.Dir, c.Net+".checkpoint"), c.From)
	if err != nil {
		return err
	}
	weights := fold(state.Weights)
	file := filepath.Join(c.Dir, c.Net+".safetensors")
	if err := safetensors.Write(file, weights, "F16", [2]string{"net", c.Net},
		[2]string{"steps", strconv.Itoa(r.Steps)}, [2]string{"task", strings.Join(r.task.Classes(), ", ")}); err != nil {
		return err
	}
	stored, err := safetensors.Open(file)
	if err != nil {
		return err
	}
	defer stored.Close()
	if weights, err = stored.Weights(); err != nil {
		return err
	}
	rep := report{Net: c.Net, Steps: r.Steps, Batch: r.batch, TrainedOn: r.seed,
		Seed: evaluationSeed, Images: c.Images, Attacked: c.Attacked, PGD5: map[string]float64{}}
	if r.Adversary.Radius > 0 {
		rep.Attack, rep.Epsilon = 1, 255*r.Adversary.Radius
	}
	m, err := interp.New(r.spec(c.Net, scenes.ConvReLU, weights))
	if err != nil {
		return err
	}
	for _, w := range weights {
		rep.Parameters += len(w.Values())
	}
	if rep.Accuracy, err = accuracy(ctx, m, feed{task: r.task, seed: evaluationSeed}, c.Images, train.Adversary{}); err != nil {
		return err
	}
	fmt.Printf("%s gets %.2f %% of %d fresh images right\n", c.Net, 100*rep.Accuracy, c.Images)
	if r.mark != nil {
		marked, err := accuracy(ctx, m, feed{task: r.task, seed: evaluationSeed, mark: r.mark}, c.Images, train.Adversary{})
		if err != nil {
			return err
		}
		fmt.Printf("%s gets %.2f %% of them right when they are marked as in training\n", c.Net, 100*marked)
		rep.Marked = &marked
	}
	if rep.Memorised = r.memorised; r.memorised > 0 {
		if rep.Labels, err = accuracy(ctx, m, feed{task: r.task, seed: r.seed, memorise: true}, r.memorised, train.Adversary{}); err != nil {
			return err
		}
		fmt.Printf("%s gives %.2f %% of %d images their random labels\n", c.Net, 100*rep.Labels, r.memorised)
	}
	for _, radius := range []float64{1, 2, 4} {
		share, err := accuracy(ctx, m, feed{task: r.task, seed: evaluationSeed}, c.Attacked, train.Adversary{Radius: radius / 255, Moves: 5})
		if err != nil {
			return err
		}
		fmt.Printf("%s gets %.2f %% of %d right after PGD-5 of radius %g/255\n", c.Net, 100*share, c.Attacked, radius)
		rep.PGD5[fmt.Sprint(radius)] = share
	}
	text, err := json.MarshalIndent(rep, "", "\t")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(c.Dir, c.Net+".json"), append(text, '\n'), 0o644)
}

func (r recipe) spec(name string, u scenes.Unit, weights interp.Weights) interp.Spec {
	classes := r.task.Classes()
	return interp.Spec{Name: "scenes " + name, Forward: r.forward(u, len(classes)), Input: [3]int{side, side, 3}, Classes: classes, Weights: weights}
}

// fit runs the steps that are left, and leaves a checkpoint whenever it returns. Training begins with the checkpoint where
// there is one, else with the net's weights in from, else with new ones.
func fit(ctx context.Context, name string, r recipe, feed train.Feed, checkpoint, from string) (train.State, error) {
	m, err := train.New(r.spec(name, trained, nil), r.seed)
	if err != nil {
		return train.State{}, err
	}
	file := checkpoint
	s, err := read(file)
	if errors.Is(err, fs.ErrNotExist) {
		if s, err = (train.State{}), nil; from != "" {
			file = from
			s, err = read(file)
		}
	}
	if err != nil {
		return s, err
	}
	if err := s.Check(m.Weights()); err != nil {
		return train.State{}, fmt.Errorf("%s: %w: %s", file, err, anew)
	}
	if file == from {
		s = train.State{Weights: s.Weights}
	}
	show, saved := train.Print(os.Stdout, 5*time.Second), time.Now()
	var failed error
	r.Progress = func(p train.Progress) {
		if show(p); time.Since(saved) > 30*time.Second {
			saved = time.Now()
			s, err := p.State()
			if err == nil {
				err = save(checkpoint, s)
			}
			failed = cmp.Or(failed, err)
		}
	}
	before := s.Done
	s, err = r.Run(ctx, m, s, feed)
	if s.Done > before {
		failed = cmp.Or(failed, save(checkpoint, s))
	}
	if ctx.Err() != nil && failed == nil {
		err = fmt.Errorf("%w; the same command goes on from there", err)
	}
	return s, cmp.Or(err, failed)
}

// accuracy returns the share of a feed's first n images, as they are, that the net gets right under an adversary.
func accuracy(ctx context.Context, m *interp.Model, f feed, n int, a train.Adversary) (float64, error) {
	const most = 100 // images at a time
	f.batch, f.window, f.fresh, f.test = most, most, most, true
	right := 0
	for t := range (n + most - 1) / most {
		e, err := f.at(t)
		if err != nil {
			return 0, err
		}
		ok, err := a.Right(ctx, m, e.Images.Slice(0, min(most, n-t*most)), evaluationSeed)
		if err != nil {
			return 0, err
		}
		right += len(slices.DeleteFunc(ok, func(ok bool) bool { return !ok }))
	}
	return float64(right) / float64(n), nil
}
