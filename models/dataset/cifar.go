package dataset

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"lucigo/models/internal/regular"
)

// CIFAR is CIFAR-10 or CIFAR-100 in its binary version (A. Krizhevsky, "Learning multiple layers of
// features from tiny images", 2009): images of 32×32 in red, green and blue. They stay on disk until they
// are asked for. Its methods are safe for concurrent use.
type CIFAR struct {
	table
	files []*os.File
}

// OpenCIFAR10 opens files such as data_batch_1.bin, in the order given. Classes are 0 to 9.
func OpenCIFAR10(files ...string) (*CIFAR, error) { return openCIFAR(files, 10) }

// OpenCIFAR100 opens files such as train.bin, in the order given. Classes are the fine labels, 0 to 99.
func OpenCIFAR100(files ...string) (*CIFAR, error) { return openCIFAR(files, 100) }

func openCIFAR(paths []string, classes int) (*CIFAR, error) {
	const side, channels = 32, 3
	labels := 1 // bytes before an image
	if classes == 100 {
		labels = 2 // the coarse one first
	}
	record := int64(labels + side*side*channels)
	x := &CIFAR{table: table{file: fmt.Sprintf("CIFAR-%d", classes), shape: [3]int{side, side, channels}, planes: true}}
	var ends []int // of the files, in images
	var names []string
	for _, path := range paths {
		n, err := x.open(path, record)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), x.Close())
		}
		x.n += n
		ends = append(ends, x.n)
		names = append(names, filepath.Base(path))
	}
	if x.n == 0 {
		return nil, fmt.Errorf("%s: no files", x.file)
	}
	x.file += " " + strings.Join(names, ", ")
	x.records = func(i int) ([]byte, int, error) {
		k, first := 0, 0
		for i >= ends[k] {
			k, first = k+1, ends[k]
		}
		b := make([]byte, record)
		if _, err := x.files[k].ReadAt(b, int64(i-first)*record); err != nil {
			return nil, 0, err
		}
		class := int(b[labels-1])
		if class >= classes {
			return nil, 0, fmt.Errorf("class %d, of 0 to %d: %s is damaged, or no file of this data set", class, classes-1, names[k])
		}
		return b[labels:], class, nil
	}
	return x, nil
}

// open adds a file and returns how many images it has.
func (x *CIFAR) open(path string, record int64) (int, error) {
	f, size, err := regular.Open(path)
	if err != nil {
		return 0, err
	}
	x.files = append(x.files, f)
	if size == 0 || size%record != 0 || size/record > 1<<31 {
		return 0, fmt.Errorf("%d bytes, and images have %d each: it is damaged, or no binary file of this data set", size, record)
	}
	return int(size / record), nil
}

// String describes the images by their files and number.
func (x *CIFAR) String() string { return fmt.Sprintf("%s: %d images", x.file, x.n) }

// Close closes the files.
func (x *CIFAR) Close() error {
	var errs []error
	for _, f := range x.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
