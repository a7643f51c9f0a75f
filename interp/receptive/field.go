// Package receptive finds what the units of a layer see of an image: their receptive fields, their exact
// supports, and the filters of a first layer. It follows the operators of the network's graph and computes
// none of its numbers, so that branches which cancel, dead units and padding hide nothing.
package receptive

import (
	"context"
	"errors"
	"fmt"
	"image"

	"lucigo/interp"
)

// Field is the arithmetic of what the units of a layer see, whatever the size of the image: along
// axis 0 (rows) and 1 (columns) the unit at position p sees pixels Start + p·Jump to
// Start + p·Jump + Size − 1, as in Araujo, Norris and Sim, "Computing receptive fields of convolutional
// neural networks", Distill 2019. A Start below 0 is padding. Padding that depends on the size, as
// TensorFlow's SAME does where a window has a stride, is that of images of the model's input size; of
// another size see SupportOf.
//
// A layer without positions, or of which every unit sees the whole image, has Jump 0, Start 0 and the
// model's input as Size.
type Field struct {
	Layer string
	Size  [2]int // pixels
	Jump  [2]int // pixels from one unit to the next
	Start [2]int // first pixel of the unit at row 0, column 0
}

// Rect returns the pixels that the unit at a row and column of the layer sees: Min is the first of them,
// Max one after the last. What lies outside the image is padding.
func (f Field) Rect(row, column int) image.Rectangle {
	y, x := f.Start[0]+row*f.Jump[0], f.Start[1]+column*f.Jump[1]
	return image.Rect(x, y, x+f.Size[1], y+f.Size[0])
}

// String says the size, the jump and the start, rows × columns.
func (f Field) String() string {
	return fmt.Sprintf("%s sees %d×%d pixels, every %d×%d from (%d, %d)", f.Layer,
		f.Size[0], f.Size[1], f.Jump[0], f.Jump[1], f.Start[0], f.Start[1])
}

// FieldOf returns what the units of a layer see: those of the given channels together, or, where none is
// given, of all (the branches of a network see different amounts). It is the arithmetic of SupportOf's
// result for an image of the model's input size, or, where units see more than that, for a taller and a
// wider one. It is kept: a second call costs nothing.
//
// A layer whose units do not advance by a whole, constant number of pixels (one that was resized) is an
// error; its Support still exists.
func FieldOf(ctx context.Context, m *interp.Model, layer string, channels ...int) (Field, error) {
	type key struct{ layer, channels string }
	f, err := interp.Once(m, key{layer, fmt.Sprint(channels)}, func() (Field, error) { return fieldOf(ctx, m, layer, channels) })
	if err != nil {
		return f, fmt.Errorf("receptive: %s: the field of layer %q: %w", m.Name(), layer, err)
	}
	return f, nil
}

func fieldOf(ctx context.Context, m *interp.Model, layer string, channels []int) (Field, error) {
	const longest = 16 // images
	h, w, _ := m.Input()
	shape := [2]int{h, w}
	f := Field{Layer: layer, Size: shape}
	near, flat, err := see(ctx, m, layer, shape, channels)
	if err != nil || flat {
		return f, err
	}
	for axis := range 2 {
		// The image grows along one axis alone, until what the units there see ends inside it.
		seen, long := near, shape
		for !inside(seen[axis], long[axis]) && long[axis] < longest*shape[axis] {
			long[axis] *= 4
			if seen, _, err = see(ctx, m, layer, long, channels); err != nil {
				return f, fmt.Errorf("units see more than an image of %d×%d pixels, and a larger one does not go in: %w", shape[0], shape[1], err)
			}
		}
		if !inside(seen[axis], long[axis]) {
			continue // all of the image, however large
		}
		if f.Size[axis], f.Jump[axis], f.Start[axis], err = arithmetic(seen[axis]); err != nil {
			return f, fmt.Errorf("along axis %d %w", axis, err)
		}
	}
	return f, nil
}

const few = 3 // units at each end that the arithmetic is taken from

// ends returns where the units begin and end that see more than padding, and the few at each end; ok is
// false where there are too few.
func ends(units []gapped) (first, last []gapped, begin, end int, ok bool) {
	for end = len(units); end > 0 && units[end-1].First == units[end-1].End; end-- {
	}
	for begin < end && units[begin].First == units[begin].End {
		begin++
	}
	if end-begin < few {
		return nil, nil, begin, end, false
	}
	return units[begin : begin+few], units[end-few : end], begin, end, true
}

// inside reports whether the first units' ends and the last units' beginnings are what they see, and not
// what the border of an image of the given length leaves of it. Near a border part of what a unit looks at
// may be padding further up, which shows no pixel: a stride leaves less than a jump of the image unseen,
// and a dilated window has gaps.
func inside(units []gapped, length int) bool {
	first, last, _, _, ok := ends(units)
	if !ok {
		return false
	}
	margin := max(1, last[1].First-last[0].First, first[1].End-first[0].End)
	for i := range few {
		margin = max(margin, first[i].gap+1, last[i].gap+1)
	}
	for i := range few {
		if first[i].End > length-margin || last[i].First < margin {
			return false
		}
	}
	return true
}

// arithmetic returns the size, jump and start that explain what every unit sees.
func arithmetic(units []gapped) (size, jump, start int, err error) {
	first, last, begin, end, _ := ends(units)
	jump = last[1].First - last[0].First
	start = last[0].First - (end-few)*jump
	size = first[0].End - begin*jump - start
	for p := begin; p < end; p++ {
		u, from := units[p], start+p*jump
		whole := (p >= begin+few || u.End == from+size) && (p < end-few || u.First == from)
		if jump < 1 || u.First < from || u.End > from+size || !whole {
			return size, jump, start, errors.New("units do not advance by a whole, constant number of pixels: ask for their Support")
		}
	}
	return size, jump, start, nil
}
