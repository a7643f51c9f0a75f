package sanity

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"lucigo/interp"
	"lucigo/interp/channel"
	"lucigo/interp/measure"
	"lucigo/interp/objective"
	"lucigo/interp/random"
)

// Paths asks whether the visualisation of a unit says what the unit does on images. A network can be changed so that a
// unit's visualisation is any picture, while nothing changes on images: Geirhos, Zimmermann, Bilodeau, Brendel and Kim, "Don't
// trust your eyes: on the (un)reliability of feature visualizations", ICML 2024, arXiv:2306.04719. What such a circuit cannot hide is
// that the picture excites the unit in another way than images do.
//
// The path of an image to a unit is, at each layer below it, what every channel contributes: the sum over positions of activation ×
// gradient of the unit's mean. Two paths are compared by Spearman's rank correlation over channels. The picture's path is compared
// with those of the images that excite the unit most, and, as the level of what is unrelated, with those of the images that excite other
// units of the layer most.
//
// The paper (section 3) compares activations, not contributions. On the networks of package scenes those do not tell: a
// picture that was optimised activates most channels otherwise than an image does, those that the unit does not look at among them.
//
// A shared path does not say that the picture excites the unit much, nor that the picture is all that excites it.
type Paths struct {
	Best   int    // natural images of each unit; 0 is 9
	Others int    // units that the level is drawn from, besides those that are asked about; 0 is 32
	Seed   uint64 // of the draw of these

	// Layers are those at which paths are compared, in the order of the network; nil is all before the unit's own.
	Layers []string
}

// Path is what came of one unit.
type Path struct {
	Layer  string
	Unit   int
	Layers []string // at which the paths are compared, from the images up
	Best   []int    // the natural images that excite the unit most, the most exciting first

	// For each of Layers, the mean rank correlation with the paths of the best images: of the pictures' paths, of the best images' own
	// with each other, and of the paths of random other natural images. NaN is undefined, as where the unit is off or does not
	// depend on the layer.
	Pictures, Natural, Random []float64

	// For each of Layers, the pictures' mean rank correlation with the best images' paths of other units: the mean over these, and
	// the value that 95 % of them do not exceed.
	Unrelated, Level []float64

	Verdict PathVerdict
}

// PathVerdict is what Paths says of a visualisation.
type PathVerdict int

// The verdicts. They are of the last of the layers, which is the nearest below the unit, at which the correlations are defined.
const (
	// PathUnknown is said where the best images have no more in common with each other than unrelated ones have, or where nothing is
	// defined: the unit is off, or has no path of its own.
	PathUnknown PathVerdict = iota

	// PathShared is said where the pictures' path is nearer to the unit's on images than to those of 95 % of other units.
	PathShared

	// PathForeign is said where it is not: whatever the picture shows, it is not what the unit does on images.
	PathForeign
)

// String says what the verdict means.
func (v PathVerdict) String() string {
	switch v {
	case PathUnknown:
		return "cannot be checked"
	case PathShared:
		return "takes the path of images"
	case PathForeign:
		return "lies: its path is not that of images"
	}
	return fmt.Sprintf("PathVerdict(%d)", int(v))
}

// mostNumbers is how many numbers the images of one Check may have: 2 GiB.
const mostNumbers = 1 << 28

// fewest is the least number of other units: a path chosen at random exceeds those of 19 with probability 1/20.
const fewest = 19

// Check asks about visualisations of units of a layer: picture i is of unit units[i]. A unit with several pictures is judged by
// their mean. The report has each unit once, in the order of units. The best images are searched among the natural ones, of which there
// should be many times Best.
func (p Paths) Check(ctx context.Context, m *interp.Model, name string, units []int, pictures, natural interp.Images) ([]Path, error) {
	p.Best, p.Others = cmp.Or(p.Best, 9), cmp.Or(p.Others, 32)
	switch {
	case p.Best < 2:
		return nil, fmt.Errorf("sanity: Best is %d, must be at least 2", p.Best)
	case p.Others < fewest:
		return nil, fmt.Errorf("sanity: Others is %d, must be at least %d", p.Others, fewest)
	case len(units) == 0 || len(units) != pictures.N:
		return nil, fmt.Errorf("sanity: there are %d units and %d pictures, must be one each", len(units), pictures.N)
	case natural.N < 2*p.Best:
		return nil, fmt.Errorf("sanity: there are %d natural images, must be at least %d, of which the best %d are taken", natural.N, 2*p.Best, p.Best)
	case natural.H != pictures.H || natural.W != pictures.W:
		return nil, fmt.Errorf("sanity: pictures are %d×%d and natural images %d×%d, must be of one size", pictures.H, pictures.W, natural.H, natural.W)
	}
	for what, x := range map[string]interp.Images{"pictures": pictures, "natural": natural} {
		if err := x.Check(); err != nil {
			return nil, fmt.Errorf("sanity: %s: %w", what, err)
		}
	}
	if err := m.Asks(objective.Channels(name, units...), natural.H, natural.W); err != nil {
		return nil, err
	}
	if err := p.below(m, name); err != nil {
		return nil, err
	}
	responses, err := channel.Means(ctx, m, natural, name)
	if err != nil {
		return nil, err
	}
	asked := slices.Compact(slices.Sorted(slices.Values(units)))
	others := random.New(p.Seed, 0x70617468, 0).Choose(0, min(p.Others+len(asked), responses.Shape[0]), responses.Shape[0])
	others = slices.DeleteFunc(others, func(u int) bool { return slices.Contains(asked, u) })
	all := slices.Concat(asked, others[:min(p.Others, len(others))])
	if len(all) <= fewest {
		return nil, fmt.Errorf("sanity: %s: layer %q has %d units, must have more than %d: of fewer no level of what is unrelated can be told", m.Name(), name, len(all), fewest)
	}

	if n := pictures.N + (len(all)+len(asked))*p.Best; n*natural.Size() > mostNumbers {
		return nil, fmt.Errorf("sanity: %d units need %d images of %d numbers at once, must be at most %d numbers in all: ask about fewer units at a time, or lower Best",
			len(asked), n, natural.Size(), mostNumbers)
	}

	// One batch has the pictures, the best images of every unit, and random images for every unit that is asked about.
	draw := random.New(p.Seed, 0x72616e64, 0).Choose(0, natural.N, natural.N)
	var chosen []int
	best := map[int][]int{}
	of := slices.Clone(units)
	for _, u := range all {
		best[u] = most(responses, u, p.Best)
		chosen, of = append(chosen, best[u]...), append(of, slices.Repeat([]int{u}, p.Best)...)
	}
	for _, u := range asked {
		rest := slices.DeleteFunc(slices.Clone(draw), func(i int) bool { return slices.Contains(best[u], i) })
		chosen, of = append(chosen, rest[:p.Best]...), append(of, slices.Repeat([]int{u}, p.Best)...)
	}
	picked := natural.Pick(chosen...)
	picked.Class, picked.Key, pictures.Class, pictures.Key = nil, nil, nil, nil
	x, err := interp.Join(pictures, picked)
	if err != nil {
		return nil, err
	}
	contributions, err := channel.Attribution{}.At(ctx, m, objective.Channels(name, of...), x, p.Layers...)
	if err != nil {
		return nil, err
	}

	var report []Path
	for _, u := range units {
		if slices.ContainsFunc(report, func(r Path) bool { return r.Unit == u }) {
			continue
		}
		r := Path{Layer: name, Unit: u, Layers: p.Layers, Best: best[u]}
		var own []int
		for i, v := range units {
			if v == u {
				own = append(own, i)
			}
		}
		rows := func(block int) []int { // the best images of unit all[block], or random ones for asked[block−len(all)]
			var out []int
			for i := range p.Best {
				out = append(out, pictures.N+block*p.Best+i)
			}
			return out
		}
		mine := rows(slices.Index(all, u))
		for l := range p.Layers {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			common := func(a, b []int) (float64, error) { return agreement(contributions[l].Rows, a, b) }
			var unrelated []float64
			for k, v := range all {
				if v == u {
					continue
				}
				s, err := common(own, rows(k))
				if err != nil {
					return nil, err
				}
				unrelated = append(unrelated, s)
			}
			level := measure.Estimated(unrelated)
			r.Unrelated, r.Level = append(r.Unrelated, level.Mean), append(r.Level, quantile(unrelated, .95))
			for _, c := range []struct {
				to   *[]float64
				rows []int
			}{{&r.Pictures, own}, {&r.Natural, mine}, {&r.Random, rows(len(all) + slices.Index(asked, u))}} {
				s, err := common(c.rows, mine)
				if err != nil {
					return nil, err
				}
				*c.to = append(*c.to, s)
			}
		}
		r.Verdict = r.verdict()
		report = append(report, r)
	}
	return report, nil
}

// verdict is that of the nearest layer at which all is defined.
func (r Path) verdict() PathVerdict {
	for l := len(r.Layers) - 1; l >= 0; l-- {
		switch own, level := r.Pictures[l], r.Level[l]; {
		case math.IsNaN(own) || math.IsNaN(level) || math.IsNaN(r.Natural[l]):
			continue
		case r.Natural[l] <= level:
			return PathUnknown
		case own <= level:
			return PathForeign
		default:
			return PathShared
		}
	}
	return PathUnknown
}

// below fills in Layers.
func (p *Paths) below(m *interp.Model, name string) error {
	layers, err := m.Layers()
	if err != nil {
		return err
	}
	var before []string
	for _, l := range layers {
		if l.Name == name {
			break
		}
		before = append(before, l.Name)
	}
	if len(before) == 0 {
		return fmt.Errorf("sanity: %s: layer %q is the first, and has no path through others", m.Name(), name)
	}
	if p.Layers == nil {
		p.Layers = before
	}
	for _, l := range p.Layers {
		if !slices.Contains(before, l) {
			return fmt.Errorf("sanity: %s: Layers has %q, must be of those before %q: %q", m.Name(), l, name, before)
		}
	}
	if len(p.Layers) == 0 {
		return errors.New("sanity: Layers is empty, must name a layer, or be nil for all")
	}
	return nil
}

// most returns the n images in which channel u is largest, the largest first, of equal ones the first.
func most(r interp.Rows, u, n int) []int {
	images := make([]int, r.N)
	for i := range images {
		images[i] = i
	}
	slices.SortStableFunc(images, func(a, b int) int { return cmp.Compare(r.Of(b)[u], r.Of(a)[u]) })
	return images[:n]
}

// agreement is the mean rank correlation of the paths of a with those of b, of each with the others where they are the same.
func agreement(paths interp.Rows, a, b []int) (float64, error) {
	var all []float64
	for _, i := range a {
		for _, j := range b {
			if i == j {
				continue
			}
			s, err := measure.Spearman(paths.Of(i), paths.Of(j))
			if err != nil {
				return 0, err
			}
			all = append(all, s)
		}
	}
	return measure.Estimated(all).Mean, nil
}

// quantile returns the smallest of the defined values that the given share of them does not exceed; NaN of too few to tell.
func quantile(values []float64, share float64) float64 {
	values = slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	if len(values) < fewest {
		return math.NaN()
	}
	slices.Sort(values)
	return values[int(math.Ceil(share*float64(len(values))))-1]
}
