package measure

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"lucigo/internal/filter"
	"lucigo/interp"
	"lucigo/interp/random"
)

// Deletion removes the pixels of an image, those first that a map says matter most, and asks the network after each step:
// Petsiuk, Das and Saenko (RISE), arXiv:1806.07421, section 4.2. Their score is objective.Prob, and the area under it is lower
// for a better map. Compare with controls (saliency.Random, Centre, Edge, Blurred): an image without pixels is none that the
// network has seen, and a map that is merely blurred often does better (arXiv:2304.13836).
type Deletion struct {
	Fill Fill   // what stands where pixels are removed; nil is Black
	Step int    // pixels at a time; 0 is as many as a row has, theirs
	Seed uint64 // of the order among pixels of equal value
}

// Insertion begins without all pixels, and inserts those first that a map says matter most (ibid.). The area is higher for a
// better map.
type Insertion struct {
	Fill Fill   // what stands where pixels are not inserted yet; nil is Blurred, theirs
	Step int    // pixels at a time; 0 is as many as a row has
	Seed uint64 // of the order among pixels of equal value
}

// ROAD removes shares of the pixels, and imputes them from their neighbours, so that the network is not told by the shape of
// what is missing: Rong, Leemann, Borisov, Kasneci and Kasneci, arXiv:2202.00449, section 5, whose score is the accuracy.
type ROAD struct {
	Shares []float64 // of the pixels, which are removed; nil is .1 to .9 in steps of .1
	Noise  float64   // of what is imputed (Imputed); 0 is .01
	Seed   uint64    // of the noise, and of the order among pixels of equal value
}

// String names what is removed, and how.
func (d Deletion) String() string {
	return "deletion" + curve{fill: d.fill(), step: d.Step}.title(d.Seed)
}

// String names what is inserted, and how.
func (d Insertion) String() string {
	return "insertion" + curve{fill: d.fill(), step: d.Step}.title(d.Seed)
}

// String names the shares, and the noise.
func (r ROAD) String() string {
	var shares []string
	for _, v := range r.shares() {
		shares = append(shares, fmt.Sprintf("%g", v))
	}
	return fmt.Sprintf("ROAD(shares %s, %s)", strings.Join(shares, " "), r.fill())
}

func (d Deletion) fill() Fill {
	if d.Fill == nil {
		return Black{}
	}
	return d.Fill
}

func (d Insertion) fill() Fill {
	if d.Fill == nil {
		return Blurred{}
	}
	return d.Fill
}

func (r ROAD) fill() Fill { return Imputed{r.Noise, r.Seed} }

func (r ROAD) shares() []float64 {
	if r.Shares == nil {
		return []float64{.1, .2, .3, .4, .5, .6, .7, .8, .9}
	}
	return r.Shares
}

// Curve is a score of one image after each step.
type Curve struct {
	Share []float64 // of the image's pixels that have been removed, or inserted, from 0 to 1
	Score []float64
}

// Area is the mean score between the first share and the last: the area under the curve, by trapezoids, in units of the
// score.
func (c Curve) Area() float64 {
	var area float64
	for k := 1; k < len(c.Share); k++ {
		area += (c.Share[k] - c.Share[k-1]) * (c.Score[k] + c.Score[k-1]) / 2
	}
	return area / (c.Share[len(c.Share)-1] - c.Share[0])
}

// Curves returns the curve of each image, from the whole image to none of it. Maps have a number for each pixel; the largest
// goes first, and equal ones in random order. Where a map's values are all equal or one is NaN, all scores are NaN.
func (d Deletion) Curves(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, maps [][]float64) ([]Curve, error) {
	return curve{fill: d.fill(), step: d.Step, seed: d.Seed}.of(ctx, m, o, x, maps)
}

// Of returns the area under each image's curve.
func (d Deletion) Of(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, maps [][]float64) ([]float64, error) {
	return areas(d.Curves(ctx, m, o, x, maps))
}

// Curves returns the curve of each image, from none of it to the whole image, as Deletion.Curves.
func (d Insertion) Curves(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, maps [][]float64) ([]Curve, error) {
	return curve{fill: d.fill(), step: d.Step, seed: d.Seed, insert: true}.of(ctx, m, o, x, maps)
}

// Of returns the area under each image's curve.
func (d Insertion) Of(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, maps [][]float64) ([]float64, error) {
	return areas(d.Curves(ctx, m, o, x, maps))
}

func areas(curves []Curve, err error) ([]float64, error) {
	if err != nil {
		return nil, err
	}
	all := make([]float64, len(curves))
	for i, c := range curves {
		all[i] = c.Area()
	}
	return all, nil
}

// Curves returns the scores of each image after its shares are removed, the largest values of the map first, and the scores
// when the least go first. Maps have a number for each pixel; equal ones go in random order. Where a map's values are all
// equal or one is NaN, all scores are NaN.
func (r ROAD) Curves(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, maps [][]float64) (most, least []Curve, err error) {
	c := curve{fill: r.fill(), shares: r.shares(), seed: r.Seed}
	for k, v := range c.shares {
		if !(v > 0 && v < 1) || k > 0 && v <= c.shares[k-1] {
			return nil, nil, fmt.Errorf("measure: Shares[%d] is %g, must be between 0 and 1, and above the one before", k, v)
		}
	}
	if len(c.shares) == 0 {
		return nil, nil, fmt.Errorf("measure: Shares is empty, must have a share, or be nil for .1 to .9")
	}
	if most, err = c.of(ctx, m, o, x, maps); err != nil {
		return nil, nil, err
	}
	c.least = true
	least, err = c.of(ctx, m, o, x, maps)
	return most, least, err
}

// Of returns, for each image, half the mean over all shares of how much higher the score is when the least values go first
// than when the largest do: higher is better, 0 is a map that says nothing (ROADCombined of pytorch-grad-cam).
func (r ROAD) Of(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, maps [][]float64) ([]float64, error) {
	most, least, err := r.Curves(ctx, m, o, x, maps)
	if err != nil {
		return nil, err
	}
	all := make([]float64, len(most))
	for i := range all {
		for k, v := range most[i].Score {
			all[i] += (least[i].Score[k] - v) / 2 / float64(len(most[i].Score))
		}
	}
	return all, nil
}

// curve is what all of them do: at each share of the pixels, the rest, or those, is filled.
type curve struct {
	fill          Fill
	step          int       // pixels between shares, or 0 for a row of them; where shares are not given
	shares        []float64 // of the pixels
	insert, least bool
	seed          uint64
}

func (c curve) title(seed uint64) string {
	s := "(" + c.fill.String()
	if c.step != 0 {
		s += fmt.Sprintf(", step=%d", c.step)
	}
	if seed != 0 {
		s += fmt.Sprintf(", seed=%d", seed)
	}
	return s + ")"
}

func (c curve) of(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, maps [][]float64) ([]Curve, error) {
	if c.step < 0 {
		return nil, fmt.Errorf("measure: Step is %d, must be at least 1, or 0 for a row's pixels", c.step)
	}
	if err := c.fill.check(); err != nil {
		return nil, err
	}
	x, err := m.Resolve(ctx, o, x)
	if err != nil {
		return nil, err
	}
	if err := fit(x, maps); err != nil {
		return nil, err
	}
	x = x.Keyed()
	pixels := x.H * x.W
	var counts []int // of pixels, at each point of the curve
	for _, v := range c.shares {
		counts = append(counts, int(v*float64(pixels)+.5))
	}
	if c.shares == nil {
		for n := 0; n < pixels; n += cmp.Or(c.step, x.W) {
			counts = append(counts, n)
		}
		counts = append(counts, pixels)
	}
	all, err := scores(ctx, m, o, x, len(counts), func(i int) func(k int, pix []float64) {
		order := c.order(maps[i], random.New(c.seed, x.Key[i], 0))
		fill := c.fill.prepare(x, i)
		return func(k int, pix []float64) {
			removed := make([]bool, pixels)
			for n, p := range order {
				removed[p] = (n < counts[k]) != c.insert
			}
			fill(pix, removed)
		}
	})
	if err != nil {
		return nil, err
	}
	curves := make([]Curve, x.N)
	for i := range curves {
		curves[i].Score = all[i]
		for k, n := range counts {
			curves[i].Share = append(curves[i].Share, float64(n)/float64(pixels))
			if silent(maps[i]) {
				all[i][k] = math.NaN()
			}
		}
	}
	return curves, nil
}

// order returns the pixels in the order in which they go.
func (c curve) order(m []float64, s random.Stream) []int {
	order := make([]int, len(m))
	for p := range order {
		order[p] = p
	}
	slices.SortFunc(order, func(p, q int) int {
		first := cmp.Compare(m[q], m[p])
		if c.least {
			first = -first
		}
		return cmp.Or(first, cmp.Compare(s.Bits(p), s.Bits(q)))
	})
	return order
}

// Fill is what stands where pixels have been removed from an image: Black, Mean, Blurred or Imputed.
type Fill interface {
	String() string

	check() error

	// prepare returns what fills the removed pixels of copies of image i.
	prepare(x interp.Images, i int) func(pix []float64, removed []bool)
}

// Black is 0 in all channels.
type Black struct{}

// Mean is the image's own mean, channel by channel.
type Mean struct{}

// Blurred is the image convolved with a Gaussian that is cut at one standard deviation: RISE's is 11×11 pixels for 5. Outside,
// the pixels of the edge go on.
type Blurred struct {
	Sigma float64 // standard deviation, in pixels; 0 is 5
}

// String returns "black".
func (Black) String() string { return "black" }

// String returns "mean".
func (Mean) String() string { return "mean" }

// String names the standard deviation.
func (b Blurred) String() string { return fmt.Sprintf("blurred(σ=%g)", cmp.Or(b.Sigma, 5)) }

func (Black) check() error { return nil }
func (Mean) check() error  { return nil }
func (b Blurred) check() error {
	if !(b.Sigma >= 0 && b.Sigma <= 1000) {
		return fmt.Errorf("measure: Sigma is %g, must be from 0 to 1000 pixels, where 0 is 5", b.Sigma)
	}
	return nil
}

func (Black) prepare(x interp.Images, i int) func(pix []float64, removed []bool) {
	return from(make([]float64, x.Size()), x.C)
}

func (Mean) prepare(x interp.Images, i int) func(pix []float64, removed []bool) {
	other := make([]float64, x.Size())
	mean := means(x.Of(i), x.C, func(int) bool { return true })
	for p := range other {
		other[p] = mean[p%x.C]
	}
	return from(other, x.C)
}

func (b Blurred) prepare(x interp.Images, i int) func(pix []float64, removed []bool) {
	other, sigma := slices.Clone(x.Of(i)), cmp.Or(b.Sigma, 5)
	filter.Convolve(other, x.H, x.W, x.C, filter.Gaussian(sigma, int(sigma+.5)))
	return from(other, x.C)
}

// from fills pixels with those of another image.
func from(other []float64, channels int) func(pix []float64, removed []bool) {
	return func(pix []float64, removed []bool) {
		for p, r := range removed {
			if r {
				copy(pix[p*channels:(p+1)*channels], other[p*channels:])
			}
		}
	}
}

// means returns the mean of each channel over the pixels that count.
func means(pix []float64, channels int, counts func(pixel int) bool) []float64 {
	mean, n := make([]float64, channels), 0.0
	for p := 0; p < len(pix)/channels; p++ {
		if counts(p) {
			n++
			for c := range mean {
				mean[c] += pix[p*channels+c]
			}
		}
	}
	for c := range mean {
		mean[c] /= n
	}
	return mean
}
