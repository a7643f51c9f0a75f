package interp

import "context"

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
