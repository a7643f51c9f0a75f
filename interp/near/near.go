// Package near finds, among the names that exist, those a wrong name was probably meant to be.
package near

import (
	"fmt"
	"slices"
	"strings"
)

// Names returns at most n of have, the likeliest first: names that contain name or are contained in it,
// and names within a third of its length in edits (Levenshtein, with a swap of neighbours as one edit), ignoring case.
func Names(name string, have []string, n int) []string {
	type candidate struct {
		name string
		cost int
	}
	var found []candidate
	low := strings.ToLower(name)
	for _, h := range have {
		l := strings.ToLower(h)
		cost := edits(low, l)
		if low != "" && (strings.Contains(l, low) || strings.Contains(low, l) && len(l) > 2) {
			cost = min(cost, 1)
		}
		if cost <= max(1, len(low)/3) {
			found = append(found, candidate{h, cost})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.cost - b.cost })
	var out []string
	for _, c := range found[:min(n, len(found))] {
		out = append(out, c.name)
	}
	return out
}

// Error returns the error for a name of the given kind that does not exist: it lists the near names, or,
// where none is near, the first of those that exist.
func Error(kind, name string, have []string) error {
	if n := Names(name, have, 5); len(n) > 0 {
		return fmt.Errorf("no %s %q; near it: %s", kind, name, strings.Join(n, ", "))
	}
	const most = 12
	switch {
	case len(have) == 0:
		return fmt.Errorf("no %s %q; there are none", kind, name)
	case len(have) > most:
		return fmt.Errorf("no %s %q; there are %d, the first: %s", kind, name, len(have), strings.Join(have[:most], ", "))
	}
	return fmt.Errorf("no %s %q; there are: %s", kind, name, strings.Join(have, ", "))
}

// edits is the Levenshtein distance of a and b, in bytes, where a swap of neighbours is one edit. It gives up, with a large number, on names of
// more than 256 bytes: those are nobody's typing error.
func edits(a, b string) int {
	if len(a) > 256 || len(b) > 256 {
		return 1 << 20
	}
	var before []int // the row before last
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			change := row[j]
			if a[i] != b[j] {
				change++
			}
			next[j+1] = min(change, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
