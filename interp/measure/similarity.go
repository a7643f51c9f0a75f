package measure

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"lucigo/internal/filter"
)

// SSIM is the structural similarity of two maps, at most 1: the mean over all places of a window of
// (2μaμb + C1)(2σab + C2) / ((μa² + μb² + C1)(σa² + σb² + C2)), C1 = (.01 L)², C2 = (.03 L)²: Wang, Bovik, Sheikh and
// Simoncelli, 2004, section III.B, with the sample's variances as scikit-image computes them. Windows lie in the map.
//
// Two recipes are in circulation for saliency maps since Adebayo et al., arXiv:1810.03292. The zero value divides each map
// by its largest magnitude and has a window of 5×5 pixels of equal weight and L = 2, the width of [−1, 1]. The notebooks
// published with that paper are SSIM{Sigma: 1.5, Unit: true, Range: 2}: maps in [0, 1], weighted by a Gaussian of 11×11
// pixels, and still L = 2, which was then scikit-image's for all floats.
//
// Maps are scaled here, because C1 and C2 make all maps of small numbers equal. A map whose values are all equal has NaN.
type SSIM struct {
	Window int     // side of the window, odd; 0 is 5, and with Sigma 2·⌊3.5 Sigma + .5⌋ + 1
	Sigma  float64 // standard deviation of Gaussian weights, in pixels; 0 is equal weights
	Unit   bool    // maps are brought to [0, 1] (Unit), not to [−1, 1] (Signed)
	Range  float64 // L; 0 is the width of what maps are brought to
}

func (s SSIM) defaults() SSIM {
	width := 2.0
	if s.Unit {
		width = 1
	}
	side := 5
	if s.Sigma != 0 {
		side = 2*int(3.5*s.Sigma+.5) + 1
	}
	s.Window, s.Range = cmp.Or(s.Window, side), cmp.Or(s.Range, width)
	return s
}

// String names the window and the scale.
func (s SSIM) String() string {
	s = s.defaults()
	weights, scale := "", "[−1, 1]"
	if s.Sigma != 0 {
		weights = fmt.Sprintf(", σ=%g", s.Sigma)
	}
	if s.Unit {
		scale = "[0, 1]"
	}
	return fmt.Sprintf("SSIM(window=%d%s, maps in %s, L=%g)", s.Window, weights, scale, s.Range)
}

// Of returns the similarity of two maps of the same width.
func (s SSIM) Of(a, b []float64, width int) (float64, error) {
	s = s.defaults()
	switch {
	case s.Window < 3 || s.Window%2 == 0:
		return 0, fmt.Errorf("measure: Window is %d, must be odd and at least 3", s.Window)
	case !(s.Sigma >= 0 && s.Sigma <= 1000):
		return 0, fmt.Errorf("measure: Sigma is %g, must be from 0 to 1000 pixels", s.Sigma)
	case !(s.Range > 0 && s.Range <= math.MaxFloat64):
		return 0, fmt.Errorf("measure: Range is %g, must be above 0 and finite", s.Range)
	}
	if err := pair(a, b, width); err != nil {
		return 0, err
	}
	height, reach := len(a)/width, s.Window/2
	if min(height, width) < s.Window {
		return 0, fmt.Errorf("measure: maps are of %d×%d pixels, must be at least as large as SSIM's window of %d", height, width, s.Window)
	}
	if flat(a) || flat(b) {
		return math.NaN(), nil
	}
	scale, weights := Signed, filter.Gaussian(math.Inf(1), reach)
	if s.Unit {
		scale = Unit
	}
	if s.Sigma != 0 {
		weights = filter.Gaussian(s.Sigma, reach)
	}
	a, b = scale(a), scale(b)
	const each = 5 // a, b, a², b², ab
	means := make([]float64, each*len(a))
	for i, v := range a {
		copy(means[each*i:], []float64{v, b[i], v * v, b[i] * b[i], v * b[i]})
	}
	filter.Convolve(means, height, width, each, weights)
	n := float64(s.Window * s.Window)
	c1, c2 := math.Pow(.01*s.Range, 2), math.Pow(.03*s.Range, 2)
	var sum float64
	for row := reach; row < height-reach; row++ {
		for column := reach; column < width-reach; column++ {
			m := means[each*(row*width+column):]
			va, vb, vab := m[2]-m[0]*m[0], m[3]-m[1]*m[1], m[4]-m[0]*m[1]
			sum += (2*m[0]*m[1] + c1) * (2*vab*n/(n-1) + c2) / ((m[0]*m[0] + m[1]*m[1] + c1) * ((va+vb)*n/(n-1) + c2))
		}
	}
	return sum / float64((height-2*reach)*(width-2*reach)), nil
}

// HOG compares two maps by the directions of their edges: Pearson's correlation of their histograms of oriented gradients
// (Dalal and Triggs, CVPR 2005), as Adebayo et al., arXiv:1810.03292, do. Cells of 16 pixels are those of their notebooks, which
// correlate ranks instead: Spearman of Features.
type HOG struct {
	Orientations int // bins of the half circle; 0 is 9
	Cell         int // side of the cells that have a histogram each, in pixels; 0 is 16
	Block        int // side of the blocks whose histograms are divided by their length, in cells; 0 is 3
}

func (h HOG) defaults() HOG {
	return HOG{cmp.Or(h.Orientations, 9), cmp.Or(h.Cell, 16), cmp.Or(h.Block, 3)}
}

// String names the cells and the blocks.
func (h HOG) String() string {
	h = h.defaults()
	return fmt.Sprintf("HOG(orientations=%d, cell=%d, block=%d)", h.Orientations, h.Cell, h.Block)
}

// Of returns the correlation of two maps of the same width. A map without edges has NaN.
func (h HOG) Of(a, b []float64, width int) (float64, error) {
	if err := pair(a, b, width); err != nil {
		return 0, err
	}
	f, err := h.Features(a, width)
	if err != nil {
		return 0, err
	}
	g, err := h.Features(b, width)
	if err != nil {
		return 0, err
	}
	return Pearson(f, g)
}

// Features returns the histograms of a map that has been brought to [0, 1]: for each block, row by row, those of its
// cells, row by row, divided by their length, cut at .2, and divided again (L2-Hys), as scikit-image's hog. A pixel counts in
// the one bin of its gradient, by its length. Pixels that fill no cell are left out. A map whose values are all equal has
// NaN.
func (h HOG) Features(m []float64, width int) ([]float64, error) {
	h = h.defaults()
	if min(h.Orientations, h.Cell, h.Block) < 1 {
		return nil, fmt.Errorf("measure: %s: all must be at least 1", h)
	}
	if err := rows(m, width); err != nil {
		return nil, err
	}
	height := len(m) / width
	down, across := height/h.Cell, width/h.Cell
	if min(down, across) < h.Block {
		return nil, fmt.Errorf("measure: a map is of %d×%d pixels, must be at least as large as a block of %d, for %s: try a Cell of %d",
			height, width, h.Block*h.Cell, h, max(1, min(height, width)/h.Block))
	}
	if m = Unit(m); slices.ContainsFunc(m, math.IsNaN) {
		features := (down - h.Block + 1) * (across - h.Block + 1) * h.Block * h.Block * h.Orientations
		return slices.Repeat([]float64{math.NaN()}, features), nil
	}
	cells := make([]float64, down*across*h.Orientations)
	for row := range down * h.Cell {
		for column := range across * h.Cell {
			i := row*width + column
			var gx, gy float64
			if column > 0 && column < width-1 {
				gx = m[i+1] - m[i-1]
			}
			if row > 0 && row < height-1 {
				gy = m[i+width] - m[i-width]
			}
			angle := math.Atan2(gy, gx) / math.Pi
			if angle < 0 {
				angle++ // a direction and its opposite are one
			}
			bin := int(angle*float64(h.Orientations)) % h.Orientations // 1 is 0 again
			cells[(row/h.Cell*across+column/h.Cell)*h.Orientations+bin] += math.Hypot(gx, gy) / float64(h.Cell*h.Cell)
		}
	}
	var out []float64
	for top := range down - h.Block + 1 {
		for left := range across - h.Block + 1 {
			var block []float64
			for row := top; row < top+h.Block; row++ {
				block = append(block, cells[(row*across+left)*h.Orientations:][:h.Block*h.Orientations]...)
			}
			for _, most := range []float64{.2, math.Inf(1)} {
				length := 1e-10
				for _, v := range block {
					length += v * v
				}
				for i, v := range block {
					block[i] = min(v/math.Sqrt(length), most)
				}
			}
			out = append(out, block...)
		}
	}
	return out, nil
}

// pair returns an error if two maps are not of the same size, in whole rows of a width.
func pair(a, b []float64, width int) error {
	if len(a) != len(b) {
		return fmt.Errorf("measure: maps have %d and %d pixels, must have equally many", len(a), len(b))
	}
	return rows(a, width)
}

// flat reports whether all values of a map are equal.
func flat(m []float64) bool {
	for _, v := range m {
		if v != m[0] {
			return false
		}
	}
	return true
}

// silent reports whether a map orders nothing: all its values are equal, or one is NaN.
func silent(m []float64) bool { return flat(m) || slices.ContainsFunc(m, math.IsNaN) }
