package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"lucigo/kernel/notebook"
	"lucigo/kernel/report"
)

// files are those below dir, with their contents.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	if err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(file)
		name, _ := filepath.Rel(dir, file)
		all[name] = string(b)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// runAll runs what the paths name with results in out, and says in short what became of each.
func runAll(t *testing.T, out string, paths ...string) (string, error) {
	t.Helper()
	jobs, err := Find(paths...)
	if err != nil {
		return "", err
	}
	results, err := Runner{Out: out, Kernel: script, Watch: ended{func(Result) {}}}.Run(t.Context(), jobs)
	var list []string
	for _, r := range results {
		list = append(list, r.File+fmt.Sprint(r.Failures()))
	}
	return strings.Join(list, " "), err
}

// TestLawSourcesStay: whatever notebooks are called, wherever results go and whatever links lead there, a run changes
// nothing that was there, except results of earlier runs; and it writes nothing outside its directory.
func TestLawSourcesStay(t *testing.T) {
	for _, c := range []struct{ out, paths, want string }{
		{"out", "nb", "nb/a.ipynb[] nb/deep/b.ipynb[]"}, // What is hidden is run by its name alone.
		{"out", "nb/..ipynb nb/...ipynb nb/.ipynb", "nb/..ipynb[] nb/...ipynb[] nb/.ipynb[]"},
		{"nb/out", "nb", "nb/a.ipynb[] nb/deep/b.ipynb[]"},
		{"nb/out", "link", "link/a.ipynb[] link/deep/b.ipynb[]"},
		{"link/out", "nb", "nb/a.ipynb[] nb/deep/b.ipynb[]"},
		{"out", "link/deep", "link/deep/b.ipynb[]"},
		{"out", "tob.ipynb", "tob.ipynb[]"},
		{"nb", "nb", "error"},
		{"link", "nb", "error"},
		{"nb", "link", "error"},
		{"nb/deep/..", "link", "error"},
		{"nb/deep", "hard", "error"}, // a second name of b.ipynb
		{"nb", "copy", "error"},      // another a.ipynb
		{".", "tob.ipynb", "error"},  // a link takes part in no run
		{"nb/deep", "nb/deep/b.ipynb", "error"},
	} {
		dir := t.TempDir()
		t.Chdir(dir)
		for _, name := range []string{"nb/a", "nb/.", "nb/..", "nb/", "nb/deep/b", "copy/a"} {
			writeNotebook(t, name+".ipynb", notebook.NewCode("print "+name))
		}
		if err := errors.Join(os.Symlink("nb", "link"), os.Symlink("nb/deep/b.ipynb", "tob.ipynb"),
			os.Mkdir("hard", 0o777), os.Link("nb/deep/b.ipynb", "hard/b.ipynb")); err != nil {
			t.Fatal(err)
		}
		before := files(t, dir)
		for range 2 { // The second time there are results.
			got, err := runAll(t, c.out, strings.Fields(c.paths)...)
			if c.want == "error" != (err != nil) || err == nil && got != c.want {
				t.Errorf("%s to %s: %s, %v, want %s", c.paths, c.out, got, err, c.want)
			}
			after := files(t, dir)
			for name, content := range after {
				if old, ok := before[name]; ok && old != content {
					t.Errorf("%s to %s: %s is changed", c.paths, c.out, name)
				}
				out, _ := filepath.EvalSymlinks(c.out)
				if _, ok := before[name]; !ok && !strings.HasPrefix(name, out+"/") {
					t.Errorf("%s to %s: %s is written", c.paths, c.out, name)
				}
			}
			for name := range before {
				if _, ok := after[name]; !ok {
					t.Errorf("%s to %s: %s is gone", c.paths, c.out, name)
				}
			}
			if info, err := os.Lstat("tob.ipynb"); err != nil || info.Mode()&fs.ModeSymlink == 0 {
				t.Errorf("%s to %s: the link is gone", c.paths, c.out)
			}
		}
	}
}

// TestResultsAreNotRun: those of earlier runs, wherever they were written, are no notebooks of a directory; an empty
// notebook is one, which fails.
func TestResultsAreNotRun(t *testing.T) {
	t.Chdir(t.TempDir())
	writeNotebook(t, "a.ipynb", notebook.NewCode("print x"))
	if err := os.WriteFile("empty.ipynb", nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{"one", "two/deep", "three"} {
		got, err := runAll(t, out, ".")
		if err != nil || !strings.HasPrefix(got, "a.ipynb[] empty.ipynb[") || strings.Count(got, "ipynb") != 3 { // its own error names it again
			t.Errorf("to %s: %s, %v", out, got, err)
		}
	}
}

// TestPipesAreLookedAt: opening a named pipe waits until another program opens it, so nothing opens one: neither a
// notebook, nor a page of an earlier run, nor a picture of the prose.
func TestPipesAreLookedAt(t *testing.T) {
	t.Chdir(t.TempDir())
	writeNotebook(t, "nb/a.ipynb", &notebook.Cell{Type: notebook.Markdown, Source: "![p](pipe.png) ![d](zero)"}, notebook.NewCode("print x"))
	if err := errors.Join(syscall.Mkfifo("nb/pipe.png", 0o666), syscall.Mkfifo("nb/b.ipynb", 0o666), syscall.Mkfifo("nb/c.html", 0o666),
		os.Symlink("/dev/zero", "nb/zero"), os.Symlink("/dev/tty", "nb/d.ipynb")); err != nil {
		t.Fatal(err)
	}
	writeNotebook(t, "nb/c.ipynb", notebook.NewCode("print x"))
	got, err := runAll(t, "out", "nb")
	if want := "nb/a.ipynb[] nb/b.ipynb[nb/b.ipynb: not a file] nb/c.ipynb[] nb/d.ipynb[nb/d.ipynb: not a file]"; err != nil || got != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	page, err := os.ReadFile("out/a.html")
	if err != nil || !strings.Contains(string(page), "p (pipe.png) d (zero)") {
		t.Errorf("%v: the page is\n%s", err, page)
	}
}

// begins calls a function when a notebook begins.
type begins struct {
	ended
	f func(Job)
}

func (b begins) Begin(j Job) { b.f(j) }

// TestOneThatCannotBeWrittenFails: a notebook whose results cannot be written has failed, before it ran or after; the
// others run, and the report tells it.
func TestOneThatCannotBeWrittenFails(t *testing.T) {
	t.Chdir(t.TempDir())
	names := []string{"a", "b", "c", "deep/d", "e"}
	for _, name := range names {
		writeNotebook(t, "nb/"+name+".ipynb", notebook.NewCode("print x"))
	}
	if err := errors.Join(os.MkdirAll("out/a.html", 0o777), syscall.Mkfifo("out/c.ipynb", 0o666),
		os.WriteFile("out/deep", nil, 0o666)); err != nil {
		t.Fatal(err)
	}
	jobs, err := Find("nb")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	watch := begins{ended{func(r Result) { ran += len(r.Outcomes) }}, func(j Job) {
		if j.Name == "b" { // After the check.
			if err := os.Mkdir("out/b.ipynb", 0o777); err != nil {
				t.Error(err)
			}
		}
	}}
	results, err := Runner{Out: "out", JUnit: "r.xml", Kernel: script, Watch: watch}.Run(t.Context(), jobs)
	if err != nil || len(results) != len(names) {
		t.Fatalf("%v, %d results", err, len(results))
	}
	var failed []string
	for _, r := range results {
		failed = append(failed, fmt.Sprint(r.Failures()))
	}
	for i, want := range []string{"out/a.html cannot be written: there is a directory", "its results cannot be written: ",
		"out/c.ipynb cannot be written: there is a special file",
		"not a directory", "[]"} {
		if !strings.Contains(failed[i], want) {
			t.Errorf("%s: %s, want %s", names[i], failed[i], want)
		}
	}
	if strings.Contains(strings.Join(failed, ""), "\n") {
		t.Errorf("a failure takes several lines: %q", failed)
	}
	if ran != 2 {
		t.Errorf("%d notebooks ran, want b and e", ran)
	}
	report, err := os.ReadFile("r.xml")
	if err != nil || strings.Count(string(report), "cannot be written") != 4 {
		t.Errorf("%v: the report is\n%s", err, report)
	}
	if _, err := os.Stat("out/e.html"); err != nil {
		t.Error(err)
	}
}

// TestRenderingIsStopped: a run that was stopped waits some seconds for its pages, and not until they are done.
func TestRenderingIsStopped(t *testing.T) {
	t.Chdir(t.TempDir())
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted"))
	w := writer{ctx: ctx, Runner: Runner{Out: ".", JUnit: "r.xml"}, suites: make([]report.Suite, 1)}
	result := Result{Job: Job{File: "x.ipynb", Name: "a",
		Notebook: &notebook.Notebook{Cells: []*notebook.Cell{notebook.NewCode("x")}}}, Err: errors.New("it failed before")}
	if err := w.end(0, &result); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprint(result.Failures()); !strings.HasPrefix(got, "[it failed before; its results cannot be written: ") ||
		!strings.Contains(got, "interrupted") {
		t.Error(got)
	}
	if b, err := os.ReadFile("r.xml"); err != nil || !strings.Contains(string(b), "cannot be written") {
		t.Errorf("%v: the report is\n%s", err, b)
	}
	if _, err := os.Stat("a.html"); err == nil {
		t.Error("half a page is there")
	}
}

// TestNotebookThatNeverRan: one of another language shows nothing of what is stored in it.
func TestNotebookThatNeverRan(t *testing.T) {
	t.Chdir(t.TempDir())
	cell := notebook.NewCode("print(1)")
	cell.Outputs = []*notebook.Output{{Type: notebook.DisplayData,
		Data: notebook.MIMEBundle{"text/html": json.RawMessage(`"<script>stored</script>"`)}}}
	nb := &notebook.Notebook{Metadata: notebook.Metadata{"kernelspec": json.RawMessage(`{"language":"python"}`)},
		Cells: []*notebook.Cell{cell}}
	if err := nb.Write("a.ipynb"); err != nil {
		t.Fatal(err)
	}
	if got, err := runAll(t, "out", "a.ipynb"); err != nil || !strings.Contains(got, "language is python") {
		t.Errorf("%s, %v", got, err)
	}
	for name, content := range files(t, "out") {
		if strings.Contains(content, "stored") {
			t.Errorf("%s holds the stored output", name)
		}
	}
	if names := slices.Sorted(func(yield func(string) bool) {
		for name := range files(t, "out") {
			if !yield(name) {
				return
			}
		}
	}); fmt.Sprint(names) != "[a.html a.ipynb]" {
		t.Errorf("results %v", names)
	}
}
