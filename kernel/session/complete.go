//go:build unix

package session

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"lucigo/kernel/source"
)

// Draft is a cell that is being written, in a directory that a language server can read.
type Draft struct {
	source.Draft
	File string // where Text would be; it is not written
}

// Draft writes what the session remembers beside the file that the cell would be. Ok is false where the cursor, an
// offset in code, is not in Go code. The packages always are imported, used or not.
func (s *Session) Draft(code string, cursor int, always []string) (d Draft, ok bool, err error) {
	if err := s.ready(); err != nil {
		return d, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.Draft, ok = s.memory.Draft(s.index, code, cursor, always); !ok {
		return d, false, nil
	}
	dir := s.Editing()
	d.File = filepath.Join(dir, "draft.go")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return d, false, err
	}
	return d, true, writeGo(dir, d.Files)
}

// Editing is the directory of drafts, a package of the cells' module.
func (s *Session) Editing() string { return filepath.Join(s.dir, "editing") }

// Names completes without a language server: the names that code could have at the cursor, from start on. After a
// package's name and a point these are what it exports, and otherwise what is remembered, packages and commands.
func (s *Session) Names(code string, cursor int) (start int, names []string) {
	before := code[:cursor]
	word := lastWord(before)
	start = cursor - len(word)
	line := before[strings.LastIndexByte(before, '\n')+1:]
	if strings.HasPrefix(line, "%") && !strings.ContainsAny(line, " \t") {
		return cursor - len(line), source.Commands(line)
	}
	if s.ready() != nil {
		return start, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	if rest, ok := strings.CutSuffix(before[:start], "."); ok {
		all = s.index.Exports(s.index.Find(lastWord(rest), nil))
	} else if word != "" {
		all = slices.Concat(s.memory.Names(), s.index.Names())
	}
	for _, name := range all {
		if strings.HasPrefix(strings.ToLower(name), strings.ToLower(word)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return start, slices.Compact(names)
}

// lastWord is the name that text ends with, or "".
func lastWord(text string) string {
	inWord := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' }
	return text[len(strings.TrimRightFunc(text, inWord)):]
}
