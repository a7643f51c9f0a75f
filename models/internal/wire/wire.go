// Package wire walks through messages in the encoding of protocol buffers, without their schema: a reader of a format
// names the few fields that it needs. The encoding is described at https://protobuf.dev/programming-guides/encoding.
//
// Nothing is copied and nothing is allocated but the numbers that are asked for, so that a message cannot
// take more memory than it is long.
package wire

import (
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"lucigo/models/internal/regular"
)

// MaxFile is the length in bytes of the longest message that protocol buffers allow.
const MaxFile = 1<<31 - 1

// ReadFile returns the content of a regular file of at most MaxFile bytes.
func ReadFile(path string) ([]byte, error) {
	f, size, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > MaxFile {
		return nil, fmt.Errorf("%s has %d bytes, of which protocol buffers allow %d: it is another kind of file", path, size, MaxFile)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, fmt.Errorf("%s was cut while being read: %w", path, err)
	}
	return b, nil
}

// Field is a field of a message.
type Field struct {
	// Number is the field's number in the schema.
	Number int

	kind protowire.Type
	num  uint64
	raw  []byte // the content of a length-delimited field, the bytes of a fixed one
}

// Fields goes through the fields of a message in their order. It ends when *err is not nil: it sets it where the message is
// damaged, and the loop may set it.
func Fields(b []byte, err *error) iter.Seq[Field] {
	return func(yield func(Field) bool) {
		for at := 0; at < len(b) && *err == nil; {
			number, kind, n := protowire.ConsumeTag(b[at:])
			f := Field{Number: int(number), kind: kind}
			m := 0
			if n >= 0 {
				m = f.value(number, b[at+n:])
			}
			if n < 0 || m < 0 {
				*err = fmt.Errorf("byte %d of %d: %w: the file is truncated, damaged or of another format",
					at, len(b), protowire.ParseError(min(n, m)))
				return
			}
			if !yield(f) {
				return
			}
			at += n + m
		}
	}
}

// value reads the field's value, which is at the beginning of b, and returns its length.
func (f *Field) value(number protowire.Number, b []byte) (n int) {
	switch f.kind {
	case protowire.VarintType:
		f.num, n = protowire.ConsumeVarint(b)
	case protowire.BytesType:
		f.raw, n = protowire.ConsumeBytes(b)
	default:
		n = protowire.ConsumeFieldValue(number, f.kind, b)
		f.raw = b[:max(n, 0)]
	}
	return n
}

// Bytes returns the content of a string, a bytes field or a message. It is part of what was read.
func (f Field) Bytes() ([]byte, error) {
	if f.kind != protowire.BytesType {
		return nil, f.not("a string or message")
	}
	return f.raw, nil
}

// Int returns the value of an integer, an enumeration or a bool.
func (f Field) Int() (int64, error) {
	if f.kind != protowire.VarintType {
		return 0, f.not("an integer")
	}
	return int64(f.num), nil
}

// Ints appends the values of a repeated integer field to dst, packed or not. More than most in dst are an error.
func (f Field) Ints(dst []int64, most int) ([]int64, error) {
	b := f.raw
	switch f.kind {
	case protowire.VarintType:
		dst = append(dst, int64(f.num))
	case protowire.BytesType:
		for len(b) > 0 && len(dst) <= most {
			v, n := protowire.ConsumeVarint(b)
			if n < 0 {
				return nil, f.not("a list of integers")
			}
			dst, b = append(dst, int64(v)), b[n:]
		}
	default:
		return nil, f.not("a list of integers")
	}
	if len(dst) > most {
		return nil, fmt.Errorf("field %d has more than %d integers", f.Number, most)
	}
	return dst, nil
}

// Fixed returns the bytes, little-endian, of a repeated field of numbers of the given width, 4 or 8: all
// of a packed one, one number of another.
func (f Field) Fixed(width int) ([]byte, error) {
	single := width == 4 && f.kind == protowire.Fixed32Type || width == 8 && f.kind == protowire.Fixed64Type
	if packed := f.kind == protowire.BytesType && len(f.raw)%width == 0; !single && !packed {
		return nil, f.not(fmt.Sprintf("a list of %d-bit numbers", 8*width))
	}
	return f.raw, nil
}

// Numbers appends to dst the numbers of a repeated field, each of the given width, 4 or 8 bytes, packed or not. Number
// returns the number at the beginning of b.
func Numbers[T any](dst []T, f Field, width int, number func(b []byte) T) ([]T, error) {
	b, err := f.Fixed(width)
	if err != nil {
		return nil, err
	}
	return Decode(dst, b, width, number), nil
}

// Decode appends to dst the numbers in b.
func Decode[T any](dst []T, b []byte, width int, number func(b []byte) T) []T {
	dst = slices.Grow(dst, len(b)/width)
	for ; len(b) > 0; b = b[width:] {
		dst = append(dst, number(b))
	}
	return dst
}

// Float32 returns the number that the first four bytes are.
func Float32(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }

// Float64 returns the number that the first eight bytes are.
func Float64(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) }

func (f Field) not(what string) error {
	return fmt.Errorf("field %d is not %s: the file is damaged or of another format", f.Number, what)
}
