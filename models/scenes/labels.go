package scenes

import (
	"math"
	"slices"
)

// colourNames are of [colourName].
var colourNames = []string{"black", "grey", "white", "red", "orange", "yellow", "green", "cyan", "blue", "purple"}

// colourName is the place in colourNames of a colour: one without much hue is black, grey or white, and others go by their hue.
func colourName(c RGB) int {
	high, low := max(c[0], c[1], c[2]), min(c[0], c[1], c[2])
	switch spread := high - low; {
	case high < .2:
		return 0
	case spread < .15*high && high > .85:
		return 2
	case spread < .15*high:
		return 1
	}
	for k, end := range []float64{20, 45, 70, 165, 200, 260, 340, 360} {
		if hue(c) < end {
			return 3 + k%7
		}
	}
	return 3
}

// hue is the angle of a colour on the wheel, in degrees from red, [0, 360).
func hue(c RGB) float64 {
	a := math.Atan2(math.Sqrt(3)*(c[1]-c[2]), 2*c[0]-c[1]-c[2]) * 180 / math.Pi
	return math.Mod(a+360, 360)
}

// Labels names what [Stream.Masks] finds in the scenes: the task's shapes, its surfaces, its objects, which are a shape with a surface,
// and colours.
func (s Stream) Labels() (names []string) {
	shapes, surfaces := s.Task.parts()
	for _, v := range shapes {
		names = append(names, v.String())
	}
	for _, v := range surfaces {
		names = append(names, v.String())
	}
	names = append(names, Task{Shapes: shapes, Surfaces: surfaces}.Classes()...)
	return append(names, colourNames...)
}

// Masks returns for each label which pixels of scene i show it, row by row, or nil where none does. Shapes, surfaces and objects
// are where at least half of a pixel is the object's; colours are where they are, in the background too.
func (s Stream) Masks(i int) [][]bool {
	p := s.Task.Sample(s.Seed, i).Draw(s.size())
	object := make([]bool, len(p.Mask))
	for k, v := range p.Mask {
		object[k] = v >= .5
	}
	labels := s.Labels()
	masks := make([][]bool, len(labels))
	for _, name := range []string{p.Scene.Shape.String(), p.Scene.Surface.String(), ByBoth.of(p.Scene.Shape, p.Scene.Surface)} {
		masks[slices.Index(labels, name)] = object
	}
	colours := masks[len(masks)-len(colourNames):]
	for k := range object {
		name := colourName(RGB{float64(p.RGB[3*k]) / 255, float64(p.RGB[3*k+1]) / 255, float64(p.RGB[3*k+2]) / 255})
		if colours[name] == nil {
			colours[name] = make([]bool, len(object))
		}
		colours[name][k] = true
	}
	return masks
}
