package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"lucigo/interp"
	"lucigo/interp/random"
)

// Examples are images and what a network is to say of them.
type Examples struct {
	Images interp.Images // Class are the labels

	// Targets are probabilities instead of labels, one for each class of each image, one image after the other; they
	// add up to 1 for each image. nil: the labels.
	Targets []float64
}

// Feed returns the examples of a step. Run calls it in the order of the steps, from one goroutine that goes ahead of
// the training. A call may still be running when Run has returned because ctx ended.
type Feed func(step int) (Examples, error)

// check says what is wrong with the examples for m.
func (e Examples) check(m *interp.Model) error {
	if err := e.Images.Check(); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	x, classes := e.Images, len(m.Classes())
	if h, w, c := m.Input(); x.H != h || x.W != w || x.C != c {
		return fmt.Errorf("train: the images are %d×%d×%d, and %s takes %d×%d×%d", x.H, x.W, x.C, m.Name(), h, w, c)
	}
	switch {
	case e.Targets == nil && x.Class == nil:
		return errors.New("train: the images have no labels: Class and Targets are nil")
	case e.Targets != nil && len(e.Targets) != x.N*classes:
		return fmt.Errorf("train: Targets has %d numbers, must have %d: one for each of %d classes of %d images", len(e.Targets), x.N*classes, classes, x.N)
	case e.Targets == nil:
		if i := slices.IndexFunc(x.Class, func(c int) bool { return c < 0 || c >= classes }); i >= 0 {
			return fmt.Errorf("train: the label of image %d is %d, must be from 0 to %d", i, x.Class[i], classes-1)
		}
		return nil
	}
	for i := range x.N {
		sum := 0.
		for c, p := range e.Targets[i*classes : (i+1)*classes] {
			if !(p >= 0) {
				return fmt.Errorf("train: the target of class %d of image %d is %g, must be at least 0", c, i, p)
			}
			sum += p
		}
		if !(math.Abs(sum-1) <= 1e-3) { // probabilities of a server may be rounded
			return fmt.Errorf("train: the targets of image %d add up to %g, must add up to 1", i, sum)
		}
	}
	return nil
}

// targets returns the probability of each class.
func (e Examples) targets(classes int) interp.Arg {
	if e.Targets != nil {
		return interp.Each(e.Targets, classes)
	}
	v := make([]float64, e.Images.N*classes)
	for i, c := range e.Images.Class {
		v[i*classes+c] = 1
	}
	return interp.Each(v, classes)
}

// shuffled gives so many examples a step.
func (e Examples) shuffled(batch int, seed uint64) Feed {
	x, classes := e.Images.Keyed(), len(e.Targets)/e.Images.N
	order := Order{N: x.N, Seed: seed}
	return func(step int) (Examples, error) {
		images := make([]int, batch)
		var targets []float64
		for k := range images {
			images[k] = order.At(step*batch + k)
			targets = append(targets, e.Targets[images[k]*classes:(images[k]+1)*classes]...)
		}
		return Examples{Images: x.Pick(images...), Targets: targets}, nil
	}
}

// Order is an endless sequence of the numbers 0 to N−1: each comes once in an epoch, in an order of the epoch's own.
type Order struct {
	N    int
	Seed uint64

	epoch   int
	numbers []int // of the epoch
}

// At returns the number at place k.
func (o *Order) At(k int) int {
	if epoch := k / o.N; o.numbers == nil || epoch != o.epoch {
		o.epoch, o.numbers = epoch, make([]int, o.N)
		s := random.New(o.Seed, uint64(epoch), 0)
		for i := range o.numbers { // Fisher and Yates
			j := s.Intn(i, i+1)
			o.numbers[i], o.numbers[j] = o.numbers[j], i
		}
	}
	return o.numbers[k%o.N]
}

// batch is what a step takes of its examples.
type batch struct {
	interp.Images
	targets, start interp.Arg
	err            error
}

// ahead makes the batches of the steps that are to come, while the device computes.
func (t Training) ahead(ctx context.Context, r *run, feed Feed) <-chan batch {
	batches := make(chan batch, 2)
	classes, first := len(r.m.Classes()), r.done
	go func() {
		for step := first; step < t.Steps; step++ {
			e, err := feed(step)
			if err == nil {
				err = e.check(r.m)
			}
			b := batch{Images: e.Images, err: err}
			if err == nil {
				b.targets = e.targets(classes)
				if t.Adversary.Radius > 0 {
					b.start = starts(e.Images.Keyed(), t.Seed, uint64(step), t.knobs(step).radius)
				}
			}
			select {
			case batches <- b:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return batches
}
