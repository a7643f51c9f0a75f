package tensorflow

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"lucigo/models/internal/plan"
	"lucigo/models/internal/wire"
)

// TensorFlow's numbers for the types of tensors that are read.
const (
	typeFloat  = 1
	typeDouble = 2
	typeInt32  = 3
	typeInt64  = 9
)

// fill bounds how many numbers the tensors of a file may have that are not there: a TensorProto may
// leave out the repetitions of its last number.
type fill int

const maxFill fill = 1 << 20

// parseTensor reads a TensorProto.
func parseTensor(b []byte, left *fill) (*plan.Constant, error) {
	var (
		kind    int64
		dims    []int64
		content []byte
		t       plan.Constant
	)
	for f, err := range wire.Fields(b) {
		if err != nil {
			return nil, err
		}
		switch f.Number {
		case 1:
			kind, err = f.Int()
		case 2:
			var s []byte
			if s, err = f.Bytes(); err == nil {
				dims, err = shape(s)
			}
		case 4:
			content, err = f.Bytes()
		case 5:
			t.F32, err = wire.Numbers(t.F32, f, 4, wire.Float32)
		case 6:
			t.F64, err = wire.Numbers(t.F64, f, 8, wire.Float64)
		case 7, 10: // int_val, int64_val
			t.Ints, err = f.Ints(t.Ints, maxInts)
		}
		if err != nil {
			return nil, err
		}
	}
	size := 1
	for _, d := range dims {
		if d < 0 || d > 0 && int64(size) > math.MaxInt32/d {
			return nil, fmt.Errorf("it is shaped %v", dims)
		}
		size *= int(d)
		t.Dims = append(t.Dims, int(d))
	}
	var err error
	switch kind {
	case typeFloat:
		t.F64, t.Ints = nil, nil
		t.F32, err = complete(t.F32, content, 4, wire.Float32, size, left)
	case typeDouble:
		t.F32, t.Ints = nil, nil
		t.F64, err = complete(t.F64, content, 8, wire.Float64, size, left)
	case typeInt32, typeInt64:
		if size > maxInts {
			return nil, fmt.Errorf("it has %d integers, must have at most %d", size, maxInts)
		}
		t.F32, t.F64 = nil, nil
		width, from := 8, func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }
		if kind == typeInt32 {
			width, from = 4, func(b []byte) int64 { return int64(int32(binary.LittleEndian.Uint32(b))) }
		}
		t.Ints, err = complete(t.Ints, content, width, from, size, left)
	default:
		err = fmt.Errorf("its type is number %d, and only float (1), double (2), int32 (3) and int64 (9) are supported", kind)
	}
	return &t, err
}

// maxInts is how many integers a tensor may have: they are axes and shapes.
const maxInts = 64

// complete returns the numbers of a tensor of the given size: those of content, or else data and as many
// more of its last number, zeros if it has none, as are missing.
func complete[T any](data []T, content []byte, width int, from func([]byte) T, size int, left *fill) ([]T, error) {
	if len(content) > 0 {
		if len(content) != size*width {
			return nil, fmt.Errorf("it has %d bytes, must have %d numbers of %d bytes: the file is damaged", len(content), size, width)
		}
		return wire.Decode[T](nil, content, width, from), nil
	}
	missing := size - len(data)
	switch {
	case missing < 0:
		return nil, fmt.Errorf("it has %d numbers, must have %d: the file is damaged", len(data), size)
	case fill(missing) > *left:
		return nil, fmt.Errorf("%d of its numbers are left out of the file, which is not supported for so many", missing)
	}
	*left -= fill(missing)
	last := make([]T, 1)
	if len(data) > 0 {
		last = data[len(data)-1:]
	}
	return append(data, slices.Repeat(last, missing)...), nil
}
