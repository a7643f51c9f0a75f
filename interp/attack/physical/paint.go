package physical

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"lucigo/internal/parallel"
	"lucigo/interp"
)

// Paint looks for the paint that a network misreads from wherever it is seen: expectation over transformation (Athalye, Engstrom,
// Ilyas and Kwok, arXiv:1707.07397). Each step climbs the mean of an objective over shots that no step before has seen, by Adam,
// and stays within the colours that are allowed. The paper climbs in LAB with a penalty for the distance; here the distance, if
// there is one, is a hard limit.
type Paint struct {
	Steps int     // 0 is 200
	Shots int     // of each step; 0 is 16
	Rate  float64 // of Adam, in units of the colours, [0, 1]; it falls to 0 along half a cosine. 0 is .03

	// Mask says for each pixel of the picture, [H·W], whether it may be painted: 1, or 0. nil is all of them.
	Mask []float64

	Radius   float64 // how far a number may move from where it began, in L∞; 0 is as far as it likes
	Low      float64 // the darkest that can be printed
	High     float64 // the brightest; 0 is 1
	Smooth   float64 // weight of the picture's total variation, which is subtracted: the mean distance of neighbours
	Inks     Inks    // printable colours; nil is no penalty
	Printing float64 // weight of the picture's mean non-printability under Inks, which is subtracted

	Seed uint64

	// Progress, if it is not nil, is told after each step how many are done, and the mean objective over its shots.
	Progress func(step, of int, score float64)
}

// String returns the attack's name with all parameters.
func (p Paint) String() string {
	p = p.filled()
	return fmt.Sprintf("EOT(steps=%d, shots=%d, rate=%g, radius=%g, colours %g to %g, smooth=%g, printing=%g of %d inks)",
		p.Steps, p.Shots, p.Rate, p.Radius, p.Low, p.High, p.Smooth, p.Printing, len(p.Inks))
}

func (p Paint) filled() Paint {
	p.Steps, p.Shots, p.Rate, p.High = cmp.Or(p.Steps, 200), cmp.Or(p.Shots, 16), cmp.Or(p.Rate, .03), cmp.Or(p.High, 1)
	return p
}

func (p Paint) check(start interp.Images) error {
	if err := start.Check(); err != nil {
		return fmt.Errorf("physical: Paint: the picture to begin with: %w", err)
	}
	switch n := start.H * start.W; {
	case start.N != 1 || start.C != 3:
		return fmt.Errorf("physical: Paint: it begins with %d images of %d channels, must be one of 3", start.N, start.C)
	case p.Steps < 1 || p.Shots < 1:
		return fmt.Errorf("physical: Paint: Steps is %d and Shots %d, must be at least 1", p.Steps, p.Shots)
	case !(p.Rate > 0):
		return fmt.Errorf("physical: Paint: Rate is %g, must be above 0", p.Rate)
	case !(p.Low >= 0 && p.Low < p.High && p.High <= 1):
		return fmt.Errorf("physical: Paint: colours are from Low, %g, to High, %g, must be in [0, 1] and ascend", p.Low, p.High)
	case !(p.Radius >= 0 && p.Smooth >= 0 && p.Printing >= 0):
		return fmt.Errorf("physical: Paint: Radius is %g, Smooth %g and Printing %g, must not be below 0", p.Radius, p.Smooth, p.Printing)
	case p.Printing > 0 && len(p.Inks) == 0:
		return errors.New("physical: Paint: Printing has a weight, and there are no Inks: take Printer()")
	case p.Mask != nil && len(p.Mask) != n:
		return fmt.Errorf("physical: Paint: Mask has %d numbers, must have one for each of %d×%d pixels", len(p.Mask), start.H, start.W)
	case p.Mask != nil && slices.ContainsFunc(p.Mask, func(v float64) bool { return v != 0 && v != 1 }):
		return errors.New("physical: Paint: Mask has a number that is neither 0 nor 1")
	case p.Mask != nil && !slices.Contains(p.Mask, 1):
		return errors.New("physical: Paint: Mask is empty, must leave a pixel to paint")
	case p.Mask != nil && !slices.Contains(p.Mask, 0):
		return errors.New("physical: Paint: Mask is everything: leave it nil if all of the picture may be painted")
	}
	return nil
}

// Fit returns the paint, one image of start's size, that the objective is largest for in the scene's shots. It begins with start,
// whose class, if it has one, is the shots' own: what objective.Loss leads away from. objective.LogProbOf leads to a class. With
// an error, the paint is what the steps until then have made.
func (p Paint) Fit(ctx context.Context, m *interp.Model, o interp.Objective, start interp.Images, scene Scene) (interp.Images, error) {
	p = p.filled()
	paint := start
	paint.Pix = slices.Clone(start.Pix)
	if err := p.check(start); err != nil {
		return paint, err
	}
	for i := range paint.Pix {
		paint.Pix[i] = p.within(start, i, paint.Pix[i])
	}
	first, second := make([]float64, len(paint.Pix)), make([]float64, len(paint.Pix))
	for step := range p.Steps {
		score, gradient, err := p.gradient(ctx, m, o, paint, scene, step)
		if err != nil {
			return paint, err
		}
		rate := p.Rate * (1 + math.Cos(math.Pi*float64(step)/float64(p.Steps))) / 2
		const keep1, keep2, small = .9, .999, 1e-8 // Kingma and Ba, arXiv:1412.6980
		sum1, sum2 := 1-math.Pow(keep1, float64(step+1)), 1-math.Pow(keep2, float64(step+1))
		for i, g := range gradient {
			first[i], second[i] = keep1*first[i]+(1-keep1)*g, keep2*second[i]+(1-keep2)*g*g
			paint.Pix[i] = p.within(start, i, paint.Pix[i]+rate*first[i]/sum1/(math.Sqrt(second[i]/sum2)+small))
		}
		if p.Progress != nil {
			p.Progress(step+1, p.Steps, score)
		}
	}
	return paint, nil
}

// within moves number i of the paint to where it is allowed.
func (p Paint) within(start interp.Images, i int, v float64) float64 {
	if was := start.Pix[i]; p.Mask != nil && p.Mask[i/3] == 0 {
		return was
	} else if p.Radius > 0 {
		v = min(max(v, was-p.Radius), was+p.Radius)
	}
	return min(max(v, p.Low), p.High)
}

// gradient returns the mean objective over a step's shots, and the derivative by the paint of what is climbed.
func (p Paint) gradient(ctx context.Context, m *interp.Model, o interp.Objective, paint interp.Images, scene Scene, step int) (float64, []float64, error) {
	shots, raw, x, err := take(ctx, paint, scene, p.Seed, step*p.Shots, p.Shots)
	if err != nil {
		return 0, nil, err
	}
	if paint.Class != nil {
		x = x.Asked(paint.Class[0])
	}
	by, err := m.Gradient(ctx, o, nil, x)
	if err != nil {
		return 0, nil, err
	}
	each := make([][]float64, len(shots)) // added in order, so the sum does not depend on the cores
	parallel.For(len(shots), func(i int) {
		each[i] = make([]float64, len(paint.Pix))
		shots[i].back(paint, raw[i], by.Of(i), each[i])
	})
	score, sum := 0.0, make([]float64, len(paint.Pix))
	for i, g := range each {
		score += by.Score[i] / float64(len(shots))
		for k, v := range g {
			sum[k] += v / float64(len(shots))
		}
	}
	if p.Smooth > 0 {
		variation(paint, sum, -p.Smooth)
	}
	if p.Printing > 0 {
		p.Inks.add(paint, sum, -p.Printing)
	}
	return score, sum, nil
}

// take photographs the paint in shots first to first+n−1. Raw is what Shot.take returns.
func take(ctx context.Context, paint interp.Images, scene Scene, seed uint64, first, n int) (shots []*Shot, raw [][]float64, x interp.Images, err error) {
	photographs := make([][]float64, n)
	shots, raw = make([]*Shot, n), make([][]float64, n)
	err = parallel.Each(ctx, n, func(i int) (err error) {
		if shots[i], err = scene.Shot(seed, first+i); err == nil {
			photographs[i], raw[i], err = shots[i].take(paint)
		}
		return err
	})
	if err != nil {
		return nil, nil, x, err
	}
	x = interp.Images{N: n, H: shots[0].View.H, W: shots[0].View.W, C: 3, Pix: make([]float64, 0, n*len(photographs[0]))}
	for i, s := range shots {
		if s.View.H != x.H || s.View.W != x.W {
			return nil, nil, x, fmt.Errorf("physical: shot %d is of %d×%d pixels, and shot %d of %d×%d: they must be of one size", first+i, s.View.H, s.View.W, first, x.H, x.W)
		}
		x.Pix = append(x.Pix, photographs[i]...)
	}
	return shots, raw, x, nil
}

// variation adds a weight times the derivative of the mean distance of neighbours, √(d² + 1e-6) for smoothness, to into.
func variation(x interp.Images, into []float64, weight float64) {
	weight /= float64(x.H * x.W)
	pair := func(a, b int) {
		for c := range 3 {
			d := x.Pix[3*b+c] - x.Pix[3*a+c]
			g := weight * d / math.Sqrt(d*d+1e-6)
			into[3*b+c] += g
			into[3*a+c] -= g
		}
	}
	for row := range x.H {
		for column := range x.W {
			at := row*x.W + column
			if column+1 < x.W {
				pair(at, at+1)
			}
			if row+1 < x.H {
				pair(at, at+x.W)
			}
		}
	}
}

// Inks are colours that a printer can print, red, green and blue in [0, 1].
type Inks [][3]float64

// Printer returns the colours of an ordinary printer on ordinary paper: 27, three levels of each of red, green and blue between
// .1, as black as it prints, and .95, the paper. Colours between them are mixed by the eye, and pure ones are out of its reach.
func Printer() Inks {
	var all Inks
	levels := []float64{.1, .5, .95}
	for _, r := range levels {
		for _, g := range levels {
			for _, b := range levels {
				all = append(all, [3]float64{r, g, b})
			}
		}
	}
	return all
}

// Score returns the picture's non-printability, the mean over its pixels of the product over the inks of the pixel's distance from
// each (Sharif, Bhagavatula, Bauer and Reiter, CCS 2016, section 6.2; they add the pixels up). It is 0 where every pixel is an ink.
func (k Inks) Score(x interp.Images) float64 {
	sum := 0.0
	for p := range x.H * x.W {
		sum += k.product(x.Pix[3*p:]) / float64(x.H*x.W)
	}
	return sum
}

func (k Inks) product(pixel []float64) float64 {
	product := 1.0
	for _, ink := range k {
		product *= math.Sqrt(apart(pixel, ink))
	}
	return product
}

// add adds a weight times the derivative of Score to into.
func (k Inks) add(x interp.Images, into []float64, weight float64) {
	weight /= float64(x.H * x.W)
	for p := range x.H * x.W {
		pixel := x.Pix[3*p : 3*p+3]
		product := k.product(pixel)
		if product == 0 {
			continue // at an ink, the least there is
		}
		for _, ink := range k {
			square := apart(pixel, ink)
			for c, v := range pixel {
				into[3*p+c] += weight * product * (v - ink[c]) / square
			}
		}
	}
}

// apart is the squared distance of two colours.
func apart(pixel []float64, ink [3]float64) float64 {
	r, g, b := pixel[0]-ink[0], pixel[1]-ink[1], pixel[2]-ink[2]
	return r*r + g*g + b*b
}
