package source

import (
	"fmt"
	"go/types"
	"maps"
	"slices"
	"strings"
)

// Packages finds the packages that cells use without an import.
type Packages interface {
	// Find is the path of a package of that name that has all that is selected of it, or the likeliest one; "" if there
	// is none.
	Find(name string, selected []string) (path string)
	// Name is a package's own name, or "" if there is no such package.
	Name(path string) string
	// Exports are the names that a package exports.
	Exports(path string) []string
}

// Program is a Go program that a cell is part of.
type Program struct {
	Files map[string]string // by their names in the program's directory
	Tests []string          // the funcs of the last cell that go test is to run
	Bench bool              // there are benchmarks among them
	Main  bool              // the program's main is worth a run: it does or initialises something
	Entry string            // what the program calls the cell's main
}

// Place is the file name by which the compiler and the running program name a cell.
func Place(number int) string { return fmt.Sprintf("cell[%d]", number) }

// Done is the file descriptor to which the program writes what Begun and Ended return.
const Done = 3

// Begun is what a program with that token writes when all is initialised, before its main or its tests begin.
func Begun(token string) string { return "begun " + token + "\n" }

// Ended is what it writes when its main has returned, or its tests have run.
func Ended(token string) string { return "ended " + token + "\n" }

// Program composes the program of the cell that was added last. It has one file for each cell, in which places are
// those in the cell. It tells how far it has come by token on the file descriptor Done.
func (m Memory) Program(pkgs Packages, token string) Program {
	declared := map[string]bool{}
	for _, name := range m.Names() {
		declared[name] = true
	}
	last := m.cells[len(m.cells)-1]
	p := Program{Files: map[string]string{}, Entry: entryName(declared)}
	for i, c := range m.cells {
		f := file{remembered: c, last: i == len(m.cells)-1, entry: p.Entry}
		text, tests := f.text(m, pkgs, declared)
		if text == "" {
			continue
		}
		suffix := ".go"
		if last.Test && tests {
			suffix = "_test.go"
		}
		p.Files[fmt.Sprintf("cell_%05d%s", c.number, suffix)] = text
	}
	for _, d := range last.decls {
		if d.test {
			p.Tests = append(p.Tests, d.specs[0].names[0].key)
			p.Bench = p.Bench || strings.HasPrefix(d.specs[0].names[0].key, "Benchmark")
		}
		p.Main = p.Main || d.runs()
	}
	cgo := slices.ContainsFunc(last.imports, func(i Import) bool { return i.Path == "C" })
	p.Main = p.Main || last.Entry || cgo // Only the linker finds C functions of one name.
	call := ""
	switch {
	case last.call != "":
		call = last.call + "()"
	case last.Entry:
		call = p.Entry + "()"
	}
	p.Files["main.go"] = mainFile(call, last.Flags && last.flags(), token)
	if last.Test { // The last file's init comes last.
		p.Files["main.go"] = "package main\nfunc main() {}\n"
		p.Files["main_test.go"] = testFile(!last.TestMain(), token)
	}
	return p
}

// TestMain says whether the cell has a func TestMain, which then ends the program of its tests.
func (c *Cell) TestMain() bool {
	return c.Test && slices.ContainsFunc(c.decls, func(d *decl) bool { return d.once && !d.main })
}

// entryName is what the cell's main is called, since the program's own calls it: a name of as many letters.
func entryName(declared map[string]bool) string {
	for _, name := range []string{"Main", "Mai_", "Ma__", "M___"} {
		if !declared[name] {
			return name
		}
	}
	return "____"
}

// flags says whether main has flags to parse: arguments, or code that uses package flag, and does not parse them
// itself.
func (c *Cell) flags() bool {
	if slices.Contains(c.uses["flag"], "Parse") {
		return false
	}
	if len(c.Args) > 0 {
		return true
	}
	_, used := c.uses["flag"]
	for _, d := range c.decls {
		_, here := d.uses["flag"]
		used = used || here
	}
	return used
}

// tell is a statement that writes text to Done.
func tell(text string) string {
	return fmt.Sprintf("\tsyscall_.Write(%d, []byte(%q))\n", Done, text)
}

// begin is the beginning of the program's last file.
func begin(token string) string {
	return "package main\nimport syscall_ \"syscall\"\nfunc init() {\n" + tell(Begun(token)) + "}\n"
}

func mainFile(call string, flags bool, token string) string {
	head, parse := begin(token), ""
	if flags {
		head, parse = strings.Replace(head, "func init", "import flag_ \"flag\"\nfunc init", 1), "\tflag_.Parse()\n"
	}
	if call != "" {
		call = "\t" + call + "\n"
	}
	return head + "func main() {\n" + parse + call + tell(Ended(token)) + "}\n"
}

func testFile(main bool, token string) string {
	if !main {
		return begin(token)
	}
	return strings.Replace(begin(token), "func init", "import os_ \"os\"\nimport testing_ \"testing\"\nfunc init", 1) +
		"func TestMain(m *testing_.M) {\n\tcode := m.Run()\n" + tell(Ended(token)) + "\tos_.Exit(code)\n}\n"
}

// file is one cell's file of a program.
type file struct {
	remembered
	last  bool // it is the cell that is run
	entry string
}

// text is the file's text, or "" if nothing of the cell is left, and says whether go test runs anything in it.
func (f file) text(m Memory, pkgs Packages, declared map[string]bool) (text string, tests bool) {
	var body strings.Builder
	used := uses{}
	at := func(s span, before, text, after string) {
		fmt.Fprintf(&body, "%s//line %s:%d:%d\n%s\n%s", before, Place(f.number), s.line, s.col, text, after)
	}
	for _, d := range f.decls {
		if d.once && !f.last {
			continue
		}
		if d.main {
			if f.last {
				code := d.code[d.start:d.name] + f.entry + d.code[d.name+len("main"):d.end]
				at(d.span, "", code, "")
				used.add(d.uses)
			}
			continue
		}
		if code := d.render(f.alive); code != "" {
			at(d.span, "", code, "")
			used.add(d.uses)
			tests = tests || d.test || d.once
		}
	}
	if f.last && f.body != nil {
		f.statements(at)
		used.add(f.uses)
		if f.result != nil {
			used["result_"] = nil
		}
	}
	head := f.header(m, pkgs, declared, used)
	if body.Len() == 0 && head == "" {
		return "", false
	}
	return "package main\n" + head + body.String(), tests
}

// Results is the package whose func Show shows the value that a cell ends with.
const Results = "lucigo/notebooks/result"

// statements writes the cell's main.
func (f file) statements(at func(s span, before, text, after string)) {
	code := f.code
	open, shut := "func "+f.entry+"() {\n", "}\n"
	if f.result == nil {
		at(*f.body, open, code[f.body.start:f.body.end], shut)
		return
	}
	before := span{line: f.body.line, col: f.body.col, start: f.body.start, end: f.result.start}
	at(before, open, code[before.start:before.end], "result_.Show(\n")
	at(*f.result, "", code[f.result.start:f.result.end]+",", ")\n"+shut)
}

// importer writes a file's imports, each once.
type importer struct {
	b, placed strings.Builder // placed come last: their //line is not that of what follows
	have      map[string]bool
}

func (w *importer) once(i Import) (spec string, ok bool) {
	spec = strings.TrimPrefix(fmt.Sprintf("%s %q", i.Name, i.Path), " ")
	if w.have[spec] {
		return spec, false
	}
	w.have[spec] = true
	return spec, true
}

func (w *importer) write(i Import) {
	if spec, ok := w.once(i); ok {
		w.b.WriteString("import " + spec + "\n")
	}
}

// place writes an import of the cell itself: an error in it is one of the cell's line.
func (w *importer) place(i Import, cell int) {
	if spec, ok := w.once(i); ok {
		fmt.Fprintf(&w.placed, "import (\n//line %s:%d:%d\n%s\n)\n", Place(cell), i.at.line, i.at.col, spec)
	}
}

// header is the file's imports: what the cell's own say that needs no use, and what its code uses.
func (f file) header(m Memory, pkgs Packages, declared map[string]bool, used uses) string {
	w := importer{have: map[string]bool{}}
	_, c := used["C"]
	for _, i := range f.imports {
		switch {
		case i.Path == "C":
			if c || f.last {
				if i.doc != nil {
					w.b.WriteString(f.code[i.doc.start:i.doc.end] + "\n")
				}
				w.write(Import{Path: "C"})
			}
		case i.Name == "_":
			w.place(i, f.number)
		case f.last && pkgs.Name(i.Path) == "": // The go command says what is wrong with it.
			w.place(Import{Name: "_", Path: i.Path, at: i.at}, f.number)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if name == "result_" {
			w.write(Import{Name: "result_", Path: Results})
			continue
		}
		if declared[name] || name == "C" {
			continue
		}
		i, own, ok := f.find(name, m, pkgs)
		if found, before := f.found[name]; before && !own {
			i, ok = found, true
		}
		if !ok {
			i, ok = m.dotted(pkgs, name)
		}
		if !ok {
			i, ok = guess(pkgs, name, used[name])
		}
		switch {
		case own:
			w.place(i, f.number)
		case ok:
			w.write(i)
		}
	}
	return w.b.String() + w.placed.String()
}

// dotted is the latest import with a dot of a package that exports the name.
func (m Memory) dotted(pkgs Packages, name string) (i Import, ok bool) {
	if types.Universe.Lookup(name) != nil {
		return i, false
	}
	for _, c := range slices.Backward(m.cells) {
		for _, i := range c.imports {
			if i.Name == "." && slices.Contains(pkgs.Exports(i.Path), name) {
				return Import{Name: ".", Path: i.Path}, true
			}
		}
	}
	return i, false
}

// guess is an import for code that selects such names of a package, if it selects any.
func guess(pkgs Packages, name string, selected []string) (i Import, ok bool) {
	if selected == nil || types.Universe.Lookup(name) != nil {
		return i, false
	}
	i.Path = pkgs.Find(name, selected)
	if i.called() != name {
		i.Name = name
	}
	return i, i.Path != ""
}

// find is the import that a cell made under that name: this cell, or else the latest.
func (f file) find(name string, m Memory, pkgs Packages) (i Import, own, ok bool) {
	match := func(i Import) bool {
		called := i.Name
		if called == "" {
			called = pkgs.Name(i.Path)
		}
		if called == "" {
			called = i.called()
		}
		return called == name && pkgs.Name(i.Path) != ""
	}
	if at := slices.IndexFunc(f.imports, match); at >= 0 {
		return f.imports[at], true, true
	}
	for _, c := range slices.Backward(m.cells) {
		if at := slices.IndexFunc(c.imports, match); at >= 0 {
			return c.imports[at], false, true
		}
	}
	return Import{}, false, false
}
