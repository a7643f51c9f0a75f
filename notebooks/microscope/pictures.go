package microscope

import (
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"

	"lucigo/internal/atomicfile"
	"lucigo/interp"
	"lucigo/interp/featvis"
	"lucigo/interp/objective"
)

// scored is the scores of optimised images of units, the mean of a unit over its positions.
type scored struct{ Raised, Lowered []float64 }

// together is how many units are optimised at once. Batches are always cut alike, so that a site that was broken off ends as another does.
const together = 64

// pictures optimises an image that raises each unit and one that lowers it. A batch is done when its scores are there, which are
// written after its images.
func (w *work) pictures(ctx context.Context) ([]scored, error) {
	out := make([]scored, len(w.layers))
	done, of := 0, 0
	for _, l := range w.layers {
		of += l.Units
	}
	for k, l := range w.layers {
		side, err := w.side(l)
		if err != nil {
			return nil, err
		}
		for first := 0; first < l.Units; first += together {
			var units []int
			for u := first; u < min(first+together, l.Units); u++ {
				units = append(units, u)
			}
			path := w.path(dataFolder, fmt.Sprintf("%s.%s.scores.json", l.Folder, l.file(first)))
			var s scored
			ok, err := w.load(path, &s)
			if err != nil {
				return nil, err
			}
			if !ok || len(s.Raised) != len(units) || len(s.Lowered) != len(units) || !w.drawn(l, units) {
				told := func(part float64) { w.tell("optimised images", done+int(part*float64(len(units))), of) }
				if s, err = w.optimise(ctx, l, side, units, told); err != nil {
					return nil, err
				}
				if err := w.save(path, s); err != nil {
					return nil, err
				}
			}
			out[k].Raised, out[k].Lowered = append(out[k].Raised, s.Raised...), append(out[k].Lowered, s.Lowered...)
			done += len(units)
		}
	}
	w.tell("optimised images", done, of)
	return out, nil
}

// optimise makes and writes the images of a batch of units, and says how much of that is done.
func (w *work) optimise(ctx context.Context, l layerOf, side [2]int, units []int, told func(part float64)) (s scored, err error) {
	up, down := w.about.Steps, max(1, w.about.Steps/4)
	r := featvis.Render{Steps: up, Height: side[0], Width: side[1]}
	r.Progress = func(done, _ int) { told(float64(done) / float64(up+down)) }
	for _, u := range units {
		r.Keys = append(r.Keys, uint64(u))
	}
	o := objective.Channels(l.Name, units...)
	raised, err := r.Final(ctx, w.m, o)
	if err != nil {
		return s, err
	}
	r.Steps, r.Minimise = down, true
	r.Progress = func(done, _ int) { told(float64(up+done) / float64(up+down)) }
	lowered, err := r.Final(ctx, w.m, o)
	if err != nil {
		return s, err
	}
	for i, u := range units {
		for ending, f := range map[string]featvis.Frame{upEnding: raised, downEnding: lowered} {
			if err := write(w.path(l.Folder, l.file(u)+ending), f.Images, i); err != nil {
				return s, err
			}
		}
	}
	return scored{raised.Score, lowered.Score}, nil
}

// The endings of the names of optimised images.
const (
	upEnding   = "-up.png"
	downEnding = "-down.png"
)

// drawn reports whether the images of units are there.
func (w *work) drawn(l layerOf, units []int) bool {
	for _, u := range units {
		for _, ending := range []string{upEnding, downEnding} {
			if _, err := os.Stat(w.path(l.Folder, l.file(u)+ending)); err != nil {
				return false
			}
		}
	}
	return true
}

// side is the height and width of the optimised images of a layer: the site's, or the network's input where the layer takes no other.
func (w *work) side(l layerOf) ([2]int, error) {
	size := w.about.Size
	shape, err := w.m.Shape(l.Name, size, size)
	if err == nil && shape[len(shape)-1] == l.Units {
		return [2]int{size, size}, nil
	}
	h, wd, _ := w.m.Input()
	_, err = w.m.Shape(l.Name, h, wd)
	return [2]int{h, wd}, err
}

// write writes image i of x as the ending of the name says.
func write(path string, x interp.Images, i int) error {
	m, err := x.Image(i)
	if err != nil {
		return err
	}
	return atomicfile.Write(path, 0o666, func(f *os.File) error { return encode(f, m, path) })
}

func encode(f *os.File, m image.Image, path string) error {
	if filepath.Ext(path) == ".jpg" {
		return jpeg.Encode(f, m, &jpeg.Options{Quality: 90})
	}
	return png.Encode(f, m)
}
