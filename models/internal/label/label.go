// Package label keeps names that somebody else has chosen, as those of files and of what is in them, from filling an error or
// moving a terminal's cursor.
package label

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Most is how many bytes a name may have.
const Most = 1 << 10

// Check returns an error if a name is longer than Most, or has what cannot be printed.
func Check(name string) error {
	switch {
	case len(name) > Most:
		return fmt.Errorf("a name of %d bytes, %.40q…, must have at most %d: the file is damaged", len(name), name, Most)
	case !printable(name):
		return fmt.Errorf("the name %q has characters that cannot be printed: the file is damaged", name)
	}
	return nil
}

// Text is a name as an error shows it: itself, or quoted and cut where Check has an error.
func Text(name string) string {
	switch {
	case len(name) > Most:
		return strconv.Quote(name[:Most]) + "…"
	case !printable(name):
		return strconv.Quote(name)
	}
	return name
}

func printable(name string) bool {
	return utf8.ValidString(name) && strings.IndexFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}
