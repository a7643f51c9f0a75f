package dataset

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// The most that is decompressed of an IDX file, in bytes: maxSmall, and maxRatio times its length. MNIST's images have five
// times their length.
const (
	maxSmall = 32 << 20
	maxRatio = 30
)

// openIDX opens files of MNIST and its descendants (format: Y. LeCun, C. Cortes and C. Burges, "The MNIST database of
// handwritten digits"): images of bytes, [n, height, width] or [n, height, width, channels], and, if labels is not "",
// their labels, [n], each compressed by gzip or not. What is compressed is kept in memory.
func openIDX(images, labels string) (*table, error) {
	dims, data, err := readIDXFile(images)
	if err != nil {
		return nil, err
	}
	if len(dims) == 3 {
		dims = append(dims, 1)
	}
	if len(dims) != 4 || dims[3] != 1 && dims[3] != 3 {
		return nil, fmt.Errorf("dataset: %s: it is shaped %v, and images are [n, height, width] or [n, height, width, 1 or 3]", images, dims)
	}
	files := []string{images}
	var classes []byte
	if labels != "" {
		files = append(files, labels)
		of, data, err := readIDXFile(labels)
		if err == nil && (len(of) != 1 || of[0] != dims[0]) {
			err = fmt.Errorf("dataset: %s: it is shaped %v, and %d images need labels shaped [%[3]d]", labels, of, dims[0])
		}
		if err == nil {
			classes = make([]byte, dims[0])
			_, err = data.ReadAt(classes, 0)
		}
		if err != nil {
			return nil, err
		}
	}
	print, err := fingerprint(tableBlocks, files...)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	return &table{file: images, print: print, n: dims[0], shape: [3]int(dims[1:]), record: func(i int) ([]byte, int, error) {
		pix, class := make([]byte, dims[1]*dims[2]*dims[3]), -1
		if classes != nil {
			class = int(classes[i])
		}
		_, err := data.ReadAt(pix, int64(i)*int64(len(pix)))
		return pix, class, err
	}}, nil
}

func readIDXFile(path string) (dims []int, data io.ReaderAt, err error) {
	size, err := onDisk(path).size()
	if err == nil {
		dims, data, err = readIDX(onDisk(path), size)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("dataset: %s: %w", path, err)
	}
	return dims, data, nil
}

// readIDX reads the head of an IDX file of bytes and returns what is after it.
func readIDX(f io.ReaderAt, bytes int64) (dims []int, data io.ReaderAt, err error) {
	whole := bufio.NewReaderSize(io.NewSectionReader(f, 0, bytes), 1<<16)
	two, err := whole.Peek(2)
	if err != nil {
		return nil, nil, fmt.Errorf("no IDX file, which begins with two zeros: %w", err)
	}
	if string(two) == "\x1f\x8b" {
		z, err := gzip.NewReader(whole)
		if err != nil {
			return nil, nil, err
		}
		return inflateIDX(z, maxSmall+maxRatio*bytes)
	}
	dims, head, size, err := headIDX(whole)
	if err == nil && bytes != head+size {
		err = fmt.Errorf("it has %d bytes, and shaped %v it would have %d: it is damaged", bytes, dims, head+size)
	}
	return dims, io.NewSectionReader(f, head, size), err
}

// inflateIDX reads a compressed file whole, if that is no more than most.
func inflateIDX(r io.Reader, most int64) (dims []int, data io.ReaderAt, err error) {
	dims, _, size, err := headIDX(r)
	if err == nil && size > most {
		err = fmt.Errorf("shaped %v, it has %d bytes, and at most %d are decompressed of so short a file: decompress it to a file", dims, size, most)
	}
	if err != nil {
		return nil, nil, err
	}
	b := make([]byte, size)
	n, err := io.ReadFull(r, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = fmt.Errorf("it ends after %d bytes of the %d that its shape, %v, says: it is damaged", n, size, dims)
	}
	if err == nil { // to the end, so that its checksum is looked at
		switch _, err = io.ReadFull(r, make([]byte, 1)); err {
		case nil:
			err = fmt.Errorf("it has more than the %d bytes that its shape, %v, says: it is damaged", size, dims)
		case io.EOF:
			err = nil
		}
	}
	return dims, bytes.NewReader(b), err
}

// headIDX reads the head of an IDX file of bytes: the dimensions, and the bytes before and after.
func headIDX(r io.Reader) (dims []int, head, size int64, err error) {
	var magic [4]byte
	if _, err := io.ReadFull(r, magic[:]); err != nil {
		return nil, 0, 0, fmt.Errorf("its head: %w", err)
	}
	if magic[0] != 0 || magic[1] != 0 || magic[2] != 8 || magic[3] < 1 || magic[3] > 4 {
		return nil, 0, 0, fmt.Errorf("it begins with %x, and an IDX file of bytes with 000008 and 01 to 04", magic)
	}
	axes := make([]uint32, magic[3])
	if err := binary.Read(r, binary.BigEndian, axes); err != nil {
		return nil, 0, 0, fmt.Errorf("its head: %w", err)
	}
	size = 1
	for _, d := range axes {
		if d < 1 || d > math.MaxInt32 || size > 1<<50/int64(d) {
			return nil, 0, 0, fmt.Errorf("no data: an axis of length %d after %v", d, dims)
		}
		dims = append(dims, int(d))
		size *= int64(d)
	}
	if image := size / int64(dims[0]); len(dims) > 1 && image > MaxPixels {
		return nil, 0, 0, fmt.Errorf("shaped %v, an image has more than %d pixels, the most that is read", dims, MaxPixels)
	}
	return dims, 4 + 4*int64(len(dims)), size, nil
}
