// Package safetensors reads files of named tensors in the safetensors format: eight bytes with the
// length of a header, a JSON header that says each tensor's type, shape and place, and the numbers,
// little-endian. The format is described at https://huggingface.co/docs/safetensors.
//
// Nothing in a file is believed: the header is bounded, every place is checked before a number is read,
// and tensors must lie one after the other without a gap.
package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/x448/float16"

	"lucigo/interp"
	"lucigo/interp/near"
	"lucigo/models/internal/label"
	"lucigo/models/internal/regular"
)

// maxHeader is the longest header that is read, in bytes: room for some 100,000 tensors. maxRank is the most axes of one.
const (
	maxHeader = 16 << 20
	maxRank   = 64
)

// Info says what a tensor is.
type Info struct {
	// Type is the format's name of the numbers: F64, F32, F16, BF16, I64, BOOL, …
	Type string

	// Shape holds the lengths of the axes, the last one contiguous. A scalar has none.
	Shape []int
}

// File is an opened file. Its methods may be called by several goroutines at once.
type File struct {
	name     string
	r        io.ReaderAt
	close    func() error
	tensors  map[string]tensor
	names    []string
	metadata map[string]string
}

type tensor struct {
	Info
	at, size int64 // in the file, in bytes
}

// widths are the format's types and their bytes a number.
var widths = map[string]uint64{
	"F64": 8, "I64": 8, "U64": 8,
	"F32": 4, "I32": 4, "U32": 4,
	"F16": 2, "BF16": 2, "I16": 2, "U16": 2,
	"I8": 1, "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1,
}

// Open opens the named file and reads its header. Numbers are read when they are asked for.
func Open(path string) (*File, error) {
	f, size, err := regular.Open(path)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	s, err := Read(path, f, size)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	s.close = f.Close
	return s, nil
}

// Read reads the header of the size bytes at r. Errors call the file name; r must outlive the File.
func Read(name string, r io.ReaderAt, size int64) (*File, error) {
	f := &File{name: "safetensors: " + name, r: r, close: func() error { return nil }}
	if err := f.readHeader(size); err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	return f, nil
}

// Close closes the file that Open opened.
func (f *File) Close() error { return f.close() }

// Names returns the names of the tensors, in the order of their data.
func (f *File) Names() []string { return slices.Clone(f.names) }

// Metadata returns the value that the header's __metadata__ has for key, or "".
func (f *File) Metadata(key string) string { return f.metadata[key] }

// Info says what the named tensor is; false if there is none of that name.
func (f *File) Info(name string) (Info, bool) {
	t, ok := f.tensors[name]
	t.Shape = slices.Clone(t.Shape)
	return t.Info, ok
}

// Weights returns all tensors, which must be of floating-point numbers, in float32: that of a name is the value of the
// variable /NAME.
func (f *File) Weights() (interp.Weights, error) {
	weights := interp.Weights{}
	for _, name := range f.names {
		data, err := f.Float32(name)
		if err != nil {
			return nil, err
		}
		if weights["/"+name], err = interp.NewWeight(data, f.tensors[name].Shape...); err != nil {
			return nil, fmt.Errorf("%s: tensor %q: %w", f.name, name, err)
		}
	}
	return weights, nil
}

func (f *File) readHeader(size int64) error {
	var prefix [8]byte
	if size < int64(len(prefix)) {
		return fmt.Errorf("%d bytes are too few for a safetensors file: it is damaged or not one", size)
	}
	if err := readAt(f.r, prefix[:], 0); err != nil {
		return err
	}
	n := binary.LittleEndian.Uint64(prefix[:])
	switch {
	case n > maxHeader:
		return fmt.Errorf("a header of %d bytes, and at most %d are read: the file is damaged or not safetensors", n, maxHeader)
	case int64(n) > size-8:
		return fmt.Errorf("a header of %d bytes in a file of %d: the file is truncated", n, size)
	}
	header := make([]byte, n)
	if err := readAt(f.r, header, 8); err != nil {
		return err
	}
	if err := f.parse(header, 8+int64(n), size); err != nil {
		return err
	}
	return f.order(8+int64(n), size)
}

// entry is a tensor in the header: offsets count from the header's end.
type entry struct {
	Type    string   `json:"dtype"`
	Shape   []uint64 `json:"shape"`
	Offsets []uint64 `json:"data_offsets"`
}

// parse reads the header token by token: decoding into a map would let the last of two tensors of one
// name win without an error.
func (f *File) parse(header []byte, data, size int64) error {
	f.tensors = map[string]tensor{}
	d := json.NewDecoder(bytes.NewReader(header))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("the header is not a JSON object: the file is damaged or not safetensors")
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return fmt.Errorf("header: %w", err)
		}
		name := key.(string) // keys of an object are strings
		if name == "__metadata__" {
			if f.metadata != nil {
				return errors.New("header: __metadata__ appears twice")
			}
			f.metadata = map[string]string{}
			if err := d.Decode(&f.metadata); err != nil {
				return fmt.Errorf("header: __metadata__: %w", err)
			}
			continue
		}
		if err := label.Check(name); err != nil {
			return fmt.Errorf("header: %w", err)
		}
		if _, twice := f.tensors[name]; twice {
			return fmt.Errorf("header: tensor %q appears twice", name)
		}
		var e entry
		if err = d.Decode(&e); err == nil {
			f.tensors[name], err = e.check(data, size)
		}
		if err != nil {
			return fmt.Errorf("header: tensor %q: %w", name, err)
		}
		f.names = append(f.names, name)
	}
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if rest := bytes.Trim(header[d.InputOffset():], " "); len(rest) > 0 {
		return fmt.Errorf("header: %d bytes after its JSON object", len(rest))
	}
	return nil
}

// check turns e into a tensor whose numbers lie between data and size, and whose length fits its shape.
func (e entry) check(data, size int64) (t tensor, err error) {
	width, known := widths[e.Type]
	if !known {
		return t, fmt.Errorf("unknown type %.50q", e.Type)
	}
	switch {
	case e.Shape == nil:
		return t, errors.New("it has no shape")
	case len(e.Shape) > maxRank:
		return t, fmt.Errorf("it has %d axes, must have at most %d", len(e.Shape), maxRank)
	case len(e.Offsets) != 2:
		return t, fmt.Errorf("data_offsets are %d numbers, must be two, where it begins and ends", len(e.Offsets))
	}
	t.Type = e.Type
	length := float64(width) // exact as far as there are files
	for _, n := range e.Shape {
		if n > math.MaxInt32 {
			return t, fmt.Errorf("an axis of length %d", n)
		}
		t.Shape = append(t.Shape, int(n))
		length *= float64(n)
	}
	begin, end := e.Offsets[0], e.Offsets[1]
	switch {
	case begin > end:
		return t, fmt.Errorf("it ends at %d, before it begins at %d", end, begin)
	case end > uint64(size-data):
		return t, fmt.Errorf("it ends at byte %d of %d: the file is truncated or damaged", end, size-data)
	case float64(end-begin) != length:
		return t, fmt.Errorf("it has %d bytes, must have %.0f for %s %v", end-begin, length, e.Type, t.Shape)
	}
	t.at, t.size = data+int64(begin), int64(end-begin)
	return t, nil
}

// order sorts the names by place, and checks that the tensors fill the file from data to size.
func (f *File) order(data, size int64) error {
	slices.SortFunc(f.names, func(a, b string) int { // of one place, empty ones first
		s, t := f.tensors[a], f.tensors[b]
		return cmp.Or(cmp.Compare(s.at, t.at), cmp.Compare(s.size, t.size), strings.Compare(a, b))
	})
	end := data
	for i, name := range f.names {
		switch t := f.tensors[name]; {
		case t.at < end:
			return fmt.Errorf("tensors %q and %q overlap", f.names[i-1], name)
		case t.at > end:
			return fmt.Errorf("%d bytes before tensor %q belong to none", t.at-end, name)
		default:
			end = t.at + t.size
		}
	}
	if end != size {
		return fmt.Errorf("%d bytes after the last tensor belong to none", size-end)
	}
	return nil
}

// Float32 returns the numbers of a floating-point tensor. Those of F64 are rounded, all others exact. It reads piece by
// piece: mapping the file into memory would save a copy, and crash the process if the file were cut meanwhile.
func (f *File) Float32(name string) ([]float32, error) {
	t, ok := f.tensors[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", f.name, near.Error("tensor", name, f.names))
	}
	read := numbers[t.Type]
	if read == nil {
		return nil, fmt.Errorf("%s: tensor %q holds %s, must be F64, F32, F16 or BF16", f.name, name, t.Type)
	}
	width := int64(widths[t.Type])
	out := make([]float32, t.size/width)
	rest := out
	buffer := make([]byte, min(t.size, 64<<10)) // a multiple of every width, as t.size is of its own
	for done := int64(0); done < t.size; {
		piece := buffer[:min(int64(len(buffer)), t.size-done)]
		if err := readAt(f.r, piece, t.at+done); err != nil {
			return nil, fmt.Errorf("%s: tensor %q: %w", f.name, name, err)
		}
		done += int64(len(piece))
		n := int64(len(piece)) / width
		read(rest[:n], piece)
		rest = rest[n:]
	}
	return out, nil
}

// numbers are the floating-point types: each fills out with the numbers of b. F32, which most files hold, is read without
// a call for each number.
var numbers = map[string]func(out []float32, b []byte){
	"F32": func(out []float32, b []byte) {
		for i := range out {
			out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
	},
	"F64":  each(8, func(b []byte) float32 { return float32(math.Float64frombits(binary.LittleEndian.Uint64(b))) }),
	"F16":  each(2, func(b []byte) float32 { return float16.Frombits(binary.LittleEndian.Uint16(b)).Float32() }),
	"BF16": each(2, func(b []byte) float32 { return math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16) }),
}

// each reads numbers of the given width one by one.
func each(width int, number func(b []byte) float32) func(out []float32, b []byte) {
	return func(out []float32, b []byte) {
		for i := range out {
			out[i] = number(b[i*width:])
		}
	}
}

// readAt fills p from offset off.
func readAt(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		return fmt.Errorf("the file ends at byte %d: it was cut while being read", off+int64(n))
	}
	return err
}
