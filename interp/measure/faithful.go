package measure

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"lucigo/interp"
	"lucigo/interp/random"
)

// Infidelity is how far a map misses the change of the score that it foretells: the mean over random perturbations I of
// (I·map − (score(x) − score(x − I)))²: Yeh, Hsieh, Suggala, Inouye and Ravikumar, arXiv:1901.09392, definition 2.1. It is in
// units of the score squared, and lower for a better map.
type Infidelity struct {
	Perturb Perturbation // nil is Square
	N       int          // perturbations of each image; 0 is 100
	Seed    uint64

	// Shares says that a map's numbers are shares of the score, as those of integrated gradients from black, of a map × input or
	// of LRP are, not slopes: I·map is then Σ map I/x, where x is not 0.
	Shares bool

	// Scaled multiplies the map by the number that makes its infidelity least, as the paper does where it compares methods. The
	// infidelity is then the same for maps of any scale.
	Scaled bool
}

// String names the perturbation, their number, and how the map is taken.
func (f Infidelity) String() string {
	s := fmt.Sprintf("infidelity(%s, N=%d", f.perturb(), cmp.Or(f.N, 100))
	if f.Shares {
		s += ", shares"
	}
	if f.Scaled {
		s += ", scaled"
	}
	if f.Seed != 0 {
		s += fmt.Sprintf(", seed=%d", f.Seed)
	}
	return s + ")"
}

func (f Infidelity) perturb() Perturbation {
	if f.Perturb == nil {
		return Square{}
	}
	return f.Perturb
}

// Of returns the infidelity of each image's map. Maps have the images' channels, or one, which is then that of each of them.
// A map of zeros has NaN, and so has one that holds a NaN.
func (f Infidelity) Of(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, maps interp.Maps) ([]float64, error) {
	n := cmp.Or(f.N, 100)
	if n < 1 {
		return nil, fmt.Errorf("measure: N is %d, must be at least 1, or 0 for 100", n)
	}
	if err := f.perturb().check(); err != nil {
		return nil, err
	}
	x, before, err := asked(ctx, m, o, x)
	if err != nil {
		return nil, err
	}
	if maps.N != x.N || maps.H != x.H || maps.W != x.W || maps.C != x.C && maps.C != 1 || len(maps.Pix) != maps.N*maps.Size() {
		return nil, fmt.Errorf("measure: there are %d maps of %d×%d×%d and %d numbers for %d images of %d×%d×%d, must be of the same size, or of one channel",
			maps.N, maps.H, maps.W, maps.C, len(maps.Pix), x.N, x.H, x.W, x.C)
	}
	foretold := slices.Repeat([][]float64{nil}, x.N)
	after, err := scores(ctx, m, o, x, n, func(i int) func(k int, pix []float64) {
		foretold[i] = make([]float64, n)
		return func(k int, pix []float64) {
			perturbation := make([]float64, len(pix))
			f.perturb().draw(perturbation, x.Slice(i, i+1), random.New(f.Seed, x.Key[i], uint64(k)))
			for p, v := range perturbation {
				part := v
				if f.Shares && pix[p] != 0 {
					part /= pix[p]
				}
				foretold[i][k] += part * maps.Of(i)[p/(x.C/maps.C)]
				pix[p] -= v
			}
		}
	})
	if err != nil {
		return nil, err
	}
	all := make([]float64, x.N)
	for i := range all {
		scale := 1.0
		if f.Scaled {
			var both, square float64
			for k, v := range foretold[i] {
				both += v * (before[i] - after[i][k])
				square += v * v
			}
			scale = both / square
		}
		for k, v := range foretold[i] {
			miss := scale*v - (before[i] - after[i][k])
			all[i] += miss * miss / float64(n)
		}
		if most := slices.Max(maps.Magnitude(i)); !(most > 0) {
			all[i] = math.NaN()
		}
	}
	return all, nil
}

// asked resolves the images, fills in their keys, and returns them with their scores.
func asked(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Images, []float64, error) {
	x, err := m.Resolve(ctx, o, x)
	if err != nil {
		return x, nil, err
	}
	x = x.Keyed()
	score, err := m.Score(ctx, o, x)
	return x, score, err
}

// Perturbation is what infidelity takes from an image: Square or Noise.
type Perturbation interface {
	String() string

	check() error

	// draw writes a perturbation of the one image x.
	draw(dst []float64, x interp.Images, s random.Stream)
}

// Square takes all that is in a square at a random place, which becomes black (arXiv:1901.09392, section 2.2, square removal).
type Square struct {
	Side int // in pixels; 0 is a quarter of the image's shorter side
}

// Noise takes Gaussian noise, independent in all numbers (ibid., noisy baseline, about the image itself).
type Noise struct {
	Sigma float64 // standard deviation; 0 is .1
}

// String names the side.
func (q Square) String() string {
	if q.Side == 0 {
		return "square"
	}
	return fmt.Sprintf("square of %d", q.Side)
}

// String names the standard deviation.
func (n Noise) String() string { return fmt.Sprintf("noise of %g", cmp.Or(n.Sigma, .1)) }

func (q Square) check() error {
	if q.Side < 0 {
		return fmt.Errorf("measure: Side is %d, must be at least 1, or 0 for a quarter of the image's", q.Side)
	}
	return nil
}

func (n Noise) check() error {
	if !(n.Sigma >= 0 && n.Sigma <= 1) {
		return fmt.Errorf("measure: Sigma is %g, must be from 0 to 1, where 0 is .1", n.Sigma)
	}
	return nil
}

func (q Square) draw(dst []float64, x interp.Images, s random.Stream) {
	side := min(cmp.Or(q.Side, max(1, min(x.H, x.W)/4)), x.H, x.W)
	top, left := s.Intn(0, x.H-side+1), s.Intn(1, x.W-side+1)
	for row := top; row < top+side; row++ {
		from, to := (row*x.W+left)*x.C, (row*x.W+left+side)*x.C
		copy(dst[from:to], x.Pix[from:to])
	}
}

func (n Noise) draw(dst []float64, x interp.Images, s random.Stream) {
	s.Normals(dst)
	for p := range dst {
		dst[p] *= cmp.Or(n.Sigma, .1)
	}
}

// SensitivityN is the correlation, over random sets of N pixels, of the sum of the map over a set with how much the score
// falls when the set is removed: Ancona, Ceolini, Öztireli and Gross, arXiv:1711.06104, section 4. It is 1 where the sums
// foretell the falls, except for a scale. They show it for many N, from one pixel to nearly all.
type SensitivityN struct {
	N    int    // pixels that are removed at once; 0 is an eighth of them
	Sets int    // sets of each image; 0 is 100, theirs
	Fill Fill   // what stands where pixels are removed; nil is Black, theirs
	Seed uint64 // of the sets
}

// String names the numbers of pixels and sets.
func (s SensitivityN) String() string {
	n := "n/8"
	if s.N != 0 {
		n = fmt.Sprint(s.N)
	}
	out := fmt.Sprintf("sensitivity-n(N=%s, sets=%d, %s", n, cmp.Or(s.Sets, 100), s.fill())
	if s.Seed != 0 {
		out += fmt.Sprintf(", seed=%d", s.Seed)
	}
	return out + ")"
}

func (s SensitivityN) fill() Fill { return Deletion{Fill: s.Fill}.fill() }

// Of returns the correlation of each image. Maps have a number for each pixel: the sum, or the mean, over its channels. Where
// a map's values are all equal or one is NaN, and where no set changes the score, it is NaN.
func (s SensitivityN) Of(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, maps [][]float64) ([]float64, error) {
	sets, pixels := cmp.Or(s.Sets, 100), x.H*x.W
	n := cmp.Or(s.N, max(1, pixels/8))
	if sets < 2 {
		return nil, fmt.Errorf("measure: Sets is %d, must be at least 2, or 0 for 100", sets)
	}
	if err := s.fill().check(); err != nil {
		return nil, err
	}
	x, before, err := asked(ctx, m, o, x)
	if err != nil {
		return nil, err
	}
	if n < 1 || n >= pixels {
		return nil, fmt.Errorf("measure: N is %d, must be at least 1 and less than the image's %d pixels", n, pixels)
	}
	if err := fit(x, maps); err != nil {
		return nil, err
	}
	sums := make([][]float64, x.N)
	after, err := scores(ctx, m, o, x, sets, func(i int) func(k int, pix []float64) {
		sums[i] = make([]float64, sets)
		fill := s.fill().prepare(x, i)
		return func(k int, pix []float64) {
			stream, removed := random.New(s.Seed, x.Key[i], uint64(2+k)), make([]bool, pixels)
			for _, p := range stream.Choose(0, n, pixels) {
				removed[p] = true
				sums[i][k] += maps[i][p]
			}
			fill(pix, removed)
		}
	})
	if err != nil {
		return nil, err
	}
	all := make([]float64, x.N)
	for i := range all {
		falls := make([]float64, sets)
		for k, v := range after[i] {
			falls[k] = before[i] - v
		}
		if all[i], err = Pearson(sums[i], falls); err != nil {
			return nil, err
		}
		if silent(maps[i]) { // though equal sums are rounded, and no set may have the NaN
			all[i] = math.NaN()
		}
	}
	return all, nil
}
