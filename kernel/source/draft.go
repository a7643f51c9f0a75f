package source

import (
	"fmt"
	"go/token"
	"maps"
	"slices"
	"strings"
)

// Draft is a cell that is being written, as a file beside the files of what is remembered.
type Draft struct {
	Text   string // of the file
	Offset int    // of the cursor in Text
	Files  map[string]string
	head   int // bytes of Text before the cell's
	at     int // where the cell's text is wrapped in a func
	wrap   int // bytes of that
}

// Draft is the file of a cell that need not be correct yet, with the cursor at an offset of it; ok is false where the
// cursor is not in Go code. It imports the packages always, used or not, besides those that it uses: a language server
// takes longest where imports change.
func (m Memory) Draft(pkgs Packages, text string, offset int, always []string) (d Draft, ok bool) {
	commands, _ := Split(text)
	code := withoutPackage(blanked(text, commands))
	line := strings.Count(text[:offset], "\n") + 1
	d.at = -1
	for _, c := range commands {
		if c.Line == line {
			return d, false
		}
		if name := c.Name(); (name == "%" || name == "main") && d.at < 0 {
			d.at = lineStart(code, c.Line+1)
		}
	}
	if d.at < 0 {
		after := importsEnd(code)
		if o := outlineOf(code[after:]); !o.declares || o.mixed && o.fn == 0 {
			d.at = after
		}
	}
	declared := map[string]bool{}
	for _, name := range m.Names() {
		declared[name] = true
	}
	f := file{remembered: remembered{Cell: &Cell{}}}
	if own, err := Parse(code[:importsEnd(code)]); err == nil {
		for _, i := range own.imports {
			declared[i.called()] = true
		}
	}
	used := selected(code)
	var imports strings.Builder
	for _, path := range always {
		if name := pkgs.Name(path); name != "" && !declared[name] {
			delete(used, name)
			fmt.Fprintf(&imports, "import %s %q\n", name, path)
		}
	}
	head := "package main\n" + imports.String() + f.header(m, pkgs, declared, used) + "\n"
	before, after := "", ""
	if d.at >= 0 {
		before, after = "\nfunc _() {\n", "\n}\n"
	} else {
		d.at = len(code)
	}
	d.head, d.wrap = len(head), len(before)
	d.Text = head + code[:d.at] + before + code[d.at:] + after
	d.Offset = d.in(offset)
	d.Files = map[string]string{}
	for _, c := range m.cells {
		text, _ := file{remembered: c}.text(m, pkgs, declared)
		if text != "" {
			d.Files[fmt.Sprintf("cell_%05d.go", c.number)] = text
		}
	}
	return d, true
}

// blanked is text in which the lines of commands are blanks, so that offsets stay.
func blanked(text string, commands []Command) string {
	for _, c := range commands {
		for line := c.Line; ; line++ {
			start, end := lineStart(text, line), lineStart(text, line+1)
			more := strings.HasSuffix(strings.TrimRight(text[start:end], "\r\n"), `\`)
			text = blank(text, start, end)
			if !more || end == len(text) {
				break
			}
		}
	}
	return text
}

// in is the offset in the file of one in the cell, and Cell the other way round.
func (d Draft) in(offset int) int {
	if offset >= d.at && d.wrap > 0 {
		offset += d.wrap
	}
	return offset + d.head
}

// Cell is the offset in the cell of one in the file.
func (d Draft) Cell(offset int) int {
	offset -= d.head
	if offset >= d.at+d.wrap {
		offset -= d.wrap
	}
	return max(offset, 0)
}

// selected are the names before a point in code, with nothing of what is selected: it may be half of a name.
func selected(code string) uses {
	s, _ := scan(code)
	u := uses{}
	last, lastTok := "", token.ILLEGAL
	for {
		_, tok, lit := s.Scan()
		if tok == token.EOF {
			return u
		}
		if tok == token.PERIOD && lastTok == token.IDENT && last != "" {
			u[last] = []string{}
		}
		if lastTok == token.PERIOD { // x.y.z: y is no package
			lit = ""
		}
		last, lastTok = lit, tok
	}
}

// Commands completes the name of a command: those that begin as text does.
func Commands(text string) (names []string) {
	for name := range maps.Keys(known) {
		names = append(names, "%"+name)
	}
	for name := range maps.Keys(scripts) {
		names = append(names, "%"+name)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, text) })
	slices.Sort(names)
	return names
}

// Incomplete says whether a cell ends before its code does, and how deep in braces the next line is.
func Incomplete(text string) (depth int, incomplete bool) {
	if _, ok := script(normal(text)); ok {
		return 0, false
	}
	commands, code := Split(text)
	if n := len(commands); n > 0 && strings.HasSuffix(commands[n-1].Text, `\`) {
		return 0, true
	}
	var s state
	for _, line := range strings.Split(code, "\n") {
		s.read(line)
	}
	sc, _ := scan(code)
	open := 0
	for {
		_, tok, _ := sc.Scan()
		switch tok {
		case token.EOF:
			return max(open, 0), s.raw || s.comment || s.operand || open > 0
		case token.LBRACE, token.LPAREN, token.LBRACK:
			open++
		case token.RBRACE, token.RPAREN, token.RBRACK:
			open--
		}
	}
}
