// Package saliency has methods that say which pixels a score depends on: the gradient at the image, and
// what has been made of it.
//
// A method is a struct whose zero value is the published default; its String has every parameter. It
// returns numbers, signed, in the layout of the images, or with one number a pixel (C = 1) where it does not tell
// channels apart. Package show draws them.
package saliency

import (
	"context"
	"fmt"
	"strings"

	"lucigo/interp"
	"lucigo/interp/layer"
)

// Method computes a map of the objective o for each of the images x.
//
// Images that have no class are asked about the one that the model gives them, once, unperturbed.
type Method interface {
	// String names the method with all its parameters.
	String() string

	Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error)
}

// Gradient is the derivative of the objective at the image: Simonyan, Vedaldi and Zisserman,
// arXiv:1312.6034, section 3, before its maximum over channels. With another Rule it is a modified
// backward pass, as for Guided and Deconvnet.
type Gradient struct {
	Rule layer.Rule // nil is layer.Exact
}

// The modified gradients. Guided is guided backpropagation, Springenberg et al., arXiv:1412.6806;
// Deconvnet the projection of Zeiler and Fergus, arXiv:1311.2901. Both are shown by Adebayo et al.
// (arXiv:1810.03292) and Nie et al. (arXiv:1805.07039) to say less of the class than of the image.
var (
	Guided    = Gradient{layer.Guided}
	Deconvnet = Gradient{layer.Deconv}
)

// String returns the method's usual name.
func (g Gradient) String() string {
	switch g.Rule {
	case nil, layer.Exact:
		return "gradient"
	case layer.Guided:
		return "guided backprop"
	case layer.Deconv:
		return "deconvnet"
	}
	return fmt.Sprintf("%s gradient", g.Rule)
}

// Maps implements Method.
func (g Gradient) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	return m.Gradient(ctx, o, g.Rule, x)
}

// TimesInput is a method's map times the image, number by number: with the gradient, the first-order
// share of each pixel in the score (Shrikumar et al., arXiv:1605.01713). A map with one number a pixel multiplies
// each channel.
type TimesInput struct {
	Of Method // nil is the gradient
}

// String returns the name of the method, × input.
func (t TimesInput) String() string { return name(t.Of) + " × input" }

// Maps implements Method.
func (t TimesInput) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	out, err := of(t.Of).Maps(ctx, m, o, x)
	if err != nil {
		return out, err
	}
	return times(out, x), nil
}

// times returns maps times the images x, number by number; a map with one number a pixel multiplies each channel.
func times(maps interp.Maps, x interp.Images) interp.Maps {
	out, each := maps, x.C/maps.C
	out.C, out.Pix = x.C, make([]float64, len(x.Pix))
	for i, v := range x.Pix {
		out.Pix[i] = maps.Pix[i/each] * v
	}
	return out
}

// like returns maps of zeros for the images x, of c numbers a pixel.
func like(x interp.Images, c int) interp.Maps {
	x.C = c
	return x.Like()
}

func of(m Method) Method {
	if m == nil {
		return Gradient{}
	}
	return m
}

func name(m Method) string {
	s := of(m).String()
	if strings.Contains(s, " of ") {
		return "(" + s + ")"
	}
	return s
}

// blank returns maps of zeros, h×w×1, for the images x, with the scores of the images as they are.
func blank(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, h, w int) (interp.Maps, error) {
	grid := x
	grid.H, grid.W = h, w
	out := like(grid, 1)
	if !o.AsksClass() {
		out.Class = nil
	}
	var err error
	out.Score, err = m.Score(ctx, o, x)
	return out, err
}
