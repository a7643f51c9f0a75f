package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"lucigo/internal/project"
	"lucigo/kernel/jupyter"
)

// jupyterLab is the version that lab installs.
const jupyterLab = "jupyterlab==4.6.0"

type labCommand struct {
	Dir       string `arg:"" optional:"" type:"existingdir" help:"Directory to open (default: the project's notebooks)."`
	NoBrowser bool   `help:"Print the address instead of opening a browser."`
	Port      int    `default:"8888" help:"Port to listen on; the next free one if it is taken."`
}

func (l *labCommand) Run(ctx context.Context) error {
	s, err := prepare(ctx, os.Stderr)
	if err != nil {
		return err
	}
	var completion sync.WaitGroup
	completion.Go(func() { s.completion(ctx) })
	env, err := labEnvironment(ctx)
	completion.Wait()
	if err != nil {
		return err
	}
	if _, err := s.register(filepath.Join(env, "share", "jupyter")); err != nil {
		return err
	}
	dir := l.Dir
	if dir == "" {
		dir = filepath.Join(s.Root, "notebooks")
	}
	args := []string{"--port", fmt.Sprint(l.Port), "--ServerApp.root_dir=" + dir}
	if l.NoBrowser {
		args = append(args, "--no-browser")
	}
	if os.Geteuid() == 0 { // As in a container; Jupyter refuses root unless told.
		args = append(args, "--allow-root")
	}
	cmd := inTerminal(ctx, program(env, "jupyter-lab"), args...)
	cmd.Dir, cmd.Env = dir, append(s.env, "JUPYTER_PREFER_ENV_PATH=1")
	jupyter.OwnGroup(cmd)  // Ctrl-C is for this program: two signals at once keep Jupyter from ending its kernels.
	runtime.LockOSThread() // Jupyter is told when this thread ends.
	jupyter.EndWithParent(cmd, syscall.SIGTERM)
	err = cmd.Run()
	if ctx.Err() != nil {
		return nil // Ctrl-C is how one leaves it.
	}
	return err
}

// inTerminal is a command that has this program's terminal. When ctx ends it is asked to end, and has ten seconds:
// Jupyter gives a kernel five, and training writes a checkpoint.
func inTerminal(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// program is a program of a Python environment.
func program(env, name string) string { return filepath.Join(env, "bin", name) }

// python finds Python 3.
func python() (string, error) {
	for _, name := range []string{"python3", "python"} {
		if p, err := exec.LookPath(name); err == nil {
			return p, nil
		}
	}
	return "", errors.New("JupyterLab needs Python 3.10 or later: install it (python.org; or apt install python3-venv, brew install python), or use VS Code with its Jupyter extension after go run ./kernel install, which needs no Python")
}

// labDir is where the Python environment of JupyterLab is.
func labDir() (string, error) { return project.Cache(jupyterLab) }

// labEnvironment makes a Python environment with JupyterLab, once, and returns its directory.
func labEnvironment(ctx context.Context) (string, error) {
	dir, err := labDir()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(program(dir, "jupyter-lab")); err == nil {
		return dir, nil
	}
	py, err := python()
	if err != nil {
		return "", err
	}
	fmt.Fprintln(os.Stderr, "Setting up JupyterLab (once)")
	for _, args := range [][]string{{py, "-m", "venv", "--clear", dir}, {program(dir, "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", jupyterLab}} {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Stdout, cmd.Stderr, cmd.WaitDelay = os.Stderr, os.Stderr, time.Second
		if err := cmd.Run(); err != nil {
			if ctx.Err() != nil {
				return "", ctx.Err()
			}
			return "", fmt.Errorf("setting up JupyterLab: %v: %w: it needs the network, and Python with its venv module (apt install python3-venv)", args, err)
		}
	}
	return dir, nil
}
