package show

import (
	"fmt"
	"reflect"

	"lucigo/notebooks/internal/number"
)

// Table is a figure of numbers and words.
type Table struct {
	Title   string
	Corner  string   // above the row headings
	Columns []string // headings, nil for none
	Rows    []string // headings, nil for none
	Cells   [][]any  // row by row: floating-point numbers get four significant digits, others are printed by fmt
}

// Show displays the table.
func (t Table) Show() error { return t.Figure().Show() }

// Figure returns the table as a figure without pictures.
func (t Table) Figure() Figure {
	f := Figure{Title: t.Title, Corner: t.Corner, Columns: t.Columns, Rows: t.Rows}
	for _, row := range t.Cells {
		cells := make([]Cell, len(row))
		for i, v := range row {
			cells[i].Caption = fmt.Sprint(v)
			if v := reflect.ValueOf(v); v.CanFloat() {
				cells[i].Caption = number.Text(v.Float(), 4)
			}
		}
		f.Cells = append(f.Cells, cells)
	}
	return f
}
