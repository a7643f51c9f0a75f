// Package lbfgsb minimises smooth functions of many variables, each of which may have bounds. It is L-BFGS-B: Byrd, Lu, Nocedal and
// Zhu, "A limited memory algorithm for bound constrained optimization", SIAM J. Sci. Comput. 16(5), 1995, with the subspace step of
// Morales and Nocedal, ACM TOMS 38(1), 2011, and the line search of Moré and Thuente, ACM TOMS 20(3), 1994. Constants and stops are
// those of version 3.0 of the authors' program, so the iterates are the same.
//
// A [Search] asks for the function at a point and is told the answer. So many searches can go on side by side, and one batch
// answers all of their questions.
package lbfgsb

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
)

const epsilon = 0x1p-52 // the distance from 1 to the next float64

// Problem is what a minimum is searched under. The zero value has no bounds.
type Problem struct {
	Lower, Upper []float64 // one for each variable, ±Inf where it has none; nil: none has any

	Memory    int     // how many pairs of steps and changes of the gradient are remembered; 0: 10
	Gradient  float64 // ends where no element of the projected gradient is larger; 0: 1e-5
	Reduction float64 // ends where a step gains no more, as a part of the value or of 1; 0: 2.2e-9, 1e7 times the precision of float64
	Steps     int     // ends after so many; 0: 15000
}

// Status says whether a search goes on, or why it has ended.
type Status int

const (
	Running    Status = iota // Ask returns a point
	Stationary               // no element of the projected gradient is larger than Problem.Gradient
	Flat                     // the last step gained no more than Problem.Reduction
	Exhausted                // Problem.Steps are done
	Stuck                    // not even along the negative gradient is there a smaller value
	Undefined                // the function has no finite value or gradient at the start
)

var statuses = [...]string{"running", "stationary", "flat", "out of steps", "stuck", "undefined at the start"}

// String says it in words.
func (s Status) String() string {
	if s < 0 || int(s) >= len(statuses) {
		return fmt.Sprintf("Status(%d)", int(s))
	}
	return statuses[s]
}

// Search is the search for a minimum from one start: while Ask returns a point, Tell answers. Values of the function that are not
// finite are a step too far, and a shorter one is tried.
type Search struct {
	X           []float64 // the best point so far, always within the bounds
	F           float64   // the function there
	G           []float64 // the gradient there
	Steps       int       // that have led to X
	Evaluations int
	Status      Status

	Problem
	model      model
	line       line
	asked      []float64 // the point in question
	aim, along []float64 // where the quadratic model is least, and the way there from X
	boxed      bool      // every variable has two bounds
	bounded    bool      // one variable has a bound
}

// Start begins a search from x, of which each variable is moved to its nearest bound if it is outside.
func (p Problem) Start(x []float64) (*Search, error) {
	n := len(x)
	s := &Search{Problem: p, X: slices.Clone(x), boxed: true}
	for _, b := range []struct {
		name string
		list *[]float64
		none float64
	}{{"Lower", &s.Lower, math.Inf(-1)}, {"Upper", &s.Upper, math.Inf(1)}} {
		if *b.list == nil {
			*b.list = slices.Repeat([]float64{b.none}, n)
		}
		if len(*b.list) != n {
			return nil, fmt.Errorf("lbfgsb: %s has %d bounds, must have one for each of %d variables, or be nil", b.name, len(*b.list), n)
		}
	}
	switch {
	case n == 0:
		return nil, errors.New("lbfgsb: the start has no variables, must have at least 1")
	case p.Memory < 0 || p.Steps < 0:
		return nil, fmt.Errorf("lbfgsb: Memory is %d and Steps is %d, must not be negative", p.Memory, p.Steps)
	case !(p.Gradient >= 0) || !(p.Reduction >= 0):
		return nil, fmt.Errorf("lbfgsb: Gradient is %g and Reduction is %g, must not be negative", p.Gradient, p.Reduction)
	}
	s.Memory, s.Problem.Steps = cmp.Or(p.Memory, 10), cmp.Or(p.Steps, 15000)
	s.Gradient, s.Reduction = cmp.Or(p.Gradient, 1e-5), cmp.Or(p.Reduction, 1e7*epsilon)
	for i, v := range x {
		low, high := s.Lower[i], s.Upper[i]
		switch {
		case !finite(v):
			return nil, fmt.Errorf("lbfgsb: variable %d of the start is %g, must be finite", i, v)
		case !(low <= high) || math.IsInf(low, 1) || math.IsInf(high, -1):
			return nil, fmt.Errorf("lbfgsb: the bounds of variable %d are %g and %g, must be in order", i, low, high)
		}
		s.X[i] = min(max(v, low), high)
		s.boxed = s.boxed && finite(low) && finite(high)
		s.bounded = s.bounded || finite(low) || finite(high)
	}
	s.asked = slices.Clone(s.X)
	s.model = model{most: s.Memory, theta: 1}
	return s, nil
}

// Ask returns the point at which the function and its gradient are needed next; nil where the search has ended. The caller must not
// change it.
func (s *Search) Ask() []float64 {
	if s.Status != Running {
		return nil
	}
	return s.asked
}

// Tell gives the function's value and gradient at the point that Ask returns. It keeps nothing of gradient.
func (s *Search) Tell(value float64, gradient []float64) error {
	switch {
	case s.Status != Running:
		return fmt.Errorf("lbfgsb: the search has ended (%v) and takes no answers", s.Status)
	case len(gradient) != len(s.X):
		return fmt.Errorf("lbfgsb: the gradient has %d elements, must have %d", len(gradient), len(s.X))
	}
	s.Evaluations++
	if s.G == nil {
		if !finite(value) || slices.ContainsFunc(gradient, func(g float64) bool { return !finite(g) }) {
			s.Status = Undefined
			return nil
		}
		s.F, s.G = value, slices.Clone(gradient)
		if s.stationary() {
			return nil
		}
		s.turn()
		return nil
	}
	slope := floats.Dot(gradient, s.along)
	switch s.line.tell(value, slope) {
	case further:
		s.askAlong()
	case accepted:
		s.accept(value, gradient, slope)
	case failed:
		s.forget()
	}
	return nil
}

// accept makes the point in question the iterate, and updates the model by what was seen on the way.
func (s *Search) accept(value float64, gradient []float64, slope float64) {
	before, step := s.F, s.line.step
	change := make([]float64, len(gradient))
	floats.SubTo(change, gradient, s.G)
	s.F = value
	copy(s.X, s.asked)
	copy(s.G, gradient)
	s.Steps++
	switch {
	case s.stationary():
		return
	case before-s.F <= s.Reduction*max(math.Abs(before), math.Abs(s.F), 1):
		s.Status = Flat
		return
	case s.Steps >= s.Problem.Steps:
		s.Status = Exhausted
		return
	}
	if curvature := (slope - s.line.slope0) * step; curvature > -epsilon*s.line.slope0*step {
		moved := slices.Clone(s.along)
		floats.Scale(step, moved)
		s.model.add(moved, change, curvature)
	}
	s.turn()
}

// stationary ends the search where no element of the projected gradient is larger than allowed.
func (s *Search) stationary() bool {
	for i, g := range s.G {
		if g < 0 {
			g = max(s.X[i]-s.Upper[i], g)
		} else {
			g = min(s.X[i]-s.Lower[i], g)
		}
		if math.Abs(g) > s.Gradient {
			return false
		}
	}
	s.Status = Stationary
	return true
}

// turn begins the next line search, along the way to the minimum of the quadratic model within the bounds.
func (s *Search) turn() {
	var ok bool
	if s.aim, ok = s.model.minimum(s.X, s.G, s.Lower, s.Upper); !ok {
		s.forget()
		return
	}
	s.along = make([]float64, len(s.X))
	floats.SubTo(s.along, s.aim, s.X)
	slope := floats.Dot(s.G, s.along)
	if !(slope < 0) {
		s.forget()
		return
	}
	first, longest := 1., 1e10
	switch {
	case s.bounded && s.Steps == 0:
		longest = 1
	case s.bounded:
		for i, d := range s.along {
			if d > 0 {
				longest = min(longest, (s.Upper[i]-s.X[i])/d)
			} else if d < 0 {
				longest = min(longest, (s.Lower[i]-s.X[i])/d)
			}
		}
	}
	if s.Steps == 0 && !s.boxed {
		first = min(1/floats.Norm(s.along, 2), longest)
	}
	s.line = search(s.F, slope, first, max(longest, first))
	s.askAlong()
}

// askAlong asks at the line search's step, within the bounds in spite of rounding.
func (s *Search) askAlong() {
	if s.line.step == 1 {
		copy(s.asked, s.aim)
		return
	}
	for i, d := range s.along {
		s.asked[i] = min(max(s.X[i]+s.line.step*d, s.Lower[i]), s.Upper[i])
	}
}

// forget starts anew from the iterate, without the model that has failed.
func (s *Search) forget() {
	if len(s.model.steps) == 0 {
		s.Status = Stuck
		return
	}
	s.model = model{most: s.Memory, theta: 1}
	s.turn()
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
