// Package headless executes a notebook from its first cell to its last, and keeps what the cells put out.
package headless

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"lucigo/kernel/jupyter"
	"lucigo/kernel/notebook"
	"lucigo/notebooks/claim/record"
)

// Options says how to run a notebook.
type Options struct {
	Kernel    jupyter.Command
	Limit     time.Duration // for each cell; 0: none
	KeepGoing bool          // run the cells after one that fails
	Begin     func(Cell)    // called before a cell runs; nil: it is not called
	Tick      func()        // about once a second while it runs
	End       func(Outcome) // and after; also for a cell that its tag skips
}

// The tags of a cell that a run heeds, as other programs that execute notebooks do.
const (
	skipTag  = "skip-execution"   // the cell does not run, and keeps what it has
	raiseTag = "raises-exception" // the cell's code may fail, and the run goes on
)

// claimError is the name of the error with which a cell ends that made a false claim.
const claimError = "ClaimError"

// Cell says which code cell of a notebook.
type Cell struct {
	Index      int    // among all of the notebook's cells, from 0
	Number, Of int    // among its code cells, from 1
	Line       int    // of the file, where the cell's source begins; 0 where it is in no file
	Label      string // for people: the comment it begins with, the heading above it, or its first line
}

// String is for example "cell 3 (Gradient maps)".
func (c Cell) String() string {
	if c.Label == "" {
		return fmt.Sprintf("cell %d", c.Number)
	}
	return fmt.Sprintf("cell %d (%s)", c.Number, c.Label)
}

// Outcome is what became of a code cell.
type Outcome struct {
	Cell    Cell
	Ran     bool          // false: it was not reached, its tag skips it, or there is nothing to run
	Skipped bool          // by its tag
	Time    time.Duration // of the run
	Claims  []record.Claim
	Err     error // why it failed, if it did
	Allowed error // why it failed as its tag allows, if it did
}

// Failure says in one line why the cell failed, or which of its claims does not hold; "" is no failure.
func (o Outcome) Failure() string {
	if o.Err != nil {
		first, _, _ := strings.Cut(o.Err.Error(), "\n")
		return first
	}
	if i := slices.IndexFunc(o.Claims, isFalse); i >= 0 {
		return "a claim fails: " + o.Claims[i].String()
	}
	return ""
}

func isFalse(c record.Claim) bool { return !c.Holds() }

// Clear takes out of the notebook what an earlier run has put into it, except where a run does not get to.
func Clear(nb *notebook.Notebook) {
	for _, c := range nb.Cells {
		if c.Type == notebook.Code && !c.Tagged(skipTag) {
			c.Outputs, c.ExecutionCount = nil, nil
			delete(c.Metadata, "execution")
		}
	}
}

// Run executes the notebook's code cells in order in a kernel of their own, and puts their outputs, counts and times
// into nb. It stops at the first cell that fails, unless the cell's tag or the options say otherwise; a claim that does
// not hold stops nothing. The outcomes have one entry for each code cell. The error is for a kernel that does not
// start and for ctx's end; what cells did is in their outcomes.
func Run(ctx context.Context, nb *notebook.Notebook, o Options) ([]Outcome, error) {
	Clear(nb)
	if l := nb.Language(); l != "" && l != "go" {
		return Outcomes(nb), fmt.Errorf("the notebook's language is %s, must be go", l)
	}
	outcomes := Outcomes(nb)
	runs := func(c Outcome) bool {
		cell := nb.Cells[c.Cell.Index]
		return strings.TrimSpace(cell.Source) != "" && !cell.Tagged(skipTag)
	}
	var k *jupyter.Kernel
	if slices.ContainsFunc(outcomes, runs) {
		var err error
		if k, err = jupyter.Start(ctx, o.Kernel); err != nil {
			return outcomes, err
		}
		defer k.Stop()
	}
	shown, total := displays{}, 0
	for i := range outcomes {
		outcome := &outcomes[i]
		c := nb.Cells[outcome.Cell.Index]
		stop := false
		switch {
		case runs(*outcome):
			if o.Begin != nil {
				o.Begin(outcome.Cell)
			}
			stop = o.run(ctx, k, c, outcome, shown, &total)
		case c.Tagged(skipTag):
			outcome.Skipped = true
		default:
			continue
		}
		if o.End != nil {
			o.End(*outcome)
		}
		if ctx.Err() != nil {
			return outcomes, context.Cause(ctx)
		}
		if stop && (!o.KeepGoing || errors.Is(outcome.Err, jupyter.ErrDied)) {
			break
		}
	}
	return outcomes, nil
}

// run runs a cell and says whether those after it must not run. It adds to what the notebook's cells have put out.
func (o Options) run(ctx context.Context, k *jupyter.Kernel, c *notebook.Cell, outcome *Outcome, shown displays, total *int) bool {
	mayRaise := c.Tagged(raiseTag)
	out := &outputs{cell: c, displays: shown, before: *total}
	defer func() { *total += out.total }()
	begin := time.Now()
	reply, err := k.Execute(ctx, jupyter.Request{Code: c.Source, CellID: c.ID, MayErr: mayRaise, Limit: o.Limit,
		OnMessage: out.add, Tick: o.Tick})
	end := time.Now()
	c.ExecutionCount = reply.Count
	setTimes(c, begin, end)
	var raised *notebook.Output // the error of the cell's own code
	switch {
	case err != nil:
		out.fail(err)
	case reply.Status != "ok" || out.raised != nil: // Either would do.
		raised = out.keepError(reply)
	}
	list, unread := claims(c)
	outcome.Ran, outcome.Time, outcome.Claims, outcome.Err = true, end.Sub(begin), list, err
	falseClaim := raised != nil && raised.EName == claimError
	switch {
	case raised == nil:
	case mayRaise && !falseClaim:
		outcome.Allowed = reason(raised)
	case !falseClaim || !slices.ContainsFunc(list, isFalse): // Else the claim itself says it.
		outcome.Err = reason(raised)
	}
	if outcome.Err == nil {
		outcome.Err = unread
	}
	return outcome.Err != nil && !falseClaim
}

// reason is what an error says.
func reason(o *notebook.Output) error {
	return errors.New(cmp.Or(strings.TrimSpace(o.EValue), o.EName, "it failed"))
}

// setTimes records when the cell ran, under the names that Jupyter's front ends use.
func setTimes(c *notebook.Cell, begin, end time.Time) {
	stamp := func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }
	b, _ := json.Marshal(map[string]string{"iopub.execute_input": stamp(begin), "shell.execute_reply": stamp(end)})
	c.Metadata["execution"] = b
}

// Outcomes are the outcomes of the notebook's code cells before anything has run.
func Outcomes(nb *notebook.Notebook) []Outcome {
	var list []Outcome
	heading := ""
	for i, c := range nb.Cells {
		if h := c.Heading(); h != "" {
			heading = h
		}
		if c.Type == notebook.Code {
			list = append(list, Outcome{Cell: Cell{Index: i, Number: len(list) + 1, Line: c.Line, Label: label(heading, c)}})
		}
	}
	for i := range list {
		list[i].Cell.Of = len(list)
	}
	return list
}

// label is a short name for a cell: the comment it begins with, else the heading above it, else its first line.
func label(heading string, c *notebook.Cell) string {
	s, comment := c.First()
	if !comment {
		s = cmp.Or(heading, s)
	}
	s = strings.ReplaceAll(notebook.Plain(s), "\r", " ") // It is printed.
	if r := []rune(s); len(r) > 60 {
		s = string(r[:59]) + "…"
	}
	return s
}
