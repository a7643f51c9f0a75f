package api

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"lucigo/interp"
	"lucigo/interp/random"
	"lucigo/interp/train"
)

// Vary says by how much images are turned, scaled and shifted, at random up to each and either way. What comes in at an edge
// is what is at the edge.
type Vary struct {
	Turn  float64 // in radians
	Scale float64 // in logarithms: .1 is about a tenth
	Shift float64 // in pixels
}

func (v Vary) check() error {
	if !(min(v.Turn, v.Scale, v.Shift) >= 0) || math.IsInf(v.Turn+v.Scale+v.Shift, 1) {
		return fmt.Errorf("api: Vary is %+v, must have numbers of at least 0", v)
	}
	return nil
}

// image returns image i of x, varied by the first elements of r.
func (v Vary) image(x interp.Images, i int, r random.Stream) []float64 {
	if v == (Vary{}) {
		return x.Of(i)
	}
	by := func(k int, most float64) float64 { return most * (2*r.Uniform(k) - 1) }
	sin, cos := math.Sincos(by(0, v.Turn))
	scale, down, right := math.Exp(by(1, v.Scale)), by(2, v.Shift), by(3, v.Shift)
	sin, cos = sin*scale, cos*scale
	bottom, side := float64(x.H-1), float64(x.W-1)
	out := make([]float64, 0, x.Size())
	for row := range x.H {
		for column := range x.W {
			a, b := float64(row)-bottom/2, float64(column)-side/2
			fromY := min(max(bottom/2+cos*a+sin*b+down, 0), bottom)
			fromX := min(max(side/2-sin*a+cos*b+right, 0), side)
			y, z := int(fromY), int(fromX)
			y1, z1 := min(y+1, x.H-1), min(z+1, x.W-1)
			a, b = fromY-float64(y), fromX-float64(z)
			p, q, s, t := x.Pixel(i, y, z), x.Pixel(i, y, z1), x.Pixel(i, y1, z), x.Pixel(i, y1, z1)
			for c := range x.C {
				out = append(out, (1-a)*((1-b)*p[c]+b*q[c])+a*((1-b)*s[c]+b*t[c]))
			}
		}
	}
	return out
}

// fit trains the substitute of a round, on images that are varied anew each time.
func (s Substitute) fit(ctx context.Context, m *interp.Model, e train.Examples, round int) (*interp.Model, error) {
	if s.Vary == (Vary{}) {
		return s.Training.Fit(ctx, m, e)
	}
	t := s.Training
	t.Epochs, t.Batch = cmp.Or(t.Epochs, 10), cmp.Or(t.Batch, 64)
	t.Steps = cmp.Or(t.Steps, int(math.Ceil(t.Epochs*float64(e.Images.N)/float64(t.Batch))))
	x, classes := e.Images, len(e.Targets)/e.Images.N
	order := train.Order{N: x.N, Seed: s.Seed + uint64(round)}
	end, err := t.Run(ctx, m, train.State{Weights: m.Weights()}, func(step int) (train.Examples, error) {
		out := train.Examples{Images: interp.Images{N: t.Batch, H: x.H, W: x.W, C: x.C}}
		for k := range t.Batch {
			at := step*t.Batch + k
			i := order.At(at)
			out.Images.Pix = append(out.Images.Pix, s.Vary.image(x, i, random.New(s.Seed+uint64(round), training, uint64(at)))...)
			out.Images.Class = append(out.Images.Class, x.Class[i])
			out.Targets = append(out.Targets, e.Targets[i*classes:(i+1)*classes]...)
		}
		return out, nil
	})
	if err != nil {
		return nil, err
	}
	return m.With(end.Weights)
}
