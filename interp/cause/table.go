package cause

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"lucigo/interp"
	"lucigo/interp/measure"
	"lucigo/interp/saliency"
)

// Entry is a method in a table.
type Entry struct {
	Method saliency.Method

	// Signed maps are read with their sign, the mean over channels: those whose negative numbers speak against the class. Others
	// are read as their magnitude, the largest |·| over channels.
	Signed bool

	// Shares says that a map's numbers are shares of the score, as measure.Infidelity.Shares does.
	Shares bool

	// Control marks a map that cannot know what the network does. A measure that it wins proves nothing.
	Control bool
}

// read returns map i, a number a pixel.
func (e Entry) read(maps interp.Maps, i int) []float64 {
	if e.Signed {
		return maps.Mean(i)
	}
	return maps.Magnitude(i)
}

// Question gives numbers for a method.
type Question interface {
	// Columns names the measures.
	Columns() []string

	// Ask returns the values of each measure, one for each image: the larger, the better. NaN is undefined.
	Ask(ctx context.Context, e Entry) ([][]float64, error)
}

// undefined is the value of what has none.
var undefined = math.NaN()

// Table has what came of each question, for each method.
type Table struct {
	Columns []string
	Rows    []Row
}

// Row is a method's.
type Row struct {
	Name    string
	Control bool
	Cells   []measure.Estimate
}

// Comparison asks questions about methods.
type Comparison struct {
	// Path is a file that keeps each answer. A comparison that was interrupted, or that has more methods, more questions, or others, asks
	// what is not there yet. "" keeps nothing. Methods and questions of types of your own must not be of package main: the file could not
	// tell when their code has changed.
	Path string

	// Progress, if it is not nil, is told what is done next, and how many of such parts are done.
	Progress func(what string, done, of int)
}

// Compare asks the questions about each of the methods. Where it is interrupted, the table has the methods that were done.
func (c Comparison) Compare(ctx context.Context, entries []Entry, questions []Question) (Table, error) {
	var t Table
	if len(entries) == 0 || len(questions) == 0 {
		return t, errors.New("cause: there are no methods or no questions, must be at least one of each")
	}
	for _, q := range questions {
		t.Columns = append(t.Columns, q.Columns()...)
	}
	kept, err := open(c.Path, questions)
	if err != nil {
		return t, err
	}
	defer kept.close()
	for k, e := range entries {
		if e.Method == nil {
			return t, fmt.Errorf("cause: entry %d has no Method", k)
		}
		row := Row{Name: e.Method.String(), Control: e.Control}
		asked := e
		asked.Method = &once{Method: e.Method}
		for j, q := range questions {
			if c.Progress != nil {
				c.Progress(fmt.Sprintf("%s: %s", row.Name, q.Columns()[0]), k*len(questions)+j, len(entries)*len(questions))
			}
			values, err := kept.answer(e, j, func() ([][]float64, error) { return q.Ask(ctx, asked) })
			if err != nil {
				return t, fmt.Errorf("cause: %s: %w", row.Name, err)
			}
			for _, v := range values {
				row.Cells = append(row.Cells, measure.Estimated(v))
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t, nil
}

// once is a method that computes the maps of equal images of a network once: several questions are asked about them.
type once struct {
	saliency.Method
	made []made
}

type made struct {
	m    *interp.Model
	o    string
	x    interp.Images
	maps interp.Maps
}

// Maps implements saliency.Method.
func (c *once) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	for _, k := range c.made {
		if k.m == m && k.o == o.String() && slices.Equal(k.x.Pix, x.Pix) && slices.Equal(k.x.Class, x.Class) && slices.Equal(k.x.Key, x.Key) {
			return k.maps, nil
		}
	}
	maps, err := c.Method.Maps(ctx, m, o, x)
	if err == nil {
		c.made = append(c.made, made{m, o.String(), x, maps})
	}
	return maps, err
}

// Winner returns the row with the largest mean in a column, the first of equal ones; −1 where no row has any.
func (t Table) Winner(column int) int {
	best := -1
	for i, r := range t.Rows {
		if v := r.Cells[column].Mean; v == v && (best < 0 || v > t.Rows[best].Cells[column].Mean) {
			best = i
		}
	}
	return best
}

// Proves reports whether a column proves anything: its winner is not a control, and leads every control by more than the interval of
// either.
func (t Table) Proves(column int) bool {
	best := t.Winner(column)
	if best < 0 || t.Rows[best].Control {
		return false
	}
	for _, r := range t.Rows {
		if c := r.Cells[column]; r.Control && c.N > 0 && !(t.Rows[best].Cells[column].Low > c.High) {
			return false
		}
	}
	return true
}
