// Package concept asks whether an idea of people, such as stripes, is in what a network computes, and whether its answers depend on
// it: testing with concept activation vectors, Kim et al., arXiv:1711.11279. A concept is a set of images that show it. A classifier
// that tells their activations at a layer from those of other images gives a direction, the concept's vector; and the score is the
// share of a class's images whose logit rises along it.
//
//	report, err := concept.Study{Layers: []string{"mixed4b"}}.Run(ctx, m, objective.LogitOf(3), concepts, random, x)
//
// Activations are computed once for all concepts, counterparts and classifiers.
package concept

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"lucigo/interp"
	"lucigo/interp/measure"
	"lucigo/interp/random"
)

// Set is images that have something in common, or nothing.
type Set struct {
	Name   string
	Images interp.Images
}

// Study compares concepts with random counterparts.
type Study struct {
	Layers     []string
	Classifier Classifier // nil is Logistic{}
	Held       float64    // share of each set that is held out to test the classifiers; 0 is ⅓, Kim et al.'s
	Seed       uint64     // of which images are held out

	// Memory is how many bytes the activations may take that are kept at once; 0 is 1 GiB. Layers that do not fit are computed
	// one after the other, and the images pass through the network again for each.
	Memory int64

	// Progress, if it is not nil, is told what is done next, and how many of such parts are done.
	Progress func(what string, done, of int)
}

// Report is what came of a study.
type Report struct {
	Classifier string
	Concepts   []string
	Layers     []Layer
}

// Layer is what came of a study at a layer.
type Layer struct {
	Name    string
	Results []Result // of each concept

	// Random are the mean scores of each random set, taken for a concept, with all others. Their mean is ½.
	Random []float64

	// Alike are the cosines of the concepts' vectors with each other (entanglement): Alike[a][b], 1 where a is b.
	Alike [][]float64
}

// Result is what a study says of a concept at a layer.
type Result struct {
	CAV CAV

	// Scores are the TCAV score with each random counterpart: the share of the images whose score rises along the vector, where those
	// for which it neither rises nor falls count half. Score is their mean, with its interval over the counterparts.
	Scores []float64
	Score  measure.Estimate

	// Rise is how fast the score of an image rises along the vector, in the mean of the images, with its interval over the counterparts.
	Rise measure.Estimate

	// Accuracy is the share of held-out images that the classifiers tell right, with its interval over the counterparts.
	Accuracy measure.Estimate

	// Found reports whether the concept is told from its counterparts better than random sets are from each other, at the 5 % level.
	// Where it is not, there is no direction, and the score is of nothing.
	Found bool

	// P is the chance of a Rise as far from 0 where the concept is one more random set (Significance), and Corrected is P times the
	// number of concepts and layers, at most 1 (Bonferroni). PublishedP is Kim et al.'s: that of Student's t of the Scores and those of
	// random sets. It takes runs for independent that share the concept's images, and so it finds far too many concepts.
	P, Corrected, PublishedP float64

	// Stability is the mean cosine of the vectors of two counterparts.
	Stability float64
}

// Run studies the concepts, with all random sets as counterparts of each, at images x of a class, or of several. Kim et al. ask for at
// least 20 random sets of as many images as a concept has, and 3 are needed. o is most often a class's logit, objective.LogitOf.
//
// Whatever a concept's images have in common is in its vector, their source too: 45 photographs of nothing in particular, but of another
// collection than the random ones, are significant for a zebra at the last layer of GoogLeNet, by the mean difference.
func (s Study) Run(ctx context.Context, m *interp.Model, o interp.Objective, concepts, random []Set, x interp.Images) (Report, error) {
	r := Report{Classifier: s.classifier().String()}
	if err := s.check(concepts, random, x); err != nil {
		return r, err
	}
	x, err := m.Resolve(ctx, o, x)
	if err != nil {
		return r, err
	}
	for _, c := range concepts {
		r.Concepts = append(r.Concepts, c.Name)
	}
	sets := slices.Concat(concepts, random)
	groups, err := s.groups(m, sets, x)
	if err != nil {
		return r, err
	}
	parts, done := len(sets)*len(groups)+len(s.Layers), 0
	tell := func(what string) {
		if s.Progress != nil {
			s.Progress(what, done, parts)
		}
		done++
	}
	for _, layers := range groups {
		all := make([]values, len(layers))
		for _, set := range sets {
			tell(set.Name)
			a, err := m.Activations(ctx, set.Images, layers...)
			if err != nil {
				return r, err
			}
			for k := range layers {
				all[k].add(a[k].Rows)
			}
		}
		for k, name := range layers {
			tell(name)
			_, slope, _, err := m.GradientAt(ctx, o, nil, x, name)
			if err != nil {
				return r, err
			}
			all[k].add(slope.Rows)
			l, err := s.layer(ctx, m, name, all[k], len(concepts), len(random))
			if err != nil {
				return r, fmt.Errorf("concept: layer %s: %w", name, err)
			}
			all[k] = values{}
			r.Layers = append(r.Layers, l)
		}
	}
	tests := float64(len(concepts) * len(s.Layers))
	for _, l := range r.Layers {
		for k := range l.Results {
			l.Results[k].Corrected = min(1, tests*l.Results[k].P)
		}
	}
	return r, nil
}

func (s Study) classifier() Classifier { return orLogistic(s.Classifier) }

func orLogistic(c Classifier) Classifier {
	if c == nil {
		return Logistic{}
	}
	return c
}

func (s Study) check(concepts, random []Set, x interp.Images) error {
	switch {
	case len(s.Layers) == 0:
		return errors.New("concept: Layers has none, must have at least one")
	case len(concepts) == 0:
		return errors.New("concept: there are no concepts, must be at least one")
	case len(random) < 3:
		return fmt.Errorf("concept: there are %d random sets, must be at least 3, and should be 20", len(random))
	case x.N == 0:
		return errors.New("concept: there are no images of a class to ask about, must be at least one")
	case !(s.Held >= 0 && s.Held < 1):
		return fmt.Errorf("concept: Held is %g, must be from 0 to less than 1, where 0 is ⅓", s.Held)
	case s.Memory < 0:
		return fmt.Errorf("concept: Memory is %d, must be at least 1, or 0 for 1 GiB", s.Memory)
	}
	all := slices.Concat(concepts, random)
	for _, set := range all {
		if set.Images.N != all[0].Images.N {
			return fmt.Errorf("concept: set %q has %d images and %q %d, must have as many: of fewer the direction is more by chance, which P would take for more of the concept",
				set.Name, set.Images.N, all[0].Name, all[0].Images.N)
		}
		if train, held := s.cut(set.Images.N); train < 2 || held < 1 {
			return fmt.Errorf("concept: set %q has %d images, of which %d are to train with and %d are held out: must have at least 2 and 1, and should have 50",
				set.Name, set.Images.N, train, held)
		}
	}
	return distinct(all, x)
}

// mostRows is how many images and slopes there may be in all: their products take 2 GiB.
const mostRows = 1 << 14

// distinct returns an error unless the sets have images of the size of x, and none of another's.
func distinct(all []Set, x interp.Images) error {
	rows := x.N
	for _, set := range all {
		if rows += set.Images.N; rows > mostRows {
			return fmt.Errorf("concept: there are more than %d images in all, must be at most that", mostRows)
		}
		if set.Images.H != x.H || set.Images.W != x.W || set.Images.C != x.C {
			return fmt.Errorf("concept: images of set %q are %d×%d×%d, must be %d×%d×%d as those of the class", set.Name, set.Images.H, set.Images.W, set.Images.C, x.H, x.W, x.C)
		}
	}
	type place struct{ set, image int }
	seen := map[uint64][]place{}
	for k, set := range all {
		if err := set.Images.Check(); err != nil {
			return fmt.Errorf("concept: set %q: %w", set.Name, err)
		}
		for i := range set.Images.N {
			h := hash(set.Images.Of(i))
			for _, p := range seen[h] {
				if p.set != k && slices.Equal(all[p.set].Images.Of(p.image), set.Images.Of(i)) {
					return fmt.Errorf("concept: image %d of set %q is image %d of set %q too: nothing can tell them apart, so remove it from one", i, set.Name, p.image, all[p.set].Name)
				}
			}
			seen[h] = append(seen[h], place{k, i})
		}
	}
	return nil
}

func hash(pix []float64) uint64 {
	h := uint64(len(pix))
	for _, v := range pix {
		h = random.Hash(h, math.Float64bits(v))
	}
	return h
}

// cut returns how many images of n are to train with, and how many are held out.
func (s Study) cut(n int) (train, held int) {
	held = int(math.Round(cmp.Or(s.Held, 1./3) * float64(n)))
	return n - held, held
}

// rows returns the places of a set's rows that are to train with, and of those that are held out, where the sets have so many each.
func (s Study) rows(sets []int, set int) (train, held []int) {
	first := 0
	for _, n := range sets[:set] {
		first += n
	}
	n, _ := s.cut(sets[set])
	chosen := make([]bool, sets[set])
	for _, i := range random.New(s.Seed, uint64(len(chosen)), 0).Choose(0, n, len(chosen)) {
		chosen[i] = true
	}
	for i, in := range chosen {
		if in {
			train = append(train, first+i)
		} else {
			held = append(held, first+i)
		}
	}
	return train, held
}

// groups returns the layers in groups whose activations fit into Memory.
func (s Study) groups(m *interp.Model, sets []Set, x interp.Images) (groups [][]string, err error) {
	images := x.N
	for _, set := range sets {
		images += set.Images.N
	}
	var bytes int64
	for _, name := range s.Layers {
		shape, err := m.Shape(name, x.H, x.W)
		if err != nil {
			return nil, err
		}
		size := int64(4 * images)
		for _, d := range shape {
			size *= int64(d)
		}
		if bytes += size; len(groups) == 0 || bytes > cmp.Or(s.Memory, 1<<30) {
			groups, bytes = append(groups, nil), size
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], name)
	}
	return groups, nil
}

// values are rows of numbers, those of one set of images after those of another.
type values struct {
	shape []int
	rows  [][]float32
	sets  []int // how many each has
}

func (v *values) add(r interp.Rows) {
	v.shape, v.sets = r.Shape, append(v.sets, r.N)
	for i := range r.N {
		row := make([]float32, len(r.Of(i)))
		for k, x := range r.Of(i) {
			row[k] = float32(x)
		}
		v.rows = append(v.rows, row)
	}
}

// centre takes the mean activation from all rows but the slopes, which are the last set. No direction changes, for the shares of its
// images sum up to 0; and products keep their digits where images have much in common.
func (v *values) centre() {
	images := v.rows[:len(v.rows)-v.sets[len(v.sets)-1]]
	mean := make([]float64, len(v.rows[0]))
	for _, row := range images {
		for k, x := range row {
			mean[k] += float64(x) / float64(len(images))
		}
	}
	for _, row := range images {
		for k, x := range row {
			row[k] = float32(float64(x) - mean[k])
		}
	}
}

// pairs centres the rows and returns their products, for directions between them.
func (v *values) pairs(ctx context.Context, m *interp.Model, c Classifier) (pairs, error) {
	v.centre()
	n := len(v.rows)
	all, err := products(ctx, m, v.rows)
	if err != nil {
		return pairs{}, err
	}
	return pairs{classifier: c, gram: mat.NewDense(n, n, all), slopes: v.sets[len(v.sets)-1]}, nil
}

// layer studies a layer from the values there of the concepts' images, of the random sets' and, at last, from the slopes of the score.
func (s Study) layer(ctx context.Context, m *interp.Model, name string, v values, concepts, random int) (Layer, error) {
	l := Layer{Name: name}
	p, err := v.pairs(ctx, m, s.classifier())
	if err != nil {
		return l, err
	}
	fits, right := make([][]fitted, concepts+random), make([][]float64, concepts+random)
	for a := range fits {
		for b := max(a+1, concepts); b < concepts+random; b++ {
			if err := ctx.Err(); err != nil {
				return l, err
			}
			train, held := s.rows(v.sets, a)
			against, heldAgainst := s.rows(v.sets, b)
			f, err := p.direction(ctx, train, against)
			if err != nil {
				return l, err
			}
			accuracy := p.accuracy(f, held, heldAgainst)
			fits[a], right[a] = append(fits[a], f), append(right[a], accuracy)
			if a >= concepts { // from the other side it is the opposite
				f.score, f.rise = 1-f.score, -f.rise
				fits[b], right[b] = append(fits[b], f), append(right[b], accuracy)
			}
		}
	}
	score := func(set int) []float64 { return each(fits[set], func(f fitted) float64 { return f.score }) }
	rise := func(set int) []float64 { return each(fits[set], func(f fitted) float64 { return f.rise }) }
	var rises, accuracies, published []float64
	for k := concepts; k < concepts+random; k++ {
		l.Random = append(l.Random, measure.Estimated(score(k)).Mean)
		rises, accuracies = append(rises, measure.Estimated(rise(k)).Mean), append(accuracies, measure.Estimated(right[k]).Mean)
		published = append(published, score(k)...)
	}
	whole := make([]*mat.VecDense, concepts)
	for a := range concepts {
		r := Result{Scores: score(a), Score: measure.Estimated(score(a)), Rise: measure.Estimated(rise(a)), Accuracy: measure.Estimated(right[a])}
		r.P = Significance(r.Rise.Mean, rises)
		r.PublishedP = welch(r.Scores, published)
		r.Found = above(r.Accuracy.Mean, accuracies)
		whole[a], r.Stability = p.mean(fits[a])
		r.CAV = CAV{Layer: name, Shape: v.shape, Vector: combine(v.rows, whole[a])}
		l.Results = append(l.Results, r)
	}
	l.Alike = p.cosines(whole)
	return l, nil
}

func each(fits []fitted, get func(f fitted) float64) (all []float64) {
	for _, f := range fits {
		all = append(all, get(f))
	}
	return all
}
