package lbfgsb

import "math"

// What a line search makes of an answer.
type verdict int

const (
	further  verdict = iota // another step is to be looked at
	accepted                // the step is taken
	failed                  // there is none
)

// line looks for a step along a line at which the function is smaller and its slope is flatter than at the start (Moré and Thuente,
// section 2 to 4): f(t) ≤ f(0) + decrease·t·f′(0) and |f′(t)| ≤ flatness·|f′(0)|.
type line struct {
	step           float64 // in question
	value0, slope0 float64
	longest        float64
	best, other    point // the ends of the interval that has a minimum, once it is known; best is the lowest seen
	bracketed      bool
	psi            bool    // the search is still for a minimum of f(t) − f(0) − decrease·t·f′(0), Moré and Thuente's ψ
	low, high      float64 // between which the next step is
	width, wider   float64 // of the interval, now and one step ago
	looks          int
}

type point struct{ t, value, slope float64 }

const (
	decrease = 1e-3
	flatness = .9
	narrow   = .1 // the interval that is no wider, as a part of its end, holds no better step
	looks    = 20
)

// search begins with a function's value and slope at 0, the first step to look at and the longest.
func search(value, slope, first, longest float64) line {
	start := point{0, value, slope}
	return line{step: first, value0: value, slope0: slope, longest: longest, best: start, other: start, psi: true,
		high: 5 * first, width: longest, wider: 2 * longest}
}

// tell takes the function's value and slope at the step in question.
func (l *line) tell(value, slope float64) verdict {
	l.looks++
	if !finite(value) || !finite(slope) { // outside what the function is defined on
		l.longest = (l.best.t + l.step) / 2
		l.step = l.longest
		if l.looks >= looks {
			return failed
		}
		return further
	}
	enough := l.value0 + decrease*l.step*l.slope0
	least := decrease * l.slope0
	if l.psi && value <= enough && slope >= 0 {
		l.psi = false
	}
	switch {
	case value <= enough && math.Abs(slope) <= -flatness*l.slope0,
		l.step == l.longest && value <= enough && slope <= least,
		l.bracketed && (l.step <= l.low || l.step >= l.high || l.high-l.low <= narrow*l.high):
		return accepted
	case l.looks >= looks:
		return failed
	}
	now := point{l.step, value, slope}
	if l.psi && value <= l.best.value && value > enough {
		tilt := func(p *point, by float64) { p.value, p.slope = p.value+by*p.t, p.slope+by }
		for _, p := range []*point{&now, &l.best, &l.other} {
			tilt(p, -least)
		}
		l.choose(now)
		tilt(&l.best, least)
		tilt(&l.other, least)
	} else {
		l.choose(now)
	}
	if l.bracketed {
		if math.Abs(l.other.t-l.best.t) >= .66*l.wider {
			l.step = (l.best.t + l.other.t) / 2
		}
		l.wider, l.width = l.width, math.Abs(l.other.t-l.best.t)
		l.low, l.high = min(l.best.t, l.other.t), max(l.best.t, l.other.t)
	} else {
		l.low, l.high = l.step+1.1*(l.step-l.best.t), l.step+4*(l.step-l.best.t)
	}
	l.step = min(max(l.step, 0), l.longest)
	if l.bracketed && (l.step <= l.low || l.step >= l.high || l.high-l.low <= narrow*l.high) {
		l.step = l.best.t
	}
	return further
}

// choose takes the next step from cubics and secants through the points, and narrows the interval (section 4, cases 1 to 4).
func (l *line) choose(now point) {
	best := l.best
	opposite := now.slope*math.Copysign(1, best.slope) < 0
	var next float64
	switch {
	case now.value > best.value: // there is a minimum between: the cubic's, or half-way from it to the parabola's
		c := best.t + cubic(best, now, false)*(now.t-best.t)
		q := best.t + best.slope/((best.value-now.value)/(now.t-best.t)+best.slope)/2*(now.t-best.t)
		next = c + (q-c)/2
		if math.Abs(c-best.t) < math.Abs(q-best.t) {
			next = c
		}
		l.bracketed = true
	case opposite: // there is a minimum between: the cubic's or the secant's, whichever is nearer to best
		c, q := now.t+cubic(now, best, false)*(best.t-now.t), secant(now, best)
		next = q
		if math.Abs(c-now.t) > math.Abs(q-now.t) {
			next = c
		}
		l.bracketed = true
	case math.Abs(now.slope) < math.Abs(best.slope): // the minimum is further on
		q := secant(now, best)
		r := cubic(now, best, true)
		c := now.t + r*(best.t-now.t)
		if !(r < 0) || math.IsInf(r, 0) {
			if c = l.low; now.t > best.t {
				c = l.high
			}
		}
		if nearer := math.Abs(c-now.t) < math.Abs(q-now.t); nearer == l.bracketed {
			next = c
		} else {
			next = q
		}
		switch bound := now.t + .66*(l.other.t-now.t); {
		case !l.bracketed:
			next = max(min(next, l.high), l.low)
		case now.t > best.t:
			next = min(next, bound)
		default:
			next = max(next, bound)
		}
	case l.bracketed:
		next = now.t + cubic(now, l.other, false)*(l.other.t-now.t)
	case now.t > best.t:
		next = l.high
	default:
		next = l.low
	}
	if now.value > best.value {
		l.other = now
	} else {
		if opposite {
			l.other = best
		}
		l.best = now
	}
	l.step = next
}

// cubic returns where, as a part of the way from a to b, the cubic through both values and slopes has its minimum. Without one, and
// if it may have none, the result is that of its turning point, or infinite.
func cubic(a, b point, may bool) float64 {
	theta := 3*(a.value-b.value)/(b.t-a.t) + a.slope + b.slope
	s := max(math.Abs(theta), math.Abs(a.slope), math.Abs(b.slope))
	root := theta/s*(theta/s) - a.slope/s*(b.slope/s)
	if may && root <= 0 {
		return math.Inf(1)
	}
	gamma := s * math.Sqrt(root)
	if b.t < a.t {
		gamma = -gamma
	}
	return (gamma - a.slope + theta) / (gamma - a.slope + gamma + b.slope)
}

// secant returns where the slope would be 0 if it were linear.
func secant(a, b point) float64 { return a.t + a.slope/(a.slope-b.slope)*(b.t-a.t) }
