// Package number writes numbers for people to read.
package number

import (
	"math"
	"strconv"
	"strings"
)

// Text returns v with at most the given number of significant digits (at least 1), without trailing
// zeros. Whole numbers below a million are written out whatever the digits; from a million on and below
// a ten-thousandth the power of ten is written apart, as in 2.5e-7.
func Text(v float64, digits int) string {
	switch size := math.Abs(v); {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 0):
		return map[bool]string{true: "∞", false: "−∞"}[v > 0]
	case size < 1e6 && v == math.Trunc(v):
		return sign(strconv.FormatFloat(v, 'f', -1, 64))
	case size >= 1e-4 && size < 1e6:
		whole := int(math.Floor(math.Log10(size))) + 1 // digits before the point; 0.05 has -1
		s := strconv.FormatFloat(v, 'f', max(digits-whole, 0), 64)
		if strings.Contains(s, ".") {
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
		return sign(s)
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', digits-1, 64), "e")
	if strings.Contains(mantissa, ".") {
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
	}
	power, _ := strconv.Atoi(exponent)
	return sign(mantissa + "e" + strconv.Itoa(power))
}

// Apart returns a and b with four significant digits, or with as many more as it takes to tell them
// apart when they differ.
func Apart(a, b float64) (string, string) {
	for digits := 4; ; digits++ {
		s, t := Text(a, digits), Text(b, digits)
		if s != t || a == b || digits == 17 { // 17 digits tell any two float64 apart
			return s, t
		}
	}
}

// sign gives a negative number the minus sign of its typeface, and zero none.
func sign(s string) string {
	if rest, negative := strings.CutPrefix(s, "-"); negative {
		if rest == "0" {
			return rest
		}
		return "−" + rest
	}
	return s
}
