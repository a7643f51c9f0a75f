package show

import (
	"math"
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/cause"
	"lucigo/interp/measure"
	"lucigo/interp/sanity"
)

// checked is a report of two methods, the second of which has a hostile name, and two variants: of the second method's second
// variant nothing is defined, and its map is not finite.
func checked() (sanity.Report, interp.Images) {
	nan := math.NaN()
	maps, x := noise(1, 6, 8, 8, 3)
	r := sanity.Report{Images: 2, Methods: []string{"gradient", nasty}, Variants: []string{"head", nasty}, Random: []float64{.4, 1}}
	for range sanity.Similarities() {
		r.Values = append(r.Values, [][][]float64{{{.5, .7}, {-.1, -.3}}, {{.25, nan}, {nan, nan}}})
	}
	for k := range r.Methods {
		var row []interp.Maps
		for v := range 3 {
			m := maps
			m.Images = maps.Images.Slice(k*3+v, k*3+v+1)
			m.Score = []float64{0}
			row = append(row, m)
		}
		r.Shown = append(r.Shown, row)
	}
	r.Shown[1][2].Pix[5] = nan
	return r, x.Slice(0, 1)
}

// has fails the test unless the page shows every text once at least, and nothing of the hostile name as a tag: read knows the elements.
func has(t *testing.T, page string, want ...string) fragment {
	t.Helper()
	got := read(t, page)
	got.text = strings.ReplaceAll(got.text, "\u00a0", " ")
	if strings.Contains(strings.ReplaceAll(got.text, "map 0 is NaN", ""), "NaN") {
		t.Errorf("what is undefined is shown as a number: %q", got.text)
	}
	for _, s := range want {
		if !strings.Contains(got.text, s) {
			t.Errorf("%q is not in %q", s, got.text)
		}
	}
	return got
}

// A picture of each map, under which there is what it has in common with that of the network as trained; and the curves.
func TestSanity(t *testing.T) {
	r, x := checked()
	for _, c := range []struct {
		image    interp.Images
		pictures int
	}{{interp.Images{}, 6}, {x, 7}} {
		page, err := html(Sanity{Title: nasty, Report: r, Similarity: sanity.Rank, Image: c.image}.Maps())
		if err != nil {
			t.Fatal(err)
		}
		// .5 and .7 have the mean .6 and the interval ± 12.7·.1; a single value has none.
		got := has(t, page, "as trained", "random: head", "… and <script>", "gradient", "not drawn: ", `alert("1")`, "0.60 ± 1.27", "−0.20 ± 1.27", "0.25", "undefined",
			"rank correlation with those of the network as trained", "2 images")
		if len(got.pictures) != c.pictures {
			t.Errorf("%d pictures, want %d: the legend's too, and one map is not finite", len(got.pictures), c.pictures)
		}
	}
	apart := r
	apart.Random, apart.Variants = []float64{.4, 0}, []string{"head", "mixed"}
	page, err := html(Sanity{Report: apart}.Maps())
	if err != nil {
		t.Fatal(err)
	}
	has(t, page, "random: head", "random: mixed")
	page, err = html(Sanity{Title: nasty, Report: r, Similarity: sanity.Rank}.Curves())
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, page); len(got.pictures) != 1 || strings.Contains(got.text, "NaN") {
		t.Errorf("%d pictures of curves, and %q", len(got.pictures), got.text)
	}
	if _, err := (Sanity{}).Maps(); err == nil || !strings.Contains(err.Error(), "show: Sanity.Report has no maps") {
		t.Errorf("of no report: error %v", err)
	}
	if _, err := (Sanity{}).Curves(); err == nil || !strings.Contains(err.Error(), "show: ") {
		t.Errorf("curves of no report: error %v", err)
	}
}

// A line for each method, with its verdict.
func TestSanityCard(t *testing.T) {
	r, _ := checked()
	result := sanity.Result{Report: r, Verdicts: []sanity.Verdict{sanity.Follows, sanity.Undecided}}
	for range sanity.Similarities() {
		result.Level = append(result.Level, []measure.Estimate{measure.Estimated([]float64{.2}), measure.Estimated(nil)})
	}
	page, err := html(SanityCard{Title: nasty, Result: result}.Figure())
	if err != nil {
		t.Fatal(err)
	}
	// The half is the second variant: kept is (−.2 − .2) / (1 − .2).
	has(t, page, "gradient", `alert("1")`, "It follows what the network has learnt.", "It is undecided.", "−0.20 ± 1.27", "0.2", "−0.50", "undefined")
	result.Verdicts = result.Verdicts[:1]
	for _, bad := range []sanity.Result{{}, result} {
		if _, err := (SanityCard{Result: bad}).Figure(); err == nil || !strings.Contains(err.Error(), "SanityCard.Result has") {
			t.Errorf("%d verdicts of %d methods: error %v", len(bad.Verdicts), len(bad.Methods), err)
		}
	}
}

// The best of a column is marked, a control is called one, and a column that a control wins proves nothing.
func TestCauses(t *testing.T) {
	estimates := func(all ...[]float64) (cells []measure.Estimate) {
		for _, v := range all {
			cells = append(cells, measure.Estimated(v))
		}
		return cells
	}
	table := cause.Table{Columns: []string{"correctness", nasty, "nothing"}, Rows: []cause.Row{
		{Name: nasty, Cells: estimates([]float64{.9, .91}, []float64{.1, .3}, nil)},
		{Name: "edges", Control: true, Cells: estimates([]float64{-.5, -.51}, []float64{.7}, nil)},
	}}
	page, err := html(Causes{Title: nasty, Table: table}.Figure())
	if err != nil {
		t.Fatal(err)
	}
	got := has(t, page, "control: edges", "correctness", `alert("1")`, "★ 0.91 ± 0.06", "−0.51 ± 0.06", "★ 0.7", "0.20 ± 1.27", "undefined")
	if n := strings.Count(got.text, "(proves nothing)"); n != 2 {
		t.Errorf("%d columns prove nothing, want 2, in %q", n, got.text)
	}
	if n := strings.Count(got.text, "★"); n != 2 {
		t.Errorf("%d stars, want 2", n)
	}
	for _, bad := range []cause.Table{{}, {Columns: table.Columns}, {Rows: table.Rows}} {
		if _, err := (Causes{Table: bad}).Figure(); err == nil || !strings.Contains(err.Error(), "Causes.Table has") {
			t.Errorf("%d rows and %d columns: error %v", len(bad.Rows), len(bad.Columns), err)
		}
	}
}
