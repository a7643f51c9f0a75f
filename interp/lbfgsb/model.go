package lbfgsb

import (
	"container/heap"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// model is the quadratic m(z) = g·(z−x) + ½(z−x)ᵀB(z−x) around the iterate x. B is that of the limited-memory BFGS method, in its
// compact form (Byrd and others, section 3): B = θI − W·M⁻¹·Wᵀ, where W is the changes of the gradient Y beside the steps θS, and M
// is, with D and L the diagonal of SᵀY and what is below it, the matrix (−D Lᵀ; L θSᵀS).
type model struct {
	most           int
	theta          float64
	steps, changes [][]float64 // S and Y, the oldest first
	sy, ss, yy     *mat.Dense  // SᵀY, SᵀS and YᵀY
	middle         saddle      // M
}

// add remembers a step and the gradient's change on it, whose product is given, in place of the oldest pair.
func (m *model) add(step, change []float64, product float64) {
	from := 0
	if len(m.steps) == m.most {
		from = 1
	}
	m.steps, m.changes = append(m.steps[from:], step), append(m.changes[from:], change)
	n := len(m.steps)
	grown := func(old *mat.Dense, a, b [][]float64) *mat.Dense {
		all := mat.NewDense(n, n, nil)
		if n > 1 {
			all.Slice(0, n-1, 0, n-1).(*mat.Dense).Copy(old.Slice(from, from+n-1, from, from+n-1))
		}
		for j := range n {
			all.Set(n-1, j, floats.Dot(a[n-1], b[j]))
			all.Set(j, n-1, floats.Dot(a[j], b[n-1]))
		}
		return all
	}
	m.sy, m.ss, m.yy = grown(m.sy, m.steps, m.changes), grown(m.ss, m.steps, m.steps), grown(m.yy, m.changes, m.changes)
	m.sy.Set(n-1, n-1, product)
	m.theta = m.yy.At(n-1, n-1) / product
}

// w returns row i of W.
func (m *model) w(i int, row []float64) {
	n := len(m.steps)
	for j := range n {
		row[j], row[n+j] = m.changes[j][i], m.theta*m.steps[j][i]
	}
}

// minimum returns a point within the bounds where m is small: along the gradient's projected path first, and from there over the
// variables that have met no bound. It is false where B is not positive definite, in spite of rounding.
func (m *model) minimum(x, g, lower, upper []float64) (z []float64, ok bool) {
	if n := len(m.steps); n > 0 {
		a, b, c := mat.NewSymDense(n, nil), mat.NewDense(n, n, nil), mat.NewSymDense(n, nil)
		for i := range n {
			a.SetSym(i, i, m.sy.At(i, i))
			for j := range n {
				if j < i {
					b.Set(i, j, m.sy.At(i, j))
				}
				c.SetSym(i, j, m.theta*m.ss.At(i, j))
			}
		}
		if m.middle, ok = newSaddle(a, b, c); !ok {
			return nil, false
		}
	}
	z, c, free, ok := m.cauchy(x, g, lower, upper)
	if !ok || len(m.steps) == 0 || len(free) == 0 {
		return z, ok
	}
	return m.subspace(x, g, lower, upper, z, c, free)
}

// cauchy returns the generalised Cauchy point (algorithm CP of section 4): the first local minimum of m along the path that goes
// against the gradient and along the bounds that it meets. With it come c = Wᵀ(z−x) and the variables that have met none.
func (m *model) cauchy(x, g, lower, upper []float64) (z, c []float64, free []int, ok bool) {
	n := 2 * len(m.steps)
	z = append(z, x...)
	d, p, row := make([]float64, len(x)), make([]float64, n), make([]float64, n)
	c = make([]float64, n)
	met := make([]bool, len(x))
	var meetings meetings
	endless := false // a variable moves and has no bound on its way
	for i := range x {
		if x[i] <= lower[i] && g[i] >= 0 || x[i] >= upper[i] && g[i] <= 0 || lower[i] == upper[i] {
			met[i] = true
			continue
		}
		d[i] = -g[i]
		bound := upper[i]
		if g[i] > 0 {
			bound = lower[i]
		}
		switch {
		case g[i] == 0:
		case math.IsInf(bound, 0):
			endless = true
		default:
			meetings = append(meetings, meeting{i, (bound - x[i]) / d[i], bound})
		}
	}
	for j := range m.steps {
		p[j], p[n/2+j] = floats.Dot(m.changes[j], d), m.theta*floats.Dot(m.steps[j], d)
	}
	slope := -floats.Dot(d, d)
	if slope == 0 {
		return z, c, nil, true
	}
	curvature := -m.theta * slope
	floor := epsilon * curvature
	curvature -= floats.Dot(p, m.middle.solve(p))
	heap.Init(&meetings)
	var t float64
	for len(meetings) > 0 {
		next := heap.Pop(&meetings).(meeting)
		if -slope/curvature < next.t-t {
			heap.Push(&meetings, next)
			break
		}
		dt := next.t - t
		t = next.t
		i, di := next.variable, d[next.variable]
		z[i], d[i], met[i] = next.bound, 0, true
		slope += dt*curvature + di*di - m.theta*di*(z[i]-x[i])
		curvature -= m.theta * di * di
		if n > 0 {
			floats.AddScaled(c, dt, p)
			m.w(i, row)
			v := m.middle.solve(row)
			slope += di * floats.Dot(c, v)
			curvature += 2*di*floats.Dot(p, v) - di*di*floats.Dot(row, v)
			floats.AddScaled(p, -di, row)
		}
		curvature = max(curvature, floor)
		if len(meetings) == 0 && !endless {
			slope = 0
		}
	}
	dt := max(-slope/curvature, 0)
	for i := range z {
		if !met[i] {
			z[i] += (t + dt) * d[i]
			free = append(free, i)
		}
	}
	floats.AddScaled(c, dt, p)
	return z, c, free, finite(dt)
}

// meeting is where on the path a variable meets its bound.
type meeting struct {
	variable int
	t, bound float64
}

type meetings []meeting

func (m meetings) Len() int           { return len(m) }
func (m meetings) Less(i, j int) bool { return m[i].t < m[j].t }
func (m meetings) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }
func (m *meetings) Push(x any)        { *m = append(*m, x.(meeting)) }
func (m *meetings) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}

// subspace goes on from the Cauchy point to the minimum of m over the free variables (the direct primal method of section 5.1) and
// projects it into the bounds. If the function rises on the way from x to there, it goes only until the first bound.
func (m *model) subspace(x, g, lower, upper, cauchy, c []float64, free []int) (z []float64, ok bool) {
	n := len(m.steps)
	inner, ok := m.inner(free, len(x))
	if !ok {
		return nil, false
	}
	row, v := make([]float64, 2*n), m.middle.solve(c)
	r, u := make([]float64, len(free)), make([]float64, 2*n)
	for k, i := range free { // the model's gradient at the Cauchy point
		m.w(i, row)
		r[k] = -m.theta*(cauchy[i]-x[i]) - g[i] + floats.Dot(row, v)
		floats.AddScaled(u, r[k], row)
	}
	v = inner.solve(u)
	z = append(z, cauchy...)
	rise := 0.
	for k, i := range free {
		m.w(i, row)
		r[k] = (r[k] + floats.Dot(row, v)/m.theta) / m.theta
		z[i] = min(max(cauchy[i]+r[k], lower[i]), upper[i])
	}
	for i := range z {
		rise += (z[i] - x[i]) * g[i]
	}
	if rise <= 0 {
		return z, true
	}
	part, first := 1., -1
	for k, i := range free {
		bound := upper[i]
		if r[k] < 0 {
			bound = lower[i]
		}
		if to := (bound - cauchy[i]) / r[k]; r[k] != 0 && to < part {
			part, first = max(to, 0), i
		}
	}
	for k, i := range free {
		if z[i] = cauchy[i] + part*r[k]; i == first {
			z[i] = upper[i]
			if r[k] < 0 {
				z[i] = lower[i]
			}
		}
	}
	return z, true
}

// inner returns the matrix K of section 5.1, in the form of Byrd, Nocedal and Schnabel, Math. Prog. 63, 1994: with F the free
// variables and A the others, it is (−D−YᵀFFᵀY/θ, (L_A−R_F)ᵀ; L_A−R_F, θSᵀAAᵀS), L_A being what is below the diagonal of SᵀAAᵀY and
// R_F the rest of SᵀFFᵀY.
func (m *model) inner(free []int, variables int) (saddle, bool) {
	n := len(m.steps)
	rest := free // those that are summed over, whichever are fewer
	few := 2*len(free) <= variables
	if !few {
		rest = rest[:0:0]
		for i, k := 0, 0; i < variables; i++ {
			if k < len(free) && free[k] == i {
				k++
			} else {
				rest = append(rest, i)
			}
		}
	}
	split := func(p, q []float64, all float64) (free, active float64) {
		sum := 0.
		for _, i := range rest {
			sum += p[i] * q[i]
		}
		if few {
			return sum, all - sum
		}
		return all - sum, sum
	}
	a, b, c := mat.NewSymDense(n, nil), mat.NewDense(n, n, nil), mat.NewSymDense(n, nil)
	for i := range n {
		for j := range n {
			free, active := split(m.steps[i], m.changes[j], m.sy.At(i, j))
			b.Set(i, j, -free)
			if j < i {
				b.Set(i, j, active)
				continue
			}
			free, _ = split(m.changes[i], m.changes[j], m.yy.At(i, j))
			_, active = split(m.steps[i], m.steps[j], m.ss.At(i, j))
			a.SetSym(i, j, free/m.theta)
			c.SetSym(i, j, active*m.theta)
		}
		a.SetSym(i, i, a.At(i, i)+m.sy.At(i, i))
	}
	return newSaddle(a, b, c)
}

// saddle solves with the matrix (−A Bᵀ; B C), of which A and C + B·A⁻¹·Bᵀ are positive definite. Without size, it solves nothing.
type saddle struct {
	a, s mat.Cholesky
	b    *mat.Dense
}

func newSaddle(a *mat.SymDense, b *mat.Dense, c *mat.SymDense) (s saddle, ok bool) {
	if s.b = b; !s.a.Factorize(a) {
		return s, false
	}
	var ab, bab mat.Dense
	if _, bad := s.a.SolveTo(&ab, b.T()).(mat.Condition); bad {
		return s, false
	}
	bab.Mul(b, &ab)
	for i := range c.SymmetricDim() {
		for j := range i + 1 {
			c.SetSym(i, j, c.At(i, j)+bab.At(i, j))
		}
	}
	return s, s.s.Factorize(c)
}

func (s *saddle) solve(v []float64) []float64 {
	n := len(v) / 2
	if n == 0 {
		return nil
	}
	solved := make([]float64, 2*n)
	p, q := mat.NewVecDense(n, solved[:n]), mat.NewVecDense(n, solved[n:])
	top, bottom := mat.NewVecDense(n, v[:n]), mat.NewVecDense(n, v[n:])
	// Condition errors come with the solution.
	_ = s.a.SolveVecTo(p, top)
	q.MulVec(s.b, p)
	q.AddVec(q, bottom)
	_ = s.s.SolveVecTo(q, q)
	p.MulVec(s.b.T(), q)
	p.SubVec(p, top)
	_ = s.a.SolveVecTo(p, p)
	return solved
}
