package show

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"

	"lucigo/interp"
	"lucigo/notebooks/internal/number"
)

// Palette is a choice of colours for numbers.
type Palette int

const (
	// Heat goes from black over red to white; signed, from blue over white to red.
	Heat Palette = iota
	// Grey goes from black to white; signed, zero is the grey in the middle.
	Grey
	// Overlay mixes red, or red and blue, into the photograph in light grey.
	Overlay
)

// String is the palette's name.
func (p Palette) String() string {
	if p < 0 || p > Overlay {
		return fmt.Sprintf("Palette(%d)", int(p))
	}
	return [...]string{"heat", "grey", "overlay"}[p]
}

// Style is how a map's numbers become a picture. Its zero value draws magnitudes in heat colours, clipped
// at the 99th percentile, as saliency maps are usually printed.
//
// Every map has its own scale, zero always has the palette's middle (signed) or first colour, and nothing
// is stretched from the smallest to the largest value: a map and its double give the same picture.
type Style struct {
	// Signed shows the mean over channels, negative and positive, on a scale symmetric around 0.
	// Otherwise the largest magnitude over channels is shown.
	Signed  bool
	Palette Palette

	// Clip is the percentile of the magnitudes, over the pixels of a map, that gets the strongest
	// colour; pixels beyond it get it too. It is in (0, 100], and 0 means 99.
	Clip float64
}

// Draw returns map n as a picture, a pixel for a pixel. Overlay lays it on image n of under, which the other palettes
// ignore. The cell's Note tells the scale. A number that is not finite is an error that says where it is.
func (s Style) Draw(m interp.Maps, n int, under interp.Images) (Cell, error) {
	cell, err := s.draw(m, n, under)
	if err != nil {
		err = fmt.Errorf("show: %w", err)
	}
	return cell, err
}

func (s Style) draw(m interp.Maps, n int, under interp.Images) (Cell, error) {
	if err := s.check(); err != nil {
		return Cell{}, err
	}
	if n < 0 || n >= m.N || len(m.Pix) != m.N*m.Size() || min(m.H, m.W, m.C) < 1 {
		return Cell{}, fmt.Errorf("there is no map %d: N=%d, H=%d, W=%d, C=%d and %d numbers", n, m.N, m.H, m.W, m.C, len(m.Pix))
	}
	for i, v := range m.Of(n) {
		if interp.NotFinite(v) {
			return Cell{}, fmt.Errorf("map %d is %g at row %d, column %d, channel %d: look for what is not finite in the image, the weights or the objective",
				n, v, i/(m.W*m.C), i/m.C%m.W, i%m.C)
		}
	}
	values := m.Magnitude(n)
	if s.Signed {
		values = m.Mean(n)
	}
	largest := s.largest(values)
	picture := image.NewPaletted(image.Rect(0, 0, m.W, m.H), s.ramp().table(s.Signed))
	for i, v := range values {
		picture.Pix[i] = s.level(v, largest)
	}
	cell := Cell{Picture: picture, Note: s.scale(largest)}
	if s.Palette == Overlay {
		if under.H != m.H || under.W != m.W {
			return Cell{}, fmt.Errorf("the image under map %d is %d×%d, must be %d×%d", n, under.H, under.W, m.H, m.W)
		}
		photograph, err := under.Image(n)
		if err != nil {
			return Cell{}, fmt.Errorf("the image under map %d: %w", n, err)
		}
		cell.Picture = s.overlay(picture, photograph)
	}
	return cell, nil
}

// Legend explains the style in a figure's last row, under span columns.
func (s Style) Legend(span int) Legend {
	const width, height = levels, 12
	bar := image.NewPaletted(image.Rect(0, 0, width, height), s.ramp().table(s.Signed))
	for i := range bar.Pix {
		bar.Pix[i] = uint8(i % width)
	}
	most := "its largest magnitude"
	if clip := s.clip(); clip < 100 {
		most = "percentile " + number.Text(clip, 4) + " of its magnitudes"
	}
	if s.Signed {
		return Legend{Span: span, Bar: bar, Low: "−", High: "+", Note: "mean over channels, 0 in the middle; each map from minus to plus " + most}
	}
	return Legend{Span: span, Bar: bar, Low: "0", High: "+", Note: "largest magnitude over channels; each map from 0 to " + most}
}

func (s Style) clip() float64 { return cmp.Or(s.Clip, 99) }

func (s Style) check() error {
	if c := s.clip(); !(c > 0 && c <= 100) {
		return fmt.Errorf("Style.Clip is %g, must be above 0 and at most 100", s.Clip)
	}
	if s.Palette < Heat || s.Palette > Overlay {
		return fmt.Errorf("Style.Palette is %v, must be Heat, Grey or Overlay", s.Palette)
	}
	return nil
}

func (s Style) ramp() ramp {
	switch {
	case s.Palette == Grey && s.Signed:
		return signedGrey
	case s.Palette == Grey:
		return grey
	case s.Palette == Overlay || s.Signed:
		return diverging // its red half, where magnitudes overlay
	}
	return heat
}

// largest returns the magnitude that gets the strongest colour: the percentile, interpolated between the
// two values it lies between, or the largest one where that percentile is 0, as in a sparse map.
func (s Style) largest(values []float64) float64 {
	var sorted []float64
	for _, v := range values {
		sorted = append(sorted, math.Abs(v))
	}
	slices.Sort(sorted)
	whole, part := math.Modf(s.clip() / 100 * float64(len(sorted)-1))
	i := int(whole)
	p := sorted[i]
	if part > 0 {
		p += part * (sorted[i+1] - p)
	}
	return cmp.Or(p, sorted[len(sorted)-1])
}

// level is the index in the palette of v, on a scale up to largest.
func (s Style) level(v, largest float64) uint8 {
	t := 0.
	if largest > 0 {
		t = min(max(v/largest, -1), 1)
	}
	if s.Signed {
		t = (t + 1) / 2
	}
	return uint8(math.Round(t * (levels - 1)))
}

// scale says what the strongest colour means.
func (s Style) scale(largest float64) string {
	switch {
	case largest == 0:
		return "zero everywhere"
	case s.Signed:
		return "±" + number.Text(largest, 3)
	}
	return "0 to " + number.Text(largest, 3)
}

// overlay mixes the strongest colours of m into the photograph, in light grey, as much of them as each
// pixel of m is away from zero.
func (s Style) overlay(m *image.Paletted, photograph image.Image) image.Image {
	const darkest = 110 // of 255, so that marks stand out against shadows too
	out := image.NewRGBA(m.Bounds())
	for i, level := range m.Pix {
		x, y := i%m.Stride, i/m.Stride
		luma := int(color.GrayModel.Convert(photograph.At(x, y)).(color.Gray).Y)
		light := darkest + luma*(255-darkest)/255
		strongest, weight, most := m.Palette[levels-1], int(level), levels-1
		if s.Signed {
			weight = 2*weight - most
			if weight < 0 {
				strongest, weight = m.Palette[0], -weight
			}
		}
		c := strongest.(color.RGBA)
		mix := func(v uint8) uint8 { return uint8((int(v)*weight + light*(most-weight) + most/2) / most) }
		out.SetRGBA(x, y, color.RGBA{mix(c.R), mix(c.G), mix(c.B), 255})
	}
	return out
}
