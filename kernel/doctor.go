package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"text/tabwriter"

	"lucigo/kernel/build"
	"lucigo/kernel/kernelspec"
)

type doctorCommand struct{}

// check is one line of doctor's table.
type check struct {
	what   string
	needed bool                           // for go run ./kernel run
	look   func() (found string, _ error) // the error says what is missing; "" and none leave the line out
	fix    string
}

// Run examines the machine, needing no network. It fails if something is missing that notebooks cannot run without.
func (*doctorCommand) Run(ctx context.Context) error {
	k, err := build.Find(".")
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	missing := 0
	for _, c := range checks(ctx, k) {
		found, err := c.look()
		switch {
		case err == nil && found == "":
		case err == nil:
			fmt.Fprintf(w, "ok\t%s\t%s\n", c.what, found)
		default:
			mark := "--"
			if c.needed {
				mark = "MISSING"
				missing++
			}
			fmt.Fprintf(w, "%s\t%s\t%v\n\t\tto fix it: %s\n", mark, c.what, err, c.fix)
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

func checks(ctx context.Context, k build.Kernel) []check {
	const installs = "go run ./kernel install"
	output := func(name string, args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, name, args...).Output()
		return strings.TrimSpace(string(out)), err
	}
	exists := func(file, missing string) (string, error) {
		if _, err := os.Stat(file); err != nil {
			return "", errors.New(missing)
		}
		return file, nil
	}
	whole := func(program, found, missing string) (string, error) {
		if _, err := exists(program, missing); err != nil {
			return "", err
		}
		if !build.Whole(program) {
			return "", errors.New(program + " is damaged: it is not what was built")
		}
		return found, nil
	}
	engine := sync.OnceValues(func() (build.Engine, error) { return engine(ctx, k) })
	return []check{
		{"Go", true, func() (string, error) { return output("go", "env", "GOVERSION") }, "install Go from go.dev/dl and put it on PATH"},
		{"C compiler", false, func() (string, error) {
			env, err := output("go", "env", "CGO_ENABLED", "CC")
			if err != nil {
				return "", err
			}
			cgo, cc, _ := strings.Cut(env, "\n")
			path, err := exec.LookPath(strings.Fields(cc + " ")[0])
			if err == nil && cgo != "1" {
				err = errors.New(path + ", but CGO_ENABLED is 0")
			}
			return path, err
		}, "install one (apt install gcc; xcode-select --install) and leave CGO_ENABLED unset: without it, XLA cannot be had"},
		{"XLA", false, func() (string, error) {
			e, err := engine()
			found := cmp.Or(e.Notice, e.Name)
			if err == nil && e.Kind == "go" {
				err = errors.New(found)
			}
			return found, err
		}, installs + " (with the network on)"},
		{"compile cache", false, func() (string, error) {
			e, err := engine()
			switch {
			case err != nil || e.Kind == "go":
				return "", nil // XLA's line tells it
			case e.Cache.Off != "":
				return "", errors.New("off: " + e.Cache.Off)
			case e.Cache.Problem != "":
				return "", errors.New(e.Cache.Problem)
			case e.Cache.Refused > 0:
				return "", fmt.Errorf("%s: XLA refuses to load what it stored there, so every process compiles again", e.Cache.Dir)
			case e.Cache.Hits == 0:
				return "", errors.New(e.Cache.Dir + ": what was just stored was not found again")
			}
			return fmt.Sprintf("%s, %d MB", e.Cache.Dir, (e.Cache.Bytes+999_999)/1_000_000), nil
		}, "remove its directory, unset LUCIGO_COMPILE_CACHE, or point it at a directory of your own; where XLA refuses again, set it to off"},
		{"kernel program", false, func() (string, error) {
			return whole(k.Command(), k.Dir, "it is not built for this version of the project")
		}, installs + " (run does it too)"},
		{"gopls (completion)", false, func() (string, error) {
			return whole(k.Completion(), k.Completion(), "not built; notebooks run without it")
		}, installs},
		{"Jupyter kernel", false, func() (string, error) {
			dir, err := kernelspec.DataDir()
			if err != nil {
				return "", err
			}
			launcher, err := kernelspec.Launcher(dir)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				err = errors.New("not registered below " + dir)
			case err == nil && launcher != k.Command():
				err = errors.New("registered for another version: " + filepath.Dir(launcher))
			}
			return dir, err
		}, installs},
		{"Python", false, func() (string, error) {
			p, err := python()
			if err != nil {
				return "", errors.New("not found")
			}
			version, err := output(p, "-c", "import sys, venv; print(sys.version.split()[0])")
			if err != nil {
				return "", errors.New(p + " has no venv module")
			}
			return version + ", " + p, nil
		}, "only JupyterLab needs it: apt install python3-venv, brew install python"},
		{"JupyterLab", false, func() (string, error) {
			dir, err := labDir()
			if err == nil {
				_, err = exists(program(dir, "jupyter-lab"), "not set up")
			}
			return dir, err
		}, "go run ./kernel lab installs and starts it"},
	}
}

// engine opens the engine, downloading nothing; where no kernel is built, it leaves no trace.
func engine(ctx context.Context, k build.Kernel) (build.Engine, error) {
	if !k.Built() {
		tmp, err := os.MkdirTemp("", "lucigo-")
		if err != nil {
			return build.Engine{}, err
		}
		defer os.RemoveAll(tmp)
		k.Dir = filepath.Join(tmp, "kernel")
	}
	if _, err := k.Program(ctx, "engine", os.Stderr); err != nil {
		return build.Engine{}, err
	}
	var log bytes.Buffer
	e, err := k.OpenEngine(ctx, false, &log)
	if said := strings.TrimSpace(log.String()); err != nil && said != "" {
		err = errors.New(said)
	}
	return e, err
}
