package receptive

import "iter"

// run is n places along an axis of two arrays: where it starts in each, and how far each place is from the
// one before it.
type run struct{ n, from, fromStep, to, toStep int }

// each calls do for all places of the product of runs.
func each(runs []run, do func(from, to int)) {
	var walk func(runs []run, from, to int)
	walk = func(runs []run, from, to int) {
		if len(runs) == 0 {
			do(from, to)
			return
		}
		r := runs[0]
		for i := range r.n {
			walk(runs[1:], from+r.from+i*r.fromStep, to+r.to+i*r.toStep)
		}
	}
	walk(runs, 0, 0)
}

// spread adds the bits of from to those of to, over the product of runs; to may be nil.
func spread(to, from []uint64, runs []run) {
	if to != nil {
		or(to, from, 0, 0, runs)
	}
}

func or(to, from []uint64, t, f int, runs []run) {
	if len(runs) == 0 {
		to[t] |= from[f]
		return
	}
	r := runs[0]
	t, f = t+r.to, f+r.from
	if len(runs) == 1 && r.fromStep == 1 && r.toStep == 1 {
		to := to[t:][:r.n]
		for i, bits := range from[f:][:r.n] {
			to[i] |= bits
		}
		return
	}
	for range r.n {
		if len(runs) == 1 {
			to[t] |= from[f]
		} else {
			or(to, from, t, f, runs[1:])
		}
		t, f = t+r.toStep, f+r.fromStep
	}
}

// strides returns how far apart the numbers along each axis of an array are.
func strides(dims []int) []int {
	steps, step := make([]int, len(dims)), 1
	for a := len(dims) - 1; a >= 0; a-- {
		steps[a] = step
		step *= dims[a]
	}
	return steps
}

// aligned returns the runs over an array and another of its axes, or none, of which some have length 1:
// the same number then belongs to every place.
func aligned(dims, other []int) []run {
	runs, steps, otherSteps := make([]run, len(dims)), strides(dims), strides(other)
	for a, n := range dims {
		runs[a] = run{n, 0, steps[a], 0, 0}
		if len(other) > 0 && other[a] > 1 {
			runs[a].toStep = otherSteps[a]
		}
	}
	return runs
}

// places yields all places of an array.
func places(dims []int) iter.Seq[[]int] {
	return func(yield func([]int) bool) {
		at := make([]int, len(dims))
		for i := range size(dims) {
			for a, step := range strides(dims) {
				at[a] = i / step % dims[a]
			}
			if !yield(at) {
				return
			}
		}
	}
}

func size(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// at returns list[i], or what holds where there is no list.
func at(list []int, i, otherwise int) int {
	if len(list) == 0 {
		return otherwise
	}
	return list[i]
}
