package show

import (
	"math"
	"strings"
	"testing"

	"lucigo/interp/attack/smoothing"
)

func certified() Certified {
	var noisy, plain CertifiedLine
	noisy.Name, plain.Name = "trained with noise", nasty
	for i := range 60 {
		radius := .01 * float64(i)
		noisy.Class, plain.Class = append(noisy.Class, 1), append(plain.Class, 1)
		c := smoothing.Certificate{Class: 1, Radius: radius}
		switch {
		case i%10 == 7:
			c.Class = 0
		case i%10 == 8:
			c = smoothing.Certificate{Class: -1, Why: smoothing.NoMajority}
		}
		noisy.Certificates = append(noisy.Certificates, c)
		if i > 5 {
			c = smoothing.Certificate{Class: -1, Why: smoothing.NoMajority}
		}
		plain.Certificates = append(plain.Certificates, c)
	}
	return Certified{Title: nasty, Lines: []CertifiedLine{noisy, plain},
		Beside: []Curve{{Name: "published, CIFAR-10", X: []float64{0, .25, .5, .75}, Y: []float64{.77, .6, .42, .24}}}}
}

// TestCertified: the picture, and its numbers in words.
func TestCertified(t *testing.T) {
	f, err := certified().Figure()
	if err != nil {
		t.Fatal(err)
	}
	plotted(t, f, "certified", "trained with noise: 0.8 at 0, 0.45 at 0.25, 0.133 at 0.5, 0 at 0.75", "published, CIFAR-10: 0.77 at 0, 0.6 at 0.25, 0.42 at 0.5, 0.24 at 0.75",
		"<b>: 0.1 at 0, 0 at 0.25")
}

// TestSteps: a curve of steps is level up to each X.
func TestSteps(t *testing.T) {
	c := Curve{X: []float64{0, 1, 3}, Y: []float64{5, 4, 2}, Low: []float64{4, 3, 1}, High: []float64{6, 5, 3}, Steps: true}.stepped()
	for i, want := range [][3]float64{{0, 5, 4}, {0, 4, 3}, {1, 4, 3}, {1, 2, 1}, {3, 2, 1}} {
		if len(c.X) != 5 || c.X[i] != want[0] || c.Y[i] != want[1] || c.Low[i] != want[2] || c.High[i] != want[1]+1 {
			t.Fatalf("%+v", c)
		}
	}
}

func TestCertifiedBad(t *testing.T) {
	short, lost := certified(), certified()
	short.Lines[1].Class = short.Lines[1].Class[1:]
	lost.Beside[0].Y[1] = math.NaN()
	for _, c := range []Certified{{}, short, lost, {Lines: []CertifiedLine{{Name: "none"}}}} {
		if _, err := c.Figure(); err == nil || !strings.HasPrefix(err.Error(), "show: C") {
			t.Errorf("%v", err)
		}
	}
}
