package show

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"lucigo/interp/attack"
	"lucigo/interp/interptest"
)

// attacked is a result of n images to which numbers up to most were added, and a verdict for each.
func attacked(n, c int, most float64, verdicts ...attack.Verdict) attack.Result {
	r := attack.Result{Original: interptest.ImagesOf(n, 6, 5, c, 3), Images: interptest.ImagesOf(n, 6, 5, c, 3), Verdicts: verdicts}
	for i := range r.Images.Pix {
		d := most * math.Sin(float64(7*i))
		r.Original.Pix[i] = .2 + .6*r.Original.Pix[i]
		r.Images.Pix[i] = r.Original.Pix[i] + d
	}
	for i := range verdicts {
		x, y, v := r.Original.Of(i), r.Images.Of(i), &r.Verdicts[i]
		v.Linf, v.L2 = attack.NormInf.Distance(x, y, c), attack.Norm2.Distance(x, y, c)
		v.L1, v.L0 = attack.Norm1.Distance(x, y, c), attack.Norm0.Distance(x, y, c)
	}
	return r
}

func verdicts() []attack.Verdict {
	before := attack.Answer{Class: 0, Prob: .987}
	return []attack.Verdict{
		{Class: 0, Target: -1, Before: before, After: attack.Answer{Class: 1, Prob: .5}, Fooled: true, By: "FGSM(<i>)"},
		{Class: 0, Target: -1, Before: before, After: attack.Answer{Class: 0, Prob: .6}},
		{Class: 0, Target: 7, Before: before, After: attack.Answer{Class: 7, Prob: 1}, Fooled: true},
		{Class: 0, Target: 1, Before: before, After: attack.Answer{Class: 2, Prob: .3}},
		{Class: 2, Target: 1, Before: before, After: before, Wrong: true},
	}
}

// TestPerturbation: every pixel of a difference is where it should be, and the captions tell what happened to each image.
func TestPerturbation(t *testing.T) {
	for _, c := range []int{1, 3} {
		for _, times := range []float64{0, 1, 40} {
			r := attacked(5, c, .07, verdicts()...)
			f, err := Perturbation{Title: "a", Result: r, Classes: []string{"cube", nasty, "cone"}, Times: times, Across: 1}.Figure()
			if err != nil {
				t.Fatal(err)
			}
			if len(f.Cells) != 5 || len(f.Cells[0]) != 3 {
				t.Fatalf("%d rows of %d", len(f.Cells), len(f.Cells[0]))
			}
			by := times
			if times == 0 {
				by = 10
			}
			for i := range 4 {
				clipped := 0
				for k, v := range r.Original.Of(i) {
					d := r.Images.Of(i)[k] - v
					want := 127.0 + 254*min(max(by*d, -.5), .5)
					if got := at(f.Cells[i][1].Picture, k/c%5, k/c/5)[k%c]; !(math.Abs(float64(got)-want) <= .5+1e-6) {
						t.Fatalf("%d channels, × %g: number %d of image %d changes by %g and is %d, want %g", c, by, k, i, d, got, want)
					}
					if math.Abs(by*d) > .5 {
						clipped++
					}
				}
				says := fmt.Sprintf("%.2g\u00a0%% of it is clipped", 100*float64(clipped)/float64(30*c))
				caption := f.Cells[i][1].Caption
				if strings.Contains(caption, "clipped") != (clipped > 0) || clipped > 0 && !strings.Contains(caption, says) {
					t.Errorf("× %g: %q, and %d are clipped: want %q", by, caption, clipped, says)
				}
				for k, x := range []int{0, 2} {
					images := [][]float64{r.Original.Of(i), r.Images.Of(i)}[k]
					if got := at(f.Cells[i][x].Picture, 0, 0)[0]; math.Abs(float64(got)-255*images[0]) > 1 {
						t.Errorf("image %d, column %d begins with %d, want %g", i, x, got, 255*images[0])
					}
				}
			}
			if f.Columns[1] != fmt.Sprintf("difference × %g", by) || !strings.Contains(f.Legends[0].Note, fmt.Sprintf("±%.3g", .5/by)) {
				t.Errorf("column %q, legend %q", f.Columns[1], f.Legends[0].Note)
			}
			var says []string
			for _, row := range f.Cells {
				says = append(says, strings.ReplaceAll(row[0].Caption+" | "+row[2].Caption, "\u00a0", " "))
			}
			want := []string{
				"cube, p = 0.99 | " + nasty + ", p = 0.50", "cube, p = 0.99 | cube, p = 0.60\nnot fooled", "cube, p = 0.99 | class 7, p = 1.00",
				"cube, p = 0.99 | cone, p = 0.30\nnot fooled: the target is " + nasty, "cube, p = 0.99\nwrong before: it is cone | ",
			}
			if !slices.Equal(says, want) {
				t.Errorf("the captions are %q, want %q", says, want)
			}
			if c := f.Cells[4]; c[1].Picture != nil || c[2].Picture != nil || c[1].Caption != "not attacked" {
				t.Errorf("of an image that was wrong before: %+v", c)
			}
			page, err := f.HTML()
			if err != nil {
				t.Fatal(err)
			}
			got := read(t, page)
			escaped := strings.Contains(got.text, `<script>alert("1")</script>`) && strings.Contains(got.pictures[2].alt, "FGSM(<i>)")
			if len(got.pictures) != 3*4+1+1 || !escaped {
				t.Errorf("%d pictures, alt %q", len(got.pictures), got.pictures[2].alt)
			}
			if c == 3 && times == 0 {
				golden(t, "perturbation", f.Cells[0][1].Picture)
			}
		}
	}
}

// The numbers under a difference are the verdict's.
func TestPerturbationNorms(t *testing.T) {
	r := attacked(1, 3, .07, verdicts()[0])
	r.Images.Pix = slices.Clone(r.Original.Pix)
	for c := range 3 {
		r.Images.Pix[c] += 3. / 255
	}
	r.Verdicts[0].Linf, r.Verdicts[0].L2, r.Verdicts[0].L1, r.Verdicts[0].L0 = 3./255, .0204, .0353, 1
	f, err := Perturbation{Result: r}.Figure()
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("L∞ 3/255, L2 0.0204\nL1 0.0353, L0 1 of 30\nRMS %.2g", math.Sqrt(3./90)*3/255)
	if got := strings.ReplaceAll(f.Cells[0][1].Caption, "\u00a0", " "); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for p := range 30 {
		want := [3]int{127, 127, 127}
		if p == 0 {
			want = [3]int{157, 157, 157}
		}
		if got := at(f.Cells[0][1].Picture, p%5, p/5); got != want {
			t.Fatalf("pixel %d is %v, want %v: what is as it was is middle grey, whatever else is in the image", p, got, want)
		}
	}
}

func TestPerturbationAcross(t *testing.T) {
	for _, c := range []struct{ n, across, rows, columns int }{
		{1, 0, 1, 3}, {3, 0, 3, 3}, {4, 0, 2, 6}, {5, 0, 3, 6}, {5, 3, 2, 9}, {2, 9, 1, 6},
	} {
		f, err := Perturbation{Result: attacked(c.n, 3, .01, slices.Repeat(verdicts()[:1], c.n)...), Across: c.across}.Figure()
		if err != nil || len(f.Cells) != c.rows || len(f.Cells[0]) != c.columns || len(f.Columns) != c.columns || f.Legends[0].Span != c.columns {
			t.Errorf("%+v: %d rows of %d, %v", c, len(f.Cells), len(f.Columns), err)
		}
	}
}

func TestPerturbationErrors(t *testing.T) {
	good := attacked(1, 3, .01, verdicts()[0])
	nan, two, short := attacked(1, 3, .01, verdicts()[0]), attacked(1, 2, .01, verdicts()[0]), good
	nan.Images.Pix[7] = math.NaN()
	short.Verdicts = nil
	for _, c := range []struct {
		p    Perturbation
		says string
	}{
		{Perturbation{}, "no images"},
		{Perturbation{Result: good, Times: -1}, "show: Perturbation.Times is -1, must be more than 0"},
		{Perturbation{Result: good, Times: math.Inf(1)}, "Times is +Inf"},
		{Perturbation{Result: good, Times: math.NaN()}, "Times is NaN"},
		{Perturbation{Result: good, Across: -1}, "show: Perturbation.Across is -1"},
		{Perturbation{Result: short}, "1 originals, 1 images and 0 verdicts"},
		{Perturbation{Result: two}, "2 channels"},
		{Perturbation{Result: nan}, "the images of a Perturbation: image 0 is NaN"},
	} {
		if err := c.p.Show(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("error %v, want one that says %q", err, c.says)
		}
	}
}
