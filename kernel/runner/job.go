package runner

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"lucigo/kernel/headless"
	"lucigo/kernel/notebook"
)

// Job is one notebook to run.
type Job struct {
	File     string             // as the user would write it
	Name     string             // of its results below the directory of results, without .ipynb
	Notebook *notebook.Notebook // nil where it cannot be read
	Problem  error              // why it does not run: it cannot be read, or its results cannot be written
}

// Find finds the notebooks that the paths name, those of a directory in the order of their names, and reads them. One
// that cannot be read is a job with a problem. In a directory it passes by the results of earlier runs, and what is
// hidden: a name that begins with a dot.
func Find(paths ...string) ([]Job, error) {
	var jobs []Job
	for _, path := range paths {
		path = filepath.Clean(path)
		found := len(jobs)
		root, err := filepath.EvalSymlinks(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no notebook or directory %s", path)
		} else if err != nil {
			return nil, err
		}
		err = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case file == root && d.IsDir():
				return nil
			case file == root:
				jobs = append(jobs, Job{File: path, Name: strings.TrimSuffix(filepath.Base(path), ".ipynb")})
				return nil
			case d.IsDir() && hidden(d):
				return filepath.SkipDir
			case d.IsDir() || hidden(d) || filepath.Ext(file) != ".ipynb" || isResult(file):
				return nil
			}
			name, err := filepath.Rel(root, file)
			jobs = append(jobs, Job{File: filepath.Join(path, name), Name: strings.TrimSuffix(name, ".ipynb")})
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(jobs) == found {
			return nil, fmt.Errorf("no notebook (*.ipynb) in %s that is neither hidden nor the result of a run", path)
		}
	}
	byName := map[string]string{}
	var once []Job
	for _, j := range jobs {
		if other, ok := byName[j.Name]; ok {
			if placeOf(other) == placeOf(j.File) { // It was named twice.
				continue
			}
			return nil, fmt.Errorf("%s and %s would both be written to %s: run them one by one, "+
				"with different directories for the results", other, j.File, j.Name)
		}
		byName[j.Name] = j.File
		if j.Notebook, j.Problem = notebook.Read(j.File); j.Problem == nil {
			headless.Clear(j.Notebook) // What was in many notebooks need not stay in memory.
		}
		once = append(once, j)
	}
	return once, nil
}

func hidden(d fs.DirEntry) bool { return strings.HasPrefix(d.Name(), ".") }

// SetParameters gives the notebooks values of their parameters: to each those that it has, if there are several. A
// name that no notebook has is an error, as is a value that is not of the parameter's type.
func SetParameters(jobs []Job, values map[string]string) error {
	if len(values) == 0 {
		return nil
	}
	unused := maps.Clone(values)
	var have []string // which parameters, a text for each notebook
	for _, j := range jobs {
		if j.Notebook == nil {
			continue
		}
		list, err := j.Notebook.Parameters()
		if err == nil {
			err = j.Notebook.Inject(values)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", j.File, err)
		}
		has := j.File + " has"
		for _, p := range list {
			delete(unused, p.Name)
			has += fmt.Sprint(" ", p, ",")
		}
		if len(list) == 0 {
			has += " none: none of its code cells is tagged parameters"
		}
		have = append(have, strings.TrimSuffix(has, ","))
	}
	if len(unused) == 0 || have == nil {
		return nil
	}
	var quoted []string
	for _, name := range slices.Sorted(maps.Keys(unused)) {
		quoted = append(quoted, strconv.QuoteToASCII(name)) // What looks like another may be written otherwise.
	}
	return fmt.Errorf("no notebook has the parameter %s: %s", strings.Join(quoted, ", "), strings.Join(have, "; "))
}
