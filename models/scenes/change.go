package scenes

import (
	"cmp"
	"fmt"
	"slices"

	"lucigo/internal/parallel"
	"lucigo/interp"
)

// Cause is something about a scene that can be changed while all else stays as it is, so that what an answer depends on
// can be measured.
type Cause int

// The causes.
const (
	TheSurface    Cause = iota // another surface, in the same colours and of the same finish
	TheShape                   // another solid in the same place and pose
	TheColours                 // two other colours of the solid
	TheLight                   // light from elsewhere
	TheBackground              // another background, with its clutter
	ThePose                    // turned, tilted and rolled otherwise
	ThePlace                   // elsewhere and of another size
	TheObject                  // removed: the background alone
)

var causeNames = []string{"surface", "shape", "colours", "light", "background", "pose", "place", "object"}

// String returns the English name, such as "surface".
func (c Cause) String() string { return nameOf("Cause", int(c), causeNames) }

// Causes returns all causes.
func Causes() []Cause {
	all := make([]Cause, len(causeNames))
	for i := range all {
		all[i] = Cause(i)
	}
	return all
}

// Change returns the scene with one cause drawn anew from a seed. Surfaces and shapes are those of the task, and never the same
// again. The grain of the picture stays.
func (t Task) Change(s Scene, c Cause, seed uint64) (Scene, error) {
	shapes, surfaces := t.parts()
	r := stream(scramble(seed)+s.Seed, changeStream)
	other := New(r.Uint64(), s.Shape, s.Surface)
	switch c {
	case TheSurface:
		others := slices.DeleteFunc(slices.Clone(surfaces), func(o Surface) bool { return o == s.Surface })
		if len(others) == 0 {
			return s, fmt.Errorf("scenes: the task has no surface but %v", s.Surface)
		}
		s.Surface = others[r.IntN(len(others))]
	case TheShape:
		others := slices.DeleteFunc(slices.Clone(shapes), func(o Shape) bool { return o == s.Shape })
		if len(others) == 0 {
			return s, fmt.Errorf("scenes: the task has no shape but %v", s.Shape)
		}
		s.Shape = others[r.IntN(len(others))]
	case TheColours:
		s.Colours = other.Colours
	case TheLight:
		s.Light, s.Ambient, s.Gloss, s.Shine = other.Light, other.Ambient, other.Gloss, other.Shine
	case TheBackground:
		s.Background = other.Background
	case ThePose:
		s.Yaw, s.Tilt, s.Roll = other.Yaw, other.Tilt, other.Roll
	case ThePlace:
		s.X, s.Y, s.Size = other.X, other.Y, other.Size
	case TheObject:
		s.Size = 0
	default:
		return s, fmt.Errorf("scenes: %v is no cause, must be one of %v", c, causeNames)
	}
	return s, nil
}

// Parts returns the names of what the scene consists of: the object, each piece of clutter, and the wall, which is all the rest.
func (s Scene) Parts() []string {
	parts := []string{"object"}
	for i := range s.Background.Clutter {
		parts = append(parts, fmt.Sprintf("piece %d", i+1))
	}
	return append(parts, "wall")
}

// Without returns the scene without the given parts, counted as Parts names them: an object or a piece that is not there, and a
// wall of one grey, unevenly bright where it was.
func (s Scene) Without(parts ...int) (Scene, error) {
	last := len(s.Background.Clutter) + 1
	var left []Piece
	for i, p := range s.Background.Clutter {
		if !slices.Contains(parts, i+1) {
			left = append(left, p)
		}
	}
	for _, p := range parts {
		switch {
		case p < 0 || p > last:
			return s, fmt.Errorf("scenes: part %d of a scene, must be from 0 to %d: %v", p, last, s.Parts())
		case p == 0:
			s.Size = 0
		case p == last:
			s.Background.Kind, s.Background.Strength = Even, 0
			s.Background.Colours[0] = RGB{.5, .5, .5}
		}
	}
	s.Background.Clutter = left
	return s, nil
}

// pair draws the objects of two scenes in one picture, before the background of the first: the first's left and the second's right
// of the middle, each about half as wide as the picture, times its size: 0 leaves it out. Mask is where the first is, and other where the
// second is.
func pair(left, right Scene, sizes [2]float64, size int) (p *Picture, other []float32) {
	for i, s := range []*Scene{&left, &right} {
		s.Size, s.Y = .48*sizes[i], min(max(s.Y, -.3), .3)
	}
	left.X, right.X = -.48, .48
	right.Background, right.Grain, right.Seed = left.Background, left.Grain, left.Seed // and with it the grain
	p = left.Draw(size)
	q := right.Draw(size)
	for i, m := range q.Mask {
		switch {
		case m > 0 && p.Mask[i] == 0:
			copy(p.RGB[3*i:3*i+3], q.RGB[3*i:])
		case m > 0: // it is behind the first
			q.Mask[i] = 0
		}
	}
	return p, q.Mask
}

// Subject is a scene that can be drawn again without some of its parts, as package cause asks of one.
type Subject struct {
	Task  Task
	Scene Scene
	Size  int // height and width; 0 is 64
}

// Parts returns the names of the scene's parts.
func (s Subject) Parts() []string { return s.Scene.Parts() }

// Without draws the scene without the given parts: one image, asked about the whole scene's class.
func (s Subject) Without(parts ...int) (interp.Images, error) {
	scene, err := s.Scene.Without(parts...)
	if err != nil {
		return interp.Images{}, err
	}
	return s.Task.Batch([]*Picture{scene.Draw(cmp.Or(s.Size, 64))}), nil
}

// Subjects returns the first n scenes of the task's stream.
func (t Task) Subjects(seed uint64, n int) []Subject {
	all := make([]Subject, n)
	for i := range all {
		all[i] = Subject{Task: t, Scene: t.Sample(seed, i)}
	}
	return all
}

// Duos are pictures of two objects of different classes of a task each, left and right.
type Duos struct {
	Images  interp.Images    // asked about the left object's class
	Classes [2][]int         // of the left and of the right object of each image
	Masks   [2][][]float64   // the share of each pixel that they cover
	Removed [2]interp.Images // the same without the left, and without the right object
}

// Duos draws n pictures of two objects: those of scenes 2i and 2i+1 of the task's stream, of which the second is passed over for the
// next where it has the first's class.
func (t Task) Duos(seed uint64, n int) Duos {
	type drawn struct {
		pictures [3]*Picture // of both, without the left, without the right
		masks    [2][]float64
		classes  [2]int
	}
	all := make([]drawn, n)
	parallel.For(n, func(i int) {
		left, right := t.Sample(seed, 2*i), t.Sample(seed, 2*i+1)
		for k := 2*i + 2; t.Class(right) == t.Class(left) && k < 2*i+64; k++ {
			right = t.Sample(seed, k)
		}
		d := &all[i]
		d.classes = [2]int{t.Class(left), t.Class(right)}
		for k, size := range [][2]float64{{1, 1}, {0, 1}, {1, 0}} {
			p, other := pair(left, right, size, 64)
			if d.pictures[k] = p; k == 0 {
				d.masks = [2][]float64{float64s(p.Mask), float64s(other)}
			}
		}
	})
	var out Duos
	var pictures [3][]*Picture
	for _, d := range all {
		for k := range pictures {
			pictures[k] = append(pictures[k], d.pictures[k])
		}
		for side := range 2 {
			out.Classes[side] = append(out.Classes[side], d.classes[side])
			out.Masks[side] = append(out.Masks[side], d.masks[side])
		}
	}
	out.Images, out.Removed = t.Batch(pictures[0]), [2]interp.Images{t.Batch(pictures[1]), t.Batch(pictures[2])}
	return out
}

func float64s(v []float32) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}
