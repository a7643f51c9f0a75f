//go:build unix

// Command gokernel is the notebook kernel that Jupyter starts, with a connection file as its argument. Cells are Go, in
// the language of package source; they are part of the project's module, in whose directory the notebook is or from
// which the kernel was installed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"lucigo/internal/project"
	"lucigo/kernel/serve"
	"lucigo/kernel/session"
)

// envGo says where the go command was at the installation.
const envGo = "LUCIGO_GO"

func main() {
	if len(os.Args) == 4 && os.Args[1] == session.GuardArg {
		session.Guard(os.Args[2], os.Args[3])
		return
	}
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gokernel CONNECTION_FILE (Jupyter starts it; go run ./kernel install sets it up)")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "lucigo kernel:", err)
		os.Exit(1)
	}
}

// run serves a front end until it or this process's parent ends.
func run(connection string) error {
	// Front ends interrupt by a message. Signals are handled, not ignored: cells would inherit that.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt, syscall.SIGHUP)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ctx = withParent(ctx)
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	root, err := projectRoot(dir, os.Getenv(project.EnvRoot))
	if err != nil {
		return err
	}
	goTool, err := exec.LookPath("go")
	if err != nil { // An editor's PATH may lack it: take the one that was there at the installation.
		if goTool = os.Getenv(envGo); goTool == "" {
			return fmt.Errorf("cells are compiled by Go, and %w: install Go and put it on PATH", err)
		}
	}
	env := append(os.Environ(), project.EnvRoot+"="+root, envGo+"="+goTool,
		// What interp/engine/internal/plugin tells malloc at a program's start, Go's own linker leaves out of cells.
		"MALLOC_ARENA_MAX=1", "MALLOC_MMAP_MAX_=0", "MALLOC_TRIM_THRESHOLD_=2147483647")
	if m := kernelID.FindStringSubmatch(connection); m != nil {
		env = append(env, "GONB_JUPYTER_KERNEL_ID="+m[1])
	}
	s, err := session.New(root, goTool, env)
	if err != nil {
		return err
	}
	k := &kernel{Session: s}
	if os.Getenv("JPY_SESSION_NAME") != "" { // People are in front of it: other runs have no use for gopls.
		k.start(s)
	}
	err = serve.Serve(ctx, connection, k)
	return errors.Join(err, k.close())
}

var kernelID = regexp.MustCompile(`kernel-([0-9a-fA-F-]+)\.json$`)

// withParent is ctx until this process's parent has ended.
func withParent(ctx context.Context) context.Context {
	ctx, end := context.WithCancel(ctx)
	parent := os.Getppid()
	go func() {
		for os.Getppid() == parent {
			time.Sleep(500 * time.Millisecond)
		}
		end()
	}()
	return ctx
}

// projectRoot finds the project's directory: upwards from dir, the notebook's, else where the kernel was installed
// from.
func projectRoot(dir, installed string) (string, error) {
	root, err := project.Root(dir)
	if err == nil {
		return root, nil
	}
	if installed == "" {
		return "", fmt.Errorf("no go.mod of module %s above the notebook, and %s is not set: "+
			"run go run ./kernel install in the project", project.Module, project.EnvRoot)
	}
	if root, err = project.Root(installed); err != nil {
		return "", fmt.Errorf("%s is no longer the project's directory: run go run ./kernel install where it is now",
			installed)
	}
	return filepath.Abs(root)
}
