// Package headless executes a notebook from its first cell to its last, and keeps what the cells put out.
package headless

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	End       func(Outcome) // and after
}

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
	Cell   Cell
	Ran    bool          // false: it was not reached, or there is nothing to run
	Time   time.Duration // of the run
	Claims []record.Claim
	Err    error // why it failed, if it did
}

// Failure says in one line why the cell failed, or which of its claims does not hold; "" is no failure.
func (o Outcome) Failure() string {
	if o.Err != nil {
		first, _, _ := strings.Cut(o.Err.Error(), "\n")
		return first
	}
	for _, c := range o.Claims {
		if !c.Holds() {
			return "a claim fails: " + c.String()
		}
	}
	return ""
}

// Run executes the notebook's code cells in order in a kernel of their own, and puts their outputs, counts and times
// into nb. It stops at the first cell that fails, unless told otherwise; a claim that does not hold stops nothing. The
// outcomes have one entry for each code cell. The error is for a kernel that does not start and for ctx's end; what
// cells did is in their outcomes.
func Run(ctx context.Context, nb *notebook.Notebook, o Options) ([]Outcome, error) {
	if l := nb.Language(); l != "" && l != "go" {
		return nil, fmt.Errorf("the notebook's language is %s, must be go", l)
	}
	outcomes := Outcomes(nb)
	for _, o := range outcomes {
		c := nb.Cells[o.Cell.Index]
		c.Outputs, c.ExecutionCount = nil, nil
		delete(c.Metadata, "execution")
	}
	k, err := jupyter.Start(ctx, o.Kernel)
	if err != nil {
		return outcomes, err
	}
	defer k.Stop()
	shown := displays{}
	for i := range outcomes {
		cell := outcomes[i].Cell
		if strings.TrimSpace(nb.Cells[cell.Index].Source) == "" {
			continue
		}
		if o.Begin != nil {
			o.Begin(cell)
		}
		outcomes[i] = runCell(ctx, k, nb.Cells[cell.Index], cell, o.Limit, shown)
		if o.End != nil {
			o.End(outcomes[i])
		}
		if ctx.Err() != nil {
			return outcomes, context.Cause(ctx)
		}
		if err := outcomes[i].Err; err != nil && (!o.KeepGoing || errors.Is(err, jupyter.ErrDied)) {
			break
		}
	}
	return outcomes, nil
}

func runCell(ctx context.Context, k *jupyter.Kernel, c *notebook.Cell, name Cell, limit time.Duration, shown displays) Outcome {
	begin := time.Now()
	out := &outputs{cell: c, displays: shown}
	reply, err := k.Execute(ctx, jupyter.Request{Code: c.Source, Limit: limit, OnMessage: out.add})
	end := time.Now()
	c.ExecutionCount = reply.Count
	setTimes(c, begin, end)
	forgetPaths(c)
	if err != nil {
		out.fail(err)
	} else if reply.Status != "ok" {
		err = reason(c)
	}
	list, unread := claims(c)
	if err == nil {
		err = unread
	}
	return Outcome{Cell: name, Ran: true, Time: end.Sub(begin), Claims: list, Err: err}
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
	if r := []rune(s); len(r) > 60 {
		s = string(r[:59]) + "…"
	}
	return s
}
