package interp

import (
	"context"
	"fmt"
	"slices"

	"github.com/gomlx/compute/shapes"

	"lucigo/interp/layer"
)

// Rows are numbers of each image of a batch: Shape numbers an image, row-major, one image after the other.
type Rows struct {
	N     int
	Shape []int
	Data  []float64
}

// Of returns the numbers of image i, which r shares.
func (r Rows) Of(i int) []float64 {
	size := product(r.Shape)
	return r.Data[i*size : (i+1)*size : (i+1)*size]
}

// Loop runs steps over the images of a batch, once or again and again. It cuts the batch into parts that
// the device has room for, keeps each part's state on the device from one run to the next, hands every
// image its own arguments, and stops the images that are done. Close frees what it has on the device. A
// loop belongs to one goroutine.
//
// The nodes that a step gets are the state's, then those of the run's arguments, then those of the loop's.
type Loop struct {
	model   *Model
	most    int
	numbers int       // of an image, in the largest of its arrays
	args    []Arg     // those that are one for each image are of the whole batch
	shared  []*Tensor // of the arguments that all images have in common; nil for the others
	images  []int     // those of the batch that still run
	parts   []part
}

// part is a cut of the images that run, filled up to size with the last. Images that stop stay in it until the parts
// are cut anew. Its arguments are on the device from its first run on; without state only during a run, so that a large
// batch that is run once is there part by part.
type part struct {
	images      []int // that of the batch in each row
	rows        []int // of the images that still run
	first       int   // of those that still run in all parts, which is the first of these
	size        int
	state, args []*Tensor
}

// places returns for each row which of the images that still run is in it, or for one that has stopped one that is near.
func (p part) places() []int {
	at, k := make([]int, len(p.images)), 0
	for row := range at {
		if k+1 < len(p.rows) && p.rows[k+1] == row {
			k++
		}
		at[row] = p.first + k
	}
	return at
}

// Loop begins a loop over a batch of n images, at most most of them at once; Batch says how many there is
// room for, and 0 is all of them, whatever room there is. Each array of state is one for each image.
func (m *Model) Loop(n, most int, state []Arg, args ...Arg) (*Loop, error) {
	l := &Loop{model: m, args: slices.Clone(args), images: upTo(max(n, 0))}
	if n < 1 || most < 0 {
		return nil, fmt.Errorf("interp: a loop is over %d images, %d at once: there must be at least 1", n, most)
	}
	for i, a := range slices.Concat(state, args) {
		if err := a.fits(n); err != nil {
			return nil, err
		}
		if a.each {
			l.numbers = max(l.numbers, product(a.dims))
		}
		if i < len(state) && !a.each {
			return nil, fmt.Errorf("interp: array %d of a loop's state is not one for each image", i)
		}
	}
	for _, a := range args {
		var t *Tensor
		if !a.each {
			t = l.tensor(a, nil, 0)
		}
		l.shared = append(l.shared, t)
	}
	l.most = even(n, most, l.numbers, m.filling())
	l.cut(state)
	return l, nil
}

func (l *Loop) tensor(a Arg, images []int, size int) *Tensor {
	return &Tensor{t: a.tensor(images, size, l.model.place.dtype)}
}

// upTo returns 0 to n-1.
func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

const middling = 16 // a size of parts between 4 and more

// cuts returns how n images, of so many numbers each, are cut into parts of at most most: how many images
// each part has, and the size that it is filled up to. Few sizes occur, because each is compiled: 1, 4, 16 and
// most. Filling up by so many numbers as filling says costs less than another compilation.
func cuts(n, most, numbers, filling int) (images, sizes []int) {
	if most == 0 {
		most = n
	}
	for n > 0 {
		if 2*n < most && most > middling { // filled up, less than half would be of use
			most = middling
		}
		size := most
		if n <= 4 { // the least that takes all
			size = min(4, most)
		}
		if n == 1 {
			size = 1
		}
		if size > n && (size-n)*numbers > filling {
			size = 1
			if n > 4 {
				size = 4
			}
		}
		images, sizes = append(images, min(n, size)), append(sizes, size)
		n -= min(n, size)
	}
	return images, sizes
}

// even returns the size of equal parts of n images, where parts of at most most would be filled up by more than an
// eighth: 52 for 100 images in parts of at most 64. A loop asks once: sizes that follow the number of images that still
// run would be compiled again and again.
func even(n, most, numbers, filling int) int {
	if most <= middling {
		return most
	}
	images, sizes := cuts(n, most, numbers, filling)
	filled := 0
	for i, size := range sizes {
		filled += size - images[i]
	}
	if 8*filled <= n {
		return most
	}
	parts := (n + most - 1) / most
	size := (n + parts - 1) / parts
	return min(most, (size+3)/4*4)
}

// cut cuts the images that still run into parts, which begin with the given state of theirs.
func (l *Loop) cut(state []Arg) {
	l.parts = nil
	first := 0
	images, sizes := cuts(len(l.images), l.most, l.numbers, l.model.filling())
	for i, n := range images {
		p := part{images: l.images[first : first+n], rows: upTo(n), first: first, size: sizes[i], args: slices.Clone(l.shared)}
		for _, a := range state {
			p.state = append(p.state, l.tensor(a, p.places(), p.size))
		}
		l.parts = append(l.parts, p)
		first += n
	}
}

// Images returns the images of the batch that still run, in order: what Next returns is theirs.
func (l *Loop) Images() []int { return slices.Clone(l.images) }

// Next runs a step once for all images that still run. Gradients follow rule; nil is layer.Exact. Args are
// those of this run; those that are one for each image are of the images that still run. The step's first
// results are the next state, array for array; the others are of each image, [N, …], and returned.
func (l *Loop) Next(ctx context.Context, step Step, rule layer.Rule, args ...Arg) ([]Rows, error) {
	return l.run(ctx, step, rule, true, args)
}

// Look is Next for a step that leaves the state as it is: all its results are returned.
func (l *Loop) Look(ctx context.Context, step Step, rule layer.Rule, args ...Arg) ([]Rows, error) {
	return l.run(ctx, step, rule, false, args)
}

// Prepare begins to compile a step that Next or Look will be given, with arguments shaped like these, beside what is done
// until then. It need not be called, returns at once, and leaves errors to Next and Look.
func (l *Loop) Prepare(step Step, rule layer.Rule, args ...Arg) {
	l.prepare(context.Background(), l.parts, step, rule, args)
}

func (l *Loop) prepare(ctx context.Context, parts []part, step Step, rule layer.Rule, args []Arg) {
	for i, p := range parts {
		if slices.ContainsFunc(parts[:i], func(before part) bool { return before.size == p.size }) {
			continue
		}
		var given []shapes.Shape
		for _, t := range p.state {
			given = append(given, t.t.Shape())
		}
		for _, a := range slices.Concat(args, l.args) {
			given = append(given, a.shape(p.size, l.model.place.dtype))
		}
		l.model.ahead(ctx, step, rule, given)
	}
}

func (l *Loop) run(ctx context.Context, step Step, rule layer.Rule, move bool, args []Arg) (all []Rows, err error) {
	shared := make([]*Tensor, len(args))
	defer func() { closeAll(shared) }()
	for k, a := range args {
		if err := a.fits(len(l.images)); err != nil {
			return nil, err
		}
		if !a.each {
			shared[k] = l.tensor(a, nil, 0)
		}
	}
	if last := l.parts[max(0, len(l.parts)-1):]; len(last) > 0 && last[0].size != l.parts[0].size {
		l.prepare(ctx, last, step, rule, args) // beside the first part's
	}
	for i := range l.parts {
		p := &l.parts[i]
		in, own := slices.Clone(p.state), []*Tensor(nil)
		for k, a := range args {
			t := shared[k]
			if t == nil {
				t = l.tensor(a, p.places(), p.size)
				own = append(own, t)
			}
			in = append(in, t)
		}
		for k, t := range p.args {
			if t == nil {
				p.args[k] = l.tensor(l.args[k], p.images, p.size)
			}
		}
		out, err := l.model.Run(ctx, step, rule, append(in, p.args...)...)
		closeAll(own)
		if len(p.state) == 0 {
			l.drop(p)
		}
		if err != nil {
			return nil, err
		}
		if move {
			n := len(p.state)
			if len(out) < n {
				closeAll(out)
				return nil, fmt.Errorf("interp: step %T returns %d results, and the state has %d arrays", step, len(out), n)
			}
			closeAll(p.state)
			p.state, out = slices.Clone(out[:n]), out[n:]
		}
		err = l.collect(&all, *p, out)
		closeAll(out)
		if err != nil {
			return nil, fmt.Errorf("interp: step %T: %w", step, err)
		}
	}
	return all, nil
}

// collect adds a part's results to those of all images.
func (l *Loop) collect(all *[]Rows, p part, results []*Tensor) error {
	if len(p.rows) == 0 {
		return nil
	}
	for k, t := range results {
		dims := t.Dims()
		if len(dims) == 0 || dims[0] != p.size {
			return fmt.Errorf("result %d is shaped %v, must be of each of %d images", k, dims, p.size)
		}
		if k == len(*all) {
			n := len(l.images)
			*all = append(*all, Rows{N: n, Shape: dims[1:], Data: make([]float64, n*product(dims[1:]))})
		}
		r := &(*all)[k]
		size := product(r.Shape)
		if err := t.read(r.Data[p.first*size:(p.first+len(p.rows))*size], p.rows); err != nil {
			return err
		}
	}
	return nil
}

// State returns array k of the state, of the images that still run; none has no numbers.
func (l *Loop) State(k int) (Rows, error) {
	if len(l.images) == 0 {
		return Rows{}, nil
	}
	var all []Rows
	for _, p := range l.parts {
		if k < 0 || k >= len(p.state) {
			return Rows{}, fmt.Errorf("interp: array %d of a loop's state is asked for, and it has %d", k, len(p.state))
		}
		if err := l.collect(&all, p, p.state[k:k+1]); err != nil {
			return Rows{}, err
		}
	}
	return all[0], nil
}

// Keep stops all images but those for which keep is true; they lose their state. Where what goes on fits in
// smaller or fewer parts it is cut anew, so a batch that is nearly done costs less.
func (l *Loop) Keep(keep func(image int) bool) error {
	before, size, empty := len(l.images), 0, false
	l.images = nil
	for i := range l.parts {
		p := &l.parts[i]
		p.first = len(l.images)
		p.rows = slices.DeleteFunc(p.rows, func(row int) bool { return !keep(p.images[row]) })
		for _, row := range p.rows {
			l.images = append(l.images, p.images[row])
		}
		size += p.size
		empty = empty || len(p.rows) == 0
	}
	_, sizes := cuts(len(l.images), l.most, l.numbers, l.model.filling())
	for _, n := range sizes {
		size -= n
	}
	if len(l.images) == before || size <= 0 && !empty {
		return nil
	}
	var state []Arg
	if len(l.images) > 0 {
		for k, t := range l.parts[0].state {
			r, err := l.State(k)
			if err != nil {
				return err
			}
			a := Each(r.Data, r.Shape...)
			a.whole = t.t.DType().IsInt()
			state = append(state, a)
		}
	}
	l.free()
	l.cut(state)
	return nil
}

// Close frees what the loop has on the device.
func (l *Loop) Close() {
	l.free()
	closeAll(l.shared)
}

func (l *Loop) free() {
	for i := range l.parts {
		closeAll(l.parts[i].state)
		l.drop(&l.parts[i])
	}
	l.parts = nil
}

// drop frees the arguments of a part's own images.
func (l *Loop) drop(p *part) {
	for k, t := range p.args {
		if l.shared[k] == nil && t != nil {
			t.Close()
			p.args[k] = nil
		}
	}
}

// once runs a step once over the images x, which are its first argument.
func (m *Model) once(ctx context.Context, step Step, rule layer.Rule, x Images, args ...Arg) ([]Rows, error) {
	l, err := m.Loop(x.N, m.Batch(x), nil, append([]Arg{x.Arg()}, args...)...)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return l.Look(ctx, step, rule)
}
