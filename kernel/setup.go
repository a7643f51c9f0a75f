package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"lucigo/internal/project"
	"lucigo/kernel/build"
	"lucigo/kernel/headless"
	"lucigo/kernel/jupyter"
	"lucigo/kernel/notebook"
)

// setup is a kernel that is ready to start, and what it runs in.
type setup struct {
	build.Kernel
	env    []string
	pureGo bool
}

// prepare builds and installs whatever notebooks need and is missing, saying so on progress. Done before, it takes
// well under a second.
func prepare(ctx context.Context, progress io.Writer) (setup, error) {
	k, err := build.Find(".")
	if err != nil {
		return setup{}, err
	}
	s := setup{Kernel: k, env: append(os.Environ(), project.EnvRoot+"="+k.Root)}
	fresh := !k.Built()
	if fresh {
		fmt.Fprintln(progress, "Setting up the notebook kernel (once)")
	}
	var e build.Engine
	_, err = k.Program(ctx, "engine", progress)
	var opening sync.WaitGroup
	if err == nil {
		opening.Go(func() { e, err = k.OpenEngine(ctx, true, progress) })
	}
	var building error
	warm := false
	if fresh { // Meanwhile: XLA may have to be downloaded.
		if building = k.Build(ctx, progress); building == nil {
			building, warm = k.Warm(ctx, s.env, progress), true
		}
	}
	opening.Wait()
	switch {
	case ctx.Err() != nil:
		return setup{}, ctx.Err()
	case building != nil:
		return setup{}, building
	case err != nil: // A notebook that needs no engine runs all the same; a cell that does will fail and say why.
		fmt.Fprintf(progress, "  %v\n", err)
	case e.Kind == "go":
		s.pureGo, warm = true, false
		s.env = append(s.env, "GOEXPERIMENT="+build.Experiments())
	}
	if !warm {
		if err := k.Warm(ctx, s.env, progress); err != nil {
			return setup{}, err
		}
	}
	if fresh {
		return s, s.firstCell(ctx, progress)
	}
	return s, nil
}

// command starts the kernel in dir.
func (s setup) command(dir string) jupyter.Command {
	return jupyter.Command{Argv: []string{s.Command(), "{connection_file}"}, Dir: dir, Env: s.env}
}

// firstCell runs a throw-away cell: it fills the caches of Go and goimports, and proves that the kernel works.
func (s setup) firstCell(ctx context.Context, progress io.Writer) error {
	begin := time.Now()
	nb := &notebook.Notebook{Cells: []*notebook.Cell{notebook.NewCode("%%\nfmt.Println(show.Grid{})\ngonbui.Sync()")}}
	outcomes, err := headless.Run(ctx, nb, headless.Options{Kernel: s.command(s.Root), Limit: 5 * time.Minute})
	if err != nil {
		return err
	}
	if err := outcomes[0].Err; err != nil {
		return fmt.Errorf("the kernel is built, but a first cell fails: %w\n%s", err, nb.Cells[0].Printed())
	}
	fmt.Fprintf(progress, "  first cell in %.1f s\n", time.Since(begin).Seconds())
	return nil
}

// display is a path as the user would write it: relative to the working directory where that is shorter.
func display(path string) string {
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, path); err == nil && len(rel) < len(path) {
			return rel
		}
	}
	return path
}
