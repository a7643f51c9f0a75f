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
// take no more steps than there are unknowns, whatever is rounded, and a dozen or two after multigrid cycles.
func impute(pix []float64, width, channels int, removed []bool) {
	mean := means(pix, channels, func(p int) bool { return !removed[p] })
	if !slices.Contains(removed, false) {
		mean = means(pix, channels, func(int) bool { return true })
	}
	g := equationsOf(removed, width)
	at := func(p int) int { return g.inside(p/width, p%width) }
	for c := range channels {
		right := make([]float64, len(g.rest)) // of the equations of values less the mean
		for p, r := range removed {
			if r {
				g.each(p, func(q int, weight float64) {
					if !removed[q] {
						right[at(p)] += weight * (pix[q*channels+c] - mean[c])
					}
				})
			}
		}
		solved := g.solve(right)
		for p, r := range removed {
			if r {
				pix[p*channels+c] = mean[c] + solved[at(p)]
			}
		}
	}
}

// equationsOf returns the matrix of the removed pixels' equations.
func equationsOf(removed []bool, width int) *grid {
	g := newGrid(len(removed)/width, width)
	at := func(p int) int { return g.inside(p/width, p%width) }
	for p, r := range removed {
		if r {
			g.each(p, func(q int, weight float64) {
				g.add(at(p), at(p), weight)
				if q > p && removed[q] {
					g.add(at(p), at(q), -weight)
				}
			})
		}
	}
	g.coarsen()
	return g
}

// each calls f with the neighbours of a pixel, and their weights.
func (g *grid) each(p int, f func(q int, weight float64)) {
	row, column := p/g.width, p%g.width
	for r := max(row-1, 0); r <= min(row+1, g.height-1); r++ {
		for c := max(column-1, 0); c <= min(column+1, g.width-1); c++ {
			switch {
			case r != row && c != column:
				f(r*g.width+c, 1./12)
			case r != row || c != column:
				f(r*g.width+c, 1./6)
			}
		}
	}
}

// solve returns what the right side is of. It changes that into what is left of it.
func (g *grid) solve(left []float64) []float64 {
	solved, direction, image := make([]float64, len(left)), make([]float64, len(left)), make([]float64, len(left))
	size := func() (sum float64) {
		for _, p := range g.unknown {
			sum += left[p] * left[p] / g.entry[0][p]
		}
		return sum
	}
	before, end := 1., 1e-18*size()
	for n := 0; n < len(g.unknown) && size() > end; n++ {
		near, gain, curvature := g.cycle(left), 0., 0.
		for _, p := range g.unknown {
			gain += left[p] * near[p]
		}
		for _, p := range g.unknown {
			direction[p] = near[p] + gain/before*direction[p]
		}
		for _, p := range g.unknown {
			image[p] = g.entry[0][p]*direction[p] + g.row(direction, p)
			curvature += image[p] * direction[p]
		}
		for _, p := range g.unknown {
			solved[p] += gain / curvature * direction[p]
			left[p] -= gain / curvature * image[p]
		}
		before = gain
	}
	return solved
}
