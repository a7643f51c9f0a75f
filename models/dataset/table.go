package dataset

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"sort"
	"strings"

	"lucigo/internal/digest"
	"lucigo/interp"
	"lucigo/models/internal/regular"
)

// table is a data set of images of one size, one after the other in files, as bytes. They stay in the files until they
// are asked for. Its methods are safe for concurrent use.
type table struct {
	file   string
	print  string // of the files
	n      int
	shape  [3]int                                         // height, width, channels
	planes bool                                           // channel by channel, not pixel by pixel
	record func(i int) (pix []byte, class int, err error) // of image i; class is −1 where it has none
}

// String describes the images by the name of their file, a hash of its content, and their number and size.
func (t *table) String() string {
	return fmt.Sprintf("%s (%s): %d images of %d×%d×%d", filepath.Base(t.file), t.print, t.n, t.shape[0], t.shape[1], t.shape[2])
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

// tableBlocks are the blocks of 4 KiB by which a file of images is told from another of its length: 64 MiB, which is all of
// MNIST's and CIFAR's files.
const tableBlocks = 1 << 14

// fingerprint returns a hash of files, each of whose content so many blocks count.
func fingerprint(blocks int, paths ...string) (string, error) {
	h := sha256.New()
	for _, path := range paths {
		f, size, err := regular.Open(path)
		if err != nil {
			return "", err
		}
		if err := errors.Join(digest.Sample(h, f, size, blocks), f.Close()); err != nil {
			return "", err
		}
	}
	return short([sha256.Size]byte(h.Sum(nil))), nil
}

// short is as much of a hash as a description holds.
func short(sum [sha256.Size]byte) string { return fmt.Sprintf("%x", sum[:8]) }

// openCIFAR opens files of CIFAR-10, such as data_batch_1.bin, or CIFAR-100, such as train.bin, in their binary version
// (A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009), in the order given: images of 32×32 in
// red, green and blue. Classes are 0 to 9, or the fine labels, 0 to 99.
func openCIFAR(classes int, paths ...string) (*table, error) {
	const side, channels = 32, 3
	labels := 1 // bytes before an image
	if classes == 100 {
		labels = 2 // the coarse one first
	}
	record := int64(labels + side*side*channels)
	if len(paths) == 0 {
		return nil, errors.New("dataset: CIFAR has no files, must have at least 1")
	}
	x := &table{shape: [3]int{side, side, channels}, planes: true}
	var ends []int // of the files, in images
	var names []string
	for _, path := range paths {
		size, err := onDisk(path).size()
		if err == nil && (size == 0 || size%record != 0 || size/record > 1<<31) {
			err = fmt.Errorf("it has %d bytes, and images have %d each: it is damaged, or no binary file of CIFAR-%d", size, record, classes)
		}
		if err != nil {
			return nil, fmt.Errorf("dataset: %s: %w", path, err)
		}
		x.n += int(size / record)
		ends = append(ends, x.n)
		names = append(names, filepath.Base(path))
	}
	x.file = fmt.Sprintf("CIFAR-%d %s", classes, strings.Join(names, ", "))
	var err error
	if x.print, err = fingerprint(tableBlocks, paths...); err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	x.record = func(i int) ([]byte, int, error) {
		k, first := sort.SearchInts(ends, i+1), 0
		if k > 0 {
			first = ends[k-1]
		}
		b := make([]byte, record)
		if _, err := onDisk(paths[k]).ReadAt(b, int64(i-first)*record); err != nil {
			return nil, 0, err
		}
		class := int(b[labels-1])
		if class >= classes {
			err := fmt.Errorf("class %d, of 0 to %d: %s is damaged, or no file of this data set", class, classes-1, names[k])
			return nil, 0, interp.Undecodable{Err: err}
		}
		return b[labels:], class, nil
	}
	return x, nil
}
