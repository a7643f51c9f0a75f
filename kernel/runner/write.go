package runner

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"lucigo/internal/atomicfile"
	"lucigo/kernel/headless"
	"lucigo/kernel/page"
	"lucigo/kernel/report"
)

// Check returns an error if a result of the jobs would take the place of a notebook, of another result, or of anything
// that no run has written. A job whose results cannot be written gets a problem. Check makes the directories, and
// removes what runs that were killed while they wrote have left.
func (r Runner) Check(jobs []Job) error {
	taken := map[place]string{} // what each file is already
	for _, j := range jobs {
		taken[placeOf(j.File)] = "the notebook " + j.File
	}
	if r.Out != "" {
		if err := os.MkdirAll(r.Out, 0o777); err != nil {
			return fmt.Errorf("%s cannot be written: %w", r.Out, err)
		}
	}
	for i := range jobs {
		for _, file := range r.files(jobs[i]) {
			problem := writable(file)
			if other, ok := taken[placeOf(file)]; ok {
				return fmt.Errorf("%s would be overwritten by %s: choose another place with --out", other, file)
			}
			taken[placeOf(file)] = file
			if len(head(file)) > 0 && !isResult(file) {
				return fmt.Errorf("%s is there, and is not the result of an earlier run: "+
					"remove it, or choose another place with --out", file)
			}
			if jobs[i].Problem == nil {
				jobs[i].Problem = problem
			}
		}
	}
	if r.JUnit == "" {
		return nil
	}
	if err := writable(r.JUnit); err != nil {
		return fmt.Errorf("the report %w", err)
	}
	if other, ok := taken[placeOf(r.JUnit)]; ok {
		return fmt.Errorf("%s would be overwritten by the report %s: choose another place with --junit", other, r.JUnit)
	}
	if head := head(r.JUnit); len(head) > 0 && !bytes.HasPrefix(head, []byte("<?xml")) {
		return fmt.Errorf("%s is there, and is no report (XML): choose another place with --junit", r.JUnit)
	}
	return nil
}

// writable returns an error if a result cannot be written.
func writable(file string) error {
	err := os.MkdirAll(filepath.Dir(file), 0o777)
	if err == nil {
		atomicfile.Sweep(file, time.Hour)
		err = atomicfile.Possible(file)
	}
	switch info, statErr := os.Stat(file); {
	case statErr == nil && info.IsDir():
		err = errors.New("there is a directory")
	case statErr == nil && !info.Mode().IsRegular():
		err = errors.New("there is a special file")
	}
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", file, err)
	}
	return nil
}

// isResult says whether a file is what a run has written, a page or an executed notebook: the page tells it.
func isResult(file string) bool {
	return page.Is(head(strings.TrimSuffix(file, filepath.Ext(file)) + ".html"))
}

// head is the beginning of a file; nil where it cannot be read.
func head(file string) []byte {
	if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() { // Opening a pipe would wait.
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	b := make([]byte, 1024)
	n, _ := io.ReadFull(f, b)
	return b[:n]
}

// place tells files apart, whatever links and mounts lead to them: it is the file's number, or where there is no file
// yet, that of its directory together with its name.
type place struct {
	device, number uint64
	name           string
}

func placeOf(path string) place {
	var s syscall.Stat_t
	if syscall.Stat(path, &s) == nil {
		return place{uint64(s.Dev), s.Ino, ""}
	}
	if syscall.Stat(filepath.Dir(path), &s) == nil {
		return place{uint64(s.Dev), s.Ino, filepath.Base(path)}
	}
	return place{name: filepath.Clean(path)}
}

// writer writes the results of a run.
type writer struct {
	Runner
	ctx    context.Context
	suites []report.Suite // of each job: what is known of it
	last   time.Time      // when something was written while a notebook ran
	took   time.Duration  // how long that took
}

// stopTime is how long pages are still rendered after the run was stopped.
const stopTime = 5 * time.Second

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

// end writes the result of a notebook. Where its own files cannot be written, it has failed, and the report says so; the
// error is the report's.
func (w *writer) end(i int, result *Result) error {
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
	if err := w.pages(result, "Executed", at, halt); err != nil {
		err = fmt.Errorf("its results cannot be written: %w", err)
		if result.Err != nil {
			err = fmt.Errorf("%w; %w", result.Err, err)
		}
		result.Err = err
	}
	w.suites[i] = suite(*result)
	return w.report()
}

// pages writes the notebook and its page, which says halt, if there is something to say, after a cell.
func (w *writer) pages(result *Result, verb string, at headless.Cell, halt string) error {
	if w.Out == "" || result.Problem != nil {
		return nil
	}
	info := page.Info{File: result.File, Broken: strings.Join(result.Failures(), "\n"),
		Note: fmt.Sprintf("%s on %s, %.2f s: %s.", verb, result.Begin.Format("2 January 2006"),
			result.Time.Seconds(), result.Tally())}
	if halt != "" {
		info.Cell, info.Halt = result.Notebook.Cells[at.Index].ID, halt
	}
	files := w.files(result.Job)
	render := func(f *os.File) error { return page.Render(w.ctx, f, result.Notebook, info) }
	err, other := atomicfile.Write(files[0], 0o644, render), result.Notebook.Write(files[1])
	if err = cmp.Or(err, other); err != nil {
		return err
	}
	result.Page = files[0]
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
