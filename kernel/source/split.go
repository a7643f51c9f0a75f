// Package source reads what a notebook's cells mean: commands, declarations and statements. It remembers declarations
// from cell to cell, and composes the Go program that a cell is part of.
//
// A cell is Go source, in the language of GoNB's cells: lines that begin with % or ! are commands, declarations are
// remembered, and statements (those after a line %%, or a cell that is nothing but statements) are the body of main.
package source

import (
	"strings"
	"unicode/utf8"
)

// Command is a line that is not Go: it begins with % or !, perhaps after //gonb:, which hides it from editors.
type Command struct {
	Line int    // its first line in the cell, from 1
	Text string // with the lines that it is continued on by a backslash
}

// Split separates a cell's text into commands and Go. In code the lines of commands are empty, so all others keep their
// numbers. A line in a raw string or in a comment is text, whatever it begins with, and so is one that begins with !
// where Go expects an operand. "\r\n" is a line's end, as "\n" is.
func Split(text string) (commands []Command, code string) {
	var (
		b         strings.Builder
		s         state
		continued bool // the line before is a command that ends with a backslash
	)
	for i, line := range strings.Split(normal(text), "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		command := strings.TrimPrefix(line, "//gonb:")
		switch {
		case continued:
			last := &commands[len(commands)-1]
			last.Text = strings.TrimSuffix(last.Text, `\`) + " " + strings.TrimSpace(command)
			continued = strings.HasSuffix(last.Text, `\`)
		case s.commands(command):
			commands = append(commands, Command{i + 1, strings.TrimSpace(command)})
			continued = strings.HasSuffix(commands[len(commands)-1].Text, `\`)
		default:
			s.read(line)
			b.WriteString(line)
		}
	}
	return commands, b.String()
}

// normal is text with "\n" at the ends of its lines and without a byte order mark.
func normal(text string) string {
	return strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n")
}

// state is what has to be known of the lines before one to tell whether it is Go.
type state struct {
	raw, comment bool // it begins in a raw string or a comment
	depth        int  // open parentheses and brackets
	operand      bool // the last token asks for an operand
}

// commands says whether line is a command.
func (s *state) commands(line string) bool {
	switch {
	case s.raw || s.comment || line == "":
		return false
	case line[0] == '%':
		return true
	}
	return line[0] == '!' && s.depth == 0 && !s.operand
}

// read takes in a line of Go.
func (s *state) read(line string) {
	for i := 0; i < len(line); {
		rest := line[i:]
		switch {
		case s.raw:
			end := strings.IndexByte(rest, '`')
			if end < 0 {
				return
			}
			s.raw, s.operand = false, false
			i += end + 1
		case s.comment:
			end := strings.Index(rest, "*/")
			if end < 0 {
				return
			}
			s.comment = false
			i += end + 2
		case strings.HasPrefix(rest, "//"):
			return
		case strings.HasPrefix(rest, "/*"):
			s.comment = true
			i += 2
		case rest[0] == '`':
			s.raw = true
			i++
		case strings.HasPrefix(rest, "++"), strings.HasPrefix(rest, "--"):
			s.operand = false
			i += 2
		case rest[0] == '"', rest[0] == '\'':
			s.operand = false
			i += quoted(rest)
		default:
			r, size := utf8.DecodeRuneInString(rest)
			s.token(r)
			i += size
		}
	}
}

// token takes in one character outside strings and comments.
func (s *state) token(r rune) {
	switch r {
	case ' ', '\t':
	case '(', '[':
		s.depth++
		s.operand = true
	case '{': // It may be that of a literal.
		s.operand = true
	case ')', ']':
		s.depth = max(s.depth-1, 0)
		s.operand = false
	case '}', ';', ':':
		s.operand = false
	default:
		s.operand = strings.ContainsRune("+-*/%&|^<>=!,.~", r)
	}
}

// quoted is the length of the string or rune literal that s begins with, which ends at the line's end at the latest.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		}
	}
	return len(s)
}
