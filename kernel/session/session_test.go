//go:build unix

package session

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"lucigo/internal/proc"
	"lucigo/internal/project"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == GuardArg {
		Guard(os.Args[2], os.Args[3])
		return
	}
	if os.Getenv("LUCIGO_TEST_KILLED") != "" {
		killed()
	}
	os.Exit(m.Run())
}

// screen is what a front end would show.
type screen struct {
	mu             sync.Mutex
	stdout, stderr string
	all            []string // everything, in order
	results        []map[string]any
	answers        []string
	prompts        []string
}

func (s *screen) Print(stream string, text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stream == "stdout" {
		s.stdout += string(text)
	} else {
		s.stderr += string(text)
	}
	s.all = append(s.all, string(text))
}

func (s *screen) Display(data, metadata map[string]any, id string, update bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, fmt.Sprint("<", data["text/html"], update, ">"))
}

func (s *screen) Result(data, metadata map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results = append(s.results, data)
}

func (s *screen) Input(ctx context.Context, prompt string, password bool) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prompts = append(s.prompts, prompt)
	if len(s.answers) == 0 {
		return "", context.Canceled
	}
	a := s.answers[0]
	s.answers = s.answers[1:]
	return a, nil
}

// notebook runs cells one after the other.
type notebook struct {
	t *testing.T
	*Session
	n int
}

func open(t *testing.T) *notebook {
	t.Helper()
	if testing.Short() {
		t.Skip("it compiles cells")
	}
	root, err := project.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(root, "go", os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		if left := members(s.guard.token); len(left) > 0 {
			t.Errorf("processes are left: %v", left)
		}
		if _, err := os.Stat(s.dir); err == nil {
			t.Error("the directory is left")
		}
	})
	return &notebook{t: t, Session: s}
}

func (n *notebook) run(code string) (*screen, *Failure) {
	return n.with(context.Background(), Request{Code: code}, &screen{})
}

func (n *notebook) with(ctx context.Context, r Request, s *screen) (*screen, *Failure) {
	n.n++
	r.Number = n.n
	err := n.Run(ctx, r, s)
	if err == nil {
		return s, nil
	}
	return s, err.(*Failure)
}

// prints fails the test unless the cell succeeds and prints want.
func (n *notebook) prints(code, want string) {
	n.t.Helper()
	begin := time.Now()
	s, f := n.run(code)
	if f != nil {
		n.t.Errorf("%q failed: %v\n%s", code, f, strings.Join(f.Traceback, "\n"))
	} else if s.stdout != want {
		n.t.Errorf("%q prints %q, want %q (%q)", code, s.stdout, want, s.stderr)
	}
	n.t.Logf("%.2f s", time.Since(begin).Seconds())
}

// fails fails the test unless the cell fails so.
func (n *notebook) fails(code, name, value string) *Failure {
	n.t.Helper()
	s, f := n.run(code)
	if f == nil {
		n.t.Errorf("%q succeeds, and prints %q", code, s.stdout)
		return nil
	}
	if f.Name != name || f.Value != value {
		n.t.Errorf("%q: %s: %q, want %s: %q\n%s", code, f.Name, f.Value, name, value, strings.Join(f.Traceback, "\n"))
	}
	return f
}

// Text is not commands, and what is no command is an error.
func TestCommands(t *testing.T) {
	n := open(t)
	n.prints("s := `\n!echo no\n%tset\n`\nfmt.Print(s)", "\n!echo no\n%tset\n")
	n.prints("/*\n!false\n*/\n!echo yes\n// !false\n//%tset", "yes\n")
	n.prints("ok := true\nif ok &&\n!false {\n\tfmt.Println(1)\n}", "1\n")
	n.prints("//gonb:!echo hidden", "hidden\n")
	n.prints("fmt.Println([]bool{\n!true,\n!false,\n})", "[false true]\n")
	n.prints("!echo a \\\n b\nfmt.Println(1)\r\nfmt.Println(2)\r\n", "a b\n1\n2\n")
	n.prints("%%bash\necho $((1+2))\n", "3\n")
	n.prints("%%script cat -\n!x\n", "!x\n")
	n.fails("%tset\nfmt.Println(1)", "SyntaxError", "line 1: there is no command %tset; %test?")
	n.fails("%%bahs\necho", "SyntaxError", "line 1: there is no command %%bahs; %%bash?")
	n.fails("fmt.Println(1)\n%%bash\necho", "SyntaxError", "line 2: %%bash must be the cell's first line")
	n.fails("!false\n!echo not reached", "CommandError", "line 1: !false: exit status 1")
	n.fails("!echo why >&2; exit 4", "CommandError", "line 1: !echo why >&2; exit 4: exit status 4: why")
	n.fails("!nosuchprogram", "CommandError",
		"line 1: !nosuchprogram: exit status 127: /usr/bin/bash: line 1: nosuchprogram: command not found")
	n.fails("!kill -9 $$", "CommandError",
		"line 1: !kill -9 $$: signal: killed (perhaps the machine has too little memory for it)")
	n.fails("!", "SyntaxError", "line 1: a command of the shell must follow the !")
	n.fails("%%bash\nexit 3", "CommandError", "bash: exit status 3")
	n.fails("%%script nosuchprogram\n", "CommandError", "nosuchprogram: there is no program nosuchprogram")
	n.fails("%env A", "CommandError", "line 1: %env A: it takes a name and a value")
	n.fails("%cd /no/such", "CommandError", "line 1: %cd /no/such: chdir /no/such: no such file or directory")
	n.fails("%capture /dev/full\n!echo lost", "CommandError", "%capture: write /dev/full: no space left on device")
	n.fails("!mkfifo $GONB_TMP_DIR/pipe\n%capture "+n.Dir()+"/pipe", "CommandError",
		"line 2: %capture "+n.Dir()+"/pipe: open "+n.Dir()+"/pipe: no such device or address")
	n.fails("%%writefile "+n.Dir()+"/pipe\nx", "CommandError",
		"%%writefile: open "+n.Dir()+"/pipe: no such device or address")
	n.fails("%rm nothing", "CommandError", "line 1: %rm nothing: nothing named nothing is remembered")
	n.prints("%env LUCIGO_TEST=\"a b\"\n!echo $LUCIGO_TEST\nfmt.Println(os.Getenv(\"LUCIGO_TEST\"))",
		"LUCIGO_TEST=\"a b\"\na b\na b\n")
}

// What a cell puts out, in order.
func TestOutput(t *testing.T) {
	n := open(t)
	s, f := n.run(`fmt.Println("a")
gonbui.DisplayHtml("<1>")
gonbui.Sync()
fmt.Println("b")
gonbui.UpdateHtml("x", "<2>")
gonbui.UpdateHtml("x", "<3>")
gonbui.Sync()
fmt.Fprintln(os.Stderr, "c")`)
	if got := strings.Join(s.all, "|"); f != nil || got != "a\n|<<1>false>|b\n|<<2>false>|<<3>true>|c\n" {
		t.Errorf("%q, %v", got, f)
	}
	if s, f := n.run("for i := range 300 {\n\tgonbui.DisplayHtml(fmt.Sprint(i))\n}"); f != nil || len(s.all) != 300 || s.all[299] != "<299false>" {
		t.Errorf("%d of 300 displays without a Sync, %v", len(s.all), f)
	}
	n.prints("for range 100 {\n\truntime.GC()\n\tos.CreateTemp(\"\", \"\")\n}", "") // What tells that it has ended is still open.
	if s, f := n.run("1 + 2"); f != nil || len(s.results) != 1 || s.results[0]["text/plain"] != "3" {
		t.Errorf("a result: %v, %v", s.results, f)
	}
	s, f = n.run("result.Points(0.5, \"half <right>\")")
	if f != nil || len(s.results) != 1 || s.results[0]["text/plain"] != "0.5" || len(s.all) != 1 || !strings.Contains(s.all[0], "half &lt;right&gt;") {
		t.Errorf("points: %v, %v, %v", s.results, s.all, f)
	}
	s, f = n.run("must.M(claim.AtMost(\"It is %v\", 1, 2))\nmust.M(claim.AtMost(\"So much is %v\", 3, 2))\nmust.M(claim.AtMost(\"And %v\", 4, 2))")
	if len(s.all) != 3 || f == nil || f.Name != "ClaimError" || f.Value != "2 of 3 claims do not hold, the first: So much is 3 (required: at most 2)" {
		t.Errorf("false claims: %d shown, %v", len(s.all), f)
	}
	if s, f := n.run("log.SetFlags(log.Lshortfile)\nlog.Print(\"x\")"); f != nil || s.stderr != fmt.Sprintf("cell[%d]:2: x\n", n.n) {
		t.Errorf("a log line: %q, %v", s.stderr, f)
	}
	if s, f := n.run("fmt.Fprintf(os.Stderr, \"panic: recovered\\n\\n%s\", debug.Stack())"); f != nil || !strings.Contains(s.stderr, "panic: recovered\n\ngoroutine ") {
		t.Errorf("a stack that is printed: %q, %v", s.stderr, f)
	}
	if s, f := n.run("fmt.Fprintln(os.Stderr, \"panic: only said\")\nfmt.Fprint(os.Stderr, \"pan\")"); f != nil || s.stderr != "panic: only said\npan" {
		t.Errorf("what looks like a panic: %q, %v", s.stderr, f)
	}
}

// A cell that did not do what it says is an error, which says why and where.
func TestFailures(t *testing.T) {
	n := open(t)
	n.prints("func third(a []int) int {\n\treturn a[2]\n}", "")
	n.fails("os.Exit(0)", "ExitError", "os.Exit(0): the program ended before the cell did")
	n.fails("func init() { os.Exit(0) }\n%%\nfmt.Println(1)", "ExitError",
		"os.Exit(0): the program ended before the cell did")
	n.fails("os.Exit(3)", "ExitError", "exit status 3")
	n.fails("fmt.Println(\"last words\")\nos.Exit(3)", "ExitError", "exit status 3: last words")
	n.fails("log.SetFlags(0)\nlog.Fatal(\"no\")", "ExitError", "exit status 1: no")
	n.fails("syscall.Kill(os.Getpid(), syscall.SIGKILL)\nselect {}", "ExitError",
		"signal: killed (perhaps the machine has too little memory for it)")
	n.fails("\npanic(\"boom\")", "Panic", "panic: boom (line 2)")
	n.fails("panic(\"one\\ntwo\")", "Panic", "panic: one\n\ttwo (line 1)")
	n.fails("panic(fmt.Errorf(\"e %d\", 1))", "Panic", "panic: e 1 (line 1)")
	f := n.fails("third(nil)", "Panic", "panic: runtime error: index out of range [2] with length 0 (cell [1], line 2)")
	if f != nil && !strings.Contains(strings.Join(f.Traceback, "\n"), "cell [1], line 2, in third\n    return a[2]\nline 1, in main\n    third(nil)") {
		t.Errorf("its traceback: %q", f.Traceback)
	}
	n.fails("var p *struct{ x int }\nfmt.Println(p.x)", "Panic",
		"panic: runtime error: invalid memory address or nil pointer dereference (line 2)")
	n.fails("go func() { panic(\"elsewhere\") }()\nselect {}", "Panic", "panic: elsewhere (line 1)")
	n.fails("<-make(chan int)", "FatalError", "fatal error: all goroutines are asleep - deadlock! (line 1)")
	n.fails("func down(a int) int { return down(a+1) + 1 }\n%%\nprintln(down(0))", "FatalError",
		"fatal error: stack overflow (line 1)")
	_, f = n.run("m := map[int]int{}\ngo func() {\n\tfor {\n\t\tm[1]++\n\t}\n}()\nfor {\n\tm[2]++\n}")
	if f == nil || f.Name != "FatalError" || !regexp.MustCompile(`^fatal error: concurrent map writes \(line [48]\)$`).MatchString(f.Value) {
		t.Errorf("a race: %v", f)
	}
	n.prints("kept := 1\n_ = kept", "")
	n.fails("fmt.Println(kept)", "CompileError", fmt.Sprintf("line 1: undefined: kept; kept is of the statements of cell [%d], and ends with them: "+
		"a var above all statements, in a cell of declarations, stays", n.n))
	n.fails("fmt.Println(yy)", "CompileError", "line 1: undefined: yy")
	f = n.fails("x := 1\n\tshow.Gird()\nprintn(2)", "CompileError",
		"line 1: declared and not used: x\nline 2: show has no Gird; Grid?\nline 3: undefined: printn; print, println, printer?")
	if f != nil && !strings.Contains(strings.Join(f.Traceback, "\n"), "line 2: show has no Gird; Grid?"+plain+"\n        show.Gird()\n             ^\n") {
		t.Errorf("its traceback: %q", f.Traceback)
	}
	n.fails("thrid(nil)", "CompileError", "line 1: undefined: thrid; third?")
	n.fails("x := \"äö\" + 1", "CompileError",
		"line 1: invalid operation: \"äö\" + 1 (mismatched types untyped string and untyped int)\nline 1: declared and not used: x")
	n.fails("func broken() int { return \"\" }", "CompileError",
		"line 1: cannot use \"\" (untyped string constant) as int value in return statement")
	n.prints("third([]int{1, 2, 3})", "") // The broken cell left no trace.
	n.fails("func f() {\n\tif true {\n", "SyntaxError", "line 2: the cell ends before its code does: a } or ) is missing")
	n.fails("fmt.Println(1", "SyntaxError", "line 1: missing ',' before newline in argument list")
	n.fails("if true {\n\tfmt.Println(1)", "SyntaxError",
		"line 2: the cell ends before its code does: a } or ) is missing")
	n.fails("fmt.Println(1)\n}", "SyntaxError", "line 2: there is a } too many")
	n.fails("func f() {}\nf()", "SyntaxError", "line 2: statements after declarations need a line %% above them")
	n.fails("import \"no/such\"\n\nfmt.Println(1)", "CompileError",
		"line 1: package no/such is not in std (/usr/local/go/src/no/such)")
	n.fails("import \"lucigo/internal/project\"", "CompileError",
		"line 1: use of internal package lucigo/internal/project not allowed")
	n.fails("import \"example.com/no/such\"", "CompileError",
		"line 1: no module of this project provides package example.com/no/such; !*go get example.com/no/such adds one to this notebook's")
	_, f = n.run("panic(strings.Repeat(\"x\", 5<<20))")
	if f == nil || f.Name != "Panic" || len(f.Value) > 3000 || !strings.HasSuffix(f.Value, "xxx… (line 1)") {
		t.Errorf("a panic with a long message: %.100v", f)
	}
	n.fails("func main() {}\n%%\nfmt.Println(1)", "SyntaxError",
		"line 3: statements need a cell of their own: this one has func main")
	n.fails("func pi() {}\n%exec pi\n%%\nfmt.Println(1)", "SyntaxError",
		"line 4: statements need a cell of their own: this one has the func that %exec runs")
	n.fails("x, y := 1", "CompileError",
		"line 1: assignment mismatch: 2 variables but 1 value\nline 1: declared and not used: x\nline 1: declared and not used: y")
	n.fails("s := 1\nx := s +\n", "SyntaxError", "line 3: the cell ends before its code does")
	n.fails("x := 1\nfunc f() {}", "SyntaxError",
		"line 2: a func after statements: declare it above them, with a line %% between, or in another cell")
	n.prints("%reset\ntype T struct{ n int }\nfunc (t T) M() int { return t.n }", "")
	n.fails("type T struct{}", "CompileError",
		fmt.Sprintf("cell [%d], line 3: t.n undefined (type T has no field or method n)", n.n))
}

func TestTests(t *testing.T) {
	n := open(t)
	n.prints("func double(n int) int { return 2 * n }", "")
	s, f := n.run("%test\nfunc TestDouble(t *testing.T) {\n\tif double(2) != 4 {\n\t\tt.Error(\"no\")\n\t}\n}")
	if f != nil || !strings.Contains(s.stdout, "--- PASS: TestDouble") {
		t.Errorf("%q, %v", s.stdout, f)
	}
	n.fails("%test\nfunc TestThree(t *testing.T) {\n\tt.Error(double(3))\n}\nfunc TestFour(t *testing.T) {}",
		"TestError", "tests failed: TestThree")
	f = n.fails("%test\nfunc TestExit(t *testing.T) { os.Exit(0) }", "Panic",
		"panic: unexpected call to os.Exit(0) during test (line 2)")
	if f != nil && !strings.HasPrefix(f.Traceback[1], "line 2, in TestExit\n") {
		t.Errorf("its traceback: %q", f.Traceback)
	}
	n.fails("%test\nfunc TestInit(t *testing.T) {}\nfunc init() { os.Exit(0) }", "ExitError",
		"os.Exit(0): the program ended before the cell did")
	n.fails("%test\nfunc TestMain(m *testing.M) { os.Exit(0) }\nfunc TestX(t *testing.T) { t.Error(1) }", "ExitError",
		"os.Exit(0): the program ended before the cell did")
	if s, f := n.run("%test\nfunc TestMain(m *testing.M) { os.Exit(m.Run()) }\nfunc TestX(t *testing.T) {}"); f != nil {
		t.Errorf("a TestMain: %q, %v", s.stdout, f)
	}
	n.prints("fmt.Println(double(4))", "8\n")
	// A test that does not run passes nothing, whatever is printed.
	noEnd := "os.Exit(0): the program ended before the cell did"
	n.fails("%test\nfunc TestFive(t *testing.T) { fmt.Println(\"PASS\"); syscall.Exit(0) }", "ExitError", noEnd)
	n.fails("%test\nfunc init() { fmt.Println(\"PASS\"); os.Exit(0) }\nfunc TestSix(t *testing.T) { t.Error(6) }",
		"ExitError", noEnd)
	n.fails("%test\nfunc TestMain(m *testing.M) { os.Exit(m.Run()) }\nfunc init() { fmt.Println(\"PASS\"); os.Exit(0) }",
		"ExitError", noEnd)
	n.fails("%test -test.run=Tset\nfunc TestSeven(t *testing.T) {}", "TestError",
		"there is no test to run: a test is a func TestName(t *testing.T)")
	n.fails("%test\nfmt.Println(1)", "SyntaxError",
		"line 2: statements need a cell of their own: this one has the tests that %test runs")
	n.prints("%reset", "")
	n.fails("%test\nfunc Testing() {}", "TestError", "there is no test to run: a test is a func TestName(t *testing.T)")
}

// Declarations keep Go's meaning when they are replaced.
func TestDeclarations(t *testing.T) {
	n := open(t)
	n.prints("func say(s string) int {\n\tfmt.Print(s, \" \")\n\treturn len(s)\n}", "")
	n.prints("var b = say(\"b\")\nvar a = say(\"a\")", "b a ")
	n.prints("func init() { say(\"i1\") }\nfunc init() { say(\"i2\") }", "b a i1 i2 ")
	n.prints("func init() { say(\"i1\") }\nfunc init() { say(\"i2\") }", "b a i1 i2 ")
	n.prints("var c, d = say(\"c\"), say(\"d\")", "b a c d i1 i2 ")
	n.prints("%reset", "")
	n.prints("func say(s string) int {\n\tfmt.Print(s, \" \")\n\treturn len(s)\n}\nfunc two() (int, int) { return say(\"two\"), 2 }", "")
	n.prints("var c, d = say(\"c\"), say(\"d\")\nvar e, f = two()", "c d two ")
	n.prints("var c = 5", "d two ")
	n.prints("var e = 6", "d two ")
	n.prints("fmt.Println(c, d, e, f)", "d two 5 1 6 2\n")
	n.prints("const (\n\tA = iota\n\tB\n\tC\n)\nconst (\n\tX, Y = iota, iota * 10\n\tZ, W\n)", "")
	n.prints("const B = 7", "")
	n.prints("%%\nfmt.Println(A, B, C, X, Y, Z, W)", "d two 0 7 2 0 0 1 10\n")
	n.prints("type P[T any] struct{}\nfunc (P[T]) Len() int { return 1 }\ntype Q[T any] struct{}\nfunc (*Q[T]) Len() int { return 2 }", "")
	n.prints("fmt.Println(P[int]{}.Len(), (&Q[int]{}).Len())", "d two 1 2\n")
	n.prints("func (P[T]) Len() int { return 3 }", "")
	n.prints("fmt.Println(P[int]{}.Len(), (&Q[int]{}).Len())", "d two 3 2\n")
	n.prints("%reset\nimport \"text/template\"\n\nvar plain = template.Must(template.New(\"\").Parse(\"{{.}}\"))", "")
	n.prints("import \"html/template\"\n\nvar safe = template.Must(template.New(\"\").Parse(\"{{.}}\"))", "")
	n.prints("plain.Execute(os.Stdout, \"<\")\nsafe.Execute(os.Stdout, \"<\")", "<&lt;")
	n.prints("import . \"strings\"\n\nfmt.Println(ToUpper(\"a\"))", "A\n")
	n.prints("fmt.Println(1)", "1\n") // The dot import is not used here.
	n.prints("import . \"math\"\n\nfmt.Println(len(map[float64]int{Pi: 1}))", "1\n")
	n.prints("fmt.Println(ToUpper(\"b\"))", "B\n")
	n.prints("import r \"math/rand\"\n\nfunc roll() int { return r.Intn(1) }", "")
	n.prints("import \"crypto/rand\"\n\nfmt.Println(len(rand.Text()), roll(), r.Intn(1))", "26 0 0\n")
	n.prints("// int three(void) { return 3; }\nimport \"C\"\n\nfunc three() int { return int(C.three()) }", "")
	n.prints("fmt.Println(three())", "3\n")
	n.prints("%exec show3\nfunc show3() { fmt.Println(33) }", "33\n")
	n.prints("%% --n=4\nn := flag.Int(\"n\", 1, \"\")\nflag.Parse()\nfmt.Println(*n)", "4\n")
	n.prints("package main\n\nfunc main() { fmt.Println(\"main\") }", "main\n")
	n.prints("func Main() int { return 5 }\nfunc main() { fmt.Println(Main()) }", "5\n")
	f := n.fails("panic(Main())", "Panic", "panic: 5 (line 1)")
	if f != nil && !strings.HasPrefix(f.Traceback[1], "line 1, in main\n") {
		t.Errorf("its traceback: %q", f.Traceback)
	}
	n.prints("%ls", "import text/template\nvar plain\nimport html/template\nvar safe\nimport . strings\nimport . math\nimport r math/rand\nfunc roll\n"+
		"import crypto/rand\nimport C\nfunc three\nfunc show3\nfunc Main\n")
	n.prints("var shared = 1 // é\nvar s2 = `\n`", "")
	// A C function is that of the cell's last run.
	n.prints("// int three(void) { return 4; }\nimport \"C\"\n\nfunc three() int { return int(C.three()) }", "")
	n.prints("fmt.Println(three())", "4\n")
	if _, f := n.run("// int three(void) { return 5; }\nimport \"C\"\n\nfunc four() int { return int(C.three()) }"); f == nil || f.Name != "CompileError" {
		t.Errorf("two C functions of a name: %v", f)
	}
	n.prints("fmt.Println(three())", "4\n") // That cell left no trace.
	// What a cell means does not change when a later one imports a package of the same name.
	n.prints("%reset\nfunc roll() int { return rand.Intn(1) }\nfunc esc() { template.Must(template.New(\"\").Parse(\"{{.}}\")).Execute(os.Stdout, \"<\") }", "")
	n.prints("import \"crypto/rand\"\nimport \"text/template\"\n\nfmt.Println(len(rand.Text()), roll(), template.New(\"a\").Name())\nesc()", "26 0 a\n&lt;")
	n.fails("func same() {}\nfunc same() {}", "CompileError",
		"line 2: same redeclared in this block\n\tline 1: other declaration of same")
}

// The user is asked when a program waits for input, with what it printed last as the prompt; else its input is at its
// end.
func TestInput(t *testing.T) {
	n := open(t)
	n.prints("var s string\nn, err := fmt.Scanln(&s)\nfmt.Println(n, err)", "0 EOF\n")
	n.prints("!cat", "")
	s, f := n.with(t.Context(), Request{Code: "var a, b string\nfmt.Print(\"name? \")\nfmt.Scanln(&a)\nfmt.Print(\"age? \")\nfmt.Scanln(&b)\nfmt.Println(a, b)", Input: true},
		&screen{answers: []string{"Ada", "36"}})
	if f != nil || s.stdout != "name? age? Ada 36\n" || strings.Join(s.prompts, "|") != "name? |age? " {
		t.Errorf("%q, prompts %q, %v", s.stdout, s.prompts, f)
	}
	s, f = n.with(t.Context(), Request{Code: "!printf 'who? '; read x; echo hello $x", Input: true}, &screen{answers: []string{"you"}})
	if f != nil || s.stdout != "who? hello you\n" || strings.Join(s.prompts, "|") != "who? " {
		t.Errorf("a command: %q, prompts %q, %v", s.stdout, s.prompts, f)
	}
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	s, f = n.with(ctx, Request{Code: "!printf 'who? '; read x; echo end", Input: true}, &screen{}) // Nobody answers.
	if f != nil || s.stdout != "who? end\n" || len(s.prompts) != 1 {
		t.Errorf("without an answer: %q, prompts %q, %v", s.stdout, s.prompts, f)
	}
}

// A cell ends with its program, and nothing that it started outlives the session.
func TestProcesses(t *testing.T) {
	n := open(t)
	begin := time.Now()
	n.prints("!sleep 60 &\n!echo started", "started\n")
	flag := filepath.Join(t.TempDir(), "flag")
	n.prints("!(sleep 0.3; echo late; touch "+flag+") &", "")
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(flag); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a child dies of what it prints after the cell has ended")
		}
	}
	n.prints("!setsid sh -c 'sleep 61; echo late' &", "")
	n.prints("!(env -i setsid sleep 0.1 &)", "")
	hidden, _ := n.run("!f=$(mktemp); env -i setsid sh -c \"echo \\$\\$ >$f; exec sleep 61\" & until test -s $f; do sleep 0.05; done; cat $f; rm $f")
	n.prints("must.M(exec.Command(\"sh\", \"-c\", \"while :; do echo child; sleep 1; done\").Start())\nc := exec.Command(\"sleep\", \"62\")\nc.Stdout = os.Stdout\nmust.M(c.Start())\nfmt.Println(\"end\")", "end\n")
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("it waits for children: %v", took)
	}
	if len(members(n.guard.token)) < 3 {
		t.Error("there are no children whose end could be seen")
	}
	if runtime.GOOS != "linux" {
		return
	}
	pid := number(strings.TrimSpace(hidden.stdout))
	if !proc.Alive(pid) {
		t.Errorf("process %d cannot be seen to end", pid)
	}
	for _, pid := range proc.Where("stat", childOf(n.guard.cmd.Process.Pid)) {
		if !proc.Alive(pid) {
			t.Errorf("nobody has taken leave of process %d", pid)
		}
	}
	outside := exec.Command("setsid", "sleep", "65")
	if err := outside.Start(); err != nil {
		t.Fatal(err)
	}
	n.Close()
	if proc.Alive(pid) {
		t.Errorf("process %d lives on", pid)
	}
	if !proc.Alive(outside.Process.Pid) {
		t.Error("a process was killed that the session has not started")
	}
	outside.Process.Kill()
	outside.Wait()
}

// The kernel may be killed in any way: its guard ends what cells have started.
func TestGuard(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a cell")
	}
	cmd, out := startKilled(t)
	var dir, token string
	if _, err := fmt.Fscan(out, &dir, &token); err != nil {
		t.Fatal(err)
	}
	var hidden int
	if b, err := os.ReadFile(filepath.Join(dir, hiddenFile)); err != nil || runtime.GOOS == "linux" && len(b) == 0 {
		t.Fatal(err)
	} else if fmt.Sscan(string(b), &hidden); len(members(token)) < 2 || !proc.Alive(hidden) {
		t.Error("nothing runs")
	}
	cmd.Process.Kill()
	cmd.Wait()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, err := os.Stat(dir)
		if len(members(token)) == 0 && err != nil && !proc.Alive(hidden) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("processes %v, %d lives: %v, the directory: %v", members(token), hidden, proc.Alive(hidden), err)
		}
	}
}

// TestCloseWaits: a session that is closed while it finds its packages has ended what it started for that.
func TestCloseWaits(t *testing.T) {
	root, err := project.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	goTool := filepath.Join(t.TempDir(), "go")
	const script = "#!/bin/sh\ntest $1 = mod && exec env -i sleep 0.5\nexec sleep 67\n" // Its first end is not known to the guard.
	if err := os.WriteFile(goTool, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, after := range []time.Duration{0, 100 * time.Millisecond, 700 * time.Millisecond} {
		s, err := New(root, goTool, os.Environ())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(after)
		s.Close()
		if left := children(); len(left) > 0 {
			t.Errorf("closed after %v: processes are left: %v", after, left)
		}
	}
}

// TestEndsAndStarts: commands start while what earlier ones have left behind ends.
func TestEndsAndStarts(t *testing.T) {
	n := open(t)
	begin := time.Now()
	for range 40 {
		n.prints("!for i in 1 2 3 4 5 6 7 8 9; do (sleep 0.0$i &); done", "")
	}
	if took := time.Since(begin); took > 60*time.Second {
		t.Errorf("40 commands take %v", took)
	}
}

// TestChainOfProcesses: what starts the next and ends, for ever, ends too, in a session of its own each time as well.
func TestChainOfProcesses(t *testing.T) {
	dir := t.TempDir()
	flag, script := filepath.Join(dir, "flag"), filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n: >>"+flag+"\nenv -i setsid "+script+" &\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"f() { : >>" + flag + "; f & }; f &", script} {
		n := open(t)
		n.prints("!"+command+"\n!sleep 0.3", "")
		n.Close()
		if err := os.Remove(flag); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
		if _, err := os.Stat(flag); err == nil {
			os.Remove(script) // It must end.
			t.Errorf("%s goes on", command)
		}
	}
}

// TestGuardIsKilled: without its guard a session runs nothing, and says why.
func TestGuardIsKilled(t *testing.T) {
	n := open(t)
	n.prints("!setsid sleep 66 &", "")
	begin := time.Now()
	for _, code := range []string{"!kill -9 $PPID; sleep 60", "!echo on", "fmt.Println(1)"} {
		if s, f := n.run(code); f == nil || !strings.Contains(f.Value, "restart the kernel") || s.stdout != "" {
			t.Errorf("%s: %v, %q", code, f, s.stdout)
		}
	}
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("it says so after %v", took)
	}
	if left := members(n.guard.token); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
}

// TestTheNextEndsWhatIsLeft: where the kernel and its guard were both killed, the next kernel ends what they left.
func TestTheNextEndsWhatIsLeft(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a cell")
	}
	t.Setenv("TMPDIR", t.TempDir())
	cmd, out := startKilled(t)
	var dir, token string
	var guard int
	if _, err := fmt.Fscan(out, &dir, &token, &guard); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(guard, syscall.SIGKILL)
	cmd.Process.Kill()
	cmd.Wait()
	if len(members(token)) < 2 {
		t.Error("nothing is left whose end could be seen")
	}
	open(t)
	if left := members(token); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the directory is left")
	}
}

// startKilled starts a process of killed, and returns what it prints.
func startKilled(t *testing.T) (*exec.Cmd, io.Reader) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LUCIGO_TEST_KILLED=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, out
}

// hiddenFile holds the number of a process that has neither the session's environment nor its group.
const hiddenFile = "hidden"

// childOf says of what the system tells of a process whether it is a child of that one.
func childOf(pid int) func(stat string) bool {
	return func(stat string) bool {
		_, parent, _ := proc.ParseStat(stat)
		return parent == pid
	}
}

// killed is a kernel that runs a cell until it is killed.
func killed() {
	root, err := project.Root(".")
	if err != nil {
		panic(err)
	}
	s, err := New(root, "go", os.Environ())
	if err != nil {
		panic(err)
	}
	hidden := "!env -i setsid sh -c 'echo $$ >" + filepath.Join(s.dir, hiddenFile) + "; exec sleep 64' &\n"
	go s.Run(context.Background(), Request{Code: hidden + "!setsid sleep 63 &\nfor {\n}", Number: 1}, &screen{})
	for len(members(s.guard.token)) < 2 {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(2 * time.Second) // The cell may be compiled by then.
	fmt.Println(s.dir, s.guard.token, s.guard.cmd.Process.Pid)
	select {}
}

// An interrupt ends a cell at once, whatever it does, and keeps what it has printed.
func TestInterrupt(t *testing.T) {
	n := open(t)
	for what, code := range map[string]string{
		"a loop":               "fmt.Println(\"begun\")\nfor {\n}",
		"an endless print":     "for i := 0; ; i++ {\n\tfmt.Println(i)\n}",
		"a command":            "!echo begun; sleep 60",
		"a command's child":    "!echo begun; sh -c 'sleep 60; true'; true",
		"one that handles it":  "c := make(chan os.Signal, 1)\nsignal.Notify(c, os.Interrupt)\nfmt.Println(\"begun\")\n<-c\nfmt.Println(\"kept\")",
		"commands before code": "!echo begun; sleep 60\nfmt.Println(1)",
	} {
		ctx, stop := context.WithCancel(t.Context())
		s := &screen{}
		var at time.Time
		go func() {
			for {
				s.mu.Lock()
				begun := s.stdout != ""
				s.mu.Unlock()
				if begun {
					break
				}
				time.Sleep(5 * time.Millisecond)
			}
			at = time.Now()
			stop()
		}()
		_, f := n.with(ctx, Request{Code: code}, s)
		if f == nil || f.Name != "Interrupted" {
			t.Errorf("%s: %v", what, f)
		}
		if took := time.Since(at); took > 4*time.Second { // Before 5 s nothing is killed.
			t.Errorf("%s: it ends after %v", what, took)
		}
		if what == "one that handles it" && s.stdout != "begun\nkept\n" {
			t.Errorf("%s prints %q", what, s.stdout)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, stop)
	if _, f := n.with(ctx, Request{Code: "var compiled = 1\n%%\nfor {\n}"}, &screen{}); f == nil || f.Name != "Interrupted" {
		t.Errorf("while it compiles: %v", f)
	}
	n.prints("fmt.Println(\"on\")", "on\n")
}

// Without a language server, completion knows packages, what they export, what is remembered, and commands.
func TestNames(t *testing.T) {
	n := open(t)
	n.prints("var counter = 1\nfunc countUp() {}\ntype T struct{}\nfunc (T) Method() {}", "")
	for _, c := range []struct {
		code  string
		start int
		want  string
	}{
		{"fmt.Printl", 4, "Println"},
		{"x := \"äö😀\"; fmt.Printl", 21, "Println"},
		{"coun", 0, "countUp counter"},
		{"%e", 0, "%env %exec"},
		{"fmt.Println(1)\n%wi", 15, "%with_inputs %with_password"},
		{"func f() {\n\tshow.Gri", 17, "Grid"},
		{"nosuch.", 7, ""},
	} {
		start, names := n.Names(c.code, len(c.code))
		if got := strings.Join(names, " "); got != c.want || start != c.start {
			t.Errorf("%q: %q from %d, want %q from %d", c.code, got, start, c.want, c.start)
		}
	}
	if _, names := n.Names("show.", 5); len(names) < 10 || slices.ContainsFunc(names, func(s string) bool { return strings.HasPrefix(s, "Test") }) {
		t.Errorf("show has %q", names)
	}
}

// A draft is Go that a language server can read, and places in it are those in the cell.
func TestDraft(t *testing.T) {
	n := open(t)
	n.prints("var counter = 1", "")
	for _, code := range []string{"fmt.|", "x := 1\nfmt.Println(x).|", "import \"os\"\n\nos.|", "func f() {\n\tshow.|", "!ls \\\n -l\n%%\nx.|", "var t T\nt.|",
		"import (\n\t\"fmt\"\n)\n\nfunc f() {\n\tfmt.|", "s := `\n!x\n`\ns.|", "// ä\r\nfmt.|\r\n"} {
		at := strings.Index(code, "|")
		cell := code[:at] + code[at+1:]
		d, ok, err := n.Draft(cell, at, nil)
		if err != nil || !ok {
			t.Fatalf("%q: %v, %v", code, ok, err)
		}
		if d.Text[d.Offset-1] != '.' || d.Cell(d.Offset) != at {
			t.Errorf("%q: the cursor is at %q of the draft, and back at %d", code, d.Text[:d.Offset], d.Cell(d.Offset))
		}
		if strings.Contains(code, "show.") && !strings.Contains(d.Text, "import \"lucigo/notebooks/show\"") {
			t.Errorf("%q: no import in\n%s", code, d.Text)
		}
		if !strings.Contains(fmt.Sprint(d.Files), "var counter = 1") {
			t.Errorf("%q: nothing is remembered in %q", code, d.Files)
		}
	}
	if _, ok, err := n.Draft("!ls f", 5, nil); ok || err != nil {
		t.Errorf("in a command: %v, %v", ok, err)
	}
}

// slow is a front end that takes its time.
type slow struct{ screen }

func (s *slow) Print(stream string, text []byte) {
	time.Sleep(20 * time.Millisecond)
	s.screen.Print(stream, text[:1])
}

// A program that breaks the protocol of displays, or writes without an end, hangs nothing.
func TestMisuse(t *testing.T) {
	n := open(t)
	pipe := "f := must.M1(os.OpenFile(os.Getenv(\"GONB_PIPE\"), os.O_WRONLY, 0))\n"
	sync := "map[protocol.MIMEType]any{protocol.MIMECommValue: protocol.CommValue{Address: protocol.GonbuiSyncAddress, Value: 1}}"
	for code, want := range map[string]string{
		pipe + "e := gob.NewEncoder(f)\nfor range 20000 {\n\te.Encode(&protocol.DisplayData{Data: " + sync + "})\n}": "the program does not read the kernel's replies",
		pipe + "f.WriteString(\"no message at all\")":                                                                "an output cannot be read",
		pipe + "f.Write([]byte{0x30, 1})":                                                                            "an output cannot be read: unexpected EOF",
		pipe + "f.Write([]byte{0xfc, 0x3f, 0xff, 0xff, 0xff})\nfor range 300 {\n\tf.Write(make([]byte, 1<<20))\n}":   "an output cannot be read: it is larger than 128 MiB",
	} {
		s, f := n.run(code + "\nfmt.Println(\"end\")")
		if f != nil || s.stdout != "end\n" || !strings.HasPrefix(s.stderr, want) {
			t.Errorf("%q: %q, %q, want %q, %v", code, s.stdout, s.stderr, want, f)
		}
	}
	done := make(chan error)
	go func() {
		done <- n.Run(t.Context(), Request{Code: "!for i in 1 2 3 4; do yes & done; sleep 0.3", Number: 99}, &slow{})
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("a child that prints for ever keeps the cell from ending")
	}
}

// What users of other kernels have reported: each of these hung, was lost, or passed.
func TestReports(t *testing.T) {
	n := open(t)
	// ipython/ipykernel#847: a program that writes much to both streams hangs.
	s, f := n.run("!for i in $(seq 20000); do echo out; echo err >&2; done")
	if f != nil || len(s.stdout) != 80000 || len(s.stderr) != 80000 {
		t.Errorf("both streams: %d and %d bytes, %v", len(s.stdout), len(s.stderr), f)
	}
	// ipython/ipython#10499: a command that reads hangs.
	s, f = n.with(t.Context(), Request{Code: "!(echo \"type something\"; read foo; echo $foo)", Input: true}, &screen{answers: []string{"this"}})
	if f != nil || s.stdout != "type something\nthis\n" {
		t.Errorf("a command that reads: %q, %v", s.stdout, f)
	}
	// ipython/ipython#14649 and #13161: a script that is interrupted succeeds, and the loop goes on.
	ctx, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	if _, f := n.with(ctx, Request{Code: "%%bash\nwhile true; do sleep 0.1; done"}, &screen{}); f == nil || f.Name != "Interrupted" {
		t.Errorf("a script that is interrupted: %v", f)
	}
	// gopherdata/gophernotes#40 and #34: a cell runs again; an import above statements.
	for range 2 {
		n.prints("import \"fmt\"\nimport \"strings\"\n\nvar data = `\na: Easy!\n`\ntype T struct {\n\tA string\n}\n\nfunc (t T) String() string { return strings.Trim(t.A, \"\\n\") }\n\nfunc main() { fmt.Print(T{data}) }", "a: Easy!")
		n.prints("import \"fmt\"\nfmt.Println(\"Hello World\")", "Hello World\n")
	}
	// gopherdata/gophernotes#234: a package's newer names are missing.
	n.prints("var err error = io.EOF\nfmt.Println(errors.Is(err, io.EOF), slices.Max([]int{1, 2}))", "true 2\n")
	// IHaskell/IHaskell#31: a bad import ends the kernel.
	n.fails("import", "SyntaxError", "line 1: missing import path")
	n.fails("import \"fmtt\"", "CompileError", "line 1: package fmtt is not in std (/usr/local/go/src/fmtt)")
	// twosigma/beakerx#5843: a command with a wrong argument passes.
	n.fails("%env", "CommandError", "line 1: %env: it takes a name and a value")
	// A cell with nothing in it, or with comments alone, is no error and prints nothing.
	for _, code := range []string{"", "\n\n", "// a comment", "/* a\n!false\n*/", "%%", "package main"} {
		n.prints(code, "")
	}
	// Text that is not UTF-8, and a null byte.
	if _, f := n.run("fmt.Println(\"\xff\")"); f == nil || f.Name != "SyntaxError" {
		t.Errorf("a cell that is not UTF-8: %v", f)
	}
	n.prints("os.Stdout.Write([]byte{'a', 0, 0xff, '\\n'})", "a\x00\xff\n")
}
