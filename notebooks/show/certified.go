package show

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"lucigo/interp/attack/smoothing"
)

// Certified is a figure of certified accuracy against the radius: of all images, the share whose certificate has the true class and
// reaches so far. It is a curve of steps, as each certificate ends somewhere, with the 95 % interval of Wilson.
type Certified struct {
	Title  string
	Lines  []CertifiedLine
	Beside []Curve // accuracies from elsewhere, as published ones: drawn as points
	Size   int     // of the picture, as in Figure; 0 is 600
}

// CertifiedLine is what smoothing says of a network.
type CertifiedLine struct {
	Name         string
	Certificates []smoothing.Certificate
	Class        []int // the true ones
}

// Show displays the figure.
func (c Certified) Show() error { return show(c.Figure()) }

// Figure returns the figure, whose first line is the bold one. Its alternative text has the accuracies at radii a quarter apart.
func (c Certified) Figure() (Figure, error) {
	if len(c.Lines) == 0 {
		return Figure{}, errors.New("show: Certified: Lines is empty, must have at least one")
	}
	end := 0.0 // beyond which there is no certificate
	for _, l := range c.Lines {
		for _, z := range l.Certificates {
			end = max(end, z.Radius)
		}
	}
	for _, b := range c.Beside {
		end = max(end, slices.Max(append(b.X, 0)))
	}
	end += .02 * max(end, 1)
	curves := Curves{Title: c.Title, X: "L2 radius, in units of the pixels, [0, 1]", Y: "certified accuracy", Size: c.Size}
	var words []string
	for i, l := range c.Lines {
		all, err := l.at(l.radii(end))
		if err != nil {
			return Figure{}, fmt.Errorf("show: Certified: %q: %w", l.Name, err)
		}
		all.Steps, all.Bold = true, i == 0
		curves.Lines = append(curves.Lines, all)
		var quarters []float64
		for r := 0.0; r < end; r += .25 {
			quarters = append(quarters, r)
		}
		few, err := l.at(quarters)
		if err != nil {
			return Figure{}, fmt.Errorf("show: Certified: %q: %w", l.Name, err)
		}
		words = append(words, few.words())
	}
	for _, b := range c.Beside {
		b.Dots = true
		curves.Lines = append(curves.Lines, b)
		words = append(words, b.words())
	}
	f, err := curves.Figure()
	if err == nil {
		f.Cells[0][0].Note = curves.Y + " against " + curves.X + ". " + strings.Join(words, "; ")
	}
	return f, err
}

// radii are where the certified accuracy changes, from 0 to end.
func (l CertifiedLine) radii(end float64) []float64 {
	radii := []float64{0, end}
	for _, c := range l.Certificates {
		radii = append(radii, c.Radius)
	}
	slices.Sort(radii)
	return slices.Compact(radii)
}

// at returns the certified accuracy at radii.
func (l CertifiedLine) at(radii []float64) (Curve, error) {
	line := Curve{Name: l.Name, X: radii}
	for _, r := range radii {
		s, err := smoothing.Accuracy(l.Certificates, l.Class, r)
		if err != nil {
			return line, err
		}
		low, high := s.Interval()
		line.Y, line.Low, line.High = append(line.Y, s.Value()), append(line.Low, low), append(line.High, high)
	}
	return line, nil
}
