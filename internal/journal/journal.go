// Package journal keeps records in a file that only grows. A record is in the file when Append returns, whatever kills
// the process then; what a kill left half written is dropped when the file is opened again, and everything before it is
// checked by content.
package journal

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"

	"github.com/gofrs/flock"
)

// The file is a line that names the kind of journal, and then records: uint32 length, uint32 CRC-32 of those four bytes, the
// record, and the first 16 bytes of SHA-256 of the sum before it (of the line, for the first) and the record. So no record can be
// changed, left out or moved. Numbers are little-endian.
const (
	format = "lucigo journal, version 1: "
	head   = 4 + 4
	sum    = 16
)

// MaxRecord is the most bytes of a record. A file may have any number of them: it is read record by record.
const MaxRecord = 1 << 24

// ErrBusy is the error of a journal that is open already, in this process or another.
var ErrBusy = errors.New("another program, or this one, has it open: end that, or name another file")

// Journal is an open file of records. It belongs to one goroutine.
type Journal struct {
	// Dropped is how many bytes of a record that was never finished Open has cut off.
	Dropped int64

	path string
	f    *os.File
	lock *flock.Flock
	last [sum]byte
	size int64 // of what is whole
	err  error // of an Append that may have left a part
}

// Open opens the journal of a kind at path, and makes it where there is no file. It hands each record to read, in order, which
// must not keep it; an error of read is Open's. Nobody else can open it until it is closed.
func Open(path, kind string, read func(record []byte) error) (*Journal, error) {
	j := &Journal{path: path}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("journal: %s is no file, but a folder or a device: name a file", path)
	}
	j.lock = flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR))
	switch ok, err := j.lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("journal: %w", err)
	case !ok:
		return nil, fmt.Errorf("journal: %s: %w", path, ErrBusy)
	}
	err := j.open(format+kind+"\n", read)
	if err != nil {
		_ = j.Close() // there is nothing to lose
		return nil, fmt.Errorf("journal: %s: %w", path, err)
	}
	return j, nil
}

func (j *Journal) open(line string, read func(record []byte) error) (err error) {
	if j.f, err = os.OpenFile(j.path, os.O_RDWR, 0); err != nil {
		return err
	}
	info, err := j.f.Stat()
	if err != nil {
		return err
	}
	total := info.Size()
	if total < int64(len(line)) { // new, or killed while it was
		b := make([]byte, total)
		if _, err := j.f.ReadAt(b, 0); err != nil && err != io.EOF {
			return err
		}
		if line[:total] == string(b) {
			if _, err := j.f.WriteAt([]byte(line), 0); err != nil {
				return err
			}
			total = int64(len(line))
		}
	}
	if j.last, j.size, err = scan(io.NewSectionReader(j.f, 0, total), total, line, read); err != nil {
		return err
	}
	j.Dropped = total - j.size
	return j.f.Truncate(j.size)
}

// scan reads what is whole of a file of so many bytes, and returns the last sum and the bytes until there.
func scan(r io.Reader, total int64, line string, read func(record []byte) error) (last [sum]byte, size int64, err error) {
	in := bufio.NewReaderSize(r, 1<<16)
	b, err := next(in, nil, min(len(line), int(min(total, MaxRecord))))
	if err != nil {
		return last, 0, err
	}
	if string(b) != line {
		return last, 0, fmt.Errorf("it does not begin with %q, so it is a file of another kind: name another", line[:len(line)-1])
	}
	size, last = int64(len(line)), chain(last, b)
	for total-size >= head {
		if b, err = next(in, b, head); err != nil {
			return last, size, err
		}
		length, check := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
		if check != crc32.ChecksumIEEE(b[:4]) || length > MaxRecord {
			empty, err := zero(b), error(nil)
			for empty && err == nil { // the machine may have gone down between the file's growth and its content
				b, err = in.Peek(in.Size())
				empty = zero(b)
				_, _ = in.Discard(len(b)) // it is there
			}
			if err == io.EOF && empty {
				break
			}
			if err != nil && err != io.EOF {
				return last, size, err
			}
			return last, size, damaged(size)
		}
		end := head + int64(length) + sum
		if total-size < end {
			break
		}
		if b, err = next(in, b, int(length)+sum); err != nil {
			return last, size, err
		}
		record := b[:length]
		if s := chain(last, record); s == [sum]byte(b[length:]) {
			last = s
		} else if total-size == end { // as after zeros
			break
		} else {
			return last, size, damaged(size)
		}
		if err := read(record); err != nil {
			return last, size, fmt.Errorf("the record at byte %d: %w", size, err)
		}
		size += end
	}
	return last, size, nil
}

// next reads n bytes, into b where it has room for them.
func next(r io.Reader, b []byte, n int) ([]byte, error) {
	b = slices.Grow(b[:0], n)[:n]
	_, err := io.ReadFull(r, b)
	return b, err
}

func damaged(at int64) error {
	return fmt.Errorf("it is damaged at byte %d, with records after it: take a copy that is whole, or keep the records before (head -c %[1]d)", at)
}

func chain(last [sum]byte, record []byte) [sum]byte {
	h := sha256.New()
	h.Write(last[:])
	h.Write(record)
	return [sum]byte(h.Sum(nil))
}

func zero(b []byte) bool { return bytes.Count(b, []byte{0}) == len(b) }

// Append adds a record. When it returns, the record outlives the process.
func (j *Journal) Append(record []byte) error {
	if j.err != nil {
		return j.err
	}
	if len(record) > MaxRecord {
		return fmt.Errorf("journal: %s: a record of %d bytes, must have at most %d", j.path, len(record), MaxRecord)
	}
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, head+len(record)+sum), uint32(len(record)))
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	s := chain(j.last, record)
	b = append(append(b, record...), s[:]...)
	if _, err := j.f.WriteAt(b, j.size); err != nil {
		if cut := j.f.Truncate(j.size); cut != nil {
			j.err = fmt.Errorf("journal: %s: %w; open it again", j.path, errors.Join(err, cut))
		}
		return fmt.Errorf("journal: %w; what was there is whole: make room, and go on", err)
	}
	j.last, j.size = s, j.size+int64(len(b))
	return nil
}

// Close closes the file, and lets others open it.
func (j *Journal) Close() error {
	var err error
	if j.f != nil {
		err = errors.Join(j.f.Sync(), j.f.Close())
	}
	if err = errors.Join(err, j.lock.Close()); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}
