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
	"maps"
	"math"
	"os"
	"slices"
	"sort"
	"strings"
	"time"

	"lucigo/internal/atomicfile"
	"lucigo/interp"
	"lucigo/interp/random"
)

// The file, all numbers little-endian:
//
//	Format
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

// Format is how the file of an index begins. One that begins in another way is refused.
const Format = "lucigo exemplars, version 2\n"

const (
	maxHead  = 64 << 20 // bytes: as many as the names and causes of maxSkipped images may take as JSON, and more
	maxImage = 1 << 48  // the number of an image
	maxName  = 1 << 12  // bytes of an image's name, or of why it could not be decoded
)

var (
	errForeign  = errors.New("it is no index of exemplars")
	errVersion  = errors.New("it is an index of another version")
	errDamaged  = errors.New("the index is damaged")
	errNotSaved = errors.New("the index was not written")
)

// Open reads an index that a scan with m has written.
func Open(path string, m *interp.Model) (*Index, error) {
	ix, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("exemplar: %w: a scan whose Path it is makes it", err)
	}
	if err != nil {
		return nil, err
	}
	print, err := m.Fingerprint()
	if err != nil {
		return nil, err
	}
	if ix.head.Model != m.String() || ix.head.Fingerprint != print {
		return nil, fmt.Errorf("exemplar: %s: the index is of another model: %s with fingerprint %.12s, not %s with %.12s; scan with this one, to another file",
			path, ix.head.Model, ix.head.Fingerprint, m, print)
	}
	return ix, nil
}

// Save writes the index to a file, all of it or, if that fails, nothing: what was there before is left.
func (ix *Index) Save(path string) error {
	err := atomicfile.Write(path, 0o600, func(f *os.File) error {
		if err := ix.write(f); err != nil {
			return err
		}
		return f.Sync()
	})
	if err != nil {
		return fmt.Errorf("exemplar: %s: %w, and what was there is as it was: %w; "+
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
		return fmt.Errorf("exemplar: %s: %w: no file can be made in this folder: %w; name a place where one can", path, errNotSaved, err)
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
		return nil, fmt.Errorf("exemplar: %s: %w, but a folder or a device; name a file", path, errForeign)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(len(Format)+16)))
	if err == nil && bytes.HasPrefix(b, []byte(Format)) { // a large file of another kind is not read whole
		b, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, err
	}
	ix, err := parse(b)
	switch {
	case errors.Is(err, errForeign):
		return nil, fmt.Errorf("exemplar: %s: %w; name another file", path, err)
	case err != nil:
		return nil, fmt.Errorf("exemplar: %s: %w; remove the file and scan again", path, err)
	}
	return ix, nil
}

func parse(b []byte) (*Index, error) {
	const sum = sha256.Size
	known := Format[:strings.Index(Format, "version")]
	rest, ours := bytes.CutPrefix(b, []byte(known))
	version, _, ended := bytes.Cut(rest, []byte("\n"))
	switch {
	case !ours || !ended:
		return nil, errForeign
	case known+string(version)+"\n" != Format:
		return nil, fmt.Errorf("%w: %.20q, and this program reads %q", errVersion, version, Format[len(known):len(Format)-1])
	case len(b) < len(Format)+sum || sha256.Sum256(b[:len(b)-sum]) != [sum]byte(b[len(b)-sum:]):
		return nil, fmt.Errorf("%w: its checksum is wrong", errDamaged)
	}
	return decode(b[len(Format) : len(b)-sum])
}

func (ix *Index) write(to io.Writer) error {
	ix.prune()
	sum := sha256.New()
	buffered := bufio.NewWriterSize(io.MultiWriter(to, sum), 1<<16)
	if _, err := buffered.WriteString(Format); err != nil {
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

// encode writes what is between the Format and the checksum.
func (ix *Index) encode(to io.Writer) error {
	h, err := json.Marshal(ix.head)
	put := func(values ...any) {
		for _, v := range values {
			if err == nil {
				err = binary.Write(to, binary.LittleEndian, v)
			}
		}
	}
	put(uint32(len(h)), h, ix.best[top], ix.best[low], uint32(len(ix.sample)))
	for _, r := range ix.sample {
		put(r.image, r.values, r.at)
	}
	put(uint32(len(ix.images)))
	for _, image := range slices.Sorted(maps.Keys(ix.images)) {
		id := ix.images[image]
		put(image, id.key, uint16(len(id.name)), []byte(id.name))
	}
	return err
}

// reader takes numbers from bytes; those that are not there are 0.
type reader struct{ b []byte }

// fill reads into slices, and into what pointers point to.
func (r *reader) fill(values ...any) {
	for _, v := range values {
		n, _ := binary.Decode(r.b, binary.LittleEndian, v)
		r.b = r.b[n:]
	}
}

func number[T any](r *reader) (v T) {
	r.fill(&v)
	return v
}

// decode reads what encode has written. It believes nothing, and takes no more memory than a few times the
// bytes that are there.
func decode(b []byte) (*Index, error) {
	r := &reader{b: b}
	n := number[uint32](r)
	if n > maxHead || int(n) > len(r.b) {
		return nil, fmt.Errorf("%w: a head of %d bytes", errDamaged, n)
	}
	var h head
	err := json.Unmarshal(r.b[:n], &h)
	if err == nil {
		err = h.check()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	r.b = r.b[n:]
	units := 0
	for _, l := range h.Layers {
		units += l.Units
	}
	const entryBytes = 8 + 8 + 4
	if units > len(r.b)/(2*entryBytes)/h.K {
		return nil, fmt.Errorf("%w: %d bytes are too few for %d units", errDamaged, len(r.b), units)
	}
	ix := newIndex(h)
	r.fill(ix.best[top], ix.best[low])
	count := int(number[uint32](r))
	if count > h.Sample || count > len(r.b)/(8+12*units) {
		return nil, fmt.Errorf("%w: a sample of %d images", errDamaged, count)
	}
	for range count {
		s := row{values: make([]float64, units), at: make([]int32, units)}
		r.fill(&s.image, s.values, s.at)
		s.hash = random.Hash(h.Seed, uint64(s.image))
		ix.sample = append(ix.sample, s)
	}
	count = int(number[uint32](r))
	if count > len(r.b)/(8+8+2) {
		return nil, fmt.Errorf("%w: %d names", errDamaged, count)
	}
	for range count {
		image, key, length := number[int64](r), number[uint64](r), number[uint16](r)
		name := make([]byte, min(int(length), len(r.b)))
		r.fill(name)
		ix.images[image] = ident{string(name), key}
	}
	if err := ix.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	// What is out of order, too short, too long or about nothing is written otherwise than it was read.
	var again bytes.Buffer
	if ix, err := Merge(ix); err == nil && ix.encode(&again) == nil && bytes.Equal(again.Bytes(), b) {
		return ix, nil
	}
	return nil, fmt.Errorf("%w: it is not as it would be written", errDamaged)
}

// check checks the numbers of a head that was read.
func (h head) check() error {
	if h.Images < 1 || h.Images > maxImage || min(h.K, h.Sample, h.Batch) < 1 || max(h.K, h.Sample) > math.MaxInt32 ||
		h.Unreadable < len(h.Skipped) || len(h.Skipped) > maxSkipped || len(h.Layers) == 0 {
		return errors.New("a number in the head")
	}
	for _, l := range h.Layers {
		if min(l.Rows, l.Columns, l.Units) < 1 || max(l.Rows, l.Columns, l.Units) > 1<<24 || l.Rows > math.MaxInt32/l.Columns {
			return fmt.Errorf("layer %+v", l)
		}
	}
	for _, r := range h.Scanned {
		if r.First < 0 || r.End <= r.First || r.End > h.Images {
			return fmt.Errorf("images %v", h.Scanned)
		}
	}
	for _, s := range h.Skipped {
		if !h.has(int64(s.Image)) {
			return fmt.Errorf("unreadable image %d", s.Image)
		}
	}
	return nil
}

// has reports whether an image has been scanned.
func (h head) has(image int64) bool {
	i := sort.Search(len(h.Scanned), func(i int) bool { return int64(h.Scanned[i].End) > image })
	return i < len(h.Scanned) && int64(h.Scanned[i].First) <= image
}

// check checks the responses that were read.
func (ix *Index) check() error {
	u := 0
	for _, l := range ix.head.Layers {
		for range l.Units {
			all := slices.Concat(ix.of(top, u), ix.of(low, u))
			all = slices.DeleteFunc(all, func(e entry) bool { return e == none })
			for _, e := range append(all, ix.sampled(u)...) {
				if !ix.head.has(e.Image) || interp.NotFinite(e.Value) || e.At < 0 || int(e.At) >= l.Rows*l.Columns {
					return fmt.Errorf("response %+v of unit %d", e, u)
				}
			}
			u++
		}
	}
	return nil
}
