package exemplar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"lucigo/interp"
	"lucigo/interp/near"
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
	// every Every (0 is 10 s) and at the end, also when the scan is broken off.
	Path  string
	Every time.Duration

	// Progress, if it is not nil, is told after each batch how far the scan has come. It is called by the
	// goroutine that called Run.
	Progress func(Progress)
}

// Progress is how far a scan has come.
type Progress struct {
	Done, Total int           // images of this scan's part that have been looked at, and all of them
	Unreadable  int           // images that could not be read
	Rate        float64       // images a second, since Run was called
	Left        time.Duration // at that rate
}

// String is a line for people.
func (p Progress) String() string {
	s := fmt.Sprintf("%d of %d images, %.1f a second, %v left", p.Done, p.Total, p.Rate, p.Left.Round(time.Second))
	if p.Unreadable > 0 {
		s += fmt.Sprintf(", %d unreadable", p.Unreadable)
	}
	return s
}

// Run looks at the images of src, or, where an index is in s.Path, at those that it lacks. An index of
// another model, data set or scan there is an error, and is left.
//
// When ctx ends, and after any other error that comes up on the way, Run writes what it has to s.Path, and
// returns it with the error.
func (s Scan) Run(ctx context.Context, m *interp.Model, src Source) (*Index, error) {
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
				return nil, fmt.Errorf("%s: there is an index of %w; name another file, or remove this one", s.Path, err)
			}
			ix = old
		}
	}
	before, _ := ix.Scanned()
	err = s.scan(ctx, m, src, ix)
	if after, _ := ix.Scanned(); s.Path != "" && after != before {
		err = errors.Join(err, ix.Save(s.Path))
	}
	if done, total := ix.Scanned(); err == nil && done == total && ix.head.Unreadable == total {
		err = fmt.Errorf("none of %d images of %s can be read: the first, %s", done, src, ix.head.Skipped[0].Cause)
	}
	return ix, err
}

// head returns what the scan is of.
func (s Scan) head(m *interp.Model, src Source) (head, error) {
	shards := max(s.Shards, 1)
	switch {
	case s.K < 0 || s.Sample < 0 || s.Batch < 0 || max(s.K, s.Sample, s.Batch) > math.MaxInt32 || s.Every < 0:
		return head{}, fmt.Errorf("a scan with K %d, Sample %d, Batch %d and Every %v", s.K, s.Sample, s.Batch, s.Every)
	case s.Shard < 0 || s.Shard >= shards:
		return head{}, fmt.Errorf("no shard %d of %d: they are 0 to %d", s.Shard, shards, shards-1)
	case src.Len() < 1 || src.Len() > maxImage:
		return head{}, fmt.Errorf("%s has no images: the scan would find nothing", src)
	}
	h := head{Model: m.String(), Data: strings.ToValidUTF8(src.String(), "\uFFFD"), Images: src.Len(),
		K: s.K, Sample: s.Sample, Seed: s.Seed, Batch: s.Batch}
	for _, c := range []struct {
		v    *int
		zero int
	}{{&h.K, 9}, {&h.Sample, 64}, {&h.Batch, batch(m)}} {
		if *c.v == 0 {
			*c.v = c.zero
		}
	}
	var err error
	if h.Fingerprint, err = m.Fingerprint(); err != nil {
		return h, err
	}
	all, err := m.Layers()
	if err != nil {
		return h, err
	}
	var names []string
	known := map[string]Layer{}
	for _, l := range all {
		names = append(names, l.Name)
		to := Layer{Name: l.Name, Rows: 1, Columns: 1, Units: l.Shape[len(l.Shape)-1]}
		if len(l.Shape) == 3 {
			to.Rows, to.Columns = l.Shape[0], l.Shape[1]
		}
		known[l.Name] = to
	}
	asked := s.Layers
	if asked == nil {
		asked = names
	}
	for _, name := range asked {
		l, ok := known[name]
		if !ok {
			return h, fmt.Errorf("%s: %w", m.Name(), near.Error("layer", name, names))
		}
		h.Layers = append(h.Layers, l)
	}
	if len(h.Layers) == 0 {
		return h, fmt.Errorf("%s: a scan of no layers", m.Name())
	}
	return h, nil
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

// todo returns the batches of the scan's part that the index lacks.
func (s Scan) todo(h head) (missing []Range, part Range) {
	batches := (h.Images + h.Batch - 1) / h.Batch
	shards := max(s.Shards, 1)
	first, end := batches*s.Shard/shards, batches*(s.Shard+1)/shards
	for b := first; b < end; b++ {
		if r := (Range{b * h.Batch, min((b+1)*h.Batch, h.Images)}); !h.has(int64(r.First)) {
			missing = append(missing, r)
		}
	}
	return missing, Range{min(first*h.Batch, h.Images), min(end*h.Batch, h.Images)}
}

// scan reads batches ahead while the device works on one.
func (s Scan) scan(ctx context.Context, m *interp.Model, src Source, ix *Index) error {
	missing, part := s.todo(ix.head)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	batches := make(chan pictures, 1)
	go func() {
		defer close(batches)
		for _, r := range missing {
			select {
			case batches <- load(ctx, m, src, r, ix.head.Batch):
			case <-ctx.Done():
				return
			}
		}
	}()
	all := 0
	for _, r := range missing {
		all += r.End - r.First
	}
	start, saved, left := time.Now(), time.Now(), all
	for range missing {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case p := <-batches:
			if err := s.look(ctx, m, ix, p); err != nil {
				return err
			}
			left -= p.End - p.First
		}
		if s.Path != "" && time.Since(saved) > cmp.Or(s.Every, 10*time.Second) {
			if err := ix.Save(s.Path); err != nil {
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

// pictures is a batch that has been read: a tensor on the host, and for each image its key or its error.
type pictures struct {
	Range
	tensor *tensors.Tensor
	idents []ident
	errs   []error
	fatal  error
}

// load reads a batch on all cores. Images that cannot be read, and those behind the last, are black: what is
// computed of a batch depends on nothing but the batch.
func load(ctx context.Context, m *interp.Model, src Source, r Range, batch int) pictures {
	n := r.End - r.First
	h, w, c := m.Input()
	precision := m.Floats([]float64{0}).DType()
	p := pictures{Range: r, idents: make([]ident, n), errs: make([]error, n),
		tensor: tensors.FromShape(shapes.Make(precision, batch, h, w, c))}
	fatal := make([]error, n)
	var next atomic.Int64
	var wait sync.WaitGroup
	err := p.tensor.MutableFlatData(func(pix any) {
		for range min(n, runtime.GOMAXPROCS(0)) {
			wait.Go(func() {
				for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
					p.idents[i].name = short(src.Name(r.First + i))
					one, err := src.Image(ctx, r.First+i)
					if err == nil {
						err = one.Check()
					}
					if err != nil {
						p.errs[i] = err
						continue
					}
					if one.N != 1 || one.H != h || one.W != w || one.C != c {
						fatal[i] = fmt.Errorf("image %d of %s, %s, is %d of %d×%d×%d, and %s takes %d×%d×%d: fit the images to it",
							r.First+i, src, p.idents[i].name, one.N, one.H, one.W, one.C, m.Name(), h, w, c)
						continue
					}
					p.idents[i].key = one.Keyed().Key[0]
					switch all := pix.(type) {
					case []float32:
						for j, v := range one.Pix {
							all[i*one.Size()+j] = float32(v)
						}
					case []float64:
						copy(all[i*one.Size():], one.Pix)
					}
				}
			})
		}
		wait.Wait()
	})
	p.fatal = errors.Join(append(fatal, err, ctx.Err())...)
	return p
}

// short is a name as an index keeps it.
func short(name string) string {
	return strings.ToValidUTF8(name[:min(len(name), maxName)], "")
}

// look runs a batch through the network and adds what comes out to the index.
func (s Scan) look(ctx context.Context, m *interp.Model, ix *Index, p pictures) error {
	if p.fatal != nil {
		return p.fatal
	}
	var names []string
	for _, l := range ix.head.Layers {
		names = append(names, l.Name)
	}
	step := interp.Step{Key: fmt.Sprintf("exemplars of %q", names), Build: func(net *interp.Net, a []*Node) []*Node {
		pass := net.Pass(a[0], nil)
		var values, at []*Node
		for _, name := range names {
			v, i := largest(pass.Layer(name))
			values, at = append(values, v), append(at, i)
		}
		return []*Node{Concatenate(values, 1), Concatenate(at, 1)}
	}}
	out, err := m.Run(ctx, step, p.tensor)
	if err != nil {
		return err // the device may still be reading the tensor
	}
	defer func() {
		for _, t := range append(out, p.tensor) {
			t.FinalizeAll()
		}
	}()
	values, err := interp.Numbers(out[0])
	if err != nil {
		return err
	}
	at, err := tensors.CopyFlatData[int32](out[1])
	if err != nil {
		return err
	}
	for i, id := range p.idents { // all of them first: a batch is in the index whole or not at all
		if err := ix.finite(values[i*ix.units:][:ix.units], id.name); err != nil {
			return err
		}
	}
	for i, err := range p.errs {
		image, id := p.First+i, p.idents[i]
		if err != nil {
			ix.skip(Skipped{image, id.name, strings.ToValidUTF8(err.Error(), "\uFFFD")})
			continue
		}
		ix.put(int64(image), id, random.Hash(ix.head.Seed, uint64(image)), values[i*ix.units:][:ix.units], at[i*ix.units:][:ix.units])
	}
	ix.head.Scanned, err = add(ix.head.Scanned, p.Range)
	return err
}

// largest returns, of a layer [N, H, W, C] or [N, C], the largest value of each channel over all positions,
// [N, C], and the first position of it. NaN comes out as +Inf.
//
// The positions are cut into runs of one length, of which two may overlap, and the runs compared element by
// element: XLA makes one loop of that, which reads x once. Its reductions read and write x five times; they
// are left what remains, a sixteenth.
func largest(x *Node) (value, at *Node) {
	const runs = 16
	n, c := x.Shape().Dim(0), x.Shape().Dim(-1)
	x = Reshape(x, n, -1, c)
	positions := x.Shape().Dim(1)
	length := (positions + runs - 1) / runs
	place := Iota(x.Graph(), shapes.Make(dtypes.Int32, n, length, c), 1)
	all := func(v *Node) *Node { return BroadcastToShape(v, place.Shape()) }
	from := func(start int) *Node { return all(Scalar(x.Graph(), dtypes.Int32, start)) }

	v, start := Slice(x, AxisRange(), AxisRange(0, length)), from(0)
	for i := length; i < positions; i += length {
		first := min(i, positions-length)
		run := Slice(x, AxisRange(), AxisRange(first, first+length))
		larger := Or(GreaterThan(run, v), NotEqual(run, run)) // Max may pass over NaN
		v, start = Where(larger, run, v), Where(larger, from(first), start)
	}
	v = Where(NotEqual(v, v), all(Infinity(x.Graph(), x.DType(), 1)), v)
	value = ReduceMax(v, 1)
	return value, ReduceMin(Where(Equal(v, Reshape(value, n, 1, c)), Add(start, place), from(positions)), 1)
}

// finite returns an error if a response is not a number. It turns −0 into 0.
func (ix *Index) finite(values []float64, name string) error {
	u := 0
	for _, l := range ix.head.Layers {
		for unit := range l.Units {
			if math.IsNaN(values[u] - values[u]) {
				return fmt.Errorf("unit %d of layer %q is not finite at image %s: its weights are not, or an operation before it overflows", unit, l.Name, name)
			}
			values[u] += 0
			u++
		}
	}
	return nil
}
