package dataset

import (
	"errors"
	"fmt"
	"path/filepath"
	"sort"
	"strings"
)

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
			return nil, 0, fmt.Errorf("class %d, of 0 to %d: %s is damaged, or no file of this data set", class, classes-1, names[k])
		}
		return b[labels:], class, nil
	}
	return x, nil
}
