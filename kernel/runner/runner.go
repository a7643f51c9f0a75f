// Package runner runs notebooks: it finds and reads them, has each executed, and writes what became of it as soon as it
// has ended: the executed notebook, its page, and a report of all.
package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lucigo/internal/atomicfile"
	"lucigo/kernel/headless"
	"lucigo/kernel/jupyter"
	"lucigo/kernel/page"
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
	var ran, failed, claims, hold int
	for _, o := range r.Outcomes {
		if o.Ran {
			ran++
		}
		if o.Err != nil {
			failed++
		}
		claims += len(o.Claims)
		for _, c := range o.Claims {
			if c.Holds() {
				hold++
			}
		}
	}
	s := fmt.Sprintf("%d of %d cells ran", ran, len(r.Outcomes))
	if failed > 0 {
		s += fmt.Sprintf(", %d failed", failed)
	}
	if claims > 0 {
		s += fmt.Sprintf(", %d of %d claims hold", hold, claims)
	}
	return s
}

// Run runs the notebooks in their order and returns the results of those that have ended, or were stopped. What
// notebooks did is in their results; the error is for ctx's end, and for a file that cannot be written.
func (r Runner) Run(ctx context.Context, jobs []Job) (results []Result, err error) {
	for _, j := range jobs {
		if r.Out != "" && same(r.file(j, ".ipynb"), j.File) {
			return nil, fmt.Errorf("%s would be overwritten by its own result: choose another directory with --out", j.File)
		}
	}
	if err := r.report(jobs, nil); err != nil { // It takes the place of an earlier run's.
		return nil, err
	}
	for _, j := range jobs {
		if ctx.Err() != nil {
			return results, context.Cause(ctx)
		}
		r.Watch.Begin(j)
		result := r.run(ctx, j)
		writing := r.write(&result)
		results = append(results, result)
		if err := errors.Join(writing, r.report(jobs, results)); err != nil {
			return results, err
		}
		r.Watch.End(result)
	}
	if ctx.Err() != nil {
		return results, context.Cause(ctx)
	}
	return results, nil
}

func (r Runner) run(ctx context.Context, j Job) Result {
	result := Result{Job: j, Begin: time.Now(), Err: j.Problem}
	if result.Err == nil {
		result.Outcomes, result.Err = headless.Run(ctx, j.Notebook, headless.Options{Kernel: r.Kernel(filepath.Dir(j.File)),
			Limit: r.Limit, KeepGoing: r.KeepGoing, Begin: r.Watch.BeginCell, End: r.Watch.EndCell})
	}
	if slices.ContainsFunc(result.Outcomes, func(o headless.Outcome) bool { return result.Err != nil && errors.Is(o.Err, result.Err) }) {
		result.Err = nil // the interrupted cell tells it
	}
	result.Time = time.Since(result.Begin)
	return result
}

// file is where a result of the job is written.
func (r Runner) file(j Job, ext string) string { return filepath.Join(r.Out, j.Name) + ext }

// same says whether two paths name one existing file.
func same(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// write writes the executed notebook and its page.
func (r Runner) write(result *Result) error {
	if r.Out == "" || result.Notebook == nil {
		return nil
	}
	note := fmt.Sprintf("Executed on %s in %.2f s: %s.", result.Begin.Format("2 January 2006"), result.Time.Seconds(), result.Tally())
	html, err := page.Render(result.Notebook, page.Info{File: result.File, Note: note, Broken: strings.Join(result.Failures(), "\n")})
	if err != nil {
		return err
	}
	to := r.file(result.Job, ".html")
	if err := errors.Join(result.Notebook.Write(r.file(result.Job, ".ipynb")), atomicfile.WriteFile(to, html, 0o644)); err != nil {
		return err
	}
	result.Page = to
	return nil
}

// report writes the report of all jobs. The first of them have these results; no cell of the others was reached.
func (r Runner) report(jobs []Job, results []Result) error {
	if r.JUnit == "" {
		return nil
	}
	var suites []report.Suite
	for i, j := range jobs {
		result := Result{Job: j}
		if i < len(results) {
			result = results[i]
		} else if j.Notebook != nil {
			result.Outcomes = headless.Outcomes(j.Notebook)
		}
		suites = append(suites, suite(result))
	}
	var b bytes.Buffer
	return errors.Join(report.WriteJUnit(&b, suites), os.MkdirAll(filepath.Dir(r.JUnit), 0o777), atomicfile.WriteFile(r.JUnit, b.Bytes(), 0o644))
}

// suite reports a notebook: a case for itself where it could not run, and one for each cell and claim.
func suite(r Result) report.Suite {
	s := report.Suite{Name: r.File}
	if r.Err != nil {
		s.Cases = append(s.Cases, report.Case{Name: "the notebook", Failure: &report.Failure{Message: r.Err.Error()}})
	}
	for _, o := range r.Outcomes {
		c := report.Case{Name: o.Cell.String(), Line: o.Cell.Line, Time: report.Seconds(o.Time)}
		if !o.Ran {
			c.Skipped = &struct{}{}
		} else if o.Err != nil {
			c.Failure = &report.Failure{Message: o.Err.Error(), Detail: r.Notebook.Cells[o.Cell.Index].Printed()}
		}
		s.Cases = append(s.Cases, c)
		for _, claim := range o.Claims {
			c := report.Case{Name: "claim: " + claim.Name(), Line: o.Cell.Line}
			if !claim.Holds() {
				c.Failure = &report.Failure{Message: claim.String()}
			}
			s.Cases = append(s.Cases, c)
		}
	}
	return s
}
