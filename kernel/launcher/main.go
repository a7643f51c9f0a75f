// Command launcher is what Jupyter starts for a notebook of this project, and what the kernel calls in place of the go
// command.
//
//	launcher CONNECTION_FILE   starts GoNB, with the directory bin beside this program first on PATH
//	bin/go …                   (the same program under the name go) is the go command within that kernel
//
// The stand-in makes a cell part of the project: the module of the session takes its requirements
// from the project's go.mod and the project itself by a replace, so a cell imports lucigo/... and GoMLX at the
// project's versions, offline, with no go.mod and no import lines of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"lucigo/internal/project"
)

// envGo is the variable by which a kernel tells its stand-in where the real go command is.
const envGo = "LUCIGO_GO"

func main() {
	var err error
	code := 1
	switch {
	case filepath.Base(os.Args[0]) == "go":
		code, err = standIn(os.Args[1:])
	case len(os.Args) == 2:
		err = start(os.Args[1])
	default:
		err = errors.New("usage: launcher CONNECTION_FILE (Jupyter starts it; go run ./kernel install sets it up)")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "lucigo kernel:", err)
	}
	os.Exit(code)
}

// start becomes GoNB. It returns only on failure.
func start(connection string) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	root, err := projectRoot(dir, os.Getenv(project.EnvRoot))
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	home := filepath.Dir(self)
	bin := filepath.Join(home, "bin")
	path := withoutDir(os.Getenv("PATH"), bin) // A kernel started from a cell of another one must find the real go.
	os.Setenv("PATH", path)
	realGo, err := exec.LookPath("go")
	if err != nil { // An editor's PATH may lack it: take the one that was there at the installation.
		if realGo = os.Getenv(envGo); realGo == "" {
			return fmt.Errorf("cells are compiled by Go, and %w: install Go and put it on PATH", err)
		}
	}
	os.Setenv("PATH", bin+string(os.PathListSeparator)+path)
	os.Setenv(project.EnvRoot, root)
	os.Setenv(envGo, realGo)
	// What interp/engine/internal/plugin tells malloc at a program's start, Go's own linker leaves out of cells.
	os.Setenv("MALLOC_ARENA_MAX", "1")
	os.Setenv("MALLOC_MMAP_MAX_", "0")
	os.Setenv("MALLOC_TRIM_THRESHOLD_", "2147483647")
	gonb := filepath.Join(home, "gonb")
	err = syscall.Exec(gonb, []string{gonb, "--kernel", connection, "--raw_error=true"}, os.Environ())
	return fmt.Errorf("%s: %w: fix it with go run ./kernel install", gonb, err)
}

// projectRoot finds the project's directory: upwards from dir, the notebook's, else where the kernel was installed
// from.
func projectRoot(dir, installed string) (string, error) {
	root, err := project.Root(dir)
	if err == nil {
		return root, nil
	}
	if installed == "" {
		return "", fmt.Errorf("no go.mod of module %s above the notebook, and %s is not set: run go run ./kernel install in the project", project.Module, project.EnvRoot)
	}
	if root, err = project.Root(installed); err != nil {
		return "", fmt.Errorf("%s is no longer the project's directory: run go run ./kernel install where it is now", installed)
	}
	return root, nil
}

// withoutDir is the PATH list without dir.
func withoutDir(list, dir string) string {
	all := filepath.SplitList(list)
	return strings.Join(slices.DeleteFunc(all, func(d string) bool { return filepath.Clean(d) == dir }), string(os.PathListSeparator))
}

// standIn is the go command of a kernel's session; it returns the exit status.
func standIn(args []string) (int, error) {
	realGo := os.Getenv(envGo)
	if realGo == "" {
		return 1, fmt.Errorf("%s is not set: this program is the go command within a notebook kernel only", envGo)
	}
	switch {
	case len(args) == 3 && args[0] == "mod" && args[1] == "init":
		if err := seed(realGo, os.Getenv(project.EnvRoot), args[2], "."); err != nil {
			return 1, err
		}
		return 0, nil
	case slices.Equal(args, []string{"get"}), slices.Equal(args, []string{"get", "-t"}):
		return 0, nil // Everything a cell can import by name alone is required already; a get would ask the network.
	case len(args) > 1 && (args[0] == "build" && args[1] == "-o" || args[0] == "test" && args[1] == "-c"):
		return link(realGo, args) // GoNB compiles a cell, or the tests in one.
	}
	return 1, fmt.Errorf("%s: %w", realGo, syscall.Exec(realGo, append([]string{"go"}, args...), os.Environ()))
}

// seed writes into dir a go.mod for a session's module: the project's requirements, and the project by replacement.
func seed(realGo, root, name, dir string) error {
	for _, file := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, file), b, 0o666); err != nil {
			return err
		}
	}
	out, err := exec.Command(realGo, "mod", "edit", "-module="+name, "-require="+project.Module+"@v0.0.0-00010101000000-000000000000",
		"-replace="+project.Module+"="+root, filepath.Join(dir, "go.mod")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("go mod edit: %w: %s", err, out)
	}
	return nil
}

// link runs go build or go test -c with the linker flags that make a cell start soonest: no DWARF, and Go's own linker
// even for cgo, which takes a third of the time of the external one. Not every C object suits it, so where the link
// itself fails, the external linker has its turn. Flags of the user's own come later on the line and win.
func link(realGo string, args []string) (int, error) {
	withFlags := func(flags string) []string { return slices.Concat(args[:1], []string{"-ldflags=" + flags}, args[1:]) }
	if runtime.GOOS == "linux" && runtime.GOARCH == "amd64" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		cmd := exec.CommandContext(ctx, realGo, withFlags("-w -linkmode=internal")...)
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // It stops after the package that it compiles.
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err == nil || errors.As(err, &exit) && !linkFailed(string(out)) {
			os.Stderr.Write(out)
			return cmd.ProcessState.ExitCode(), nil
		}
	}
	return 1, fmt.Errorf("%s: %w", realGo, syscall.Exec(realGo, append([]string{"go"}, withFlags("-w")...), os.Environ()))
}

// linkFailed says whether a failing build's messages come from the linker: they begin with the tool's path.
func linkFailed(out string) bool {
	for line := range strings.Lines(out) {
		if tool, _, ok := strings.Cut(line, ": "); ok && filepath.Base(tool) == "link" {
			return true
		}
	}
	return strings.Contains(out, "loadinternal:")
}
