package notebook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/scanner"
	"go/token"
	"strings"
	"unicode/utf8"
)

// disguised returns an error if a file is no JSON object at first sight: what it is instead, and what makes a notebook
// of it.
func disguised(b []byte) error {
	start := bytes.TrimLeft(b, " \t\r\n")
	begins := func(with ...string) bool {
		for _, w := range with {
			if len(start) >= len(w) && strings.EqualFold(string(start[:len(w)]), w) {
				return true
			}
		}
		return false
	}
	bad := func(what string) error { return errors.New("not a notebook: " + what) }
	switch {
	case len(start) == 0:
		return bad("the file is empty: if it was being written when a program or a disk failed, " +
			"take an older version of it")
	case begins("{"):
		if bytes.Contains(b[:min(len(b), 64)], []byte{0}) { // UTF-16 without a byte order mark.
			return bad("it is UTF-16, must be UTF-8: iconv -f UTF-16LE -t UTF-8")
		}
		return invalid(b)
	case bytes.HasPrefix(b, []byte("\xff\xfe")), bytes.HasPrefix(b, []byte("\xfe\xff")),
		bytes.Contains(b[:min(len(b), 64)], []byte("\x00{")):
		return bad("it is UTF-16, must be UTF-8: iconv -f UTF-16 -t UTF-8")
	case begins("<<<<<<<"):
		return errors.New(unresolved("<<<<<<<") + " (line 1)")
	case begins("version https://git-lfs"):
		return bad("it is a pointer of Git LFS, and the file is elsewhere: git lfs pull")
	case begins("<"):
		return bad("it is a web page (HTML): download the file itself (on GitHub: Download raw file)")
	case begins("\x1f\x8b", "PK\x03\x04", "BZh", "\xfd7zXZ", "\x28\xb5\x2f\xfd"):
		return bad("it is compressed: unpack it")
	case begins("#", "---", "//", "import ", "from ", "package ", "%%", "```"):
		return bad("it is a script or Markdown: jupytext --to ipynb makes a notebook of it")
	}
	if err := invalid(b); err != nil {
		return err
	}
	return bad(fmt.Sprintf("not JSON: a notebook begins with {, and this with %q (line 1)",
		short(start[:min(len(start), 20)])))
}

// invalid returns an error if a text is not UTF-8: reading it would change it.
func invalid(b []byte) error {
	if utf8.Valid(b) {
		return nil
	}
	line := 1
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			break
		}
		if r == '\n' {
			line++
		}
		b = b[n:]
	}
	return fmt.Errorf("not a notebook: it is not UTF-8 (line %d): save it as UTF-8", line)
}

// broken says what is wrong with JSON that the decoder refuses.
func broken(b []byte, err error) error {
	at := 0
	for line := range bytes.Lines(b) { // No line of JSON begins so.
		marker := string(line[:min(len(line), 7)])
		if marker == "<<<<<<<" || marker == ">>>>>>>" || string(bytes.TrimSpace(line)) == "=======" {
			return fmt.Errorf("%s (line %d)", unresolved(marker), 1+bytes.Count(b[:at], []byte("\n")))
		}
		at += len(line)
	}
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return fmt.Errorf("not a notebook: not a JSON object: %w", err)
	}
	at = min(max(int(syntax.Offset)-1, 0), len(b)) // the character that the decoder did not expect
	why := err.Error()
	before := bytes.TrimRight(b[:at], " \t\r\n")
	rest := b[at:]
	switch {
	case len(bytes.TrimSpace(rest)) == 0 || strings.Contains(why, "unexpected end"):
		at, why = len(b), "the file ends too early: it was not written or not copied to its end, take another copy"
	case bytes.HasSuffix(before, []byte(",")) && (rest[0] == ']' || rest[0] == '}'):
		at, why = len(before), fmt.Sprintf("a comma before %c, which JSON does not have: remove it", rest[0])
	case bytes.HasPrefix(rest, []byte("NaN")), bytes.HasPrefix(rest, []byte("Infinity")),
		bytes.HasPrefix(rest, []byte("-Infinity")):
		why = "a number that JSON does not have (NaN, Infinity): clear the outputs of the cell"
	case strings.Contains(why, "after top-level value"):
		why = "there is more after its end: remove that"
	case strings.Contains(why, "in string literal"):
		why += ": a line end or a control character in a text is written as \\n or \\u001b"
	}
	return fmt.Errorf("not a notebook: not JSON: %s (line %d)", why, 1+bytes.Count(b[:at], []byte("\n")))
}

func unresolved(marker string) string {
	return "a merge conflict is not resolved: there is a marker " + marker + ": keep one side and remove the markers"
}

// conflict is the first marker that a merge left in a cell, or "". Where the marker is text, as in a raw string of Go
// or in code that Markdown quotes, it is none.
func conflict(c *Cell) string {
	const begin, end = "<<<<<<<", ">>>>>>>"
	if !strings.Contains(c.Source, begin) && !strings.Contains(c.Source, end) {
		return ""
	}
	if c.Type != Code {
		fenced := false
		for line := range strings.Lines(c.Source) {
			if strings.HasPrefix(strings.TrimSpace(line), "```") {
				fenced = !fenced
			}
			line = strings.TrimPrefix(line, `<span style="color:red">**`) // So some tools mark whole cells.
			for _, marker := range []string{begin, end} {
				if !fenced && strings.HasPrefix(line, marker+" ") {
					return marker
				}
			}
		}
		return ""
	}
	src := []byte(c.Source)
	file := token.NewFileSet().AddFile("", -1, len(src))
	var s scanner.Scanner
	s.Init(file, src, func(token.Position, string) {}, 0)
	for {
		pos, tok, _ := s.Scan()
		if tok == token.EOF {
			return ""
		}
		at := file.Offset(pos)
		for _, marker := range []string{begin, end} {
			if (at == 0 || src[at-1] == '\n') && bytes.HasPrefix(src[at:], []byte(marker)) {
				return marker
			}
		}
	}
}
