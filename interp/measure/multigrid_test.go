package measure

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"

	"lucigo/interp/random"
)

// equations are those of the removed pixels: all but a disc, or a share of them anywhere, or all but the first.
func equations(height, width int, share float64) (removed []bool) {
	removed = make([]bool, height*width)
	for p := range removed {
		switch y, x := float64(p/width-height/2), float64(p%width-width/2); {
		case share < 1:
			removed[p] = random.New(7, 0, 0).Uniform(p) < share
		case share == 1:
			removed[p] = math.Hypot(y, x) > float64(height+width)/20
		default:
			removed[p] = p > 0
		}
	}
	return removed
}

// energy is v·Av, by the definition of the matrix of the coarser grids: of what is interpolated on the finest.
func (g *grid) energy(v []float64) (sum float64) {
	for _, p := range g.unknown {
		sum += v[p] * (g.entry[0][p]*v[p] + g.row(v, p))
	}
	return sum
}

// A coarser grid's matrix is that of the finer one between interpolated values, and what a cycle leaves of an error is little,
// and it is symmetric, whatever the size of the image and wherever pixels are removed.
func TestLawMultigrid(t *testing.T) {
	for _, size := range [][2]int{{1, 2}, {2, 1}, {2, 2}, {1, 50}, {33, 1}, {5, 64}, {31, 17}, {64, 64}, {100, 90}} {
		for _, share := range []float64{.3, .6, .9, .99, 1, 2} {
			name := fmt.Sprintf("%v, %g", size, share)
			removed := equations(size[0], size[1], share)
			if !slices.Contains(removed, true) || !slices.Contains(removed, false) {
				continue
			}
			g := equationsOf(removed, size[1])
			level := g
			for ; level.coarse != nil; level = level.coarse {
				c := level.coarse
				coarse, fine := make([]float64, len(c.rest)), make([]float64, len(level.rest))
				random.New(1, 0, 0).Normals(coarse)
				for p := range coarse {
					if c.entry[0][p] == 0 {
						coarse[p] = 0
					}
				}
				for _, p := range level.unknown {
					row, column := p/(level.width+2)-1, p%(level.width+2)-1
					for _, r := range []int{row / 2, (row + 1) / 2} {
						for _, k := range []int{column / 2, (column + 1) / 2} {
							fine[p] += coarse[c.inside(min(r, c.height-1), min(k, c.width-1))] / 4
						}
					}
				}
				if a, b := c.energy(coarse), level.energy(fine); !(math.Abs(a-b) <= 1e-12*b) {
					t.Fatalf("%s: of %d×%d points the energy is %g, of what they interpolate %g", name, c.height, c.width, a, b)
				}
			}
			if level.height*level.width != 1 {
				t.Errorf("%s: the coarsest grid is %d×%d", name, level.height, level.width)
			}
			wrong, worst := make([]float64, len(g.rest)), 0.
			random.New(2, 0, 0).Normals(wrong)
			for p := range wrong {
				if g.entry[0][p] == 0 {
					wrong[p] = 0
				}
			}
			other := make([]float64, len(g.rest))
			for _, p := range g.unknown {
				other[p] = random.New(3, 0, 0).Uniform(p)
			}
			a, b := floats.Dot(other, g.cycle(wrong)), floats.Dot(wrong, g.cycle(other))
			if !(math.Abs(a-b) <= 1e-10*max(1, math.Abs(a))) {
				t.Errorf("%s: cycles are not symmetric: %g and %g", name, a, b)
			}
			for range 10 {
				before, right := g.energy(wrong), make([]float64, len(g.rest))
				for _, p := range g.unknown {
					right[p] = g.entry[0][p]*wrong[p] + g.row(wrong, p)
				}
				for p, v := range g.cycle(right) {
					wrong[p] -= v
				}
				if before > 1e-20 {
					worst = max(worst, math.Sqrt(g.energy(wrong)/before))
				}
			}
			if worst > .7 { // a dozen cycles, or two, leave 10⁻⁹ after conjugate gradients; Jacobi's step leaves .999 of some errors
				t.Errorf("%s: a cycle leaves %g of an error", name, worst)
			}
		}
	}
}

func BenchmarkImpute(b *testing.B) {
	const side = 224
	for name, share := range map[string]float64{"half": .5, "most": .9, "all but a disc": 1, "all but a pixel": 2} {
		removed, x := equations(side, side, share), normals(side*side*3, 1)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				impute(slices.Clone(x), side, 3, removed)
			}
		})
	}
}
