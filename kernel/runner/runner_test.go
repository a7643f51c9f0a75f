package runner

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lucigo/kernel/headless"
	"lucigo/kernel/jupyter"
	"lucigo/kernel/jupyter/jupytertest"
	"lucigo/kernel/notebook"
	"lucigo/notebooks/claim/record"
)

func TestMain(m *testing.M) {
	jupytertest.Main()
	os.Exit(m.Run())
}

// script starts a kernel whose cells are package jupytertest's scripts.
func script(dir string) jupyter.Command {
	return jupyter.Command{Argv: jupytertest.Argv(), Env: jupytertest.Env(""), Dir: dir}
}

func writeNotebook(t *testing.T, file string, cells ...*notebook.Cell) {
	t.Helper()
	if err := (&notebook.Notebook{Cells: cells}).Write(file); err != nil {
		t.Fatal(err)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.ipynb", "a.ipynb", "deep/er/c.ipynb", ".ipynb_checkpoints/a-checkpoint.ipynb", "other/a.ipynb"} {
		writeNotebook(t, filepath.Join(dir, name))
	}
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	names := func(paths ...string) string {
		jobs, err := Find(paths...)
		if err != nil {
			return err.Error()
		}
		var list []string
		for _, j := range jobs {
			if (j.Notebook == nil) != (j.Problem != nil) {
				t.Errorf("%s: %v, %v", j.File, j.Notebook, j.Problem)
			}
			list = append(list, filepath.ToSlash(j.File)+"="+filepath.ToSlash(j.Name))
		}
		return strings.Join(list, " ")
	}
	all := "a.ipynb=a b.ipynb=b deep/er/c.ipynb=deep/er/c other/a.ipynb=other/a"
	for _, c := range []struct {
		paths []string
		want  string
	}{
		{[]string{"b.ipynb"}, "b.ipynb=b"},
		{[]string{"."}, all},
		{[]string{"deep", "./b.ipynb"}, "deep/er/c.ipynb=er/c b.ipynb=b"},
		{[]string{"notes.txt"}, "notes.txt=notes.txt"}, // A file that is named is taken at its word.
		{[]string{"b.ipynb", ".", "./b.ipynb"}, "b.ipynb=b a.ipynb=a deep/er/c.ipynb=deep/er/c other/a.ipynb=other/a"},
		{[]string{"a.ipynb", "other/a.ipynb"}, "would both be written to a"},
		{[]string{"none.ipynb"}, "there is no notebook or directory none.ipynb"},
		{[]string{".ipynb_checkpoints/.."}, all},
	} {
		isError := strings.Contains(c.want, "would") || strings.Contains(c.want, "there is no")
		if got := names(c.paths...); got != c.want && !(isError && strings.Contains(got, c.want)) {
			t.Errorf("%q gives %s, want %s", c.paths, got, c.want)
		}
	}
	if err := os.Mkdir("empty", 0o777); err != nil {
		t.Fatal(err)
	}
	if got := names("empty"); got != "no notebook (*.ipynb) in empty that is neither hidden nor the result of a run" {
		t.Errorf("an empty directory gives %s", got)
	}
}

// Each notebook gets the parameters that it has, and a name that none has is an error.
func TestSetParameters(t *testing.T) {
	dir := t.TempDir()
	writeNotebook(t, filepath.Join(dir, "a.ipynb"), notebook.NewCode("var n = 1\nvar m = 2", "parameters"))
	writeNotebook(t, filepath.Join(dir, "b.ipynb"), notebook.NewCode("var n = 1", "parameters"))
	writeNotebook(t, filepath.Join(dir, "c.ipynb"), notebook.NewCode("x()"))
	if err := os.WriteFile(filepath.Join(dir, "d.ipynb"), []byte("no JSON"), 0o666); err != nil {
		t.Fatal(err)
	}
	set := func(names string, values map[string]string) (sources []string, err error) {
		var paths []string
		for name := range strings.FieldsSeq(names) {
			paths = append(paths, filepath.Join(dir, name+".ipynb"))
		}
		jobs, err := Find(paths...)
		if err != nil {
			t.Fatal(err)
		}
		err = SetParameters(jobs, values)
		for _, j := range jobs {
			s := ""
			if j.Notebook != nil && len(j.Notebook.Cells) > 1 {
				s = j.Notebook.Cells[1].Source
			}
			sources = append(sources, s)
		}
		return sources, err
	}
	got, err := set("a b c d", map[string]string{"n": "5", "m": "6"})
	if want := []string{"// Parameters of this run\nvar n int = 5\nvar m int = 6", "// Parameters of this run\nvar n int = 5", "", ""}; err != nil || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	for _, c := range []struct {
		names, name, want string
	}{
		{"a", "k", `no notebook has the parameter "k": ` + dir + "/a.ipynb has n = 1, m = 2"},
		{"a b", "k", "a.ipynb has n = 1, m = 2; " + dir + "/b.ipynb has n = 1"},
		{"a", "", `no notebook has the parameter "": `},
		{"a", "gro\u0308n", `no notebook has the parameter "gro\u0308n": `}, // ö in two characters looks like ö in one.
		{"c", "k", "c.ipynb has none: none of its code cells is tagged parameters"},
		{"d c", "k", "c.ipynb has none"},
	} {
		if _, err := set(c.names, map[string]string{c.name: "1"}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %s: %v, want %q", c.names, c.name, err, c.want)
		}
	}
	if _, err := set("a b", map[string]string{"n": "x"}); err == nil || !strings.Contains(err.Error(), "must be of type int") {
		t.Errorf("a wrong value: %v", err)
	}
}

func TestSuite(t *testing.T) {
	cell := notebook.NewCode("panics()")
	cell.Outputs = []*notebook.Output{{Type: notebook.Stream, Name: "stderr", Text: "a stack"}}
	nb := &notebook.Notebook{Cells: []*notebook.Cell{notebook.NewCode("fine()"), {Type: notebook.Markdown}, cell, notebook.NewCode("never()"), notebook.NewCode("x"), notebook.NewCode("x")}}
	s := suite(Result{Job: Job{File: "x.ipynb", Notebook: nb}, Err: errors.New("the kernel died"), Outcomes: []headless.Outcome{
		{Cell: headless.Cell{Number: 1, Line: 7}, Ran: true, Time: time.Second, Claims: []record.Claim{
			{Sentence: "good %v", Relation: record.AtMost}, {Sentence: "bad %v", Measured: 1, Relation: record.Less}}},
		{Cell: headless.Cell{Index: 2, Number: 2, Line: 9}, Ran: true, Err: errors.New("panic")},
		{Cell: headless.Cell{Index: 3, Number: 3}},
		{Cell: headless.Cell{Index: 4, Number: 4}, Skipped: true},
		{Cell: headless.Cell{Index: 5, Number: 5}, Ran: true, Allowed: errors.New("as I said")},
	}})
	var got []string
	for _, c := range s.Cases {
		name := fmt.Sprintf("%d %s", c.Line, c.Name)
		switch {
		case c.Skipped != nil:
			got = append(got, name+": "+c.Skipped.Message)
		case c.Note != "":
			got = append(got, name+": "+c.Note)
		case c.Failure != nil:
			got = append(got, name+": "+c.Failure.Message+" "+c.Failure.Detail)
		default:
			got = append(got, name)
		}
	}
	want := "0 the notebook: the kernel died |7 cell 1|7 claim: good …|7 claim: bad …: bad 1 (required: less than 0) |9 cell 2: panic a stack|0 cell 3: not run|0 cell 4: tagged skip-execution|0 cell 5: It failed, as its tag raises-exception allows: as I said"
	if strings.Join(got, "|") != want || s.Name != "x.ipynb" {
		t.Errorf("%s: %s\nwant %s", s.Name, strings.Join(got, "|"), want)
	}
}

func TestFailuresAndTally(t *testing.T) {
	r := Result{Err: errors.New("the kernel died"), Outcomes: []headless.Outcome{
		{Cell: headless.Cell{Number: 1}, Ran: true, Claims: []record.Claim{{Sentence: "%v so", Relation: record.Equal}, {Sentence: "%v so", Measured: 1, Relation: record.Equal}}},
		{Cell: headless.Cell{Number: 2}, Ran: true, Err: errors.New("panic\nstack")},
		{Cell: headless.Cell{Number: 3}}}}
	want := `["the kernel died" "cell 1: a claim fails: 1 so (required: exactly 0)" "cell 2: panic"]`
	if got := fmt.Sprintf("%q", r.Failures()); got != want {
		t.Errorf("failures %s, want %s", got, want)
	}
	if got := (Result{Outcomes: []headless.Outcome{{Skipped: true}, {Ran: true, Allowed: errors.New("x")}}}).Tally(); got != "1 of 2 cells ran, 1 skipped, 1 failed as allowed" {
		t.Error(got)
	}
	if got := r.Tally(); got != "2 of 3 cells ran, 1 failed, 1 of 2 claims hold" {
		t.Error(got)
	}
	if (Result{}).Failures() != nil {
		t.Error("nothing is a failure")
	}
}

// ended calls a function when a notebook ends.
type ended struct {
	f func(Result)
}

func (ended) Begin(Job)                {}
func (ended) BeginCell(headless.Cell)  {}
func (ended) EndCell(headless.Outcome) {}

func (e ended) End(r Result) { e.f(r) }

// What is known is written before it is told, notebook by notebook, and a report is there from the beginning: whoever
// stops the run keeps what has ended.
func TestWritesAsEachEnds(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	for _, name := range []string{"a", "b", "c"} {
		writeNotebook(t, filepath.Join(dir, name+".ipynb"), notebook.NewCode("1"), notebook.NewCode("2"))
	}
	if err := os.WriteFile(filepath.Join(dir, "worse.ipynb"), []byte("no JSON"), 0o666); err != nil {
		t.Fatal(err)
	}
	jobs, err := Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	noKernel := func(dir string) jupyter.Command { return jupyter.Command{Argv: []string{filepath.Join(dir, "none")}} }
	r := Runner{Kernel: noKernel, Out: out, JUnit: filepath.Join(out, "deep", "report.xml")}
	counts := func() string {
		t.Helper()
		b, err := os.ReadFile(r.JUnit)
		if err != nil {
			t.Fatal(err)
		}
		var s struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Suites   []struct {
				Skipped int `xml:"skipped,attr"`
			} `xml:"testsuite"`
		}
		if err := xml.Unmarshal(b, &s); err != nil {
			t.Fatalf("%v:\n%s", err, b)
		}
		return fmt.Sprint(s.Failures, " of ", s.Tests, " ", s.Suites)
	}
	exists := func(name string) bool {
		_, err := os.Stat(filepath.Join(out, name))
		return err == nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	want := []string{"1 of 7 [{2} {2} {2} {0}]", "2 of 8 [{2} {2} {2} {0}]"} // No kernel starts: of each notebook one failure, and cells that were not reached.
	r.Watch = ended{func(result Result) {
		if got := counts(); got != want[n] {
			t.Errorf("after notebook %d the report says %s, want %s", n, got, want[n])
		}
		if result.Page != filepath.Join(out, result.Name+".html") || !exists(result.Name+".html") || !exists(result.Name+".ipynb") {
			t.Errorf("when notebook %d ends, its page %q is not there", n, result.Page)
		}
		if n++; n == 2 {
			cancel()
		}
	}}
	results, err := r.Run(ctx, jobs)
	if !errors.Is(err, context.Canceled) || len(results) != 2 || n != 2 {
		t.Errorf("stopped after two: %v, %d results, %d told", err, len(results), n)
	}
	if exists("c.html") || counts() != want[1] {
		t.Errorf("stopped after two, the report says %s", counts())
	}

	r.Watch = ended{func(Result) {}}
	if results, err = r.Run(t.Context(), jobs); err != nil || len(results) != 4 || len(results[3].Failures()) != 1 || results[3].Page != "" || exists("worse.html") {
		t.Errorf("all four: %v, %+v", err, results)
	}
	if got := counts(); got != "4 of 10 [{2} {2} {2} {0}]" {
		t.Errorf("in the end the report says %s", got)
	}
	done, stop := context.WithCancel(t.Context())
	stop()
	if results, err := r.Run(done, jobs); !errors.Is(err, context.Canceled) || len(results) != 0 || counts() != "0 of 6 [{2} {2} {2} {0}]" {
		t.Errorf("stopped before the first: %v, %d results; the report says %s", err, len(results), counts())
	}
	r.Out = dir
	if _, err := r.Run(t.Context(), jobs); err == nil || !strings.Contains(err.Error(), "would be overwritten") {
		t.Errorf("writing over the input: %v", err)
	}
}
