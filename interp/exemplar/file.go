package exemplar

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"lucigo/internal/atomicfile"
	"lucigo/interp"
	"lucigo/interp/random"
)

// The file, all numbers little-endian:
//
//	magic
//	uint32, and as many bytes of JSON: head
//	the highest responses: for each unit, layer by layer, K entries, the best first:
//	    float64 response, int64 image, int32 row·columns + column; unused ones 0, −1, 0
//	the lowest responses, as the highest
//	uint32, and as many images of the random sample: int64 image, and for all units
//	    float64 response, then for all units int32 row·columns + column
//	uint32, and as many images that are named above: int64 image, uint64 key, uint16, and as many bytes of name
//	SHA-256 of all that
//
// The sample is in the order of random.Hash(Seed, image), the named images in that of their numbers. There
// is one file for one content: whatever is read and written again is the same to the byte.
const magic = "lucigo exemplars, version 1\n"

const (
	maxHead  = 64 << 20 // bytes: as many as the names and causes of maxSkipped images may take as JSON, and more
	maxImage = 1 << 48  // the number of an image
	maxName  = 1 << 12  // bytes of an image's name, or of why it could not be read
)

var (
	errForeign  = errors.New("no index of exemplars")
	errVersion  = errors.New("an index of another version")
	errDamaged  = errors.New("the index is damaged")
	errNotSaved = errors.New("the index was not written")
)

// Open reads an index that a scan with m has written.
func Open(path string, m *interp.Model) (*Index, error) {
	ix, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: a scan whose Path it is makes it", err)
	}
	if err != nil {
		return nil, err
	}
	print, err := m.Fingerprint()
	if err != nil {
		return nil, err
	}
	if ix.head.Model != m.String() || ix.head.Fingerprint != print {
		return nil, fmt.Errorf("%s: the index is of another model: %s with fingerprint %.12s, not %s with %.12s; scan with this one, to another file",
			path, ix.head.Model, ix.head.Fingerprint, m, print)
	}
	return ix, nil
}

// Save writes the index to a file, all of it or, if that fails, nothing: what stood there before is left.
func (ix *Index) Save(path string) error {
	err := atomicfile.Write(path, 0o600, func(f *os.File) error {
		if err := ix.write(f); err != nil {
			return err
		}
		return f.Sync()
	})
	if err != nil {
		return fmt.Errorf("%s: %w, and what stood there is as it was: %w; "+
			"make room or choose another place, and scan again: it goes on from there", path, errNotSaved, err)
	}
	return nil
}

// writable returns an error if Save could not write to path at all, so that a scan need not end to find it
// out. It removes temporary files that killed scans have left.
func writable(path string) error {
	if err := atomicfile.Possible(path); err != nil {
		if e := (*fs.PathError)(nil); errors.As(err, &e) {
			err = e.Err // without the name, which is nobody's
		}
		return fmt.Errorf("%s: %w: no file can be made in this folder: %w; name a place where one can", path, errNotSaved, err)
	}
	atomicfile.Sweep(path, time.Hour)
	return nil
}

// read reads a file that Save has written.
func read(path string) (*Index, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w, but a folder or a device; name a file", path, errForeign)
	}
	b, err := start(path)
	if err == nil && bytes.HasPrefix(b, []byte(magic)) { // a large file of another kind is not read whole
		b, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, err
	}
	ix, err := parse(b)
	switch {
	case errors.Is(err, errForeign):
		return nil, fmt.Errorf("%s: %w; name another file", path, err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w; remove the file and scan again", path, err)
	}
	return ix, nil
}

// start reads as much of a file as says what it is.
func start(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, int64(len(magic)+16)))
}

func parse(b []byte) (*Index, error) {
	const sum = sha256.Size
	known := magic[:strings.Index(magic, "version")]
	rest, ours := bytes.CutPrefix(b, []byte(known))
	version, _, ended := bytes.Cut(rest, []byte("\n"))
	switch {
	case !ours || !ended:
		return nil, errForeign
	case known+string(version)+"\n" != magic:
		return nil, fmt.Errorf("%w: %.20q, and this program reads %q", errVersion, version, magic[len(known):len(magic)-1])
	case len(b) < len(magic)+sum || sha256.Sum256(b[:len(b)-sum]) != [sum]byte(b[len(b)-sum:]):
		return nil, fmt.Errorf("%w: its checksum is wrong", errDamaged)
	}
	return decode(b[len(magic) : len(b)-sum])
}

// writer writes numbers until the first error.
type writer struct {
	w   io.Writer
	err error
}

func (w *writer) put(v any) {
	if w.err == nil {
		w.err = binary.Write(w.w, binary.LittleEndian, v)
	}
}

func (ix *Index) write(to io.Writer) error {
	ix.prune()
	sum := sha256.New()
	buffered := bufio.NewWriterSize(io.MultiWriter(to, sum), 1<<16)
	if _, err := buffered.WriteString(magic); err != nil {
		return err
	}
	if err := ix.encode(buffered); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	_, err := to.Write(sum.Sum(nil))
	return err
}

// encode writes what stands between the magic and the checksum.
func (ix *Index) encode(to io.Writer) error {
	w := &writer{w: to}
	h, err := json.Marshal(ix.head)
	if err != nil {
		return err
	}
	w.put(uint32(len(h)))
	w.put(h)
	block := make([]byte, 0, 1<<12)
	for _, ranking := range [][]entry{ix.top, ix.low} {
		for part := range slices.Chunk(ranking, 128) {
			block = block[:0]
			for _, e := range part {
				block = binary.LittleEndian.AppendUint64(block, math.Float64bits(e.value))
				block = binary.LittleEndian.AppendUint64(block, uint64(e.image))
				block = binary.LittleEndian.AppendUint32(block, uint32(e.at))
			}
			w.put(block)
		}
	}
	w.put(uint32(len(ix.sample)))
	for _, r := range ix.sample {
		w.put(r.image)
		w.put(r.values)
		w.put(r.at)
	}
	w.put(uint32(len(ix.images)))
	for _, image := range ix.numbers() {
		id := ix.images[image]
		w.put(image)
		w.put(id.key)
		w.put(uint16(len(id.name)))
		w.put([]byte(id.name))
	}
	return w.err
}

// numbers returns the named images, in order.
func (ix *Index) numbers() []int64 {
	out := make([]int64, 0, len(ix.images))
	for image := range ix.images {
		out = append(out, image)
	}
	slices.Sort(out)
	return out
}

// reader takes numbers from bytes; what is not there is 0, and remembered.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) next(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.short = true
		return make([]byte, min(max(n, 0), 8))
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) uint16() uint16 { return binary.LittleEndian.Uint16(r.next(2)) }
func (r *reader) uint32() uint32 { return binary.LittleEndian.Uint32(r.next(4)) }
func (r *reader) uint64() uint64 { return binary.LittleEndian.Uint64(r.next(8)) }

// decode reads what encode has written. It believes nothing, and takes no more memory than a few times the
// bytes that are there.
func decode(b []byte) (*Index, error) {
	r := &reader{b: b}
	n := r.uint32()
	if n > maxHead || int(n) > len(r.b) {
		return nil, fmt.Errorf("%w: a head of %d bytes", errDamaged, n)
	}
	h, err := decodeHead(r.next(int(n)))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	units := 0
	for _, l := range h.Layers {
		units += l.Units
	}
	const entryBytes = 8 + 8 + 4
	if units > len(r.b)/(2*entryBytes)/h.K {
		return nil, fmt.Errorf("%w: %d bytes are too few for %d units", errDamaged, len(r.b), units)
	}
	ix := newIndex(h)
	for _, ranking := range [][]entry{ix.top, ix.low} {
		for i := range ranking {
			ranking[i] = entry{math.Float64frombits(r.uint64()), int64(r.uint64()), int32(r.uint32())}
		}
	}
	count := int(r.uint32())
	if count > h.Sample || count > len(r.b)/(8+12*units) {
		return nil, fmt.Errorf("%w: a sample of %d images", errDamaged, count)
	}
	for range count {
		s := row{image: int64(r.uint64()), values: make([]float64, units), at: make([]int32, units)}
		s.hash = random.Hash(h.Seed, uint64(s.image))
		for u := range s.values {
			s.values[u] = math.Float64frombits(r.uint64())
		}
		for u := range s.at {
			s.at[u] = int32(r.uint32())
		}
		ix.sample = append(ix.sample, s)
	}
	count = int(r.uint32())
	if count > len(r.b)/(8+8+2) {
		return nil, fmt.Errorf("%w: %d names", errDamaged, count)
	}
	last := int64(-1)
	for range count {
		image, key := int64(r.uint64()), r.uint64()
		name := r.next(int(r.uint16()))
		if image <= last || len(name) > maxName {
			return nil, fmt.Errorf("%w: the name of image %d", errDamaged, image)
		}
		last = image
		ix.images[image] = ident{string(name), key}
	}
	if r.short || len(r.b) > 0 {
		return nil, fmt.Errorf("%w: it is too short, or too long", errDamaged)
	}
	if err := ix.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return ix, nil
}

func decodeHead(b []byte) (head, error) {
	var h head
	if err := json.Unmarshal(b, &h); err != nil {
		return h, err
	}
	again, err := json.Marshal(h)
	if err != nil {
		return h, err
	}
	if !bytes.Equal(b, again) {
		return h, errors.New("a head of another form")
	}
	if h.Images < 1 || h.Images > maxImage || h.K < 1 || h.K > math.MaxInt32 || h.Sample < 1 || h.Sample > math.MaxInt32 || h.Batch < 1 ||
		h.Unreadable < len(h.Skipped) || len(h.Skipped) > maxSkipped || len(h.Layers) == 0 {
		return h, errors.New("a number in the head")
	}
	for _, l := range h.Layers {
		if min(l.Rows, l.Columns, l.Units) < 1 || max(l.Rows, l.Columns, l.Units) > 1<<24 || l.Rows > math.MaxInt32/l.Columns {
			return h, fmt.Errorf("layer %+v", l)
		}
	}
	end := -1
	for _, r := range h.Scanned {
		if r.First <= end || r.End <= r.First || r.End > h.Images {
			return h, fmt.Errorf("images %v", h.Scanned)
		}
		end = r.End
	}
	last := -1
	for _, s := range h.Skipped {
		if s.Image <= last || !h.has(int64(s.Image)) {
			return h, fmt.Errorf("unreadable image %d", s.Image)
		}
		last = s.Image
	}
	return h, nil
}

// has reports whether an image has been scanned.
func (h head) has(image int64) bool {
	_, ok := slices.BinarySearchFunc(h.Scanned, image, func(r Range, image int64) int {
		switch {
		case int64(r.End) <= image:
			return -1
		case int64(r.First) > image:
			return 1
		}
		return 0
	})
	return ok
}

// check checks the rankings, the sample and the names against one another.
func (ix *Index) check() error {
	named := map[int64]bool{}
	fits := func(e entry, l Layer) error {
		if _, ok := ix.images[e.image]; !ok || !ix.head.has(e.image) {
			return fmt.Errorf("image %d", e.image)
		}
		named[e.image] = true
		if interp.NotFinite(e.value) || e.at < 0 || int(e.at) >= l.Rows*l.Columns {
			return fmt.Errorf("response %+v", e)
		}
		return nil
	}
	u := 0
	for _, l := range ix.head.Layers {
		for range l.Units {
			for k, ranking := range [][]entry{ix.top, ix.low} {
				before := []order{highest, lowest}[k]
				ranking = ranking[u*ix.head.K : (u+1)*ix.head.K]
				for i, e := range ranking {
					if e == none {
						continue
					}
					if err := fits(e, l); err != nil {
						return err
					}
					if i > 0 && (ranking[i-1] == none || !before(ranking[i-1], e)) {
						return fmt.Errorf("the order of unit %d", u)
					}
				}
			}
			for _, r := range ix.sample {
				if err := fits(entry{r.values[u], r.image, r.at[u]}, l); err != nil {
					return err
				}
			}
			u++
		}
	}
	for i := range ix.sample {
		if i > 0 && !ix.sample[i-1].before(ix.sample[i]) {
			return errors.New("the order of the sample")
		}
	}
	if len(named) != len(ix.images) {
		return errors.New("names of images that are nowhere")
	}
	return nil
}
