package exemplar

import (
	"context"
	"fmt"
	"image"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
	"lucigo/interp/layer"
	"lucigo/interp/receptive"
)

// Patches are the parts of images that a unit saw when it gave the responses of some examples: its
// receptive field at the position of each.
type Patches struct {
	Unit     string // its name: that of the layer and the channel
	Channel  int    // of the layer
	Examples []Example
	Whole    interp.Images // the images of the examples
	Field    receptive.Field

	windows []image.Rectangle // what Images shows of each image: one size, parts may lie outside
}

// Cut reads the images of examples of a unit again, and cuts the unit's receptive field out of each: the
// exact one of that unit, which in a layer of several branches may be less than the layer's. An image that
// is not the one that was scanned is an error.
func Cut(ctx context.Context, m *interp.Model, src interp.Source, layer string, unit int, examples []Example) (Patches, error) {
	p := Patches{Unit: fmt.Sprintf("%s %d", layer, unit), Channel: unit, Examples: examples}
	if len(examples) == 0 {
		return p, fmt.Errorf("exemplar: there are no examples of %s to cut out", p.Unit)
	}
	if err := responded(m, layer, unit, examples); err != nil {
		return p, err
	}
	var batches []interp.Images
	for _, e := range examples {
		if e.Image < 0 || e.Image >= src.Len() {
			return p, fmt.Errorf("exemplar: Image is %d, must be from 0 to %d in %s", e.Image, src.Len()-1, src)
		}
		x, err := src.Image(ctx, e.Image)
		if err != nil {
			return p, fmt.Errorf("exemplar: %s, which could be read when it was scanned: %w", e.Name, err)
		}
		x = x.Keyed()
		if x.N != 1 || x.Key[0] != e.Key {
			return p, fmt.Errorf("exemplar: image %d of %s, %s, is not the image that was scanned (%s): remove the index's file, and scan again", e.Image, src, src.Name(e.Image), e.Name)
		}
		batches = append(batches, x)
	}
	var err error
	if p.Whole, err = interp.Join(batches...); err != nil {
		return p, fmt.Errorf("exemplar: the examples of %s: %w", p.Unit, err)
	}
	if p.Field, err = receptive.FieldOf(ctx, m, layer, unit); err != nil {
		return p, err
	}
	for _, e := range examples {
		p.windows = append(p.windows, p.window(p.Field.Rect(e.Row, e.Column)))
	}
	return p, nil
}

// responded returns an error if a model has no such unit, or the unit no such positions.
func responded(m *interp.Model, name string, unit int, examples []Example) error {
	all, err := layersIn(m)
	if err != nil {
		return err
	}
	l, _, err := find(all, name, unit)
	if err != nil {
		return fmt.Errorf("exemplar: %s: %w", m.Name(), err)
	}
	for _, e := range examples {
		if e.Row < 0 || e.Row >= l.Rows || e.Column < 0 || e.Column >= l.Columns {
			return fmt.Errorf("exemplar: an example is at row %d, column %d, and layer %q has %d×%d positions: is it of another layer?",
				e.Row, e.Column, name, l.Rows, l.Columns)
		}
	}
	return nil
}

// window is the receptive field, or, along an axis where that is larger than the image, all of the image.
func (p Patches) window(field image.Rectangle) image.Rectangle {
	if field.Dx() > p.Whole.W {
		field.Min.X, field.Max.X = 0, p.Whole.W
	}
	if field.Dy() > p.Whole.H {
		field.Min.Y, field.Max.Y = 0, p.Whole.H
	}
	return field
}

// Images returns the patches: the receptive fields, or, along an axis where those are larger than the
// image, the image. Pixels outside the image or outside the field are middle grey, 0.5.
func (p Patches) Images() interp.Images {
	x := p.cut(p.Whole, .5)
	x.Class = nil
	return x
}

// seen is the part of image n that the unit sees.
func (p Patches) seen(n int) image.Rectangle {
	e := p.Examples[n]
	return p.Field.Rect(e.Row, e.Column).Intersect(image.Rect(0, 0, p.Whole.W, p.Whole.H))
}

// cut returns the windows of as many images, or maps; value is what is outside.
func (p Patches) cut(x interp.Images, value float64) interp.Images {
	y, outside := x, slices.Repeat([]float64{value}, x.C)
	y.Pix = nil
	for n, window := range p.windows {
		seen := p.seen(n)
		y.H, y.W = window.Dy(), window.Dx()
		for row := window.Min.Y; row < window.Max.Y; row++ {
			for column := window.Min.X; column < window.Max.X; column++ {
				pixel := outside
				if image.Pt(column, row).In(seen) {
					pixel = x.Pixel(n, row, column)
				}
				y.Pix = append(y.Pix, pixel...)
			}
		}
	}
	return y
}

// Crop returns maps of the whole images cut as the patches are, with 0 outside.
func (p Patches) Crop(m interp.Maps) (interp.Maps, error) {
	if m.N != p.Whole.N || m.H != p.Whole.H || m.W != p.Whole.W || m.C < 1 || len(m.Pix) != m.N*m.H*m.W*m.C {
		return m, fmt.Errorf("exemplar: %d maps of %d×%d×%d with %d numbers are not maps of %d images of %d×%d",
			m.N, m.H, m.W, m.C, len(m.Pix), p.Whole.N, p.Whole.H, p.Whole.W)
	}
	m.Images = p.cut(m.Images, 0)
	return m, nil
}

// Cover returns the whole images with parts of the patches made middle grey: those pixels at which a mask, one
// for each patch and as large, is above a half.
func (p Patches) Cover(masks [][]float64) (interp.Images, error) {
	x := p.Whole
	x.Pix = slices.Clone(x.Pix)
	if len(masks) != x.N {
		return x, fmt.Errorf("exemplar: there are %d masks, must be one for each of %d patches", len(masks), x.N)
	}
	for n, mask := range masks {
		window, seen := p.windows[n], p.seen(n)
		if len(mask) != window.Dx()*window.Dy() {
			return x, fmt.Errorf("exemplar: mask %d has %d pixels, and the patch %d×%d", n, len(mask), window.Dy(), window.Dx())
		}
		for i, v := range mask {
			at := window.Min.Add(image.Pt(i%window.Dx(), i/window.Dx()))
			if v > .5 && at.In(seen) {
				copy(x.Pixel(n, at.Y, at.X), slices.Repeat([]float64{.5}, x.C))
			}
		}
	}
	return x, nil
}

// Responses returns what the unit, at the place of each example, says of other images instead.
func (p Patches) Responses(ctx context.Context, m *interp.Model, x interp.Images) ([]float64, error) {
	if x.N != len(p.Examples) {
		return nil, fmt.Errorf("exemplar: there are %d images, must be one for each of %d examples", x.N, len(p.Examples))
	}
	return m.Score(ctx, responses(p.Field.Layer, p.Channel, p.Examples), x)
}

// Project returns the gradient of each single response at its image, cut as the patches are, with 0
// outside: under layer.Deconv the projection of Zeiler and Fergus, arXiv:1311.2901, under layer.Guided that
// of Springenberg et al., arXiv:1412.6806; nil is layer.Exact. Score holds the responses.
func (p Patches) Project(ctx context.Context, m *interp.Model, rule layer.Rule) (interp.Maps, error) {
	maps, err := m.Gradient(ctx, responses(p.Field.Layer, p.Channel, p.Examples), rule, p.Whole)
	if err != nil {
		return maps, err
	}
	return p.Crop(maps)
}

// responses is the objective of a unit at another position of each image.
func responses(name string, unit int, examples []Example) interp.Objective {
	var rows, columns []int
	for _, e := range examples {
		rows, columns = append(rows, e.Row), append(columns, e.Column)
	}
	return interp.Objective{
		Name: fmt.Sprintf("responses of %s %d", name, unit), Form: response{name},
		Args:  []interp.Arg{interp.Int(unit), interp.Ints(rows...), interp.Ints(columns...)},
		Units: []interp.Unit{{Layer: name, Channel: unit}},
	}
}

type response struct{ layer string }

func (f response) Score(p *layer.Pass, a []*Node) *Node {
	v := p.Layer(f.layer)
	if v.Rank() == 2 {
		v = Reshape(v, v.Shape().Dim(0), 1, 1, v.Shape().Dim(1))
	}
	n, h, w, c := v.Shape().Dim(0), v.Shape().Dim(1), v.Shape().Dim(2), v.Shape().Dim(3)
	v = Mul(v, Reshape(OneHot(a[0], c, v.DType()), 1, 1, 1, c))
	v = Mul(v, Reshape(OneHot(a[1], h, v.DType()), n, h, 1, 1))
	v = Mul(v, Reshape(OneHot(a[2], w, v.DType()), n, 1, w, 1))
	return ReduceSum(v, 1, 2, 3)
}
