package dream

import (
	"math"

	"lucigo/interp"
)

// sizes returns the height and width of every octave, the smallest first: each is the next one's, divided
// by Scale and rounded.
func (d Dream) sizes(h, w int) [][2]int {
	out := make([][2]int, d.Octaves)
	for k := range out {
		out[len(out)-1-k] = [2]int{h, w}
		h, w = shrunk(h, d.Scale), shrunk(w, d.Scale)
	}
	return out
}

func shrunk(length int, by float64) int { return max(1, int(math.Round(float64(length)/by))) }

// resized returns x in another size by linear interpolation: the first and the last pixels stay the first
// and the last.
func resized(x interp.Images, size [2]int) interp.Images {
	places := func(from, to int) []float64 {
		at := make([]float64, to)
		for i := range at {
			at[i] = float64(i) * float64(from-1) / float64(max(to-1, 1))
		}
		return at
	}
	return resampled(x, places(x.H, size[0]), places(x.W, size[1]))
}

// enlarged returns x around its middle, larger by 1/(1−rate), and cut to its size.
func enlarged(x interp.Images, rate float64) interp.Images {
	places := func(length int) []float64 {
		at := make([]float64, length)
		for i := range at {
			at[i] = float64(i)*(1-rate) + float64(length)*rate/2
		}
		return at
	}
	return resampled(x, places(x.H), places(x.W))
}

// resampled returns the images whose pixel (i, j) is x at row rows[i] and column columns[j], between four
// pixels by linear interpolation; what lies outside x is its border.
func resampled(x interp.Images, rows, columns []float64) interp.Images {
	y := x
	y.H, y.W = len(rows), len(columns)
	y.Pix = make([]float64, y.N*y.Size())
	across := make([]tap, len(columns))
	for j, at := range columns {
		across[j] = tapAt(at, x.W)
	}
	to := y.Pix
	for n := range x.N {
		pix := x.Pix[n*x.Size():]
		for _, at := range rows {
			v := tapAt(at, x.H)
			top, bottom := pix[v.a*x.W*x.C:], pix[v.b*x.W*x.C:]
			for _, h := range across {
				for c := range x.C {
					a, b := h.a*x.C+c, h.b*x.C+c
					to[c] = (1-v.part)*((1-h.part)*top[a]+h.part*top[b]) + v.part*((1-h.part)*bottom[a]+h.part*bottom[b])
				}
				to = to[x.C:]
			}
		}
	}
	return y
}

// tap is a place between pixels a and b, part of the way.
type tap struct {
	a, b int
	part float64
}

func tapAt(at float64, length int) tap {
	at = min(max(at, 0), float64(length-1))
	a := int(at)
	return tap{a, min(a+1, length-1), at - float64(a)}
}
