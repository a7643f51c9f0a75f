package digest

import (
	"encoding/binary"
	"fmt"
	"io"
)

// block is how many bytes Sample reads at a place.
const block = 4 << 10

// Sample writes to h what tells a file of size bytes from another: its size, and its content as far as that has at most
// blocks of 4 KiB, or else as many blocks, evenly from the first to the last. So of a file of photographs' or numbers'
// kind that is longer, another of the same length is told apart, and a change of a few bytes may not be.
func Sample(h io.Writer, r io.ReaderAt, size int64, blocks int) error {
	if err := binary.Write(h, binary.LittleEndian, size); err != nil {
		return err
	}
	if size <= int64(blocks)*block {
		return part(h, r, 0, size)
	}
	for i := range int64(blocks) {
		at := i * (size - block) / int64(max(1, blocks-1))
		if err := part(h, r, at, block); err != nil {
			return err
		}
	}
	return nil
}

// part writes n bytes from a place.
func part(h io.Writer, r io.ReaderAt, at, n int64) error {
	got, err := io.Copy(h, io.NewSectionReader(r, at, n))
	if err == nil && got < n {
		err = fmt.Errorf("the file ends at byte %d: it was cut while being read", at+got)
	}
	return err
}
