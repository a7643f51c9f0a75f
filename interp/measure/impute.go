package measure

import (
	"cmp"
	"fmt"
	"slices"

	"lucigo/interp"
	"lucigo/interp/random"
)

// Imputed is noisy linear imputation: each removed pixel is the mean of its neighbours, those beside it with weight 1/6 and
// those at its corners with 1/12, whether they are removed too or not, and gets Gaussian noise: Rong et al.,
// arXiv:2202.00449, section 4. At the edge of the image the weights of the neighbours that there are are divided by their sum.
// Where all pixels are removed they are the image's mean.
type Imputed struct {
	Noise float64 // standard deviation; 0 is .01
	Seed  uint64
}

// String names the noise.
func (f Imputed) String() string {
	if f.Seed != 0 {
		return fmt.Sprintf("imputed(noise=%g, seed=%d)", cmp.Or(f.Noise, .01), f.Seed)
	}
	return fmt.Sprintf("imputed(noise=%g)", cmp.Or(f.Noise, .01))
}

func (f Imputed) check() error {
	if !(f.Noise >= 0 && f.Noise <= 1) {
		return fmt.Errorf("measure: Noise is %g, must be from 0 to 1, where 0 is .01", f.Noise)
	}
	return nil
}

func (f Imputed) prepare(x interp.Images, i int) func(pix []float64, removed []bool) {
	noise := make([]float64, x.Size())
	random.New(f.Seed, x.Key[i], 1).Normals(noise)
	return func(pix []float64, removed []bool) {
		impute(pix, x.W, x.C, removed)
		for p, v := range noise {
			if removed[p/x.C] {
				pix[p] += cmp.Or(f.Noise, .01) * v
			}
		}
	}
}

// impute solves the equations Σ w (pixel − neighbour) = 0 of the removed pixels by conjugate gradients (Hestenes and Stiefel,
// 1952), each channel its own, until what is left of them is 10⁻⁹ of what it was: a Laplacian, so symmetric and positive. They
// take no more steps than there are unknowns, whatever is rounded.
func impute(pix []float64, width, channels int, removed []bool) {
	mean := means(pix, channels, func(p int) bool { return !removed[p] })
	if !slices.Contains(removed, false) {
		mean = means(pix, channels, func(int) bool { return true })
	}
	height := len(pix) / channels / width
	g := grid{width: width + 2, channels: channels, diagonal: make([]float64, (height+2)*(width+2))}
	inside := func(p int) int { return (p/width+1)*g.width + p%width + 1 } // in a frame one pixel wide
	for p, r := range removed {
		if r {
			g.removed = append(g.removed, inside(p))
		}
	}
	for p := range removed {
		g.each(inside(p), func(q int, weight float64) { g.diagonal[q] += weight })
	}
	known := make([]float64, len(g.diagonal)*channels) // less the mean; 0 where removed
	for p, r := range removed {
		for c := range channels {
			if !r {
				known[inside(p)*channels+c] = pix[p*channels+c] - mean[c]
			}
		}
	}
	solved := g.solve(known)
	for p, r := range removed {
		for c := range channels {
			if r {
				pix[p*channels+c] = mean[c] + solved[inside(p)*channels+c]
			}
		}
	}
}

// grid is the equations of the removed pixels, which are numbered in an image with a frame, whose values are 0.
type grid struct {
	width, channels int
	removed         []int
	diagonal        []float64 // the sum of the weights of a pixel's neighbours
}

// each calls f with the neighbours of a pixel.
func (g grid) each(p int, f func(q int, weight float64)) {
	for dy := -1; dy <= 1; dy++ {
		for dx := -1; dx <= 1; dx++ {
			switch dx*dx + dy*dy {
			case 1:
				f(p+dy*g.width+dx, 1./6)
			case 2:
				f(p+dy*g.width+dx, 1./12)
			}
		}
	}
}

// near returns Σ w v of the neighbours of a pixel, in one channel.
func (g grid) near(v []float64, p, channel int) float64 {
	at, down := p*g.channels+channel, g.width*g.channels
	above, here, below := at-down, at, at+down
	right := g.channels
	return (v[above]+v[here-right]+v[here+right]+v[below])/6 +
		(v[above-right]+v[above+right]+v[below-right]+v[below+right])/12
}

// solve returns the values of the removed pixels that fit to the known ones.
func (g grid) solve(known []float64) []float64 {
	solved, direction, image := make([]float64, len(known)), make([]float64, len(known)), make([]float64, len(known))
	left := make([]float64, len(known)) // of the equations
	for c := range g.channels {
		size := 0.0
		for _, p := range g.removed {
			k := p*g.channels + c
			left[k] = g.near(known, p, c)
			direction[k] = left[k] / g.diagonal[p]
			size += left[k] * direction[k]
		}
		end := 1e-18 * size
		for n := 0; n < len(g.removed) && size > end; n++ {
			curvature := 0.0
			for _, p := range g.removed {
				k := p*g.channels + c
				image[k] = g.diagonal[p]*direction[k] - g.near(direction, p, c)
				curvature += image[k] * direction[k]
			}
			step, before := size/curvature, size
			size = 0
			for _, p := range g.removed {
				k := p*g.channels + c
				solved[k] += step * direction[k]
				left[k] -= step * image[k]
				size += left[k] * left[k] / g.diagonal[p]
			}
			for _, p := range g.removed {
				k := p*g.channels + c
				direction[k] = left[k]/g.diagonal[p] + size/before*direction[k]
			}
		}
	}
	return solved
}
