package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"lucigo/kernel/headless"
	"lucigo/kernel/jupyter"
	"lucigo/kernel/notebook"
	"lucigo/kernel/report"
)

// TestCheck: what cannot be written is found before anything runs, and nothing takes another's place.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	writeNotebook(t, "nb/a.ipynb", notebook.NewCode("print x"))
	writeNotebook(t, "nb/b ü.ipynb", notebook.NewCode("print x"))
	writeNotebook(t, "other/a.ipynb", notebook.NewCode("the work of a month"))
	for _, d := range []string{"dir", "site"} {
		if err := os.MkdirAll(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.WriteFile("file", nil, 0o666), os.WriteFile("site/a.html", []byte("<!DOCTYPE html>my page"), 0o666),
		os.WriteFile("file.go", []byte("package x"), 0o666), os.Symlink("nb", "link"), syscall.Mkfifo("pipe", 0o666)); err != nil {
		t.Fatal(err)
	}
	started := false
	for _, c := range []struct{ out, junit, want string }{
		{"nb", "", "the notebook nb/a.ipynb would be overwritten by nb/a.ipynb"},
		{"link", "", "the notebook nb/a.ipynb would be overwritten by link/a.ipynb"},
		{"file", "", "file cannot be written: mkdir file: not a directory"},
		{"file/x", "", "file/x cannot be written: mkdir file: not a directory"},
		{"", "dir", "the report dir cannot be written: there is a directory"},
		{"", "pipe", "the report pipe cannot be written: there is a special file"},
		{"", "file/r.xml", "the report file/r.xml cannot be written: mkdir file: not a directory"},
		{"", "nb/a.ipynb", "the notebook nb/a.ipynb would be overwritten by the report nb/a.ipynb"},
		{"out", "out/a.html", "out/a.html would be overwritten by the report out/a.html"},
		{"/proc/none", "", "/proc/none cannot be written"},
		{"other", "", "other/a.ipynb is there, and is not the result of an earlier run"},
		{"site", "", "site/a.html is there, and is not the result of an earlier run"},
		{"out", "file.go", "file.go is there, and is no report"},
	} {
		jobs, err := Find("nb")
		if err != nil {
			t.Fatal(err)
		}
		r := Runner{Out: c.out, JUnit: c.junit, Watch: ended{func(Result) {}}, Kernel: func(dir string) jupyter.Command {
			started = true
			return script(dir)
		}}
		if _, err := r.Run(t.Context(), jobs); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("--out %q, --junit %q: %v, want %q", c.out, c.junit, err, c.want)
		}
	}
	if started {
		t.Error("a kernel was started before the check")
	}
	left := filepath.Join("good out", ".a.html.1.part")
	old := time.Now().Add(-2 * time.Hour)
	if err := errors.Join(os.Mkdir("good out", 0o777), os.WriteFile(left, nil, 0o666), os.Chtimes(left, old, old)); err != nil {
		t.Fatal(err)
	}
	jobs, err := Find("nb")
	if err != nil {
		t.Fatal(err)
	}
	r := Runner{Out: "good out", JUnit: "rep/ört.xml", Watch: ended{func(Result) {}}, Kernel: script}
	for range 2 { // Over its own results, too.
		if _, err := r.Run(t.Context(), jobs); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"good out/a.html", "good out/a.ipynb", "good out/b ü.html", "good out/b ü.ipynb", "rep/ört.xml"} {
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
	if entries, _ := os.ReadDir("good out"); len(entries) != 4 {
		t.Errorf("%d files are in the directory of results, want 4", len(entries))
	}
}

// TestWritesWhileItRuns: what a cell has put out is written while the next one runs, and while it runs itself, however
// it is stopped then; and the page says where.
func TestWritesWhileItRuns(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	writeNotebook(t, filepath.Join(dir, "a.ipynb"), notebook.NewCode("// Quick\nprint one"), notebook.NewCode("// Long\nprint two\nwait"), notebook.NewCode("print three"))
	writeNotebook(t, filepath.Join(dir, "b.ipynb"), notebook.NewCode("print x"))
	jobs, err := Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := Runner{Out: out, JUnit: filepath.Join(out, "r.xml"), Kernel: script, Watch: ended{func(Result) {}}}
	done := make(chan error)
	go func() {
		_, err := r.Run(ctx, jobs)
		done <- err
	}()
	read := func(name string) string {
		b, _ := os.ReadFile(filepath.Join(out, name))
		return string(b)
	}
	for deadline := time.Now().Add(time.Minute); !strings.Contains(read("a.ipynb"), `"two\n"`) || strings.Count(read("r.xml"), "not run") != 3; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing is written while a cell runs")
		}
	}
	if s := read("a.html"); !strings.Contains(s, "one") || !strings.Contains(s, "cell 2 (Long) of 3 was running. If nothing runs any more, the run was stopped here.") {
		t.Errorf("while the second cell runs, the page is\n%s", s)
	}
	if nb, err := notebook.Parse([]byte(read("a.ipynb"))); err != nil || nb.Cells[1].Printed() != "two\n" {
		t.Errorf("while the second cell runs, the notebook is\n%s", read("a.ipynb"))
	}
	if s := read("r.xml"); strings.Count(s, "not run") != 3 || !strings.Contains(s, `name="cell 1 (Quick)"`) { // Cells 2 and 3, and the other notebook's.
		t.Errorf("while the second cell runs, the report is\n%s", s)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if s := read("a.html"); !strings.Contains(s, "The run stopped here. The cells below were not run.") || strings.Contains(s, "was running") || !strings.Contains(s, "context canceled") {
		t.Errorf("afterwards the page is\n%s", s)
	}
}

// TestClaimsAreCounted: a notebook that says how many claims it makes must make them.
func TestClaimsAreCounted(t *testing.T) {
	claim := `display_data {"data":{"application/vnd.lucigo.claim+json":{"sentence":"It is %v","measured":0,"relation":"<","bound":1}}}`
	for _, c := range []struct {
		says  int
		cells []string
		want  string
	}{
		{0, []string{"print x"}, "[]"},
		{2, []string{claim, claim}, "[]"},
		{1, []string{claim, claim}, "[]"},
		{3, []string{claim, claim}, "[it makes 2 claims, and its metadata says that it makes 3 (lucigo.claims)]"},
		{1, nil, "[it makes 0 claims, and its metadata says that it makes 1 (lucigo.claims)]"},
		{3, []string{claim, "raise E x", claim}, "[cell 2: x]"}, // What failed says enough.
	} {
		dir := t.TempDir()
		nb := &notebook.Notebook{Metadata: notebook.Metadata{"lucigo": json.RawMessage(fmt.Sprintf(`{"claims":%d}`, c.says))}}
		for _, s := range c.cells {
			nb.Cells = append(nb.Cells, notebook.NewCode("// \n"+s))
		}
		if err := nb.Write(filepath.Join(dir, "a.ipynb")); err != nil {
			t.Fatal(err)
		}
		jobs, err := Find(dir)
		if err != nil {
			t.Fatal(err)
		}
		results, err := Runner{Kernel: script, Watch: ended{func(Result) {}}}.Run(t.Context(), jobs)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(results[0].Failures()); got != c.want {
			t.Errorf("says %d: %s, want %s", c.says, got, c.want)
		}
	}
}

// TestManyNotebooks: a run of many notebooks holds no more than one at a time in memory, and leaves no process, no
// goroutine and no temporary file.
func TestManyNotebooks(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs 200 notebooks")
	}
	const n = 200
	dir, out, temp := t.TempDir(), t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temp)
	for i := range n {
		writeNotebook(t, filepath.Join(dir, fmt.Sprintf("%03d.ipynb", i)), notebook.NewCode("print x\nfill 1048576"), notebook.NewCode("print x"), notebook.NewCode("raise E x", "raises-exception"))
	}
	jobs, err := Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	goroutines, first, most := runtime.NumGoroutine(), heap(), uint64(0)
	ran := 0
	r := Runner{Out: out, JUnit: filepath.Join(out, "r.xml"), Kernel: script, Watch: ended{func(result Result) {
		if ran++; result.Failures() != nil || result.Outcomes[2].Allowed == nil {
			t.Errorf("%s: %v", result.File, result.Failures())
		}
		if ran%20 == 0 {
			most = max(most, heap())
		}
	}}}
	if results, err := r.Run(t.Context(), jobs); err != nil || len(results) != n {
		t.Errorf("%d results, %v", len(results), err)
	}
	if most > first+64<<20 { // Each put out 1 MiB, which its page and its file hold once more.
		t.Errorf("%d MiB are in use, at first it was %d", most>>20, first>>20)
	}
	t.Logf("%d notebooks, %d MiB in use at most, at first %d", ran, most>>20, first>>20)
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines+5 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	if now := runtime.NumGoroutine(); now > goroutines+5 {
		t.Errorf("%d goroutines, before the run %d", now, goroutines)
	}
	if left, _ := os.ReadDir(temp); len(left) != 0 {
		t.Errorf("%d temporary files are left, such as %v", len(left), left[0])
	}
	if files, _ := os.ReadDir(out); len(files) != 2*n+1 {
		t.Errorf("%d results, want %d", len(files), 2*n+1)
	}
	if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
		t.Errorf("a process is left: %d, %v", pid, err)
	}
}

// A notebook that cannot run says so in its page, with its cells.
func TestOtherLanguage(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	nb := &notebook.Notebook{Metadata: notebook.Metadata{"language_info": json.RawMessage(`{"name":"python"}`)}, Cells: []*notebook.Cell{notebook.NewCode("print(1)")}}
	if err := nb.Write(filepath.Join(dir, "a.ipynb")); err != nil {
		t.Fatal(err)
	}
	jobs, err := Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	results, err := Runner{Out: out, Kernel: script, Watch: ended{func(Result) {}}}.Run(t.Context(), jobs)
	if err != nil || len(results) != 1 || results[0].Tally() != "0 of 1 cells ran" || fmt.Sprint(results[0].Failures()) != "[the notebook's language is python, must be go]" {
		t.Errorf("%+v, %v", results, err)
	}
}

// stopAt cancels a run when a cell begins.
type stopAt struct {
	ended
	number int
	cancel func()
}

func (s stopAt) BeginCell(c headless.Cell) {
	if c.Number == s.number {
		s.cancel()
	}
}

// TestAnInterruptIsToldOnce: by the cell that it stopped, whatever failed before.
func TestAnInterruptIsToldOnce(t *testing.T) {
	dir := t.TempDir()
	writeNotebook(t, filepath.Join(dir, "a.ipynb"), notebook.NewCode("raise E x"), notebook.NewCode("wait"), notebook.NewCode("print x"))
	jobs, err := Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	results, err := Runner{Kernel: script, KeepGoing: true, Watch: stopAt{ended{func(Result) {}}, 2, cancel}}.Run(ctx, jobs)
	if !errors.Is(err, context.Canceled) || len(results) != 1 || fmt.Sprint(results[0].Failures()) != "[cell 1 (raise E x): x cell 2 (wait): context canceled]" {
		t.Errorf("%v, %+v", err, results)
	}
}

// TestPace: a notebook is written about once a second, a slow one less often, and not while a cell publishes.
func TestPace(t *testing.T) {
	for _, c := range []struct {
		last, took time.Duration // ago; of the last time
		publishes  bool
		want       bool
	}{
		{time.Hour, 0, true, true},
		{pace / 2, 0, false, false},
		{pace / 2, 0, true, false},
		{time.Minute, time.Minute / share / 2, false, true},
		{time.Minute, time.Minute / share * 2, false, false},
		{time.Hour, long * 2, true, false},
		{time.Hour, long * 2, false, true},
	} {
		w := writer{ctx: t.Context(), Runner: Runner{Out: t.TempDir()}, suites: make([]report.Suite, 1), last: time.Now().Add(-c.last),
			took: c.took}
		w.soFar(0, Result{Job: Job{Name: "a", Notebook: &notebook.Notebook{Cells: []*notebook.Cell{notebook.NewCode("x")}}}}, headless.Cell{}, c.publishes)
		if _, err := os.Stat(w.files(Job{Name: "a"})[0]); (err == nil) != c.want {
			t.Errorf("%+v: it is written is %v", c, err == nil)
		}
	}
}
