package dataset

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"lucigo/models/internal/regular"
)

// IDX is a data set in the files of MNIST and its descendants (format: Y. LeCun, C. Cortes and C. Burges,
// "The MNIST database of handwritten digits"): images of bytes, [n, height, width] or [n, height, width,
// channels], and their labels, [n], each compressed by gzip or not. Images stay on disk until they are
// asked for, if they are not compressed. Its methods are safe for concurrent use.
type IDX struct {
	table
	closer io.Closer
}

// MaxIDX is the most that is decompressed of an IDX file, in bytes.
const MaxIDX = 1 << 31

// OpenIDX opens a file of images and, if labels is not "", one of as many labels.
func OpenIDX(images, labels string) (*IDX, error) {
	dims, data, closer, err := openIDX(images)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", images, err)
	}
	x := &IDX{table: table{file: images}, closer: closer}
	if len(dims) == 3 {
		dims = append(dims, 1)
	}
	if len(dims) != 4 || dims[3] != 1 && dims[3] != 3 {
		return nil, errors.Join(fmt.Errorf("%s: it is shaped %v, and images are [n, height, width] or [n, height, width, 1 or 3]", images, dims), closer.Close())
	}
	x.n, x.shape = dims[0], [3]int(dims[1:])
	var classes []byte
	if labels != "" {
		if classes, err = readLabels(labels, x.n); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", labels, err), closer.Close())
		}
	}
	size := dims[1] * dims[2] * dims[3]
	x.records = func(i int) ([]byte, int, error) {
		pix, class := make([]byte, size), -1
		if classes != nil {
			class = int(classes[i])
		}
		_, err := data.ReadAt(pix, int64(i)*int64(size))
		return pix, class, err
	}
	return x, nil
}

// String describes the images by the name of their file and their number and size.
func (x *IDX) String() string {
	return fmt.Sprintf("%s: %d images of %d×%d×%d", filepath.Base(x.file), x.n, x.shape[0], x.shape[1], x.shape[2])
}

// Close closes the file of images.
func (x *IDX) Close() error { return x.closer.Close() }

func readLabels(path string, n int) ([]byte, error) {
	dims, data, closer, err := openIDX(path)
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	if len(dims) != 1 || dims[0] != n {
		return nil, fmt.Errorf("it is shaped %v, and %d images need labels shaped [%[2]d]", dims, n)
	}
	b := make([]byte, n)
	_, err = data.ReadAt(b, 0)
	return b, err
}

// openIDX reads the head of an IDX file of bytes and returns what is after it.
func openIDX(path string) (dims []int, data io.ReaderAt, closer io.Closer, err error) {
	f, size, err := regular.Open(path)
	if err != nil {
		return nil, nil, nil, err
	}
	if dims, data, err = readIDX(f, size); err != nil {
		return nil, nil, nil, errors.Join(err, f.Close())
	}
	return dims, data, f, nil
}

func readIDX(f io.ReaderAt, bytes int64) (dims []int, data io.ReaderAt, err error) {
	whole := io.NewSectionReader(f, 0, bytes)
	var two [2]byte
	if _, err := f.ReadAt(two[:], 0); err != nil {
		return nil, nil, fmt.Errorf("no IDX file, which begins with two zeros: %w", err)
	}
	if two == [2]byte{0x1f, 0x8b} {
		z, err := gzip.NewReader(bufio.NewReader(whole))
		if err != nil {
			return nil, nil, err
		}
		return inflateIDX(z)
	}
	dims, head, size, err := headIDX(whole)
	if err == nil && bytes != head+size {
		err = fmt.Errorf("it has %d bytes, and shaped %v it would have %d: it is damaged", bytes, dims, head+size)
	}
	return dims, io.NewSectionReader(f, head, size), err
}

// inflateIDX reads a compressed file whole.
func inflateIDX(r io.Reader) (dims []int, data io.ReaderAt, err error) {
	dims, head, size, err := headIDX(r)
	if err == nil && size > MaxIDX-head {
		err = fmt.Errorf("shaped %v, it has more than %d bytes, the most that is decompressed: decompress it to a file", dims, MaxIDX)
	}
	if err != nil {
		return nil, nil, err
	}
	var b bytes.Buffer // grows with what is there, whatever the head says
	n, err := io.Copy(&b, io.LimitReader(r, size+1))
	if err == nil && n != size {
		err = fmt.Errorf("it has not the %d bytes that its shape, %v, says: it is damaged", size, dims)
	}
	return dims, bytes.NewReader(b.Bytes()), err
}

// headIDX reads the head of an IDX file of bytes: the dimensions, and the bytes before and after.
func headIDX(r io.Reader) (dims []int, head, size int64, err error) {
	var magic [4]byte
	if _, err := io.ReadFull(r, magic[:]); err != nil {
		return nil, 0, 0, fmt.Errorf("its head: %w", err)
	}
	const unsigned, most = 0x08, 4
	if magic[0] != 0 || magic[1] != 0 || magic[2] != unsigned || magic[3] < 1 || magic[3] > most {
		return nil, 0, 0, fmt.Errorf("it begins with %x, and an IDX file of bytes with 000008 and 01 to 04", magic)
	}
	size = 1
	for range magic[3] {
		var b [4]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return nil, 0, 0, fmt.Errorf("its head: %w", err)
		}
		d := int64(binary.BigEndian.Uint32(b[:]))
		if d < 1 || d > 1<<31-1 || size > 1<<50/d {
			return nil, 0, 0, fmt.Errorf("no data: an axis of length %d after %v", d, dims)
		}
		dims = append(dims, int(d))
		size *= d
	}
	if image := size / int64(dims[0]); len(dims) > 1 && image > MaxPixels {
		return nil, 0, 0, fmt.Errorf("shaped %v, an image has more than %d pixels, the most that is read", dims, MaxPixels)
	}
	return dims, 4 + 4*int64(len(dims)), size, nil
}
