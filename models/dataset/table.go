package dataset

import (
	"context"
	"fmt"
	"path/filepath"

	"lucigo/interp"
	"lucigo/models/internal/regular"
)

// table is a data set of images of one size, one after the other in files, as bytes. They stay in the files until they
// are asked for. Its methods are safe for concurrent use.
type table struct {
	file   string
	n      int
	shape  [3]int                                         // height, width, channels
	planes bool                                           // channel by channel, not pixel by pixel
	record func(i int) (pix []byte, class int, err error) // of image i; class is −1 where it has none
}

// String describes the images by the name of their file and their number and size.
func (t *table) String() string {
	return fmt.Sprintf("%s: %d images of %d×%d×%d", filepath.Base(t.file), t.n, t.shape[0], t.shape[1], t.shape[2])
}

// Len returns how many images there are.
func (t *table) Len() int { return t.n }

// Name names image i by its file and its number.
func (t *table) Name(i int) string { return fmt.Sprintf("%s #%d", filepath.Base(t.file), i) }

// Image returns image i, with its class where the file has one.
func (t *table) Image(ctx context.Context, i int) (interp.Images, error) {
	x := interp.Images{N: 1, H: t.shape[0], W: t.shape[1], C: t.shape[2]}
	if err := ctx.Err(); err != nil {
		return x, err
	}
	if i < 0 || i >= t.n {
		return x, fmt.Errorf("dataset: %s: the image is number %d, must be from 0 to %d", t.file, i, t.n-1)
	}
	pix, class, err := t.record(i)
	if err != nil {
		return x, fmt.Errorf("dataset: %s: image %d: %w", t.file, i, err)
	}
	x.Pix = make([]float64, 0, len(pix))
	for p := range pix {
		if t.planes {
			p = p%x.C*x.H*x.W + p/x.C
		}
		x.Pix = append(x.Pix, fraction[pix[p]])
	}
	if class >= 0 {
		x.Class = []int{class}
	}
	return x, nil
}

// onDisk is a file, by its path, that is open only while something is read from it: nobody needs to close it.
type onDisk string

// ReadAt implements io.ReaderAt.
func (path onDisk) ReadAt(b []byte, offset int64) (int, error) {
	f, _, err := regular.Open(string(path))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.ReadAt(b, offset)
}

// size returns the length of the file in bytes.
func (path onDisk) size() (int64, error) {
	f, size, err := regular.Open(string(path))
	if err != nil {
		return 0, err
	}
	return size, f.Close()
}
