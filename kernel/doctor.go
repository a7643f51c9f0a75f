package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"lucigo/internal/project"
	"lucigo/kernel/build"
	"lucigo/kernel/kernelspec"
)

type doctorCommand struct{}

// finding is one line of doctor's table.
type finding struct {
	what   string
	ok     bool
	detail string
	fix    string // where it is not ok
	needed bool   // for go run ./kernel run
}

const installs = "go run ./kernel install"

// Run examines the machine, needing no network. It fails if something is missing that notebooks cannot run without.
func (*doctorCommand) Run(ctx context.Context) error {
	root, err := project.Root(".")
	if err != nil {
		return err
	}
	k, err := build.Find(root)
	if err != nil {
		return err
	}
	list := []finding{goCommand(ctx), compiler(ctx)}
	list = append(list, engines(ctx, k)...)
	list = append(list, programs(k)...)
	list = append(list, registered(k), pythonFinding(ctx), lab())
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	missing := 0
	for _, f := range list {
		mark := "ok"
		if !f.ok {
			mark = "--"
			if f.needed {
				mark = "MISSING"
				missing++
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", mark, f.what, f.detail)
		if !f.ok && f.fix != "" {
			fmt.Fprintf(w, "\t\tto fix it: %s\n", f.fix)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if missing > 0 {
		return fmt.Errorf("notebooks cannot run yet: %d of the above are missing", missing)
	}
	return nil
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	return strings.TrimSpace(string(out)), err
}

func goCommand(ctx context.Context) finding {
	f := finding{what: "Go", fix: "install Go from go.dev/dl and put it on PATH", needed: true}
	version, err := output(ctx, "go", "env", "GOVERSION")
	if err != nil {
		f.detail = err.Error()
		return f
	}
	f.ok, f.detail = true, version
	return f
}

func compiler(ctx context.Context) finding {
	f := finding{what: "C compiler", fix: "install one (apt install gcc; xcode-select --install) and leave CGO_ENABLED unset: without it, XLA cannot be had"}
	cgo, err := output(ctx, "go", "env", "CGO_ENABLED")
	if err != nil {
		f.detail = err.Error()
		return f
	}
	cc, err := output(ctx, "go", "env", "CC")
	if err != nil {
		f.detail = err.Error()
		return f
	}
	path, err := exec.LookPath(strings.Fields(cc + " ")[0])
	switch {
	case err != nil:
		f.detail = err.Error()
	case cgo != "1":
		f.detail = path + ", but CGO_ENABLED is 0"
	default:
		f.ok, f.detail = true, path
	}
	return f
}

func engines(ctx context.Context, k build.Kernel) []finding {
	xla := finding{what: "XLA", fix: installs + " (with the network on)"}
	cache := finding{what: "compile cache", fix: "unset LUCIGO_COMPILE_CACHE, or point it at a directory of your own"}
	if !k.Built() { // It leaves no trace.
		tmp, err := os.MkdirTemp("", "lucigo-")
		if err != nil {
			xla.detail = err.Error()
			return []finding{xla}
		}
		defer os.RemoveAll(tmp)
		k.Dir = filepath.Join(tmp, "kernel")
	}
	var log bytes.Buffer
	_, err := k.Program(ctx, "engine", &log)
	var e build.Engine
	if err == nil {
		e, err = k.OpenEngine(ctx, false, &log)
	}
	if err != nil {
		xla.detail = strings.TrimSpace(log.String())
		if xla.detail == "" {
			xla.detail = err.Error()
		}
		return []finding{xla}
	}
	xla.ok, xla.detail = e.Kind != "go", e.Name
	if e.Notice != "" {
		xla.detail = e.Notice
	}
	if e.Kind == "go" {
		return []finding{xla}
	}
	switch {
	case e.Cache.Off != "":
		cache.detail = "off: " + e.Cache.Off
	case e.Cache.Problem != "":
		cache.detail = e.Cache.Problem
	case e.Cache.Refused > 0:
		cache.detail = fmt.Sprintf("%s: XLA refuses to load what it stored there, so every process compiles again", e.Cache.Dir)
		cache.fix = "remove that directory; if it happens again, set LUCIGO_COMPILE_CACHE=off"
	case e.Cache.Hits == 0:
		cache.detail = e.Cache.Dir + ": what was just stored was not found again"
	default:
		cache.ok, cache.detail = true, fmt.Sprintf("%s, %d MB", e.Cache.Dir, (e.Cache.Bytes+999_999)/1_000_000)
	}
	return []finding{xla, cache}
}

func programs(k build.Kernel) []finding {
	f := finding{what: "kernel programs", ok: k.Built(), detail: k.Dir, fix: installs + " (run does it too)"}
	if !f.ok {
		f.detail = "GoNB, goimports and the launcher are not built for this version of the project"
	}
	g := finding{what: "gopls (completion)", ok: true, detail: k.Completion(), fix: installs + " --completion"}
	if _, err := os.Stat(k.Completion()); err != nil {
		g.ok, g.detail = false, "not built; notebooks run without it"
	}
	return []finding{f, g}
}

func registered(k build.Kernel) finding {
	f := finding{what: "Jupyter kernel", fix: installs}
	dir, err := kernelspec.DataDir()
	if err != nil {
		f.detail = err.Error()
		return f
	}
	spec, err := kernelspec.Read(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.detail = "not registered below " + dir
	case err != nil:
		f.detail = err.Error()
	case spec.Argv[0] != k.Launcher():
		f.detail = "registered for another version: " + filepath.Dir(spec.Argv[0])
	default:
		f.ok, f.detail = true, dir
	}
	return f
}

func pythonFinding(ctx context.Context) finding {
	f := finding{what: "Python", fix: "only JupyterLab needs it: apt install python3-venv, brew install python"}
	p, err := python()
	if err != nil {
		f.detail = "not found"
		return f
	}
	version, err := output(ctx, p, "-c", "import sys, venv; print(sys.version.split()[0])")
	if err != nil {
		f.detail = p + " has no venv module"
		return f
	}
	f.ok, f.detail = true, version+", "+p
	return f
}

func lab() finding {
	f := finding{what: "JupyterLab", fix: "go run ./kernel lab installs and starts it"}
	dir, err := labDir()
	if err != nil {
		f.detail = err.Error()
		return f
	}
	if _, err := os.Stat(program(dir, "jupyter-lab")); err != nil {
		f.detail = "not set up"
		return f
	}
	f.ok, f.detail = true, dir
	return f
}
