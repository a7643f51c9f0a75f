package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestSeed(t *testing.T) {
	root, dir := filepath.Join(t.TempDir(), "with space"), t.TempDir()
	write(t, filepath.Join(root, "go.mod"), "module lucigo\n\ngo 1.26.5\n\nrequire (\n\texample.org/a v1.2.3\n\texample.org/b v0.1.0 // indirect\n)\n")
	write(t, filepath.Join(root, "go.sum"), "sums\n")
	if err := seed("go", root, "gonb_1234", dir); err != nil {
		t.Fatal(err)
	}
	b, err := exec.Command("go", "mod", "edit", "-json", filepath.Join(dir, "go.mod")).Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Go      string
		Module  struct{ Path string }
		Require []struct{ Path, Version string }
		Replace []struct{ Old, New struct{ Path string } }
	}
	if err := json.Unmarshal(b, &mod); err != nil {
		t.Fatalf("%v:\n%s", err, b)
	}
	if mod.Module.Path != "gonb_1234" || mod.Go != "1.26.5" {
		t.Errorf("module %s, go %s", mod.Module.Path, mod.Go)
	}
	required := map[string]string{}
	for _, r := range mod.Require {
		required[r.Path] = r.Version
	}
	if required["example.org/a"] != "v1.2.3" || required["example.org/b"] != "v0.1.0" || required["lucigo"] == "" {
		t.Errorf("it requires %v", required)
	}
	if len(mod.Replace) != 1 || mod.Replace[0].Old.Path != "lucigo" || mod.Replace[0].New.Path != root {
		t.Errorf("it replaces %+v", mod.Replace)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "go.sum")); err != nil || string(b) != "sums\n" {
		t.Errorf("go.sum is %q, %v", b, err)
	}
	if err := seed("go", t.TempDir(), "x", dir); err == nil {
		t.Error("a project without go.mod is no error")
	}
}

func TestProjectRoot(t *testing.T) {
	project, elsewhere := t.TempDir(), t.TempDir()
	write(t, filepath.Join(project, "go.mod"), "// a comment\nmodule lucigo\n")
	deep := filepath.Join(project, "notebooks", "lecture")
	write(t, filepath.Join(deep, "go.mod"), "module other\n") // One that is not ours is passed by.
	for _, c := range []struct{ dir, installed, want, err string }{
		{deep, "", project, ""},
		{deep, elsewhere, project, ""},
		{elsewhere, project, project, ""},
		{elsewhere, "", "", "LUCIGO_ROOT is not set"},
		{elsewhere, elsewhere, "", "no longer the project's directory"},
	} {
		got, err := projectRoot(c.dir, c.installed)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("projectRoot(%s, %s) = %s, %v", c.dir, c.installed, got, err)
		}
	}
}

func TestWithoutDir(t *testing.T) {
	sep := string(os.PathListSeparator)
	if got := withoutDir(strings.Join([]string{"/a", "/k/bin/", "/b", "/k/bin"}, sep), "/k/bin"); got != "/a"+sep+"/b" {
		t.Error(got)
	}
}

func TestLinkFailed(t *testing.T) {
	for out, want := range map[string]bool{
		"# gonb_1\n./main.go:3:5: undefined: x\n":                                                                   false,
		"# gonb_1\n/usr/local/go/pkg/tool/linux_amd64/link: running gcc failed: exit status 1\n":                    true,
		"loadinternal: cannot find runtime/cgo\n":                                                                   true,
		"# gonb_1\n/opt/my go/pkg/tool/linux_amd64/link: x(.text): unhandled relocation for y (type 42)\nmore: z\n": true,
		"package x: link: not found\n":                                                                              false,
	} {
		if got := linkFailed(out); got != want {
			t.Errorf("linkFailed(%q) = %v", out, got)
		}
	}
}

// TestMain lets the test program be the stand-in: a process called go.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "go" {
		main()
	}
	os.Exit(m.Run())
}

// TestStandIn runs the stand-in with a script in place of the go command, which writes down what it is asked, and
// fails as the comment says.
func TestStandIn(t *testing.T) {
	dir := t.TempDir()
	script, log := filepath.Join(dir, "real go"), filepath.Join(dir, "log")
	run := func(fails string, args ...string) (asked, out string, code int) {
		t.Helper()
		write(t, log, "")
		write(t, script, "#!/bin/sh\necho \"$@\" >> '"+log+"'\n"+fails+"\n")
		if err := os.Chmod(script, 0o777); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0])
		cmd.Args = append([]string{"go"}, args...)
		cmd.Env = append(os.Environ(), "LUCIGO_GO="+script)
		b, _ := cmd.CombinedOutput()
		a, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return string(a), string(b), cmd.ProcessState.ExitCode()
	}
	internal := runtime.GOOS == "linux" && runtime.GOARCH == "amd64"
	const fast, safe = "-ldflags=-w -linkmode=internal", "-ldflags=-w"
	first := safe
	if internal {
		first = fast
	}
	for _, c := range []struct {
		name, fails string
		args        []string
		asked       string
		code        int
	}{
		{"a bare get is nothing", "", []string{"get"}, "", 0},
		{"for tests too", "", []string{"get", "-t"}, "", 0},
		{"a get of something passes", "", []string{"get", "x@v1"}, "get x@v1\n", 0},
		{"anything else passes", "exit 3", []string{"list", "-m"}, "list -m\n", 3},
		{"tests that the user runs pass", "", []string{"test", "./..."}, "test ./...\n", 0},
		{"a cell gets linker flags", "", []string{"build", "-o", "x"}, "build " + first + " -o x\n", 0},
		{"so do tests in one", "", []string{"test", "-c", "-o", "x"}, "test " + first + " -c -o x\n", 0},
		{"a compiler's error is final", "echo './main.go:1:1: no'; exit 1", []string{"build", "-o", "x"}, "build " + first + " -o x\n", 1},
	} {
		if asked, out, code := run(c.fails, c.args...); asked != c.asked || code != c.code {
			t.Errorf("%s: the real go is asked %q (want %q), status %d (want %d), output %q", c.name, asked, c.asked, code, c.code, out)
		}
	}
	if internal {
		asked, out, code := run(`case "$*" in *internal*) echo /go/tool/link: no; exit 1;; esac`, "build", "-o", "x")
		if want := "build " + fast + " -o x\nbuild " + safe + " -o x\n"; asked != want || code != 0 || out != "" {
			t.Errorf("where internal linking fails, the real go is asked %q, want %q; status %d, output %q", asked, want, code, out)
		}
	}
	cmd := exec.Command(os.Args[0])
	cmd.Args = []string{"go", "version"}
	cmd.Env = append(os.Environ(), "LUCIGO_GO=")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "LUCIGO_GO") {
		t.Errorf("outside of a kernel: %v, %s", err, out)
	}
}

// TestStandInInterrupted: an interrupt of the stand-in reaches the go command that compiles a cell.
func TestStandInInterrupted(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("elsewhere the stand-in becomes the go command")
	}
	dir := t.TempDir()
	script, started := filepath.Join(dir, "go"), filepath.Join(dir, "started")
	write(t, script, "#!/bin/sh\ntrap 'exit 5' INT\n: > '"+started+"'\nfor i in $(seq 500); do sleep 0.05; done\n")
	if err := os.Chmod(script, 0o777); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Args = []string{"go", "build", "-o", "x"}
	cmd.Env = append(os.Environ(), "LUCIGO_GO="+script)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for ctx.Err() == nil {
		if _, err := os.Stat(started); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if cmd.Wait(); cmd.ProcessState.ExitCode() != 5 {
		t.Errorf("interrupted: %v, want exit status 5, the go command's own", cmd.ProcessState)
	}
}
