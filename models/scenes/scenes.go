// Package scenes draws images whose cause of class is known, and holds small networks trained on them.
//
// A [Scene] is one solid (a sphere, cube, cone …) with one surface (striped, wooden, scaly …) at some pose, size and place, under one
// light, before some background. [New] draws all of that from a seed; [Scene.Draw] makes the picture at any size, together with what
// no photograph comes with: the object's mask, the depth and the surface coordinates of every pixel. A [Task] turns scenes into
// labelled images: by default the sixteen classes {cube, cone, torus, cylinder} × {striped, dotted, wood, scales}, so that neither
// the shape nor the surface alone gives the class away.
//
// The same seed gives the same bytes whatever the number of cores. Arithmetic is float64 without reordering; an architecture whose
// compiler fuses multiply and add (arm64) may round a few pixels to the neighbouring 8-bit level.
//
// The pose, the colours, the background and so on are drawn from streams of their own: two scenes of the same seed and different
// surfaces differ in the surface alone, which makes them counterfactual pairs.
package scenes

import "fmt"

// Shape is the solid of a scene. The zero value is [Sphere].
type Shape int

// The solids, all centred at the origin with the y axis up, about one unit in radius.
const (
	Sphere   Shape = iota // radius 0.9
	Cube                  // half edge 0.68
	Cone                  // apex at y = 0.95, base of radius 0.8 at y = −0.75
	Torus                 // radii 0.7 and 0.28, axis y
	Cylinder              // radius 0.58, half height 0.85
	Pyramid               // apex at y = 0.9, square base of half edge 0.75 at y = −0.7
	Capsule               // radius 0.42, centres at y = ±0.55
	Ring                  // a tube: radii 0.64 and 0.84, half height 0.38
)

// Surface is what covers the solid of a scene. The zero value is [Plain].
type Surface int

// The surfaces. Striped, Dotted, Checked, Fur and Scales follow the surface coordinates (u, v) and close where the solid closes;
// Wood and Marble are cut out of a block (functions of the place in space).
const (
	Plain Surface = iota
	Striped
	Dotted
	Checked
	Wood
	Marble
	Fur
	Scales
)

var (
	shapeNames   = []string{"sphere", "cube", "cone", "torus", "cylinder", "pyramid", "capsule", "ring"}
	surfaceNames = []string{"plain", "striped", "dotted", "checked", "wood", "marble", "fur", "scales"}
)

// String returns the English name, such as "torus".
func (s Shape) String() string { return nameOf("Shape", int(s), shapeNames) }

// String returns the English name, such as "striped".
func (s Surface) String() string { return nameOf("Surface", int(s), surfaceNames) }

func nameOf(kind string, i int, names []string) string {
	if nameless(i, names) {
		return fmt.Sprintf("%s(%d)", kind, i)
	}
	return names[i]
}

func nameless(i int, names []string) bool { return i < 0 || i >= len(names) }
