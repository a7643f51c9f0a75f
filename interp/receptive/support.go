package receptive

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
)

// Span is a run of pixels along an axis, from First to End − 1; First = End is none.
type Span struct{ First, End int }

// Support is what the units of a layer see of an image of one size, exactly: pixels that no unit before
// this layer looks at, because a stride passes over the last of them, are not in it, and nothing outside
// the image is.
type Support struct {
	Layer         string
	Rows, Columns []Span // of the units in each row and in each column of the layer, together
}

// Rect returns the pixels of the image that the unit at a row and column of the layer sees.
func (s Support) Rect(row, column int) image.Rectangle {
	return image.Rect(s.Columns[column].First, s.Rows[row].First, s.Columns[column].End, s.Rows[row].End)
}

// SupportOf returns what the units of a layer see of images of h×w pixels, exactly: those of the given
// channels together, or, where none is given, of all. Units that see only padding have empty spans; that
// no unit sees a pixel is an error. A layer without positions has one row and one column.
//
// A unit sees a pixel if the operators on the way compute its value from the pixel, whatever the image and
// the weights are: a weight of zero counts, a factor of zero that is a constant does not. Nothing is
// compiled, unless the network has constants with zeros, and the result is kept: a second call costs
// nothing.
func SupportOf(ctx context.Context, m *interp.Model, layer string, h, w int, channels ...int) (Support, error) {
	type key struct {
		layer, channels string
		h, w            int
	}
	s, err := interp.Once(m, key{layer, fmt.Sprint(channels), h, w}, func() (Support, error) {
		s := Support{Layer: layer}
		seen, _, err := see(ctx, m, layer, [2]int{h, w}, channels)
		for axis, spans := range []*[]Span{&s.Rows, &s.Columns} {
			for _, v := range seen[axis] {
				*spans = append(*spans, v.Span)
			}
		}
		return s, err
	})
	if err != nil {
		return s, fmt.Errorf("receptive: %s: the support of layer %q at %d×%d pixels: %w", m.Name(), layer, h, w, err)
	}
	s.Rows, s.Columns = slices.Clone(s.Rows), slices.Clone(s.Columns)
	return s, nil
}

// gapped is a span and the longest run of pixels in it that is not seen.
type gapped struct {
	Span
	gap int
}

// see returns what the units of a layer see of an image along each axis; flat layers have no positions. Each
// row and each column of units is a question.
func see(ctx context.Context, m *interp.Model, layer string, shape [2]int, channels []int) (spans [2][]gapped, flat bool, err error) {
	const together = 64 // questions
	err = m.Inspect(shape[0], shape[1], layer, func(image, value *graph.Node) error {
		units := value.Shape().Dimensions
		if flat = len(units) != 4; flat {
			units = []int{1, 1, 1, units[len(units)-1]}
		}
		wanted := make([]bool, units[3])
		for _, c := range channels {
			if c < 0 || c >= units[3] {
				return fmt.Errorf("channel is %d, must be from 0 to %d", c, units[3]-1)
			}
			wanted[c] = true
		}
		d, err := newDependence(image, value)
		if err != nil {
			return err
		}
		pixels := image.Shape().Dimensions
		for first := 0; first < units[1]+units[2]; first += together {
			asked := make([]uint64, size(value.Shape().Dimensions))
			for i := range asked {
				c := i % units[3]
				if len(channels) > 0 && !wanted[c] {
					continue
				}
				column, row := i/units[3]%units[2], i/units[3]/units[2]%units[1]
				asked[i] = bit(row-first) | bit(units[1]+column-first)
			}
			bits, err := d.sweep(ctx, asked)
			if err != nil {
				return err
			}
			lines := [2][]uint64{make([]uint64, pixels[1]), make([]uint64, pixels[2])}
			for i, b := range bits {
				lines[0][i/pixels[3]/pixels[2]] |= b
				lines[1][i/pixels[3]%pixels[2]] |= b
			}
			for question := first; question < min(first+together, units[1]+units[2]); question++ {
				axis := 0
				if question >= units[1] {
					axis = 1
				}
				spans[axis] = append(spans[axis], spanOf(lines[axis], bit(question-first)))
			}
		}
		if slices.ContainsFunc(slices.Concat(spans[:]...), func(v gapped) bool { return v.First < v.End }) {
			return nil
		}
		return errors.New("no unit sees a pixel: the layer, or these channels of it, do not depend on the image")
	})
	return spans, flat, err
}

// bit is a number with one bit, or none outside 0 to 63.
func bit(i int) uint64 {
	if i < 0 {
		return 0
	}
	return 1 << i
}

// spanOf returns from the first to the last place that has the bit.
func spanOf(line []uint64, bit uint64) (s gapped) {
	for i, b := range line {
		if b&bit == 0 {
			continue
		}
		if s.End == 0 {
			s.First = i
		} else {
			s.gap = max(s.gap, i-s.End)
		}
		s.End = i + 1
	}
	return s
}
