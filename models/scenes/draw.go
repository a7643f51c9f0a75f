package scenes

import (
	"fmt"
	"math"
)

// Picture is a drawn scene: Size × Size pixels, row by row from the top.
type Picture struct {
	Scene Scene
	Size  int
	RGB   []uint8   // [Size·Size·3], 0 … 255: quantised as a photograph is
	Mask  []float32 // [Size·Size] share of the pixel that the solid covers: 0, ¼, ½, ¾, 1
	Depth []float32 // [Size·Size] distance from the camera's plane in object units, the solid's centre being at 4; NaN where Mask is 0
	U, V  []float32 // [Size·Size] surface coordinates in pattern periods; NaN where Mask is 0
}

const (
	camera = 4 // distance of the camera from the solid's centre, in object units
	rays   = 2 // rays per pixel along each axis
)

// Draw makes the picture, size × size pixels with 2×2 rays each. Depth, U and V belong to the first ray of a pixel that hits the solid.
// It panics for a size below 1, and for a shape or surface that is none of those named here.
func (s Scene) Draw(size int) *Picture {
	if size < 1 || nameless(int(s.Shape), shapeNames) || nameless(int(s.Surface), surfaceNames) {
		panic(fmt.Sprintf("scenes: no picture of %d×%[1]d pixels of a %v %v", size, s.Surface, s.Shape))
	}
	n := size * size
	p := &Picture{Scene: s, Size: size, RGB: make([]uint8, 3*n), Mask: make([]float32, n),
		Depth: make([]float32, n), U: make([]float32, n), V: make([]float32, n)}
	v := s.view(reach[s.Shape])
	grain := stream(s.Seed, grainStream)
	var (
		soft = 1.2 / float64(size)
		nan  = float32(math.NaN())
	)
	for i := range n {
		px, py := i%size, i/size
		var sum RGB
		hits := 0
		p.Depth[i], p.U[i], p.V[i] = nan, nan, nan
		for k := range rays * rays {
			x, y := through(i, k, size)
			c, at, ok := v.look(x, y, hits == 0)
			if !ok {
				continue
			}
			if hits == 0 {
				p.Depth[i], p.U[i], p.V[i] = float32(at.depth), float32(at.u), float32(at.v)
			}
			hits++
			for j := range sum {
				sum[j] += c[j]
			}
		}
		cover := float64(hits) / (rays * rays)
		p.Mask[i] = float32(cover)
		c := sum.times(1.0 / (rays * rays))
		if cover < 1 {
			b := s.Background.at((float64(px)+0.5)/float64(size), (float64(py)+0.5)/float64(size), soft)
			for j := range c {
				c[j] += clamp01(b[j]) * (1 - cover)
			}
		}
		for j := range c {
			if s.Grain > 0 {
				c[j] += grain.NormFloat64() * s.Grain
			}
			p.RGB[3*i+j] = uint8(clamp01(c[j])*255 + 0.5)
		}
	}
	return p
}

// through returns the point of the picture, in half image widths from the middle, y up, through which ray k of pixel i goes.
func through(i, k, size int) (x, y float64) {
	px, py := i%size, i/size
	x = (float64(px*rays+k%rays)+0.5)/float64(size*rays)*2 - 1
	y = 1 - (float64(py*rays+k/rays)+0.5)/float64(size*rays)*2
	return x, y
}

// view is a scene made ready to be looked at: camera and light in the solid's own axes.
type view struct {
	*Scene
	x, y, z vec // the camera's axes (right, up, towards it) in the solid's axes
	eye     vec
	light   vec
	bound   float64 // radius, in object units across the picture's plane, of the disc outside which no ray meets the solid
	density float64 // pattern periods per object unit
}

// view returns the scene ready for a solid that fits into the ball of radius r about the origin.
func (s *Scene) view(r float64) view {
	sy, cy := math.Sincos(s.Yaw)
	st, ct := math.Sincos(s.Tilt)
	sr, cr := math.Sincos(s.Roll)
	v := view{Scene: s} // rows of Rz(roll)·Rx(tilt)·Ry(yaw)
	v.x = vec{cr*cy - sr*st*sy, -sr * ct, cr*sy + sr*st*cy}
	v.y = vec{sr*cy + cr*st*sy, cr * ct, sr*sy - cr*st*cy}
	v.z = vec{-ct * sy, st, ct * cy}
	v.eye = v.z.times(camera)
	v.light = v.x.times(s.Light[0]).add(v.y.times(s.Light[1])).add(v.z.times(s.Light[2]))
	v.bound = camera * r / math.Sqrt(camera*camera-r*r)
	v.density = s.Finish.Frequency * density[s.Surface]
	return v
}

type place struct{ depth, u, v float64 }

// look follows the ray through the point (x, y) of the picture, in half image widths from the middle, y up. The surface coordinates
// are only sure to be there when asked for.
func (v *view) look(x, y float64, asked bool) (c RGB, at place, ok bool) {
	d, inv, ok := v.ray(x, y)
	if !ok {
		return c, at, false
	}
	t, n, ok := v.Shape.hit(v.eye, d)
	if !ok {
		return c, at, false
	}
	p := v.eye.along(d, t)
	var ch chart
	if asked || v.Surface.charted() {
		ch = v.Shape.chart(p, n, v.density)
	}
	c = v.Colours[0].mix(v.Colours[1], v.Finish.mix(v.Surface, p, ch))

	bright, shine := v.lit(n, d)
	for j := range c {
		c[j] = clamp01(c[j]*bright + shine)
	}
	return c, place{t * camera * inv, ch.u, ch.v}, true
}

// ray returns the direction of the ray through a point of the picture, of length 1, and the distance of 1/inv that it makes on its
// way to the plane of the solid's centre; not ok for a ray that cannot meet the solid.
func (v *view) ray(x, y float64) (d vec, inv float64, ok bool) {
	qx, qy := (x-v.X)/v.Size, (y-v.Y)/v.Size
	if !(qx*qx+qy*qy < v.bound*v.bound) {
		return d, 0, false
	}
	inv = 1 / math.Sqrt(qx*qx+qy*qy+camera*camera)
	return v.x.times(qx * inv).add(v.y.times(qy * inv)).add(v.z.times(-camera * inv)), inv, true
}

// lit returns how bright a surface with outward normal n is that a ray in direction d meets, and the strength of the highlight there.
func (v *view) lit(n, d vec) (bright, shine float64) {
	bright = v.Ambient + (1.05-v.Ambient)*max(0, n.dot(v.light))
	if v.Gloss > 0 {
		half := v.light.add(d.times(-1)).unit() // Blinn's half-way direction
		shine = v.Gloss * power(max(0, n.dot(half)), v.Shine)
	}
	return bright, shine
}

// power returns x to the n by repeated squaring.
func power(x float64, n int) float64 {
	y := 1.0
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			y *= x
		}
		x *= x
	}
	return y
}
