package receptive

import (
	"iter"
	"slices"
)

// run is n places along an axis of up to three arrays: the result of an operator, one of its inputs, and the
// other one. It has where the first place is in each, and how far the places are from one another.
type run struct {
	n           int
	first, step [3]int
}

func along(n, result, input, other int) run { return run{n: n, step: [3]int{result, input, other}} }

// each calls do for all places of the product of runs.
func each(runs []run, at [3]int, do func(at [3]int)) {
	if len(runs) == 0 {
		do(at)
		return
	}
	for i := range runs[0].n {
		next := at
		for k := range next {
			next[k] += runs[0].first[k] + i*runs[0].step[k]
		}
		each(runs[1:], next, do)
	}
}

// spread adds the bits of a result to those of an input, over the product of runs; the input may be nil. Of
// places of the result that all belong to the same places of the input, the bits are added up once.
func spread(to, of []uint64, runs []run) {
	if to == nil {
		return
	}
	var sums, copies, both []run
	places := 1
	for _, r := range runs {
		switch {
		case r.n == 0:
			return
		case r.n == 1 && r.first[0] == 0 && r.first[1] == 0: // one place
		case r.step[0] != 0 && r.step[1] == 0:
			sums = append(sums, r)
		case r.step[0] == 0 && r.step[1] != 0:
			copies = append(copies, r)
		default:
			both = append(both, r)
			places *= r.n
		}
	}
	if len(sums) > 0 && len(copies) > 0 {
		all, collect := make([]uint64, places), slices.Clone(both)
		for i, r := range both {
			places /= r.n
			collect[i].first[1], collect[i].step[1] = 0, places
			both[i].first[0], both[i].step[0] = 0, places
		}
		or(all, of, 0, 0, append(collect, sums...))
		of, runs = all, append(both, copies...)
	}
	or(to, of, 0, 0, runs)
}

// or is spread from place f of the result and place t of the input on, place by place.
func or(to, of []uint64, t, f int, runs []run) {
	if len(runs) == 0 {
		to[t] |= of[f]
		return
	}
	r := runs[0]
	t, f = t+r.first[1], f+r.first[0]
	if len(runs) == 1 && r.step[0] == 1 && r.step[1] == 1 {
		to := to[t:][:r.n]
		for i, bits := range of[f:][:r.n] {
			to[i] |= bits
		}
		return
	}
	for range r.n {
		if len(runs) == 1 {
			to[t] |= of[f]
		} else {
			or(to, of, t, f, runs[1:])
		}
		t, f = t+r.step[1], f+r.step[0]
	}
}

// product is spread for an operator that multiplies an input by the other one. Other says which numbers of
// the other one are not zero; nil means all of them.
func product(to, of []uint64, runs []run, other []int32) {
	if to == nil || other == nil {
		spread(to, of, runs)
		return
	}
	var shared, own []run
	for _, r := range runs {
		if r.first[2] == 0 && r.step[2] == 0 {
			own = append(own, r)
		} else {
			shared = append(shared, r)
		}
	}
	each(shared, [3]int{}, func(at [3]int) {
		if other[at[2]] != 0 {
			or(to, of, at[1], at[0], own)
		}
	})
}

// exchanged returns the runs with the two inputs exchanged.
func exchanged(runs []run) []run {
	runs = slices.Clone(runs)
	for i := range runs {
		r := &runs[i]
		r.first[1], r.first[2], r.step[1], r.step[2] = r.first[2], r.first[1], r.step[2], r.step[1]
	}
	return runs
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

// aligned returns the runs over a result and an input that has the same axes, or none. Along an axis where
// the input has length 1, the same number belongs to every place.
func aligned(dims, in []int) []run {
	runs, steps, inSteps := make([]run, len(dims)), strides(dims), strides(in)
	for a, n := range dims {
		runs[a] = along(n, steps[a], 0, 0)
		if len(in) > 0 && in[a] > 1 {
			runs[a].step[1] = inSteps[a]
		}
	}
	return runs
}

// reduced returns the runs over an input of such dims and a result in which the axes are gone; none is all.
func reduced(dims, axes []int) []run {
	kept := slices.Clone(dims)
	for a := range dims {
		if len(axes) == 0 || slices.Contains(axes, a) {
			kept[a] = 1
		}
	}
	runs := aligned(dims, kept)
	for i := range runs {
		runs[i].step[0], runs[i].step[1] = runs[i].step[1], runs[i].step[0]
	}
	return runs
}

// meeting returns the run along an axis of n places o of a result and m numbers i of an input over those
// that meet: o·stride + offset = i·spacing.
func meeting(n, m, stride, offset, spacing, resultStep, inputStep int) (r run) {
	var o, i []int
	for place := range n {
		if at := place*stride + offset; at >= 0 && at%spacing == 0 && at/spacing < m {
			o, i = append(o, place), append(i, at/spacing)
		}
	}
	if r.n = len(o); r.n > 0 {
		r.first = [3]int{o[0] * resultStep, i[0] * inputStep}
	}
	if r.n > 1 {
		r.step = [3]int{(o[1] - o[0]) * resultStep, (i[1] - i[0]) * inputStep}
	}
	return r
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
