package show

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"lucigo/interp"
	"lucigo/interp/cause"
	"lucigo/interp/measure"
	"lucigo/interp/sanity"
	"lucigo/notebooks/internal/number"
)

// Sanity is the figure of Adebayo et al., arXiv:1810.03292, figures 2 and 3: for each method the map of the network under test and
// those of its variants, with how much they have in common, and the same as curves.
type Sanity struct {
	Title      string
	Report     sanity.Report
	Similarity sanity.Similarity
	Image      interp.Images // the image that the maps are of, shown before the first row; empty for none
	Style      Style
	Size       int // of a map, as in Figure
}

// Show displays the maps, and below them the curves.
func (s Sanity) Show() error {
	if err := show(s.Maps()); err != nil {
		return err
	}
	return show(s.Curves())
}

// Maps returns the maps of the first image as a figure: a row for each method, a column for each variant.
func (s Sanity) Maps() (Figure, error) {
	r := s.Report
	f := Figure{Title: s.Title, Rows: r.Methods, Columns: []string{"as trained"}, Size: cmp.Or(s.Size, 80)}
	pictures := make([]Cell, len(r.Methods))
	if s.Image.N > 0 {
		var err error
		if pictures, err = cells(s.Image.Slice(0, 1), nil, len(r.Methods)); err != nil {
			return f, fmt.Errorf("show: Sanity.Image: %w", err)
		}
		f.Columns = append([]string{"image"}, f.Columns...)
	}
	first := len(f.Columns)
	if len(r.Shown) == 0 || len(r.Shown[0]) == 0 {
		return f, fmt.Errorf("show: Sanity.Report has no maps, must have those of at least one method")
	}
	for _, name := range r.Variants {
		f.Columns = append(f.Columns, "random: "+name)
	}
	if len(r.Variants) > 1 && r.Random[1] > 0 { // a cascade
		for v := range r.Variants[1:] {
			f.Columns[first+v+1] = "… and " + r.Variants[v+1]
		}
	}
	for k := range r.Methods {
		curve := r.Curve(s.Similarity, k)
		row := pictures[k : k+1 : k+1]
		if s.Image.N == 0 {
			row = nil
		}
		for v, m := range r.Shown[k] {
			c, err := s.Style.draw(m, 0, m.Images)
			if err != nil {
				c = Cell{Caption: "not drawn: " + err.Error()}
			}
			if v > 0 {
				c.Caption = strings.TrimPrefix(c.Caption+"\n"+estimate(curve[v-1]), "\n")
			}
			row = append(row, c)
		}
		f.Cells = append(f.Cells, row)
	}
	legend := s.Style.Legend(len(f.Columns))
	legend.Note += fmt.Sprintf("; under the maps: %s with those of the network as trained, mean of %d images and the half of its 95 %% interval", s.Similarity, r.Images)
	f.Legends = []Legend{legend}
	return f, nil
}

// Curves returns the similarity against the number of variants, a line for each method. Where it is undefined a line has no point.
func (s Sanity) Curves() (Figure, error) {
	c := Curves{Title: s.Title, X: "columns above, 0 as trained", Y: s.Similarity.String()}
	for k, name := range s.Report.Methods {
		line := Curve{Name: name, X: []float64{0}, Y: []float64{1}, Low: []float64{1}, High: []float64{1}}
		for v, e := range s.Report.Curve(s.Similarity, k) {
			if e.N == 0 {
				continue
			}
			low, high := e.Low, e.High
			if e.N == 1 {
				low, high = e.Mean, e.Mean
			}
			line.X, line.Y = append(line.X, float64(v+1)), append(line.Y, e.Mean)
			line.Low, line.High = append(line.Low, min(low, e.Mean)), append(line.High, max(high, e.Mean))
		}
		c.Lines = append(c.Lines, line)
	}
	return c.Figure()
}

// estimate is a mean with half of its interval.
func estimate(e measure.Estimate) string {
	switch e.N {
	case 0:
		return "undefined"
	case 1:
		return number.Text(e.Mean, 2)
	}
	return hundredths(e.Mean) + " ±\u00a0" + hundredths(e.High-e.Mean)
}

// hundredths is a number with two digits after the point.
func hundredths(v float64) string {
	if math.IsNaN(v) {
		return "undefined"
	}
	return strings.ReplaceAll(fmt.Sprintf("%.2f", v), "-", "−")
}

// SanityCard is a page with a verdict for each method.
type SanityCard struct {
	Title  string
	Result sanity.Result
}

// Show displays the card.
func (c SanityCard) Show() error { return show(c.Figure()) }

// Figure returns the card as a table: for each method its similarity with the upper half of the network random, with all of it random,
// that of two random networks, what it keeps, and the verdict.
func (c SanityCard) Figure() (Figure, error) {
	r := c.Result
	if len(r.Verdicts) == 0 || len(r.Verdicts) != len(r.Methods) {
		return Figure{}, fmt.Errorf("show: SanityCard.Result has %d verdicts of %d methods, must have one each", len(r.Verdicts), len(r.Methods))
	}
	t := Table{Title: c.Title, Corner: "method", Rows: r.Methods,
		Columns: []string{"upper half random", "all random", "two random networks", "kept", "verdict"}}
	for k := range r.Methods {
		curve := r.Curve(sanity.AbsRank, k)
		t.Cells = append(t.Cells, []any{estimate(curve[r.Half()]), estimate(curve[len(curve)-1]), estimate(r.Level[sanity.AbsRank][k]),
			hundredths(r.Kept(k)), "It " + r.Verdicts[k].String() + "."})
	}
	return t.Figure(), nil
}

// Causes is the table of methods against measures of what they find. A column in which a control wins, or comes so near that the intervals
// meet, proves nothing, and says so.
type Causes struct {
	Title string
	Table cause.Table
}

// Show displays the table.
func (c Causes) Show() error { return show(c.Figure()) }

// Figure returns the table as a figure. The best of each column is marked by a star.
func (c Causes) Figure() (Figure, error) {
	t := Table{Title: c.Title, Corner: "method"}
	if len(c.Table.Rows) == 0 || len(c.Table.Columns) == 0 {
		return Figure{}, fmt.Errorf("show: Causes.Table has %d rows and %d columns, must have at least one of each", len(c.Table.Rows), len(c.Table.Columns))
	}
	for j, name := range c.Table.Columns {
		if !c.Table.Proves(j) {
			name += "\n(proves nothing)"
		}
		t.Columns = append(t.Columns, name)
	}
	for i, r := range c.Table.Rows {
		name := r.Name
		if r.Control {
			name = "control: " + name
		}
		var cells []any
		for j, e := range r.Cells {
			s := estimate(e)
			if c.Table.Winner(j) == i {
				s = "★ " + s
			}
			cells = append(cells, s)
		}
		t.Rows, t.Cells = append(t.Rows, name), append(t.Cells, cells)
	}
	return t.Figure(), nil
}
