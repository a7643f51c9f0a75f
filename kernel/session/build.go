//go:build unix

package session

import (
	"bytes"
	"errors"
	"fmt"
	"go/types"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"lucigo/interp/near"
	"lucigo/kernel/source"
)

// build writes the program's files and builds it, and returns the file of the program. Where there is nothing to run,
// the package is compiled, and nothing is linked.
func (r *run) build(p source.Program, test bool) (binary string, err error) {
	if err := writeGo(r.dir, p.Files); err != nil {
		return "", failure("KernelError", err.Error())
	}
	binary = filepath.Join(r.dir, "cell.exe")
	args := []string{"build", "-o", binary}
	switch {
	case test:
		args = []string{"test", "-c", "-vet=off", "-o", binary}
	case !p.Main:
		args = []string{"list", "-export", "-f", "{{\"\"}}"}
	}
	// The linker flags that make a cell start soonest: no DWARF, and Go's own linker even for cgo, which takes a third of
	// the time of the external one. Not every C object suits it.
	fastest := "-w"
	if runtime.GOOS == "linux" && runtime.GOARCH == "amd64" {
		fastest = "-w -linkmode=internal"
	}
	out, err := r.goCommand(slices.Concat(args, []string{"-ldflags=" + fastest}, r.flags)...)
	if err != nil && fastest != "-w" && linkFailed(out) {
		out, err = r.goCommand(slices.Concat(args, []string{"-ldflags=-w"}, r.flags)...)
	}
	switch {
	case r.ctx.Err() != nil:
		return "", interrupted()
	case err == errFailed:
		return "", r.compileError(out)
	case err != nil:
		return "", failure("KernelError", fmt.Sprintf("go: %v", err))
	}
	return binary, nil
}

// writeGo makes the Go files of a directory those that are given, by their names. What is right already stays as it is.
func writeGo(dir string, files map[string]string) error {
	old, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	for _, file := range old {
		if _, ok := files[filepath.Base(file)]; !ok {
			if err := os.Remove(file); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		file := filepath.Join(dir, name)
		if have, err := os.ReadFile(file); err == nil && string(have) == files[name] {
			continue
		}
		if err := os.WriteFile(file, []byte(files[name]), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// errFailed is the error of a go command that has said why.
var errFailed = errors.New("it failed")

// goCommand runs the go command in the module's directory.
func (r *run) goCommand(args ...string) (out []byte, err error) {
	cmd := exec.Command(r.goTool, args...)
	cmd.Dir, cmd.Env = r.dir, r.env
	out, end, err := r.guard.output(r.ctx, cmd) // An interrupted one stops after the package that it compiles.
	if err == nil && !end.well() {
		err = errFailed
	}
	return out, err
}

// linkFailed says whether a failing build's messages come from the linker: they begin with the tool's path.
func linkFailed(out []byte) bool {
	for line := range bytes.Lines(out) {
		if tool, _, ok := bytes.Cut(line, []byte(": ")); ok && filepath.Base(string(tool)) == "link" {
			return true
		}
	}
	return bytes.Contains(out, []byte("loadinternal:"))
}

// message is one of the compiler's messages.
type message struct {
	cell, line, col int // 0 where there is none
	text            string
}

// place matches where the compiler and stacks say that something is.
var place = regexp.MustCompile(`(?m)^(?:\./)?(?:[^\s:]*/)?cell\[(\d+)\]:(\d+)(?::(\d+))?: (.*)$`)

var generated = regexp.MustCompile(`^(?:\./)?main(?:_test)?\.go:\d+(?::\d+)?: `)

// compileError is the failure that the go command's messages tell.
func (r *run) compileError(out []byte) error {
	var list []message
	const importing = "package " + Module + "\n\t" // before what is wrong with an import
	for line := range strings.Lines(strings.ReplaceAll(string(out), importing, "")) {
		line = strings.TrimRight(line, "\n")
		if m := place.FindStringSubmatch(line); m != nil {
			list = append(list, message{number(m[1]), number(m[2]), number(m[3]), m[4]})
			continue
		}
		switch text := generated.ReplaceAllString(line, ""); {
		case text == "" || strings.HasPrefix(text, "# ") || text == "too many errors":
		case strings.HasPrefix(text, "\t") && len(list) > 0:
			list[len(list)-1].text += "\n" + r.elsewhere(text)
		default:
			list = append(list, message{text: text})
		}
	}
	for i := range list { // The cause is first of the messages of a line.
		for ; i > 0 && list[i].causes(list[i-1]); i-- {
			list[i-1], list[i] = list[i], list[i-1]
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range list {
		list[i].text = r.explain(list[i].text)
	}
	return r.messages(r.Number, "CompileError", list)
}

// other matches a place that a message refers to, with the file's own name in brackets.
var other = regexp.MustCompile(`(?:[^\s:]*/)?cell\[(\d+)\]:(\d+)(?::\d+)?(?:\[[^\]\s]*\])?`)

// elsewhere is text in which places are those in cells.
func (r *run) elsewhere(text string) string {
	return other.ReplaceAllStringFunc(text, func(s string) string {
		m := other.FindStringSubmatch(s)
		return where(r.Number, number(m[1]), number(m[2]))
	})
}

// causes says whether n, of the same line, may only follow from m.
func (m message) causes(n message) bool {
	const unused = "declared and not used"
	return m.cell == n.cell && m.line == n.line && strings.HasPrefix(n.text, unused) && !strings.HasPrefix(m.text, unused)
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

var (
	noSelected = regexp.MustCompile(`^undefined: (\w+)\.(\w+)$`)
	noName     = regexp.MustCompile(`^undefined: (\w+)$`)
	noModule   = regexp.MustCompile(`^no required module provides package (\S+); to add it:`)
)

// explain says more than the compiler does where a name is wrong.
func (s *Session) explain(text string) string {
	if m := noSelected.FindStringSubmatch(text); m != nil {
		if path := s.index.Find(m[1], nil); path != "" {
			return fmt.Sprintf("%s has no %s%s", m[1], m[2], question(m[2], s.index.Exports(path)))
		}
	}
	if m := noName.FindStringSubmatch(text); m != nil && s.locals[m[1]] > 0 {
		return fmt.Sprintf("%s; %s is of the statements of cell [%d], and ends with them: "+
			"a var above all statements, in a cell of declarations, stays", text, m[1], s.locals[m[1]])
	} else if m != nil && len(m[1]) > 2 {
		return text + question(m[1], slices.Concat(s.memory.Names(), s.index.Names(), types.Universe.Names()))
	}
	if m := noModule.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("no module of this project provides package %s; !*go get %s adds one to this notebook's",
			m[1], m[1])
	}
	return text
}

// question asks whether one of have was meant, where any is near.
func question(name string, have []string) string {
	slices.Sort(have)
	have = slices.DeleteFunc(have, func(h string) bool { return 2*len(h) <= len(name) }) // a part of it
	if list := near.Names(name, slices.Compact(have), 3); len(list) > 0 {
		return "; " + strings.Join(list, ", ") + "?"
	}
	return ""
}

// most is how many messages are shown.
const most = 5

// messages is the failure of a list of messages, for the run of that number. Each has the user's line and a caret.
func (s *Session) messages(current int, name string, list []message) error {
	if len(list) == 0 {
		return failure(name, "it does not compile")
	}
	f := &Failure{Name: name}
	var values []string
	for i, m := range list {
		if i == most {
			f.Traceback = append(f.Traceback, fmt.Sprintf("… and %d more", len(list)-most))
			break
		}
		value := m.text
		if m.line > 0 {
			value = where(current, m.cell, m.line) + ": " + m.text
		}
		values = append(values, value)
		f.Traceback = append(f.Traceback, bold+value+plain)
		if code := s.line(m.cell, m.line); code != "" {
			f.Traceback = append(f.Traceback, "    "+strings.ReplaceAll(code, "\t", "    "))
			if m.col > 0 && m.col <= len(code)+1 {
				before := strings.ReplaceAll(code[:m.col-1], "\t", "    ")
				f.Traceback = append(f.Traceback, strings.Repeat(" ", 4+len([]rune(before)))+"^")
			}
		}
	}
	f.Value = strings.Join(values, "\n")
	return f
}

// where names a line of a cell, for a reader of the cell of run current.
func where(current, cell, line int) string {
	if cell == current || cell == 0 {
		return fmt.Sprintf("line %d", line)
	}
	return fmt.Sprintf("cell [%d], line %d", cell, line)
}

// line is the text of a cell's line, or "".
func (s *Session) line(cell, line int) string {
	lines := strings.Split(strings.ReplaceAll(s.texts[cell], "\r\n", "\n"), "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	return lines[line-1]
}
