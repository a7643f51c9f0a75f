package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"lucigo/kernel/build"
	"lucigo/kernel/headless"
	"lucigo/kernel/jupyter"
	"lucigo/kernel/notebook"
	"lucigo/kernel/page"
)

type runCommand struct {
	Out     string        `help:"Directory for the executed notebooks and their pages." default:"lucigo-out" type:"path" placeholder:"DIR"`
	Timeout time.Duration `help:"Time limit of a cell." default:"10m"`
	Paths   []string      `arg:"" help:"Notebooks, or directories of notebooks." type:"path"`
}

func (r *runCommand) Run(ctx context.Context) error {
	root, err := build.Root(".")
	if err != nil {
		return err
	}
	k, err := build.Find(root)
	if err != nil {
		return err
	}
	if err := k.Build(ctx, os.Stderr); err != nil {
		return err
	}
	if err := os.MkdirAll(r.Out, 0o777); err != nil {
		return err
	}
	failed := false
	for _, path := range r.Paths {
		nb, err := notebook.Read(path)
		if err != nil {
			return err
		}
		outcomes, err := headless.Run(ctx, nb, headless.Options{
			Kernel: jupyter.Command{Argv: []string{k.Launcher(), "{connection_file}"}, Dir: filepath.Dir(path), Env: append(os.Environ(), "LUCIGO_ROOT="+root)},
			Limit:  r.Timeout,
			End: func(c headless.Cell, o headless.Outcome) {
				fmt.Printf("%v %.2fs %v\n", c, o.Time.Seconds(), o.Err)
			},
		})
		name := filepath.Join(r.Out, strings.TrimSuffix(filepath.Base(path), ".ipynb"))
		if err := errors.Join(err, nb.Write(name+".ipynb"), page.Write(name+".html", nb)); err != nil {
			return err
		}
		for _, o := range outcomes {
			failed = failed || o.Failed()
		}
	}
	if failed {
		return errors.New("not every cell and claim held")
	}
	return nil
}
