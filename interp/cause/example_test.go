package cause_test

import (
	"fmt"

	"lucigo/interp/cause"
	"lucigo/interp/measure"
)

// A measure that a map wins which cannot know the network proves nothing.
func ExampleTable_Proves() {
	t := cause.Table{Columns: []string{"correctness", "pointing game"}, Rows: []cause.Row{
		{Name: "gradient", Cells: []measure.Estimate{
			measure.Estimated([]float64{.8, .9, .7}), measure.Estimated([]float64{1, 0, 0})}},
		{Name: "centre", Control: true, Cells: []measure.Estimate{
			measure.Estimated([]float64{.1, .2, 0}), measure.Estimated([]float64{1, 1, 0})}},
	}}
	for j, name := range t.Columns {
		fmt.Printf("%s: won by %s, proves something: %t\n", name, t.Rows[t.Winner(j)].Name, t.Proves(j))
	}
	// Output:
	// correctness: won by gradient, proves something: true
	// pointing game: won by centre, proves something: false
}
