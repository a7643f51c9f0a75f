package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"lucigo/kernel/runner"
)

type runCommand struct {
	Paths      []string          `arg:"" help:"Notebooks, or directories of notebooks."`
	Parameters map[string]string `short:"p" name:"param" mapsep:"none" placeholder:"NAME=VALUE" help:"Give a parameter (declared in the cell tagged 'parameters') another value. Repeatable."`
	Out        string            `default:"out" type:"path" placeholder:"DIR" help:"Where the executed notebooks and their pages go (default: ${default})."`
	Timeout    time.Duration     `default:"10m" placeholder:"TIME" help:"Time limit of a cell (default: ${default}); 0 is none."`
	KeepGoing  bool              `help:"Run the cells after a failing one too."`
	JUnit      string            `name:"junit" type:"path" placeholder:"FILE" help:"Write a report in JUnit's XML: a test case for each cell and each claim."`
}

func (r *runCommand) Run(ctx context.Context) error {
	jobs, err := runner.Find(r.Paths...)
	if err != nil {
		return err
	}
	if err := runner.SetParameters(jobs, r.Parameters); err != nil {
		return err
	}
	run := runner.Runner{Limit: r.Timeout, KeepGoing: r.KeepGoing, Out: r.Out, JUnit: r.JUnit,
		Watch: progress{w: os.Stdout, terminal: isTerminal(os.Stdout)}}
	if err := run.Check(jobs); err != nil { // Before a kernel is built.
		return err
	}
	if slices.ContainsFunc(jobs, func(j runner.Job) bool { return j.Problem == nil }) {
		s, err := prepare(ctx, os.Stderr)
		if err != nil {
			return err
		}
		run.Kernel = s.command
	}
	results, err := run.Run(ctx, jobs)
	if err != nil {
		return err
	}
	var failed []string
	for _, result := range results {
		if result.Failures() != nil {
			failed = append(failed, result.File)
		}
	}
	if failed != nil {
		return fmt.Errorf("%d of %d notebooks failed: %s", len(failed), len(jobs), strings.Join(failed, ", "))
	}
	return nil
}
