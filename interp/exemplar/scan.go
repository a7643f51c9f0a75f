package exemplar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"lucigo/internal/parallel"
	"lucigo/interp"
	"lucigo/interp/random"
)

// Scan is one pass over a data set. Its zero value looks at all layers, on all images, and keeps nothing on
// disk.
type Scan struct {
	Layers []string // nil is all of the model's
	K      int      // images kept for each unit and each end; 0 is 9
	Sample int      // images of the random sample; 0 is 64
	Seed   uint64   // of the sample

	// Batch is how many images go through the network together; 0 is a power of two that suits the size of
	// the images. Indexes of different batches do not merge: results may round differently.
	Batch int

	// Shard of Shards is the part of the data set that is looked at: 0 of n to n−1 of n; 0 of 0 is all.
	Shard, Shards int

	// Path is the index's file; "" is none. What it has already is not looked at again, and it is written
	// every Every (0 is 10 s) and at the end, also when the scan is broken off. Scans of different parts at
	// the same time need a file each.
	Path  string
	Every time.Duration

	// Progress, if it is not nil, is told after each batch how far the scan has come. It is called by the
	// goroutine that called Run.
	Progress func(Progress)
}

// Progress is how far a scan has come.
type Progress struct {
	Done, Total int           // images of this scan's part that have been looked at, and all of them
	Unreadable  int           // images that could not be decoded
	Rate        float64       // images a second, since Run was called
	Left        time.Duration // at that rate
}

// Run looks at the images of src, or, where an index is in s.Path, at those that it lacks. An index of
// another model, data set or scan there is an error, and is left.
//
// Images that cannot be decoded are counted and passed over. When ctx ends, when an image cannot be read, and after any
// other error that comes up on the way, Run writes what it has to s.Path, and returns it with the error. The same scan,
// run again, goes on from there.
func (s Scan) Run(ctx context.Context, m *interp.Model, src interp.Source) (*Index, error) {
	h, err := s.head(m, src)
	if err != nil {
		return nil, err
	}
	ix := newIndex(h)
	if s.Path != "" {
		if err := writable(s.Path); err != nil {
			return nil, err
		}
		switch old, err := read(s.Path); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, err
		default:
			if err := h.same(old.head); err != nil {
				return nil, fmt.Errorf("exemplar: %s: there is an index of %w; name another file, or remove this one", s.Path, err)
			}
			ix = old
		}
	}
	before, _ := ix.Scanned()
	err = s.scan(ctx, m, src, ix)
	done, total := ix.Scanned()
	if err != nil && !errors.Is(err, errNotSaved) {
		err = fmt.Errorf("exemplar: the scan stopped with %d of %d images: %w", done, total, err)
	}
	if s.Path != "" && done != before && !errors.Is(err, errNotSaved) {
		err = errors.Join(err, s.save(ix))
	}
	if err == nil && done == total && ix.head.Unreadable == total {
		err = fmt.Errorf("exemplar: none of %d images of %s can be decoded: the first, %s", done, src, ix.head.Skipped[0].Cause)
		if s.Path != "" {
			err = fmt.Errorf("%w; remove %s before they are scanned again", err, s.Path)
		}
	}
	return ix, err
}

// save writes the index to s.Path, unless another scan, of the same part, has written all this there
// meanwhile. What a scan of another part has written there is an error, and is left.
func (s Scan) save(ix *Index) error {
	if other, err := read(s.Path); err == nil {
		switch err := ix.head.same(other.head); {
		case err != nil:
			return fmt.Errorf("exemplar: %s: %w: there is now an index of %w; name another file", s.Path, errNotSaved, err)
		case covers(other.head.Scanned, ix.head.Scanned):
			return nil
		case !covers(ix.head.Scanned, other.head.Scanned):
			return fmt.Errorf("exemplar: %s: %w: another scan has meanwhile written there what this one lacks; "+
				"scans of different parts at the same time need a file each, which Merge joins", s.Path, errNotSaved)
		}
	}
	return ix.Save(s.Path)
}

// head returns what the scan is of.
func (s Scan) head(m *interp.Model, src interp.Source) (head, error) {
	for i, v := range []int{s.K, s.Sample, s.Batch, int(s.Every)} {
		if v < 0 {
			return head{}, fmt.Errorf("exemplar: %s is %d, must not be negative", []string{"K", "Sample", "Batch", "Every"}[i], v)
		}
	}
	switch shards := max(s.Shards, 1); {
	case s.Shard < 0 || s.Shard >= shards:
		return head{}, fmt.Errorf("exemplar: Shard is %d, must be from 0 to %d", s.Shard, shards-1)
	case src.Len() < 1 || src.Len() > maxImage:
		return head{}, fmt.Errorf("exemplar: %s has %d images, must have from 1 to %d", src, src.Len(), maxImage)
	}
	h := head{Model: m.String(), Data: strings.ToValidUTF8(src.String(), "\uFFFD"), Images: src.Len(),
		K: cmp.Or(s.K, 9), Sample: cmp.Or(s.Sample, 64), Seed: s.Seed, Batch: cmp.Or(s.Batch, batch(m))}
	var err error
	if h.Fingerprint, err = m.Fingerprint(); err != nil {
		return h, err
	}
	all, err := layersIn(m)
	if err != nil {
		return h, err
	}
	asked := s.Layers
	if asked == nil {
		for _, l := range all {
			asked = append(asked, l.Name)
		}
	}
	units := 0
	for _, name := range asked {
		l, _, err := find(all, name, 0)
		if err != nil {
			return h, fmt.Errorf("exemplar: %s: %w", m.Name(), err)
		}
		if slices.Contains(h.Layers, l) {
			return h, fmt.Errorf("exemplar: Layers has %q twice, must have each layer once", name)
		}
		h.Layers = append(h.Layers, l)
		units += l.Units
	}
	const entries, numbers = 1 << 26, 1 << 28 // that an index and a batch may have
	height, width, channels := m.Input()
	switch {
	case len(h.Layers) == 0:
		return h, errors.New("exemplar: Layers is empty, must have a layer, or be nil for all")
	case h.K > entries/units:
		return h, fmt.Errorf("exemplar: K is %d, must be at most %d for %d units", h.K, entries/units, units)
	case h.Sample > entries/units:
		return h, fmt.Errorf("exemplar: Sample is %d, must be at most %d for %d units", h.Sample, entries/units, units)
	case h.Batch > numbers/(height*width*channels):
		return h, fmt.Errorf("exemplar: Batch is %d, must be at most %d for images of %d×%d×%d", h.Batch, numbers/(height*width*channels), height, width, channels)
	}
	return h, nil
}

// layersIn returns a model's layers.
func layersIn(m *interp.Model) ([]Layer, error) {
	all, err := m.Layers()
	var out []Layer
	for _, l := range all {
		to := Layer{Name: l.Name, Rows: 1, Columns: 1, Units: l.Shape[len(l.Shape)-1]}
		if len(l.Shape) == 3 {
			to.Rows, to.Columns = l.Shape[0], l.Shape[1]
		}
		out = append(out, to)
	}
	return out, err
}

// batch is about two million numbers, at most 128 images.
func batch(m *interp.Model) int {
	height, width, channels := m.Input()
	n := 128
	for n > 1 && n*height*width*channels > 5<<19 {
		n /= 2
	}
	return n
}

// part returns the scan's part of the images, in whole batches.
func (s Scan) part(h head) Range {
	batches, shards := (h.Images+h.Batch-1)/h.Batch, max(s.Shards, 1)
	at := func(shard int) int { return min(batches*shard/shards*h.Batch, h.Images) }
	return Range{at(s.Shard), at(s.Shard + 1)}
}

// missing goes through the batches of a part that an index lacks.
func (h head) missing(part Range) iter.Seq[Range] {
	return func(yield func(Range) bool) {
		for i := part.First; i < part.End; i += h.Batch {
			if !h.has(int64(i)) && !yield(Range{i, min(i+h.Batch, part.End)}) {
				return
			}
		}
	}
}

// scan reads batches ahead while the device works on one.
func (s Scan) scan(ctx context.Context, m *interp.Model, src interp.Source, ix *Index) error {
	part := s.part(ix.head)
	missing := ix.head.missing(part)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	batches := make(chan pictures, 1)
	go func() {
		defer close(batches)
		for r := range missing {
			select {
			case batches <- load(ctx, m, src, r, ix.head.Batch):
			case <-ctx.Done():
				return
			}
		}
	}()
	all := 0
	for r := range missing {
		all += r.End - r.First
	}
	start, saved, left := time.Now(), time.Now(), all
	for range missing {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case p, ok := <-batches:
			if !ok { // ctx has ended, and both were ready
				return ctx.Err()
			}
			if err := s.look(ctx, m, ix, p); err != nil {
				return err
			}
			left -= p.End - p.First
		}
		if s.Path != "" && time.Since(saved) > cmp.Or(s.Every, 10*time.Second) {
			if err := s.save(ix); err != nil {
				return err
			}
			saved = time.Now()
		}
		if s.Progress != nil {
			rate := float64(all-left) / time.Since(start).Seconds()
			s.Progress(Progress{
				Done: part.End - part.First - left, Total: part.End - part.First, Unreadable: ix.head.Unreadable,
				Rate: rate, Left: time.Duration(float64(left) / rate * float64(time.Second)),
			})
		}
	}
	return nil
}

// pictures is a batch that has been read: its pixels, and for each image its key or its error.
type pictures struct {
	Range
	images interp.Images
	idents []ident
	errs   []error
	fatal  error
}

// load reads a batch on all cores. Images that cannot be decoded, and those after the last, are black: what is
// computed of a batch depends on nothing but the batch. An image that cannot be read is an error of the batch: it may be
// read another time.
func load(ctx context.Context, m *interp.Model, src interp.Source, r Range, batch int) pictures {
	n := r.End - r.First
	h, w, c := m.Input()
	p := pictures{Range: r, idents: make([]ident, n), errs: make([]error, n),
		images: interp.Images{N: batch, H: h, W: w, C: c, Pix: make([]float64, batch*h*w*c)}}
	err := parallel.Each(ctx, n, func(i int) error {
		name := short(src.Name(r.First + i))
		p.idents[i].name = name
		one, err := src.Image(ctx, r.First+i)
		if err == nil {
			if wrong := one.Check(); wrong != nil {
				err = interp.Undecodable{Err: wrong}
			}
		}
		if _, ok := errors.AsType[interp.Undecodable](err); ok {
			p.errs[i] = err
			return nil
		}
		if err != nil {
			return fmt.Errorf("image %d cannot be read: %w; when it can, the same scan goes on from here", r.First+i, err)
		}
		if one.N != 1 || one.H != h || one.W != w || one.C != c {
			return fmt.Errorf("image %d of %s, %s, is %d of %d×%d×%d, and %s takes %d×%d×%d: fit the images to it, as dataset.Fitted does",
				r.First+i, src, name, one.N, one.H, one.W, one.C, m.Name(), h, w, c)
		}
		p.idents[i].key = one.Keyed().Key[0]
		copy(p.images.Of(i), one.Pix)
		return nil
	})
	p.fatal = cmp.Or(ctx.Err(), err)
	return p
}

// short is a name or a cause as an index keeps it.
func short(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxName)], "")
}

// look runs a batch through the network and adds what comes out to the index.
func (s Scan) look(ctx context.Context, m *interp.Model, ix *Index, p pictures) error {
	if p.fatal != nil {
		return p.fatal
	}
	var step exemplars
	for _, l := range ix.head.Layers {
		step.layers = append(step.layers, l.Name)
	}
	loop, err := m.Loop(p.images.N, 0, nil, p.images.Arg())
	if err != nil {
		return err
	}
	defer loop.Close()
	out, err := loop.Look(ctx, step, nil)
	if err != nil {
		return err
	}
	for i, id := range p.idents { // all of them first: a batch is in the index whole or not at all
		if err := ix.finite(out[0].Of(i), id.name); err != nil {
			return err
		}
	}
	at := make([]int32, ix.units)
	for i, err := range p.errs {
		image, id := p.First+i, p.idents[i]
		if err != nil {
			ix.skip(Skipped{image, id.name, short(err.Error())})
			continue
		}
		for u, place := range out[1].Of(i) {
			at[u] = int32(place)
		}
		ix.put(int64(image), id, random.Hash(ix.head.Seed, uint64(image)), out[0].Of(i), at)
	}
	ix.head.Scanned, err = add(ix.head.Scanned, p.Range)
	return err
}

// exemplars is the largest value of every unit of some layers, and where it is.
type exemplars struct{ layers []string }

func (s exemplars) Build(net *interp.Net, a []*Node) []*Node {
	pass := net.Pass(a[0], nil)
	var values, at []*Node
	for _, name := range s.layers {
		v, i := largest(pass.Layer(name))
		values, at = append(values, v), append(at, i)
	}
	return []*Node{Concatenate(values, 1), Concatenate(at, 1)}
}

// largest returns, of a layer [N, H, W, C] or [N, C], the largest value of each channel over all positions,
// [N, C], and the first position of it. NaN comes out as +Inf.
//
// The positions are cut into runs, and the largest of each run found by comparing element by element, which
// XLA makes one loop that reads x once; then only the first run that has it is looked at again. A reduction
// of all of x would read and write it five times.
func largest(x *Node) (value, at *Node) {
	n, c := x.Shape().Dim(0), x.Shape().Dim(-1)
	x = Reshape(x, n, -1, c)
	positions := x.Shape().Dim(1)
	length := min(8, positions)
	runs := positions / length
	v := (*Node)(nil) // [N, runs, C]
	for i := range length {
		next := Slice(x, AxisRange(), AxisRange(i, i+(runs-1)*length+1).Stride(length))
		if v == nil {
			v = next
			continue
		}
		v = Where(Or(GreaterThan(next, v), NotEqual(next, next)), next, v) // Max may pass over NaN
	}
	if runs*length < positions { // the last run overlaps the one before it
		last, _ := reduce(Slice(x, AxisRange(), AxisRange(positions-length)))
		v = Concatenate([]*Node{v, Reshape(last, n, 1, c)}, 1)
	}
	value, run := reduce(v)

	first := MinScalar(MulScalar(run, length), positions-length)
	index := func(axis int) *Node {
		return Iota(x.Graph(), shapes.Make(dtypes.Int32, n, length, c, 1), axis)
	}
	position := Add(Reshape(first, n, 1, c, 1), index(1))
	_, at = reduce(Gather(x, Concatenate([]*Node{index(0), position, index(2)}, -1)))
	return value, Add(first, at)
}

// reduce is largest for a few positions: x is [N, positions, C].
func reduce(x *Node) (value, at *Node) {
	n, positions, c := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2)
	x = Where(NotEqual(x, x), BroadcastToShape(Infinity(x.Graph(), x.DType(), 1), x.Shape()), x)
	value = ReduceMax(x, 1)
	place := Iota(x.Graph(), shapes.Make(dtypes.Int32, n, positions, c), 1)
	last := BroadcastToShape(Scalar(x.Graph(), dtypes.Int32, positions-1), place.Shape())
	return value, ReduceMin(Where(Equal(x, Reshape(value, n, 1, c)), place, last), 1)
}

// finite returns an error if a response is not a number. It turns −0 into 0.
func (ix *Index) finite(values []float64, name string) error {
	for _, l := range ix.head.Layers {
		own := values[:l.Units]
		values = values[l.Units:]
		if unit := slices.IndexFunc(own, interp.NotFinite); unit >= 0 {
			return fmt.Errorf("unit %d of layer %q is not finite at image %s: its weights are not, or an operation before it overflows", unit, l.Name, name)
		}
		for u := range own {
			own[u] += 0
		}
	}
	return nil
}
