//go:build unix

package session

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"lucigo/internal/project"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == GuardArg {
		Guard(os.Args[2], os.Args[3])
		return
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

func TestCells(t *testing.T) {
	n := open(t)
	n.prints("fmt.Println(1)", "1\n")
	n.prints("%%\nfmt.Println(2)", "2\n")
	n.prints("func main() { fmt.Println(3) }", "3\n")
	n.prints("s := `\n!echo no\n%tset\n`\nfmt.Print(s)", "\n!echo no\n%tset\n")
	n.prints("/*\n!false\n*/\n!echo yes", "yes\n")
	n.prints("var x = 7\nfunc f() int { return x }", "")
	n.prints("fmt.Println(f())\r\nfmt.Println(x)\r\n", "7\n7\n")
	n.prints("var x = 8", "")
	n.prints("%exec g\nfunc g() { fmt.Println(f()) }", "8\n")
	n.fails("%tset\nfmt.Println(1)", "SyntaxError", "line 1: there is no command %tset; %test?")
	n.fails("!false", "CommandError", "line 1: !false: exit status 1")
	n.fails("%%bash\nexit 3", "CommandError", "bash: exit status 3")
	n.fails("os.Exit(0)", "ExitError", "os.Exit(0): the program ended before the cell did")
	n.fails("%%\nos.Exit(3)", "ExitError", "exit status 3")
	n.fails("log.SetFlags(log.Lshortfile)\nlog.Fatal(\"no\")", "ExitError", "exit status 1: cell[15]:2: no")
	n.fails("fmt.Println(y)", "CompileError", "line 1: undefined: y")
	n.fails("x := show.Gird{}\n_ = x", "CompileError", "line 1: show has no Gird; Grid?")
	n.fails("\npanic(\"boom\")", "Panic", "panic: boom (line 2)")
	n.fails("func h() { var a []int; println(a[f()]) }\n%%\nh()", "Panic", "panic: runtime error: index out of range [8] with length 0 (line 1)")
	n.fails("h()", "Panic", "panic: runtime error: index out of range [8] with length 0 (cell [19], line 1)")
	n.fails("ch := make(chan int)\n<-ch", "FatalError", "fatal error: all goroutines are asleep - deadlock! (line 2)")
	n.fails("func r(a int) int { return r(a+1) + r(a+2) }\n%%\nprintln(r(0))", "FatalError", "fatal error: stack overflow (line 1)")
	n.prints("sleep := 1\n_ = sleep\nfmt.Print(\"no end\")", "no end")
}
