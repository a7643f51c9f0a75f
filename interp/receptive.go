package interp

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"sync"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"lucigo/interp/layer"
)

// ReceptiveField is the arithmetic of what the units of a layer see, whatever the size of the image: along
// axis 0 (rows) and 1 (columns) the unit at position p sees pixels Start + p·Jump to
// Start + p·Jump + Size − 1, as in Araujo, Norris and Sim, "Computing receptive fields of convolutional
// neural networks", Distill 2019. A Start below 0 is padding. Padding that depends on the size, as
// TensorFlow's SAME does where a window has a stride, is that of images of the model's input size; of
// another size see Support.
//
// A layer without positions, or of which every unit sees the whole image, has Jump 0, Start 0 and the
// model's input as Size.
type ReceptiveField struct {
	Layer string
	Size  [2]int // pixels
	Jump  [2]int // pixels from one unit to the next
	Start [2]int // first pixel of the unit at row 0, column 0
}

// Rect returns the pixels that the unit at a row and column of the layer sees: Min is the first of them,
// Max one behind the last. What lies outside the image is padding.
func (f ReceptiveField) Rect(row, column int) image.Rectangle {
	y, x := f.Start[0]+row*f.Jump[0], f.Start[1]+column*f.Jump[1]
	return image.Rect(x, y, x+f.Size[1], y+f.Size[0])
}

// String says the size, the jump and the start, rows × columns.
func (f ReceptiveField) String() string {
	return fmt.Sprintf("%s sees %d×%d pixels, every %d×%d from (%d, %d)", f.Layer,
		f.Size[0], f.Size[1], f.Jump[0], f.Jump[1], f.Start[0], f.Start[1])
}

// Span is a run of pixels along an axis, from First to End − 1; First = End is none.
type Span struct{ First, End int }

// Support is what the units of a layer see of an image of one size, exactly: pixels that no unit before
// this layer looks at, because a stride passes over the last of them, are not in it, and nothing outside
// the image is.
type Support struct {
	Layer         string
	Rows, Columns []Span // of the units in each row and each column of the layer
}

// Rect returns the pixels of the image that the unit at a row and column of the layer sees.
func (s Support) Rect(row, column int) image.Rectangle {
	return image.Rect(s.Columns[column].First, s.Rows[row].First, s.Columns[column].End, s.Rows[row].End)
}

// seen keeps the receptive fields and supports that models of one structure have found.
type seen struct{ fields, supports sync.Map }

// once returns what is kept under a key, or else what find finds, and keeps that.
func once[T any](kept *sync.Map, key string, find func() (T, error)) (T, error) {
	if v, ok := kept.Load(key); ok {
		return v.(T), nil
	}
	v, err := find()
	if err == nil {
		kept.Store(key, v)
	}
	return v, err
}

// ReceptiveField returns what the units of a layer see: those of the given channels together, or, where
// none is given, of all (the branches of a network see different amounts). It is found by differentiating
// the first and the last units under layer.Support, of an image of the model's input size, or, where they
// see more than that, of a taller and a wider one. It is kept: a second call costs nothing.
//
// A layer whose units do not advance by a whole, constant number of pixels (one that was resized) is an
// error; its Support still exists.
func (m *Model) ReceptiveField(ctx context.Context, name string, channels ...int) (ReceptiveField, error) {
	key := fmt.Sprintf("%s %v", name, channels)
	f, err := once(&m.family.seen.fields, key, func() (ReceptiveField, error) { return m.receptiveField(ctx, name, channels) })
	if err != nil {
		return f, fmt.Errorf("%s: the receptive field of layer %q: %w", m.spec.Name, name, err)
	}
	return f, nil
}

func (m *Model) receptiveField(ctx context.Context, name string, channels []int) (ReceptiveField, error) {
	const longest = 16 // images
	f := ReceptiveField{Layer: name, Size: [2]int(m.spec.Input[:2])}
	shape := f.Size
	u, err := m.units(name, shape)
	if err != nil {
		return f, err
	}
	if u.rows == 0 {
		_, err := u.mask(channels)
		return f, err
	}
	near, err := m.ends(ctx, u, shape, channels)
	if err != nil {
		return f, err
	}
	for axis := range 2 {
		// The image grows along one axis alone, until what the units there see ends inside it.
		along, u, long := near[axis], u, shape
		for !along.inside(long[axis]) && long[axis] < longest*shape[axis] {
			long[axis] *= 4
			if u, err = m.units(name, long); err == nil {
				var both [2]ends
				both, err = m.ends(ctx, u, long, channels)
				along = both[axis]
			}
			if err != nil {
				return f, fmt.Errorf("units see more than an image of %d×%d pixels, and a larger one does not go in: %w", shape[0], shape[1], err)
			}
		}
		if !along.inside(long[axis]) {
			continue // all of the image, however large
		}
		n := [2]int{u.rows, u.columns}[axis]
		if f.Size[axis], f.Jump[axis], f.Start[axis], err = along.field(n); err != nil {
			return f, fmt.Errorf("along axis %d %w", axis, err)
		}
	}
	return f, nil
}

// ends is what the first units and the last units along an axis see; without any where there are too few.
type ends struct{ first, last []seenSpan }

const few = 3 // units at each end

// ends returns the ends along both axes: the units are those along two diagonals.
func (m *Model) ends(ctx context.Context, u units, shape [2]int, channels []int) (out [2]ends, err error) {
	n := [2]int{u.rows, u.columns}
	var at [][2]int
	for i := range 2 * few {
		var place [2]int
		for axis := range 2 {
			place[axis] = min(i, n[axis]-1)
			if i >= few {
				place[axis] = max(0, n[axis]-2*few+i)
			}
		}
		at = append(at, place)
	}
	seen, err := m.spans(ctx, u, shape, at, channels)
	if err != nil {
		return out, err
	}
	for axis := range 2 {
		if n[axis] >= few {
			out[axis] = ends{seen[axis][:few], seen[axis][few:]}
		}
	}
	return out, nil
}

// inside reports whether the first units' ends and the last units' beginnings are what they see, and not
// what the border of an image of the given length leaves of it. Near a border part of what a unit looks at
// may be padding further up, which shows no pixel: a stride leaves less than a jump of the image unseen,
// and a dilated window has gaps.
func (e ends) inside(length int) bool {
	if e.first == nil {
		return false
	}
	margin := max(1, e.last[1].First-e.last[0].First, e.first[1].End-e.first[0].End)
	for _, s := range slices.Concat(e.first, e.last) {
		margin = max(margin, s.gap+1)
		if s.First == s.End {
			return false
		}
	}
	for i := range few {
		if e.first[i].End > length-margin || e.last[i].First < margin {
			return false
		}
	}
	return true
}

// field returns the arithmetic of n units in a row.
func (e ends) field(n int) (size, jump, start int, err error) {
	jump = e.last[1].First - e.last[0].First
	for i := range few {
		if jump < 1 || e.last[i].First != e.last[0].First+i*jump || e.first[i].End != e.first[0].End+i*jump {
			return 0, 0, 0, errors.New("units do not advance by a whole, constant number of pixels: ask for their Support")
		}
	}
	start = e.last[0].First - (n-few)*jump
	return e.first[0].End - start, jump, start, nil
}

// Support returns what the units of a layer see of images of h×w pixels, exactly: those of the given
// channels together, or, where none is given, of all. Units that see no pixel have empty spans. It is
// found by differentiating one unit in every row and every column, under layer.Support, and kept: a second
// call costs nothing. Of a layer without positions it is one row and one column.
func (m *Model) Support(ctx context.Context, name string, h, w int, channels ...int) (Support, error) {
	key := fmt.Sprintf("%s %d×%d %v", name, h, w, channels)
	s, err := once(&m.family.seen.supports, key, func() (Support, error) { return m.support(ctx, name, [2]int{h, w}, channels) })
	if err != nil {
		return s, fmt.Errorf("%s: the support of layer %q at %d×%d pixels: %w", m.spec.Name, name, h, w, err)
	}
	return s, nil
}

func (m *Model) support(ctx context.Context, name string, shape [2]int, channels []int) (Support, error) {
	s := Support{Layer: name}
	if min(shape[0], shape[1]) < 1 {
		return s, fmt.Errorf("an image without pixels")
	}
	u, err := m.units(name, shape)
	if err != nil {
		return s, err
	}
	rows, columns := max(u.rows, 1), max(u.columns, 1)
	at := make([][2]int, max(rows, columns))
	for i := range at {
		at[i] = [2]int{min(i, rows-1), min(i, columns-1)}
	}
	spans, err := m.spans(ctx, u, shape, at, channels)
	if err != nil {
		return s, err
	}
	for _, v := range spans[0][:rows] {
		s.Rows = append(s.Rows, v.Span)
	}
	for _, v := range spans[1][:columns] {
		s.Columns = append(s.Columns, v.Span)
	}
	return s, nil
}

// units are those of a layer, for images of one size; it has 0 rows where it has no positions.
type units struct {
	layer                   string
	rows, columns, channels int
}

func (m *Model) units(name string, image [2]int) (units, error) {
	u := units{layer: name}
	p, err := m.at()
	if err != nil {
		return u, err
	}
	return u, catch(func() {
		g := NewGraph(p.backend, "units")
		defer g.Finalize()
		net := m.net(g, p, layer.Support)
		defer net.stop()
		x := Parameter(g, "images", shapes.Make(p.dtype, 1, image[0], image[1], m.spec.Input[2]))
		v := net.Pass(x, nil).Layer(name)
		for i := 1; i < g.NumParameters(); i++ {
			w := g.GetParameterByHandle(ParameterHandle(i))
			if err := m.fits(g.GetParameterByName(w.GetParameterName())); err != nil {
				panic(err)
			}
		}
		u.channels = v.Shape().Dim(-1)
		if v.Rank() == 4 {
			u.rows, u.columns = v.Shape().Dim(1), v.Shape().Dim(2)
		}
	})
}

// spans returns, for each axis, the rows or columns of an image that the units at the given positions see.
func (m *Model) spans(ctx context.Context, u units, shape [2]int, at [][2]int, channels []int) (spans [2][]seenSpan, err error) {
	x := Images{H: shape[0], W: shape[1], C: m.spec.Input[2]}
	size := min(8, m.Batch(x))
	images := fromFloats(make([]float64, size*x.Size()), m.place.dtype, size, x.H, x.W, x.C)
	defer images.FinalizeAll()
	mask, err := u.mask(channels)
	if err != nil {
		return spans, err
	}
	wanted := fromFloats(mask, m.place.dtype, len(mask))
	defer wanted.FinalizeAll()
	step := Step{Key: "support of " + u.layer, Rule: layer.Support, Build: func(net *Net, a []*Node) []*Node {
		return sees(net.Pass(a[0], nil).Layer(u.layer), a[0], a[1], a[2], a[3])
	}}
	for i := 0; i < len(at); i += size {
		part := padded(at[i:min(i+size, len(at))], 1, size)
		args := []*tensors.Tensor{images}
		for axis := range 2 {
			places := make([]int32, size)
			for k, p := range part {
				places[k] = int32(p[axis])
			}
			args = append(args, tensors.FromFlatDataAndDimensions(places, size))
		}
		out, err := m.Run(ctx, step, append(args, wanted)...)
		if err != nil {
			return spans, err
		}
		for axis, t := range out {
			for k := range min(size, len(at)-i) {
				s, err := span(t, k)
				if err != nil {
					return spans, err
				}
				spans[axis] = append(spans[axis], s)
			}
			t.FinalizeAll()
		}
		args[1].FinalizeAll()
		args[2].FinalizeAll()
	}
	return spans, nil
}

// mask has a 1 for each of the channels; without any, for all.
func (u units) mask(channels []int) ([]float64, error) {
	mask := make([]float64, u.channels)
	if len(channels) == 0 {
		for c := range mask {
			mask[c] = 1
		}
	}
	for _, c := range channels {
		if c < 0 || c >= u.channels {
			return nil, fmt.Errorf("no channel %d: it has channels 0 to %d", c, u.channels-1)
		}
		mask[c] = 1
	}
	return mask, nil
}

// sees returns [N, H] and [N, W]: whether the wanted channels of v at a row and column, one an image,
// depend on any pixel of each row and of each column.
func sees(v, images, row, column, wanted *Node) []*Node {
	if v.Rank() == 2 {
		v = Reshape(v, v.Shape().Dim(0), 1, 1, v.Shape().Dim(1))
	}
	n, h, w, c := v.Shape().Dim(0), v.Shape().Dim(1), v.Shape().Dim(2), v.Shape().Dim(3)
	unit := Mul(Reshape(OneHot(row, h, v.DType()), n, h, 1, 1), Reshape(OneHot(column, w, v.DType()), n, 1, w, 1))
	unit = Mul(unit, Reshape(wanted, 1, 1, 1, c))
	g := Gradient(ReduceAllSum(Mul(v, unit)), images)[0]
	depends := ConvertDType(NotEqual(g, ZerosLike(g)), dtypes.Int32)
	return []*Node{ReduceMax(depends, 2, 3), ReduceMax(depends, 1, 3)}
}

// seenSpan is a span and the longest run of pixels in it that the unit does not see.
type seenSpan struct {
	Span
	gap int
}

// span returns from the first to the last place that is not 0 in row k of t.
func span(t *tensors.Tensor, k int) (s seenSpan, err error) {
	width := t.Shape().Dim(1)
	err = tensors.ConstFlatData(t, func(flat []int32) {
		for i, v := range flat[k*width : (k+1)*width] {
			if v == 0 {
				continue
			}
			if s.End == 0 {
				s.First = i
			} else {
				s.gap = max(s.gap, i-s.End)
			}
			s.End = i + 1
		}
	})
	return s, err
}
