package measure

// grid is a symmetric matrix whose rows are points of an image, each of which depends on its 8 neighbours, and a coarser one of
// every second point. Points have a frame one wide, in which all is 0, as are the rows of points that are no unknowns.
type grid struct {
	height, width int
	entry         [5][]float64 // of a point's row, at itself and at the neighbours that come after it
	unknown       []int        // points whose rows are not 0
	coarse        *grid        // nil where there is one point
	parent        [][4]int     // of each unknown: the points of the coarser grid whose mean it is, bilinearly

	solution, rest []float64 // of a cycle
}

func newGrid(height, width int) *grid {
	g := &grid{height: height, width: width}
	n := (height + 2) * (width + 2)
	for k := range g.entry {
		g.entry[k] = make([]float64, n)
	}
	g.solution, g.rest = make([]float64, n), make([]float64, n)
	return g
}

// inside is where a point is in the frame.
func (g *grid) inside(row, column int) int { return (row+1)*(g.width+2) + column + 1 }

// add adds to the entry of two points, whichever comes first.
func (g *grid) add(p, q int, v float64) {
	d := max(p, q) - min(p, q)
	if d > 1 {
		d -= g.width - 1
	}
	g.entry[d][min(p, q)] += v
}

// row returns the sum of a row's entries beside the diagonal, times v.
func (g *grid) row(v []float64, p int) float64 {
	e, down := &g.entry, g.width+2
	return e[1][p]*v[p+1] + e[2][p]*v[p+down-1] + e[3][p]*v[p+down] + e[4][p]*v[p+down+1] +
		e[1][p-1]*v[p-1] + e[2][p-down+1]*v[p-down+1] + e[3][p-down]*v[p-down] + e[4][p-down-1]*v[p-down-1]
}

// cycle returns nearly what the right side is of: a symmetric V-cycle (Brandt 1977), which solves the equation of one unknown after
// the other (Gauss and Seidel), corrects on the coarser grid, and solves them backwards. What it returns is the grid's, until
// the next cycle.
func (g *grid) cycle(right []float64) []float64 {
	v := g.solution
	clear(v)
	for _, p := range g.unknown {
		v[p] = (right[p] - g.row(v, p)) / g.entry[0][p]
	}
	if g.coarse != nil {
		clear(g.coarse.rest)
		for i, p := range g.unknown {
			rest := right[p] - g.entry[0][p]*v[p] - g.row(v, p)
			for _, a := range g.parent[i] {
				g.coarse.rest[a] += rest / 4
			}
		}
		correction := g.coarse.cycle(g.coarse.rest)
		for i, p := range g.unknown {
			a := g.parent[i]
			v[p] += (correction[a[0]] + correction[a[1]] + correction[a[2]] + correction[a[3]]) / 4
		}
	}
	for i := len(g.unknown) - 1; i >= 0; i-- {
		p := g.unknown[i]
		v[p] = (right[p] - g.row(v, p)) / g.entry[0][p]
	}
	return v
}

// coarsen lists the unknowns and makes the coarser grids, whose matrix is that of interpolated values (Galerkin).
func (g *grid) coarsen() {
	at := make([]int, len(g.rest)) // of each point: its place among the unknowns
	for p, d := range g.entry[0] {
		if d != 0 {
			at[p] = len(g.unknown)
			g.unknown = append(g.unknown, p)
		}
	}
	if g.height*g.width == 1 {
		return
	}
	c := newGrid((g.height+1)/2, (g.width+1)/2)
	g.coarse = c
	for _, p := range g.unknown {
		row, column := p/(g.width+2)-1, p%(g.width+2)-1
		below, right := min((row+1)/2, c.height-1), min((column+1)/2, c.width-1)
		g.parent = append(g.parent, [4]int{c.inside(row/2, column/2), c.inside(row/2, right), c.inside(below, column/2), c.inside(below, right)})
	}
	for i, p := range g.unknown {
		for k, d := range [5]int{0, 1, g.width + 1, g.width + 2, g.width + 3} {
			v := g.entry[k][p] / 16
			if v == 0 {
				continue
			}
			for _, a := range g.parent[i] {
				for _, b := range g.parent[at[p+d]] {
					switch {
					case k == 0 && b > a: // its mirror image counts
					case k > 0 && a == b: // and so does the mirror image of the entry
						c.add(a, b, 2*v)
					default:
						c.add(a, b, v)
					}
				}
			}
		}
	}
	c.coarsen()
}
