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
)

// progress prints a line for each cell of a notebook; on a terminal, also the one that is running.
type progress struct {
	w        io.Writer
	terminal bool
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

func (p progress) notebook(file string) { fmt.Fprintln(p.w, file) }

func (p progress) begin(c headless.Cell) {
	if p.terminal {
		fmt.Fprintf(p.w, "  %3d/%d  %9s  %s", c.Number, c.Of, "…", c.Label)
	}
}

func (p progress) end(c headless.Cell, o headless.Outcome) {
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	fmt.Fprintf(p.w, "  %3d/%d  %9s  %s\n", c.Number, c.Of, seconds(o.Time), c.Label)
	const indent = "                    "
	if o.Err != nil {
		fmt.Fprintf(p.w, "%sFAILED: %s\n", indent, strings.ReplaceAll(strings.TrimSpace(o.Err.Error()), "\n", "\n"+indent))
	}
	if errors.Is(o.Err, jupyter.ErrLimit) {
		fmt.Fprintf(p.w, "%s--timeout=1h gives each cell an hour, --timeout=0 all the time it takes\n", indent)
	}
	for _, claim := range o.Claims {
		if !claim.Holds {
			fmt.Fprintf(p.w, "%sCLAIM FAILS: %v\n", indent, claim)
		}
	}
}

func (p progress) summary(outcomes []headless.Outcome, took time.Duration, problem error) {
	if problem != nil {
		fmt.Fprintf(p.w, "  FAILED: %v\n", problem)
	}
	if len(outcomes) > 0 {
		fmt.Fprintf(p.w, "  %s in %s\n", tally(outcomes), seconds(took))
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// tally counts the cells that ran and the claims that hold.
func tally(outcomes []headless.Outcome) string {
	var ran, failed, claims, hold int
	for _, o := range outcomes {
		if o.Ran {
			ran++
		}
		if o.Err != nil {
			failed++
		}
		for _, c := range o.Claims {
			claims++
			if c.Holds {
				hold++
			}
		}
	}
	s := fmt.Sprintf("%d of %d cells ran", ran, len(outcomes))
	if failed > 0 {
		s += fmt.Sprintf(", %d failed", failed)
	}
	if claims > 0 {
		s += fmt.Sprintf(", %d of %d claims hold", hold, claims)
	}
	return s
}
