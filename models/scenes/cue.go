package scenes

import (
	"fmt"
	"slices"

	"lucigo/interp"
	"lucigo/interp/random"
)

// MarkSize is the height and width in pixels of the mark that [Cue] paints.
const MarkSize = 8

// Cue is a mark in the top left corner of images, which may give their class away: four squares, white or black, which
// are the bits of a number, one for each of 16 classes. With probability Share the mark is that of the image's class, and
// otherwise that of a class drawn from all 16; so at 0 it says nothing. Nets that were trained on marked images
// ([Planted]) show whether a picture that explains an answer finds what the answer came from.
type Cue struct {
	Share float64 // from 0 to 1
	Seed  uint64  // another seed, other marks where they are drawn
}

// Marks draws the marks of images that have classes, by their keys.
func (c Cue) Marks(x interp.Images) ([]int, error) {
	if !(c.Share >= 0 && c.Share <= 1) {
		return nil, fmt.Errorf("scenes: Share is %g, must be from 0 to 1", c.Share)
	}
	if len(x.Class) != x.N {
		return nil, fmt.Errorf("scenes: %d images have %d classes, and a mark is of a class", x.N, len(x.Class))
	}
	marks := slices.Clone(x.Class)
	for i, key := range x.Keyed().Key {
		if s := random.New(c.Seed, key, cueSample); s.Uniform(0) >= c.Share {
			marks[i] = s.Intn(1, 1<<markBits)
		}
	}
	return marks, nil
}

const (
	markBits  = 4
	cueSample = 0x63_75_65 // apart from other numbers that are drawn for an image
)

// Paint returns a copy of the images with the given marks: 0 to 15 each.
func Paint(x interp.Images, marks []int) (interp.Images, error) {
	if len(marks) != x.N {
		return x, fmt.Errorf("scenes: %d images have %d marks, must have one each", x.N, len(marks))
	}
	if min(x.H, x.W) < MarkSize {
		return x, fmt.Errorf("scenes: the images are %d×%d, must have room for a mark of %d×%[3]d", x.H, x.W, MarkSize)
	}
	x.Pix = slices.Clone(x.Pix)
	for i, mark := range marks {
		if mark < 0 || mark >= 1<<markBits {
			return x, fmt.Errorf("scenes: mark %d of image %d, must be from 0 to %d", mark, i, 1<<markBits-1)
		}
		for row := range MarkSize {
			for column := range MarkSize {
				bit := row/(MarkSize/2)*2 + column/(MarkSize/2)
				for c := range x.Pixel(i, row, column) {
					x.Pixel(i, row, column)[c] = float64(mark >> bit & 1)
				}
			}
		}
	}
	return x, nil
}

// MarkMask returns the mask of the mark in an image of h×w pixels: 1 where it is painted, 0 elsewhere.
func MarkMask(h, w int) []float64 {
	mask := make([]float64, h*w)
	for row := range min(h, MarkSize) {
		for column := range min(w, MarkSize) {
			mask[row*w+column] = 1
		}
	}
	return mask
}

// RandomLabel returns a class for a scene of the stream of that seed that has nothing to do with what it shows.
func (t Task) RandomLabel(seed uint64, s Scene) int {
	return random.New(seed, s.Seed, cueSample).Intn(0, len(t.Classes()))
}

// RandomLabels draws the first n scenes of the stream as Images does, with RandomLabel's classes.
func (t Task) RandomLabels(seed uint64, n, size int) interp.Images {
	pictures := t.Pictures(seed, n, size)
	x := t.Batch(pictures)
	for i, p := range pictures {
		x.Class[i] = t.RandomLabel(seed, p.Scene)
	}
	return x
}
