package interp

import (
	"context"
	"fmt"

	"lucigo/internal/parallel"
)

// Source is a data set: numbered images. Its methods are called by several goroutines at once.
type Source interface {
	// String describes the data set and how its images are prepared. Sources of equal descriptions and
	// lengths are taken for the same.
	String() string

	// Len is the number of images.
	Len() int

	// Name names image i for people, as by its file.
	Name(i int) string

	// Image returns image i alone, of the size that the model takes. An error that is an Undecodable is of the
	// image: a scan counts it and goes on. After any other, as of a disk or a network, it stops, so that it can be
	// taken up again. A call may still be running when its caller has returned because ctx ended.
	Image(ctx context.Context, i int) (Images, error)
}

// Undecodable is the error of an image that was read and is none, however often it is read again.
type Undecodable struct{ Err error }

// Error returns what Err says.
func (u Undecodable) Error() string { return u.Err.Error() }

// Unwrap returns Err.
func (u Undecodable) Unwrap() error { return u.Err }

// Read reads images i to j−1 of a data set, on all cores. An image that cannot be read is an error. The images
// have classes where all of them do.
func Read(ctx context.Context, src Source, i, j int) (Images, error) {
	if i < 0 || j <= i || j > src.Len() {
		return Images{}, fmt.Errorf("interp: %s: images %d to %d, must be of images 0 to %d", src, i, j-1, src.Len()-1)
	}
	images := make([]Images, j-i)
	err := parallel.Each(ctx, len(images), func(k int) (err error) {
		images[k], err = src.Image(ctx, i+k)
		return err
	})
	if err != nil {
		return Images{}, err
	}
	return Join(images...)
}
