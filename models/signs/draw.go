package signs

import (
	"image"
	"image/color"
	"math"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/math/fixed"

	"lucigo/internal/typeface"
	"lucigo/interp"
	"lucigo/interp/render"
)

// Octagon returns the corners of the stop sign in StopSign's picture, from 0 to 1 right of its left and below its top edge.
func Octagon() [][2]float64 { return octagon(1) }

// octagon is a regular one around the middle whose flat sides are so far apart.
func octagon(across float64) (corners [][2]float64) {
	for k := range 8 {
		sin, cos := math.Sincos((float64(k) + .5) * math.Pi / 4)
		r := across / 2 / math.Cos(math.Pi/8)
		corners = append(corners, [2]float64{.5 + r*cos, .5 + r*sin})
	}
	return corners
}

// StopSign draws a stop sign of size×size pixels, one image that is asked about Stop: a red octagon with a white rim and the
// word, as the Vienna Convention on Road Signs has it. Outside Octagon the picture is black.
func StopSign(size int) interp.Images {
	const fine = 4 // pixels of the drawing for each of the picture's
	n := size * fine
	sign := image.NewRGBA(image.Rect(0, 0, n, n))
	white, red := color.RGBA{222, 220, 222, 255}, color.RGBA{140, 34, 38, 255}
	for _, part := range []struct {
		across float64
		colour color.RGBA
	}{{1, white}, {.9, red}} {
		corners := octagon(part.across)
		for y := range n {
			for x := range n {
				if render.Inside(corners, (float64(x)+.5)/float64(n), (float64(y)+.5)/float64(n)) {
					sign.SetRGBA(x, y, part.colour)
				}
			}
		}
	}
	const high = .34 // of the letters; they are narrower than the typeface's
	face := typeface.Go(high/.72*float64(n), font.HintingNone)
	word, wide := "STOP", font.MeasureString(face, "STOP").Ceil()
	letters := image.NewRGBA(image.Rect(0, 0, wide, n/2))
	bold := n / 50
	for dx := -bold; dx <= bold; dx++ {
		d := font.Drawer{Dst: letters, Src: image.NewUniform(white), Face: face, Dot: fixed.P(dx, int((.25+high/2)*float64(n)))}
		d.DrawString(word)
	}
	left := n * 14 / 100
	draw.BiLinear.Scale(sign, image.Rect(left, n/4, n-left, n/4+n/2), letters, letters.Bounds(), draw.Over, nil)

	x := interp.Images{N: 1, H: size, W: size, C: 3, Pix: make([]float64, size*size*3), Class: []int{Stop}}
	for row := range n {
		for column := range n {
			c := sign.RGBAAt(column, row)
			pixel := x.Pixel(0, row/fine, column/fine)
			for k, v := range [3]uint8{c.R, c.G, c.B} {
				pixel[k] += float64(v) / 255 / (fine * fine)
			}
		}
	}
	return x
}
