package cause

import (
	"context"
	"errors"
	"fmt"
	"math"

	"lucigo/interp"
	"lucigo/interp/objective"
)

// Pairs are images of two objects of different classes each, and the question whether a map that is asked about the one class
// lies more on its object than the map that is asked about the other class does: contrastivity. FunnyBirds asks it about parts
// that two classes do not share (target sensitivity).
type Pairs struct {
	Model    *interp.Model
	Images   interp.Images
	Classes  [2][]int       // of the first and of the second object of each image
	Masks    [2][][]float64 // where they are
	Removed  [2]interp.Images
	contrast []bool // the network's answers do tell the objects apart
}

// Columns implements Question.
func (p *Pairs) Columns() []string { return []string{"contrastivity"} }

// Ask implements Question. A pair has 1 where the map of the first class has a larger share of its mass on the first object than that of the
// second class has, ½ where the shares are equal, and 0 elsewhere. Pairs in which the network itself does not tell the objects apart
// count nothing, NaN: there, one of its logits does not fall more without its own object than without the other.
func (p *Pairs) Ask(ctx context.Context, e Entry) ([][]float64, error) {
	if err := p.truth(ctx); err != nil {
		return nil, err
	}
	var shares [2][]float64
	for side := range 2 {
		maps, err := e.Method.Maps(ctx, p.Model, objective.Logit, p.Images.Asked(p.Classes[side]...))
		if err != nil {
			return nil, err
		}
		for i := range p.Images.N {
			m := e.read(maps, i)
			shares[side] = append(shares[side], within(m, p.Masks[0][i])-within(m, p.Masks[1][i]))
		}
	}
	values := make([]float64, p.Images.N)
	for i := range values {
		switch first, second := shares[0][i], shares[1][i]; {
		case !p.contrast[i] || first != first || second != second:
			values[i] = undefined
		case first > second:
			values[i] = 1
		case first == second:
			values[i] = .5
		}
	}
	return [][]float64{values}, nil
}

// within is the sum of a map where a mask is, as a share of its magnitude; NaN for a map of zeros.
func within(m, mask []float64) float64 {
	var sum, all float64
	for i, v := range m {
		sum += v * mask[i]
		all += math.Abs(v)
	}
	return sum / all
}

// truth finds out, once, which objects the network's logits depend on.
func (p *Pairs) truth(ctx context.Context) error {
	if p.contrast != nil {
		return nil
	}
	n := p.Images.N
	for side := range 2 {
		if len(p.Classes[side]) != n || len(p.Masks[side]) != n || p.Removed[side].N != n {
			return fmt.Errorf("cause: %d pairs have %d classes, %d masks and %d images without object %d, must have one each",
				n, len(p.Classes[side]), len(p.Masks[side]), p.Removed[side].N, side)
		}
	}
	var scores [2][3][]float64 // of each class: as it is, without the first object, without the second
	for side := range 2 {
		for k, x := range []interp.Images{p.Images, p.Removed[0], p.Removed[1]} {
			s, err := p.Model.Score(ctx, objective.Logit, x.Asked(p.Classes[side]...))
			if err != nil {
				return err
			}
			scores[side][k] = s
		}
	}
	contrast := make([]bool, n)
	some := false
	for i := range contrast {
		first, second := scores[0], scores[1]
		contrast[i] = first[1][i] < first[2][i] && second[2][i] < second[1][i] && first[1][i] < first[0][i] && second[2][i] < second[0][i]
		some = some || contrast[i]
	}
	if !some {
		return errors.New("cause: the network tells the two objects apart in none of the pairs, so they show nothing")
	}
	p.contrast = contrast
	return nil
}
