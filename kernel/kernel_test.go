package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"lucigo/internal/proc"
	"lucigo/kernel/headless"
	"lucigo/kernel/jupyter"
	"lucigo/kernel/notebook"
	"lucigo/kernel/runner"
	"lucigo/notebooks/claim/record"
)

func writeNotebook(t *testing.T, file string, cells ...*notebook.Cell) {
	t.Helper()
	if err := (&notebook.Notebook{Cells: cells}).Write(file); err != nil {
		t.Fatal(err)
	}
}

// parse parses a command line as main does.
func parse(t *testing.T, args ...string) (*commands, error) {
	t.Helper()
	var c commands
	k, err := kong.New(&c, kong.Exit(func(int) {}), kong.Writers(io.Discard, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	_, err = k.Parse(args)
	return &c, err
}

func TestCommandLine(t *testing.T) {
	c, err := parse(t, "run", "a.ipynb", "dir", "-p", "model=a=b;c", "-p", "n=3", "--out", "o", "--timeout", "30s", "--keep-going", "--junit", "j.xml")
	if err != nil {
		t.Fatal(err)
	}
	r := c.Run
	if len(r.Paths) != 2 || r.Parameters["model"] != "a=b;c" || r.Parameters["n"] != "3" || filepath.Base(r.Out) != "o" || r.Timeout != 30*time.Second || !r.KeepGoing || !filepath.IsAbs(r.JUnit) {
		t.Errorf("%+v", r)
	}
	c, err = parse(t, "run", "a.ipynb")
	if err != nil || filepath.Base(c.Run.Out) != "out" || c.Run.Timeout != 10*time.Minute || c.Run.JUnit != "" {
		t.Errorf("%+v, %v", c.Run, err)
	}
	if c, err = parse(t, "models", "train", "--net", "dense", "--help"); err != nil || strings.Join(c.Models.Args, " ") != "train --net dense --help" {
		t.Errorf("models gets %q, %v", c.Models.Args, err)
	}
	for _, args := range [][]string{{"run"}, {"run", "a", "-p", "x"}, {"nothing"}, {"run", "a", "--timeout", "soon"}} {
		if _, err := parse(t, args...); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}

func TestProgress(t *testing.T) {
	cell := headless.Cell{Number: 2, Of: 12, Label: "A figure"}
	outcome := headless.Outcome{Cell: cell, Ran: true, Time: 1500 * time.Millisecond, Err: errors.New("first\nsecond"), Claims: []record.Claim{
		{Sentence: "held %v", Relation: record.AtMost}, {Sentence: "It is %v", Measured: 1, Relation: record.Less}}}
	result := runner.Result{Job: runner.Job{File: "a.ipynb", Notebook: &notebook.Notebook{}}, Time: 2 * time.Second, Outcomes: []headless.Outcome{outcome, {}}, Page: "out/a.html"}
	for _, terminal := range []bool{false, true} {
		var b bytes.Buffer
		p := progress{&b, terminal}
		p.Begin(result.Job)
		p.BeginCell(cell)
		p.EndCell(outcome)
		p.End(result)
		want := "    2/12     1.50 s  A figure\n                    FAILED: first\n                    second\n                    CLAIM FAILS: It is 1 (required: less than 0)\n" +
			"  1 of 2 cells ran, 1 failed, 1 of 2 claims hold in 2.00 s\npage: out/a.html\n"
		if terminal {
			want = "    2/12          …  A figure\r\x1b[K" + want
		}
		if want = "a.ipynb\n" + want; b.String() != want {
			t.Errorf("on a terminal %v:\n%q, want\n%q", terminal, b.String(), want)
		}
	}

	var b bytes.Buffer
	p := progress{w: &b}
	p.EndCell(headless.Outcome{Cell: cell, Skipped: true})
	p.EndCell(headless.Outcome{Cell: cell, Ran: true, Allowed: errors.New("\x1b[31mred\x1b[0m")})
	p.End(runner.Result{Job: runner.Job{Notebook: &notebook.Notebook{}}})
	if want := "    2/12    skipped  A figure\n    2/12     0.00 s  A figure\n                    failed, as its tag allows: red\n  there are no code cells in 0.00 s\n"; b.String() != want {
		t.Errorf("%q, want\n%q", b.String(), want)
	}

	b.Reset()
	progress{w: &b}.EndCell(headless.Outcome{Err: fmt.Errorf("%w: interrupted after 10m0s", jupyter.ErrLimit)})
	if !strings.Contains(b.String(), "--timeout=0") {
		t.Errorf("a cell at its time limit: %q", b.String())
	}
}

// TestMain lets the test program be the command.
func TestMain(m *testing.M) {
	switch os.Getenv("LUCIGO_TEST_COMMAND") {
	case "":
	case "hangs":
		ctx := untilAsked()
		fmt.Println("ready")
		<-ctx.Done()
		fmt.Println(context.Cause(ctx))
		time.Sleep(time.Minute)
		return
	default:
		main()
		return
	}
	os.Exit(m.Run())
}

// TestASecondSignalKills: a program that does not stop when it is asked to is killed by asking again.
func TestASecondSignalKills(t *testing.T) {
	for _, second := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), "LUCIGO_TEST_COMMAND=hangs")
		r, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		said := bufio.NewScanner(r)
		for _, want := range []string{"ready", "interrupted"} {
			if !said.Scan() || said.Text() != want {
				t.Fatalf("it says %q, want %q", said.Text(), want)
			}
			if want == "ready" {
				cmd.Process.Signal(syscall.SIGINT)
			}
		}
		cmd.Process.Signal(second)
		cmd.Wait()
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != second {
			t.Errorf("it ends by %v, want %v", cmd.ProcessState, second)
		}
	}
}

// testStops stops the command in mid-cell, in every way that a terminal does, and by force: it must be gone soon, with
// its kernel, and leave what has ended, and the outputs so far.
func testStops(t *testing.T) {
	dir := t.TempDir()
	endless := filepath.Join(dir, "endless.ipynb")
	writeNotebook(t, filepath.Join(dir, "a.ipynb"), notebook.NewCode("%%\nfmt.Println(\"ended\")"))
	flag := filepath.Join(t.TempDir(), "flag")
	writeNotebook(t, endless, notebook.NewCode("%%\nfmt.Println(\"begin\")\ntime.Sleep(200*time.Millisecond)\nmust.M(os.WriteFile("+
		strconv.Quote(flag)+", fmt.Appendln(nil, os.Getppid(), os.Getpid()), 0o666))\nfor {\n}"))
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGKILL} {
		if sig == syscall.SIGKILL && runtime.GOOS != "linux" {
			t.Log("an end by force is not tried: this system does not tell a process that its parent has ended")
			continue
		}
		if sig == syscall.SIGHUP && signal.Ignored(sig) {
			t.Log("a hangup is not tried: this runs under nohup, and so would the command")
			continue
		}
		out := t.TempDir()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, os.Args[0], "run", dir, "--out", out, "--junit", filepath.Join(out, "report.xml"))
		cmd.Env = append(os.Environ(), "LUCIGO_TEST_COMMAND=1")
		r, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil { // Nobody reads what it prints.
			t.Fatal(err)
		}
		var kernel, cell int
		for ctx.Err() == nil {
			b, _ := os.ReadFile(flag)
			if _, err := fmt.Sscanln(string(b), &kernel, &cell); err == nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if err := os.Remove(flag); err != nil {
			t.Fatalf("%v: the cell does not begin: %v", sig, err)
		}
		for ctx.Err() == nil && sig == syscall.SIGKILL && !strings.Contains(read(t, out, "endless.ipynb"), `"begin\n"`) {
			time.Sleep(20 * time.Millisecond) // It is written about once a second.
		}
		begin := time.Now()
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
		status := 128 + int(sig)
		if sig == syscall.SIGKILL {
			status = -1
		}
		if took := time.Since(begin); cmd.ProcessState.ExitCode() != status || took > 30*time.Second { // A cell has 10 minutes.
			t.Errorf("%v: %v after %v", sig, cmd.ProcessState, took)
		}
		for name, pid := range map[string]int{"kernel": kernel, "cell": cell} {
			for end := time.Now().Add(5 * time.Second); proc.Alive(pid); time.Sleep(10 * time.Millisecond) {
				if time.Now().After(end) {
					t.Errorf("%v: the %s, process %d, lives on", sig, name, pid)
					syscall.Kill(pid, syscall.SIGKILL)
				}
			}
		}
		page, report := "stopped: "+sig.String(), `tests="2" failures="1"`
		switch sig {
		case syscall.SIGINT:
			page = "interrupted"
		case syscall.SIGKILL: // Nobody was left to tell that the cell failed.
			page, report = "the run was stopped here", `tests="2" failures="0"`
		}
		for name, want := range map[string]string{"a.html": "ended", "endless.ipynb": `"begin\n"`, "endless.html": page, "report.xml": report} {
			if s := read(t, out, name); !strings.Contains(s, want) {
				t.Errorf("%v: in %s there is no %s:\n%.3000s", sig, name, want, s)
			}
		}
	}
}

// read is the content of a file, or "".
func read(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(b)
}

// TestRunCommand runs notebooks from the command line's words to the files, on a machine where nothing is built yet.
func TestRunCommand(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and starts a kernel")
	}
	t.Setenv("LUCIGO_CACHE", filepath.Join(t.TempDir(), "a cache"))
	t.Setenv("LUCIGO_BACKEND", "xla:/no/plugin.so") // Notebooks that need no engine run without one.
	dir := filepath.Join(t.TempDir(), "my notebooks")
	writeNotebook(t, filepath.Join(dir, "good.ipynb"), &notebook.Cell{Type: notebook.Markdown, Source: "# Good"},
		notebook.NewCode("var n = 1", "parameters"), notebook.NewCode("%%\nfmt.Println(\"n is\", n)"))
	writeNotebook(t, filepath.Join(dir, "bad.ipynb"), notebook.NewCode("%%\npanic(\"it is bad\")"), notebook.NewCode("%%\nfmt.Println(1)"))
	if err := os.WriteFile(filepath.Join(dir, "worse.ipynb"), []byte("no JSON"), 0o666); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	r := runCommand{Paths: []string{dir}, Parameters: map[string]string{"n": "42"}, Out: out, Timeout: 5 * time.Minute, JUnit: filepath.Join(out, "junit", "report.xml")}
	err := r.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "2 of 3 notebooks failed") {
		t.Fatalf("%v", err)
	}
	for file, want := range map[string]string{
		"good.ipynb":       `"n is 42\n"`,
		"good.html":        "n is 42",
		"bad.ipynb":        "it is bad",
		"bad.html":         "cell 1 (panic(&#34;it is bad&#34;)): panic: it is bad (line 2)",
		"junit/report.xml": `tests="6" failures="2"`,
	} {
		if b, err := os.ReadFile(filepath.Join(out, file)); err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s: %v, does not hold %s:\n%.3000s", file, err, want, b)
		}
	}
	if _, err := os.Stat(filepath.Join(out, "worse.html")); err == nil {
		t.Error("there is a page of what is no notebook")
	}
	r = runCommand{Paths: []string{filepath.Join(dir, "good.ipynb")}, Out: dir}
	if err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "would be overwritten") {
		t.Errorf("writing over the input: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r = runCommand{Paths: []string{filepath.Join(dir, "good.ipynb")}, Out: out}
	if err := r.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	t.Run("stops", testStops)
	t.Run("lab", testLab)
}
