package lbfgsb

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"lucigo/interp/random"
)

// run answers a search with f until it ends, and returns its iterates.
func run(t *testing.T, p Problem, x []float64, f func(x []float64) (float64, []float64)) (*Search, [][]float64) {
	t.Helper()
	s, err := p.Start(x)
	if err != nil {
		t.Fatal(err)
	}
	var iterates [][]float64
	for at := s.Ask(); at != nil; at = s.Ask() {
		if s.Evaluations > 50_000 {
			t.Fatal("the search does not end")
		}
		for i, v := range at {
			if p.Lower != nil && v < p.Lower[i] || p.Upper != nil && v > p.Upper[i] {
				t.Fatalf("asks at %g for variable %d, outside its bounds", v, i)
			}
		}
		before := s.Steps
		if err := s.Tell(f(at)); err != nil {
			t.Fatal(err)
		}
		if s.Steps > before {
			iterates = append(iterates, slices.Clone(s.X))
		}
	}
	return s, iterates
}

func rosenbrock(x []float64) (f float64, g []float64) {
	g = make([]float64, len(x))
	f, g[0] = (x[0]-1)*(x[0]-1), 2*(x[0]-1)
	for i := 1; i < len(x); i++ {
		r := x[i] - x[i-1]*x[i-1]
		f += 4 * r * r
		g[i] += 8 * r
		g[i-1] -= 16 * x[i-1] * r
	}
	return f, g
}

func beale(x []float64) (f float64, g []float64) {
	g = make([]float64, 2)
	for k, c := range []float64{1.5, 2.25, 2.625} {
		y := math.Pow(x[1], float64(k+1))
		r := c - x[0]*(1-y)
		f += r * r
		g[0] += 2 * r * (y - 1)
		g[1] += 2 * r * x[0] * float64(k+1) * math.Pow(x[1], float64(k))
	}
	return f, g
}

func powell(x []float64) (f float64, g []float64) {
	for ; len(x) > 0; x = x[4:] {
		p, q, r, s := x[0]+10*x[1], x[2]-x[3], x[1]-2*x[2], x[0]-x[3]
		f += p*p + 5*q*q + math.Pow(r, 4) + 10*math.Pow(s, 4)
		g = append(g, 2*p+40*s*s*s, 20*p+4*r*r*r, 10*q-8*r*r*r, -10*q-40*s*s*s)
	}
	return f, g
}

func wood(x []float64) (f float64, g []float64) {
	for ; len(x) > 0; x = x[4:] {
		a, b, c, d := x[0], x[1], x[2], x[3]
		p, q := b-a*a, d-c*c
		f += 100*p*p + (1-a)*(1-a) + 90*q*q + (1-c)*(1-c) + 10*(b+d-2)*(b+d-2) + .1*(b-d)*(b-d)
		g = append(g, -400*a*p-2*(1-a), 200*p+20*(b+d-2)+.2*(b-d), -360*c*q-2*(1-c), 180*q+20*(b+d-2)-.2*(b-d))
	}
	return f, g
}

func quadratic(x []float64) (f float64, g []float64) {
	for i, v := range x {
		k := float64(i)
		b := -3 * (1 + k/4)
		if i%3 == 0 {
			b = 5 * (1 + k/4)
		}
		ax := (2 + k*k/10) * v
		if i > 0 {
			ax -= x[i-1]
		}
		if i+1 < len(x) {
			ax -= x[i+1]
		}
		f += (ax/2 - b) * v
		g = append(g, ax-b)
	}
	return f, g
}

// testdata/iterates.py has written the iterates of scipy's L-BFGS-B.
func TestOracleIterates(t *testing.T) {
	text, err := os.ReadFile("testdata/iterates.json")
	if err != nil {
		t.Fatal(err)
	}
	var problems []struct {
		Name         string
		Start        []float64
		Lower, Upper []*float64
		Memory       int
		Iterates     [][]float64
		Evaluations  int
		Message      string
	}
	if err := json.Unmarshal(text, &problems); err != nil {
		t.Fatal(err)
	}
	functions := map[string]func([]float64) (float64, []float64){
		"rosenbrock": rosenbrock, "beale": beale, "powell": powell, "wood": wood, "quadratic": quadratic, "free": rosenbrock,
	}
	bounds := func(list []*float64, none float64) (b []float64) {
		for _, v := range list {
			if b = append(b, none); v != nil {
				b[len(b)-1] = *v
			}
		}
		return b
	}
	ends := map[string]Status{
		"CONVERGENCE: RELATIVE REDUCTION OF F <= FACTR*EPSMCH": Flat, "CONVERGENCE: NORM OF PROJECTED GRADIENT <= PGTOL": Stationary,
	}
	for _, o := range problems {
		p := Problem{Lower: bounds(o.Lower, math.Inf(-1)), Upper: bounds(o.Upper, math.Inf(1)), Memory: o.Memory}
		s, got := run(t, p, o.Start, functions[o.Name])
		if len(got) != len(o.Iterates) || s.Evaluations != o.Evaluations || s.Status != ends[o.Message] {
			t.Errorf("%s: %d iterates, %d evaluations, %v; scipy has %d, %d, %s",
				o.Name, len(got), s.Evaluations, s.Status, len(o.Iterates), o.Evaluations, o.Message)
		}
		worst, active := 0., 0
		for k := range min(len(got), len(o.Iterates)) {
			for i, v := range o.Iterates[k] {
				worst = max(worst, math.Abs(got[k][i]-v))
				if o.Lower != nil && (v == p.Lower[i] || v == p.Upper[i]) {
					active++
				}
			}
		}
		if worst > 1e-6 {
			t.Errorf("%s: an iterate is %.2g from scipy's", o.Name, worst)
		}
		if o.Lower != nil && active == 0 {
			t.Errorf("%s: no iterate is at a bound", o.Name)
		}
		t.Logf("%-10s %2d iterates of %2d variables, %3d times at a bound, at most %.1e from scipy's", o.Name, len(got), len(s.X), active, worst)
	}
}

// A convex function with bounds has one minimum: no start, memory or scale leads elsewhere, and the conditions of Karush, Kuhn and
// Tucker hold there.
func TestLawMinimum(t *testing.T) {
	for trial := range 40 {
		r := random.New(1, uint64(trial), 0)
		n := 1 + r.Intn(0, 30)
		p := Problem{Lower: make([]float64, n), Upper: make([]float64, n), Memory: 1 + r.Intn(1, 12), Gradient: 1e-9, Reduction: 1e-16}
		x := make([]float64, n)
		r.Normals(x)
		for i := range n {
			k := 10 * (i + 1)
			p.Lower[i] = 2 * (r.Uniform(k) - .7)
			p.Upper[i] = p.Lower[i] + 2*r.Uniform(k+1)
			switch r.Intn(k+2, 6) {
			case 0:
				p.Lower[i] = math.Inf(-1)
			case 1:
				p.Upper[i] = math.Inf(1)
			case 2:
				p.Upper[i] = p.Lower[i]
			}
			x[i] *= 5
		}
		s, _ := run(t, p, x, func(x []float64) (float64, []float64) {
			f, g := quadratic(x)
			for i, v := range x { // what is not quadratic
				f += math.Pow(v, 4)
				g[i] += 4 * v * v * v
			}
			return f, g
		})
		for i, v := range s.X {
			g := s.G[i]
			free := v > p.Lower[i] && v < p.Upper[i]
			if free && math.Abs(g) > 1e-5 || v == p.Lower[i] && v < p.Upper[i] && g < -1e-5 || v == p.Upper[i] && v > p.Lower[i] && g > 1e-5 {
				t.Errorf("trial %d, %v: variable %d is %g in [%g, %g], with gradient %g", trial, s.Status, i, v, p.Lower[i], p.Upper[i], g)
			}
		}
	}
}

// Where the function has no finite value, a step is too long.
func TestNotFinite(t *testing.T) {
	for _, outside := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		barrier := func(x []float64) (float64, []float64) { // −log x + x + y², defined for x > 0; the minimum is at (1, 0)
			if x[0] <= 0 {
				return outside, []float64{outside, 0}
			}
			return x[0] - math.Log(x[0]) + x[1]*x[1], []float64{1 - 1/x[0], 2 * x[1]}
		}
		s, _ := run(t, Problem{}, []float64{40, -3}, barrier)
		if math.Abs(s.X[0]-1) > 1e-4 || math.Abs(s.X[1]) > 1e-4 {
			t.Errorf("%g outside: ends at %g, %v", outside, s.X, s.Status)
		}
		if s, _ := run(t, Problem{}, []float64{-1, 2}, barrier); s.Status != Undefined || s.Evaluations != 1 || s.X[1] != 2 {
			t.Errorf("%g at the start: %v at %g after %d evaluations", outside, s.Status, s.X, s.Evaluations)
		}
		// Finite at the start alone: the search ends, and keeps it.
		s, _ = run(t, Problem{}, []float64{1}, func(x []float64) (float64, []float64) {
			if x[0] == 1 {
				return 7, []float64{1}
			}
			return outside, []float64{outside}
		})
		if s.Status != Stuck || s.X[0] != 1 || s.F != 7 || s.Evaluations > 30 {
			t.Errorf("%g everywhere else: %v at %g after %d evaluations", outside, s.Status, s.X, s.Evaluations)
		}
	}
}

func TestEnds(t *testing.T) {
	slope := func(x []float64) (float64, []float64) { return -x[0], []float64{-1} }
	wrong := func(x []float64) (float64, []float64) { return -x[0], []float64{1} } // the gradient has the wrong sign
	inf := math.Inf(1)
	for _, c := range []struct {
		name   string
		p      Problem
		x      []float64
		f      func([]float64) (float64, []float64)
		status Status
		at     float64
		steps  int
	}{
		{"to the bound", Problem{Upper: []float64{3}}, []float64{0}, slope, Stationary, 3, -1},
		{"beside a variable that does not matter", Problem{Lower: []float64{-1, -1}, Upper: []float64{1, 1}}, []float64{0, .5},
			func(x []float64) (float64, []float64) { return -x[0], []float64{-1, 0} }, Stationary, 1, -1},
		{"at the bound, beside such a variable", Problem{Lower: []float64{-1, -1}, Upper: []float64{1, 1}}, []float64{1, .5},
			func(x []float64) (float64, []float64) { return -x[0], []float64{-1, 0} }, Stationary, 1, 0},
		{"outside", Problem{Upper: []float64{3}}, []float64{8}, slope, Stationary, 3, 0},
		{"nowhere to go", Problem{Lower: []float64{2}, Upper: []float64{2}}, []float64{8}, slope, Stationary, 2, 0},
		{"bounds that are none", Problem{Lower: []float64{-inf}, Upper: []float64{inf}, Steps: 1}, []float64{0}, slope, Exhausted, math.NaN(), 1},
		{"a constant", Problem{}, []float64{5}, func([]float64) (float64, []float64) { return 1, []float64{0} }, Stationary, 5, 0},
		{"no descent", Problem{}, []float64{5}, wrong, Stuck, 5, 0},
		{"parabola", Problem{}, []float64{5}, func(x []float64) (float64, []float64) { return x[0] * x[0], []float64{2 * x[0]} }, Stationary, 0, -1},
	} {
		s, _ := run(t, c.p, c.x, c.f)
		if s.Status != c.status || math.Abs(s.X[0]-c.at) > 1e-6 || c.steps >= 0 && s.Steps != c.steps {
			t.Errorf("%s: %v at %g after %d steps, want %v at %g", c.name, s.Status, s.X, s.Steps, c.status, c.at)
		}
		if s.Ask() != nil || s.Tell(0, s.G) == nil {
			t.Errorf("%s: goes on after its end", c.name)
		}
	}
}

func TestErrors(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for want, c := range map[string]struct {
		p Problem
		x []float64
	}{
		"lbfgsb: the start has no variables, must have at least 1":                     {},
		"lbfgsb: Upper has 1 bounds, must have one for each of 2 variables, or be nil": {Problem{Upper: []float64{1}}, []float64{1, 2}},
		"lbfgsb: the bounds of variable 1 are 3 and 2, must be in order":               {Problem{Lower: []float64{0, 3}, Upper: []float64{1, 2}}, []float64{1, 2}},
		"lbfgsb: the bounds of variable 0 are NaN and +Inf, must be in order":          {Problem{Lower: []float64{nan}}, []float64{1}},
		"lbfgsb: the bounds of variable 0 are +Inf and +Inf, must be in order":         {Problem{Lower: []float64{inf}}, []float64{1}},
		"lbfgsb: variable 0 of the start is NaN, must be finite":                       {Problem{}, []float64{nan}},
		"lbfgsb: Memory is -1 and Steps is 0, must not be negative":                    {Problem{Memory: -1}, []float64{1}},
		"lbfgsb: Gradient is NaN and Reduction is 0, must not be negative":             {Problem{Gradient: nan}, []float64{1}},
	} {
		if s, err := c.p.Start(c.x); err == nil || err.Error() != want || s != nil {
			t.Errorf("%v, want %s", err, want)
		}
	}
	s, err := Problem{}.Start([]float64{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Tell(1, []float64{1}); err == nil || s.Evaluations != 0 {
		t.Errorf("a gradient that is too short: %v", err)
	}
}

// The caller's bounds, start and gradients are its own.
func TestLawCallersSlices(t *testing.T) {
	x, low, high := []float64{9, 9}, []float64{0, 0}, []float64{.5, 5}
	s, err := Problem{Lower: low, Upper: high}.Start(x)
	if err != nil {
		t.Fatal(err)
	}
	g := make([]float64, 2)
	for at := s.Ask(); at != nil; at = s.Ask() {
		f, now := rosenbrock(at)
		copy(g, now)
		if err := s.Tell(f, g); err != nil {
			t.Fatal(err)
		}
		g[0], g[1] = 1e9, 1e9
	}
	if math.Abs(s.X[0]-.5) > 1e-6 || math.Abs(s.X[1]-.25) > 1e-4 || x[0] != 9 {
		t.Errorf("ends at %g, and the start is %g", s.X, x)
	}
}

// A step that is accepted is low and flat enough, from any first step: functions 1 to 3 of Moré and Thuente, section 5, one that flattens
// after the first step, so that the search has to leave ψ's minimum, and one that falls the faster the further.
func TestLawLine(t *testing.T) {
	for k, f := range []func(t float64) float64{
		func(t float64) float64 { return -t / (t*t + 2) },
		func(t float64) float64 { return math.Pow(t+.004, 5) - 2*math.Pow(t+.004, 4) },
		func(t float64) float64 {
			p := math.Abs(t-1) - .005
			if math.Abs(t-1) <= .01 {
				p = (t - 1) * (t - 1) / .02
			}
			return p + 2*.99/(39*math.Pi)*math.Sin(39*math.Pi/2*t)
		},
		func(t float64) float64 { return math.Exp(-50*t)/50 - 1e-4*t + 1e-6*t*t },
		func(t float64) float64 { return -t - t*t + math.Pow(t/50, 8) },
	} {
		slope := func(t float64) float64 { return (f(t+1e-6) - f(t-1e-6)) / 2e-6 }
		for first := 1e-3; first < 2e3; first *= 10 {
			l := search(f(0), slope(0), first, 1e10)
			v := further
			for v == further {
				v = l.tell(f(l.step), slope(l.step))
			}
			low := f(l.step) <= f(0)+decrease*l.step*slope(0)
			if !low || math.Abs(slope(l.step)) > flatness*math.Abs(slope(0)) && !(l.high-l.low <= narrow*l.high) {
				t.Errorf("function %d from %g: verdict %d at %g after %d looks: %g from %g, slope %g from %g",
					k, first, v, l.step, l.looks, f(l.step), f(0), slope(l.step), slope(0))
			}
		}
	}
}
