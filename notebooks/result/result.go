// Package result shows the value that a notebook's cell ends with, as the cell's result: what follows Out[ ] in a front
// end, and what a grader reads as the points of an answer.
package result

import (
	"fmt"

	"lucigo/notebooks/internal/cell"
)

// Show makes value the cell's result, as fmt.Print writes it. A cell whose last line is an expression, without a call,
// does so by itself.
func Show(value any) error {
	text := fmt.Sprint(value)
	return cell.Display(cell.Output{Text: text, Result: true})
}

// Points makes points, a number, the cell's result, which nbgrader takes for the points of a graded answer. The reasons
// are shown above it, one a line.
func Points(points float64, reasons ...string) error {
	for _, reason := range reasons {
		if err := cell.Display(cell.Output{HTML: "<div>" + cell.Escape(reason) + "</div>", Text: reason}); err != nil {
			return err
		}
	}
	return Show(points)
}
