// Package runner runs notebooks: it finds and reads them, has each executed, and writes what becomes of it while it
// runs: the executed notebook, its page, and a report of all.
package runner

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"lucigo/kernel/headless"
	"lucigo/kernel/jupyter"
	"lucigo/kernel/notebook"
	"lucigo/kernel/report"
)

// Runner says how notebooks are run. Kernel and Watch are needed.
type Runner struct {
	Kernel    func(dir string) jupyter.Command // starts a kernel in a directory: each notebook's own
	Limit     time.Duration                    // for each cell; 0: none
	KeepGoing bool                             // run the cells after one that fails
	Out       string                           // directory of executed notebooks and pages; "": none are written
	JUnit     string                           // file of the report; "": none is written
	Watch     Watcher                          // is told how it goes
}

// Watcher is told, one call at a time, what a Runner does.
type Watcher interface {
	Begin(Job)
	BeginCell(headless.Cell)
	EndCell(headless.Outcome)
	End(Result)
}

// Result is what became of a notebook.
type Result struct {
	Job
	Begin    time.Time
	Time     time.Duration
	Outcomes []headless.Outcome // of each code cell
	Page     string             // file of the page; "" where there is none
	Err      error              // why it could not be run, or not to its end, unless an outcome says it
}

// Failures says in one line each what failed.
func (r Result) Failures() (list []string) {
	if r.Err != nil {
		list = append(list, r.Err.Error())
	}
	for _, o := range r.Outcomes {
		if why := o.Failure(); why != "" {
			list = append(list, fmt.Sprintf("%v: %s", o.Cell, why))
		}
	}
	return list
}

// Tally counts the cells that ran and the claims that hold.
func (r Result) Tally() string {
	var ran, failed, allowed, skipped, claims, hold int
	for _, o := range r.Outcomes {
		counts := map[*int]bool{&ran: o.Ran, &failed: o.Err != nil, &allowed: o.Allowed != nil, &skipped: o.Skipped}
		for count, is := range counts {
			if is {
				*count++
			}
		}
		claims += len(o.Claims)
		for _, c := range o.Claims {
			if c.Holds() {
				hold++
			}
		}
	}
	if len(r.Outcomes) == 0 {
		return "there are no code cells"
	}
	s := fmt.Sprintf("%d of %d cells ran", ran, len(r.Outcomes))
	if skipped > 0 {
		s += fmt.Sprintf(", %d skipped", skipped)
	}
	if failed > 0 {
		s += fmt.Sprintf(", %d failed", failed)
	}
	if allowed > 0 {
		s += fmt.Sprintf(", %d failed as allowed", allowed)
	}
	if claims > 0 {
		s += fmt.Sprintf(", %d of %d claims hold", hold, claims)
	}
	return s
}

// Run runs the notebooks in their order and returns the results of those that have ended, or were stopped. What
// notebooks did is in their results, as is that their files cannot be written; the error is for what Check finds, for
// ctx's end, and for a report that in the end is not written. The outputs of a notebook that has ended are in its files,
// and no longer in memory.
func (r Runner) Run(ctx context.Context, jobs []Job) (results []Result, err error) {
	if err := r.Check(jobs); err != nil {
		return nil, err
	}
	late, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopTime, func() { stop(context.Cause(ctx)) }) })()
	w := writer{Runner: r, ctx: late}
	for _, j := range jobs {
		result := Result{Job: j}
		if j.Notebook != nil {
			result.Outcomes = headless.Outcomes(j.Notebook)
		}
		w.suites = append(w.suites, suite(result))
	}
	if err := w.report(); err != nil { // It takes the place of an earlier run's.
		return nil, err
	}
	var unwritten error // why the report is not
	for i, j := range jobs {
		if ctx.Err() != nil {
			return results, context.Cause(ctx)
		}
		r.Watch.Begin(j)
		result := r.run(ctx, j, func(so Result, at headless.Cell, publishes bool) { w.soFar(i, so, at, publishes) })
		unwritten = w.end(i, &result)
		r.Watch.End(result)
		if j.Notebook != nil {
			for _, c := range j.Notebook.Cells {
				c.Outputs = nil
			}
		}
		results = append(results, result)
	}
	if ctx.Err() != nil {
		return results, context.Cause(ctx)
	}
	return results, unwritten
}

// run runs a notebook. While it runs, soFar gets what is known, the cell that runs, or that ended last, and whether it
// may publish at this time.
func (r Runner) run(ctx context.Context, j Job, soFar func(so Result, at headless.Cell, publishes bool)) Result {
	result := Result{Job: j, Begin: time.Now(), Err: j.Problem}
	if result.Err != nil {
		return result
	}
	so, at := result, headless.Cell{}
	so.Outcomes = headless.Outcomes(j.Notebook)
	known := func(publishes bool) {
		so.Time = time.Since(so.Begin)
		soFar(so, at, publishes)
	}
	result.Outcomes, result.Err = headless.Run(ctx, j.Notebook, headless.Options{
		Kernel: r.Kernel(filepath.Dir(j.File)), Limit: r.Limit, KeepGoing: r.KeepGoing,
		Begin: func(c headless.Cell) {
			r.Watch.BeginCell(c)
			at = c
			known(false)
		},
		Tick: func() { known(true) },
		End: func(o headless.Outcome) {
			so.Outcomes[o.Cell.Number-1] = o
			known(false)
			r.Watch.EndCell(o)
		}})
	result.Time = time.Since(result.Begin)
	made, failed, told := 0, false, false
	for _, o := range result.Outcomes {
		made += len(o.Claims)
		failed = failed || o.Err != nil
		told = told || result.Err != nil && errors.Is(o.Err, result.Err)
	}
	switch {
	case told: // By the cell that was interrupted.
		result.Err = nil
	case !failed && result.Err == nil: // It has run to its end.
		if want := j.Notebook.Claims(); made < want {
			result.Err = fmt.Errorf("it makes %d claims, and its metadata says that it makes %d (lucigo.claims)",
				made, want)
		}
	}
	return result
}

// files are the results of a job, in the order in which they are written: its page, by which an executed notebook is
// known, and the executed notebook.
func (r Runner) files(j Job) []string {
	if r.Out == "" {
		return nil
	}
	return []string{filepath.Join(r.Out, j.Name+".html"), filepath.Join(r.Out, j.Name+".ipynb")}
}

// suite reports a notebook: a case for itself where it could not run, and one for each cell and claim.
func suite(r Result) report.Suite {
	s := report.Suite{Name: r.File}
	if r.Err != nil {
		s.Cases = append(s.Cases, report.Case{Name: "the notebook", Failure: report.NewFailure(r.Err.Error(), "")})
	}
	for _, o := range r.Outcomes {
		c := report.Case{Name: o.Cell.String(), Line: o.Cell.Line, Time: report.Seconds(o.Time)}
		switch {
		case o.Skipped:
			c.Skipped = &report.Skipped{Message: "tagged skip-execution"}
		case !o.Ran:
			c.Skipped = &report.Skipped{Message: "not run"}
		case o.Err != nil:
			c.Failure = report.NewFailure(o.Err.Error(), r.Notebook.Cells[o.Cell.Index].Printed())
		case o.Allowed != nil:
			c.Note = "It failed, as its tag raises-exception allows: " + notebook.Plain(o.Allowed.Error())
		}
		s.Cases = append(s.Cases, c)
		for _, claim := range o.Claims {
			c := report.Case{Name: "claim: " + claim.Name(), Line: o.Cell.Line}
			if !claim.Holds() {
				c.Failure = report.NewFailure(claim.String(), "")
			}
			s.Cases = append(s.Cases, c)
		}
	}
	return s
}
