package scenes

import (
	"cmp"
	"fmt"
	"math"

	"lucigo/interp/render"
)

// Poses draws views of one solid as [New] draws scenes: pose, place, size, light and background are drawn anew for each. So a solid
// of a [Task] is seen as the networks have learned it.
type Poses struct {
	Body Body // nil is a Sphere
	Size int  // height and width in pixels; 0 is 64
}

// Scene returns scene i ≥ 0 of a seed's endless stream, whatever its shape and surface.
func (p Poses) Scene(seed uint64, i int) Scene {
	return New(scramble(scramble(seed)+uint64(i)), Sphere, Plain)
}

// View returns what the camera sees of the body in scene i.
func (p Poses) View(seed uint64, i int) (*render.View, error) {
	if i < 0 || p.Size < 0 {
		return nil, fmt.Errorf("scenes: Poses: the view is number %d of size %d, neither must be below 0", i, p.Size)
	}
	b := p.Body
	if b == nil {
		b = Sphere
	}
	return p.Scene(seed, i).ViewOf(b, cmp.Or(p.Size, 64))
}

// Yaw returns how far the body is turned about its own axis in scene i, in degrees from 0 to 360.
func (p Poses) Yaw(seed uint64, i int) float64 { return p.Scene(seed, i).Yaw * 180 / math.Pi }
