package runner

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"lucigo/internal/atomicfile"
	"lucigo/kernel/headless"
	"lucigo/kernel/page"
	"lucigo/kernel/report"
)

// Check returns an error if a result of the jobs could not be written, or would take another's place. It makes the
// directories, and removes what runs that were killed while they wrote have left.
func (r Runner) Check(jobs []Job) error {
	taken := map[string]string{} // what each file is already
	for _, j := range jobs {
		taken[real(j.File)] = "the notebook " + j.File
	}
	take := func(path, as string) error {
		if other, ok := taken[real(path)]; ok {
			return fmt.Errorf("%s would be overwritten by %s: choose another place with --out or --junit", other, as)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return fmt.Errorf("%s cannot be written: %w", as, err)
		}
		switch info, err := os.Stat(path); {
		case err == nil && info.IsDir():
			return fmt.Errorf("%s cannot be written: there is a directory", as)
		case err == nil && !info.Mode().IsRegular():
			return fmt.Errorf("%s cannot be written: there is a special file", as)
		}
		atomicfile.Sweep(path, time.Hour)
		if err := atomicfile.Possible(path); err != nil {
			return fmt.Errorf("%s cannot be written: %w", as, err)
		}
		taken[real(path)] = as
		return nil
	}
	for _, j := range jobs {
		for _, ext := range []string{".ipynb", ".html"} {
			if r.Out == "" {
				continue
			}
			if err := take(r.file(j, ext), r.file(j, ext)); err != nil {
				return err
			}
		}
	}
	if r.JUnit == "" {
		return nil
	}
	return take(r.JUnit, "the report "+r.JUnit)
}

// real is a path by which a file is known, whatever links lead to it.
func real(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil { // The file does not exist yet.
		return filepath.Join(dir, filepath.Base(path))
	}
	return path
}

// writer writes the results of a run.
type writer struct {
	Runner
	suites []report.Suite // of each job: what is known of it
	last   time.Time      // when something was written while a notebook ran
	took   time.Duration  // how long that took
}

// A notebook that runs is written about once a second, and less often where that would take more than a twentieth of
// the time. One that takes long to write is written only between its cells: what a cell publishes must not wait.
const (
	pace  = time.Second
	share = 20
	long  = time.Second
)

// soFar writes what is known of a notebook that runs, if it is time. Whoever kills the run finds it.
func (w *writer) soFar(i int, result Result, at headless.Cell, publishes bool) {
	if time.Since(w.last) < max(pace, share*w.took) || publishes && w.took > long {
		return
	}
	begin := time.Now()
	halt := fmt.Sprintf("When this page was written, %v of %d was running. "+
		"If nothing runs any more, the run was stopped here.", at, at.Of)
	w.suites[i] = suite(result)
	// An error will come again when the notebook ends.
	_ = errors.Join(w.pages(&result, "Begun", at, halt), w.report())
	w.last = time.Now()
	w.took = w.last.Sub(begin)
}

// end writes the result of a notebook.
func (w *writer) end(i int, result *Result) error {
	w.suites[i] = suite(*result)
	w.last, w.took = time.Time{}, 0 // The next is written as it begins: an earlier run's page must not be taken for its.
	var at headless.Cell
	halt, reached := "", true
	for _, o := range result.Outcomes {
		if o.Ran {
			at, reached = o.Cell, true
		} else if !o.Skipped && strings.TrimSpace(result.Notebook.Cells[o.Cell.Index].Source) != "" {
			reached = false
		}
	}
	if !reached && at.Number > 0 {
		halt = "The run stopped here. The cells below were not run."
	}
	return errors.Join(w.pages(result, "Executed", at, halt), w.report())
}

// pages writes the notebook and its page, which says halt, if there is something to say, after a cell.
func (w *writer) pages(result *Result, verb string, at headless.Cell, halt string) error {
	if w.Out == "" || result.Notebook == nil {
		return nil
	}
	info := page.Info{File: result.File, Broken: strings.Join(result.Failures(), "\n"),
		Note: fmt.Sprintf("%s on %s, %.2f s: %s.", verb, result.Begin.Format("2 January 2006"),
			result.Time.Seconds(), result.Tally())}
	if halt != "" {
		info.Cell, info.Halt = result.Notebook.Cells[at.Index].ID, halt
	}
	html, err := page.Render(result.Notebook, info)
	if err != nil {
		return err
	}
	to := w.file(result.Job, ".html")
	executed := w.file(result.Job, ".ipynb")
	if err := errors.Join(result.Notebook.Write(executed), atomicfile.WriteFile(to, html, 0o644)); err != nil {
		return err
	}
	result.Page = to
	return nil
}

// report writes the report of all jobs.
func (w *writer) report() error {
	if w.JUnit == "" {
		return nil
	}
	var b bytes.Buffer
	return errors.Join(report.WriteJUnit(&b, w.suites), atomicfile.WriteFile(w.JUnit, b.Bytes(), 0o644))
}
