package exemplar

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"lucigo/interp/near"
)

// maxSkipped is how many images that could not be decoded an index names; it counts them all.
const maxSkipped = 1000

// head says what an index is of. It is the JSON part of the file.
type head struct {
	Model       string // its name
	Fingerprint string // interp.Model.Fingerprint
	Data        string // Source.String
	Images      int    // Source.Len
	K           int    // entries of a ranking
	Sample      int    // images of the random sample
	Seed        uint64 // of the sample
	Batch       int    // images that went through the network together
	Layers      []Layer
	Scanned     []Range
	Unreadable  int       // how many images
	Skipped     []Skipped // the first of them
}

// Index is what a scan has found. It is whole, or one of a part of the data set: Scanned tells.
type Index struct {
	head    head
	units   int        // of all layers together
	best    [2][]entry // top and low, each [units][K]
	sample  []row
	images  map[int64]ident
	largest int // that images may become before it is pruned
}

func newIndex(h head) *Index {
	ix := &Index{head: h, images: map[int64]ident{}}
	for _, l := range h.Layers {
		ix.units += l.Units
	}
	for ranking := range ix.best {
		ix.best[ranking] = slices.Repeat([]entry{none}, ix.units*h.K)
	}
	ix.largest = 4*ix.units*h.K + 2*h.Sample + 1024
	return ix
}

// of returns the entries of a unit, by its number among all, in a ranking.
func (ix *Index) of(ranking, unit int) []entry {
	return ix.best[ranking][unit*ix.head.K : (unit+1)*ix.head.K]
}

// Model returns the name of the model, and Data the description of the data set.
func (ix *Index) Model() string { return ix.head.Model }

// Data returns the description of the data set.
func (ix *Index) Data() string { return ix.head.Data }

// Layers returns the layers, in the order in which they were asked for.
func (ix *Index) Layers() []Layer { return slices.Clone(ix.head.Layers) }

// Scanned says how many images have been looked at, those that could not be decoded too, and how many there are.
func (ix *Index) Scanned() (done, total int) {
	for _, r := range ix.head.Scanned {
		done += r.End - r.First
	}
	return done, ix.head.Images
}

// Unreadable says how many images could not be decoded, and which they are: the first thousand by number.
func (ix *Index) Unreadable() (int, []Skipped) {
	return ix.head.Unreadable, slices.Clone(ix.head.Skipped)
}

// String says what the index is of.
func (ix *Index) String() string {
	done, total := ix.Scanned()
	s := fmt.Sprintf("%d units of %s over %d of %d images of %s", ix.units, ix.head.Model, done, total, ix.head.Data)
	if ix.head.Unreadable > 0 {
		s += fmt.Sprintf(", %d unreadable", ix.head.Unreadable)
	}
	return s
}

// Top returns the images to which a unit responds most, the largest response first, of equal ones the image
// of the smallest number. Of images of one Key only the first is there.
func (ix *Index) Top(layer string, unit int) ([]Example, error) {
	return ix.ranking(top, layer, unit)
}

// Lowest returns the images to which a unit responds least, the smallest response first, of equal ones the
// image of the smallest number. Of images of one Key only the first is there. (After a ReLU many images may have response 0.)
func (ix *Index) Lowest(layer string, unit int) ([]Example, error) {
	return ix.ranking(low, layer, unit)
}

func (ix *Index) ranking(ranking int, layer string, unit int) ([]Example, error) {
	return ix.examples(layer, unit, func(u int) []entry { return ix.of(ranking, u) })
}

// examples returns a unit's entries, by its number among all, as examples.
func (ix *Index) examples(layer string, unit int, entries func(u int) []entry) (out []Example, err error) {
	l, u, err := ix.find(layer, unit)
	if err != nil {
		return nil, err
	}
	for _, e := range entries(u) {
		if e != none {
			id := ix.images[e.Image]
			out = append(out, Example{Image: int(e.Image), Name: id.name, Key: id.key,
				Row: int(e.At) / l.Columns, Column: int(e.At) % l.Columns, Value: e.Value})
		}
	}
	return out, nil
}

// sampled returns the responses of a unit, by its number among all, to the random sample.
func (ix *Index) sampled(u int) (out []entry) {
	for _, r := range ix.sample {
		out = append(out, entry{r.values[u], r.image, r.at[u]})
	}
	return out
}

// Random returns a unit's responses to the random sample: images drawn from the whole data set, all as
// likely, in random order; the same for all units.
func (ix *Index) Random(layer string, unit int) ([]Example, error) {
	return ix.examples(layer, unit, ix.sampled)
}

// Percentiles returns the examples at percentiles, from 0 to 100, of a unit's responses to the random
// sample: those at the ranks nearest to them. Of a data set no larger than the sample they are exact.
func (ix *Index) Percentiles(layer string, unit int, percentiles ...float64) ([]Example, error) {
	all, err := ix.Random(layer, unit)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("exemplar: %s: no image has been read yet", ix)
	}
	slices.SortFunc(all, func(a, b Example) int { return cmp.Or(cmp.Compare(a.Value, b.Value), a.Image-b.Image) })
	var out []Example
	for _, p := range percentiles {
		if !(p >= 0 && p <= 100) {
			return nil, fmt.Errorf("exemplar: percentile is %g, must be from 0 to 100", p)
		}
		out = append(out, all[int(math.Round(p/100*float64(len(all)-1)))])
	}
	return out, nil
}

// Selective returns n units of a layer, the most selective first: those for which the mean of Top lies the
// most standard deviations of Random above its mean; of equal ones the smaller number. Units that respond
// alike to every image are left out.
func (ix *Index) Selective(layer string, n int) ([]int, error) {
	l, first, err := ix.find(layer, 0)
	if err != nil {
		return nil, err
	}
	var units []int
	above := make([]float64, l.Units)
	for u := range above {
		var best, random []float64
		for _, e := range ix.of(top, first+u) {
			if e != none {
				best = append(best, e.Value)
			}
		}
		for _, r := range ix.sample {
			random = append(random, r.values[first+u])
		}
		mean, sd := stat.PopMeanStdDev(random, nil)
		if above[u] = (stat.Mean(best, nil) - mean) / sd; above[u] > 0 {
			units = append(units, u)
		}
	}
	if n < 1 || n > len(units) {
		return nil, fmt.Errorf("exemplar: n is %d, must be from 1 to %d: so many of the %d units of layer %q respond to some images more than to others",
			n, len(units), l.Units, layer)
	}
	slices.SortStableFunc(units, func(a, b int) int { return cmp.Compare(above[b], above[a]) })
	return units[:n], nil
}

// find returns a layer, and the number of one of its units among all.
func (ix *Index) find(layer string, unit int) (Layer, int, error) {
	l, u, err := find(ix.head.Layers, layer, unit)
	if err != nil {
		err = fmt.Errorf("exemplar: the index of %s: %w", ix.head.Model, err)
	}
	return l, u, err
}

func find(all []Layer, name string, unit int) (Layer, int, error) {
	first := 0
	var names []string
	for _, l := range all {
		if l.Name == name {
			if unit < 0 || unit >= l.Units {
				return l, 0, fmt.Errorf("unit is %d, must be from 0 to %d in layer %q", unit, l.Units-1, name)
			}
			return l, first + unit, nil
		}
		first += l.Units
		names = append(names, l.Name)
	}
	return Layer{}, 0, near.Error("layer", name, names)
}

// put adds the responses of all units to an image.
func (ix *Index) put(image int64, id ident, hash uint64, values []float64, at []int32) {
	held := false
	ix.images[image] = id
	for u, v := range values {
		for ranking := range ix.best {
			held = insert(ranking, ix.of(ranking, u), entry{v, image, at[u]}, ix.equal) || held
		}
	}
	if !ix.putRow(row{hash, image, values, at}) && !held {
		delete(ix.images, image)
	}
	if len(ix.images) > ix.largest {
		ix.prune()
	}
}

// equal reports whether two images that the index holds have one key.
func (ix *Index) equal(a, b int64) bool { return ix.images[a].key == ix.images[b].key }

// putRow adds r to the sample if it is among those of the least hashes. It keeps a copy.
func (ix *Index) putRow(r row) bool {
	i, _ := slices.BinarySearchFunc(ix.sample, r, row.compare)
	if i >= ix.head.Sample {
		return false
	}
	r.values, r.at = slices.Clone(r.values), slices.Clone(r.at)
	ix.sample = slices.Insert(ix.sample[:min(len(ix.sample), ix.head.Sample-1)], i, r)
	return true
}

// prune forgets the images that nothing of the index is about any more.
func (ix *Index) prune() {
	held := map[int64]ident{}
	for _, e := range slices.Concat(ix.best[:]...) {
		if e != none {
			held[e.Image] = ix.images[e.Image]
		}
	}
	for _, r := range ix.sample {
		held[r.image] = ix.images[r.image]
	}
	ix.images = held
}

// skip notes an image that could not be decoded.
func (ix *Index) skip(s Skipped) {
	ix.head.Unreadable++
	i, _ := slices.BinarySearchFunc(ix.head.Skipped, s, func(a, b Skipped) int { return a.Image - b.Image })
	ix.head.Skipped = slices.Insert(ix.head.Skipped, i, s)
	ix.head.Skipped = ix.head.Skipped[:min(len(ix.head.Skipped), maxSkipped)]
}

// same returns an error that says in what h and other, of two indexes, differ, if in anything but how far
// they have come.
func (h head) same(other head) error {
	for _, c := range []struct {
		what string
		a, b any
	}{
		{"model", h.Model, other.Model},
		{"weights or layers of the model", h.Fingerprint, other.Fingerprint},
		{"data set", h.Data, other.Data},
		{"number of images", h.Images, other.Images},
		{"layers", fmt.Sprint(h.Layers), fmt.Sprint(other.Layers)},
		{"K", h.K, other.K},
		{"Sample", h.Sample, other.Sample},
		{"Seed", h.Seed, other.Seed},
		{"Batch", h.Batch, other.Batch},
	} {
		if c.a != c.b {
			return fmt.Errorf("another %s: %.200s, not %.200s", c.what, fmt.Sprint(c.a), fmt.Sprint(c.b))
		}
	}
	return nil
}

// Merge joins indexes of different parts of one data set, as of shards, in any order. They must agree in
// all else, and no image may be in two.
func Merge(parts ...*Index) (*Index, error) {
	if len(parts) == 0 {
		return nil, errors.New("exemplar: there are no indexes to merge")
	}
	h := parts[0].head
	h.Scanned, h.Unreadable, h.Skipped = nil, 0, nil
	all := newIndex(h)
	for i, p := range parts {
		if err := h.same(p.head); err != nil {
			return nil, fmt.Errorf("exemplar: index %d to merge is of %w", i, err)
		}
		for _, r := range p.head.Scanned {
			var err error
			if all.head.Scanned, err = add(all.head.Scanned, r); err != nil {
				return nil, fmt.Errorf("%w: index %d to merge", err, i)
			}
		}
		maps.Copy(all.images, p.images)
		for ranking, entries := range p.best {
			for i, e := range entries {
				insert(ranking, all.of(ranking, i/h.K), e, all.equal)
			}
		}
		for _, r := range p.sample {
			all.putRow(r)
		}
		unnamed := p.head.Unreadable - len(p.head.Skipped)
		for _, s := range p.head.Skipped {
			all.skip(s)
		}
		all.head.Unreadable += unnamed
	}
	all.prune()
	return all, nil
}
