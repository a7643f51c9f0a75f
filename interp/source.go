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

	// Image returns image i alone, of the size that the model takes. An image whose error is not ctx's is
	// unreadable: a scan counts it and goes on. A call may still be running when its caller has returned
	// because ctx ended.
	Image(ctx context.Context, i int) (Images, error)
}
