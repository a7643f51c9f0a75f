package featvis

import (
	"math"

	"lucigo/interp"
)

// View returns images as a network sees them through the map: of their size, at each place the image at its
// map, between the nearest four pixels, and grey, 0.5, beyond the image. Classes and keys stay.
func (a Affine) View(x interp.Images) interp.Images {
	seen := x
	seen.Pix = make([]float64, len(x.Pix))
	cx, cy := float64(x.W-1)/2, float64(x.H-1)/2
	for row := range x.H {
		for column := range x.W {
			vx, vy := float64(column)-cx, float64(row)-cy
			px, py := a[0]*vx+a[1]*vy+a[2]+cx, a[3]*vx+a[4]*vy+a[5]+cy
			for n := range x.N {
				between(x, n, px, py, seen.Pixel(n, row, column))
			}
		}
	}
	return seen
}

// between fills dst with the channels of image n at column px and row py.
func between(x interp.Images, n int, px, py float64, dst []float64) {
	const grey = .5
	for c := range dst {
		dst[c] = grey
	}
	if !(px > -1 && px < float64(x.W) && py > -1 && py < float64(x.H)) {
		return
	}
	left, top := int(math.Floor(px)), int(math.Floor(py))
	for row := max(top, 0); row <= min(top+1, x.H-1); row++ {
		for column := max(left, 0); column <= min(left+1, x.W-1); column++ {
			weight := (1 - math.Abs(px-float64(column))) * (1 - math.Abs(py-float64(row)))
			for c, v := range x.Pixel(n, row, column) {
				dst[c] += weight * (v - grey)
			}
		}
	}
}

// Turned returns the view of an image that is turned clockwise about its middle, and then shifted by pixels
// to the right and down.
func Turned(degrees, right, down float64) Affine {
	return turn(degrees).After(Affine{1, 0, -right, 0, 1, -down})
}
