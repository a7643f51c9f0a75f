package measure

import (
	"cmp"
	"fmt"
	"image"
	"math"
	"slices"
)

// marked returns where a mask is above a half, and in how many pixels. Known is false where no measure of the map by the
// mask has an answer: the map has a NaN, or the mask has one, marks nothing, or marks everything.
func marked(m, mask []float64) (in []bool, n int, known bool, err error) {
	if len(m) != len(mask) {
		return nil, 0, false, fmt.Errorf("measure: a mask has %d pixels, must have the map's %d", len(mask), len(m))
	}
	in = make([]bool, len(mask))
	for i, v := range mask {
		if in[i] = v > .5; in[i] {
			n++
		}
	}
	known = 0 < n && n < len(mask) && !slices.ContainsFunc(m, math.IsNaN) && !slices.ContainsFunc(mask, math.IsNaN)
	return in, n, known, nil
}

// Mass is the share of a map's magnitude that lies where mask is above a half, in [0, 1]: the relevance mass accuracy of
// Arras, Osman and Samek, arXiv:2003.07258. A map of zeros has NaN, and so has a mask of everything or of nothing.
func Mass(m []float64, mask []float64) (float64, error) {
	in, _, known, err := marked(m, mask)
	if err != nil || !known {
		return math.NaN(), err
	}
	var inside, all float64
	for i, v := range m {
		all += math.Abs(v)
		if in[i] {
			inside += math.Abs(v)
		}
	}
	return inside / all, nil
}

// AUROC is the chance that a pixel where mask is above a half has a larger value than one elsewhere, equal values counting
// one half, in [0, 1]: the area under the curve of hits against false alarms, by the statistic of Mann and Whitney. Values
// count with their sign. A map whose values are all equal has NaN, and so has a mask of everything or of nothing.
func AUROC(m []float64, mask []float64) (float64, error) {
	in, n, known, err := marked(m, mask)
	if err != nil || !known || flat(m) {
		return math.NaN(), err
	}
	sum := 0.0
	for i, r := range ranks(m) {
		if in[i] {
			sum += r
		}
	}
	return (sum - float64(n)*float64(n-1)/2) / (float64(n) * float64(len(m)-n)), nil
}

// RankAccuracy is the share of the largest values, as many as mask has pixels above a half, that lie there, in [0, 1]: the
// relevance rank accuracy of Arras, Osman and Samek, arXiv:2003.07258. Values count with their sign. Where
// equal values are more than what is left to take, each counts by the chance that it is taken. A map whose values are all
// equal has NaN, and so has a mask of everything or of nothing.
func RankAccuracy(m []float64, mask []float64) (float64, error) {
	in, n, known, err := marked(m, mask)
	if err != nil || !known || flat(m) {
		return math.NaN(), err
	}
	sorted := slices.Sorted(slices.Values(m))
	least := sorted[len(m)-n] // of the values that are taken
	var above, aboveIn, equal, equalIn float64
	for i, v := range m {
		switch {
		case v > least:
			above++
			if in[i] {
				aboveIn++
			}
		case v == least:
			equal++
			if in[i] {
				equalIn++
			}
		}
	}
	return (aboveIn + (float64(n)-above)*equalIn/equal) / float64(n), nil
}

// PointingGame asks whether the largest value of a map is where a mask is above a half: Zhang, Lin, Brandt, Shen and
// Sclaroff, arXiv:1608.00507, section 4.1.
type PointingGame struct {
	Tolerance float64 // how far beside the mask is a hit, in pixels; theirs is 15, in images of 224 and more
}

// String names the tolerance.
func (p PointingGame) String() string { return fmt.Sprintf("pointing game(tolerance=%g)", p.Tolerance) }

// Of returns 1 for a hit and 0 for a miss; where several pixels have the largest value, the share of them that hit. Values
// count with their sign. A map whose values are all equal has NaN, and so has a mask that, with the tolerance, is of
// everything, or of nothing.
func (p PointingGame) Of(m, mask []float64, width int) (float64, error) {
	if !(p.Tolerance >= 0 && p.Tolerance <= math.MaxFloat64) {
		return 0, fmt.Errorf("measure: Tolerance is %g, must be at least 0 and finite", p.Tolerance)
	}
	if err := rows(m, width); err != nil {
		return 0, err
	}
	if len(m) == len(mask) {
		mask = grown(mask, width, p.Tolerance)
	}
	in, _, known, err := marked(m, mask)
	if err != nil || !known || flat(m) {
		return math.NaN(), err
	}
	most, hits, all := slices.Max(m), 0.0, 0.0
	for i, v := range m {
		if v == most {
			all++
			if in[i] {
				hits++
			}
		}
	}
	return hits / all, nil
}

// grown returns a mask with all that is within a distance of it.
func grown(mask []float64, width int, distance float64) []float64 {
	out, height := slices.Clone(mask), len(mask)/width
	down := int(min(distance, float64(height)))
	for dy := -down; dy <= down; dy++ {
		across := int(min(math.Sqrt(distance*distance-float64(dy*dy)), float64(width)))
		for row := max(0, -dy); row < min(height, height-dy); row++ {
			to, end := out[(row+dy)*width:][:width], 0
			for column, v := range mask[row*width:][:width] {
				if !(v > .5) {
					continue
				}
				from := max(column-across, end)
				end = min(column+across+1, width)
				for k := from; k < end; k++ {
					to[k] = 1
				}
			}
		}
	}
	return out
}

// Box finds an object in a class activation map: the box around the largest part that is connected, by sides or corners, of
// the pixels above a share of the largest value: Zhou, Khosla, Lapedriza, Oliva and Torralba, arXiv:1512.04150, section 3.2.
type Box struct {
	Threshold float64 // the share; 0 is .2
}

// String names the threshold.
func (b Box) String() string { return fmt.Sprintf("box(threshold=%g)", cmp.Or(b.Threshold, .2)) }

// Of returns the box in a map, of equally large parts that of the first. It is empty where the map's values are all equal,
// none is above 0, or one is NaN.
func (b Box) Of(m []float64, width int) (image.Rectangle, error) {
	share := cmp.Or(b.Threshold, .2)
	if !(share > 0 && share < 1) {
		return image.Rectangle{}, fmt.Errorf("measure: Threshold is %g, must be between 0 and 1", share)
	}
	if err := rows(m, width); err != nil {
		return image.Rectangle{}, err
	}
	most := 0.0
	for _, v := range m {
		most = max(most, v) // NaN stays
	}
	if flat(m) || !(most > 0) {
		return image.Rectangle{}, nil
	}
	var best image.Rectangle
	seen, largest := make([]bool, len(m)), 0
	for i := range m {
		var box image.Rectangle
		size, next := 0, []int{i}
		for len(next) > 0 {
			k := next[len(next)-1]
			next = next[:len(next)-1]
			if seen[k] || !(m[k] > share*most) {
				continue
			}
			seen[k] = true
			size++
			x, y := k%width, k/width
			box = box.Union(image.Rect(x, y, x+1, y+1))
			for row := max(y-1, 0); row <= min(y+1, len(m)/width-1); row++ {
				for column := max(x-1, 0); column <= min(x+1, width-1); column++ {
					next = append(next, row*width+column)
				}
			}
		}
		if size > largest {
			best, largest = box, size
		}
	}
	return best, nil
}

// Around returns the box around all of a mask that is above a half; it is empty where nothing is.
func Around(mask []float64, width int) (image.Rectangle, error) {
	var box image.Rectangle
	if err := rows(mask, width); err != nil {
		return box, err
	}
	for i, v := range mask {
		if v > .5 {
			box = box.Union(image.Rect(i%width, i/width, i%width+1, i/width+1))
		}
	}
	return box, nil
}

// IoU is the area that two boxes share, as a share of the area of both together, in [0, 1]. Where one is empty it is NaN. A
// box that has at least .5 counts as found in the ImageNet challenge (Russakovsky et al., arXiv:1409.0575, section 4.2).
func IoU(a, b image.Rectangle) float64 {
	area := func(r image.Rectangle) float64 { return float64(r.Dx()) * float64(r.Dy()) }
	if a.Empty() || b.Empty() {
		return math.NaN()
	}
	shared := area(a.Intersect(b))
	return shared / (area(a) + area(b) - shared)
}
