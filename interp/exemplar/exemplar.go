// Package exemplar finds the images of a data set that make each unit of a network respond most: a unit is
// a channel of a layer, and its response to an image the largest of its values over all positions.
//
//	ix, err := exemplar.Scan{Layers: []string{"mixed4a"}, Path: "photographs.index"}.Run(ctx, m, photographs)
//	best, err := ix.Top("mixed4a", 11)
//	patches, err := exemplar.Cut(ctx, m, photographs, "mixed4a", 11, best)
//
// One pass over the data set serves all units of all layers. Only their maxima and the places of those
// leave the device; memory does not grow with the number of images. An index is kept in a file, of which a
// later call reads the answer at once; a scan that was broken off goes on where it was, and parts that were
// scanned apart are joined by Merge. However the work is cut, the file is the same to the byte.
package exemplar

import (
	"cmp"
	"fmt"
	"slices"
)

// Example is a unit's response to an image.
type Example struct {
	Image       int    // its number in the source
	Name        string // its name there
	Key         uint64 // interp.Images.Key: tells whether the source still has the same image
	Row, Column int    // of the response, in the layer; of equal ones the first, row by row
	Value       float64
}

// Layer is a layer of an index.
type Layer struct {
	Name          string
	Rows, Columns int // 1 and 1 where the layer has no positions
	Units         int
}

// String returns the layer's name, with its rows, columns and units.
func (l Layer) String() string {
	return fmt.Sprintf("%s (%d×%d×%d)", l.Name, l.Rows, l.Columns, l.Units)
}

// Skipped is an image that could not be decoded.
type Skipped struct {
	Image       int
	Name, Cause string
}

// ident is what an index remembers of an image that it holds.
type ident struct {
	name string
	key  uint64
}

// entry is a unit's response to an image, as the file has it; image −1 is no entry.
type entry struct {
	Value float64
	Image int64
	At    int32 // row·columns + column
}

var none = entry{Image: -1}

// The two rankings of a unit: of the highest responses, and of the lowest.
const top, low = 0, 1

// before reports whether a comes before b in a ranking; none comes last.
func before(ranking int, a, b entry) bool {
	switch {
	case a.Image < 0 || b.Image < 0:
		return b.Image < a.Image
	case a.Value == b.Value:
		return a.Image < b.Image
	}
	return (a.Value > b.Value) == (ranking == top)
}

// insert puts e in its place among a unit's entries of a ranking, if it has one; the last gives way, or that of an equal
// image. Of equal images only that which comes first has a place, in whatever order they are put.
func insert(ranking int, entries []entry, e entry, equal func(a, b int64) bool) bool {
	i := len(entries)
	for i > 0 && before(ranking, e, entries[i-1]) {
		i--
	}
	if i == len(entries) {
		return false
	}
	twin := slices.IndexFunc(entries, func(old entry) bool { return old != none && equal(old.Image, e.Image) })
	switch {
	case twin < 0:
		twin = len(entries) - 1
	case twin < i:
		return false
	}
	copy(entries[i+1:twin+1], entries[i:twin])
	entries[i] = e
	return true
}

// row is the responses of all units to one image of the random sample. Rows are in the order of their
// hashes, which are those of the seed and the image's number.
type row struct {
	hash   uint64
	image  int64
	values []float64
	at     []int32
}

func (r row) compare(s row) int {
	return cmp.Or(cmp.Compare(r.hash, s.hash), cmp.Compare(r.image, s.image))
}

// Range is a run of images, First to End − 1.
type Range struct{ First, End int }

// add puts r into sorted, disjoint ranges, none of which touch.
func add(ranges []Range, r Range) ([]Range, error) {
	var out []Range
	for _, s := range ranges {
		switch {
		case s.End < r.First:
			out = append(out, s)
		case s.First > r.End:
			out = append(out, r)
			r = s
		case s.End == r.First:
			r.First = s.First
		case s.First == r.End:
			r.End = s.End
		default:
			return nil, fmt.Errorf("exemplar: images %d to %d are in both indexes", max(s.First, r.First), min(s.End, r.End)-1)
		}
	}
	return append(out, r), nil
}

// covers reports whether all images of inner, sorted ranges none of which touch, are in such ranges.
func covers(ranges, inner []Range) bool {
	for _, r := range inner {
		if !slices.ContainsFunc(ranges, func(s Range) bool { return s.First <= r.First && r.End <= s.End }) {
			return false
		}
	}
	return true
}
