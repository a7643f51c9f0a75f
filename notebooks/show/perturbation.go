package show

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"lucigo/interp/attack"
	"lucigo/notebooks/internal/number"
)

// Perturbation is the figure of Szegedy et al., arXiv:1312.6199, section 4: for each image the original, what an attack added
// to it, and the result, with what the network says of both. Images that the network got wrong before were not attacked.
type Perturbation struct {
	Title   string
	Result  attack.Result
	Classes []string // names of the network's classes, as interp.Model.Classes returns them; nil for numbers

	// Times is by how much differences are enlarged; 0 is 10. All have this one scale, and no difference is middle grey.
	Times float64

	Across int // images in a row; 0 is 1 for up to three images, and 2 for more
	Size   int // of a picture, as in Figure
}

// Show displays the figure.
func (p Perturbation) Show() error { return show(p.Figure()) }

// Figure returns the figure: three columns for each image of a row. The legend says what the greys mean, and under each
// difference is its length in four norms, and the root of its mean square (RMS), which the paper calls distortion.
func (p Perturbation) Figure() (Figure, error) {
	r, times := p.Result, cmp.Or(p.Times, 10)
	n := len(r.Verdicts)
	switch {
	case !(times > 0) || math.IsInf(times, 1):
		return Figure{}, fmt.Errorf("show: Perturbation.Times is %g, must be more than 0", p.Times)
	case p.Across < 0:
		return Figure{}, fmt.Errorf("show: Perturbation.Across is %d, must be at least 0", p.Across)
	case r.Original.N != n || r.Images.N != n || r.Images.Size() != r.Original.Size():
		return Figure{}, fmt.Errorf("show: Perturbation.Result has %d originals, %d images and %d verdicts, must have as many of each",
			r.Original.N, r.Images.N, n)
	}
	before, err := cells(r.Original, nil, 0)
	if err != nil {
		return Figure{}, fmt.Errorf("show: the originals of a Perturbation: %w", err)
	}
	after, err := cells(r.Images, nil, 0)
	if err != nil {
		return Figure{}, fmt.Errorf("show: the images of a Perturbation: %w", err)
	}
	across := cmp.Or(p.Across, 1)
	if p.Across == 0 && n > 3 {
		across = 2
	}
	across = min(across, n)
	var all []Cell
	for i, v := range r.Verdicts {
		before[i].Caption = p.answer(v.Before)
		if v.Wrong {
			before[i].Caption += "\nwrong before: it is " + p.class(v.Class)
			all = append(all, before[i], Cell{Caption: "not attacked"}, Cell{})
			continue
		}
		after[i].Caption, after[i].Note = p.answer(v.After), v.By
		switch {
		case v.Fooled:
		case v.Target >= 0:
			after[i].Caption += "\nnot fooled: the target is " + p.class(v.Target)
		default:
			after[i].Caption += "\nnot fooled"
		}
		all = append(all, before[i], p.difference(i, times), after[i])
	}
	legend := Style{Palette: Grey, Signed: true}.Legend(3 * across)
	end := number.Text(.5/times, 3)
	legend.Low, legend.High = "−"+end, "+"+end
	legend.Note = fmt.Sprintf("difference × %s around grey: what is as it was is middle grey, and larger differences than ±%s are clipped",
		number.Text(times, 4), end)
	return Figure{
		Title: p.Title, Size: p.Size, Cells: rows(all, 3*across), Legends: []Legend{legend},
		Columns: slices.Repeat([]string{"image", "difference × " + number.Text(times, 4), "result"}, across),
	}, nil
}

// difference draws what was added to image i.
func (p Perturbation) difference(i int, times float64) Cell {
	x, y, v := p.Result.Original, p.Result.Images, p.Result.Verdicts[i]
	d, clipped, square := make([]float64, x.Size()), 0, 0.0
	for k, from := range x.Of(i) {
		d[k] = y.Of(i)[k] - from
		square += d[k] * d[k] / float64(len(d))
		if math.Abs(d[k])*times > .5*(1+1e-9) {
			clipped++
		}
	}
	caption := fmt.Sprintf("L∞\u00a0%s/255, L2\u00a0%s\nL1\u00a0%s, L0\u00a0%d\u00a0of\u00a0%d\nRMS\u00a0%s",
		number.Text(255*v.Linf, 3), number.Text(v.L2, 3), number.Text(v.L1, 3), int(v.L0), x.H*x.W, number.Text(math.Sqrt(square), 2))
	if clipped > 0 {
		caption += fmt.Sprintf("\n%s\u00a0%% of it is clipped", number.Text(100*float64(clipped)/float64(len(d)), 2))
	}
	return Cell{Picture: aroundGrey(d, x.H, x.W, x.C, .5/times), Caption: caption}
}

// answer is what the network says.
func (p Perturbation) answer(a attack.Answer) string {
	return fmt.Sprintf("%s, p\u00a0=\u00a0%.2f", p.class(a.Class), a.Prob)
}

func (p Perturbation) class(i int) string {
	if i < 0 || i >= len(p.Classes) {
		return fmt.Sprint("class ", i)
	}
	return p.Classes[i]
}
