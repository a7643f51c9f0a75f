package gopls

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"lucigo/internal/project"
)

// real starts a client of gopls itself, in a module like that of a kernel.
func real(t *testing.T) (*Client, string) {
	t.Helper()
	program := os.Getenv("LUCIGO_GOPLS")
	if program == "" {
		var err error
		if program, err = exec.LookPath("gopls"); err != nil {
			t.Skip("there is no gopls on PATH, and LUCIGO_GOPLS does not name one")
		}
	}
	root, err := project.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	edit := exec.Command("go", "mod", "edit", "-module=cells", "-require="+project.Module+"@v0.0.0-00010101000000-000000000000",
		"-replace="+project.Module+"="+root)
	edit.Dir = dir
	if out, err := edit.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c, err := Start(ctx, program, dir, os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, dir
}

// names are what could be written at the bar in text, which is of the file.
func names(t *testing.T, c *Client, file, text string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	before, after, _ := strings.Cut(text, "|")
	begin := time.Now()
	done, err := c.Complete(ctx, file, before+after, len(before))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v for %q", time.Since(begin).Round(time.Millisecond), text[max(0, len(before)-20):])
	// An item takes the place of the name that the bar is in or after.
	rest := after[:len(after)-len(strings.TrimLeftFunc(after, func(r rune) bool { return unicode.IsLetter(r) || r == '_' }))]
	if len(done.Items) > 0 && done.End != len(before)+len(rest) {
		t.Errorf("%q: items end at %d, want %d", text, done.End, len(before)+len(rest))
	}
	var all []string
	for _, item := range done.Items {
		if slices.Contains(all, item.Text) {
			t.Errorf("%q: %q is there twice", text, item.Text)
		}
		all = append(all, item.Text)
		if typed := before[done.Start:]; !strings.HasPrefix(strings.ToLower(item.Text), strings.ToLower(typed)) {
			t.Errorf("%q: %q replaces %q", text, item.Text, typed)
		}
	}
	return all
}

func TestGopls(t *testing.T) {
	c, dir := real(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	begin := time.Now()
	if err := c.Warm(ctx, "cell.go", []string{"fmt", "lucigo/notebooks/show", "lucigo/interp/saliency"}); err != nil {
		t.Fatal(err)
	}
	t.Logf("warm after %v", time.Since(begin).Round(time.Millisecond))
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	const imports = "package main\n\nimport (\n\t\"fmt\"\n\t\"lucigo/interp/saliency\"\n\t\"lucigo/notebooks/show\"\n)\n\n"
	for _, c2 := range []struct {
		text         string
		there, never []string
	}{
		{imports + "func main() {\n\tshow.|\n}\n", []string{"Grid", "Filters", "Grey"}, []string{"main"}},
		{imports + "func main() {\n\tsaliency.|\n}\n", []string{"SmoothGrad", "Gradient"}, nil},
		{imports + "func main() {\n\tshow.gr|\n}\n", []string{"Grid"}, []string{"Filters"}},
		{imports + "func main() {\n\tfmt.Println(\"é 𝐚 日本\", show.Gr|)\n}\n", []string{"Grid"}, nil},
		{imports + "func main() {\n\tfmt.Println(\"𝐚\"); fmt.Prin|tln()\n}\n", []string{"Print", "Println"}, nil},
		{"package main\n\nfunc main() {\n\tsaliency.|\n}\n", []string{"Gradient"}, nil},
		{"package main\n\nfunc main() {\n\tvar größe *int; var _ int = größ|\n}\n", []string{"größe"}, nil},
		{"package main\n\ntype T struct{ A int }\n\nfunc (T) Über() {}\n\nfunc main() {\n\tT{}.|\n}\n", []string{"A", "Über"}, nil},
		{"package main\n\nfunc main() {\n\tstr|\n}\n", []string{"string", "strings"}, []string{"stringslite"}},
		{"package main\n\nfunc main() {\n\tfo|\n}\n", []string{"for"}, nil},
		{"|", nil, []string{"package"}},
	} {
		got := names(t, c, "cell.go", c2.text)
		for _, want := range c2.there {
			if !slices.Contains(got, want) {
				t.Errorf("%q: no %q in %q", c2.text, want, got)
			}
		}
		for _, never := range c2.never {
			if slices.Contains(got, never) {
				t.Errorf("%q: %q in %q", c2.text, never, got)
			}
		}
	}

	// Cells that have run are files; their declarations come and go with them.
	const ask = "package main\n\nfunc main() {\n\tearli|\n}\n"
	write("cell1.go", "package main\n\nfunc earlier() {}\n")
	if got := names(t, c, "cell.go", ask); !slices.Contains(got, "earlier") {
		t.Errorf("of a file that came: %q", got)
	}
	write("cell1.go", "package main\n\nfunc earliest() {}\n")
	if got := names(t, c, "cell.go", ask); !slices.Contains(got, "earliest") || slices.Contains(got, "earlier") {
		t.Errorf("of a file that changed: %q", got)
	}
	if err := os.Remove(filepath.Join(dir, "cell1.go")); err != nil {
		t.Fatal(err)
	}
	if got := names(t, c, "cell.go", ask); slices.Contains(got, "earliest") {
		t.Errorf("of a file that went: %q", got)
	}

	// Functions of tests, and of files of tests, are nothing that a cell calls.
	const tests = "import \"testing\"\n\nfunc TestX(t *testing.T) {}\nfunc BenchmarkX(b *testing.B) {}\nfunc FuzzX(f *testing.F) {}\nfunc TestMain(m *testing.M) {}\n"
	write("cells_test.go", "package main\n\n"+tests)
	write("cell2.go", "package main\n\n"+strings.ReplaceAll(strings.ReplaceAll(tests, "X(", "Y("), "TestMain(m *testing.M)", "Testing(t *testing.T)"))
	for _, typed := range []string{"Test", "Bench", "Fuzz"} {
		got := names(t, c, "cell.go", "package main\n\nfunc main() {\n\t"+typed+"|\n}\n")
		got = slices.DeleteFunc(got, func(name string) bool { return name == "Testing" || name == "testing" })
		if len(got) > 0 && !slices.Contains(got, "testing") {
			t.Errorf("%q: %q", typed, got)
		}
	}
	if got := names(t, c, "cell.go", "package main\n\nfunc main() {\n\tTest|\n}\n"); !slices.Contains(got, "Testing") {
		t.Errorf("a function that is no test: %q", got)
	}

	for text, want := range map[string]string{
		imports + "func main() {\n\tfmt.Println(\"é𝐚\"); show.Gr|id{}\n}\n": "Grid is a figure",
		imports + "func main() {\n\tfmt.Print|ln()\n}\n":                    "func fmt.Println(a ...any)",
		imports + "func main() {\n\tfmt.Println|()\n}\n":                    "func fmt.Println(a ...any)",
		imports + "func main() {\n\tfmt.Println( |)\n}\n":                   "func fmt.Println(a ...any)",
		imports + "func main() {\n\t |\n}\n":                                "",
		"|":                                                                 "",
	} {
		before, after, _ := strings.Cut(text, "|")
		begin := time.Now()
		got, err := c.Hover(ctx, "cell.go", before+after, len(before))
		if err != nil || !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
		t.Logf("%v for the hover text %.30q", time.Since(begin).Round(time.Millisecond), want)
	}
}

// Unfinished cells are what is asked about most. There is an answer at every place in them, and never an error.
func TestGoplsUnfinishedCells(t *testing.T) {
	c, _ := real(t)
	const imports = "package main\n\nimport \"fmt\"\n\n"
	for text, want := range map[string]string{
		imports + "func main() {\n\tfmt.Println(\"𝐚\", fmt.Spr|\n}\n":                            "Sprintf",
		imports + "func main() {\n\tfmt.Spr|":                                                    "Sprintf",
		imports + "func main() {\n\tfor i := range fmt.Spr|\n}\n":                                "Sprintf",
		imports + "func main() {\n\tif fmt.Spr|\n\tx := 1\n\t_ = x\n}\n":                         "Sprintf",
		imports + "func main() {\n\tfmt.Spr|\n\tfmt.Println()\n}\n":                              "Sprintf",
		imports + "type S struct{ field int }\n\nfunc main() {\n\tv := []S{{}}\n\tv[0].|\n}\n":   "field",
		imports + "type S struct{ field int }\n\nfunc main() {\n\tv := S{}\n\tv.fi|eld = 3\n}\n": "field",
		imports + "func f() (first, second int) { return }\n\nfunc main() {\n\tx, y := |\n}\n":   "f",
		imports + "func main() {\n\tx := func() { fmt.Spr|\n}\n":                                 "Sprintf",
		imports + "// fmt.|\nfunc main() {}\n":                                                   "",
		imports + "func main() {\n\t_ = \"fmt.|\"\n}\n":                                          "",
		"package main\r\n\r\nfunc längst() {}\r\n\r\nfunc main() {\r\n\tl|\r\n}\r\n":             "längst",
		imports + "func main() {\n\tfmt.|":                                                       "Println",
	} {
		if got := names(t, c, "cell.go", text); want != "" && !slices.Contains(got, want) {
			t.Errorf("%q: no %q in %q", text, want, got)
		}
		before, after, _ := strings.Cut(text, "|")
		whole := before + after
		for offset := range whole {
			if !utf8.RuneStart(whole[offset]) {
				continue
			}
			done, err := c.Complete(t.Context(), "cell.go", whole, offset)
			if err != nil || done.Start > offset || done.End < offset || done.Start < 0 || done.End > len(whole) {
				t.Errorf("%q at %d: %d-%d, %v", whole, offset, done.Start, done.End, err)
			}
			if _, err := c.Hover(t.Context(), "cell.go", whole, offset); err != nil {
				t.Errorf("%q at %d: hover: %v", whole, offset, err)
			}
		}
	}
}

// Two kernels share a process, and their directories do not mix.
func TestGoplsTwoDirectories(t *testing.T) {
	a, dirA := real(t)
	b, _ := real(t)
	if err := os.WriteFile(filepath.Join(dirA, "one.go"), []byte("package main\n\nvar onlyInA int\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	const ask = "package main\n\nfunc main() {\n\tonlyIn|\n}\n"
	if got := names(t, a, "cell.go", ask); !slices.Contains(got, "onlyInA") {
		t.Errorf("its own: %q", got)
	}
	if got := names(t, b, "cell.go", ask); slices.Contains(got, "onlyInA") {
		t.Errorf("another's: %q", got)
	}
}
