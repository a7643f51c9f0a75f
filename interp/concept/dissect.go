package concept

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"lucigo/internal/filter"
	"lucigo/internal/parallel"
	"lucigo/interp"
)

// Labelled is images of which it is known where they show what.
type Labelled interface {
	interp.Source

	// Labels names what can be shown.
	Labels() []string

	// Masks returns for each label which pixels of image i show it, row by row, or nil where none does.
	Masks(i int) [][]bool
}

// Dissection asks of each unit of a layer where in images it is on, and of each label how well that agrees with where the images show it:
// Bau, Zhou, Khosla, Oliva and Torralba, arXiv:1704.05796, section 3. A unit is a channel.
type Dissection struct {
	Share    float64 // of all places at which a unit counts as on: those of its largest values; 0 is .005, theirs
	Batch    int     // images that go through the network together; 0 is 64
	Progress func(done, of int)
}

// Detectors is what came of a dissection.
type Detectors struct {
	Layer  string
	Labels []string
	Level  []float64 // of each unit: the value above which it is on

	// IoU is how well each unit's places agree with each label's, over all images together: IoU[unit][label] is the number of
	// pixels that are both, as a share of those that are either; NaN where there are none.
	IoU [][]float64
}

// Detects is the IoU above which a unit is said to detect a label in arXiv:1704.05796.
const Detects = .04

// mostKept is how many values may be kept at once to find the levels: 2 GiB.
const mostKept = 1 << 28

// Best returns the label that a unit agrees with most, and how well; −1 and NaN where there is none.
func (d Detectors) Best(unit int) (label int, iou float64) {
	label, iou = -1, math.NaN()
	for k, v := range d.IoU[unit] {
		if v == v && !(v <= iou) {
			label, iou = k, v
		}
	}
	return label, iou
}

// Share is the share of the units that detect a label.
func (d Detectors) Share() (share float64) {
	for u := range d.IoU {
		if _, iou := d.Best(u); iou > Detects {
			share += 1 / float64(len(d.IoU))
		}
	}
	return share
}

// Shown returns copies of the images in which all that a unit is off for is dimmed, to a third: what it sees of them.
func (d Detectors) Shown(ctx context.Context, m *interp.Model, unit int, x interp.Images) (interp.Images, error) {
	if unit < 0 || unit >= len(d.Level) {
		return interp.Images{}, fmt.Errorf("concept: the unit is %d, must be from 0 to %d at layer %q", unit, len(d.Level)-1, d.Layer)
	}
	a, err := m.Activations(ctx, x, d.Layer)
	if err != nil {
		return interp.Images{}, err
	}
	if shape := a[0].Shape; len(shape) != 3 || shape[2] != len(d.Level) {
		return interp.Images{}, fmt.Errorf("concept: layer %q of %s has values of shape %v, and the dissection is of %d units", d.Layer, m.Name(), shape, len(d.Level))
	}
	x.Pix = slices.Clone(x.Pix)
	large := make([]float64, x.H*x.W)
	for i := range x.N {
		on := enlarge(large, x.H, x.W, a[0], i, unit, d.Level[unit])
		for p, v := range large {
			if on && v > d.Level[unit] {
				continue
			}
			for c := range x.C {
				x.Of(i)[p*x.C+c] /= 3
			}
		}
	}
	return x, nil
}

// enlarge reports whether a unit is above a level anywhere in image i. If it is, its values there are written, enlarged to h×w.
func enlarge(large []float64, h, w int, values interp.Activations, i, unit int, level float64) bool {
	rows, columns, units := values.Shape[0], values.Shape[1], values.Shape[2]
	grid := make([]float64, rows*columns)
	for p := range grid {
		grid[p] = values.Of(i)[p*units+unit]
	}
	if !(slices.Max(grid) > level) {
		return false
	}
	filter.Enlarge(large, h, w, grid, rows, columns)
	return true
}

// Run dissects a layer, which must have positions. The images go through the network twice: to find each unit's level, and to
// compare. Each unit's values are enlarged bilinearly to the size of the images, as Grad-CAM's are; Bau et al. anchor them at the centres
// of the receptive fields.
func (d Dissection) Run(ctx context.Context, m *interp.Model, data Labelled, layer string) (Detectors, error) {
	out := Detectors{Layer: layer, Labels: data.Labels()}
	share, batch := cmp.Or(d.Share, .005), cmp.Or(d.Batch, 64)
	switch {
	case !(share > 0 && share < 1):
		return out, fmt.Errorf("concept: Share is %g, must be above 0 and below 1, or 0 for .005", share)
	case batch < 1:
		return out, fmt.Errorf("concept: Batch is %d, must be at least 1, or 0 for 64", batch)
	case data.Len() == 0 || len(out.Labels) == 0:
		return out, fmt.Errorf("concept: the data has %d images and %d labels, must have at least one of each", data.Len(), len(out.Labels))
	}
	h, w, _ := m.Input()
	shape, err := m.Shape(layer, h, w)
	if err != nil {
		return out, err
	}
	if len(shape) != 3 {
		return out, fmt.Errorf("concept: layer %q has values of shape %v, must have positions: rows, columns and channels", layer, shape)
	}
	rows, columns, units := shape[0], shape[1], shape[2]
	most := 1 + int(share*float64(rows*columns*data.Len())) // the level is the largest value that is not on
	if 4*most*units > mostKept {
		return out, fmt.Errorf("concept: layer %q has %d units, of each of which %d values are on in %d images, must be at most %d values in all: take fewer images, or a smaller Share",
			layer, units, most-1, data.Len(), mostKept/4)
	}

	pass := func(done int, each func(first int, values interp.Activations) error) error {
		for first := 0; first < data.Len(); first += batch {
			if d.Progress != nil {
				d.Progress(done+first, 2*data.Len())
			}
			x, err := interp.Read(ctx, data, first, min(first+batch, data.Len()))
			if err != nil {
				return err
			}
			if x.H != h || x.W != w {
				return fmt.Errorf("concept: images of %s are %d×%d, must be %d×%d as %s takes them", data, x.H, x.W, h, w, m.Name())
			}
			a, err := m.Activations(ctx, x, layer)
			if err != nil {
				return err
			}
			if err := each(first, a[0]); err != nil {
				return err
			}
		}
		return nil
	}
	largest := make([]top, units)
	for u := range largest {
		largest[u].most = most
	}
	err = pass(0, func(_ int, values interp.Activations) error {
		parallel.For(units, func(u int) {
			for k := u; k < len(values.Data); k += units {
				largest[u].add(values.Data[k])
			}
		})
		return nil
	})
	if err != nil {
		return out, err
	}
	for u := range largest {
		out.Level = append(out.Level, largest[u].least())
	}

	both, on, shown := make([][]int, units), make([]int, units), make([]int, len(out.Labels))
	for u := range both {
		both[u] = make([]int, len(out.Labels))
	}
	err = pass(data.Len(), func(first int, values interp.Activations) error {
		masks := make([][][]bool, values.N)
		parallel.For(values.N, func(i int) { masks[i] = data.Masks(first + i) })
		for i, of := range masks {
			if len(of) != len(out.Labels) {
				return fmt.Errorf("concept: image %d of %s has %d masks, must have one for each of %d labels, or nil", first+i, data, len(of), len(out.Labels))
			}
			for k, mask := range of {
				if mask != nil && len(mask) != h*w {
					return fmt.Errorf("concept: image %d of %s has a mask of %d pixels for %s, must be of %d×%d", first+i, data, len(mask), out.Labels[k], h, w)
				}
				for _, in := range mask {
					shown[k] += count(in)
				}
			}
		}
		parallel.For(units, func(u int) {
			large := make([]float64, h*w)
			for i := range values.N {
				if !enlarge(large, h, w, values, i, u, out.Level[u]) {
					continue
				}
				for p, v := range large {
					if !(v > out.Level[u]) {
						continue
					}
					on[u]++
					for k, mask := range masks[i] {
						if mask != nil {
							both[u][k] += count(mask[p])
						}
					}
				}
			}
		})
		return nil
	})
	if err != nil {
		return out, err
	}
	for u := range units {
		var iou []float64
		for k, n := range both[u] {
			iou = append(iou, float64(n)/float64(on[u]+shown[k]-n))
		}
		out.IoU = append(out.IoU, iou)
	}
	return out, nil
}

func count(in bool) int {
	if in {
		return 1
	}
	return 0
}

// top keeps the largest of many values.
type top struct {
	most int
	kept []float64
}

func (t *top) add(v float64) {
	if t.kept = append(t.kept, v); len(t.kept) == 4*t.most {
		t.cut()
	}
}

func (t *top) cut() {
	slices.SortFunc(t.kept, func(a, b float64) int { return cmp.Compare(b, a) })
	t.kept = t.kept[:min(len(t.kept), t.most)]
}

// least returns the least of the largest values that are asked for.
func (t *top) least() float64 {
	t.cut()
	return t.kept[len(t.kept)-1]
}
