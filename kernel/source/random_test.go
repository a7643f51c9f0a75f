package source

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// programs is how many random programs TestRandomPrograms runs.
var programs = flag.Int("programs", 60, "random programs to cut into cells")

// fixed knows the packages that the random programs import.
type fixed struct{}

func (fixed) Find(name string, _ []string) string {
	return map[string]string{"fmt": "fmt", "strings": "strings", "sort": "sort"}[name]
}
func (fixed) Name(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
func (fixed) Exports(string) []string { return nil }

// writer writes a random program as pieces: declarations, which may stand in any cell, and the body of main.
type writer struct {
	*rand.Rand
	pieces []string
	ints   []string // names of variables, constants and funcs calls that are ints
	n      int
}

func (w *writer) name(prefix string) string {
	w.n++
	return fmt.Sprintf("%s%d", prefix, w.n)
}

func (w *writer) int() string {
	if len(w.ints) == 0 || w.IntN(4) == 0 {
		return fmt.Sprint(w.IntN(100))
	}
	return w.ints[w.IntN(len(w.ints))]
}

func (w *writer) expr() string {
	switch w.IntN(4) {
	case 0:
		return w.int()
	case 1:
		return fmt.Sprintf("(%s + %s)", w.int(), w.int())
	case 2:
		return fmt.Sprintf("mark(%q, %s)", w.name("e"), w.int())
	}
	return fmt.Sprintf("(%s*3 - len(%s))", w.int(), w.raw())
}

// raw is a raw string whose lines look like commands and comments.
func (w *writer) raw() string {
	lines := []string{"!false", "%tset", "%%", "// not a comment", "/* nor this", "!echo *s", "x", "\" quote", "package main"}
	var b strings.Builder
	b.WriteString("`")
	for range w.IntN(4) {
		b.WriteString(lines[w.IntN(len(lines))] + "\n")
	}
	return b.String() + "`"
}

func (w *writer) comment() string {
	return []string{"", "// !false\n", "/*\n!false\n%tset\n*/\n", "// `\n", "/* ` \" */ "}[w.IntN(5)]
}

// piece adds one declaration, or several.
func (w *writer) piece() {
	add := func(format string, a ...any) { w.pieces = append(w.pieces, w.comment()+fmt.Sprintf(format, a...)) }
	switch w.IntN(12) {
	case 0:
		v := w.name("v")
		add("var %s = %s", v, w.expr())
		w.ints = append(w.ints, v)
	case 1:
		a, b := w.name("v"), w.name("v")
		add("var %s, %s = %s, mark(%q, 2)", a, b, w.expr(), a)
		w.ints = append(w.ints, a, b)
	case 2:
		a, b, f := w.name("v"), w.name("v"), w.name("f")
		add("func %s() (int, int) { return mark(%q, 1), %s }", f, f, w.int())
		add("var (\n\t%s, %s = %s()\n\t_ = mark(%q, 0)\n)", a, b, f, a)
		w.ints = append(w.ints, a, b)
	case 3:
		a, b, c, d := w.name("C"), w.name("C"), w.name("C"), w.name("C")
		add("const (\n\t%s = iota + %d\n\t%s\n\t_\n\t%s, %s = iota, iota * 2\n)", a, w.IntN(9), b, c, d)
		w.ints = append(w.ints, a, b, c, d)
	case 4:
		f := w.name("f")
		add("func %s(x int) int {\n\tif x > 3 {\n\t\treturn x - %d\n\t}\n\treturn x + len(%s)\n}", f, w.IntN(5), w.raw())
		w.ints = append(w.ints, fmt.Sprintf("%s(%s)", f, w.int()))
	case 5:
		add("func init() {\n\tfmt.Println(\"init\", %d, %s)\n}", w.IntN(1000), w.expr())
	case 6:
		t, u := w.name("T"), w.name("T")
		add("type %s[E any] struct{ v []E }", t)
		add("type %s[E any] struct{ v map[int]E }", u)
		add("func (t *%s[E]) Len() int { return len(t.v) + 1 }", t)
		add("func (t %s[_]) Len() int { return len(t.v) + 2 }", u)
		w.ints = append(w.ints, fmt.Sprintf("(&%s[string]{}).Len()", t), fmt.Sprintf("%s[int]{}.Len()", u))
	case 7:
		t := w.name("T")
		add("type (\n\t%s struct {\n\t\tn int\n\t\ts string // %%%%\n\t}\n\t%sList []%s\n)", t, t, t)
		add("func (t %s) String() string { return strings.Repeat(\"*\", t.n%%3) }", t)
		w.ints = append(w.ints, fmt.Sprintf("len(fmt.Sprint(%s{n: %s}))", t, w.int()))
	case 8:
		f := w.name("g")
		add("func %s[N int | int64](a ...N) (s N) {\n\tfor _, x := range a {\n\t\ts += x\n\t}\n\treturn\n}", f)
		w.ints = append(w.ints, fmt.Sprintf("%s(%s, %s)", f, w.int(), w.int()))
	case 9: // It depends on what comes after it.
		a, b := w.name("v"), w.name("v")
		add("var %s = %s + mark(%q, 1)", a, b, a)
		add("var %s = mark(%q, 5)", b, b)
		w.ints = append(w.ints, a, b)
	case 10:
		i, t := w.name("I"), w.name("T")
		add("type %s interface{ Size() int }", i)
		add("type %s func(int) int", t)
		add("func (t %s) Size() int {\n\treturn t(2)\n}", t)
		w.ints = append(w.ints, fmt.Sprintf("%s(%s(func(x int) int { return x * %s })).Size()", i, t, w.int()))
	case 11:
		v := w.name("v")
		add("var %s = func() []int {\n\ts := []int{%s, %s}\n\tsort.Ints(s)\n\treturn s\n}()", v, w.expr(), w.expr())
		w.ints = append(w.ints, v+"[0]")
	}
}

func (w *writer) main() []string {
	lines := []string{"fmt.Println(\"main\")"}
	for i, e := range w.ints {
		lines = append(lines, fmt.Sprintf("fmt.Println(%d, %s)", i, e))
	}
	return append(lines, "for i := range 2 {\n\tfmt.Println(i)\n}", "fmt.Println("+w.raw()+")")
}

// A program that is cut into cells at random places prints what it prints as a whole. (The programs are packages of
// one program, so that a thousand are built in a minute.)
func TestRandomPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds programs")
	}
	const seed = 9
	whole, cut := t.TempDir(), t.TempDir()
	var callWhole, callCut strings.Builder
	for i := range *programs {
		w := &writer{Rand: rand.New(rand.NewPCG(seed, uint64(i)))}
		w.pieces = append(w.pieces, "func mark(s string, n int) int {\n\tfmt.Println(s, n)\n\treturn n\n}")
		for range 1 + w.IntN(12) {
			w.piece()
		}
		body := w.main()
		pkg := fmt.Sprintf("p%04d", i)
		text := "package " + pkg + "\nimport \"fmt\"\nimport \"strings\"\nimport \"sort\"\nvar _ = fmt.Sprint\nvar _ = strings.Repeat\nvar _ = sort.Ints\n" +
			strings.Join(w.pieces, "\n\n") + "\n\nfunc Main() {\n" + strings.Join(body, "\n") + "\n}\n"
		put(t, whole, pkg+"/whole.go", text)
		fmt.Fprintf(&callWhole, "\tfmt.Println(\"program %d\")\n\t%s.Main()\n", i, pkg)
		fmt.Fprintf(&callCut, "\tfmt.Println(\"program %d\")\n\t%s.Main()\n", i, pkg)

		var m Memory
		cells := [][]string{nil}
		for _, piece := range w.pieces {
			if w.IntN(3) == 0 && len(cells[len(cells)-1]) > 0 {
				cells = append(cells, nil)
			}
			cells[len(cells)-1] = append(cells[len(cells)-1], piece)
		}
		last := strings.Join(body, "\n")
		switch w.IntN(3) {
		case 0:
			cells = append(cells, []string{last})
		case 1:
			cells[len(cells)-1] = append(cells[len(cells)-1], "%% --flag=1\n"+last)
		case 2:
			cells = append(cells, []string{"import \"fmt\"\n\nfunc main() {\n" + last + "\n}"})
		}
		end := "\n"
		if w.IntN(4) == 0 {
			end = "\r\n"
		}
		for n, pieces := range cells {
			text := strings.ReplaceAll(strings.Join(pieces, "\n\n"), "\n", end)
			c, err := Parse(text)
			if err != nil {
				t.Fatalf("program %d, cell %d: %v\n%s", i, n, err, text)
			}
			if len(c.Commands) > 0 {
				t.Fatalf("program %d, cell %d: commands %v in\n%s", i, n, c.Commands, text)
			}
			m = m.Add(n+1, "", c, fixed{})
		}
		// Packages are initialised in an order that depends on what they import.
		put(t, cut, pkg+"/imports.go", "package "+pkg+"\nimport _ \"fmt\"\nimport _ \"strings\"\nimport _ \"sort\"\n")
		for name, text := range m.Program(fixed{}, "token").Files {
			if name != "main.go" {
				put(t, cut, pkg+"/"+name, strings.Replace(text, "package main", "package "+pkg, 1))
			}
		}
	}
	want, got := output(t, whole, callWhole.String()), output(t, cut, callCut.String())
	if len(want) < 50**programs {
		t.Fatalf("they print only %d bytes", len(want))
	}
	if want != got {
		a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
		for i := range a {
			if i >= len(b) || a[i] != b[i] {
				t.Fatalf("line %d is %q, want %q (%d and %d lines)", i, b[min(i, len(b)-1)], a[i], len(b), len(a))
			}
		}
		t.Fatal("it prints more")
	}
	t.Logf("%d programs print the same %d bytes", *programs, len(want))
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// output is what a program of the packages in dir prints that makes these calls.
func output(t *testing.T, dir, calls string) string {
	t.Helper()
	put(t, dir, "go.mod", "module m\n\ngo 1.26\n")
	var imports strings.Builder
	for i := range *programs {
		fmt.Fprintf(&imports, "import \"m/p%04d\"\n", i)
	}
	put(t, dir, "main.go", "package main\nimport \"fmt\"\n"+imports.String()+"func main() {\n"+calls+"}\n")
	cmd := exec.Command("go", "run", "-ldflags=-w -s", ".")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out[:min(len(out), 4000)])
	}
	return string(out)
}
