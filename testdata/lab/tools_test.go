package lab

import (
	_ "embed"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// failures are cells that must fail in every front end, and what the failure says.
var failures = []struct{ name, source, says string }{
	{"claim", `must.M(claim.AtMost("Two is small: it is %v", 2, 1))`, "Two is small: it is 2"},
	{"command", "!exit 3", "exit status 3"},
	{"missing", "!no-such-program", "no-such-program"},
	{"script", "%%bash\nexit 3", "exit status 3"},
	{"magic", "%tset\nfunc TestNothing(t *testing.T) {}", "tset"},
	{"exit", "os.Exit(0)", "os.Exit(0)"},
	{"panic", "panic(\"on purpose\")", "on purpose"},
	{"compile", "fmt.Println(y)", "undefined: y"},
	{"test", "%test\nfunc TestIt(t *testing.T) { t.Error(\"on purpose\") }", "TestIt"},
}

// output runs a command and returns its exit status and what it printed.
func run(t *testing.T, cmd *exec.Cmd) (status int, printed string) {
	t.Helper()
	begin := time.Now()
	out, err := cmd.CombinedOutput()
	t.Logf("%s: %.1f s", filepath.Base(cmd.Path), time.Since(begin).Seconds())
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// executed reads an executed notebook and returns the outputs of its cells.
func executed(t *testing.T, file string) (all [][]output) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var nb struct {
		Cells []struct {
			Outputs []struct {
				output
				Text json.RawMessage `json:"text"`
			} `json:"outputs"`
		} `json:"cells"`
	}
	if err := json.Unmarshal(b, &nb); err != nil {
		t.Fatal(err)
	}
	for _, c := range nb.Cells {
		var outputs []output
		for _, o := range c.Outputs {
			outputs = append(outputs, o.output)
		}
		all = append(all, outputs)
	}
	return all
}

// Notebooks are converted from any directory.
func TestConvert(t *testing.T) {
	e := need(t)
	dir := t.TempDir()
	write(t, dir, "good.ipynb", greeting, figure, claims)
	write(t, dir, "false.ipynb", greeting, failures[0].source, `fmt.Println("it goes on")`)
	status, printed := run(t, e.program(dir, "jupyter-nbconvert", "--execute", "--to", "notebook", "--output", "done.ipynb", "good.ipynb"))
	if status != 0 {
		t.Fatalf("status %d:\n%s", status, printed)
	}
	quiet(t, printed)
	for i, outputs := range executed(t, filepath.Join(dir, "done.ipynb")) {
		if len(outputs) != 1 || outputs[0].Type == "error" || outputs[0].Name == "stderr" {
			t.Errorf("cell %d: %+v", i, outputs)
		}
	}
	status, printed = run(t, e.program(dir, "jupyter-nbconvert", "--execute", "--to", "html", "good.ipynb"))
	page, err := os.ReadFile(filepath.Join(dir, "good.html"))
	if status != 0 || err != nil || len(regexp.MustCompile(`<img [^>]*src="data:image/png;base64,`).FindAll(page, -1)) != 4 || !strings.Contains(string(page), "✓ holds") {
		t.Errorf("status %d, %v, a page of %d bytes:\n%s", status, err, len(page), printed)
	}
	status, printed = run(t, e.program(dir, "jupyter-nbconvert", "--execute", "--to", "notebook", "--output", "bad.ipynb", "false.ipynb"))
	if status == 0 || !strings.Contains(printed, failures[0].says) {
		t.Errorf("a false claim: status %d:\n%s", status, printed)
	}
}

// quiet fails where a program says something that is not its own progress.
func quiet(t *testing.T, printed string) {
	t.Helper()
	for line := range strings.Lines(printed) {
		if !strings.HasPrefix(line, "[NbConvertApp] Converting") && !strings.HasPrefix(line, "[NbConvertApp] Writing") {
			t.Errorf("it says %q", line)
		}
	}
}

// Every failure fails in nbclient, by name.
func TestClient(t *testing.T) {
	e := need(t)
	dir := t.TempDir()
	files := []string{filepath.Base(write(t, dir, "good.ipynb", greeting, figure, claims))}
	for _, f := range failures {
		files = append(files, filepath.Base(write(t, dir, f.name+".ipynb", greeting, f.source)))
	}
	script := `import json, sys, nbformat, nbclient
said = {}
for file in sys.argv[1:]:
    try:
        nbclient.NotebookClient(nbformat.read(file, 4), timeout=100).execute()
        said[file] = ""
    except nbclient.exceptions.CellExecutionError as e:
        said[file] = e.ename + ": " + e.evalue
print(json.dumps(said))`
	status, printed := run(t, e.program(dir, "python", append([]string{"-c", script}, files...)...))
	var said map[string]string
	if err := json.Unmarshal([]byte(printed), &said); status != 0 || err != nil {
		t.Fatalf("status %d, %v:\n%s", status, err, printed)
	}
	if said["good.ipynb"] != "" || len(said) != len(files) {
		t.Errorf("%d notebooks, the good one says %q", len(said), said["good.ipynb"])
	}
	for _, f := range failures {
		if got := said[f.name+".ipynb"]; !strings.Contains(got, f.says) {
			t.Errorf("%s: it says %q, not %q", f.name, got, f.says)
		}
	}
}

// And in pytest.
func TestPytest(t *testing.T) {
	e := need(t)
	dir := t.TempDir()
	write(t, dir, "good.ipynb", greeting, figure, claims)
	for _, f := range failures {
		write(t, dir, f.name+".ipynb", greeting, f.source)
	}
	status, printed := run(t, e.program(dir, "pytest", "--nbmake", "-p", "no:cacheprovider", "-rA", "."))
	if status != 1 || !strings.Contains(printed, "PASSED good.ipynb::") {
		t.Errorf("status %d:\n%s", status, printed)
	}
	for _, f := range failures {
		if !strings.Contains(printed, "FAILED "+f.name+".ipynb::") {
			t.Errorf("%s has not failed", f.name)
		}
	}
	if t.Failed() {
		t.Log(printed)
	}
	if status, printed := run(t, e.program(dir, "pytest", "--nbmake", "-p", "no:cacheprovider", "good.ipynb")); status != 0 {
		t.Errorf("status %d:\n%s", status, printed)
	}
}

// papermill runs a notebook; parameters have an effect, or else it refuses.
func TestPapermill(t *testing.T) {
	e := need(t)
	dir := t.TempDir()
	write(t, dir, "parameters.ipynb", "var (\n\tcount = 1\n\trate  = .5\n\tname  = \"a\"\n)", "fmt.Printf(\"%d %T %v %s\\n\", count, rate, rate, name)")
	if status, printed := run(t, e.program(dir, "papermill", "--no-progress-bar", "parameters.ipynb", "done.ipynb")); status != 0 {
		t.Errorf("status %d:\n%s", status, printed)
	}
	b, _ := os.ReadFile(filepath.Join(dir, "done.ipynb"))
	if !strings.Contains(string(b), `1 float64 0.5 a\n`) {
		t.Errorf("the executed notebook lacks its output:\n%s", b)
	}
	status, printed := run(t, e.program(dir, "papermill", "--no-progress-bar", "parameters.ipynb", "set.ipynb", "-p", "count", "5", "-p", "rate", "1"))
	b, _ = os.ReadFile(filepath.Join(dir, "set.ipynb"))
	if status == 0 && !strings.Contains(string(b), `5 float64 1 a\n`) {
		t.Errorf("parameters have no effect, and papermill passes:\n%s", b)
	}
	if status != 0 && !strings.Contains(printed, "No parameter translator") {
		t.Errorf("status %d:\n%s", status, printed)
	}
	write(t, dir, "false.ipynb", greeting, failures[0].source)
	if status, printed := run(t, e.program(dir, "papermill", "--no-progress-bar", "false.ipynb", "bad.ipynb")); status == 0 || !strings.Contains(printed, failures[0].says) {
		t.Errorf("a false claim: status %d:\n%s", status, printed)
	}
}

//go:embed kernel_test.py
var kernelTests string

// Jupyter's own tests of a kernel pass.
func TestKernel(t *testing.T) {
	e := need(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "test_kernel.py"), []byte(kernelTests), 0o666); err != nil {
		t.Fatal(err)
	}
	status, printed := run(t, e.program(dir, "pytest", "-p", "no:cacheprovider", "-rA", "test_kernel.py"))
	if status != 0 {
		t.Errorf("status %d:\n%s", status, printed)
	}
	for _, test := range []string{"kernel_info", "execute_stdout", "execute_stderr", "completion", "is_complete", "error", "execute_result", "display_data",
		"history", "inspect"} {
		if !strings.Contains(printed, "PASSED test_kernel.py::Kernel::test_"+test+"\n") {
			t.Errorf("test_%s did not run", test)
		}
	}
}
