package source

import (
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	for _, c := range []struct{ text, commands, code string }{
		{"a", "", "a"},
		{"!ls", "1 !ls", ""},
		{"x\r\n%env A b\r\ny", "2 %env A b", "x\n\ny"},
		{"s := `\n!no\n`\n!yes", "4 !yes", "s := `\n!no\n`\n"},
		{"/*\n%no\n*/\n%ls", "4 %ls", "/*\n%no\n*/\n"},
		{"// `\n!yes", "2 !yes", "// `\n"},
		{"s := \"`\"\n!yes", "2 !yes", "s := \"`\"\n"},
		{"s := '`'\n!yes", "2 !yes", "s := '`'\n"},
		{"s := \"\\\"`\"\n!yes", "2 !yes", "s := \"\\\"`\"\n"},
		{"f(\n!ok,\n)\n!yes", "4 !yes", "f(\n!ok,\n)\n"},
		{"a :=\n!b", "", "a :=\n!b"},
		{"a++\n!yes", "2 !yes", "a++\n"},
		{"if a &&\n!b {\n}\n!yes", "4 !yes", "if a &&\n!b {\n}\n"},
		{"!a \\\n b \\\nc\nd", "1 !a  b  c", "\n\n\nd"},
		{"//gonb:%%\nx", "1 %%", "\nx"},
		{" !x", "", " !x"},
		{"/* ` */ x\n!yes", "2 !yes", "/* ` */ x\n"},
		{"\ufeff!a", "1 !a", ""},
	} {
		commands, code := Split(c.text)
		var got []string
		for _, k := range commands {
			got = append(got, fmt.Sprint(k.Line, " ", k.Text))
		}
		if strings.Join(got, "|") != c.commands || code != c.code {
			t.Errorf("%q: %q and %q, want %q and %q", c.text, got, code, c.commands, c.code)
		}
	}
}

// What a later cell replaces goes, and all else stays, on as many lines.
func TestReplaced(t *testing.T) {
	for _, c := range []struct{ text, by, want string }{
		{"var a,b,c,d,e,f = 1,2,3,4,5,6", "var b = 9", "var a,c,d,e,f   = 1,3,4,5,6  "},
		{"var a,\n b = 1,\n 2", "var a = 9", "var \nb    = \n2   "},
		{"var a, b = 1, // one\n 2", "var b = 9", "var a    = \n1          "},
		{"var a, b int", "var a = 9", "var b    int"},
		{"var a, b = f()", "func b() {}", "var a, _ = f()"},
		{"var (\n\ta = 1\n\tb = 2 // two\n)", "var b = 9", "var (\n\ta = 1\n\t      // two\n)"},
		{"const (\n\ta, b = iota, 2\n\tc, d\n)", "type c int", "const (\n\ta, b = iota, 2\n\t_, d\n)"},
		{"type (\n\ta struct {\n\t}\n\tb int\n)", "type a int", "type (\n\t          \n  \n\tb int\n)"},
		{"var a = 1", "var a = 2", ""},
		{"var a, b = f()", "var a, b = 1, 2", ""},
	} {
		old, err1 := Parse(c.text)
		by, err2 := Parse(c.by)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		m := Memory{}.Add(1, "", old, fixed{}).Add(2, "", by, fixed{})
		got := ""
		if m.cells[0].Cell == old {
			got = old.decls[0].render(m.cells[0].alive)
		}
		if got != c.want {
			t.Errorf("%q after %q is %q, want %q", c.text, c.by, got, c.want)
		}
	}
}

// A cell that is run again and again takes no more room than once.
func TestAgain(t *testing.T) {
	for _, text := range []string{"fmt.Println(1)", "import \"fmt\"\n\nfmt.Println(1)", "import \"fmt\"\n\nvar a = fmt.Sprint()", "import _ \"fmt\"", "func init() {}", "var _ = 1",
		"// int f(void);\nimport \"C\"\n\nfunc f() { C.f() }", "func main() {}", "%test\nfunc TestX(t *testing.T) {}"} {
		var m Memory
		for i := range 5 {
			c, err := Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			m = m.Add(i+1, "", c, fixed{})
		}
		if len(m.cells) != 1 {
			t.Errorf("%q is remembered %d times", text, len(m.cells))
		}
	}
}

// Whatever a cell is, it is read or refused, its errors have a line of it, and what is composed of it is Go.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "%%\nx := 1", "!ls \\\n a", "var a, b = f()\nconst (\n\tA = iota\n\tB\n)", "import . \"fmt\"\n\nPrintln(1)\n1",
		"func (t *T[E]) M() {}\n", "s := `\n!x\n%%\n`", "type (\n\tA int\n\tB = A\n)", "%test\nfunc TestX(t *testing.T) {}", "package p\n//gonb:%%\nf(\n!a)",
		"// #include <x.h>\nimport \"C\"", "%%writefile -a x\ny", "func f() {\n", "x\n}", "\xff", "/*", "var _ = 1\nfunc init() {}"} {
		f.Add(text, "var a = 1\ntype T int\n")
	}
	f.Fuzz(func(t *testing.T, text, before string) {
		var m Memory
		if c, err := Parse(before); err == nil {
			m = m.Add(1, "a", c, fixed{})
		}
		c, err := Parse(text)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Line < 1 || e.Line > strings.Count(normal(text), "\n")+1 || e.Text == "" {
				t.Fatalf("%q: %#v", text, err)
			}
		} else {
			m = m.Add(2, "b", c, fixed{})
			for name, code := range m.Program(fixed{}, "token").Files {
				if _, err := parser.ParseFile(token.NewFileSet(), name, code, 0); err != nil {
					t.Fatalf("%q after %q is composed as\n%s\n%v", text, before, code, err)
				}
			}
		}
		for _, at := range []int{0, len(text) / 2, len(text)} {
			if d, ok := m.Draft(fixed{}, text, at, []string{"fmt"}); ok && (d.Cell(d.Offset) != at || d.Offset > len(d.Text)) {
				t.Fatalf("%q: the cursor at %d is at %d of the draft, and back at %d", text, at, d.Offset, d.Cell(d.Offset))
			}
		}
		Incomplete(text)
	})
}

// BenchmarkProgram reads a cell and composes its program after 50 others.
func BenchmarkProgram(b *testing.B) {
	var m Memory
	for i := range 50 {
		c, err := Parse(fmt.Sprintf("func f%[1]d(n int) int {\n\tfor i := range n {\n\t\tfmt.Println(strings.Repeat(\"x\", i), sort.SearchInts(nil, i))\n\t}\n\treturn n\n}\n\nvar v%[1]d = f%[1]d(3)\n", i))
		if err != nil {
			b.Fatal(err)
		}
		m = m.Add(i+1, "", c, fixed{})
	}
	for b.Loop() {
		c, err := Parse("import \"fmt\"\n\ns := `\n!x\n`\nfor i := range 10 {\n\tfmt.Println(i, f3(2), v4, s)\n}")
		if err != nil {
			b.Fatal(err)
		}
		if p := m.Add(51, "", c, fixed{}).Program(fixed{}, "token"); len(p.Files) != 52 {
			b.Fatal(len(p.Files))
		}
	}
}
