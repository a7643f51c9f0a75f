package cause

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"lucigo/interp"
	"lucigo/interp/measure"
	"lucigo/interp/objective"
)

// Parts is the question whether maps are correct and complete.
type Parts struct{ Cases }

// Columns implements Question.
func (Parts) Columns() []string {
	return []string{"correctness", "completeness: kept", "completeness: lost", "completeness: ignored"}
}

// Ask implements Question.
func (p Parts) Ask(ctx context.Context, e Entry) ([][]float64, error) {
	maps, err := e.Method.Maps(ctx, p.Model, objective.Logit, p.Images)
	if err != nil {
		return nil, err
	}
	values := make([][]float64, 4)
	for i, one := range p.All {
		m := e.read(maps, i)
		kept, lost, ignored, err := p.Completeness(ctx, i, m)
		if err != nil {
			return nil, err
		}
		for k, v := range []float64{one.Correctness(m), kept, lost, ignored} {
			values[k] = append(values[k], v)
		}
	}
	return values, nil
}

// Masked is the question whether a map lies where a mask is: on a mark that a network has learnt its answers from, or on the object of a
// scene. It is the area under the curve of the map's pixels against the mask, the share of the map's magnitude there, whether its largest
// value is there (the pointing game, without tolerance), and how much the box around its largest part has in common with the mask's.
type Masked struct {
	Name   string // before the names of the columns
	Model  *interp.Model
	Images interp.Images
	Masks  [][]float64 // of each image, or one for all
}

// Columns implements Question.
func (q Masked) Columns() []string {
	return []string{q.Name + ": AUROC", q.Name + ": mass", q.Name + ": pointing", q.Name + ": box"}
}

// Ask implements Question.
func (q Masked) Ask(ctx context.Context, e Entry) ([][]float64, error) {
	n := q.Images.N
	if len(q.Masks) != n && len(q.Masks) != 1 {
		return nil, fmt.Errorf("cause: %d images have %d masks, must have one each, or one for all", n, len(q.Masks))
	}
	maps, err := e.Method.Maps(ctx, q.Model, objective.Logit, q.Images)
	if err != nil {
		return nil, err
	}
	values := make([][]float64, len(q.Columns()))
	for i := range n {
		all, err := located(e.read(maps, i), q.Masks[i%len(q.Masks)], maps.W)
		if err != nil {
			return nil, err
		}
		for k, v := range all {
			values[k] = append(values[k], v)
		}
	}
	return values, nil
}

// located returns the numbers of Masked for one map.
func located(m, mask []float64, width int) (all [4]float64, err error) {
	var failed [4]error
	all[0], failed[0] = measure.AUROC(m, mask)
	all[1], failed[1] = measure.Mass(m, mask)
	all[2], failed[2] = measure.PointingGame{}.Of(m, mask, width)
	found, err := measure.Box{}.Of(m, width)
	if err != nil {
		return all, err
	}
	around, err := measure.Around(mask, width)
	if err != nil {
		return all, err
	}
	all[3] = measure.IoU(found, around)
	return all, errors.Join(failed[:]...)
}

// Removal is the question of a measure that removes pixels: measure.Insertion, measure.ROAD, measure.SensitivityN, or measure.Deletion,
// whose area under the curve of the class's probability is taken from 1, so that more is better there too.
type Removal struct {
	Of     Remover
	Model  *interp.Model
	Images interp.Images
}

// Remover is a measure of maps, a number a pixel, by removing pixels.
type Remover interface {
	String() string
	Of(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, maps [][]float64) ([]float64, error)
}

// Columns implements Question.
func (r Removal) Columns() []string {
	name, _, _ := strings.Cut(r.Of.String(), "(")
	if r.lower() {
		name = "1 − " + name
	}
	return []string{name}
}

func (r Removal) lower() bool {
	_, ok := r.Of.(measure.Deletion)
	return ok
}

// Ask implements Question.
func (r Removal) Ask(ctx context.Context, e Entry) ([][]float64, error) {
	maps, err := e.Method.Maps(ctx, r.Model, objective.Logit, r.Images)
	if err != nil {
		return nil, err
	}
	read := measure.Each(maps.N, func(i int) []float64 { return e.read(maps, i) })
	x := r.Images
	x.Class = maps.Class
	values, err := r.Of.Of(ctx, r.Model, objective.Prob, x, read)
	if err != nil {
		return nil, err
	}
	if r.lower() {
		for i, v := range values {
			values[i] = 1 - v
		}
	}
	return [][]float64{values}, nil
}

// Infidelity is the question how far a map foretells what the logit loses with a square of the image, times −1, so that more is better.
// Each map is scaled as suits it best (measure.Infidelity.Scaled), and what it foretells is by Entry.Shares.
type Infidelity struct {
	Of     measure.Infidelity
	Model  *interp.Model
	Images interp.Images
}

// Columns implements Question.
func (q Infidelity) Columns() []string { return []string{"− infidelity"} }

// Ask implements Question.
func (q Infidelity) Ask(ctx context.Context, e Entry) ([][]float64, error) {
	maps, err := e.Method.Maps(ctx, q.Model, objective.Logit, q.Images)
	if err != nil {
		return nil, err
	}
	q.Of.Scaled, q.Of.Shares = true, e.Shares
	x := q.Images
	x.Class = maps.Class
	return negative(q.Of.Of(ctx, q.Model, objective.Logit, x, maps))
}

// Stability is the question how far a method's map moves when the image hardly does (measure.MaxSensitivity), times −1.
type Stability struct {
	Of     measure.MaxSensitivity
	Model  *interp.Model
	Images interp.Images
}

// Columns implements Question.
func (q Stability) Columns() []string { return []string{"− max-sensitivity"} }

// Ask implements Question.
func (q Stability) Ask(ctx context.Context, e Entry) ([][]float64, error) {
	if c, ok := e.Method.(*once); ok { // no moved image comes twice
		e.Method = c.Method
	}
	return negative(q.Of.Of(ctx, q.Model, objective.Logit, q.Images, e.Method))
}

func negative(values []float64, err error) ([][]float64, error) {
	for i, v := range values {
		values[i] = -v
	}
	return [][]float64{values}, err
}

// Concentration is the question whether a map says little of much: its sparseness (measure.Gini) and its simplicity, which is 1 minus its
// complexity (measure.Entropy) as a share of the largest, log n. Neither asks the network anything.
type Concentration struct {
	Model  *interp.Model
	Images interp.Images
}

// Columns implements Question.
func (q Concentration) Columns() []string { return []string{"sparseness", "simplicity"} }

// Ask implements Question.
func (q Concentration) Ask(ctx context.Context, e Entry) ([][]float64, error) {
	maps, err := e.Method.Maps(ctx, q.Model, objective.Logit, q.Images)
	if err != nil {
		return nil, err
	}
	values := make([][]float64, 2)
	for i := range maps.N {
		m := e.read(maps, i)
		values[0] = append(values[0], measure.Gini(m))
		values[1] = append(values[1], 1-measure.Entropy(m)/math.Log(float64(len(m))))
	}
	return values, nil
}
