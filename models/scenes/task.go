package scenes

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"lucigo/internal/parallel"
	"lucigo/interp"
)

// Label is what a class of a [Task] means.
type Label int

// The labels. The zero value is ByBoth.
const (
	ByBoth    Label = iota // shape and surface: "striped cube"
	ByShape                // "cube"
	BySurface              // "striped"
)

// Task says which scenes a classifier is asked about and how they are labelled. The zero value is the default task:
// {cube, cone, torus, cylinder} × {striped, dotted, wood, scales}, 16 classes, shape by shape.
type Task struct {
	Shapes   []Shape   // none: cube, cone, torus, cylinder
	Surfaces []Surface // none: striped, dotted, wood, scales
	Label    Label
}

func (t Task) parts() ([]Shape, []Surface) {
	shapes, surfaces := t.Shapes, t.Surfaces
	if len(shapes) == 0 {
		shapes = []Shape{Cube, Cone, Torus, Cylinder}
	}
	if len(surfaces) == 0 {
		surfaces = []Surface{Striped, Dotted, Wood, Scales}
	}
	return shapes, surfaces
}

// Classes returns the names of the classes in order: "striped cube", "dotted cube" … "scales cylinder"; of shapes or surfaces alone
// when labelled by those.
func (t Task) Classes() (names []string) {
	shapes, surfaces := t.parts()
	for _, shape := range shapes {
		for _, surface := range surfaces {
			if name := t.Label.of(shape, surface); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// Class returns the class of a scene, −1 when its shape or surface is not part of the task.
func (t Task) Class(s Scene) int {
	if shapes, surfaces := t.parts(); !slices.Contains(shapes, s.Shape) || !slices.Contains(surfaces, s.Surface) {
		return -1
	}
	return slices.Index(t.Classes(), t.Label.of(s.Shape, s.Surface))
}

// of is the name of the class of a scene with a shape and a surface.
func (l Label) of(shape Shape, surface Surface) string {
	switch l {
	case ByShape:
		return shape.String()
	case BySurface:
		return surface.String()
	}
	return surface.String() + " " + shape.String()
}

// Sample returns scene number i ≥ 0 of the task's endless, balanced stream of that seed: each run of as many scenes as there are
// combinations of shape and surface holds every combination once, in an order of its own.
func (t Task) Sample(seed uint64, i int) Scene {
	shapes, surfaces := t.parts()
	n := len(shapes) * len(surfaces)
	order := stream(scramble(seed)+uint64(i/n), orderStream).Perm(n)
	k := order[i%n]
	return New(scramble(scramble(seed)+uint64(i)), shapes[k/len(surfaces)], surfaces[k%len(surfaces)])
}

// Pictures draws the first n scenes of the stream, on all cores.
func (t Task) Pictures(seed uint64, n, size int) []*Picture {
	pictures := make([]*Picture, n)
	parallel.For(n, func(i int) { pictures[i] = t.Sample(seed, i).Draw(size) })
	return pictures
}

// Images draws the first n scenes of the stream as a batch of images, asked about their own classes and
// keyed by their scenes' seeds.
func (t Task) Images(seed uint64, n, size int) interp.Images {
	return t.Batch(t.Pictures(seed, n, size))
}

// Batch returns pictures of one size as a batch of images, asked about their classes in the task and keyed by their scenes' seeds.
func (t Task) Batch(pictures []*Picture) interp.Images {
	x := interp.Images{N: len(pictures), C: 3}
	for _, p := range pictures {
		x.H, x.W = p.Size, p.Size
		for _, v := range p.RGB {
			x.Pix = append(x.Pix, float64(v)/255)
		}
		x.Class = append(x.Class, t.Class(p.Scene))
		x.Key = append(x.Key, p.Scene.Seed)
	}
	return x
}

// Stream is a task's endless stream of scenes as a data set of N numbered images, drawn when they are asked
// for: what package exemplar scans. Its methods are safe for concurrent use.
type Stream struct {
	Task Task
	Seed uint64
	N    int // images
	Size int // height and width; 0 is 64
}

// String describes the scenes.
func (s Stream) String() string {
	return fmt.Sprintf("%d scenes of seed %d, %d×%[3]d, %v", s.N, s.Seed, s.size(), s.Task.Classes())
}

// Len returns N.
func (s Stream) Len() int { return s.N }

// Name says what scene i shows.
func (s Stream) Name(i int) string {
	scene := s.Task.Sample(s.Seed, i)
	return fmt.Sprintf("%v %v #%d", scene.Surface, scene.Shape, i)
}

// Image draws scene i, asked about its class.
func (s Stream) Image(ctx context.Context, i int) (interp.Images, error) {
	switch {
	case ctx.Err() != nil:
		return interp.Images{}, ctx.Err()
	case i < 0 || i >= s.N:
		return interp.Images{}, fmt.Errorf("scenes: the image is number %d, must be from 0 to %d", i, s.N-1)
	case s.Size < 0:
		return interp.Images{}, fmt.Errorf("scenes: Size is %d, must be at least 0", s.Size)
	}
	return s.Task.Batch([]*Picture{s.Task.Sample(s.Seed, i).Draw(s.size())}), nil
}

// Mask returns which pixels of scene i belong to the object, from 0 to 1.
func (s Stream) Mask(i int) []float64 {
	return float64s(s.Task.Sample(s.Seed, i).Draw(s.size()).Mask)
}

func (s Stream) size() int { return cmp.Or(s.Size, 64) }
