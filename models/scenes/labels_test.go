package scenes

import (
	"slices"
	"testing"
)

// Masks say where a scene's shape, surface and colours are: the first two where the object is, and each pixel has one colour.
func TestMasksOfLabels(t *testing.T) {
	task := Task{Shapes: []Shape{Cube, Torus}, Surfaces: []Surface{Striped, Wood}}
	s := Stream{Task: task, Seed: 3, N: 8}
	labels := s.Labels()
	if want := []string{"cube", "torus", "striped", "wood", "striped cube", "wood cube", "striped torus", "wood torus", "black"}; !slices.Equal(labels[:9], want) || len(labels) != 18 {
		t.Fatalf("labels %v", labels)
	}
	for i := range s.N {
		scene, masks := task.Sample(3, i), s.Masks(i)
		if len(masks) != len(labels) {
			t.Fatalf("%d masks of %d labels", len(masks), len(labels))
		}
		mask := s.Mask(i)
		for k, name := range labels[:8] {
			shows := name == scene.Shape.String() || name == scene.Surface.String() || name == scene.Surface.String()+" "+scene.Shape.String()
			if (masks[k] != nil) != shows {
				t.Errorf("scene %d, a %v %v, shows %s: %t", i, scene.Surface, scene.Shape, name, masks[k] != nil)
			}
			for p, in := range masks[k] {
				if in != (mask[p] >= .5) {
					t.Fatalf("scene %d, %s, pixel %d: %t where %g of it is the object's", i, name, p, in, mask[p])
				}
			}
		}
		for p := range mask {
			colours := 0
			for _, m := range masks[8:] {
				if m != nil && m[p] {
					colours++
				}
			}
			if colours != 1 {
				t.Fatalf("scene %d, pixel %d has %d colours", i, p, colours)
			}
		}
	}
}

func TestColourNames(t *testing.T) {
	for name, c := range map[string]RGB{
		"black": {.1, .15, .05}, "grey": {.5, .52, .5}, "white": {.95, .96, 1}, "red": {.9, .1, .15}, "orange": {1, .5, 0},
		"yellow": {.9, .9, .2}, "green": {.2, .7, .3}, "cyan": {.1, .8, .85}, "blue": {.1, .2, .9}, "purple": {.6, .1, .8},
	} {
		if got := colourNames[colourName(c)]; got != name {
			t.Errorf("%v is %s, want %s", c, got, name)
		}
	}
	if got := colourNames[colourName(RGB{.9, .1, .2})]; got != "red" { // just below 360°
		t.Errorf("a red with some blue is %s", got)
	}
}
