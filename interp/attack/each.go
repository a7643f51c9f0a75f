package attack

import "lucigo/internal/parallel"

// each calls f for all points, on all cores.
func each(p Points, f func(k int, pix []float64)) {
	parallel.For(len(p.Rows), func(k int) { f(k, p.Of(k)) })
}
