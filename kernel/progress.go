package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"lucigo/kernel/headless"
	"lucigo/kernel/jupyter"
	"lucigo/kernel/notebook"
	"lucigo/kernel/runner"
)

// progress prints a line for each cell of a notebook; on a terminal, also the one that is running.
type progress struct {
	w        io.Writer
	terminal bool
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

func (p progress) Begin(j runner.Job) { fmt.Fprintln(p.w, j.File) }

func (p progress) BeginCell(c headless.Cell) {
	if p.terminal {
		fmt.Fprintf(p.w, "  %3d/%d  %9s  %s", c.Number, c.Of, "…", c.Label)
	}
}

func (p progress) EndCell(o headless.Outcome) {
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	took := seconds(o.Time)
	if o.Skipped {
		took = "skipped"
	}
	fmt.Fprintf(p.w, "  %3d/%d  %9s  %s\n", o.Cell.Number, o.Cell.Of, took, o.Cell.Label)
	const indent = "                    "
	for says, err := range map[string]error{"FAILED": o.Err, "failed, as its tag allows": o.Allowed} {
		if err != nil {
			text := strings.TrimSpace(notebook.Plain(err.Error()))
			fmt.Fprintf(p.w, "%s%s: %s\n", indent, says, strings.ReplaceAll(text, "\n", "\n"+indent))
		}
	}
	if errors.Is(o.Err, jupyter.ErrLimit) {
		fmt.Fprintf(p.w, "%s--timeout=1h gives each cell an hour, --timeout=0 all the time it takes\n", indent)
	}
	for _, claim := range o.Claims {
		if !claim.Holds() {
			fmt.Fprintf(p.w, "%sCLAIM FAILS: %s\n", indent, notebook.Plain(claim.String()))
		}
	}
}

func (p progress) End(r runner.Result) {
	if r.Err != nil {
		fmt.Fprintf(p.w, "  FAILED: %s\n", notebook.Plain(r.Err.Error()))
	}
	if r.Notebook != nil {
		fmt.Fprintf(p.w, "  %s in %s\n", r.Tally(), seconds(r.Time))
	}
	if r.Page != "" {
		fmt.Fprintf(p.w, "page: %s\n", display(r.Page))
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
