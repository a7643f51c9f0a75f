package number

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	for _, c := range []struct {
		v      float64
		digits int
		want   string
	}{
		{0, 4, "0"}, {math.Copysign(0, -1), 4, "0"}, {50, 1, "50"}, {-3, 4, "−3"}, {999999, 2, "999999"},
		{0.5, 4, "0.5"}, {0.05, 4, "0.05"}, {1.0 / 3, 4, "0.3333"}, {12345.67, 4, "12346"}, {99999.96, 4, "100000"},
		{1e6, 4, "1e6"}, {1.25e7, 4, "1.25e7"}, {2.5e-7, 4, "2.5e-7"}, {-1.23456e-5, 3, "−1.23e-5"}, {0.0001, 4, "0.0001"},
		{9.99999e-5, 4, "1e-4"}, {1e100, 4, "1e100"}, {5e-324, 4, "4.941e-324"},
		{math.NaN(), 4, "NaN"}, {math.Inf(1), 4, "∞"}, {math.Inf(-1), 4, "−∞"},
	} {
		if got := Text(c.v, c.digits); got != c.want {
			t.Errorf("Text(%g, %d) = %q, want %q", c.v, c.digits, got, c.want)
		}
	}
}

// What is written reads back as the number, to the digits asked for.
func TestLawTextReadsBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		v := math.Exp(r.NormFloat64()*20) * float64(1-2*r.IntN(2))
		digits := 1 + r.IntN(14)
		s := Text(v, digits)
		got, err := strconv.ParseFloat(strings.Replace(s, "−", "-", 1), 64)
		if err != nil {
			t.Fatalf("Text(%g, %d) = %q: %v", v, digits, s, err)
		}
		if tolerance := 0.5000001 * math.Pow(10, 1-float64(digits)); !(math.Abs(got-v) <= tolerance*math.Abs(v)) {
			t.Fatalf("Text(%g, %d) = %q", v, digits, s)
		}
	}
}

func TestLawApart(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20000 {
		a := math.Exp(r.NormFloat64() * 10)
		b := a
		for range r.IntN(4) {
			b = math.Nextafter(b, math.Inf(1))
		}
		if s, u := Apart(a, b); (s == u) != (a == b) {
			t.Fatalf("%v and %v are written %q and %q", a, b, s, u)
		}
	}
	if s, u := Apart(0.0100004, 0.01); s != "0.0100004" && u != "0.01" {
		t.Errorf("0.0100004 and 0.01 are written %q and %q", s, u)
	}
}
