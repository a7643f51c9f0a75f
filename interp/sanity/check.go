package sanity

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"lucigo/interp"
	"lucigo/interp/objective"
	"lucigo/interp/saliency"
)

// Check compares the maps of a network with those of variants of it.
type Check struct {
	Methods   []saliency.Method // nil is Methods()
	Objective interp.Objective  // what the maps are of; the zero Objective is the logit of the class

	// Path is a file that keeps what is done; a check that was interrupted goes on from there. "" keeps nothing.
	Path string

	// Progress, if it is not nil, is told what is done next, and how many of such parts are done.
	Progress func(what string, done, of int)
}

// Methods are those that a zero Check compares: of the eight of Adebayo et al. all but the integral of noisy gradients, and
// the deconvnet instead, with their defaults.
func Methods() []saliency.Method {
	return []saliency.Method{saliency.Gradient{}, saliency.SmoothGrad{}, saliency.TimesInput{}, saliency.IntegratedGradients{},
		saliency.Guided, saliency.Deconvnet, saliency.GradCAM{}, saliency.GuidedGradCAM{}}
}

// Report is what came of a Check. Where it was interrupted it has the variants that were done, of all methods.
type Report struct {
	Model    string
	Images   int
	Methods  []string
	Variants []string
	Random   []float64 // Variant.Random

	// Values are the similarities of each image's map with that of each variant: Values[s][k][v][i] is similarity s of method
	// k, variant v and image i. NaN is undefined, as of a map that is the same everywhere.
	Values [][][][]float64

	// Shown are maps of the first image: Shown[k][0] is method k's of the network itself, Shown[k][v+1] that of variant v.
	Shown [][]interp.Maps
}

// Run compares the maps of m at the images x with those of the variants. Images without classes are asked about the class that m
// gives them, of the variants too.
func (c Check) Run(ctx context.Context, m *interp.Model, variants []Variant, x interp.Images) (Report, error) {
	if c.Methods == nil {
		c.Methods = Methods()
	}
	c.Objective = c.objective()
	r := Report{Model: m.Name(), Images: x.N}
	if i := slices.Index(c.Methods, nil); i >= 0 || len(c.Methods) == 0 {
		return r, errors.New("sanity: Methods has none, or nil among them")
	}
	if err := checkVariants(m, variants); err != nil {
		return r, err
	}
	x, err := m.Resolve(ctx, c.Objective, x.Keyed())
	if err != nil {
		return r, err
	}
	for _, k := range c.Methods {
		r.Methods = append(r.Methods, k.String())
	}
	r.Shown = make([][]interp.Maps, len(c.Methods))
	r.Values = make([][][][]float64, similarities)
	for s := range r.Values {
		r.Values[s] = make([][][]float64, len(c.Methods))
	}
	kept, err := open(c.Path, m, variants, c, x)
	if err != nil {
		return r, err
	}
	defer kept.close()

	whole := make([]interp.Maps, len(c.Methods)) // of the network itself, made when they are needed
	for v, variant := range append([]Variant{{Name: "itself", Model: m}}, variants...) {
		if v > 0 {
			r.Variants, r.Random = append(r.Variants, variant.Name), append(r.Random, variant.Random)
		}
		for k, method := range c.Methods {
			if c.Progress != nil {
				c.Progress(fmt.Sprintf("%s, %s", variant.Name, method), v*len(c.Methods)+k, (len(variants)+1)*len(c.Methods))
			}
			if err := r.add(ctx, kept, c, k, v, method, variant.Model, m, x, whole); err != nil {
				r.cut(v)
				return r, fmt.Errorf("sanity: %s of %s, variant %s: %w", method, m.Name(), variant.Name, err)
			}
		}
	}
	return r, nil
}

func (c Check) objective() interp.Objective {
	if c.Objective.Form == nil {
		return objective.Logit
	}
	return c.Objective
}

// add adds the similarities of a method's maps of a variant.
func (r *Report) add(ctx context.Context, kept *file, c Check, k, v int, method saliency.Method, variant, m *interp.Model, x interp.Images, whole []interp.Maps) error {
	entry, ok := kept.entry(k, v)
	if !ok {
		var err error
		if whole[k].Pix == nil {
			if whole[k], err = explain(ctx, method, m, c.Objective, x); err != nil {
				return err
			}
		}
		maps := whole[k]
		if v > 0 {
			if maps, err = explain(ctx, method, variant, c.Objective, x); err != nil {
				return err
			}
		}
		entry = result{Map: float32s(maps.Of(0)), Channels: maps.C}
		for s := range similarities {
			for i := range x.N {
				value, err := s.of(whole[k], maps, i)
				if err != nil {
					return err
				}
				entry.Values = append(entry.Values, value)
			}
		}
		if err := kept.add(k, v, entry); err != nil {
			return err
		}
	}
	if v > 0 {
		for s := range r.Values {
			r.Values[s][k] = append(r.Values[s][k], entry.Values[s*x.N:(s+1)*x.N])
		}
	}
	shown := interp.Images{N: 1, H: x.H, W: x.W, C: entry.Channels}.Like()
	for i, p := range entry.Map {
		shown.Pix[i] = float64(p)
	}
	r.Shown[k] = append(r.Shown[k], shown)
	return nil
}

// explain returns a method's maps, checked.
func explain(ctx context.Context, method saliency.Method, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	maps, err := method.Maps(ctx, m, o, x)
	switch {
	case err != nil:
		return maps, err
	case maps.N != x.N || maps.H != x.H || maps.W != x.W || maps.C < 1 || len(maps.Pix) != maps.N*maps.Size():
		return maps, fmt.Errorf("the maps are %d of %d×%d×%d, must be %d of %d×%d", maps.N, maps.H, maps.W, maps.C, x.N, x.H, x.W)
	}
	if i := slices.IndexFunc(maps.Pix, interp.NotFinite); i >= 0 {
		return maps, fmt.Errorf("the map of image %d has %g at number %d of it, must be finite", i/maps.Size(), maps.Pix[i], i%maps.Size())
	}
	return maps, nil
}

// cut leaves the first v−1 variants, which all methods have.
func (r *Report) cut(v int) {
	n := max(v-1, 0)
	r.Variants, r.Random = r.Variants[:min(n, len(r.Variants))], r.Random[:min(n, len(r.Random))]
	for s := range r.Values {
		for k := range r.Values[s] {
			r.Values[s][k] = r.Values[s][k][:min(n, len(r.Values[s][k]))]
		}
	}
	for k := range r.Shown {
		r.Shown[k] = r.Shown[k][:min(max(v, 0), len(r.Shown[k]))]
	}
}
