package headless

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"lucigo/internal/project"
	"lucigo/kernel/build"
	"lucigo/kernel/jupyter"
	"lucigo/kernel/jupyter/jupytertest"
	"lucigo/kernel/notebook"
)

var buildDir string // holds the kernel that this test program built

func TestMain(m *testing.M) {
	jupytertest.Main()
	code := m.Run()
	if buildDir != "" {
		os.RemoveAll(buildDir)
	}
	os.Exit(code)
}

// realKernel builds the kernel once.
var realKernel = sync.OnceValues(func() (build.Kernel, error) {
	root, err := project.Root(".")
	if err != nil {
		return build.Kernel{}, err
	}
	if buildDir, err = os.MkdirTemp("", "lucigo kernel "); err != nil { // With spaces in its path.
		return build.Kernel{}, err
	}
	k := build.Kernel{Dir: filepath.Join(buildDir, "k"), Root: root}
	return k, k.Build(context.Background(), io.Discard)
})

// command starts the kernel in a directory of the test's own, outside of the project.
func command(t *testing.T) jupyter.Command {
	t.Helper()
	if testing.Short() {
		t.Skip("it starts a kernel")
	}
	k, err := realKernel()
	if err != nil {
		t.Fatal(err)
	}
	return jupyter.Command{Argv: []string{k.Command(), "{connection_file}"}, Dir: t.TempDir(), Env: append(os.Environ(), "LUCIGO_ROOT="+k.Root)}
}

func codeCells(sources ...string) *notebook.Notebook {
	nb := &notebook.Notebook{Metadata: notebook.Metadata{}}
	for _, s := range sources {
		nb.Cells = append(nb.Cells, notebook.NewCode(s))
	}
	return nb
}

// run runs the cells and returns the outcomes.
func run(t *testing.T, nb *notebook.Notebook, o Options) []Outcome {
	t.Helper()
	o.Kernel = command(t)
	if o.Limit == 0 {
		o.Limit = 2 * time.Minute
	}
	outcomes, err := Run(t.Context(), nb, o)
	if err != nil {
		t.Fatal(err)
	}
	return outcomes
}

func printed(nb *notebook.Notebook, i int) string { return nb.Cells[i].Printed() }

func TestRun(t *testing.T) {
	nb := codeCells(
		"// Parameters\nvar model = \"scenes\"\nvar n, eps = 1, 0.5",
		"%%\nfmt.Println(model, n, eps)",
		"%%\nfor i := range 200 {\n\tgonbui.DisplayHtml(fmt.Sprintf(\"<b>%d</b>\", i))\n}\ngonbui.Sync()",
		"",
		"%%\nfmt.Fprint(os.Stderr, \"to stderr\")\nid := gonbui.UniqueId()\ngonbui.UpdateHtml(id, \"first\")\ngonbui.UpdateHtml(id, \"last\")\ngonbui.Sync()",
		"%test\nfunc TestIt(t *testing.T) {\n\tif n != 7 {\n\t\tt.Fatal(n)\n\t}\n}",
		"import \"lucigo/kernel/kernelspec\"\nvar name = kernelspec.Name",
		"%%\nfmt.Println(name, must.M1(strconv.Atoi(\"3\")), os.Getenv(\"PWD\"))")
	nb.Cells[0].Metadata["tags"] = []byte(`["parameters"]`)
	nb.Cells[1].Outputs = []*notebook.Output{{Type: notebook.Stream, Name: "stdout", Text: "of an earlier run"}}
	if err := nb.Inject(map[string]string{"model": `a "b"`, "n": "7", "eps": "2"}); err != nil {
		t.Fatal(err)
	}
	var began, ended []int
	outcomes := run(t, nb, Options{Begin: func(c Cell) { began = append(began, c.Number) }, End: func(o Outcome) { ended = append(ended, o.Cell.Number) }})
	for i, o := range outcomes {
		if o.Err != nil {
			t.Errorf("%v: %v\n%s", o.Cell, o.Err, printed(nb, i))
		}
		if empty := i == 4; o.Ran == empty {
			t.Errorf("%v: ran is %v", o.Cell, o.Ran)
		}
	}
	if len(outcomes) != 9 || len(began) != 8 || len(ended) != 8 {
		t.Errorf("%d outcomes; began %v, ended %v", len(outcomes), began, ended)
	}
	if got := printed(nb, 2); got != "a \"b\" 7 2\n" {
		t.Errorf("the injected parameters print %q", got)
	}
	if outs := nb.Cells[3].Outputs; len(outs) != 200 {
		t.Errorf("%d of 200 displays arrived", len(outs))
	} else if s, _ := outs[199].Data.Text("text/html"); s != "<b>199</b>" {
		t.Errorf("the last display is %q", s)
	}
	got := nb.Cells[5].Outputs
	last := ""
	for _, o := range got {
		if s, ok := o.Data.Text("text/html"); ok {
			last = s
		}
	}
	if len(got) != 2 || !strings.Contains(last, "last") || printed(nb, 5) != "to stderr" {
		t.Errorf("an updated display and a stream are %d outputs, %q, %q", len(got), last, printed(nb, 5))
	}
	if got := printed(nb, 8); !strings.HasPrefix(got, "lucigo 3 ") {
		t.Errorf("a package of the project, and one found by name, print %q", got)
	}
	if nb.Cells[2].ExecutionCount == nil || *nb.Cells[2].ExecutionCount != 3 || !bytes.Contains(nb.Cells[2].Metadata["execution"], []byte("shell.execute_reply")) {
		t.Errorf("count %v, times %s", nb.Cells[2].ExecutionCount, nb.Cells[2].Metadata["execution"])
	}
	b, err := nb.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := notebook.Parse(b); err != nil {
		t.Errorf("the executed notebook cannot be read: %v", err)
	}
}

func TestStopsAtTheFirstFailure(t *testing.T) {
	sources := []string{
		"%%\nmust.M(claim.AtMost(\"It is %v\", 1.5, 2))\nfmt.Println(\"goes on\")",
		"%%\nmust.M(claim.AtMost(\"It is %v\", 2.5, 2))\nfmt.Println(\"goes on\")",
		"%%\nfmt.Println(\"before\")\nvar p *int\nfmt.Println(*p)",
		"%%\nfmt.Println(\"after\")",
	}
	nb := codeCells(sources...)
	outcomes := run(t, nb, Options{})
	if o := outcomes[0]; o.Failure() != "" || len(o.Claims) != 1 || o.Claims[0].String() != "It is 1.5 (required: at most 2)" {
		t.Errorf("a claim that holds: %+v\n%s", o, printed(nb, 0))
	}
	if o := outcomes[1]; o.Failure() == "" || o.Err != nil || !strings.Contains(printed(nb, 1), "goes on") {
		t.Errorf("a claim that does not hold: %+v", o)
	}
	if o := outcomes[2]; o.Failure() == "" || o.Err == nil || o.Err.Error() != "panic: runtime error: invalid memory address or nil pointer dereference (line 4)" {
		t.Errorf("a panic: %v", o.Err)
	}
	if s := printed(nb, 2); !strings.HasPrefix(s, "before\n") || !strings.Contains(s, "line 4, in main") {
		t.Errorf("its output and stack:\n%s", s)
	}
	if outcomes[3].Ran || nb.Cells[3].ExecutionCount != nil {
		t.Error("the cell after a failing one runs")
	}
	nb = codeCells(sources...)
	if outcomes := run(t, nb, Options{KeepGoing: true}); !outcomes[3].Ran || outcomes[3].Failure() != "" || printed(nb, 3) != "after\n" {
		t.Errorf("told to keep going: %+v", outcomes[3])
	}
}

func TestBadCells(t *testing.T) {
	nb := codeCells(
		"%%\nx := undefinedThing + 1",
		"func broken( {",
		"%%\nos.Exit(3)",
		"func boom(p *int) int {\n\treturn *p\n}",
		"%%\nfmt.Println(boom(nil))",
		"%%\nmust.M(errors.New(\"no layer \\\"x\\\"\"))",
		"%%\nfmt.Print(strings.Repeat(\"a\", 3<<20))",
		"%%\nfmt.Fprintln(os.Stderr, \"12:30:01.5 main.go:12: x\")\nfmt.Fprintln(os.Stderr, \"a: b: main.go:12:0: x\")", // The log line that once ended the kernel.
		"%%\nfmt.Println(\"alive\")")
	outcomes := run(t, nb, Options{KeepGoing: true})
	for i, want := range []string{"line 2: undefined: undefinedThing\nline 2: declared and not used: x", "line 1: expected", "exit status 3", "", "(cell [4], line 2)", `panic: no layer "x" (line 2)`, "", "", ""} {
		err := outcomes[i].Err
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q\n%.2000s", outcomes[i].Cell, err, want, printed(nb, i))
		}
	}
	if n := len(printed(nb, 6)); n < maxText || n > maxText+200 {
		t.Errorf("of 3 MiB of text, %d bytes are kept", n)
	}
	if printed(nb, 8) != "alive\n" {
		t.Errorf("the kernel did not survive: %q", printed(nb, 8))
	}
}

func TestLimit(t *testing.T) {
	var nb *notebook.Notebook
	var outcomes []Outcome
	limit := 3 * time.Second
	for begun := false; !begun && limit < 4*time.Minute; { // It takes the machine as long as that to compile the cell.
		limit *= 2
		nb = codeCells("%%\nfmt.Println(\"begin\")\nfor {\n\tfmt.Println(\"endless\")\n}", "%%\nfmt.Println(\"alive\")")
		outcomes = run(t, nb, Options{KeepGoing: true, Limit: limit})
		begun = printed(nb, 0) != "" && printed(nb, 1) != ""
	}
	if err := outcomes[0].Err; !errors.Is(err, jupyter.ErrLimit) || !strings.Contains(err.Error(), "interrupted after "+limit.String()) {
		t.Errorf("%v: %v", outcomes[0].Cell, err)
	}
	if d := outcomes[0].Time; d > limit+time.Minute {
		t.Errorf("it ran for %v", d)
	}
	if s := printed(nb, 0); !strings.HasPrefix(s, "begin\nendless\n") || len(s) > maxText+1000 {
		t.Errorf("of its output, %d bytes are kept: %.20q", len(s), s)
	}
	if printed(nb, 1) != "alive\n" {
		t.Errorf("the kernel did not survive: %q, %v", printed(nb, 1), outcomes[1].Err)
	}
}

func TestInterrupt(t *testing.T) {
	nb := codeCells("%%\nfmt.Println(\"begin\")\nsignal.Ignore(os.Interrupt)\nfor {\n}", "%%\nfmt.Println(\"never\")")
	ctx, cancel := context.WithCancel(t.Context())
	var asked time.Time
	k := command(t)
	go func() {
		for !strings.Contains(flag(k.Dir), "running") {
			time.Sleep(10 * time.Millisecond)
			if ctx.Err() != nil {
				return
			}
		}
		asked = time.Now()
		cancel()
	}()
	nb.Cells[0].Source = strings.Replace(nb.Cells[0].Source, "for {", "os.WriteFile(\"flag\", []byte(\"running\"), 0o666)\nfor {", 1)
	outcomes, err := Run(ctx, nb, Options{Kernel: k, Limit: 5 * time.Minute})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	if d := time.Since(asked); d > time.Minute {
		t.Errorf("a cell that ignores the interrupt is stopped after %v", d)
	}
	if err := outcomes[0].Err; err == nil || !strings.Contains(err.Error(), "the kernel was killed") { // Given the time of a limit, the kernel would have killed the cell.
		t.Errorf("%v", err)
	}
	if !strings.HasPrefix(printed(nb, 0), "begin\n") || outcomes[0].Err == nil || outcomes[1].Ran {
		t.Errorf("printed %q; %+v", printed(nb, 0), outcomes)
	}
	k.Dir = t.TempDir()
	done, cancel2 := context.WithCancel(t.Context())
	cancel2()
	if _, err := Run(done, codeCells("x"), Options{Kernel: k}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before the start: %v", err)
	}
}

// TestInterruptCompiling: a limit that ends while the cell compiles keeps it from running, and the next one runs.
func TestInterruptCompiling(t *testing.T) {
	for name, source := range map[string]string{"program": "%%\nfmt.Println(\"ran\")", "test": "%test\nfunc TestA(t *testing.T) {\n\tfmt.Println(\"ran\")\n}"} {
		k, err := jupyter.Start(t.Context(), command(t))
		if err != nil {
			t.Fatal(err)
		}
		defer k.Stop()
		execute := func(r jupyter.Request) (jupyter.Reply, string, error) {
			var all strings.Builder
			r.OnMessage = func(typ string, content json.RawMessage) error {
				fmt.Fprintf(&all, "%s %s\n", typ, content)
				return nil
			}
			reply, err := k.Execute(t.Context(), r)
			return reply, all.String(), err
		}
		reply, all, err := execute(jupyter.Request{Code: source, Limit: time.Millisecond})
		if !errors.Is(err, jupyter.ErrLimit) || reply.Status != "error" || strings.Contains(all, "stream") || !strings.Contains(all, `"ename":"Interrupted"`) {
			t.Errorf("%s: %+v, %v:\n%s", name, reply, err, all)
		}
		if reply, all, err := execute(jupyter.Request{Code: source}); err != nil || reply.Status != "ok" || !strings.Contains(all, "ran") {
			t.Errorf("%s, afterwards: %+v, %v:\n%s", name, reply, err, all)
		}
	}
}

// flag is the content of the file by which a cell in dir says that it runs.
func flag(dir string) string {
	b, _ := os.ReadFile(filepath.Join(dir, "flag"))
	return string(b)
}

func TestDeadKernel(t *testing.T) {
	nb := codeCells("// Kill it\n!kill -9 $(ps -o ppid= -p $PPID)", "%%\nfmt.Println(\"never\")")
	outcomes := run(t, nb, Options{KeepGoing: true})
	if err := outcomes[0].Err; !errors.Is(err, jupyter.ErrDied) || !strings.Contains(err.Error(), "killed") {
		t.Errorf("%v: %v", outcomes[0].Cell, err)
	}
	if outcomes[1].Ran {
		t.Error("a cell ran in a dead kernel")
	}
	if c := nb.Cells[0]; len(c.Outputs) == 0 || c.Outputs[len(c.Outputs)-1].Type != notebook.Error {
		t.Errorf("the cell does not say so: %+v", c.Outputs)
	}
}

// TestNothingOutlivesTheRun: what cells have started ends with the run, whatever it has done to get away.
func TestNothingOutlivesTheRun(t *testing.T) {
	dir := t.TempDir()
	var cells []string
	for i, how := range []string{"%s &", "setsid %s &", "(setsid %s &)", "nohup setsid %s >/dev/null 2>&1 &",
		"trap '' TERM HUP INT; setsid %s &",
		"env -i setsid %s &", "(env -i nohup setsid %s >/dev/null 2>&1 </dev/null 3>&- &)"} {
		pid := filepath.Join(dir, fmt.Sprint(i))
		cells = append(cells, "!"+fmt.Sprintf(how, "sh -c 'echo $$ > "+pid+"; exec sleep 300'")+"\n!until test -s "+pid+"; do sleep 0.05; done")
	}
	for _, o := range run(t, codeCells(cells...), Options{}) {
		if o.Failure() != "" {
			t.Error(o.Failure())
		}
	}
	for i := range cells {
		var pid int
		b, _ := os.ReadFile(filepath.Join(dir, fmt.Sprint(i)))
		if _, err := fmt.Sscan(string(b), &pid); err != nil || pid < 2 {
			t.Fatalf("%q: %v", b, err)
		}
		for end := time.Now().Add(20 * time.Second); syscall.Kill(pid, 0) == nil; time.Sleep(20 * time.Millisecond) {
			if stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); strings.Contains(string(stat), ") Z ") { // Nobody waits for it.
				break
			}
			if time.Now().After(end) {
				t.Errorf("%s: process %d lives on", cells[i], pid)
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
}

func TestOtherLanguage(t *testing.T) {
	nb := codeCells("print(1)")
	nb.Metadata["kernelspec"] = []byte(`{"name":"python3","language":"python"}`)
	nb.Cells[0].Outputs = []*notebook.Output{{Type: notebook.Stream, Name: "stdout", Text: "1\n"}}
	if _, err := Run(t.Context(), nb, Options{}); err == nil || !strings.Contains(err.Error(), "python") {
		t.Errorf("%v", err)
	}
	if len(nb.Cells[0].Outputs) != 0 {
		t.Error("it keeps what another run has put into it")
	}
}

func BenchmarkTrivialCell(b *testing.B) {
	k, err := realKernel()
	if err != nil {
		b.Fatal(err)
	}
	kernel, err := jupyter.Start(b.Context(), jupyter.Command{Argv: []string{k.Command(), "{connection_file}"}, Dir: b.TempDir(), Env: append(os.Environ(), "LUCIGO_ROOT="+k.Root)})
	if err != nil {
		b.Fatal(err)
	}
	defer kernel.Stop()
	for b.Loop() {
		if r, err := kernel.Execute(b.Context(), jupyter.Request{Code: "%%\nfmt.Println(1)"}); err != nil || r.Status != "ok" {
			b.Fatal(r, err)
		}
	}
}
