// Package train trains the networks of lucigo/models/digits on the files of MNIST:
//
//	go run ./kernel models digits --data DIR --net robust
package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"lucigo/interp"
	"lucigo/interp/train"
	"lucigo/models/dataset"
	"lucigo/models/digits"
	"lucigo/models/safetensors"
)

// Training is one network's training: the help says what each field is. A field that is zero has the default that it names.
type Training struct {
	Net      string  `help:"Which network: plain, pooled or robust (default: plain)."`
	Data     string  `required:"" help:"Folder with the files of MNIST, or of a data set in its format."`
	Dir      string  `help:"Where the weights go (default: the folder digits of the cache)."`
	Epochs   float64 `help:"How often each image is shown (default: the network's own number)."`
	Radius   float64 `help:"Radius of the adversary in training (default: .3 for robust, else none)."`
	Images   int     `help:"Images to train on (default: all)."`
	Attacked int     `help:"Images to measure under attack (default: 1000)."`
}

// radius is that of the attack that networks are measured under.
const radius = .3

// recipes are how the networks are trained. That of robust is Wong et al.'s, arXiv:2001.03994: a step of 1.25
// radii from a uniform start, Adam with a peak rate of .005, batches of 100; here the radius grows over the first two epochs.
var recipes = map[string]train.Training{
	"plain":  {Epochs: 5, Batch: 100, Rate: 3e-3, Decay: .01},
	"pooled": {Epochs: 5, Batch: 100, Rate: 2e-3, Decay: .01},
	"robust": {Epochs: 10, Batch: 100, Rate: 5e-3, Rise: .4, Adversary: train.Adversary{Radius: radius}},
}

// Run trains, measures and writes the network, and says on standard output how far it is.
func (c Training) Run(ctx context.Context) error {
	c.Net, c.Attacked = cmp.Or(c.Net, "plain"), cmp.Or(c.Attacked, 1000)
	spec, err := digits.Named(c.Net)
	if err != nil {
		return err
	}
	path, err := digits.File(c.Net)
	if err != nil {
		return err
	}
	if c.Dir != "" {
		path = filepath.Join(c.Dir, filepath.Base(path))
	}
	images, err := open(c.Data, "train")
	if err != nil {
		return err
	}
	test, err := open(c.Data, "t10k")
	if err != nil {
		return err
	}
	c.Images = cmp.Or(c.Images, images.Len())
	switch {
	case c.Images < 1 || c.Images > images.Len():
		return fmt.Errorf("train: Images is %d, must be from 1 to %d", c.Images, images.Len())
	case c.Attacked < 1 || c.Attacked > test.Len():
		return fmt.Errorf("train: Attacked is %d, must be from 1 to %d", c.Attacked, test.Len())
	}
	r := recipes[c.Net]
	r.Epochs, r.Adversary.Radius = cmp.Or(c.Epochs, r.Epochs), cmp.Or(c.Radius, r.Adversary.Radius)
	r.Steps = int(r.Epochs*float64(c.Images)/float64(r.Batch) + .5)
	r.Progress = train.Print(os.Stdout, 5*time.Second)
	m, err := train.New(spec, 1)
	if err != nil {
		return err
	}
	fmt.Println(r)
	state, err := r.Run(ctx, m, train.State{}, feed(ctx, images, c.Images, r.Batch))
	if err != nil {
		return err
	}
	if m, err = m.With(state.Weights); err != nil {
		return err
	}
	clean, err := share(ctx, m, test, test.Len(), train.Adversary{})
	if err != nil {
		return err
	}
	fmt.Printf("%s gets %.2f %% of %d images right\n", c.Net, 100*clean, test.Len())
	attack := train.Adversary{Radius: radius, Moves: 50, Move: 1. / 30} // PGD-50 with steps of .01, as Wong et al. have it
	left, err := share(ctx, m, test, c.Attacked, attack)
	if err != nil {
		return err
	}
	fmt.Printf("%s gets %.2f %% of %d right under an %v\n", c.Net, 100*left, c.Attacked, attack)
	err = safetensors.Write(path, state.Weights, "F32", [2]string{"net", c.Net}, [2]string{"training", r.String()},
		[2]string{"accuracy", fmt.Sprintf("%.4f of %d", clean, test.Len())}, [2]string{"attacked", fmt.Sprintf("%.4f of %d, %v", left, c.Attacked, attack)})
	if err == nil {
		fmt.Println(path)
	}
	return err
}

// open opens the images of a part of MNIST, train or t10k.
func open(dir, part string) (interp.Source, error) {
	in := dataset.Input{Height: 28, Width: 28, Channels: 1, Labels: true}
	for _, name := range []string{"-images-idx3-ubyte", "-images-idx3-ubyte.gz", "-images.idx3-ubyte"} {
		src, err := in.Open(filepath.Join(dir, part+name))
		if !errors.Is(err, fs.ErrNotExist) {
			return src, err
		}
	}
	return nil, fmt.Errorf("train: %s: there is no %s-images-idx3-ubyte.gz, nor without .gz: %w", dir, part, os.ErrNotExist)
}

// feed gives batches of the first n images of a data set, in a new order in each epoch.
func feed(ctx context.Context, src interp.Source, n, batch int) train.Feed {
	order := train.Order{N: n}
	return func(step int) (e train.Examples, err error) {
		images := make([]interp.Images, batch)
		for k := range images {
			if images[k], err = src.Image(ctx, order.At(step*batch+k)); err != nil {
				return e, err
			}
		}
		e.Images, err = interp.Join(images...)
		return e, err
	}
}

// share returns the share of the first n images that the network gets right under an adversary.
func share(ctx context.Context, m *interp.Model, src interp.Source, n int, a train.Adversary) (float64, error) {
	x, err := interp.Read(ctx, src, 0, n)
	if err != nil {
		return 0, err
	}
	right, err := a.Right(ctx, m, x, 1)
	return float64(len(slices.DeleteFunc(right, func(ok bool) bool { return !ok }))) / float64(n), err
}
