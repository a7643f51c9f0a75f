package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lucigo/internal/atomicfile"
	"lucigo/kernel/headless"
	"lucigo/kernel/notebook"
	"lucigo/kernel/page"
	"lucigo/kernel/report"
)

type runCommand struct {
	Paths      []string          `arg:"" help:"Notebooks, or directories of notebooks."`
	Parameters map[string]string `short:"p" name:"param" mapsep:"none" placeholder:"NAME=VALUE" help:"Give a parameter (declared in the cell tagged 'parameters') another value. Repeatable."`
	Out        string            `default:"out" type:"path" placeholder:"DIR" help:"Where the executed notebooks and their pages go (default: ${default})."`
	Timeout    time.Duration     `default:"10m" placeholder:"TIME" help:"Time limit of a cell (default: ${default}); 0 is none."`
	KeepGoing  bool              `help:"Run the cells after a failing one too."`
	JUnit      string            `name:"junit" type:"path" placeholder:"FILE" help:"Write a report in JUnit's XML: a test case for each cell and each claim."`
}

// job is one notebook to run.
type job struct {
	file string // absolute
	name string // of its outputs, below the output directory, without .ipynb
}

func (r *runCommand) Run(ctx context.Context) error {
	jobs, err := findJobs(r.Paths)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if out := filepath.Join(r.Out, j.name) + ".ipynb"; out == j.file {
			return fmt.Errorf("%s would be overwritten by its own result: choose another directory with --out", display(out))
		}
	}
	nbs, problems, err := r.read(jobs)
	if err != nil {
		return err
	}
	var s setup
	if slices.ContainsFunc(nbs, func(nb *notebook.Notebook) bool { return nb != nil }) {
		if s, err = prepare(ctx, os.Stderr); err != nil {
			return err
		}
	}
	var suites []report.Suite
	var pages, failed []string
	for i, j := range jobs {
		if ctx.Err() != nil {
			break
		}
		p := progress{w: os.Stdout, terminal: isTerminal(os.Stdout)}
		p.notebook(display(j.file))
		var outcomes []headless.Outcome
		begin := time.Now()
		problem := problems[i]
		if problem == nil {
			outcomes, problem = headless.Run(ctx, nbs[i], headless.Options{
				Kernel: s.command(filepath.Dir(j.file)), Limit: r.Timeout, KeepGoing: r.KeepGoing, Begin: p.begin, End: p.end})
			if problem != nil && slices.ContainsFunc(outcomes, func(o headless.Outcome) bool { return errors.Is(o.Err, problem) }) {
				problem = nil // the interrupted cell tells it
			}
			html, err := r.write(j, nbs[i], outcomes, problem, begin)
			if err != nil {
				return err
			}
			pages = append(pages, html)
		}
		p.summary(outcomes, time.Since(begin), problem)
		suite := suiteOf(display(j.file), nbs[i], outcomes, problem)
		suites = append(suites, suite)
		if slices.ContainsFunc(suite.Cases, func(c report.Case) bool { return c.Failure != "" }) {
			failed = append(failed, display(j.file))
		}
	}
	for _, file := range pages {
		fmt.Printf("page: %s\n", display(file))
	}
	if r.JUnit != "" {
		var b bytes.Buffer
		if err := errors.Join(report.WriteJUnit(&b, suites), os.MkdirAll(filepath.Dir(r.JUnit), 0o777), atomicfile.WriteFile(r.JUnit, b.Bytes(), 0o644)); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d notebooks failed: %s", len(failed), len(jobs), strings.Join(failed, ", "))
	}
	return nil
}

// findJobs lists the notebooks that the paths name, those of a directory in the order of their names.
func findJobs(paths []string) ([]job, error) {
	var jobs []job
	for _, path := range paths {
		path, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		found := len(jobs)
		err = filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return fmt.Errorf("there is no notebook or directory %s", display(file))
			case err != nil:
				return err
			case d.IsDir() && file != path && strings.HasPrefix(d.Name(), "."): // Such as .ipynb_checkpoints.
				return filepath.SkipDir
			case d.IsDir() || file != path && filepath.Ext(file) != ".ipynb":
				return nil
			}
			name := filepath.Base(file)
			if file != path {
				if name, err = filepath.Rel(path, file); err != nil {
					return err
				}
			}
			jobs = append(jobs, job{file, strings.TrimSuffix(name, ".ipynb")})
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(jobs) == found {
			return nil, fmt.Errorf("no notebook (*.ipynb) in %s", display(path))
		}
	}
	byName := map[string]string{}
	for _, j := range jobs {
		if other, ok := byName[j.name]; ok {
			return nil, fmt.Errorf("%s and %s would both be written to %s: run them with different --out", display(other), display(j.file), j.name)
		}
		byName[j.name] = j.file
	}
	return jobs, nil
}

// read reads all notebooks before anything runs, and gives them their parameters: a mistake in a name costs no time.
// Each parameter must be one of at least one notebook. A notebook that cannot be read is nil, with its problem.
func (r *runCommand) read(jobs []job) (nbs []*notebook.Notebook, problems []error, err error) {
	unused := maps.Clone(r.Parameters)
	nbs, problems = make([]*notebook.Notebook, len(jobs)), make([]error, len(jobs))
	var last error
	for i, j := range jobs {
		nb, err := notebook.Read(j.file)
		if err != nil {
			problems[i] = err
			continue
		}
		values := r.Parameters
		if len(jobs) > 1 && len(values) > 0 { // To each notebook what it knows.
			list, err := nb.Parameters()
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", display(j.file), err)
			}
			values = map[string]string{}
			for _, p := range list {
				if v, ok := r.Parameters[p.Name]; ok {
					values[p.Name] = v
				}
			}
			last = nb.Inject(r.Parameters)
		}
		if err := nb.Inject(values); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", display(j.file), err)
		}
		for name := range values {
			delete(unused, name)
		}
		nbs[i] = nb
	}
	if len(unused) > 0 && last != nil {
		return nil, nil, fmt.Errorf("no notebook has the parameter %s; %w", strings.Join(slices.Sorted(maps.Keys(unused)), ", "), last)
	}
	return nbs, problems, nil
}

// write writes the executed notebook and its page, and returns the page's file.
func (r *runCommand) write(j job, nb *notebook.Notebook, outcomes []headless.Outcome, problem error, begin time.Time) (string, error) {
	base := filepath.Join(r.Out, j.name)
	if err := os.MkdirAll(filepath.Dir(base), 0o777); err != nil {
		return "", err
	}
	info := page.Info{File: j.file, Note: fmt.Sprintf("Executed on %s in %s: %s.", begin.Format("2 January 2006"), seconds(time.Since(begin)), tally(outcomes))}
	if problem != nil {
		info.Broken = problem.Error()
	}
	for _, o := range outcomes {
		if o.Failed() {
			info.Broken = strings.TrimSpace(info.Broken + "\n" + failure(o))
		}
	}
	html, err := page.Render(nb, info)
	if err != nil {
		return "", err
	}
	return base + ".html", errors.Join(nb.Write(base+".ipynb"), atomicfile.WriteFile(base+".html", html, 0o644))
}

// failure says in one line what failed in a cell.
func failure(o headless.Outcome) string {
	if o.Err != nil {
		first, _, _ := strings.Cut(o.Err.Error(), "\n")
		return fmt.Sprintf("%v: %s", o.Cell, first)
	}
	for _, c := range o.Claims {
		if !c.Holds {
			return fmt.Sprintf("%v: a claim fails: %v", o.Cell, c)
		}
	}
	return ""
}

// suiteOf reports a notebook: a case for itself where it could not run, and one for each cell and claim.
func suiteOf(name string, nb *notebook.Notebook, outcomes []headless.Outcome, problem error) report.Suite {
	s := report.Suite{Name: name}
	if problem != nil {
		s.Cases = append(s.Cases, report.Case{Name: "the notebook", Failure: problem.Error()})
	}
	for _, o := range outcomes {
		c := report.Case{Name: o.Cell.String(), Time: o.Time, Skipped: !o.Ran}
		if o.Err != nil {
			c.Failure, c.Detail = o.Err.Error(), headless.CodeCells(nb)[o.Cell.Number-1].Printed()
		}
		s.Cases = append(s.Cases, c)
		for _, claim := range o.Claims {
			c := report.Case{Name: "claim: " + claim.Sentence}
			if !claim.Holds {
				c.Failure = claim.String()
			}
			s.Cases = append(s.Cases, c)
		}
	}
	return s
}
